//! The sliding window of one breaker, kept by whoever calls the tick: ten remembered readings of the totals, each a
//! tenth of the window apart. Requests never touch it.
//!
//! ```text
//!   tenth        t-9    t-8   …   t-1    t      now
//!   reading       ├──────┼────…────┼─────┼───────┤
//!                 └──── the window: now − reading(t-9), 0.9 to 1.0 of its length ────┘
//! ```
//! The reading that opens a tenth is the one of the tick before: what came between two ticks counts as new. So nothing
//! is lost however rarely the tick comes, and a window reaches back at most one tick too far.
//!
//! The fields are atomics only because the board is shared; one thread writes them. Were two to tick at once, a window
//! could be blurred by a tick, nothing else.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use crate::base::{Moment, Span};
use crate::engine::breaker::Rules;
use crate::engine::breaker::slot::{Slot, Totals, of_size};
use crate::engine::breaker::word::{Rule, Word};
use crate::policy::model::{Measure, PromptSize};

/// The remembered readings, and the state that the last tick saw.
#[derive(Debug, Default)]
pub(crate) struct Window {
    marks: [Slot; TENTHS],
    newest: Slot,
    tenth: AtomicU64,
    seen: AtomicU64,
}

impl Window {
    /// A window that begins at a reading, and that has seen `word`.
    pub(crate) fn beginning(totals: Totals, word: Word) -> Self {
        let window = Self::default();
        for mark in window.marks.iter().chain([&window.newest]) {
            mark.write(totals);
        }
        window.see(word);
        window
    }

    /// Moves on to `now` and gives what the window holds.
    pub(crate) fn advance(&self, now: Moment, totals: Totals, length: Span) -> Totals {
        let tenth = tenth_of(now, length);
        let last = self.tenth.load(Relaxed);
        let missed = tenth.saturating_sub(last).min(TENTHS as u64);
        if missed != 0 {
            let before = self.newest.read();
            for back in 0..missed {
                self.mark(tenth.saturating_sub(back)).write(before);
            }
        }
        self.newest.write(totals);
        self.tenth.store(tenth.max(last), Relaxed);
        self.sum(totals)
    }

    /// What the window holds at a reading, without moving it.
    pub(crate) fn sum(&self, totals: Totals) -> Totals {
        // The slot after the newest reading is the oldest one.
        let oldest = self.tenth.load(Relaxed).wrapping_add(1);
        totals.since(self.mark(oldest).read())
    }

    /// The newest reading.
    pub(crate) fn newest(&self) -> Totals {
        self.newest.read()
    }

    /// Forgets everything before this reading: a new epoch is judged on its own counts.
    pub(crate) fn restart(&self, now: Moment, totals: Totals, length: Span) {
        for mark in self.marks.iter().chain([&self.newest]) {
            mark.write(totals);
        }
        self.tenth.store(tenth_of(now, length), Relaxed);
    }

    /// The state that the last tick saw.
    pub(crate) fn seen(&self) -> Word {
        Word::unpack(self.seen.load(Relaxed))
    }

    /// Remembers the state for the next tick.
    pub(crate) fn see(&self, word: Word) {
        self.seen.store(word.pack(), Relaxed);
    }

    fn mark(&self, tenth: u64) -> &Slot {
        let index = usize::try_from(tenth % TENTHS as u64).unwrap_or(0);
        let [first, ..] = &self.marks;
        self.marks.get(index).unwrap_or(first)
    }
}

/// The first rule that the window breaks, in the order of the language's reference: error rate, then the percentiles.
///
/// `p95(ttft) > limit` needs no percentile: it holds exactly when more than 5 % of the samples were above the limit. For
/// `gap` a sample is a stream, by its longest gap.
/// Counting those is exact at any rate and sums over cores, which percentiles do not.
pub(crate) fn broken_rule(window: Totals, rules: &Rules) -> Option<Rule> {
    let enough = u64::from(rules.min_requests.max(1));
    // PERF: most windows of a quiet target.
    let [short, medium, long] = window.ttfts;
    let ttfts = short.saturating_add(medium).saturating_add(long);
    if window.requests.max(ttfts).max(window.gaps) < enough {
        return None;
    }
    let exceeds = |part: u64, whole: u64, ppm: u32| {
        whole >= enough && u128::from(part) * 1_000_000 > u128::from(whole) * u128::from(ppm)
    };
    if rules
        .error_rate
        .is_some_and(|rate| exceeds(window.failures, window.requests, rate))
    {
        return Some(Rule::ErrorRate);
    }
    let limits = (0_u8..).zip(rules.slow_limits.iter().zip(rules.slow_share));
    limits
        .zip(window.slow)
        .find_map(|((index, (limit, share)), slow)| {
            let up_to = match (limit.measure(), limit.prompts()) {
                (Measure::Gap, _) => {
                    exceeds(slow.iter().sum(), window.gaps, share).then_some(PromptSize::Long)
                }
                (Measure::Ttft, Some(prompts)) => {
                    let samples = *of_size(&window.ttfts, prompts);
                    exceeds(*of_size(&slow, prompts), samples, share).then_some(prompts)
                }
                (Measure::Ttft, None) => {
                    slow_at_any_size(&window, &slow, enough, |slow, samples| {
                        exceeds(slow, samples, share)
                    })
                }
            };
            up_to.map(|up_to| Rule::Slow(limit.measure(), index, up_to))
        })
}

/// Whether the samples of all prompts are too slow, and also those of the shorter ones alone, where there are enough of
/// them: a wave of long prompts is slow because they are long. Gives the smallest size up to which there were enough.
fn slow_at_any_size(
    window: &Totals,
    slow: &[u64; PromptSize::ALL.len()],
    enough: u64,
    exceeds: impl Fn(u64, u64) -> bool,
) -> Option<PromptSize> {
    let (mut slow_so_far, mut samples) = (0_u64, 0_u64);
    let mut up_to = None;
    for prompt in PromptSize::ALL {
        slow_so_far = slow_so_far.saturating_add(*of_size(slow, prompt));
        samples = samples.saturating_add(*of_size(&window.ttfts, prompt));
        if samples < enough {
            continue;
        }
        if !exceeds(slow_so_far, samples) {
            return None;
        }
        up_to = up_to.or(Some(prompt));
    }
    up_to
}

fn tenth_of(now: Moment, length: Span) -> u64 {
    let tenth = (length.as_nanos() / TENTHS as u64).max(1);
    now.as_nanos() / tenth
}

/// Ten steps bound the error of the window's length to a tenth at a cost of ten readings.
const TENTHS: usize = 10;
