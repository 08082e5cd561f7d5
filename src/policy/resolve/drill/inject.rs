//! `inject WHAT { … }`: whom a fault hits, which one it is, and when.

use crate::base::{ProviderId, Span, TargetId};
use crate::policy::diag::{naming as say, testing};
use crate::policy::drill::{BadAnswer, BadKey, Break, Fault, Injection, NoConnection, Spot};
use crate::policy::model::Provider;
use crate::policy::resolve::block::Fields;
use crate::policy::resolve::policy::Resolver;
use crate::policy::schema::drill::INJECT;
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::{Expr, Kind, Stmt, Tail, Word};

const SHAPE: &str = "inject NAME { status = 503, lasts = 2m }";
/// The fields that are faults.
const FAULTS: [&str; 9] = [
    "status", "connect", "latency", "ttft", "gap", "stream", "answer", "model", "key",
];

impl<'t> Resolver<'t> {
    /// One injection of a drill that lasts for `length`, where the drill says so.
    pub(super) fn injection(
        &mut self,
        stmt: &'t Stmt<'t>,
        length: Option<Span>,
    ) -> Option<Injection> {
        let ([_, Word::Expr(what)], Tail::Bare, Some(_)) =
            (stmt.words.as_slice(), &stmt.tail, &stmt.body)
        else {
            self.report(say::not_written_so(stmt.head(), "inject", SHAPE));
            return None;
        };
        let spots = self.spots(what);
        let fields = self.fields(stmt.stmts(), &INJECT);
        let fault = self.fault(stmt, &fields);
        let after = fields.span("after")?;
        let lasts = self.lasting(stmt, &fields, after, length);
        let share = fields.ppm("share")?;
        if share == 0 {
            let place = fields.place("share").unwrap_or_default();
            self.report(say::out_of_range(place, "0%", "0.0001%", "100%"));
        }
        Some(Injection {
            name: self.files.slice(what.place).into(),
            at: self.at(stmt.key_place()),
            spots: spots?,
            fault: fault?,
            share,
            after,
            lasts: lasts?,
        })
    }

    /// For how long it lasts: as it says, else to the end of the drill.
    fn lasting(
        &mut self,
        stmt: &Stmt<'t>,
        fields: &Fields<'t>,
        after: Span,
        length: Option<Span>,
    ) -> Option<Span> {
        let lasts = fields.span("lasts");
        let Some(length) = length else {
            let written = stmt.stmts().iter().any(|line| line.key() == "lasts");
            if lasts.is_none() && !written {
                let what = "`lasts`, and its drill has no `for`";
                self.report(say::missing(stmt.key_place(), "inject", what));
            }
            return lasts;
        };
        if after >= length {
            self.report(testing::after_the_end(stmt.head(), after, length));
            return None;
        }
        let rest = length.saturating_sub(after);
        Some(lasts.map_or(rest, |lasts| lasts.min(rest)))
    }

    /// Exactly one of the fields that are faults.
    fn fault(&mut self, stmt: &Stmt<'t>, fields: &Fields<'t>) -> Option<Fault> {
        let written = stmt
            .stmts()
            .iter()
            .filter(|line| FAULTS.contains(&line.key()));
        let written: Vec<_> = written.map(|line| (line.key(), line.key_place())).collect();
        let retry_after = fields.span("retry_after");
        if let (Some(place), None) = (fields.place("retry_after"), fields.written("status")) {
            self.report(testing::needs_status(place));
        }
        match written.as_slice() {
            [] => {
                let what = format!("a fault: one of {}", crate::policy::diag::listed(FAULTS));
                self.report(say::missing(stmt.key_place(), "inject", &what));
                None
            }
            [(word, _)] => one_fault(word, fields, retry_after),
            [first, others @ ..] => {
                for other in others.iter().filter(|other| other.0 != first.0) {
                    self.report(say::either_or(other.1, other.0, first.0, first.1));
                }
                None
            }
        }
    }

