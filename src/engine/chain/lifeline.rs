//! `panic = probe`: where the breakers of all of a route's targets are open, one request a second may try each of them. It has
//! nothing to lose, and what it learns shortens the cool-down. The others are refused at once, so that a provider which
//! comes back is not met by everybody.

use std::sync::atomic::Ordering::Relaxed;

use crate::base::Moment;
use crate::engine::balance::bits;
use crate::engine::breaker::Order;
use crate::engine::breaker::word::State;
use crate::engine::chain::survey::{Survey, View};
use crate::engine::chain::{Attempt, Chain, PassedOver};
use crate::engine::core::Core;
use crate::engine::keys::KeyStanding;
use crate::policy::model::Panic;

impl Chain {
    /// An attempt at one of the open targets, in their order, if the policy wants one and it is this request's turn.
    pub(super) fn try_open(
        &mut self,
        now: Moment,
        view: &View<'_>,
        survey: &Survey,
        core: &mut Core,
    ) -> Option<Attempt> {
        if view.serve.panic != Panic::Probe || !survey.only_open() {
            return None;
        }
        let mut survey = *survey;
        let index = bits(survey.tiers).find(|&index| {
            self.passed_over(index) == Some(PassedOver::BreakerOpen)
                && is_turn(now, view, index, core)
        })?;
        self.lifeline = true;
        let attempt = self.start_one(now, view, &mut survey, index, core);
        self.lifeline = false;
        attempt
    }
}

/// Whether a candidate is open by its own breaker, nothing else is known against it, and nobody has tried it within a
/// second. Half open targets have probes of their own.
fn is_turn(now: Moment, view: &View<'_>, index: usize, core: &Core) -> bool {
    let cell = view
        .candidates
        .get(index)
        .and_then(|candidate| core.board.cell(candidate.target));
    cell.is_some_and(|cell| {
        let open = cell.gate(core.index).map(|gate| gate.word().state) == Some(State::Open);
        open && cell.pause.order.order() == Order::Auto
            && matches!(cell.standing(now, &core.board), KeyStanding::Usable)
            && !cell.is_full(cell.inflight.load(Relaxed))
            && cell.pause.lifeline.take(now)
    })
}
