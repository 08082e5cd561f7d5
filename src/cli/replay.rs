//! `switchover replay`: recorded decisions, made again, under the policy that made them or under another.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::cli::explain::loaded;
use crate::cli::terminal::Terminal;
use crate::cli::{Exit, Format, ReplayArgs};
use crate::ops::{Told, ToldLine};
use crate::policy::Plan;
use crate::runtime::TextLines;
use crate::sim::replay::{Again, Difference, Moved, Way, again, moved, rerun};

/// What came of all records.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    schema: &'static str,
    policy: String,
    against: Option<String>,
    records: u64,
    /// Those that come out as recorded, or go the same way under both policies.
    same: u64,
    /// Those that do not.
    changed: u64,
    /// What changed, of those that did, and for how many.
    changes: BTreeMap<&'static str, u64>,
    /// Why others could not be made again, and how many.
    skipped: BTreeMap<&'static str, u64>,
    /// Lines that are no records.
    unreadable: u64,
    /// Ticks that were run, where all of a gateway is run again.
    #[serde(skip_serializing_if = "Option::is_none")]
    ticks: Option<u64>,
    examples: Vec<Example>,
    #[serde(skip)]
    examples_max: usize,
}

#[derive(Debug, Serialize)]
struct Example {
    id: String,
    time: String,
    what: String,
    before: String,
    after: String,
}

/// Makes the decisions of a file again.
pub(super) fn run(args: &ReplayArgs, terminal: &mut Terminal) -> Exit {
    match replayed(args, terminal) {
        Ok(report) => {
            match args.format {
                Format::Text => {
                    terminal.print(&report.text(&args.policy, args.against.as_deref()));
                }
                Format::Json => {
                    let mut json = serde_json::to_string_pretty(&report).unwrap_or_default();
                    json.push('\n');
                    terminal.print(&json);
                }
            }
            report.exit()
        }
        Err(exit) => exit,
    }
}

fn replayed(args: &ReplayArgs, terminal: &mut Terminal) -> Result<Report, Exit> {
    let plan = loaded(&args.policy, &args.sets, terminal)?;
    if args.whole {
        return whole(&args.records, &plan, args.examples, terminal);
    }
    let other = match &args.against {
        Some(file) => Some(loaded(file, &args.sets, terminal)?),
        None => None,
    };
    counted(
        &args.records,
        &plan,
        other.as_ref(),
        args.examples,
        terminal,
    )
}

/// What comes of the records in a file under `plan`, or changes from it to `other`; so many of those that change are shown.
pub(super) fn counted(
    records: &str,
    plan: &Plan,
    other: Option<&Plan>,
    examples_max: usize,
    terminal: &mut Terminal,
) -> Result<Report, Exit> {
    let mut report = Report::new(plan, other, examples_max);
    report.unreadable = each(records, terminal, |line| match line {
        ToldLine::Decision(told) => report.add(&told, plan, other),
        // Ticks decide about no request.
        ToldLine::Tick(_) => {}
    })?;
    Ok(report)
}

/// What comes of all records of a gateway, on one engine.
fn whole(
    records: &str,
    plan: &Plan,
    examples_max: usize,
    terminal: &mut Terminal,
) -> Result<Report, Exit> {
    let mut report = Report::new(plan, None, examples_max);
    let (mut decisions, mut ticks) = (Vec::new(), Vec::new());
    report.unreadable = each(records, terminal, |line| match line {
        ToldLine::Decision(told) => decisions.push(*told),
        ToldLine::Tick(tick) => ticks.push(tick),
    })?;
    let done = rerun(plan, &decisions, &ticks).map_err(|why| {
        terminal.tell(&format!(
            "switchover: `{records}` cannot be run again: {why}\n"
        ));
        Exit::Findings
    })?;
    report.records = done.requests;
    report.ticks = Some(done.ticks);
    report.changed = done.differences.len() as u64;
    report.same = done.requests.saturating_sub(report.changed);
    for (id, difference) in done.differences {
        let found = decisions.iter().find(|told| Some(&told.id) == id.as_ref());
        let time = found.map(|told| told.time.clone()).unwrap_or_default();
        *report.changes.entry(kind(&difference)).or_default() += 1;
        report.example((id.unwrap_or_default(), time), difference);
    }
    Ok(report)
}

/// Each line of a file with records that is one; how many are none.
fn each(
    records: &str,
    terminal: &mut Terminal,
    mut line_is: impl FnMut(ToldLine),
) -> Result<u64, Exit> {
    let unread = |terminal: &mut Terminal, why: &str| {
        terminal.tell(&format!("switchover: `{records}` cannot be read: {why}\n"));
        Exit::Usage
    };
    let lines = TextLines::open(records).map_err(|why| unread(terminal, &why.to_string()))?;
    let mut unreadable = 0;
    for (number, line) in (1_u64..).zip(lines) {
        let line = line.map_err(|why| unread(terminal, &why.to_string()))?;
        if line.trim().is_empty() {
            continue;
        }
        match line.parse::<ToldLine>() {
            Ok(line) => line_is(line),
            Err(why) => {
                unreadable += 1;
                terminal.tell(&format!("{records}:{number}: {why}\n"));
            }
        }
    }
    Ok(unreadable)
}

