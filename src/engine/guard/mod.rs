//! Guards: a route that does worse than the one it is compared with is withdrawn, on all cores at once.
//!
//! ```text
//!   request over ─ chain: what its first attempt came to ─▶ tally       one for each core and watched route
//!   tick ─ sums both routes' tallies ─▶ memory: the same window of both ─▶ verdict ─▶ standing
//!   decide ─ one relaxed load, of a guarded route that has matched ◀──────────────────┘
//! ```
//! A route that neither has a guard nor is compared with has no tally: its requests pay for one look at an empty place.

mod memory;
mod verdict;

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU8, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::{Moment, RouteId, Span, TargetId};
use crate::engine::board::{Board, Padded, many};
use crate::engine::latency::{Histogram, Latencies};
use crate::policy::Plan;
use crate::policy::model::{Guard, StopRule};

use self::memory::{Memory, Reading};
use self::verdict::broken_rule;

/// What requests of a route came to, within a window or since the start.
#[derive(Clone, Debug)]
pub struct RouteCounts {
    /// Requests that are over.
    pub requests: u64,
    /// Those of which the first attempt was at the first tier, and came to something.
    pub asked: u64,
    /// Those of which it failed.
    pub failures: u64,
    /// The times of their first attempts to the first content, streams only.
    pub ttft: Latencies,
}

/// Why a route is withdrawn.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WhyWithdrawn {
    /// Its guard's rule at this index was broken.
    Rule(u8),
    /// An operator wanted it.
    Operator,
}

/// A route was withdrawn, or came back.
#[derive(Clone, Debug)]
pub struct GuardChange {
    /// Which one.
    pub route: RouteId,
    /// Why it is withdrawn; `None` where it serves again.
    pub withdrawn: Option<WhyWithdrawn>,
    /// The rule that was broken, if one was.
    pub rule: Option<StopRule>,
    /// What the window held then.
    pub window: GuardWindow,
}

/// Both routes over the same time.
#[derive(Clone, Debug)]
pub struct GuardWindow {
    /// The guarded route.
    pub canary: RouteCounts,
    /// The one that it is compared with.
    pub baseline: RouteCounts,
}

/// A guarded route as operators see it.
#[derive(Clone, Debug)]
pub struct GuardStatus {
    /// Which one.
    pub route: RouteId,
    /// What it is compared with.
    pub baseline: RouteId,
    /// Why it is withdrawn; `None` while it serves.
    pub withdrawn: Option<WhyWithdrawn>,
    /// The rule that was broken, if it is withdrawn for one.
    pub rule: Option<StopRule>,
    /// Since when; `None` before its first change.
    pub since: Option<Moment>,
    /// How often it was withdrawn.
    pub withdrawals: u64,
    /// The window: as of the last tick, or as it was when the route was withdrawn.
    pub window: GuardWindow,
}

/// All guards of one plan.
#[derive(Debug, Default)]
pub(crate) struct Guards {
    /// By [`RouteId`]: where in `tallies` the route's lie. Empty where there is no guard at all.
    watched: Box<[Option<u16>]>,
    /// By [`RouteId`]: where in `guarded` its guard stands. Empty where there is none.
    places: Box<[Option<u16>]>,
    /// Of each watched route, one for each core.
    tallies: Vec<Arc<[Padded<Tally>]>>,
    guarded: Vec<Guarded>,
}

#[derive(Debug)]
struct Guarded {
    route: RouteId,
    rules: Guard,
    /// The first tier of the baseline.
    compared: Box<[TargetId]>,
    /// The next plan's board goes on with it.
    state: Arc<GuardState>,
}

#[derive(Debug, Default)]
struct GuardState {
    standing: Padded<Standing>,
    /// The tick's own, and the operators'; no request waits for it.
    memory: Mutex<Memory>,
}

/// Whether the route is withdrawn, and why: 0 while it serves.
#[derive(Debug, Default)]
pub(crate) struct Standing(AtomicU8);

/// One core's counts of one watched route: only that core writes.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    requests: AtomicU64,
    asked: AtomicU64,
    failures: AtomicU64,
    ttft: Histogram,
}

impl Guards {
    /// Those of `plan`, for `cores` workers.
    pub(crate) fn new(plan: &Plan, cores: usize) -> Self {
        let policy = &plan.policy;
        let mut guards = Self::default();
        let guarded = (0_u16..).zip(&policy.routes);
        let guarded = guarded.filter_map(|(id, route)| Some((RouteId(id), route.guard.as_ref()?)));
        for (route, rules) in guarded {
            if guards.watched.is_empty() {
                guards.watched = vec![None; policy.routes.len()].into();
                guards.places = vec![None; policy.routes.len()].into();
            }
            guards.watch(route, cores);
            guards.watch(rules.compare, cores);
            if let Some(place) = guards.places.get_mut(route.index()) {
                *place = u16::try_from(guards.guarded.len()).ok();
            }
            guards.guarded.push(Guarded {
                route,
                rules: rules.clone(),
                compared: first_tier(plan, rules.compare),
                state: Arc::default(),
            });
        }
        guards
    }

