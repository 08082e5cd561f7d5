//! Facts that need a whole document: sizes and kinds of what is deep inside a body. Parses a copy with `simd-json`, as
//! that overwrites its input. Called only when a policy asks for one of these facts; otherwise bodies are scanned.
//!
//! The shapes are those of all formats that clients speak: messages and content parts of Chat Completions and Anthropic's,
//! items of Responses, contents and parts of Gemini's, and of embeddings (`input`) and completions (`prompt`).

use core::fmt;

use simd_json::prelude::ValueAsScalar;
use simd_json::tape::Value;
use simd_json::{Buffers, Tape};

use crate::base::limits::JSON_DEPTH_MAX;
use crate::wire::Extent;

use super::BadJson;

/// What a document was found to hold.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DocumentFacts {
    /// An estimate of the tokens that go in: the bytes of text in the conversation and its instructions, and of all keys
    /// and strings in `tools`, divided by 4 and rounded up. Good to a factor of two for English; data of images, audio and
    /// files is not counted.
    pub tokens_in: u64,
    /// `tools` is an array that is not empty.
    pub tools: bool,
    /// A content part is a picture: of type `image_url`, `input_image` or `image`, or data of a type `image/…`.
    pub images: bool,
    /// A content part is of type `input_audio`, or `modalities` holds `audio`.
    pub audio: bool,
    /// The answer has to fit a schema.
    pub json_schema: bool,
}

/// Parses documents, and keeps its buffers for the next. One per core.
pub struct Inspector {
    copy: Vec<u8>,
    buffers: Buffers,
    tape: Tape<'static>,
    /// The metadata values that were found, one behind the other.
    text: Vec<u8>,
    metadata: Vec<Option<Extent>>,
}

impl Inspector {
    /// With empty buffers; they grow to the largest document.
    pub fn new() -> Self {
        Self {
            copy: Vec::new(),
            buffers: Buffers::with_max_depth(0, JSON_DEPTH_MAX as usize),
            tape: Tape(Vec::new()),
            text: Vec::new(),
            metadata: Vec::new(),
        }
    }

    /// Parses `body` and collects its facts, and the string values of `metadata_keys` from its `metadata`, to be read
    /// with [`Self::metadata`]. Fails if the body is not valid JSON throughout.
    pub fn inspect(
        &mut self,
        body: &[u8],
        metadata_keys: &[Box<str>],
    ) -> Result<DocumentFacts, BadJson> {
        self.text.clear();
        self.metadata.clear();
        self.copy.clear();
        self.copy.extend_from_slice(body);
        let mut tape = core::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let parsed = simd_json::fill_tape(&mut self.copy, &mut self.buffers, &mut tape);
        let facts = parsed
            .map(|()| {
                let document = tape.as_value();
                for key in metadata_keys {
                    let value = document
                        .get("metadata")
                        .and_then(|metadata| metadata.get(&**key));
                    let value = value.as_ref().and_then(ValueAsScalar::as_str);
                    self.metadata.push(value.map(|value| {
                        let start = self.text.len();
                        self.text.extend_from_slice(value.as_bytes());
                        Extent::new(start, self.text.len())
                    }));
                }
                DocumentFacts::of(document)
            })
            .map_err(|error| BadJson {
                offset: error.index(),
                reason: "the body is not valid JSON",
            });
        self.tape = tape.reset();
        facts
    }

    /// The string that the document inspected last has under the key at `index` of its metadata keys, if it has one.
    pub fn metadata(&self, index: usize) -> Option<&str> {
        let place = self.metadata.get(index).copied().flatten()?;
        str::from_utf8(place.of(&self.text)).ok()
    }
}

impl DocumentFacts {
    /// Data in Gemini's form.
    fn data(&mut self, data: Value<'_, '_>) {
        let kind = data.get("mimeType").or_else(|| data.get("mime_type"));
        let kind = kind
            .as_ref()
            .and_then(ValueAsScalar::as_str)
            .unwrap_or_default();
        self.images |= kind.starts_with("image/");
        self.audio |= kind.starts_with("audio/");
    }

    fn of(document: Value<'_, '_>) -> Self {
        let mut facts = Self::default();
        let mut bytes = 0;
        for key in CONVERSATION {
            if let Some(value) = document.get(key) {
                bytes += facts.content(value);
            }
        }
        if let Some(tools) = document
            .get("tools")
            .filter(|tools| tools.as_array().is_some_and(|tools| !tools.is_empty()))
        {
            facts.tools = true;
            bytes += all_text(tools);
        }
        facts.tokens_in = bytes.div_ceil(4);
        facts.audio |= document
            .get("modalities")
            .and_then(|modalities| modalities.as_array())
            .is_some_and(|modalities| modalities.iter().any(|it| it.as_str() == Some("audio")));
        facts.json_schema = FORMS.iter().any(|path| {
            let form = path
                .iter()
                .try_fold(document, |value, key| value.get(*key))
                .and_then(|form| form.get("type"));
            form.as_ref().and_then(ValueAsScalar::as_str) == Some("json_schema")
        });
        if let Some(config) = document.get("generationConfig") {
            let schema = |key| config.get(key).is_some();
            facts.json_schema |= schema("responseSchema") || schema("responseJsonSchema");
        }
        facts
    }

    /// Bytes of text in messages or their parts; takes note of what else the parts are. Recursion is bounded by
    /// [`JSON_DEPTH_MAX`].
    fn content(&mut self, value: Value<'_, '_>) -> u64 {
        if let Some(text) = value.as_str() {
            return text.len() as u64;
        }
        if let Some(array) = value.as_array() {
            return array.iter().map(|element| self.content(element)).sum();
        }
        let Some(object) = value.as_object() else {
            return 0;
        };
        let mut bytes = 0;
        for (key, value) in &object {
            match key {
                "type" => match value.as_str() {
                    Some("image_url" | "input_image" | "image") => self.images = true,
                    Some("input_audio") => self.audio = true,
                    _ => {}
                },
                // Names of things, and data that is not text.
                "role" | "id" | "tool_call_id" | "image_url" | "input_audio" | "file"
                | "source" => {}
                "inlineData" | "inline_data" | "fileData" | "file_data" => self.data(value),
                _ => bytes += self.content(value),
            }
        }
        bytes
    }
}

/// Where formats keep the conversation and its instructions.
const CONVERSATION: [&str; 8] = [
    "messages",
    "input",
    "prompt",
    "system",
    "instructions",
    "contents",
    "systemInstruction",
    "system_instruction",
];
/// Where formats say of which form the answer has to be: Chat Completions, Responses, Anthropic's.
const FORMS: [&[&str]; 3] = [
    &["response_format"],
    &["text", "format"],
    &["output_config", "format"],
];

/// Bytes of all keys and strings.
fn all_text(value: Value<'_, '_>) -> u64 {
    if let Some(text) = value.as_str() {
        return text.len() as u64;
    }
    if let Some(array) = value.as_array() {
        return array.iter().map(all_text).sum();
    }
    value.as_object().map_or(0, |object| {
        object
            .iter()
            .map(|(key, value)| key.len() as u64 + all_text(value))
            .sum()
    })
}

impl Default for Inspector {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Inspector {
    /// Without the buffers: they hold a prompt.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspector").finish_non_exhaustive()
    }
}
