//! Sets of classes of one fact: sorted ranges of their numbers. One form for strings, numbers and flags, so that areas
//! need to know nothing of what they limit.

/// Classes of one fact.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Set(Vec<(u32, u32)>);

impl Set {
    /// No class.
    pub const EMPTY: Self = Self(Vec::new());

    /// The classes `low..=high`; none if they are the wrong way round.
    pub fn of(low: u32, high: u32) -> Self {
        Self(if low <= high {
            vec![(low, high)]
        } else {
            Vec::new()
        })
    }

    /// All of `count` classes.
    pub fn all(count: u32) -> Self {
        count
            .checked_sub(1)
            .map_or(Self::EMPTY, |last| Self::of(0, last))
    }

    /// These classes, which ascend.
    pub fn from_ascending(classes: impl IntoIterator<Item = u32>) -> Self {
        let mut set = Self::EMPTY;
        for class in classes {
            set.push(class, class);
        }
        set
    }

    /// Whether no class is in it.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is all of `count` classes.
    pub fn is_all(&self, count: u32) -> bool {
        self.len() == u64::from(count)
    }

    /// How many classes.
    pub fn len(&self) -> u64 {
        let sizes = self.0.iter().map(|(low, high)| u64::from(high - low) + 1);
        sizes.sum()
    }

    /// The classes, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = u32> + '_ {
        self.0.iter().flat_map(|&(low, high)| low..=high)
    }

    /// Whether `class` is in it.
    pub fn has(&self, class: u32) -> bool {
        let after = self.0.partition_point(|(low, _)| *low <= class);
        let range = after.checked_sub(1).and_then(|at| self.0.get(at));
        range.is_some_and(|(_, high)| class <= *high)
    }

    /// What is in both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut both = Vec::with_capacity(self.0.len().max(other.0.len()));
        let (mut a, mut b) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some(&&(low_a, high_a)), Some(&&(low_b, high_b))) = (a.peek(), b.peek()) {
            let (low, high) = (low_a.max(low_b), high_a.min(high_b));
            if low <= high {
                both.push((low, high));
            }
            if high_a < high_b {
                a.next();
            } else {
                b.next();
            }
        }
        Self(both)
    }

    /// What is in either.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let mut ranges: Vec<(u32, u32)> = self.0.iter().chain(&other.0).copied().collect();
        ranges.sort_unstable();
        let mut either = Self::EMPTY;
        for (low, high) in ranges {
            either.push(low, high);
        }
        either
    }

    /// What is in this one only.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        let mut left = Vec::with_capacity(self.0.len());
        let mut cuts = other.0.as_slice();
        for &(low, high) in &self.0 {
            let mut from = Some(low);
            while let (Some(start), Some((&(cut, end), rest))) = (from, cuts.split_first()) {
                if end < start {
                    cuts = rest;
                    continue;
                }
                if cut > high {
                    break;
                }
                if cut > start {
                    left.push((start, cut - 1));
                }
                // A cut that reaches beyond this range may reach into the next one, too.
                from = end.checked_add(1).filter(|next| *next <= high);
                if from.is_some() {
                    cuts = rest;
                }
            }
            if let Some(start) = from {
                left.push((start, high));
            }
        }
        Self(left)
    }

    /// Whether every class of `other` is here.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|&(low, high)| {
            let after = self.0.partition_point(|(start, _)| *start <= low);
            let range = after.checked_sub(1).and_then(|at| self.0.get(at));
            range.is_some_and(|(_, end)| high <= *end)
        })
    }

    /// Whether they have a class in common.
    pub fn meets(&self, other: &Self) -> bool {
        let (mut a, mut b) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some(&&(low_a, high_a)), Some(&&(low_b, high_b))) = (a.peek(), b.peek()) {
            if low_a.max(low_b) <= high_a.min(high_b) {
                return true;
            }
            if high_a < high_b {
                a.next();
            } else {
                b.next();
            }
        }
        false
    }

    /// Whether each has a class that the other has, and one that it has not.
    pub fn straddles(&self, other: &Self) -> bool {
        self.meets(other) && !self.covers(other) && !other.covers(self)
    }

    /// Adds a range that does not begin before the last one.
    fn push(&mut self, low: u32, high: u32) {
        match self.0.last_mut() {
            Some((_, end)) if end.saturating_add(1) >= low => *end = (*end).max(high),
            _ => self.0.push((low, high)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Set;

    /// Every set of six classes.
    fn every() -> impl Iterator<Item = (u32, Set)> {
        (0..64_u32).map(|bits| {
            let classes = (0..6).filter(move |class| bits >> class & 1 == 1);
            (bits, Set::from_ascending(classes))
        })
    }

    #[test]
    fn sets_are_what_bits_say() {
        for (a, left) in every() {
            assert_eq!(left.len(), u64::from(a.count_ones()));
            assert_eq!(left.is_empty(), a == 0);
            assert_eq!(left.is_all(6), a == 63);
            for class in 0..6 {
                assert_eq!(left.has(class), a >> class & 1 == 1);
            }
            for (b, right) in every() {
                let bits = |set: &Set| set.iter().fold(0, |bits, class| bits | 1 << class);
                assert_eq!(bits(&left.and(&right)), a & b, "{left:?} {right:?}");
                assert_eq!(bits(&left.or(&right)), a | b, "{left:?} {right:?}");
                assert_eq!(bits(&left.minus(&right)), a & !b, "{left:?} {right:?}");
                assert_eq!(left.covers(&right), b & !a == 0, "{left:?} {right:?}");
                assert_eq!(left.meets(&right), a & b != 0, "{left:?} {right:?}");
                let straddles = a & b != 0 && b & !a != 0 && a & !b != 0;
                assert_eq!(left.straddles(&right), straddles, "{left:?} {right:?}");
                // One form for each set.
                assert_eq!(left == right, a == b);
            }
        }
    }
}
