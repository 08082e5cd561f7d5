//! `switchover simulate`: a plan under load and faults that the command line names, on a virtual clock. What the command
//! line says becomes a drill without expectations, so that it means what it means in a policy.

use std::fmt::Write as _;
use std::path::Path;

use clap::ValueEnum;
use serde::Serialize;

use crate::base::Span;
use crate::cli::terminal::Terminal;
use crate::cli::{Exit, SimulateArgs, borrowed, drill};
use crate::policy::{self, Plan, Sources};
use crate::runtime::Disk;
use crate::sim::rehearsal::{self, Setup, clock, part};
use crate::sim::rehearsal::{Point, Run};

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Form {
    /// For people
    Text,
    /// For programs
    Json,
}

/// A fault, or how a provider behaves: `openai:status=429@60s+120s`, `openai:ttft=1s..2s`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Named {
    what: String,
    /// In the words of the policy language.
    fields: String,
}

/// Runs it.
pub(super) fn run(args: &SimulateArgs, terminal: &mut Terminal) -> Exit {
    if !Path::new(&args.file).exists() {
        terminal.tell(&format!("switchover: `{}` does not exist\n", args.file));
        return Exit::Usage;
    }
    let line = CommandLine::new(args);
    let (policy, _) = match policy::load(&line, &line.path, &borrowed(&args.sets)) {
        Ok(loaded) => loaded,
        Err(diagnostics) => {
            terminal.tell(&diagnostics.render(terminal.colours_told()));
            terminal.tell("switchover: nothing was simulated\n");
            return Exit::Findings;
        }
    };
    let plan = match Plan::new(policy) {
        Ok(plan) => plan,
        Err(too_complex) => {
            terminal.tell(&format!("error: {too_complex}\n"));
            return Exit::Findings;
        }
    };
    let own = plan.policy.drills.iter().find(|drill| drill.at.file == 0);
    let Some(drill) = own else {
        return Exit::Internal;
    };
    let setup = Setup {
        cores: args.cores,
        seed: args.seed,
    };
    let record = match rehearsal::run(&plan, drill, setup) {
        Ok(record) => record,
        Err(unfit) => {
            terminal.tell(&format!("switchover: {unfit}\n"));
            return Exit::Usage;
        }
    };
    let text = match args.format {
        Form::Text => text(args, &Run::new(&plan, drill, &record, ROWS)),
        Form::Json => json(args, &Run::new(&plan, drill, &record, POINTS)),
    };
    drill::put(&text, args.out.as_deref(), terminal)
}

/// Rows of the table that people read, and points of the series that programs do.
const ROWS: u64 = 20;
const POINTS: u64 = 600;
const FILE: &str = "(command line)";

/// The command line as a policy, which imports the one that it is about.
struct CommandLine {
    /// Beside the policy, so that its import is found.
    path: String,
    text: String,
}

impl CommandLine {
    fn new(args: &SimulateArgs) -> Self {
        let file = Path::new(&args.file);
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let path = file.with_file_name(FILE).to_string_lossy().into_owned();
        let arrivals = if args.even { ", arrivals = even" } else { "" };
        let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
        let mut text = format!(
            "policy 1\nimport \"{quoted}\"\ndrill command_line {{\n  traffic = synthetic({}{arrivals})\n  for = {}\n",
            args.load, args.length
        );
        for given in &args.given {
            let _ = writeln!(text, "  given {{ {given} }}");
        }
        for Named { what, fields } in &args.assume {
            let _ = writeln!(text, "  assume {what} {{ {fields} }}");
        }
        for Named { what, fields } in &args.fail {
            let _ = writeln!(text, "  inject {what} {{ {fields} }}");
        }
        text.push_str("  expect { success >= 0% }\n}\n");
        Self { path, text }
    }
}

impl Sources for CommandLine {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        if path == self.path {
            return Ok(self.text.clone().into_bytes());
        }
        Disk.read(path)
    }
}

/// What cannot end the statement that it is put into.
pub(super) fn plain(text: &str) -> Result<String, String> {
    if text
        .chars()
        .any(|c| matches!(c, '{' | '}' | '#') || c.is_control())
    {
        return Err("braces, `#` and line ends have no place here".to_owned());
    }
    Ok(text.to_owned())
}

