//! Fallbacks that lead from one target to another which fails with it.

use crate::base::{Outcome, OutcomeSet, TargetId};
use crate::policy::diag::reach as say;
use crate::policy::model::{Action, ModelName, Provider, Serve, Then, Trigger};
use crate::policy::reason::{Budget, Classes, Masks, Order};
use crate::policy::resolve::policy::Resolver;
use crate::policy::resolve::reach::Known;
use crate::policy::syntax::Place;

/// Areas of one question.
const AREAS_MAX: usize = 10_000;

/// A route whose targets all fail together.
struct Stays<'k> {
    candidates: Vec<TargetId>,
    route: (&'k str, Place),
    domain: String,
    elsewhere: Vec<TargetId>,
    /// Names of other routes with the same targets.
    others: Vec<&'k str>,
}

impl<'t> Resolver<'t> {
    /// Routes that go on after a fault of the provider, whose targets are all in one failure domain or share an account, while
    /// the policy has others that would do. A guard takes its canary back, wherever that can go.
    pub(super) fn check_flight(
        &mut self,
        classes: &Classes<'_>,
        known: &[Known<'_, 't>],
        order: &Order<'_>,
        masks: &Masks,
    ) {
        let mut found: Vec<Stays<'_>> = Vec::new();
        for (position, known) in known.iter().enumerate() {
            let Action::Serve(serve) = &known.route.action else {
                continue;
            };
            let candidates = candidates_of(serve);
            if known.route.guard.is_some() || candidates.len() < 2 || !flees(serve) {
                continue;
            }
            if let Some(same) = found.iter_mut().find(|have| have.candidates == candidates) {
                same.others.push(known.decl.name);
                continue;
            }
            let Some(domain) = self.shared_domain(&candidates) else {
                continue;
            };
            let may_use = |target: &TargetId| {
                let mut budget = Budget::of(AREAS_MAX);
                let region = order.region(position).zip(masks.of_target(*target));
                let left =
                    region.map(|(own, masked)| own.minus(masked, classes.counts(), &mut budget));
                matches!(left, Some(Ok(left)) if !left.is_empty())
            };
            let elsewhere = self.elsewhere(serve, &candidates);
            let elsewhere: Vec<TargetId> = elsewhere.into_iter().filter(may_use).collect();
            if !elsewhere.is_empty() {
                found.push(Stays {
                    candidates,
                    route: (known.decl.name, known.decl.place),
                    domain,
                    elsewhere,
                    others: Vec::new(),
                });
            }
        }
        for stays in found {
            let elsewhere = stays
                .elsewhere
                .iter()
                .map(|target| self.target_name(*target));
            let elsewhere: Vec<&str> = elsewhere.collect();
            let diagnostic = say::stays(stays.route, &stays.domain, &elsewhere, &stays.others);
            self.report(diagnostic);
        }
    }

    fn provider_of(&self, target: TargetId) -> Option<&Provider> {
        let target = self.targets.get(target.index())?;
        self.providers.get(target.provider.index())
    }

    /// What all of them have in common, if they fail together.
    fn shared_domain(&self, candidates: &[TargetId]) -> Option<String> {
        let mut providers = candidates.iter().map(|target| self.provider_of(*target));
        let first = providers.next()??;
        let mut one_domain = true;
        for provider in providers {
            let provider = provider?;
            if !fail_together(first, provider) {
                return None;
            }
            one_domain &= first.failure_domain == provider.failure_domain;
        }
        Some(if one_domain {
            format!("`{}`", first.failure_domain)
        } else {
            format!("the account of `{}`", first.name)
        })
    }

    /// Models of the policy that do not fail with the route's, and can do what it requires.
    fn elsewhere(&self, serve: &Serve, candidates: &[TargetId]) -> Vec<TargetId> {
        let first = candidates
            .first()
            .and_then(|target| self.provider_of(*target));
        let ids = (0..).map(TargetId).zip(&self.targets);
        let others = ids.filter(|(id, target)| {
            let apart = first
                .zip(self.provider_of(*id))
                .is_some_and(|(first, other)| !fail_together(first, other));
            let able = target.caps.covers(serve.require);
            apart && able && target.model != ModelName::Asked
        });
        others.map(|(id, _)| id).collect()
    }
}

/// Members of the tiers and targets of jumps, each once.
fn candidates_of(serve: &Serve) -> Vec<TargetId> {
    let members = serve.tiers.iter().flat_map(|tier| &tier.members);
    let jumps = serve.fallback.iter().filter_map(|line| match line.then {
        Then::Jump(target) => Some(target),
        _ => None,
    });
    let mut all: Vec<TargetId> = members.map(|member| member.target).chain(jumps).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Whether another target is tried after what is likely a fault of the whole provider.
fn flees(serve: &Serve) -> bool {
    let faults = [
        Outcome::S5xx,
        Outcome::Timeout,
        Outcome::Connect,
        Outcome::Tls,
        Outcome::BreakerOpen,
    ];
    let faults = faults.into_iter().fold(OutcomeSet::EMPTY, OutcomeSet::with);
    serve.fallback.iter().any(|line| {
        let goes_on = matches!(line.then, Then::Next | Then::Jump(_));
        let fault = match line.on {
            Trigger::Outcomes(set) => faults.iter().any(|outcome| set.has(outcome)),
            Trigger::Slow(_) => false,
        };
        goes_on && fault
    })
}

/// The same failure domain, or a key that both use.
fn fail_together(a: &Provider, b: &Provider) -> bool {
    let keys = a.auth.secrets();
    let same_key = keys.iter().any(|key| {
        let mut others = b.auth.secrets().iter();
        others.any(|other| other.source == key.source)
    });
    a.failure_domain == b.failure_domain || same_key
}
