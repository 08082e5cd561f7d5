//! What the client gets in one piece: a whole answer, or an error in its own format.

use std::borrow::Cow;

use crate::base::{Moment, Outcome, Span};
use crate::dialect::client::{error_body, error_status};
use crate::dialect::format::Format;
use crate::dialect::is_model;
use crate::dialect::messages::count_tokens;
use crate::dialect::models::{model_body, models_body};
use crate::dialect::openai::{ClientError, Refusal};
use crate::engine::{Chain, Finish, Reason};
use crate::exchange::context::Context;
use crate::exchange::intake::LocalRoute;
use crate::exchange::{After, Exchange, SEND_TIMEOUT, State};
use crate::ops::{Ending, Record, Spent, Wanted};
use crate::policy::Plan;
use crate::wire::h1::request;
use crate::wire::h1::write;
use crate::wire::json::BadJson;

/// What an error is answered with, beside its body.
#[derive(Clone, Copy, Debug, Default)]
struct Extras {
    retry_after: Option<Span>,
    /// The gateway has tried all it could: a client that tries again at once would multiply the attempts.
    do_not_retry: bool,
    allow: Option<&'static str>,
    reason: Option<&'static str>,
}

impl Exchange {
    /// A whole answer from a target: its body stays where it is, its head is written before it.
    pub(super) fn reply_with_answer(&mut self, now: Moment, context: &mut Context<'_>) {
        self.mind_draining(context);
        let mut head = std::mem::take(&mut context.scratch.head);
        head.clear();
        write::status_line(self.answer.status, &mut head);
        head.extend_from_slice(&self.answer.fields);
        self.write_own_fields(&mut head, context.plan);
        write::field_decimal(b"content-length", self.answer.body.len() as u64, &mut head);
        write::end(&mut head);
        let put = self.outbox.put_before(self.answer.body.start, &head);
        context.scratch.head = head;
        self.sending = put.start..self.answer.body.end + put.moved;
        self.reply(now, self.answer.status, Ending::Answered, false);
    }

    /// The head of a stream.
    pub(super) fn write_stream_head(&mut self, head: &mut Vec<u8>, context: &Context<'_>) {
        self.mind_draining(context);
        head.clear();
        write::status_line(self.answer.status, head);
        head.extend_from_slice(&self.answer.fields);
        head.extend_from_slice(b"cache-control: no-cache\r\n");
        self.write_own_fields(head, context.plan);
        if !self.request.client.old {
            head.extend_from_slice(b"transfer-encoding: chunked\r\n");
        }
        write::end(head);
    }

    /// The process is about to end: this connection serves no further request.
    const fn mind_draining(&mut self, context: &Context<'_>) {
        if context.draining {
            self.request.client.keep_alive = false;
        }
    }

    /// Who answered, by which route, after how many attempts; and whether the connection stays.
    fn write_own_fields(&self, head: &mut Vec<u8>, plan: &Plan) {
        write::field(b"x-request-id", &self.request.id.to_hex(), head);
        if self.request.operation.format() == Format::Messages {
            // Where Anthropic's SDKs look for it.
            write::field(b"request-id", &self.request.id.to_hex(), head);
        }
        if let Some(route) = self
            .request
            .route
            .and_then(|id| plan.policy.routes.get(id.index()))
        {
            write::field(b"x-switchover-route", route.name.as_bytes(), head);
        }
        if let Some(chain) = &self.chain {
            let count = chain.attempts().len();
            let target = chain.target();
            let target = target.and_then(|target| plan.policy.targets.get(target.index()));
            if let Some(target) = target {
                write::field(b"x-switchover-target", target.name.as_bytes(), head);
            }
            write::field_decimal(b"x-switchover-attempts", count as u64, head);
        }
        if let Some(dropped) = self.upstream.dropped() {
            write::field(b"x-switchover-dropped", dropped.as_bytes(), head);
        }
        let client = self.request.client;
        if !client.keep_alive {
            head.extend_from_slice(b"connection: close\r\n");
        } else if client.old {
            head.extend_from_slice(b"connection: keep-alive\r\n");
        }
    }

