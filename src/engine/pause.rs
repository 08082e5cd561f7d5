//! Pauses that are not ill health: a rate limit's ([`Throttle`]), and the long rest of a key that is refused or of a
//! model that is gone ([`Rest`]). Both are one word that a healthy request only reads.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};

use crate::base::limits::PAUSE_FIRST;
use crate::base::{Moment, Span, hash};
use crate::engine::breaker::Rules;

/// When a target whose breaker is open may be asked all the same, where a route has nobody else.
#[derive(Debug, Default)]
pub(crate) struct Lifeline(AtomicU64);

impl Lifeline {
    /// Takes the turn of this second, if nobody on any core has it.
    pub(crate) fn take(&self, now: Moment) -> bool {
        let next = self.0.load(Relaxed);
        let after = (now + LIFELINE_EVERY).as_nanos();
        now.as_nanos() >= next
            && self
                .0
                .compare_exchange(next, after, Relaxed, Relaxed)
                .is_ok()
    }
}

/// When a rate-limited target may be asked again.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    until: AtomicU64,
    level: AtomicU32,
}

impl Throttle {
    /// In the state of another one.
    pub(crate) fn like(other: &Self) -> Self {
        Self {
            until: other.until.load(Relaxed).into(),
            level: other.level.load(Relaxed).into(),
        }
    }

    /// Pauses until then, whatever it was. For rehearsals.
    pub(crate) fn restage(&self, until: Moment) {
        self.until.store(until.as_nanos(), Relaxed);
        self.level.store(0, Relaxed);
    }

    /// The end of the pause, if one is running.
    pub(crate) fn until(&self, now: Moment) -> Option<Moment> {
        let until = self.last();
        (now < until).then_some(until)
    }

    /// The end of the newest pause, which may be long over.
    pub(crate) fn last(&self) -> Moment {
        Moment::from_nanos(self.until.load(Relaxed))
    }

    /// The provider asked for a pause. Its hint is obeyed up to the policy's maximum; a hint of nothing is none. Without
    /// one the pause doubles from [`PAUSE_FIRST`], once for each pause that did not help, not once for each of the
    /// requests that were under way when it began. A tenth is added at random so that the cores do not return together.
    pub(crate) fn pause(&self, now: Moment, hint: Option<Span>, rules: &Rules) {
        let hint = hint.filter(|&hint| rules.obey_retry_after && hint > Span::ZERO);
        if let Some(hint) = hint {
            let until = now + lengthened(hint, now, rules).min(rules.throttle_max);
            self.until.fetch_max(until.as_nanos(), Relaxed);
            return;
        }
        let running = self.until.load(Relaxed);
        if now.as_nanos() < running {
            return;
        }
        let level = self.level.load(Relaxed);
        let pause = PAUSE_FIRST.saturating_mul(1_u64 << level.min(LEVEL_MAX));
        let until = now + lengthened(pause, now, rules).min(rules.throttle_max);
        if self
            .until
            .compare_exchange(running, until.as_nanos(), Relaxed, Relaxed)
            .is_ok()
        {
            self.level.store(level.saturating_add(1), Relaxed);
        }
    }

    /// The target answered well: the next pause is a first one again.
    pub(crate) fn calm(&self) {
        if self.level.load(Relaxed) != 0 {
            self.level.store(0, Relaxed);
        }
    }
}

/// A long rest that ends with one request as its test. Zero: not resting.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    until: AtomicU64,
}

impl Rest {
    /// In the state of another one.
    pub(crate) fn like(other: &Self) -> Self {
        Self {
            until: other.until.load(Relaxed).into(),
        }
    }

    /// The end of the rest, while it lasts. After it, and until the test has succeeded, it is for [`Rest::claim`] to say
    /// who may go.
    pub(crate) fn until(&self, now: Moment) -> Option<Moment> {
        let until = Moment::from_nanos(self.until.load(Relaxed));
        (now < until).then_some(until)
    }

    /// Whether it was begun and no test has succeeded since.
    pub(crate) fn is_on(&self) -> bool {
        self.until.load(Relaxed) != 0
    }

    /// Begins a rest, or begins it again.
    pub(crate) fn begin(&self, until: Moment) {
        self.until.store(until.as_nanos(), Relaxed);
    }

    /// Whether this request may go: always when nothing rests, and for one request when a rest is over. That request
    /// has until `lease` to prove that all is well; if it never reports, another one may try then.
    pub(crate) fn claim(&self, now: Moment, lease: Moment) -> Option<Turn> {
        let until = self.until.load(Relaxed);
        if until == 0 {
            return Some(Turn::Free);
        }
        let taken = now.as_nanos() >= until
            && self
                .until
                .compare_exchange(until, lease.as_nanos(), Relaxed, Relaxed)
                .is_ok();
        taken.then_some(Turn::Test)
    }

    /// A test proved that there is nothing to rest for.
    pub(crate) fn clear(&self) {
        if self.until.load(Relaxed) != 0 {
            self.until.store(0, Relaxed);
        }
    }
}

/// How a request goes past a [`Rest`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Turn {
    /// Nothing rests.
    Free,
    /// It is the test at the end of a rest. Only that may end it: an answer to a request that began before the rest
    /// (a long stream under a key that was revoked meanwhile) proves nothing.
    Test,
}

fn lengthened(pause: Span, now: Moment, rules: &Rules) -> Span {
    let tenth = pause.as_nanos() / 10;
    let extra = hash::scale(
        hash::mix(rules.seed, now.as_nanos()),
        tenth.saturating_add(1),
    );
    pause.saturating_add(Span::from_nanos(extra))
}

/// For one target, from all cores.
const LIFELINE_EVERY: Span = Span::from_secs(1);
/// Seventeen minutes; the policy's maximum is smaller.
const LEVEL_MAX: u32 = 10;
