//! Answers in the formats that providers have of their own: those that clients speak too by the writers that clients' answers
//! go through, those of Bedrock and Cohere here.

use crate::base::Span;
use crate::dialect::client::{StreamWriter, write_answer};
use crate::dialect::codec::Reply;
use crate::dialect::format::Format;
use crate::dialect::provider::error_field;
use crate::dialect::turn::{self, Event, Finish, Part, Text, Usage};
use crate::policy::model::Act;
use crate::sim::provider::forms::{Scripted, error_answer, error_event};
use crate::sim::provider::write::{broken, head, length, spoken, withhold};
use crate::sim::provider::{Answer, Asked, Timing, Wanted};
use crate::wire::eventstream::{self, Kind};
use crate::wire::h1::write::{self, LAST_CHUNK};
use crate::wire::json::Writer;

/// An answer that begins well; `act` says how it goes on.
pub(super) fn served(answer: &mut Answer, asked: &Asked<'_>, timing: &Timing, act: Act) {
    match (asked.wanted, act) {
        (Wanted::Stream { .. }, Act::ErrorEvent) => {
            let mut events = Events::begin(answer, asked);
            events.say(|out| error_event(asked.format, out));
            events.end(Span::ZERO);
        }
        (_, Act::ErrorEvent) => {
            let body = error_answer(asked.format);
            json(answer, asked, 200, &[], &body);
            answer.part(timing.ttft);
        }
        (Wanted::Stream { .. }, _) => stream(answer, asked, timing, act),
        _ => whole(answer, asked, timing, act),
    }
}

/// An answer that nobody generated.
pub(super) fn scripted(answer: &mut Answer, asked: &Asked<'_>, said: &Scripted) {
    let named = error_field(asked.format).zip(said.error);
    json(answer, asked, said.status, named.as_slice(), &said.body);
    answer.part(Span::ZERO);
}

fn json(answer: &mut Answer, asked: &Asked<'_>, status: u16, fields: &[(&str, &str)], body: &[u8]) {
    let out = &mut answer.bytes;
    head(out, asked.id, status, b"application/json");
    for (name, value) in fields {
        write::field(name.as_bytes(), value.as_bytes(), out);
    }
    write::field_decimal(b"content-length", body.len() as u64, out);
    write::end(out);
    out.extend_from_slice(body);
}

fn whole(answer: &mut Answer, asked: &Asked<'_>, timing: &Timing, act: Act) {
    let (count, finish) = extent(asked, timing);
    let text: String = spoken(asked, timing, count).collect();
    let used = usage(asked, count);
    let mut body = Vec::new();
    let out = &mut Writer::new(&mut body);
    match asked.format {
        Format::Converse => converse(out, &text, finish, used),
        Format::Cohere => cohere(out, &id_of(asked), &text, finish, used),
        format => {
            let said = turn::Answer {
                id: id_of(asked).into(),
                model: asked.model.into(),
                parts: vec![Part::Text(Text::new(text))],
                finish,
                stop_sequence: None,
                usage: Some(used),
            };
            write_answer(format, &said, &reply(asked), out);
        }
    }
    json(answer, asked, 200, &[], &body);
    if matches!(act, Act::Stall | Act::Cut) {
        withhold(answer, body.len(), act);
    }
    let words = u64::from(count.saturating_sub(1));
    answer.part(timing.ttft.saturating_add(timing.gap.saturating_mul(words)));
}