/// `openai@60s+120s`, `openai.gpt_5:status=429,share=25%@60s+120s`
pub(super) fn fail(text: &str) -> Result<Named, String> {
    const SHAPE: &str = "it must be WHAT[:FAULT]@BEGIN+LENGTH, such as `openai@60s+120s` or \
                         `openai.mini:status=429,share=25%@60s+120s`";
    let text = plain(text)?;
    let (of, when) = text.rsplit_once('@').ok_or(SHAPE)?;
    let (after, lasts) = when.split_once('+').ok_or(SHAPE)?;
    let (what, fault) = of.split_once(':').unwrap_or((of, "status=503"));
    if [what, fault, after, lasts]
        .iter()
        .any(|part| part.trim().is_empty())
    {
        return Err(SHAPE.to_owned());
    }
    Ok(Named {
        what: what.to_owned(),
        fields: format!("{}, after = {after}, lasts = {lasts}", spaced(fault)),
    })
}

/// `openai:ttft=1s..2s,tokens=400`
pub(super) fn assume(text: &str) -> Result<Named, String> {
    let text = plain(text)?;
    match text.split_once(':') {
        Some((what, fields)) if !what.is_empty() => Ok(Named {
            what: what.to_owned(),
            fields: spaced(fields),
        }),
        _ => Err("it must be PROVIDER:FIELDS, such as `openai:ttft=1s..2s,tokens=400`".to_owned()),
    }
}

/// Fields as a policy has them, so that messages show them so.
fn spaced(fields: &str) -> String {
    let each = fields.split(',').map(|field| {
        let (key, value) = field.split_once('=').unwrap_or((field, ""));
        format!("{} = {}", key.trim(), value.trim())
    });
    each.collect::<Vec<_>>().join(", ")
}

fn text(args: &SimulateArgs, run: &Run) -> String {
    let mut out = format!(
        "{}: {} for {}, {} cores, seed {}\n",
        args.file, args.load, args.length, run.cores, run.seed
    );
    run.timeline_text(&mut out);
    let _ = writeln!(
        out,
        "\n  {:>15}  {:>8}  {:>8}  {:>6}  {:>8}  {:>8}  answered by",
        "time", "requests", "answered", "wasted", "p50", "p95"
    );
    for point in &run.series {
        row(run, point, &mut out);
    }
    out.push('\n');
    run.numbers_text(&mut out);
    out
}

fn row(run: &Run, point: &Point, out: &mut String) {
    let time = format!("{}-{}", at(point.from), at(point.to));
    let of = |count: u64| count.saturating_mul(1_000_000) / point.requests.max(1);
    let ms =
        |time: Option<f64>| time.map_or_else(|| "-".to_owned(), |time| format!("{time:.0} ms"));
    let _ = write!(
        out,
        "  {time:>15}  {:>8}  {:>8}  {:>6}  {:>8}  {:>8} ",
        point.requests,
        part(of(point.answered)),
        point.wasted,
        ms(point.p50_ms),
        ms(point.p95_ms),
    );
    let shares = run.targets.iter().zip(&point.by_target);
    for (target, count) in shares.filter(|(_, count)| **count > 0) {
        let _ = write!(out, " {} {}%", target.name, of(*count) / 10_000);
    }
    out.push('\n');
}

fn at(seconds: f64) -> String {
    clock(Span::from_millis(rehearsal::whole(seconds * 1_000.0)))
}

fn json(args: &SimulateArgs, run: &Run) -> String {
    #[derive(Serialize)]
    struct All<'r> {
        schema: &'static str,
        file: &'r str,
        load: &'r str,
        run: &'r Run,
    }
    let all = All {
        schema: "switchover.simulate/1",
        file: &args.file,
        load: &args.load,
        run,
    };
    let mut text = serde_json::to_string_pretty(&all).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::{Named, assume, fail};

    #[test]
    fn faults_are_named_in_the_words_of_policies() {
        let named = |what: &str, fields: &str| {
            Ok(Named {
                what: what.to_owned(),
                fields: fields.to_owned(),
            })
        };
        assert_eq!(
            fail("openai@60s+120s"),
            named("openai", "status = 503, after = 60s, lasts = 120s")
        );
        assert_eq!(
            fail("vllm[0..1]:connect=refuse,share=25%@1m+2m"),
            named(
                "vllm[0..1]",
                "connect = refuse, share = 25%, after = 1m, lasts = 2m"
            )
        );
        assert_eq!(
            assume("openai:ttft=1s..2s,tokens=400"),
            named("openai", "ttft = 1s..2s, tokens = 400")
        );
        for text in [
            "openai",
            "openai@60s",
            "@60s+1s",
            "openai@+",
            "a{b@1s+1s",
            "a:@1s+2s",
        ] {
            assert!(fail(text).is_err(), "{text}");
        }
        assert!(assume("openai").is_err() && assume("x:a\n=1").is_err());
    }
}
