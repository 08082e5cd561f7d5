//! The provider's side of a request: an attempt begins, a connection is found, the request goes out.
//!
//! The head for the provider and the provider's name for the model are written right before the rest of the body, over
//! the client's head: one send, and no copy of the body.
//!
//! ```text
//!   before  │ room │ client's head │ prefix │ token │ tail … │
//!   after       │ provider's head │ prefix │ its name │ tail … │      one send from here to the end of the tail
//! ```

use std::ops::Range;

use crate::base::{Moment, Outcome, ProviderId, Span, hash};
use crate::dialect::converse::{Signed, sign};
use crate::dialect::format::Format;
use crate::dialect::loss::Unsupported;
use crate::dialect::openai::{ClientError, Passage, request_field_passage};
use crate::dialect::provider::Asked;
use crate::engine::{Attempt, AttemptRecord, Bound, Chain, End, Step};
use crate::exchange::buffer::Buffer;
use crate::exchange::context::Context;
use crate::exchange::notes::name_of;
use crate::exchange::wording::Own;
use crate::exchange::{Action, Broken, DialFailure, Exchange, Reused, State};
use crate::ops::Ending;
use crate::policy::Plan;
use crate::policy::model::ModelName;
use crate::wire::h1::write;
use crate::wire::json::patch;

/// The running attempt's connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Upstream {
    provider: ProviderId,
    endpoint: u16,
    /// The one that was tried first.
    first: u16,
    endpoints: u16,
    endpoints_tried: u16,
    /// The owner holds a connection.
    pub(super) open: bool,
    /// To be let go at the next poll; whether it may be reused.
    pub(super) release: Option<bool>,
    /// It came from the pool.
    pub(super) reused: bool,
    /// Dial past the pool.
    fresh: bool,
    /// How long connecting may take, at all endpoints together, and when it must be over.
    connect: Span,
    connect_by: Moment,
    /// When the request began to go out.
    pub(super) sent: Moment,
    /// Where the head lies in the inbox or in `own`, credential and all, until it has been sent.
    head: Range<usize>,
    /// What it is asked in.
    pub(super) format: Format,
    /// A request that is not the client's bytes, head and all: one that goes on with a stream, or is said in another
    /// format.
    pub(super) own: Option<Box<Own>>,
}

impl Upstream {
    /// What is left to do about a connection that is of no more use: let it go, and whether it may be reused.
    pub(super) fn let_go(&mut self) -> Option<bool> {
        let reuse = self.release.take().unwrap_or_default();
        std::mem::take(&mut self.open).then_some(reuse)
    }

    /// Until when the endpoint at hand is waited for: it has its part of the time, so that one which is silent leaves
    /// its neighbours theirs.
    fn dial_until(&self, now: Moment) -> Moment {
        let left = u64::from(self.endpoints.saturating_sub(self.endpoints_tried));
        if left <= 1 {
            return self.connect_by;
        }
        let share = self.connect_by.since(now).as_nanos() / left;
        let share = Span::from_nanos(share).max(ENDPOINT_TIME_MIN);
        self.connect_by.min(now + share)
    }

    /// The credential does not stay in memory that the next request reads into.
    fn wipe_head(&mut self, inbox: &mut Buffer) {
        match &mut self.own {
            Some(own) => own
                .bytes
                .get_mut(self.head.clone())
                .unwrap_or_default()
                .fill(0),
            None => inbox.wipe(self.head.clone()),
        }
    }

    /// Hands the memory to the operation that sends the request.
    pub(super) fn lend_request(&mut self, inbox: &mut Buffer) -> Vec<u8> {
        match &mut self.own {
            Some(own) => std::mem::take(&mut own.bytes),
            None => inbox.lend_for_send(),
        }
    }

    /// The request was sent, or not: its memory comes back.
    pub(super) fn take_request_back(&mut self, bytes: Vec<u8>, inbox: &mut Buffer) {
        match &mut self.own {
            Some(own) => own.bytes = bytes,
            None => inbox.take_back(bytes),
        }
        self.wipe_head(inbox);
    }
}

/// How an attempt failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) outcome: Outcome,
    /// What the provider said about when to come back.
    pub(super) retry_after: Option<Span>,
    /// The key was refused for this model alone.
    pub(super) model_alone: bool,
    /// What the client is told if the policy says to give it this outcome's own answer.
    pub(super) error: ClientError<'static>,
}

