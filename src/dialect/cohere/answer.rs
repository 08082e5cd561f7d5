//! Reads answers in one piece.

use std::borrow::Cow;

use crate::dialect::codec::BadAnswer;
use crate::dialect::turn::{Answer, Arguments, Finish, Part, Reasoning, ToolCall, Usage};
use crate::wire::json::Node;

/// Reads the body of an answer with a status of success.
pub fn read(body: Node<'_>) -> Result<Answer<'_>, BadAnswer> {
    let message = body.get("message").filter(|it| it.is_object());
    let message = message.ok_or(BadAnswer {
        reason: "it has no `message`",
    })?;
    let mut parts: Vec<_> = message
        .text("tool_plan")
        .and_then(Part::text)
        .into_iter()
        .collect();
    match message.get("content") {
        Some(content) if content.as_str().is_some() => {
            parts.extend(content.as_str().and_then(Part::text));
        }
        Some(content) => parts.extend(content.elements().filter_map(read_part)),
        None => {}
    }
    parts.extend(message.list("tool_calls").map(read_call));
    Ok(Answer {
        id: Cow::Borrowed(body.text("id").unwrap_or_default()),
        model: Cow::Borrowed(""),
        parts,
        finish: finish(body.text("finish_reason").unwrap_or_default()),
        stop_sequence: None,
        usage: body.get("usage").map(usage),
    })
}

fn read_part(part: Node<'_>) -> Option<Part<'_>> {
    if let Some(text) = part.text("text") {
        return Part::text(text);
    }
    let thought = part.text("thinking").filter(|text| !text.is_empty())?;
    Some(Part::Reasoning(Reasoning {
        text: Cow::Borrowed(thought),
        signature: None,
        redacted: false,
    }))
}

fn read_call(call: Node<'_>) -> Part<'_> {
    let function = call.get("function");
    let text = |key| function.and_then(|it| it.text(key)).unwrap_or_default();
    Part::ToolCall(ToolCall {
        id: Cow::Borrowed(call.text("id").unwrap_or_default()),
        name: Cow::Borrowed(text("name")),
        arguments: match function.and_then(|it| it.get("arguments")) {
            Some(arguments) if arguments.is_object() => Arguments::Object(arguments),
            _ => Arguments::Text(Cow::Borrowed(text("arguments"))),
        },
        signature: None,
    })
}

/// What a `finish_reason` means; an unknown one is an end like others.
pub(super) fn finish(reason: &str) -> Finish {
    match reason {
        "STOP_SEQUENCE" => Finish::StopSequence,
        "MAX_TOKENS" => Finish::Length,
        "TOOL_CALL" => Finish::ToolCalls,
        "ERROR" | "TIMEOUT" => Finish::Failed,
        _ => Finish::Stop,
    }
}

/// Of `tokens`: `billed_units` leaves out what Cohere adds to a prompt.
pub(super) fn usage(usage: Node<'_>) -> Usage {
    let tokens = usage.get("tokens");
    Usage {
        // Pictures are counted beside the words.
        input: count(tokens, "input_tokens")
            .unwrap_or_default()
            .saturating_add(count(tokens, "image_tokens").unwrap_or_default()),
        cache_read: count(Some(usage), "cached_tokens").unwrap_or_default(),
        cache_write: 0,
        output: count(tokens, "output_tokens").unwrap_or_default(),
        reasoning: count(tokens, "reasoning_tokens").unwrap_or_default(),
    }
    .saturated()
}

/// The count at `key`. Those of older models are fractions that end in `.0`.
pub(super) fn count(counts: Option<Node<'_>>, key: &str) -> Option<u64> {
    let number = counts?.get(key)?;
    number.as_u64().or_else(|| whole(number.as_f64()?))
}

/// A fraction that is a count.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast saturates, as counts do here"
)]
fn whole(number: f64) -> Option<u64> {
    (number >= 0.0).then_some(number as u64)
}
