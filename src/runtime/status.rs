//! The running state as JSON, in the words of the policy language.

use serde_json::{Map, Value, json};

use crate::base::Moment;
use crate::engine::{Rule, TargetStatus};
use crate::ops::Count;
use crate::policy::Plan;
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
    json!({
        "schema": "switchover.status/1",
        "policy": format!("{:016x}", shared.plan.policy.hash),
        "requests": requests,
        "targets": targets,
    })
    .to_string()
}

fn target(plan: &Plan, status: &TargetStatus, answered: &[u64], now: Moment) -> Value {
    let index = status.target.index();
    let left = |until: Option<Moment>| until.map(|until| until.since(now).as_millis());
    json!({
        "target": plan.policy.targets.get(index).map(|target| &*target.name),
        "up": !status.down,
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
