//! An explanation in names and numbers: what the JSON has, and what the text is made of.

use serde::Serialize;

use crate::base::{Moment, RouteId, Span, TargetId};
use crate::engine::{Asked, Did, Sight, Stand};
use crate::policy::model::{Action, At, Serve, Then, Trigger};
use crate::policy::trace::{listed, outcomes, pick};
use crate::policy::{Candidate, Plan};
use crate::sim::trial::{Ending, Explained, ExplainedStep, Visit};

/// All of it.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    schema: &'static str,
    pub(super) file: String,
    pub(super) policy: String,
    pub(super) id: String,
    pub(super) facts: Vec<Fact>,
    pub(super) routes: Vec<Looked>,
    pub(super) hedge: Option<Hedge>,
    pub(super) steps: Vec<Step>,
    pub(super) answer: Answer,
}

#[derive(Debug, Serialize)]
pub(super) struct Fact {
    pub(super) word: String,
    pub(super) value: String,
}

/// A route that was looked at.
#[derive(Debug, Serialize)]
pub(super) struct Looked {
    pub(super) route: String,
    pub(super) place: String,
    pub(super) matches: bool,
    /// The parts of its condition that decided, with what they met.
    pub(super) because: Vec<String>,
}

/// Whether the request may be hedged.
#[derive(Debug, Serialize)]
pub(super) struct Hedge {
    pub(super) target: String,
    pub(super) allowed: bool,
    pub(super) because: Vec<String>,
}

/// One step of the chain.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    pub(super) asked: &'static str,
    pub(super) at_ms: f64,
    pub(super) attempts_left: u8,
    pub(super) time_left_ms: f64,
    pub(super) forbids: Vec<Masks>,
    pub(super) tiers: Vec<Tier>,
    /// The part of one that this step drew.
    pub(super) u: f64,
    pub(super) did: Deed,
    pub(super) attempt: Option<Attempt>,
}

/// What a `forbid` masked.
#[derive(Debug, Serialize)]
pub(super) struct Masks {
    pub(super) forbid: String,
    pub(super) place: String,
    pub(super) targets: Vec<String>,
    pub(super) because: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Tier {
    /// From 1; 0 for targets that only a jump or a hedge reaches.
    pub(super) number: usize,
    pub(super) pick: String,
    /// The weights of those that could be asked, together.
    pub(super) weight: u64,
    pub(super) members: Vec<Member>,
}

#[derive(Debug, Serialize)]
pub(super) struct Member {
    pub(super) target: String,
    pub(super) weight: u32,
    /// Its part of what the tier gets now, in parts per million.
    pub(super) share_ppm: u64,
    /// `free`, `ramp`, `probe`, or why it was passed over.
    pub(super) stand: &'static str,
    /// The part of its weight that it has on the ramp.
    pub(super) ramp_ppm: Option<u32>,
    /// When that is over.
    pub(super) for_ms: Option<f64>,
    pub(super) inflight: u32,
    pub(super) max_inflight: Option<u32>,
    pub(super) usual_ttft_ms: Option<f64>,
    /// The part of its requests that leave because it is slow, in parts per million.
    pub(super) spilt_ppm: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Deed {
    Attempt(String),
    WaitUntilMs(f64),
    Finish,
    Nothing,
}

/// How an attempt ended.
#[derive(Debug, Serialize)]
pub(super) struct Attempt {
    pub(super) target: String,
    pub(super) outcome: &'static str,
    pub(super) status: Option<u16>,
    pub(super) hedge: bool,
    /// The fallback line that speaks of it.
    pub(super) line: Option<Line>,
}

#[derive(Debug, Serialize)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) place: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Whose answer it is.
    pub(super) by: Option<String>,
    pub(super) reason: Option<&'static str>,
    /// The line that refuses.
    pub(super) place: Option<String>,
}

impl Report {
    pub(super) fn new(file: &str, plan: &Plan, explained: &Explained) -> Self {
        let words = Words { plan };
        let mut steps: Vec<Step> = Vec::new();
        for step in &explained.steps {
            steps.push(words.step(explained, step));
        }
        words.settle(explained, &mut steps);
        // After an answer there is nothing to see.
        let answered = |step: &Step| step.attempt.as_ref().is_some_and(|it| it.outcome == "ok");
        if let [.., before, last] = &*steps
            && answered(before)
            && matches!(last.did, Deed::Finish)
        {
            steps.pop();
        }
        let route = explained.journey.route;
        Self {
            schema: "switchover.explain/1",
            file: file.to_owned(),
            policy: format!("{:016x}", plan.policy.hash),
            id: explained.id.to_string(),
            facts: explained
                .facts
                .iter()
                .map(|(word, value)| Fact {
                    word: word.clone(),
                    value: value.clone(),
                })
                .collect(),
            routes: explained
                .routes
                .iter()
                .map(|looked| Looked {
                    route: words.route(looked.route),
                    place: words.route_place(looked.route),
                    matches: looked.matches,
                    because: looked.because.clone(),
                })
                .collect(),
            hedge: explained.hedge.as_ref().and_then(|(allowed, because)| {
                let target = words.serve(route)?.hedge.as_ref()?.target;
                Some(Hedge {
                    target: words.target(target),
                    allowed: *allowed,
                    because: because.clone(),
                })
            }),
            steps,
            answer: words.answer(explained),
        }
    }
}

/// Names of a plan.
struct Words<'p> {
    plan: &'p Plan,
}

