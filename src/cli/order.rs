//! `switchover drain`, `open`, `close` and `auto`: orders to a running gateway.

use crate::cli::terminal::Terminal;
use crate::cli::{Exit, OrderArgs};
use crate::engine::Order;
use crate::runtime::operator::{self, Reply};

/// Gives the order, and says of whom it is obeyed.
pub(super) fn run(order: Order, args: &OrderArgs, terminal: &mut Terminal) -> Exit {
    let word = order.as_str();
    match operator::order(&args.admin, &args.target, order) {
        Ok(Reply::Done(targets)) => {
            for (target, before) in targets {
                terminal.print(&format!("{target}: {before} -> {word}\n"));
            }
            Exit::Fine
        }
        Ok(Reply::Refused(why)) => {
            terminal.tell(&format!("switchover: {why}\n"));
            Exit::Usage
        }
        Err(error) => {
            terminal.tell(&format!("switchover: {error}\n"));
            Exit::Findings
        }
    }
}
