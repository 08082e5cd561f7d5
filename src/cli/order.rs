//! `switchover drain`, `open`, `close` and `auto`, `withdraw` and `resume`: orders to a running gateway about its targets and
//! routes.

use serde_json::Value;

use crate::cli::terminal::Terminal;
use crate::cli::{Exit, OrderArgs, RouteArgs};
use crate::engine::Order;
use crate::runtime::operator;

/// Gives an order about a target, and says of whom it is obeyed.
pub(super) fn run(order: Order, args: &OrderArgs, terminal: &mut Terminal) -> Exit {
    let OrderArgs { target, admin } = args;
    let word = order.as_str();
    let told = match give(admin, ("targets", target, word), terminal) {
        Ok(told) => told,
        Err(exit) => return exit,
    };
    let targets = told.get("targets").and_then(Value::as_array);
    for one in targets.into_iter().flatten() {
        let (target, before) = (text(one, "target"), text(one, "before"));
        terminal.print(&format!("{target}: {before} -> {word}\n"));
    }
    Exit::Fine
}

/// Gives an order about a route with a guard, `withdraw` or `resume`, and says what the route does now.
pub(super) fn run_for_route(word: &str, args: &RouteArgs, terminal: &mut Terminal) -> Exit {
    let RouteArgs { route, admin } = args;
    match give(admin, ("routes", route, word), terminal) {
        Ok(told) => {
            terminal.print(&format!("{route}: {}\n", text(&told, "state")));
            Exit::Fine
        }
        Err(exit) => exit,
    }
}

/// Sends an order about `name`; what the gateway answers, once it obeys.
fn give(
    admin: &str,
    (kind, name, word): (&str, &str, &str),
    terminal: &mut Terminal,
) -> Result<Value, Exit> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.*".contains(&byte);
    if !name.bytes().all(plain) {
        let thing = kind.trim_end_matches('s');
        terminal.tell(&format!("switchover: `{name}` is no name of a {thing}\n"));
        return Err(Exit::Usage);
    }
    let answer = operator::order(admin, &format!("/{kind}/{name}/{word}"));
    let (status, body) = answer.map_err(|error| {
        terminal.tell(&format!("switchover: no gateway at {admin}: {error}\n"));
        Exit::Internal
    })?;
    let told: Value = serde_json::from_slice(&body).unwrap_or_default();
    if status == 200 {
        return Ok(told);
    }
    let why = match text(&told, "error") {
        "" => format!("{admin} answered with status {status}"),
        why => why.to_owned(),
    };
    terminal.tell(&format!("switchover: {why}\n"));
    Err(Exit::Usage)
}

/// A field's text; nothing where there is none.
fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}
