//! `switchover drill`: the outages that policies rehearse, on a virtual clock, over loopback, or on a running gateway.

mod junit;
mod live;
mod local;
mod page;
mod plot;

use std::path::Path;

use clap::ValueEnum;

use crate::cli::terminal::Terminal;
use crate::cli::{DrillArgs, Exit, borrowed};
use crate::policy::{self, Plan};
use crate::runtime::Disk;
use crate::sim::rehearsal::{self, Conclusion, Drilled, Report, Setup};

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Form {
    /// For people
    Text,
    /// For programs
    Json,
    /// For build servers
    Junit,
    /// One page with plots, which needs nothing else
    Html,
}

/// Runs the drills of every file, or one on a running gateway; the worst decides the exit.
pub(super) fn run(args: &DrillArgs, terminal: &mut Terminal) -> Exit {
    if let Some(name) = &args.live {
        return live::run(name, args, terminal);
    }
    let mut exit = Exit::Fine;
    let mut reports = Vec::new();
    for file in &args.files {
        match drilled(file, args, terminal) {
            Ok(report) => {
                exit = exit.max(exit_of(&report));
                reports.push(report);
            }
            Err(found) => exit = exit.max(found),
        }
    }
    let none = reports.iter().all(|report| report.drills.is_empty());
    if let (true, Some(wanted)) = (none && exit == Exit::Fine, &args.run) {
        terminal.tell(&format!(
            "switchover: no drill has `{wanted}` in its name\n"
        ));
        return Exit::Usage;
    }
    let text = written(args.format, &reports);
    exit.max(put(&text, args.out.as_deref(), terminal))
}

/// Reports in the form that is wanted.
fn written(form: Form, reports: &[Report]) -> String {
    match form {
        Form::Text => reports.iter().map(Report::text).collect(),
        Form::Json => rehearsal::json(reports),
        Form::Junit => junit::xml(reports),
        Form::Html => page::html(reports),
    }
}

/// How the command ends because of a report.
fn exit_of(report: &Report) -> Exit {
    let each = report.drills.iter().map(|drill| match drill.conclusion {
        Conclusion::Passed | Conclusion::Skipped => Exit::Fine,
        Conclusion::Failed => Exit::Findings,
        Conclusion::Aborted | Conclusion::Ended | Conclusion::Running => Exit::Aborted,
    });
    each.max().unwrap_or(Exit::Fine)
}

/// Writes a report to its file, or to standard output.
pub(super) fn put(text: &str, file: Option<&str>, terminal: &mut Terminal) -> Exit {
    let Some(file) = file else {
        terminal.print(text);
        return Exit::Fine;
    };
    match std::fs::write(file, text) {
        Ok(()) => Exit::Fine,
        Err(error) => {
            terminal.tell(&format!(
                "switchover: `{file}` cannot be written: {error}\n"
            ));
            Exit::Usage
        }
    }
}

fn drilled(file: &str, args: &DrillArgs, terminal: &mut Terminal) -> Result<Report, Exit> {
    if !Path::new(file).exists() {
        terminal.tell(&format!("switchover: `{file}` does not exist\n"));
        return Err(Exit::Usage);
    }
    let loaded = policy::load(&Disk, file, &borrowed(&args.sets));
    let (policy, _) = loaded.map_err(|diagnostics| {
        terminal.tell(&diagnostics.render(terminal.colours_told()));
        terminal.tell(&format!(
            "switchover: `{file}` does not load: no drill was run\n"
        ));
        Exit::Findings
    })?;
    let plan = Plan::new(policy).map_err(|too_complex| {
        terminal.tell(&format!("error: {too_complex}\n"));
        Exit::Findings
    })?;
    let setup = Setup {
        cores: args.cores,
        seed: args.seed,
    };
    let wanted = |name: &str| args.run.as_ref().is_none_or(|part| name.contains(&**part));
    let drills = plan.policy.drills.iter().filter(|it| wanted(&it.name));
    let drills = drills
        .map(|drill| {
            if args.local {
                local::run(&plan, drill, args, terminal)
            } else {
                Drilled::new(&plan, drill, rehearsal::run(&plan, drill, setup))
            }
        })
        .collect();
    Ok(Report {
        file: file.to_owned(),
        drills,
    })
}
