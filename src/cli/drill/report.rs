//! What the drills of one policy came to, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

use crate::cli::Exit;
use crate::cli::rehearsed::Run;
use crate::policy::Plan;
use crate::policy::drill::Drill;
use crate::policy::model::At;
use crate::sim::rehearsal::{Record, Unfit, judge};

/// The results of one policy.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) file: String,
    pub(super) drills: Vec<Drilled>,
}

/// Slices of a run: as many as a plot can show.
const SLICES: u64 = 120;

/// One drill.
#[derive(Debug, Serialize)]
pub(super) struct Drilled {
    pub(super) name: String,
    pub(super) place: String,
    pub(super) verdict: Verdict,
    /// Why it was not run, or what ended it.
    pub(super) why: Option<String>,
    pub(super) expectations: Vec<Expectation>,
    pub(super) run: Option<Run>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Passed,
    Failed,
    /// A condition of its own ended it.
    Aborted,
    /// It needs what a virtual clock has not.
    Skipped,
}

#[derive(Debug, Serialize)]
pub(super) struct Expectation {
    pub(super) expected: String,
    pub(super) found: String,
    pub(super) passed: bool,
    pub(super) place: String,
}

impl Drilled {
    pub(super) fn new(plan: &Plan, drill: &Drill, came: Result<Record, Unfit>) -> Self {
        let mut drilled = Self {
            name: drill.name.to_string(),
            place: place(plan, drill.at),
            verdict: Verdict::Skipped,
            why: None,
            expectations: Vec::new(),
            run: None,
        };
        let record = match came {
            Ok(record) => record,
            Err(unfit) => {
                if let Unfit::TooMany(_) = unfit {
                    drilled.verdict = Verdict::Failed;
                }
                drilled.why = Some(unfit.to_string());
                return drilled;
            }
        };
        let verdicts = judge(plan, drill, &record).into_iter();
        let expectation = |verdict: crate::sim::rehearsal::Verdict| Expectation {
            expected: verdict.expected.into(),
            found: verdict.found,
            passed: verdict.passed,
            place: place(plan, verdict.at),
        };
        drilled.expectations = verdicts.map(expectation).collect();
        let ended_by = record.aborted.and_then(|index| drill.aborts.get(index));
        drilled.verdict = match ended_by {
            Some(_) => Verdict::Aborted,
            None if drilled.expectations.iter().all(|it| it.passed) => Verdict::Passed,
            None => Verdict::Failed,
        };
        drilled.why = ended_by.map(|abort| abort.text.to_string());
        drilled.run = Some(Run::new(plan, drill, &record, SLICES));
        drilled
    }

    pub(super) fn text(&self, out: &mut String) {
        let word = match self.verdict {
            Verdict::Passed => "PASS",
            Verdict::Failed => "FAIL",
            Verdict::Aborted => "STOP",
            Verdict::Skipped => "SKIP",
        };
        let _ = writeln!(out, "{word} {}  {}", self.name, self.place);
        match (self.verdict, &self.why) {
            (Verdict::Aborted, Some(why)) => {
                let _ = writeln!(out, "  ended by `abort when {why}`");
            }
            (_, Some(why)) => {
                let _ = writeln!(out, "  {why}");
            }
            (_, None) => {}
        }
        let Some(run) = &self.run else { return };
        run.timeline_text(out);
        let widest = self
            .expectations
            .iter()
            .map(|it| it.expected.chars().count());
        let width = widest.max().unwrap_or_default();
        for it in &self.expectations {
            let word = if it.passed { "ok  " } else { "FAIL" };
            let _ = write!(out, "  {word}  {:width$}  {}", it.expected, it.found);
            if !it.passed {
                let _ = write!(out, "  {}", it.place);
            }
            out.push('\n');
        }
        run.numbers_text(out);
    }

    /// What went wrong, in one text.
    pub(super) fn details(&self) -> String {
        let mut out = String::new();
        self.text(&mut out);
        out
    }
}

impl Report {
    /// How the command ends because of it.
    pub(super) fn exit(&self) -> Exit {
        let each = self.drills.iter().map(|drill| match drill.verdict {
            Verdict::Passed | Verdict::Skipped => Exit::Fine,
            Verdict::Failed => Exit::Findings,
            Verdict::Aborted => Exit::Aborted,
        });
        each.max().unwrap_or(Exit::Fine)
    }

    pub(super) fn count(&self, verdict: Verdict) -> usize {
        let those = self.drills.iter().filter(|drill| drill.verdict == verdict);
        those.count()
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        for drill in &self.drills {
            drill.text(&mut out);
            out.push('\n');
        }
        let _ = write!(
            out,
            "{}: {} passed, {} failed",
            self.file,
            self.count(Verdict::Passed),
            self.count(Verdict::Failed)
        );
        for (verdict, word) in [(Verdict::Aborted, "aborted"), (Verdict::Skipped, "skipped")] {
            match self.count(verdict) {
                0 => {}
                count => {
                    let _ = write!(out, ", {count} {word}");
                }
            }
        }
        out.push('\n');
        out
    }
}

/// For programs.
pub(super) fn json(reports: &[Report]) -> String {
    #[derive(Serialize)]
    struct All<'r> {
        schema: &'static str,
        policies: &'r [Report],
    }
    let all = All {
        schema: "switchover.drill/1",
        policies: reports,
    };
    let mut text = serde_json::to_string_pretty(&all).unwrap_or_default();
    text.push('\n');
    text
}

fn place(plan: &Plan, at: At) -> String {
    let file = plan.policy.files.get(usize::from(at.file));
    format!("{}:{}", file.map_or("?", |file| file), at.line)
}
