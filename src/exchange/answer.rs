//! The provider's answer: its head, then a whole body that is judged before the client sees any of it, or a stream
//! that is held until its first content. What is judged bad here never happened for the client.
//!
//! ```text
//!   outbox  │ room │ provider's head │ body … │ raw bytes not yet decoded │
//!                                    body.start  body.end
//! ```

use std::ops::Range;

use crate::base::limits::{ANSWER_BYTES_MAX, ERROR_BYTES_MAX};
use crate::base::{Moment, Outcome, Span};
use crate::dialect::openai::{
    ClientError, is_of_model, is_wrong_path, reclassify, response_field_passes, retry_after,
};
use crate::dialect::provider::{error_field, outcome_of};
use crate::dialect::turn::Usage;
use crate::dialect::{Operation, usage_of_answer};
use crate::engine::{Bound, End};
use crate::exchange::context::Context;
use crate::exchange::outbound::Failure;
use crate::exchange::relay::Stream;
use crate::exchange::{Broken, Exchange, State};
use crate::policy::model::{Classify, ProviderKind};
use crate::wire::h1::response::{self, ContentType, ResponseHead};
use crate::wire::h1::{Framing, HeadSearch, chunked, write};

/// What is known of the answer at hand.
#[derive(Debug, Default)]
pub(super) struct Answer {
    search: Option<HeadSearch>,
    /// Any byte has come.
    begun: bool,
    pub(super) status: u16,
    framing: Framing,
    decoder: chunked::Decoder,
    keep_alive: bool,
    /// Something came that does not belong to the answer, or the request was not read to its end.
    spoilt: bool,
    /// The body has come to its proper end.
    pub(super) ended: bool,
    /// Decoded body; places in the outbox.
    pub(super) body: Range<usize>,
    /// Body bytes that came, also those that have been passed on.
    pub(super) bytes: u64,
    retry_after: Option<Span>,
    /// The kind of error that the head names, in formats where it does.
    error: Box<str>,
    memory: Memory,
    /// Field lines for the client.
    pub(super) fields: Vec<u8>,
    pub(super) stream: Stream,
    /// What it took, as far as it has said so.
    pub(super) usage: Option<Usage>,
}

/// What holding an answer back takes of `body_memory`.
#[derive(Clone, Copy, Debug, Default)]
struct Memory {
    /// Bytes, for all answers of this side: its buffer does not shrink.
    taken: u64,
    /// There is not enough to hold this one back any longer.
    lacking: bool,
}

impl Answer {
    /// The request is over, and so is what was taken for it.
    pub(super) fn forget(&mut self) {
        self.memory = Memory::default();
        self.reset();
    }

    /// Forgets the answer, but not its memory.
    pub(super) fn reset(&mut self) {
        let mut fields = std::mem::take(&mut self.fields);
        fields.clear();
        let stream = std::mem::take(&mut self.stream).emptied();
        *self = Self {
            fields,
            stream,
            memory: Memory {
                taken: self.memory.taken,
                lacking: false,
            },
            ..Self::default()
        };
    }

    /// The connection is of no more use after this answer.
    pub(super) const fn spoil(&mut self) {
        self.spoilt = true;
    }

    /// Whether the next answer on this connection begins where this one ended.
    pub(super) const fn leaves_connection_clean(&self) -> bool {
        self.ended && self.keep_alive && !self.spoilt
    }

    /// Takes in what lies behind the body in `raw`; tells whether it was well framed. `from` is where `raw` begins.
    fn decode(&mut self, raw: &mut [u8], from: usize) -> Result<(), chunked::BadChunk> {
        let there = raw.len();
        let (produced, consumed) = match self.framing {
            Framing::None => (0, 0),
            Framing::UntilClose => (there, there),
            Framing::Length(length) => {
                let left = usize::try_from(length.saturating_sub(self.bytes)).unwrap_or(usize::MAX);
                let taken = there.min(left);
                self.ended = taken == left;
                (taken, taken)
            }
            Framing::Chunked => {
                let step = self.decoder.decode(raw)?;
                self.ended = step.done;
                (step.produced, step.consumed)
            }
        };
        self.body.end = from + produced;
        self.bytes += produced as u64;
        self.spoilt |= consumed < there;
        Ok(())
    }
}

