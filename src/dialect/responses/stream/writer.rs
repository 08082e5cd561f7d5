//! Writes a stream for a client. Every event is named and numbered; an item is opened before its deltas and closed behind
//! them, in the order of opening; the last event says the whole answer again.
//!
//! ```text
//!   Words      output_item.added  content_part.added  output_text.delta…  .done  content_part.done  output_item.done
//!   Thoughts   output_item.added  reasoning_summary_part.added  …_text.delta…  .done  …_part.done   output_item.done
//!   Call       output_item.added  function_call_arguments.delta…  .done                             output_item.done
//!   Custom     output_item.added  custom_tool_call_input.delta    .done                             output_item.done
//! ```
//!
//! Calls stay open until something else begins: some providers stream the arguments of several at once. The text of a
//! custom tool is inside JSON, so that it is held until the call is closed. What is kept is twice the answer at most: the
//! items that are closed as JSON, and the open ones as text.

use core::fmt;

use crate::dialect::codec::Reply;
use crate::dialect::openai::ClientError;
use crate::dialect::responses::item::{self, Called, Item};
use crate::dialect::responses::response::{Response, Status};
use crate::dialect::responses::{custom, error};
use crate::dialect::turn::{Arguments, Event, Finish, Usage};
use crate::wire::json::Writer as Json;

/// A stream on its way to a client.
pub struct Writer {
    reply: Reply,
    model: String,
    stage: Stage,
    events: Events,
    /// Items begun: the next one's `output_index`.
    items: u32,
    /// The item of words or thoughts that is open. Never beside open calls.
    open: Option<Open>,
    /// The calls that are open, in order.
    calls: Vec<Call>,
    /// The items that are closed: JSON, a comma between them.
    output: Vec<u8>,
    finish: Option<Finish>,
    usage: Option<Usage>,
    /// Arguments came for a call that is closed: what the client has is not what was said.
    broken: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    AwaitStart,
    Speaking,
    Ended,
}

/// An item's name and number.
struct Place {
    id: String,
    at: u32,
}

enum Open {
    Words(Words),
    Thoughts(Place, String),
}

struct Words {
    place: Place,
    /// Parts that are closed: JSON, a comma between them.
    content: Vec<u8>,
    /// Parts begun.
    parts: u32,
    /// The part that is open declines.
    refusal: bool,
    /// Its text.
    text: String,
}

struct Call {
    place: Place,
    /// The provider's number.
    number: u32,
    id: String,
    name: String,
    custom: bool,
    arguments: String,
}

impl Writer {
    /// A stream that has not begun.
    pub fn new(reply: Reply) -> Self {
        Self {
            reply,
            model: String::new(),
            stage: Stage::AwaitStart,
            events: Events { sequence: 0 },
            items: 0,
            open: None,
            calls: Vec::new(),
            output: Vec::new(),
            finish: None,
            usage: None,
            broken: false,
        }
    }

