//! The running state as JSON, in the words of the policy language.

use serde_json::{Map, Value, json};

use crate::base::{Moment, Outcome};
use crate::engine::{KeyStatus, Rule, TargetStatus};
use crate::ops::Count;
use crate::policy::{Plan, Policy};
use crate::runtime::shared::Shared;

/// Everything about targets and requests, as of `now`.
pub(super) fn json(shared: &Shared, now: Moment) -> String {
    let totals = shared.counters.totals();
    let requests: Map<String, Value> = Count::ALL
        .into_iter()
        .map(|(count, name)| (name.to_owned(), totals.of(count).into()))
        .collect();
    let targets: Vec<Value> = shared
        .board
        .status(now)
        .iter()
        .map(|status| target(&shared.plan, status, &totals.answered, now))
        .collect();
    let keys: Vec<Value> = shared
        .board
        .key_status(now)
        .iter()
        .filter_map(|status| key(&shared.plan.policy, status, now))
        .collect();
    json!({
        "schema": "switchover.status/1",
        "policy": format!("{:016x}", shared.plan.policy.hash),
        "requests": requests,
        "targets": targets,
        "keys": keys,
    })
    .to_string()
}

/// One key: where it is kept and how it stands, never a part of what it is. Nothing for a provider without one.
fn key(policy: &Policy, status: &KeyStatus, now: Moment) -> Option<Value> {
    let provider = policy.providers.get(status.provider.index())?;
    let secret = provider.auth.secrets().get(usize::from(status.key))?;
    let kept_from: Vec<Value> = status
        .kept_from
        .iter()
        .map(|kept| {
            json!({
                "target": policy.targets.get(kept.target.index()).map(|target| &*target.name),
                "why": kept.why.as_str(),
                "left_ms": kept.until.since(now).as_millis(),
            })
        })
        .collect();
    Some(json!({
        "provider": &*provider.name,
        "key": status.key,
        "from": secret.source.to_string(),
        "state": if status.out.is_some() { "out" } else { "well" },
        "why": status.out.map(Outcome::as_str),
        "out_left_ms": status.out_until.map(|until| until.since(now).as_millis()),
        "kept_from": kept_from,
    }))
}

fn target(plan: &Plan, status: &TargetStatus, answered: &[u64], now: Moment) -> Value {
    let index = status.target.index();
    let left = |until: Option<Moment>| until.map(|until| until.since(now).as_millis());
    json!({
        "target": plan.policy.targets.get(index).map(|target| &*target.name),
        "breaker": status.state.as_str(),
        "why": status.why.map(Rule::as_str),
        "opened": status.opened,
        "cool_down_left_ms": left(status.until),
        "throttled_left_ms": left(status.throttled_until),
        "model_gone_left_ms": left(status.gone_until),
        "key_out_left_ms": left(status.key_out_until),
        "inflight": status.inflight,
        "window": { "requests": status.requests, "failures": status.failures },
        "answered": answered.get(index),
    })
}
