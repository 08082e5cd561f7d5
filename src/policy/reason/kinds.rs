//! Who gets where: all requests, apart by the route that takes them and by what forbids say to them.

use crate::base::{RouteId, TargetId};
use crate::policy::model::{Action, Cond, Policy, StrFact, Then};
use crate::policy::program::forbid::asked_of_requests;
use crate::policy::reason::area::{Area, Budget, Point, Region, TooMany};
use crate::policy::reason::classes::{Classes, Fact, Kinds};
use crate::policy::reason::example::Example;
use crate::policy::reason::lower::Switches;
use crate::policy::reason::set::Set;
use crate::policy::reason::text::Value;

/// Areas of one question.
const AREAS_MAX: usize = 20_000;
/// Parts of one route's requests.
const PARTS_MAX: usize = 4_096;

impl Classes<'_> {
    /// The requests of `given` by the route that takes them, in the order of the routes. Where routes may be withdrawn, behind
    /// one with a guard come the same requests once more.
    pub fn routed(
        &self,
        policy: &Policy,
        given: &Region,
        withdrawn: bool,
    ) -> Result<Vec<(RouteId, Region)>, TooMany> {
        let mut budget = Budget::of(AREAS_MAX);
        let mut left = given.clone();
        let mut routed = Vec::new();
        for (route, id) in policy.routes.iter().zip((0..).map(RouteId)) {
            let asked = if id == policy.default_route() {
                Region::everything()
            } else {
                self.region(&route.when, Switches::Stand)?
            };
            let taken = left.and(&asked, self.counts(), &mut budget)?;
            if taken.is_empty() {
                continue;
            }
            if route.guard.is_none() || !withdrawn {
                left = left.minus(&asked, self.counts(), &mut budget)?;
            }
            routed.push((id, taken));
        }
        Ok(routed)
    }

    /// The parts of a region in which each of `conds` holds for all requests or for none.
    pub fn split(&self, region: Region, conds: &[Cond]) -> Result<Vec<Region>, TooMany> {
        let mut budget = Budget::of(AREAS_MAX);
        let mut parts = vec![region];
        for cond in conds {
            let inside = self.region(cond, Switches::Stand)?;
            let mut next = Vec::with_capacity(parts.len());
            for part in parts {
                let within = part.and(&inside, self.counts(), &mut budget)?;
                let without = part.minus(&inside, self.counts(), &mut budget)?;
                next.extend(
                    [without, within]
                        .into_iter()
                        .filter(|part| !part.is_empty()),
                );
            }
            if next.len() > PARTS_MAX {
                return Err(TooMany);
            }
            parts = next;
        }
        Ok(parts)
    }

    /// A plain request of a region, which prints what makes it one. `None` where none was found.
    pub fn example_in(&self, region: &Region) -> Option<(Point, Example)> {
        let mut areas: Vec<&Area> = region.areas.iter().collect();
        areas.sort_by_key(|area| area.limits().len());
        areas.into_iter().find_map(|area| {
            let point = self.plain_point(area);
            let limits = area.limits().iter();
            let told = limits.filter(|(fact, _)| point.get(*fact).copied() != self.usual(*fact));
            let told: Vec<usize> = told.map(|(fact, _)| *fact).collect();
            let example = self.example(&point, &told)?;
            Some((point, example))
        })
    }

    /// A request of an area: with what is named, else with nothing.
    fn plain_point(&self, area: &Area) -> Point {
        let class = |(fact, count): (usize, &u32)| {
            let usual = self.usual(fact);
            let Some(set) = area.limit(fact) else {
                return usual.unwrap_or_else(|| count.saturating_sub(1));
            };
            let first = set.iter().next().unwrap_or_default();
            let named = self.names(fact).contains(&first);
            match usual.filter(|usual| set.has(*usual)) {
                Some(usual) if !named => usual,
                _ => first,
            }
        };
        self.counts().iter().enumerate().map(class).collect()
    }

    /// The class of a fact that is left out: empty, zero or absent. A path or a model is never left out.
    fn usual(&self, fact: usize) -> Option<u32> {
        match self.facts.get(fact)? {
            (Fact::Text(_), Kinds::Text(text)) => text.missing_class(),
            (Fact::Number(_) | Fact::Flag(_), _) => Some(0),
            _ => None,
        }
    }

    /// The classes of a string that conditions name.
    fn names(&self, fact: usize) -> std::ops::Range<u32> {
        match self.facts.get(fact) {
            Some((_, Kinds::Text(text))) => 0..text.named(),
            _ => 0..0,
        }
    }

    /// The values of a string that conditions tell apart, with their requests: those that are named, all others as one, and
    /// none. A string that no condition reads has one row, for any.
    pub fn values(&self, fact: &StrFact) -> Vec<(String, Region)> {
        let number = self.number(Fact::Text(fact));
        let found = number.and_then(|number| match self.facts.get(number)? {
            (_, Kinds::Text(text)) => Some((number, text)),
            _ => None,
        });
        let Some((number, text)) = found else {
            return vec![("(any)".to_owned(), Region::everything())];
        };
        let count = text.count();
        let missing = text.missing_class();
        let others = text.named()..missing.unwrap_or(count);
        let named = (0..text.named()).filter_map(|class| match text.example(class)? {
            Value::Text(value) => Some((value, Set::of(class, class))),
            Value::Missing => None,
        });
        let mut values: Vec<(String, Set)> = named.collect();
        values.push(("(other)".to_owned(), Set::from_ascending(others)));
        values.extend(missing.map(|class| ("(none)".to_owned(), Set::of(class, class))));
        let regions = values.into_iter().filter_map(|(value, set)| {
            let area = Area::of(number, set, count)?;
            Some((value, Region::from(area)))
        });
        regions.collect()
    }

    /// What a region leaves of a flag: whether it can be off, and whether it can be on.
    pub fn flag_in(&self, region: &Region, fact: Fact<'_>) -> (bool, bool) {
        let Some(number) = self.number(fact) else {
            return (true, true);
        };
        let can = |class: u32| {
            let mut areas = region.areas.iter();
            areas.any(|area| area.limit(number).is_none_or(|set| set.has(class)))
        };
        (can(0), can(1))
    }
}

/// What a plan asks of a request once `route` is chosen: the parts of forbids, and of `also`, that are about the request, for
/// each target that the route can reach, and the condition of its hedge.
pub fn asked_behind(policy: &Policy, route: RouteId, also: &[&Cond]) -> Result<Vec<Cond>, TooMany> {
    let Some(Action::Serve(serve)) = policy.routes.get(route.index()).map(|it| &it.action) else {
        return Ok(Vec::new());
    };
    let members = serve.tiers.iter().flat_map(|tier| &tier.members);
    let mut targets: Vec<TargetId> = members.map(|member| member.target).collect();
    targets.extend(serve.fallback.iter().filter_map(|line| match line.then {
        Then::Jump(target) => Some(target),
        _ => None,
    }));
    targets.extend(serve.hedge.iter().map(|hedge| hedge.target));
    targets.extend(serve.shadow.iter().map(|shadow| shadow.target));
    let forbids = policy.forbids.iter().map(|forbid| &forbid.when);
    let conds: Vec<&Cond> = forbids.chain(also.iter().copied()).collect();
    let mut asked =
        asked_of_requests(&conds, &policy.providers, &policy.targets, &targets).ok_or(TooMany)?;
    if let Some(hedge) = &serve.hedge
        && !matches!(hedge.when, Cond::Always | Cond::Never)
    {
        asked.push(hedge.when.clone());
    }
    Ok(asked)
}
