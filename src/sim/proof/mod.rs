//! The `prove` blocks of a policy, decided for all requests, all states and all outcomes.
//!
//! ```text
//!   Proof ─▶ cast: the requests that are meant, apart by route and decision ─▶ engine::ways: all that can follow
//!                                                                                 │
//!            holds: so many kinds of request, so many states                      │
//!            a way there: gone once more by the live engine (replay), and shown ◀─┘
//! ```
//! Nothing is sampled. What is more than the bounds allow is undecided, and that is no proof.

pub(super) mod cast;
mod reach;
mod replay;
mod show;

use std::collections::BTreeMap;

use crate::base::{RouteId, TargetId};
use crate::engine::ways::{self, Lens};
use crate::policy::Plan;
use crate::policy::model::{Action, At, Otherwise, Policy};
use crate::policy::reason::Example;
use crate::policy::trial::{Expect, Expectation, OneOf, Proof, Within};
use crate::sim::trial::show::{place, route, target, targets};

use self::cast::{Actor, Cast};

pub use self::cast::Uncast;
pub use self::reach::{Reach, reach};

/// States of one search. Some 200 ms.
const STATES_MAX: usize = 200_000;

/// What came of a proof.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// What does not follow, or could not be decided; empty where all is proved.
    pub failures: Vec<Failure>,
    /// Kinds of request that were told apart, each at one route.
    pub classes: usize,
    /// States of chains that were looked at.
    pub states: usize,
}

/// An expectation that was not proved.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    /// As it is written.
    pub expected: Box<str>,
    /// Where it stands.
    pub at: At,
    /// What can happen instead, for people.
    pub found: String,
    /// How, a line for each step: a request, its route, its attempts.
    pub way: Vec<String>,
    /// Nothing was found against it, and nothing for all of it.
    pub undecided: bool,
}

/// Decides one proof of `plan`.
pub fn run(plan: &Plan, proof: &Proof) -> Verdict {
    let mut verdict = Verdict::default();
    let cast = match Cast::of(plan, proof) {
        Ok(cast) => cast,
        Err(uncast) => {
            let all = proof.expects.iter();
            let found = |line: &Expectation| Against::undecided(uncast.told()).of(line);
            verdict.failures.extend(all.map(found));
            return verdict;
        }
    };
    verdict.classes = cast.actors.len();
    let mut states = BTreeMap::new();
    for (number, line) in proof.expects.iter().enumerate() {
        let found = if cast.actors.is_empty() {
            Some(Against {
                found: "no request is like this".to_owned(),
                way: Vec::new(),
                undecided: true,
            })
        } else {
            cast.actors
                .iter()
                .find_map(|actor| against(plan, &cast, actor, (number, &line.expect), &mut states))
        };
        verdict
            .failures
            .extend(found.map(|against| against.of(line)));
    }
    verdict.states = states.values().sum();
    verdict
}

/// What speaks against an expectation.
struct Against {
    found: String,
    way: Vec<String>,
    undecided: bool,
}

impl Against {
    fn undecided(found: &str) -> Self {
        Self {
            found: format!("undecided: {found}"),
            way: Vec::new(),
            undecided: true,
        }
    }

    fn of(self, line: &Expectation) -> Failure {
        Failure {
            expected: line.text.clone(),
            at: line.at,
            found: self.found,
            way: self.way,
            undecided: self.undecided,
        }
    }
}

/// States looked at, by expectation and by what decides what can follow.
type States = BTreeMap<(usize, Vec<u64>), usize>;

fn against(
    plan: &Plan,
    cast: &Cast<'_>,
    actor: &Actor,
    (number, expect): (usize, &Expect),
    states: &mut States,
) -> Option<Against> {
    match expect {
        Expect::Route(routes) => not_by(plan, actor, routes),
        Expect::Reject(status) => not_rejected(plan, actor, *status),
        Expect::Attempts(count) => {
            let counts = |visits: u8| !count.holds(visits.into());
            if counts(0) {
                return Some(told(plan, actor, "0".to_owned(), "nobody can be asked"));
            }
            let lens = Lens {
                counts: &counts,
                ..Lens::NOTHING
            };
            searched(plan, cast, actor, (number, &lens), states, |way| {
                way.iter()
                    .map(|leg| 1 + usize::from(leg.hedge.is_some()))
                    .sum::<usize>()
                    .to_string()
            })
        }
        Expect::NeverAsked(unwanted) => {
            if let Some(copied) = actor.copied_to.filter(|to| unwanted.contains(to)) {
                return Some(copy(plan, actor, copied));
            }
            let bits = cast.candidates_of(actor, |candidate| unwanted.contains(&candidate));
            let lens = Lens {
                never: &|_| bits,
                ..Lens::NOTHING
            };
            searched(plan, cast, actor, (number, &lens), states, |way| {
                asked(plan, way)
            })
        }
        Expect::NeverWhen(_) => {
            let (watch, decision) = actor.watched(cast, number)?;
            if let Some(copied) = actor.copied_to.filter(|_| actor.copy_seen(number)) {
                return Some(copy(plan, actor, copied));
            }
            let lens = Lens {
                never: &|facts| watch.seen(&decision, facts),
                ..Lens::NOTHING
            };
            searched(plan, cast, actor, (number, &lens), states, |way| {
                asked(plan, way)
            })
        }
        // Nothing else can stand in a proof.
        Expect::Target(_)
        | Expect::Chain(_)
        | Expect::Status(_)
        | Expect::Same(..)
        | Expect::Share(..) => Some(Against::undecided("this cannot be said of all requests")),
    }
}

