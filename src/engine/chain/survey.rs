//! The candidate set of one attempt: who is left, and why the others are not.

use std::sync::atomic::Ordering::Relaxed;

use crate::base::limits::ROUTE_TARGETS_MAX;
use crate::base::{Moment, Span};
use crate::engine::balance::bit;
use crate::engine::board::Cell;
use crate::engine::breaker::Order;
use crate::engine::breaker::word::{State, Word, closed};
use crate::engine::chain::record::{PassedOver, PassedSet};
use crate::engine::core::Core;
use crate::engine::keys::KeyStanding;
use crate::policy::model::Serve;
use crate::policy::{Candidate, Plan};

/// What the survey goes by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) serve: &'a Serve,
    pub(crate) candidates: &'a [Candidate],
    /// Masked for this attempt.
    pub(crate) forbidden: u64,
    /// This request has been there.
    pub(crate) tried: u64,
    /// The largest context window that the request did not fit, in tokens, as far as it is known.
    pub(crate) outgrown: Option<u64>,
    /// What is left of the deadline, after the first attempt.
    pub(crate) remaining: Option<Span>,
    /// It stands in a queue: what others wait for is for it, too.
    pub(crate) queued: bool,
}

impl View<'_> {
    /// Whether what did not fit elsewhere cannot fit here. A window that nobody knows may hold it.
    fn is_too_small(&self, candidate: Candidate) -> bool {
        let target = self.plan.policy.targets.get(candidate.target.index());
        let window = target.and_then(|target| target.context);
        matches!((window, self.outgrown), (Some(window), Some(outgrown)) if window <= outgrown)
    }
}

/// Sets over the route's candidates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Survey {
    /// May be asked.
    pub(crate) usable: u64,
    /// Those of the usable ones that have only a part of their weight back.
    pub(crate) ramp: u64,
    /// May be asked, but as a probe.
    pub(crate) half: u64,
    /// Passed over for being full.
    pub(crate) full: u64,
    /// Members of tiers, as opposed to targets that only a jump reaches.
    pub(crate) tiers: u64,
    /// The reasons of tier members that are neither, as a set over [`PassedOver`].
    pub(crate) reasons: u16,
    /// When the first of these may be asked again; [`Moment::NEVER`] if waiting cures none.
    pub(crate) soonest: Moment,
}

impl Survey {
    /// Looks at every candidate, in the order of [`PassedOver`], and notes the reasons in `passed`.
    pub(crate) fn take(now: Moment, view: &View<'_>, core: &Core, passed: &mut PassedSet) -> Self {
        assert!(
            view.candidates.len() <= ROUTE_TARGETS_MAX,
            "a route's targets fit one word"
        );
        let mut survey = Self {
            usable: 0,
            ramp: 0,
            half: 0,
            full: 0,
            tiers: 0,
            reasons: 0,
            soonest: Moment::NEVER,
        };
        for (index, &candidate) in view.candidates.iter().enumerate() {
            let bit = bit(index);
            if candidate.tier != Candidate::JUMP {
                survey.tiers |= bit;
            }
            match standing(now, bit, candidate, view, core) {
                Standing::In(Way::Free) => survey.usable |= bit,
                Standing::In(Way::Ramp) => {
                    survey.usable |= bit;
                    survey.ramp |= bit;
                }
                Standing::In(Way::Probe) => survey.half |= bit,
                Standing::Out(reason, until) => survey.drop(bit, reason, until, passed),
            }
        }
        survey
    }

    /// Takes the candidate at `bit` out, for `reason` and until then.
    pub(crate) fn drop(
        &mut self,
        bit: u64,
        reason: PassedOver,
        until: Moment,
        passed: &mut PassedSet,
    ) {
        self.usable &= !bit;
        self.half &= !bit;
        passed.set(bit, reason);
        if reason == PassedOver::AtCapacity {
            self.full |= bit;
        }
        if self.tiers & bit != 0 {
            self.reasons |= flag(reason);
            self.soonest = self.soonest.min(until);
        }
    }

    /// Leaves these only.
    pub(crate) fn only(&mut self, candidates: u64) {
        self.usable &= candidates;
        self.half &= candidates;
    }

    /// Why the candidate at `bit` is out, if it is; `reason` is what the survey has noted of it.
    pub(crate) const fn standing(
        &self,
        bit: u64,
        reason: Option<PassedOver>,
    ) -> Option<PassedOver> {
        if (self.usable | self.half) & bit == 0 {
            reason
        } else {
            None
        }
    }

    /// Whether `reason` stood in the way of a tier member.
    pub(crate) fn met(&self, reason: PassedOver) -> bool {
        self.reasons & flag(reason) != 0
    }