/// The beginning at once, the first word after the time to first content, a word each gap, then the end.
fn stream(answer: &mut Answer, asked: &Asked<'_>, timing: &Timing, act: Act) {
    let (count, finish) = extent(asked, timing);
    let id = id_of(asked);
    let mut speaker = Speaker::new(asked);
    let mut events = Events::begin(answer, asked);
    let start = Event::Start {
        id: &id,
        model: asked.model,
    };
    events.say(|out| speaker.say(&start, out));
    events.answer.part(Span::ZERO);
    for (index, word) in spoken(asked, timing, count).enumerate() {
        events.say(|out| speaker.say(&Event::Text(&word), out));
        let delay = if index == 0 { timing.ttft } else { timing.gap };
        events.answer.part(delay);
        if matches!(act, Act::Stall | Act::Cut) {
            events.answer.ending = broken(act);
            return;
        }
    }
    let ended = [
        Event::Finish {
            finish,
            stop_sequence: None,
        },
        Event::Usage(usage(asked, count)),
        Event::End,
    ];
    for event in &ended {
        events.say(|out| speaker.say(event, out));
    }
    // An answer without words still takes its time.
    events.end(if count == 0 { timing.ttft } else { Span::ZERO });
}

/// Whose events are written how.
enum Speaker {
    /// As clients of the format read them.
    Shared(Box<StreamWriter>),
    Converse,
    Cohere(Option<(Finish, Usage)>),
}

impl Speaker {
    fn new(asked: &Asked<'_>) -> Self {
        match asked.format {
            Format::Converse => Self::Converse,
            Format::Cohere => Self::Cohere(None),
            format => Self::Shared(Box::new(StreamWriter::new(format, reply(asked)))),
        }
    }

    fn say(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Shared(writer) => writer.write(event, out),
            Self::Converse => converse_event(event, out),
            Self::Cohere(last) => cohere_event(event, last, out),
        }
    }
}

/// Writes events as chunks of the chunked coding.
struct Events<'a> {
    answer: &'a mut Answer,
    said: Vec<u8>,
}

impl<'a> Events<'a> {
    fn begin(answer: &'a mut Answer, asked: &Asked<'_>) -> Self {
        let out = &mut answer.bytes;
        let content_type: &[u8] = match asked.format {
            Format::Converse => b"application/vnd.amazon.eventstream",
            _ => b"text/event-stream",
        };
        head(out, asked.id, 200, content_type);
        write::field(b"transfer-encoding", b"chunked", out);
        write::end(out);
        Self {
            answer,
            said: Vec::new(),
        }
    }

    fn say(&mut self, say: impl FnOnce(&mut Vec<u8>)) {
        self.said.clear();
        say(&mut self.said);
        if self.said.is_empty() {
            return;
        }
        let out = &mut self.answer.bytes;
        write::chunk_size(self.said.len() as u64, out);
        out.extend_from_slice(&self.said);
        out.extend_from_slice(b"\r\n");
    }

    fn end(self, delay: Span) {
        self.answer.bytes.extend_from_slice(LAST_CHUNK);
        self.answer.part(delay);
    }
}

/// How many words an answer has, and why it ends.
fn extent(asked: &Asked<'_>, timing: &Timing) -> (u32, Finish) {
    match length(asked, timing) {
        (count, b"length") => (count, Finish::Length),
        (count, _) => (count, Finish::Stop),
    }
}

fn usage(asked: &Asked<'_>, words: u32) -> Usage {
    Usage {
        input: asked.prompt_tokens.into(),
        output: words.into(),
        ..Usage::default()
    }
}

fn id_of(asked: &Asked<'_>) -> String {
    format!("simulated-{}", asked.id)
}

fn reply(asked: &Asked<'_>) -> Reply {
    Reply {
        id: asked.id.to_string(),
        created: asked.created,
        model: asked.model.to_owned(),
        stream_usage: true,
        ..Reply::default()
    }
}

const fn converse_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Length => "max_tokens",
        _ => "end_turn",
    }
}

fn converse_usage(used: Usage, out: &mut Writer<'_>) {
    out.key("usage").object(|out| {
        out.key("inputTokens").number(used.input);
        out.key("outputTokens").number(used.output);
        out.key("totalTokens").number(used.total());
    });
    out.key("metrics").object(|out| {
        out.key("latencyMs").number(1);
    });
}

