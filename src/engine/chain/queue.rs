//! Waiting for a place: before its first attempt, and once, a request may stand in the queue of a tier whose members are
//! all full. It holds nothing but its number there, and gives that back when it gets a place, has waited for long enough, finds
//! that nobody of the tier will have one, or is over.

use crate::base::limits::QUEUE_LOOK;
use crate::base::{Moment, Span, TargetId};
use crate::engine::balance::{bit, bits};
use crate::engine::chain::survey::{BUSY_HINT, Survey, View, health};
use crate::engine::chain::{Chain, PassedOver, Step};
use crate::engine::core::Core;

/// A request's stay in a queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stay {
    /// In whose queue.
    target: TargetId,
    /// The members of the tier that were full: a place at any of them will do.
    members: u64,
    since: Moment,
    until: Moment,
    /// How long it was, once it is over.
    lasted: Option<Span>,
}

impl Chain {
    /// How long it has stood in a queue.
    pub fn queued(&self, now: Moment) -> Span {
        let stay = self.stay.as_deref();
        stay.map_or(Span::ZERO, |stay| {
            stay.lasted.unwrap_or_else(|| now.since(stay.since))
        })
    }

    /// Whether it stands in a queue.
    pub(super) fn is_queued(&self) -> bool {
        self.standing().is_some()
    }

    fn standing(&self) -> Option<Stay> {
        self.stay
            .as_deref()
            .copied()
            .filter(|stay| stay.lasted.is_none())
    }

    /// The chain ends without an attempt under way: nobody waits for it in a queue.
    pub fn leave_queue(&mut self, now: Moment, core: &Core) {
        let standing = self
            .stay
            .as_deref_mut()
            .filter(|stay| stay.lasted.is_none());
        if let Some(stay) = standing {
            let cell = core.board.cell(stay.target);
            if let Some(queue) = cell.and_then(|cell| cell.queue.as_ref()) {
                queue.leave();
            }
            stay.lasted = Some(now.since(stay.since));
        }
    }

    /// Where others wait for a place in a tier, whatever is free there is theirs.
    pub(super) fn stand_behind(
        &mut self,
        now: Moment,
        view: &View<'_>,
        survey: &mut Survey,
        tier: u64,
        core: &Core,
    ) {
        let queue = |index: usize| {
            let candidate = view.candidates.get(index)?;
            core.board.cell(candidate.target)?.queue.as_ref()
        };
        let waits = |index| queue(index).is_some_and(|queue| queue.waiting() != 0);
        if bits(survey.full & tier).any(waits) {
            for index in bits(survey.usable & tier).filter(|&index| queue(index).is_some()) {
                let until = now + BUSY_HINT;
                survey.drop(bit(index), PassedOver::AtCapacity, until, &mut self.passed);
            }
        }
    }

    /// Stands behind those who wait for one of the `full` members of a tier, where there is room; in the first queue that has some.
    pub(super) fn join_queue(&mut self, now: Moment, view: &View<'_>, full: u64, core: &Core) {
        if self.stay.is_some() || self.history.len() != 0 {
            return;
        }
        for index in bits(full) {
            let candidate = view.candidates.get(index);
            let cell = candidate.and_then(|it| core.board.cell(it.target));
            if let Some((cell, queue)) = cell.and_then(|cell| Some((cell, cell.queue.as_ref()?)))
                && queue.join()
            {
                self.stay = Some(Box::new(Stay {
                    target: cell.target,
                    members: full,
                    since: now,
                    until: (now + queue.wait).min(self.begin_by()),
                    lasted: None,
                }));
                return;
            }
        }
    }

    /// When a request that waits looks again.
    pub(super) fn look_again(&self, now: Moment) -> Option<Moment> {
        self.standing()
            .map(|stay| (now + QUEUE_LOOK).min(stay.until))
    }

    /// What a request does that stands in a queue, if it does.
    pub(super) fn next_in_queue(
        &mut self,
        now: Moment,
        view: &View<'_>,
        core: &mut Core,
    ) -> Option<Step> {
        let stay = self.standing()?;
        let mut hope = false;
        if now < stay.until {
            let mut free = 0_u64;
            for (index, candidate) in view.candidates.iter().enumerate() {
                if stay.members & bit(index) == 0 {
                    continue;
                }
                let cell = core.board.cell(candidate.target)?;
                match health(now, cell, core) {
                    Ok(_) => free |= bit(index),
                    Err((PassedOver::AtCapacity, _)) => hope = true,
                    Err(_) => {}
                }
            }
            if free != 0 {
                let mut survey = Survey::take(now, view, core, &mut self.passed);
                survey.only(free);
                if let Some(attempt) = self.start_any(now, view, &mut survey, core) {
                    self.leave_queue(now, core);
                    return Some(Step::Attempt(attempt));
                }
                // Somebody of another core was quicker.
                hope |= survey.met(PassedOver::AtCapacity);
            }
        }
        if hope && let Some(until) = self.look_again(now) {
            return Some(Step::Wait(until));
        }
        self.leave_queue(now, core);
        None
    }
}
