//! A recorded request under two policies: what changes between them, chance and states being the same.

use crate::base::{RouteId, TargetId};
use crate::engine::Form;
use crate::ops::Told;
use crate::policy::Plan;
use crate::policy::model::At;
use crate::policy::trial::{Scripted, Trial};
use crate::sim::replay::again::{Skipped, decide};
use crate::sim::trial::{Ending, Journey, rerun};

/// Where a request goes under a policy, in names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Way {
    /// The route that takes it.
    pub route: String,
    /// The target that is asked first.
    pub first: Option<String>,
    /// Whose answer the client gets.
    pub answered_by: Option<String>,
    /// What it gets.
    pub status: u16,
}

/// The ways of one request under two policies.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Moved {
    /// Under the first.
    pub before: Way,
    /// Under the second.
    pub after: Way,
}

impl Moved {
    /// Whether it is the same way.
    pub fn is_same(&self) -> bool {
        self.before == self.after
    }
}

/// The ways of a recorded request under two policies. Both find the targets as the first step saw them, those that it did
/// not see well; attempts end as they did for the request, those at other targets well.
///
/// # Errors
/// A fact that one of them reads was not recorded.
pub fn moved(before: &Plan, after: &Plan, told: &Told) -> Result<Moved, Skipped> {
    Ok(Moved {
        before: way(before, told)?,
        after: way(after, told)?,
    })
}

fn way(plan: &Plan, told: &Told) -> Result<Way, Skipped> {
    if told.withholds(plan) {
        return Err(Skipped::Withheld);
    }
    let facts = told.facts_for(plan);
    let decision = decide(plan, told, &facts);
    let trial = trial(plan, told);
    let form = if facts.stream {
        Form::Stream
    } else {
        Form::Whole
    };
    let id = told.request().unwrap_or_default();
    let journey = rerun(plan, &trial, (decision, form, id), |begun| {
        let first = told.steps.first();
        let noted = first.map(|first| first.noted(plan, decision.route, begun));
        noted.map(|noted| noted.look.sights).unwrap_or_default()
    });
    Ok(named(plan, &journey))
}

/// Attempts end as they did.
fn trial(plan: &Plan, told: &Told) -> Trial {
    let mut scripts: Vec<(TargetId, Vec<Scripted>)> = Vec::new();
    for attempt in &told.attempts {
        let (Some(target), Some(outcome)) = (attempt.target_in(plan), attempt.ended()) else {
            continue;
        };
        let step = Scripted::Outcome(outcome);
        match scripts.iter_mut().find(|(of, _)| *of == target) {
            Some((_, steps)) => steps.push(step),
            None => scripts.push((target, vec![step])),
        }
    }
    Trial {
        name: "record".into(),
        at: At::default(),
        given: Vec::new(),
        seed: 0,
        states: Vec::new(),
        scripts,
        sample: None,
        expects: Vec::new(),
    }
}

fn named(plan: &Plan, journey: &Journey) -> Way {
    let target = |id: TargetId| {
        let found = plan.policy.targets.get(id.index());
        found.map_or("?", |target| &target.name).to_owned()
    };
    let route = |id: RouteId| {
        let found = plan.policy.routes.get(id.index());
        found.map_or("?", |route| &route.name).to_owned()
    };
    let answered_by = match journey.ending {
        Ending::Answered(id) => Some(target(id)),
        Ending::Stopped(_) | Ending::Rejected { .. } => None,
    };
    Way {
        route: route(journey.route),
        first: journey.visits.first().map(|visit| target(visit.target)),
        answered_by,
        status: journey.status(),
    }
}
