//! What a request asks of a simulated provider, read as leniently as a demo may: unknown members are ignored, and what
//! is missing has a default.

use crate::base::RequestId;
use crate::wire::json::walk::{Cursor, Shape, unquoted};

/// One request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Asked<'a> {
    /// What is wanted.
    pub wanted: Wanted,
    /// The model, as written between its quotes; empty where missing.
    pub model: &'a str,
    /// `max_tokens` or `max_completion_tokens`.
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
    pub fn read(method: &str, path: &str, body: &'a [u8], id: RequestId, created: u64) -> Self {
        let members = Members::of(body);
        let path = path.trim_end_matches('/');
        let wanted = match method {
            "POST" if path.ends_with("/chat/completions") && members.stream => Wanted::Stream {
                usage: members.usage,
            },
            "POST" if path.ends_with("/chat/completions") => Wanted::Answer,
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
            model: members.model,
            words_max: members.words_max,
            said: members.said,
            prompt_tokens: u32::try_from(body.len() / 4).unwrap_or(u32::MAX),
            id,
            created,
        }
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
            b"max_tokens" | b"max_completion_tokens" => self.words_max = number(value),
            b"messages" => self.said = said(value).unwrap_or_default(),
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
            b"role" => own = value == b"\"assistant\"",
            b"content" => {
                let spelt = unquoted(value).split(|&byte| byte == b' ');
                words = spelt.filter(|word| !word.is_empty()).count();
            }
            _ => {}
        }
    }
    own.then(|| u32::try_from(words).unwrap_or(u32::MAX))
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
