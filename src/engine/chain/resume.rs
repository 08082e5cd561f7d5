//! Going on with a stream that broke: the client has content, and the policy says that another target may add to it.

use crate::base::{Moment, Outcome, Span, TargetId};
use crate::engine::balance::bit;
use crate::engine::chain::survey::Survey;
use crate::engine::chain::verdict::{Verdict, verdict};
use crate::engine::chain::{Attempt, Called, Chain, action};
use crate::engine::core::Core;
use crate::policy::Plan;
use crate::policy::model::Action;

impl Chain {
    /// An attempt at another target that `able` allows, after one that failed; `None` if the fallback does not lead to
    /// another target, or to none that is well, or no attempt or time is left. A half-open target is not tried with
    /// half an answer. Bounds and timers are those of any other attempt.
    ///
    /// # Panics
    /// While an attempt runs.
    pub fn go_on(
        &mut self,
        now: Moment,
        plan: &Plan,
        core: &mut Core,
        able: impl Fn(TargetId) -> bool,
    ) -> Option<Attempt> {
        assert!(
            self.running.is_none(),
            "an attempt ends before the next one"
        );
        self.note_call(now, Called::GoOn);
        let Some(Action::Serve(serve)) = action(plan, self.decision) else {
            return None;
        };
        let outcome = self.history.last()?.outcome;
        let outcome = outcome.filter(|&outcome| outcome != Outcome::Ok)?;
        if now >= self.deadline || self.attempts_left(serve) == 0 {
            return None;
        }
        let view = self.view(now, plan, serve);
        let mut survey = Survey::take(now, &view, core, &mut self.passed);
        let able = (0..)
            .zip(view.candidates)
            .filter(|(_, candidate)| able(candidate.target))
            .fold(0, |set, (index, _)| set | bit(index));
        survey.usable &= able;
        survey.half = 0;
        match verdict(serve, outcome, Span::ZERO) {
            Verdict::Next => self.start_any(now, &view, &mut survey, core),
            Verdict::Jump(target) => {
                let index = view
                    .candidates
                    .iter()
                    .position(|candidate| candidate.target == target)?;
                if survey.usable & bit(index) == 0 {
                    return None;
                }
                self.start_one(now, &view, &mut survey, index, core)
            }
            Verdict::Stop | Verdict::Reject(_) | Verdict::Otherwise => None,
        }
    }
}
