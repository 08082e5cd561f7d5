//! What a request asks of a simulated provider, read as leniently as a demo may: unknown members are ignored, and what
//! is missing has a default.

use crate::base::RequestId;
use crate::dialect::format::Format;
use crate::wire::json::walk::{Cursor, Shape, unquoted};

/// One request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Asked<'a> {
    /// What is wanted.
    pub wanted: Wanted,
    /// In which format.
    pub format: Format,
    /// The model, as written between its quotes or in the path; empty where missing.
    pub model: &'a str,
    /// `max_tokens`, `max_completion_tokens` or `max_output_tokens`.
    pub words_max: Option<u32>,
    /// Words of an assistant message at the end of the conversation: the answer goes on from there.
    pub said: u32,
    /// The prompt's length, for `usage`: a token is taken for four bytes.
    pub prompt_tokens: u32,
    /// Ends up in the answer's ids.
    pub id: RequestId,
    /// The answer's `created`, in seconds since 1970.
    pub created: u64,
}

/// What a request wants back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wanted {
    /// A plain chat answer.
    Answer,
    /// A chat answer as a stream.
    Stream {
        /// `stream_options.include_usage`
        usage: bool,
    },
    /// Vectors.
    Embeddings {
        /// How many texts were given, at least 1.
        inputs: u32,
        /// Numbers in each vector.
        dimensions: u32,
    },
    /// The list of models.
    Models,
    /// Nothing that is served here.
    Unserved,
}

/// Texts of one request for embeddings that are answered; OpenAI's own bound.
const INPUTS_MAX: u32 = 2_048;
/// Numbers in a vector unless the request says otherwise, and the most it may say.
const DIMENSIONS: u32 = 16;
const DIMENSIONS_MAX: u32 = 3_072;

impl<'a> Asked<'a> {
    /// Reads a request. Any prefix of the path is taken for the base address.
    pub fn read(method: &str, path: &'a str, body: &'a [u8], id: RequestId, created: u64) -> Self {
        let mut members = Members::of(body);
        let path = path.trim_end_matches('/');
        let place = place(path).filter(|_| method == "POST");
        if let Some((_, Some((model, stream)))) = place {
            members.model = model;
            members.stream = stream;
        }
        let wanted = match method {
            _ if place.is_some() && members.stream => Wanted::Stream {
                usage: members.usage,
            },
            _ if place.is_some() => Wanted::Answer,
            "POST" if path.ends_with("/embeddings") => Wanted::Embeddings {
                inputs: members.inputs.clamp(1, INPUTS_MAX),
                dimensions: members
                    .dimensions
                    .unwrap_or(DIMENSIONS)
                    .clamp(1, DIMENSIONS_MAX),
            },
            "GET" if path.ends_with("/models") => Wanted::Models,
            _ => Wanted::Unserved,
        };
        Self {
            wanted,
            format: place.map_or(Format::Chat, |(format, _)| format),
            model: members.model,
            words_max: members.words_max,
            said: members.said,
            prompt_tokens: u32::try_from(body.len() / 4).unwrap_or(u32::MAX),
            id,
            created,
        }
    }
}

/// The format that is spoken at a path, and what a path says of the model and of the answer's form.
fn place(path: &str) -> Option<(Format, Option<(&str, bool)>)> {
    let (before, last) = path.rsplit_once('/')?;
    let named = |format, model, stream| Some((format, Some((model, stream))));
    match last {
        "completions" if before.ends_with("/chat") => Some((Format::Chat, None)),
        "responses" => Some((Format::Responses, None)),
        "messages" => Some((Format::Messages, None)),
        "chat" => Some((Format::Cohere, None)),
        "converse" | "converse-stream" => {
            let (_, model) = before.rsplit_once('/')?;
            named(Format::Converse, model, last != "converse")
        }
        _ => match last.rsplit_once(':')? {
            (model, "generateContent") => named(Format::Gemini, model, false),
            (model, "streamGenerateContent") => named(Format::Gemini, model, true),
            _ => None,
        },
    }
}

#[derive(Default)]
struct Members<'a> {
    model: &'a str,
    stream: bool,
    usage: bool,
    words_max: Option<u32>,
    said: u32,
    inputs: u32,
    dimensions: Option<u32>,
}

impl<'a> Members<'a> {
    fn of(body: &'a [u8]) -> Self {
        let mut members = Self::default();
        let mut cursor = Cursor::new(body);
        if cursor.enter(b'{').is_some() {
            while let Some(key) = cursor.member()
                && let Some(value) = cursor.value()
            {
                members.take(key, value);
            }
        }
        members
    }

    fn take(&mut self, key: &[u8], value: &'a [u8]) {
        match key {
            b"model" if value.starts_with(b"\"") => {
                self.model = std::str::from_utf8(unquoted(value)).unwrap_or_default();
            }
            b"stream" => self.stream = value == b"true",
            b"stream_options" => self.usage = includes_usage(value),
            b"max_tokens" | b"max_completion_tokens" | b"max_output_tokens" => {
                self.words_max = number(value);
            }
            b"messages" | b"contents" => self.said = said(value).unwrap_or_default(),
            b"dimensions" => self.dimensions = number(value),
            b"input" => self.inputs = inputs(value),
            _ => {}
        }
    }
}

/// Words in the last message, if it is the assistant's.
fn said(messages: &[u8]) -> Option<u32> {
    let mut cursor = Cursor::new(messages);
    cursor.enter(b'[')?;
    let mut last = None;
    while cursor.element() {
        last = Some(cursor.value()?);
    }
    let mut message = Cursor::new(last?);
    message.enter(b'{')?;
    let (mut own, mut words) = (false, 0);
    while let Some(key) = message.member() {
        let value = message.value()?;
        match key {
            b"role" => own = matches!(value, b"\"assistant\"" | b"\"model\""),
            b"content" | b"parts" => words = words_of(value),
            _ => {}
        }
    }
    own.then(|| u32::try_from(words).unwrap_or(u32::MAX))
}

/// Words of a text, or of all texts of a list of blocks.
fn words_of(content: &[u8]) -> usize {
    if content.starts_with(b"\"") {
        let spelt = unquoted(content).split(|&byte| byte == b' ');
        return spelt.filter(|word| !word.is_empty()).count();
    }
    let mut cursor = Cursor::new(content);
    let mut words = 0;
    if cursor.enter(b'[').is_none() {
        return 0;
    }
    while cursor.element()
        && let Some(block) = cursor.value()
    {
        let mut block = Cursor::new(block);
        if block.enter(b'{').is_none() {
            continue;
        }
        while let Some(key) = block.member()
            && let Some(value) = block.value()
        {
            if key == b"text" {
                words += words_of(value);
            }
        }
    }
    words
}

fn number(value: &[u8]) -> Option<u32> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn includes_usage(options: &[u8]) -> bool {
    let mut cursor = Cursor::new(options);
    if cursor.enter(b'{').is_none() {
        return false;
    }
    while let Some(key) = cursor.member()
        && let Some(value) = cursor.value()
    {
        if key == b"include_usage" {
            return value == b"true";
        }
    }
    false
}

/// Texts in `input`: a string is one, a list of numbers (tokens) is one, any other list is as many as it has.
fn inputs(value: &[u8]) -> u32 {
    let mut cursor = Cursor::new(value);
    if cursor.enter(b'[').is_none() {
        return 1;
    }
    let mut count = 0_u32;
    while cursor.element() {
        if cursor.shape() == Some(Shape::Scalar) {
            return 1;
        }
        if cursor.value().is_none() {
            break;
        }
        count = count.saturating_add(1);
    }
    count
}
