//! Counters of requests: each core adds to its own, whoever asks sums them up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::{RouteId, TargetId};
use crate::ops::tally::{
    Move, Moves, RouteSums, RouteTally, TargetSums, TargetTally, add as add_to,
};
use crate::policy::Policy;

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

/// The counters of all cores, for one plan's ids.
#[derive(Debug)]
pub struct Counters {
    cores: Box<[CoreCounters]>,
    /// By target: the number that moves know it by, which stays while ids change from plan to plan.
    numbers: Box<[u16]>,
    /// The next target that no plan has had gets this one.
    next_number: u16,
}

/// One core's. What it counts lies elsewhere, so that the counters of the next plan go on with it: requests of the old
/// plan then count in the same places.
#[derive(Debug)]
struct CoreCounters {
    whole: Arc<Whole>,
    targets: Box<[Arc<TargetTally>]>,
    /// One for each route, and one for requests that came to none.
    routes: Box<[Arc<RouteTally>]>,
}

/// What does not hang on the plan; alone on its cache lines, since its owner writes it with every request.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Whole {
    counts: [AtomicU64; Count::ALL.len()],
    moves: Moves,
    connections: AtomicU64,
    connections_closed: AtomicU64,
    unlogged: AtomicU64,
    unrecorded: AtomicU64,
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
            whole: Arc::default(),
            targets: many(targets),
            routes: many(routes + 1),
        };
        let next_number = u16::try_from(targets).unwrap_or(u16::MAX);
        Self {
            cores: (0..cores).map(|_| core()).collect(),
            numbers: (0..next_number).collect(),
            next_number,
        }
    }

    /// Counters for `policy` that go on where those of the policy before it stand, by the names of targets and routes.
    /// What has no name any more is not told any more; a name that comes back later counts from 0.
    #[must_use]
    pub fn following(self: &Arc<Self>, before: &Policy, policy: &Policy) -> Arc<Self> {
        let (old, old_routes) = names(before);
        let (new, new_routes) = names(policy);
        if old == new && old_routes == new_routes {
            return Arc::clone(self);
        }
        let cores = self.cores.iter().map(|core| CoreCounters {
            whole: Arc::clone(&core.whole),
            targets: kept(&core.targets, &old, &new),
            routes: kept(&core.routes, &old_routes, &new_routes)
                .into_iter()
                .chain(core.routes.last().cloned())
                .collect(),
        });
        let mut next_number = self.next_number;
        let numbers = new.iter().map(|name| {
            let known = old.iter().position(|old| old == name);
            known
                .and_then(|at| self.numbers.get(at).copied())
                .unwrap_or_else(|| {
                    let number = next_number;
                    // After 65,535 names the last number stands for all: their moves are not told apart.
                    next_number = next_number.saturating_add(1);
                    number
                })
        });
        let numbers = numbers.collect();
        Arc::new(Self {
            cores: cores.collect(),
            numbers,
            next_number,
        })
    }

    /// Adds one; only ever called by the core itself.
    pub(super) fn add(&self, core: usize, count: Count) {
        if let Some(cell) = self
            .cores
            .get(core)
            .and_then(|core| core.whole.counts.get(count as usize))
        {
            bump(cell);
        }
    }

    /// A target gave the answer; only ever called by the core itself.
    pub(super) fn answered_by(&self, core: usize, target: TargetId) {
        if let Some(tally) = self.target(core, target) {
            tally.answered();
        }
    }

    /// Where `core` counts what concerns `target`.
    pub(super) fn target(&self, core: usize, target: TargetId) -> Option<&TargetTally> {
        let tally = self.cores.get(core)?.targets.get(target.index())?;
        Some(tally)
    }

    /// Where `core` counts what concerns `route`, or requests that came to none.
    pub(super) fn route(&self, core: usize, route: Option<RouteId>) -> Option<&RouteTally> {
        let routes = &self.cores.get(core)?.routes;
        let tally = route.map_or_else(|| routes.last(), |route| routes.get(route.index()));
        tally.map(|tally| &**tally)
    }

    /// An attempt followed one at another target; only ever called by the core itself.
    pub(super) fn moved(&self, core: usize, moved: Move) {
        let number = |target: TargetId| self.numbers.get(target.index()).copied().map(TargetId);
        if let (Some(core), Some(from), Some(to)) =
            (self.cores.get(core), number(moved.from), number(moved.to))
        {
            core.whole.moves.count(Move { from, to, ..moved });
        }
    }

    /// A request's line did not fit into the access log; only ever called by the core itself.
    pub(super) fn unlogged(&self, core: usize) {
        if let Some(core) = self.cores.get(core) {
            bump(&core.whole.unlogged);
        }
    }

    /// A decision found no room on its way to the records; only ever called by the core itself.
    pub(super) fn unrecorded(&self, core: usize) {
        if let Some(core) = self.cores.get(core) {
            bump(&core.whole.unrecorded);
        }
    }

    /// A client connected; only ever called by the core itself.
    pub fn connected(&self, core: usize) {
        if let Some(core) = self.cores.get(core) {
            bump(&core.whole.connections);
        }
    }

    /// A client's connection is over; only ever called by the core itself.
    pub fn disconnected(&self, core: usize) {
        if let Some(core) = self.cores.get(core) {
            bump(&core.whole.connections_closed);
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
            .map(|core| core.whole.moves.add_to(&mut sums))
            .sum();
        let ids = (0_u16..).map(TargetId).zip(&self.numbers);
        let ids: BTreeMap<u16, TargetId> = ids.map(|(id, &number)| (number, id)).collect();
        let told = sums.into_iter().filter_map(|(moved, count)| {
            let (from, to) = (*ids.get(&moved.from.0)?, *ids.get(&moved.to.0)?);
            Some((Move { from, to, ..moved }, count))
        });
        (told.collect(), beyond)
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

    /// Decisions that did not fit into the records.
    pub fn unrecorded_total(&self) -> u64 {
        self.sum(|core| &core.unrecorded)
    }

    fn sum(&self, cell: impl Fn(&Whole) -> &AtomicU64) -> u64 {
        let read = |core: &CoreCounters| cell(&core.whole).load(Ordering::Relaxed);
        self.cores.iter().map(read).sum()
    }

    /// The sums as of now.
    pub fn totals(&self) -> Totals {
        let targets = self.cores.first().map_or(0, |core| core.targets.len());
        let mut totals = Totals {
            answered: vec![0; targets],
            ..Totals::default()
        };
        for core in &self.cores {
            for (sum, tally) in totals.answered.iter_mut().zip(&core.targets) {
                *sum += tally.answers();
            }
            for (sum, cell) in totals.counts.iter_mut().zip(&core.whole.counts) {
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

/// Of targets and of routes, in the order of their ids.
fn names(policy: &Policy) -> (Vec<&str>, Vec<&str>) {
    let targets = policy.targets.iter().map(|target| &*target.name);
    let routes = policy.routes.iter().map(|route| &*route.name);
    (targets.collect(), routes.collect())
}

/// For each new name what the same name had, or a fresh one.
fn kept<T: Default>(tallies: &[Arc<T>], old: &[&str], new: &[&str]) -> Box<[Arc<T>]> {
    let known: BTreeMap<&str, &Arc<T>> = old.iter().copied().zip(tallies).collect();
    let kept = |name| known.get(name).map(|&tally| Arc::clone(tally));
    new.iter()
        .map(|name| kept(name).unwrap_or_default())
        .collect()
}

fn many<T: Default>(count: usize) -> Box<[T]> {
    std::iter::repeat_with(T::default).take(count).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Count, Counters, add_to};
    use crate::base::{Outcome, RouteId, TargetId};
    use crate::ops::Move;
    use crate::policy::Policy;
    use crate::policy::model::{Route, Target};

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

    /// A policy whose targets and routes have these names, one letter each.
    fn policy(targets: &str, routes: &str) -> Policy {
        let mut policy = simple();
        let (target, route) = (policy.targets[0].clone(), policy.routes[0].clone());
        let name = |letter: char| letter.to_string().into_boxed_str();
        policy.targets = targets
            .chars()
            .map(|letter| Target {
                name: name(letter),
                ..target.clone()
            })
            .collect();
        policy.routes = routes
            .chars()
            .map(|letter| Route {
                name: name(letter),
                ..route.clone()
            })
            .collect();
        policy
    }

    fn simple() -> Policy {
        let text = "policy 1\nprovider a { kind = simulated, model m = \"m\" }\n\
                    route default { tier 1 { a.m }, fallback { on any -> next, else -> reject(503) } }\n";
        let sources = [("a.policy", text)];
        let loaded = crate::policy::load(&sources, "a.policy", &[]);
        loaded
            .unwrap_or_else(|found| panic!("{}", found.render(false)))
            .0
    }

    #[test]
    fn counts_go_with_names_from_plan_to_plan() {
        let (before, after) = (policy("ab", "xy"), policy("cba", "yz"));
        let old = Arc::new(Counters::sized(1, 2, 2));
        let (a, b) = (TargetId(0), TargetId(1));
        let (from, to, why) = (a, b, Outcome::S5xx);
        let moved = Move { from, to, why };
        let count = |counters: &Counters| {
            counters.add(0, Count::Requests);
            counters.moved(0, moved);
            counters.answered_by(0, b);
            let tally = counters.route(0, Some(RouteId(1))).unwrap();
            add_to(&tally.bytes_in, 7);
            add_to(&counters.route(0, None).unwrap().bytes_in, 1);
        };
        count(&old);
        let new = old.following(&before, &after);
        // A request of the old plan ends: it counts in both.
        count(&old);
        assert_eq!(new.totals().of(Count::Requests), 2);
        assert_eq!(new.totals().answered, [0, 2, 0]);
        let told = Move {
            from: TargetId(2),
            to: TargetId(1),
            why,
        };
        assert_eq!(new.moves().0.into_iter().collect::<Vec<_>>(), [(told, 2)]);
        let bytes: Vec<u64> = new.routes().iter().map(|sums| sums.bytes_in).collect();
        assert_eq!(bytes, [14, 0, 2]);
        // What the new plan alone has is not taken for anything of the old one.
        let (from, to) = (TargetId(0), TargetId(2));
        new.moved(0, Move { from, to, why });
        assert_eq!(old.moves().0.len(), 1);
        // Without a name nothing is told; the same names are the same counters.
        let less = new.following(&after, &policy("a", "z"));
        assert!(less.moves().0.is_empty());
        assert!(Arc::ptr_eq(
            &less,
            &less.following(&policy("a", "z"), &policy("a", "z"))
        ));
    }

    #[test]
    fn every_counter_has_its_place() {
        for (index, (count, _)) in Count::ALL.into_iter().enumerate() {
            assert_eq!(count as usize, index);
        }
    }
}
