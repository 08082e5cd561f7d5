//! What forbids leave: the requests that may not use a target.

use crate::base::TargetId;
use crate::policy::model::{Forbid, Provider, Serve, Target};
use crate::policy::program::forbid::{Traits, answer_at_first, specialise};
use crate::policy::reason::area::{Budget, Region, TooMany};
use crate::policy::reason::classes::Classes;
use crate::policy::reason::lower::Switches;

/// Areas of one question.
const AREAS_MAX: usize = 10_000;

/// Which requests may not use a target in their first attempt. A request all of whose tier members are masked then is
/// never sent anywhere: jumps follow an attempt.
#[derive(Clone, Debug)]
pub struct Masks {
    /// By target: which list it has; targets that no forbid can tell apart share one.
    kind_of: Vec<usize>,
    /// By kind, then by forbid.
    regions: Vec<Vec<Region>>,
    /// By kind: all forbids together.
    any: Vec<Region>,
}

impl Masks {
    /// What the forbids do to each target.
    pub fn of(
        classes: &Classes<'_>,
        forbids: &[Forbid],
        providers: &[Provider],
        targets: &[Target],
    ) -> Result<Self, TooMany> {
        let traits = Traits::of_all(providers, targets);
        let mut kinds: Vec<&Traits<'_>> = Vec::new();
        let mut kind_of = Vec::with_capacity(traits.len());
        for one in &traits {
            let at = kinds.iter().position(|kind| *kind == one);
            kind_of.push(at.unwrap_or(kinds.len()));
            if at.is_none() {
                kinds.push(one);
            }
        }
        let mut regions = Vec::with_capacity(kinds.len());
        let mut any = Vec::with_capacity(kinds.len());
        for kind in kinds {
            let of_kind = forbids.iter().map(|forbid| {
                let answer = |test: &_| kind.answer(test).or_else(|| answer_at_first(test));
                let left = specialise(&forbid.when, true, &answer);
                classes.region(&left, Switches::Stand)
            });
            let of_kind: Vec<Region> = of_kind.collect::<Result<_, _>>()?;
            let areas = of_kind
                .iter()
                .flat_map(|region| region.areas.iter().cloned());
            any.push(Region {
                areas: areas.collect(),
            });
            regions.push(of_kind);
        }
        Ok(Self {
            kind_of,
            regions,
            any,
        })
    }

    /// Its kind.
    fn kind(&self, target: TargetId) -> Option<usize> {
        self.kind_of.get(target.index()).copied()
    }

    /// The requests that may not use a target.
    pub fn of_target(&self, target: TargetId) -> Option<&Region> {
        self.any.get(self.kind(target)?)
    }

    /// The requests that may use none of these kinds.
    pub fn of_all(&self, kinds: &[usize], counts: &[u32]) -> Result<Region, TooMany> {
        let mut budget = Budget::of(AREAS_MAX);
        let mut all = Region::everything();
        for kind in kinds {
            let Some(region) = self.any.get(*kind) else {
                return Ok(Region::NOTHING);
            };
            all = all.and(region, counts, &mut budget)?;
        }
        Ok(all)
    }

    /// The forbids that mask a target of one of these kinds for a request.
    pub fn responsible(&self, kinds: &[usize], point: &[u32]) -> Vec<usize> {
        let lists: Vec<&Vec<Region>> = kinds
            .iter()
            .filter_map(|kind| self.regions.get(*kind))
            .collect();
        let count = lists.first().map_or(0, |list| list.len());
        let masks = |forbid: &usize| {
            let mut regions = lists.iter().filter_map(|list| list.get(*forbid));
            regions.any(|region| region.has(point))
        };
        (0..count).filter(masks).collect()
    }

    /// The kinds of the members of a route's tiers, sorted.
    pub fn kinds_of(&self, serve: &Serve) -> Vec<usize> {
        let members = serve.tiers.iter().flat_map(|tier| &tier.members);
        let kinds = members.filter_map(|member| self.kind(member.target));
        let mut kinds: Vec<usize> = kinds.collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }
}
