//! Single tests over a request, flattened: a probe holds numbers and places, its strings lie in one text.
//!
//! ```text
//!   list    [ OneOf{place, texts 0..2} │ Form{place, texts 2..4} │ Within{…} │ … ]
//!   texts   [ 0..5 │ 5..9 │ 9..14 │ 14..14 ]        spans of ↓, sorted inside one OneOf
//!   text    "gpt-5mini" "gpt-5" ""                   one string
//! ```

use std::ops::Range;

use crate::base::hash;
use crate::policy::facts::Facts;
use crate::policy::facts::Needs;
use crate::policy::model::FlagFact;
use crate::policy::model::IntFact;
use crate::policy::model::Pattern;
use crate::policy::model::Test;
use crate::policy::program::place;
use crate::policy::program::place::Place;

/// The parts that `hash_pct` divides into: parts per million.
const SHARES: u64 = 1_000_000;
/// Up to here comparing with every value, most of them by length alone, is quicker than a binary search.
const SCAN_MAX: usize = 8;

/// All probes of a program.
#[derive(Clone, Debug, Default)]
pub(super) struct Probes {
    list: Vec<Probe>,
    texts: Vec<(u32, u32)>,
    text: String,
}

/// One test.
#[derive(Clone, Debug)]
enum Probe {
    /// The string is one of `texts`.
    OneOf {
        place: Place,
        texts: Range<u32>,
        negated: bool,
    },
    /// The string has the form `a*b*c`, where `texts` are a, b, c.
    Form { place: Place, texts: Range<u32> },
    /// The string is there.
    Present(Place),
    /// The number is in `low..=high`.
    Within {
        fact: IntFact,
        low: u64,
        high: u64,
        negated: bool,
    },
    /// The flag is set.
    Flag(FlagFact),
    /// The string's hash, scaled to parts per million, is below `share`.
    HashBelow { place: Place, seed: u64, share: u64 },
    /// Tests of the attempt before any attempt.
    Never,
}

impl Probes {
    /// Adds a test and gives its number.
    pub(super) fn add(&mut self, test: &Test, needs: &Needs) -> u32 {
        let probe = match test {
            Test::OneOf {
                fact,
                values,
                negated,
            } => {
                let mut sorted: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
                sorted.sort_unstable();
                Probe::OneOf {
                    place: Place::of(fact, needs),
                    texts: self.add_texts(&sorted),
                    negated: *negated,
                }
            }
            Test::Matches { fact, pattern } => Probe::Form {
                place: Place::of(fact, needs),
                texts: self.add_texts(&parts_of(pattern)),
            },
            Test::Present(fact) => Probe::Present(Place::of(fact, needs)),
            Test::Within {
                fact,
                low,
                high,
                negated,
            } => Probe::Within {
                fact: *fact,
                low: *low,
                high: *high,
                negated: *negated,
            },
            Test::Flag(fact) => Probe::Flag(*fact),
            Test::HashBelow { fact, salt, share } => Probe::HashBelow {
                place: Place::of(fact, needs),
                seed: seed_of(salt),
                share: u64::from(*share),
            },
            Test::LastOutcome(_) | Test::SameDomain => Probe::Never,
        };
        self.list.push(probe);
        index_of(self.list.len().saturating_sub(1))
    }

    /// Whether the test of that number holds for the request.
    #[inline]
    pub(super) fn holds(&self, number: u32, facts: &Facts<'_>) -> bool {
        let Some(probe) = self.list.get(number as usize) else {
            return false;
        };
        match probe {
            Probe::OneOf {
                place,
                texts,
                negated,
            } => {
                place
                    .read(facts)
                    .is_some_and(|value| self.lists(texts, value))
                    != *negated
            }
            Probe::Form { place, texts } => place
                .read(facts)
                .is_some_and(|value| has_form(value, self.texts_in(texts))),
            Probe::Present(place) => place.read(facts).is_some(),
            Probe::Within {
                fact,
                low,
                high,
                negated,
            } => (*low..=*high).contains(&place::int(*fact, facts)) != *negated,
            Probe::Flag(fact) => place::flag(*fact, facts),
            Probe::HashBelow { place, seed, share } => {
                share_of(*seed, place.read(facts).unwrap_or_default()) < *share
            }
            Probe::Never => false,
        }
    }