    /// Appends what an event amounts to. Nothing for [`Event::Error`], and nothing after [`Event::End`].
    pub fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.stage == Stage::Ended {
            return;
        }
        match *event {
            Event::Start { model, .. } => {
                if !model.is_empty() {
                    model.clone_into(&mut self.model);
                }
                self.begin(out);
            }
            Event::Text(text) => self.say(false, text, out),
            Event::Refusal(text) => self.say(true, text, out),
            Event::Reasoning(text) => self.think(text, out),
            Event::ToolCall { at, id, name, .. } => self.begin_call(at, id, name, out),
            Event::ToolArguments { at, text } => self.add_arguments(at, text, out),
            Event::Finish { finish, .. } => self.finish = Some(finish),
            Event::Usage(usage) => self.usage = Some(usage),
            Event::End => self.end(out),
            // Proofs of another provider are of no use to OpenAI, and the caller writes errors.
            Event::Signature(_) | Event::Redacted(_) | Event::Error => {}
        }
    }

    /// Appends an error, as the last event or before the last: what began ends with `response.failed`.
    pub fn fail(&mut self, error: &ClientError<'_>, out: &mut Vec<u8>) {
        if self.stage == Stage::Ended {
            return;
        }
        error::numbered(error, self.events.sequence, out);
        self.events.sequence += 1;
        if self.stage == Stage::Speaking {
            let code = match error.code.as_deref() {
                Some(code) if FAILURES.contains(&code) => code,
                _ => "server_error",
            };
            let message = &error.message;
            self.write_response("response.failed", Status::Failed { code, message }, out);
        }
        self.stage = Stage::Ended;
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if self.stage == Stage::AwaitStart {
            self.stage = Stage::Speaking;
            self.write_response("response.created", Status::InProgress, out);
            self.write_response("response.in_progress", Status::InProgress, out);
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        let finish = if self.broken {
            Finish::Failed
        } else {
            self.finish.unwrap_or_default()
        };
        let status = Status::of(finish);
        self.close(status.of_last_item(), out);
        let name = match status {
            Status::Incomplete(_) => "response.incomplete",
            Status::Failed { .. } => "response.failed",
            Status::Completed | Status::InProgress => "response.completed",
        };
        self.write_response(name, status, out);
        self.stage = Stage::Ended;
    }

    fn write_response(&mut self, name: &str, status: Status<'_>, out: &mut Vec<u8>) {
        let response = Response {
            reply: &self.reply,
            model: &self.model,
            status,
            usage: match status {
                Status::InProgress => None,
                _ => self.usage,
            },
        };
        let output = &self.output;
        self.events.write(name, out, |it| {
            response.write(it.key("response"), |it| it.raw(output));
        });
    }

    fn say(&mut self, refusal: bool, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        self.begin(out);
        if !matches!(self.open, Some(Open::Words(_))) {
            self.close(DONE, out);
            let place = self.begin_item(&Item::Message(&[]), out);
            self.open = Some(Open::Words(Words::new(place)));
        }
        if let Some(Open::Words(words)) = &mut self.open {
            words.say(refusal, text, &mut self.events, out);
        }
    }

    fn think(&mut self, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        self.begin(out);
        if !matches!(self.open, Some(Open::Thoughts(..))) {
            self.close(DONE, out);
            let place = self.begin_item(&Item::Reasoning(""), out);
            self.events
                .summary("response.reasoning_summary_part.added", &place, out, |it| {
                    item::summary("", it.key("part"));
                });
            self.open = Some(Open::Thoughts(place, String::new()));
        }
        if let Some(Open::Thoughts(place, thoughts)) = &mut self.open {
            thoughts.push_str(text);
            self.events
                .summary("response.reasoning_summary_text.delta", place, out, |it| {
                    it.key("delta").string(text);
                });
        }
    }

    fn begin_call(&mut self, number: u32, id: &str, name: &str, out: &mut Vec<u8>) {
        if self.calls.iter().any(|call| call.number == number) {
            return;
        }
        self.begin(out);
        if self.open.is_some() {
            self.close(DONE, out);
        }
        let id = item::call_name(id, &self.reply, number).into_owned();
        let called = Called { id: &id, name };
        let custom = self.reply.echo.is_custom(name);
        let item = if custom {
            Item::Custom(called, "")
        } else {
            Item::Call(called, None)
        };
        let place = self.begin_item(&item, out);
        self.calls.push(Call {
            place,
            number,
            name: name.to_owned(),
            custom,
            arguments: String::new(),
            id,
        });
    }

    fn add_arguments(&mut self, number: u32, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        match self.calls.iter_mut().find(|call| call.number == number) {
            Some(call) => call.add(text, &mut self.events, out),
            None => self.broken = true,
        }
    }

    fn begin_item(&mut self, item: &Item<'_>, out: &mut Vec<u8>) -> Place {
        let place = Place {
            id: item::name(item.prefix(), &self.reply, self.items),
            at: self.items,
        };
        self.items += 1;
        self.events.write("response.output_item.added", out, |it| {
            it.key("output_index").number(place.at.into());
            item.write(&place.id, "in_progress", it.key("item"));
        });
        place
    }

    /// Closes what is open. `status` is that of the last item.
    fn close(&mut self, status: &str, out: &mut Vec<u8>) {
        match self.open.take() {
            Some(Open::Words(mut words)) => {
                words.close_part(&mut self.events, out);
                self.end_item(&words.place, &Item::Message(&words.content), status, out);
            }
            Some(Open::Thoughts(place, text)) => {
                self.events
                    .summary("response.reasoning_summary_text.done", &place, out, |it| {
                        it.key("text").string(&text);
                    });
                self.events
                    .summary("response.reasoning_summary_part.done", &place, out, |it| {
                        item::summary(&text, it.key("part"));
                    });
                self.end_item(&place, &Item::Reasoning(&text), status, out);
            }
            None => {}
        }
        let mut calls = core::mem::take(&mut self.calls).into_iter().peekable();
        while let Some(call) = calls.next() {
            let status = if calls.peek().is_some() { DONE } else { status };
            self.close_call(call, status, out);
        }
    }

    fn close_call(&mut self, mut call: Call, status: &str, out: &mut Vec<u8>) {
        if call.arguments.is_empty() && !call.custom {
            call.add("{}", &mut self.events, out);
        }
        let called = Called {
            id: &call.id,
            name: &call.name,
        };
        if call.custom {
            let input = custom::unwrapped_text(&call.arguments);
            for (name, key) in [
                ("response.custom_tool_call_input.delta", "delta"),
                ("response.custom_tool_call_input.done", "input"),
            ] {
                self.events
                    .of_item(name, &call.place, out, |it| it.key(key).string(&input));
            }
            self.end_item(&call.place, &Item::Custom(called, &input), status, out);
        } else {
            self.events.of_item(
                "response.function_call_arguments.done",
                &call.place,
                out,
                |it| {
                    it.key("arguments").string(&call.arguments);
                },
            );
            let arguments = Arguments::Text(call.arguments.as_str().into());
            self.end_item(
                &call.place,
                &Item::Call(called, Some(&arguments)),
                status,
                out,
            );
        }
    }

    fn end_item(&mut self, place: &Place, item: &Item<'_>, status: &str, out: &mut Vec<u8>) {
        if !self.output.is_empty() {
            self.output.push(b',');
        }
        let begin = self.output.len();
        item.write(&place.id, status, &mut Json::new(&mut self.output));
        let written = self.output.get(begin..).unwrap_or_default();
        self.events.write("response.output_item.done", out, |it| {
            it.key("output_index").number(place.at.into());
            it.key("item").raw(written);
        });
    }
}

