//! The board of a test, and providers that do what its script says.

use std::sync::Arc;

use crate::base::{Moment, Outcome, RequestId, Span, TargetId};
use crate::dialect::openai::{ClientError, outcome_of};
use crate::engine::{
    Asked, Attempt, Board, Chain, Core, Did, End, Finish, Form, Noted, Step, fallback_line,
};
use crate::policy::Plan;
use crate::policy::model::{Action, At, Serve};
use crate::policy::trial::{Scripted, Staged, Trial};
use crate::sim::request::Request;

use super::journey::{Ending, Journey, Visit};

/// Targets in the states that a test names.
pub(super) struct Stage<'p> {
    plan: &'p Plan,
    trial: &'p Trial,
    core: Core,
    /// A request has changed what the board knows.
    used: bool,
    /// Whether steps are noted with what they saw.
    notes: bool,
}

/// A step of a request, and how many of its attempts had ended before.
pub(super) type NotedStep = (Noted, usize);

/// Any moment: rests and pauses are counted from here.
pub(in crate::sim) const BEGINNING: Moment = Moment::from_nanos(3_600_000_000_000);
/// What an attempt takes that does not wait for a timer.
const ANSWER: Span = Span::from_millis(1);
/// In parts per million. A test asks what a hedge does, not whether traffic has earned it.
const ONE_HEDGE: u32 = 1_000_000;

impl<'p> Stage<'p> {
    pub(super) fn new(plan: &'p Plan, trial: &'p Trial) -> Self {
        Self {
            plan,
            trial,
            core: set(plan, trial),
            used: false,
            notes: false,
        }
    }

    /// The way of one request, each step with what it saw.
    pub(super) fn play_noted(
        &mut self,
        request: &Request,
        id: RequestId,
    ) -> (Journey, Vec<NotedStep>) {
        self.notes = true;
        let played = self.played(request, id);
        self.notes = false;
        played
    }

    /// The way of one request, from the states that the test names.
    pub(super) fn play(&mut self, request: &Request, id: RequestId) -> Journey {
        self.played(request, id).0
    }

    fn played(&mut self, request: &Request, id: RequestId) -> (Journey, Vec<NotedStep>) {
        if self.used {
            self.core = set(self.plan, self.trial);
            self.used = false;
        }
        let decision = request.decide(&self.plan.program);
        if let Some(allowance) = self.core.allowance(decision.route) {
            allowance.deposit(ONE_HEDGE);
        }
        let form = if request.stream {
            Form::Stream
        } else {
            Form::Whole
        };
        let chain = Chain::new(self.plan, decision, form, id, BEGINNING);
        let mut play = Play {
            stage: self,
            chain,
            now: BEGINNING,
            visits: Vec::new(),
            notes: Vec::new(),
        };
        let ending = play.finish();
        let (visits, chain, notes) = (play.visits, play.chain, play.notes);
        let candidates = self.plan.program.candidates(decision.route).iter();
        let failed = visits
            .iter()
            .any(|visit| visit.outcome != Some(Outcome::Ok));
        let probed = |(_, state): &(TargetId, Staged)| *state == Staged::HalfOpen;
        self.used |= failed || self.trial.states.iter().any(probed);
        let journey = Journey {
            route: decision.route,
            visits,
            passed: candidates
                .enumerate()
                .filter_map(|(index, candidate)| {
                    Some((candidate.target, chain.passed_over(index)?))
                })
                .collect(),
            ending,
        };
        (journey, notes)
    }
}

fn set(plan: &Plan, trial: &Trial) -> Core {
    let board = Board::seeded(plan, 1, trial.seed);
    for &(target, state) in &trial.states {
        board.stage(target, state, BEGINNING);
    }
    Core::new(Arc::new(board), plan, 0)
}

/// An attempt, and how it will end.
struct Running {
    attempt: Attempt,
    scripted: Scripted,
    outcome: Outcome,
    started: Moment,
    over: Moment,
}

impl Running {
    fn visit(&self, outcome: Option<Outcome>, hedge: bool) -> Visit {
        Visit {
            target: self.attempt.target,
            outcome,
            status: match self.scripted {
                Scripted::Status(status) => Some(status),
                Scripted::Outcome(_) => None,
            },
            index: self.attempt.index,
            hedge,
            line: None,
        }
    }
}

/// One request under way.
struct Play<'s, 'p> {
    stage: &'s mut Stage<'p>,
    chain: Chain,
    now: Moment,
    visits: Vec<Visit>,
    notes: Vec<NotedStep>,
}

impl Play<'_, '_> {
    fn finish(&mut self) -> Ending {
        loop {
            match self.next() {
                Step::Attempt(attempt) => self.attempt(attempt),
                Step::Wait(until) => self.now = until,
                Step::Finish(finish) => return self.ending(finish),
            }
        }
    }

    fn next(&mut self) -> Step {
        let (plan, core) = (self.stage.plan, &mut self.stage.core);
        if !self.stage.notes {
            return self.chain.next(self.now, plan, core);
        }
        let (step, noted) = self.chain.next_noted(self.now, plan, core);
        self.notes.push((noted, self.visits.len()));
        step
    }