    fn watch(&mut self, route: RouteId, cores: usize) {
        if let Some(place @ None) = self.watched.get_mut(route.index()) {
            *place = u16::try_from(self.tallies.len()).ok();
            self.tallies.push(many(cores));
        }
    }

    /// Goes on with the guards of `old` that judge the same: the route of the same name takes the same requests to the same
    /// first tier, and is compared by the same rules with the route of the same name and first tier.
    pub(crate) fn take_over(&mut self, plan: &Plan, old: &Self, before: &Plan) {
        for guarded in &mut self.guarded {
            let known = old.guarded.iter().find(|known| {
                is_same_route((plan, guarded.route), (before, known.route))
                    && is_same_route((plan, guarded.rules.compare), (before, known.rules.compare))
                    && judges_alike(&guarded.rules, &known.rules)
            });
            let Some(known) = known else { continue };
            guarded.state = Arc::clone(&known.state);
            let routes = [
                (guarded.route, known.route),
                (guarded.rules.compare, known.rules.compare),
            ];
            for (route, was) in routes {
                let place = self.watched.get(route.index()).copied().flatten();
                let mine = place.and_then(|place| self.tallies.get_mut(usize::from(place)));
                let theirs = old.watched.get(was.index()).copied().flatten();
                let theirs = theirs.and_then(|place| old.tallies.get(usize::from(place)));
                if let (Some(mine), Some(theirs)) = (mine, theirs) {
                    *mine = Arc::clone(theirs);
                }
            }
        }
    }

    /// Where `core` counts requests of `route`, if anybody wants to know of them.
    pub(crate) fn tally(&self, route: RouteId, core: usize) -> Option<&Tally> {
        let place = (*self.watched.get(route.index())?)?;
        let tally = self.tallies.get(usize::from(place))?.get(core)?;
        Some(tally)
    }

    /// Whether `route` is withdrawn.
    pub(crate) fn is_withdrawn(&self, route: RouteId) -> bool {
        self.of(route)
            .is_some_and(|guarded| guarded.state.standing.is_withdrawn())
    }

    fn of(&self, route: RouteId) -> Option<&Guarded> {
        let place = (*self.places.get(route.index())?)?;
        self.guarded.get(usize::from(place))
    }

    fn reading(&self, guarded: &Guarded) -> Reading {
        Reading {
            canary: self.counts(guarded.route),
            baseline: self.counts(guarded.rules.compare),
        }
    }

    /// What all cores counted of a watched route since the start.
    fn counts(&self, route: RouteId) -> RouteCounts {
        let mut counts = RouteCounts::default();
        let place = self.watched.get(route.index()).copied().flatten();
        let tallies = place.and_then(|place| self.tallies.get(usize::from(place)));
        for tally in tallies.into_iter().flat_map(|cores| &**cores) {
            tally.add_to(&mut counts);
        }
        counts
    }
}

impl Board {
    /// Judges every guard, and gives what changed since the last time, also where an operator changed it. The thread that
    /// ticks calls it.
    pub fn judge_guards(&self, now: Moment) -> Vec<GuardChange> {
        let guards = self.guards();
        let judged = guards.guarded.iter();
        judged
            .filter_map(|guarded| {
                let cells = guarded.compared.iter().filter_map(|&id| self.cell(id));
                let ill = cells.filter(|cell| !cell.is_closed()).count();
                guarded.judge(now, guards.reading(guarded), ill)
            })
            .collect()
    }

    /// All guarded routes as they stand, in the order of the policy.
    pub fn guard_status(&self) -> Vec<GuardStatus> {
        self.guards().guarded.iter().map(Guarded::status).collect()
    }

    /// An operator withdraws a guarded route, whatever its guard says. `false` for a route without a guard.
    pub fn withdraw(&self, route: RouteId) -> bool {
        let guarded = self.guards().of(route);
        if let Some(guarded) = guarded {
            guarded.state.standing.withdraw(WhyWithdrawn::Operator);
        }
        guarded.is_some()
    }

    /// An operator lets a guarded route serve again; its guard judges what comes from now on. `false` for a route without
    /// a guard.
    pub fn resume(&self, route: RouteId) -> bool {
        let guarded = self.guards().of(route);
        if let Some(guarded) = guarded {
            guarded.state.standing.resume();
        }
        guarded.is_some()
    }
}

