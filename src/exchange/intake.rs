//! The client's side of a request: its head, its body, and the decision that follows from them.
//!
//! ```text
//!   inbox   │ … │ head │ prefix "model": │ token │ tail … │ next request …
//!           0   from   body                              body.end / next
//! ```
//! The body stays where it arrived. `prefix` and `token` (what stands before the model's name, and the name as it was
//! spelt) are copied out, because the provider's head and the provider's name for the model will be written over them.

use std::ops::Range;

use crate::base::{Moment, RequestId, RouteId, hash};
use crate::dialect::format::Format;
use crate::dialect::openai::{Patience, Refusal};
use crate::dialect::{ClientRoute, Operation, client_route};
use crate::engine::Bound;
use crate::exchange::context::Context;
use crate::exchange::notes::Notes;
use crate::exchange::{BODY_GAP_TIMEOUT, Broken, Exchange, HEAD_TIMEOUT, State};
use crate::ops::Wanted;
use crate::wire::h1::request::{self, RequestHead};
use crate::wire::h1::{Framing, HeadSearch, Method, Version, chunked};
use crate::wire::json::{Key, KeySet, Progress, TopLevel};

/// What is known of the request at hand.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) id: RequestId,
    /// When its head was complete; taken by the record.
    pub(super) started: Option<Moment>,
    pub(super) route: Option<RouteId>,
    /// The first route that would have taken it and is withdrawn.
    pub(super) withdrawn: Option<RouteId>,
    pub(super) operation: Operation,
    pub(super) stream: bool,
    /// The model, where the path names it and not the body.
    pub(super) path_model: Option<Box<str>>,
    pub(super) client: Client,
    /// How long the client waits.
    pub(super) patience: Patience,
    search: Option<HeadSearch>,
    framing: Framing,
    decoder: chunked::Decoder,
    scan: TopLevel,
    /// The body as far as it has arrived, without its framing; places in the inbox.
    pub(super) body: Range<usize>,
    body_bytes: u64,
    /// Where the next request begins.
    next: usize,
    /// Everything is there.
    complete: bool,
    pub(super) notes: Notes,
    /// Whether its decision is recorded.
    pub(super) wanted: Wanted,
    /// The body behind the model's name; places in the inbox.
    pub(super) tail: Range<usize>,
}

/// Where a copy of the request lies.
#[derive(Debug, Default)]
pub(super) struct Places {
    body: Range<usize>,
    tail: Range<usize>,
    next: usize,
}

impl Places {
    /// A copy of nothing but the body behind the model's name.
    pub(super) fn of_tail(tail: Range<usize>) -> Self {
        Self {
            tail,
            ..Self::default()
        }
    }
}

/// What the client's head says about the connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Client {
    pub(super) keep_alive: bool,
    /// HTTP/1.0: no chunks.
    pub(super) old: bool,
    /// `HEAD`: no body in the answer.
    pub(super) head_only: bool,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            id: RequestId::default(),
            started: None,
            route: None,
            withdrawn: None,
            operation: Operation::Generate(Format::Chat),
            stream: false,
            path_model: None,
            client: Client::default(),
            patience: Patience::default(),
            search: None,
            framing: Framing::None,
            decoder: chunked::Decoder::new(),
            scan: TopLevel::new(ASKED),
            body: 0..0,
            body_bytes: 0,
            next: 0,
            complete: false,
            notes: Notes::default(),
            wanted: Wanted::Never,
            tail: 0..0,
        }
    }
}

impl Request {
    /// Forgets the request, but not its memory.
    pub(super) fn reset(&mut self) {
        let mut notes = std::mem::take(&mut self.notes);
        notes.clear();
        *self = Self {
            notes,
            ..Self::default()
        };
    }

    /// The same request for another exchange, whose inbox holds nothing but the body behind the model's name, at `tail`.
    /// Nobody waits for its answer.
    pub(super) fn copy_of(request: &Self, now: Moment, tail: Range<usize>) -> Self {
        Self {
            id: request.id,
            started: Some(now),
            route: request.route,
            operation: request.operation,
            stream: request.stream,
            body_bytes: request.body_bytes,
            complete: true,
            notes: request.notes.for_copy(),
            body: tail.clone(),
            next: tail.end,
            tail,
            ..Self::default()
        }
    }

    /// From here on there will be a record.
    fn begin(&mut self, now: Moment, context: &mut Context<'_>) {
        self.id = (context.next_id)();
        self.started = Some(now);
    }

    /// A number of its own: where chance decides, it decides by this.
    pub(super) fn pick_seed(&self) -> u64 {
        let half = |part: u128| u64::try_from(part).unwrap_or_default();
        hash::mix(
            half(self.id.0 & u128::from(u64::MAX)),
            half(self.id.0 >> 64),
        )
    }

    /// Bytes of the body.
    pub(super) const fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// Where the next request begins.
    pub(super) const fn next(&self) -> usize {
        self.next
    }

