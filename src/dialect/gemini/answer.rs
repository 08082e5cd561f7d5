//! An answer in one piece: `generateContent`'s, or the list of chunks that `streamGenerateContent` gives without
//! `alt=sse`.

use std::borrow::Cow;

use crate::dialect::codec::{BadAnswer, Reply};
use crate::dialect::ids::{self, IdForm};
use crate::dialect::turn::{Answer, Arguments, Finish, Part, Reasoning, Text, ToolCall, Usage};
use crate::wire::json::{Node, Writer};

use super::field;
use super::parts::{self, Said};

/// Reads an answer of Gemini or Vertex AI.
pub fn read(body: Node<'_>) -> Result<Answer<'_>, BadAnswer> {
    let bad = |reason| BadAnswer { reason };
    let mut reading = Reading::default();
    for object in field::many(body) {
        if !object.is_object() {
            return Err(bad("the answer is not an object"));
        }
        if field::member(object, "error").is_some() {
            return Err(bad("the answer holds an error"));
        }
        reading.object(object);
    }
    if let Some(why) = reading.refusal {
        reading.parts.push(Part::Refusal(Cow::Borrowed(why)));
    }
    let finish = match (reading.finish, reading.has_candidate) {
        (Some(word), _) => parts::finish_of(word, reading.said),
        (None, _) if reading.is_blocked => Finish::ContentFilter,
        (None, false) => return Err(bad("the answer has no candidates")),
        (None, true) if body.is_array() => return Err(bad("the answer breaks off")),
        (None, true) => parts::finish_of("", reading.said),
    };
    Ok(Answer {
        id: Cow::Borrowed(reading.id),
        model: Cow::Borrowed(reading.model),
        parts: reading.parts,
        finish,
        stop_sequence: None,
        usage: reading.usage,
    })
}

/// Writes an answer for a client. Arguments of a call that are not an object, as of one that was cut off, cannot be
/// said: such a call is left out, and the answer ends as Gemini's own do then.
pub fn write(answer: &Answer<'_>, reply: &Reply, out: &mut Writer<'_>) {
    let broken = answer.parts.iter().any(|part| match part {
        Part::ToolCall(call) => parts::object_of(&call.arguments).is_none(),
        _ => false,
    });
    let id = if answer.id.is_empty() {
        reply.id.as_str()
    } else {
        &answer.id
    };
    let model = if answer.model.is_empty() {
        reply.model.as_str()
    } else {
        &answer.model
    };
    let word = word_of(answer.finish, broken);
    let write_parts = |out: &mut Writer<'_>| write_parts(answer, reply, out);
    parts::write_envelope(
        id,
        model,
        Some(word),
        answer.usage.as_ref(),
        write_parts,
        out,
    );
}

/// The word for the end of an answer, one of whose calls may be broken.
pub(super) const fn word_of(finish: Finish, broken: bool) -> &'static str {
    match finish {
        Finish::Stop | Finish::StopSequence | Finish::ToolCalls if broken => {
            "MALFORMED_FUNCTION_CALL"
        }
        _ => parts::word_of(finish),
    }
}

fn write_parts(answer: &Answer<'_>, reply: &Reply, out: &mut Writer<'_>) {
    let mut calls = 0;
    let mut is_first = true;
    for part in &answer.parts {
        match part {
            Part::Text(Text { text, .. }) | Part::Refusal(text) => parts::write_text(text, out),
            Part::Reasoning(it) if !it.redacted && !it.text.is_empty() => {
                parts::write_thought(&it.text, out);
            }
            Part::ToolCall(call) => {
                if let Some(args) = parts::object_of(&call.arguments) {
                    let id = if call.id.is_empty() {
                        Cow::Owned(ids::made_up(&reply.id, calls, IdForm::Any))
                    } else {
                        Cow::Borrowed(&*call.id)
                    };
                    parts::write_call(&id, &call.name, &args, is_first, out);
                    is_first = false;
                }
                calls += 1;
            }
            // Pictures, and seals of another provider: this form has no place for them.
            _ => {}
        }
    }
}