impl Words<'_> {
    fn step(&self, explained: &Explained, step: &ExplainedStep) -> Step {
        let ExplainedStep {
            noted,
            forbids,
            before: _,
        } = step;
        let look = &noted.look;
        let forbids = forbids.iter().filter_map(|found| {
            let forbid = self.plan.policy.forbids.get(found.forbid)?;
            Some(Masks {
                forbid: forbid.name.to_string(),
                place: self.place(forbid.at),
                targets: found.masks.iter().map(|id| self.target(*id)).collect(),
                because: found.because.clone(),
            })
        });
        Step {
            asked: match noted.asked {
                Asked::Next => "next",
                Asked::Hedge => "hedge",
                Asked::GoOn => "go_on",
            },
            at_ms: millis(look.at),
            attempts_left: look.attempts_left,
            time_left_ms: millis(look.time_left),
            forbids: forbids.collect(),
            tiers: self.tiers(explained, &look.sights, explained.begun + look.at),
            u: part_of_one(look.chance),
            did: match noted.did {
                Did::Attempt(target) => Deed::Attempt(self.target(target)),
                Did::Wait(until) => Deed::WaitUntilMs(millis(until)),
                Did::Finish => Deed::Finish,
                Did::Nothing => Deed::Nothing,
            },
            attempt: None,
        }
    }

    /// Each attempt with how it ended. Attempts of one target end in the order in which they began.
    fn settle(&self, explained: &Explained, steps: &mut [Step]) {
        let mut left: Vec<&Visit> = explained.journey.visits.iter().collect();
        for step in steps {
            let Deed::Attempt(target) = &step.did else {
                continue;
            };
            let found = left
                .iter()
                .position(|visit| self.target(visit.target) == *target);
            if let Some(found) = found {
                let visit = left.remove(found);
                step.attempt = Some(self.attempt(explained.journey.route, visit));
            }
        }
    }

    fn attempt(&self, route: RouteId, visit: &Visit) -> Attempt {
        Attempt {
            target: self.target(visit.target),
            outcome: visit
                .outcome
                .map_or("overtaken", crate::base::Outcome::as_str),
            status: visit.status,
            hedge: visit.hedge,
            line: visit.line.and_then(|(index, at)| {
                let line = self.serve(route)?.fallback.get(usize::from(index))?;
                Some(Line {
                    text: format!("on {} {}", trigger(&line.on), self.then(&line.then)),
                    place: self.place(at),
                })
            }),
        }
    }

    fn tiers(&self, explained: &Explained, sights: &[Sight], now: Moment) -> Vec<Tier> {
        let Some(serve) = self.serve(explained.journey.route) else {
            return Vec::new();
        };
        let mut tiers = Vec::new();
        let rules = (0_u8..).zip(serve.tiers.iter().map(Some));
        for (number, rules) in rules.chain([(Candidate::JUMP, None)]) {
            let members: Vec<&Sight> = sights.iter().filter(|it| it.tier == number).collect();
            if members.is_empty() {
                continue;
            }
            let usable = members.iter().filter(|it| can(it.stand));
            let weights = usable.map(|it| u64::from(it.weight));
            let mut weight: u64 = weights.sum();
            // Who has no weight counts as one where nobody else is left.
            let alone = weight == 0;
            if alone {
                weight = members.iter().filter(|it| can(it.stand)).count() as u64;
            }
            let sticky = explained.decision.sticky.is_some();
            tiers.push(Tier {
                number: rules.map_or(0, |_| usize::from(number) + 1),
                pick: match rules {
                    None => "only for jumps and hedges".to_owned(),
                    Some(_) if sticky => format!("sticky hash({})", listed(&serve.sticky)),
                    Some(rules) => pick(&rules.pick),
                },
                weight,
                members: members
                    .into_iter()
                    .map(|it| self.member(it, weight, alone, now))
                    .collect(),
            });
        }
        tiers
    }

    fn member(&self, sight: &Sight, weight: u64, alone: bool, now: Moment) -> Member {
        let own = match (can(sight.stand), alone) {
            (false, _) => 0,
            (true, true) => 1,
            (true, false) => u64::from(sight.weight),
        };
        let (stand, ramp_ppm, until) = match sight.stand {
            Stand::Free => ("free", None, Moment::NEVER),
            Stand::Ramp(ppm) => ("ramp", Some(ppm), sight.breaker.until),
            Stand::Probe => ("probe", None, Moment::NEVER),
            Stand::Out(reason, until) => (reason.as_str(), None, until),
        };
        Member {
            target: self.target(sight.target),
            weight: sight.weight,
            share_ppm: (own * 1_000_000).checked_div(weight).unwrap_or(0),
            stand,
            ramp_ppm,
            for_ms: (until != Moment::NEVER).then(|| millis(until.since(now))),
            inflight: sight.inflight,
            max_inflight: sight.max_inflight,
            usual_ttft_ms: sight.usual.map(millis),
            spilt_ppm: sight.spilt,
        }
    }

    fn answer(&self, explained: &Explained) -> Answer {
        let journey = &explained.journey;
        let (by, reason, at) = match journey.ending {
            Ending::Answered(target) => (Some(self.target(target)), None, None),
            Ending::Stopped(_) => {
                let last = journey.visits.last();
                (last.map(|last| self.target(last.target)), None, None)
            }
            Ending::Rejected { reason, at, .. } => (None, Some(reason.as_str()), Some(at)),
        };
        Answer {
            status: journey.status(),
            by,
            reason,
            place: at.map(|at| self.place(at)),
        }
    }

    fn serve(&self, route: RouteId) -> Option<&Serve> {
        match &self.plan.policy.routes.get(route.index())?.action {
            Action::Serve(serve) => Some(serve),
            Action::Reject(_) => None,
        }
    }

    fn then(&self, then: &Then) -> String {
        match then {
            Then::Next => "-> next".to_owned(),
            Then::Stop => "-> stop".to_owned(),
            Then::Jump(target) => format!("-> {}", self.target(*target)),
            Then::Reject(reject) => format!("-> reject({})", reject.status),
        }
    }

    fn route(&self, route: RouteId) -> String {
        let found = self.plan.policy.routes.get(route.index());
        found.map_or("?", |route| &route.name).to_owned()
    }

    fn route_place(&self, route: RouteId) -> String {
        let found = self.plan.policy.routes.get(route.index());
        self.place(found.map(|route| route.at).unwrap_or_default())
    }

    fn target(&self, target: TargetId) -> String {
        let found = self.plan.policy.targets.get(target.index());
        found.map_or("?", |target| &target.name).to_owned()
    }

    fn place(&self, at: At) -> String {
        let file = self.plan.policy.files.get(usize::from(at.file));
        format!("{}:{}", file.map_or("?", |file| file), at.line)
    }
}

/// When a fallback line applies.
fn trigger(on: &Trigger) -> String {
    match on {
        Trigger::Slow(limit) => format!("ttft > {limit}"),
        Trigger::Outcomes(set) => outcomes(*set),
    }
}

const fn can(stand: Stand) -> bool {
    matches!(stand, Stand::Free | Stand::Ramp(_))
}

fn millis(span: Span) -> f64 {
    f64::from(u32::try_from(span.as_micros()).unwrap_or(u32::MAX)) / 1_000.0
}

/// Of 2⁶⁴ parts as many, as a part of one, to nine digits.
fn part_of_one(chance: u64) -> f64 {
    const BILLION: u64 = 1_000_000_000;
    let parts = crate::base::hash::scale(chance, BILLION);
    f64::from(u32::try_from(parts).unwrap_or(u32::MAX)) / 1e9
}