    /// Whether nothing of it is still to be read.
    pub(super) const fn is_complete(&self) -> bool {
        self.complete
    }

    /// The scan of the body's top level.
    pub(super) const fn scan(&self) -> &TopLevel {
        &self.scan
    }

    /// Changes to another copy of the request, which lies elsewhere in another inbox.
    pub(super) const fn swap_places(&mut self, places: &mut Places) {
        std::mem::swap(&mut self.body, &mut places.body);
        std::mem::swap(&mut self.tail, &mut places.tail);
        std::mem::swap(&mut self.next, &mut places.next);
    }

    /// Everything in the inbox moved that far back.
    pub(super) const fn shift(&mut self, by: usize) {
        self.body.start += by;
        self.body.end += by;
        self.tail.start += by;
        self.tail.end += by;
        self.next += by;
    }
}

impl Exchange {
    pub(super) fn client_read(
        &mut self,
        now: Moment,
        read: Result<usize, Broken>,
        context: &mut Context<'_>,
    ) {
        let count = read.unwrap_or_default();
        match self.state {
            State::AwaitRequest if count > 0 => {
                if self.request.search.is_none() && !self.hold.is_turned_away() {
                    self.until = now + HEAD_TIMEOUT;
                }
                self.look_for_head(now, context);
            }
            State::AwaitRequest => match read {
                Err(Broken::TimedOut) if !self.inbox.is_empty() => {
                    self.request.begin(now, context);
                    self.refuse(now, Refusal::RequestTimeout, context);
                }
                _ => self.state = State::Closed,
            },
            State::AwaitBody if count > 0 => {
                self.until = now + BODY_GAP_TIMEOUT;
                self.take_body(now, context);
            }
            // An incomplete body is never forwarded, and a client that ended it is not answered.
            State::AwaitBody if read == Err(Broken::TimedOut) => {
                self.refuse(now, Refusal::RequestTimeout, context);
            }
            State::AwaitBody => self.client_gone(now, context),
            State::Linger if count > 0 => self.drain(count),
            _ => self.state = State::Closed,
        }
    }

    fn drain(&mut self, count: usize) {
        self.drained += count;
        self.inbox.clear();
        if self.drained > LINGER_BYTES_MAX {
            self.state = State::Closed;
        }
    }

    /// Parses the head if it may be complete.
    pub(super) fn look_for_head(&mut self, now: Moment, context: &mut Context<'_>) {
        let unread = self.inbox.unread();
        if self
            .request
            .search
            .as_mut()
            .is_some_and(|search| !search.may_be_complete(unread))
        {
            return;
        }
        match request::parse(unread, &mut context.scratch.fields) {
            Ok(None) => {
                let mut search = HeadSearch::request();
                search.may_be_complete(unread);
                self.request.search = Some(search);
            }
            Ok(Some(head)) => self.take_head(now, &head, context),
            Err(refusal) => {
                self.request.begin(now, context);
                self.refuse_head(now, refusal, context);
            }
        }
    }

    fn take_head(&mut self, now: Moment, head: &RequestHead, context: &mut Context<'_>) {
        let unread = self.inbox.unread();
        let request = &mut self.request;
        request.begin(now, context);
        request.client = Client {
            keep_alive: head.keep_alive && !context.draining,
            old: head.version == Version::Http10,
            head_only: head.method == Method::Head,
        };
        request.framing = head.framing;
        let body_at = self.inbox.from() + head.len as usize;
        request.body = body_at..body_at;
        request.next = body_at;
        request.complete = matches!(head.framing, Framing::None | Framing::Length(0));
        request.patience = request.notes.set_fields(unread, &context.scratch.fields);
        let encoded = context
            .scratch
            .fields
            .value(unread, "content-encoding")
            .is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity"));
        let has = |field| context.scratch.fields.value(unread, field).is_some();
        let speaks = if has("anthropic-version") {
            Format::Messages
        } else if has("x-goog-api-key") {
            Format::Gemini
        } else {
            Format::Chat
        };
        if self.hold.is_turned_away() {
            self.request.client.keep_alive = false;
            return self.turn_away(now, context);
        }
        let unread = self.inbox.unread();
        let route = client_route(head.method.as_str(unread), head.path(unread));
        match route {
            ClientRoute::Ask(operation) => {
                self.request.operation = operation;
                self.begin_body(now, encoded, head, context);
            }
            ClientRoute::Gemini { model, stream } => {
                self.request.path_model = Some(model.into());
                self.request.stream = stream;
                self.request.operation = Operation::Generate(Format::Gemini);
                self.begin_body(now, encoded, head, context);
            }
            other => {
                // Copied, because the body behind the path is about to be decoded.
                let local = LocalRoute::of(&other, speaks);
                self.skip_body();
                self.answer_locally(now, local, context);
            }
        }
    }

