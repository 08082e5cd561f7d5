//! Whose words an answer has: those of one attempt, or of several of which each went on where the one before broke off.

use crate::base::hash;
use crate::sim::world::check::Seen;
use crate::sim::world::network::Sighting;
use crate::sim::world::reader::Answer;
use crate::sim::world::rule::{Broken, Rule};

/// How many words, and which: two that are equal are of the same words.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Heard {
    count: u32,
    hash: u64,
}

impl Heard {
    pub(super) fn of(words: impl Iterator<Item = (u64, u32)>) -> Self {
        let mut heard = Self::default();
        words.for_each(|word| heard.add(word));
        heard
    }

    fn add(&mut self, (serial, place): (u64, u32)) {
        self.count += 1;
        self.hash = hash::mix(hash::mix(self.hash, serial), u64::from(place));
    }
}

/// The words of an answer: the last attempt that said some, and how many these are.
pub(super) fn in_order(answer: &Answer, seen: Seen<'_>) -> Result<Option<(Sighting, u32)>, Broken> {
    let mut heard = Heard::default();
    let mut speaker: Option<(usize, Sighting, u32)> = None;
    for word in answer.words() {
        match &mut speaker {
            Some((_, said, next)) if word == (said.serial, *next) => *next += 1,
            _ => {
                let from = speaker.map_or(0, |(at, ..)| at + 1);
                let mut attempts = (0..).zip(seen.attempts).skip(from);
                let found = attempts.find(|(_, (_, sighting))| sighting.serial == word.0);
                let asked = speaker.is_some().then_some(heard);
                match found {
                    Some((at, &(_, said))) if word.1 == 0 && said.goes_on == asked => {
                        speaker = Some((at, said, 1));
                    }
                    _ => {
                        let seen = format!("{word:?} behind {speaker:?}: {:?}", seen.attempts);
                        return Err(Broken::new(Rule::Words, seen));
                    }
                }
            }
        }
        heard.add(word);
    }
    Ok(speaker.map(|(_, said, count)| (said, count)))
}

/// A whole answer has all words of the attempt that answers.
pub(super) fn whole(answer: &Answer, seen: Seen<'_>) -> Result<(), Broken> {
    let answering = seen.attempts.get(seen.at_hand);
    let (_, answering) = answering
        .ok_or_else(|| Broken::new(Rule::Attempts, "an answer without an attempt".to_owned()))?;
    let said = in_order(answer, seen)?.map(|(said, count)| (said.serial, count));
    if said == Some((answering.serial, answering.words)) {
        return Ok(());
    }
    let seen = format!("{said:?} of {answering:?}");
    Err(Broken::new(Rule::Words, seen))
}

/// An error has no word of any answer in it.
pub(super) fn none(answer: &Answer) -> Result<(), Broken> {
    match answer.words().next() {
        None => Ok(()),
        Some(word) => Err(Broken::new(Rule::Words, format!("{word:?} in an error"))),
    }
}

/// An attempt goes on from what its client has, where it has something, and begins anew where it has nothing.
pub(super) fn goes_on(asked: Option<Heard>, begun: Option<&Answer>) -> Result<(), Broken> {
    let heard = Heard::of(begun.into_iter().flat_map(Answer::words));
    if asked.unwrap_or_default() == heard {
        return Ok(());
    }
    let seen = format!("asked to go on from {asked:?} where the client has {heard:?}");
    Err(Broken::new(Rule::Words, seen))
}