impl Exchange {
    pub(super) fn upstream_read(
        &mut self,
        now: Moment,
        read: Result<usize, Broken>,
        context: &mut Context<'_>,
    ) {
        let count = match read {
            Ok(count) => count,
            Err(Broken::ClientGone) => return self.client_gone(now, context),
            Err(Broken::TimedOut) => return self.answer_late(now, context),
            Err(Broken::Overtaken) => return,
            Err(Broken::Drained) => return self.drained(now, context),
            Err(Broken::Reset | Broken::Answered) => return self.answer_cut(now, context),
        };
        if count == 0 {
            return self.answer_over(now, context);
        }
        self.answer.begun = true;
        if self.state == State::AwaitHead {
            return self.look_for_answer(now, context);
        }
        self.take_answer(now, context);
    }

    fn look_for_answer(&mut self, now: Moment, context: &mut Context<'_>) {
        loop {
            let unread = self.outbox.unread();
            if self
                .answer
                .search
                .as_mut()
                .is_some_and(|search| !search.may_be_complete(unread))
            {
                return;
            }
            match response::parse(unread, &mut context.scratch.fields) {
                Ok(None) => {
                    let mut search = HeadSearch::response();
                    search.may_be_complete(unread);
                    self.answer.search = Some(search);
                    return;
                }
                // 100 and 103 announce; the answer is still to come (RFC 9110 section 15.2).
                Ok(Some(head)) if head.is_interim() => {
                    self.outbox
                        .advance_to(self.outbox.from() + head.len as usize);
                    self.answer.search = None;
                }
                Ok(Some(head)) => return self.take_answer_head(now, &head, context),
                Err(_) => {
                    return self.attempt_failed(now, Failure::of(Outcome::BadOutput), context);
                }
            }
        }
    }

    fn take_answer_head(&mut self, now: Moment, head: &ResponseHead, context: &mut Context<'_>) {
        let unread = self.outbox.unread();
        let fields = &context.scratch.fields;
        let passes = !self.translates();
        let answer = &mut self.answer;
        answer.status = head.status;
        answer.framing = head.framing;
        answer.keep_alive = head.keep_alive;
        let body_at = self.outbox.from() + head.len as usize;
        answer.body = body_at..body_at;
        answer.ended = head.framing == Framing::None;
        if is_success(head.status) && passes {
            for (name, value) in fields.iter(unread) {
                // None of the fields that pass are of one hop, but the provider may have made one so.
                if response_field_passes(name) && !fields.is_named_by_connection(unread, name) {
                    write::field(name, value, &mut answer.fields);
                }
            }
        } else if !is_success(head.status) {
            answer.retry_after = retry_after(fields.iter(unread), head.status, &[], context.unix);
            if let Some(name) = error_field(self.upstream.format) {
                let named = fields.value(unread, name).unwrap_or_default();
                answer.error = String::from_utf8_lossy(named).into();
            }
        }
        if head.encoded {
            return self.judge_unread(now, context);
        }
        let streams = is_success(head.status)
            && (head.content_type == ContentType::EventStream
                || (self.request.stream
                    && head.content_type != ContentType::Json
                    && head.content_type != ContentType::Html));
        if is_success(head.status)
            && ((!streams && self.is_resuming()) || (streams && !passes && !self.request.stream))
        {
            // The client has half a stream, and an answer in one piece does not fit behind it; or waits for one piece, and a
            // stream is not said in another format as one.
            self.answer.spoil();
            return self.attempt_failed(now, Failure::of(Outcome::BadOutput), context);
        }
        if streams {
            self.read_stream_in_its_format();
            self.state = State::AwaitContent;
            if let Some(attempt) = &self.attempt {
                self.until = attempt.content_by.min(attempt.deadline);
            }
        } else {
            self.state = State::AwaitAnswer;
            if let Framing::Length(length) = head.framing {
                let length = usize::try_from(length)
                    .unwrap_or(usize::MAX)
                    .min(ANSWER_BYTES_MAX);
                let there = self.outbox.end() - body_at;
                if self.hold_answer(length, context) {
                    self.outbox.expect(length.saturating_sub(there));
                }
            }
        }
        self.take_answer(now, context);
    }