    fn hedge(&mut self) -> Option<Attempt> {
        let (plan, core) = (self.stage.plan, &mut self.stage.core);
        let notes = self.stage.notes;
        let look = notes.then(|| self.chain.look(self.now, plan, core));
        let second = self.chain.hedge(self.now, plan, core);
        if let Some(look) = look {
            let noted = Noted {
                asked: Asked::Hedge,
                look,
                did: second.map_or(Did::Nothing, |second| Did::Attempt(second.target)),
            };
            self.notes.push((noted, self.visits.len()));
        }
        second
    }

    /// One attempt, and the one beside it where the policy hedges.
    fn attempt(&mut self, attempt: Attempt) {
        let first = self.begin(attempt);
        if attempt.hedge_at < first.over {
            self.now = self.now.max(attempt.hedge_at);
            if let Some(second) = self.hedge() {
                let second = self.begin(second);
                return self.both(&first, &second);
            }
        }
        self.end(&first, false);
    }

    /// The first of two attempts that answers is the answer; the other one is cut off.
    fn both(&mut self, first: &Running, second: &Running) {
        let second_leads = second.over < first.over;
        if second_leads {
            self.chain.turn();
        }
        let (leader, other) = if second_leads {
            (second, first)
        } else {
            (first, second)
        };
        let answered = leader.outcome == Outcome::Ok;
        let overtaken = other.visit(None, !second_leads);
        if answered && second_leads {
            self.visits.push(overtaken);
        }
        self.end(leader, second_leads);
        if answered && !second_leads {
            self.visits.push(overtaken);
        } else if !answered {
            self.chain.turn();
            self.end(other, !second_leads);
        }
    }

    fn begin(&self, attempt: Attempt) -> Running {
        let scripted = self.scripted(attempt.target);
        let outcome = self.outcome_of(attempt.target, scripted);
        let over = match outcome {
            Outcome::Ttft => attempt.content_by,
            Outcome::Timeout => attempt.content_by.min(attempt.deadline),
            _ => self.now + ANSWER,
        };
        Running {
            attempt,
            scripted,
            outcome,
            started: self.now,
            over,
        }
    }

    /// The attempt at hand ends as its script says.
    fn end(&mut self, running: &Running, hedge: bool) {
        self.now = self.now.max(running.over);
        let waited = self.now.since(running.started);
        self.visits.push(Visit {
            line: self.line(running.outcome, waited),
            ..running.visit(Some(running.outcome), hedge)
        });
        let (plan, core) = (self.stage.plan, &mut self.stage.core);
        if running.outcome == Outcome::Ok {
            self.chain.content(self.now, plan, core);
        }
        let end = End {
            outcome: running.outcome,
            retry_after: None,
            model_alone: false,
        };
        self.chain.ended(self.now, plan, core, end);
    }

    /// The fallback line that speaks of `outcome`, with its index.
    fn line(&self, outcome: Outcome, waited: Span) -> Option<(u8, At)> {
        let failed = outcome != Outcome::Ok;
        let (index, line) = fallback_line(self.serve().filter(|_| failed)?, outcome, waited)?;
        Some((index, line.at))
    }

    fn serve(&self) -> Option<&Serve> {
        let route = self.chain.decision().route;
        match &self.stage.plan.policy.routes.get(route.index())?.action {
            Action::Serve(serve) => Some(serve),
            Action::Reject(_) => None,
        }
    }

    /// What the script says to the next attempt at `target`.
    fn scripted(&self, target: TargetId) -> Scripted {
        let before = self
            .visits
            .iter()
            .filter(|visit| visit.target == target)
            .count();
        let script = self
            .stage
            .trial
            .scripts
            .iter()
            .rev()
            .find(|(of, _)| *of == target);
        script
            .and_then(|(_, steps)| steps.get(before).or_else(|| steps.last()))
            .copied()
            .unwrap_or(Scripted::Outcome(Outcome::Ok))
    }

    fn outcome_of(&self, target: TargetId, scripted: Scripted) -> Outcome {
        match scripted {
            Scripted::Outcome(outcome) => outcome,
            Scripted::Status(status) => {
                let policy = &self.stage.plan.policy;
                let target = policy.targets.get(target.index());
                let provider =
                    target.and_then(|target| policy.providers.get(target.provider.index()));
                provider.map_or(Outcome::S5xx, |provider| {
                    outcome_of(provider.kind, status, b"{}")
                })
            }
        }
    }

    fn ending(&self, finish: Finish) -> Ending {
        match (
            finish,
            self.visits
                .iter()
                .rev()
                .find(|visit| visit.outcome == Some(Outcome::Ok)),
        ) {
            (Finish::Stop, Some(answer)) => Ending::Answered(answer.target),
            (Finish::Stop, None) => {
                let last = self.visits.last();
                let outcome = last
                    .and_then(|visit| visit.outcome)
                    .unwrap_or(Outcome::S5xx);
                let error = match last.and_then(|visit| visit.status) {
                    Some(status) => ClientError::of_answer(outcome, status, b"{}"),
                    None => ClientError::of_outcome(outcome),
                };
                Ending::Stopped(error.status)
            }
            (
                Finish::Reject {
                    status,
                    reason,
                    at,
                    message,
                    ..
                },
                _,
            ) => Ending::Rejected {
                status,
                reason,
                at,
                by: message.by(),
            },
        }
    }
}
