//! The `test` blocks of a policy, run: one request at a time, by the program and the engine of the live gateway, with
//! providers that do what a script says.
//!
//! ```text
//!   Trial ─▶ request: facts ─▶ Program::decide ─▶ journey: a Chain on a staged Board ─▶ judge: what was expected
//! ```
//! Time stands still but for what an attempt waits; chance comes from the test's seed. Each request finds the targets in
//! the states that the test names, whatever the requests before it met.

mod coverage;
mod explain;
mod journey;
mod judge;
mod show;
mod stage;

use crate::base::{RequestId, hash};
use crate::policy::Plan;
use crate::policy::trial::{Expect, Trial};
use crate::sim::request::Request;

use self::judge::judge;
use self::stage::Stage;

pub use self::coverage::{Coverage, Line, Part};
pub use self::explain::{Explained, ExplainedStep, explain};
pub use self::journey::{Ending, Journey, Visit};

/// What came of a test.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// What did not hold; empty where the test passed.
    pub failures: Vec<Failure>,
    /// The way of its request, of the first one where there are several.
    pub journey: Journey,
    /// How many requests were made.
    pub requests: u32,
}

/// An expectation that did not hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    /// The expectation as it is written.
    pub expected: Box<str>,
    /// Where it stands: an index into the policy's files, and the line.
    pub at: crate::policy::model::At,
    /// What was found instead, for people.
    pub found: String,
}

/// Runs one test of `plan`, and adds what it has been through to `coverage`.
pub fn run(plan: &Plan, trial: &Trial, coverage: &mut Coverage) -> Verdict {
    let mut stage = Stage::new(plan, trial);
    let mut request = Request::of(plan, &trial.given);
    let count = requests(trial);
    let mut journeys = Vec::new();
    for number in 0..count {
        if let Some(sample) = &trial.sample {
            request.set(&sample.fact, &format!("{number}"));
        }
        let journey = stage.play(&request, id(trial.seed, number));
        coverage.add(&journey);
        journeys.push(journey);
    }
    let failures = judge(plan, trial, &request, &journeys);
    // At least one request is made.
    let journey = journeys.into_iter().next().unwrap_or_default();
    Verdict {
        failures,
        journey,
        requests: count,
    }
}

/// How many requests a test needs.
fn requests(trial: &Trial) -> u32 {
    let same = trial.expects.iter().map(|line| match line.expect {
        Expect::Same(_, count) => count,
        _ => 1,
    });
    let sample = trial.sample.as_ref().map_or(1, |sample| sample.count);
    same.fold(sample, u32::max).max(1)
}

/// Chance of a request comes from its id: that of a test's request, counted from 0.
pub fn id(seed: u64, number: u32) -> RequestId {
    let mixed = hash::mix(hash::mix(SALT, seed), number.into());
    RequestId(u128::from(mixed) << 64 | u128::from(hash::mix(mixed, 1)))
}

const SALT: u64 = 0x7465_7374;
