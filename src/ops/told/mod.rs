//! A decision as its record tells it, `switchover.decision/1`: names in place of ids, whole microseconds from the request's
//! beginning in place of moments. It is written by the gateway and read back by commands.

mod log;
mod read;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::{Moment, Outcome, RouteId, Span, TargetId};
use crate::engine::{Asked, AttemptRecord, Did, Noted, Sight, Stand, State};
use crate::ops::decision::DecisionNotes;
use crate::policy::{Caps, Kept, OwnedFacts, Plan};

pub use self::log::{Doings, ToldCall, ToldChange, ToldLine, ToldLog, ToldTick};
pub use self::read::Unreadable;

/// What the first field says.
const SCHEMA: &str = "switchover.decision/1";

/// One decision, from the request to its answer.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Told {
    schema: String,
    /// The request, 32 hexadecimal digits: chance comes from it.
    pub id: String,
    /// When it came, RFC 3339.
    pub time: String,
    /// The hash of the policy, 16 hexadecimal digits.
    pub policy: String,
    /// What the policy read of it.
    pub facts: ToldFacts,
    /// Bytes of its body: how long its prompt is.
    pub bytes_in: u64,
    /// The route that took it.
    pub route: String,
    /// The first route that would have taken it and was withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<String>,
    /// What the client got; none if it left before.
    pub status: Option<u16>,
    /// `answered`, `refused`, `failed`, `client_gone` or `shed`.
    pub ending: String,
    /// From the beginning of its chain to the end of its time.
    pub deadline_us: u64,
    /// No step is missing at the beginning.
    pub whole: bool,
    /// What its chain was asked.
    pub steps: Vec<ToldStep>,
    /// What came of it.
    pub attempts: Vec<ToldAttempt>,
    /// What its chain was told, where all requests are recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<ToldLog>,
}

/// Facts, by their words.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct ToldFacts {
    /// After `alias`.
    #[serde(rename = "req.model")]
    pub model: String,
    #[serde(rename = "req.path")]
    path: String,
    #[serde(rename = "req.stream")]
    stream: bool,
    #[serde(rename = "req.tokens_in", default, skip_serializing_if = "is_zero")]
    tokens_in: u64,
    #[serde(rename = "req.max_out", default, skip_serializing_if = "is_zero")]
    max_out: u64,
    #[serde(rename = "req.has", default, skip_serializing_if = "Vec::is_empty")]
    has: Vec<String>,
    #[serde(
        rename = "req.header",
        default,
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    headers: BTreeMap<String, String>,
    #[serde(
        rename = "req.meta",
        default,
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    meta: BTreeMap<String, String>,
    /// Hour, weekday from Monday 0, days since 1970-01-01.
    now: (u8, u8, i32),
    /// Headers and metadata keys that the request has and that are not recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<String>,
}

/// A step of the chain.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ToldStep {
    asked: ToldAsked,
    at_us: u64,
    time_left_us: u64,
    attempts_left: u8,
    did: ToldDid,
    candidates: Vec<ToldSight>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum ToldAsked {
    Next,
    Hedge,
    GoOn,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum ToldDid {
    Attempt(String),
    WaitUntilUs(u64),
    Finish,
    Nothing,
}

/// How a candidate stood.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct ToldSight {
    target: String,
    /// `free`, `ramp`, `probe`, or why not.
    stand: String,
    /// When that is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until_us: Option<u64>,
    /// The part of its weight that it has on the ramp, in parts per million.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ramp_ppm: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    breaker: Option<ToldBreaker>,
    inflight: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_inflight: Option<u32>,
    #[serde(default, skip_serializing_if = "is_none")]
    queued: u32,
    /// The part of its load that leaves because it is slow, in parts per million.
    #[serde(default, skip_serializing_if = "is_none")]
    spilt_ppm: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    usual_ttft_us: Option<u64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    asked: bool,
    #[serde(default, skip_serializing_if = "is_even")]
    turn: i64,
    /// Repeats that its provider's budget pays, in millionths.
    repeats_ppm: u64,
}

/// A breaker that is not closed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct ToldBreaker {
    state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    epoch: u32,
    level: u8,
    until_us: u64,
    #[serde(default, skip_serializing_if = "is_none")]
    probes: u32,
}

/// An attempt.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts of one attempt, each told by its name"
)]
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ToldAttempt {
    /// Where it went.
    pub target: String,
    /// How it ended; none where its client left, and where it was overtaken.
    pub outcome: Option<String>,
    /// Which of its provider's keys it went with, from 0.
    pub key: u8,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    probe: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    repeat: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    hedge: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    overtaken: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    key_change: bool,
    started_us: u64,
    ttft_us: Option<u64>,
    ended_us: Option<u64>,
}

impl Told {
    /// Of a request that `plan` decided and that began at `time`. `None` where it was another plan, or the request never
    /// came to a route.
    pub fn new(notes: &DecisionNotes, plan: &Plan, time: &str) -> Option<Self> {
        let record = &notes.record;
        let names = Names {
            plan,
            begun: notes.begun,
        };
        if plan.policy.hash != record.policy {
            return None;
        }
        Some(Self {
            schema: SCHEMA.to_owned(),
            id: record.id.to_string(),
            time: time.to_owned(),
            policy: format!("{:016x}", record.policy),
            facts: ToldFacts::new(&notes.facts, plan),
            bytes_in: record.bytes_in,
            route: names.route(record.route?)?,
            withdrawn: record.withdrawn.and_then(|route| names.route(route)),
            status: (record.status != 0).then_some(record.status),
            ending: record.ending.as_str().to_owned(),
            deadline_us: names.since(notes.deadline),
            whole: notes.whole,
            steps: notes.steps.iter().map(|step| names.step(step)).collect(),
            attempts: record
                .attempts
                .iter()
                .map(|it| names.attempt(&it))
                .collect(),
            log: ToldLog::new(notes),
        })
    }
}

