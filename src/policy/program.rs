//! The program of a plan: what the request path asks. Candidates per route, and which of them are masked.

use crate::base::{RouteId, TargetId};
use crate::policy::facts::{Facts, Needs};
use crate::policy::model::{Action, AttemptFacts, Policy, Serve, Then};

/// A policy with the program made from it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The policy.
    pub policy: Policy,
    /// Its program.
    pub program: Program,
}

impl Plan {
    /// Lowers `policy`.
    pub fn new(policy: Policy) -> Result<Self, TooComplex> {
        let program = Program::lower(&policy)?;
        Ok(Self { policy, program })
    }
}

/// A policy beyond the program's bounds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TooComplex {}

/// A target as one route sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Candidate {
    /// The target.
    pub target: TargetId,
    /// Its tier from 0, or [`Candidate::JUMP`].
    pub tier: u8,
    /// Its weight.
    pub weight: u32,
}

impl Candidate {
    /// The tier of a target that only a fallback jump reaches.
    pub const JUMP: u8 = u8::MAX;
}

/// What was decided for one request.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Decision {
    /// The first route that matches.
    pub route: RouteId,
    /// Candidates that are masked whatever the attempt, by index.
    pub forbidden: u64,
    /// Attempt-dependent masks whose request part holds.
    pub armed: u64,
    /// The hash of the facts that `pick = hash(…)` names.
    pub affinity: u64,
}

/// What the request path runs.
#[derive(Clone, Debug, Default)]
pub struct Program {
    candidates: Vec<Vec<Candidate>>,
    needs: Needs,
}

impl Program {
    /// Lowers `policy`.
    pub fn lower(policy: &Policy) -> Result<Self, TooComplex> {
        let candidates = policy
            .routes
            .iter()
            .map(|route| match &route.action {
                Action::Reject(_) => Vec::new(),
                Action::Serve(serve) => flatten(serve),
            })
            .collect();
        Ok(Self {
            candidates,
            needs: Needs::default(),
        })
    }

    /// The facts that the policy reads.
    pub fn needs(&self) -> &Needs {
        &self.needs
    }

    /// The first route.
    pub fn decide(&self, _facts: &Facts<'_>) -> Decision {
        Decision::default()
    }

    /// The targets of `route`.
    pub fn candidates(&self, route: RouteId) -> &[Candidate] {
        self.candidates
            .get(route.index())
            .map_or(&[], Vec::as_slice)
    }

    /// The candidates that are masked for the next attempt.
    pub fn forbidden(&self, decision: &Decision, _attempt: &AttemptFacts) -> u64 {
        decision.forbidden
    }
}

fn flatten(serve: &Serve) -> Vec<Candidate> {
    let mut list = Vec::new();
    for (tier, members) in (0_u8..).zip(&serve.tiers) {
        for member in &members.members {
            list.push(Candidate {
                target: member.target,
                tier,
                weight: member.weight,
            });
        }
    }
    for line in &serve.fallback {
        if let Then::Jump(target) = line.then
            && !list.iter().any(|known| known.target == target)
        {
            list.push(Candidate {
                target,
                tier: Candidate::JUMP,
                weight: 1,
            });
        }
    }
    list
}
