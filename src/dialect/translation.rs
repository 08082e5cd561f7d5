//! One format said in another: a request on its way out, an answer on its way back, whole or as it comes.

use crate::dialect::client::{
    StreamWriter, conversation, echo, in_json_schema, read_request, write_answer,
};
use crate::dialect::codec::{BadAnswer, Destination, Echo, Reply};
use crate::dialect::embeddings;
use crate::dialect::format::Format;
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::provider::{
    StreamReader, read_answer, read_embeddings, write_embeddings, write_request,
};
use crate::dialect::turn::{Answer, Event, Finish, Part, Usage};
use crate::wire::eventstream;
use crate::wire::json::{BadJson, Node, Surrogates, Tree, Writer};
use crate::wire::sse;

/// What was asked of embeddings, as far as their answer hangs on it.
#[derive(Clone, Copy, Debug, Default)]
pub struct AskedEmbeddings {
    /// How many there have to be.
    count: usize,
    /// In base64 rather than as numbers.
    base64: bool,
}

/// Says a request for embeddings in a provider's format, as [`request`] does.
///
/// # Errors
/// As [`request`].
pub fn embeddings_request(
    body: &mut [u8],
    to: &Destination<'_>,
    provider: Format,
    out: &mut Vec<u8>,
) -> Result<(Losses, AskedEmbeddings), Untold> {
    let tree = Tree::parse(body)?;
    let mut asked = embeddings::read(tree.root())?;
    let mut dropped = std::mem::take(&mut asked.dropped);
    write_embeddings(provider, &asked, to, &mut dropped, &mut Writer::new(out))?;
    let kept = AskedEmbeddings {
        count: asked.texts.len(),
        base64: asked.base64,
    };
    Ok((dropped, kept))
}

/// Says a provider's embeddings as OpenAI's clients read them; returns what they took.
///
/// # Errors
/// They are not what was asked for.
pub fn embeddings_answer(
    body: &mut [u8],
    provider: Format,
    asked: AskedEmbeddings,
    model: &str,
    out: &mut Vec<u8>,
) -> Result<Option<Usage>, BadAnswer> {
    let tree = Tree::parse(body).map_err(|_| BadAnswer {
        reason: "it is not JSON",
    })?;
    let embedded = read_embeddings(provider, tree.root(), asked.count)?;
    embeddings::write(&embedded, asked.base64, model, &mut Writer::new(out));
    let usage = Usage {
        input: embedded.tokens,
        ..Usage::default()
    };
    Ok((embedded.tokens > 0).then_some(usage))
}

/// Why a request cannot be said in another format.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Untold {
    /// It is not JSON.
    Json(BadJson),
    /// It says something for which there are no words.
    Unsupported(Unsupported),
}

impl From<BadJson> for Untold {
    fn from(bad: BadJson) -> Self {
        Self::Json(bad)
    }
}

impl From<Unsupported> for Untold {
    fn from(unsupported: Unsupported) -> Self {
        Self::Unsupported(unsupported)
    }
}

/// What a request that is said in another format leaves for its answer.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// What was dropped.
    pub dropped: Losses,
    /// The client wants the usage of a stream.
    pub stream_usage: bool,
    /// What the answer repeats of the request.
    pub echo: Echo,
}

/// Says a client's request in a provider's format, behind what is in `out`. `body` is the client's, and is used up. `stream`
/// is whether the answer is to come as it is made.
///
/// # Errors
/// The body is not JSON, or says something that the provider's format cannot say.
pub fn request(
    body: &mut [u8],
    client: Format,
    to: &Destination<'_>,
    provider: Format,
    stream: bool,
    out: &mut Vec<u8>,
) -> Result<Said, Untold> {
    let tree = Tree::parse(body)?;
    match in_json_schema(client, tree.root()) {
        None => say(tree.root(), client, to, provider, stream, out),
        Some(mut plain) => {
            let tree = Tree::parse(&mut plain)?;
            say(tree.root(), client, to, provider, stream, out)
        }
    }
}