    /// Whom `what` names.
    fn spots(&mut self, what: &'t Expr<'t>) -> Option<Vec<Spot>> {
        match &what.kind {
            Kind::List(items) => {
                let each: Vec<_> = items.iter().map(|item| self.spots(item)).collect();
                let each: Vec<Vec<Spot>> = each.into_iter().collect::<Option<_>>()?;
                Some(each.concat())
            }
            Kind::Index("region", name) => {
                let Kind::Str(region) = &name.kind else {
                    self.report(say::not_written_so(what.place, "region", "region[\"eu\"]"));
                    return None;
                };
                self.region(region, name.place).map(|spot| vec![spot])
            }
            Kind::Index(path, index) => {
                self.indexed(path, index, what.place).map(|spot| vec![spot])
            }
            _ => Some(vec![Spot {
                targets: self.targets_of(what)?,
                endpoints: None,
                key: None,
            }]),
        }
    }

    /// All targets of all providers there.
    fn region(&mut self, region: &str, place: Place) -> Option<Spot> {
        let is_there = |provider: &Provider| provider.region.as_deref() == Some(region);
        let providers: Vec<_> = self.providers.iter().map(is_there).collect();
        let own = (0_u16..).zip(&self.targets);
        let targets: Vec<_> = own
            .filter(|(_, target)| providers.get(target.provider.index()) == Some(&true))
            .map(|(id, _)| TargetId(id))
            .collect();
        if targets.is_empty() {
            let known: Vec<Box<str>> = self
                .providers
                .iter()
                .filter_map(|provider| provider.region.clone())
                .collect();
            let mut known: Vec<&str> = known.iter().map(|region| &**region).collect();
            known.sort_unstable();
            known.dedup();
            self.report(say::unknown_name(place, "region", region, &known));
            return None;
        }
        Some(Spot {
            targets,
            endpoints: None,
            key: None,
        })
    }

    /// `vllm[0..1]`: endpoints; `openai.keys[0]`: a key.
    fn indexed(&mut self, path: &'t str, index: &'t Expr<'t>, place: Place) -> Option<Spot> {
        let (name, keys) = match path.strip_suffix(".keys") {
            Some(name) => (name, true),
            None => (path, false),
        };
        let (low, high) = match index.kind {
            Kind::Number(number) => (number.count(), number.count()),
            Kind::Range(low, high) if !keys => (low.count(), high.count()),
            _ => (None, None),
        };
        let (Some(low), Some(high)) = (low, high) else {
            let shape = if keys {
                "inject openai.keys[0] { … }"
            } else {
                "inject openai[0..1] { … }"
            };
            self.report(say::not_written_so(place, "inject", shape));
            return None;
        };
        if low > high {
            self.report(say::range_reversed(index.place));
            return None;
        }
        let provider = self.provider_named(name, place)?;
        let (targets, endpoints, secrets) = self.belongings(provider)?;
        let has = if keys { secrets } else { endpoints };
        if high >= has {
            let what = if keys { "key" } else { "endpoint" };
            self.report(testing::no_such_part(index.place, what, name, has));
            return None;
        }
        let number = |index: u64| u16::try_from(index).ok();
        Some(Spot {
            targets,
            endpoints: if keys {
                None
            } else {
                Some((number(low)?, number(high)?))
            },
            key: if keys { u8::try_from(low).ok() } else { None },
        })
    }

    /// A provider's targets, and how many endpoints and keys it has.
    fn belongings(&self, provider: ProviderId) -> Option<(Vec<TargetId>, u64, u64)> {
        let own = (0_u16..).zip(&self.targets);
        let targets = own
            .filter(|(_, target)| target.provider == provider)
            .map(|(id, _)| TargetId(id))
            .collect();
        let provider = self.providers.get(provider.index())?;
        let endpoints = provider.endpoints.len() as u64;
        Some((targets, endpoints, provider.auth.secrets().len() as u64))
    }
}

fn one_fault(word: &str, fields: &Fields<'_>, retry_after: Option<Span>) -> Option<Fault> {
    let text = || fields.text(word);
    Some(match word {
        "status" => Fault::Status {
            status: u16::try_from(fields.int(word)?).ok()?,
            retry_after,
        },
        "connect" => Fault::Connect(NoConnection::from_word(text()?)?),
        "latency" => Fault::Latency(fields.span(word)?),
        "ttft" => Fault::Ttft(fields.span(word)?),
        "gap" => Fault::Gap(fields.span(word)?),
        "stream" => Fault::Stream(Break::from_word(text()?)?),
        "answer" => Fault::Answer(BadAnswer::from_word(text()?)?),
        "key" => Fault::Key(BadKey::from_word(text()?)?),
        _ => text().map(|_| Fault::ModelGone)?,
    })
}
