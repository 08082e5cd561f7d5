//! Lines for the operator, on standard error: few, and each worth reading.

use std::io::{self, Write};

use crate::engine::Transition;
use crate::policy::Plan;
use crate::policy::model::Endpoint;

/// Writes one line.
pub fn note(line: &str) {
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "switchover: {line}");
}

/// A breaker changed its mind.
pub(super) fn transition(plan: &Plan, transition: &Transition) {
    let target = plan.policy.targets.get(transition.target.index());
    let name = target.map_or("?", |target| &*target.name);
    let Transition { from, to, why, .. } = transition;
    let why = why
        .map(|rule| format!(" ({})", rule.as_str()))
        .unwrap_or_default();
    note(&format!(
        "target {name}: {} -> {}{why}",
        from.as_str(),
        to.as_str()
    ));
}

/// Health checks changed their mind about an endpoint.
pub(super) fn health(provider: &str, endpoint: &Endpoint, up: bool, why: &str) {
    let (from, to) = if up { ("down", "up") } else { ("up", "down") };
    let why = if why.is_empty() {
        String::new()
    } else {
        format!(" ({why})")
    };
    note(&format!(
        "endpoint {}:{} of {provider}: {from} -> {to}{why}",
        endpoint.host, endpoint.port
    ));
}