fn say(
    body: Node<'_>,
    client: Format,
    to: &Destination<'_>,
    provider: Format,
    stream: bool,
    out: &mut Vec<u8>,
) -> Result<Said, Untold> {
    let mut turn = read_request(client, body)?;
    turn.stream = stream;
    if turn.messages.is_empty() && turn.system.is_empty() {
        let why = "is empty: there is nothing to answer";
        return Err(Unsupported::new(conversation(client), why).into());
    }
    let mut dropped = std::mem::take(&mut turn.dropped);
    write_request(provider, &turn, to, &mut dropped, &mut Writer::new(out))?;
    Ok(Said {
        dropped,
        stream_usage: turn.stream_usage,
        echo: echo(client, body),
    })
}

/// Says a provider's whole answer in a client's format, behind what is in `out`; returns what it took. `body` is the
/// provider's, and is used up.
///
/// # Errors
/// It is no answer, or an answer that says nothing although nothing kept it from it.
pub fn answer(
    body: &mut [u8],
    provider: Format,
    client: Format,
    reply: &Reply,
    out: &mut Vec<u8>,
) -> Result<Option<Usage>, BadAnswer> {
    let tree = Tree::parse(body).map_err(|_| BadAnswer {
        reason: "it is not JSON",
    })?;
    let answer = read_answer(provider, tree.root())?;
    match answer.finish {
        Finish::Failed => Err(BadAnswer {
            reason: "the model failed",
        }),
        Finish::Stop | Finish::ToolCalls if says_nothing(&answer) => Err(BadAnswer {
            reason: "it says nothing",
        }),
        _ => {
            write_answer(client, &answer, reply, &mut Writer::new(out));
            Ok(answer.usage)
        }
    }
}

/// Whether there is nothing in an answer that anybody could read: no part, or seals of thoughts only.
fn says_nothing(answer: &Answer<'_>) -> bool {
    let is_seal = |part: &Part<'_>| matches!(part, Part::Reasoning(it) if it.text.is_empty());
    answer.parts.iter().all(is_seal)
}

/// What some events of a stream amount to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Seen {
    /// Something that the client waits for.
    pub content: bool,
    /// How the answer ended.
    pub finish: bool,
    /// The mark of a complete stream.
    pub end: bool,
    /// The provider reports an error; what came before it is good.
    pub error: bool,
    /// What the answer took so far, if they say it.
    pub usage: Option<Usage>,
}

impl Seen {
    const fn note(&mut self, event: &Event<'_>) {
        match event {
            Event::Text(_)
            | Event::Refusal(_)
            | Event::Reasoning(_)
            | Event::Redacted(_)
            | Event::ToolCall { .. }
            | Event::ToolArguments { .. } => self.content = true,
            // A failed answer is none.
            Event::Finish {
                finish: Finish::Failed,
                ..
            }
            | Event::Error => self.error = true,
            Event::Finish { .. } => self.finish = true,
            Event::End => self.end = true,
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Start { .. } | Event::Signature(_) => {}
        }
    }
}

/// Looks at the events of a stream that passes as it is, in a format other than Chat Completions.
#[derive(Debug)]
pub struct Watcher(StreamReader);

impl Watcher {
    /// Of a stream in `format`.
    pub fn new(format: Format) -> Self {
        Self(StreamReader::new(format))
    }

    /// What one event amounts to. `data` is used up.
    pub fn see(&mut self, name: &[u8], data: &mut [u8]) -> Seen {
        let mut seen = Seen::default();
        let name = std::str::from_utf8(name).unwrap_or_default();
        self.0.read(name, data, &mut |event| seen.note(&event));
        seen
    }
}

/// Says a provider's stream in a client's format as it comes.
#[derive(Debug)]
pub struct Translator {
    framing: Framing,
    reader: StreamReader,
    writer: StreamWriter,
    /// The beginning of an event that is not complete.
    rest: Vec<u8>,
    /// Data of one event, which reading uses up.
    data: Vec<u8>,
    /// Characters that the provider cuts in two.
    surrogates: Surrogates,
    /// Room to join data of several lines.
    several: Vec<u8>,
    seen: Seen,
    /// The data of the event that reports an error.
    error: Vec<u8>,
    /// And its name, where its format names errors by that.
    error_name: String,
}

#[derive(Debug)]
enum Framing {
    Sse(sse::Splitter),
    EventStream,
}

/// The stream's framing is broken, or an event of it is too long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BrokenFraming;

