//! A stream on its way to the client: held until its first content, then relayed event by event as it arrives.
//!
//! Before the first content a failure is invisible to the client; after it the client gets an error event in its own
//! format and a body that does not end properly, never a clean end and never another target's words.
//!
//! ```text
//!   outbox  │ head or nothing │ size line │ whole events … │ CR LF │ the beginning of the next event, set aside
//!                               body.start       ready
//! ```

use crate::base::limits::HELD_BYTES_MAX;
use crate::base::{Moment, Outcome, Span};
use crate::dialect::client::error_event;
use crate::dialect::format::Format;
use crate::dialect::openai::{
    ClientError, EventKind, StreamEnd, event_kind, reclassify, retry_after,
};
use crate::dialect::provider::{outcome_of_error, stream_end};
use crate::dialect::translation::{Seen, Translator, Watcher};
use crate::dialect::turn::Usage;
use crate::dialect::usage_of_answer;
use crate::engine::End;
use crate::exchange::context::Context;
use crate::exchange::outbound::Failure;
use crate::exchange::{After, Exchange, SEND_TIMEOUT, State};
use crate::ops::Ending;
use crate::policy::model::ProviderKind;
use crate::wire::h1::write;
use crate::wire::sse::{Event, EventTooLong, Splitter};

/// Where the relay of a stream stands.
#[derive(Debug, Default)]
pub(super) struct Stream {
    pub(super) splitter: Splitter,
    /// Whole events end here; place in the outbox.
    ready: usize,
    /// Data of an event that has several lines.
    data: Vec<u8>,
    /// The beginning of an event that is not complete, while what precedes it is being sent.
    set_aside: Vec<u8>,
    /// Not a stream of events but a body that is too large to be held back.
    raw: bool,
    finish_seen: bool,
    done_seen: bool,
    /// The client has the head and some events.
    committed: bool,
    reading: Reading,
    /// When the last content came, moved on by the time that the client took to receive it.
    content: Moment,
    /// When the bytes under way to the client began to go out.
    forwarded: Moment,
}

/// How events are read.
#[derive(Debug, Default)]
enum Reading {
    /// Chat Completions, and they pass.
    #[default]
    Chat,
    /// Another format, and they pass.
    Watched(Box<Watcher>),
    /// They are said in the client's format.
    Translated(Box<Translator>),
}

/// What a batch of events amounts to.
#[derive(Debug, Eq, PartialEq)]
enum Batch {
    /// Nothing that the client waits for.
    Quiet,
    /// At least one event has content, or says how the answer ended.
    Content,
    /// The provider reports an error; events before it are good.
    Error,
}

impl Stream {
    /// An empty one with the same memory.
    pub(super) fn emptied(self) -> Self {
        let Self {
            mut data,
            mut set_aside,
            ..
        } = self;
        data.clear();
        set_aside.clear();
        Self {
            data,
            set_aside,
            ..Self::default()
        }
    }

    /// Whole events end here; place in the outbox.
    pub(super) const fn ready(&self) -> usize {
        self.ready
    }

    /// Nothing is complete beyond this place.
    pub(super) const fn set_ready(&mut self, ready: usize) {
        self.ready = ready;
    }

    /// From now on the body is passed on as it comes.
    pub(super) const fn set_raw(&mut self) {
        self.raw = true;
    }

    /// Whether the body is passed on as it comes.
    pub(super) const fn is_raw(&self) -> bool {
        self.raw
    }

    /// Whether the client has the head and some events.
    pub(super) const fn is_committed(&self) -> bool {
        self.committed
    }

    /// Whether the provider said all it had to say; of a raw body only its framing knows.
    const fn is_finished(&self, format: Format, kind: ProviderKind) -> bool {
        if self.raw {
            return false;
        }
        match stream_end(format, kind) {
            StreamEnd::Done => self.done_seen,
            StreamEnd::Finish => self.done_seen || self.finish_seen,
        }
    }
}

