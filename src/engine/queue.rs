//! Requests that wait for a place at a target: `capacity { max_queue, max_wait }`.
//!
//! The target's queue is a number, shared by all cores. Who stands in it looks with each beat of his worker whether there is a
//! place; tasks that wait are woken in the order in which they began to, so that each core serves first who came first. While
//! anybody waits, those who come do not take the places that become free: they stand behind, or go elsewhere.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use crate::base::Span;
use crate::engine::board::Padded;
use crate::policy::model;

/// The queue of one target.
#[derive(Debug)]
pub(crate) struct Queue {
    max: u32,
    /// How long a request waits at most.
    pub(crate) wait: Span,
    waiting: Arc<Padded<AtomicU32>>,
}

impl Queue {
    /// One without anybody in it.
    pub(crate) fn new(settings: model::Queue) -> Self {
        Self {
            max: settings.max,
            wait: settings.wait,
            waiting: Arc::default(),
        }
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> u32 {
        self.waiting.load(Relaxed)
    }

    /// So many wait, whatever it was. For rehearsals.
    pub(crate) fn restage(&self, waiting: u32) {
        self.waiting.store(waiting, Relaxed);
    }

    /// One more, if there is room; tells which.
    pub(crate) fn join(&self) -> bool {
        let room = |waiting: u32| (waiting < self.max).then(|| waiting.saturating_add(1));
        self.waiting.fetch_update(Relaxed, Relaxed, room).is_ok()
    }

    /// One less.
    pub(crate) fn leave(&self) {
        let before = self.waiting.fetch_sub(1, Relaxed);
        debug_assert!(before != 0, "who leaves had joined");
    }

    /// Goes on with those who wait in another plan's queue of the same target.
    pub(crate) fn take_over(&mut self, old: &Self) {
        self.waiting = Arc::clone(&old.waiting);
    }
}
