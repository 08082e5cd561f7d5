//! `hedge after … -> provider.model`: a second attempt beside the first one.

use crate::base::Span;
use crate::policy::diag::{naming as say, routing};
use crate::policy::model::{Cond, Hedge, HedgeDelay};
use crate::policy::resolve::block::Fields;
use crate::policy::resolve::policy::Resolver;
use crate::policy::resolve::tiers::Tiers;
use crate::policy::schema::{self, Scope, Type, Value};
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::{Expr, Stmt, Tail, Word};

const SHAPE: &str = "hedge after 900ms -> provider.model";

/// A hedge and where its parts stand.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) hedge: Hedge,
    pub(super) target: Place,
    delay: Place,
}

impl<'t> Resolver<'t> {
    /// The route's hedge, if it has one.
    pub(super) fn hedge(&mut self, fields: &Fields<'t>) -> Option<Written> {
        let mut stmts = fields.of("hedge");
        let first = stmts.next()?;
        for other in stmts.collect::<Vec<_>>() {
            self.report(say::twice(other.key_place(), "hedge", first.key_place()));
        }
        let [_, Word::Expr(after), Word::Expr(delay)] = first.words.as_slice() else {
            return self.no_hedge(first);
        };
        let (target, when) = match &first.tail {
            Tail::Arrow(to) => match to.as_slice() {
                [Word::Expr(target)] => (target, None),
                [Word::Expr(target), Word::When(_, when)] => (target, Some(when)),
                _ => return self.no_hedge(first),
            },
            _ => return self.no_hedge(first),
        };
        if after.name() != Some("after") {
            return self.no_hedge(first);
        }
        let max_extra = self.fields(first.stmts(), &schema::HEDGE).ppm("max_extra");
        let when = match when {
            Some(when) => self.cond(when, Scope::Request),
            None => Some(Cond::Always),
        };
        let after = self.hedge_delay(after, delay);
        let to = self.target(target);
        Some(Written {
            hedge: Hedge {
                at: self.at(first.place),
                after: after?,
                target: to?,
                when: when?,
                max_extra: max_extra?,
            },
            target: target.place,
            delay: delay.place,
        })
    }

    fn no_hedge(&mut self, stmt: &'t Stmt<'t>) -> Option<Written> {
        self.report(say::not_written_so(stmt.head(), "hedge", SHAPE));
        None
    }

    fn hedge_delay(&mut self, after: &'t Expr<'t>, delay: &'t Expr<'t>) -> Option<HedgeDelay> {
        const DELAY: Type = Type::Span(Span::from_millis(1), Span::from_secs(3_600));
        if delay.name() == Some("p95") {
            return Some(HedgeDelay::P95);
        }
        match self.value(delay, &DELAY, Some(("after", after.place))) {
            Some(Value::Span(span)) => Some(HedgeDelay::Fixed(span)),
            _ => None,
        }
    }

    /// A hedge that cannot help in any request is a mistake.
    pub(super) fn check_hedge(
        &mut self,
        written: &Written,
        tiers: &Tiers,
        deadline: Span,
        attempts_max: Option<u8>,
    ) {
        let Written { hedge, target, .. } = written;
        if tiers
            .members()
            .all(|(member, _)| member.target == hedge.target)
        {
            let name = self.target_name(hedge.target).to_owned();
            self.report(routing::hedge_to_itself(*target, &name));
        }
        if let HedgeDelay::Fixed(delay) = hedge.after
            && delay >= deadline
        {
            self.report(routing::hedge_too_late(written.delay, deadline));
        }
        if attempts_max == Some(1) {
            self.report(routing::hedge_is_one_too_many(*target));
        }
    }
}