impl Exchange {
    /// Looks at the events that have become complete.
    pub(super) fn take_events(&mut self, now: Moment, context: &mut Context<'_>) {
        if self.answer.stream.ready < self.answer.body.start {
            self.answer.stream.ready = self.answer.body.start;
        }
        let batch = match self.read_events(context) {
            Ok(batch) => batch,
            Err(EventTooLong) if self.answer.stream.committed => {
                return self.break_off(now, Outcome::BadOutput, context);
            }
            Err(EventTooLong) => {
                return self.attempt_failed(now, Failure::of(Outcome::BadOutput), context);
            }
        };
        if self.answer.stream.committed {
            self.take_committed(now, &batch, context);
        } else {
            self.take_held(now, &batch, context);
        }
    }

    /// The answer is a stream: how its events are read hangs on who speaks what.
    pub(super) fn read_stream_in_its_format(&mut self) {
        let (provider, client) = (self.upstream.format, self.request.operation.format());
        let reading = match self.upstream.reply() {
            Some(reply) if provider != client => {
                write::field(
                    b"content-type",
                    b"text/event-stream; charset=utf-8",
                    &mut self.answer.fields,
                );
                let translator = Translator::new(provider, client, reply.clone());
                Reading::Translated(Box::new(translator))
            }
            _ if provider == Format::Chat => Reading::Chat,
            _ => Reading::Watched(Box::new(Watcher::new(provider))),
        };
        self.answer.stream.reading = reading;
    }

    /// Says the events that have become complete in the client's format, in their place.
    #[cold]
    fn translate_events(&mut self, context: &Context<'_>) -> Result<Batch, EventTooLong> {
        let kind = self.provider_kind(context);
        let stream = &mut self.answer.stream;
        let Reading::Translated(translator) = &mut stream.reading else {
            return Ok(Batch::Quiet);
        };
        let place = stream.ready..self.answer.body.end;
        let bytes = self.outbox.all().get(place).unwrap_or_default();
        let mut said = std::mem::take(&mut stream.data);
        said.clear();
        let fed = translator.feed(bytes, self.answer.ended, &mut said);
        let seen = fed.map_err(|_| EventTooLong)?;
        stream.finish_seen |= seen.finish;
        stream.done_seen |= seen.end;
        self.answer.usage = seen.usage.or(self.answer.usage);
        if self.answer.ended
            && stream.is_finished(self.upstream.format, kind)
            && let Reading::Translated(translator) = &mut stream.reading
        {
            translator.end(&mut said);
        }
        self.outbox.truncate(stream.ready);
        self.outbox.push(&said);
        stream.data = said;
        stream.ready = self.outbox.end();
        self.answer.body.end = stream.ready;
        Ok(if seen.error {
            Batch::Error
        } else if seen.content || seen.finish {
            Batch::Content
        } else {
            Batch::Quiet
        })
    }

    /// Walks over the complete events; on an error event it stops in front of it.
    fn read_events(&mut self, context: &Context<'_>) -> Result<Batch, EventTooLong> {
        if let Reading::Translated(_) = &self.answer.stream.reading {
            return self.translate_events(context);
        }
        self.hide_usage();
        let stream = &mut self.answer.stream;
        if stream.raw {
            stream.ready = self.answer.body.end;
            return Ok(Batch::Content);
        }
        let bytes = self
            .outbox
            .all()
            .get(..self.answer.body.end)
            .unwrap_or_default();
        let mut batch = Batch::Quiet;
        loop {
            let rest = bytes.get(stream.ready..).unwrap_or_default();
            let event = match stream.splitter.next(rest)? {
                Some(event) => event,
                None if self.answer.ended => {
                    match std::mem::take(&mut stream.splitter).finish(rest) {
                        Some(event) => event,
                        None => return Ok(batch),
                    }
                }
                None => return Ok(batch),
            };
            if let Reading::Watched(watcher) = &mut stream.reading {
                let seen = watch(watcher, &event, rest, &mut stream.data);
                if seen.error {
                    return Ok(Batch::Error);
                }
                stream.finish_seen |= seen.finish;
                stream.done_seen |= seen.end;
                self.answer.usage = seen.usage.or(self.answer.usage);
                if seen.content || seen.finish {
                    batch = Batch::Content;
                }
                stream.ready += event.len;
                continue;
            }
            let (kind, usage) = classify(&event, rest, &mut stream.data);
            self.answer.usage = usage.or(self.answer.usage);
            match kind {
                EventKind::Lifecycle => {}
                EventKind::Content => batch = Batch::Content,
                EventKind::Finish => {
                    stream.finish_seen = true;
                    batch = Batch::Content;
                }
                EventKind::Done => stream.done_seen = true,
                EventKind::Error => return Ok(Batch::Error),
            }
            stream.ready += event.len;
        }
    }

