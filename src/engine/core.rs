//! What one core keeps for itself: moving averages, turns of round robin, the budget for repeats. No other core sees it.

use std::sync::Arc;

use crate::base::{Moment, ProviderId, RouteId, Span, TargetId};
use crate::engine::board::Board;
use crate::engine::budget::{Allowance, Budget};
use crate::engine::latency::{Average, Tail};
use crate::engine::load::{Bound, Bounds, Load};
use crate::policy::Plan;
use crate::policy::model::Retries;

/// One worker's part of the engine.
#[derive(Debug)]
pub struct Core {
    pub(crate) board: Arc<Board>,
    pub(crate) index: usize,
    pub(crate) load: Arc<Load>,
    pub(crate) speeds: Box<[Speed]>,
    pub(super) budgets: Box<[Budget]>,
    /// What each route may hedge.
    pub(super) allowances: Box<[Allowance]>,
    /// The slowest answers of the targets that are hedged by them.
    pub(super) tails: Box<[Option<Box<Tail>>]>,
    /// The key after the one that a provider was asked with last, for `round_robin`.
    pub(super) key_turns: Box<[u8]>,
    /// One turn for each candidate of each route, flat.
    pub(super) turns: Box<[i64]>,
    /// Where a route's turns begin.
    pub(super) first_turn: Box<[usize]>,
}

/// What one core knows about one target's speed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Speed {
    pub(crate) ttft: Average,
    /// Somebody was sent to find out; the others do not follow before the answer is there.
    pub(crate) asked: bool,
}

impl Core {
    /// The part of core `index` (from 0, below the board's number of cores).
    ///
    /// # Panics
    /// If the board has no slot for it.
    pub fn new(board: Arc<Board>, plan: &Plan, index: usize) -> Self {
        assert!(index < board.cores(), "the board has a slot for each core");
        let policy = &plan.policy;
        let mut first_turn = Vec::with_capacity(policy.routes.len());
        let mut turns = 0_usize;
        for (route, _) in (0_u16..).zip(&policy.routes) {
            first_turn.push(turns);
            turns = turns.saturating_add(plan.program.candidates(RouteId(route)).len());
        }
        Self {
            load: Arc::new(Load::new(Bounds::NONE, board.cores())),
            board,
            index,
            speeds: vec![Speed::default(); policy.targets.len()].into(),
            budgets: vec![Budget::default(); policy.providers.len()].into(),
            allowances: vec![Allowance::default(); policy.routes.len()].into(),
            tails: policy.targets.iter().map(|_| None).collect(),
            key_turns: vec![0; policy.providers.len()].into(),
            turns: vec![0; turns].into(),
            first_turn: first_turn.into(),
        }
    }

    /// The same, within the bounds of a gateway.
    #[must_use]
    pub fn within(self, load: Arc<Load>) -> Self {
        Self { load, ..self }
    }

    /// Takes so much of what is bounded, or nothing; tells which.
    pub(crate) fn take(&self, bound: Bound, count: u64) -> bool {
        self.load.take(self.index, bound, count)
    }

    /// Gives it back.
    pub(crate) fn give(&self, bound: Bound, count: u64) {
        self.load.give(self.index, bound, count);
    }

    /// A request is turned away because of `bound`.
    pub(crate) fn shed(&self, bound: Bound) {
        self.load.shed(self.index, bound);
    }

    /// Which core it is.
    pub const fn index(&self) -> usize {
        self.index
    }

    /// The board that it shares with the other cores.
    pub fn board(&self) -> &Arc<Board> {
        &self.board
    }

    /// Whether a guard or an operator has withdrawn the route.
    pub fn is_withdrawn(&self, route: RouteId) -> bool {
        self.board.guards().is_withdrawn(route)
    }

    /// The turns of a route's candidates.
    pub(crate) fn turns(&mut self, route: RouteId) -> &mut [i64] {
        let first = self
            .first_turn
            .get(route.index())
            .copied()
            .unwrap_or(usize::MAX);
        self.turns.get_mut(first..).unwrap_or_default()
    }

    /// Which key of a pool's is next.
    pub(crate) fn key_turn(&self, provider: ProviderId) -> u8 {
        self.key_turns
            .get(provider.index())
            .copied()
            .unwrap_or_default()
    }

    /// A request takes `key` of a pool.
    pub(crate) fn took_key(&mut self, provider: ProviderId, key: u8) {
        if let Some(turn) = self.key_turns.get_mut(provider.index()) {
            *turn = key.wrapping_add(1);
        }
    }

    /// The usual time to first content, once one is known.
    pub(crate) fn usual_ttft(&self, target: TargetId) -> Option<Span> {
        self.speeds.get(target.index())?.ttft.value()
    }

    /// A time to first content was seen, or a time that passed without any.
    pub(crate) fn learn_ttft(&mut self, target: TargetId, ttft: Span) {
        if let Some(speed) = self.speeds.get_mut(target.index()) {
            speed.ttft.add(ttft);
        }
    }

    /// What the route may still hedge on this core.
    pub(crate) fn allowance(&mut self, route: RouteId) -> Option<&mut Allowance> {
        self.allowances.get_mut(route.index())
    }

    /// What 95 of 100 streams of the target took to their first content, lately and over all cores; `None` until enough
    /// are known.
    pub(crate) fn ttft_p95(&mut self, now: Moment, target: TargetId) -> Option<Span> {
        let board = &self.board;
        let tail = self.tails.get_mut(target.index())?;
        tail.get_or_insert_with(|| Box::new(Tail::new(now)))
            .p95(now, || board.latencies(target))
    }

    /// A request goes to `provider`.
    pub(crate) fn deposit(&mut self, provider: ProviderId, retries: &Retries) {
        if let Some(budget) = self.budgets.get_mut(provider.index()) {
            budget.deposit(retries);
        }
    }

    /// What the budget for repeats at `provider` would pay now, in millionths of a repeat.
    pub(crate) fn repeats_left(&self, now: Moment, provider: ProviderId, retries: &Retries) -> u64 {
        let budget = self.budgets.get(provider.index()).copied();
        budget
            .unwrap_or_default()
            .left(now, retries, self.board.cores())
    }

    /// Whether a repeat at `provider` can be paid.
    pub(crate) fn pay(&mut self, now: Moment, provider: ProviderId, retries: &Retries) -> bool {
        let cores = self.board.cores();
        self.budgets
            .get_mut(provider.index())
            .is_some_and(|budget| budget.take(now, retries, cores))
    }
}