/// Requests that take another route.
fn not_by(plan: &Plan, actor: &Actor, routes: &OneOf<RouteId>) -> Option<Against> {
    if routes.holds(Some(&actor.decision.route)) {
        return None;
    }
    let found = format!("route `{}`", route(&plan.policy, actor.decision.route));
    Some(Against {
        found,
        way: show::beginning(plan, actor),
        undecided: false,
    })
}

/// Requests that are sent somewhere, or refused with another status.
fn not_rejected(plan: &Plan, actor: &Actor, status: Within) -> Option<Against> {
    let policy = &plan.policy;
    let own = policy.routes.get(actor.decision.route.index())?;
    let (refused, at) = match &own.action {
        Action::Reject(reject) => (reject.status, reject.at),
        Action::Serve(serve) => {
            let first = ways::first_choices(&actor.kind(plan));
            if !first.is_empty() {
                let found = format!("may ask {}", targets(policy, &first));
                return Some(told(plan, actor, found, "somebody can be asked"));
            }
            match &serve.otherwise {
                Otherwise::Reject(reject) => (reject.status, reject.at),
                Otherwise::Stop => (NOBODY, own.at),
            }
        }
    };
    let found = format!("reject({refused}) at {}", place(policy, at));
    (!status.holds(refused.into())).then(|| told(plan, actor, found, "nobody may be asked"))
}

/// What the engine answers where `else` has no answer to stop at.
const NOBODY: u16 = 503;

fn told(plan: &Plan, actor: &Actor, found: String, how: &str) -> Against {
    let mut way = show::beginning(plan, actor);
    way.push(how.to_owned());
    Against {
        found,
        way,
        undecided: false,
    }
}

fn copy(plan: &Plan, actor: &Actor, to: TargetId) -> Against {
    let name = target(&plan.policy, to);
    told(
        plan,
        actor,
        format!("asked `{name}`"),
        &format!("a copy goes to {name}"),
    )
}

fn asked(plan: &Plan, way: &[ways::Leg]) -> String {
    let last = way
        .last()
        .map(|leg| leg.hedge.map_or(leg.target, |second| second.target));
    let name = last.map_or("?", |last| target(&plan.policy, last));
    format!("asked `{name}`")
}

/// Goes all ways of an actor's requests, once for all that decide alike.
fn searched(
    plan: &Plan,
    cast: &Cast<'_>,
    actor: &Actor,
    (number, lens): (usize, &Lens<'_>),
    states: &mut States,
    found: impl Fn(&[ways::Leg]) -> String,
) -> Option<Against> {
    let key = (number, actor.deciding(cast, number));
    if states.contains_key(&key) {
        return None;
    }
    let kind = actor.kind(plan);
    let Ok(search) = ways::search(&kind, lens, STATES_MAX) else {
        let name = route(&plan.policy, actor.decision.route);
        return Some(Against::undecided(&format!(
            "route `{name}` has more than {STATES_MAX} states"
        )));
    };
    states.insert(key, search.states);
    let way = search.way?;
    let Some(visits) = replay::go(plan, &kind, &way) else {
        return Some(Against::undecided(&format!(
            "the engine does not go the way that was found, {}",
            show::in_short(&plan.policy, &way)
        )));
    };
    Some(Against {
        found: found(&way),
        way: show::whole(plan, actor, &way, &visits),
        undecided: false,
    })
}

/// A request, its route, and what a plan says to it.
impl Actor {
    fn example(&self) -> &Example {
        &self.example
    }
}

impl Uncast {
    /// In words.
    pub const fn told(self) -> &'static str {
        match self {
            Self::TooMany => "the policy tells more requests apart than can be looked at",
            Self::NoExample => "no request was found that stands for some of them",
            Self::TooComplex => "a condition on targets combines too many facts",
        }
    }
}

/// Where a policy's text says something, for people.
fn line(policy: &Policy, at: At) -> String {
    format!("  {}", place(policy, at))
}
