//! Answers in one piece: a provider's, and one for a client.

use std::borrow::Cow;

use crate::dialect::codec::{BadAnswer, Reply};
use crate::dialect::responses::custom;
use crate::dialect::responses::item::{self, Called, Item};
use crate::dialect::responses::request::read_call;
use crate::dialect::responses::response::{Response, Status};
use crate::dialect::turn::{Answer, Finish, Part, Text, ToolCall, Usage};
use crate::wire::json::{Node, Writer};

/// Reads a provider's answer. Items of tools that ran at the provider are passed over: their outcome is in the words.
///
/// # Errors
/// There is no list of items, or the answer is not finished.
pub fn read(body: Node<'_>) -> Result<Answer<'_>, BadAnswer> {
    if !body.get("output").is_some_and(Node::is_array) {
        return Err(BadAnswer {
            reason: "there is no `output`",
        });
    }
    let mut parts = Vec::new();
    for item in body.list("output") {
        match item.text("type") {
            Some("message") => parts.extend(item.list("content").filter_map(said)),
            Some("reasoning") => parts.extend(item::reasoning(item).map(Part::Reasoning)),
            Some("function_call" | "custom_tool_call") => {
                parts.extend(read_call(item).map(Part::ToolCall));
            }
            _ => {}
        }
    }
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let finish = finish_of(body, calls).ok_or(BadAnswer {
        reason: "the answer is not finished",
    })?;
    Ok(Answer {
        id: Cow::Borrowed(body.text("id").unwrap_or_default()),
        model: Cow::Borrowed(body.text("model").unwrap_or_default()),
        parts,
        finish,
        stop_sequence: None,
        usage: body.get("usage").map(usage_of),
    })
}

fn said(part: Node<'_>) -> Option<Part<'_>> {
    match part.text("type")? {
        "output_text" => Part::text(part.text("text")?),
        "refusal" => {
            let text = part.text("refusal").filter(|text| !text.is_empty())?;
            Some(Part::Refusal(Cow::Borrowed(text)))
        }
        _ => None,
    }
}

/// Why an answer ended; `None` if it has not. `calls`: there are some in it.
pub(super) fn finish_of(response: Node<'_>, calls: bool) -> Option<Finish> {
    let reason = response
        .get("incomplete_details")
        .and_then(|details| details.text("reason"));
    match response.text("status") {
        None | Some("completed") if calls => Some(Finish::ToolCalls),
        None | Some("completed") => Some(Finish::Stop),
        Some("incomplete") => Some(match reason {
            Some("content_filter") => Finish::ContentFilter,
            // `max_output_tokens`, and what may come: it says of itself that it was cut off.
            _ => Finish::Length,
        }),
        Some("failed" | "cancelled") => Some(Finish::Failed),
        Some(_) => None,
    }
}

/// What a `usage` says.
pub fn usage_of(usage: Node<'_>) -> Usage {
    let number = |node: Option<Node<'_>>, key| {
        let number = node.and_then(|node| node.get(key)).and_then(Node::as_u64);
        number.unwrap_or_default()
    };
    let input = usage.get("input_tokens_details");
    Usage {
        input: number(Some(usage), "input_tokens"),
        cache_read: number(input, "cached_tokens"),
        cache_write: number(input, "cache_write_tokens"),
        output: number(Some(usage), "output_tokens"),
        reasoning: number(usage.get("output_tokens_details"), "reasoning_tokens"),
    }
    .saturated()
}

/// Writes an answer for a client.
pub fn write(answer: &Answer<'_>, reply: &Reply, out: &mut Writer<'_>) {
    let status = Status::of(answer.finish);
    let response = Response {
        reply,
        model: &answer.model,
        status,
        usage: answer.usage,
    };
    response.write(out, |it| write_output(answer, reply, status, it));
}

/// The items: words in a row are one message.
fn write_output(answer: &Answer<'_>, reply: &Reply, status: Status<'_>, it: &mut Writer<'_>) {
    let is_said = |part: &Part<'_>| matches!(part, Part::Text(_) | Part::Refusal(_));
    let mut items = answer
        .parts
        .chunk_by(|one, next| is_said(one) && is_said(next))
        .filter(|parts| parts.iter().any(is_shown))
        .peekable();
    let (mut at, mut calls) = (0, 0);
    while let Some(parts) = items.next() {
        let status = if items.peek().is_some() {
            Status::Completed
        } else {
            status
        };
        write_item(parts, reply, (at, calls), status.of_last_item(), it);
        at += 1;
        calls += u32::from(matches!(parts, [Part::ToolCall(_)]));
    }
}

fn is_shown(part: &Part<'_>) -> bool {
    match part {
        Part::Text(_) | Part::Refusal(_) | Part::ToolCall(_) => true,
        Part::Reasoning(reasoning) => !reasoning.text.is_empty(),
        _ => false,
    }
}

fn write_item(
    parts: &[Part<'_>],
    reply: &Reply,
    (at, number): (u32, u32),
    status: &str,
    it: &mut Writer<'_>,
) {
    let mut write = |item: &Item<'_>| item.write(&item::name(item.prefix(), reply, at), status, it);
    match parts {
        [Part::Reasoning(reasoning)] => write(&Item::Reasoning(&reasoning.text)),
        [Part::ToolCall(call)] => write_call(call, reply, number, &mut write),
        words => {
            let mut content = Vec::new();
            let mut list = Writer::new(&mut content);
            for word in words {
                match word {
                    Part::Text(Text { text, .. }) => item::said(false, text, &mut list),
                    Part::Refusal(text) => item::said(true, text, &mut list),
                    _ => {}
                }
            }
            write(&Item::Message(&content));
        }
    }
}

fn write_call(call: &ToolCall<'_>, reply: &Reply, number: u32, write: &mut dyn FnMut(&Item<'_>)) {
    let id = item::call_name(&call.id, reply, number);
    let called = Called {
        id: &id,
        name: &call.name,
    };
    if reply.echo.is_custom(&call.name) {
        write(&Item::Custom(called, &custom::unwrapped(&call.arguments)));
    } else {
        write(&Item::Call(called, Some(&call.arguments)));
    }
}
