//! The breaker's gate: one per target, or one per target and core where the policy says `scope = core`.
//!
//! ```text
//!                   a rule is broken (tick), or `consecutive` is reached (any core, at once)
//!   ┌────────┐ ───────────────────────────────────────────────────────────────▶ ┌────────┐
//!   │ Closed │                                                                   │  Open  │
//!   └────────┘ ◀─── last step over (tick) ─── ┌────────┐ ─── the same ─────────▶ └────────┘
//!            ▲                                │  Ramp  │                           ▲    │
//!            │                                └────────┘         one probe fails   │    │ cool-down over (tick)
//!            │ no ramp                             ▲          ┌──────────┐ ────────┘    │
//!            └─────────────────────────────────────┴───────── │ HalfOpen │ ◀────────────┘
//!                                     `need` probes succeed   └──────────┘
//! ```
//! Every change is one compare-exchange from the word that its author saw. All but the end of a ramp count the epoch up:
//! whoever comes late changes nothing, and an attempt that began in an earlier epoch has no say in a later one. The end of
//! a ramp changes nothing for the requests that pass already, and what was counted on it goes on counting.
//!
//! Probes hold tokens, bound to the epoch. A token comes back with a verdict, or without one (the client left, the
//! outcome says nothing about health), or it is overdue: then all tokens of the lot are void and a new lot begins, so
//! that a lost report can delay a breaker but never hold it.

use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicU64};

use crate::base::{Moment, Span, hash};
use crate::engine::breaker::Rules;
use crate::engine::breaker::word::{Rule, State, Word, epoch_of};

/// A breaker's shared state. All zero is a gate that passes.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    word: AtomicU64,
    /// Failures since the newest success, on any core.
    streak: AtomicU32,
    /// Attempts since the newest answer that found nobody to talk to, and when the newest of them did.
    unreached: AtomicU32,
    unreached_at: AtomicU64,
    lot: AtomicU64,
    /// When the last token of the lot is overdue, in nanoseconds.
    overdue: AtomicU64,
    opened: AtomicU64,
}

/// The right to probe; goes back through [`Gate::won`], [`Gate::lost`] or [`Gate::give_back`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Token {
    epoch: u32,
    age: u8,
}

impl Gate {
    /// A gate that goes on in the state `word`, after so many beginnings to refuse. It has given no token.
    pub(crate) fn at(word: Word, opened: u64) -> Self {
        let lot = Lot {
            epoch: word.epoch,
            ..Lot::default()
        };
        Self {
            word: word.pack().into(),
            lot: lot.pack().into(),
            opened: opened.into(),
            ..Self::default()
        }
    }

    /// Goes into the state `word`, with so many tokens out, whatever it was. For rehearsals.
    pub(crate) fn restage(&self, word: Word, out: u32) {
        let lot = Lot {
            epoch: word.epoch,
            out,
            ..Lot::default()
        };
        self.lot.store(lot.pack(), Release);
        self.overdue.store(u64::MAX, Release);
        self.streak.store(0, Relaxed);
        self.unreached.store(0, Relaxed);
        self.word.store(word.pack(), Relaxed);
    }

    /// The packed state.
    pub(crate) fn packed(&self) -> u64 {
        self.word.load(Relaxed)
    }

    /// The state.
    pub(crate) fn word(&self) -> Word {
        Word::unpack(self.packed())
    }

    /// How often it opened.
    pub(crate) fn opened(&self) -> u64 {
        self.opened.load(Relaxed)
    }

    /// An attempt that began in `epoch` succeeded. Reads only, while all is well.
    pub(crate) fn succeeded(&self) {
        if self.streak.load(Relaxed) != 0 {
            self.streak.store(0, Relaxed);
            self.answered();
        }
    }

    /// The provider could be reached, whatever it said.
    pub(crate) fn answered(&self) {
        if self.unreached.load(Relaxed) != 0 {
            self.unreached.store(0, Relaxed);
        }
    }

    /// An attempt found nobody to talk to.
    pub(crate) fn met_nobody(&self, now: Moment) {
        self.unreached.fetch_add(1, Relaxed);
        self.unreached_at.store(now.as_nanos(), Relaxed);
    }

    /// How many in a row did, the last of them not longer ago than `window`.
    pub(crate) fn unreached(&self, now: Moment, window: Span) -> u32 {
        let count = self.unreached.load(Relaxed);
        let at = Moment::from_nanos(self.unreached_at.load(Relaxed));
        if count != 0 && now.since(at) <= window {
            count
        } else {
            0
        }
    }

