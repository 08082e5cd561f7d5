//! Copies of requests for a target whose answers nobody gets: a copy is an exchange like any other, which begins where a
//! request has been decided and runs by a plan, a board and counters of its own. Its owner takes what it sends to a
//! client as sent.
//!
//! ```text
//!   decide ─ of the share? may begin? ─▶ Pending ─ the request is on its way ─▶ Shadow ─▶ an exchange of its own
//! ```
//! PERF: the client pays for the draw. The body is copied once its request has been sent, while the provider works.

use std::sync::Arc;

use crate::base::{Moment, RequestId, RouteId};
use crate::engine::{Bound, Chain, Core, Dropped, Form, Load, Seat, Shadows};
use crate::exchange::Exchange;
use crate::exchange::buffer::Buffer;
use crate::exchange::context::Context;
use crate::exchange::hold::Hold;
use crate::exchange::intake::Request;
use crate::policy::model::PromptSize;
use crate::policy::{Decision, Facts, Plan};

/// What copies of a plan's requests run by.
#[derive(Clone, Debug)]
pub struct Shadowing {
    /// One target and one attempt for each route that has a shadow ([`Plan::of_shadows`]).
    pub plan: Arc<Plan>,
    /// How many are under way.
    pub shadows: Arc<Shadows>,
    /// What they hold together.
    pub load: Arc<Load>,
}

/// Whether a request is copied.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draw {
    pub(super) request: RequestId,
    pub(super) route: RouteId,
    /// Of the request's body.
    pub(super) bytes: u64,
    /// The process is about to end.
    pub(super) draining: bool,
}

impl Shadowing {
    /// The copy of a request, if it is of the share and a copy may begin. `core` is that of the requests.
    #[cold]
    pub(super) fn draw(
        &self,
        now: Moment,
        draw: Draw,
        facts: &Facts<'_>,
        core: &Core,
    ) -> Option<Box<Pending>> {
        let Draw { request, route, .. } = draw;
        if !self.shadows.is_of_the_share(route, request) {
            return None;
        }
        self.admit(now, draw, facts, core)
            .map_err(|why| self.shadows.dropped(route, why))
            .ok()
    }

    fn admit(
        &self,
        now: Moment,
        draw: Draw,
        facts: &Facts<'_>,
        core: &Core,
    ) -> Result<Box<Pending>, Dropped> {
        if draw.draining {
            return Err(Dropped::Draining);
        }
        if draw.bytes > COPY_BYTES_MAX {
            return Err(Dropped::TooLarge);
        }
        self.shadows.may_begin(now, draw.route, core)?;
        let decision = self.plan.decide_copy(draw.route, facts);
        let decision = decision.ok_or(Dropped::Forbidden)?;
        let seat = self.shadows.seat(draw.route)?;
        Ok(Box::new(Pending { decision, seat }))
    }
}

/// A copy that begins when its request is on its way.
#[derive(Debug)]
pub(super) struct Pending {
    decision: Decision,
    seat: Seat,
}

/// A copy of a request, ready to begin.
#[derive(Debug)]
pub struct Shadow {
    exchange: Exchange,
    seat: Seat,
}

impl Shadow {
    /// Begins. What comes back is driven as any exchange, with everything that it sends to a client counted as sent,
    /// until it closes; the seat is kept as long. `context` is that of the copies.
    pub fn begin(self, now: Moment, context: &mut Context<'_>) -> (Exchange, Seat) {
        let Self { mut exchange, seat } = self;
        exchange.next_step(now, context);
        if exchange.attempt.is_some() {
            seat.started();
        } else {
            seat.dropped(Dropped::Unusable);
        }
        (exchange, seat)
    }
}

impl Exchange {
    /// The copy for the shadow of the route, after so many attempts.
    pub(super) fn take_shadow(
        &mut self,
        now: Moment,
        attempts: usize,
        context: &Context<'_>,
    ) -> Option<Box<Shadow>> {
        let shadowing = context.shadowing?;
        let Pending { decision, seat } = *self.shadow.take()?;
        if attempts == 0 {
            // Nobody was asked: there is nothing that a copy could be compared with.
            seat.dropped(Dropped::Unusable);
            return None;
        }
        let copy = self.request.tail.len() as u64;
        let tail = self.inbox.all().get(self.request.tail.clone());
        let core = context.core.index;
        // INVARIANT: an incomplete body is never forwarded.
        let tail = tail.filter(|_| self.request.is_complete());
        let tail = tail.filter(|_| shadowing.load.take(core, Bound::BodyMemory, copy));
        let Some(tail) = tail else {
            seat.dropped(Dropped::Overloaded);
            return None;
        };
        let (inbox, place) = Buffer::holding(tail);
        let form = if self.request.stream {
            Form::Stream
        } else {
            Form::Whole
        };
        let prompt = PromptSize::of_body(self.request.body_bytes());
        let chain = Chain::new(&shadowing.plan, decision, form, self.request.id, now);
        let chain = chain.with_prompt(prompt);
        let exchange = Self {
            inbox,
            request: Request::copy_of(&self.request, now, place),
            chain: Some(chain),
            hold: Hold::of_copy(copy),
            ..Self::new(now)
        };
        Some(Box::new(Shadow { exchange, seat }))
    }
}

/// Bodies up to this length are copied: that takes a core some tenths of a millisecond, in which it does nothing else.
pub(super) const COPY_BYTES_MAX: u64 = 1024 * 1024;
