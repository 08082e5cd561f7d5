//! The top-level keys of request and answer bodies that a gateway reads. Names only; what their values mean is for the
//! callers.

/// A key that a scan can look for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum Key {
    /// `model`
    Model,
    /// `stream`
    Stream,
    /// `stream_options`
    StreamOptions,
    /// `max_tokens`
    MaxTokens,
    /// `max_completion_tokens`: what `max_tokens` is called for newer models.
    MaxCompletionTokens,
    /// `max_output_tokens`: what `max_tokens` is called in Responses.
    MaxOutputTokens,
    /// `messages`
    Messages,
    /// `input`: of embeddings.
    Input,
    /// `prompt`: of completions.
    Prompt,
    /// `tools`
    Tools,
    /// `response_format`
    ResponseFormat,
    /// `modalities`
    Modalities,
    /// `metadata`
    Metadata,
    /// `n`
    N,
    /// `user`
    User,
    /// `error`: of an answer.
    Error,
    /// `usage`: of an answer.
    Usage,
}

impl Key {
    /// Count of keys.
    pub const COUNT: usize = 17;

    /// The key that `name`, without quotes and escapes, spells.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"model" => Self::Model,
            b"stream" => Self::Stream,
            b"stream_options" => Self::StreamOptions,
            b"max_tokens" => Self::MaxTokens,
            b"max_completion_tokens" => Self::MaxCompletionTokens,
            b"max_output_tokens" => Self::MaxOutputTokens,
            b"messages" => Self::Messages,
            b"input" => Self::Input,
            b"prompt" => Self::Prompt,
            b"tools" => Self::Tools,
            b"response_format" => Self::ResponseFormat,
            b"modalities" => Self::Modalities,
            b"metadata" => Self::Metadata,
            b"n" => Self::N,
            b"user" => Self::User,
            b"error" => Self::Error,
            b"usage" => Self::Usage,
            _ => return None,
        })
    }
}

/// A set of keys.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct KeySet(u32);

impl KeySet {
    /// No key.
    pub const EMPTY: Self = Self(0);

    /// The set with `key` in it.
    #[must_use]
    pub const fn with(self, key: Key) -> Self {
        Self(self.0 | 1 << key as u8)
    }

    /// Whether `key` is in it.
    pub const fn has(self, key: Key) -> bool {
        self.0 & (1 << key as u8) != 0
    }
}

const _: () = assert!(Key::COUNT == Key::Usage as usize + 1 && Key::COUNT <= 32);
