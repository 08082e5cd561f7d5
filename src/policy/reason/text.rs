//! The classes of one string.
//!
//! ```text
//!   │ constants, sorted │ form 0: cell 0, cell 1, … │ form 1: … │ … │ missing │
//!   form   the patterns that hold, for strings that are no constant
//!   cell   between which shares the string's hash falls, for each salt
//! ```

use std::collections::BTreeMap;

use crate::policy::model::{Pattern, StrFact};
use crate::policy::program::probe::{has_form, hash_share, parts_of};
use crate::policy::reason::classes::{Fact, TextReads};
use crate::policy::reason::forms::{Form, forms_of};
use crate::policy::reason::set::Set;

/// Cells and forms of one string; what is beyond becomes a fact of its own.
const FORM_CLASSES_MAX: usize = 256;
/// Strings that are tried for one that falls into a cell: enough for a share of one in ten thousand.
const TRIES_MAX: u32 = 100_000;
/// All of a hash's shares.
const WHOLE: u32 = 1_000_000;

/// The classes of one string.
#[derive(Clone, Debug)]
pub(super) struct Text<'p> {
    /// Sorted.
    constants: Vec<&'p str>,
    /// Names that no condition sees, sorted.
    replaced: Vec<&'p str>,
    patterns: Vec<&'p Pattern>,
    forms: Vec<Form>,
    salts: Vec<Salt<'p>>,
    /// For each form: the product of the salts' shares.
    cells: u32,
    /// Whether the string can be missing.
    missing: bool,
    by_pattern: BTreeMap<&'p Pattern, Set>,
    by_share: BTreeMap<(&'p str, u32), Set>,
}

/// One value of the fact.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// The request has none.
    Missing,
    /// This string.
    Text(String),
}

/// The shares of one salt.
#[derive(Clone, Debug)]
struct Salt<'p> {
    salt: &'p str,
    /// Where one ends and the next begins, ascending.
    borders: Vec<u32>,
}

impl Salt<'_> {
    fn shares(&self) -> u32 {
        narrow(self.borders.len()).saturating_add(1)
    }

    /// The share that the hash of a string falls into.
    fn share_of(&self, value: &str) -> u32 {
        let hash = hash_share(self.salt, value);
        narrow(
            self.borders
                .partition_point(|border| u64::from(*border) <= hash),
        )
    }
}

