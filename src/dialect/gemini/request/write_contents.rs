//! Writes the conversation: sides in turns, results of tools before everything else and in the order of their calls.

use std::borrow::Cow;

use crate::dialect::gemini::generation::{Generation, Model};
use crate::dialect::gemini::parts;
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::turn::{Media, Part, Role, Source, Text, ToolCall, ToolResult, Turn};
use crate::policy::model::ProviderKind;
use crate::wire::json::{Tree, Writer};

use super::read_contents::is_googles;

/// What stands where the proof of a call's thinking is missing, because another model made the call (ai.google.dev,
/// "Thought signatures", November 2025).
const SIGNATURE_OF_NONE: &str = "skip_thought_signature_validator";

/// The conversation as it is written.
pub(super) struct Contents<'t> {
    model: Model,
    kind: ProviderKind,
    said: Vec<Content<'t>>,
}

/// What one side said before the other one spoke.
struct Content<'t> {
    is_model: bool,
    parts: Vec<Said<'t>>,
}

/// A part, and the number of its message.
#[derive(Clone, Copy)]
struct Said<'t> {
    part: &'t Part<'t>,
    at: usize,
}

impl<'t> Contents<'t> {
    /// Of a turn, without what Gemini is not told.
    pub(super) fn of(
        turn: &'t Turn<'t>,
        model: Model,
        kind: ProviderKind,
        losses: &mut Losses,
    ) -> Self {
        let mut contents: Vec<Content<'t>> = Vec::new();
        for (at, message) in turn.messages.iter().enumerate() {
            let is_model = match message.role {
                Role::System => continue,
                Role::User => false,
                Role::Assistant => true,
            };
            for part in message.parts.iter().filter(|part| is_told(part, losses)) {
                let said = Said { part, at };
                match contents.last_mut() {
                    Some(last) if last.is_model == is_model => last.parts.push(said),
                    _ => contents.push(Content {
                        is_model,
                        parts: vec![said],
                    }),
                }
            }
        }
        let mut calls: Vec<&str> = Vec::new();
        for content in &mut contents {
            if content.is_model {
                calls = content.calls().map(|call| &*call.id).collect();
            } else {
                content.parts.sort_by_key(|said| said.rank(&calls));
            }
        }
        Self {
            model,
            kind,
            said: contents,
        }
    }

    /// Writes it, as the elements of a list.
    pub(super) fn write(&self, out: &mut Writer<'_>) -> Result<(), Unsupported> {
        for content in &self.said {
            out.try_object(|out| {
                let role = if content.is_model { "model" } else { "user" };
                out.key("role").string(role);
                out.key("parts").try_array(|out| self.parts(content, out))
            })?;
        }
        Ok(())
    }

    fn parts(&self, content: &Content<'_>, out: &mut Writer<'_>) -> Result<(), Unsupported> {
        // The first call of each step has a proof, and only that one.
        let mut is_signed = self.model.generation < Generation::V3;
        for said in &content.parts {
            self.part(*said, !is_signed, out)?;
            is_signed |= matches!(said.part, Part::ToolCall(_));
        }
        Ok(())
    }

    fn part(&self, said: Said<'_>, sign: bool, out: &mut Writer<'_>) -> Result<(), Unsupported> {
        match said.part {
            Part::Text(Text { text, .. }) | Part::Refusal(text) => parts::write_text(text, out),
            Part::Image(media) | Part::Document(media) | Part::Audio(media) => {
                self.media(media, said, out)?;
            }
            Part::ToolCall(call) => self.call(call, said, sign, out)?,
            Part::ToolResult(result) => self.result(result, said, out)?,
            Part::Reasoning(_) => {}
        }
        Ok(())
    }

    fn call(
        &self,
        call: &ToolCall<'_>,
        said: Said<'_>,
        sign: bool,
        out: &mut Writer<'_>,
    ) -> Result<(), Unsupported> {
        let place = || format!("messages[{}].tool_calls", said.at);
        out.try_object(|out| {
            out.key("functionCall").try_object(|out| {
                self.id(&call.id, out);
                out.key("name").string(&call.name);
                call.arguments.write_object(&place, out.key("args"))
            })?;
            if sign {
                out.key("thoughtSignature").string(SIGNATURE_OF_NONE);
            }
            Ok(())
        })
    }

    /// COMPAT: Vertex AI's v1 does not know the ids of calls (2025): there, order alone tells.
    fn id(&self, id: &str, out: &mut Writer<'_>) {
        if self.kind != ProviderKind::Vertex && !id.is_empty() {
            out.key("id").string(id);
        }
    }

