//! The requests that a proof is about, as kinds: one for each route that takes some of them and each decision there.

use crate::base::{RouteId, TargetId};
use crate::dialect::Operation;
use crate::engine::ways::Kind;
use crate::policy::model::{Action, Cond, FlagFact, Policy, StrFact, Test};
use crate::policy::reason::{Budget, Classes, Example, Fact, Region, Switches, asked_behind};
use crate::policy::trial::{Expect, Proof};
use crate::policy::{Decision, Facts, Plan, Program};
use crate::sim::watch::Watch;

/// Areas of what is given.
const AREAS_MAX: usize = 10_000;

/// All kinds of request.
pub(super) struct Cast<'p> {
    plan: &'p Plan,
    /// By expectation: what watches for its condition on targets.
    watches: Vec<Option<Watch>>,
    pub(super) actors: Vec<Actor>,
}

/// Requests for which a plan, and what is watched for, decide the same.
pub(super) struct Actor {
    pub(super) decision: Decision,
    /// Routes with a guard that would have taken them, and must be withdrawn.
    pub(super) withdrawn: Vec<RouteId>,
    pub(super) example: Example,
    streams: bool,
    wholes: bool,
    /// Where a copy goes, if one can be made.
    pub(super) copied_to: Option<TargetId>,
    /// By expectation: the watch's decision, and whether its condition holds for the copy.
    watched: Vec<Option<(Decision, bool)>>,
}

/// Why the kinds cannot be told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Uncast {
    /// There are too many of them.
    TooMany,
    /// None was found that stands for one.
    NoExample,
    /// A condition on targets combines too many facts.
    TooComplex,
}

impl From<crate::policy::reason::TooMany> for Uncast {
    fn from(_: crate::policy::reason::TooMany) -> Self {
        Self::TooMany
    }
}

impl<'p> Cast<'p> {
    pub(super) fn of(plan: &'p Plan, proof: &Proof) -> Result<Self, Uncast> {
        let nevers: Vec<Option<&Cond>> = proof
            .expects
            .iter()
            .map(|line| never(&line.expect))
            .collect();
        let watches = nevers.iter().map(|cond| match cond {
            Some(cond) => Watch::new(&plan.policy, cond).map(Some),
            None => Ok(None),
        });
        let watches: Vec<Option<Watch>> = watches
            .collect::<Result<_, _>>()
            .map_err(|_| Uncast::TooComplex)?;
        let also: Vec<&Cond> = nevers.iter().flatten().copied().collect();
        let mut cast = Self {
            plan,
            watches,
            actors: Vec::new(),
        };
        let copies = plan.of_shadows();
        let mut served = served();
        let read = classes(&plan.policy, &proof.given, &also, &[]);
        served.retain(|(fact, _)| read.number(Fact::Text(fact)).is_some());
        let served: Vec<Cond> = served.into_iter().map(|(_, cond)| cond).collect();
        let classes = classes(&plan.policy, &proof.given, &also, &served);
        let given = given(&classes, proof.given.iter().chain(&served))?;
        let routed = classes.routed(&plan.policy, &given, true)?;
        let guarded = guarded(&classes, &plan.policy)?;
        for (route, region) in routed {
            let asked = asked_behind(&plan.policy, route, &also)?;
            for part in classes.split(region, &asked)? {
                let (point, example) = classes.example_in(&part).ok_or(Uncast::NoExample)?;
                let (wholes, streams) = classes.flag_in(&part, Fact::Flag(FlagFact::Stream));
                let before = guarded.iter().filter(|(guarded, _)| *guarded < route);
                let matching = before.filter(|(_, region)| region.has(&point));
                let withdrawn = matching.map(|(route, _)| *route).collect();
                let decision = decide(&plan.program, &example, route);
                if decision.route != route {
                    return Err(Uncast::NoExample);
                }
                cast.actors.push(Actor {
                    decision,
                    withdrawn,
                    copied_to: copied_to(plan, copies.as_ref(), &example, route),
                    watched: cast.watched(&example, route),
                    example,
                    streams,
                    wholes,
                });
            }
        }
        Ok(cast)
    }

    fn watched(&self, example: &Example, route: RouteId) -> Vec<Option<(Decision, bool)>> {
        let each = self.watches.iter().map(|watch| {
            let watch = watch.as_ref()?;
            let decision = decide(watch.program(), example, route);
            let needs = watch.program().needs();
            let copy = example.with_facts(needs, |facts| watch.holds_for_copy(route, facts));
            Some((decision, copy))
        });
        each.collect()
    }

    /// The candidates of an actor's route whose target is `wanted`, by bit.
    pub(super) fn candidates_of(&self, actor: &Actor, wanted: impl Fn(TargetId) -> bool) -> u64 {
        let candidates = self.plan.program.candidates(actor.decision.route);
        let numbered = candidates.iter().zip(0_u32..);
        numbered.fold(0, |bits, (candidate, index)| {
            bits | u64::from(wanted(candidate.target)) << index
        })
    }
}

