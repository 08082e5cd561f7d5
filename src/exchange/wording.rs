//! Requests that are not the client's bytes: said in another format, or going on with a stream that broke, or freed of what an
//! answer of another provider left in them. Where client and provider speak one format this is rarely needed.

use crate::base::{Moment, Outcome};
use crate::dialect::Operation;
use crate::dialect::codec::{BadAnswer, Reply};
use crate::dialect::format::Format;
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::openai::asking_for_usage;
use crate::dialect::provider::{Asked, may_hold_foreign, without_foreign};
use crate::dialect::translation::{self, AskedEmbeddings, Untold};
use crate::engine::Attempt;
use crate::exchange::Exchange;
use crate::exchange::context::Context;
use crate::exchange::outbound::{Failure, Upstream};
use crate::policy::Plan;
use crate::policy::model::{Action, ProviderKind};
use crate::wire::h1::write;

/// A request that is not the client's bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Own {
    /// Its head, once there is one, and its body.
    pub(super) bytes: Vec<u8>,
    /// What could not be said in the provider's format: a list of fields.
    dropped: String,
    /// What its answer is written with.
    reply: Reply,
    /// The same for embeddings.
    embeddings: AskedEmbeddings,
    /// The client did not ask what the stream takes, and the provider is asked to say it.
    pub(super) hides_usage: bool,
}

impl Upstream {
    /// What an answer is written with that is said in another format; `None` where bytes pass.
    pub(super) fn reply(&self) -> Option<&Reply> {
        self.own.as_ref().map(|own| &own.reply)
    }

    /// What of the request could not be said in the provider's format: a list of fields, if there are any.
    pub(super) fn dropped(&self) -> Option<&str> {
        let own = self.own.as_deref()?;
        (!own.dropped.is_empty()).then_some(&*own.dropped)
    }
}

impl Exchange {
    /// The running attempt's request may have to be another than the client's bytes.
    #[cold]
    pub(super) fn word_request(
        &mut self,
        now: Moment,
        attempt: &Attempt,
        context: &mut Context<'_>,
    ) {
        if self.request.operation == Operation::CountTokens
            && self.upstream.format != Format::Messages
        {
            // A hedge has nothing to be quicker in.
            if self.is_hedged() {
                return self.attempt_failed(now, Failure::of(Outcome::Unsupported), context);
            }
            return self.count_tokens(now, context);
        }
        let own = match self.worded(attempt, context) {
            Ok(own) => own,
            Err(unsupported) => {
                let client = match self.request.operation {
                    Operation::Generate(client) => client.word(),
                    Operation::Embeddings | Operation::CountTokens => "embeddings",
                };
                let between = unsupported.between(client, self.upstream.format.word());
                let failure = Failure::unsupported(&unsupported, between);
                return self.attempt_failed(now, failure, context);
            }
        };
        if let Some(own) = own {
            // Else it goes out uncounted: refusing it now would punish the client for the gateway's own copy.
            let _ = self.hold.memory(own.bytes.len() as u64, context.core);
            self.upstream.own = Some(Box::new(own));
        }
    }

    fn worded(&self, attempt: &Attempt, context: &Context<'_>) -> Result<Option<Own>, Unsupported> {
        let Some(asked) = self.asked(attempt, context.plan) else {
            return Ok(None);
        };
        if self.translates() {
            return self.translated(&asked, context).map(Some);
        }
        let mut name = Vec::new();
        let token = self.model_token(&asked, &mut name);
        let bytes = if self.is_resuming() {
            Some(self.resumed_body(token, attempt.target, context.plan))
        } else if self.may_hold_foreign(asked.provider.kind) {
            without_foreign(asked.format, asked.provider.kind, &self.whole_body(token))
        } else {
            None
        };
        let counted = self.counts(&asked).then(|| {
            bytes.as_deref().map_or_else(
                || asking_for_usage(&self.whole_body(token)),
                asking_for_usage,
            )
        });
        let counted = counted.flatten();
        let hides_usage = counted.is_some();
        Ok(counted.or(bytes).map(|bytes| Own {
            bytes,
            hides_usage,
            ..Own::default()
        }))
    }