    /// Takes in what has come behind the known part of the body.
    fn take_answer(&mut self, now: Moment, context: &mut Context<'_>) {
        let from = self.answer.body.end;
        let raw = self.outbox.all_mut().get_mut(from..).unwrap_or_default();
        if self.answer.decode(raw, from).is_err() {
            return self.answer_cut(now, context);
        }
        self.outbox.truncate(self.answer.body.end);
        let room = self.answer.body.len() * 2;
        if room > UNCOUNTED_BYTES && !self.hold_answer(room, context) && self.is_stream() {
            return self.shed_running(now, Bound::BodyMemory, context);
        }
        match self.state {
            State::AwaitAnswer => self.take_whole(now, context),
            _ => self.take_events(now, context),
        }
    }

    fn take_whole(&mut self, now: Moment, context: &mut Context<'_>) {
        let length = self.answer.body.len();
        let max = if is_success(self.answer.status) {
            ANSWER_BYTES_MAX
        } else {
            ERROR_BYTES_MAX
        };
        if self.answer.ended {
            self.judge(now, context);
        } else if length <= max && !self.answer.memory.lacking {
            self.await_more(now);
        } else if is_success(self.answer.status) && self.translates() {
            // It cannot be said in another format before it is there as a whole.
            self.answer.spoil();
            self.attempt_failed(now, Failure::of(Outcome::BadOutput), context);
        } else if is_success(self.answer.status) {
            // Too large to be held back, or there is no room for it: what is good so far goes out, and the rest as it comes.
            self.answer.stream.set_raw();
            self.commit(now, context);
        } else {
            // Enough of an error to know it by.
            self.judge(now, context);
        }
    }

    /// Takes memory for an answer of so many bytes; tells whether there is enough.
    fn hold_answer(&mut self, bytes: usize, context: &Context<'_>) -> bool {
        let bytes = bytes as u64;
        let memory = &mut self.answer.memory;
        let more = bytes.saturating_sub(memory.taken);
        if more > 0 {
            memory.lacking = !self.hold.memory(more, context.core);
            if !memory.lacking {
                memory.taken = bytes;
            }
        }
        !memory.lacking
    }

    /// Whether the answer goes out, or is to go out, event by event.
    const fn is_stream(&self) -> bool {
        matches!(self.state, State::AwaitContent | State::Relay) && !self.answer.stream.is_raw()
    }

    /// The next read may take as long as two contents may lie apart.
    pub(super) fn await_more(&mut self, now: Moment) {
        if let Some(attempt) = &self.attempt {
            self.until = attempt.deadline.min(now + attempt.idle);
        }
    }

    /// A body that is not a stream is complete: is it an answer?
    fn judge(&mut self, now: Moment, context: &mut Context<'_>) {
        let body = self
            .outbox
            .all()
            .get(self.answer.body.clone())
            .unwrap_or_default();
        let status = self.answer.status;
        let format = self.upstream.format;
        let embeds = self.request.operation == Operation::Embeddings;
        let outcome = if is_success(status) && embeds && self.translates() {
            // Judged where they are read.
            Outcome::Ok
        } else {
            outcome_of(
                format,
                self.provider_kind(context),
                status,
                &self.answer.error,
                body,
            )
        };
        let outcome = reclassify(self.own_rules(context), outcome, status, body);
        if outcome != Outcome::Ok {
            let hint = self.answer.retry_after;
            let hint = hint.or_else(|| retry_after(std::iter::empty(), status, body, context.unix));
            let error = ClientError::of_answer(outcome, status, body);
            let wrong_path = is_wrong_path(outcome, status, body);
            if let Some(attempt) = self.attempt.filter(|_| wrong_path) {
                context.core.board().path_was_wrong(attempt.target);
            }
            return self.attempt_failed(
                now,
                Failure {
                    outcome,
                    retry_after: hint,
                    model_alone: is_of_model(status, body),
                    error,
                },
                context,
            );
        }
        if !self.translates() {
            self.answer.usage = usage_of_answer(format, body);
        } else if let Err(bad) = self.translate_answer() {
            return self.attempt_failed(now, Failure::bad_answer(bad, format), context);
        }
        self.end_attempt(
            now,
            End {
                outcome,
                retry_after: None,
                model_alone: false,
            },
            context,
        );
        self.reply_with_answer(now, context);
    }

