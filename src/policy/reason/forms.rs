//! The kinds of string that patterns tell apart: which of them can hold at once, and a string for each. `starts_with
//! "gpt-5"` and `ends_with "mini"` can, `starts_with "gpt"` and `starts_with "claude"` cannot.
//!
//! All patterns are read at once, letter by letter, as an automaton whose states are the places that the patterns have
//! got to. Only letters that some pattern waits for are told apart; all others are one.

use std::collections::BTreeMap;

/// Strings for which the same patterns hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Form {
    /// The patterns, by number, ascending.
    pub(super) holds: Vec<u32>,
    /// One of the strings: a short one, and not the empty one if there is another.
    pub(super) example: String,
}

/// Places of all states together: 200,000 are some 20 ms, and far beyond what people write.
const PLACES_MAX: usize = 200_000;
/// Letters of all constants together that are told apart from the forms.
const CONSTANT_LETTERS_MAX: usize = 20_000;

/// The forms of all strings that are no constant; `None` where they are too many to tell. A pattern is its literal parts, as
/// [`Pattern::Like`](crate::policy::model::Pattern) has them.
pub(super) fn forms_of(patterns: &[Vec<&str>], constants: &[&str]) -> Option<Vec<Form>> {
    let letters: usize = constants.iter().map(|constant| constant.len()).sum();
    // Without the constants a form may be named that no other string has: claims about all strings stay true.
    let constants = if letters <= CONSTANT_LETTERS_MAX {
        constants
    } else {
        &[]
    };
    let exact = constants.iter().map(|constant| vec![*constant]);
    let all = patterns.iter().cloned().chain(exact);
    let mut reader = Reader {
        patterns: all.map(|parts| Steps::of(&parts)).collect(),
        states: Vec::new(),
        known: BTreeMap::new(),
        places: 0,
    };
    reader.read()?;
    let mut forms: BTreeMap<Vec<u32>, usize> = BTreeMap::new();
    for (number, state) in reader.states.iter().enumerate() {
        let holds = reader.holding(state);
        if holds
            .last()
            .is_some_and(|last| *last as usize >= patterns.len())
        {
            continue;
        }
        let first = forms.entry(holds).or_insert(number);
        // The first state is that of the empty string.
        if *first == 0 {
            *first = number;
        }
    }
    let form = |(holds, number)| Form {
        holds,
        example: reader.text(number),
    };
    Some(forms.into_iter().map(form).collect())
}

/// One step of a pattern.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    Letter(char),
    /// Any letters.
    Star,
}

#[derive(Debug)]
struct Steps(Vec<Step>);

impl Steps {
    fn of(parts: &[&str]) -> Self {
        let mut steps = Vec::new();
        for (number, part) in parts.iter().enumerate() {
            if number > 0 && steps.last() != Some(&Step::Star) {
                steps.push(Step::Star);
            }
            steps.extend(part.chars().map(Step::Letter));
        }
        Self(steps)
    }

    fn at(&self, place: u32) -> Option<Step> {
        self.0.get(place as usize).copied()
    }
}

/// Where a pattern has got to: its number and its next step.
type Place = (u32, u32);

/// All patterns after one string.
#[derive(Debug)]
struct State {
    places: Vec<Place>,
    /// The state before and the letter between; `None` for the empty string.
    from: Option<(usize, char)>,
}

struct Reader {
    patterns: Vec<Steps>,
    states: Vec<State>,
    known: BTreeMap<Vec<Place>, usize>,
    places: usize,
}

impl Reader {
    /// Finds all states, those of shorter strings first.
    fn read(&mut self) -> Option<()> {
        let starts = (0..).take(self.patterns.len()).map(|pattern| (pattern, 0));
        let start = self.settled(starts.collect());
        self.enter(start, None)?;
        let mut next = 0;
        while let Some(state) = self.states.get(next) {
            let mut stay: Vec<Place> = Vec::new();
            let mut by_letter: BTreeMap<char, Vec<Place>> = BTreeMap::new();
            for &(pattern, place) in &state.places {
                match self
                    .patterns
                    .get(pattern as usize)
                    .and_then(|steps| steps.at(place))
                {
                    Some(Step::Star) => stay.push((pattern, place)),
                    Some(Step::Letter(letter)) => {
                        let gone_on = by_letter.entry(letter).or_default();
                        gone_on.push((pattern, place.saturating_add(1)));
                    }
                    None => {}
                }
            }
            let other = unlike(&by_letter);
            by_letter.insert(other, Vec::new());
            for (letter, mut places) in by_letter {
                places.extend(&stay);
                let places = self.settled(places);
                self.enter(places, Some((next, letter)))?;
            }
            next += 1;
        }
        Some(())
    }

    fn enter(&mut self, places: Vec<Place>, from: Option<(usize, char)>) -> Option<()> {
        if self.known.contains_key(&places) {
            return Some(());
        }
        self.places = self.places.saturating_add(places.len()).saturating_add(1);
        if self.places > PLACES_MAX {
            return None;
        }
        self.known.insert(places.clone(), self.states.len());
        self.states.push(State { places, from });
        Some(())
    }

