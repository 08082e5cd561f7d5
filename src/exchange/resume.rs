//! A stream that broke after its first content and is gone on with by another target: `mid_stream = continue`.
//!
//! ```text
//!   Relay ─ breaks ─→ Forward what is good ─→ next able target: Dial → SendRequest → AwaitHead → AwaitContent ─→ Forward …
//!                                              │ none                        └ fails ─→ the next able one
//!                                              └→ an error event, as with `mid_stream = error`
//! ```
//! The client has one answer: one head, one role, one finish, one `[DONE]`. What it is told in the end of a stream that
//! nobody could go on with is why it broke first. Routes without `continue` keep no text and never come here.

use crate::base::{Moment, Outcome, TargetId};
use crate::dialect::Operation;
use crate::dialect::format::Format;
use crate::dialect::openai::{ClientError, EventKind, SentText, blank_role, continued, event_kind};
use crate::dialect::provider::without_foreign;
use crate::dialect::usage_of_answer;
use crate::engine::{Asked, Chain, End};
use crate::exchange::context::Context;
use crate::exchange::outbound::Failure;
use crate::exchange::{After, Exchange};
use crate::ops::Spent;
use crate::policy::Plan;
use crate::policy::model::{Action, Continuation, MidStream};
use crate::wire::sse::Splitter;

/// What is kept of a stream that may be gone on with.
#[derive(Debug, Default)]
pub(super) struct Resume {
    sent: SentText,
    /// The running attempt goes on with an answer that another one began.
    pub(super) active: bool,
    /// Why the stream broke first.
    error: Option<ClientError<'static>>,
    /// The client's status, and the bytes of earlier attempts.
    pub(super) status: u16,
    pub(super) bytes: u64,
    /// What earlier attempts took, where their providers said so before they broke.
    pub(super) spent: Option<Spent>,
    /// Data of an event that has several lines.
    data: Vec<u8>,
}

impl Exchange {
    /// Whether the client has the beginning of an answer that the running attempt goes on with.
    pub(super) fn is_resuming(&self) -> bool {
        self.resume.as_ref().is_some_and(|resume| resume.active)
    }

    /// A stream has begun to reach the client: if its route may go on with it, its text is kept from here on.
    pub(super) fn keep_resume(&mut self, context: &Context<'_>) {
        let continues = self.request.operation == Operation::Generate(Format::Chat)
            && self.upstream.format == Format::Chat
            && self.request.stream
            && self.chain.as_ref().is_some_and(|chain| {
                let route = chain.decision().route;
                matches!(
                    context.plan.policy.routes.get(route.index()).map(|route| &route.action),
                    Some(Action::Serve(serve)) if serve.mid_stream == MidStream::Continue
                )
            });
        if continues && self.resume.is_none() {
            self.resume = Some(Box::new(Resume {
                status: self.answer.status,
                ..Resume::default()
            }));
        }
    }

    /// Notes the text of the whole events between these places of the outbox, which are about to be sent.
    pub(super) fn note_sent(&mut self, from: usize, to: usize) {
        let Some(resume) = &mut self.resume else {
            return;
        };
        let mut rest = self.outbox.all().get(from..to).unwrap_or_default();
        let mut usage = None;
        let mut splitter = Splitter::default();
        while let Ok(Some(event)) = splitter.next(rest) {
            if let Some(data) = event.data(rest, &mut resume.data)
                && event_kind(data) != EventKind::Lifecycle
            {
                resume.sent.add(data);
                // Some say it with each piece, and the piece may be the last one.
                usage = usage_of_answer(Format::Chat, data).or(usage);
            }
            rest = rest.get(event.len..).unwrap_or_default();
        }
        self.answer.usage = usage.or(self.answer.usage);
    }

    /// The stream broke. If it may be gone on with, this takes it over; else the failure comes back.
    pub(super) fn try_resume(
        &mut self,
        now: Moment,
        failure: Failure,
        context: &mut Context<'_>,
    ) -> Option<Failure> {
        let ready = self.answer.stream.ready().max(self.answer.body.start);
        self.note_sent(self.answer.body.start, ready);
        if !self.can_ask_again() || !self.ends_with_event(ready) {
            return Some(failure);
        }
        let Failure {
            outcome,
            retry_after,
            model_alone,
            error,
        } = failure;
        self.outbox.truncate(ready);
        self.answer.body.end = ready;
        self.answer.ended = false;
        self.answer.spoil();
        self.put_spent_aside(context);
        let end = End {
            outcome,
            retry_after,
            model_alone,
        };
        self.end_attempt(now, end, context);
        if let Some(resume) = &mut self.resume {
            resume.error.get_or_insert(error);
        }
        if ready > self.answer.body.start {
            let mut head = std::mem::take(&mut context.scratch.head);
            head.clear();
            self.forward(now, self.answer.body.start, head, context);
            self.after = After::Resume;
        } else {
            self.resume_at_next(now, context);
        }
        None
    }

    /// What the attempt took that broke, as far as its provider said so: its successor begins from nothing.
    fn put_spent_aside(&mut self, context: &mut Context<'_>) {
        let target = self.chain.as_ref().and_then(Chain::target);
        let facts = target.and_then(|id| context.plan.policy.targets.get(id.index()));
        let Some(((usage, target), facts)) = self.answer.usage.take().zip(target).zip(facts) else {
            return;
        };
        let spent = Spent::at(target, facts, usage);
        context.journal.spent(&spent);
        if let Some(resume) = &mut self.resume {
            resume.spent = Some(resume.spent.map_or(spent, |before| before.and(spent)));
        }
    }

