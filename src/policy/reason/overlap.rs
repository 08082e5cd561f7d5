//! Overlaps that look like a slip. Routes overlap on purpose everywhere: a special one stands before a general one, and routes
//! about different facts meet in some requests. One kind has no such reason:
//!
//! ```text
//!   earlier   team in [a, b]                      team
//!   later     team in [b, c] and has images       a │ b │ c
//!                                                 ──────      earlier
//!                                                     ──────  later: nothing of "b" is left to it, which it names
//! ```
//! In one fact each has something that the other has not, and in every other fact the earlier one has all that the later one
//! has. Then a whole slice of what the later one asks for is dead.

use crate::policy::reason::area::{Area, Budget, Point, TooMany};
use crate::policy::reason::classes::Classes;
use crate::policy::reason::order::{Left, Order};
use crate::policy::reason::set::Set;

/// Areas of one comparison.
const AREAS_MAX: usize = 10_000;

/// A later region that has nothing left of a slice of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Overlap {
    /// The position of the one that takes it.
    pub earlier: usize,
    /// The fact in which they lie astride of each other.
    pub fact: usize,
    /// A request of the slice, which gets to the earlier one.
    pub point: Point,
    /// The facts that matter.
    pub facts: Vec<usize>,
}

impl Order<'_> {
    /// The first such overlap of the region at `position`, those with positions that `is_meant` aside.
    pub fn overlap_of(
        &self,
        classes: &Classes<'_>,
        position: usize,
        is_meant: impl Fn(usize) -> bool,
    ) -> Result<Option<Overlap>, TooMany> {
        let Some(region) = self.region(position) else {
            return Ok(None);
        };
        for area in &region.areas {
            for (earlier, other) in self.near(area, position)? {
                if is_meant(earlier) {
                    continue;
                }
                let Some(fact) = classes.astride(other, area) else {
                    continue;
                };
                let whole = self.region(earlier);
                let (Some(both), Some(whole)) = (other.and(area), whole) else {
                    continue;
                };
                let mut budget = Budget::of(AREAS_MAX);
                let special = whole.minus(region, classes.counts(), &mut budget)?;
                if special.is_empty() {
                    continue;
                }
                let facts = both.limits().iter().map(|(fact, _)| *fact).collect();
                if let Left::Some(point) = self.left_of(&both.into(), earlier)? {
                    return Ok(Some(Overlap {
                        earlier,
                        fact,
                        point,
                        facts,
                    }));
                }
            }
        }
        Ok(None)
    }
}

impl Classes<'_> {
    /// The one fact in which each has what the other has not, if in every other fact `earlier` has all that `later` has.
    fn astride(&self, earlier: &Area, later: &Area) -> Option<usize> {
        let mut found = None;
        for (fact, set) in earlier.limits() {
            let wanted = later.limit(*fact)?;
            if set.covers(wanted) {
                continue;
            }
            if found.is_some() || !self.sets_astride(*fact, set, wanted) {
                return None;
            }
            found = Some(*fact);
        }
        found
    }

    /// The same for two sets of a fact that is made of several: a day is a date and a weekday.
    fn sets_astride(&self, fact: usize, earlier: &Set, later: &Set) -> bool {
        let (mut astride, mut all) = (0, true);
        let views = self.views(fact, earlier).into_iter();
        for (earlier, later) in views.zip(self.views(fact, later)) {
            if earlier.straddles(&later) {
                astride += 1;
            } else {
                all &= earlier.covers(&later);
            }
        }
        all && astride == 1
    }
}