    /// The same places in one form: a star may be left at once; and whoever has reached a star need not remember what lies
    /// before it, because the rest of the pattern is all that is still to come.
    fn settled(&self, mut places: Vec<Place>) -> Vec<Place> {
        let is_star = |&(pattern, place): &Place| {
            let steps = self.patterns.get(pattern as usize);
            steps.and_then(|steps| steps.at(place)) == Some(Step::Star)
        };
        let after: Vec<Place> = places
            .iter()
            .filter(|place| is_star(place))
            .map(|&(pattern, place)| (pattern, place.saturating_add(1)))
            .collect();
        places.extend(after);
        places.sort_unstable();
        places.dedup();
        let mut kept: Vec<Place> = Vec::with_capacity(places.len());
        let mut passed = None;
        for &place in places.iter().rev() {
            if passed != Some(place.0) {
                kept.push(place);
                if is_star(&place) {
                    passed = Some(place.0);
                }
            }
        }
        kept.reverse();
        kept
    }

    /// The patterns that are at their end.
    fn holding(&self, state: &State) -> Vec<u32> {
        let at_end = state.places.iter().filter(|(pattern, place)| {
            let steps = self.patterns.get(*pattern as usize);
            steps.is_some_and(|steps| steps.at(*place).is_none())
        });
        at_end.map(|(pattern, _)| *pattern).collect()
    }

    /// The string that led to a state.
    fn text(&self, state: usize) -> String {
        let mut letters = Vec::new();
        let mut at = self.states.get(state).and_then(|state| state.from);
        while let Some((before, letter)) = at {
            letters.push(letter);
            at = self.states.get(before).and_then(|state| state.from);
        }
        letters.iter().rev().collect()
    }
}

/// A letter that nobody waits for.
fn unlike(waited_for: &BTreeMap<char, Vec<Place>>) -> char {
    let plain = "xyzabcdefghijklmnopqrstuvw0123456789-".chars();
    let letters = plain.chain('\u{100}'..=char::MAX);
    let mut free = letters.filter(|letter| !waited_for.contains_key(letter));
    free.next().unwrap_or(char::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Form, forms_of};

    fn forms(patterns: &[&str], constants: &[&str]) -> Vec<Form> {
        let patterns: Vec<Vec<&str>> = patterns
            .iter()
            .map(|like| like.split('*').collect())
            .collect();
        forms_of(&patterns, constants).unwrap()
    }

    fn said(patterns: &[&str], constants: &[&str]) -> Vec<(Vec<u32>, String)> {
        let forms = forms(patterns, constants).into_iter();
        forms.map(|form| (form.holds, form.example)).collect()
    }

    #[test]
    fn patterns_that_exclude_each_other_never_hold_together() {
        let found = said(&["gpt*", "claude*"], &[]);
        let expected = [(vec![], "c"), (vec![0], "gpt"), (vec![1], "claude")];
        assert_eq!(
            found,
            expected.map(|(holds, text)| (holds, text.to_owned()))
        );
        let found = said(&["gpt-5*", "*mini", "gpt*"], &[]);
        let holds: Vec<Vec<u32>> = found.into_iter().map(|(holds, _)| holds).collect();
        assert_eq!(
            holds,
            [
                vec![],
                vec![0, 1, 2],
                vec![0, 2],
                vec![1],
                vec![1, 2],
                vec![2]
            ]
        );
    }

    #[test]
    fn a_form_whose_only_string_is_a_constant_is_none() {
        // `a*a` does not hold for "a", the only string that begins and ends with a and is shorter than two letters.
        let patterns = ["a*", "*a", "a*a"];
        let holds = |constants: &[&str]| {
            forms(&patterns, constants)
                .iter()
                .any(|form| form.holds == [0, 1])
        };
        assert!(holds(&[]));
        assert!(!holds(&["a"]));
        assert!(holds(&["b"]));
    }

    #[test]
    fn examples_have_the_form_that_they_stand_for() {
        let patterns = ["ab*", "*ba", "*aba*", "a*b*a", "*", "ab", "*b*b*"];
        let like = |pattern: &str, text: &str| {
            let pattern: Vec<&str> = pattern.split('*').collect();
            let mut found = vec![text.as_bytes()];
            let (first, rest) = pattern.split_first().unwrap();
            found.retain(|text| text.starts_with(first.as_bytes()));
            let mut ends: Vec<usize> = found.iter().map(|_| first.len()).collect();
            for part in rest {
                let bytes = text.as_bytes();
                let later = |from: usize| {
                    (from..=bytes.len()).filter(move |&at| bytes[at..].starts_with(part.as_bytes()))
                };
                let mut next: Vec<usize> = ends
                    .iter()
                    .flat_map(|&end| later(end))
                    .map(|at| at + part.len())
                    .collect();
                next.sort_unstable();
                next.dedup();
                ends = next;
            }
            ends.contains(&text.len())
        };
        let found = forms(&patterns, &[]);
        for form in &found {
            for (number, pattern) in (0..).zip(patterns) {
                assert_eq!(
                    form.holds.contains(&number),
                    like(pattern, &form.example),
                    "{pattern} {form:?}"
                );
            }
        }
        // Every string of up to six letters has one of the forms.
        for number in 0..3_usize.pow(6) {
            let text: String = (0..6)
                .map(|at| ["a", "b", ""][number / 3_usize.pow(at) % 3])
                .collect();
            let holds: Vec<u32> = (0..)
                .zip(patterns)
                .filter(|(_, pattern)| like(pattern, &text))
                .map(|(number, _)| number)
                .collect();
            assert!(
                found.iter().any(|form| form.holds == holds),
                "{text} {holds:?}"
            );
        }
    }

    #[test]
    fn too_many_to_tell_is_said() {
        let words: Vec<String> = (0..40).map(|number| format!("*w{number}x*")).collect();
        let patterns: Vec<Vec<&str>> = words.iter().map(|like| like.split('*').collect()).collect();
        assert_eq!(forms_of(&patterns, &[]), None);
    }
}
