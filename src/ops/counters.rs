//! Counters of requests: each core adds to its own, whoever asks sums them up.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::{RouteId, TargetId};
use crate::ops::tally::{
    Move, Moves, RouteSums, RouteTally, TargetSums, TargetTally, add as add_to,
};

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
    /// Requests that were turned away because the gateway had as much to do as it may, or was about to end.
    Shed,
}

impl Count {
    /// Every counter with its name in machine-readable output.
    pub const ALL: [(Self, &'static str); 10] = [
        (Self::Requests, "requests"),
        (Self::Answered, "answered"),
        (Self::Refused, "refused"),
        (Self::Failed, "failed"),
        (Self::Failovers, "failovers"),
        (Self::Attempts, "attempts"),
        (Self::ClientGone, "client_gone"),
        (Self::Hedges, "hedges"),
        (Self::HedgesWon, "hedges_won"),
        (Self::Shed, "shed"),
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
    targets: Box<[TargetTally]>,
    /// One for each route, and one for requests that came to none.
    routes: Box<[RouteTally]>,
    moves: Moves,
    connections: AtomicU64,
    connections_closed: AtomicU64,
    unlogged: AtomicU64,
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
    /// Counters for so many cores and targets, of a plan without routes.
    pub fn new(cores: usize, targets: usize) -> Self {
        Self::sized(cores, targets, 0)
    }

    /// Counters for so many cores, targets and routes.
    pub fn sized(cores: usize, targets: usize, routes: usize) -> Self {
        let core = || CoreCounters {
            counts: Default::default(),
            answered: many(targets),
            targets: many(targets),
            routes: many(routes + 1),
            moves: Moves::default(),
            connections: AtomicU64::new(0),
            connections_closed: AtomicU64::new(0),
            unlogged: AtomicU64::new(0),
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

    /// Where `core` counts what concerns `target`.
    pub(super) fn target(&self, core: usize, target: TargetId) -> Option<&TargetTally> {
        self.cores.get(core)?.targets.get(target.index())
    }

    /// Where `core` counts what concerns `route`, or requests that came to none.
    pub(super) fn route(&self, core: usize, route: Option<RouteId>) -> Option<&RouteTally> {
        let routes = &self.cores.get(core)?.routes;
        route.map_or_else(|| routes.last(), |route| routes.get(route.index()))
    }

    /// An attempt followed one at another target; only ever called by the core itself.
    pub(super) fn moved(&self, core: usize, moved: Move) {
        if let Some(core) = self.cores.get(core) {
            core.moves.count(moved);
        }
    }

    /// A request's line did not fit into the access log; only ever called by the core itself.
    pub(super) fn unlogged(&self, core: usize) {
        if let Some(core) = self.cores.get(core) {
            bump(&core.unlogged);
        }
    }

    /// A client connected; only ever called by the core itself.
    pub fn connected(&self, core: usize) {
        if let Some(core) = self.cores.get(core) {
            bump(&core.connections);
        }
    }

    /// A client's connection is over; only ever called by the core itself.
    pub fn disconnected(&self, core: usize) {
        if let Some(core) = self.cores.get(core) {
            bump(&core.connections_closed);
        }
    }

    /// What was counted by target, in the order of their ids.
    pub fn targets(&self) -> Vec<TargetSums> {
        let targets = self.cores.first().map_or(0, |core| core.targets.len());
        let mut sums = vec![TargetSums::default(); targets];
        for core in &self.cores {
            for (sums, tally) in sums.iter_mut().zip(&core.targets) {
                tally.add_to(sums);
            }
        }
        sums
    }

    /// What was counted by route, in the order of their ids; the last one is of requests that came to none.
    pub fn routes(&self) -> Vec<RouteSums> {
        let routes = self.cores.first().map_or(0, |core| core.routes.len());
        let mut sums = vec![RouteSums::default(); routes];
        for core in &self.cores {
            for (sums, tally) in sums.iter_mut().zip(&core.routes) {
                tally.add_to(sums);
            }
        }
        sums
    }

    /// Moves from a failed attempt to another target, and how many are not told apart for want of room.
    pub fn moves(&self) -> (BTreeMap<Move, u64>, u64) {
        let mut sums = BTreeMap::new();
        let beyond = self
            .cores
            .iter()
            .map(|core| core.moves.add_to(&mut sums))
            .sum();
        (sums, beyond)
    }

    /// Connections of clients: since the start, and how many of them are open.
    pub fn connections(&self) -> (u64, u64) {
        // What is closed is read first: it has been opened before.
        let closed = self.sum(|core| &core.connections_closed);
        let all = self.sum(|core| &core.connections);
        (all, all.saturating_sub(closed))
    }

    /// Requests whose line did not fit into the access log.
    pub fn unlogged_total(&self) -> u64 {
        self.sum(|core| &core.unlogged)
    }

    fn sum(&self, cell: impl Fn(&CoreCounters) -> &AtomicU64) -> u64 {
        let read = |core| cell(core).load(Ordering::Relaxed);
        self.cores.iter().map(read).sum()
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

fn bump(cell: &AtomicU64) {
    add_to(cell, 1);
}

fn many<T: Default>(count: usize) -> Box<[T]> {
    std::iter::repeat_with(T::default).take(count).collect()
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