    /// The chain is over without an answer.
    pub(super) fn finish(&mut self, now: Moment, finish: Finish, context: &mut Context<'_>) {
        // To come back later with the same would not help.
        let finish = if self.sends_half() {
            Finish::Stop
        } else {
            finish
        };
        match finish {
            Finish::Stop => {
                let last = self.last_error.take();
                let (error, hint) = last.unwrap_or((ClientError::of_outcome(Outcome::S5xx), None));
                let ending = ending_of(error.status);
                let extras = Extras {
                    retry_after: hint.filter(|_| matches!(error.status, 429 | 503)),
                    do_not_retry: true,
                    ..Extras::default()
                };
                self.reply_with_error(now, &error, extras, ending, context);
            }
            Finish::Reject {
                status,
                retry_after,
                reason,
                message,
                ..
            } => {
                let text = message
                    .text(context.plan)
                    .map_or_else(|| why(reason), Cow::Borrowed);
                let error = ClientError::rejected(status, text);
                let extras = Extras {
                    retry_after,
                    do_not_retry: self
                        .chain
                        .as_ref()
                        .is_some_and(|chain| chain.attempts().len() > 0),
                    allow: None,
                    reason: Some(reason.as_str()),
                };
                // What the policy says is a refusal; that all targets failed is a failure.
                let ending = match reason {
                    Reason::Route | Reason::Forbidden | Reason::Lacks => Ending::Refused,
                    _ => Ending::Failed,
                };
                self.reply_with_error(now, &error, extras, ending, context);
            }
        }
    }

    /// The request cannot be served, whatever the policy says.
    pub(super) fn refuse(&mut self, now: Moment, refusal: Refusal, context: &mut Context<'_>) {
        self.reply_with_error(
            now,
            &refusal.error(),
            Extras::default(),
            Ending::Refused,
            context,
        );
    }

    /// The request could be served, but not now.
    pub(super) fn refuse_for_now(
        &mut self,
        now: Moment,
        refusal: Refusal,
        context: &mut Context<'_>,
    ) {
        let error = refusal.error();
        let extras = Extras {
            retry_after: Some(self.back_off()),
            reason: match refusal {
                Refusal::Draining => Some("draining"),
                _ => Some("overloaded"),
            },
            ..Extras::default()
        };
        self.reply_with_error(now, &error, extras, Ending::Shed, context);
    }

    /// Its head is not HTTP.
    pub(super) fn refuse_head(
        &mut self,
        now: Moment,
        refusal: request::Refusal,
        context: &mut Context<'_>,
    ) {
        let error = ClientError {
            status: refusal.status,
            message: refusal.reason.into(),
            ..Refusal::BadRequest.error()
        };
        self.request.client.keep_alive = false;
        self.reply_with_error(now, &error, Extras::default(), Ending::Refused, context);
    }

    /// Its body is not JSON.
    pub(super) fn refuse_body(&mut self, now: Moment, bad: BadJson, context: &mut Context<'_>) {
        let error = ClientError {
            message: bad.to_string().into(),
            ..Refusal::BadJson.error()
        };
        self.reply_with_error(now, &error, Extras::default(), Ending::Refused, context);
    }

    /// Paths that the gateway serves itself, or not at all.
    pub(super) fn answer_locally(
        &mut self,
        now: Moment,
        route: LocalRoute,
        context: &mut Context<'_>,
    ) {
        let names = context.plan.policy.model_names();
        let mut body = Vec::new();
        match route {
            LocalRoute::Models(format) => models_body(format, &names.iter().copied(), &mut body),
            LocalRoute::Model(format, id) => match names.iter().find(|name| is_model(&id, name)) {
                Some(name) => model_body(format, name, &mut body),
                None => return self.refuse(now, Refusal::UnknownModel, context),
            },
            LocalRoute::Refused(refusal, allow) => {
                let extras = Extras {
                    allow,
                    ..Extras::default()
                };
                let error = refusal.error();
                return self.reply_with_error(now, &error, extras, Ending::Refused, context);
            }
        }
        let mut head = Vec::new();
        write::status_line(200, &mut head);
        self.finish_reply(now, head, &body, context);
        self.reply(now, 200, Ending::Answered, !self.request.is_complete());
    }

    /// How many tokens a request has, by the gateway's own estimate.
    pub(super) fn answer_count(&mut self, now: Moment, tokens: u64, context: &mut Context<'_>) {
        let mut body = Vec::new();
        count_tokens(tokens, &mut body);
        let mut head = Vec::new();
        write::status_line(200, &mut head);
        self.finish_reply(now, head, &body, context);
        self.reply(now, 200, Ending::Answered, false);
    }

