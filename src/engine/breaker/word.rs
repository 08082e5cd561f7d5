//! The one word that a pick reads about a breaker: what it is, why, since which epoch, and until when. Everything is
//! in one `u64`, so that readers on all cores see a whole state or another whole state, never half of each.
//!
//! ```text
//!   63   62 61   57 56    53 52          38 37                                0
//!  ┌───────┬───────┬────────┬──────────────┬───────────────────────────────────┐
//!  │ state │ rule  │ level  │    epoch     │  until, milliseconds from START   │
//!  └───────┴───────┴────────┴──────────────┴───────────────────────────────────┘
//! ```
//! 38 bits of milliseconds are 8.7 years of uptime. An epoch of 15 bits comes round after 32,768 changes of state; an
//! attempt would have to run through all of them to be mistaken for one of the present epoch.

use crate::base::{Moment, Span};
use crate::policy::model::{Measure, PromptSize};

/// What a breaker does with requests, in the words of electricity, as everywhere: a closed one conducts.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum State {
    /// Requests pass; their outcomes are counted.
    Closed,
    /// Its probes were won: a part of the requests pass, more of them with each step; their outcomes are counted.
    Ramp,
    /// A few requests pass as probes; each of them decides.
    HalfOpen,
    /// No request passes until the cool-down is over.
    Open,
}

impl State {
    /// Each of them, from the one that lets the most through.
    pub const ALL: [Self; 4] = [Self::Closed, Self::Ramp, Self::HalfOpen, Self::Open];

    /// Whether requests pass that are no probes.
    pub const fn passes(self) -> bool {
        matches!(self, Self::Closed | Self::Ramp)
    }

    /// The word of logs, of the admin address and of metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Ramp => "ramp",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

/// The rule that opened a breaker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rule {
    /// `open when consecutive >= …`
    Consecutive,
    /// `open when error_rate > …`
    ErrorRate,
    /// Several of its provider's targets could not be reached.
    Provider,
    /// `open when pNN(ttft) > …` and its like: the index into [`crate::policy::model::Breaker::slow`], and up to which size
    /// prompts decided. What is slow at a longer one says nothing.
    Slow(Measure, u8, PromptSize),
}

impl Rule {
    /// The word of the policy language for what the rule looks at.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Consecutive => "consecutive",
            Self::ErrorRate => "error_rate",
            Self::Provider => "provider",
            Self::Slow(measure, ..) => measure.as_str(),
        }
    }
}

/// A packed state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Word {
    /// What it does.
    pub(crate) state: State,
    /// What opened it first; none while it has never been open. Kept while it is half open and when a probe fails.
    pub(crate) rule: Option<Rule>,
    /// How often the cool-down was doubled.
    pub(crate) level: u8,
    /// Counts changes of state; wraps.
    pub(crate) epoch: u32,
    /// Open: the end of the cool-down. Half open: from then on even a request without another target may probe.
    /// Ramp: its end; which step it is at follows from the time left. Closed: from then on the next cool-down starts at
    /// its first length again.
    pub(crate) until: Moment,
}

impl Word {
    /// A breaker nobody has used yet, packed: all bits zero.
    pub(crate) const FRESH: u64 = 0;
    /// Fifteen doublings turn a second into nine hours: every sane maximum is reached before.
    pub(crate) const LEVEL_MAX: u8 = 15;

    const EPOCH_MASK: u32 = (1 << 15) - 1;
    const UNTIL_MASK: u64 = (1 << 38) - 1;

    /// Open, packed, with no end: what an operator orders.
    pub(crate) const OPEN_FOR_EVER: u64 = 3 << 62 | Self::UNTIL_MASK;

    /// Closed, packed, in the epoch of a packed state: attempts know theirs.
    pub(crate) const fn closed_in_epoch_of(packed: u64) -> u64 {
        packed & (Self::EPOCH_MASK as u64) << 38
    }

    /// The epoch after this one.
    pub(crate) fn next_epoch(self) -> u32 {
        self.epoch.wrapping_add(1) & Self::EPOCH_MASK
    }

    /// Into the one word. `until` is rounded up to milliseconds, so that nothing ends early.
    pub(crate) fn pack(self) -> u64 {
        let state = match self.state {
            State::Closed => 0_u64,
            State::Ramp => 1,
            State::HalfOpen => 2,
            State::Open => 3,
        };
        let rule = match self.rule {
            None => 0,
            Some(Rule::Consecutive) => 1,
            Some(Rule::ErrorRate) => 2,
            Some(Rule::Provider) => PROVIDER,
            Some(Rule::Slow(Measure::Gap, index, _)) => FIRST_GAP | u64::from(index.min(3)),
            Some(Rule::Slow(Measure::Ttft, index, up_to)) => {
                let sizes = match up_to {
                    PromptSize::Short => FIRST_SHORT,
                    PromptSize::Medium => FIRST_MEDIUM,
                    PromptSize::Long => FIRST_LONG,
                };
                sizes | u64::from(index.min(3))
            }
        };
        let until = self.until.as_nanos().div_ceil(MILLI).min(Self::UNTIL_MASK);
        state << 62
            | rule << 57
            | u64::from(self.level.min(Self::LEVEL_MAX)) << 53
            | u64::from(self.epoch & Self::EPOCH_MASK) << 38
            | until
    }

