//! The way of one request: where it went, what came of it, and which lines of the policy said so.

use crate::base::{Outcome, RouteId, TargetId};
use crate::engine::{By, PassedOver, Reason};
use crate::policy::Policy;
use crate::policy::model::{At, AttemptFacts};

use super::show;

/// One request, from its route to its answer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Journey {
    /// The route that it took.
    pub route: RouteId,
    /// Its attempts, in order.
    pub visits: Vec<Visit>,
    /// Candidates that were not asked when the last choice was made, and why, in the order of the route.
    pub passed: Vec<(TargetId, PassedOver)>,
    /// How it ended.
    pub ending: Ending,
}

/// One attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Visit {
    /// Who was asked.
    pub target: TargetId,
    /// What came of it; `None` where the one beside it answered first.
    pub outcome: Option<Outcome>,
    /// The status of the answer, where the script names one.
    pub status: Option<u16>,
    /// What forbids knew of the attempts before it when it began.
    pub facts: AttemptFacts,
    /// It ran beside the one before.
    pub hedge: bool,
    /// The fallback line that said what follows, if one did: its index, and where it stands.
    pub line: Option<(u8, At)>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// A target answered.
    Answered(TargetId),
    /// The client got what the last target had to say, with this status.
    Stopped(u16),
    /// The policy refused.
    Rejected {
        /// 400 to 599.
        status: u16,
        /// Why.
        reason: Reason,
        /// The line that says so.
        at: At,
        /// Which of the route's refusals that is.
        by: By,
    },
}

impl Default for Ending {
    fn default() -> Self {
        Self::Stopped(0)
    }
}

impl Journey {
    /// The status that the client sees.
    pub const fn status(&self) -> u16 {
        match self.ending {
            Ending::Answered(_) => 200,
            Ending::Stopped(status) | Ending::Rejected { status, .. } => status,
        }
    }

    /// Whose answer the client gets.
    pub const fn answered_by(&self) -> Option<TargetId> {
        match self.ending {
            Ending::Answered(target) => Some(target),
            Ending::Stopped(_) | Ending::Rejected { .. } => None,
        }
    }

    /// The whole way in words, a line for each step.
    pub fn told(&self, policy: &Policy) -> Vec<String> {
        show::journey(policy, self)
    }

    /// The targets that were asked, in order; repeats of one count once.
    pub fn chain(&self) -> Vec<TargetId> {
        let mut chain: Vec<_> = self.visits.iter().map(|visit| visit.target).collect();
        chain.dedup();
        chain
    }
}
