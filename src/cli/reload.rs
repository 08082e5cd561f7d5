//! `switchover reload`: a running gateway reads its policy, secrets and certificates again.

use serde_json::Value;

use crate::cli::terminal::Terminal;
use crate::cli::{Exit, ReloadArgs};
use crate::runtime::operator;

/// Asks for the reload and says what came of it.
pub(super) fn run(args: &ReloadArgs, terminal: &mut Terminal) -> Exit {
    let (status, body) = match operator::order(&args.admin, "/reload") {
        Ok(answer) => answer,
        Err(error) => {
            terminal.tell(&format!(
                "switchover: no gateway at {}: {error}\n",
                args.admin
            ));
            return Exit::Internal;
        }
    };
    let told: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default();
    if status == 200 {
        terminal.tell(text("notes"));
        let generation = told.get("generation").and_then(Value::as_u64);
        terminal.print(&format!(
            "reloaded: policy {}, generation {}\n",
            text("policy"),
            generation.unwrap_or_default()
        ));
        return Exit::Fine;
    }
    let why = text("why");
    terminal.tell(why);
    if !why.ends_with('\n') {
        terminal.tell("\n");
    }
    let what = match text("error") {
        "" => format!("{} answered with status {status}", args.admin),
        error => error.to_owned(),
    };
    terminal.tell(&format!("switchover: {what}\n"));
    Exit::Findings
}
