//! Writes a stream for a client.
//!
//! ```text
//!   Start ─▶ message_start        Text, Refusal ─▶ text block      Finish, Usage ─▶ kept
//!                                 Reasoning, Signature ─▶ thinking block
//!                                 ToolCall, ToolArguments ─▶ tool_use block      End ─▶ message_delta, message_stop
//! ```
//! A block is opened by its first piece that is not empty and closed when something else comes; blocks are numbered from 0
//! without a gap, as the SDKs use the number as an index. One call is open at a time: a call that begins while the
//! arguments of the open one are not whole is kept until they are, or until the end.

use std::collections::VecDeque;

use crate::base::limits::EVENT_BYTES_MAX;
use crate::dialect::codec::Reply;
use crate::dialect::messages::answer::{call_id, message_id, model_of, stop_reason};
use crate::dialect::messages::stream::braces::Braces;
use crate::dialect::messages::usage;
use crate::dialect::turn::{Event, Finish, Usage};
use crate::wire::json;

/// Writes one stream, event by event.
#[derive(Debug)]
pub struct Writer {
    reply: Reply,
    is_started: bool,
    is_over: bool,
    /// The next block's.
    index: u32,
    open: Open,
    /// Calls that wait for the open one to end, oldest first.
    waiting: VecDeque<Call>,
    waiting_bytes: usize,
    calls: bool,
    declines: bool,
    finish: Option<(Finish, Option<String>)>,
    usage: Usage,
}

/// The block that is open.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Text,
    Thinking,
    Call(u32),
}

#[derive(Debug, Default)]
struct Open {
    kind: Option<Kind>,
    /// Of the arguments, in a call.
    braces: Braces,
}

/// A call that waits.
#[derive(Debug)]
struct Call {
    at: u32,
    id: String,
    name: String,
    arguments: String,
}

impl Writer {
    /// The stream of one answer.
    pub fn new(reply: Reply) -> Self {
        Self {
            reply,
            is_started: false,
            is_over: false,
            index: 0,
            open: Open::default(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            calls: false,
            declines: false,
            finish: None,
            usage: Usage::default(),
        }
    }

    /// Appends what `event` says, as events of the format.
    pub fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.is_over || matches!(event, Event::Error) {
            return;
        }
        match event {
            Event::Start { model, .. } => self.start(model, out),
            Event::Usage(usage) => self.usage = *usage,
            _ => {
                self.start("", out); // a provider that names nothing
                self.content(event, out);
            }
        }
    }

    fn content(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match *event {
            Event::Text(text) => self.text(text, out),
            Event::Refusal(text) => {
                self.declines = true;
                self.text(text, out);
            }
            Event::Reasoning(text) if !text.is_empty() => {
                self.think(out);
                self.delta("thinking_delta", "thinking", text, out);
            }
            Event::Signature(text) if !text.is_empty() => {
                self.think(out);
                self.delta("signature_delta", "signature", text, out);
            }
            Event::Redacted(data) => {
                self.settle(out);
                self.block(Kind::Thinking, out, |it| {
                    it.key("type").string("redacted_thinking");
                    it.key("data").string(data);
                });
                self.stop_block(out);
            }
            Event::ToolCall { at, id, name, .. } => self.call(at, id, name, out),
            Event::ToolArguments { at, text } => self.arguments(at, text, out),
            Event::Finish {
                finish,
                stop_sequence,
            } => {
                self.finish
                    .get_or_insert_with(|| (finish, stop_sequence.map(str::to_owned)));
            }
            Event::End => self.end(out),
            Event::Start { .. }
            | Event::Usage(_)
            | Event::Error
            | Event::Reasoning(_)
            | Event::Signature(_) => {}
        }
    }

    fn start(&mut self, model: &str, out: &mut Vec<u8>) {
        if self.is_started {
            return;
        }
        self.is_started = true;
        let (reply, usage) = (&self.reply, self.usage);
        event("message_start", out, |it| {
            it.key("message").object(|it| {
                it.key("id").string(&message_id(reply));
                it.key("type").string("message");
                it.key("role").string("assistant");
                it.key("model").string(model_of(model, reply));
                it.key("content").array(|_| ());
                it.key("stop_reason").null();
                it.key("stop_sequence").null();
                it.key("usage");
                usage::write(usage, it);
            });
        });
    }

    fn text(&mut self, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        if self.open.kind != Some(Kind::Text) {
            self.settle(out);
            self.block(Kind::Text, out, |it| {
                it.key("type").string("text");
                it.key("text").string("");
            });
        }
        self.delta("text_delta", "text", text, out);
    }