    /// Asks the next target that can to go on; if there is none, the client is told why the stream broke.
    pub(super) fn resume_at_next(&mut self, now: Moment, context: &mut Context<'_>) {
        let bytes = std::mem::take(&mut self.answer.bytes);
        let next = self.noted_attempt(now, Asked::GoOn, context, |exchange, context| {
            let (chain, resume) = exchange
                .chain
                .as_mut()
                .zip(exchange.resume.as_deref_mut())?;
            resume.active = true;
            resume.bytes += bytes;
            let plan = context.plan;
            chain.go_on(now, plan, context.core, |target| can_go_on(plan, target))
        });
        match next {
            Some(attempt) => self.begin_attempt(now, attempt, context),
            None => self.end_broken(now, context),
        }
    }

    /// Whether what would go out now ends where an event does: another one can follow it.
    fn ends_with_event(&self, ready: usize) -> bool {
        let unsent = self.outbox.all().get(self.answer.body.start..ready);
        let unsent = unsent.unwrap_or_default();
        let ends = [&b"\n\n"[..], b"\r\n\r\n", b"\r\r"];
        unsent.is_empty() || ends.iter().any(|end| unsent.ends_with(end))
    }

    /// Whether there is text to go on from, and the request is one for plain text.
    fn can_ask_again(&self) -> bool {
        let text = self.resume.as_ref().and_then(|resume| resume.sent.get());
        let mut out = Vec::new();
        text.and_then(|text| {
            continued(&self.whole_body(&[]), text, Continuation::Message, &mut out)
        })
        .is_some()
    }

    /// The client's body, with `token` for the model; the client's own where that is empty.
    pub(super) fn whole_body(&self, token: &[u8]) -> Vec<u8> {
        let notes = &self.request.notes;
        let tail = self.inbox.all().get(self.request.tail.clone());
        let token = if token.is_empty() {
            notes.token()
        } else {
            token
        };
        [notes.prefix(), token, tail.unwrap_or_default()].concat()
    }

    /// Nobody goes on: the client gets the error that it would have got at once.
    fn end_broken(&mut self, now: Moment, context: &mut Context<'_>) {
        let error = self
            .resume
            .as_deref_mut()
            .and_then(|resume| resume.error.take());
        let error = error.unwrap_or(ClientError::of_outcome(Outcome::StreamAbort));
        self.end_broken_by(now, &error, context);
    }

    /// Nothing of the running attempt reaches the client any more but this error.
    pub(super) fn end_broken_by(
        &mut self,
        now: Moment,
        error: &ClientError<'_>,
        context: &mut Context<'_>,
    ) {
        if let Some(resume) = &self.resume {
            self.answer.status = resume.status;
        }
        self.outbox.clear();
        let start = self.outbox.end();
        self.answer.body = start..start;
        self.answer.stream.set_ready(start);
        self.tell_broken(now, error, context);
    }

    /// The body of the request that goes on, with `token` for the model.
    pub(super) fn resumed_body(&self, token: &[u8], target: TargetId, plan: &Plan) -> Vec<u8> {
        let mut out = Vec::new();
        let text = self.resume.as_ref().and_then(|resume| resume.sent.get());
        let provider = plan.policy.provider_of(target);
        let how = provider.and_then(|provider| Some((provider.kind, provider.continuation()?)));
        if let (Some(text), Some((kind, how))) = (text, how) {
            let body = self.whole_body(token);
            let body = without_foreign(Format::Chat, kind, &body).unwrap_or(body);
            let done = continued(&body, text, how, &mut out);
            debug_assert!(done.is_some(), "the request was looked at before");
        }
        out
    }

    /// The first content of the attempt that goes on is there: from that event on the stream is the client's, without
    /// a second role. Tells where it begins.
    pub(super) fn resumed_start(&mut self) -> usize {
        let end = self.answer.stream.ready();
        let mut at = self.answer.body.start;
        let mut start = None;
        let mut splitter = Splitter::default();
        let mut several = Vec::new();
        loop {
            let rest = self.outbox.all().get(at..end).unwrap_or_default();
            let event = splitter.next(rest).ok().flatten();
            // The last event of a stream may lack its blank line.
            let event = event.or_else(|| std::mem::take(&mut splitter).finish(rest));
            let Some(event) = event else {
                return start.unwrap_or(end);
            };
            let kind = event.data(rest, &mut several).map(event_kind);
            let counts = matches!(kind, Some(EventKind::Content | EventKind::Finish));
            let next = at + event.len;
            if counts {
                start = start.or(Some(at));
                let bytes = self.outbox.all_mut().get_mut(at..next).unwrap_or_default();
                let data = bytes.iter().position(|&byte| byte == b'{');
                blank_role(
                    data.and_then(|data| bytes.get_mut(data..))
                        .unwrap_or_default(),
                );
            }
            at = next;
        }
    }
}

fn can_go_on(plan: &Plan, target: TargetId) -> bool {
    plan.policy
        .provider_of(target)
        .is_some_and(|provider| provider.continuation().is_some())
}