impl Guarded {
    /// `ill`: how many breakers of the baseline's first tier are not closed.
    fn judge(&self, now: Moment, reading: Reading, ill: usize) -> Option<GuardChange> {
        let mut memory = self.memory();
        let length = self.rules.window;
        memory.look(now, ill, length);
        if self.state.standing.get().is_none() {
            if memory.seen.is_some() || memory.is_settling(now) {
                memory.restart(now, reading, length);
            } else {
                memory.advance(now, reading, length);
                let window = memory.window();
                if let Some(rule) = broken_rule(&self.rules, &window) {
                    self.state.standing.withdraw(WhyWithdrawn::Rule(rule));
                }
            }
        }
        let standing = self.state.standing.get();
        if standing == memory.seen {
            return None;
        }
        memory.see(now, standing);
        Some(GuardChange {
            route: self.route,
            withdrawn: standing,
            rule: self.rule(standing),
            window: memory.window(),
        })
    }

    fn status(&self) -> GuardStatus {
        let memory = self.memory();
        let withdrawn = self.state.standing.get();
        GuardStatus {
            route: self.route,
            baseline: self.rules.compare,
            withdrawn,
            rule: self.rule(withdrawn),
            since: memory.since,
            withdrawals: memory.withdrawals,
            window: memory.window(),
        }
    }

    fn rule(&self, withdrawn: Option<WhyWithdrawn>) -> Option<StopRule> {
        match withdrawn? {
            WhyWithdrawn::Rule(index) => self.rules.stop.get(usize::from(index)).copied(),
            WhyWithdrawn::Operator => None,
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // What a panic may leave behind is a window, and windows pass.
        self.state
            .memory
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    fn is_withdrawn(&self) -> bool {
        self.0.load(Relaxed) != SERVING
    }

    fn get(&self) -> Option<WhyWithdrawn> {
        match self.0.load(Acquire) {
            SERVING => None,
            OPERATOR => Some(WhyWithdrawn::Operator),
            rule => Some(WhyWithdrawn::Rule(rule.saturating_sub(1))),
        }
    }

    fn withdraw(&self, why: WhyWithdrawn) {
        let code = match why {
            WhyWithdrawn::Rule(index) => index.saturating_add(1),
            WhyWithdrawn::Operator => OPERATOR,
        };
        self.0.store(code, Release);
    }

    fn resume(&self) {
        self.0.store(SERVING, Release);
    }
}

impl Tally {
    /// A request is over.
    pub(crate) fn over(&self) {
        bump(&self.requests);
    }

    /// It asked the first tier first, which answered or not.
    pub(crate) fn asked(&self, answered: bool) {
        bump(&self.asked);
        if !answered {
            bump(&self.failures);
        }
    }

    /// A time to the first content, or a time that passed without any.
    pub(crate) fn ttft(&self, ttft: Span) {
        self.ttft.record(ttft);
    }

    fn add_to(&self, counts: &mut RouteCounts) {
        counts.requests = counts.requests.wrapping_add(self.requests.load(Relaxed));
        counts.asked = counts.asked.wrapping_add(self.asked.load(Relaxed));
        counts.failures = counts.failures.wrapping_add(self.failures.load(Relaxed));
        counts.ttft.add(&self.ttft);
    }
}

impl RouteCounts {
    /// What came since `earlier`.
    fn since(&self, earlier: &Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(earlier.requests),
            asked: self.asked.saturating_sub(earlier.asked),
            failures: self.failures.saturating_sub(earlier.failures),
            ttft: self.ttft.minus(&earlier.ttft),
        }
    }
}

impl Default for RouteCounts {
    fn default() -> Self {
        Self {
            requests: 0,
            asked: 0,
            failures: 0,
            ttft: Latencies::new(),
        }
    }
}

/// Whether what is known of one route holds for the other.
fn is_same_route(new: (&Plan, RouteId), old: (&Plan, RouteId)) -> bool {
    let of = |(plan, route): (&Plan, RouteId)| {
        let route = plan.policy.routes.get(route.index())?;
        Some((route.name.clone(), route.when.clone()))
    };
    let models = |(plan, route): (&Plan, RouteId)| -> Vec<_> {
        let targets = first_tier(plan, route);
        let targets = targets
            .iter()
            .filter_map(|id| plan.policy.targets.get(id.index()));
        targets
            .map(|target| (target.name.clone(), target.model.clone()))
            .collect()
    };
    of(new) == of(old) && models(new) == models(old)
}

fn judges_alike(new: &Guard, old: &Guard) -> bool {
    new.window == old.window && new.min_requests == old.min_requests && new.stop == old.stop
}

fn first_tier(plan: &Plan, route: RouteId) -> Box<[TargetId]> {
    let candidates = plan.program.candidates(route).iter();
    let first = candidates.filter(|candidate| candidate.tier == 0);
    first.map(|candidate| candidate.target).collect()
}

// PERF: one writer, so a plain load and store do what a locked instruction would.
fn bump(counter: &AtomicU64) {
    counter.store(counter.load(Relaxed).wrapping_add(1), Relaxed);
}

const SERVING: u8 = 0;
const OPERATOR: u8 = u8::MAX;
/// Every rule has a code between the two.
const _: () = assert!(Guard::STOPS_MAX < OPERATOR as usize);
