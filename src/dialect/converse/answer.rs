//! Reads answers in one piece.

use std::borrow::Cow;

use crate::dialect::codec::BadAnswer;
use crate::dialect::turn::{Answer, Arguments, Finish, Part, Reasoning, ToolCall, Usage};
use crate::wire::json::Node;

/// Reads the body of an answer with a status of success. It has neither an id nor a model: Bedrock says the one in a
/// header, and the other not at all.
pub fn read(body: Node<'_>) -> Result<Answer<'_>, BadAnswer> {
    let message = body
        .get("output")
        .and_then(|output| output.get("message"))
        .ok_or(BadAnswer {
            reason: "it has no `output.message`",
        })?;
    let mut parts = Vec::new();
    for block in message.list("content") {
        read_block(block, &mut parts);
    }
    Ok(Answer {
        id: Cow::Borrowed(""),
        model: Cow::Borrowed(""),
        parts,
        finish: finish(body.text("stopReason").unwrap_or_default()),
        stop_sequence: None,
        usage: body.get("usage").map(usage),
    })
}

fn read_block<'a>(block: Node<'a>, parts: &mut Vec<Part<'a>>) {
    if let Some(text) = block.text("text") {
        parts.extend(Part::text(text));
    } else if let Some(call) = block.get("toolUse") {
        if !is_of_server(call) {
            parts.push(Part::ToolCall(read_call(call)));
        }
    } else if let Some(reasoning) = block.get("reasoningContent") {
        parts.extend(read_reasoning(reasoning));
    } else if let Some(cited) = block.get("citationsContent") {
        // The words that sources are given for; the sources have no place in other formats.
        let texts = cited.list("content").filter_map(|it| it.text("text"));
        parts.extend(texts.filter_map(Part::text));
    }
}

/// Whether a call is one that Bedrock makes itself, and answers itself (`nova_grounding`, `nova_code_interpreter`).
pub(super) fn is_of_server(call: Node<'_>) -> bool {
    call.text("type") == Some("server_tool_use")
}

fn read_call(call: Node<'_>) -> ToolCall<'_> {
    ToolCall {
        id: Cow::Borrowed(call.text("toolUseId").unwrap_or_default()),
        name: Cow::Borrowed(call.text("name").unwrap_or_default()),
        arguments: match call.get("input") {
            Some(input) if input.is_object() => Arguments::Object(input),
            Some(input) => Arguments::Text(match input.as_str() {
                Some(text) => Cow::Borrowed(text),
                None => Cow::Owned(written(input)),
            }),
            None => Arguments::Text(Cow::Borrowed("{}")),
        },
        signature: None,
    }
}

fn written(node: Node<'_>) -> String {
    let mut json = Vec::new();
    node.write(&mut json);
    String::from_utf8(json).unwrap_or_default()
}

fn read_reasoning(reasoning: Node<'_>) -> Option<Part<'_>> {
    if let Some(sealed) = reasoning.text("redactedContent") {
        return Some(Part::Reasoning(Reasoning {
            text: Cow::Borrowed(""),
            signature: Some(Cow::Borrowed(sealed)),
            redacted: true,
        }));
    }
    let thought = reasoning.get("reasoningText")?;
    let (text, signature) = (thought.text("text"), thought.text("signature"));
    (text.is_some() || signature.is_some()).then(|| {
        Part::Reasoning(Reasoning {
            text: Cow::Borrowed(text.unwrap_or_default()),
            signature: signature.map(Cow::Borrowed),
            redacted: false,
        })
    })
}

/// What a `stopReason` means; an unknown one is an end like others.
pub(super) fn finish(reason: &str) -> Finish {
    match reason {
        "stop_sequence" => Finish::StopSequence,
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "content_filtered" | "guardrail_intervened" => Finish::ContentFilter,
        "malformed_model_output" | "malformed_tool_use" => Finish::Failed,
        _ => Finish::Stop,
    }
}

/// `inputTokens` leaves out what was read from the cache and written into it.
pub(super) fn usage(usage: Node<'_>) -> Usage {
    let count = |key| usage.get(key).and_then(Node::as_u64).unwrap_or_default();
    let (cache_read, cache_write) = (
        count("cacheReadInputTokens"),
        count("cacheWriteInputTokens"),
    );
    Usage {
        input: count("inputTokens")
            .saturating_add(cache_read)
            .saturating_add(cache_write),
        cache_read,
        cache_write,
        output: count("outputTokens"),
        reasoning: 0,
    }
    .saturated()
}
