//! What one core has seen of one target: running totals that only this core writes.
//!
//! ```text
//!   record = a load and a store in one cache line that no other core writes        about 3 ns
//!   tick   = one cache line read for each core and target                          the only sharing
//! ```
//! Totals never go down and are never reset: a window is the difference of two readings, and the reader keeps the
//! older one ([`super::window`]). So recording needs no clock, no bucket to rotate and no read-modify-write, and a new
//! epoch begins by remembering a reading instead of by reaching into other cores' memory.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use crate::base::Span;
use crate::engine::breaker::Limit;
use crate::policy::model::{Breaker, Measure};

/// One core's totals for one target.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    requests: AtomicU64,
    failures: AtomicU64,
    ttfts: AtomicU64,
    gaps: AtomicU64,
    slow: [AtomicU64; Breaker::SLOW_MAX],
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
    pub(crate) fn sample(&self, measure: Measure, time: Span, limits: &[Limit; Breaker::SLOW_MAX]) {
        bump(match measure {
            Measure::Ttft => &self.ttfts,
            Measure::Gap => &self.gaps,
        });
        for (slow, limit) in self.slow.iter().zip(limits) {
            if limit.is_exceeded(measure, time) {
                bump(slow);
            }
        }
    }

    /// The totals as they stand. Counters that are written while this reads may be one apart; the next reading is not.
    pub(crate) fn read(&self) -> Totals {
        let [first, second, third, fourth] = &self.slow;
        Totals {
            requests: self.requests.load(Relaxed),
            failures: self.failures.load(Relaxed),
            ttfts: self.ttfts.load(Relaxed),
            gaps: self.gaps.load(Relaxed),
            slow: [
                first.load(Relaxed),
                second.load(Relaxed),
                third.load(Relaxed),
                fourth.load(Relaxed),
            ],
        }
    }

    /// Makes these the totals: for one that is a remembered reading.
    pub(crate) fn write(&self, totals: Totals) {
        self.requests.store(totals.requests, Relaxed);
        self.failures.store(totals.failures, Relaxed);
        self.ttfts.store(totals.ttfts, Relaxed);
        self.gaps.store(totals.gaps, Relaxed);
        let ([first, second, third, fourth], slow) = (&self.slow, totals.slow);
        first.store(slow[0], Relaxed);
        second.store(slow[1], Relaxed);
        third.store(slow[2], Relaxed);
        fourth.store(slow[3], Relaxed);
    }
}

/// Counts of one target, of one core or of several.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Totals {
    /// Attempts that count, well or ill.
    pub(crate) requests: u64,
    /// Attempts that ended ill.
    pub(crate) failures: u64,
    /// Attempts whose time to first content is known, or known to be at least something.
    pub(crate) ttfts: u64,
    /// Streams whose longest gap is known, or known to be beyond a rule's limit.
    pub(crate) gaps: u64,
    /// How many of its measure were slower than each rule's limit.
    pub(crate) slow: [u64; Breaker::SLOW_MAX],
}

impl Totals {
    /// Of how many attempts this is known.
    pub(crate) const fn samples(&self, measure: Measure) -> u64 {
        match measure {
            Measure::Ttft => self.ttfts,
            Measure::Gap => self.gaps,
        }
    }

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
        Self {
            requests: f(self.requests, other.requests),
            failures: f(self.failures, other.failures),
            ttfts: f(self.ttfts, other.ttfts),
            gaps: f(self.gaps, other.gaps),
            slow: [
                f(first, slow[0]),
                f(second, slow[1]),
                f(third, slow[2]),
                f(fourth, slow[3]),
            ],
        }
    }
}

// PERF: one writer, so a plain load and store do what a locked instruction would.
fn bump(counter: &AtomicU64) {
    counter.store(counter.load(Relaxed).wrapping_add(1), Relaxed);
}
