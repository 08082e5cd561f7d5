//! Targets: one model at one provider, with what it can do and bear.

use crate::base::{BreakerId, ProviderId, RetriesId, Span};
use crate::policy::facts::Caps;
use crate::policy::model::At;

/// One model at one provider.
#[derive(Clone, Debug)]
pub struct Target {
    /// `provider.model`, as policies, headers, logs and metrics name it.
    pub name: Box<str>,
    /// Where it is declared.
    pub at: At,
    /// Its provider.
    pub provider: ProviderId,
    /// The provider's name for the model.
    pub model: ModelName,
    /// `context`, in tokens. This and what follows up to the prices is the catalogue's where the policy does not say, and
    /// `None` where neither does.
    pub context: Option<u64>,
    /// `max_output`: tokens of the longest answer.
    pub max_output: Option<u64>,
    /// What it is known to do.
    pub caps: Caps,
    /// What it is known not to do: what is not in `caps` where the policy has them. The rest is not known.
    pub lacks: Caps,
    /// `price { input }` in micro-dollars per million tokens.
    pub price_in: Option<u64>,
    /// `price { output }` in micro-dollars per million tokens.
    pub price_out: Option<u64>,
    /// `price { cache_read }`: what is read from the provider's cache, in the same unit.
    pub price_cache_read: Option<u64>,
    /// `price { cache_write }`: what is written into the provider's cache, in the same unit.
    pub price_cache_write: Option<u64>,
    /// Its breaker.
    pub breaker: BreakerId,
    /// Its retries.
    pub retries: RetriesId,
    /// Its timers.
    pub timeouts: Timeouts,
    /// Requests at once, over all cores; from `capacity` (times the endpoints).
    pub max_inflight: Option<MaxInflight>,
    /// Requests that wait for a place, over all cores; from `capacity` (times the endpoints).
    pub queue: Option<Queue>,
}

impl Target {
    /// Whether it is known to lack any of these.
    pub const fn lacks_any(&self, caps: Caps) -> bool {
        !self.lacks.intersection(caps).is_empty()
    }
}

/// `max_queue = 32, max_wait = 2s`
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Queue {
    /// How many may wait; at least one.
    pub max: u32,
    /// For how long.
    pub wait: Span,
}

impl Queue {
    /// The same for each of so many endpoints, together.
    #[must_use]
    pub const fn times(self, endpoints: u32) -> Self {
        Self {
            max: self.max.saturating_mul(endpoints),
            ..self
        }
    }
}

/// `max_inflight = 64`, `max_inflight = auto(4..1000)`
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MaxInflight {
    /// So many.
    Fixed(u32),
    /// As many as its answers show that it bears.
    Auto(AutoInflight),
}

/// The bounds of what is learned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AutoInflight {
    /// Never fewer; at least one.
    pub least: u32,
    /// Never more; at least as many.
    pub most: u32,
}

impl AutoInflight {
    /// `auto`: the least is enough to learn from, the most is more than a provider usually allows one customer.
    pub const BUILT_IN: Self = Self {
        least: 4,
        most: 1_000,
    };
}

impl MaxInflight {
    /// The same for each of so many endpoints, together.
    #[must_use]
    pub const fn times(self, endpoints: u32) -> Self {
        match self {
            Self::Fixed(max) => Self::Fixed(max.saturating_mul(endpoints)),
            Self::Auto(AutoInflight { least, most }) => Self::Auto(AutoInflight {
                least: least.saturating_mul(endpoints),
                most: most.saturating_mul(endpoints),
            }),
        }
    }
}

/// The provider's name for a model.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ModelName {
    /// This one.
    Fixed(Box<str>),
    /// `provider.*`: the one that the client asked for.
    Asked,
}

/// The timers of one attempt, all inside the request's deadline.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timeouts {
    /// `connect_timeout`: address, TCP and TLS.
    pub connect: Span,
    /// `head_timeout`: from the beginning of the attempt to the head of a stream; `None`: as `ttft`.
    pub head: Option<Span>,
    /// `ttft_timeout`: from the beginning of the attempt to its first content.
    pub ttft: Span,
    /// `idle_timeout`: between two content events, or two reads of a plain answer's body.
    pub idle: Span,
}

/// A route's own timers; what is `None` is the target's.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TimeoutsOverride {
    /// `connect_timeout`
    pub connect: Option<Span>,
    /// `head_timeout`
    pub head: Option<Span>,
    /// `ttft_timeout`
    pub ttft: Option<Span>,
    /// `idle_timeout`
    pub idle: Option<Span>,
}
