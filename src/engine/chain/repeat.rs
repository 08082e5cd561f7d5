//! Asking the same target again: the last resort, when nobody else is left.

use std::num::NonZeroU8;

use crate::base::limits::DEADLINE_RESERVE;
use crate::base::{Moment, Outcome, OutcomeSet, Span, hash};
use crate::engine::balance::bit;
use crate::engine::chain::finish::{By, Reason};
use crate::engine::chain::survey::{Survey, View, Way, health};
use crate::engine::chain::{Chain, PassedOver, Step, Waiting};
use crate::engine::core::Core;
use crate::policy::model::Retries;

impl Chain {
    /// Plans a repeat if one is allowed: the moment for it. Of several targets the one that is ready first; of equals the
    /// one that was asked last.
    pub(super) fn plan_repeat(
        &mut self,
        now: Moment,
        view: &View<'_>,
        core: &mut Core,
    ) -> Option<Moment> {
        let mut best: Option<Waiting> = None;
        for (candidate, _) in view.candidates.iter().enumerate() {
            let Some(until) = self.ready_at(now, view, candidate, core) else {
                continue;
            };
            if best.is_none_or(|best| until < best.until) {
                best = Some(Waiting {
                    until,
                    place: NonZeroU8::MIN.saturating_add(u8::try_from(candidate).ok()?),
                });
            }
        }
        let waiting = best?;
        let (_, provider, retries) = settings(view, usize::from(waiting.candidate()))?;
        if !core.pay(now, provider, retries) {
            return None;
        }
        self.waiting = Some(waiting);
        Some(waiting.until)
    }

    /// The wait is over. Whoever has become usable meanwhile and was not asked yet goes first.
    pub(super) fn after_wait(
        &mut self,
        now: Moment,
        view: &View<'_>,
        candidate: u8,
        core: &mut Core,
    ) -> Step {
        if now >= self.begin_by() {
            return self.refuse(now, view, By::Otherwise, Reason::Deadline, core);
        }
        let mut survey = Survey::take(now, view, core, &mut self.passed);
        if let Some(attempt) = self.start_any(now, view, &mut survey, core) {
            return Step::Attempt(attempt);
        }
        let index = usize::from(candidate);
        if self.passed_over(index) == Some(PassedOver::Tried)
            && let Some(attempt) = self.start_one(now, view, &mut survey, index, core)
        {
            return Step::Attempt(attempt);
        }
        let last = self.history.last().and_then(|last| last.outcome);
        let reason = last.map_or(Reason::Deadline, Reason::Outcome);
        self.refuse_after(now, view, By::Otherwise, reason, &survey)
    }

    /// When the candidate may be asked again by this request; `None` if not at all, or not early enough for its usual time
    /// to first content.
    fn ready_at(
        &self,
        now: Moment,
        view: &View<'_>,
        candidate: usize,
        core: &Core,
    ) -> Option<Moment> {
        if (view.tried & !view.forbidden) & bit(candidate) == 0 {
            return None;
        }
        let (target, _, retries) = settings(view, candidate)?;
        let mut times = 0_u8;
        let mut last = None;
        for attempt in self
            .history
            .iter()
            .filter(|attempt| attempt.target == target)
        {
            times = times.saturating_add(u8::from(!attempt.key_change));
            last = attempt.outcome;
        }
        let repeats = times.checked_sub(1)?;
        if repeats >= retries.max || !REPEATABLE.has(last?) {
            return None;
        }
        let backoff = self.backoff(retries, repeats);
        let remaining = self.begin_by().since(now);
        let until = match health(now, core.board.cell(target)?, core) {
            Ok(Way::Free | Way::Ramp) => now + backoff,
            Err((PassedOver::Throttled, until)) => {
                let bearable = Span::from_nanos(remaining.as_nanos() / WAIT_PART);
                (until.since(now) <= bearable).then_some(until)?
            }
            // Half-open: probes are for requests that have somewhere else to go.
            Ok(Way::Probe) | Err(_) => return None,
        };
        let usual = core
            .usual_ttft(target)
            .unwrap_or(DEADLINE_RESERVE)
            .max(DEADLINE_RESERVE);
        (until + usual < self.begin_by()).then_some(until)
    }

    /// The pause before repeat number `repeats` (from 0): the first one doubled each time up to the longest, between
    /// half and all of it, by the request's own chance, so that clients which failed together do not return together.
    fn backoff(&self, retries: &Retries, repeats: u8) -> Span {
        let (first, longest) = retries.backoff;
        let doubled = 1_u64.checked_shl(u32::from(repeats)).unwrap_or(u64::MAX);
        let whole = first
            .saturating_mul(doubled)
            .min(longest.max(first))
            .as_nanos();
        let half = whole / 2;
        let chance = hash::mix(self.chance, BACKOFF_SALT | u64::from(self.history.len()));
        let extra = hash::scale(chance, (whole - half).saturating_add(1));
        Span::from_nanos(half.saturating_add(extra))
    }
}

type Settings<'a> = (crate::base::TargetId, crate::base::ProviderId, &'a Retries);

fn settings<'a>(view: &View<'a>, candidate: usize) -> Option<Settings<'a>> {
    let target = view.candidates.get(candidate)?.target;
    let settings = view.plan.policy.targets.get(target.index())?;
    let retries = view.plan.policy.retries.get(settings.retries.index())?;
    Some((target, settings.provider, retries))
}

/// What the same target may cure by itself within moments. Silence is not among it: who waited once in vain has no
/// time to do it again. Nor are a bad certificate, a refused key or a missing model.
pub(in crate::engine) const REPEATABLE: OutcomeSet = OutcomeSet::EMPTY
    .with(Outcome::S429)
    .with(Outcome::S5xx)
    .with(Outcome::Connect)
    .with(Outcome::StreamAbort)
    .with(Outcome::Overloaded);
/// A wait in place may take a quarter of what is left: the answer itself needs the rest.
const WAIT_PART: u64 = 4;
/// Keeps the draws of pauses apart from those of picks, whose second word is below 2^24.
const BACKOFF_SALT: u64 = 1 << 32;