impl Failure {
    /// Without any words of the provider's.
    pub(super) const fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            retry_after: None,
            model_alone: false,
            error: ClientError::of_outcome(outcome),
        }
    }

    /// The request says something that the target's format cannot say.
    pub(super) fn unsupported(unsupported: &Unsupported) -> Self {
        Self {
            error: ClientError {
                param: Some(unsupported.field.clone()),
                message: unsupported.to_string().into(),
                ..ClientError::of_outcome(Outcome::Unsupported)
            },
            ..Self::of(Outcome::Unsupported)
        }
    }
}

impl Exchange {
    /// Asks the chain what to do now: the next attempt, a pause, or an end.
    pub(super) fn next_step(&mut self, now: Moment, context: &mut Context<'_>) {
        let Some(step) = self.chain_step(now, context) else {
            self.state = State::Closed;
            return;
        };
        match step {
            Step::Attempt(attempt) => self.begin_attempt(now, attempt, context),
            Step::Wait(until) => self.state = State::Pause(until),
            Step::Finish(finish) => self.finish(now, finish, context),
        }
    }

    pub(super) fn begin_attempt(
        &mut self,
        now: Moment,
        attempt: Attempt,
        context: &mut Context<'_>,
    ) {
        let policy = &context.plan.policy;
        let provider = policy
            .targets
            .get(attempt.target.index())
            .map(|target| target.provider);
        let provider = provider.unwrap_or_default();
        let kind = policy.providers.get(provider.index()).map(|it| it.kind);
        let client = self.request.operation.format();
        let endpoints = context.outlets.endpoints(provider);
        let first = self.first_endpoint(provider, endpoints, &attempt, context);
        let board = context.core.board();
        let first = board.endpoint_from(provider, first, endpoints);
        self.upstream = Upstream {
            provider,
            endpoint: first,
            first,
            endpoints,
            connect: attempt.connect_by.since(now),
            format: kind.map_or(client, |kind| Format::of_provider(kind, client)),
            connect_by: attempt.connect_by,
            open: self.upstream.open,
            release: self.upstream.release,
            ..Upstream::default()
        };
        self.until = self.upstream.dial_until(now);
        self.attempt = Some(attempt);
        self.answer.reset();
        self.outbox.stock(context.scratch);
        self.state = State::Dial;
        if client != Format::Chat
            || self.upstream.format != client
            || self.is_resuming()
            || kind.is_some_and(|kind| self.may_hold_foreign_thoughts(kind))
        {
            self.word_request(now, &attempt, context);
        }
    }

    /// Where the running attempt goes, and what it is asked in.
    pub(super) fn asked<'c>(&'c self, attempt: &Attempt, plan: &'c Plan) -> Option<Asked<'c>> {
        let policy = &plan.policy;
        let target = policy.targets.get(attempt.target.index())?;
        let provider = policy.provider_of(attempt.target)?;
        let endpoint = provider
            .endpoints
            .get(usize::from(self.upstream.endpoint))?;
        Some(Asked {
            provider,
            endpoint,
            format: self.upstream.format,
            model: match &target.model {
                ModelName::Fixed(name) => name,
                ModelName::Asked => self.request.notes.model(),
            },
            max_output: target.max_output,
            stream: self.request.stream,
        })
    }