    /// Whether the provider answers in a format that the client does not speak.
    pub(super) fn translates(&self) -> bool {
        self.upstream.format != self.request.operation.format()
    }

    /// We asked for `identity` and got something else. Bytes that cannot be judged are not passed on; what the status
    /// says of a refusal holds all the same, so that a key or a model is not asked on and on.
    fn judge_unread(&mut self, now: Moment, context: &mut Context<'_>) {
        self.answer.spoil();
        let status = self.answer.status;
        let outcome = if is_success(status) {
            Outcome::BadOutput
        } else {
            outcome_of(
                self.upstream.format,
                self.provider_kind(context),
                status,
                &self.answer.error,
                &[],
            )
        };
        let failure = Failure {
            retry_after: self.answer.retry_after,
            ..Failure::of(reclassify(self.own_rules(context), outcome, status, &[]))
        };
        self.attempt_failed(now, failure, context);
    }

    /// The provider's `classify`.
    pub(super) fn own_rules<'p>(&self, context: &Context<'p>) -> &'p [Classify] {
        self.attempt
            .and_then(|attempt| context.plan.policy.provider_of(attempt.target))
            .map_or(&[], |provider| &provider.classify)
    }

    pub(super) fn provider_kind(&self, context: &Context<'_>) -> ProviderKind {
        self.attempt
            .and_then(|attempt| context.plan.policy.provider_of(attempt.target))
            .map_or(ProviderKind::OpenAiCompatible, |provider| provider.kind)
    }

    /// The timer of the running state fired.
    fn answer_late(&mut self, now: Moment, context: &mut Context<'_>) {
        let outcome = match self.state {
            State::Relay => return self.break_off(now, Outcome::Timeout, context),
            State::AwaitContent => Outcome::Ttft,
            State::AwaitHead if self.request.stream => Outcome::Ttft,
            _ => Outcome::Timeout,
        };
        self.attempt_failed(now, Failure::of(outcome), context);
    }

    /// The provider ended its direction.
    fn answer_over(&mut self, now: Moment, context: &mut Context<'_>) {
        if self.answer.framing == Framing::UntilClose && self.state != State::AwaitHead {
            self.answer.ended = true;
            return match self.state {
                State::AwaitAnswer => self.judge(now, context),
                _ => self.take_events(now, context),
            };
        }
        self.answer_cut(now, context);
    }

    /// The answer broke off, or its framing is broken.
    fn answer_cut(&mut self, now: Moment, context: &mut Context<'_>) {
        self.answer.spoil();
        match self.state {
            State::Relay => self.break_off(now, Outcome::StreamAbort, context),
            State::AwaitHead if self.upstream.reused && !self.answer.begun => {
                self.dial_again(now, context);
            }
            State::AwaitHead if !self.answer.begun => {
                self.attempt_failed(now, Failure::of(Outcome::Connect), context);
            }
            _ => self.attempt_failed(now, Failure::of(Outcome::StreamAbort), context),
        }
    }
}

/// An answer up to this size needs no more memory than the buffer that each request has.
const UNCOUNTED_BYTES: usize = 16 * 1024;

const fn is_success(status: u16) -> bool {
    200 <= status && status < 300
}
