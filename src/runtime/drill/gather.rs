//! From the record of a request to what a drill keeps of it.

use crate::base::{Outcome, Span, TargetId};
use crate::engine::AttemptRecord;
use crate::ops::{self, Ending};
use crate::policy::Plan;
use crate::runtime::drill::Running;
use crate::sim::rehearsal::{Asked, Failed, Record};

/// Adds a request that is over to what was seen; gives what is kept of it. Of clients' requests those that were under way
/// when the drill began, that came too late for it, that no route took and whose client left are none that it is about.
pub(super) fn add(run: &Running, told: &ops::Record, seen: &mut Record) -> Option<Asked> {
    let route = told.route?;
    if told.started < run.begun || told.ending == Ending::ClientGone {
        return None;
    }
    let mut came = told.started.since(run.begun);
    if came >= seen.length {
        if run.is_live() {
            return None;
        }
        // A copy that was drawn in the last moment begins when its request is on its way.
        came = seen.length.saturating_sub(Span::from_nanos(1));
    }
    let attempts: Vec<AttemptRecord> = told.attempts.iter().collect();
    let answered = (told.ending == Ending::Answered)
        .then(|| attempts.iter().find(|it| it.outcome == Some(Outcome::Ok)))
        .flatten();
    let target = answered.map(|it| it.target);
    for tried in &attempts {
        if let Some(counts) = seen.targets.get_mut(tried.target.index()) {
            counts.attempts += 1;
            counts.answered += u64::from(answered.is_some_and(|it| it.started == tried.started));
        }
    }
    if target.is_none() {
        *seen.failures.entry(failure(told, &attempts)).or_default() += 1;
    }
    if let Some(target) = target
        && told.spent.and_then(|spent| spent.nano_dollars).is_none()
        && !is_free(run.plan(), target)
    {
        seen.unpriced.insert(target);
    }
    let count = u8::try_from(attempts.len()).unwrap_or(u8::MAX);
    let asked = Asked {
        came,
        route,
        answered: target,
        ttft_us: first_content(told, &attempts).map_or(Asked::NOTHING, micros),
        attempts: count,
        wasted: count.saturating_sub(used(target, &attempts)),
        cost_nanos: told
            .spent
            .and_then(|spent| spent.nano_dollars)
            .unwrap_or_default(),
    };
    seen.requests.push(asked);
    Some(asked)
}

/// Who bills nothing need not say what was used.
fn is_free(plan: &Plan, target: TargetId) -> bool {
    let target = plan.policy.targets.get(target.index());
    target.is_some_and(|it| it.price_in == Some(0) && it.price_out == Some(0))
}

/// When the client had the first of its answer; of a whole one, all of it.
fn first_content(told: &ops::Record, attempts: &[AttemptRecord]) -> Option<Span> {
    if told.stream {
        let first = |it: &AttemptRecord| Some(it.started.saturating_add(it.ttft?));
        return attempts.iter().filter_map(first).min();
    }
    (told.ending == Ending::Answered).then(|| told.ended.since(told.started))
}

/// Attempts whose answers the client got: the last one, and those before it that it went on with.
fn used(answered: Option<TargetId>, attempts: &[AttemptRecord]) -> u8 {
    if answered.is_none() {
        return 0;
    }
    let begun =
        |it: &&AttemptRecord| it.ttft.is_some() && !it.overtaken && it.outcome != Some(Outcome::Ok);
    let begun = attempts.iter().filter(begun).count();
    u8::try_from(begun + 1).unwrap_or(u8::MAX)
}

fn failure(told: &ops::Record, attempts: &[AttemptRecord]) -> (Failed, &'static str) {
    let last = attempts.iter().filter_map(|it| it.outcome).next_back();
    let begun = attempts.iter().any(|it| it.ttft.is_some());
    match (told.reason, last) {
        (Some(reason), _) => (Failed::Rejected, reason),
        (None, Some(outcome)) if begun && told.stream => (Failed::Broken, outcome.as_str()),
        (None, Some(outcome)) => (Failed::Stopped, outcome.as_str()),
        (None, None) => (Failed::Rejected, told.ending.as_str()),
    }
}

fn micros(span: Span) -> u32 {
    u32::try_from(span.as_micros())
        .unwrap_or(Asked::NOTHING)
        .min(Asked::NOTHING - 1)
}