    /// Bytes of the tables.
    pub(super) fn size_bytes(&self) -> usize {
        size_of_val(self.list.as_slice())
            .saturating_add(size_of_val(self.texts.as_slice()))
            .saturating_add(self.text.len())
    }

    fn add_texts(&mut self, texts: &[&str]) -> Range<u32> {
        let first = index_of(self.texts.len());
        for text in texts {
            let start = index_of(self.text.len());
            self.text.push_str(text);
            self.texts.push((start, index_of(self.text.len())));
        }
        first..index_of(self.texts.len())
    }

    fn text_at(&self, (start, end): (u32, u32)) -> &str {
        self.text
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }

    fn texts_in(&self, texts: &Range<u32>) -> impl DoubleEndedIterator<Item = &str> {
        self.texts
            .get(texts.start as usize..texts.end as usize)
            .unwrap_or_default()
            .iter()
            .map(|&span| self.text_at(span))
    }

    fn lists(&self, texts: &Range<u32>, value: &str) -> bool {
        let value = value.as_bytes();
        // Bytes, not strings: cutting a string apart checks both ends for character boundaries.
        let bytes = |(start, end): (u32, u32)| {
            let bytes = self.text.as_bytes().get(start as usize..end as usize);
            bytes.unwrap_or_default()
        };
        let texts = self.texts.get(texts.start as usize..texts.end as usize);
        let texts = texts.unwrap_or_default();
        if texts.len() <= SCAN_MAX {
            texts.iter().any(|&span| bytes(span) == value)
        } else {
            texts
                .binary_search_by(|&span| bytes(span).cmp(value))
                .is_ok()
        }
    }
}

/// The answer of a test about one string, `None` for a test about something else.
pub(super) fn holds_for(test: &Test, value: Option<&str>) -> Option<bool> {
    match test {
        Test::OneOf {
            values, negated, ..
        } => {
            let listed = value.is_some_and(|value| values.iter().any(|text| **text == *value));
            Some(listed != *negated)
        }
        Test::Matches { pattern, .. } => {
            Some(value.is_some_and(|value| has_form(value, parts_of(pattern).into_iter())))
        }
        Test::Present(_) => Some(value.is_some()),
        Test::HashBelow { salt, share, .. } => {
            Some(share_of(seed_of(salt), value.unwrap_or_default()) < u64::from(*share))
        }
        Test::Within { .. } | Test::Flag(_) | Test::LastOutcome(_) | Test::SameDomain => None,
    }
}

/// A length or position as a table index. Tables are bounded far below 2³² by the size of a policy file.
pub(super) fn index_of(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

/// Every pattern is a list of literal parts with anything between them.
pub(in crate::policy) fn parts_of(pattern: &Pattern) -> Vec<&str> {
    match pattern {
        Pattern::Like(parts) => parts.iter().map(AsRef::as_ref).collect(),
        Pattern::StartsWith(text) => vec![text, ""],
        Pattern::EndsWith(text) => vec!["", text],
        Pattern::Contains(text) => vec!["", text, ""],
    }
}

/// Whether `value` is the parts in order, the first at its start and the last at its end, without overlap. Taking the
/// leftmost place for each middle part leaves the most room for the rest, so there is nothing to try twice.
pub(in crate::policy) fn has_form<'t>(
    value: &str,
    mut parts: impl DoubleEndedIterator<Item = &'t str>,
) -> bool {
    let Some(first) = parts.next() else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return value == first;
    };
    let Some(mut middle) = value
        .strip_prefix(first)
        .and_then(|rest| rest.strip_suffix(last))
    else {
        return false;
    };
    for part in parts {
        match middle.split_once(part) {
            Some((_, rest)) => middle = rest,
            None => return false,
        }
    }
    true
}

/// Where the hash of a string falls, in parts per million.
pub(in crate::policy) fn hash_share(salt: &str, value: &str) -> u64 {
    share_of(seed_of(salt), value)
}

fn seed_of(salt: &str) -> u64 {
    hash::of_bytes(0, salt.as_bytes())
}

fn share_of(seed: u64, value: &str) -> u64 {
    hash::scale(hash::of_bytes(seed, value.as_bytes()), SHARES)
}
