//! A stream: `streamGenerateContent?alt=sse`.
//!
//! Each event is a chunk in the form of a whole answer, without a name; a call comes whole; what it took so far stands
//! in every chunk; the last one says why the answer ended, and nothing marks the end of the stream.

use std::borrow::Cow;

use crate::dialect::codec::Reply;
use crate::dialect::ids::{self, IdForm};
use crate::dialect::turn::{Arguments, Event, Finish, Usage};
use crate::wire::json::{self, Node};

use super::answer::{self, is_blocked, is_thought, refusal_of};
use super::field;
use super::parts::{self, Said};

/// Reads the events of Gemini or Vertex AI.
#[derive(Debug, Default)]
pub struct Reader {
    started: bool,
    calls: u32,
    said: Said,
    state: Reading,
    /// Arguments of a call as JSON text, kept for its memory.
    arguments: Vec<u8>,
}

#[derive(Debug, Default, Eq, PartialEq)]
enum Reading {
    #[default]
    Open,
    Finished,
    Failed,
}

impl Reader {
    /// Takes one event apart.
    pub fn read(&mut self, _name: &str, data: Node<'_>, take: &mut dyn FnMut(Event<'_>)) {
        for object in field::many(data) {
            if self.state != Reading::Failed {
                self.object(object, take);
            }
        }
    }

    fn object(&mut self, object: Node<'_>, take: &mut dyn FnMut(Event<'_>)) {
        if field::member(object, "error").is_some() {
            return self.fail(take);
        }
        if !self.started && object.is_object() {
            self.started = true;
            take(Event::Start {
                id: field::text(object, "responseId").unwrap_or_default(),
                model: field::text(object, "modelVersion").unwrap_or_default(),
            });
        }
        if let Some(usage) = parts::usage(object) {
            take(Event::Usage(usage));
        }
        let Some(candidate) = field::list(object, "candidates").next() else {
            if is_blocked(object) {
                self.decline(object, take);
                self.finish(Finish::ContentFilter, take);
            }
            return;
        };
        if let Some(content) = field::member(candidate, "content") {
            for part in field::list(content, "parts") {
                self.part(part, take);
            }
        }
        if let Some(word) = field::text(candidate, "finishReason") {
            self.decline(object, take);
            self.finish(parts::finish_of(word, self.said), take);
        }
    }

    fn part(&mut self, part: Node<'_>, take: &mut dyn FnMut(Event<'_>)) {
        let call = field::member(part, "functionCall");
        let text = field::text(part, "text").unwrap_or_default();
        match self.state {
            Reading::Open => {}
            Reading::Finished if call.is_none() && text.is_empty() => return,
            // Words after the end: what was taken for the whole answer was not.
            Reading::Finished => return self.fail(take),
            Reading::Failed => return,
        }
        if let Some(call) = call {
            self.call(call, field::text(part, "thoughtSignature"), take);
        } else if is_thought(part) {
            // Without its proof, as in a whole answer.
            if !text.is_empty() {
                take(Event::Reasoning(text));
            }
        } else if !text.is_empty() {
            self.said.words = true;
            take(Event::Text(text));
        }
    }

    fn call(&mut self, call: Node<'_>, proof: Option<&str>, take: &mut dyn FnMut(Event<'_>)) {
        let at = self.calls;
        self.calls = self.calls.saturating_add(1);
        self.said.calls = true;
        take(Event::ToolCall {
            at,
            id: field::text(call, "id").unwrap_or_default(),
            name: field::text(call, "name").unwrap_or_default(),
            signature: proof,
        });
        self.arguments.clear();
        match field::member(call, "args") {
            Some(args) if args.is_object() => args.write(&mut self.arguments),
            _ => self.arguments.extend_from_slice(b"{}"),
        }
        if let Ok(text) = str::from_utf8(&self.arguments) {
            take(Event::ToolArguments { at, text });
        }
    }

    fn finish(&mut self, finish: Finish, take: &mut dyn FnMut(Event<'_>)) {
        if self.state == Reading::Open {
            self.state = Reading::Finished;
            take(Event::Finish {
                finish,
                stop_sequence: None,
            });
        }
    }

    fn decline(&self, object: Node<'_>, take: &mut dyn FnMut(Event<'_>)) {
        if let Some(words) = refusal_of(object).filter(|_| self.state == Reading::Open) {
            take(Event::Refusal(words));
        }
    }

    fn fail(&mut self, take: &mut dyn FnMut(Event<'_>)) {
        if self.state != Reading::Failed {
            self.state = Reading::Failed;
            take(Event::Error);
        }
    }
}

