//! Conditions in order, of which the first one that holds wins: who takes what.
//!
//! A route is compared with those that could take one of its requests only: each area is filed under the classes of the fact
//! that it limits most, so that a request is looked up, not compared with every route.

use std::cell::Cell;

use crate::policy::reason::area::{Area, Budget, Point, Region, TooMany};
use crate::policy::reason::classes::Classes;

/// An area is filed under at most so many classes.
const FILED_MAX: u64 = 16;
/// Areas that one question may make, so that two conditions of a hundred alternatives each are still decided.
const AREAS_MAX: usize = 10_000;
/// Areas that may be looked at for all questions together: about a second.
const LOOKS_MAX: usize = 50_000_000;

/// Regions in the order in which they are asked.
#[derive(Debug)]
pub struct Order<'c> {
    counts: &'c [u32],
    regions: Vec<Region>,
    /// All areas: the position of the region, and which of its areas it is.
    areas: Vec<(usize, usize)>,
    /// By fact and class, then by number of the area.
    filed: Vec<Vec<Vec<u32>>>,
    /// Areas that are filed under no class.
    wide: Vec<u32>,
    looks: Cell<usize>,
}

/// Whether something is left of a region.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Left {
    /// This request is, for one.
    Some(Point),
    /// All of it is taken by these, in order.
    Nothing(Vec<usize>),
}

impl<'c> Order<'c> {
    /// Files the regions.
    pub fn new(classes: &'c Classes<'_>, regions: Vec<Region>) -> Self {
        let counts = classes.counts();
        let mut order = Self {
            counts,
            areas: Vec::new(),
            filed: counts.iter().map(|_| Vec::new()).collect(),
            wide: Vec::new(),
            looks: Cell::new(LOOKS_MAX),
            regions: Vec::new(),
        };
        for (position, region) in regions.iter().enumerate() {
            for (which, area) in region.areas.iter().enumerate() {
                order.file(area);
                order.areas.push((position, which));
            }
        }
        order.regions = regions;
        order
    }

    fn file(&mut self, area: &Area) {
        let number = u32::try_from(self.areas.len()).unwrap_or(u32::MAX);
        // The share of the fact's classes that it leaves tells how selective a limit is.
        let most_selective = area.limits().iter().min_by_key(|(fact, set)| {
            let count = self.counts.get(*fact).copied().unwrap_or(1);
            (set.len() * 1_000_000).div_ceil(u64::from(count.max(1)))
        });
        let filed = most_selective.filter(|(_, set)| set.len() <= FILED_MAX);
        let Some((fact, set)) = filed else {
            self.wide.push(number);
            return;
        };
        let count = self.counts.get(*fact).copied().unwrap_or_default();
        if let Some(by_class) = self.filed.get_mut(*fact) {
            by_class.resize(by_class.len().max(count as usize), Vec::new());
            for class in set.iter() {
                if let Some(list) = by_class.get_mut(class as usize) {
                    list.push(number);
                }
            }
        }
    }

    /// The region at a position.
    pub fn region(&self, position: usize) -> Option<&Region> {
        self.regions.get(position)
    }

    /// The first position below `before` whose region has the request.
    pub fn first(&self, point: &[u32], before: usize) -> Result<Option<usize>, TooMany> {
        let mut first = self.first_of(&self.wide, point, before)?;
        for (by_class, class) in self.filed.iter().zip(point) {
            if let Some(list) = by_class.get(*class as usize) {
                let found = self.first_of(list, point, first.unwrap_or(before))?;
                first = found.or(first);
            }
        }
        Ok(first)
    }

    fn first_of(
        &self,
        list: &[u32],
        point: &[u32],
        before: usize,
    ) -> Result<Option<usize>, TooMany> {
        for number in list {
            let Some(&(position, which)) = self.areas.get(*number as usize) else {
                continue;
            };
            if position >= before {
                break;
            }
            self.look(1)?;
            if self
                .area(position, which)
                .is_some_and(|area| area.has(point))
            {
                return Ok(Some(position));
            }
        }
        Ok(None)
    }

    fn look(&self, count: usize) -> Result<(), TooMany> {
        let left = self.looks.get().checked_sub(count).ok_or(TooMany)?;
        self.looks.set(left);
        Ok(())
    }

    fn area(&self, position: usize, which: usize) -> Option<&Area> {
        self.regions.get(position)?.areas.get(which)
    }

    /// What the positions below `before` leave of a region. Each step takes one request of what is left and cuts out the
    /// region that has it.
    pub fn left_of(&self, region: &Region, before: usize) -> Result<Left, TooMany> {
        let mut budget = Budget::of(AREAS_MAX);
        let mut taken = Vec::new();
        let mut left = region.areas.clone();
        while let Some(area) = left.pop() {
            let point = self.point_in(&area);
            let Some(taker) = self.first(&point, before)? else {
                return Ok(Left::Some(point));
            };
            taken.push(taker);
            let mut rest = Region::from(area);
            if let Some(cut) = self.region(taker) {
                rest = rest.minus(cut, self.counts, &mut budget)?;
            }
            budget.take(1)?;
            left.extend(rest.areas);
        }
        taken.sort_unstable();
        taken.dedup();
        Ok(Left::Nothing(taken))
    }

    /// A request of `part` that the region at `position` is the first to have, if there is one.
    pub fn one_of(&self, part: &Region, position: usize) -> Result<Option<Point>, TooMany> {
        let Some(own) = self.region(position) else {
            return Ok(None);
        };
        let both = part.and(own, self.counts, &mut Budget::of(AREAS_MAX))?;
        Ok(match self.left_of(&both, position)? {
            Left::Some(point) => Some(point),
            Left::Nothing(_) => None,
        })
    }

    /// A request of an area: where there is a choice, of the classes that the fewest areas name.
    fn point_in(&self, area: &Area) -> Point {
        let numbered = self.counts.iter().zip(&self.filed).enumerate();
        let class = |(fact, (count, by_class)): (usize, (&u32, &Vec<Vec<u32>>))| {
            let filed = |class: &u32| by_class.get(*class as usize).map_or(0, Vec::len);
            let least = |classes: &mut dyn Iterator<Item = u32>| classes.min_by_key(filed);
            // The classes at the end of a string are those that no condition names.
            let chosen = match area.limit(fact) {
                Some(set) => least(&mut set.iter().rev().take(8)),
                None => least(&mut (0..*count).rev().take(8)),
            };
            chosen.unwrap_or_default()
        };
        numbered.map(class).collect()
    }

    /// The pairs of an area at `position` and one before it that could meet in the fact that the earlier one is filed under, the
    /// earliest first, as positions and areas.
    pub(super) fn near(
        &self,
        area: &Area,
        position: usize,
    ) -> Result<Vec<(usize, &Area)>, TooMany> {
        let mut found: Vec<u32> = self.wide.clone();
        for (fact, set) in area.limits() {
            let Some(by_class) = self.filed.get(*fact).filter(|filed| !filed.is_empty()) else {
                continue;
            };
            self.look(usize::try_from(set.len()).unwrap_or(usize::MAX))?;
            for class in set.iter() {
                found.extend(by_class.get(class as usize).into_iter().flatten());
            }
        }
        self.look(found.len())?;
        found.sort_unstable();
        found.dedup();
        let earlier = found.into_iter().filter_map(|number| {
            let (at, which) = *self.areas.get(number as usize)?;
            (at < position).then_some((at, self.area(at, which)?))
        });
        Ok(earlier.collect())
    }
}