#[derive(Default)]
struct Reading<'a> {
    id: &'a str,
    model: &'a str,
    parts: Vec<Part<'a>>,
    said: Said,
    finish: Option<&'a str>,
    has_candidate: bool,
    is_blocked: bool,
    /// Why it declines, in words.
    refusal: Option<&'a str>,
    usage: Option<Usage>,
}

impl<'a> Reading<'a> {
    /// The answer, or one chunk of it.
    fn object(&mut self, object: Node<'a>) {
        if let Some(id) = field::text(object, "responseId") {
            self.id = id;
        }
        if let Some(model) = field::text(object, "modelVersion") {
            self.model = model;
        }
        self.is_blocked |= is_blocked(object);
        self.refusal = refusal_of(object).or(self.refusal);
        self.usage = parts::usage(object).or(self.usage);
        let Some(candidate) = field::list(object, "candidates").next() else {
            return;
        };
        self.has_candidate = true;
        if let Some(content) = field::member(candidate, "content") {
            for part in field::list(content, "parts") {
                self.part(part);
            }
        }
        self.finish = field::text(candidate, "finishReason").or(self.finish);
    }

    fn part(&mut self, part: Node<'a>) {
        if let Some(call) = field::member(part, "functionCall") {
            self.said.calls = true;
            self.parts.push(Part::ToolCall(ToolCall {
                id: Cow::Borrowed(field::text(call, "id").unwrap_or_default()),
                name: Cow::Borrowed(field::text(call, "name").unwrap_or_default()),
                arguments: match field::member(call, "args") {
                    Some(args) if args.is_object() => Arguments::Object(args),
                    _ => Arguments::Text(Cow::Borrowed("{}")),
                },
                signature: field::text(part, "thoughtSignature").map(Cow::Borrowed),
            }));
            return;
        }
        let Some(text) = field::text(part, "text") else {
            return;
        };
        if is_thought(part) {
            self.thought(text);
        } else if !text.is_empty() {
            self.said.words = true;
            // The chunks of one text are one part.
            match self.parts.last_mut() {
                Some(Part::Text(last)) => last.text.to_mut().push_str(text),
                _ => self.parts.push(Part::Text(Text::new(text))),
            }
        }
    }

    /// Without its proof, if it has one: to Anthropic it would be a forged one of its own.
    fn thought(&mut self, text: &'a str) {
        if let Some(Part::Reasoning(last)) = self.parts.last_mut() {
            last.text.to_mut().push_str(text);
        } else if !text.is_empty() {
            self.parts.push(Part::Reasoning(Reasoning {
                text: Cow::Borrowed(text),
                signature: None,
                redacted: false,
            }));
        }
    }
}

/// The part is of the thoughts.
pub(super) fn is_thought(part: Node<'_>) -> bool {
    field::member(part, "thought").and_then(Node::as_bool) == Some(true)
}

/// Why the provider declines: words beside the reason for a blocked request, or beside the end of an answer.
pub(super) fn refusal_of(object: Node<'_>) -> Option<&str> {
    let candidate = field::list(object, "candidates").next();
    let of_answer = candidate
        .filter(|candidate| field::text(*candidate, "finishReason").is_some_and(parts::is_filter));
    let words = match (of_answer, is_blocked(object)) {
        (Some(candidate), _) => field::text(candidate, "finishMessage"),
        (None, true) => {
            let feedback = field::member(object, "promptFeedback")?;
            field::text(feedback, "blockReasonMessage")
        }
        (None, false) => None,
    };
    words.filter(|words| !words.is_empty())
}

/// The provider declined to answer at all.
pub(super) fn is_blocked(object: Node<'_>) -> bool {
    field::member(object, "promptFeedback")
        .is_some_and(|feedback| field::member(feedback, "blockReason").is_some())
}