impl<'p> Text<'p> {
    /// The classes of what is read of `fact`, and the tests that become facts of their own.
    pub(super) fn new(
        fact: &'p StrFact,
        reads: TextReads<'p>,
        replaced: &[&'p str],
    ) -> (Self, Vec<Fact<'p>>) {
        let mut replaced = replaced.to_vec();
        replaced.sort_unstable();
        let mut taken: Vec<&str> = reads.constants.iter().copied().collect();
        let mut constants = taken.clone();
        constants.retain(|constant| replaced.binary_search(constant).is_err());
        taken.extend(&replaced);
        let mut patterns: Vec<&Pattern> = reads.patterns.into_iter().collect();
        let mut loose = Vec::new();
        let forms = loop {
            if patterns.is_empty() {
                break vec![Form {
                    holds: Vec::new(),
                    example: unlike(&taken),
                }];
            }
            let parts: Vec<Vec<&str>> = patterns.iter().map(|pattern| parts_of(pattern)).collect();
            match forms_of(&parts, &taken) {
                Some(forms) if forms.len() <= FORM_CLASSES_MAX.max(patterns.len() * 2) => {
                    break forms;
                }
                _ => {}
            }
            let beyond = patterns.split_off(patterns.len() / 2);
            loose.extend(beyond.into_iter().map(|pattern| Fact::Form(fact, pattern)));
        };
        let mut text = Self {
            constants,
            replaced,
            patterns,
            forms,
            salts: Vec::new(),
            cells: 1,
            missing: !matches!(
                fact,
                StrFact::Model | StrFact::Path | StrFact::Method | StrFact::TargetDomain
            ),
            by_pattern: BTreeMap::new(),
            by_share: BTreeMap::new(),
        };
        for (salt, shares) in reads.shares {
            let inside = shares
                .into_iter()
                .filter(|share| (1..WHOLE).contains(share));
            let salt = Salt {
                salt,
                borders: inside.collect(),
            };
            let cells = text.cells.saturating_mul(salt.shares());
            if text.forms.len().saturating_mul(cells as usize) > FORM_CLASSES_MAX
                && salt.shares() > 1
            {
                let shares = salt.borders.iter();
                loose.extend(shares.map(|share| Fact::Share(fact, salt.salt, *share)));
            } else {
                text.cells = cells;
                text.salts.push(salt);
            }
        }
        text.remember();
        (text, loose)
    }

    /// Settles the sets of all patterns and shares.
    fn remember(&mut self) {
        let mut by_pattern = BTreeMap::new();
        for (pattern, number) in self.patterns.iter().zip(0..) {
            let named = self.constants_of(pattern);
            let forms = (0..).zip(&self.forms);
            let forms = forms.filter(|(_, form)| form.holds.binary_search(&number).is_ok());
            let forms = forms.flat_map(|(form, _)| self.classes_of(form));
            by_pattern.insert(
                *pattern,
                Set::from_ascending(named.into_iter().chain(forms)),
            );
        }
        let mut by_share = BTreeMap::new();
        let mut inner = self.cells;
        for salt in &self.salts {
            inner = inner.checked_div(salt.shares()).unwrap_or(1);
            for (border, number) in salt.borders.iter().zip(0..) {
                let below = |value: &str| hash_share(salt.salt, value) < u64::from(*border);
                let constants = (0..).zip(&self.constants);
                let named = constants.filter(|(_, constant)| below(constant));
                let forms = (0..narrow(self.forms.len())).flat_map(|form| self.classes_of(form));
                let forms = forms.filter(|class| {
                    self.cell_of(*class)
                        .is_some_and(|cell| cell / inner % salt.shares() <= number)
                });
                // A missing string hashes as an empty one.
                let missing = self.missing_class().filter(|_| below(""));
                let classes = named.map(|(class, _)| class).chain(forms).chain(missing);
                by_share.insert((salt.salt, *border), Set::from_ascending(classes));
            }
        }
        self.by_pattern = by_pattern;
        self.by_share = by_share;
    }

    /// The classes that are one constant each are the first ones: so many.
    pub(super) fn named(&self) -> u32 {
        narrow(self.constants.len())
    }

    /// How many there are.
    pub(super) fn count(&self) -> u32 {
        let forms = narrow(self.forms.len()).saturating_mul(self.cells);
        narrow(self.constants.len())
            .saturating_add(forms)
            .saturating_add(u32::from(self.missing))
    }

    /// The class of these strings, which are sorted.
    pub(super) fn one_of(&self, values: &[Box<str>]) -> Set {
        let found = values.iter().filter_map(|value| self.constant(value));
        Set::from_ascending(found)
    }

    /// Every string that is there.
    pub(super) fn present(&self) -> Set {
        Set::all(self.count() - u32::from(self.missing))
    }

    /// The classes of `names`, of strings that no pattern fits, and of the missing one.
    pub(super) fn known(&self, names: &[&str]) -> Set {
        let named = names.iter().filter_map(|name| self.class_of(Some(name)));
        let forms = (0..).zip(&self.forms);
        let plain = forms.filter(|(_, form)| form.holds.is_empty());
        let plain = plain.flat_map(|(form, _)| self.classes_of(form));
        let mut classes: Vec<u32> = named.chain(plain).chain(self.missing_class()).collect();
        classes.sort_unstable();
        Set::from_ascending(classes)
    }

    /// The strings of a pattern; `None` if it is a fact of its own.
    pub(super) fn form(&self, pattern: &Pattern) -> Option<Set> {
        self.by_pattern.get(pattern).cloned()
    }

    /// The strings of a share; `None` if it is a fact of its own.
    pub(super) fn share(&self, salt: &str, share: u32) -> Option<Set> {
        match share {
            0 => Some(Set::EMPTY),
            WHOLE.. => Some(Set::all(self.count())),
            _ => self.by_share.get(&(salt, share)).cloned(),
        }
    }

    /// What a set holds when strings are told apart by name and pattern alone.
    pub(super) fn names(&self, set: &Set) -> Set {
        if self.cells == 1 {
            return set.clone();
        }
        let named = narrow(self.constants.len());
        let forms = narrow(self.forms.len());
        let name = |class: u32| match class.checked_sub(named) {
            None => class,
            Some(beyond) => named + (beyond / self.cells).min(forms),
        };
        let mut names: Vec<u32> = set.iter().map(name).collect();
        names.dedup();
        Set::from_ascending(names)
    }

    /// The class of a string; `None` for one that no condition ever sees.
    pub(super) fn class_of(&self, value: Option<&str>) -> Option<u32> {
        let Some(value) = value else {
            return self.missing_class();
        };
        if let Some(class) = self.constant(value) {
            return Some(class);
        }
        if self.replaced.binary_search(&value).is_ok() {
            return None;
        }
        let numbered = (0..).zip(&self.patterns);
        let holds = numbered.filter(|(_, pattern)| has_form(value, parts_of(pattern).into_iter()));
        let holds: Vec<u32> = holds.map(|(number, _)| number).collect();
        let form = self.forms.iter().position(|form| form.holds == holds)?;
        let cell = self
            .salts
            .iter()
            .fold(0, |cell, salt| cell * salt.shares() + salt.share_of(value));
        Some(narrow(self.constants.len()) + narrow(form) * self.cells + cell)
    }

    /// A string of that class; `None` if none was found.
    pub(super) fn example(&self, class: u32) -> Option<Value> {
        if let Some(constant) = self.constants.get(class as usize) {
            return Some(Value::Text((*constant).to_owned()));
        }
        if self.missing_class() == Some(class) {
            return Some(Value::Missing);
        }
        let form = (class - narrow(self.constants.len())) / self.cells;
        let base = &self.forms.get(form as usize)?.example;
        let fits = |text: &str| self.class_of(Some(text)) == Some(class);
        if fits(base) {
            return Some(Value::Text(base.clone()));
        }
        // A number somewhere inside, at the end first.
        let mut places: Vec<usize> = base.char_indices().map(|(at, _)| at).collect();
        places.push(base.len());
        let mut tries = 0..TRIES_MAX;
        for at in places.into_iter().rev() {
            let (before, after) = base.split_at_checked(at)?;
            let share = (TRIES_MAX / 2).min(tries.len().try_into().unwrap_or(0));
            for number in tries.by_ref().take(share as usize) {
                let text = format!("{before}{number}{after}");
                if fits(&text) {
                    return Some(Value::Text(text));
                }
            }
        }
        None
    }

    fn constant(&self, value: &str) -> Option<u32> {
        let found = self.constants.binary_search(&value);
        found.ok().map(narrow)
    }

    pub(super) fn missing_class(&self) -> Option<u32> {
        self.missing.then(|| self.count() - 1)
    }

    /// The classes of a form.
    fn classes_of(&self, form: u32) -> impl Iterator<Item = u32> + use<'p> {
        let first = narrow(self.constants.len()) + form * self.cells;
        first..first + self.cells
    }

    /// Which of its form's cells a class is; `None` for constants and the missing string.
    fn cell_of(&self, class: u32) -> Option<u32> {
        let beyond = class.checked_sub(narrow(self.constants.len()))?;
        (Some(class) != self.missing_class()).then(|| beyond % self.cells)
    }

    /// The constants for which a pattern holds: those that begin as it does lie together.
    fn constants_of(&self, pattern: &Pattern) -> Vec<u32> {
        let parts = parts_of(pattern);
        let begin = parts.first().copied().unwrap_or_default();
        let first = self.constants.partition_point(|constant| *constant < begin);
        let alike = (first..).zip(self.constants.get(first..).unwrap_or_default());
        let alike = alike.take_while(|(_, constant)| constant.starts_with(begin));
        let holding = alike.filter(|(_, constant)| has_form(constant, parts.iter().copied()));
        holding.map(|(class, _)| narrow(class)).collect()
    }
}

/// A string that is none of `taken`.
fn unlike(taken: &[&str]) -> String {
    let mut names = std::iter::once("other".to_owned()).chain((2..).map(|n| format!("other-{n}")));
    names
        .find(|name| !taken.contains(&name.as_str()))
        .unwrap_or_default()
}

fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
