//! Orders of operators about targets: `POST /targets/NAME/drain`, `open`, `close` or `auto` at the admin address.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::base::TargetId;
use crate::engine::Order;
use crate::policy::{Policy, nearest};
use crate::runtime::log;
use crate::runtime::monitor::{Page, error, ok};
use crate::runtime::shared::Shared;
use crate::wire::h1::Method;

/// Carries out what a request to `/targets/…` asks for. `origin` says that a browser sent it for a page, which may not order
/// anything: every page that an operator has open could reach a loopback address.
pub(super) fn carry_out(shared: &Shared, method: Method, path: &str, origin: bool) -> Page {
    let parts = path
        .strip_prefix("/targets/")
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
    if method != Method::Post {
        return error(405, "an order is a POST");
    }
    if origin {
        return error(403, "a web page may not order anything");
    }
    let policy = &shared.plan.policy;
    let targets = named(policy, name);
    if targets.is_empty() {
        return error(404, &unknown(policy, name));
    }
    let told: Vec<Value> = targets
        .into_iter()
        .filter_map(|target| one(shared, target, order))
        .collect();
    ok(&json!({ "schema": "switchover.order/1", "order": order.as_str(), "targets": told }))
}

fn one(shared: &Shared, target: TargetId, order: Order) -> Option<Value> {
    let before = shared.board.order(target, order)?;
    let name = &*shared.plan.policy.targets.get(target.index())?.name;
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

/// Longer lists are read at `/status`.
const NAMES_MAX: usize = 20;
