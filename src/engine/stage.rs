//! Targets put into a state by hand, for a rehearsal: as if what leads there had happened.

use std::sync::atomic::Ordering::Relaxed;

use crate::base::limits::{KEY_REST, MODEL_REST};
use crate::base::{Moment, Outcome, RouteId, TargetId};
use crate::engine::board::{Board, Cell};
use crate::engine::breaker::Order;
use crate::engine::breaker::word::{Rule, State, Word};
use crate::engine::budget::Budget;
use crate::engine::chain::{PassedOver, Sight, Stand};
use crate::engine::core::Core;
use crate::engine::latency::Average;
use crate::policy::Plan;
use crate::policy::model::{Action, Spill};
use crate::policy::trial::Staged;

impl Board {
    /// Puts a target that is well into `state`, as of `now`. A provider whose health nobody checks cannot be down; a target
    /// that there is not stays what it is.
    pub fn stage(&self, target: TargetId, state: Staged, now: Moment) {
        let Some(cell) = self.cell(target) else {
            return;
        };
        match state {
            Staged::Closed => {}
            Staged::Open | Staged::HalfOpen => {
                for gate in &*cell.gates {
                    if gate.word().state != State::Open {
                        gate.open(gate.word(), Rule::ErrorRate, now, &cell.rules);
                    }
                    if state == Staged::HalfOpen {
                        gate.half_open(gate.word(), now, &cell.rules);
                    }
                }
            }
            Staged::Down => {
                let endpoints = cell.checked.map_or(0, |checked| checked.endpoints);
                for endpoint in 0..endpoints {
                    self.set_health(cell.provider, endpoint, false);
                }
            }
            Staged::Throttled => {
                for key in keys(cell) {
                    cell.throttle(key).pause(now, None, &cell.rules);
                }
            }
            Staged::Drained => {
                self.order(target, Order::Drain);
            }
        }
    }
}

impl Core {
    /// A hedge of the route is paid for: a rehearsal asks what it does, not whether traffic has earned it.
    pub fn allow_hedge(&mut self, route: RouteId) {
        if let Some(allowance) = self.allowance(route) {
            allowance.deposit(ONE_HEDGE);
        }
    }

    /// Puts the candidates of `route` into what was seen of them ([`Sight`]), as of `now`. What was seen against one is what
    /// it is; how much of its weight it has, what is under way there and what this core knew of it follow. `key`: of this
    /// target no other key than that may be used.
    pub fn restage(
        &mut self,
        now: Moment,
        plan: &Plan,
        route: RouteId,
        sights: &[Sight],
        key: Option<(TargetId, u8)>,
    ) {
        for (index, candidate) in plan.program.candidates(route).iter().enumerate() {
            let found = sights.iter().find(|it| it.target == candidate.target);
            let (Some(sight), Some(cell)) = (found, self.board.cell(candidate.target)) else {
                continue;
            };
            calm(cell, &self.board);
            if let Some(spill) = spill_of(plan, route) {
                cell.restage_spilt(spill, sight.spilt);
            }
            cell.restage(sight.inflight, sight.max_inflight);
            if let Some(queue) = &cell.queue {
                queue.restage(sight.queued);
            }
            put(cell, &self.board, sight);
            if let Some((_, only)) = key.filter(|&(of, _)| of == candidate.target) {
                let others = keys(cell).filter(|&other| other != only);
                others.for_each(|other| cell.barred(other).begin(Moment::NEVER));
            }
            if let Some(speed) = self.speeds.get_mut(candidate.target.index()) {
                speed.ttft = Average::of(sight.usual);
                speed.asked = sight.asked;
            }
            let provider = plan.policy.targets.get(candidate.target.index());
            let provider = provider.map(|target| target.provider.index());
            if let Some(budget) = provider.and_then(|index| self.budgets.get_mut(index)) {
                *budget = Budget::of(sight.repeats, now);
            }
            if let Some(turn) = self.turns(route).get_mut(index) {
                *turn = sight.turn;
            }
        }
    }
}

/// By what the route's pool spills.
fn spill_of(plan: &Plan, route: RouteId) -> Option<&Spill> {
    match &plan.policy.routes.get(route.index())?.action {
        Action::Serve(serve) => serve.spill.as_deref(),
        Action::Reject(_) => None,
    }
}

/// In parts per million.
const ONE_HEDGE: u32 = 1_000_000;

/// Nothing is against it.
fn calm(cell: &Cell, board: &Board) {
    board.order(cell.target, Order::Auto);
    cell.pause.gone.clear();
    cell.pause.throttle.restage(Moment::START);
    for endpoint in 0..cell.checked.map_or(0, |checked| checked.endpoints) {
        board.set_health(cell.provider, endpoint, true);
    }
    for key in keys(cell) {
        cell.throttle(key).restage(Moment::START);
        cell.barred(key).clear();
        if let Some(key) = board.key(cell, key) {
            key.rest.clear();
        }
    }
    for gate in &*cell.gates {
        gate.restage(Word::unpack(Word::FRESH), 0);
    }
}