impl ToldFacts {
    fn new(facts: &OwnedFacts, plan: &Plan) -> Self {
        let needs = plan.program.needs();
        let mut told = Self {
            model: facts.model.clone(),
            path: facts.path.clone(),
            stream: facts.stream,
            tokens_in: facts.tokens_in,
            max_out: facts.max_out,
            has: Caps::WORDS
                .iter()
                .filter(|(_, cap)| facts.has.covers(*cap))
                .map(|(word, _)| (*word).to_owned())
                .collect(),
            now: (facts.now.hour, facts.now.weekday, facts.now.date),
            ..Self::default()
        };
        let headers = needs.headers.iter().zip(&facts.headers);
        sort_out(headers, &mut told.headers, &mut told.withheld);
        let meta = needs.meta.iter().zip(&facts.meta);
        sort_out(meta, &mut told.meta, &mut told.withheld);
        told
    }
}

fn sort_out<'k>(
    kept: impl Iterator<Item = (&'k Box<str>, &'k Kept)>,
    texts: &mut BTreeMap<String, String>,
    withheld: &mut Vec<String>,
) {
    for (name, value) in kept {
        match value {
            Kept::Missing => {}
            Kept::Text(text) => {
                texts.insert(name.to_string(), text.to_string());
            }
            Kept::Withheld => withheld.push(name.to_string()),
        }
    }
}

struct Names<'n> {
    plan: &'n Plan,
    begun: Moment,
}

impl Names<'_> {
    fn step(&self, noted: &Noted) -> ToldStep {
        let look = &noted.look;
        ToldStep {
            asked: match noted.asked {
                Asked::Next => ToldAsked::Next,
                Asked::Hedge => ToldAsked::Hedge,
                Asked::GoOn => ToldAsked::GoOn,
            },
            at_us: look.at.as_micros(),
            time_left_us: look.time_left.as_micros(),
            attempts_left: look.attempts_left,
            did: match noted.did {
                Did::Attempt(target) => ToldDid::Attempt(self.target(target)),
                Did::Wait(until) => ToldDid::WaitUntilUs(until.as_micros()),
                Did::Finish => ToldDid::Finish,
                Did::Nothing => ToldDid::Nothing,
            },
            candidates: look.sights.iter().map(|it| self.sight(it)).collect(),
        }
    }

    fn sight(&self, sight: &Sight) -> ToldSight {
        let (stand, until, ramp_ppm) = match sight.stand {
            Stand::Free => (FREE, None, None),
            Stand::Ramp(ppm) => (RAMP, None, Some(ppm)),
            Stand::Probe => (PROBE, None, None),
            Stand::Out(reason, until) => {
                let until = (until != Moment::NEVER).then(|| self.since(until));
                (reason.as_str(), until, None)
            }
        };
        let breaker = &sight.breaker;
        let told = ToldBreaker {
            state: breaker.state.as_str().to_owned(),
            why: breaker.why.map(|rule| rule.as_str().to_owned()),
            epoch: breaker.epoch,
            level: breaker.level,
            until_us: self.since(breaker.until),
            probes: breaker.probes,
        };
        ToldSight {
            target: self.target(sight.target),
            stand: stand.to_owned(),
            until_us: until,
            ramp_ppm,
            breaker: (breaker.state != State::Closed).then_some(told),
            inflight: sight.inflight,
            max_inflight: sight.max_inflight,
            queued: sight.queued,
            spilt_ppm: sight.spilt,
            usual_ttft_us: sight.usual.map(Span::as_micros),
            asked: sight.asked,
            turn: sight.turn,
            repeats_ppm: sight.repeats,
        }
    }

    fn attempt(&self, tried: &AttemptRecord) -> ToldAttempt {
        ToldAttempt {
            target: self.target(tried.target),
            outcome: tried.outcome.map(|it| Outcome::as_str(it).to_owned()),
            key: tried.key,
            probe: tried.probe,
            repeat: tried.repeat,
            hedge: tried.hedge,
            overtaken: tried.overtaken,
            key_change: tried.key_change,
            started_us: tried.started.as_micros(),
            ttft_us: tried.ttft.map(Span::as_micros),
            ended_us: tried.ended.map(Span::as_micros),
        }
    }

    fn since(&self, moment: Moment) -> u64 {
        moment.since(self.begun).as_micros()
    }

    fn route(&self, route: RouteId) -> Option<String> {
        let found = self.plan.policy.routes.get(route.index())?;
        Some(found.name.to_string())
    }

    fn target(&self, target: TargetId) -> String {
        target_name(self.plan, target)
    }
}

fn target_name(plan: &Plan, target: TargetId) -> String {
    let found = plan.policy.targets.get(target.index());
    found.map_or("?", |target| &target.name).to_owned()
}

const FREE: &str = "free";
const RAMP: &str = "ramp";
const PROBE: &str = "probe";

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_none(number: &u32) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_even(turn: &i64) -> bool {
    *turn == 0
}
