//! Areas and regions: what a condition leaves of all requests.
//!
//! ```text
//!   area     one set of classes for each fact that it limits; a request lies in it if each fact lies in its set
//!   region   a union of areas
//!   a − b    for each fact that b limits, one piece of a: inside b in the facts before, outside in this one
//! ```

use crate::policy::reason::set::Set;

/// One class for each fact of a [`Classes`](crate::policy::reason::Classes): a kind of request.
pub type Point = Vec<u32>;

/// One set for each fact that it limits.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Area {
    /// By the fact's number, ascending; none of them empty or all classes.
    pub(super) limits: Vec<(usize, Set)>,
}

/// A union of areas.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Region {
    /// In no particular order; they may overlap.
    pub areas: Vec<Area>,
}

/// More areas than the budget allows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TooMany;

/// How many areas may be made. Whoever runs out of it says so instead of guessing.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    left: usize,
}

impl Budget {
    /// So many areas.
    pub const fn of(areas: usize) -> Self {
        Self { left: areas }
    }

    /// Takes so many.
    pub fn take(&mut self, areas: usize) -> Result<(), TooMany> {
        self.left = self.left.checked_sub(areas).ok_or(TooMany)?;
        Ok(())
    }
}

impl Area {
    /// Every request.
    pub const EVERYTHING: Self = Self { limits: Vec::new() };

    /// The area of one fact's set, of which there are `count` classes; `None` for the empty one.
    pub(super) fn of(fact: usize, set: Set, count: u32) -> Option<Self> {
        if set.is_empty() {
            return None;
        }
        let limits = if set.is_all(count) {
            Vec::new()
        } else {
            vec![(fact, set)]
        };
        Some(Self { limits })
    }

    /// The facts that it limits, and to what.
    pub fn limits(&self) -> &[(usize, Set)] {
        &self.limits
    }

    /// What it leaves of a fact, if it limits it.
    pub fn limit(&self, fact: usize) -> Option<&Set> {
        let at = self.limits.binary_search_by_key(&fact, |(have, _)| *have);
        self.limits.get(at.ok()?).map(|(_, set)| set)
    }

    /// Whether the request lies in it.
    pub fn has(&self, point: &[u32]) -> bool {
        let inside =
            |(fact, set): &(usize, Set)| point.get(*fact).is_some_and(|class| set.has(*class));
        self.limits.iter().all(inside)
    }

    /// What is in both, if anything is.
    pub fn and(&self, other: &Self) -> Option<Self> {
        let mut limits = Vec::with_capacity(self.limits.len() + other.limits.len());
        let (mut a, mut b) = (
            self.limits.iter().peekable(),
            other.limits.iter().peekable(),
        );
        loop {
            match (a.peek(), b.peek()) {
                (None, None) => return Some(Self { limits }),
                (Some((fact_a, set_a)), Some((fact_b, set_b))) if fact_a == fact_b => {
                    let both = set_a.and(set_b);
                    if both.is_empty() {
                        return None;
                    }
                    limits.push((*fact_a, both));
                    a.next();
                    b.next();
                }
                (Some((fact_a, _)), Some((fact_b, _))) if fact_a > fact_b => {
                    limits.extend(b.next().cloned());
                }
                (Some(_), _) => limits.extend(a.next().cloned()),
                (None, Some(_)) => limits.extend(b.next().cloned()),
            }
        }
    }

    /// Whether they have a request in common.
    pub fn meets(&self, other: &Self) -> bool {
        let apart =
            |(fact, set): &(usize, Set)| other.limit(*fact).is_some_and(|limit| !limit.meets(set));
        !self.limits.iter().any(apart)
    }

    /// Whether every request of `other` lies in it.
    pub fn covers(&self, other: &Self) -> bool {
        let wider =
            |(fact, set): &(usize, Set)| other.limit(*fact).is_some_and(|limit| set.covers(limit));
        self.limits.iter().all(wider)
    }

