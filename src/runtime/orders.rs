//! Orders of operators about targets: `POST /targets/NAME/drain`, `open`, `close` or `auto` at the admin address.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::base::TargetId;
use crate::engine::Order;
use crate::policy::{Policy, nearest};
use crate::runtime::generation::Generation;
use crate::runtime::log;
use crate::runtime::monitor::{Page, error, ok};

/// Carries out what a request to a path below [`PATH`] asks for.
pub(super) fn carry_out(generation: &Generation, path: &str) -> Page {
    let parts = path
        .strip_prefix(PATH)
        .and_then(|rest| rest.rsplit_once('/'));
    let Some((name, word)) = parts else {
        return error(
            404,
            "an order is POST /targets/NAME/drain, open, close or auto",
        );
    };
    let Some(order) = Order::from_word(word) else {
        return error(404, "there are the orders drain, open, close and auto");
    };
    let policy = &generation.plan.policy;
    let targets = named(policy, name);
    if targets.is_empty() {
        return error(404, &unknown(policy, name));
    }
    let told: Vec<Value> = targets
        .into_iter()
        .filter_map(|target| one(generation, target, order))
        .collect();
    ok(&json!({ "schema": "switchover.order/1", "order": order.as_str(), "targets": told }))
}

fn one(generation: &Generation, target: TargetId, order: Order) -> Option<Value> {
    let before = generation.board.order(target, order)?;
    let name = &*generation.plan.policy.targets.get(target.index())?.name;
    if before != order {
        log::order(name, before, order);
    }
    Some(json!({ "target": name, "before": before.as_str() }))
}

/// The target of that name, or all of the provider's, whose name may have a `.*` behind it.
fn named(policy: &Policy, name: &str) -> Vec<TargetId> {
    let provider = name.strip_suffix(".*").unwrap_or(name);
    let provider = policy.providers.iter().position(|it| &*it.name == provider);
    (0_u16..)
        .zip(&policy.targets)
        .filter(|(_, target)| match provider {
            Some(provider) => target.provider.index() == provider,
            None => &*target.name == name,
        })
        .map(|(id, _)| TargetId(id))
        .collect()
}

fn unknown(policy: &Policy, name: &str) -> String {
    let targets = policy.targets.iter().map(|target| &*target.name);
    let providers = policy.providers.iter().map(|provider| &*provider.name);
    let mut text = format!("there is no target and no provider `{name}`");
    let near = nearest(name, targets.clone().chain(providers));
    if let Some(near) = near {
        let _ = write!(text, "; did you mean `{near}`?");
        return text;
    }
    let names: Vec<_> = targets.take(NAMES_MAX).collect();
    let _ = write!(text, "; there are {}", names.join(", "));
    if policy.targets.len() > NAMES_MAX {
        text.push_str(", …");
    }
    text
}

/// What their paths begin with.
pub(super) const PATH: &str = "/targets/";
/// Longer lists are read at `/status`.
const NAMES_MAX: usize = 20;
