//! What happens next. Most events are of requests: small, and many.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::base::Moment;

/// Something that happens at a moment. Of a request that is over, or an attempt that was overtaken, it is void.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// A request comes.
    Arrive,
    /// A request that waits goes on.
    GoOn {
        /// Its place among the flights.
        slot: u32,
    },
    /// An attempt's first content is there.
    Content {
        /// Its request's place.
        slot: u32,
        /// No other attempt has this number.
        run: u32,
    },
    /// An attempt may be hedged.
    Hedge {
        /// Its request's place.
        slot: u32,
        /// Its number.
        run: u32,
    },
    /// An attempt ends.
    Over {
        /// Its request's place.
        slot: u32,
        /// Its number.
        run: u32,
    },
    /// The control thread sums up and judges.
    Tick,
    /// An endpoint's health is asked for.
    Check {
        /// Which of the checks.
        index: u32,
    },
    /// A fault is injected.
    Inject {
        /// Which of the drill's.
        index: u32,
    },
    /// It is lifted.
    Lift {
        /// Which of the drill's.
        index: u32,
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
    number: u64,
    event: Event,
}

impl Agenda {
    pub(super) fn enter(&mut self, at: Moment, event: Event) {
        self.entered += 1;
        let number = self.entered;
        self.heap.push(Entry { at, number, event });
    }

    pub(super) fn next(&mut self) -> Option<(Moment, Event)> {
        self.heap.pop().map(|entry| (entry.at, entry.event))
    }
}

/// The first one is the greatest, as the heap wants it.
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Entry {}
