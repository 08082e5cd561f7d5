//! `shadow provider.model { … }`: copies of some requests.

use crate::policy::diag::{naming as say, routing, safety};
use crate::policy::model::Shadow;
use crate::policy::resolve::block::Fields;
use crate::policy::resolve::policy::Resolver;
use crate::policy::resolve::tiers::Tiers;
use crate::policy::schema::{self, Value};
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::{Tail, Word};

const SHAPE: &str = "shadow provider.model { share = 2%, max_inflight = 8 }";

/// A shadow and where its target stands.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) shadow: Shadow,
    pub(super) target: Place,
}

impl<'t> Resolver<'t> {
    /// The route's shadow, if it has one.
    pub(super) fn shadow(&mut self, fields: &Fields<'t>) -> Option<Written> {
        let mut stmts = fields.of("shadow");
        let first = stmts.next()?;
        for other in stmts.collect::<Vec<_>>() {
            self.report(say::twice(other.key_place(), "shadow", first.key_place()));
        }
        let ([_, Word::Expr(target)], Tail::Bare) = (first.words.as_slice(), &first.tail) else {
            self.report(say::not_written_so(first.head(), "shadow", SHAPE));
            return None;
        };
        let inner = self.fields(first.stmts(), &schema::SHADOW);
        if inner.place("max_inflight").is_none() {
            let room = match &first.body {
                Some(body) if body.stmts.is_empty() => (body.place, "{ max_inflight = 8 }"),
                Some(body) => (
                    Place {
                        start: body.place.start + 1,
                        len: 0,
                        ..body.place
                    },
                    " max_inflight = 8,",
                ),
                None => (first.head().end(), " { max_inflight = 8 }"),
            };
            self.report(routing::shadow_unbounded(first.key_place(), room));
        }
        if let (Some(Value::Bool(false)), Some(place)) =
            (inner.written("discard"), inner.place("discard"))
        {
            self.report(safety::shadow_keeps(place));
        }
        let to = self.target(target);
        Some(Written {
            shadow: Shadow {
                at: self.at(first.place),
                target: to?,
                share: inner.ppm("share")?,
                max_inflight: inner.count("max_inflight")?,
            },
            target: target.place,
        })
    }

    /// A copy to the only target of the tiers tells nothing that the request itself does not.
    pub(super) fn check_shadow(&mut self, written: &Written, tiers: &Tiers) {
        let target = written.shadow.target;
        if tiers.members().all(|(member, _)| member.target == target) {
            let name = self.target_name(target).to_owned();
            self.report(routing::shadow_of_itself(written.target, &name));
        }
    }
}
