//! All ways that requests of one kind can take: the chain with every state and every outcome open.
//!
//! ```text
//!   decision ─▶ Model    places, endings that can be told apart, what is masked when
//!   Model    ─▶ search   from the first attempt on: who may be asked next, and how that may end, each state once
//!                │
//!                └─▶ Found: who is asked at all; the shortest way to what a Lens looks for
//! ```
//! At each step every target may be well or not, whatever it was before, and every attempt may end in every outcome that a
//! provider can give. What is never reached so is never reached. What is reached here the chain reaches, too, on a board that
//! is put into these states step by step: `sim` has it go that way.

mod model;
mod search;

use std::fmt;

use crate::base::{Outcome, Span, TargetId};
use crate::policy::model::AttemptFacts;
use crate::policy::{Decision, Plan};

use self::model::Model;

/// Requests for which a plan decides the same.
#[derive(Clone, Copy, Debug)]
pub struct Kind<'p> {
    /// The plan.
    pub plan: &'p Plan,
    /// What it decides.
    pub decision: Decision,
    /// Some of them want a stream.
    pub streams: bool,
    /// Some of them want the answer in one piece.
    pub wholes: bool,
}

/// What is looked for among the attempts.
pub struct Lens<'l> {
    /// The candidates, by bit, that must not be asked in an attempt with these facts.
    pub never: &'l dyn Fn(AttemptFacts) -> u64,
    /// Whether so many attempts, changes of key included, are what is looked for.
    pub counts: &'l dyn Fn(u8) -> bool,
}

impl fmt::Debug for Lens<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lens").finish_non_exhaustive()
    }
}

impl Lens<'_> {
    /// Looks for nothing: all ways are gone.
    pub const NOTHING: Self = Self {
        never: &|_| 0,
        counts: &|_| false,
    };
}

/// How an attempt comes about.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum How {
    /// A member of a tier that was not asked yet.
    Pick,
    /// A fallback line's `-> target`.
    Jump,
    /// The same target once more, because nobody else is left.
    Repeat,
    /// The same target with another key.
    KeyChange,
    /// Beside an attempt that brings nothing.
    Hedge,
}

/// How an attempt ends.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Ending {
    /// In this.
    pub outcome: Outcome,
    /// After so long without content; what is not about time ends at once.
    pub waited: Span,
}

/// One step of a way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Leg {
    /// Who is asked.
    pub target: TargetId,
    /// How that comes.
    pub how: How,
    /// Nobody of the tiers could be asked before, for this reason.
    pub nobody: Option<Outcome>,
    /// How it ends; `None` for the last one, with which what is looked for has come about.
    pub ends: Option<Ending>,
    /// The attempt beside it.
    pub hedge: Option<Beside>,
}

/// A second attempt beside the first one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Beside {
    /// Who is asked.
    pub target: TargetId,
    /// How it ends; `None` as above.
    pub ends: Option<Ending>,
    /// It ends after the first one.
    pub last: bool,
}

/// What came of a search.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// States that were looked at.
    pub states: usize,
    /// The shortest way to what was looked for.
    pub way: Option<Vec<Leg>>,
    /// Who may be asked first. All of them where nothing was looked for.
    pub first: Vec<TargetId>,
    /// Who may be asked after a failure, beside another one, or because nobody of the tiers can be. As above.
    pub later: Vec<TargetId>,
}

/// More states than the bound allows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TooMany;

/// Goes all ways of a kind of request until `lens` sees what it looks for. Looks at `states_max` states at most.
pub fn search(kind: &Kind<'_>, lens: &Lens<'_>, states_max: usize) -> Result<Found, TooMany> {
    match Model::of(kind, lens) {
        Some(model) => search::run(&model, lens, states_max),
        // A route that only rejects.
        None => Ok(Found::default()),
    }
}

/// The members of the tiers that a kind of request may ask first, in the order of the tiers.
pub fn first_choices(kind: &Kind<'_>) -> Vec<TargetId> {
    let model = Model::of(kind, &Lens::NOTHING);
    model.map_or_else(Vec::new, |model| {
        let first = model.members & !model.masked(AttemptFacts::default());
        model.targets(first)
    })
}
