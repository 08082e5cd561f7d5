//! What a client asks and is told, by the format that it speaks. One `match` for each question: the formats themselves
//! know nothing of each other.

use crate::dialect::codec::{Echo, Reply};
use crate::dialect::format::Format;
use crate::dialect::loss::Unsupported;
use crate::dialect::openai::{self, ClientError};
use crate::dialect::turn::{Answer, Event, Turn};
use crate::dialect::{chat, gemini, messages, responses};
use crate::wire::json::{Node, Writer};

/// Reads a request in `format`, one that clients speak.
pub(super) fn read_request(format: Format, body: Node<'_>) -> Result<Turn<'_>, Unsupported> {
    match format {
        Format::Responses => responses::read_request(body),
        Format::Messages => messages::read_request(body),
        Format::Gemini => gemini::read_request(body),
        Format::Chat | Format::Converse | Format::Cohere => chat::read_request(body),
    }
}

/// The member of a request in `format` that holds the conversation.
pub(super) const fn conversation(format: Format) -> &'static str {
    match format {
        Format::Responses => "input",
        Format::Gemini => "contents",
        Format::Chat | Format::Messages | Format::Converse | Format::Cohere => "messages",
    }
}

/// The request with its schemas in JSON Schema, to be read in its place; `None` if they are already.
pub(super) fn in_json_schema(format: Format, body: Node<'_>) -> Option<Vec<u8>> {
    match format {
        Format::Gemini => gemini::in_json_schema(body),
        _ => None,
    }
}

/// What an answer in `format` repeats of its request.
pub(super) fn echo(format: Format, body: Node<'_>) -> Echo {
    match format {
        Format::Responses => responses::echo(body),
        _ => Echo::default(),
    }
}

/// Writes a whole answer in `format`, one that clients speak.
pub fn write_answer(format: Format, answer: &Answer<'_>, reply: &Reply, out: &mut Writer<'_>) {
    match format {
        Format::Responses => responses::write_answer(answer, reply, out),
        Format::Messages => messages::write_answer(answer, reply, out),
        Format::Gemini => gemini::write_answer(answer, reply, out),
        Format::Chat | Format::Converse | Format::Cohere => chat::write_answer(answer, reply, out),
    }
}

/// The status of an error, for a client that speaks `format`: where formats have statuses of their own.
pub fn error_status(format: Format, error: &ClientError<'_>) -> u16 {
    match format {
        Format::Messages => messages::error_status(error),
        _ => error.status,
    }
}

/// Appends the envelope of an error, for a client that speaks `format`. `request` is its name for logs.
pub fn error_body(format: Format, error: &ClientError<'_>, request: &str, out: &mut Vec<u8>) {
    match format {
        Format::Messages => messages::error_body(error, request, out),
        Format::Gemini => gemini::error_body(error, request, out),
        Format::Chat | Format::Responses | Format::Converse | Format::Cohere => {
            openai::error_body(out, error);
        }
    }
}

/// Appends an error as an event of a stream whose 200 has been sent.
pub fn error_event(format: Format, error: &ClientError<'_>, out: &mut Vec<u8>) {
    match format {
        Format::Responses => responses::error_event(error, out),
        Format::Messages => messages::error_event(error, out),
        Format::Gemini => gemini::error_event(error, out),
        Format::Chat | Format::Converse | Format::Cohere => openai::error_event(out, error),
    }
}

/// Writes a stream's events.
#[derive(Debug)]
pub enum StreamWriter {
    /// For clients of Chat Completions.
    Chat(chat::Writer),
    /// Of Responses.
    Responses(Box<responses::Writer>),
    /// Of Anthropic Messages.
    Messages(messages::Writer),
    /// Of Gemini.
    Gemini(gemini::Writer),
}

impl StreamWriter {
    /// For a client that speaks `format`.
    pub fn new(format: Format, reply: Reply) -> Self {
        match format {
            Format::Responses => Self::Responses(Box::new(responses::Writer::new(reply))),
            Format::Messages => Self::Messages(messages::Writer::new(reply)),
            Format::Gemini => Self::Gemini(gemini::Writer::new(reply)),
            Format::Chat | Format::Converse | Format::Cohere => {
                Self::Chat(chat::Writer::new(reply))
            }
        }
    }

    /// Appends what `event` is there.
    pub fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Chat(writer) => writer.write(event, out),
            Self::Responses(writer) => writer.write(event, out),
            Self::Messages(writer) => writer.write(event, out),
            Self::Gemini(writer) => writer.write(event, out),
        }
    }
}
