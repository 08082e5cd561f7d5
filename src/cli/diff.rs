//! `switchover diff`: what two policies do differently with requests.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use crate::cli::replay::{self, Report};
use crate::cli::terminal::Terminal;
use crate::cli::{DiffArgs, Exit, Format, borrowed};
use crate::policy::{self, Plan};
use crate::runtime::Disk;
use crate::sim::compare::{Becomes, Change, Comparison, Invariant, compare};

/// Compares two files.
pub(super) fn run(args: &DiffArgs, terminal: &mut Terminal) -> Exit {
    let old = match loaded(&args.old, args, terminal) {
        Ok(plan) => plan,
        Err(exit) => return exit,
    };
    let new = match loaded(&args.new, args, terminal) {
        Ok(plan) => plan,
        Err(exit) => return exit,
    };
    let found = match compare(&old, &new) {
        Ok(found) => found,
        Err(why) => {
            terminal.tell(&format!("switchover: undecided: {}\n", why.told()));
            return Exit::Findings;
        }
    };
    let traffic = match &args.traffic {
        None => None,
        Some(records) => match replay::counted(records, &old, Some(&new), EXAMPLES, terminal) {
            Ok(counted) => Some(counted),
            Err(exit) => return exit,
        },
    };
    match args.format {
        Format::Text => {
            terminal.print(&text(&found));
            if let Some(traffic) = &traffic {
                terminal.print(&traffic.text(&args.old, Some(&args.new)));
            }
        }
        Format::Json => terminal.print(&json(args, &found, traffic.as_ref())),
    }
    if found.changes.is_empty() && !traffic.is_some_and(|traffic| traffic.changes()) {
        Exit::Fine
    } else {
        Exit::Changes
    }
}

/// Recorded requests that are shown.
const EXAMPLES: usize = 5;

fn loaded(file: &str, args: &DiffArgs, terminal: &mut Terminal) -> Result<Plan, Exit> {
    if !Path::new(file).exists() {
        terminal.tell(&format!("switchover: `{file}` does not exist\n"));
        return Err(Exit::Usage);
    }
    let (policy, _) = policy::load(&Disk, file, &borrowed(&args.sets)).map_err(|diagnostics| {
        terminal.tell(&diagnostics.render(terminal.colours_told()));
        terminal.tell(&format!(
            "switchover: `{file}` does not load: nothing was compared\n"
        ));
        Exit::Findings
    })?;
    Plan::new(policy).map_err(|too_complex| {
        terminal.tell(&format!("error: {too_complex}\n"));
        Exit::Findings
    })
}

/// For people.
pub(super) fn text(found: &Comparison) -> String {
    let mut out = String::new();
    for change in &found.changes {
        told(change, &mut out);
    }
    for invariant in &found.invariants {
        proved(invariant, &mut out);
    }
    let _ = match found.changes.len() {
        0 => writeln!(out, "no change"),
        1 => writeln!(out, "1 change"),
        count => writeln!(out, "{count} changes"),
    };
    out
}

fn told(change: &Change, out: &mut String) {
    let (sign, note) = match change.kind {
        Becomes::Added => ('+', ""),
        Becomes::Removed => ('-', ""),
        Becomes::Renamed if change.words.is_empty() => ('~', ": a new name, the same meaning"),
        Becomes::Renamed => ('~', ": a new name"),
        Becomes::Changed => ('~', ""),
        Becomes::Moved if change.words.is_empty() => ('~', ": requests move, and get the same"),
        Becomes::Moved => ('~', ": requests move"),
    };
    let _ = writeln!(out, "{sign} {}{note}", change.what);
    let width = change
        .words
        .iter()
        .map(|said| said.about.chars().count())
        .max();
    let width = width.unwrap_or_default().min(24);
    for said in &change.words {
        let shown = |text: &str| {
            if text.is_empty() {
                "–".to_owned()
            } else {
                text.to_owned()
            }
        };
        let (old, new) = (shown(&said.old), shown(&said.new));
        let _ = writeln!(out, "    {:<width$}  {old} → {new}", said.about);
    }
    if let Some(example) = &change.example {
        let _ = writeln!(out, "    for example: {example}");
    }
}

fn proved(invariant: &Invariant, out: &mut String) {
    let Invariant {
        of,
        holds,
        kinds,
        example,
    } = invariant;
    let _ = match (holds, example) {
        (Some(true), _) => writeln!(
            out,
            "= {of}: no request can reach another one than before (proved for {kinds} kinds of request)"
        ),
        (None, _) => writeln!(out, "? {of}: undecided, too many states"),
        (Some(false), Some((request, lost, gained))) => {
            let others = [("-", lost), ("+", gained)];
            let others = others
                .into_iter()
                .flat_map(|(sign, names)| names.iter().map(move |name| [" ", sign, name].concat()));
            let others = others.collect::<String>();
            writeln!(
                out,
                "! {of}: requests can reach others than before:{others}\n    for example: {request}"
            )
        }
        (Some(false), None) => writeln!(out, "! {of}: requests can reach others than before"),
    };
}

/// For programs.
fn json(args: &DiffArgs, found: &Comparison, traffic: Option<&Report>) -> String {
    #[derive(Serialize)]
    struct Whole<'a> {
        schema: &'static str,
        old: &'a str,
        new: &'a str,
        #[serde(flatten)]
        found: &'a Comparison,
        #[serde(skip_serializing_if = "Option::is_none")]
        traffic: Option<&'a Report>,
    }
    let whole = Whole {
        schema: "switchover.diff/1",
        old: &args.old,
        new: &args.new,
        found,
        traffic,
    };
    let mut text = serde_json::to_string_pretty(&whole).unwrap_or_default();
    text.push('\n');
    text
}
