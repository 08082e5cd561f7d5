//! The classes of values that conditions tell apart, fact by fact. Two requests whose facts are of the same classes are the
//! same to every condition of the policy, so that finitely many kinds of request stand for all of them.
//!
//! ```text
//!   string    each constant │ what no constant is, by the patterns that hold and the hash shares it falls in │ missing
//!   number    from one edge to the next
//!   day       date and weekday together, where both are read: a date has one weekday
//!   flag      no, yes
//! ```
//! Where one fact has more of them than can be told apart, a test of it becomes a fact of its own that may be true or
//! false whatever the string is. There is then a class too many perhaps, never one too few: what is said about all
//! requests stays true, and a request that is shown as an example is looked for by its real values.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::Outcome;
use crate::policy::model::{Cond, FlagFact, IntFact, Pattern, Policy, StrFact, Test};
use crate::policy::reason::area::{Area, Point};
use crate::policy::reason::set::Set;
use crate::policy::reason::text::Text;

/// Something that a class is a class of.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Fact<'p> {
    /// A string.
    Text(&'p StrFact),
    /// A number.
    Number(IntFact),
    /// `now.date` and `now.weekday`.
    Day,
    /// A flag.
    Flag(FlagFact),
    /// `attempt.last`: none, or one of the outcomes.
    LastOutcome,
    /// Whether the target's failure domain is that of the last attempt.
    SameDomain,
    /// A pattern beside too many others.
    Form(&'p StrFact, &'p Pattern),
    /// A share beside too many others.
    Share(&'p StrFact, &'p str, u32),
}

/// The classes of every fact that a policy reads.
#[derive(Clone, Debug, Default)]
pub struct Classes<'p> {
    /// Sorted by fact.
    pub(super) facts: Vec<(Fact<'p>, Kinds<'p>)>,
    /// How many classes each fact has.
    counts: Vec<u32>,
}

/// The classes of one fact.
#[derive(Clone, Debug)]
pub(super) enum Kinds<'p> {
    Text(Text<'p>),
    Number(Edges),
    Day(Days),
    /// No and yes.
    Truth,
    /// None, and each outcome.
    Outcomes,
}

/// Where the classes of a number begin: the first at 0.
#[derive(Clone, Debug)]
pub(super) struct Edges {
    pub(super) starts: Vec<u64>,
    /// The largest value of the fact.
    most: u64,
}

/// Classes of days.
#[derive(Clone, Debug)]
pub(super) struct Days {
    pub(super) dates: Edges,
    /// Stretch of dates and weekday of each class, ascending.
    pub(super) classes: Vec<(u32, u8)>,
}

