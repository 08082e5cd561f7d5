//! What one streamed event means: whether it is content, the end, an error, or only the stream's life signs.
//!
//! The gateway holds life signs back until the first content, so that a provider that fails early can still be
//! replaced; a wrong answer here either commits to a stream that has nothing yet or starves the client. The decision is
//! structural — which member of which object — because a model may write `"error"` or `[DONE]` into its own text.
//!
//! PERF: one pass over the event, no allocation; about 105 ns for the usual 217-byte chunk (benches/dialect.rs).

use crate::wire::json::walk::{Cursor, Shape};

/// What one event of a chat stream is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EventKind {
    /// Nothing that a reader of the answer would miss: a role, an empty delta, usage, Azure's filter results, or data
    /// that is not a chunk at all.
    Lifecycle,
    /// Text, reasoning, a tool call, a refusal or audio.
    Content,
    /// A choice has its `finish_reason`. It may carry content as well (Mistral puts whole tool calls there), so it
    /// commits like content does; an answer may also finish without any.
    Finish,
    /// `[DONE]`: nothing follows.
    Done,
    /// An error in place of a chunk: [`outcome_of_error`](super::outcome_of_error) names it.
    Error,
}

/// Classifies the data of one event, without its `data:` and line ends.
pub fn event_kind(data: &[u8]) -> EventKind {
    let data = data.trim_ascii_start();
    if data.starts_with(b"[DONE]") {
        return EventKind::Done;
    }
    let mut seen = Seen::default();
    // Broken JSON ends the walk; what was seen up to there counts.
    let _ = walk_chunk(&mut Cursor::new(data), &mut seen);
    match seen {
        Seen { error: true, .. } => EventKind::Error,
        Seen { finish: true, .. } => EventKind::Finish,
        Seen { content: true, .. } => EventKind::Content,
        _ => EventKind::Lifecycle,
    }
}

#[derive(Default)]
struct Seen {
    error: bool,
    finish: bool,
    content: bool,
}

fn walk_chunk(cursor: &mut Cursor<'_>, seen: &mut Seen) -> Option<()> {
    cursor.enter(b'{')?;
    while let Some(key) = cursor.member() {
        match key {
            b"choices" => walk_choices(cursor, seen)?,
            b"error" => seen.error |= cursor.has_substance()?,
            // COMPAT: vLLM and Mistral, 2025: {"object":"error","message":…} without an `error` member.
            b"object" | b"type" => seen.error |= cursor.value()? == b"\"error\"",
            _ => {
                cursor.value()?;
            }
        }
    }
    Some(())
}

fn walk_choices(cursor: &mut Cursor<'_>, seen: &mut Seen) -> Option<()> {
    if cursor.shape()? != Shape::Array {
        cursor.value()?;
        return Some(());
    }
    cursor.enter(b'[')?;
    while cursor.element() {
        cursor.enter(b'{')?;
        while let Some(key) = cursor.member() {
            match key {
                b"delta" => walk_delta(cursor, seen)?,
                b"finish_reason" => seen.finish |= cursor.has_substance()?,
                // COMPAT: OpenRouter, 2025: an error beside an empty delta, `finish_reason` "error".
                b"error" => seen.error |= cursor.has_substance()?,
                _ => {
                    cursor.value()?;
                }
            }
        }
    }
    Some(())
}

fn walk_delta(cursor: &mut Cursor<'_>, seen: &mut Seen) -> Option<()> {
    if cursor.shape()? != Shape::Object {
        cursor.value()?;
        return Some(());
    }
    cursor.enter(b'{')?;
    while let Some(key) = cursor.member() {
        let is_content = matches!(
            key,
            b"content"
                | b"reasoning_content"
                | b"reasoning"
                | b"reasoning_details"
                | b"thinking"
                | b"tool_calls"
                | b"function_call"
                | b"refusal"
                | b"audio"
                | b"images"
                | b"annotations"
        );
        // Not `&&` first: the value must be stepped over in any case.
        seen.content |= cursor.has_substance()? && is_content;
    }
    Some(())
}
