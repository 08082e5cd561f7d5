//! A second attempt beside the first one: begun when the first has brought nothing for a while, within a bound. The
//! first content wins; the other attempt is over at that moment (`report`).

use crate::base::{Moment, TargetId};
use crate::engine::balance::bit;
use crate::engine::budget::Allowance;
use crate::engine::chain::survey::{Survey, View};
use crate::engine::chain::{Attempt, Called, Chain, Form, action};
use crate::engine::core::Core;
use crate::policy::Plan;
use crate::policy::model::{Action, Hedge, HedgeDelay};

impl Chain {
    /// Begins a second attempt beside the one at hand, if the policy has one for this request, none was made yet, the
    /// client has no content, the target can be asked as it is (no probe), time is left, and the route's allowance pays.
    /// The first one stays at hand.
    pub fn hedge(&mut self, now: Moment, plan: &Plan, core: &mut Core) -> Option<Attempt> {
        self.note_call(now, Called::Hedge);
        let Some(Action::Serve(serve)) = action(plan, self.decision) else {
            return None;
        };
        let hedge = serve.hedge.as_ref()?;
        let first = self.running.filter(|running| !running.content)?;
        let time_left = self.begin_by().since(now);
        if self.hedged || self.committed || self.attempts_left(serve) == 0 || now >= self.begin_by()
        {
            return None;
        }
        let mut view = self.view(now, plan, serve);
        view.remaining = Some(time_left);
        let index = place_of(hedge.target, &view)?;
        let mut survey = Survey::take(now, &view, core, &mut self.passed);
        let route = self.decision.route;
        if survey.usable & !survey.ramp & bit(index) == 0
            || !plan.program.may_hedge(&self.decision)
            || !core.allowance(route).is_some_and(Allowance::take)
        {
            return None;
        }
        self.hedged = true;
        let second = self.start_one(now, &view, &mut survey, index, core);
        if second.is_some() {
            self.history.mark_hedge();
            self.beside = self.running.replace(first).map(Box::new);
        } else {
            // Somebody took the last place in this moment.
            self.hedged = false;
            if let Some(allowance) = core.allowance(route) {
                allowance.give_back();
            }
        }
        second
    }

    /// Whether an attempt runs beside the one at hand.
    pub fn has_beside(&self) -> bool {
        self.beside.is_some()
    }

    /// Takes the attempt beside at hand, and puts the one at hand aside.
    pub fn turn(&mut self) {
        if let (Some(at_hand), Some(beside)) = (&mut self.running, &mut self.beside) {
            std::mem::swap(at_hand, beside);
            return;
        }
        let beside = self.beside.take().map(|beside| *beside);
        self.beside = self.running.take().map(Box::new);
        self.running = beside;
    }

    /// When an attempt at `target` that begins now may be hedged. The first attempt of a request adds to the allowance.
    pub(super) fn hedge_at(
        &self,
        now: Moment,
        view: &View<'_>,
        hedge: &Hedge,
        target: TargetId,
        core: &mut Core,
    ) -> Moment {
        let route = self.decision.route;
        if self.history.len() == 1
            && let Some(allowance) = core.allowance(route)
        {
            allowance.deposit(hedge.max_extra);
        }
        let tried = place_of(hedge.target, view).is_none_or(|at| self.tried & bit(at) != 0);
        if tried
            || self.hedged
            || self.committed
            || self.attempts_left(view.serve) == 0
            || !view.plan.program.may_hedge(&self.decision)
        {
            return Moment::NEVER;
        }
        match (hedge.after, self.form) {
            (HedgeDelay::Fixed(delay), _) => now + delay,
            (HedgeDelay::P95, Form::Stream) => {
                let p95 = core.ttft_p95(now, target);
                p95.map_or(Moment::NEVER, |p95| now + p95)
            }
            // What is known are times to first content: a whole answer takes longer, and would always be hedged.
            (HedgeDelay::P95, Form::Whole) => Moment::NEVER,
        }
    }
}

fn place_of(target: TargetId, view: &View<'_>) -> Option<usize> {
    view.candidates
        .iter()
        .position(|candidate| candidate.target == target)
}