impl<'p> Classes<'p> {
    /// The classes that these conditions tell apart. Of `replaced` no model name is ever seen by a condition: they are
    /// aliases.
    pub fn of(conds: impl IntoIterator<Item = &'p Cond>, replaced: &[&'p str]) -> Self {
        let mut reads = Reads::default();
        conds.into_iter().for_each(|cond| reads.cond(cond));
        reads.classes(replaced)
    }

    /// The classes of everything that a policy asks of a request or an attempt.
    pub fn of_policy(policy: &'p Policy) -> Self {
        let routes = policy.routes.iter().map(|route| &route.when);
        let forbids = policy.forbids.iter().map(|forbid| &forbid.when);
        let replaced: Vec<&str> = policy.aliases.iter().map(|alias| &*alias.from).collect();
        Self::of(routes.chain(forbids), &replaced)
    }

    /// The facts, in the order of their numbers.
    pub fn facts(&self) -> impl ExactSizeIterator<Item = Fact<'p>> + '_ {
        self.facts.iter().map(|(fact, _)| *fact)
    }

    /// The number of a fact.
    pub fn number(&self, fact: Fact<'_>) -> Option<usize> {
        let found = self.facts.binary_search_by(|(have, _)| {
            let have: Fact<'_> = *have;
            have.cmp(&fact)
        });
        found.ok()
    }

    /// How many classes each fact has.
    pub fn counts(&self) -> &[u32] {
        &self.counts
    }

    /// Every kind of request: the first class of each fact, then on, the last fact fastest. Their number is the product of
    /// [`Classes::counts`].
    pub fn points(&self) -> impl Iterator<Item = Point> + '_ {
        let first = (!self.counts.contains(&0)).then(|| vec![0; self.counts.len()]);
        std::iter::successors(first, |point| {
            let mut next = point.clone();
            for (class, count) in next.iter_mut().zip(&self.counts).rev() {
                *class += 1;
                if *class < *count {
                    return Some(next);
                }
                *class = 0;
            }
            None
        })
    }

    /// The requests and attempts in which `fact`, if it is there, has one of these names or one that no condition knows.
    pub fn known(&self, fact: &StrFact, names: &[&str]) -> Area {
        let known = self.text(fact).and_then(|(number, text)| {
            let count = self.counts.get(number).copied()?;
            Area::of(number, text.known(names), count)
        });
        known.unwrap_or(Area::EVERYTHING)
    }

    /// What a test leaves of the fact that it reads. `None` for a test that was not among the conditions.
    pub(super) fn of_test(&self, test: &Test) -> Option<(usize, Set)> {
        match test {
            Test::OneOf {
                fact,
                values,
                negated,
            } => {
                let (number, text) = self.text(fact)?;
                let set = text.one_of(values);
                Some((number, self.turned(number, set, *negated)))
            }
            Test::Present(fact) => {
                let (number, text) = self.text(fact)?;
                Some((number, text.present()))
            }
            Test::Matches { fact, pattern } => {
                let (number, text) = self.text(fact)?;
                match text.form(pattern) {
                    Some(set) => Some((number, set)),
                    None => Some((self.number(Fact::Form(fact, pattern))?, Set::of(1, 1))),
                }
            }
            Test::HashBelow { fact, salt, share } => {
                let (number, text) = self.text(fact)?;
                match text.share(salt, *share) {
                    Some(set) => Some((number, set)),
                    None => Some((self.number(Fact::Share(fact, salt, *share))?, Set::of(1, 1))),
                }
            }
            Test::Within {
                fact,
                low,
                high,
                negated,
            } => {
                let (number, set) = self.within(*fact, *low, *high)?;
                Some((number, self.turned(number, set, *negated)))
            }
            Test::Flag(fact) => Some((self.number(Fact::Flag(*fact))?, Set::of(1, 1))),
            Test::LastOutcome(outcomes) => {
                let numbered = (1..).zip(Outcome::ALL);
                let inside = numbered.filter(|(_, outcome)| outcomes.has(*outcome));
                let set = Set::from_ascending(inside.map(|(class, _)| class));
                Some((self.number(Fact::LastOutcome)?, set))
            }
            Test::SameDomain => Some((self.number(Fact::SameDomain)?, Set::of(1, 1))),
        }
    }

    /// Sets of what the fact is made of: two for a day, which is a date and a weekday; names without shares of a hash for a
    /// string, because experiments may well overlap.
    pub(super) fn views(&self, number: usize, set: &Set) -> Vec<Set> {
        match self.facts.get(number).map(|(_, kinds)| kinds) {
            Some(Kinds::Text(text)) => vec![text.names(set)],
            Some(Kinds::Day(days)) => {
                let of = |class: u32| days.classes.get(class as usize);
                let dates = set.iter().filter_map(of).map(|(date, _)| *date);
                let weekdays: BTreeSet<u32> = set
                    .iter()
                    .filter_map(of)
                    .map(|(_, day)| u32::from(*day))
                    .collect();
                vec![Set::from_ascending(dates), Set::from_ascending(weekdays)]
            }
            _ => vec![set.clone()],
        }
    }

    fn text(&self, fact: &StrFact) -> Option<(usize, &Text<'p>)> {
        let number = self.number(Fact::Text(fact))?;
        match self.facts.get(number) {
            Some((_, Kinds::Text(text))) => Some((number, text)),
            _ => None,
        }
    }

    fn turned(&self, number: usize, set: Set, negated: bool) -> Set {
        if negated {
            let count = self.counts.get(number).copied().unwrap_or_default();
            Set::all(count).minus(&set)
        } else {
            set
        }
    }

    fn within(&self, fact: IntFact, low: u64, high: u64) -> Option<(usize, Set)> {
        if let Some(number) = self.number(Fact::Number(fact)) {
            let Some((_, Kinds::Number(edges))) = self.facts.get(number) else {
                return None;
            };
            return Some((number, edges.within(low, high)));
        }
        if !matches!(fact, IntFact::Date | IntFact::Weekday) {
            return None;
        }
        let number = self.number(Fact::Day)?;
        let Some((_, Kinds::Day(days))) = self.facts.get(number) else {
            return None;
        };
        let classes = (0..).zip(&days.classes);
        let set = if fact == IntFact::Weekday {
            let inside = classes.filter(|(_, (_, day))| (low..=high).contains(&u64::from(*day)));
            Set::from_ascending(inside.map(|(class, _)| class))
        } else {
            let dates = days.dates.within(low, high);
            let inside = classes.filter(|(_, (date, _))| dates.has(*date));
            Set::from_ascending(inside.map(|(class, _)| class))
        };
        Some((number, set))
    }
}

