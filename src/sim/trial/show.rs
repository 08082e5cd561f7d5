//! Journeys in words, for people.

use crate::base::{Outcome, RouteId, TargetId};
use crate::policy::Policy;
use crate::policy::model::At;

use super::journey::{Ending, Journey, Visit};

/// The whole way, a line for each step.
pub(super) fn journey(policy: &Policy, journey: &Journey) -> Vec<String> {
    let at = policy
        .routes
        .get(journey.route.index())
        .map(|route| route.at);
    let mut lines = vec![format!(
        "route {}{}",
        route(policy, journey.route),
        at.map(|at| format!("  {}", place(policy, at)))
            .unwrap_or_default()
    )];
    for (visit, number) in journey.visits.iter().zip(1_u32..) {
        lines.push(step(policy, visit, number));
    }
    for (of, why) in &journey.passed {
        if !journey.visits.iter().any(|visit| visit.target == *of) {
            lines.push(format!(
                "passed over {}: {}",
                target(policy, *of),
                why.as_str()
            ));
        }
    }
    lines.push(format!("answer {}", answer(policy, journey)));
    lines
}

fn step(policy: &Policy, visit: &Visit, number: u32) -> String {
    let name = target(policy, visit.target);
    let status = visit
        .status
        .map(|status| format!(" ({status})"))
        .unwrap_or_default();
    let hedge = if visit.hedge { ", as a hedge" } else { "" };
    let line = visit
        .line
        .map(|(_, at)| format!("  {}", place(policy, at)))
        .unwrap_or_default();
    let outcome = visit.outcome.map_or("overtaken", Outcome::as_str);
    format!("{number}. {name}: {outcome}{status}{hedge}{line}")
}

/// What the client got.
pub(super) fn answer(policy: &Policy, journey: &Journey) -> String {
    match journey.ending {
        Ending::Answered(of) => format!("200 by `{}`", target(policy, of)),
        Ending::Stopped(status) => match journey.visits.last() {
            Some(last) => format!("{status}, what `{}` said", target(policy, last.target)),
            None => status.to_string(),
        },
        Ending::Rejected {
            status, reason, at, ..
        } => format!(
            "reject({status}) for {} at {}",
            reason.as_str(),
            place(policy, at)
        ),
    }
}

pub(in crate::sim) fn targets(policy: &Policy, targets: &[TargetId]) -> String {
    let names: Vec<_> = targets.iter().map(|id| target(policy, *id)).collect();
    format!("[{}]", names.join(", "))
}

pub(in crate::sim) fn target(policy: &Policy, id: TargetId) -> &str {
    policy
        .targets
        .get(id.index())
        .map_or("?", |target| &target.name)
}

pub(in crate::sim) fn route(policy: &Policy, id: RouteId) -> &str {
    policy
        .routes
        .get(id.index())
        .map_or("?", |route| &route.name)
}

/// `file:line`
pub(in crate::sim) fn place(policy: &Policy, at: At) -> String {
    let file = policy
        .files
        .get(usize::from(at.file))
        .map_or("?", |file| file);
    format!("{file}:{}", at.line)
}
