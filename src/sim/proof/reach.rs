//! Who can reach whom, of requests that differ in one fact.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::base::{RouteId, TargetId};
use crate::engine::ways::{self, Kind, Lens};
use crate::policy::Plan;
use crate::policy::model::{Cond, FlagFact, StrFact};
use crate::policy::reason::{Budget, Classes, Fact, Region, asked_behind, word_of};
use crate::sim::proof::cast::{Uncast, classes, copied_to, decide, given, served};
use crate::sim::trial::show;

/// Areas of one row.
const AREAS_MAX: usize = 20_000;
/// States of one search.
const STATES_MAX: usize = 100_000;

/// How a request can get to a provider.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Not at all.
    #[default]
    Never,
    /// As a copy.
    Copy,
    /// After a failure, beside another one, or when nobody of its tiers can be asked.
    Fallback,
    /// In its first attempt, while all is well.
    First,
}

impl Reach {
    /// For people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Copy => "copy",
            Self::Fallback => "by fallback",
            Self::First => "first pick",
        }
    }
}

/// For each value of the fact `by` that the policy tells apart, or for each `route`: how requests with it can get to each
/// provider, in the order of the policy.
pub fn reach(plan: &Plan, by: &str) -> Result<BTreeMap<String, Vec<Reach>>, &'static str> {
    let fact = match by {
        "route" => None,
        _ => Some(
            fact_of(by).ok_or("rows can be `route`, `req.model`, `req.path` or a `key.` fact")?,
        ),
    };
    rows(plan, fact.as_ref()).map_err(Uncast::told)
}

fn fact_of(word: &str) -> Option<StrFact> {
    let facts = [
        StrFact::KeyTeam,
        StrFact::KeyResidency,
        StrFact::KeyTier,
        StrFact::KeyContract,
        StrFact::KeyId,
        StrFact::Model,
        StrFact::Path,
    ];
    facts.into_iter().find(|fact| word_of(fact) == word)
}

fn rows(plan: &Plan, by: Option<&StrFact>) -> Result<BTreeMap<String, Vec<Reach>>, Uncast> {
    let mut served = served();
    let read = classes(&plan.policy, &[], &[], &[]);
    served.retain(|(fact, _)| read.number(Fact::Text(fact)).is_some());
    let served: Vec<Cond> = served.into_iter().map(|(_, cond)| cond).collect();
    let classes = classes(&plan.policy, &[], &[], &served);
    let all = given(&classes, served.iter())?;
    let values = by.map_or_else(
        || vec![(None, Region::everything())],
        |fact| {
            let values = classes.values(fact).into_iter();
            values
                .map(|(value, region)| (Some(value), region))
                .collect()
        },
    );
    let copies = plan.of_shadows();
    let mut rows: BTreeMap<String, Vec<Reach>> = BTreeMap::new();
    for (value, region) in values {
        let mut budget = Budget::of(AREAS_MAX);
        let region = all.and(&region, classes.counts(), &mut budget)?;
        for (route, region) in classes.routed(&plan.policy, &region, true)? {
            let name = || show::route(&plan.policy, route).to_owned();
            let row = rows.entry(value.clone().unwrap_or_else(name)).or_default();
            row.resize(plan.policy.providers.len(), Reach::Never);
            for part in classes.split(region, &asked_behind(&plan.policy, route, &[])?)? {
                reached(plan, copies.as_ref(), &classes, (route, &part), row)?;
            }
        }
    }
    Ok(rows)
}

fn reached(
    plan: &Plan,
    copies: Option<&Plan>,
    classes: &Classes<'_>,
    (route, part): (RouteId, &Region),
    row: &mut [Reach],
) -> Result<(), Uncast> {
    let (_, example) = classes.example_in(part).ok_or(Uncast::NoExample)?;
    let (wholes, streams) = classes.flag_in(part, Fact::Flag(FlagFact::Stream));
    let kind = Kind {
        plan,
        decision: decide(&plan.program, &example, route),
        streams,
        wholes,
    };
    let found = ways::search(&kind, &Lens::NOTHING, STATES_MAX).map_err(|_| Uncast::TooMany)?;
    let mut note = |targets: &[TargetId], how: Reach| {
        for target in targets {
            let provider = plan
                .policy
                .targets
                .get(target.index())
                .map(|it| it.provider);
            if let Some(cell) = provider.and_then(|provider| row.get_mut(provider.index())) {
                *cell = how.max(*cell);
            }
        }
    };
    note(
        copied_to(plan, copies, &example, route).as_slice(),
        Reach::Copy,
    );
    note(&found.later, Reach::Fallback);
    // A later tier is asked first only while nobody of an earlier one can be.
    let candidates = plan.program.candidates(route).iter();
    let open = candidates.filter(|it| found.first.contains(&it.target));
    let tier = open.clone().map(|it| it.tier).min();
    let weighs = open
        .clone()
        .any(|it| Some(it.tier) == tier && it.weight > 0);
    let picked = open.filter(|it| Some(it.tier) == tier && (it.weight > 0 || !weighs));
    let picked: Vec<TargetId> = picked.map(|it| it.target).collect();
    note(&found.first, Reach::Fallback);
    note(&picked, Reach::First);
    Ok(())
}