    /// What stands for the model in the client's body: as it was spelt, where it means the same or does not matter.
    pub(super) fn model_token<'n>(&'n self, asked: &Asked<'_>, name: &'n mut Vec<u8>) -> &'n [u8] {
        let notes = &self.request.notes;
        if notes.spells(asked.model) || !asked.model_in_body() {
            return notes.token();
        }
        name.clear();
        patch::string(asked.model, name);
        name
    }

    /// Another endpoint for each request, without a counter that cores would have to share; and of one request, another
    /// one for each attempt at the same provider.
    fn first_endpoint(
        &self,
        provider: ProviderId,
        endpoints: u16,
        attempt: &Attempt,
        context: &Context<'_>,
    ) -> u16 {
        let first = hash::scale(self.request.pick_seed(), u64::from(endpoints));
        let first = u16::try_from(first).unwrap_or_default();
        if attempt.index == 0 || endpoints <= 1 {
            return first;
        }
        let targets = &context.plan.policy.targets;
        let is_its = |it: &AttemptRecord| {
            let target = targets.get(it.target.index());
            target.is_some_and(|target| target.provider == provider)
        };
        let attempts = self.chain.iter().flat_map(Chain::attempts);
        // The last one of them is the one that begins.
        let before = attempts.filter(is_its).count().saturating_sub(1);
        let before = u16::try_from(before).unwrap_or_default();
        first.saturating_add(before) % endpoints
    }

    pub(super) const fn dial(&self) -> Action {
        Action::Dial {
            provider: self.upstream.provider,
            endpoint: self.upstream.endpoint,
            fresh: self.upstream.fresh,
            until: self.until,
        }
    }

    pub(super) fn dialed(
        &mut self,
        now: Moment,
        dialed: Result<Reused, DialFailure>,
        context: &mut Context<'_>,
    ) {
        let failure = match dialed {
            Ok(Reused(reused)) => {
                self.upstream.open = true;
                self.upstream.reused = reused;
                return self.send_request(now, context);
            }
            Err(DialFailure::ClientGone) => return self.client_gone(now, context),
            // Whoever was overtaken is not asked any more.
            Err(DialFailure::Overtaken) => return,
            Err(DialFailure::Drained) => return self.drained(now, context),
            // Of two attempts the other one goes on.
            Err(DialFailure::Exhausted) if !self.is_hedged() => {
                return self.shed_running(now, Bound::Connections, context);
            }
            Err(failure) => failure,
        };
        // A dead endpoint costs time, not an attempt: its neighbours serve the same target.
        self.upstream.endpoints_tried += 1;
        let upstream = &self.upstream;
        let turn = (upstream.first, upstream.endpoint);
        let board = context.core.board();
        let next = board.endpoint_after(upstream.provider, turn, upstream.endpoints);
        if let Some(next) = next.filter(|_| now < self.upstream.connect_by) {
            self.upstream.endpoint = next;
            self.upstream.fresh = false;
            self.until = self.upstream.dial_until(now);
            return;
        }
        let outcome = match failure {
            DialFailure::Tls => Outcome::Tls,
            _ => Outcome::Connect,
        };
        self.attempt_failed(now, Failure::of(outcome), context);
    }

    fn send_request(&mut self, now: Moment, context: &mut Context<'_>) {
        let Some(attempt) = self.attempt else { return };
        let head = std::mem::take(&mut context.scratch.head);
        let mut name = std::mem::take(&mut context.scratch.name);
        let (head, head_bytes) = self.write_request(&attempt, head, &mut name, context);
        context.scratch.name = name;
        if let Some(own) = &mut self.upstream.own {
            own.bytes
                .splice(self.upstream.head.clone(), head.iter().copied());
            self.upstream.head = 0..head_bytes;
            self.sending = 0..own.bytes.len();
        } else {
            let put = self.inbox.put_before(self.request.tail.start, &head);
            self.request.shift(put.moved);
            self.upstream.head = put.start..put.start + head_bytes;
            self.sending = put.start..self.request.tail.end;
        }
        context.scratch.head = head;
        let until = if self.request.stream {
            attempt.head_by
        } else {
            attempt.content_by
        };
        self.until = until.min(attempt.deadline);
        self.upstream.sent = now;
        self.state = State::SendRequest;
    }

    /// Writes the head, and the body up to and including the model's name; tells how long the head is. `name` is room
    /// for the model's name.
    fn write_request(
        &self,
        attempt: &Attempt,
        mut out: Vec<u8>,
        name: &mut Vec<u8>,
        context: &Context<'_>,
    ) -> (Vec<u8>, usize) {
        let notes = &self.request.notes;
        out.clear();
        let Some(asked) = self.asked(attempt, context.plan) else {
            return (out, 0);
        };
        out.extend_from_slice(b"POST ");
        let path_at = out.len();
        asked.path(self.request.operation, &mut out);
        let path = path_at..out.len();
        out.extend_from_slice(FIXED_FIELDS);
        context.outlets.write_fields(
            self.upstream.provider,
            self.upstream.endpoint,
            attempt.key,
            &mut out,
        );
        out.extend_from_slice(notes.common_fields());
        let mut versioned = false;
        for line in notes.special_fields() {
            let name = name_of(line);
            if request_field_passage(name) == Passage::PassesTo(asked.provider.kind) {
                versioned |= name.eq_ignore_ascii_case(b"anthropic-version");
                out.extend_from_slice(line);
            }
        }
        asked.fields(versioned, &mut out);
        if let Some(own) = &self.upstream.own {
            let body = own
                .bytes
                .get(self.upstream.head.len()..)
                .unwrap_or_default();
            self.sign(attempt, path, body, context, &mut out);
            out.extend_from_slice(b"content-length: ");
            let body_bytes = body.len();
            write::decimal(body_bytes as u64, &mut out);
            out.extend_from_slice(b"\r\n\r\n");
            let head_bytes = out.len();
            return (out, head_bytes);
        }
        out.extend_from_slice(b"content-length: ");
        let token = self.model_token(&asked, name);
        let body_bytes = notes.prefix().len() + token.len() + self.request.tail.len();
        write::decimal(body_bytes as u64, &mut out);
        out.extend_from_slice(b"\r\n\r\n");
        let head_bytes = out.len();
        out.extend_from_slice(notes.prefix());
        out.extend_from_slice(token);
        (out, head_bytes)
    }

    /// Signs the request, where keys are not written but sign: `path` is its place in `out`.
    fn sign(
        &self,
        attempt: &Attempt,
        path: Range<usize>,
        body: &[u8],
        context: &Context<'_>,
        out: &mut Vec<u8>,
    ) {
        let (provider, endpoint) = (self.upstream.provider, self.upstream.endpoint);
        let Some((host, key)) = context.outlets.signer(provider, endpoint, attempt.key) else {
            return;
        };
        let path = out.get(path).unwrap_or_default().to_vec();
        let signed = Signed {
            host,
            path: std::str::from_utf8(&path).unwrap_or_default(),
            body,
            unix: context.unix,
        };
        sign(&signed, key, out);
    }

    pub(super) fn upstream_sent(
        &mut self,
        now: Moment,
        sent: Result<(), Broken>,
        context: &mut Context<'_>,
    ) {
        match sent {
            Ok(()) => self.state = State::AwaitHead,
            Err(Broken::ClientGone) => self.client_gone(now, context),
            Err(Broken::TimedOut) => {
                self.attempt_failed(now, Failure::of(Outcome::Timeout), context);
            }
            Err(Broken::Overtaken) => {}
            Err(Broken::Drained) => self.drained(now, context),
            Err(Broken::Reset) if self.upstream.reused => self.dial_again(now, context),
            Err(Broken::Reset | Broken::Answered) => {
                // It may have answered before it had read everything, and closed.
                self.answer.spoil();
                self.state = State::AwaitHead;
            }
        }
    }

    /// A connection from the pool was closed by its peer before it answered with any byte: a fresh one, for free.
    pub(super) fn dial_again(&mut self, now: Moment, context: &mut Context<'_>) {
        let deadline = self.attempt.map_or(now, |attempt| attempt.deadline);
        if now >= deadline {
            return self.attempt_failed(now, Failure::of(Outcome::Connect), context);
        }
        self.upstream.release = Some(false);
        self.upstream.reused = false;
        self.upstream.fresh = true;
        self.upstream.connect_by = deadline.min(now + self.upstream.connect);
        self.until = self.upstream.dial_until(now);
        self.answer.reset();
        self.outbox.clear();
        self.state = State::Dial;
    }

    /// Lets the provider's connection go, if one is held.
    pub(super) const fn release(&mut self, reuse: bool) {
        if self.upstream.open {
            self.upstream.release = Some(reuse);
        }
    }

    /// The running attempt is over: its connection goes, and the engine learns.
    pub(super) fn end_attempt(&mut self, now: Moment, end: End, context: &mut Context<'_>) {
        self.note_silence(now);
        let reuse = self.answer.leaves_connection_clean();
        self.release(reuse);
        self.attempt = None;
        if let Some(chain) = &mut self.chain {
            chain.ended(now, context.plan, context.core, end);
        }
    }

    /// The running attempt came to nothing that the client could have.
    pub(super) fn attempt_failed(
        &mut self,
        now: Moment,
        failure: Failure,
        context: &mut Context<'_>,
    ) {
        let Failure {
            outcome,
            retry_after,
            model_alone,
            error,
        } = failure;
        let end = End {
            outcome,
            retry_after,
            model_alone,
        };
        self.end_attempt(now, end, context);
        if self.is_resuming() {
            return self.resume_at_next(now, context);
        }
        self.last_error = Some((error, retry_after));
        if self.is_hedged() {
            self.state = State::Outlived;
            return;
        }
        self.next_step(now, context);
    }

    /// Lets go of whatever attempts are under way; nobody has failed.
    pub(super) fn abandon(&mut self, now: Moment, context: &mut Context<'_>) {
        self.note_silence(now);
        self.release(false);
        if (self.attempt.take().is_some() || self.is_hedged())
            && let Some(chain) = &mut self.chain
        {
            chain.abandoned(now, context.plan, context.core);
        }
    }

    /// The client left: its provider must not go on working.
    pub(super) fn client_gone(&mut self, now: Moment, context: &mut Context<'_>) {
        self.abandon(now, context);
        self.keep_record(now, 0, Ending::ClientGone, context);
        self.state = State::Closed;
    }
}

/// Each endpoint gets at least this long before the next is tried, as each of its addresses does.
const ENDPOINT_TIME_MIN: Span = Span::from_millis(250);
/// What every request head says behind its path.
const FIXED_FIELDS: &[u8] = b" HTTP/1.1\r\ncontent-type: application/json\r\n\
    accept-encoding: identity\r\nvia: 1.1 switchover\r\n";