/// What was seen of it is what it is.
fn put(cell: &Cell, board: &Board, sight: &Sight) {
    let breaker = |state| {
        let word = Word {
            state,
            rule: sight.breaker.why,
            level: sight.breaker.level,
            epoch: sight.breaker.epoch,
            until: sight.breaker.until,
        };
        for gate in &*cell.gates {
            gate.restage(word, sight.breaker.probes);
        }
    };
    match sight.stand {
        Stand::Free
        | Stand::Out(PassedOver::Forbidden | PassedOver::Lacks | PassedOver::TooSmall, _) => {}
        Stand::Ramp(_) => breaker(State::Ramp),
        Stand::Probe => breaker(State::HalfOpen),
        // It is well, or would not have come so far; its part of the weight stays.
        Stand::Out(PassedOver::Tried | PassedOver::NoTime, _) => match sight.breaker.state {
            state @ (State::Ramp | State::HalfOpen) => breaker(state),
            State::Closed | State::Open => {}
        },
        Stand::Out(PassedOver::Drained, _) => {
            board.order(cell.target, Order::Drain);
        }
        Stand::Out(PassedOver::KeyOut, until) => {
            for key in keys(cell) {
                cell.barred(key).begin(until);
            }
        }
        Stand::Out(PassedOver::ModelGone, until) => cell.pause.gone.begin(until),
        Stand::Out(PassedOver::Down, until) => match cell.checked {
            Some(checked) => {
                for endpoint in 0..checked.endpoints {
                    board.set_health(cell.provider, endpoint, false);
                }
            }
            // Another plan checks nobody's health: it is out all the same.
            None => cell.pause.gone.begin(until),
        },
        Stand::Out(PassedOver::BreakerOpen, until) => match sight.breaker.state {
            State::Open => breaker(State::Open),
            State::HalfOpen if sight.breaker.probes > 0 => breaker(State::HalfOpen),
            _ => {
                let word = Word {
                    until,
                    ..Word::unpack(Word::OPEN_FOR_EVER)
                };
                for gate in &*cell.gates {
                    gate.restage(word, 0);
                }
            }
        },
        Stand::Out(PassedOver::Throttled, until) => {
            for key in keys(cell) {
                cell.throttle(key).restage(until);
            }
        }
        Stand::Out(PassedOver::AtCapacity, _) => {
            let full = cell.max_inflight().unwrap_or(sight.inflight);
            cell.restage(sight.inflight.max(full), Some(full));
        }
    }
}

/// A way that was thought out, gone step by step: who is well is said before each attempt.
impl Board {
    /// Whatever was wrong with a target is over: its breaker lets requests pass, its pauses and those of its keys have
    /// ended, its endpoints are up, nobody else takes its places.
    pub fn cure(&self, target: TargetId) {
        let Some(cell) = self.cell(target) else {
            return;
        };
        self.order(target, Order::Close);
        if cell.is_full(cell.inflight.load(Relaxed)) {
            cell.inflight.store(0, Relaxed);
        }
        cell.pause.gone.clear();
        cell.pause.throttle.end();
        for key in keys(cell) {
            cell.throttle(key).end();
            cell.barred(key).clear();
            if let Some(key) = self.key(cell, key) {
                key.rest.clear();
            }
        }
        for endpoint in 0..cell.checked.map_or(0, |checked| checked.endpoints) {
            self.set_health(cell.provider, endpoint, true);
        }
    }

    /// Has nobody be able to ask a target, for the reason that a request which finds nobody would give. Without that
    /// reason its model is gone.
    pub fn keep_out(&self, target: TargetId, reason: Outcome, now: Moment) {
        let Some(cell) = self.cell(target) else {
            return;
        };
        self.order(target, Order::Auto);
        let places = cell.max_inflight();
        match (reason, places) {
            (Outcome::BreakerOpen, _) => {
                self.order(target, Order::Drain);
            }
            (Outcome::S429, _) => self.stage(target, Staged::Throttled, now),
            (Outcome::Connect, _) if cell.checked.is_some() => {
                self.stage(target, Staged::Down, now);
            }
            (Outcome::AuthFailed, _) => {
                for key in keys(cell) {
                    cell.barred(key).begin(now + KEY_REST);
                }
            }
            (Outcome::Overloaded, Some(places)) => cell.inflight.store(places, Relaxed),
            _ => cell.pause.gone.begin(now + MODEL_REST),
        }
    }
}

/// The numbers of a target's keys; one where its provider has one or none.
fn keys(cell: &Cell) -> impl Iterator<Item = u8> + use<> {
    0..u8::try_from(cell.pool.len().max(1)).unwrap_or(u8::MAX)
}