    /// An attempt of the present epoch failed; true if that was the one that opened the breaker.
    pub(crate) fn failed(&self, now: Moment, rules: &Rules) -> bool {
        let streak = self.streak.fetch_add(1, Relaxed).saturating_add(1);
        let Some(limit) = rules.consecutive else {
            return false;
        };
        let word = self.word();
        streak >= limit && word.state.passes() && self.open(word, Rule::Consecutive, now, rules)
    }

    /// From `seen` to open. The cool-down doubles when it was a probe that failed or a step of the ramp, and also when the
    /// breaker had been closed for less than the longest cool-down: a target that flaps must not be asked at a fixed beat.
    pub(crate) fn open(&self, seen: Word, rule: Rule, now: Moment, rules: &Rules) -> bool {
        assert!(seen.state != State::Open, "a gate opens once in an epoch");
        let again = seen.state != State::Closed || (seen.rule.is_some() && now < seen.until);
        let level = if again {
            seen.level.saturating_add(1).min(Word::LEVEL_MAX)
        } else {
            0
        };
        let epoch = seen.next_epoch();
        let next = Word {
            state: State::Open,
            rule: Some(rule),
            level,
            epoch,
            until: now + cool_down(level, epoch, rules),
        };
        let won = self.swap(seen, next);
        if won {
            self.opened.fetch_add(1, Relaxed);
        }
        won
    }

    /// The cool-down is over: from `seen` to half open, with a fresh lot of tokens. For the tick alone.
    pub(crate) fn half_open(&self, seen: Word, now: Moment, rules: &Rules) -> bool {
        assert!(seen.state == State::Open, "half open follows open");
        let next = Word {
            state: State::HalfOpen,
            epoch: seen.next_epoch(),
            until: now + rules.cool_down.1,
            ..seen
        };
        self.answered();
        // The lot first: whoever sees the new word finds its tokens, or none yet.
        self.lot.store(
            Lot {
                epoch: next.epoch,
                ..Lot::default()
            }
            .pack(),
            Release,
        );
        self.swap(seen, next)
    }

    /// The target has answered although it was open in this epoch: at the next tick it is half open.
    pub(crate) fn cut_short(&self, epoch: u32, now: Moment) -> bool {
        let seen = self.word();
        seen.state == State::Open
            && seen.epoch == epoch
            && now < seen.until
            && self.swap(seen, Word { until: now, ..seen })
    }

    /// A token for an attempt that ends by `until`, if one of the `probes` is free.
    pub(crate) fn take(
        &self,
        seen: Word,
        now: Moment,
        until: Moment,
        rules: &Rules,
    ) -> Option<Token> {
        assert!(
            seen.state == State::HalfOpen,
            "only a half-open gate has tokens"
        );
        // Each round that fails is another core's success, and no more than `probes` of those fit in a lot.
        for _ in 0..TAKE_ROUNDS_MAX {
            let packed = self.lot.load(Acquire);
            let lot = Lot::unpack(packed);
            if lot.epoch != seen.epoch {
                return None;
            }
            if lot.out >= rules.probes {
                if now.as_nanos() <= self.overdue.load(Acquire) {
                    return None;
                }
                let fresh = Lot {
                    age: lot.age.wrapping_add(1),
                    out: 0,
                    ..lot
                };
                let _lost = self
                    .lot
                    .compare_exchange(packed, fresh.pack(), AcqRel, Relaxed);
                continue;
            }
            // INVARIANT: raised before the token is out, and only while one is free: a full lot is always judged by
            // a time that covers all its tokens, and those who ask in vain do not put it off.
            self.overdue
                .fetch_max((until + REPORT_GRACE).as_nanos(), AcqRel);
            let taken = Lot {
                out: lot.out.saturating_add(1),
                ..lot
            };
            if self
                .lot
                .compare_exchange(packed, taken.pack(), AcqRel, Relaxed)
                .is_ok()
            {
                return Some(Token {
                    epoch: lot.epoch,
                    age: lot.age,
                });
            }
        }
        None
    }

    /// A probe succeeded; true if that was the last one needed: the ramp begins, or it is closed at once if there is none.
    pub(crate) fn won(&self, token: Token, now: Moment, rules: &Rules) -> bool {
        let wins = self.settle(token, 1);
        if wins.is_none_or(|wins| wins < rules.need) {
            return false;
        }
        let seen = self.word();
        if seen.state != State::HalfOpen || seen.epoch != token.epoch {
            return false;
        }
        self.streak.store(0, Relaxed);
        let ramp = rules.ramp_length();
        let (state, lasts) = if ramp == Span::ZERO {
            (State::Closed, rules.cool_down.1)
        } else {
            (State::Ramp, ramp)
        };
        let next = Word {
            state,
            epoch: seen.next_epoch(),
            until: now + lasts,
            ..seen
        };
        self.swap(seen, next)
    }

