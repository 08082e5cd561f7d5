//! What the tick remembers of one guard: ten readings of both routes' counts, each a tenth of the window apart, so that
//! both are judged over the same time. Like a breaker's window, but one thread's own, and much larger.

use crate::base::{Moment, Span};
use crate::engine::guard::{GuardWindow, RouteCounts, WhyWithdrawn};

/// The counts of both routes since the start, at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    pub(super) canary: RouteCounts,
    pub(super) baseline: RouteCounts,
}

/// The remembered readings, and what the last tick saw.
#[derive(Debug, Default)]
pub(super) struct Memory {
    marks: [Reading; TENTHS],
    newest: Reading,
    tenth: u64,
    /// Why the route was withdrawn when it was looked at last.
    pub(super) seen: Option<WhyWithdrawn>,
    pub(super) since: Option<Moment>,
    pub(super) withdrawals: u64,
    /// How many breakers of the baseline's first tier were not closed at the last look.
    ill: usize,
    /// Until then nothing is judged.
    settling: Moment,
}

impl Memory {
    /// Moves on to `now`.
    pub(super) fn advance(&mut self, now: Moment, reading: Reading, length: Span) {
        let tenth = tenth_of(now, length);
        let missed = tenth.saturating_sub(self.tenth).min(TENTHS as u64);
        for back in 0..missed {
            // The reading that opens a tenth is the one of the tick before.
            let before = self.newest.clone();
            if let Some(mark) = self.marks.get_mut(place(tenth.saturating_sub(back))) {
                *mark = before;
            }
        }
        self.newest = reading;
        self.tenth = self.tenth.max(tenth);
    }

    /// Looks at the baseline's breakers. One that opens is an incident of the baseline's own: a breaker lets about as many
    /// failures through whether a route has much traffic or little, so that an incident of both would weigh more on a canary
    /// that has less. The window begins anew a tenth of its length later.
    pub(super) fn look(&mut self, now: Moment, ill: usize, length: Span) {
        if ill > self.ill {
            self.settling = now + Span::from_nanos(length.as_nanos() / TENTHS as u64);
        }
        self.ill = ill;
    }

    /// Whether an incident was just now.
    pub(super) fn is_settling(&self, now: Moment) -> bool {
        now < self.settling
    }

    /// Forgets everything before this reading.
    pub(super) fn restart(&mut self, now: Moment, reading: Reading, length: Span) {
        self.marks.fill(reading.clone());
        self.newest = reading;
        self.tenth = tenth_of(now, length);
    }

    /// What the window holds: 0.9 to 1.0 of its length.
    pub(super) fn window(&self) -> GuardWindow {
        // The one after the newest is the oldest.
        let oldest = self.marks.get(place(self.tenth.wrapping_add(1)));
        let since = |counts: &RouteCounts, of: fn(&Reading) -> &RouteCounts| match oldest {
            Some(oldest) => counts.since(of(oldest)),
            None => counts.clone(),
        };
        GuardWindow {
            canary: since(&self.newest.canary, |reading| &reading.canary),
            baseline: since(&self.newest.baseline, |reading| &reading.baseline),
        }
    }

    /// The route was withdrawn or came back.
    pub(super) fn see(&mut self, now: Moment, standing: Option<WhyWithdrawn>) {
        if standing.is_some() && self.seen.is_none() {
            self.withdrawals = self.withdrawals.saturating_add(1);
        }
        self.seen = standing;
        self.since = Some(now);
    }
}

fn tenth_of(now: Moment, length: Span) -> u64 {
    let tenth = (length.as_nanos() / TENTHS as u64).max(1);
    now.as_nanos() / tenth
}

fn place(tenth: u64) -> usize {
    usize::try_from(tenth % TENTHS as u64).unwrap_or(0)
}

/// Ten steps bound the error of the window's length to a tenth, at a cost of 3 KiB each.
const TENTHS: usize = 10;
