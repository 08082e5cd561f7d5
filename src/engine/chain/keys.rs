//! Asking the same target with another key: before anybody else is asked, and before the policy is.
//!
//! A refused key, a spent quota and a rate limit are about the key, not about the target. So a change of key is no attempt
//! by the policy's count and costs no budget. It has a bound of its own, and all else that holds for an attempt: masks,
//! the deadline, the breaker's probes, places in flight.

use crate::base::limits::KEY_TRIES_MAX;
use crate::base::{Moment, Outcome, OutcomeSet};
use crate::engine::balance::bit;
use crate::engine::breaker::Order;
use crate::engine::chain::survey::{Survey, View};
use crate::engine::chain::{Attempt, Chain};
use crate::engine::core::Core;

impl Chain {
    /// After an attempt that ended in `outcome`: the next one, if another key of the same provider may cure it.
    pub(super) fn change_key(
        &mut self,
        now: Moment,
        view: &View<'_>,
        outcome: Outcome,
        core: &mut Core,
    ) -> Option<Attempt> {
        let target = self.history.last()?.target;
        let cell = core.board.cell(target)?;
        if cell.pool.is_empty()
            || !CURED_BY_A_KEY.has(outcome)
            || usize::from(self.history.key_changes()) >= KEY_TRIES_MAX
            || now >= self.deadline
        {
            return None;
        }
        // Its breaker and its places are looked at when it begins.
        if cell.pause.order.order() == Order::Drain {
            return None;
        }
        let usual = core.usual_ttft(target);
        if usual
            .zip(view.remaining)
            .is_some_and(|(usual, left)| usual > left)
        {
            return None;
        }
        let index = view
            .candidates
            .iter()
            .position(|candidate| candidate.target == target)
            .filter(|&index| view.forbidden & bit(index) == 0)?;
        let mut survey = Survey::take(now, view, core, &mut self.passed);
        self.begin(now, view, &mut survey, index, Some(self.tried_keys()), core)
    }

    /// What a key is drawn by: where the route places requests by a hash, those of one hash keep to one key,
    /// since a provider's prompt cache may be its account's.
    pub(super) const fn key_seed(&self) -> u64 {
        match self.decision.affinity {
            0 => self.chance,
            affinity => affinity,
        }
    }

    /// The keys of the last attempt and of those that it was a change from, as a set.
    fn tried_keys(&self) -> u16 {
        let mut keys = 0_u16;
        for attempt in self.history.iter().rev() {
            keys |= 1_u16.checked_shl(attempt.key.into()).unwrap_or(0);
            if !attempt.key_change {
                break;
            }
        }
        keys
    }
}

/// What may be another with another key.
pub(in crate::engine) const CURED_BY_A_KEY: OutcomeSet = OutcomeSet::EMPTY
    .with(Outcome::AuthFailed)
    .with(Outcome::QuotaExhausted)
    .with(Outcome::S429);