impl Translator {
    /// Of a stream that a provider sends in `provider` to a client that speaks `client`.
    pub fn new(provider: Format, client: Format, reply: Reply) -> Self {
        Self {
            framing: match provider {
                Format::Converse => Framing::EventStream,
                _ => Framing::Sse(sse::Splitter::new()),
            },
            reader: StreamReader::new(provider),
            writer: StreamWriter::new(client, reply),
            rest: Vec::new(),
            data: Vec::new(),
            surrogates: Surrogates::default(),
            several: Vec::new(),
            seen: Seen::default(),
            error: Vec::new(),
            error_name: String::new(),
        }
    }

    /// Takes in more of the stream — all of it, if `ended` — and appends what it says to `out`; tells what the new events
    /// amount to. Behind an error nothing is taken in.
    ///
    /// # Errors
    /// See [`BrokenFraming`].
    pub fn feed(
        &mut self,
        bytes: &[u8],
        ended: bool,
        out: &mut Vec<u8>,
    ) -> Result<Seen, BrokenFraming> {
        let before = std::mem::take(&mut self.seen);
        self.rest.extend_from_slice(bytes);
        let rest = std::mem::take(&mut self.rest);
        let mut at = 0;
        while !self.seen.error {
            let unread = rest.get(at..).unwrap_or_default();
            match self.next_event(unread, ended, out)? {
                Some(length) if length > 0 => at += length,
                _ => break,
            }
        }
        self.rest = rest;
        self.rest.drain(..at.min(self.rest.len()));
        let seen = self.seen;
        self.seen = Seen {
            content: before.content || seen.content,
            finish: before.finish || seen.finish,
            end: before.end || seen.end,
            error: before.error || seen.error,
            usage: seen.usage.or(before.usage),
        };
        Ok(seen)
    }

    /// Takes the event at the front of `unread`, if it is complete; tells its length.
    fn next_event(
        &mut self,
        unread: &[u8],
        ended: bool,
        out: &mut Vec<u8>,
    ) -> Result<Option<usize>, BrokenFraming> {
        match &mut self.framing {
            Framing::Sse(splitter) => {
                let event = match splitter.next(unread).map_err(|_| BrokenFraming)? {
                    None if ended => std::mem::take(splitter).finish(unread),
                    event => event,
                };
                let Some(event) = event else { return Ok(None) };
                if let Some(data) = event.data(unread, &mut self.several) {
                    self.data.clear();
                    self.data.extend_from_slice(data);
                    self.surrogates.mend(&mut self.data);
                    let name = std::str::from_utf8(event.name(unread)).unwrap_or_default();
                    self.take(name, out);
                    if self.seen.error {
                        let data = event.data(unread, &mut self.several);
                        self.error = data.unwrap_or_default().to_vec();
                    }
                }
                Ok(Some(event.len))
            }
            Framing::EventStream => {
                let message = eventstream::message_at_front(unread).map_err(|_| BrokenFraming)?;
                let Some(message) = message else {
                    return Ok(None);
                };
                let (name, payload) = (message.name(unread), message.payload(unread));
                self.seen.error |= message.kind != eventstream::Kind::Event;
                if !self.seen.error {
                    self.data.clear();
                    self.data.extend_from_slice(payload);
                    self.take(name, out);
                }
                if self.seen.error {
                    self.error = payload.to_vec();
                    name.clone_into(&mut self.error_name);
                }
                Ok(Some(message.len))
            }
        }
    }

    /// Takes the event whose data was copied.
    fn take(&mut self, name: &str, out: &mut Vec<u8>) {
        let (seen, writer) = (&mut self.seen, &mut self.writer);
        self.reader.read(name, &mut self.data, &mut |event| {
            if seen.error {
                return;
            }
            seen.note(&event);
            // An end that is a failure is told as the client's format tells errors, not as an end.
            if !seen.error {
                writer.write(&event, out);
            }
        });
    }

    /// The stream has come to its end, and all was said: appends how the client's format says that.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        if !self.seen.end {
            self.seen.end = true;
            self.writer.write(&Event::End, out);
        }
    }

    /// The name, where errors go by names, and the data of the event that reported an error.
    pub fn error(&self) -> (&str, &[u8]) {
        (&self.error_name, &self.error)
    }
}
