//! What a chain sees before a step: how each candidate of its route stands, and what chance has drawn. For whoever
//! records a decision or explains one; it changes nothing, and `engine/stage` puts a board back into what was seen.

use std::sync::atomic::Ordering::Relaxed;

use crate::base::{Moment, Span, TargetId, hash};
use crate::engine::balance::bit;
use crate::engine::board::{Board, Cell};
use crate::engine::breaker::gate::Gate;
use crate::engine::breaker::word::{Rule, State, Word};
use crate::engine::chain::survey::{Survey, View};
use crate::engine::chain::{Chain, PassedOver, Step, action};
use crate::engine::core::Core;
use crate::engine::queue::Queue;
use crate::policy::model::Action;
use crate::policy::{Candidate, Plan};

/// What a chain saw at one moment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Look {
    /// From the chain's beginning.
    pub at: Span,
    /// What was left of the request's time.
    pub time_left: Span,
    /// Attempts that the request might still make, changes of key aside.
    pub attempts_left: u8,
    /// What this step draws by: of 2⁶⁴ parts so many.
    pub chance: u64,
    /// The candidates of the route, in their order; none where it is a `reject`.
    pub sights: Vec<Sight>,
}

/// How one candidate stood.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sight {
    /// The target.
    pub target: TargetId,
    /// Index of its tier, or [`Candidate::JUMP`].
    pub tier: u8,
    /// Its weight in the tier.
    pub weight: u32,
    /// Whether it could be asked.
    pub stand: Stand,
    /// Its breaker, as this core goes by it.
    pub breaker: BreakerSight,
    /// Attempts under way.
    pub inflight: u32,
    /// How many of them there may be, if that is bounded.
    pub max_inflight: Option<u32>,
    /// Requests that wait for a place.
    pub queued: u32,
    /// The part of its load that leaves because it is slow, in parts per million.
    pub spilt: u32,
    /// The usual time to its first content on this core, once one is known.
    pub usual: Option<Span>,
    /// Somebody has been sent to find that out.
    pub asked: bool,
    /// What `round_robin` owes it on this core.
    pub turn: i64,
    /// Repeats that its provider's budget would pay on this core, in millionths.
    pub repeats: u64,
}

/// A breaker's state, with what picks go by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BreakerSight {
    /// What it does with requests, orders aside.
    pub state: State,
    /// What opened it last.
    pub why: Option<Rule>,
    /// Counts its changes.
    pub epoch: u32,
    /// How often its cool-down was doubled.
    pub level: u8,
    /// When the state ends by itself: of the cool-down, of the wait for probes, of the ramp.
    pub until: Moment,
    /// Probes under way.
    pub probes: u32,
}

/// How a candidate may be asked, or why not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stand {
    /// Like any other.
    Free,
    /// By this part of the requests that would ask it, in parts per million.
    Ramp(u32),
    /// As a probe.
    Probe,
    /// Not, for this reason, and until then; [`Moment::NEVER`] where waiting cures nothing.
    Out(PassedOver, Moment),
}

/// A step of a chain, with what it saw.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Noted {
    /// What the chain was asked for.
    pub asked: Asked,
    /// What it saw.
    pub look: Look,
    /// What it did.
    pub did: Did,
}

/// What a chain is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Asked {
    /// The next step.
    Next,
    /// A second attempt beside the one at hand.
    Hedge,
    /// Somebody to go on with a stream that broke.
    GoOn,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Did {
    /// An attempt began there.
    Attempt(TargetId),
    /// It waits until then, from the chain's beginning.
    Wait(Span),
    /// It is over.
    Finish,
    /// Nothing: no hedge, or nobody to go on.
    Nothing,
}

impl Chain {
    /// As [`Chain::next`], and what was seen.
    ///
    /// # Panics
    /// While an attempt runs.
    pub fn next_noted(&mut self, now: Moment, plan: &Plan, core: &mut Core) -> (Step, Noted) {
        let board = self.noting(core);
        let _still = board.as_deref().map(Board::still);
        let look = self.look(now, plan, core);
        let step = self.next(now, plan, core);
        let did = match step {
            Step::Attempt(attempt) => Did::Attempt(attempt.target),
            Step::Wait(until) => Did::Wait(until.since(self.begun)),
            Step::Finish(_) => Did::Finish,
        };
        let asked = Asked::Next;
        (step, Noted { asked, look, did })
    }

