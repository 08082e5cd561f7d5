//! What a chain remembers for the record, in a fixed number of bytes: its attempts, and why candidates were passed over.

use crate::base::limits::{HISTORY_ENTRIES_MAX, KEYS_MAX};
use crate::base::{Outcome, Span, TargetId};
use crate::engine::balance::bit;
use crate::policy::model::PromptSize;

/// One attempt as the record shows it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts of one attempt, each shown by its name"
)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AttemptRecord {
    /// Where it went.
    pub target: TargetId,
    /// How it ended; `None` while it runs, where the client left, and where it was overtaken.
    pub outcome: Option<Outcome>,
    /// It was a probe of a breaker.
    pub probe: bool,
    /// It repeated its target.
    pub repeat: bool,
    /// It was a hedge: the attempt before it was still under way.
    pub hedge: bool,
    /// The attempt beside it answered first, and it was cut off: its times are "at least" times.
    pub overtaken: bool,
    /// Which of its provider's keys it went with, from 0.
    pub key: u8,
    /// It asked the target of the attempt before it with another key, and is none by the policy's count.
    pub key_change: bool,
    /// When it began, from the request's beginning, in whole microseconds.
    pub started: Span,
    /// From its beginning to its first content, if there was any.
    pub ttft: Option<Span>,
    /// When it ended, from the request's beginning.
    pub ended: Option<Span>,
}

/// Why a candidate was not tried. In the order in which it is checked: the record has the first reason.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum PassedOver {
    /// A `forbid` masks it. No detail of this may reach a client.
    Forbidden = 1,
    /// It lacks a capability that the route requires.
    Lacks,
    /// The request did not fit a context window that is at least as large as its own.
    TooSmall,
    /// An operator drains it.
    Drained,
    /// All keys of its provider were refused or have no quota left.
    KeyOut,
    /// Its model was gone.
    ModelGone,
    /// Health checks say that none of its provider's endpoints is up.
    Down,
    /// Its breaker is open, by itself or by order, or half open with all its probes out.
    BreakerOpen,
    /// The provider asked for a pause.
    Throttled,
    /// As many requests as it may have are under way.
    AtCapacity,
    /// What is left of the request's deadline is less than it usually takes.
    NoTime,
    /// This request has been there.
    Tried,
}

impl PassedOver {
    /// Each reason, in the order of checking.
    pub const ALL: [Self; 12] = [
        Self::Forbidden,
        Self::Lacks,
        Self::TooSmall,
        Self::Drained,
        Self::KeyOut,
        Self::ModelGone,
        Self::Down,
        Self::BreakerOpen,
        Self::Throttled,
        Self::AtCapacity,
        Self::NoTime,
        Self::Tried,
    ];

    /// The word of logs and of `explain`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Forbidden => "forbidden",
            Self::Lacks => "lacks",
            Self::TooSmall => "too_small",
            Self::Drained => "drained",
            Self::KeyOut => "key_out",
            Self::ModelGone => "model_gone",
            Self::Down => "down",
            Self::BreakerOpen => "breaker_open",
            Self::Throttled => "throttled",
            Self::AtCapacity => "at_capacity",
            Self::NoTime => "no_time",
            Self::Tried => "tried",
        }
    }
}

/// One reason for each of 64 candidates, as four planes of bits: 32 bytes, and setting one costs four ors.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PassedSet {
    planes: [u64; 4],
}

impl PassedSet {
    /// Whether nothing was ever against any candidate.
    pub fn is_empty(&self) -> bool {
        self.planes == [0; 4]
    }

    /// The reason of the candidate at `index` of the route, if it was passed over.
    pub fn of(&self, index: usize) -> Option<PassedOver> {
        self.at(bit(index))
    }

    /// Sets the reason of the candidate at `bit`. The last one counts.
    pub(crate) fn set(&mut self, bit: u64, reason: PassedOver) {
        for (digit, plane) in self.planes.iter_mut().enumerate() {
            if reason as u8 & (1 << digit) == 0 {
                *plane &= !bit;
            } else {
                *plane |= bit;
            }
        }
    }

    /// The reason of the candidate at `bit`, if it was passed over.
    pub(crate) fn at(&self, bit: u64) -> Option<PassedOver> {
        let code = self
            .planes
            .iter()
            .enumerate()
            .fold(0_u8, |code, (digit, plane)| {
                code | u8::from(plane & bit != 0) << digit
            });
        PassedOver::ALL
            .into_iter()
            .find(|&reason| reason as u8 == code)
    }
}

/// How an attempt begins, as far as the record shows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beginning {
    pub(crate) target: TargetId,
    pub(crate) key: u8,
    pub(crate) probe: bool,
    pub(crate) repeat: bool,
    pub(crate) key_change: bool,
    pub(crate) started: Span,
}

/// The attempts of one request, in the order of their beginning.
#[derive(Clone, Copy, Debug, Default)]
pub struct History {
    entries: [Entry; HISTORY_ENTRIES_MAX],
    len: u8,
    /// The one that ended last, counted from 1; 0 before any has.
    ended: u8,
    /// The hedge, and the one that was overtaken, counted alike: a request has at most one of each.
    hedge: u8,
    overtaken: u8,
    key_changes: u8,
    /// The size of the prompt that all of them were sent.
    pub(super) prompt: PromptSize,
}

