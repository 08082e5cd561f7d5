//! `switchover explain`: why a request goes where it goes, and what holds for a route, a provider or a target.

mod effective;
mod report;
mod request;
mod text;

use std::path::Path;

use serde_json::Value;

use crate::base::RequestId;
use crate::cli::terminal::Terminal;
use crate::cli::{Exit, ExplainArgs, Format, borrowed};
use crate::ops::Told;
use crate::policy::effective::{Written, owners};
use crate::policy::trial::Trial;
use crate::policy::{self, Plan, Policy, Sources as _};
use crate::runtime::{Disk, operator};
use crate::sim::replay::{Difference, Skipped, again};
use crate::sim::trial::{self, Explained};

use self::effective::Filter;
use self::report::Report;
use self::request::Asked;

/// Explains what the arguments name.
pub(super) fn run(args: &ExplainArgs, terminal: &mut Terminal) -> Exit {
    match explained(args, terminal) {
        Ok(()) => Exit::Fine,
        Err(exit) => exit,
    }
}

fn explained(args: &ExplainArgs, terminal: &mut Terminal) -> Result<(), Exit> {
    let plan = loaded(&args.file, &args.sets, terminal)?;
    if let Some(words) = &args.effective {
        return settings(args, words, &plan.policy, terminal);
    }
    if let Some(path) = &args.req {
        let asked = read_request(path, &plan, terminal)?;
        request(args, &plan, &asked.trial, asked.id, terminal);
    } else if let Some(path) = &args.decision {
        let bytes = read(path, terminal)?;
        decision(args, &plan, &String::from_utf8_lossy(&bytes), terminal)?;
    } else if let Some(id) = &args.id {
        let text = fetched(id, args, terminal)?;
        decision(args, &plan, &text, terminal)?;
    } else if let Some(name) = &args.test {
        let found = plan
            .policy
            .trials
            .iter()
            .find(|trial| *trial.name == **name);
        let Some(trial) = found else {
            terminal.tell(&format!("switchover: there is no test {name:?}\n"));
            return Err(Exit::Usage);
        };
        request(args, &plan, trial, trial::id(trial.seed, 0), terminal);
    }
    Ok(())
}

/// What holds for whom.
fn settings(
    args: &ExplainArgs,
    words: &[String],
    policy: &Policy,
    terminal: &mut Terminal,
) -> Result<(), Exit> {
    let filter = Filter::of(words).map_err(|why| {
        terminal.tell(&format!("switchover: {why}\n"));
        Exit::Usage
    })?;
    let written = Written::of(&Disk, &args.file);
    let mut owners = owners(policy, &written);
    if let Some(filter) = filter {
        owners.retain(|owner| filter.takes(owner));
        if owners.is_empty() {
            terminal.tell(&format!("switchover: {}\n", filter.missing()));
            return Err(Exit::Usage);
        }
    }
    terminal.print(&match args.format {
        Format::Text => effective::text(policy, &owners),
        Format::Json => effective::json(policy, &owners),
    });
    Ok(())
}

/// A decision that a gateway has recorded, made again.
fn decision(
    args: &ExplainArgs,
    plan: &Plan,
    text: &str,
    terminal: &mut Terminal,
) -> Result<(), Exit> {
    let told: Told = text.trim().parse().map_err(|why| {
        terminal.tell(&format!("switchover: {why}\n"));
        Exit::Usage
    })?;
    let again = again(plan, &told);
    show(args, plan, &again.explained, terminal);
    if let Some(difference) = again.difference {
        let Difference {
            of,
            recorded,
            found,
        } = difference;
        terminal.tell(&format!(
            "switchover: it did not come out as recorded: {of}: {recorded} was recorded, {found} came out\n"
        ));
        return Err(Exit::Findings);
    }
    if let Some(why) = again.skipped {
        let (policy, hash) = (&told.policy, plan.policy.hash);
        let detail = match why {
            Skipped::OtherPolicy => format!(" ({policy}, and `{}` is {hash:016x})", args.file),
            _ => String::new(),
        };
        terminal.tell(&format!(
            "switchover: it cannot be made again as a whole: {why}{detail}\n"
        ));
        return Err(Exit::Findings);
    }
    Ok(())
}

/// The record of a request from the gateway that has it.
fn fetched(id: &str, args: &ExplainArgs, terminal: &mut Terminal) -> Result<String, Exit> {
    if RequestId::from_hex(id).is_none() {
        terminal.tell("switchover: an id is 32 hexadecimal digits, as `x-request-id` has them\n");
        return Err(Exit::Usage);
    }
    let admin = &args.admin;
    let (status, body) = operator::page(admin, &format!("/decisions/{id}")).map_err(|error| {
        terminal.tell(&format!("switchover: no gateway at {admin}: {error}\n"));
        Exit::Internal
    })?;
    let body = String::from_utf8_lossy(&body).into_owned();
    if status == 200 {
        return Ok(body);
    }
    let told: Value = serde_json::from_str(&body).unwrap_or_default();
    let why = told.get("error").and_then(Value::as_str);
    let why = why.map_or_else(
        || format!("{admin} answered with status {status}"),
        str::to_owned,
    );
    terminal.tell(&format!("switchover: {why}\n"));
    Err(Exit::Usage)
}

fn request(args: &ExplainArgs, plan: &Plan, trial: &Trial, id: RequestId, terminal: &mut Terminal) {
    show(args, plan, &trial::explain(plan, trial, id), terminal);
}

fn show(args: &ExplainArgs, plan: &Plan, explained: &Explained, terminal: &mut Terminal) {
    let report = Report::new(&args.file, plan, explained);
    match args.format {
        Format::Text => terminal.print(&text::text(&report)),
        Format::Json => {
            let mut json = serde_json::to_string_pretty(&report).unwrap_or_default();
            json.push('\n');
            terminal.print(&json);
        }
    }
}

/// The plan of a file that has no errors.
pub(super) fn loaded(
    file: &str,
    sets: &[(String, String)],
    terminal: &mut Terminal,
) -> Result<Plan, Exit> {
    if !Path::new(file).exists() {
        terminal.tell(&format!("switchover: `{file}` does not exist\n"));
        return Err(Exit::Usage);
    }
    let (policy, _) = policy::load(&Disk, file, &borrowed(sets)).map_err(|diagnostics| {
        terminal.tell(&diagnostics.render(terminal.colours_told()));
        terminal.tell(&format!("switchover: `{file}` does not load\n"));
        Exit::Findings
    })?;
    Plan::new(policy).map_err(|too_complex| {
        terminal.tell(&format!("error: {too_complex}\n"));
        Exit::Findings
    })
}

fn read(path: &str, terminal: &mut Terminal) -> Result<Vec<u8>, Exit> {
    let bytes = if path == "-" {
        terminal.read()
    } else {
        Disk.read(path)
    };
    bytes.map_err(|why| {
        terminal.tell(&format!("switchover: `{path}` cannot be read: {why}\n"));
        Exit::Usage
    })
}

fn read_request(path: &str, plan: &Plan, terminal: &mut Terminal) -> Result<Asked, Exit> {
    let bytes = read(path, terminal)?;
    Asked::read(&bytes, plan).map_err(|wrong| {
        for why in wrong {
            terminal.tell(&format!("{path}: {why}\n"));
        }
        Exit::Usage
    })
}
