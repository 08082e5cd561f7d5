//! Counters of requests: each core adds to its own, whoever asks sums them up.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::TargetId;

/// What is counted once for each request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Count {
    /// Requests that were understood well enough to be answered or refused.
    Requests,
    /// Answers that came from a target, whole.
    Answered,
    /// Requests that the policy or the gateway refused: no route, a `reject`, bad input.
    Refused,
    /// Requests that failed for the client: every candidate was used up, or a stream broke off.
    Failed,
    /// Requests that a target other than the first one tried answered, hedges aside.
    Failovers,
    /// Attempts at targets.
    Attempts,
    /// Clients that left before their answer was complete.
    ClientGone,
    /// Attempts that began beside another one.
    Hedges,
    /// Requests that such an attempt answered.
    HedgesWon,
}

impl Count {
    /// Every counter with its name in machine-readable output.
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::Requests, "requests"),
        (Self::Answered, "answered"),
        (Self::Refused, "refused"),
        (Self::Failed, "failed"),
        (Self::Failovers, "failovers"),
        (Self::Attempts, "attempts"),
        (Self::ClientGone, "client_gone"),
        (Self::Hedges, "hedges"),
        (Self::HedgesWon, "hedges_won"),
    ];
}

/// The counters of all cores.
#[derive(Debug)]
pub struct Counters {
    cores: Box<[CoreCounters]>,
}

/// One core's; alone on its cache lines, since its owner writes it with every request.
#[derive(Debug)]
#[repr(align(128))]
struct CoreCounters {
    counts: [AtomicU64; Count::ALL.len()],
    answered: Box<[AtomicU64]>,
}

/// A sum over all cores.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Totals {
    /// In the order of [`Count::ALL`].
    counts: [u64; Count::ALL.len()],
    /// Answers by target.
    pub answered: Vec<u64>,
}

impl Counters {
    /// Counters for so many cores and targets.
    pub fn new(cores: usize, targets: usize) -> Self {
        let core = || CoreCounters {
            counts: Default::default(),
            answered: (0..targets).map(|_| AtomicU64::new(0)).collect(),
        };
        Self {
            cores: (0..cores).map(|_| core()).collect(),
        }
    }

    /// Adds one; only ever called by the core itself.
    pub(super) fn add(&self, core: usize, count: Count) {
        if let Some(cell) = self
            .cores
            .get(core)
            .and_then(|core| core.counts.get(count as usize))
        {
            bump(cell);
        }
    }

    /// A target gave the answer; only ever called by the core itself.
    pub(super) fn answered_by(&self, core: usize, target: TargetId) {
        if let Some(cell) = self
            .cores
            .get(core)
            .and_then(|core| core.answered.get(target.index()))
        {
            bump(cell);
        }
    }

    /// The sums as of now.
    pub fn totals(&self) -> Totals {
        let targets = self.cores.first().map_or(0, |core| core.answered.len());
        let mut totals = Totals {
            answered: vec![0; targets],
            ..Totals::default()
        };
        for core in &self.cores {
            for (sum, cell) in totals.counts.iter_mut().zip(&core.counts) {
                *sum += cell.load(Ordering::Relaxed);
            }
            for (sum, cell) in totals.answered.iter_mut().zip(&core.answered) {
                *sum += cell.load(Ordering::Relaxed);
            }
        }
        totals
    }
}

impl Totals {
    /// One sum.
    pub fn of(&self, count: Count) -> u64 {
        self.counts.get(count as usize).copied().unwrap_or_default()
    }
}

/// One writer a cell: a load and a store are enough, and cost no bus lock.
fn bump(cell: &AtomicU64) {
    cell.store(
        cell.load(Ordering::Relaxed).wrapping_add(1),
        Ordering::Relaxed,
    );
}

#[cfg(test)]
mod tests {
    use super::{Count, Counters};
    use crate::base::TargetId;

    #[test]
    fn totals_are_sums_over_cores() {
        let counters = Counters::new(2, 3);
        counters.add(0, Count::Requests);
        counters.add(1, Count::Requests);
        counters.add(1, Count::Failovers);
        counters.answered_by(1, TargetId(2));
        let totals = counters.totals();
        assert_eq!(totals.of(Count::Requests), 2);
        assert_eq!(totals.of(Count::Failovers), 1);
        assert_eq!(totals.answered, [0, 0, 1]);
    }

    #[test]
    fn every_counter_has_its_place() {
        for (index, (count, _)) in Count::ALL.into_iter().enumerate() {
            assert_eq!(count as usize, index);
        }
    }
}