/// AWS, *Converse*: the response.
fn converse(out: &mut Writer<'_>, text: &str, finish: Finish, used: Usage) {
    out.object(|out| {
        out.key("output").object(|out| {
            out.key("message").object(|out| {
                out.key("role").string("assistant");
                out.key("content").array(|out| {
                    out.object(|out| out.key("text").string(text));
                });
            });
        });
        out.key("stopReason").string(converse_reason(finish));
        converse_usage(used, out);
    });
}

/// AWS, `ConverseStream`: its events.
fn converse_event(event: &Event<'_>, out: &mut Vec<u8>) {
    let mut say = |name: &str, write: &dyn Fn(&mut Writer<'_>)| {
        let mut payload = Vec::new();
        Writer::new(&mut payload).object(|out| write(out));
        eventstream::write(Kind::Event, name, &payload, out);
    };
    match event {
        Event::Start { .. } => say("messageStart", &|out| out.key("role").string("assistant")),
        Event::Text(text) => say("contentBlockDelta", &|out| {
            out.key("contentBlockIndex").number(0);
            out.key("delta").object(|out| out.key("text").string(text));
        }),
        Event::Finish { finish, .. } => {
            say("contentBlockStop", &|out| {
                out.key("contentBlockIndex").number(0);
            });
            say("messageStop", &|out| {
                out.key("stopReason").string(converse_reason(*finish));
            });
        }
        Event::Usage(used) => say("metadata", &|out| converse_usage(*used, out)),
        _ => {}
    }
}

const fn cohere_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Length => "MAX_TOKENS",
        _ => "COMPLETE",
    }
}

fn cohere_usage(used: Usage, out: &mut Writer<'_>) {
    out.key("usage").object(|out| {
        for unit in ["billed_units", "tokens"] {
            out.key(unit).object(|out| {
                out.key("input_tokens").number(used.input);
                out.key("output_tokens").number(used.output);
            });
        }
    });
}

/// Cohere, *Chat* (v2): the response.
fn cohere(out: &mut Writer<'_>, id: &str, text: &str, finish: Finish, used: Usage) {
    out.object(|out| {
        out.key("id").string(id);
        out.key("finish_reason").string(cohere_reason(finish));
        out.key("message").object(|out| {
            out.key("role").string("assistant");
            out.key("content").array(|out| {
                out.object(|out| {
                    out.key("type").string("text");
                    out.key("text").string(text);
                });
            });
        });
        cohere_usage(used, out);
    });
}

/// Cohere, *Chat with streaming* (v2): its events. The last one has the reason and the usage.
fn cohere_event(event: &Event<'_>, last: &mut Option<(Finish, Usage)>, out: &mut Vec<u8>) {
    let mut say = |name: &str, write: &dyn Fn(&mut Writer<'_>)| {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\ndata: ");
        Writer::new(out).object(|out| {
            out.key("type").string(name);
            write(out);
        });
        out.extend_from_slice(b"\n\n");
    };
    let content = |out: &mut Writer<'_>, text: &str| {
        out.key("index").number(0);
        out.key("delta").object(|out| {
            out.key("message").object(|out| {
                out.key("content")
                    .object(|out| out.key("text").string(text));
            });
        });
    };
    match event {
        Event::Start { id, .. } => {
            say("message-start", &|out| {
                out.key("id").string(id);
                out.key("delta").object(|out| {
                    out.key("message")
                        .object(|out| out.key("role").string("assistant"));
                });
            });
            say("content-start", &|out| content(out, ""));
        }
        Event::Text(text) => say("content-delta", &|out| content(out, text)),
        Event::Finish { finish, .. } => {
            say("content-end", &|out| out.key("index").number(0));
            *last = Some((*finish, Usage::default()));
        }
        Event::Usage(used) => {
            if let Some((_, known)) = last {
                *known = *used;
            }
        }
        Event::End => {
            let (finish, used) = last.take().unwrap_or_default();
            say("message-end", &|out| {
                out.key("delta").object(|out| {
                    out.key("finish_reason").string(cohere_reason(finish));
                    cohere_usage(used, out);
                });
            });
        }
        _ => {}
    }
}