    /// The body of a request that the gateway answers itself: if it is all there, the connection goes on behind it.
    fn skip_body(&mut self) {
        let request = &mut self.request;
        let end = self.inbox.end();
        match request.framing {
            Framing::Length(length) => {
                let whole = request
                    .next
                    .saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
                if whole <= end {
                    request.next = whole;
                    request.complete = true;
                }
            }
            Framing::Chunked => {
                let raw = self
                    .inbox
                    .all_mut()
                    .get_mut(request.next..)
                    .unwrap_or_default();
                if let Ok(step) = request.decoder.decode(raw)
                    && step.done
                {
                    request.next += step.consumed;
                    request.complete = true;
                }
            }
            Framing::None | Framing::UntilClose => {}
        }
    }

    fn begin_body(
        &mut self,
        now: Moment,
        encoded: bool,
        head: &RequestHead,
        context: &mut Context<'_>,
    ) {
        if encoded {
            return self.refuse(now, Refusal::EncodedBody, context);
        }
        let max = context.plan.policy.server.body_max;
        let there = self.inbox.end() - self.request.body.start;
        match head.framing {
            Framing::None | Framing::UntilClose | Framing::Length(0) => {
                return self.refuse(now, Refusal::BadJson, context);
            }
            Framing::Length(length) if length > max => {
                return self.refuse(now, Refusal::BodyTooLarge, context);
            }
            Framing::Length(_) | Framing::Chunked => {}
        }
        if !self.hold.request(context.core) {
            self.skip_body();
            return self.shed(now, Bound::Requests, context);
        }
        if let Framing::Length(length) = head.framing {
            if !self.hold.whole_body(length, context.core) {
                self.skip_body();
                return self.shed(now, Bound::BodyMemory, context);
            }
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            self.inbox.expect(length.saturating_sub(there));
        }
        self.state = State::AwaitBody;
        self.until = now + BODY_GAP_TIMEOUT;
        if there > 0 {
            self.take_body(now, context);
        } else if head.expect_continue {
            self.send_continue(now, context);
        }
    }

    /// Takes in what has arrived behind the known part of the body.
    fn take_body(&mut self, now: Moment, context: &mut Context<'_>) {
        let request = &mut self.request;
        let end = self.inbox.end();
        if let Framing::Length(length) = request.framing {
            let whole = request.body.start + usize::try_from(length).unwrap_or(usize::MAX);
            request.body.end = end.min(whole);
            request.next = request.body.end;
            request.complete = request.body.end == whole;
        } else {
            let raw = self
                .inbox
                .all_mut()
                .get_mut(request.body.end..)
                .unwrap_or_default();
            let Ok(step) = request.decoder.decode(raw) else {
                return self.refuse(now, Refusal::BadRequest, context);
            };
            request.next = request.body.end + step.consumed;
            request.body.end += step.produced;
            request.complete = step.done;
            if !step.done {
                self.inbox.truncate(request.body.end);
            }
        }
        request.body_bytes = request.body.len() as u64;
        if request.body_bytes > context.plan.policy.server.body_max {
            return self.refuse(now, Refusal::BodyTooLarge, context);
        }
        if request.framing == Framing::Chunked && !self.hold.body(request.body_bytes, context.core)
        {
            return self.shed(now, Bound::BodyMemory, context);
        }
        let body = self
            .inbox
            .all()
            .get(request.body.clone())
            .unwrap_or_default();
        match request.scan.feed(body) {
            Err(error) => self.refuse_body(now, error, context),
            Ok(Progress::Complete) if request.complete => self.decide(now, context),
            Ok(Progress::Partial) if request.complete => {
                let cut = request.scan.cut();
                self.refuse_body(now, cut, context);
            }
            Ok(_) => {}
        }
    }
}

/// What the gateway answers itself.
#[derive(Clone, Debug)]
pub(super) enum LocalRoute {
    Models(Format),
    Model(Format, String),
    Refused(Refusal, Option<&'static str>),
}

impl LocalRoute {
    /// `speaks`: what the client's fields say of its format. Lists of models are at the same path for all.
    fn of(route: &ClientRoute<'_>, speaks: Format) -> Self {
        let form = |format| match format {
            Format::Chat => speaks,
            other => other,
        };
        match *route {
            ClientRoute::Models(format) => Self::Models(form(format)),
            ClientRoute::Model(format, id) => Self::Model(form(format), id.to_owned()),
            ClientRoute::MethodNotAllowed { allow } => {
                Self::Refused(Refusal::MethodNotAllowed, Some(allow))
            }
            ClientRoute::Unknown { hint } => Self::Refused(Refusal::UnknownPath(hint), None),
            ClientRoute::Ask(_) | ClientRoute::Gemini { .. } => {
                Self::Refused(Refusal::Internal, None)
            }
        }
    }
}

/// What the scan of a body looks for.
pub(super) const ASKED: KeySet = KeySet::EMPTY
    .with(Key::Model)
    .with(Key::Stream)
    .with(Key::MaxTokens)
    .with(Key::MaxCompletionTokens)
    .with(Key::MaxOutputTokens);
/// How much of a refused request's rest is read away.
const LINGER_BYTES_MAX: usize = 1024 * 1024;
