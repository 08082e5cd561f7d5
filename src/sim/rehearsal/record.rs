//! What is kept of a rehearsal: each request in a few bytes, and what happened to targets in between.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::{Outcome, ProviderId, RouteId, Span, TargetId};
use crate::engine::{Rule, State};
use crate::policy::model::StopRule;

/// All of it. Times count from the rehearsal's beginning.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// How long requests came.
    pub length: Span,
    /// When the first fault was injected, and when the last one was lifted.
    pub faulty: (Span, Span),
    /// In the order in which they came.
    pub requests: Vec<Asked>,
    /// In their order.
    pub events: Vec<(Span, Event)>,
    /// Why requests failed.
    pub failures: BTreeMap<(Failed, &'static str), u64>,
    /// Requests of clients that were to be copied and were not, by the reason.
    pub not_copied: BTreeMap<&'static str, u64>,
    /// By target: attempts, and answers that clients got.
    pub targets: Vec<Tried>,
    /// Targets that were asked, and have no price.
    pub unpriced: BTreeSet<TargetId>,
    /// The condition of the drill, by its index, that ended it early.
    pub aborted: Option<usize>,
    /// Workers.
    pub cores: usize,
    /// Where chance came from.
    pub seed: u64,
    /// By which its times are.
    pub clock: Clock,
}

/// A clock.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Clock {
    /// One that goes as fast as it is computed.
    #[default]
    Virtual,
    /// That of a running gateway.
    Real,
}

impl Clock {
    /// The word of reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Virtual => "virtual",
            Self::Real => "real",
        }
    }
}

/// A request that is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Asked {
    /// When it came.
    pub came: Span,
    /// The route that took it.
    pub route: RouteId,
    /// Whose whole answer its client got.
    pub answered: Option<TargetId>,
    /// From its coming to the first that its client got, in microseconds; [`Asked::NOTHING`] if it got nothing.
    pub ttft_us: u32,
    /// Attempts that it took.
    pub attempts: u8,
    /// Those of them whose answers nobody got.
    pub wasted: u8,
    /// What providers bill for it, in nano-dollars; targets without a price aside.
    pub cost_nanos: u64,
}

impl Asked {
    /// No content reached the client.
    pub const NOTHING: u32 = u32::MAX;

    /// The time to the first content, if there was any.
    pub fn ttft(&self) -> Option<Span> {
        (self.ttft_us != Self::NOTHING).then(|| Span::from_micros(u64::from(self.ttft_us)))
    }
}

/// How a request failed.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Failed {
    /// The policy refused it.
    Rejected,
    /// The client got a provider's error.
    Stopped,
    /// The answer broke off after its beginning had reached the client.
    Broken,
}

impl Failed {
    /// In a sentence about requests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Stopped => "given the provider's error",
            Self::Broken => "broken off",
        }
    }
}

/// What came of a target.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tried {
    /// Attempts there.
    pub attempts: u64,
    /// Requests that it answered.
    pub answered: u64,
}

/// Something that is not about one request.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A fault is injected: its index in the drill.
    Injected(usize),
    /// It is lifted.
    Lifted(usize),
    /// A breaker changed.
    Breaker {
        /// Whose.
        target: TargetId,
        /// The core whose own it is, with `scope = core`.
        core: Option<u16>,
        /// What it was.
        from: State,
        /// What it is.
        to: State,
        /// What opened it.
        why: Option<Rule>,
        /// When its cool-down ends.
        until: Option<Span>,
    },
    /// A key went out, or came back.
    Key {
        /// Whose.
        provider: ProviderId,
        /// Which.
        key: u8,
        /// Why it is out; `None` where it is well again.
        out: Option<Outcome>,
    },
    /// Health checks have taken an endpoint out, or let it in again.
    Endpoint {
        /// Whose.
        provider: ProviderId,
        /// Which.
        endpoint: u16,
        /// Whether it is up.
        up: bool,
    },
    /// A guard has withdrawn a route, or it serves again.
    Guard {
        /// Which.
        route: RouteId,
        /// The rule that was broken; `None` where it serves again.
        rule: Option<StopRule>,
    },
    /// A condition of the drill ended it: its index.
    Aborted(usize),
}

impl Record {
    /// The requests that came from the first of these moments on and before the second.
    pub fn between(&self, (from, to): (Span, Span)) -> &[Asked] {
        let index = |at: Span| self.requests.partition_point(|asked| asked.came < at);
        self.requests
            .get(index(from)..index(to))
            .unwrap_or_default()
    }
}

/// What some requests came to together.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Sum {
    /// All of them.
    pub requests: u64,
    /// Those whose clients got a whole answer.
    pub answered: u64,
    /// Attempts.
    pub attempts: u64,
    /// Those of them whose answers nobody got.
    pub wasted: u64,
    /// Requests that more than one attempt was made for.
    pub moved: u64,
    /// What providers bill, in nano-dollars.
    pub cost_nanos: u128,
}

impl Sum {
    /// Of these.
    pub fn of(requests: &[Asked]) -> Self {
        let mut sum = Self::default();
        for asked in requests {
            sum.requests += 1;
            sum.answered += u64::from(asked.answered.is_some());
            sum.attempts += u64::from(asked.attempts);
            sum.wasted += u64::from(asked.wasted);
            sum.moved += u64::from(asked.attempts > 1);
            sum.cost_nanos += u128::from(asked.cost_nanos);
        }
        sum
    }

    /// Those whose clients did not get one.
    pub const fn failed(&self) -> u64 {
        self.requests.saturating_sub(self.answered)
    }

    /// The part that was answered, in parts per million; of none, all.
    pub fn success(&self) -> u64 {
        let answered = u128::from(self.answered) * 1_000_000;
        let part = answered.checked_div(u128::from(self.requests));
        part.map_or(1_000_000, |part| u64::try_from(part).unwrap_or(1_000_000))
    }
}

/// A percentile (in parts per million) of the times to the first content, in microseconds: the smallest time that this
/// part of them does not exceed. `None` where nobody got anything.
pub fn percentile(requests: &[Asked], ppm: u32) -> Option<u64> {
    let mut times: Vec<u32> = requests
        .iter()
        .map(|asked| asked.ttft_us)
        .filter(|&time| time != Asked::NOTHING)
        .collect();
    if times.is_empty() {
        return None;
    }
    let rank = (times.len() as u64 * u64::from(ppm))
        .div_ceil(1_000_000)
        .max(1)
        - 1;
    let rank = usize::try_from(rank)
        .unwrap_or_default()
        .min(times.len() - 1);
    let (_, time, _) = times.select_nth_unstable(rank);
    Some(u64::from(*time))
}
