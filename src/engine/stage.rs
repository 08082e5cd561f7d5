//! Targets put into a state by hand, for a rehearsal: as if what leads there had happened.

use crate::base::{Moment, TargetId};
use crate::engine::board::Board;
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
                for key in 0..cell.pool.len().max(1) {
                    let Ok(key) = u8::try_from(key) else { break };
                    cell.throttle(key).pause(now, None, &cell.rules);
                }
            }
            Staged::Drained => {
                self.order(target, Order::Drain);
            }
        }
    }
}