    /// Nothing has been sent yet.
    fn take_held(&mut self, now: Moment, batch: &Batch, context: &mut Context<'_>) {
        // One large event that is still arriving has a bound of its own.
        let held = self.answer.stream.ready - self.answer.body.start;
        match batch {
            Batch::Error => {
                let failure = self.error_in_stream(context);
                self.attempt_failed(now, failure, context);
            }
            // The break came together with the content, and nothing has been sent: another target may do better.
            Batch::Content if self.answer.ended && !self.is_stream_finished(context) => {
                self.attempt_failed(now, Failure::of(Outcome::StreamAbort), context);
            }
            Batch::Content => self.commit(now, context),
            Batch::Quiet if held > HELD_BYTES_MAX && self.is_resuming() => {
                self.attempt_failed(now, Failure::of(Outcome::BadOutput), context);
            }
            // A provider that says so much before it says anything is taken at its word.
            Batch::Quiet if held > HELD_BYTES_MAX && !self.answer.ended => {
                self.commit(now, context);
            }
            Batch::Quiet if self.answer.stream.done_seen => {
                self.attempt_failed(now, Failure::of(Outcome::BadOutput), context);
            }
            Batch::Quiet if self.answer.ended => {
                let outcome = if self.answer.body.is_empty() {
                    Outcome::BadOutput
                } else {
                    Outcome::StreamAbort
                };
                self.attempt_failed(now, Failure::of(outcome), context);
            }
            Batch::Quiet => {}
        }
    }

    /// What the error event in front of the reader says.
    fn error_in_stream(&self, context: &Context<'_>) -> Failure {
        let from = self.answer.stream.ready;
        let event = self
            .outbox
            .all()
            .get(from..self.answer.body.end)
            .unwrap_or_default();
        let (name, data) = match &self.answer.stream.reading {
            Reading::Translated(translator) => translator.error(),
            Reading::Chat | Reading::Watched(_) => ("", error_data(event)),
        };
        let kind = self.provider_kind(context);
        let outcome = outcome_of_error(self.upstream.format, kind, name, data);
        let outcome = reclassify(self.own_rules(context), outcome, self.answer.status, data);
        Failure {
            outcome,
            retry_after: retry_after(std::iter::empty(), 200, data, context.unix),
            model_alone: false,
            error: ClientError::of_answer(outcome, 400, data),
        }
    }

    /// The client gets its head and what was held, and from now on everything as it comes.
    pub(super) fn commit(&mut self, now: Moment, context: &mut Context<'_>) {
        self.answer.stream.committed = true;
        self.answer.stream.content = now;
        if let Some(chain) = &mut self.chain {
            chain.content(now, context.plan, context.core);
        }
        let mut head = std::mem::take(&mut context.scratch.head);
        head.clear();
        if self.is_resuming() {
            let from = self.resumed_start();
            self.note_sent(from, self.answer.stream.ready);
            return self.forward(now, from, head, context);
        }
        if self.answer.stream.raw {
            self.answer.stream.ready = self.answer.body.end;
        } else {
            self.keep_resume(context);
        }
        let from = self.answer.body.start;
        self.note_sent(from, self.answer.stream.ready);
        self.write_stream_head(&mut head, context);
        self.forward(now, from, head, context);
    }

