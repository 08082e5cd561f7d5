//! `switchover drain`, `open`, `close` and `auto`: orders to a running gateway about its targets.

use serde_json::Value;

use crate::cli::terminal::Terminal;
use crate::cli::{Exit, OrderArgs};
use crate::engine::Order;
use crate::runtime::operator;

/// Gives the order, and says of whom it is obeyed.
pub(super) fn run(order: Order, args: &OrderArgs, terminal: &mut Terminal) -> Exit {
    let OrderArgs { target, admin } = args;
    let word = order.as_str();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.*".contains(&byte);
    if !target.bytes().all(plain) {
        terminal.tell(&format!("switchover: `{target}` is no name of a target\n"));
        return Exit::Usage;
    }
    let (status, body) = match operator::order(admin, &format!("/targets/{target}/{word}")) {
        Ok(answer) => answer,
        Err(error) => {
            terminal.tell(&format!("switchover: no gateway at {admin}: {error}\n"));
            return Exit::Internal;
        }
    };
    let told: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |value: &Value, name| value.get(name).and_then(Value::as_str).map(str::to_owned);
    if status == 200 {
        let targets = told.get("targets").and_then(Value::as_array);
        for one in targets.into_iter().flatten() {
            let of = |name| text(one, name).unwrap_or_default();
            terminal.print(&format!("{}: {} -> {word}\n", of("target"), of("before")));
        }
        return Exit::Fine;
    }
    let why = text(&told, "error");
    let why = why.unwrap_or_else(|| format!("{admin} answered with status {status}"));
    terminal.tell(&format!("switchover: {why}\n"));
    Exit::Usage
}
