//! Idle connections to providers: one stack for each endpoint, on each worker. The one used last is reused first, so
//! that the others may grow old and be closed.

use std::cell::RefCell;

use crate::base::{Moment, Span};
use crate::runtime::link::Link;

/// The idle connections of one worker.
#[derive(Debug)]
pub(super) struct Pool {
    stacks: RefCell<Vec<Vec<Idle>>>,
}

#[derive(Debug)]
struct Idle {
    link: Link,
    since: Moment,
}

impl Pool {
    /// A pool for so many endpoints.
    pub(super) fn new(endpoints: usize) -> Self {
        Self {
            stacks: RefCell::new((0..endpoints).map(|_| Vec::new()).collect()),
        }
    }

    /// The freshest usable connection to an endpoint. One that has rested a while is looked at first: the peer may
    /// have closed it.
    pub(super) fn take(&self, endpoint: usize, now: Moment) -> Option<Link> {
        loop {
            let mut idle = self.stacks.borrow_mut().get_mut(endpoint)?.pop()?;
            let age = now.since(idle.since);
            if age < TRUSTED_FOR || (age < IDLE_MAX && idle.link.is_quiet()) {
                return Some(idle.link);
            }
        }
    }

    /// Keeps a connection that stands at a message boundary.
    pub(super) fn put(&self, endpoint: usize, link: Link, now: Moment) {
        if let Some(stack) = self.stacks.borrow_mut().get_mut(endpoint)
            && stack.len() < IDLE_CONNECTIONS_MAX
        {
            stack.push(Idle { link, since: now });
        }
    }

    /// Closes everything.
    pub(super) fn clear(&self) {
        let idle: Vec<_> = self
            .stacks
            .borrow_mut()
            .iter_mut()
            .map(std::mem::take)
            .collect();
        drop(idle);
    }

    /// Takes over all idle connections to an endpoint of another pool.
    pub(super) fn take_over(&self, endpoint: usize, old: &Self, place: usize) {
        let idle = old.stacks.borrow_mut().get_mut(place).map(std::mem::take);
        if let (Some(mine), Some(idle)) = (self.stacks.borrow_mut().get_mut(endpoint), idle) {
            mine.extend(idle);
        }
    }

    /// Closes what has rested too long.
    pub(super) fn expire(&self, now: Moment) {
        let mut expired = Vec::new();
        for stack in self.stacks.borrow_mut().iter_mut() {
            // The oldest lie at the bottom.
            let old = stack
                .iter()
                .take_while(|idle| now.since(idle.since) >= IDLE_MAX)
                .count();
            expired.extend(stack.drain(..old));
        }
    }
}

/// A connection that rested less than this is used without a look; if it is dead after all, it is replaced for free.
const TRUSTED_FOR: Span = Span::from_secs(1);
/// Providers' front ends commonly close after 60 s; below that a reuse rarely meets a closed connection.
const IDLE_MAX: Span = Span::from_secs(50);
/// For each endpoint and worker; covers a burst of this many requests at once without new handshakes.
const IDLE_CONNECTIONS_MAX: usize = 512;