    fn take_committed(&mut self, now: Moment, batch: &Batch, context: &mut Context<'_>) {
        match batch {
            Batch::Content => {
                let gap = now.since(self.answer.stream.content);
                if let Some(attempt) = &self.attempt {
                    context.journal.gap(attempt.target, gap);
                }
                if let Some(chain) = &mut self.chain {
                    chain.gap(gap);
                }
                self.answer.stream.content = now;
            }
            Batch::Quiet => {}
            Batch::Error => {
                let failure = self.error_in_stream(context);
                return self.break_off_with(now, failure, context);
            }
        }
        let stream = &self.answer.stream;
        let finished = stream.raw || self.is_stream_finished(context);
        if self.answer.ended && !finished {
            return self.break_off(now, Outcome::StreamAbort, context);
        }
        if self.answer.stream.ready > self.answer.body.start || self.answer.ended {
            self.note_sent(self.answer.body.start, self.answer.stream.ready);
            let mut head = std::mem::take(&mut context.scratch.head);
            head.clear();
            self.forward(now, self.answer.body.start, head, context);
        } else {
            self.await_content(now);
        }
    }

    /// Sends the complete events from `from` on, behind `head`; and the end of the body, if this is it.
    pub(super) fn forward(
        &mut self,
        now: Moment,
        from: usize,
        mut head: Vec<u8>,
        context: &mut Context<'_>,
    ) {
        let ready = self.answer.stream.ready;
        let length = ready - from;
        let chunked = !self.request.client.old;
        let rest = self
            .outbox
            .all()
            .get(ready..self.answer.body.end)
            .unwrap_or_default();
        self.answer.stream.set_aside.clear();
        self.answer.stream.set_aside.extend_from_slice(rest);
        self.outbox.truncate(ready);
        if chunked && length > 0 {
            write::chunk_size(length as u64, &mut head);
            self.outbox.push(b"\r\n");
        }
        let over = self.answer.ended;
        if over && chunked {
            self.outbox.push(write::LAST_CHUNK);
        }
        let put = self.outbox.put_before(from, &head);
        head.clear();
        context.scratch.head = head;
        self.sending = put.start..self.outbox.end();
        self.answer.stream.forwarded = now;
        self.until = now + SEND_TIMEOUT;
        self.state = State::Forward;
        self.after = if over {
            self.end_stream(now, context)
        } else {
            After::Relay
        };
    }

    /// The stream has come to its proper end, and so has the attempt.
    fn end_stream(&mut self, now: Moment, context: &mut Context<'_>) -> After {
        let end = End {
            outcome: Outcome::Ok,
            retry_after: None,
            model_alone: false,
        };
        self.end_attempt(now, end, context);
        self.ending = (self.answer.status, Ending::Answered);
        let client = self.request.client;
        if client.keep_alive && !client.old {
            After::NextRequest
        } else {
            After::Close
        }
    }

    /// What was forwarded has been sent: goes on with the stream.
    pub(super) fn relay_on(&mut self, now: Moment) {
        let stream = &mut self.answer.stream;
        // A slow reader is not the provider's silence.
        stream.content = stream.content + now.since(stream.forwarded);
        let set_aside = std::mem::take(&mut stream.set_aside);
        self.outbox.clear();
        self.answer.body = self.outbox.end()..self.outbox.end() + set_aside.len();
        self.answer.stream.ready = self.answer.body.start;
        self.outbox.push(&set_aside);
        self.answer.stream.set_aside = set_aside;
        self.state = State::Relay;
        self.await_content(now);
    }

    /// The gap timer runs from content to content: comments, pings and empty deltas do not wind it up again.
    fn await_content(&mut self, now: Moment) {
        let Some(attempt) = &self.attempt else { return };
        let gap = if self.answer.stream.done_seen {
            // All is said; only the end of the body is missing.
            now + END_TIMEOUT
        } else {
            self.answer.stream.content + attempt.idle
        };
        self.until = gap.min(attempt.deadline);
    }

    /// The attempt ends while its stream owes content: the silence so far is a gap like others, and if `idle_timeout` ended
    /// it, one without an end.
    pub(super) fn note_silence(&mut self, now: Moment) {
        let stream = &self.answer.stream;
        let (Some(attempt), Some(chain)) = (&self.attempt, &mut self.chain) else {
            return;
        };
        if self.state == State::Relay && !stream.finish_seen && !stream.done_seen {
            let silence = now.since(stream.content);
            chain.gap(if silence < attempt.idle {
                silence
            } else {
                Span::MAX
            });
        }
    }

