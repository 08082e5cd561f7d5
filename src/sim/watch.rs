//! Tells which attempts a condition on targets holds for: the program of the same policy with one `forbid`, this condition,
//! masks just these.

use crate::base::{RouteId, TargetId};
use crate::policy::model::{At, AttemptFacts, Cond, Forbid, Policy};
use crate::policy::{Decision, Facts, Plan, Program, TooComplex};

/// A condition that is watched for.
#[derive(Debug)]
pub(super) struct Watch {
    plan: Plan,
    /// The same for copies.
    copies: Option<Plan>,
}

impl Watch {
    pub(super) fn new(policy: &Policy, cond: &Cond) -> Result<Self, TooComplex> {
        let plan = Plan::new(Policy {
            forbids: vec![Forbid {
                name: "never".into(),
                at: At::default(),
                when: cond.clone(),
            }],
            ..policy.clone()
        })?;
        let copies = plan.of_shadows();
        Ok(Self { plan, copies })
    }

    pub(super) const fn program(&self) -> &Program {
        &self.plan.program
    }

    /// The candidates of the decided route for which it holds in an attempt with these facts, by bit.
    pub(super) fn seen(&self, decision: &Decision, facts: AttemptFacts) -> u64 {
        self.plan.program.forbidden(decision, &facts)
    }

    /// Whether it holds for an attempt at `target`.
    pub(super) fn holds(&self, decision: &Decision, facts: AttemptFacts, target: TargetId) -> bool {
        let candidates = self.plan.program.candidates(decision.route).iter();
        let mask = self.seen(decision, facts);
        candidates
            .enumerate()
            .any(|(index, candidate)| candidate.target == target && mask >> index & 1 == 1)
    }

    /// Whether it holds for the copy that `route` makes of a request.
    pub(super) fn holds_for_copy(&self, route: RouteId, facts: &Facts<'_>) -> bool {
        let copies = self.copies.as_ref();
        copies.is_some_and(|copies| copies.decide_copy(route, facts).is_none())
    }
}
