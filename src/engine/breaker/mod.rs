//! The breaker: when a target is left alone, and how it is let back in.
//!
//! ```text
//!   core 0 ── totals ──┐                         one word per target
//!   core 1 ── totals ──┼─ tick: sum, judge ────▶ (state, rule, level, epoch, until) ◀── every pick reads it
//!   core N ── totals ──┘                                 ▲
//!       └── `consecutive` reached ── compare-exchange ───┘
//! ```
//! Counts are summed over cores because a share of the traffic is too little to judge by: with sixteen cores and a
//! window of 30 s, a core of its own sees 20 requests only above 10.7 requests a second, and lowering `min_requests`
//! instead buys false alarms. Folder: [`slot`] what a core writes, [`window`] what the tick keeps, [`gate`] the state and
//! its changes, [`word`] its packing, [`order`] what goes before it.

pub(crate) mod gate;
pub(crate) mod order;
pub(crate) mod slot;
pub(crate) mod window;
pub(crate) mod word;

use crate::base::{Moment, Outcome, OutcomeSet, Span};
use crate::engine::breaker::word::Word;
use crate::policy::model::{Breaker, Measure, PromptSize, Ramp};

pub use self::order::Order;
pub use self::word::{Rule, State};

/// A target's breaker settings, ready for the hot path. The policy's own fields; only what differs is described.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) window: Span,
    pub(crate) min_requests: u32,
    pub(crate) count: OutcomeSet,
    pub(crate) error_rate: Option<u32>,
    pub(crate) consecutive: Option<u32>,
    /// The limits of the latency rules; unused ones are never exceeded.
    pub(crate) slow_limits: [Limit; Breaker::SLOW_MAX],
    /// The share of samples that may be slower, in parts per million: p95 leaves 50,000.
    pub(crate) slow_share: [u32; Breaker::SLOW_MAX],
    pub(crate) cool_down: (Span, Span),
    pub(crate) probes: u32,
    pub(crate) need: u32,
    pub(crate) share: u32,
    ramp: Ramp,
    step: Span,
    pub(crate) obey_retry_after: bool,
    pub(crate) throttle_max: Span,
    /// What jitter is derived from: the target's name and the board's seed.
    pub(crate) seed: u64,
}

impl Rules {
    /// The outcomes that can be ill health at all. A rate limit, a bad request, a refused key, a missing model are
    /// answered elsewhere: counting them would close a provider that works.
    const ILL: OutcomeSet = OutcomeSet::EMPTY
        .with(Outcome::S5xx)
        .with(Outcome::Timeout)
        .with(Outcome::Connect)
        .with(Outcome::Tls)
        .with(Outcome::Ttft)
        .with(Outcome::StreamAbort)
        .with(Outcome::Overloaded)
        .with(Outcome::BadOutput);

    /// From the policy.
    pub(crate) fn new(breaker: &Breaker, seed: u64) -> Self {
        let mut slow_limits = [Limit::NONE; Breaker::SLOW_MAX];
        let mut slow_share = [MILLION; Breaker::SLOW_MAX];
        for ((limit, share), rule) in slow_limits
            .iter_mut()
            .zip(&mut slow_share)
            .zip(&breaker.slow)
        {
            *limit = Limit {
                measure: rule.measure,
                prompts: rule.prompts,
                time: rule.limit,
            };
            *share = MILLION.saturating_sub(rule.percentile);
        }
        Self {
            window: breaker.window,
            min_requests: breaker.min_requests,
            count: breaker.count,
            error_rate: breaker.error_rate,
            consecutive: breaker.consecutive,
            slow_limits,
            slow_share,
            cool_down: breaker.cool_down,
            probes: breaker.probes.clamp(1, gate::COUNT_MASK),
            need: breaker.need.clamp(1, gate::COUNT_MASK),
            share: breaker.share.min(MILLION),
            ramp: breaker.ramp,
            step: breaker.step.max(Span::from_millis(1)),
            obey_retry_after: breaker.obey_retry_after,
            throttle_max: breaker.throttle_max,
            seed,
        }
    }

    /// What an outcome says about the target's health. One that the policy does not count says nothing: it is neither
    /// in the numerator nor in the denominator of an error rate.
    pub(crate) fn health_of(&self, outcome: Outcome) -> Option<Health> {
        if outcome == Outcome::Ok {
            return Some(Health::Well);
        }
        (Self::ILL.has(outcome) && self.count.has(outcome)).then_some(Health::Ill)
    }

    /// How long a ramp lasts; nothing if there is none.
    pub(crate) fn ramp_length(&self) -> Span {
        let steps = u64::try_from(self.ramp.steps().len()).unwrap_or(0);
        self.step.saturating_mul(steps)
    }

    /// The part of its weight that a target on the ramp has, in parts per million. The word has no room for the step, and
    /// needs none: the time that is left tells it.
    pub(crate) fn ramp_share(&self, word: Word, now: Moment) -> u32 {
        let left = word.until.since(now).as_nanos();
        let to_go = left.div_ceil(self.step.as_nanos().max(1));
        let steps = self.ramp.steps();
        let step = usize::try_from(to_go)
            .ok()
            .and_then(|to_go| steps.len().checked_sub(to_go))
            .unwrap_or(0);
        steps.get(step).copied().unwrap_or(MILLION)
    }

    /// Whether a time is already beyond a latency rule for its measure and prompt.
    pub(crate) fn is_slow(&self, measure: Measure, prompt: PromptSize, time: Span) -> bool {
        self.slow_limits
            .iter()
            .any(|limit| limit.is_exceeded(measure, prompt, time))
    }
}

/// What a latency rule allows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Limit {
    measure: Measure,
    prompts: Option<PromptSize>,
    time: Span,
}

impl Limit {
    /// One that nothing exceeds.
    const NONE: Self = Self {
        measure: Measure::Ttft,
        prompts: None,
        time: Span::MAX,
    };

    /// Whose times it is about.
    pub(crate) const fn measure(self) -> Measure {
        self.measure
    }

    /// The prompts that it is about; `None` for all of them.
    pub(crate) const fn prompts(self) -> Option<PromptSize> {
        self.prompts
    }

    /// Whether a time of this measure, for such a prompt, is longer than it allows.
    pub(crate) fn is_exceeded(self, measure: Measure, prompt: PromptSize, time: Span) -> bool {
        self.measure == measure
            && self.prompts.is_none_or(|prompts| prompts == prompt)
            && time > self.time
    }
}

/// What an attempt says about its target.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Health {
    /// It works.
    Well,
    /// It does not.
    Ill,
}

const MILLION: u32 = 1_000_000;