impl Actor {
    pub(super) const fn kind<'k>(&self, plan: &'k Plan) -> Kind<'k> {
        Kind {
            plan,
            decision: self.decision,
            streams: self.streams,
            wholes: self.wholes,
        }
    }

    /// The watch of an expectation, and what it decides.
    pub(super) fn watched<'c>(
        &self,
        cast: &'c Cast<'_>,
        number: usize,
    ) -> Option<(&'c Watch, Decision)> {
        let watch = cast.watches.get(number)?.as_ref()?;
        let (decision, _) = (*self.watched.get(number)?)?;
        Some((watch, decision))
    }

    /// Whether the copy is what an expectation watches for.
    pub(super) fn copy_seen(&self, number: usize) -> bool {
        let watched = self.watched.get(number).copied().flatten();
        watched.is_some_and(|(_, copy)| copy)
    }

    /// All that what can follow hangs on.
    pub(super) fn deciding(&self, cast: &Cast<'_>, number: usize) -> Vec<u64> {
        let Decision {
            route,
            forbidden,
            armed,
            ..
        } = self.decision;
        let mut all = vec![route.0.into(), forbidden, armed];
        all.push(u64::from(self.streams) << 1 | u64::from(self.wholes));
        if let Some((_, watched)) = self.watched(cast, number) {
            all.extend([watched.forbidden, watched.armed]);
        }
        all
    }
}

fn never(expect: &Expect) -> Option<&Cond> {
    match expect {
        Expect::NeverWhen(cond) => Some(cond),
        _ => None,
    }
}

/// What every request that the gateway puts to a policy is like.
pub(in crate::sim) fn served() -> Vec<(StrFact, Cond)> {
    let paths = Operation::ALL.map(|operation| Box::from(operation.client_path()));
    let mut paths: Vec<Box<str>> = paths.into();
    paths.sort_unstable();
    let facts = [
        (StrFact::Path, paths),
        (StrFact::Method, vec!["POST".into()]),
    ];
    let known = facts.into_iter().map(|(fact, values)| {
        let one_of = Test::OneOf {
            fact: fact.clone(),
            values,
            negated: false,
        };
        (fact, Cond::Test(one_of))
    });
    known.collect()
}

pub(super) fn classes<'c>(
    policy: &'c Policy,
    given: &'c [Cond],
    also: &[&'c Cond],
    served: &'c [Cond],
) -> Classes<'c> {
    let routes = policy.routes.iter();
    let hedges = routes.clone().filter_map(|route| match &route.action {
        Action::Serve(serve) => serve.hedge.as_ref().map(|hedge| &hedge.when),
        Action::Reject(_) => None,
    });
    let conds = routes.map(|route| &route.when).chain(hedges);
    let conds = conds.chain(policy.forbids.iter().map(|forbid| &forbid.when));
    let conds = conds.chain(given).chain(also.iter().copied()).chain(served);
    let replaced: Vec<&str> = policy.aliases.iter().map(|alias| &*alias.from).collect();
    Classes::of(conds, &replaced)
}

/// The requests for which all of `conds` hold.
pub(in crate::sim) fn given<'c>(
    classes: &Classes<'_>,
    conds: impl Iterator<Item = &'c Cond>,
) -> Result<Region, Uncast> {
    let mut budget = Budget::of(AREAS_MAX);
    let mut all = Region::everything();
    for cond in conds {
        let one = classes.region(cond, Switches::Stand)?;
        all = all.and(&one, classes.counts(), &mut budget)?;
    }
    Ok(all)
}

/// The requests of each route with a guard.
fn guarded(classes: &Classes<'_>, policy: &Policy) -> Result<Vec<(RouteId, Region)>, Uncast> {
    let routes = policy.routes.iter().zip((0..).map(RouteId));
    let guarded = routes.filter(|(route, _)| route.guard.is_some());
    guarded
        .map(|(route, id)| Ok((id, classes.region(&route.when, Switches::Stand)?)))
        .collect()
}

/// What a program says to a request at `route`, those before it that match being withdrawn.
pub(in crate::sim) fn decide(program: &Program, example: &Example, route: RouteId) -> Decision {
    example.with_facts(program.needs(), |facts| {
        let mut decision = program.decide(facts);
        while decision.route < route {
            decision = program.decide_after(decision.route, facts);
        }
        decision
    })
}

pub(in crate::sim) fn copied_to(
    plan: &Plan,
    copies: Option<&Plan>,
    example: &Example,
    route: RouteId,
) -> Option<TargetId> {
    let Action::Serve(serve) = &plan.policy.routes.get(route.index())?.action else {
        return None;
    };
    let shadow = serve.shadow.filter(|shadow| shadow.share > 0)?;
    let needs = plan.program.needs();
    let may = |facts: &Facts<'_>| Some(copies?.decide_copy(route, facts).is_some());
    example.with_facts(needs, may)?.then_some(shadow.target)
}
