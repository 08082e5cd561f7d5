//! Lines for the operator, on standard error: few, and each worth reading.

use std::io::{self, Write};

use crate::base::{Outcome, TargetId};
use crate::engine::{KeyChange, Order, Transition};
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

/// A provider does not know the path that it was asked at.
pub(super) fn wrong_path(plan: &Plan, target: TargetId) {
    let target = plan.policy.targets.get(target.index());
    let name = target.map_or("?", |target| &*target.name);
    let provider = target.and_then(|it| plan.policy.providers.get(it.provider.index()));
    let endpoint = provider.and_then(|provider| provider.endpoints.first());
    let at = endpoint
        .map(|it| format!(" at {}:{}{}", it.host, it.port, it.base_path))
        .unwrap_or_default();
    note(&format!(
        "target {name}: its provider has no such path{at} (status 404 or 405), and clients get 502 \
         `upstream_not_found`; is `base_url` right?"
    ));
}

/// An operator ordered something.
pub(super) fn order(target: &str, from: Order, to: Order) {
    note(&format!(
        "target {target}: {} -> {} (by order)",
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

/// A key went out, which somebody must see to, or came back.
pub(super) fn key_change(plan: &Plan, change: KeyChange) {
    let provider = plan.policy.providers.get(change.provider.index());
    let name = provider.map_or("?", |provider| &*provider.name);
    let secret = provider.and_then(|it| it.auth.secrets().get(usize::from(change.key)));
    let from = secret
        .map(|secret| format!(" ({})", secret.source))
        .unwrap_or_default();
    let key = change.key;
    let what = match change.out {
        None => "well again",
        Some(Outcome::QuotaExhausted) => "out: its quota, balance or spend limit is used up",
        Some(_) => "out: the provider refuses it",
    };
    note(&format!("provider {name}: key {key}{from} is {what}"));
}
