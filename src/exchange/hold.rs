//! What one connection holds of what the gateway bounds, and what happens where a bound is met: the request is turned
//! away at once, in the client's own format, and nothing that is under way is touched.
//!
//! ```text
//!   connection   at accept, by the owner
//!   request      from its head to the last byte of its answer      `max_requests`
//!   memory       a body as long as its request; an answer while    `body_memory`
//!                it is held back; a hedge's copy of the request
//! ```
//! An answer in one piece for which there is no memory is not refused: it goes out as it comes.

use crate::base::{Moment, Span, hash};
use crate::dialect::openai::{Refusal, error_body};
use crate::engine::{Bound, Core};
use crate::exchange::Exchange;
use crate::exchange::buffer::Buffer;
use crate::exchange::context::Context;
use crate::wire::h1::write;

/// What was taken and has to be given back.
#[derive(Debug, Default)]
pub(super) struct Hold {
    /// The connection is one too many.
    turned_away: bool,
    request: bool,
    /// Bytes.
    memory: u64,
}

impl Hold {
    /// Of a connection that is one too many.
    pub(super) fn turned_away() -> Self {
        Self {
            turned_away: true,
            ..Self::default()
        }
    }

    /// Of a copy, whose memory has been taken.
    pub(super) fn of_copy(memory: u64) -> Self {
        Self {
            memory,
            ..Self::default()
        }
    }

    /// Whether the connection is one too many.
    pub(super) const fn is_turned_away(&self) -> bool {
        self.turned_away
    }

    /// One more request under way, if there may be.
    pub(super) fn request(&mut self, core: &Core) -> bool {
        self.request = core.take(Bound::Requests, 1);
        self.request
    }

    /// So many bytes more, if there is room.
    pub(super) fn memory(&mut self, bytes: u64, core: &Core) -> bool {
        let taken = core.take(Bound::BodyMemory, bytes);
        if taken {
            self.memory += bytes;
        }
        taken
    }

    /// A body of so many bytes; a copy has its memory.
    pub(super) fn whole_body(&mut self, bytes: u64, core: &Core) -> bool {
        bytes <= self.memory || self.memory(bytes - self.memory, core)
    }

    /// A body whose length nobody knows has come so far; its memory grows by doubling.
    pub(super) fn body(&mut self, bytes: u64, core: &Core) -> bool {
        bytes <= self.memory || self.memory((bytes * 2).saturating_sub(self.memory), core)
    }

    /// The request is over, and its memory given back.
    pub(super) fn let_go(&mut self, core: &Core) {
        if std::mem::take(&mut self.request) {
            core.give(Bound::Requests, 1);
        }
        if self.memory > 0 {
            core.give(Bound::BodyMemory, std::mem::take(&mut self.memory));
        }
    }
}

impl Exchange {
    /// The connection is one too many.
    pub(super) fn turn_away(&mut self, now: Moment, context: &mut Context<'_>) {
        // The owner has counted it when it was accepted.
        self.refuse_for_now(now, Refusal::Overloaded, context);
    }

    /// The request meets a bound.
    pub(super) fn shed(&mut self, now: Moment, bound: Bound, context: &mut Context<'_>) {
        context.core.shed(bound);
        if !self.request.is_complete() {
            // Nobody reads the rest, and what is there is in the way of others.
            self.inbox = Buffer::default();
        }
        self.hold.let_go(context.core);
        self.refuse_for_now(now, Refusal::Overloaded, context);
    }

    /// A request that is under way meets a bound: there is no memory for what its stream brings, or no descriptor.
    #[cold]
    pub(super) fn shed_running(&mut self, now: Moment, bound: Bound, context: &mut Context<'_>) {
        context.core.shed(bound);
        self.give_up(now, Refusal::Overloaded, context);
    }

    /// The process ends while the request waits for a provider.
    #[cold]
    pub(super) fn drained(&mut self, now: Moment, context: &mut Context<'_>) {
        self.give_up(now, Refusal::Draining, context);
    }

    /// Ends a request that is under way: with an error of its own, or with an event inside what the client has.
    fn give_up(&mut self, now: Moment, refusal: Refusal, context: &mut Context<'_>) {
        self.answer.spoil();
        self.answer.ended = false;
        self.abandon(now, context);
        if self.answer.stream.is_committed() {
            return self.tell_broken(now, &refusal.error(), context);
        }
        if self.is_resuming() {
            return self.end_broken_by(now, &refusal.error(), context);
        }
        self.refuse_for_now(now, refusal, context);
    }

    /// When a client that is turned away may come back; not all at the same moment.
    pub(super) fn back_off(&self) -> Span {
        let spread = hash::scale(self.request.pick_seed(), BACK_OFF_SPREAD_SECS);
        Span::from_secs(1 + spread)
    }
}

/// The whole answer for a client who cannot be heard at all, not even what it asks for.
pub fn turned_away() -> Vec<u8> {
    let error = Refusal::Overloaded.error();
    let mut body = Vec::new();
    error_body(&mut body, &error);
    let mut answer = Vec::new();
    write::status_line(error.status, &mut answer);
    answer.extend_from_slice(
        b"retry-after: 2\r\nx-switchover-reason: overloaded\r\ncontent-type: application/json\r\n\
          connection: close\r\n",
    );
    write::field_decimal(b"content-length", body.len() as u64, &mut answer);
    write::end(&mut answer);
    answer.extend_from_slice(&body);
    answer
}

/// Clients that are turned away together come back over this many seconds.
const BACK_OFF_SPREAD_SECS: u64 = 3;
