//! What a provider is asked and what its answers mean, by the format that it is asked in. One `match` for each question:
//! the formats themselves know nothing of each other.

use crate::base::Outcome;
use crate::dialect::codec::{BadAnswer, Destination};
use crate::dialect::embeddings::Embedded;
use crate::dialect::format::Format;
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::openai::{self, StreamEnd};
use crate::dialect::route::Operation;
use crate::dialect::turn::{Answer, Event, Turn};
use crate::dialect::{chat, cohere, converse, embeddings, gemini, messages, responses};
use crate::policy::model::{Endpoint, Provider, ProviderKind};
use crate::wire::json::{Node, Tree, Writer};

/// Where a provider is asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Who.
    pub provider: &'a Provider,
    /// Which of its endpoints.
    pub endpoint: &'a Endpoint,
    /// In which format.
    pub format: Format,
    /// The provider's name for the model.
    pub model: &'a str,
    /// Tokens of the model's longest answer, where it is known.
    pub max_output: Option<u64>,
    /// The answer is to come as it is made.
    pub stream: bool,
}

impl Asked<'_> {
    /// Appends the request target — path and query — for `operation`.
    pub fn path(&self, operation: Operation, out: &mut Vec<u8>) {
        let base = self.endpoint.base_path.trim_end_matches('/');
        match (operation, self.format) {
            (Operation::CountTokens, _) => {
                out.extend_from_slice(base.as_bytes());
                out.extend_from_slice(b"/messages/count_tokens");
            }
            (Operation::Embeddings, Format::Gemini) => {
                gemini::embeddings::path(base, &self.destination(), out);
            }
            (Operation::Embeddings, Format::Cohere) => cohere::embeddings::path(base, out),
            (Operation::Embeddings, Format::Converse) => {
                converse::embeddings::path(base, self.model, out);
            }
            (Operation::Embeddings, _) | (_, Format::Chat) => {
                openai::path(self.provider, self.endpoint, operation, self.model, out);
            }
            (_, Format::Responses) => {
                let operation = Operation::Generate(Format::Responses);
                openai::path(self.provider, self.endpoint, operation, self.model, out);
            }
            (_, Format::Messages) => {
                out.extend_from_slice(base.as_bytes());
                out.extend_from_slice(b"/messages");
            }
            (_, Format::Gemini) => gemini::path(base, self.model, self.stream, out),
            (_, Format::Cohere) => cohere::path(base, out),
            (_, Format::Converse) => converse::path(base, self.model, self.stream, out),
        }
    }

    /// The same for whoever writes the body.
    pub const fn destination(&self) -> Destination<'_> {
        Destination {
            kind: self.provider.kind,
            model: self.model,
            max_output: self.max_output,
        }
    }

    /// Appends the fields that every request in the format has, beside those that all requests have. `told`: the client
    /// speaks the format too, and what it says of the format's version passes.
    pub fn fields(&self, told: bool, out: &mut Vec<u8>) {
        if self.format == Format::Messages && !told {
            out.extend_from_slice(b"anthropic-version: 2023-06-01\r\n");
        }
    }

    /// Whether `model` in the body must be the provider's name for it.
    pub fn model_in_body(&self) -> bool {
        match self.format {
            Format::Gemini | Format::Converse => false,
            Format::Chat | Format::Responses => openai::model_in_body(self.provider, self.endpoint),
            Format::Messages | Format::Cohere => true,
        }
    }
}

/// Whether a part of a request may hold what [`without_foreign`] changes for a provider of this kind.
///
/// PERF: asked of every request that passes, so that hardly one is copied.
pub fn may_hold_foreign(format: Format, kind: ProviderKind, part: &[u8]) -> bool {
    match format {
        Format::Chat => chat::may_hold_foreign(kind, part),
        Format::Responses => responses::may_hold_own_thoughts(part),
        Format::Messages => messages::may_hold_unsigned_thoughts(part),
        Format::Gemini | Format::Converse | Format::Cohere => false,
    }
}

/// A request that passes as it is but for what an answer of another provider left in it, and this one refuses: thoughts, and
/// names of calls. `None` where there is nothing of that.
pub fn without_foreign(format: Format, kind: ProviderKind, body: &[u8]) -> Option<Vec<u8>> {
    match format {
        Format::Chat => chat::without_foreign(kind, body),
        Format::Responses => responses::without_own_thoughts(body),
        Format::Messages => messages::without_unsigned_thoughts(body),
        Format::Gemini | Format::Converse | Format::Cohere => None,
    }
}

/// Whether a provider of this kind, asked in Chat Completions, says what a stream takes when it is asked to, and only then.
pub const fn says_usage_if_asked(kind: ProviderKind) -> bool {
    chat::says_usage_if_asked(kind)
}

/// Writes a request in `format`.
pub(super) fn write_request(
    format: Format,
    turn: &Turn<'_>,
    to: &Destination<'_>,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    match format {
        Format::Chat => chat::write_request(turn, to, losses, out),
        Format::Cohere => cohere::write_request(turn, to, losses, out),
        Format::Responses => responses::write_request(turn, to, losses, out),
        Format::Messages => messages::write_request(turn, to, losses, out),
        Format::Gemini => gemini::write_request(turn, to, losses, out),
        Format::Converse => converse::write_request(turn, to, losses, out),
    }
}

