//! Two attempts at once: the provider's side of a request exists twice, and the first content decides which one stays.
//!
//! The exchange has one side at hand: its state, timer, connection, answer and buffers. A hedge parks a second one in a
//! box, which exists only while there is a hedge, and is driven on its own ([`Exchange::poll_hedge`],
//! [`Exchange::handle_hedge`]). While it is, the two change places, so that the code of one attempt serves both.
//!
//! ```text
//!                    ┌ content: Won ──→ it stays at hand; the first one's operation is cut, and its connection let go
//!   begin: Running ──┼ failed:  Ended ─→ the first one goes on
//!                    └ the first one has content, or the client left: Ended ─→ its own operation is cut
//!
//!   the first one failed: it waits (`State::Outlived`) until the hedge has won or failed; only then the chain is asked on
//! ```
//! Which operations are to be cut the owner asks after each input ([`Exchange::cuts`]). What was cut comes back as
//! any operation does, and only its memory counts.
//!
//! PERF: what runs only while there is a hedge is `cold`, so that it does not push the plain path apart.

use std::ops::Range;

use crate::base::{Moment, RequestId, TargetId};
use crate::dialect::format::Format;
use crate::engine::{Asked, Attempt};
use crate::exchange::answer::Answer;
use crate::exchange::buffer::Buffer;
use crate::exchange::context::Context;
use crate::exchange::intake::Places;
use crate::exchange::outbound::Upstream;
use crate::exchange::{Action, Exchange, Input, State};

/// A second attempt.
#[derive(Debug)]
pub(super) struct Hedge {
    side: Side,
    stage: Stage,
}

/// How far it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    /// Beside the first one.
    Running,
    /// It came to nothing.
    Ended,
    /// It answers. What is parked now is the first one's side, whose last operation is still out.
    Won,
    /// That operation has come back.
    Cleared,
}

/// All that one attempt has of its own.
#[derive(Debug)]
struct Side {
    state: State,
    until: Moment,
    sending: Range<usize>,
    /// The request, for this attempt's head to be written before it.
    inbox: Buffer,
    places: Places,
    outbox: Buffer,
    answer: Answer,
    attempt: Option<Attempt>,
    upstream: Upstream,
}

/// What the owner has to cut off: nobody wants its result any more.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Cuts {
    /// The operation that [`Exchange::poll`] asked for last.
    pub first: bool,
    /// The one that [`Exchange::poll_hedge`] asked for last.
    pub hedge: bool,
}

/// Whom an attempt asks, and what for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Contact {
    /// On whose behalf.
    pub request: RequestId,
    /// Which of the request's attempts it is, from 0.
    pub attempt: u8,
    /// Who is asked.
    pub target: TargetId,
    /// With which of its provider's keys.
    pub key: u8,
    /// In this format.
    pub format: Format,
    /// For a stream.
    pub stream: bool,
}

impl Exchange {
    /// When a hedge may begin, if the request has come so far and one may.
    pub fn hedge_at(&self) -> Option<Moment> {
        let attempt = self.attempt.as_ref()?;
        let waits = matches!(
            self.state,
            State::Dial | State::AwaitHead | State::AwaitAnswer | State::AwaitContent
        );
        (waits && self.hedge.is_none() && attempt.hedge_at != Moment::NEVER)
            .then_some(attempt.hedge_at)
    }

    /// Which attempt of its request is at hand, from 0: the hedge's, or that of the other side.
    pub fn attempt_index(&self, of_hedge: bool) -> Option<u8> {
        let attempt = if of_hedge {
            self.hedge.as_ref()?.side.attempt.as_ref()
        } else {
            self.attempt.as_ref()
        };
        attempt.map(|attempt| attempt.index)
    }