impl Edges {
    fn new(edges: BTreeSet<u64>, most: u64) -> Self {
        let inside = edges.into_iter().filter(|edge| *edge > 0 && *edge <= most);
        Self {
            starts: std::iter::once(0).chain(inside).collect(),
            most,
        }
    }

    /// The classes of `low..=high`, whose ends are edges.
    fn within(&self, low: u64, high: u64) -> Set {
        let high = high.min(self.most);
        if low > high {
            return Set::EMPTY;
        }
        Set::of(self.class_of(low), self.class_of(high))
    }

    pub(super) fn class_of(&self, value: u64) -> u32 {
        let after = self.starts.partition_point(|start| *start <= value);
        u32::try_from(after.saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// Where a class begins, and the last value of it.
    fn range(&self, class: usize) -> (u64, u64) {
        let low = self.starts.get(class).copied().unwrap_or_default();
        let next = self.starts.get(class + 1);
        (low, next.map_or(self.most, |next| next.saturating_sub(1)))
    }
}

/// The weekday, Monday 0, of a number of days since 1970-01-01, a Thursday.
pub(super) fn weekday_of(date: u64) -> u8 {
    u8::try_from((date % 7 + 3) % 7).unwrap_or_default()
}

impl Days {
    fn new(dates: Edges) -> Self {
        let mut classes = Vec::new();
        for (stretch, number) in (0..dates.starts.len()).zip(0..) {
            let (low, high) = dates.range(stretch);
            let days: BTreeSet<u8> = (low..=high).take(7).map(weekday_of).collect();
            classes.extend(days.into_iter().map(|day| (number, day)));
        }
        Self { dates, classes }
    }

    /// A date of that class.
    pub(super) fn example(&self, class: u32) -> Option<(u64, u8)> {
        let (stretch, day) = *self.classes.get(class as usize)?;
        let (low, _) = self.dates.range(stretch as usize);
        let ahead = (u64::from(day) + 7 - u64::from(weekday_of(low))) % 7;
        Some((low + ahead, day))
    }
}

/// The largest value of each fact.
const fn most_of(fact: IntFact) -> u64 {
    match fact {
        IntFact::Hour => 23,
        IntFact::Weekday => 6,
        IntFact::Date => i32::MAX as u64,
        IntFact::AttemptIndex => u8::MAX as u64,
        IntFact::TokensIn | IntFact::MaxOut | IntFact::TargetPrice => u64::MAX,
    }
}

/// What conditions compare one string with.
#[derive(Debug, Default)]
pub(super) struct TextReads<'p> {
    pub(super) constants: BTreeSet<&'p str>,
    pub(super) patterns: BTreeSet<&'p Pattern>,
    /// By salt, in parts per million.
    pub(super) shares: BTreeMap<&'p str, BTreeSet<u32>>,
}

/// What conditions read.
#[derive(Debug, Default)]
struct Reads<'p> {
    texts: BTreeMap<&'p StrFact, TextReads<'p>>,
    edges: BTreeMap<IntFact, BTreeSet<u64>>,
    truths: BTreeSet<Fact<'p>>,
    outcomes: bool,
}