    /// Whether the rate limit is all that stands in the way, masked targets aside.
    pub(crate) fn only_throttled(&self) -> bool {
        let masked = flag(PassedOver::Forbidden) | flag(PassedOver::Lacks);
        self.reasons & !masked == flag(PassedOver::Throttled)
    }

    /// Whether breakers are all that stands in the way, masked and drained targets aside.
    pub(crate) fn only_open(&self) -> bool {
        let aside =
            flag(PassedOver::Forbidden) | flag(PassedOver::Lacks) | flag(PassedOver::Drained);
        self.reasons & !aside == flag(PassedOver::BreakerOpen)
    }

    /// Whether masks are all that stands in the way.
    pub(crate) fn only_masked(&self) -> bool {
        let masked = flag(PassedOver::Forbidden) | flag(PassedOver::Lacks);
        self.reasons & !masked == 0
    }
}

/// How one candidate stands.
enum Standing {
    In(Way),
    Out(PassedOver, Moment),
}

fn standing(now: Moment, bit: u64, candidate: Candidate, view: &View<'_>, core: &Core) -> Standing {
    if view.forbidden & bit != 0 {
        return Standing::Out(mask_of(candidate, view), Moment::NEVER);
    }
    let Some(cell) = core.board.cell(candidate.target) else {
        return Standing::Out(PassedOver::Forbidden, Moment::NEVER);
    };
    if view.outgrown.is_some() && view.is_too_small(candidate) {
        return Standing::Out(PassedOver::TooSmall, Moment::NEVER);
    }
    let way = match health(now, cell, core) {
        Ok(way) => way,
        Err((reason, until)) => return Standing::Out(reason, until),
    };
    if let Some(queue) = &cell.queue
        && !view.queued
        && queue.waiting() != 0
    {
        return Standing::Out(PassedOver::AtCapacity, now + BUSY_HINT);
    }
    if let (Some(remaining), Some(usual)) = (view.remaining, core.usual_ttft(candidate.target))
        && usual > remaining
    {
        return Standing::Out(PassedOver::NoTime, Moment::NEVER);
    }
    if view.tried & bit != 0 {
        return Standing::Out(PassedOver::Tried, Moment::NEVER);
    }
    Standing::In(way)
}

/// How a target may be asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Way {
    /// Like any other.
    Free,
    /// By a part of the requests that would ask it.
    Ramp,
    /// As a probe.
    Probe,
}

/// What the board says about one target: how it may be asked, or why and until when it is out.
pub(crate) fn health(now: Moment, cell: &Cell, core: &Core) -> Result<Way, (PassedOver, Moment)> {
    let order = cell.pause.order.order();
    if order == Order::Drain {
        return Err((PassedOver::Drained, Moment::NEVER));
    }
    let paused = match cell.standing(now, &core.board) {
        KeyStanding::Usable => None,
        KeyStanding::Paused(until) => Some(until),
        KeyStanding::Out(until) => return Err((PassedOver::KeyOut, until)),
    };
    if let Some(until) = cell.pause.gone.until(now) {
        return Err((PassedOver::ModelGone, until));
    }
    if let Some(checked) = cell.checked
        && core.board.is_down(cell)
    {
        return Err((PassedOver::Down, now + checked.recovery));
    }
    let packed = cell.packed(core.index, order);
    let mut way = Way::Free;
    if !closed(packed) {
        let word = Word::unpack(packed);
        way = match word.state {
            State::Open => return Err((PassedOver::BreakerOpen, word.until)),
            State::HalfOpen => Way::Probe,
            State::Ramp => Way::Ramp,
            State::Closed => Way::Free,
        };
    }
    if let Some(until) = paused {
        return Err((PassedOver::Throttled, until));
    }
    if cell.is_full(cell.inflight.load(Relaxed)) {
        return Err((PassedOver::AtCapacity, now + BUSY_HINT));
    }
    Ok(way)
}

/// Which mask it was: the program's bits do not say.
fn mask_of(candidate: Candidate, view: &View<'_>) -> PassedOver {
    let target = view.plan.policy.targets.get(candidate.target.index());
    if target.is_some_and(|target| target.lacks_any(view.serve.require)) {
        PassedOver::Lacks
    } else {
        PassedOver::Forbidden
    }
}

const fn flag(reason: PassedOver) -> u16 {
    1 << reason as u8
}

/// What a client is told to wait where only slots or probes are taken: they come back within an answer's time, and the
/// header knows whole seconds only.
pub(crate) const BUSY_HINT: Span = Span::from_secs(1);
