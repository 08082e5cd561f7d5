//! Key pools: which of its provider's keys a target may be asked with, and which one a request takes.
//!
//! ```text
//!   out      refused, or without quota: at every model      Key        one for each key         on the board
//!   barred   refused for one model                          KeyPause   one for each key …
//!   paused   rate-limited at one model                      KeyPause   … of a pool              in the target's cell
//! ```
//! Most providers have one key. Its `KeyPause` is the cell's own pause, so that such a target is read as if there were no
//! pools. What this module does not know: what a key is. It deals in indices, in the policy's order.

use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::Relaxed;

use crate::base::limits::{KEY_CALM, KEYS_MAX};
use crate::base::{Moment, Outcome, ProviderId, TargetId, hash};
use crate::engine::board::{Board, Cell};
use crate::engine::pause::{Rest, Throttle, Turn};
use crate::policy::model::KeyPick;

/// One key of one provider, at all of its models.
#[derive(Debug, Default)]
pub(crate) struct Key {
    pub(crate) rest: Rest,
    /// Why it rests or has rested last, as [`why_code`].
    why: AtomicU8,
    /// What was told of it last: zero where it was well.
    told: AtomicU8,
}

/// A key that an attempt goes with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub(crate) key: u8,
    /// Whether the attempt is the test at the end of a rest.
    pub(crate) turn: Turn,
}

/// What one target knows about one key of a pool.
#[derive(Debug, Default)]
pub(crate) struct KeyPause {
    pub(crate) throttle: Throttle,
    pub(crate) barred: Rest,
}

/// One key as operators see it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyStatus {
    /// Whose key.
    pub provider: ProviderId,
    /// Its place among the provider's keys, from 0, in the policy's order.
    pub key: u8,
    /// Why it is out, until a test after its rest succeeds: [`Outcome::AuthFailed`] or [`Outcome::QuotaExhausted`].
    pub out: Option<Outcome>,
    /// The end of its rest; over, where the next request is its test.
    pub out_until: Option<Moment>,
    /// The targets that it is kept from for a time.
    pub kept_from: Vec<KeptFrom>,
}

/// A target that a key is kept from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeptFrom {
    /// The target.
    pub target: TargetId,
    /// [`Outcome::S429`]: rate-limited. [`Outcome::AuthFailed`]: it may not use this model.
    pub why: Outcome,
    /// Until then.
    pub until: Moment,
}

/// A key went out or came back between two ticks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeyChange {
    /// Whose key.
    pub provider: ProviderId,
    /// Its place among the provider's keys, from 0.
    pub key: u8,
    /// Why it is out; `None` where it is well again.
    pub out: Option<Outcome>,
}

/// How a target stands with the keys of its provider.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum KeyStanding {
    /// One of them may be used.
    Usable,
    /// None, and a rate limit is in the way: until then.
    Paused(Moment),
    /// All of them are out or barred: until then.
    Out(Moment),
}

/// What a choice among keys goes by, beside their state.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KeyDraw {
    /// What the request's chance comes from.
    pub(crate) seed: u64,
    /// Whose turn it is on this core.
    pub(crate) turn: u8,
    /// Keys that this request has tried here, as a set.
    pub(crate) tried: u16,
}

impl Key {
    /// It was refused or has no quota left.
    pub(crate) fn goes_out(&self, why: Outcome, until: Moment) {
        self.why.store(why_code(why), Relaxed);
        self.rest.begin(until);
    }

    fn out(&self) -> Option<Outcome> {
        self.rest.is_on().then(|| why_of(self.why.load(Relaxed)))
    }

    /// Notes how it stands; whether that is news.
    fn is_news(&self) -> bool {
        let code = self.out().map_or(0, why_code);
        self.told.swap(code, Relaxed) != code
    }
}

impl Board {
    /// Keys that went out or came back since the last call, for the operator. One thread calls it.
    pub fn key_changes(&self) -> Vec<KeyChange> {
        self.keys()
            .filter(|(_, _, state)| state.is_news())
            .map(|(provider, key, state)| KeyChange {
                provider,
                key,
                out: state.out(),
            })
            .collect()
    }

    /// All keys as they stand, by provider, in the policy's order. A provider without a credential has one as well.
    pub fn key_status(&self, now: Moment) -> Vec<KeyStatus> {
        self.keys()
            .map(|(provider, key, state)| KeyStatus {
                provider,
                key,
                out: state.out(),
                out_until: state.rest.until(now),
                kept_from: self.kept_from(now, provider, key),
            })
            .collect()
    }

    fn kept_from(&self, now: Moment, provider: ProviderId, key: u8) -> Vec<KeptFrom> {
        let mut all = Vec::new();
        for cell in self.cells().filter(|cell| cell.provider == provider) {
            let found = [
                (Outcome::S429, cell.throttle(key).until(now)),
                (Outcome::AuthFailed, cell.barred(key).until(now)),
            ];
            for (why, until) in found {
                all.extend(until.map(|until| KeptFrom {
                    target: cell.target,
                    why,
                    until,
                }));
            }
        }
        all
    }
}

impl Cell {
    /// The rate limit of one key here.
    pub(crate) fn throttle(&self, key: u8) -> &Throttle {
        let pooled = self.pool.get(usize::from(key));
        pooled.map_or(&self.pause.throttle, |pause| &pause.throttle)
    }

