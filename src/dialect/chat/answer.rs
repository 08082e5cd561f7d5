//! Answers in one piece: a provider's, and one for a client.

use std::borrow::Cow;

use crate::dialect::chat::usage::{usage_of, write_usage};
use crate::dialect::codec::{BadAnswer, Reply};
use crate::dialect::ids::{IdForm, made_up};
use crate::dialect::turn::{Answer, Arguments, Finish, Part, Reasoning, Text, ToolCall};
use crate::wire::json::{Node, Writer};

/// Reads a provider's answer. Of several choices the first counts: nobody asked for more.
///
/// # Errors
/// There is no choice with a message.
pub fn read(body: Node<'_>) -> Result<Answer<'_>, BadAnswer> {
    let choice = body.list("choices").next();
    let message = choice.and_then(|choice| choice.get("message"));
    let (Some(choice), Some(message)) = (choice, message) else {
        return Err(BadAnswer {
            reason: "there is no choice with a message",
        });
    };
    let mut parts = Vec::new();
    thoughts_of(message, &mut |text| {
        parts.push(Part::Reasoning(Reasoning {
            text: Cow::Borrowed(text),
            signature: None,
            redacted: false,
        }));
    });
    words_of(message, &mut |words| {
        parts.push(match words {
            Words::Said(text) => Part::Text(Text::new(text)),
            Words::Thought(text) => Part::Reasoning(Reasoning {
                text: Cow::Borrowed(text),
                signature: None,
                redacted: false,
            }),
        });
    });
    if let Some(text) = message.text("refusal").filter(|text| !text.is_empty()) {
        parts.push(Part::Refusal(Cow::Borrowed(text)));
    }
    for call in message.list("tool_calls") {
        let Some(function) = call.get("function") else {
            continue;
        };
        parts.push(Part::ToolCall(ToolCall {
            id: Cow::Borrowed(call.text("id").unwrap_or_default()),
            name: Cow::Borrowed(function.text("name").unwrap_or_default()),
            arguments: arguments_of(function),
            signature: None,
        }));
    }
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    Ok(Answer {
        id: Cow::Borrowed(body.text("id").unwrap_or_default()),
        model: Cow::Borrowed(body.text("model").unwrap_or_default()),
        finish: finish_of(choice.text("finish_reason").unwrap_or_default(), calls),
        stop_sequence: None,
        usage: body.get("usage").map(usage_of),
        parts,
    })
}

/// COMPAT: Ollama and llama.cpp have given arguments as an object.
pub(super) fn arguments_of(function: Node<'_>) -> Arguments<'_> {
    match function.get("arguments") {
        Some(object) if object.is_object() => Arguments::Object(object),
        Some(text) => {
            let text = text.as_str().filter(|text| !is_nothing(text));
            Arguments::Text(Cow::Borrowed(text.unwrap_or_default()))
        }
        None => Arguments::Text(Cow::Borrowed("")),
    }
}

/// COMPAT: Groq's Llama models call tools without arguments with `null` (recorded).
pub(super) fn is_nothing(arguments: &str) -> bool {
    matches!(arguments, "" | "null")
}

/// A piece of `content`.
pub(super) enum Words<'a> {
    Said(&'a str),
    Thought(&'a str),
}

/// The words in `content`: a string, or Mistral's list of texts and thoughts.
pub(super) fn words_of<'a>(message: Node<'a>, take: &mut dyn FnMut(Words<'a>)) {
    let Some(content) = message.get("content") else {
        return;
    };
    if let Some(text) = content.as_str() {
        if !text.is_empty() {
            take(Words::Said(text));
        }
        return;
    }
    for part in content.elements() {
        match part.text("type") {
            Some("thinking") => part
                .list("thinking")
                .filter_map(|thought| thought.text("text"))
                .filter(|text| !text.is_empty())
                .for_each(|text| take(Words::Thought(text))),
            _ => part
                .text("text")
                .into_iter()
                .filter(|text| !text.is_empty())
                .for_each(|text| take(Words::Said(text))),
        }
    }
}

/// The thoughts beside `content`: `reasoning_content` (DeepSeek, vLLM, xAI), `reasoning` (OpenRouter, Groq, Together), some
/// send both with the same words.
pub(super) fn thoughts_of<'a>(message: Node<'a>, take: &mut dyn FnMut(&'a str)) {
    let text = message
        .text("reasoning_content")
        .or_else(|| message.text("reasoning"))
        .unwrap_or_default();
    if !text.is_empty() {
        take(text);
    }
}

/// What `finish_reason` says. Whether tools are called is decided by whether there are calls: several providers say `stop`
/// beside them, and some say `tool_calls` without any.
pub(super) fn finish_of(reason: &str, calls: bool) -> Finish {
    match reason {
        // A call that was cut off is not to be run. `repetition`: vLLM, of an answer that went round in circles.
        "length" | "model_length" | "repetition" => Finish::Length,
        "content_filter" => Finish::ContentFilter,
        // `abort`: vLLM and SGLang, of a request that was given up.
        "error" | "abort" | "insufficient_system_resource" => Finish::Failed,
        _ if calls => Finish::ToolCalls,
        _ => Finish::Stop,
    }
}

/// Writes an answer for a client.
pub fn write(answer: &Answer<'_>, reply: &Reply, out: &mut Writer<'_>) {
    out.object(|it| {
        it.key("id").string(&format!("chatcmpl-{}", reply.id));
        it.key("object").string("chat.completion");
        it.key("created").number(reply.created);
        it.key("model").string(model_of(&answer.model, reply));
        it.key("choices").array(|it| {
            it.object(|it| {
                it.key("index").number(0);
                it.key("message")
                    .object(|it| write_message(answer, reply, it));
                it.key("logprobs").null();
                it.key("finish_reason").string(word_of(answer.finish));
            });
        });
        if let Some(usage) = answer.usage {
            it.key("usage").object(|it| write_usage(usage, it));
        }
    });
}

fn write_message(answer: &Answer<'_>, reply: &Reply, it: &mut Writer<'_>) {
    let (mut text, mut thoughts, mut refusal) = (String::new(), String::new(), String::new());
    for part in &answer.parts {
        match part {
            Part::Text(Text { text: more, .. }) => text.push_str(more),
            Part::Reasoning(more) => thoughts.push_str(&more.text),
            Part::Refusal(more) => refusal.push_str(more),
            _ => {}
        }
    }
    let optional = |key: &str, text: &str, it: &mut Writer<'_>| {
        it.key(key);
        if text.is_empty() {
            it.null();
        } else {
            it.string(text);
        }
    };
    it.key("role").string("assistant");
    optional("content", &text, it);
    optional("refusal", &refusal, it);
    if !thoughts.is_empty() {
        it.key("reasoning_content").string(&thoughts);
    }
    let calls = || {
        answer.parts.iter().filter_map(|part| match part {
            Part::ToolCall(call) => Some(call),
            _ => None,
        })
    };
    if calls().next().is_some() {
        it.key("tool_calls").array(|it| {
            for (at, call) in (0..).zip(calls()) {
                write_call(&id_of(&call.id, at, reply), call, it);
            }
        });
    }
}

/// A call in one piece, under the name that it goes by.
pub(super) fn write_call(id: &str, call: &ToolCall<'_>, it: &mut Writer<'_>) {
    it.object(|it| {
        it.key("id").string(id);
        it.key("type").string("function");
        it.key("function").object(|it| {
            it.key("name").string(&call.name);
            it.key("arguments");
            call.arguments.write_text(it);
        });
    });
}

/// The call's own name, or one for it.
pub(super) fn id_of<'a>(id: &'a str, at: u32, reply: &Reply) -> Cow<'a, str> {
    if id.is_empty() {
        Cow::Owned(made_up(&reply.id, at, IdForm::Chat))
    } else {
        Cow::Borrowed(id)
    }
}

/// The model that answered, or else the one that was asked for.
pub(super) fn model_of<'a>(model: &'a str, reply: &'a Reply) -> &'a str {
    if model.is_empty() {
        &reply.model
    } else {
        model
    }
}

pub(super) const fn word_of(finish: Finish) -> &'static str {
    match finish {
        // There is no word for a failure: whoever asks has been told otherwise.
        Finish::Stop | Finish::StopSequence | Finish::Failed => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::ContentFilter => "content_filter",
    }
}

#[cfg(test)]
mod tests {
    use super::finish_of;
    use crate::dialect::turn::Finish;

    #[test]
    fn words_of_servers() {
        assert_eq!(finish_of("abort", false), Finish::Failed);
        assert_eq!(finish_of("repetition", false), Finish::Length);
        assert_eq!(finish_of("eos", false), Finish::Stop);
    }
}
