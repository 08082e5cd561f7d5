//! What one core counts by route, by target and by pair of targets, for the metrics. Its owner writes, anyone reads.
//!
//! ```text
//!   at the end of a request   about ten loads and stores, all in this core's own memory
//!   at a content of a stream  three of them
//! ```
//! No name and no text: ids and outcomes, whose number the policy bounds. What the client calls a model never becomes
//! a label.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::base::{Moment, Outcome, Span, TargetId};
use crate::engine::PassedOver;
use crate::ops::cost::{Spent, Tokens};
use crate::ops::journal::Ending;

/// Adds to a cell that one core writes: a load and a store are enough, and cost no bus lock.
pub(super) fn add(cell: &AtomicU64, count: u64) {
    cell.store(cell.load(Relaxed).wrapping_add(count), Relaxed);
}

/// Times by powers of two, from a quarter of a millisecond to 4.5 minutes: coarse, but 184 bytes each, so that every
/// target and route of every core can have one.
#[derive(Debug, Default)]
pub(super) struct Times {
    buckets: [AtomicU64; TIMES_BUCKETS],
    sum_us: AtomicU64,
}

impl Times {
    pub(super) fn record(&self, span: Span) {
        let us = span.as_micros();
        if let Some(bucket) = self.buckets.get(bucket_of(us)) {
            add(bucket, 1);
        }
        add(&self.sum_us, us);
    }

    pub(super) fn add_to(&self, sum: &mut TimeSums) {
        for (sum, bucket) in sum.buckets.iter_mut().zip(&self.buckets) {
            *sum = sum.wrapping_add(bucket.load(Relaxed));
        }
        let us = Span::from_micros(self.sum_us.load(Relaxed));
        sum.sum = sum.sum.saturating_add(us);
    }
}

/// Times of all cores together.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TimeSums {
    buckets: [u64; TIMES_BUCKETS],
    sum: Span,
}

impl TimeSums {
    /// From times that were counted more finely: each goes where its bucket's bound lies.
    pub(crate) fn gathered(fine: impl Iterator<Item = (Span, u64)>, sum: Span) -> Self {
        let mut gathered = Self {
            sum,
            ..Self::default()
        };
        for (bound, count) in fine {
            // Bounds are exclusive: the last time inside lies below.
            let index = bucket_of(bound.as_micros().saturating_sub(1));
            if let Some(bucket) = gathered.buckets.get_mut(index) {
                *bucket = bucket.wrapping_add(count);
            }
        }
        gathered
    }

    /// Each upper bound and how many times lie below it; the last one is [`Span::MAX`] and has all.
    pub fn cumulative(&self) -> impl Iterator<Item = (Span, u64)> + '_ {
        let mut below = 0_u64;
        self.buckets.iter().enumerate().map(move |(index, &count)| {
            below = below.wrapping_add(count);
            let bound = if index + 1 == TIMES_BUCKETS {
                Span::MAX
            } else {
                Span::from_micros(TIMES_FIRST_US << index)
            };
            (bound, below)
        })
    }

    /// All times added up, in whole microseconds.
    pub const fn sum(&self) -> Span {
        self.sum
    }
}

fn bucket_of(us: u64) -> usize {
    let doublings = (us / TIMES_FIRST_US)
        .checked_ilog2()
        .map_or(0, |doublings| doublings as usize + 1);
    doublings.min(TIMES_BUCKETS - 1)
}

/// One core's counts of one route.
#[derive(Debug, Default)]
pub(super) struct RouteTally {
    pub(super) endings: [AtomicU64; Ending::ALL.len()],
    pub(super) bytes_in: AtomicU64,
    pub(super) bytes_out: AtomicU64,
    pub(super) durations: Times,
}

/// All cores' counts of one route.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RouteSums {
    /// In the order of [`crate::ops::Ending::ALL`].
    pub endings: [u64; Ending::ALL.len()],
    /// Bytes of requests' bodies.
    pub bytes_in: u64,
    /// Bytes of answers' bodies.
    pub bytes_out: u64,
    /// From the end of a request's head to the last byte of its answer.
    pub durations: TimeSums,
}

impl RouteTally {
    pub(super) fn add_to(&self, sums: &mut RouteSums) {
        add_all(&mut sums.endings, &self.endings);
        sums.bytes_in = sums.bytes_in.wrapping_add(self.bytes_in.load(Relaxed));
        sums.bytes_out = sums.bytes_out.wrapping_add(self.bytes_out.load(Relaxed));
        self.durations.add_to(&mut sums.durations);
    }
}