    /// The rest of one key that may not use this model.
    pub(crate) fn barred(&self, key: u8) -> &Rest {
        let pooled = self.pool.get(usize::from(key));
        pooled.map_or(&self.pause.barred, |pause| &pause.barred)
    }

    /// Whether any key may be used here.
    pub(crate) fn standing(&self, now: Moment, board: &Board) -> KeyStanding {
        if !self.pool.is_empty() {
            return self.pool_standing(now, board);
        }
        let out = board.key(self, 0).and_then(|key| key.rest.until(now));
        if let Some(until) = out.max(self.pause.barred.until(now)) {
            return KeyStanding::Out(until);
        }
        match self.pause.throttle.until(now) {
            Some(until) => KeyStanding::Paused(until),
            None => KeyStanding::Usable,
        }
    }

    #[inline(never)]
    fn pool_standing(&self, now: Moment, board: &Board) -> KeyStanding {
        let mut all_out = true;
        let mut soonest = Moment::NEVER;
        for key in self.pool_keys() {
            let out = self.out_until(now, board, key);
            all_out &= out.is_some();
            soonest = soonest.min(out.max(self.throttle(key).until(now)).unwrap_or(now));
        }
        if all_out {
            return KeyStanding::Out(soonest);
        }
        // A server that is overloaded pauses the target, whatever the key.
        let paused = self.pause.throttle.until(now);
        let soonest = paused.map_or(soonest, |paused| soonest.max(paused));
        if soonest > now {
            KeyStanding::Paused(soonest)
        } else {
            KeyStanding::Usable
        }
    }

    /// Takes a key for an attempt that ends by `lease`. `None` if none may be used.
    pub(crate) fn claim_key(
        &self,
        now: Moment,
        lease: Moment,
        board: &Board,
        draw: KeyDraw,
    ) -> Option<Taken> {
        if self.pool.is_empty() {
            return self.claim(now, lease, board, 0);
        }
        self.claim_of_pool(now, lease, board, draw)
    }

    #[inline(never)]
    fn claim_of_pool(
        &self,
        now: Moment,
        lease: Moment,
        board: &Board,
        draw: KeyDraw,
    ) -> Option<Taken> {
        let mut left = !draw.tried;
        // Each round ends or takes one key out.
        while let Some(key) = self.best_key(now, board, draw, left) {
            let taken = self.claim(now, lease, board, key);
            if taken.is_some() {
                return taken;
            }
            left &= !(1 << key);
        }
        None
    }

    /// A turn that was taken at one of the two lapses at the lease if the other has none.
    fn claim(&self, now: Moment, lease: Moment, board: &Board, key: u8) -> Option<Taken> {
        let state = board.key(self, key)?;
        let everywhere = state.rest.claim(now, lease)?;
        let here = self.barred(key).claim(now, lease)?;
        let turn = if here == Turn::Test { here } else { everywhere };
        Some(Taken { key, turn })
    }

    /// Of the keys in `left` the one to take: the first from where `pick` begins; with `least_throttled` the first of
    /// those whose last rate limit is longest ago.
    fn best_key(&self, now: Moment, board: &Board, draw: KeyDraw, left: u16) -> Option<u8> {
        let count = u8::try_from(self.pool.len()).ok()?;
        let start = match self.key_pick {
            KeyPick::LeastThrottled => {
                let chance = hash::mix(draw.seed, KEY_SALT);
                u8::try_from(hash::scale(chance, u64::from(count))).unwrap_or(0)
            }
            KeyPick::RoundRobin => draw.turn,
            KeyPick::InOrder => 0,
        };
        let mut best = None;
        for offset in 0..count {
            let key = start.wrapping_add(offset) % count;
            let throttle = self.throttle(key);
            if left & (1 << key) == 0
                || throttle.until(now).is_some()
                || self.out_until(now, board, key).is_some()
            {
                continue;
            }
            let last = throttle.last();
            let lately = self.key_pick == KeyPick::LeastThrottled && last + KEY_CALM > now;
            let rank = if lately { last } else { Moment::START };
            if best.is_none_or(|(least, _)| rank < least) {
                best = Some((rank, key));
            }
        }
        best.map(|(_, key)| key)
    }

    /// The end of what keeps a key from this target, rate limits aside.
    fn out_until(&self, now: Moment, board: &Board, key: u8) -> Option<Moment> {
        let everywhere = board.key(self, key).and_then(|key| key.rest.until(now));
        everywhere.max(self.barred(key).until(now))
    }

    fn pool_keys(&self) -> impl Iterator<Item = u8> + use<> {
        0..u8::try_from(self.pool.len()).unwrap_or(0)
    }
}

const fn why_code(why: Outcome) -> u8 {
    match why {
        Outcome::QuotaExhausted => 2,
        _ => 1,
    }
}

const fn why_of(code: u8) -> Outcome {
    match code {
        2 => Outcome::QuotaExhausted,
        _ => Outcome::AuthFailed,
    }
}

/// Keeps the draws of keys apart from those of targets and of pauses.
const KEY_SALT: u64 = 1 << 33;
/// A set of keys fits its word.
const _: () = assert!(KEYS_MAX <= u16::BITS as usize);