/// A word for what differs.
fn kind(difference: &Difference) -> &'static str {
    match &*difference.of {
        "route" => "route",
        "status" => "status",
        of if of.starts_with("tick") => "tick",
        _ => "step",
    }
}

impl Report {
    fn new(plan: &Plan, other: Option<&Plan>, examples_max: usize) -> Self {
        Self {
            schema: "switchover.replay/1",
            policy: format!("{:016x}", plan.policy.hash),
            against: other.map(|plan| format!("{:016x}", plan.policy.hash)),
            records: 0,
            same: 0,
            changed: 0,
            changes: BTreeMap::new(),
            skipped: BTreeMap::new(),
            unreadable: 0,
            ticks: None,
            examples: Vec::new(),
            examples_max,
        }
    }

    fn add(&mut self, told: &Told, plan: &Plan, other: Option<&Plan>) {
        self.records += 1;
        match other {
            None => self.add_again(told, again(plan, told)),
            Some(other) => match moved(plan, other, told) {
                Ok(moved) => self.add_moved(told, &moved),
                Err(why) => *self.skipped.entry(why.as_str()).or_default() += 1,
            },
        }
    }

    fn add_again(&mut self, told: &Told, again: Again) {
        if let Some(why) = again.skipped {
            *self.skipped.entry(why.as_str()).or_default() += 1;
            return;
        }
        let Some(difference) = again.difference else {
            self.same += 1;
            return;
        };
        self.changed += 1;
        *self.changes.entry(kind(&difference)).or_default() += 1;
        self.example((told.id.clone(), told.time.clone()), difference);
    }

    fn add_moved(&mut self, told: &Told, moved: &Moved) {
        if moved.is_same() {
            self.same += 1;
            return;
        }
        self.changed += 1;
        let Moved { before, after } = moved;
        let mut what = Vec::new();
        let answered = |way: &Way| way.answered_by.is_some();
        for (word, changed) in [
            ("route", before.route != after.route),
            ("first_target", before.first != after.first),
            ("answered_by", before.answered_by != after.answered_by),
            ("status", before.status != after.status),
            ("no_answer_now", answered(before) && !answered(after)),
            ("answered_now", !answered(before) && answered(after)),
        ] {
            if changed {
                *self.changes.entry(word).or_default() += 1;
                what.push(word);
            }
        }
        let difference = Difference {
            of: what.join(", "),
            recorded: way(before),
            found: way(after),
        };
        self.example((told.id.clone(), told.time.clone()), difference);
    }

    fn example(&mut self, (id, time): (String, String), difference: Difference) {
        let Difference {
            of,
            recorded,
            found,
        } = difference;
        if self.examples.len() < self.examples_max {
            self.examples.push(Example {
                id,
                time,
                what: of,
                before: recorded,
                after: found,
            });
        }
    }

    /// Whether some of them change.
    pub(super) const fn changes(&self) -> bool {
        self.changed > 0
    }

    /// Without another policy everything has to come out as recorded, and something must.
    fn exit(&self) -> Exit {
        let vain = self.same + self.changed == 0;
        let differs = self.against.is_none() && self.changed > 0;
        if vain || differs || self.unreadable > 0 {
            Exit::Findings
        } else {
            Exit::Fine
        }
    }

    /// For people; `policy` and `against` are the files.
    pub(super) fn text(&self, policy: &str, against: Option<&str>) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        for example in &self.examples {
            let Example {
                id,
                time,
                what,
                before,
                after,
            } = example;
            let _ = writeln!(out, "{time} {id}  {what}\n  {before}\n  -> {after}");
        }
        let records = self.records;
        let _ = match against {
            None => write!(
                out,
                "{records} records, {} come out as recorded under {}, {} do not",
                self.same, policy, self.changed
            ),
            Some(against) => write!(
                out,
                "{records} records, {} go the same way under {} and {against}, {} do not",
                self.same, policy, self.changed
            ),
        };
        for (word, count) in &self.changes {
            let _ = write!(out, "; {word} {count}");
        }
        out.push('\n');
        for (word, count) in &self.skipped {
            let _ = writeln!(out, "{count} cannot be made again: {word}");
        }
        if self.unreadable > 0 {
            let _ = writeln!(out, "{} lines are no records", self.unreadable);
        }
        out
    }
}

fn way(way: &Way) -> String {
    let first = way.first.as_ref().map_or_else(
        || "asks nobody".to_owned(),
        |first| format!("asks {first} first"),
    );
    let answer = match &way.answered_by {
        Some(target) => format!("{} by {target}", way.status),
        None => way.status.to_string(),
    };
    format!("route {}, {first}, {answer}", way.route)
}
