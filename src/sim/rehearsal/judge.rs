//! Whether what was expected of a drill came true, and what was seen.

use std::collections::BTreeMap;

use crate::base::{Span, TargetId};
use crate::engine::State;
use crate::policy::Plan;
use crate::policy::drill::{Abort, Drill, Expect, Expected, Injection, Measure};
use crate::policy::model::At;
use crate::policy::trial::ShareOf;

use super::record::{Asked, Event, Record, Sum, percentile};
use super::show::{cost, part, seconds};

/// What came of one expectation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verdict {
    /// As it is written.
    pub expected: Box<str>,
    /// Where it stands.
    pub at: At,
    /// Whether it held.
    pub passed: bool,
    /// What was seen, for people.
    pub found: String,
}

/// All expectations of `drill`, in the order of the text.
pub fn judge(plan: &Plan, drill: &Drill, record: &Record) -> Vec<Verdict> {
    let court = Court {
        plan,
        drill,
        record,
    };
    let verdict = |expected: &Expected| {
        let (passed, found) = court.hears(expected);
        Verdict {
            expected: expected.text.clone(),
            at: expected.at,
            passed,
            found,
        }
    };
    drill.expects.iter().map(verdict).collect()
}

/// Which condition of the drill ends it now, by its index, if one does. `lately` are its requests that have ended within
/// [`Abort::LOOKS_BACK`], `clients` how many of the clients' requests did, and how many of them failed.
pub fn aborted(drill: &Drill, lately: &[Asked], clients: Option<(u64, u64)>) -> Option<usize> {
    let enough = lately.len() >= Abort::REQUESTS_MIN;
    let holds = |abort: &Abort| match abort.measure {
        Measure::ErrorRate if enough => {
            let failed = 1_000_000_u64.saturating_sub(Sum::of(lately).success());
            abort.within.holds(failed)
        }
        Measure::Ttft(ppm) if enough => {
            percentile(lately, ppm).is_some_and(|time| abort.within.holds(time))
        }
        Measure::LiveErrorRate => clients.is_some_and(|(all, failed)| {
            let part = u128::from(failed) * 1_000_000 / u128::from(all.max(1));
            all >= Abort::REQUESTS_MIN as u64
                && abort.within.holds(u64::try_from(part).unwrap_or(u64::MAX))
        }),
        Measure::ErrorRate | Measure::Ttft(_) => false,
    };
    drill.aborts.iter().position(holds)
}

struct Court<'a> {
    plan: &'a Plan,
    drill: &'a Drill,
    record: &'a Record,
}