/// One core's counts of one target.
#[derive(Debug, Default)]
pub(super) struct TargetTally {
    /// By outcome, and those that their client left.
    attempts: [AtomicU64; OUTCOMES],
    abandoned: AtomicU64,
    overtaken: AtomicU64,
    answered: AtomicU64,
    passed_over: [AtomicU64; PassedOver::ALL.len()],
    tokens: [AtomicU64; Tokens::ALL.len()],
    nano_dollars: AtomicU64,
    gaps: Times,
    /// The last attempt that failed: its end in milliseconds from the start, and its outcome; 0 without any.
    failure: AtomicU64,
}

/// All cores' counts of one target.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TargetSums {
    /// In the order of [`Outcome::ALL`].
    pub attempts: [u64; OUTCOMES],
    /// Attempts whose client left.
    pub abandoned: u64,
    /// Attempts that were cut off because the one beside them had content first.
    pub overtaken: u64,
    /// Requests that it answered, whole.
    pub answered: u64,
    /// In the order of [`PassedOver::ALL`].
    pub passed_over: [u64; PassedOver::ALL.len()],
    /// What its answers took, in the order of [`Tokens::ALL`].
    pub tokens: [u64; Tokens::ALL.len()],
    /// What they cost, in nano-dollars, as far as prices are known.
    pub nano_dollars: u64,
    /// From content to content of its streams.
    pub gaps: TimeSums,
    /// When and how an attempt failed last.
    pub failure: Option<(Moment, Outcome)>,
}

impl TargetTally {
    pub(super) fn ended(&self, outcome: Option<Outcome>, at: Moment) {
        let Some(outcome) = outcome else {
            return add(&self.abandoned, 1);
        };
        if let Some(cell) = self.attempts.get(outcome as usize) {
            add(cell, 1);
        }
        if outcome != Outcome::Ok {
            let millis = at.since(Moment::START).as_millis();
            let packed = millis << FAILURE_BITS | (outcome as u64 + 1);
            self.failure.store(packed, Relaxed);
        }
    }

    pub(super) fn overtaken(&self) {
        add(&self.overtaken, 1);
    }

    pub(super) fn answered(&self) {
        add(&self.answered, 1);
    }

    /// How often it has answered.
    pub(super) fn answers(&self) -> u64 {
        self.answered.load(Relaxed)
    }

    pub(super) fn passed_over(&self, why: PassedOver) {
        // Reasons count from 1.
        if let Some(cell) = self.passed_over.get((why as usize).wrapping_sub(1)) {
            add(cell, 1);
        }
    }

    pub(super) fn spent(&self, spent: &Spent) {
        for (cell, kind) in self.tokens.iter().zip(Tokens::ALL) {
            add(cell, kind.of(spent.usage));
        }
        add(&self.nano_dollars, spent.nano_dollars.unwrap_or_default());
    }

    pub(super) fn gap(&self, gap: Span) {
        self.gaps.record(gap);
    }

    pub(super) fn add_to(&self, sums: &mut TargetSums) {
        add_all(&mut sums.attempts, &self.attempts);
        add_all(&mut sums.passed_over, &self.passed_over);
        add_all(&mut sums.tokens, &self.tokens);
        let cost = self.nano_dollars.load(Relaxed);
        sums.nano_dollars = sums.nano_dollars.wrapping_add(cost);
        sums.abandoned = sums.abandoned.wrapping_add(self.abandoned.load(Relaxed));
        sums.overtaken = sums.overtaken.wrapping_add(self.overtaken.load(Relaxed));
        sums.answered = sums.answered.wrapping_add(self.answered.load(Relaxed));
        self.gaps.add_to(&mut sums.gaps);
        let packed = self.failure.load(Relaxed);
        let code = usize::try_from(packed & FAILURE_MASK).unwrap_or(0);
        let outcome = code.checked_sub(1).and_then(|at| Outcome::ALL.get(at));
        if let Some(&outcome) = outcome {
            let at = Moment::START + Span::from_millis(packed >> FAILURE_BITS);
            sums.failure = sums.failure.max(Some((at, outcome)));
        }
    }
}

/// One core's moves from a target that failed to another one: a table of a fixed size with open addressing, since of all
/// pairs of targets few ever occur.
#[derive(Debug)]
pub(super) struct Moves {
    slots: Box<[Slot]>,
    /// Moves for which there was no room.
    beyond: AtomicU64,
}

#[derive(Debug)]
struct Slot {
    /// The packed move; 0 while it is free.
    key: AtomicU64,
    count: AtomicU64,
}

/// From where, to where, and why.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Move {
    /// The target whose attempt ended.
    pub from: TargetId,
    /// The target that was asked next.
    pub to: TargetId,
    /// How the attempt ended.
    pub why: Outcome,
}

impl Slot {
    const fn free() -> Self {
        Self {
            key: AtomicU64::new(0),
            count: AtomicU64::new(0),
        }
    }
}

impl Default for Moves {
    fn default() -> Self {
        Self {
            slots: Box::new([const { Slot::free() }; MOVES_MAX]),
            beyond: AtomicU64::new(0),
        }
    }
}