    /// The pieces that lie outside of `other`, disjoint. `counts` are the facts' numbers of classes.
    pub(super) fn minus(&self, other: &Self, counts: &[u32]) -> Vec<Self> {
        if !self.meets(other) {
            return vec![self.clone()];
        }
        let mut pieces = Vec::new();
        let mut inside = self.clone();
        for (fact, set) in &other.limits {
            let count = counts.get(*fact).copied().unwrap_or_default();
            let have = inside.limit(*fact).cloned();
            let have = have.unwrap_or_else(|| Set::all(count));
            let outside = have.minus(set);
            if !outside.is_empty() {
                let mut piece = inside.clone();
                piece.set(*fact, outside);
                pieces.push(piece);
                inside.set(*fact, have.and(set));
            }
        }
        pieces
    }

    fn set(&mut self, fact: usize, set: Set) {
        match self.limits.binary_search_by_key(&fact, |(have, _)| *have) {
            Ok(at) => {
                if let Some((_, have)) = self.limits.get_mut(at) {
                    *have = set;
                }
            }
            Err(at) => self.limits.insert(at, (fact, set)),
        }
    }

    /// The fact in which alone they differ, if there is exactly one.
    fn only_difference(&self, other: &Self) -> Option<usize> {
        if self.limits.len() != other.limits.len() {
            return None;
        }
        let mut found = None;
        for (a, b) in self.limits.iter().zip(&other.limits) {
            if a.0 != b.0 || (a.1 != b.1 && found.is_some()) {
                return None;
            }
            if a.1 != b.1 {
                found = Some(a.0);
            }
        }
        found
    }
}

/// Beyond so many areas a union is not tidied: it would cost their square.
const TIDIED_MAX: usize = 64;

impl Region {
    /// No request.
    pub const NOTHING: Self = Self { areas: Vec::new() };

    /// Every request.
    pub fn everything() -> Self {
        Area::EVERYTHING.into()
    }

    /// Whether no request lies in it.
    pub const fn is_empty(&self) -> bool {
        self.areas.is_empty()
    }

    /// Whether the request lies in it.
    pub fn has(&self, point: &[u32]) -> bool {
        self.areas.iter().any(|area| area.has(point))
    }

    /// What is in both.
    pub fn and(&self, other: &Self, counts: &[u32], budget: &mut Budget) -> Result<Self, TooMany> {
        let mut both = Self::NOTHING;
        for a in &self.areas {
            for area in other.areas.iter().filter_map(|b| a.and(b)) {
                budget.take(1)?;
                both.add(area, counts);
            }
        }
        Ok(both)
    }

    /// What lies in this one only, as disjoint areas if this one's are.
    pub fn minus(
        &self,
        other: &Self,
        counts: &[u32],
        budget: &mut Budget,
    ) -> Result<Self, TooMany> {
        let mut left = self.areas.clone();
        for cut in &other.areas {
            let mut pieces = Vec::with_capacity(left.len());
            for area in left {
                pieces.extend(area.minus(cut, counts));
            }
            budget.take(pieces.len())?;
            left = pieces;
        }
        Ok(Self { areas: left })
    }

    /// Adds an area; what another one has already, or what one set can say, is not kept twice.
    pub(super) fn add(&mut self, mut area: Area, counts: &[u32]) {
        if self.areas.len() > TIDIED_MAX {
            self.areas.push(area);
            return;
        }
        if self.areas.iter().any(|have| have.covers(&area)) {
            return;
        }
        self.areas.retain(|have| !area.covers(have));
        let twin = self.areas.iter().enumerate().find_map(|(at, have)| {
            let fact = have.only_difference(&area)?;
            Some((at, fact))
        });
        if let Some((at, fact)) = twin {
            let have = self.areas.swap_remove(at);
            let sets = have.limit(fact).zip(area.limit(fact));
            let either = sets.map(|(a, b)| a.or(b)).unwrap_or_default();
            if either.is_all(counts.get(fact).copied().unwrap_or_default()) {
                area.limits.retain(|(have, _)| *have != fact);
            } else {
                area.set(fact, either);
            }
            self.add(area, counts);
            return;
        }
        self.areas.push(area);
    }
}

impl From<Area> for Region {
    fn from(area: Area) -> Self {
        Self { areas: vec![area] }
    }
}
