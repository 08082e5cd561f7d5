//! Sets of values of one fact: what a condition leaves of it. Closed under complement and intersection, so that `not`,
//! `and` and `or` over one fact never need more than one set.

/// A set of values of one dimension.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Set<'p> {
    /// Of a string, which may be missing.
    Strings(Strings<'p>),
    /// Of a number: sorted, disjoint, inclusive.
    Ranges(Vec<(u64, u64)>),
    /// Of a yes-or-no fact.
    Truth {
        /// Whether no is in the set.
        no: bool,
        /// Whether yes is in the set.
        yes: bool,
    },
}

/// A set of strings and of the missing string.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Strings<'p> {
    /// Sorted, without repeats.
    pub(super) values: Vec<&'p str>,
    /// The set is every string but `values`.
    pub(super) inverted: bool,
    /// The missing string is in the set.
    pub(super) missing: bool,
}

impl<'p> Set<'p> {
    /// The strings `values`.
    pub(super) fn of_values(values: &'p [Box<str>]) -> Self {
        let mut values: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
        values.sort_unstable();
        values.dedup();
        Self::Strings(Strings {
            values,
            inverted: false,
            missing: false,
        })
    }

    /// Every string that is there.
    pub(super) const fn present() -> Self {
        Self::Strings(Strings {
            values: Vec::new(),
            inverted: true,
            missing: false,
        })
    }

    /// The numbers `low..=high`; none if they are the wrong way round.
    pub(super) fn of_range(low: u64, high: u64) -> Self {
        Self::Ranges(if low <= high {
            vec![(low, high)]
        } else {
            Vec::new()
        })
    }

    /// Yes only.
    pub(super) const YES: Self = Self::Truth {
        no: false,
        yes: true,
    };

    /// Every value that is not in the set.
    pub(super) fn complement(self) -> Self {
        match self {
            Self::Strings(set) => Self::Strings(Strings {
                values: set.values,
                inverted: !set.inverted,
                missing: !set.missing,
            }),
            Self::Ranges(ranges) => Self::Ranges(gaps(&ranges)),
            Self::Truth { no, yes } => Self::Truth { no: !no, yes: !yes },
        }
    }

    /// What is in both sets. Sets of different kinds never meet: a dimension has one kind.
    pub(super) fn intersect(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Strings(a), Self::Strings(b)) => Self::Strings(a.intersect(b)),
            (Self::Ranges(a), Self::Ranges(b)) => Self::Ranges(overlaps(a, b)),
            (Self::Truth { no, yes }, Self::Truth { no: n, yes: y }) => Self::Truth {
                no: *no && *n,
                yes: *yes && *y,
            },
            _ => self.clone(),
        }
    }

    /// What is in either set.
    pub(super) fn union(&self, other: &Self) -> Self {
        let neither = self
            .clone()
            .complement()
            .intersect(&other.clone().complement());
        neither.complement()
    }

    /// Whether no value is in the set.
    pub(super) const fn is_empty(&self) -> bool {
        match self {
            Self::Strings(set) => !set.inverted && set.values.is_empty() && !set.missing,
            Self::Ranges(ranges) => ranges.is_empty(),
            Self::Truth { no, yes } => !*no && !*yes,
        }
    }

    /// Whether every value is in the set.
    pub(super) fn is_full(&self) -> bool {
        match self {
            Self::Strings(set) => set.inverted && set.values.is_empty() && set.missing,
            Self::Ranges(ranges) => ranges.as_slice() == [(0, u64::MAX)],
            Self::Truth { no, yes } => *no && *yes,
        }
    }
}

impl Strings<'_> {
    fn intersect(&self, other: &Self) -> Self {
        let has = |set: &Self, value: &str| set.values.binary_search(&value).is_ok();
        let (values, inverted) = match (self.inverted, other.inverted) {
            (true, true) => {
                let mut both = [self.values.as_slice(), other.values.as_slice()].concat();
                both.sort_unstable();
                both.dedup();
                (both, true)
            }
            (true, false) => (keep(&other.values, |value| !has(self, value)), false),
            (false, inverted) => {
                let values = keep(&self.values, |value| has(other, value) != inverted);
                (values, false)
            }
        };
        Self {
            values,
            inverted,
            missing: self.missing && other.missing,
        }
    }
}

fn keep<'p>(values: &[&'p str], is_in: impl Fn(&str) -> bool) -> Vec<&'p str> {
    values
        .iter()
        .copied()
        .filter(|value| is_in(value))
        .collect()
}

/// The numbers between sorted, disjoint ranges.
fn gaps(ranges: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut out = Vec::with_capacity(ranges.len().saturating_add(1));
    let mut next = Some(0);
    for &(low, high) in ranges {
        if let Some(start) = next
            && start < low
        {
            out.push((start, low.saturating_sub(1)));
        }
        next = high.checked_add(1);
    }
    if let Some(start) = next {
        out.push((start, u64::MAX));
    }
    merged(out)
}

fn overlaps(a: &[(u64, u64)], b: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let pairs = a.iter().flat_map(|x| b.iter().map(move |y| (x, y)));
    let mut out: Vec<_> = pairs
        .map(|(x, y)| (x.0.max(y.0), x.1.min(y.1)))
        .filter(|(low, high)| low <= high)
        .collect();
    out.sort_unstable();
    merged(out)
}

/// Joins ranges that touch, so that a full set is one range.
fn merged(sorted: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    let mut out: Vec<(u64, u64)> = Vec::with_capacity(sorted.len());
    for (low, high) in sorted {
        match out.last_mut() {
            Some(last) if last.1.checked_add(1).is_none_or(|next| low <= next) => {
                last.1 = last.1.max(high);
            }
            _ => out.push((low, high)),
        }
    }
    out
}