    fn reply_with_error(
        &mut self,
        now: Moment,
        error: &ClientError<'_>,
        extras: Extras,
        ending: Ending,
        context: &mut Context<'_>,
    ) {
        let unread = !self.request.is_complete();
        if unread {
            self.request.client.keep_alive = false;
        }
        let mut body = Vec::new();
        let format = self.request.operation.format();
        error_body(format, error, &self.request.id.to_string(), &mut body);
        let mut head = Vec::new();
        let status = error_status(format, error);
        write::status_line(status, &mut head);
        if let Some(after) = extras.retry_after {
            write::field_decimal(b"retry-after", after.as_secs_ceil().max(1), &mut head);
        }
        if extras.do_not_retry {
            head.extend_from_slice(b"x-should-retry: false\r\n");
        }
        if let Some(allow) = extras.allow {
            write::field(b"allow", allow.as_bytes(), &mut head);
        }
        self.reason = extras.reason;
        if let Some(reason) = extras.reason {
            write::field(b"x-switchover-reason", reason.as_bytes(), &mut head);
        }
        self.finish_reply(now, head, &body, context);
        self.reply(now, status, ending, unread);
    }

    /// Completes a head, and puts it into the outbox with its body.
    fn finish_reply(
        &mut self,
        _now: Moment,
        mut head: Vec<u8>,
        body: &[u8],
        context: &mut Context<'_>,
    ) {
        self.mind_draining(context);
        head.extend_from_slice(b"content-type: application/json\r\n");
        self.write_own_fields(&mut head, context.plan);
        write::field_decimal(b"content-length", body.len() as u64, &mut head);
        write::end(&mut head);
        self.outbox.stock(context.scratch);
        let start = self.outbox.end();
        self.outbox.push(&head);
        if !self.request.client.head_only {
            self.outbox.push(body);
        }
        self.answer.bytes = body.len() as u64;
        self.sending = start..self.outbox.end();
    }

    fn reply(&mut self, now: Moment, status: u16, ending: Ending, unread: bool) {
        self.ending = (status, ending);
        self.state = State::Reply;
        self.until = now + SEND_TIMEOUT;
        self.after = if unread {
            After::Linger
        } else if self.request.client.keep_alive {
            After::NextRequest
        } else {
            After::Close
        };
    }

    /// Writes the request's record, once.
    pub(super) fn keep_record(
        &mut self,
        now: Moment,
        status: u16,
        ending: Ending,
        context: &mut Context<'_>,
    ) {
        let Some(started) = self.request.started.take() else {
            return;
        };
        let mut queued = Span::ZERO;
        if let Some(chain) = &mut self.chain {
            chain.leave_queue(now, context.core);
            queued = chain.queued(now);
            chain.concluded(context.plan, context.core);
        }
        let chain = self.chain.as_ref();
        let mut record = Record {
            id: self.request.id,
            policy: context.plan.policy.hash,
            started,
            ended: now,
            route: self.request.route,
            withdrawn: self.request.withdrawn,
            status,
            ending,
            reason: self.reason.take(),
            stream: self.request.stream,
            queued,
            bytes_in: self.request.body_bytes(),
            bytes_out: self.answer.bytes + self.resume.as_ref().map_or(0, |resume| resume.bytes),
            passed: chain.map(Chain::passed).unwrap_or_default(),
            attempts: chain.map(Chain::history).unwrap_or_default(),
            spent: self.spent(context.plan),
            drill: false,
            spent_before: self.resume.as_ref().and_then(|resume| resume.spent),
        };
        let candidates = self
            .request
            .route
            .map(|route| context.plan.program.candidates(route));
        context
            .journal
            .keep(&mut record, candidates.unwrap_or_default());
        if self.request.wanted != Wanted::Never {
            self.record_decision(&record, context);
        }
    }

    /// What the answer took, and at whose prices: those of the attempt that gave it.
    fn spent(&self, plan: &Plan) -> Option<Spent> {
        let usage = self.answer.usage?;
        let mut attempts = self.chain.as_ref()?.attempts();
        let answered = attempts.rfind(|attempt| attempt.outcome == Some(Outcome::Ok));
        let target = match answered {
            Some(attempt) => attempt.target,
            None => self.chain.as_ref()?.target()?,
        };
        let facts = plan.policy.targets.get(target.index())?;
        Some(Spent::at(target, facts, usage))
    }
}

/// A sentence for the client where the policy has none.
fn why(reason: Reason) -> Cow<'static, str> {
    let refusal = match reason {
        Reason::Route | Reason::Forbidden | Reason::Lacks => Refusal::NoRoute,
        Reason::Deadline => Refusal::Deadline,
        Reason::Outcome(_) => Refusal::AllUnavailable,
    };
    refusal.error().message
}

/// An error about the request itself is a refusal; one about the targets is a failure.
const fn ending_of(status: u16) -> Ending {
    if status < 500 {
        Ending::Refused
    } else {
        Ending::Failed
    }
}
