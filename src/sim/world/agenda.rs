//! What happens next: the queue of events that makes virtual time pass.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::base::{Moment, Span};

/// Something that happens at a moment.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// The control thread sums up and judges.
    Tick,
    /// A client of this crowd wants to ask.
    Arrive {
        /// Index of the crowd.
        crowd: usize,
    },
    /// A connection's operation may be done.
    Wake {
        /// Its place.
        place: usize,
        /// Which wait is over; another one has begun meanwhile if it is not the present one.
        turn: u64,
    },
    /// A client has lost its patience with its request.
    Leave {
        /// Where its connection is.
        place: usize,
        /// The request.
        number: u64,
    },
    /// A client that thought about its last answer asks again.
    AskAgain {
        /// Where its connection is.
        place: usize,
        /// Its connection's name, which no other connection at this place has.
        name: u64,
    },
    /// A client that was refused asks again, over another connection.
    Insist {
        /// Index of the crowd.
        crowd: usize,
        /// How often it may do so again.
        tries: u8,
    },
    /// An operator does something.
    Errand {
        /// Its place among all.
        index: usize,
    },
    /// A worker takes the newest generation up.
    TakeUp {
        /// Which.
        core: usize,
    },
}

/// Events in the order of their moments; of equals, in the order in which they were entered.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    heap: BinaryHeap<Entry>,
    entered: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: Moment,
    /// No other entry has this number.
    number: u64,
    event: Event,
}

/// The first one is the greatest, as the heap wants it.
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |it: &Self| (it.at.as_nanos(), it.number);
        key(other).cmp(&key(self))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }

    // PERF: what a heap asks most, said without an `Ordering`.
    fn le(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.at.as_nanos(), other.at.as_nanos());
        mine > theirs || (mine == theirs && self.number >= other.number)
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Entry {}

impl Agenda {
    /// Enters an event; one that never happens is not kept.
    pub(super) fn enter(&mut self, at: Moment, event: Event) {
        if at != Moment::NEVER {
            self.entered += 1;
            let number = self.entered;
            self.heap.push(Entry { at, number, event });
        }
    }

    /// Takes the next event out, if it happens by `until`.
    pub(super) fn next(&mut self, until: Moment) -> Option<(Moment, Event)> {
        let &Entry { at, event, .. } = self.heap.peek()?;
        if at > until {
            return None;
        }
        self.heap.pop();
        Some((at, event))
    }
}

/// The sweeper's beat at or after a moment.
pub(super) fn beat_after(at: Moment) -> Moment {
    if at == Moment::NEVER {
        return at;
    }
    Moment::START + BEAT.saturating_mul(at.as_nanos().div_ceil(BEAT.as_nanos()))
}

/// As the runtime's sweeper.
const BEAT: Span = Span::from_millis(5);
