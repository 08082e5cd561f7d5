//! What the tests of one policy came to, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

use crate::policy::Plan;
use crate::policy::model::At;
use crate::policy::trial::{Proof, Trial};
use crate::sim::proof;
use crate::sim::trial::{Coverage, Line, Verdict};

/// The results of one policy.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) file: String,
    pub(super) tests: Vec<Tested>,
    pub(super) proofs: Vec<Proved>,
    coverage: Covered,
}

/// One proof.
#[derive(Debug, Serialize)]
pub(super) struct Proved {
    pub(super) name: String,
    pub(super) place: String,
    pub(super) passed: bool,
    /// Kinds of request that were told apart.
    classes: usize,
    /// States that requests can be in between two attempts.
    states: usize,
    pub(super) failures: Vec<Unproved>,
}

#[derive(Debug, Serialize)]
pub(super) struct Unproved {
    pub(super) expected: String,
    pub(super) found: String,
    pub(super) place: String,
    /// Neither a proof was found nor what speaks against it.
    undecided: bool,
    /// A request and its way, for which it does not hold.
    counterexample: Vec<String>,
}

/// One test.
#[derive(Debug, Serialize)]
pub(super) struct Tested {
    pub(super) name: String,
    pub(super) place: String,
    pub(super) passed: bool,
    requests: u32,
    pub(super) failures: Vec<Failed>,
    /// The way of its first request.
    journey: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Failed {
    pub(super) expected: String,
    pub(super) found: String,
    pub(super) place: String,
}

/// How many routes and fallback lines tests have been through.
#[derive(Debug, Serialize)]
struct Covered {
    routes: Count,
    fallback_lines: Count,
    /// Rounded down.
    percent: u32,
    missed: Vec<Missed>,
}

#[derive(Debug, Default, Serialize)]
struct Count {
    seen: u32,
    all: u32,
}

#[derive(Debug, Serialize)]
struct Missed {
    what: String,
    place: String,
}

impl Tested {
    pub(super) fn new(plan: &Plan, trial: &Trial, verdict: Verdict) -> Self {
        let failed = |failure: crate::sim::trial::Failure| Failed {
            expected: failure.expected.into(),
            place: place(plan, failure.at),
            found: failure.found,
        };
        Self {
            name: trial.name.to_string(),
            place: place(plan, trial.at),
            passed: verdict.failures.is_empty(),
            requests: verdict.requests,
            journey: verdict.journey.told(&plan.policy),
            failures: verdict.failures.into_iter().map(failed).collect(),
        }
    }

    fn text(&self, out: &mut String) {
        if self.passed {
            return;
        }
        let _ = writeln!(out, "FAIL {}  {}", self.name, self.place);
        for failure in &self.failures {
            let _ = writeln!(out, "  expected {}  {}", failure.expected, failure.place);
            let _ = writeln!(out, "     found {}", failure.found);
        }
        for line in &self.journey {
            let _ = writeln!(out, "    | {line}");
        }
    }

    /// What failed, in one text.
    pub(super) fn details(&self) -> String {
        let mut out = String::new();
        self.text(&mut out);
        out
    }
}

impl Proved {
    pub(super) fn new(plan: &Plan, proof: &Proof, verdict: proof::Verdict) -> Self {
        let failed = |failure: proof::Failure| Unproved {
            expected: failure.expected.into(),
            place: place(plan, failure.at),
            found: failure.found,
            undecided: failure.undecided,
            counterexample: failure.way,
        };
        Self {
            name: proof.name.to_string(),
            place: place(plan, proof.at),
            passed: verdict.failures.is_empty(),
            classes: verdict.classes,
            states: verdict.states,
            failures: verdict.failures.into_iter().map(failed).collect(),
        }
    }

    fn text(&self, out: &mut String) {
        if self.passed {
            return;
        }
        let _ = writeln!(out, "NOT PROVED {}  {}", self.name, self.place);
        for failure in &self.failures {
            let _ = writeln!(out, "  expected {}  {}", failure.expected, failure.place);
            let _ = writeln!(out, "     found {}", failure.found);
            for line in &failure.counterexample {
                let _ = writeln!(out, "    | {line}");
            }
        }
    }