    /// Whom an attempt asks and what for, while it is under way: the hedge's, or that of the other side.
    #[cold]
    pub fn contact(&self, of_hedge: bool) -> Option<Contact> {
        let (attempt, upstream) = if of_hedge {
            let side = &self.hedge.as_ref()?.side;
            (side.attempt.as_ref()?, &side.upstream)
        } else {
            (self.attempt.as_ref()?, &self.upstream)
        };
        Some(Contact {
            request: self.request.id,
            attempt: attempt.index,
            target: attempt.target,
            key: attempt.key,
            format: upstream.format,
            stream: self.request.stream,
        })
    }

    /// It is time for a hedge; tells whether one begins. It must then be driven by [`Exchange::poll_hedge`] and
    /// [`Exchange::handle_hedge`] until [`Action::Close`], beside the operation that is under way.
    #[cold]
    pub fn begin_hedge(&mut self, now: Moment, context: &mut Context<'_>) -> bool {
        if self.hedge_at().is_none_or(|at| now < at) {
            return false;
        }
        let copy = self.request.tail.len() as u64;
        let second = self.noted_attempt(now, Asked::Hedge, context, |exchange, context| {
            let chain = exchange.chain.as_mut()?;
            let room = exchange.hold.memory(copy, context.core);
            room.then(|| chain.hedge(now, context.plan, context.core))?
        });
        let Some(second) = second else {
            // It is not tried again for this attempt.
            if let Some(attempt) = &mut self.attempt {
                attempt.hedge_at = Moment::NEVER;
            }
            return false;
        };
        let tail = self.inbox.all().get(self.request.tail.clone());
        let side = Side::new(now, tail.unwrap_or_default());
        self.hedge = Some(Box::new(Hedge {
            side,
            stage: Stage::Running,
        }));
        self.change_sides();
        self.begin_attempt(now, second, context);
        // Its target's format may have no words for the request: then it is over before it is sent.
        let stage = self.stage_at_hand();
        self.change_sides();
        if let Some(hedge) = &mut self.hedge {
            hedge.stage = stage;
        }
        true
    }

    /// What the hedge does next: an operation on its provider, or [`Action::Release`], or at last [`Action::Close`]: it is
    /// over. If it has won, its connection is then kept for [`Action::TakeOver`].
    #[cold]
    pub fn poll_hedge(&mut self) -> Action {
        let Some(hedge) = &mut self.hedge else {
            return Action::Close;
        };
        match hedge.stage {
            Stage::Running => {
                self.change_sides();
                let action = self.poll();
                self.change_sides();
                action
            }
            Stage::Won | Stage::Cleared => Action::Close,
            Stage::Ended => {
                if let Some(reuse) = hedge.side.upstream.let_go() {
                    return Action::Release { reuse };
                }
                self.hedge = None;
                Action::Close
            }
        }
    }

    /// Takes what became of the hedge's last operation.
    #[cold]
    pub fn handle_hedge(&mut self, now: Moment, input: Input, context: &mut Context<'_>) {
        let Some(hedge) = &mut self.hedge else { return };
        if hedge.stage != Stage::Running {
            hedge.side.take_back(input);
            return;
        }
        self.change_sides();
        self.handle_any(now, input, context);
        let stage = self.stage_at_hand();
        if let Some(hedge) = &mut self.hedge {
            hedge.stage = stage;
        }
        if stage == Stage::Won {
            self.keep_own_inbox();
        } else {
            self.change_sides();
        }
    }

    /// How far the hedge is, while its side is at hand.
    const fn stage_at_hand(&self) -> Stage {
        match self.state {
            State::Outlived => Stage::Ended,
            State::Forward | State::Reply => Stage::Won,
            _ => Stage::Running,
        }
    }

    /// What is to be cut off now. To be asked after each input while there is a hedge.
    pub fn cuts(&self) -> Cuts {
        let Some(hedge) = &self.hedge else {
            return Cuts {
                first: self.state == State::Outlived,
                hedge: false,
            };
        };
        Cuts {
            first: match hedge.stage {
                Stage::Running | Stage::Cleared => false,
                Stage::Ended => self.state == State::Outlived,
                Stage::Won => true,
            },
            hedge: hedge.stage == Stage::Ended,
        }
    }