    /// The ramp is over: from `seen` to closed. For the tick alone.
    pub(crate) fn close(&self, seen: Word, now: Moment, rules: &Rules) -> bool {
        assert!(seen.state == State::Ramp, "a ramp ends closed");
        let next = Word {
            state: State::Closed,
            until: now + rules.cool_down.1,
            ..seen
        };
        self.swap(seen, next)
    }

    /// A probe failed; true if that opened the breaker again.
    pub(crate) fn lost(&self, token: Token, now: Moment, rules: &Rules) -> bool {
        let settled = self.settle(token, 0).is_some();
        let seen = self.word();
        if !settled || seen.state != State::HalfOpen || seen.epoch != token.epoch {
            return false;
        }
        let rule = seen.rule.unwrap_or(Rule::Consecutive);
        self.open(seen, rule, now, rules)
    }

    /// A probe ended without a verdict.
    pub(crate) fn give_back(&self, token: Token) {
        let _void = self.settle(token, 0);
    }

    /// Probes under way.
    pub(crate) fn probes_out(&self) -> u32 {
        let lot = Lot::unpack(self.lot.load(Acquire));
        if lot.epoch == epoch_of(self.packed()) {
            lot.out
        } else {
            0
        }
    }

    /// Takes the token off the lot and adds `wins`; the wins so far, or `None` if the token is void by now.
    fn settle(&self, token: Token, wins: u32) -> Option<u32> {
        let mut now_won = None;
        let update = |packed| {
            let lot = Lot::unpack(packed);
            if lot.epoch != token.epoch || lot.age != token.age {
                return None;
            }
            let won = lot.won.saturating_add(wins).min(COUNT_MASK);
            now_won = Some(won);
            Some(
                Lot {
                    out: lot.out.saturating_sub(1),
                    won,
                    ..lot
                }
                .pack(),
            )
        };
        let done = self.lot.fetch_update(AcqRel, Acquire, update).is_ok();
        now_won.filter(|_| done)
    }

    fn swap(&self, seen: Word, next: Word) -> bool {
        self.word
            .compare_exchange(seen.pack(), next.pack(), AcqRel, Relaxed)
            .is_ok()
    }
}

/// The probes of one epoch: how many are out and how many were won. `age` counts the lots of the epoch.
#[derive(Clone, Copy, Debug, Default)]
struct Lot {
    epoch: u32,
    age: u8,
    out: u32,
    won: u32,
}

impl Lot {
    fn pack(self) -> u64 {
        u64::from(self.epoch) << 40
            | u64::from(self.age) << 32
            | u64::from(self.out & COUNT_MASK) << 16
            | u64::from(self.won & COUNT_MASK)
    }

    fn unpack(word: u64) -> Self {
        let field = |shift: u32, mask: u64| u32::try_from((word >> shift) & mask).unwrap_or(0);
        Self {
            epoch: field(40, 0xff_ffff),
            age: u8::try_from(field(32, 0xff)).unwrap_or(0),
            out: field(16, u64::from(COUNT_MASK)),
            won: field(0, u64::from(COUNT_MASK)),
        }
    }
}

/// The length of the cool-down: the first one doubled `level` times, at most the longest, a tenth more or less. The
/// jitter hangs on the epoch and the board's seed alone, so that a simulation repeats it and gateways do not agree on it.
fn cool_down(level: u8, epoch: u32, rules: &Rules) -> Span {
    let (first, longest) = rules.cool_down;
    let plain = first
        .saturating_mul(1_u64 << level.min(Word::LEVEL_MAX))
        .min(longest.max(first));
    let per_mille = 900 + hash::scale(hash::mix(rules.seed, u64::from(epoch)), 201);
    let nanos = u128::from(plain.as_nanos()) * u128::from(per_mille) / 1_000;
    Span::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// How late the report of an attempt may be after its deadline before its token counts as lost: ten ticks.
const REPORT_GRACE: Span = Span::from_secs(1);
/// Tokens that can be counted, and thereby the most `probes`.
pub(crate) const COUNT_MASK: u32 = 0xffff;
/// Losing this race eight times in a row means plenty of others are probing.
const TAKE_ROUNDS_MAX: usize = 8;
