//! Told decisions, read back under a plan: the one that made them or another.

use std::fmt;

use crate::base::{Moment, Outcome, RequestId, RouteId, Span, TargetId};
use crate::engine::{Asked, BreakerSight, Did, Look, Noted, PassedOver, Rule, Sight, Stand, State};
use crate::policy::{Candidate, Caps, Kept, OwnedFacts, Plan, WallTime};

use super::{
    FREE, PROBE, RAMP, SCHEMA, Told, ToldAsked, ToldAttempt, ToldDid, ToldFacts, ToldSight,
    ToldStep,
};

/// Why a record cannot be read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unreadable(pub String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One line of a file with records, or the answer of `/decisions/ID`.
impl std::str::FromStr for Told {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let told: Self = serde_json::from_str(text)
            .map_err(|error| Unreadable(format!("it is no decision record: {error}")))?;
        if told.schema != SCHEMA {
            let schema = told.schema;
            return Err(Unreadable(format!(
                "its schema is {schema:?}, not {SCHEMA:?}"
            )));
        }
        if told.request().is_none() {
            return Err(Unreadable("its `id` is no id of a request".to_owned()));
        }
        Ok(told)
    }
}

impl Told {
    /// The request's id.
    pub fn request(&self) -> Option<RequestId> {
        RequestId::from_hex(&self.id)
    }

    /// The route that took it, if the plan has one of that name.
    pub fn route_in(&self, plan: &Plan) -> Option<RouteId> {
        let mut routes = (0..).map(RouteId).zip(&plan.policy.routes);
        let found = routes.find(|(_, route)| *route.name == *self.route);
        found.map(|(id, _)| id)
    }

    /// Its facts in the order of the plan's needs. Of those that another plan reads and the one that recorded them did not,
    /// nothing is known: they are missing.
    pub fn facts_for(&self, plan: &Plan) -> OwnedFacts {
        let needs = plan.program.needs();
        let ToldFacts {
            model,
            path,
            stream,
            tokens_in,
            max_out,
            has,
            headers,
            meta,
            now: (hour, weekday, date),
            withheld,
        } = &self.facts;
        let kept = |name: &str, text: Option<&String>| match text {
            Some(text) => Kept::Text(text.as_str().into()),
            None if withheld.iter().any(|it| it == name) => Kept::Withheld,
            None => Kept::Missing,
        };
        let cap = |word: &String| {
            let found = Caps::WORDS.iter().find(|(it, _)| it == word);
            found.map_or(Caps::NONE, |(_, cap)| *cap)
        };
        let model = plan.policy.alias_of(model).unwrap_or(model);
        OwnedFacts {
            model: model.to_owned(),
            path: path.clone(),
            stream: *stream,
            tokens_in: *tokens_in,
            max_out: *max_out,
            has: has.iter().map(cap).fold(Caps::NONE, Caps::union),
            headers: needs
                .headers
                .iter()
                .map(|name| kept(name, headers.get(&**name)))
                .collect(),
            meta: needs
                .meta
                .iter()
                .map(|name| kept(name, meta.get(&**name)))
                .collect(),
            now: WallTime {
                hour: *hour,
                weekday: *weekday,
                date: *date,
            },
        }
    }

    /// Whether a fact that the plan reads was withheld.
    pub fn withholds(&self, plan: &Plan) -> bool {
        let needs = plan.program.needs();
        let mut read = needs.headers.iter().chain(&needs.meta);
        read.any(|name| self.facts.withheld.iter().any(|it| **it == **name))
    }

    /// Whether it waited for a place. Of a request that was recorded because it failed, the first step told comes after an
    /// attempt, and may be the wait before a repeat.
    pub fn waited_in_queue(&self) -> bool {
        let waits = |step: &ToldStep| matches!(step.did, ToldDid::WaitUntilUs(_));
        self.whole && self.steps.first().is_some_and(waits)
    }
}

impl ToldStep {
    /// When it was, from the chain's beginning.
    pub const fn at(&self) -> Span {
        Span::from_micros(self.at_us)
    }

    /// The state of a candidate's breaker, if it is one of its candidates.
    pub fn breaker_of(&self, target: &str) -> Option<&str> {
        let sight = self.candidates.iter().find(|it| it.target == target)?;
        let breaker = sight.breaker.as_ref();
        Some(breaker.map_or(State::Closed.as_str(), |breaker| &breaker.state))
    }