    /// As [`Chain::hedge`], and what was seen.
    pub fn hedge_noted(&mut self, now: Moment, plan: &Plan, core: &mut Core) -> Noted {
        let board = self.noting(core);
        let _still = board.as_deref().map(Board::still);
        let look = self.look(now, plan, core);
        let second = self.hedge(now, plan, core);
        let did = second.map_or(Did::Nothing, |second| Did::Attempt(second.target));
        let asked = Asked::Hedge;
        Noted { asked, look, did }
    }

    /// As [`Chain::go_on`], and what was seen.
    ///
    /// # Panics
    /// While an attempt runs.
    pub fn go_on_noted(
        &mut self,
        now: Moment,
        plan: &Plan,
        core: &mut Core,
        able: impl Fn(TargetId) -> bool,
    ) -> Noted {
        let board = self.noting(core);
        let _still = board.as_deref().map(Board::still);
        let look = self.look(now, plan, core);
        let next = self.go_on(now, plan, core, able);
        let did = next.map_or(Did::Nothing, |next| Did::Attempt(next.target));
        let asked = Asked::GoOn;
        Noted { asked, look, did }
    }

    /// What the chain sees now.
    pub fn look(&self, now: Moment, plan: &Plan, core: &mut Core) -> Look {
        let Some(Action::Serve(serve)) = action(plan, self.decision) else {
            return Look {
                at: now.since(self.begun),
                ..Look::default()
            };
        };
        let view = self.view(now, plan, serve);
        let mut passed = self.passed;
        let mut sights = Vec::with_capacity(view.candidates.len());
        let survey = Survey::take(now, &view, core, &mut passed);
        for (index, candidate) in view.candidates.iter().enumerate() {
            let standing = survey.standing(bit(index), passed.of(index));
            sights.extend(self.sight(now, &view, (index, *candidate), standing, core));
        }
        Look {
            at: now.since(self.begun),
            time_left: self.begin_by().since(now),
            attempts_left: self.attempts_left(serve),
            chance: self.draw_chance(),
            sights,
        }
    }

    /// What the next pick draws by.
    pub(super) fn draw_chance(&self) -> u64 {
        let route = u64::from(self.decision.route.0);
        hash::mix(self.chance, route << 8 | u64::from(self.history.len()))
    }

    fn sight(
        &self,
        now: Moment,
        view: &View<'_>,
        (index, candidate): (usize, Candidate),
        standing: Option<PassedOver>,
        core: &mut Core,
    ) -> Option<Sight> {
        let turn = core.turns(self.decision.route).get(index).copied();
        let target = view.plan.policy.targets.get(candidate.target.index())?;
        let retries = view.plan.policy.retries.get(target.retries.index())?;
        let repeats = core.repeats_left(now, target.provider, retries);
        let speed = core.speeds.get(candidate.target.index()).copied();
        let speed = speed.unwrap_or_default();
        let cell = core.board.cell(candidate.target)?;
        let word = cell.gate(core.index).map(Gate::word)?;
        Some(Sight {
            target: candidate.target,
            tier: candidate.tier,
            weight: candidate.weight,
            stand: match standing {
                Some(reason) => Stand::Out(reason, until(now, reason, cell, core)),
                None => free_to(now, cell, word),
            },
            breaker: BreakerSight {
                state: word.state,
                why: word.rule,
                epoch: word.epoch,
                level: word.level,
                until: word.until,
                probes: cell.gate(core.index).map_or(0, Gate::probes_out),
            },
            inflight: cell.inflight.load(Relaxed),
            max_inflight: cell.max_inflight(),
            queued: cell.queue.as_ref().map_or(0, Queue::waiting),
            spilt: view.serve.spill.as_deref().map_or(0, |it| cell.spilt(it)),
            usual: speed.ttft.value(),
            asked: speed.asked,
            turn: turn.unwrap_or_default(),
            repeats,
        })
    }
}

/// How a candidate that nothing is against may be asked.
fn free_to(now: Moment, cell: &Cell, word: Word) -> Stand {
    use crate::engine::breaker::Order;
    match (cell.pause.order.order(), word.state) {
        (Order::Close, _) => Stand::Free,
        (_, State::HalfOpen) => Stand::Probe,
        (_, State::Ramp) => Stand::Ramp(cell.rules.ramp_share(word, now)),
        _ => Stand::Free,
    }
}

/// When a candidate that is out for `reason` may be asked again.
fn until(now: Moment, reason: PassedOver, cell: &Cell, core: &Core) -> Moment {
    match super::health(now, cell, core) {
        Err((found, until)) if found == reason => until,
        _ => Moment::NEVER,
    }
}