    fn think(&mut self, out: &mut Vec<u8>) {
        if self.open.kind == Some(Kind::Thinking) {
            return;
        }
        self.settle(out);
        self.block(Kind::Thinking, out, |it| {
            it.key("type").string("thinking");
            it.key("thinking").string("");
            it.key("signature").string("");
        });
    }

    fn call(&mut self, at: u32, id: &str, name: &str, out: &mut Vec<u8>) {
        self.calls = true;
        let must_wait = matches!(self.open.kind, Some(Kind::Call(_)))
            && (!self.open.braces.is_whole() || !self.waiting.is_empty());
        if must_wait {
            self.waiting.push_back(Call {
                at,
                id: id.to_owned(),
                name: name.to_owned(),
                arguments: String::new(),
            });
        } else {
            self.open_call(at, id, name, out);
        }
    }

    fn open_call(&mut self, at: u32, id: &str, name: &str, out: &mut Vec<u8>) {
        self.stop_block(out);
        let id = call_id(id, at, &self.reply).into_owned();
        self.block(Kind::Call(at), out, |it| {
            it.key("type").string("tool_use");
            it.key("id").string(&id);
            it.key("name").string(name);
            it.key("input").object(|_| ());
        });
    }

    fn arguments(&mut self, at: u32, text: &str, out: &mut Vec<u8>) {
        if self.open.kind == Some(Kind::Call(at)) {
            self.piece(text, out);
            // What waited behind it goes out as soon as it can.
            while self.open.braces.is_whole() && self.next_call(out) {}
        } else if let Some(call) = self.waiting.iter_mut().find(|call| call.at == at)
            && self.waiting_bytes + text.len() <= EVENT_BYTES_MAX
        {
            self.waiting_bytes += text.len();
            call.arguments.push_str(text);
        } else if !text.trim_ascii().is_empty() {
            // Too much to keep, or more of a call that is closed: it cannot be said any more.
            self.finish = Some((Finish::Failed, None));
        }
    }

    fn piece(&mut self, text: &str, out: &mut Vec<u8>) {
        if !text.is_empty() {
            self.open.braces.see(text);
            self.delta("input_json_delta", "partial_json", text, out);
        }
    }

    /// Gives the call that waited longest; `false` if there is none.
    fn next_call(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(call) = self.waiting.pop_front() else {
            return false;
        };
        self.waiting_bytes = self.waiting_bytes.saturating_sub(call.arguments.len());
        self.open_call(call.at, &call.id, &call.name, out);
        self.piece(&call.arguments, out);
        true
    }

    /// Ends the open block, and gives what waited behind it: nothing more comes for calls.
    fn settle(&mut self, out: &mut Vec<u8>) {
        while self.next_call(out) {}
        self.stop_block(out);
    }

    fn stop_block(&mut self, out: &mut Vec<u8>) {
        if self.open.kind.take().is_some() {
            let index = self.index;
            event("content_block_stop", out, |it| {
                it.key("index").number(index.into());
            });
            self.index = self.index.saturating_add(1);
        }
    }

    fn block(
        &mut self,
        kind: Kind,
        out: &mut Vec<u8>,
        members: impl FnOnce(&mut json::Writer<'_>),
    ) {
        event("content_block_start", out, |it| {
            it.key("index").number(self.index.into());
            it.key("content_block").object(members);
        });
        self.open = Open {
            kind: Some(kind),
            braces: Braces::default(),
        };
    }

    fn delta(&self, kind: &str, key: &str, text: &str, out: &mut Vec<u8>) {
        event("content_block_delta", out, |it| {
            it.key("index").number(self.index.into());
            it.key("delta").object(|it| {
                it.key("type").string(kind);
                it.key(key).string(text);
            });
        });
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.is_over = true;
        let (finish, stop_sequence) = self.finish.take().unwrap_or_default();
        if finish == Finish::Failed {
            return; // what was said is no answer: a client must not take it for one
        }
        self.settle(out);
        let reason = stop_reason(finish, self.calls, self.declines);
        event("message_delta", out, |it| {
            it.key("delta").object(|it| {
                it.key("stop_reason").string(reason);
                it.key("stop_sequence");
                match &stop_sequence {
                    Some(text) if reason == "stop_sequence" => it.string(text),
                    _ => it.null(),
                }
            });
            it.key("usage");
            usage::write(self.usage, it);
        });
        event("message_stop", out, |_| ());
    }
}

/// Appends one event.
fn event(name: &str, out: &mut Vec<u8>, members: impl FnOnce(&mut json::Writer<'_>)) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    json::Writer::new(out).object(|it| {
        it.key("type").string(name);
        members(it);
    });
    out.extend_from_slice(b"\n\n");
}
