//! One request of a test, explained: each condition with what it met, each step with what it saw.

use crate::base::{Moment, RequestId};
use crate::engine::Noted;
use crate::policy::model::AttemptFacts;
use crate::policy::trace::{self, ForbidTrace, RouteTrace};
use crate::policy::trial::Trial;
use crate::policy::{Decision, Facts, Plan};
use crate::sim::request::Request;

use super::journey::{Journey, Visit};
use super::stage::{BEGINNING, Stage};

/// Why a request went where it went.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The request.
    pub id: RequestId,
    /// Its facts, as far as it has them and the policy may read them: words and values.
    pub facts: Vec<(String, String)>,
    /// What the plan said.
    pub decision: Decision,
    /// The routes to the one that it took.
    pub routes: Vec<RouteTrace>,
    /// What its chain was asked, in order.
    pub steps: Vec<ExplainedStep>,
    /// Whether the route's hedge is for it, and what decided; `None` where it has none.
    pub hedge: Option<(bool, Vec<String>)>,
    /// When its chain began.
    pub begun: Moment,
    /// Where it went.
    pub journey: Journey,
}

/// One step, and what its conditions were.
#[derive(Clone, Debug)]
pub struct ExplainedStep {
    /// What it saw and did.
    pub noted: Noted,
    /// What forbids masked.
    pub forbids: Vec<ForbidTrace>,
    /// Attempts that had ended before: the next one of the journey's visits began here, if one did.
    pub before: usize,
}

/// Explains the request `id` with the facts, states and scripts of `trial`.
pub fn explain(plan: &Plan, trial: &Trial, id: RequestId) -> Explained {
    let request = Request::of(plan, &trial.given);
    let (journey, notes) = Stage::new(plan, trial).play_noted(&request, id);
    request.with_facts(plan.program.needs(), |facts| {
        explained(plan, facts, id, journey, notes)
    })
}

/// Puts what is known of a request together. `notes` are its steps, each with the number of attempts that had ended
/// before.
pub(in crate::sim) fn explained(
    plan: &Plan,
    facts: &Facts<'_>,
    id: RequestId,
    journey: Journey,
    notes: Vec<(Noted, usize)>,
) -> Explained {
    let steps = notes.into_iter().map(|(noted, before)| {
        let ended = journey.visits.get(..before).unwrap_or(&journey.visits);
        ExplainedStep {
            forbids: trace::forbids(plan, journey.route, facts, attempt_facts(ended)),
            noted,
            before,
        }
    });
    Explained {
        id,
        facts: trace::facts(plan, facts),
        decision: plan.program.decide(facts),
        routes: trace::routes(plan, facts),
        steps: steps.collect(),
        hedge: trace::hedges(plan, journey.route, facts),
        begun: BEGINNING,
        journey,
    }
}

/// What forbids know of the attempt after these.
fn attempt_facts(ended: &[Visit]) -> AttemptFacts {
    let last = ended.iter().rev().find(|visit| visit.outcome.is_some());
    AttemptFacts {
        index: u8::try_from(ended.len()).unwrap_or(u8::MAX),
        last: last.and_then(|last| last.outcome),
        last_target: last.map(|last| last.target),
    }
}
