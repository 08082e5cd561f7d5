//! From the policy to the program: routes to the matcher, forbids to guards and terms, bodies to lists.

use std::ops::Range;

use crate::base::TargetId;
use crate::base::limits::ROUTE_TARGETS_MAX;
use crate::policy::facts::Needs;
use crate::policy::model::Action;
use crate::policy::model::Cond;
use crate::policy::model::Pick;
use crate::policy::model::Policy;
use crate::policy::model::Route;
use crate::policy::model::Serve;
use crate::policy::model::StrFact;
use crate::policy::model::Then;
use crate::policy::program::Candidate;
use crate::policy::program::Guard;
use crate::policy::program::Program;
use crate::policy::program::RouteEntry;
use crate::policy::program::Term;
use crate::policy::program::TooComplex;
use crate::policy::program::branch::ACCEPT;
use crate::policy::program::branch::Branches;
use crate::policy::program::build;
use crate::policy::program::forbid;
use crate::policy::program::forbid::Attempts;
use crate::policy::program::forbid::Domains;
use crate::policy::program::forbid::Traits;
use crate::policy::program::place;
use crate::policy::program::place::Place;
use crate::policy::program::probe::index_of;

/// Lowers the whole policy.
pub(super) fn program(policy: &Policy) -> Result<Program, TooComplex> {
    if policy.routes.len() > usize::from(u16::MAX) {
        return Err(TooComplex::Routes);
    }
    reading(policy, place::needs_of(policy))
}

/// The same, for facts that are collected as `needs` says: those that the policy reads, or more.
pub(super) fn reading(policy: &Policy, needs: Needs) -> Result<Program, TooComplex> {
    let mut branches = Branches::default();
    let matcher = build::build(&policy.routes, &needs, &mut branches);
    let traits = Traits::of_all(policy);
    let domains = Domains::of(&traits);
    let effects = Effects::of(policy, &traits, &domains, &needs, &mut branches)?;
    let numbers = traits
        .iter()
        .map(|traits| index_of(domains.number(traits.domain())));
    let mut program = Program {
        needs,
        matcher,
        branches,
        routes: Vec::with_capacity(policy.routes.len()),
        default_route: policy.default_route(),
        candidates: Vec::new(),
        guards: Vec::new(),
        terms: Vec::new(),
        domain_sets: Vec::new(),
        domain_of: numbers.collect(),
        picks: Vec::new(),
    };
    let all = Attempts::all(&domains);
    for route in &policy.routes {
        let entry = program.route(route, policy, &effects, &all)?;
        program.routes.push(entry);
    }
    Ok(program)
}

/// What the forbids of a policy do to each of its targets.
struct Effects {
    /// By target: which list it has; targets of equal traits share one.
    list_of: Vec<usize>,
    lists: Vec<Vec<Effect>>,
}

/// One effect, its request condition compiled.
#[derive(PartialEq)]
struct Effect {
    /// The code; [`ACCEPT`] for "always".
    entry: u32,
    attempts: Attempts,
}

impl Effects {
    fn of(
        policy: &Policy,
        traits: &[Traits<'_>],
        domains: &Domains<'_>,
        needs: &Needs,
        branches: &mut Branches,
    ) -> Result<Self, TooComplex> {
        let mut kinds: Vec<Traits<'_>> = Vec::new();
        let mut list_of = Vec::with_capacity(traits.len());
        if !policy.forbids.is_empty() {
            for one in traits {
                let at = kinds.iter().position(|kind| kind == one);
                list_of.push(at.unwrap_or(kinds.len()));
                if at.is_none() {
                    kinds.push(*one);
                }
            }
        }
        let mut lists: Vec<Vec<Effect>> = kinds.iter().map(|_| Vec::new()).collect();
        for forbid in &policy.forbids {
            let mut code = SharedCode {
                known: Vec::new(),
                needs,
                branches,
            };
            for (kind, list) in kinds.iter().zip(&mut lists) {
                let effects = forbid::effects(&forbid.when, kind, domains)
                    .map_err(|_| TooComplex::Forbid { at: forbid.at })?;
                list.extend(effects.into_iter().map(|effect| Effect {
                    entry: code.of(effect.request),
                    attempts: effect.attempts,
                }));
            }
        }
        Ok(Self { list_of, lists })
    }

    fn on(&self, target: TargetId) -> &[Effect] {
        let list = self.list_of.get(target.index());
        list.and_then(|at| self.lists.get(*at))
            .map_or(&[], Vec::as_slice)
    }
}

/// Code of one forbid's request conditions: most targets are left with the same one, which is compiled once.
struct SharedCode<'c> {
    known: Vec<(Cond, u32)>,
    needs: &'c Needs,
    branches: &'c mut Branches,
}

impl SharedCode<'_> {
    fn of(&mut self, cond: Cond) -> u32 {
        if let Some((_, entry)) = self.known.iter().find(|(have, _)| *have == cond) {
            return *entry;
        }
        let entry = self.branches.compile(&cond, self.needs);
        self.known.push((cond, entry));
        entry
    }
}

