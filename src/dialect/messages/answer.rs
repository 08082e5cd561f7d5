//! An answer in one piece.

use std::borrow::Cow;

use crate::dialect::codec::{BadAnswer, Reply};
use crate::dialect::ids::{self, IdForm};
use crate::dialect::messages::block;
use crate::dialect::messages::usage::{self, Counts};
use crate::dialect::turn::{Answer, Arguments, Finish, Part, Reasoning, ToolCall};
use crate::wire::json::{Node, Tree, Writer};

/// Reads an answer of Anthropic's. Blocks of tools that Anthropic runs itself are left out: a request that was
/// translated never asks for them.
pub fn read(body: Node<'_>) -> Result<Answer<'_>, BadAnswer> {
    if body.text("type") != Some("message") {
        return Err(BadAnswer {
            reason: "it is no `message`",
        });
    }
    let Some(content) = body.get("content").filter(|content| content.is_array()) else {
        return Err(BadAnswer {
            reason: "it has no list `content`",
        });
    };
    let mut parts: Vec<_> = content.elements().filter_map(block::read).collect();
    let mut finish = finish_of(body.text("stop_reason").unwrap_or_default());
    if finish == Finish::ContentFilter
        && let Some(explanation) = explanation_of(body)
    {
        parts.push(Part::Refusal(Cow::Borrowed(explanation)));
    }
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    if calls && finish == Finish::Stop {
        finish = Finish::ToolCalls;
    }
    let mut counts = Counts::default();
    Ok(Answer {
        id: Cow::Borrowed(body.text("id").unwrap_or_default()),
        model: Cow::Borrowed(body.text("model").unwrap_or_default()),
        parts,
        finish,
        stop_sequence: body.text("stop_sequence").map(Cow::Borrowed),
        usage: body.get("usage").map(|usage| {
            counts.take(usage);
            counts.usage()
        }),
    })
}

/// What a `stop_reason` means. `pause_turn` is of tools that Anthropic runs; new words are ends like any other.
pub(super) fn finish_of(stop_reason: &str) -> Finish {
    match stop_reason {
        "stop_sequence" => Finish::StopSequence,
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "refusal" => Finish::ContentFilter,
        _ => Finish::Stop,
    }
}

/// Why the model declines, in the `stop_details` of an answer or of a stream's `message_delta`.
pub(super) fn explanation_of(said: Node<'_>) -> Option<&str> {
    let explanation = said.get("stop_details")?.text("explanation")?;
    (!explanation.is_empty()).then_some(explanation)
}

/// The `stop_reason` of an answer in which tools are called or not, and which declines or not. The provider's own word
/// comes last: some say `stop` with calls.
pub(super) const fn stop_reason(finish: Finish, calls: bool, declines: bool) -> &'static str {
    match finish {
        Finish::Length => "max_tokens",
        Finish::ContentFilter => "refusal",
        _ if calls => "tool_use",
        _ if declines => "refusal",
        Finish::StopSequence => "stop_sequence",
        // `ToolCalls` without a call is an end; of `Failed` the caller makes an error.
        Finish::Stop | Finish::ToolCalls | Finish::Failed => "end_turn",
    }
}

/// Writes an answer for a client. A call whose arguments are broken off is given without any, and the answer as one that
/// ran out of tokens, which no client executes.
pub fn write(answer: &Answer<'_>, reply: &Reply, out: &mut Writer<'_>) {
    let broken = answer.parts.iter().any(is_broken);
    let calls = has(answer, |part| matches!(part, Part::ToolCall(_)));
    let declines = has(answer, |part| matches!(part, Part::Refusal(_)));
    let finish = if broken {
        Finish::Length
    } else {
        answer.finish
    };
    out.object(|it| {
        it.key("id").string(&message_id(reply));
        it.key("type").string("message");
        it.key("role").string("assistant");
        it.key("model").string(model_of(&answer.model, reply));
        it.key("content").array(|it| {
            let mut at = 0;
            for part in &answer.parts {
                write_part(part, reply, &mut at, it);
            }
        });
        let reason = stop_reason(finish, calls, declines);
        it.key("stop_reason").string(reason);
        it.key("stop_sequence");
        match &answer.stop_sequence {
            Some(text) if reason == "stop_sequence" => it.string(text),
            _ => it.null(),
        }
        it.key("usage");
        usage::write(answer.usage.unwrap_or_default(), it);
    });
}

/// The gateway's own name for an answer: it is the same in every event of a stream, whoever answers.
pub(super) fn message_id(reply: &Reply) -> String {
    format!("msg_{}", reply.id)
}

/// The model that answers, or at least the one that was asked.
pub(super) fn model_of<'a>(said: &'a str, reply: &'a Reply) -> &'a str {
    if said.is_empty() { &reply.model } else { said }
}

/// A call's name: the provider's where it fits, else one of ours.
pub(super) fn call_id<'a>(id: &'a str, at: u32, reply: &Reply) -> Cow<'a, str> {
    if id.is_empty() {
        Cow::Owned(ids::made_up(&reply.id, at, IdForm::Messages))
    } else {
        ids::fitted(id, IdForm::Messages)
    }
}

fn has(answer: &Answer<'_>, is: fn(&Part<'_>) -> bool) -> bool {
    answer.parts.iter().any(is)
}

fn is_broken(part: &Part<'_>) -> bool {
    let Part::ToolCall(ToolCall {
        arguments: Arguments::Text(text),
        ..
    }) = part
    else {
        return false;
    };
    let mut copy = text.as_bytes().to_vec();
    !text.trim_ascii().is_empty()
        && !Tree::parse(&mut copy).is_ok_and(|tree| tree.root().is_object())
}

fn write_part(part: &Part<'_>, reply: &Reply, at: &mut u32, out: &mut Writer<'_>) {
    match part {
        Part::Text(text) if !text.text.is_empty() => write_text(&text.text, out),
        Part::Refusal(text) if !text.is_empty() => write_text(text, out),
        Part::Reasoning(reasoning) => write_reasoning(reasoning, out),
        Part::ToolCall(call) => {
            out.object(|it| {
                it.key("type").string("tool_use");
                it.key("id").string(&call_id(&call.id, *at, reply));
                it.key("name").string(&call.name);
                it.key("input");
                // Broken ones say so before they write anything.
                if call.arguments.write_object(&String::new, it).is_err() {
                    it.object(|_| ());
                }
            });
            *at += 1;
        }
        // No answer of this format has pictures or recordings in it.
        Part::Text(_)
        | Part::Refusal(_)
        | Part::Image(_)
        | Part::Document(_)
        | Part::Audio(_)
        | Part::ToolResult(_) => {}
    }
}

fn write_text(text: &str, out: &mut Writer<'_>) {
    out.object(|it| {
        it.key("type").string("text");
        it.key("text").string(text);
    });
}

/// SDKs want a signature in every thought. One that a provider of Claude gives is good at Anthropic too.
fn write_reasoning(reasoning: &Reasoning<'_>, out: &mut Writer<'_>) {
    let signature = reasoning.signature.as_deref().unwrap_or_default();
    if reasoning.redacted {
        out.object(|it| {
            it.key("type").string("redacted_thinking");
            it.key("data").string(signature);
        });
    } else if !reasoning.text.is_empty() || !signature.is_empty() {
        out.object(|it| {
            it.key("type").string("thinking");
            it.key("thinking").string(&reasoning.text);
            it.key("signature").string(signature);
        });
    }
}