    /// A tool's answer. Gemini 3 takes files in it; before, they stand behind it.
    fn result(
        &self,
        result: &ToolResult<'_>,
        said: Said<'_>,
        out: &mut Writer<'_>,
    ) -> Result<(), Unsupported> {
        if result.name.is_empty() {
            return Err(said.wrong("tool_call_id", "is of no call that was made"));
        }
        let files = || result.parts.iter().filter_map(media_of);
        let takes_files = self.model.generation >= Generation::V3;
        out.try_object(|out| {
            out.key("functionResponse").try_object(|out| {
                self.id(&result.id, out);
                out.key("name").string(&result.name);
                out.key("response");
                write_response(result, out);
                if !takes_files || files().next().is_none() {
                    return Ok(());
                }
                out.key("parts")
                    .try_array(|out| files().try_for_each(|it| self.media(it, said, out)))
            })
        })?;
        if !takes_files {
            files().try_for_each(|media| self.media(media, said, out))?;
        }
        Ok(())
    }

    fn media(
        &self,
        media: &Media<'_>,
        said: Said<'_>,
        out: &mut Writer<'_>,
    ) -> Result<(), Unsupported> {
        match &media.source {
            Source::Data { media_type, base64 } => out.object(|out| {
                out.key("inlineData").object(|out| {
                    out.key("mimeType").string(media_type);
                    out.key("data").string(base64);
                });
            }),
            Source::Text(text) => parts::write_text(text, out),
            Source::Url(address) if self.reads(address) => out.object(|out| {
                out.key("fileData").object(|out| {
                    if let Some(media_type) = media_type_of(address) {
                        out.key("mimeType").string(media_type);
                    }
                    out.key("fileUri").string(address);
                });
            }),
            Source::Url(_) => {
                let why = "is at an address that Gemini does not fetch: send its bytes as a `data:` address";
                return Err(said.wrong("content", why));
            }
        }
        Ok(())
    }

    fn reads(&self, address: &str) -> bool {
        let is_in_store = address.starts_with("gs://");
        let is_uploaded = address.starts_with("https://generativelanguage.googleapis.com/");
        match self.kind {
            ProviderKind::Vertex => is_googles(address) && !is_uploaded,
            _ => is_googles(address) && !is_in_store,
        }
    }
}

impl<'t> Content<'t> {
    fn calls(&self) -> impl Iterator<Item = &'t ToolCall<'t>> {
        self.parts.iter().filter_map(|said| match said.part {
            Part::ToolCall(call) => Some(call),
            _ => None,
        })
    }
}

impl Said<'_> {
    /// Where it stands among what the user's side says: answers to `calls` in their order, other answers, the rest.
    fn rank(self, calls: &[&str]) -> usize {
        match self.part {
            Part::ToolResult(result) => calls
                .iter()
                .position(|call| *call == result.id)
                .unwrap_or(calls.len()),
            _ => usize::MAX,
        }
    }

    fn wrong(self, field: &str, why: &'static str) -> Unsupported {
        Unsupported::new(format!("messages[{}].{field}", self.at), why)
    }
}

/// Whether Gemini is told it. Thoughts are not: they are another model's, and their proofs are refused.
fn is_told(part: &Part<'_>, losses: &mut Losses) -> bool {
    let marked = match part {
        Part::Text(text) => text.cache,
        Part::Image(media) | Part::Document(media) | Part::Audio(media) => {
            media.lose_name(losses);
            media.lose_detail(losses);
            media.cache
        }
        Part::ToolResult(result) => {
            let said = result.parts.iter();
            said.for_each(|part| {
                is_told(part, losses);
            });
            result.cache
        }
        _ => false,
    };
    losses.add_if(marked, "cache_control");
    match part {
        Part::Reasoning(_) => {
            losses.add("messages[].reasoning_content");
            false
        }
        Part::Text(Text { text, .. }) | Part::Refusal(text) => !text.is_empty(),
        _ => true,
    }
}

/// What a tool answered, as the object that it has to be.
fn write_response(result: &ToolResult<'_>, out: &mut Writer<'_>) {
    let text = text_of(result);
    if !result.is_error && text.trim_start().starts_with('{') {
        let mut copy = text.as_bytes().to_vec();
        if let Ok(tree) = Tree::parse(&mut copy)
            && tree.root().is_object()
        {
            return out.node(tree.root());
        }
    }
    let key = if result.is_error { "error" } else { "result" };
    out.object(|out| out.key(key).string(&text));
}

fn text_of<'r>(result: &'r ToolResult<'_>) -> Cow<'r, str> {
    let mut texts = result.parts.iter().filter_map(|part| match part {
        Part::Text(Text { text, .. }) | Part::Refusal(text) => Some(&**text),
        _ => None,
    });
    let first = texts.next().unwrap_or_default();
    let mut all = Cow::Borrowed(first);
    for text in texts {
        let all = all.to_mut();
        all.push('\n');
        all.push_str(text);
    }
    all
}

fn media_of<'p>(part: &'p Part<'p>) -> Option<&'p Media<'p>> {
    match part {
        Part::Image(media) | Part::Document(media) | Part::Audio(media) => Some(media),
        _ => None,
    }
}

/// By the end of its name: Cloud Storage is not asked.
fn media_type_of(address: &str) -> Option<&'static str> {
    let (_, end) = address.rsplit_once('.')?;
    Some(match end.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        "mp4" => "video/mp4",
        _ => return None,
    })
}