    /// What is not proved, in one text.
    pub(super) fn details(&self) -> String {
        let mut out = String::new();
        self.text(&mut out);
        out
    }
}

impl Report {
    pub(super) fn new(
        file: &str,
        plan: &Plan,
        (tests, proofs): (Vec<Tested>, Vec<Proved>),
        coverage: &Coverage,
    ) -> Self {
        let mut covered = Covered {
            routes: Count::default(),
            fallback_lines: Count::default(),
            percent: 100,
            missed: Vec::new(),
        };
        for part in coverage.parts(plan) {
            let count = match part.line {
                Some(_) => &mut covered.fallback_lines,
                None => &mut covered.routes,
            };
            count.all += 1;
            if part.seen {
                count.seen += 1;
                continue;
            }
            let route = plan.policy.routes.get(part.route.index());
            covered.missed.push(Missed {
                what: missed(route.map_or("?", |route| &route.name), part.line),
                place: place(plan, part.at),
            });
        }
        let (seen, all) = covered.sum();
        covered.percent = (seen * 100).checked_div(all).unwrap_or(100);
        Self {
            file: file.to_owned(),
            tests,
            proofs,
            coverage: covered,
        }
    }

    /// Whether a test failed, something is not proved, or too little was tested.
    pub(super) fn fails(&self, under: Option<u32>) -> bool {
        self.failed() + self.unproved() > 0
            || under.is_some_and(|least| self.coverage.percent < least)
    }

    fn failed(&self) -> usize {
        self.tests.iter().filter(|test| !test.passed).count()
    }

    fn unproved(&self) -> usize {
        self.proofs.iter().filter(|proof| !proof.passed).count()
    }

    /// What failed, of tests and proofs together.
    pub(super) fn failures(&self) -> usize {
        self.failed() + self.unproved()
    }

    /// How many proofs hold, and what was looked at for that.
    fn proofs_told(&self) -> String {
        if self.proofs.is_empty() {
            return String::new();
        }
        let classes: usize = self.proofs.iter().map(|proof| proof.classes).sum();
        let states: usize = self.proofs.iter().map(|proof| proof.states).sum();
        format!(
            "; {} of {} proved ({classes} classes of requests, {states} states)",
            self.proofs.len() - self.unproved(),
            self.proofs.len(),
        )
    }

    /// For people.
    pub(super) fn text(&self, coverage: bool, under: Option<u32>) -> String {
        let mut out = String::new();
        for test in &self.tests {
            test.text(&mut out);
        }
        for proof in &self.proofs {
            proof.text(&mut out);
        }
        if coverage {
            for missed in &self.coverage.missed {
                let Missed { what, place } = missed;
                let _ = writeln!(out, "no test goes through {what}  {place}");
            }
        }
        let Covered {
            routes,
            fallback_lines: lines,
            percent,
            ..
        } = &self.coverage;
        let _ = write!(
            out,
            "{}: {} passed, {} failed{}; routes {}/{}, fallback lines {}/{} ({percent}%)",
            self.file,
            self.tests.len() - self.failed(),
            self.failed(),
            self.proofs_told(),
            routes.seen,
            routes.all,
            lines.seen,
            lines.all,
        );
        match under.filter(|least| percent < least) {
            Some(least) => writeln!(out, ", below {least}%"),
            None => writeln!(out),
        }
        .unwrap_or_default();
        out
    }
}

impl Covered {
    const fn sum(&self) -> (u32, u32) {
        (
            self.routes.seen + self.fallback_lines.seen,
            self.routes.all + self.fallback_lines.all,
        )
    }
}

fn missed(route: &str, line: Option<Line>) -> String {
    match line {
        None => format!("route `{route}`"),
        Some(Line::On(index)) => {
            let number = u32::from(index) + 1;
            format!("fallback line {number} of route `{route}`")
        }
        Some(Line::Else) => format!("the `else` of route `{route}`"),
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
        schema: "switchover.test/1",
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
