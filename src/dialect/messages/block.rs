//! Content blocks that requests and answers share: what the model said.

use std::borrow::Cow;

use crate::dialect::turn::{Arguments, Part, Reasoning, Text, ToolCall};
use crate::wire::json::Node;

/// A block of the model's: `text`, `thinking`, `redacted_thinking` or `tool_use`. `None` for any other, and for a text
/// without a word in it.
pub(super) fn read(block: Node<'_>) -> Option<Part<'_>> {
    let text = |key| block.text(key).unwrap_or_default();
    Some(match text("type") {
        "text" if text("text").is_empty() => return None,
        "text" => Part::Text(Text {
            text: Cow::Borrowed(text("text")),
            cache: block.get("cache_control").is_some(),
        }),
        "thinking" => Part::Reasoning(Reasoning {
            text: Cow::Borrowed(text("thinking")),
            signature: block
                .text("signature")
                .filter(|signature| !signature.is_empty())
                .map(Cow::Borrowed),
            redacted: false,
        }),
        "redacted_thinking" => Part::Reasoning(Reasoning {
            text: Cow::Borrowed(""),
            signature: Some(Cow::Borrowed(text("data"))),
            redacted: true,
        }),
        "tool_use" => Part::ToolCall(ToolCall {
            id: Cow::Borrowed(text("id")),
            name: Cow::Borrowed(text("name")),
            arguments: match block.get("input") {
                Some(input) if input.is_object() => Arguments::Object(input),
                // A client that could not parse what it was sent keeps it as it came.
                Some(input) => Arguments::Text(Cow::Borrowed(input.as_str().unwrap_or_default())),
                None => Arguments::Text(Cow::Borrowed("")),
            },
            signature: None,
        }),
        _ => return None,
    })
}