impl fmt::Debug for Writer {
    /// Without the contents: they are of an answer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("stage", &self.stage)
            .field("items", &self.items)
            .finish_non_exhaustive()
    }
}

impl Words {
    const fn new(place: Place) -> Self {
        Self {
            place,
            content: Vec::new(),
            parts: 0,
            refusal: false,
            text: String::new(),
        }
    }

    fn say(&mut self, refusal: bool, text: &str, events: &mut Events, out: &mut Vec<u8>) {
        if self.text.is_empty() || refusal != self.refusal {
            self.close_part(events, out);
            self.refusal = refusal;
            self.parts += 1;
            self.event("response.content_part.added", events, out, |it| {
                item::said(refusal, "", it.key("part"));
            });
        }
        self.text.push_str(text);
        let name = if refusal {
            "response.refusal.delta"
        } else {
            "response.output_text.delta"
        };
        self.event(name, events, out, |it| {
            it.key("delta").string(text);
            if !refusal {
                it.key("logprobs").array(|_| ());
            }
        });
    }

    fn close_part(&mut self, events: &mut Events, out: &mut Vec<u8>) {
        if self.text.is_empty() {
            return;
        }
        let text = core::mem::take(&mut self.text);
        if self.refusal {
            self.event("response.refusal.done", events, out, |it| {
                it.key("refusal").string(&text);
            });
        } else {
            self.event("response.output_text.done", events, out, |it| {
                it.key("text").string(&text);
                it.key("logprobs").array(|_| ());
            });
        }
        self.event("response.content_part.done", events, out, |it| {
            item::said(self.refusal, &text, it.key("part"));
        });
        if !self.content.is_empty() {
            self.content.push(b',');
        }
        item::said(self.refusal, &text, &mut Json::new(&mut self.content));
    }

    /// An event about the part that began last.
    fn event(
        &self,
        name: &str,
        events: &mut Events,
        out: &mut Vec<u8>,
        members: impl FnOnce(&mut Json<'_>),
    ) {
        events.of_item(name, &self.place, out, |it| {
            it.key("content_index").number((self.parts - 1).into());
            members(it);
        });
    }
}

impl Call {
    fn add(&mut self, text: &str, events: &mut Events, out: &mut Vec<u8>) {
        self.arguments.push_str(text);
        if !self.custom {
            events.of_item(
                "response.function_call_arguments.delta",
                &self.place,
                out,
                |it| {
                    it.key("delta").string(text);
                },
            );
        }
    }
}

/// Numbers the events.
struct Events {
    sequence: u64,
}

impl Events {
    fn write(&mut self, name: &str, out: &mut Vec<u8>, members: impl FnOnce(&mut Json<'_>)) {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\ndata: ");
        Json::new(out).object(|it| {
            it.key("type").string(name);
            it.key("sequence_number").number(self.sequence);
            members(it);
        });
        out.extend_from_slice(b"\n\n");
        self.sequence += 1;
    }

    fn of_item(
        &mut self,
        name: &str,
        place: &Place,
        out: &mut Vec<u8>,
        members: impl FnOnce(&mut Json<'_>),
    ) {
        self.write(name, out, |it| {
            it.key("item_id").string(&place.id);
            it.key("output_index").number(place.at.into());
            members(it);
        });
    }

    fn summary(
        &mut self,
        name: &str,
        place: &Place,
        out: &mut Vec<u8>,
        members: impl FnOnce(&mut Json<'_>),
    ) {
        self.of_item(name, place, out, |it| {
            it.key("summary_index").number(0);
            members(it);
        });
    }
}

/// The codes of failed answers that clients tell apart; what is not in the reference's list is `server_error`.
const FAILURES: [&str; 4] = [
    "rate_limit_exceeded",
    "insufficient_quota",      // recorded
    "context_length_exceeded", // Codex compacts on it
    "invalid_prompt",
];
const DONE: &str = "completed";
