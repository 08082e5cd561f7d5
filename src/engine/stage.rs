//! Targets put into a state by hand, for a rehearsal: as if what leads there had happened.

use std::sync::atomic::Ordering::Relaxed;

use crate::base::limits::{KEY_REST, MODEL_REST};
use crate::base::{Moment, Outcome, TargetId};
use crate::engine::board::{Board, Cell};
use crate::engine::breaker::Order;
use crate::engine::breaker::word::{Rule, State};
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
                for key in keys_of(cell) {
                    cell.throttle(key).pause(now, None, &cell.rules);
                }
            }
            Staged::Drained => {
                self.order(target, Order::Drain);
            }
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
        for key in keys_of(cell) {
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
                for key in keys_of(cell) {
                    cell.barred(key).begin(now + KEY_REST);
                }
            }
            (Outcome::Overloaded, Some(places)) => cell.inflight.store(places, Relaxed),
            _ => cell.pause.gone.begin(now + MODEL_REST),
        }
    }
}

/// The numbers of a target's keys; one where its provider has one or none.
fn keys_of(cell: &Cell) -> impl Iterator<Item = u8> + use<> {
    0..u8::try_from(cell.pool.len().max(1)).unwrap_or(u8::MAX)
}
