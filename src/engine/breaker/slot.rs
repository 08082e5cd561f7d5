//! What one core has seen of one target: running totals that only this core writes.
//!
//! ```text
//!   record = a load and a store in a cache line that no other core writes          about 3 ns
//!   tick   = three cache lines read for each core and target                       the only sharing
//! ```
//! Totals never go down and are never reset: a window is the difference of two readings, and the reader keeps the
//! older one ([`super::window`]). So recording needs no clock, no bucket to rotate and no read-modify-write, and a new
//! epoch begins by remembering a reading instead of by reaching into other cores' memory.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use crate::base::Span;
use crate::engine::breaker::Limit;
use crate::policy::model::{Breaker, Measure, PromptSize};

/// One counter for each size of prompt.
type BySize<T> = [T; PromptSize::ALL.len()];

/// One core's totals for one target. Latency rules come last: most answers are not slow.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    requests: AtomicU64,
    failures: AtomicU64,
    gaps: AtomicU64,
    ttfts: BySize<AtomicU64>,
    slow: [BySize<AtomicU64>; Breaker::SLOW_MAX],
}

impl Slot {
    /// An attempt ended well.
    pub(crate) fn success(&self) {
        bump(&self.requests);
    }

    /// An attempt ended in one of the breaker's outcomes.
    pub(crate) fn failure(&self) {
        bump(&self.requests);
        bump(&self.failures);
    }

    /// A time to the first content, or a time that passed without any; or a stream's longest gap. `limits` are those of the
    /// breaker's rules.
    pub(crate) fn sample(
        &self,
        measure: Measure,
        prompt: PromptSize,
        time: Span,
        limits: &[Limit; Breaker::SLOW_MAX],
    ) {
        match measure {
            Measure::Ttft => bump(of_size(&self.ttfts, prompt)),
            Measure::Gap => bump(&self.gaps),
        }
        for (slow, limit) in self.slow.iter().zip(limits) {
            if limit.is_exceeded(measure, prompt, time) {
                bump(of_size(slow, prompt));
            }
        }
    }

    /// The totals as they stand. Counters that are written while this reads may be one apart; the next reading is not.
    pub(crate) fn read(&self) -> Totals {
        let [first, second, third, fourth] = &self.slow;
        Totals {
            requests: self.requests.load(Relaxed),
            failures: self.failures.load(Relaxed),
            gaps: self.gaps.load(Relaxed),
            ttfts: load(&self.ttfts),
            slow: [load(first), load(second), load(third), load(fourth)],
        }
    }

    /// Makes these the totals: for one that is a remembered reading.
    pub(crate) fn write(&self, totals: Totals) {
        self.requests.store(totals.requests, Relaxed);
        self.failures.store(totals.failures, Relaxed);
        self.gaps.store(totals.gaps, Relaxed);
        store(&self.ttfts, totals.ttfts);
        let ([first, second, third, fourth], slow) = (&self.slow, totals.slow);
        store(first, slow[0]);
        store(second, slow[1]);
        store(third, slow[2]);
        store(fourth, slow[3]);
    }
}

/// Counts of one target, of one core or of several.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Totals {
    /// Attempts that count, well or ill.
    pub(crate) requests: u64,
    /// Attempts that ended ill.
    pub(crate) failures: u64,
    /// Streams whose longest gap is known, or known to be beyond a rule's limit.
    pub(crate) gaps: u64,
    /// Attempts whose time to first content is known, or known to be at least something, by the size of their prompts.
    pub(crate) ttfts: BySize<u64>,
    /// How many of its measure were slower than each rule's limit, by the size of their prompts.
    pub(crate) slow: [BySize<u64>; Breaker::SLOW_MAX],
}

impl Totals {
    /// Both together.
    pub(crate) fn plus(self, other: Self) -> Self {
        self.zip(other, u64::wrapping_add)
    }

    /// What came since `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Self {
        self.zip(earlier, u64::saturating_sub)
    }

    fn zip(self, other: Self, f: fn(u64, u64) -> u64) -> Self {
        let ([first, second, third, fourth], slow) = (self.slow, other.slow);
        let zip = |[a, b, c]: BySize<u64>, [x, y, z]: BySize<u64>| [f(a, x), f(b, y), f(c, z)];
        Self {
            requests: f(self.requests, other.requests),
            failures: f(self.failures, other.failures),
            gaps: f(self.gaps, other.gaps),
            ttfts: zip(self.ttfts, other.ttfts),
            slow: [
                zip(first, slow[0]),
                zip(second, slow[1]),
                zip(third, slow[2]),
                zip(fourth, slow[3]),
            ],
        }
    }
}

fn load([short, medium, long]: &BySize<AtomicU64>) -> BySize<u64> {
    [
        short.load(Relaxed),
        medium.load(Relaxed),
        long.load(Relaxed),
    ]
}

fn store([short, medium, long]: &BySize<AtomicU64>, to: BySize<u64>) {
    short.store(to[0], Relaxed);
    medium.store(to[1], Relaxed);
    long.store(to[2], Relaxed);
}

/// The one for prompts of this size.
pub(crate) fn of_size<T>(sizes: &BySize<T>, prompt: PromptSize) -> &T {
    let [short, medium, long] = sizes;
    match prompt {
        PromptSize::Short => short,
        PromptSize::Medium => medium,
        PromptSize::Long => long,
    }
}

// PERF: one writer, so a plain load and store do what a locked instruction would.
fn bump(counter: &AtomicU64) {
    counter.store(counter.load(Relaxed).wrapping_add(1), Relaxed);
}
