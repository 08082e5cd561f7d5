//! The ways on from an outcome, and from having nobody to ask: the next candidate, a jump, a refusal.

use crate::base::{Moment, Outcome, Span, TargetId};
use crate::engine::balance::bit;
use crate::engine::chain::finish::{Blocked, By, Finish, Reason, reject};
use crate::engine::chain::record::PassedOver;
use crate::engine::chain::survey::{Survey, View};
use crate::engine::chain::verdict::{CLIENTS_FAULT, Verdict, verdict};
use crate::engine::chain::{Chain, Step};
use crate::engine::core::Core;
use crate::policy::model::{Otherwise, Serve};

impl Chain {
    /// The next candidate of the tiers; a repeat if there is none; else the end.
    pub(super) fn advance(&mut self, now: Moment, view: &View<'_>, core: &mut Core) -> Step {
        if now >= self.begin_by() {
            return self.refuse(now, view, By::Otherwise, Reason::Deadline, core);
        }
        let last = self.history.last().and_then(|last| last.outcome);
        if self.attempts_left(view.serve) == 0 {
            let reason = last.map_or(Reason::Deadline, Reason::Outcome);
            return self.refuse(now, view, By::Otherwise, reason, core);
        }
        let mut survey = Survey::take(now, view, core, &mut self.passed);
        if let Some(attempt) = self.start_any(now, view, &mut survey, core) {
            return Step::Attempt(attempt);
        }
        if let Some(until) = self.look_again(now) {
            return Step::Wait(until);
        }
        match last {
            Some(outcome) => match self.plan_repeat(now, view, core) {
                Some(until) => Step::Wait(until),
                None => {
                    self.refuse_after(now, view, By::Otherwise, Reason::Outcome(outcome), &survey)
                }
            },
            None => self.nobody(now, view, survey, core),
        }
    }

    /// No attempt could begin at all: the policy is asked as if one had ended in the reason for that.
    pub(super) fn nobody(
        &mut self,
        now: Moment,
        view: &View<'_>,
        survey: Survey,
        core: &mut Core,
    ) -> Step {
        if survey.only_masked() {
            let forbidden = survey.met(PassedOver::Forbidden);
            let reason = if forbidden {
                Reason::Forbidden
            } else {
                Reason::Lacks
            };
            return self.refuse_after(now, view, By::Otherwise, reason, &survey);
        }
        if let Some(attempt) = self.try_open(now, view, &survey, core) {
            return Step::Attempt(attempt);
        }
        let words = [
            (PassedOver::BreakerOpen, Outcome::BreakerOpen),
            (PassedOver::Drained, Outcome::BreakerOpen),
            (PassedOver::Down, Outcome::Connect),
            (PassedOver::Throttled, Outcome::S429),
            (PassedOver::AtCapacity, Outcome::Overloaded),
            (PassedOver::KeyOut, Outcome::AuthFailed),
            (PassedOver::ModelGone, Outcome::ModelGone),
        ];
        let outcome = words
            .into_iter()
            .find(|&(passed_over, _)| survey.met(passed_over))
            .map_or(Outcome::Overloaded, |(_, outcome)| outcome);
        let reason = Reason::Outcome(outcome);
        match verdict(view.serve, outcome, Span::ZERO) {
            Verdict::Jump(target) => self.jump(now, view, target, core, reason),
            Verdict::Reject(line) => self.refuse_after(now, view, By::Line(line), reason, &survey),
            // No next and no answer to stop at.
            Verdict::Next | Verdict::Stop | Verdict::Otherwise => {
                self.refuse_after(now, view, By::Otherwise, reason, &survey)
            }
        }
    }

    /// `-> target`, once. A target that cannot be asked now leads to `else`.
    pub(super) fn jump(
        &mut self,
        now: Moment,
        view: &View<'_>,
        target: TargetId,
        core: &mut Core,
        reason: Reason,
    ) -> Step {
        if now >= self.begin_by() {
            return self.refuse(now, view, By::Otherwise, Reason::Deadline, core);
        }
        let mut survey = Survey::take(now, view, core, &mut self.passed);
        let index = view
            .candidates
            .iter()
            .position(|candidate| candidate.target == target);
        if let Some(index) = index
            && self.attempts_left(view.serve) != 0
            && (survey.usable | survey.half) & bit(index) != 0
            && let Some(attempt) = self.start_one(now, view, &mut survey, index, core)
        {
            return Step::Attempt(attempt);
        }
        self.refuse_after(now, view, By::Otherwise, reason, &survey)
    }

    /// A refusal without a survey at hand.
    pub(super) fn refuse(
        &mut self,
        now: Moment,
        view: &View<'_>,
        by: By,
        reason: Reason,
        core: &Core,
    ) -> Step {
        let survey = Survey::take(now, view, core, &mut self.passed);
        self.refuse_after(now, view, by, reason, &survey)
    }

    pub(super) fn refuse_after(
        &self,
        now: Moment,
        view: &View<'_>,
        by: By,
        reason: Reason,
        survey: &Survey,
    ) -> Step {
        if self.stops_with_its_last_answer(by, view.serve) {
            return Step::Finish(Finish::Stop);
        }
        // Somebody is out for this request only: another one may come at once, so there is nothing to hint at.
        let free = (survey.usable | survey.half) & survey.tiers != 0
            || survey.met(PassedOver::Tried)
            || survey.met(PassedOver::NoTime);
        let soonest = if free { Moment::NEVER } else { survey.soonest };
        let blocked = Blocked {
            soonest,
            throttled: !free && survey.only_throttled(),
        };
        let by = (self.decision.route, by);
        Step::Finish(reject(now, view.plan, by, reason, blocked))
    }

    /// `else -> stop`, and there is an answer to stop at. Or the request itself is at fault, or nobody's format can say what it
    /// says: the client has to learn what that is, and a `reject(503)` would invite the same request again.
    fn stops_with_its_last_answer(&self, by: By, serve: &Serve) -> bool {
        let ended = self.history.last().and_then(|last| last.outcome);
        let at_fault = ended.is_some_and(|outcome| CLIENTS_FAULT.has(outcome));
        let unsupported = Some(Outcome::Unsupported);
        let by_nobody = ended == unsupported
            && self
                .history
                .iter()
                .all(|attempt| attempt.outcome == unsupported);
        by == By::Otherwise
            && (by_nobody || at_fault || (serve.otherwise == Otherwise::Stop && ended.is_some()))
    }
}