    /// The step under a plan, for a request whose chain began at `begun`. Candidates that the plan does not have are left out.
    pub fn noted(&self, plan: &Plan, route: RouteId, begun: Moment) -> Noted {
        let sights = self.candidates.iter();
        let sights = sights.filter_map(|it| it.sight(plan, route, begun));
        Noted {
            asked: match self.asked {
                ToldAsked::Next => Asked::Next,
                ToldAsked::Hedge => Asked::Hedge,
                ToldAsked::GoOn => Asked::GoOn,
            },
            look: Look {
                at: Span::from_micros(self.at_us),
                time_left: Span::from_micros(self.time_left_us),
                attempts_left: self.attempts_left,
                chance: 0,
                sights: sights.collect(),
            },
            did: match &self.did {
                ToldDid::Attempt(target) => {
                    target_named(plan, target).map_or(Did::Nothing, Did::Attempt)
                }
                ToldDid::WaitUntilUs(until) => Did::Wait(Span::from_micros(*until)),
                ToldDid::Finish => Did::Finish,
                ToldDid::Nothing => Did::Nothing,
            },
        }
    }
}

impl ToldSight {
    fn sight(&self, plan: &Plan, route: RouteId, begun: Moment) -> Option<Sight> {
        let target = target_named(plan, &self.target)?;
        let candidates = plan.program.candidates(route).iter();
        let place = candidates.clone().find(|it| it.target == target);
        let at = |us: u64| begun + Span::from_micros(us);
        let until = self.until_us.map_or(Moment::NEVER, at);
        let breaker = self.breaker.as_ref();
        let state = breaker.and_then(|it| {
            let mut states = State::ALL.into_iter();
            states.find(|state| state.as_str() == it.state)
        });
        Some(Sight {
            target,
            tier: place.map_or(Candidate::JUMP, |place| place.tier),
            weight: place.map_or(0, |place| place.weight),
            stand: match &*self.stand {
                FREE => Stand::Free,
                RAMP => Stand::Ramp(self.ramp_ppm.unwrap_or_default()),
                PROBE => Stand::Probe,
                word => {
                    let mut reasons = PassedOver::ALL.into_iter();
                    let reason = reasons.find(|reason| reason.as_str() == word)?;
                    Stand::Out(reason, until)
                }
            },
            breaker: BreakerSight {
                state: state.unwrap_or(State::Closed),
                why: breaker.and_then(|it| match it.why.as_deref()? {
                    "consecutive" => Some(Rule::Consecutive),
                    "error_rate" => Some(Rule::ErrorRate),
                    "provider" => Some(Rule::Provider),
                    _ => None,
                }),
                epoch: breaker.map_or(0, |it| it.epoch),
                level: breaker.map_or(0, |it| it.level),
                until: breaker.map_or(Moment::START, |it| at(it.until_us)),
                probes: breaker.map_or(0, |it| it.probes),
            },
            inflight: self.inflight,
            max_inflight: self.max_inflight,
            queued: self.queued,
            spilt: self.spilt_ppm,
            usual: self.usual_ttft_us.map(Span::from_micros),
            asked: self.asked,
            turn: self.turn,
            repeats: self.repeats_ppm,
        })
    }
}

impl ToldAttempt {
    /// Its target, if the plan has it.
    pub fn target_in(&self, plan: &Plan) -> Option<TargetId> {
        target_named(plan, &self.target)
    }

    /// How it ended, if it did by itself.
    pub fn ended(&self) -> Option<Outcome> {
        Outcome::from_word(self.outcome.as_deref()?)
    }

    /// From the chain's beginning: when it began, when it had content, when it was over.
    pub fn times(&self) -> (Span, Option<Span>, Option<Span>) {
        let started = Span::from_micros(self.started_us);
        let content = self
            .ttft_us
            .map(|ttft| Span::from_micros(self.started_us + ttft));
        (started, content, self.ended_us.map(Span::from_micros))
    }

    /// Whether it was a probe of a breaker.
    pub const fn is_probe(&self) -> bool {
        self.probe
    }

    /// Whether it ran beside another one.
    pub const fn is_hedge(&self) -> bool {
        self.hedge
    }

    /// Whether the one beside it answered first.
    pub const fn is_overtaken(&self) -> bool {
        self.overtaken
    }
}

fn target_named(plan: &Plan, name: &str) -> Option<TargetId> {
    let mut targets = (0..).map(TargetId).zip(&plan.policy.targets);
    let found = targets.find(|(_, target)| *target.name == *name);
    found.map(|(id, _)| id)
}
