//! The object around an answer's items: whole in an answer, and at the beginning and the end of a stream.

use crate::dialect::codec::Reply;
use crate::dialect::responses::request::NOTHING;
use crate::dialect::turn::{Finish, Usage};
use crate::wire::json::Writer;

/// An answer without its items.
pub(super) struct Response<'a> {
    /// What it is written with.
    pub(super) reply: &'a Reply,
    /// The model that answers; `""` where the provider does not say.
    pub(super) model: &'a str,
    /// How far it is.
    pub(super) status: Status<'a>,
    /// What it took.
    pub(super) usage: Option<Usage>,
}

/// How far an answer is.
#[derive(Clone, Copy)]
pub(super) enum Status<'a> {
    /// Items follow.
    InProgress,
    /// Everything was said.
    Completed,
    /// It was cut off, and why.
    Incomplete(&'static str),
    /// It failed.
    Failed {
        /// For machines.
        code: &'a str,
        /// For people.
        message: &'a str,
    },
}

impl Status<'_> {
    /// Of an answer that ended.
    pub(super) const fn of(finish: Finish) -> Self {
        match finish {
            Finish::Stop | Finish::StopSequence | Finish::ToolCalls => Self::Completed,
            Finish::Length => Self::Incomplete("max_output_tokens"),
            Finish::ContentFilter => Self::Incomplete("content_filter"),
            Finish::Failed => Self::Failed {
                code: "server_error",
                message: "the model failed: what it said is not an answer",
            },
        }
    }

    /// The word for an answer.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete(_) => "incomplete",
            Self::Failed { .. } => "failed",
        }
    }

    /// The word for the item at which an answer ended.
    pub(super) const fn of_last_item(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            _ => "incomplete",
        }
    }
}

impl Response<'_> {
    /// Writes it, with the items that `output` writes.
    pub(super) fn write(&self, out: &mut Writer<'_>, output: impl FnOnce(&mut Writer<'_>)) {
        let Self { reply, status, .. } = *self;
        out.object(|it| {
            it.key("id").string(&format!("resp_{}", reply.id));
            it.key("object").string("response");
            it.key("created_at").number(reply.created);
            it.key("status").string(status.word());
            it.key("background").bool(false);
            match status {
                Status::Failed { code, message } => it.key("error").object(|it| {
                    it.key("code").string(code);
                    it.key("message").string(message);
                }),
                _ => it.key("error").null(),
            }
            match status {
                Status::Incomplete(reason) => it
                    .key("incomplete_details")
                    .object(|it| it.key("reason").string(reason)),
                _ => it.key("incomplete_details").null(),
            }
            it.key("model").string(if self.model.is_empty() {
                &reply.model
            } else {
                self.model
            });
            it.key("output").array(output);
            it.key("previous_response_id").null();
            it.key("store").bool(false);
            it.key("truncation").string("disabled");
            it.raw(if reply.echo.members.is_empty() {
                NOTHING
            } else {
                &reply.echo.members
            });
            match self.usage {
                Some(usage) => it.key("usage").object(|it| write_usage(usage, it)),
                None => it.key("usage").null(),
            }
        });
    }
}

fn write_usage(usage: Usage, it: &mut Writer<'_>) {
    it.key("input_tokens").number(usage.input);
    it.key("input_tokens_details").object(|it| {
        it.key("cached_tokens").number(usage.cache_read);
        it.key("cache_write_tokens").number(usage.cache_write);
    });
    it.key("output_tokens").number(usage.output);
    it.key("output_tokens_details")
        .object(|it| it.key("reasoning_tokens").number(usage.reasoning));
    it.key("total_tokens").number(usage.total());
}
