//! What is kept of a decision while its request runs, where the policy asks for records: the facts, in the notes' memory;
//! and the steps with what they saw, in memory of their own that only a request has which is recorded. The others pay for a
//! look at a byte.

use crate::base::Moment;
use crate::engine::{Asked, Attempt, Board, Did, Noted, Step};
use crate::exchange::Exchange;
use crate::exchange::context::Context;
use crate::ops::{ChainLog, DecisionNotes, Ending, Record, Wanted};

/// The steps of a request so far.
#[derive(Debug, Default)]
pub(super) struct Steps {
    list: Vec<Noted>,
    /// Nothing is missing at the beginning.
    whole: bool,
}

impl Exchange {
    /// The next step of the chain, noted where the request is recorded.
    pub(super) fn chain_step(&mut self, now: Moment, context: &mut Context<'_>) -> Option<Step> {
        let chain = self.chain.as_mut()?;
        let wanted = match self.request.wanted {
            Wanted::Never => return Some(chain.next(now, context.plan, context.core)),
            wanted => wanted,
        };
        let begun = chain.attempts().len() > 0;
        let always = matches!(wanted, Wanted::Logged | Wanted::Always);
        if always || begun || self.steps.is_some() {
            let (step, noted) = chain.next_noted(now, context.plan, context.core);
            self.note(noted, !begun);
            return Some(step);
        }
        let step = chain.next(now, context.plan, context.core);
        if matches!(step, Step::Finish(_)) {
            // It fails before anything was tried: what there is to see is still there.
            let look = chain.look(now, context.plan, context.core);
            let (asked, did) = (Asked::Next, Did::Finish);
            self.note(Noted { asked, look, did }, true);
        }
        Some(step)
    }

    /// A step of another kind, by `take`, noted where the request is recorded.
    pub(super) fn noted_attempt(
        &mut self,
        now: Moment,
        asked: Asked,
        context: &mut Context<'_>,
        take: impl FnOnce(&mut Self, &mut Context<'_>) -> Option<Attempt>,
    ) -> Option<Attempt> {
        let board = self.chain.as_ref().and_then(|it| it.noting(context.core));
        let _still = board.as_deref().map(Board::still);
        let noting = self.steps.is_some();
        let look = match &self.chain {
            Some(chain) if noting => Some(chain.look(now, context.plan, context.core)),
            _ => None,
        };
        let attempt = take(self, context);
        if let Some(look) = look {
            let did = attempt.map_or(Did::Nothing, |attempt| Did::Attempt(attempt.target));
            self.note(Noted { asked, look, did }, false);
        }
        attempt
    }

    fn note(&mut self, noted: Noted, first: bool) {
        let steps = self.steps.get_or_insert_with(|| {
            Box::new(Steps {
                list: Vec::new(),
                whole: first,
            })
        });
        if steps.list.len() < STEPS_MAX {
            steps.list.push(noted);
        }
    }

    /// Hands the decision over, if it is to be recorded.
    pub(super) fn record_decision(&mut self, record: &Record, context: &Context<'_>) {
        let steps = self.steps.take();
        let wanted = match self.request.wanted {
            Wanted::Never => false,
            Wanted::Logged | Wanted::Always => true,
            Wanted::IfFailed => record.ending == Ending::Failed,
        };
        let Some(chain) = self.chain.as_mut().filter(|_| wanted) else {
            return;
        };
        let calls = chain.take_calls();
        let steps = steps.map(|steps| *steps).unwrap_or_default();
        let request = &self.request;
        let facts = request.notes.facts(context.plan.program.needs());
        context.journal.keep_decision(DecisionNotes {
            record: *record,
            facts: facts.of(
                request.notes.model(),
                request.operation.client_path(),
                request.stream,
            ),
            begun: chain.begun(),
            deadline: chain.deadline(),
            steps: steps.list,
            whole: steps.whole,
            log: calls.map(|calls| ChainLog {
                core: context.core.index(),
                patience: chain.patience(),
                calls,
            }),
        });
    }
}

/// More than attempts and waits make, and fewer than a long stay in a queue.
const STEPS_MAX: usize = 32;
