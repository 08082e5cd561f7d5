//! From conditions to regions.

use crate::policy::model::{Cond, Test};
use crate::policy::reason::area::{Area, Budget, Region, TooMany};
use crate::policy::reason::classes::Classes;
use crate::policy::reason::set::Set;

/// Areas of one condition.
const AREAS_MAX: usize = 10_000;

/// How a switch counts: a part that a policy sets to true or false, such as a const that is a parameter, or a share of 0 or
/// 100 %. What is said about a policy should not hang on how a switch stands today.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Switches {
    /// As they stand.
    Stand,
    /// So that the condition holds for as many requests as it ever can.
    Open,
    /// So that it holds for as few as it ever can.
    Shut,
}

impl Classes<'_> {
    /// The requests for which a condition holds. Its tests must be among those that the classes were made from.
    pub fn region(&self, cond: &Cond, switches: Switches) -> Result<Region, TooMany> {
        self.expand(cond, true, switches, &mut Budget::of(AREAS_MAX))
    }

    /// The requests for which it does not hold: with switches as for the condition itself.
    pub fn region_without(&self, cond: &Cond, switches: Switches) -> Result<Region, TooMany> {
        let turned = match switches {
            Switches::Stand => Switches::Stand,
            Switches::Open => Switches::Shut,
            Switches::Shut => Switches::Open,
        };
        self.expand(cond, false, turned, &mut Budget::of(AREAS_MAX))
    }

    /// Where the condition is as `wanted`.
    fn expand(
        &self,
        cond: &Cond,
        wanted: bool,
        switches: Switches,
        budget: &mut Budget,
    ) -> Result<Region, TooMany> {
        let constant = |holds: bool| {
            let holds = match switches {
                Switches::Stand => holds == wanted,
                Switches::Open => true,
                Switches::Shut => false,
            };
            if holds {
                Region::everything()
            } else {
                Region::NOTHING
            }
        };
        match cond {
            Cond::Always => Ok(constant(true)),
            Cond::Never => Ok(constant(false)),
            Cond::Not(inner) => self.expand(inner, !wanted, switches, budget),
            Cond::Test(test) => Ok(match constant_share(test) {
                Some(holds) => constant(holds),
                None => self.literal(test, wanted),
            }),
            // `not (a and b)` is `not a or not b`.
            Cond::All(parts) if wanted => self.both(parts, wanted, switches, budget),
            Cond::Any(parts) if !wanted => self.both(parts, wanted, switches, budget),
            Cond::All(parts) | Cond::Any(parts) => {
                let mut either = Region::NOTHING;
                for part in parts {
                    let one = self.expand(part, wanted, switches, budget)?;
                    budget.take(one.areas.len())?;
                    let areas = one.areas.into_iter();
                    areas.for_each(|area| either.add(area, self.counts()));
                }
                Ok(either)
            }
        }
    }

    fn both(
        &self,
        parts: &[Cond],
        wanted: bool,
        switches: Switches,
        budget: &mut Budget,
    ) -> Result<Region, TooMany> {
        let mut both = Region::everything();
        for part in parts {
            let one = self.expand(part, wanted, switches, budget)?;
            both = both.and(&one, self.counts(), budget)?;
        }
        Ok(both)
    }

    fn literal(&self, test: &Test, wanted: bool) -> Region {
        let Some((fact, set)) = self.of_test(test) else {
            return Region::NOTHING;
        };
        let count = self.counts().get(fact).copied().unwrap_or_default();
        let set = if wanted {
            set
        } else {
            Set::all(count).minus(&set)
        };
        Area::of(fact, set, count).map_or(Region::NOTHING, Region::from)
    }
}

/// The answer of a test that is the same for every request because its share is nothing or everything.
fn constant_share(test: &Test) -> Option<bool> {
    match test {
        Test::HashBelow { share: 0, .. } => Some(false),
        Test::HashBelow {
            share: 1_000_000.., ..
        } => Some(true),
        _ => None,
    }
}

/// Whether a condition has a switch.
pub fn has_switch(cond: &Cond) -> bool {
    match cond {
        Cond::Always | Cond::Never => true,
        Cond::Test(test) => constant_share(test).is_some(),
        Cond::Not(inner) => has_switch(inner),
        Cond::All(parts) | Cond::Any(parts) => parts.iter().any(has_switch),
    }
}
