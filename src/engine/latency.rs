//! How fast a target is: a moving average to pick by ([`Average`], one core's own), a histogram for metrics
//! ([`Histogram`], written by one core, read by anyone), and what its slowest answers took lately ([`Tail`]).

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use crate::base::{Moment, Span};

/// An exponentially weighted moving average. Each sample weighs an eighth, so after `ln ½ / ln ⅞` = 5.2 samples half of
/// the past is forgotten: quick enough to follow an overload within a few requests, slow enough that one long prompt
/// among short ones does not turn the order.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Average {
    nanos: u64,
}

impl Average {
    /// The average, once there is one.
    pub(crate) fn value(self) -> Option<Span> {
        (self.nanos != 0).then_some(Span::from_nanos(self.nanos))
    }

    /// One that is this; nothing is known where it is `None`.
    pub(crate) fn of(value: Option<Span>) -> Self {
        Self {
            nanos: value.map_or(0, |value| value.as_nanos().max(1)),
        }
    }

    /// Adds a sample.
    pub(crate) fn add(&mut self, sample: Span) {
        let sample = sample.as_nanos().max(1);
        self.nanos = if self.nanos == 0 {
            sample
        } else {
            let (old, new) = (self.nanos, sample);
            let step = old.abs_diff(new) / 8;
            if new > old {
                old.saturating_add(step)
            } else {
                old.saturating_sub(step)
            }
        };
    }
}

/// A log-linear histogram: eight buckets for each doubling, from 64 µs to 18 minutes. A bucket is at most an eighth wide,
/// so a percentile read from it is at most 12.5 % too high. 1.6 KiB for each core and target.
#[derive(Debug)]
pub(crate) struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    sum_us: AtomicU64,
}

impl Histogram {
    /// Counts one time. Only one core writes.
    pub(crate) fn record(&self, span: Span) {
        let us = span.as_micros();
        self.sum_us
            .store(self.sum_us.load(Relaxed).saturating_add(us), Relaxed);
        if let Some(bucket) = self.buckets.get(bucket_of(us)) {
            bucket.store(bucket.load(Relaxed).wrapping_add(1), Relaxed);
        }
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: [const { AtomicU64::new(0) }; BUCKETS],
            sum_us: AtomicU64::new(0),
        }
    }
}

/// The sum of several histograms, at rest.
#[derive(Clone, Debug)]
pub struct Latencies {
    buckets: [u64; BUCKETS],
    count: u64,
    sum: Span,
}

impl Latencies {
    pub(crate) fn new() -> Self {
        Self {
            buckets: [0; BUCKETS],
            count: 0,
            sum: Span::ZERO,
        }
    }

    pub(crate) fn add(&mut self, histogram: &Histogram) {
        for (mine, theirs) in self.buckets.iter_mut().zip(&histogram.buckets) {
            let n = theirs.load(Relaxed);
            *mine = mine.saturating_add(n);
            self.count = self.count.saturating_add(n);
        }
        self.sum = self
            .sum
            .saturating_add(Span::from_micros(histogram.sum_us.load(Relaxed)));
    }

    /// What was recorded after `before`.
    pub(crate) fn minus(&self, before: &Self) -> Self {
        let mut rest = self.clone();
        for (mine, theirs) in rest.buckets.iter_mut().zip(&before.buckets) {
            *mine = mine.saturating_sub(*theirs);
        }
        rest.count = rest.buckets.iter().sum();
        rest.sum = Span::from_nanos(rest.sum.as_nanos().saturating_sub(before.sum.as_nanos()));
        rest
    }

    /// How many times were recorded.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// All of them added up, in whole microseconds.
    pub fn sum(&self) -> Span {
        self.sum
    }

    /// The smallest bucket bound that at least `ppm` parts per million of the times lie below; `None` without any.
    pub fn percentile(&self, ppm: u32) -> Option<Span> {
        if self.count == 0 {
            return None;
        }
        let wanted = u128::from(self.count) * u128::from(ppm.min(1_000_000));
        let mut below = 0_u128;
        for (bound, n) in self.buckets() {
            below = below.saturating_add(u128::from(n) * 1_000_000);
            if below >= wanted && n != 0 {
                return Some(bound);
            }
        }
        None
    }

