//! One run of a drill: what it is, and what was seen of it so far.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::base::{Moment, Span, hash};
use crate::engine::{Board, Dropped, GuardChange, KeyChange, Load, Transition};
use crate::exchange::Copying;
use crate::ops::{self, Portion, Tap};
use crate::policy::Plan;
use crate::policy::drill::{Drill, Traffic};
use crate::runtime::clock;
use crate::runtime::drill::edge::Edge;
use crate::runtime::drill::since;
use crate::runtime::generation::{Generation, Whose};
use crate::sim::rehearsal::{
    Clock, Conclusion, Drilled, Event, Record, Stage, Sum, Tried, requests_of,
};

/// Why a drill does not begin.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refused {
    /// The policy has none of this name; perhaps the other one was meant.
    Unknown(String, Option<String>),
    /// This one is on.
    Running(String),
    /// The breaker of this target is open.
    BreakerOpen(String),
    /// The gateway is about to end.
    Draining,
    /// A gateway cannot run it; a sentence.
    Unfit(String),
}

impl Refused {
    /// A word for it in metrics.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Unknown(..) => "unknown",
            Self::Running(_) => "running",
            Self::BreakerOpen(_) => "breaker_open",
            Self::Draining => "draining",
            Self::Unfit(_) => "unfit",
        }
    }

    /// The status by which operators are told.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Unknown(..) => 404,
            Self::Running(_) | Self::BreakerOpen(_) | Self::Draining => 409,
            Self::Unfit(_) => 422,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name, None) => write!(f, "the policy has no drill `{name}`"),
            Self::Unknown(name, Some(near)) => {
                write!(
                    f,
                    "the policy has no drill `{name}`; did you mean `{near}`?"
                )
            }
            Self::Running(name) => {
                write!(
                    f,
                    "the drill `{name}` is running, and there is one at a time"
                )
            }
            Self::BreakerOpen(target) => write!(
                f,
                "the breaker of `{target}` is not closed: a drill would add to what is wrong already"
            ),
            Self::Draining => f.write_str("the gateway is about to end"),
            Self::Unfit(why) => f.write_str(why),
        }
    }
}

/// Who ended a drill before its time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WhyEnded {
    /// An operator.
    Operator,
    /// Another policy, or other secrets or endpoints, are served.
    Reload,
    /// The gateway ends.
    Drain,
    /// It has cost more than it is expected to: it cannot pass any more, and each further request costs money.
    Bill,
    /// It has made as many requests as one may.
    Requests,
}

impl WhyEnded {
    /// In reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "an operator ended it",
            Self::Reload => "the policy, a secret or an endpoint was replaced meanwhile",
            Self::Drain => "the gateway ended",
            Self::Bill => "it has cost more than is expected",
            Self::Requests => "it has made as many requests as a drill may",
        }
    }
}

/// What begins.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Started {
    /// The drill's name.
    pub name: Box<str>,
    /// Where its chance comes from.
    pub seed: u64,
    /// What it is measured with.
    pub traffic: Traffic,
    /// About how many requests it will make; 0 where it is about the clients'.
    pub requests: u64,
    /// How long it will take, if nothing ends it.
    pub length: Span,
}

impl fmt::Display for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.traffic {
            Traffic::Live(_) => write!(f, "clients' requests")?,
            Traffic::Shadow(_) => write!(f, "copies of clients' requests")?,
            Traffic::Synthetic { .. } => write!(f, "about {} requests", self.requests)?,
        }
        write!(f, " in {}, seed {}", self.length, self.seed)
    }
}

/// A drill of the policy that is served.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DrillStatus {
    /// Its name.
    pub name: Box<str>,
    /// It is on.
    pub running: bool,
    /// When it ran last.
    pub began: Option<Moment>,
    /// What came of that.
    pub conclusion: Option<Conclusion>,
    /// About how many requests it makes; 0 where it is about the clients'.
    pub requests: u64,
    /// How long it takes.
    pub length: Span,
    /// What it is measured with.
    pub traffic: Traffic,
}

/// One run.
#[derive(Debug)]
pub(in crate::runtime) struct Running {
    /// Tells it from all other runs of this process.
    pub(in crate::runtime) serial: u64,
    plan: Arc<Plan>,
    drill: Drill,
    /// By which its requests run: one of its own, or that of the clients' requests.
    pub(in crate::runtime) generation: Arc<Generation>,
    /// The number of the clients' generation when it began.
    pub(super) number: u64,
    pub(in crate::runtime) load: Arc<Load>,
    pub(in crate::runtime) edge: Edge,
    pub(in crate::runtime) tap: Tap,
    /// Which of the clients' requests it has copied.
    pub(in crate::runtime) copying: Option<Arc<Copying>>,
    pub(super) begun: Moment,
    pub(super) seed: u64,
    /// Attempts that a fault has hit.
    met: AtomicU64,
    stop: OnceLock<WhyEnded>,
    over: OnceLock<()>,
    record: Mutex<Record>,
}