/// Writes the events for a client. Calls are collected until something else comes: a client takes them whole, and the
/// pieces of several calls may come in turns.
#[derive(Debug)]
pub struct Writer {
    reply: Reply,
    id: String,
    model: String,
    calls: Vec<Call>,
    /// Calls that were written, or were broken.
    passed: u32,
    has_signed: bool,
    broken: bool,
    finish: Option<Finish>,
    usage: Option<Usage>,
    ended: bool,
    /// A chunk, kept for its memory.
    chunk: Vec<u8>,
}

#[derive(Debug)]
struct Call {
    at: u32,
    id: String,
    name: String,
    arguments: String,
}

impl Writer {
    /// A stream that has not begun.
    pub fn new(reply: Reply) -> Self {
        Self {
            id: reply.id.clone(),
            model: reply.model.clone(),
            reply,
            calls: Vec::new(),
            passed: 0,
            has_signed: false,
            broken: false,
            finish: None,
            usage: None,
            ended: false,
            chunk: Vec::new(),
        }
    }

    /// Appends what the event amounts to, whole events only.
    pub fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.ended {
            return;
        }
        match *event {
            Event::Start { id, model } => {
                for (own, given) in [(&mut self.id, id), (&mut self.model, model)] {
                    if !given.is_empty() {
                        given.clone_into(own);
                    }
                }
            }
            Event::Text(text) | Event::Refusal(text) if !text.is_empty() => {
                self.pass_calls(out);
                self.pass(out, None, |out| parts::write_text(text, out));
            }
            Event::Reasoning(text) if !text.is_empty() => {
                self.pass_calls(out);
                self.pass(out, None, |out| parts::write_thought(text, out));
            }
            Event::ToolCall { at, id, name, .. } => self.calls.push(Call {
                at,
                id: id.to_owned(),
                name: name.to_owned(),
                arguments: String::new(),
            }),
            Event::ToolArguments { at, text } => {
                let mut calls = self.calls.iter_mut().rev();
                match calls.find(|call| call.at == at) {
                    Some(call) => call.arguments.push_str(text),
                    // Of a call that was passed on for whole: it was not.
                    None => self.broken |= !text.is_empty(),
                }
            }
            Event::Finish { finish, .. } => self.finish = Some(finish),
            Event::Usage(usage) => self.usage = Some(usage),
            Event::End => self.end(out),
            Event::Error => self.ended = true,
            // Proofs and seals of another provider.
            Event::Signature(_)
            | Event::Redacted(_)
            | Event::Text(_)
            | Event::Refusal(_)
            | Event::Reasoning(_) => {}
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.ended = true;
        let Some(finish) = self.finish else {
            return;
        };
        let mut written = Vec::new();
        self.write_calls(&mut json::Writer::new(&mut written));
        let word = answer::word_of(finish, self.broken);
        self.pass(out, Some(word), |out| {
            if written.is_empty() {
                parts::write_text("", out);
            } else {
                out.raw(&written);
            }
        });
    }

    fn pass_calls(&mut self, out: &mut Vec<u8>) {
        if self.calls.is_empty() {
            return;
        }
        let mut written = Vec::new();
        self.write_calls(&mut json::Writer::new(&mut written));
        if !written.is_empty() {
            self.pass(out, None, |out| out.raw(&written));
        }
    }

    /// Writes the calls that were collected, as elements of a list.
    fn write_calls(&mut self, out: &mut json::Writer<'_>) {
        for call in self.calls.drain(..) {
            let at = self.passed;
            self.passed = self.passed.saturating_add(1);
            let arguments = Arguments::Text(call.arguments.into());
            let Some(args) = parts::object_of(&arguments) else {
                self.broken = true;
                continue;
            };
            let id = if call.id.is_empty() {
                Cow::Owned(ids::made_up(&self.reply.id, at, IdForm::Any))
            } else {
                Cow::Borrowed(call.id.as_str())
            };
            parts::write_call(&id, &call.name, &args, !self.has_signed, out);
            self.has_signed = true;
        }
    }

    /// Appends one chunk.
    fn pass(
        &mut self,
        out: &mut Vec<u8>,
        finish: Option<&str>,
        parts: impl FnOnce(&mut json::Writer<'_>),
    ) {
        self.chunk.clear();
        let usage = finish.and(self.usage.as_ref());
        parts::write_envelope(
            &self.id,
            &self.model,
            finish,
            usage,
            parts,
            &mut json::Writer::new(&mut self.chunk),
        );
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&self.chunk);
        out.extend_from_slice(b"\r\n\r\n");
    }
}