    /// The time that `ppm` parts per million of the times lie below, as if those of one bucket were spread evenly over it;
    /// `None` without any. Closer than [`Latencies::percentile`], and on either side of the truth.
    pub fn quantile(&self, ppm: u32) -> Option<Span> {
        let wanted = u128::from(self.count) * u128::from(ppm.min(1_000_000));
        let mut below = 0_u128;
        for (low, high, n) in self.ranges() {
            let here = u128::from(n) * 1_000_000;
            if n != 0 && below.saturating_add(here) >= wanted {
                let width = u128::from(high.saturating_sub(low));
                let into = width * wanted.saturating_sub(below) / here.max(1);
                let us = low.saturating_add(u64::try_from(into).unwrap_or(0));
                return Some(Span::from_micros(us));
            }
            below = below.saturating_add(here);
        }
        None
    }

    /// How many times were longer than `limit`, on the same supposition, rounded down.
    pub fn above(&self, limit: Span) -> u64 {
        let limit = limit.as_micros();
        let above = self.ranges().map(|(low, high, n)| {
            let width = u128::from(high.saturating_sub(low).max(1));
            let beyond = u128::from(high.saturating_sub(limit.max(low)));
            if limit < low {
                u128::from(n) * 1_000
            } else {
                u128::from(n) * 1_000 * beyond / width
            }
        });
        u64::try_from(above.sum::<u128>() / 1_000).unwrap_or(u64::MAX)
    }

    /// Each bucket's lower and upper bound in microseconds, and its count. The last one, which has no end, is taken for a
    /// point.
    fn ranges(&self) -> impl Iterator<Item = (u64, u64, u64)> + '_ {
        let counts = self.buckets.iter().enumerate();
        counts.map(|(index, &n)| {
            let low = index.checked_sub(1).map_or(0, bound_of);
            let high = if index >= BUCKETS - 1 {
                low
            } else {
                bound_of(index)
            };
            (low, high, n)
        })
    }

    /// Each bucket's upper bound (exclusive) and count, from the fastest.
    pub fn buckets(&self) -> impl Iterator<Item = (Span, u64)> + '_ {
        self.buckets
            .iter()
            .enumerate()
            .map(|(index, &n)| (Span::from_micros(bound_of(index)), n))
    }
}

/// What 95 of 100 answers took lately: read from histograms that only ever grow, so it keeps where its window began.
#[derive(Clone, Debug)]
pub(crate) struct Tail {
    before: Latencies,
    since: Moment,
    looked: Option<Moment>,
    p95: Option<Span>,
}

impl Tail {
    /// Its first window has everything that was recorded before `now`, too.
    pub(crate) fn new(now: Moment) -> Self {
        Self {
            before: Latencies::new(),
            since: now,
            looked: None,
            p95: None,
        }
    }

    /// The 95th percentile, never below [`P95_MIN`], from `all` that was ever recorded; looked at once a second.
    pub(crate) fn p95(&mut self, now: Moment, all: impl FnOnce() -> Latencies) -> Option<Span> {
        if self
            .looked
            .is_some_and(|looked| now.since(looked) < LOOK_EVERY)
        {
            return self.p95;
        }
        self.looked = Some(now);
        let all = all();
        let lately = all.minus(&self.before);
        let enough = if self.p95.is_none() {
            SAMPLES_FIRST
        } else {
            SAMPLES_NEXT
        };
        if lately.count >= enough {
            self.p95 = lately.percentile(950_000).map(|p95| p95.max(P95_MIN));
            if now.since(self.since) >= WINDOW {
                self.before = all;
                self.since = now;
            }
        }
        self.p95
    }
}

