//! Items of an answer: as they are read, and as they are written — the same in one piece and in a stream.

use std::borrow::Cow;

use crate::dialect::codec::Reply;
use crate::dialect::ids::{IdForm, fitted, made_up};
use crate::dialect::responses::provenance;
use crate::dialect::turn::{Arguments, Reasoning};
use crate::wire::json::{Node, Writer};

/// The thoughts of an item of type `reasoning`; `None` if there are none. The summary is what is meant for people; servers
/// of open models give the thoughts themselves, as `content`.
pub(super) fn reasoning(item: Node<'_>) -> Option<Reasoning<'_>> {
    let mut text = joined(item, "summary");
    if text.is_empty() {
        text = joined(item, "content");
    }
    let signature = item.text("encrypted_content").filter(|it| !it.is_empty());
    (!text.is_empty() || signature.is_some()).then(|| Reasoning {
        redacted: text.is_empty(),
        text,
        signature: signature.map(Cow::Borrowed),
    })
}

fn joined<'a>(item: Node<'a>, key: &str) -> Cow<'a, str> {
    let mut whole = Cow::Borrowed("");
    for text in item.list(key).filter_map(|part| part.text("text")) {
        if whole.is_empty() {
            whole = Cow::Borrowed(text);
        } else if !text.is_empty() {
            let whole = whole.to_mut();
            whole.push_str(BETWEEN_SUMMARIES);
            whole.push_str(text);
        }
    }
    whole
}

/// Between the parts of a summary, each a paragraph with a title.
pub(super) const BETWEEN_SUMMARIES: &str = "\n\n";

/// An item of an answer, for a client.
pub(super) enum Item<'a> {
    /// Words: parts as [`said`] writes them.
    Message(&'a [u8]),
    /// Thoughts; `""`: none yet.
    Reasoning(&'a str),
    /// A call of a function; `None`: nothing of its arguments yet.
    Call(Called<'a>, Option<&'a Arguments<'a>>),
    /// A call of a custom tool, and its text.
    Custom(Called<'a>, &'a str),
}

/// What is called.
#[derive(Clone, Copy)]
pub(super) struct Called<'a> {
    /// Its name among the calls.
    pub(super) id: &'a str,
    /// The tool's.
    pub(super) name: &'a str,
}

impl Called<'_> {
    fn write(&self, kind: &str, status: &str, it: &mut Writer<'_>) {
        it.key("type").string(kind);
        it.key("status").string(status);
        it.key("call_id").string(self.id);
        it.key("name").string(self.name);
    }
}

impl Item<'_> {
    /// Writes it. `status` is one of `in_progress`, `completed`, `incomplete`.
    pub(super) fn write(&self, id: &str, status: &str, out: &mut Writer<'_>) {
        out.object(|it| {
            it.key("id").string(id);
            match self {
                Self::Message(content) => {
                    it.key("type").string("message");
                    it.key("status").string(status);
                    it.key("role").string("assistant");
                    it.key("content").array(|it| it.raw(content));
                }
                Self::Reasoning("") => {
                    it.key("type").string("reasoning");
                    it.key("summary").array(|_| ());
                }
                Self::Reasoning(text) => {
                    it.key("type").string("reasoning");
                    it.key("summary").array(|it| summary(text, it));
                }
                Self::Call(called, arguments) => {
                    called.write("function_call", status, it);
                    let it = it.key("arguments");
                    match arguments {
                        Some(arguments) => arguments.write_text(it),
                        None => it.string(""),
                    }
                }
                Self::Custom(called, input) => {
                    called.write("custom_tool_call", status, it);
                    it.key("input").string(input);
                }
            }
        });
    }

    /// How names of its kind begin.
    pub(super) const fn prefix(&self) -> &'static str {
        match self {
            Self::Message(_) => "msg",
            Self::Reasoning(_) => provenance::THOUGHTS,
            Self::Call(..) => "fc",
            Self::Custom(..) => "ctc",
        }
    }
}

/// A part of a message.
pub(super) fn said(refusal: bool, text: &str, it: &mut Writer<'_>) {
    it.object(|it| {
        if refusal {
            it.key("type").string("refusal");
            it.key("refusal").string(text);
        } else {
            it.key("type").string("output_text");
            it.key("annotations").array(|_| ());
            it.key("logprobs").array(|_| ());
            it.key("text").string(text);
        }
    });
}

/// A part of a summary.
pub(super) fn summary(text: &str, it: &mut Writer<'_>) {
    it.object(|it| {
        it.key("type").string("summary_text");
        it.key("text").string(text);
    });
}

/// The name of the item numbered `at` of an answer.
pub(super) fn name(prefix: &str, reply: &Reply, at: u32) -> String {
    format!("{prefix}_{}_{at}", reply.id)
}

/// The name of the call numbered `at`, given the provider's.
pub(super) fn call_name<'a>(id: &'a str, reply: &Reply, at: u32) -> Cow<'a, str> {
    if id.is_empty() {
        Cow::Owned(made_up(&reply.id, at, IdForm::Responses))
    } else {
        fitted(id, IdForm::Responses)
    }
}
