//! `switchover check`: everything that is wrong with policies, before anything runs.

use std::path::Path;

use crate::cli::terminal::Terminal;
use crate::cli::{CheckArgs, Deny, Exit, Format, borrowed, models};
use crate::policy::{self, Diagnostics, Plan, Policy, Severity};
use crate::runtime::Disk;

/// Checks every file; the worst decides the exit.
pub(super) fn run(args: &CheckArgs, terminal: &mut Terminal) -> Exit {
    let mut exit = Exit::Fine;
    for file in &args.files {
        let found = one(file, args, terminal);
        if exit == Exit::Fine || found == Exit::Usage {
            exit = found;
        }
    }
    exit
}

fn one(file: &str, args: &CheckArgs, terminal: &mut Terminal) -> Exit {
    if !Path::new(file).exists() {
        terminal.tell(&format!("switchover: `{file}` does not exist\n"));
        return Exit::Usage;
    }
    let (policy, diagnostics) = match policy::load(&Disk, file, &borrowed(&args.sets)) {
        Ok((policy, diagnostics)) => (Some(policy), diagnostics),
        Err(diagnostics) => (None, diagnostics),
    };
    match args.format {
        Format::Json => terminal.print(&format!("{}\n", diagnostics.to_json())),
        Format::Text => terminal.tell(&diagnostics.render(terminal.colours_told())),
    }
    let Some(policy) = policy else {
        summary(file, None, &diagnostics, args, terminal);
        return Exit::Findings;
    };
    if args.models {
        terminal.print(&models::show(&policy));
    }
    summary(file, Some(&policy), &diagnostics, args, terminal);
    if let Err(too_complex) = Plan::new(policy) {
        terminal.tell(&format!("error: {too_complex}\n"));
        return Exit::Findings;
    }
    let warned = diagnostics.count(Severity::Warning) > 0;
    if warned && args.deny == Some(Deny::Warnings) {
        Exit::Findings
    } else {
        Exit::Fine
    }
}

fn summary(
    file: &str,
    policy: Option<&Policy>,
    diagnostics: &Diagnostics,
    args: &CheckArgs,
    terminal: &mut Terminal,
) {
    if args.format != Format::Text {
        return;
    }
    let what = policy.map(|policy| {
        format!(
            "{} providers, {} targets, {} routes, ",
            policy.providers.len(),
            policy.targets.len(),
            policy.routes.len()
        )
    });
    terminal.tell(&format!(
        "{file}: {}{} errors, {} warnings\n",
        what.unwrap_or_default(),
        diagnostics.count(Severity::Error),
        diagnostics.count(Severity::Warning),
    ));
}