    /// The stream broke after its first content.
    pub(super) fn break_off(&mut self, now: Moment, outcome: Outcome, context: &mut Context<'_>) {
        if self.is_stream_finished(context) && outcome != Outcome::BadOutput {
            // Nothing is missing but the framing of its end.
            self.answer.spoil();
            self.answer.ended = true;
            self.end_translation();
            let mut head = std::mem::take(&mut context.scratch.head);
            head.clear();
            return self.forward(now, self.answer.body.start, head, context);
        }
        self.break_off_with(now, Failure::of(outcome), context);
    }

    /// Whether the provider said all it had to say.
    fn is_stream_finished(&self, context: &Context<'_>) -> bool {
        let kind = self.provider_kind(context);
        self.answer.stream.is_finished(self.upstream.format, kind)
    }

    /// What the client's format says at the end of a stream, if that has not been said.
    fn end_translation(&mut self) {
        let stream = &mut self.answer.stream;
        if let Reading::Translated(translator) = &mut stream.reading {
            let mut said = Vec::new();
            translator.end(&mut said);
            self.outbox.truncate(stream.ready);
            self.outbox.push(&said);
            stream.ready = self.outbox.end();
            self.answer.body.end = stream.ready;
        }
    }

    /// Another target goes on, where the route says so and one can; else the client is told.
    fn break_off_with(&mut self, now: Moment, failure: Failure, context: &mut Context<'_>) {
        let Some(failure) = self.try_resume(now, failure, context) else {
            return;
        };
        let end = End {
            outcome: failure.outcome,
            retry_after: failure.retry_after,
            model_alone: failure.model_alone,
        };
        self.answer.ended = false;
        self.answer.spoil();
        self.end_attempt(now, end, context);
        self.tell_broken(now, &failure.error, context);
    }

    /// The client is told so in its own format, and its body does not end properly.
    pub(super) fn tell_broken(
        &mut self,
        now: Moment,
        error: &ClientError<'_>,
        context: &mut Context<'_>,
    ) {
        self.outbox
            .truncate(self.answer.stream.ready.max(self.answer.body.start));
        if !self.answer.stream.raw {
            let mut event = Vec::new();
            error_event(self.request.operation.format(), error, &mut event);
            self.outbox.push(&event);
        }
        self.answer.body.end = self.outbox.end();
        self.answer.stream.ready = self.outbox.end();
        self.answer.ended = false;
        let mut head = std::mem::take(&mut context.scratch.head);
        head.clear();
        self.forward(now, self.answer.body.start, head, context);
        self.after = After::Close;
        self.ending = (self.answer.status, Ending::Failed);
    }
}

/// What an event of another format amounts to.
fn watch(watcher: &mut Watcher, event: &Event, bytes: &[u8], data: &mut Vec<u8>) -> Seen {
    let mut copy = match event.data(bytes, data) {
        Some(found) => found.to_vec(),
        None => return Seen::default(),
    };
    watcher.see(event.name(bytes), &mut copy)
}

/// What an event of Chat Completions amounts to, and what it says that the answer took.
fn classify(event: &Event, bytes: &[u8], data: &mut Vec<u8>) -> (EventKind, Option<Usage>) {
    let named_error = event.name(bytes) == b"error";
    let Some(data) = event.data(bytes, data) else {
        return (EventKind::Lifecycle, None);
    };
    if named_error {
        return (EventKind::Error, None);
    }
    let kind = event_kind(data);
    let usage = match kind {
        // PERF: content says it at a few providers only, and they say it once more at the end.
        EventKind::Lifecycle | EventKind::Finish => usage_of_answer(Format::Chat, data),
        EventKind::Content | EventKind::Done | EventKind::Error => None,
    };
    (kind, usage)
}

/// The data of the first event of `bytes`, which is known to have some on one line.
fn error_data(bytes: &[u8]) -> &[u8] {
    let line = bytes
        .split(|&byte| byte == b'\n' || byte == b'\r')
        .find_map(|line| line.strip_prefix(b"data:"));
    line.unwrap_or_default().trim_ascii()
}

/// After `[DONE]` the body's end may take this long; then the connection is given up and the answer is complete.
const END_TIMEOUT: Span = Span::from_secs(1);