impl<'p> Reads<'p> {
    fn cond(&mut self, cond: &'p Cond) {
        match cond {
            Cond::Always | Cond::Never => {}
            Cond::Test(test) => self.test(test),
            Cond::Not(inner) => self.cond(inner),
            Cond::All(parts) | Cond::Any(parts) => parts.iter().for_each(|part| self.cond(part)),
        }
    }

    fn test(&mut self, test: &'p Test) {
        match test {
            Test::OneOf { fact, values, .. } => {
                let reads = self.texts.entry(fact).or_default();
                reads.constants.extend(values.iter().map(AsRef::as_ref));
            }
            Test::Matches { fact, pattern } => {
                self.texts.entry(fact).or_default().patterns.insert(pattern);
            }
            Test::Present(fact) => {
                self.texts.entry(fact).or_default();
            }
            Test::HashBelow { fact, salt, share } => {
                let reads = self.texts.entry(fact).or_default();
                reads.shares.entry(salt).or_default().insert(*share);
            }
            Test::Within {
                fact, low, high, ..
            } => {
                let edges = self.edges.entry(*fact).or_default();
                edges.insert(*low);
                edges.extend(high.checked_add(1));
            }
            Test::Flag(fact) => {
                self.truths.insert(Fact::Flag(*fact));
            }
            Test::LastOutcome(_) => self.outcomes = true,
            Test::SameDomain => {
                self.truths.insert(Fact::SameDomain);
            }
        }
    }

    fn classes(mut self, replaced: &[&'p str]) -> Classes<'p> {
        let mut facts: Vec<(Fact<'p>, Kinds<'p>)> = Vec::new();
        for (fact, reads) in self.texts {
            let replaced = if *fact == StrFact::Model {
                replaced
            } else {
                &[]
            };
            let (text, loose) = Text::new(fact, reads, replaced);
            facts.push((Fact::Text(fact), Kinds::Text(text)));
            self.truths.extend(loose);
        }
        let days =
            self.edges.contains_key(&IntFact::Date) && self.edges.contains_key(&IntFact::Weekday);
        for (fact, edges) in self.edges {
            let edges = Edges::new(edges, most_of(fact));
            match fact {
                IntFact::Weekday if days => {}
                IntFact::Date if days => facts.push((Fact::Day, Kinds::Day(Days::new(edges)))),
                _ => facts.push((Fact::Number(fact), Kinds::Number(edges))),
            }
        }
        facts.extend(self.truths.into_iter().map(|fact| (fact, Kinds::Truth)));
        facts.extend(
            self.outcomes
                .then_some((Fact::LastOutcome, Kinds::Outcomes)),
        );
        facts.sort_by_key(|(fact, _)| *fact);
        let counts = facts.iter().map(|(_, kinds)| kinds.count()).collect();
        Classes { facts, counts }
    }
}

impl Kinds<'_> {
    fn count(&self) -> u32 {
        let narrow = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        match self {
            Self::Text(text) => text.count(),
            Self::Number(edges) => narrow(edges.starts.len()),
            Self::Day(days) => narrow(days.classes.len()),
            Self::Truth => 2,
            Self::Outcomes => narrow(Outcome::ALL.len() + 1),
        }
    }
}
