//! What the drills of one policy came to, for people and for programs.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::policy::Plan;
use crate::policy::drill::Drill;
use crate::policy::model::At;

use super::Unfit;
use super::judge::{self, judge};
use super::record::Record;
use super::run::Run;

/// The results of one policy.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Report {
    /// Its file.
    pub file: String,
    /// One for each drill that was asked for.
    pub drills: Vec<Drilled>,
}

/// Slices of a run: as many as a plot can show.
const SLICES: u64 = 120;

/// One drill.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Drilled {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub place: String,
    /// How it ended.
    #[serde(rename = "verdict")]
    pub conclusion: Conclusion,
    /// Why it was not run, or what ended it.
    pub why: Option<String>,
    /// What was expected, in the order of the text.
    pub expectations: Vec<Expectation>,
    /// What happened.
    pub run: Option<Run>,
}

/// How a drill ended.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Conclusion {
    /// All that was expected came true.
    Passed,
    /// Not all of it.
    Failed,
    /// A condition of its own ended it.
    Aborted,
    /// Somebody else ended it: an operator, a reload, the end of the gateway.
    Ended,
    /// It needs what is not there.
    Skipped,
    /// It is under way: what is told is what was seen so far.
    Running,
}

impl Conclusion {
    /// The word of reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
            Self::Ended => "ended",
            Self::Skipped => "skipped",
            Self::Running => "running",
        }
    }
}

/// What came of one expectation.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Expectation {
    /// As it is written.
    pub expected: String,
    /// What was seen.
    pub found: String,
    /// Whether it held.
    pub passed: bool,
    /// Where it stands.
    pub place: String,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage<'w> {
    /// It is under way.
    Running,
    /// It came to its own end.
    Over,
    /// Somebody ended it, for this reason.
    Ended(&'w str),
}

impl Drilled {
    /// Of a run on a virtual clock, which may not have come to pass.
    pub fn new(plan: &Plan, drill: &Drill, came: Result<Record, Unfit>) -> Self {
        match came {
            Ok(record) => Self::of(plan, drill, &record, Stage::Over),
            Err(unfit) => Self {
                conclusion: match unfit {
                    Unfit::TooMany(_) => Conclusion::Failed,
                    Unfit::Beyond(_) => Conclusion::Skipped,
                },
                why: Some(unfit.to_string()),
                ..Self::empty(plan, drill)
            },
        }
    }

    /// Of what was seen, as far as it has come.
    pub fn of(plan: &Plan, drill: &Drill, record: &Record, stage: Stage<'_>) -> Self {
        let verdicts = judge(plan, drill, record).into_iter();
        let expectation = |verdict: judge::Verdict| Expectation {
            expected: verdict.expected.into(),
            found: verdict.found,
            passed: verdict.passed,
            place: place(plan, verdict.at),
        };
        let expectations: Vec<_> = verdicts.map(expectation).collect();
        let aborted = record.aborted.and_then(|index| drill.aborts.get(index));
        let (conclusion, why) = match (stage, aborted) {
            (Stage::Running, _) => (Conclusion::Running, None),
            (Stage::Ended(why), _) => (Conclusion::Ended, Some(why.to_owned())),
            (Stage::Over, Some(abort)) => (Conclusion::Aborted, Some(abort.text.to_string())),
            (Stage::Over, None) if expectations.iter().all(|it| it.passed) => {
                (Conclusion::Passed, None)
            }
            (Stage::Over, None) => (Conclusion::Failed, None),
        };
        Self {
            conclusion,
            why,
            expectations,
            run: Some(Run::new(plan, drill, record, SLICES)),
            ..Self::empty(plan, drill)
        }
    }

    /// Of a drill that was not run, for this reason.
    pub fn not_run(plan: &Plan, drill: &Drill, conclusion: Conclusion, why: String) -> Self {
        Self {
            conclusion,
            why: Some(why),
            ..Self::empty(plan, drill)
        }
    }

    fn empty(plan: &Plan, drill: &Drill) -> Self {
        Self {
            name: drill.name.to_string(),
            place: place(plan, drill.at),
            conclusion: Conclusion::Skipped,
            why: None,
            expectations: Vec::new(),
            run: None,
        }
    }

    /// For people.
    pub fn text(&self, out: &mut String) {
        let word = match self.conclusion {
            Conclusion::Passed => "PASS",
            Conclusion::Failed => "FAIL",
            Conclusion::Aborted | Conclusion::Ended => "STOP",
            Conclusion::Skipped => "SKIP",
            Conclusion::Running => "....",
        };
        let _ = writeln!(out, "{word} {}  {}", self.name, self.place);
        if let Some(why) = self.reason() {
            let _ = writeln!(out, "  {why}");
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

    /// Why it was not run, or what ended it, as a sentence.
    pub fn reason(&self) -> Option<String> {
        let why = self.why.as_ref()?;
        Some(match self.conclusion {
            Conclusion::Aborted => format!("ended by `abort when {why}`"),
            Conclusion::Ended => format!("ended early: {why}"),
            _ => why.clone(),
        })
    }

    /// What went wrong, in one text.
    pub fn details(&self) -> String {
        let mut out = String::new();
        self.text(&mut out);
        out
    }
}

impl Report {
    /// How many ended in this way.
    pub fn count(&self, conclusion: Conclusion) -> usize {
        let those = self
            .drills
            .iter()
            .filter(|drill| drill.conclusion == conclusion);
        those.count()
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for drill in &self.drills {
            drill.text(&mut out);
            out.push('\n');
        }
        let _ = write!(
            out,
            "{}: {} passed, {} failed",
            self.file,
            self.count(Conclusion::Passed),
            self.count(Conclusion::Failed)
        );
        for (conclusion, word) in [
            (Conclusion::Aborted, "aborted"),
            (Conclusion::Ended, "ended early"),
            (Conclusion::Skipped, "skipped"),
        ] {
            match self.count(conclusion) {
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
pub fn json(reports: &[Report]) -> String {
    #[derive(Serialize)]
    struct All<'r> {
        schema: &'static str,
        policies: &'r [Report],
    }
    let all = All {
        schema: SCHEMA,
        policies: reports,
    };
    let mut text = serde_json::to_string_pretty(&all).unwrap_or_default();
    text.push('\n');
    text
}

/// What [`json`] has written.
///
/// # Errors
/// It is something else; a sentence.
pub fn read(text: &[u8]) -> Result<Vec<Report>, String> {
    #[derive(Deserialize)]
    struct All {
        schema: String,
        policies: Vec<Report>,
    }
    let all: All = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    if all.schema != SCHEMA {
        return Err(format!("its schema is `{}`, not `{SCHEMA}`", all.schema));
    }
    Ok(all.policies)
}

const SCHEMA: &str = "switchover.drill/1";

fn place(plan: &Plan, at: At) -> String {
    let file = plan.policy.files.get(usize::from(at.file));
    format!("{}:{}", file.map_or("?", |file| file), at.line)
}
