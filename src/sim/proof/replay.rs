//! A way that was thought out, gone by the live engine: before each attempt the board is put so that the one who is to be
//! asked is well, and nobody else.

use std::sync::Arc;

use crate::base::{Moment, Outcome, RequestId, Span, TargetId};
use crate::engine::ways::{Ending, How, Kind, Leg};
use crate::engine::{Attempt, Board, Chain, Core, End, Form, Step, fallback_line};
use crate::policy::Plan;
use crate::policy::model::{Action, At, Retries, Serve};

/// Any moment.
const BEGINNING: Moment = Moment::from_nanos(3_600_000_000_000);
/// What an attempt takes that does not wait for a timer.
const ANSWER: Span = Span::from_millis(1);
/// What is asked is whether it may be, not whether traffic has earned it.
const ALL_PPM: u32 = 1_000_000;
/// Repeats of one request are fewer.
const EARNED: u32 = 10;
/// Waits before one attempt.
const WAITS_MAX: u32 = 16;

/// One attempt, as the engine made it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visit {
    pub(super) target: TargetId,
    pub(super) how: How,
    pub(super) nobody: Option<Outcome>,
    /// `None` for the last one.
    pub(super) outcome: Option<Outcome>,
    /// The fallback line that says what follows, if one does.
    pub(super) line: Option<At>,
    /// The candidates, by bit, that were masked when it began.
    pub(super) masked: u64,
}

/// Has the engine go `way`. `None` if it does not.
pub(super) fn go(plan: &Plan, kind: &Kind<'_>, way: &[Leg]) -> Option<Vec<Visit>> {
    let Action::Serve(serve) = &plan.policy.routes.get(kind.decision.route.index())?.action else {
        return None;
    };
    let mut core = Core::new(Arc::new(Board::seeded(plan, 1, 0)), plan, 0);
    earn(plan, kind, &mut core);
    let form = if kind.streams {
        Form::Stream
    } else {
        Form::Whole
    };
    let chain = Chain::new(plan, kind.decision, form, RequestId(1), BEGINNING);
    let mut candidates: Vec<TargetId> = Vec::new();
    for candidate in plan.program.candidates(kind.decision.route) {
        if !candidates.contains(&candidate.target) {
            candidates.push(candidate.target);
        }
    }
    let mut replay = Replay {
        plan,
        serve,
        candidates,
        core,
        chain,
        now: BEGINNING,
        masked: 0,
        visits: Vec::new(),
    };
    way.iter().try_for_each(|leg| replay.leg(leg))?;
    Some(replay.visits)
}

fn earn(plan: &Plan, kind: &Kind<'_>, core: &mut Core) {
    if let Some(allowance) = core.allowance(kind.decision.route) {
        allowance.deposit(ALL_PPM);
    }
    for target in &plan.policy.targets {
        let Some(retries) = plan.policy.retries.get(target.retries.index()) else {
            continue;
        };
        let rich = Retries {
            budget: ALL_PPM,
            ..retries.clone()
        };
        for _ in 0..EARNED {
            core.deposit(target.provider, &rich);
        }
    }
}

struct Replay<'p> {
    plan: &'p Plan,
    serve: &'p Serve,
    candidates: Vec<TargetId>,
    core: Core,
    chain: Chain,
    now: Moment,
    /// As of the attempt at hand.
    masked: u64,
    visits: Vec<Visit>,
}

impl Replay<'_> {
    fn leg(&mut self, leg: &Leg) -> Option<()> {
        let decision = self.chain.decision();
        self.masked = self.plan.program.forbidden(&decision, &self.chain.facts());
        match leg.nobody {
            Some(reason) => self.nobody_but(leg.target, reason),
            None => self.steer(leg.target),
        }
        let first = self.next(leg.target)?;
        let begun = self.now;
        let Some(hedge) = leg.hedge else {
            self.visit(leg.target, leg.how, leg.nobody, leg.ends);
            match leg.ends {
                Some(ends) => self.end(begun, ends),
                None => self.chain.abandoned(self.now, self.plan, &mut self.core),
            }
            return Some(());
        };
        self.steer(hedge.target);
        if first.hedge_at != Moment::NEVER {
            self.now = self.now.max(first.hedge_at);
        }
        let second_begun = self.now;
        let second = self.chain.hedge(self.now, self.plan, &mut self.core)?;
        (second.target == hedge.target).then_some(())?;
        self.visit(leg.target, leg.how, leg.nobody, leg.ends);
        self.visit(hedge.target, How::Hedge, None, hedge.ends);
        match (leg.ends, hedge.ends) {
            (Some(ends), Some(second_ends)) if hedge.last => {
                self.end(second_begun, ends);
                self.chain.turn();
                self.end(second_begun, second_ends);
            }
            (Some(ends), Some(second_ends)) => {
                self.chain.turn();
                self.end(second_begun, second_ends);
                self.chain.turn();
                self.end(begun, ends);
            }
            // What looks for the second one has found it as soon as it is asked.
            _ => self.chain.abandoned(self.now, self.plan, &mut self.core),
        }
        Some(())
    }

    /// The attempt at `target` that the chain makes, after waits.
    fn next(&mut self, target: TargetId) -> Option<Attempt> {
        for _ in 0..WAITS_MAX {
            match self.chain.next(self.now, self.plan, &mut self.core) {
                Step::Attempt(attempt) => {
                    return (attempt.target == target).then_some(attempt);
                }
                Step::Wait(until) => self.now = until,
                Step::Finish(_) => return None,
            }
        }
        None
    }

    fn steer(&self, target: TargetId) {
        self.keep_out(target, Outcome::BreakerOpen);
        self.core.board().cure(target);
    }

    fn nobody_but(&self, target: TargetId, reason: Outcome) {
        self.keep_out(target, reason);
        self.core.board().cure(target);
    }

    fn keep_out(&self, but: TargetId, reason: Outcome) {
        let others = self.candidates.iter().filter(|one| **one != but);
        others.for_each(|other| self.core.board().keep_out(*other, reason, self.now));
    }

    /// The attempt at hand, which began at `begun`, ends so.
    fn end(&mut self, begun: Moment, ends: Ending) {
        self.now = self.now.max(begun + ends.waited.max(ANSWER));
        let end = End {
            outcome: ends.outcome,
            retry_after: None,
            model_alone: false,
        };
        self.chain.ended(self.now, self.plan, &mut self.core, end);
    }

    fn visit(&mut self, target: TargetId, how: How, nobody: Option<Outcome>, ends: Option<Ending>) {
        let line = |ends: Ending| fallback_line(self.serve, ends.outcome, ends.waited);
        let line = ends.and_then(line).map(|(_, line)| line.at);
        let masked = self.masked;
        self.visits.push(Visit {
            masked,
            target,
            how,
            nobody,
            outcome: ends.map(|ends| ends.outcome),
            line,
        });
    }
}