impl Moves {
    pub(super) fn count(&self, moved: Move) {
        let key = moved.pack();
        let first = usize::try_from(crate::base::hash::mix(key, 0) % MOVES_MAX as u64);
        let (behind, before) = self.slots.split_at(first.unwrap_or(0).min(MOVES_MAX));
        for slot in before.iter().chain(behind).take(MOVES_LOOKS_MAX) {
            let found = slot.key.load(Relaxed);
            if found == key {
                return add(&slot.count, 1);
            }
            if found == 0 {
                slot.count.store(1, Relaxed);
                // Whoever sees the key sees its count.
                return slot.key.store(key, Release);
            }
        }
        add(&self.beyond, 1);
    }

    /// Adds what was counted; gives the number that found no room.
    pub(super) fn add_to(&self, sums: &mut BTreeMap<Move, u64>) -> u64 {
        for slot in &self.slots {
            if let Some(moved) = Move::unpack(slot.key.load(Acquire)) {
                let sum = sums.entry(moved).or_default();
                *sum = sum.wrapping_add(slot.count.load(Relaxed));
            }
        }
        self.beyond.load(Relaxed)
    }
}

impl Move {
    /// Never 0: outcomes count from 1 here.
    const fn pack(self) -> u64 {
        (self.from.0 as u64) << 32 | (self.to.0 as u64) << 16 | (self.why as u64 + 1)
    }

    fn unpack(key: u64) -> Option<Self> {
        let part = |shift: u32| u16::try_from(key >> shift & 0xffff).unwrap_or(0);
        let why = usize::from(part(0)).checked_sub(1)?;
        Some(Self {
            from: TargetId(part(32)),
            to: TargetId(part(16)),
            why: *Outcome::ALL.get(why)?,
        })
    }
}

fn add_all<const N: usize>(sums: &mut [u64; N], cells: &[AtomicU64; N]) {
    for (sum, cell) in sums.iter_mut().zip(cells) {
        *sum = sum.wrapping_add(cell.load(Relaxed));
    }
}

const OUTCOMES: usize = Outcome::ALL.len();
const TIMES_FIRST_US: u64 = 256;
/// 256 µs · 2^20 is 268 s; one bucket more for what is longer.
const TIMES_BUCKETS: usize = 22;
const FAILURE_BITS: u32 = 8;
const FAILURE_MASK: u64 = (1 << FAILURE_BITS) - 1;
/// Kinds of moves of one core, 16 bytes each: a route of ten targets that fail in four ways has some hundred.
const MOVES_MAX: usize = 1024;
/// Slots that are looked at for one move.
const MOVES_LOOKS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Move, Moves, TargetSums, TargetTally, TimeSums, Times};
    use crate::base::{Moment, Outcome, Span, TargetId};
    use crate::engine::PassedOver;

    #[test]
    fn times_lie_below_their_bounds() {
        for us in [0, 255, 256, 511, 512, 1_000_000, 268_435_455, u64::MAX] {
            let times = Times::default();
            times.record(Span::from_micros(us));
            let mut sums = TimeSums::default();
            times.add_to(&mut sums);
            for (bound, below) in sums.cumulative() {
                let inside = us < bound.as_micros() || bound == Span::MAX;
                assert_eq!(below, u64::from(inside), "{us} {bound}");
            }
        }
    }

    #[test]
    fn moves_come_back_and_the_table_is_bounded() {
        let moves = Moves::default();
        for (from, why) in (0..3_000).zip(Outcome::ALL.into_iter().cycle()) {
            let (from, to) = (TargetId(from), TargetId(7));
            moves.count(Move { from, to, why });
            moves.count(Move { from, to, why });
        }
        let mut sums = BTreeMap::new();
        let beyond = moves.add_to(&mut sums);
        assert!(sums.len() > 512 && beyond > 0);
        assert_eq!(sums.values().sum::<u64>() + beyond, 6_000);
        assert!(sums.values().all(|&count| count == 2));
    }

    #[test]
    fn the_last_failure_is_kept() {
        let tally = TargetTally::default();
        let at = |secs| Moment::START + Span::from_secs(secs);
        tally.ended(Some(Outcome::S5xx), at(1));
        tally.ended(Some(Outcome::BadOutput), at(2));
        tally.ended(Some(Outcome::Ok), at(3));
        tally.ended(None, at(4));
        tally.overtaken();
        tally.passed_over(PassedOver::Tried);
        let mut sums = TargetSums::default();
        tally.add_to(&mut sums);
        assert_eq!(sums.failure, Some((at(2), Outcome::BadOutput)));
        assert_eq!((sums.abandoned, sums.overtaken), (1, 1));
        assert_eq!(sums.attempts.iter().sum::<u64>(), 3);
        assert_eq!(sums.passed_over.last(), Some(&1));
    }
}