impl History {
    /// Of attempts that are over.
    #[cfg(test)]
    pub(crate) fn of(attempts: &[AttemptRecord]) -> Self {
        let mut history = Self::default();
        for (index, attempt) in (0..).zip(attempts) {
            history.push(Beginning {
                target: attempt.target,
                key: attempt.key,
                probe: attempt.probe,
                repeat: attempt.repeat,
                key_change: attempt.key_change,
                started: attempt.started,
            });
            history.end(index, attempt.outcome, attempt.ended.unwrap_or_default());
        }
        history
    }

    pub(crate) fn len(&self) -> u8 {
        self.len
    }

    /// Attempts by the policy's count: those that were no change of key.
    pub(crate) fn attempts(&self) -> u8 {
        self.len.saturating_sub(self.key_changes)
    }

    pub(crate) fn key_changes(&self) -> u8 {
        self.key_changes
    }

    pub(crate) fn push(&mut self, beginning: Beginning) {
        let Beginning {
            target,
            key,
            probe,
            repeat,
            key_change,
            started,
        } = beginning;
        let slot = self.entries.get_mut(usize::from(self.len));
        assert!(slot.is_some(), "attempts are bounded before they begin");
        if let Some(slot) = slot {
            let flag = |holds, flag| if holds { flag } else { 0 };
            *slot = Entry {
                target,
                how: key & KEY
                    | flag(probe, PROBE)
                    | flag(repeat, REPEAT)
                    | flag(key_change, KEY_CHANGE),
                started: micros(started),
                ttft: UNKNOWN,
                ended: UNKNOWN,
                outcome: None,
            };
            self.len = self.len.saturating_add(1);
            self.key_changes = self.key_changes.saturating_add(u8::from(key_change));
        }
    }

    /// The newest one is a hedge.
    pub(crate) fn mark_hedge(&mut self) {
        self.hedge = self.len;
    }

    pub(crate) fn content(&mut self, index: u8, ttft: Span) {
        if let Some(entry) = self.entry_mut(index) {
            entry.ttft = micros(ttft);
        }
    }

    pub(crate) fn end(&mut self, index: u8, outcome: Option<Outcome>, ended: Span) {
        if let Some(entry) = self.entry_mut(index) {
            entry.outcome = outcome;
            entry.ended = micros(ended);
            self.ended = index.saturating_add(1);
        }
    }

    /// It ended because the one beside it had content.
    pub(crate) fn overtaken(&mut self, index: u8) {
        self.overtaken = index.saturating_add(1);
    }

    /// Each attempt.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = AttemptRecord> + ExactSizeIterator + '_ {
        let made = self
            .entries
            .get(..usize::from(self.len))
            .unwrap_or_default();
        made.iter()
            .zip(1..=self.len)
            .map(|(entry, nth)| AttemptRecord {
                target: entry.target,
                outcome: entry.outcome,
                probe: entry.how & PROBE != 0,
                repeat: entry.how & REPEAT != 0,
                hedge: nth == self.hedge,
                overtaken: nth == self.overtaken,
                key: entry.how & KEY,
                key_change: entry.how & KEY_CHANGE != 0,
                started: Span::from_micros(u64::from(entry.started)),
                ttft: known(entry.ttft),
                ended: known(entry.ended),
            })
    }

    /// The one that ended last.
    pub(crate) fn last(&self) -> Option<AttemptRecord> {
        self.at(self.ended.checked_sub(1)?)
    }

    /// The one with this index.
    pub(crate) fn at(&self, index: u8) -> Option<AttemptRecord> {
        self.iter().nth(usize::from(index))
    }

    fn entry_mut(&mut self, index: u8) -> Option<&mut Entry> {
        self.entries
            .get_mut(..usize::from(self.len))?
            .get_mut(usize::from(index))
    }
}

/// Sixteen bytes. Times are microseconds from the request's beginning: 71 minutes, then they stay there.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    started: u32,
    ttft: u32,
    ended: u32,
    target: TargetId,
    outcome: Option<Outcome>,
    /// The key's index, and flags.
    how: u8,
}

const _: () = assert!(size_of::<Entry>() == 16);

fn micros(span: Span) -> u32 {
    u32::try_from(span.as_micros())
        .unwrap_or(UNKNOWN)
        .min(UNKNOWN - 1)
}

fn known(micros: u32) -> Option<Span> {
    (micros != UNKNOWN).then_some(Span::from_micros(u64::from(micros)))
}

const UNKNOWN: u32 = u32::MAX;
const KEY: u8 = 0x0f;
const PROBE: u8 = 0x10;
const REPEAT: u8 = 0x20;
const KEY_CHANGE: u8 = 0x40;

/// The index of a key fits beside the flags.
const _: () = assert!(KEYS_MAX <= KEY as usize + 1);

#[cfg(test)]
mod tests {
    use super::{PassedOver, PassedSet};

    #[test]
    fn every_reason_comes_back() {
        let mut set = PassedSet::default();
        for (bit, reason) in (0..).zip(PassedOver::ALL) {
            set.set(1 << bit, PassedOver::Tried);
            set.set(1 << bit, reason);
        }
        for (bit, reason) in (0..).zip(PassedOver::ALL) {
            assert_eq!(set.at(1 << bit), Some(reason));
        }
        assert_eq!(set.at(1 << 63), None);
    }
}
