//! A condition as cases: it holds if one case does, and a case holds if each fact that it limits lies in its set. One
//! case is one bit of the matcher.
//!
//! Multiplying out can explode, so it is bounded. What does not fit is widened, never narrowed: the cases then hold
//! for more requests than the condition, [`Cases::exact`] says so, and the matcher asks the condition itself.

use crate::policy::model::Cond;
use crate::policy::model::FlagFact;
use crate::policy::model::IntFact;
use crate::policy::model::Pattern;
use crate::policy::model::StrFact;
use crate::policy::model::Test;
use crate::policy::program::set::Set;

/// Cases of one condition: one machine word of the matcher's bits.
const CASES_MAX: usize = 64;

/// What a case can limit: a fact, or the answer of a test that is too rich to have classes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Key<'p> {
    String(&'p StrFact),
    Int(IntFact),
    Flag(FlagFact),
    Form(&'p StrFact, &'p Pattern),
    Share(&'p StrFact, &'p str, u32),
}

/// One conjunction.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Case<'p> {
    /// Sorted by key, one set each, none of them empty or full.
    pub(super) limits: Vec<(Key<'p>, Set<'p>)>,
}

/// One condition.
#[derive(Clone, Debug)]
pub(super) struct Cases<'p> {
    /// At most [`CASES_MAX`]; none: the condition never holds.
    pub(super) list: Vec<Case<'p>>,
    /// Whether the cases hold exactly where the condition does; otherwise also elsewhere.
    pub(super) exact: bool,
}

impl<'p> Cases<'p> {
    /// The cases of a condition over the request.
    pub(super) fn of(cond: &'p Cond) -> Self {
        Self::expand(cond, true)
    }

    /// One case around all of them, for when even a bounded number of bits is too many.
    pub(super) fn into_hull(self) -> Self {
        if self.list.len() <= 1 {
            return self;
        }
        Self {
            list: vec![hull(&self.list)],
            exact: false,
        }
    }

    fn expand(cond: &'p Cond, wanted: bool) -> Self {
        match cond {
            Cond::Always => Self::constant(wanted),
            Cond::Never => Self::constant(!wanted),
            Cond::Test(test) => Self::literal(test, wanted),
            Cond::Not(inner) => Self::expand(inner, !wanted),
            // `not (a and b)` is `not a or not b`.
            Cond::All(parts) if wanted => Self::conjunction(parts, wanted),
            Cond::Any(parts) if !wanted => Self::conjunction(parts, wanted),
            Cond::All(parts) | Cond::Any(parts) => Self::disjunction(parts, wanted),
        }
    }

    fn constant(holds: bool) -> Self {
        Self {
            list: if holds {
                vec![Case::default()]
            } else {
                Vec::new()
            },
            exact: true,
        }
    }

    fn literal(test: &'p Test, wanted: bool) -> Self {
        let (key, set, positive) = match test {
            Test::OneOf {
                fact,
                values,
                negated,
            } => (Key::String(fact), Set::of_values(values), !*negated),
            Test::Matches { fact, pattern } => (Key::Form(fact, pattern), Set::YES, true),
            Test::Present(fact) => (Key::String(fact), Set::present(), true),
            Test::Within {
                fact,
                low,
                high,
                negated,
            } => (Key::Int(*fact), Set::of_range(*low, *high), !*negated),
            Test::Flag(fact) => (Key::Flag(*fact), Set::YES, true),
            Test::HashBelow { fact, salt, share } => {
                (Key::Share(fact, salt, *share), Set::YES, true)
            }
            // Before the first attempt both are false.
            Test::LastOutcome(_) | Test::SameDomain => return Self::constant(!wanted),
        };
        let set = if positive == wanted {
            set
        } else {
            set.complement()
        };
        if set.is_empty() {
            return Self::constant(false);
        }
        let mut case = Case::default();
        if !set.is_full() {
            case.limits.push((key, set));
        }
        Self {
            list: vec![case],
            exact: true,
        }
    }

    fn conjunction(parts: &'p [Cond], wanted: bool) -> Self {
        let mut all = Self::constant(true);
        for part in parts {
            let mut one = Self::expand(part, wanted);
            if all.list.len().saturating_mul(one.list.len()) > CASES_MAX {
                one = one.into_hull();
            }
            let pairs = all
                .list
                .iter()
                .flat_map(|a| one.list.iter().map(move |b| a.and(b)));
            all.list = pairs.flatten().collect();
            all.exact &= one.exact;
        }
        all
    }

    fn disjunction(parts: &'p [Cond], wanted: bool) -> Self {
        let mut any = Self::constant(false);
        for part in parts {
            let one = Self::expand(part, wanted);
            any.exact &= one.exact;
            one.list.into_iter().for_each(|case| any.add(case));
            if any.list.len() > CASES_MAX {
                any = any.into_hull();
            }
        }
        any
    }

    /// Adds a case; two that limit only the same fact become one.
    fn add(&mut self, case: Case<'p>) {
        if let [(key, set)] = case.limits.as_slice() {
            let twin = self
                .list
                .iter_mut()
                .find_map(|have| match have.limits.as_mut_slice() {
                    [(same, wider)] if same == key => Some(wider),
                    _ => None,
                });
            if let Some(wider) = twin {
                *wider = wider.union(set);
                if wider.is_full() {
                    self.list = vec![Case::default()];
                }
                return;
            }
        }
        self.list.push(case);
    }
}

impl<'p> Case<'p> {
    /// Both at once, `None` if that is impossible.
    fn and(&self, other: &Self) -> Option<Self> {
        let mut limits = self.limits.clone();
        for (key, set) in &other.limits {
            match limits.binary_search_by(|(have, _)| have.cmp(key)) {
                Ok(at) => {
                    let (_, have) = limits.get_mut(at)?;
                    *have = have.intersect(set);
                    if have.is_empty() {
                        return None;
                    }
                }
                Err(at) => limits.insert(at, (*key, set.clone())),
            }
        }
        Some(Self { limits })
    }

    /// The set of one key, if the case limits it.
    pub(super) fn limit(&self, key: &Key<'p>) -> Option<&Set<'p>> {
        let at = self
            .limits
            .binary_search_by(|(have, _)| have.cmp(key))
            .ok()?;
        self.limits.get(at).map(|(_, set)| set)
    }
}

/// The smallest case that holds wherever one of `list` does: a fact stays limited only if every case limits it.
fn hull<'p>(list: &[Case<'p>]) -> Case<'p> {
    let Some((first, rest)) = list.split_first() else {
        return Case::default();
    };
    let mut limits = first.limits.clone();
    for case in rest {
        limits.retain_mut(|(key, set)| {
            let Some(other) = case.limit(key) else {
                return false;
            };
            *set = set.union(other);
            !set.is_full()
        });
    }
    Case { limits }
}