    /// Out of the one word.
    pub(crate) fn unpack(word: u64) -> Self {
        let state = match word >> 62 {
            0 => State::Closed,
            1 => State::Ramp,
            2 => State::HalfOpen,
            _ => State::Open,
        };
        let rule = (word >> 57) & 31;
        let rule = match rule {
            0 => None,
            1 => Some(Rule::Consecutive),
            2 => Some(Rule::ErrorRate),
            PROVIDER => Some(Rule::Provider),
            FIRST_GAP..FIRST_SHORT => slow_rule(Measure::Gap, rule, PromptSize::Long),
            FIRST_SHORT..FIRST_MEDIUM => slow_rule(Measure::Ttft, rule, PromptSize::Short),
            FIRST_MEDIUM..FIRST_LONG => slow_rule(Measure::Ttft, rule, PromptSize::Medium),
            _ => slow_rule(Measure::Ttft, rule, PromptSize::Long),
        };
        Self {
            state,
            rule,
            level: u8::try_from((word >> 53) & 15).unwrap_or(Self::LEVEL_MAX),
            epoch: epoch_of(word),
            until: match word & Self::UNTIL_MASK {
                Self::UNTIL_MASK => Moment::NEVER,
                until => Moment::START + Span::from_millis(until),
            },
        }
    }
}

/// Each of them has four indices: the last two bits.
fn slow_rule(measure: Measure, rule: u64, up_to: PromptSize) -> Option<Rule> {
    let index = u8::try_from(rule & 3).ok()?;
    Some(Rule::Slow(measure, index, up_to))
}

/// Whether the state is closed: what every pick asks of a packed word.
pub(crate) fn closed(word: u64) -> bool {
    word >> 62 == 0
}

/// Whether requests pass that are no probes.
pub(crate) fn passes(word: u64) -> bool {
    word >> 63 == 0
}

/// The epoch alone.
pub(crate) fn epoch_of(word: u64) -> u32 {
    u32::try_from((word >> 38) & u64::from(Word::EPOCH_MASK)).unwrap_or(0)
}

const MILLI: u64 = 1_000_000;
const PROVIDER: u64 = 3;
/// The four packed rules from here on are about `gap`, those from there on about `ttft` of prompts up to a size.
const FIRST_GAP: u64 = 4;
const FIRST_SHORT: u64 = 8;
const FIRST_MEDIUM: u64 = 12;
const FIRST_LONG: u64 = 16;

#[cfg(test)]
mod tests {
    use super::{Rule, State, Word, closed, epoch_of, passes};
    use crate::base::{Moment, Span};
    use crate::policy::model::{Measure, PromptSize};

    #[test]
    fn a_word_survives_packing() {
        for state in State::ALL {
            for rule in [
                None,
                Some(Rule::Consecutive),
                Some(Rule::ErrorRate),
                Some(Rule::Provider),
                Some(Rule::Slow(Measure::Ttft, 0, PromptSize::Short)),
                Some(Rule::Slow(Measure::Ttft, 3, PromptSize::Medium)),
                Some(Rule::Slow(Measure::Ttft, 3, PromptSize::Long)),
                Some(Rule::Slow(Measure::Gap, 0, PromptSize::Long)),
                Some(Rule::Slow(Measure::Gap, 3, PromptSize::Long)),
            ] {
                for epoch in [0, 1, 32_767] {
                    let word = Word {
                        state,
                        rule,
                        level: 15,
                        epoch,
                        until: Moment::START + Span::from_millis(123_456),
                    };
                    assert_eq!(Word::unpack(word.pack()), word);
                    assert_eq!(closed(word.pack()), state == State::Closed);
                    assert_eq!(passes(word.pack()), state.passes());
                    assert_eq!(epoch_of(word.pack()), epoch);
                }
            }
        }
        assert_eq!(Word::unpack(Word::FRESH).pack(), Word::FRESH);
    }

    #[test]
    fn until_is_rounded_up_and_epochs_wrap() {
        let word = Word {
            state: State::Open,
            rule: None,
            level: 0,
            epoch: 32_767,
            until: Moment::from_nanos(1),
        };
        assert_eq!(
            Word::unpack(word.pack()).until,
            Moment::from_nanos(1_000_000)
        );
        assert_eq!(word.next_epoch(), 0);
    }
}