/// Reads a whole answer in `format`.
pub(super) fn read_answer(format: Format, body: Node<'_>) -> Result<Answer<'_>, BadAnswer> {
    match format {
        Format::Chat => chat::read_answer(body),
        Format::Cohere => cohere::read_answer(body),
        Format::Responses => responses::read_answer(body),
        Format::Messages => messages::read_answer(body),
        Format::Gemini => gemini::read_answer(body),
        Format::Converse => converse::read_answer(body),
    }
}

/// Writes a request for embeddings in `format`.
pub(super) fn write_embeddings(
    format: Format,
    asked: &embeddings::Asked<'_>,
    to: &Destination<'_>,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    match format {
        Format::Gemini => {
            gemini::embeddings::write(asked, to, losses, out);
            Ok(())
        }
        Format::Cohere => cohere::embeddings::write(asked, to, out),
        Format::Converse => converse::embeddings::write(asked, to, losses, out),
        Format::Chat | Format::Responses | Format::Messages => {
            let why = "asks for embeddings, which the provider's format does not have";
            Err(Unsupported::new("path", why))
        }
    }
}

/// Reads an answer in `format` to a request for embeddings of as many `texts`.
pub(super) fn read_embeddings(
    format: Format,
    body: Node<'_>,
    texts: usize,
) -> Result<Embedded<'_>, BadAnswer> {
    match format {
        Format::Gemini => gemini::embeddings::read(body, texts),
        Format::Cohere => cohere::embeddings::read(body, texts),
        Format::Converse => converse::embeddings::read(body, texts),
        Format::Chat | Format::Responses | Format::Messages => Err(BadAnswer {
            reason: "its format has no embeddings",
        }),
    }
}

/// What a whole answer means: `body` is all of it, decoded from its transfer coding. `error` is the kind of error that the
/// head names ([`error_field`]), `""` where it names none.
pub fn outcome_of(
    format: Format,
    kind: ProviderKind,
    status: u16,
    error: &str,
    body: &[u8],
) -> Outcome {
    match format {
        Format::Chat => openai::outcome_of(kind, status, body),
        Format::Cohere => cohere::outcome_of(status, body),
        Format::Responses => responses::outcome_of(kind, status, body),
        Format::Messages => messages::outcome_of(status, body),
        Format::Gemini => gemini::outcome_of(status, body),
        Format::Converse => {
            converse::outcome_of(status, Some(error).filter(|error| !error.is_empty()), body)
        }
    }
}

/// The header field in which answers name the kind of their error, in formats where they do.
pub const fn error_field(format: Format) -> Option<&'static str> {
    match format {
        Format::Converse => Some("x-amzn-errortype"),
        _ => None,
    }
}

/// What an error inside a stream means: `data` is that of its event, `name` its name in formats where errors go by names.
pub fn outcome_of_error(format: Format, kind: ProviderKind, name: &str, data: &[u8]) -> Outcome {
    match format {
        Format::Chat => openai::outcome_of_error(kind, data),
        Format::Cohere => cohere::outcome_of_error(data),
        Format::Responses => responses::outcome_of_error(kind, data),
        Format::Messages => messages::outcome_of_error(data),
        Format::Gemini => gemini::outcome_of_error(data),
        Format::Converse => converse::outcome_of_exception(name, data),
    }
}

/// How a provider ends a stream.
pub const fn stream_end(format: Format, kind: ProviderKind) -> StreamEnd {
    match format {
        Format::Chat => openai::stream_end(kind),
        // No mark of its own; Bedrock's last event only tells the usage, and Cohere did not always send `[DONE]`.
        Format::Gemini | Format::Converse | Format::Cohere => StreamEnd::Finish,
        Format::Responses | Format::Messages => StreamEnd::Done,
    }
}

/// Reads a stream's events.
#[derive(Debug)]
pub(super) enum StreamReader {
    Chat(chat::Reader),
    Responses(responses::Reader),
    Messages(messages::Reader),
    Gemini(gemini::Reader),
    Converse(converse::Reader),
    Cohere(cohere::Reader),
}

impl StreamReader {
    pub(super) fn new(format: Format) -> Self {
        match format {
            Format::Chat => Self::Chat(chat::Reader::default()),
            Format::Cohere => Self::Cohere(cohere::Reader::default()),
            Format::Responses => Self::Responses(responses::Reader::default()),
            Format::Messages => Self::Messages(messages::Reader::default()),
            Format::Gemini => Self::Gemini(gemini::Reader::default()),
            Format::Converse => Self::Converse(converse::Reader::default()),
        }
    }

    /// Takes one event. Its data is used up; what is no JSON says nothing.
    pub(super) fn read(&mut self, name: &str, data: &mut [u8], take: &mut dyn FnMut(Event<'_>)) {
        if data.trim_ascii_start().starts_with(b"[DONE]") {
            return take(Event::End);
        }
        let Ok(tree) = Tree::parse(data) else { return };
        let data = tree.root();
        match self {
            Self::Chat(reader) => reader.read(name, data, take),
            Self::Responses(reader) => reader.read(name, data, take),
            Self::Messages(reader) => reader.read(name, data, take),
            Self::Gemini(reader) => reader.read(name, data, take),
            Self::Converse(reader) => reader.read(name, data, take),
            Self::Cohere(reader) => reader.read(name, data, take),
        }
    }
}
