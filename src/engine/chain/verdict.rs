//! What the policy says to an outcome: the fallback lines of a route, top down.

use crate::base::{Outcome, OutcomeSet, Span, TargetId};
use crate::policy::model::{FallbackLine, Otherwise, Serve, Then, Trigger};

/// What is to be done next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// The next candidate.
    Next,
    /// The client gets the outcome's own answer.
    Stop,
    /// This target.
    Jump(TargetId),
    /// The `reject(…)` of this line.
    Reject(u8),
    /// `else`.
    Otherwise,
}

/// The first line that matches `outcome`; `waited` is the time that the attempt went without content.
///
/// An outcome that is the client's own fault and that no line names does not fall to `else`: a bad request must reach
/// the client as the 400 that it is, not as a 503 that invites the same request again. The standard fallback, `on any`,
/// names none of them.
pub(crate) fn verdict(serve: &Serve, outcome: Outcome, waited: Span) -> Verdict {
    match fallback_line(serve, outcome, waited) {
        Some((index, line)) => match line.then {
            Then::Next => Verdict::Next,
            Then::Stop => Verdict::Stop,
            Then::Jump(target) => Verdict::Jump(target),
            Then::Reject(_) => Verdict::Reject(index),
        },
        None if CLIENTS_FAULT.has(outcome) || serve.otherwise == Otherwise::Stop => Verdict::Stop,
        None => Verdict::Otherwise,
    }
}

/// The first line that matches, with its index.
pub fn fallback_line(serve: &Serve, outcome: Outcome, waited: Span) -> Option<(u8, &FallbackLine)> {
    (0_u8..)
        .zip(&serve.fallback)
        .find(|(_, line)| applies(line, outcome, waited))
}

/// The first `on ttft > …` line: how long it waits, and what it does then.
pub(crate) fn slow_line(serve: &Serve) -> Option<(Span, &Then)> {
    serve.fallback.iter().find_map(|line| match line.on {
        Trigger::Slow(limit) => Some((limit, &line.then)),
        Trigger::Outcomes(_) => None,
    })
}

fn applies(line: &FallbackLine, outcome: Outcome, waited: Span) -> bool {
    match line.on {
        Trigger::Outcomes(set) => set.has(outcome),
        Trigger::Slow(limit) => outcome == Outcome::Ttft && waited >= limit,
    }
}

/// What no other target cures unless the policy knows better.
pub(crate) const CLIENTS_FAULT: OutcomeSet = OutcomeSet::EMPTY
    .with(Outcome::S4xx)
    .with(Outcome::ContextExceeded)
    .with(Outcome::ContentFilter);
