//! `switchover test`: what policies expect of themselves, run by the live gateway's engine against scripted providers; and
//! what they want proved.

mod junit;
mod report;

use std::path::Path;

use clap::ValueEnum;

use crate::cli::terminal::Terminal;
use crate::cli::{Exit, TestArgs, borrowed};
use crate::policy::{self, Diagnostics, Plan};
use crate::runtime::Disk;
use crate::sim::proof;
use crate::sim::trial::{self, Coverage};

use self::report::{Proved, Report, Tested};

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Form {
    /// For people
    Text,
    /// For programs
    Json,
    /// For build servers
    Junit,
}

/// Runs the tests of every file; the worst decides the exit.
pub(super) fn run(args: &TestArgs, terminal: &mut Terminal) -> Exit {
    loop {
        let (exit, watched) = once(args, terminal);
        if !args.watch {
            return exit;
        }
        terminal.tell("switchover: waiting for a change; interrupt to end\n");
        Disk.await_change(&watched);
    }
}

/// One run, and the files that it has read.
fn once(args: &TestArgs, terminal: &mut Terminal) -> (Exit, Vec<String>) {
    let mut exit = Exit::Fine;
    let mut watched = Vec::new();
    let mut reports = Vec::new();
    for file in &args.files {
        let found = match tested(file, args, terminal, &mut watched) {
            Ok(report) => {
                let fails = report.fails(args.fail_under);
                reports.push(report);
                if fails { Exit::Findings } else { Exit::Fine }
            }
            Err(exit) => exit,
        };
        if exit == Exit::Fine || found == Exit::Usage {
            exit = found;
        }
    }
    match args.format {
        Form::Text => {
            for report in &reports {
                terminal.print(&report.text(args.coverage, args.fail_under));
            }
        }
        Form::Json => terminal.print(&report::json(&reports)),
        Form::Junit => terminal.print(&junit::xml(&reports)),
    }
    (exit, watched)
}

fn tested(
    file: &str,
    args: &TestArgs,
    terminal: &mut Terminal,
    watched: &mut Vec<String>,
) -> Result<Report, Exit> {
    watched.push(file.to_owned());
    if !Path::new(file).exists() {
        terminal.tell(&format!("switchover: `{file}` does not exist\n"));
        return Err(Exit::Usage);
    }
    let (policy, diagnostics) = match policy::load(&Disk, file, &borrowed(&args.sets)) {
        Ok(loaded) => loaded,
        Err(diagnostics) => {
            watch(&diagnostics, watched);
            terminal.tell(&diagnostics.render(terminal.colours_told()));
            terminal.tell(&format!(
                "switchover: `{file}` does not load: no test was run\n"
            ));
            return Err(Exit::Findings);
        }
    };
    watch(&diagnostics, watched);
    let plan = Plan::new(policy).map_err(|too_complex| {
        terminal.tell(&format!("error: {too_complex}\n"));
        Exit::Findings
    })?;
    let mut coverage = Coverage::default();
    let wanted = |name: &str| args.run.as_ref().is_none_or(|part| name.contains(&**part));
    let trials = plan
        .policy
        .trials
        .iter()
        .filter(|trial| wanted(&trial.name));
    let tests = trials
        .map(|trial| Tested::new(&plan, trial, trial::run(&plan, trial, &mut coverage)))
        .collect();
    let proofs = plan.policy.proofs.iter();
    let proofs = proofs.filter(|proof| wanted(&proof.name));
    let proofs = proofs
        .map(|proof| Proved::new(&plan, proof, proof::run(&plan, proof)))
        .collect();
    Ok(Report::new(file, &plan, (tests, proofs), &coverage))
}

fn watch(diagnostics: &Diagnostics, watched: &mut Vec<String>) {
    let files = &diagnostics.files;
    let names = (0_u16..)
        .take(files.len())
        .map(|file| files.name(file).to_owned());
    watched.extend(names);
}

/// `90%` or `90`
pub(super) fn percent(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix('%').unwrap_or(text).parse().ok();
    number
        .filter(|percent| *percent <= 100)
        .ok_or_else(|| "it must be a whole percentage, such as 90%".to_owned())
}