impl Running {
    /// A run that begins now, and where the records of its requests come out.
    pub(super) fn new(
        clients: &Arc<Generation>,
        drill: &Drill,
        seed: Option<u64>,
        cores: usize,
        serial: u64,
    ) -> (Self, Receiver<ops::Record>) {
        let plan = Arc::clone(&clients.plan);
        let seed = seed.unwrap_or(drill.seed);
        let part = |share| Portion {
            share,
            salt: hash::mix(seed, LIVE_SALT),
        };
        let (portion, generation) = match drill.traffic {
            Traffic::Live(share) => (part(share), Arc::clone(clients)),
            Traffic::Synthetic { .. } | Traffic::Shadow(_) => {
                (Portion::ALL, Arc::new(clients.for_drill()))
            }
        };
        let load = Arc::new(Load::new(generation.drill_bounds(), cores.max(1)));
        let copying = match drill.traffic {
            Traffic::Shadow(share) => {
                let copying = Copying::new(part(share), COPIES_MAX, Arc::clone(&load));
                Some(Arc::new(copying))
            }
            Traffic::Synthetic { .. } | Traffic::Live(_) => None,
        };
        let (tap, records) = Tap::new(portion);
        let targets = plan.policy.targets.len();
        let record = Record {
            length: drill.length,
            faulty: drill.faulty(),
            targets: vec![Tried::default(); targets],
            cores,
            seed,
            clock: Clock::Real,
            ..Record::default()
        };
        let edge = Edge::new(drill, portion, seed);
        let run = Self {
            serial,
            drill: drill.clone(),
            load,
            generation,
            number: clients.number,
            edge,
            tap,
            copying,
            begun: clock::now(),
            seed,
            met: AtomicU64::new(0),
            stop: OnceLock::new(),
            over: OnceLock::new(),
            record: Mutex::new(record),
            plan,
        };
        (run, records)
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(super) const fn drill(&self) -> &Drill {
        &self.drill
    }

    pub(in crate::runtime) fn name(&self) -> &str {
        &self.drill.name
    }

    /// The file in which it stands.
    pub(super) fn file(&self) -> String {
        let file = self.plan.policy.files.get(usize::from(self.drill.at.file));
        file.map_or_else(String::new, ToString::to_string)
    }

    pub(super) fn board(&self) -> &Board {
        &self.generation.board
    }

    pub(super) fn started(&self) -> Started {
        Started {
            name: self.name().into(),
            seed: self.seed,
            traffic: self.drill.traffic,
            requests: requests_of(&self.drill),
            length: self.drill.length,
        }
    }

    /// Whether it is about the clients' requests.
    pub(in crate::runtime) fn is_live(&self) -> bool {
        self.generation.whose == Whose::Requests
    }

    /// Whether requests that run by `generation` may meet its faults.
    pub(super) fn is_about(&self, generation: &Generation) -> bool {
        generation.whose == self.generation.whose && generation.number == self.generation.number
    }

    /// A fault has hit an attempt.
    pub(super) fn met(&self) {
        self.met.fetch_add(1, Ordering::Relaxed);
    }

    /// How many attempts a fault has hit.
    pub(super) fn hits(&self) -> u64 {
        self.met.load(Ordering::Relaxed)
    }

    /// Somebody ends it.
    pub(super) fn stop(&self, why: WhyEnded) {
        // Who was first ended it.
        let _ = self.stop.set(why);
    }

    pub(super) fn stopped(&self) -> Option<WhyEnded> {
        self.stop.get().copied()
    }

    /// Nothing more will be seen.
    pub(super) fn finish(&self) {
        let _ = self.over.set(());
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was seen so far, requests in the order in which they came.
    pub(super) fn record(&self) -> Record {
        let mut record = self.seen().clone();
        record.requests.sort_by_key(|asked| asked.came);
        if let Some(copying) = &self.copying {
            let dropped = Dropped::ALL.into_iter().zip(copying.seats().all_dropped());
            let dropped = dropped.filter(|(_, count)| *count > 0);
            record.not_copied = dropped.map(|(why, count)| (why.as_str(), count)).collect();
        }
        record
    }

    /// How many of its requests were answered so far, and how many were not.
    pub(super) fn counts(&self) -> (u64, u64) {
        let sum = Sum::of(&self.seen().requests);
        (sum.answered, sum.failed())
    }

    /// What came of it so far.
    pub(super) fn drilled(&self) -> Drilled {
        let record = self.record();
        let stage = match (self.over.get(), self.stopped()) {
            (None, _) => Stage::Running,
            (Some(()), Some(why)) => Stage::Ended(why.as_str()),
            (Some(()), None) => Stage::Over,
        };
        Drilled::of(&self.plan, &self.drill, &record, stage)
    }

    /// Something happened now.
    pub(super) fn note(&self, event: Event) {
        let at = since(self.begun, clock::now());
        let mut seen = self.seen();
        if seen.events.len() < EVENTS_MAX {
            seen.events.push((at, event));
        }
    }

    pub(super) fn saw_transition(&self, change: &Transition) {
        self.note(Event::Breaker {
            target: change.target,
            core: change.core,
            from: change.from,
            to: change.to,
            why: change.why,
            until: change.until.map(|until| since(self.begun, until)),
        });
    }

    pub(super) fn saw_key(&self, change: KeyChange) {
        self.note(Event::Key {
            provider: change.provider,
            key: change.key,
            out: change.out,
        });
    }

    pub(super) fn saw_guard(&self, change: &GuardChange) {
        self.note(Event::Guard {
            route: change.route,
            rule: change.rule.filter(|_| change.withdrawn.is_some()),
        });
    }
}

/// Keeps the choice of live requests apart from all other draws by their ids.
const LIVE_SALT: u64 = 0x6c69_7665;
/// Copies of clients' requests at once: what they hold of memory is bounded beside that.
const COPIES_MAX: u32 = 1_000;
/// More changes of targets than anybody reads.
const EVENTS_MAX: usize = 10_000;