    /// Whether something may have to be changed in a request that passes.
    pub(super) fn may_hold_foreign(&self, kind: ProviderKind) -> bool {
        let tail = self.inbox.all().get(self.request.tail.clone());
        [self.request.notes.prefix(), tail.unwrap_or_default()]
            .into_iter()
            .any(|part| may_hold_foreign(self.upstream.format, kind, part))
    }

    /// The client's request, said in the provider's format.
    fn translated(&self, asked: &Asked<'_>, context: &Context<'_>) -> Result<Own, Unsupported> {
        let to = asked.destination();
        let mut own = Own::default();
        let mut body = self.whole_body(&[]);
        own.reply = Reply {
            id: self.request.id.to_string(),
            created: context.unix,
            model: self.request.notes.model().to_owned(),
            ..Reply::default()
        };
        let dropped = match self.request.operation {
            Operation::Generate(client) => {
                let stream = self.request.stream;
                let said = translation::request(
                    &mut body,
                    client,
                    &to,
                    asked.format,
                    stream,
                    &mut own.bytes,
                );
                said.map(|said| {
                    own.reply.stream_usage = said.stream_usage;
                    own.reply.echo = said.echo;
                    said.dropped
                })
            }
            Operation::Embeddings | Operation::CountTokens => {
                translation::embeddings_request(&mut body, &to, asked.format, &mut own.bytes).map(
                    |(dropped, kept)| {
                        own.embeddings = kept;
                        dropped
                    },
                )
            }
        };
        let dropped = dropped.map_err(|untold| match untold {
            Untold::Unsupported(unsupported) => unsupported,
            Untold::Json(bad) => Unsupported::new("body", format!("is not valid JSON: {bad}")),
        })?;
        self.allow(&dropped, context.plan)?;
        own.dropped = dropped.listed();
        Ok(own)
    }

    /// Whether the route lets a request go out without what was dropped.
    fn allow(&self, dropped: &Losses, plan: &Plan) -> Result<(), Unsupported> {
        let route = self.request.route;
        let route = route.and_then(|id| plan.policy.routes.get(id.index()));
        let strict =
            matches!(route.map(|route| &route.action), Some(Action::Serve(serve)) if serve.strict);
        match dropped.iter().next() {
            Some(field) if strict => Err(Unsupported::new(
                field.to_owned(),
                "cannot be said in the provider's format, and the route is `strict`",
            )),
            _ => Ok(()),
        }
    }

    /// Says the answer in the client's format, if it is one.
    #[cold]
    pub(super) fn translate_answer(&mut self) -> Result<(), BadAnswer> {
        let Some(own) = &self.upstream.own else {
            return Err(BadAnswer {
                reason: "its request was not said in its format",
            });
        };
        let place = self.answer.body.clone();
        let body = self.outbox.all_mut().get_mut(place).unwrap_or_default();
        let mut said = Vec::new();
        let format = self.upstream.format;
        let done = match self.request.operation {
            Operation::Generate(client) => {
                translation::answer(body, format, client, &own.reply, &mut said)
            }
            Operation::Embeddings | Operation::CountTokens => {
                let model = &own.reply.model;
                translation::embeddings_answer(body, format, own.embeddings, model, &mut said)
            }
        };
        self.answer.usage = done?;
        self.outbox.truncate(self.answer.body.start);
        self.outbox.push(&said);
        self.answer.body.end = self.outbox.end();
        write::field(
            b"content-type",
            b"application/json",
            &mut self.answer.fields,
        );
        Ok(())
    }

    /// Nobody but Anthropic counts: the client gets the gateway's estimate, and no provider is asked.
    fn count_tokens(&mut self, now: Moment, context: &mut Context<'_>) {
        let body = self.whole_body(&[]);
        let facts = context.scratch.inspector.inspect(&body, &[]);
        self.abandon(now, context);
        match facts {
            Ok(facts) => self.answer_count(now, facts.tokens_in, context),
            Err(error) => self.refuse_body(now, error, context),
        }
    }
}