impl Court<'_> {
    fn hears(&self, expected: &Expected) -> (bool, String) {
        let record = self.record;
        let phase = expected.phase.within(record.length, record.faulty);
        let requests = record.between(phase);
        if requests.is_empty()
            && !matches!(expected.expect, Expect::Opened(..) | Expect::Closed(..))
        {
            return (false, "no request came in that time".to_owned());
        }
        let sum = Sum::of(requests);
        match &expected.expect {
            Expect::Success(within) => {
                let (answered, all) = (sum.answered, sum.requests);
                let success = sum.success();
                let found = format!("{} ({answered} of {all})", part(success));
                (within.holds(success), found)
            }
            Expect::Errors(within) => (within.holds(sum.failed()), sum.failed().to_string()),
            Expect::Share(of, within) => {
                let hits = requests.iter().filter(|asked| counts(of, asked)).count() as u64;
                let share = u128::from(hits) * 1_000_000 / u128::from(sum.requests.max(1));
                let share = u64::try_from(share).unwrap_or(1_000_000);
                let found = format!("{} ({hits} of {})", part(share), sum.requests);
                (within.holds(share), found)
            }
            Expect::Ttft(ppm, within) => match percentile(requests, *ppm) {
                Some(time) => (
                    within.holds(time),
                    format!("{} ms", time.saturating_add(500) / 1_000),
                ),
                None => (false, "no client got anything".to_owned()),
            },
            Expect::Wasted(within) => (within.holds(sum.wasted), sum.wasted.to_string()),
            Expect::Cost(within) => self.cost(&sum, |micros| within.holds(micros)),
            Expect::Opened(targets, within) => self.opened(targets, *within),
            Expect::Closed(targets, within) => self.closed(targets, *within),
            Expect::NeverOpened(targets) => match self.first_opened(targets, Span::ZERO) {
                None => (true, "it never did".to_owned()),
                Some((at, target)) => (
                    false,
                    format!("{} opened after {}", self.name(target), seconds(at)),
                ),
            },
        }
    }

    fn cost(&self, sum: &Sum, holds: impl Fn(u64) -> bool) -> (bool, String) {
        if let Some(target) = self.record.unpriced.first() {
            return (
                false,
                format!("no price of {} is known", self.name(*target)),
            );
        }
        let micros = u64::try_from(sum.cost_nanos.div_ceil(1_000)).unwrap_or(u64::MAX);
        (holds(micros), cost(sum.cost_nanos))
    }

    /// The injections that hit the provider of one of these; all, if none does.
    fn over(&self, targets: &[TargetId]) -> Vec<&Injection> {
        let provider = |target: &TargetId| {
            let target = self.plan.policy.targets.get(target.index())?;
            Some(target.provider)
        };
        let providers: Vec<_> = targets.iter().filter_map(provider).collect();
        let hits = |injection: &&Injection| {
            let mut hit = injection.spots.iter().flat_map(|spot| &spot.targets);
            hit.any(|target| provider(target).is_some_and(|it| providers.contains(&it)))
        };
        let over: Vec<_> = self.drill.injections.iter().filter(hits).collect();
        if over.is_empty() {
            return self.drill.injections.iter().collect();
        }
        over
    }

    fn opened(&self, targets: &[TargetId], within: Span) -> (bool, String) {
        let begun = self.over(targets).into_iter().map(|it| it.after).min();
        let begun = begun.unwrap_or_default();
        match self.first_opened(targets, begun) {
            None => (false, "it never did".to_owned()),
            Some((at, target)) => {
                let after = at.saturating_sub(begun);
                let found = format!("{} after {}", self.name(target), seconds(after));
                (after <= within, found)
            }
        }
    }

    /// The first of these whose breaker opens, from then on.
    fn first_opened(&self, targets: &[TargetId], from: Span) -> Option<(Span, TargetId)> {
        self.record
            .events
            .iter()
            .find_map(|(at, event)| match event {
                Event::Breaker {
                    target,
                    to: State::Open,
                    ..
                } if *at >= from && targets.contains(target) => Some((*at, *target)),
                _ => None,
            })
    }

    fn closed(&self, targets: &[TargetId], within: Span) -> (bool, String) {
        let lifted = self.over(targets).into_iter().map(Injection::lifted).max();
        let lifted = lifted.unwrap_or_default().min(self.record.length);
        // By breaker: when it changed last, and to what.
        let mut last: BTreeMap<(TargetId, Option<u16>), (Span, State)> = BTreeMap::new();
        for (at, event) in &self.record.events {
            if let Event::Breaker {
                target, core, to, ..
            } = event
                && targets.contains(target)
            {
                last.insert((*target, *core), (*at, *to));
            }
        }
        let ill = last.iter().find(|(_, (_, state))| *state != State::Closed);
        if let Some(((target, _), (_, state))) = ill {
            let found = format!("{} is still {}", self.name(*target), state.as_str());
            return (false, found);
        }
        let closed = last.values().map(|(at, _)| *at).max();
        match closed {
            None => (true, "it never opened".to_owned()),
            Some(at) if at <= lifted => (true, "before the fault was lifted".to_owned()),
            Some(at) => {
                let after = at.saturating_sub(lifted);
                (after <= within, format!("after {}", seconds(after)))
            }
        }
    }

    fn name(&self, target: TargetId) -> String {
        let target = self.plan.policy.targets.get(target.index());
        format!("`{}`", target.map_or("?", |target| &target.name))
    }
}

fn counts(of: &ShareOf, asked: &Asked) -> bool {
    match of {
        ShareOf::Route(route) => asked.route == *route,
        ShareOf::Targets(targets) => asked
            .answered
            .is_some_and(|target| targets.contains(&target)),
    }
}