    /// Whether an attempt that fails now leaves another one running.
    pub(super) fn is_hedged(&self) -> bool {
        self.hedge
            .as_ref()
            .is_some_and(|hedge| hedge.stage == Stage::Running)
    }

    /// After each input of the first attempt's.
    pub(super) fn settle_hedge(&mut self) {
        let runs = self
            .chain
            .as_ref()
            .is_some_and(crate::engine::Chain::has_beside);
        if let Some(hedge) = &mut self.hedge
            && hedge.stage == Stage::Running
            && !runs
        {
            hedge.stage = Stage::Ended;
        }
    }

    /// The input belongs to a first attempt that has lost: its memory comes back.
    #[cold]
    pub(super) fn take_lost(&mut self, input: Input, context: &mut Context<'_>) -> Option<Input> {
        let Some(hedge) = self
            .hedge
            .as_mut()
            .filter(|hedge| hedge.stage == Stage::Won)
        else {
            return Some(input);
        };
        hedge.stage = Stage::Cleared;
        if let Input::UpstreamSent(bytes, _) = input {
            hedge
                .side
                .upstream
                .take_request_back(bytes, &mut self.inbox);
        } else {
            hedge.side.take_back(input);
            hedge.side.outbox.unstock(context.scratch);
        }
        None
    }

    /// What is left to do for a first attempt that has lost.
    #[cold]
    pub(super) fn poll_lost(&mut self) -> Option<Action> {
        let hedge = self
            .hedge
            .as_mut()
            .filter(|hedge| hedge.stage == Stage::Cleared)?;
        if let Some(reuse) = hedge.side.upstream.let_go() {
            return Some(Action::Release { reuse });
        }
        self.hedge = None;
        Some(Action::TakeOver)
    }

    fn change_sides(&mut self) {
        let Some(hedge) = &mut self.hedge else { return };
        let side = &mut hedge.side;
        std::mem::swap(&mut self.state, &mut side.state);
        std::mem::swap(&mut self.until, &mut side.until);
        std::mem::swap(&mut self.sending, &mut side.sending);
        std::mem::swap(&mut self.inbox, &mut side.inbox);
        self.request.swap_places(&mut side.places);
        std::mem::swap(&mut self.outbox, &mut side.outbox);
        std::mem::swap(&mut self.answer, &mut side.answer);
        std::mem::swap(&mut self.attempt, &mut side.attempt);
        std::mem::swap(&mut self.upstream, &mut side.upstream);
        if let Some(chain) = &mut self.chain {
            chain.turn();
        }
    }

    /// The winner has no more use for its copy of the request; the original may have the next request behind it.
    fn keep_own_inbox(&mut self) {
        if let Some(hedge) = &mut self.hedge {
            std::mem::swap(&mut self.inbox, &mut hedge.side.inbox);
            self.request.swap_places(&mut hedge.side.places);
        }
    }
}

impl Side {
    /// One that has nothing yet, for a copy of the request's end.
    fn new(now: Moment, tail: &[u8]) -> Self {
        let (inbox, place) = Buffer::holding(tail);
        Self {
            state: State::Dial,
            until: now,
            sending: 0..0,
            places: Places::of_tail(place),
            inbox,
            outbox: Buffer::default(),
            answer: Answer::default(),
            attempt: None,
            upstream: Upstream::default(),
        }
    }

    /// An operation that nobody waits for has come back.
    fn take_back(&mut self, input: Input) {
        match input {
            Input::UpstreamSent(bytes, _) => {
                self.upstream.take_request_back(bytes, &mut self.inbox);
            }
            Input::UpstreamRead(bytes, _) => self.outbox.take_back(bytes),
            Input::Dialed(Ok(_)) => self.upstream.open = true,
            Input::Dialed(Err(_))
            | Input::Waited(_)
            | Input::NextRequest
            | Input::ClientRead(..)
            | Input::ClientSent(..) => {}
        }
    }
}
