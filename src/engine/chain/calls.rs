//! What a chain was asked and told, and when, to the nanosecond. Together with the ticks it is all that an engine hangs on: who
//! gives another engine the same calls gets the same decisions (`sim/replay`). Only chains note it whose every fellow is
//! recorded, too; the others pay for a look at a word.

use std::sync::{Arc, MutexGuard, PoisonError};

use crate::base::{Moment, Outcome, Span, TargetId};
use crate::engine::board::Board;
use crate::engine::breaker::slot::{Slot, Totals};
use crate::engine::breaker::word::State;
use crate::engine::chain::{Chain, End, Running};
use crate::engine::core::Core;
use crate::policy::Plan;

/// One call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Call {
    /// From the chain's beginning.
    pub at: Span,
    /// Which one.
    pub what: Called,
}

/// What a chain is asked or told. Attempts are named by their places in its history.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Called {
    /// [`Chain::next`].
    Next,
    /// [`Chain::hedge`].
    Hedge,
    /// [`Chain::go_on`].
    GoOn,
    /// [`Chain::content`], the first one of an attempt.
    Content {
        /// Whose.
        attempt: u8,
    },
    /// [`Chain::ended`].
    Ended {
        /// Which one did.
        attempt: u8,
        /// How.
        end: End,
        /// The longest time between two of its contents ([`Chain::gap`]).
        gap: Span,
    },
    /// [`Chain::abandoned`].
    Abandoned {
        /// As above, of the attempt at hand.
        gap: Span,
    },
}

/// The calls of one chain.
#[derive(Debug, Default)]
pub(super) struct Calls {
    list: Vec<Call>,
    /// Some are missing.
    cut: bool,
}

impl Chain {
    /// The same, noting what it is asked and told.
    #[must_use]
    pub fn noting_calls(mut self) -> Self {
        self.calls = Some(Box::default());
        self
    }

    /// What it was asked and told, if it noted that, and all of it.
    pub fn take_calls(&mut self) -> Option<Vec<Call>> {
        let calls = self.calls.take()?;
        (!calls.cut).then_some(calls.list)
    }

    /// The board, for as long as no tick may come between: a step that is noted sees all its candidates as they are at one
    /// moment, and a tick finds all that a call brings counted, or nothing of it. `None` where nothing is noted.
    pub fn noting(&self, core: &Core) -> Option<Arc<Board>> {
        let noting = self.calls.as_ref();
        noting.map(|_| Arc::clone(core.board()))
    }

    /// Whether an attempt is under way.
    pub fn is_running(&self) -> bool {
        self.running.is_some() || self.beside.is_some()
    }

    /// Makes the attempt with this place in the history the one at hand. Tells whether it is under way at all.
    pub fn take_at_hand(&mut self, attempt: u8) -> bool {
        let is = |running: &Running| running.index == attempt;
        if self.beside.as_deref().is_some_and(is) {
            self.turn();
        }
        self.running.as_ref().is_some_and(is)
    }

    pub(super) fn note_call(&mut self, now: Moment, what: Called) {
        if let Some(calls) = &mut self.calls {
            calls.note(now.since(self.begun), what);
        }
    }
}

impl Calls {
    #[cold]
    pub(super) fn note(&mut self, at: Span, what: Called) {
        if self.list.len() < CALLS_MAX {
            self.list.push(Call { at, what });
        } else {
            self.cut = true;
        }
    }
}

/// What ticks are put in order by, among what requests report.
impl Board {
    /// No tick changes anything while this is held.
    pub fn still(&self) -> MutexGuard<'_, ()> {
        self.still.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of each target, how much the last tick found counted.
    pub fn seen(&self) -> impl Iterator<Item = u64> + '_ {
        self.cells.iter().map(|cell| {
            let newest = cell.windows.iter().map(|window| sum(window.newest()));
            newest.fold(0, u64::wrapping_add)
        })
    }

    /// Of each target, how much is counted now.
    pub fn counted(&self) -> impl Iterator<Item = u64> + '_ {
        self.cells.iter().map(|cell| {
            let slots = cell.slots.iter().map(|slot| sum(Slot::read(slot)));
            slots.fold(0, u64::wrapping_add)
        })
    }

    /// The state of the breaker that requests on `core` to the target of this name go by.
    pub fn state_of(&self, plan: &Plan, target: &str, core: usize) -> Option<State> {
        let mut targets = plan.policy.targets.iter();
        let index = targets.position(|it| *it.name == *target)?;
        let gate = self.cells.get(index)?.gate(core)?;
        Some(gate.word().state)
    }

    /// Whether an attempt at a target that ends so is counted, unless its breaker has changed meanwhile.
    pub fn counts(&self, target: TargetId, outcome: Outcome) -> bool {
        let cell = self.cell(target);
        cell.is_some_and(|cell| cell.rules.health_of(outcome).is_some())
    }
}

/// All that is counted of one target.
fn sum(totals: Totals) -> u64 {
    let [short, medium, long] = totals.ttfts;
    [totals.gaps, short, medium, long]
        .into_iter()
        .fold(totals.requests, u64::wrapping_add)
}

/// More than attempts make; a long stay in a queue makes more.
const CALLS_MAX: usize = 256;