fn bucket_of(us: u64) -> usize {
    if us < FIRST_US {
        return 0;
    }
    let octave = us.ilog2();
    // The three bits after the leading one.
    let eighth = (us >> octave.saturating_sub(EIGHTHS_LOG2)) & (EIGHTHS - 1);
    let octave = u64::from(octave.saturating_sub(FIRST_US.ilog2()));
    let index = octave
        .saturating_mul(EIGHTHS)
        .saturating_add(eighth)
        .saturating_add(1);
    usize::try_from(index).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

fn bound_of(index: usize) -> u64 {
    if index >= BUCKETS - 1 {
        return u64::MAX;
    }
    // Bucket 0 ends at FIRST_US; bucket 1 + 8·o + e ends at FIRST_US · 2^o · (8 + e + 1) / 8.
    let index = index as u64;
    let Some(rest) = index.checked_sub(1) else {
        return FIRST_US;
    };
    let (octave, eighth) = (rest / EIGHTHS, rest % EIGHTHS);
    ((FIRST_US << octave) / EIGHTHS)
        .saturating_mul(EIGHTHS.saturating_add(eighth).saturating_add(1))
}

/// A percentile below this is noise: timers fire up to 5 ms late.
const P95_MIN: Span = Span::from_millis(10);
/// Summing the histograms of all cores costs about a microsecond for each.
const LOOK_EVERY: Span = Span::from_secs(1);
/// The fewest times that have a 95th percentile, and the fewest that replace one.
const SAMPLES_FIRST: u64 = 20;
const SAMPLES_NEXT: u64 = 100;
/// Then it begins anew, so that it follows a target that changes.
const WINDOW: Span = Span::from_secs(60);
/// Below this everything is loopback.
const FIRST_US: u64 = 64;
const EIGHTHS_LOG2: u32 = 3;
const EIGHTHS: u64 = 1 << EIGHTHS_LOG2;
/// From 2^6 µs to 2^30 µs: longer than any deadline. One bucket below and one above.
const OCTAVES: usize = 24;
const BUCKETS: usize = OCTAVES * 8 + 2;

#[cfg(test)]
mod tests {
    use super::{Average, BUCKETS, Histogram, Latencies, P95_MIN, Tail, bound_of, bucket_of};
    use crate::base::{Moment, Span};

    #[test]
    fn every_time_lies_below_its_bound_and_not_below_the_one_before() {
        let mut us = 1_u64;
        while us < 1 << 32 {
            let bucket = bucket_of(us);
            assert!(us < bound_of(bucket), "{us}");
            assert!(bucket == 0 || us >= bound_of(bucket - 1), "{us}");
            us += us / 17 + 1;
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_are_at_most_an_eighth_too_high() {
        let histogram = Histogram::default();
        for ms in 1..=1_000 {
            histogram.record(Span::from_millis(ms));
        }
        let mut all = Latencies::new();
        all.add(&histogram);
        assert_eq!(all.count(), 1_000);
        assert_eq!(all.sum(), Span::from_millis(500_500));
        for (ppm, ms) in [(500_000, 500), (950_000, 950), (1_000_000, 1_000)] {
            let found = all.percentile(ppm).unwrap().as_millis();
            assert!((ms..=ms * 9 / 8).contains(&found), "{ppm}: {found}");
        }
        assert_eq!(Latencies::new().percentile(500_000), None);
    }

    #[test]
    fn a_tail_is_known_late_and_follows_a_change() {
        let histogram = Histogram::default();
        let mut tail = Tail::new(Moment::START);
        let mut now = Moment::START;
        let mut look = |times: u64, ms: u64, after: u64| {
            (0..times).for_each(|_| histogram.record(Span::from_millis(ms)));
            now = now + Span::from_secs(after);
            tail.p95(now, || {
                let mut all = Latencies::new();
                all.add(&histogram);
                all
            })
        };
        assert_eq!(look(19, 1, 1), None);
        assert_eq!(look(1, 1, 0), None, "not looked at again within a second");
        assert_eq!(look(0, 0, 1), Some(P95_MIN));
        let p95 = look(100, 100, 60).unwrap().as_millis();
        assert!((100..=113).contains(&p95), "{p95}");
        assert_eq!(look(99, 1, 1).unwrap().as_millis(), p95);
        assert_eq!(look(1, 1, 1), Some(P95_MIN), "a new window has forgotten");
    }

    #[test]
    fn an_average_forgets_half_in_about_five_samples() {
        let mut average = Average::default();
        assert_eq!(average.value(), None);
        average.add(Span::from_millis(1_000));
        for _ in 0..5 {
            average.add(Span::ZERO);
        }
        let left = average.value().unwrap().as_millis();
        assert!((480..560).contains(&left), "{left}");
    }
}