impl Program {
    fn route(
        &mut self,
        route: &Route,
        policy: &Policy,
        effects: &Effects,
        all: &Attempts,
    ) -> Result<RouteEntry, TooComplex> {
        let Action::Serve(serve) = &route.action else {
            return Ok(RouteEntry::default());
        };
        let candidates = candidates_of(serve);
        if candidates.len() > ROUTE_TARGETS_MAX {
            return Err(TooComplex::Targets {
                at: route.at,
                count: candidates.len(),
            });
        }
        let mut masked = lacking(serve, &candidates, policy);
        let mut guards: Vec<Guard> = Vec::new();
        let mut terms = Vec::new();
        for (effect, forbids) in merge(&candidates, effects) {
            let always = effect.entry == ACCEPT;
            let every_attempt = effect.attempts == *all;
            if always && every_attempt {
                masked |= forbids;
            } else if every_attempt {
                guard(&mut guards, effect.entry, forbids);
            } else {
                let needs = if always {
                    0
                } else {
                    arm(&mut guards, effect.entry).ok_or(TooComplex::Armed { at: route.at })?
                };
                terms.push(self.term(&effect.attempts, needs, forbids));
            }
        }
        let hedge = match &serve.hedge {
            None => 0,
            Some(hedge) => {
                let entry = self.branches.compile(&hedge.when, &self.needs);
                if entry == ACCEPT {
                    0
                } else {
                    arm(&mut guards, entry).ok_or(TooComplex::Armed { at: route.at })?
                }
            }
        };
        let picks = hashed_facts(serve);
        let picks = picks.iter().map(|fact| Place::of(fact, &self.needs));
        let sticky = serve.sticky.iter().map(|fact| Place::of(fact, &self.needs));
        Ok(RouteEntry {
            candidates: append(&mut self.candidates, candidates),
            guards: append(&mut self.guards, guards),
            terms: append(&mut self.terms, terms),
            picks: append(&mut self.picks, picks),
            sticky: append(&mut self.picks, sticky),
            masked,
            hedge,
            shadowed: serve.shadow.is_some(),
        })
    }

    fn term(&mut self, attempts: &Attempts, needs: u64, forbids: u64) -> Term {
        let words = attempts.domains.len();
        let mut sets = self.domain_sets.chunks_exact(words.max(1));
        let at = sets.position(|set| set == attempts.domains);
        let start = at.map_or(self.domain_sets.len(), |at| at.saturating_mul(words));
        if at.is_none() {
            self.domain_sets.extend_from_slice(&attempts.domains);
        }
        Term {
            needs,
            forbids,
            index: attempts.index,
            relation: attempts.relation,
            last: attempts.last,
            domains: index_of(start),
        }
    }
}

/// Tier members in order, then the targets of jumps and of the hedge that are no member.
fn candidates_of(serve: &Serve) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for (tier, number) in serve.tiers.iter().zip(0_u8..) {
        candidates.extend(tier.members.iter().map(|member| Candidate {
            target: member.target,
            tier: number,
            weight: member.weight,
        }));
    }
    let jumps = serve.fallback.iter().filter_map(|line| match line.then {
        Then::Jump(target) => Some(target),
        _ => None,
    });
    for target in jumps.chain(serve.hedge.as_ref().map(|hedge| hedge.target)) {
        if candidates.iter().all(|have| have.target != target) {
            candidates.push(Candidate {
                target,
                tier: Candidate::JUMP,
                weight: 0,
            });
        }
    }
    candidates
}

/// The candidates that are known to lack what the route requires.
fn lacking(serve: &Serve, candidates: &[Candidate], policy: &Policy) -> u64 {
    candidates.iter().zip(0..).fold(0, |mask, (candidate, at)| {
        let target = policy.targets.get(candidate.target.index());
        let lacks = target.is_some_and(|target| target.lacks_any(serve.require));
        mask | u64::from(lacks) << at
    })
}

/// The effects on a route's candidates, each once, with the candidates that it masks.
fn merge<'e>(candidates: &[Candidate], effects: &'e Effects) -> Vec<(&'e Effect, u64)> {
    let mut merged: Vec<(&Effect, u64)> = Vec::new();
    for (candidate, at) in candidates.iter().zip(0..) {
        for effect in effects.on(candidate.target) {
            let bit = 1_u64 << at;
            match merged.iter_mut().find(|(have, _)| *have == effect) {
                Some((_, mask)) => *mask |= bit,
                None => merged.push((effect, bit)),
            }
        }
    }
    merged
}

/// Masks candidates where the condition holds, whatever the attempt.
fn guard(guards: &mut Vec<Guard>, entry: u32, forbids: u64) {
    match guards.iter_mut().find(|guard| guard.entry == entry) {
        Some(guard) => guard.forbids |= forbids,
        None => guards.push(Guard {
            entry,
            forbids,
            arms: 0,
        }),
    }
}

/// The armed bit that says whether the condition holds, `None` if all bits are taken.
fn arm(guards: &mut Vec<Guard>, entry: u32) -> Option<u64> {
    let taken = guards.iter().fold(0, |bits, guard| bits | guard.arms);
    // Shifting by 64 is `None`.
    let free = 1_u64.checked_shl(taken.trailing_ones());
    let known = guards.iter_mut().find(|guard| guard.entry == entry);
    let Some(known) = known else {
        let arms = free?;
        guards.push(Guard {
            entry,
            forbids: 0,
            arms,
        });
        return Some(arms);
    };
    if known.arms == 0 {
        known.arms = free?;
    }
    Some(known.arms)
}

/// The facts that the route's picks hash, each once, in the order of their first mention.
fn hashed_facts(serve: &Serve) -> Vec<&StrFact> {
    let mut facts: Vec<&StrFact> = Vec::new();
    for tier in &serve.tiers {
        let Pick::Hash(named) = &tier.pick else {
            continue;
        };
        for fact in named {
            if !facts.contains(&fact) {
                facts.push(fact);
            }
        }
    }
    facts
}

/// Adds a route's part to the list of all routes and says where it lies.
fn append<T>(list: &mut Vec<T>, part: impl IntoIterator<Item = T>) -> Range<u32> {
    let start = index_of(list.len());
    list.extend(part);
    start..index_of(list.len())
}
