//! A client's request, said in no format's words.

use std::borrow::Cow;

use crate::dialect::ids::Calls;
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::turn::{
    Arguments, Effort, Form, Media, Message, Part, Reasoning, Role, Schema, Source, Text, Thinking,
    Tool, ToolCall, ToolChoice, ToolResult, Turn,
};
use crate::wire::json::Node;

/// Reads a request. What the neutral turn does not hold is named in [`Turn::dropped`].
///
/// # Errors
/// A field that only this format has and that the answer depends on.
pub fn read(body: Node<'_>) -> Result<Turn<'_>, Unsupported> {
    let mut turn = Turn::default();
    for (key, value) in body.members() {
        if !value.is_null() {
            take_field(&mut turn, key, value)?;
        }
    }
    read_conversation(&mut turn, body)?;
    if turn.tools.is_empty() {
        // Of no meaning without tools, and refused by those that are asked next.
        turn.tool_choice = None;
        turn.parallel_tools = None;
    }
    Ok(turn)
}

fn take_field<'a>(turn: &mut Turn<'a>, key: &str, value: Node<'a>) -> Result<(), Unsupported> {
    match key {
        // Read in the order that matters, or the policy's to say.
        "model" | "messages" => {}
        "stream" => turn.stream = value.as_bool() == Some(true),
        "stream_options" => {
            turn.stream_usage = value.get("include_usage").and_then(Node::as_bool) == Some(true);
        }
        "max_completion_tokens" => turn.max_tokens = value.as_u64(),
        "max_tokens" => turn.max_tokens = turn.max_tokens.or(value.as_u64()),
        "temperature" => turn.temperature = value.as_f64(),
        "top_p" => turn.top_p = value.as_f64(),
        "top_k" => turn.top_k = value.as_u64(),
        "seed" => {
            turn.seed = value.as_u64();
            turn.dropped.add_if(turn.seed.is_none(), "seed");
        }
        "presence_penalty" => turn.presence_penalty = value.as_f64(),
        "frequency_penalty" => turn.frequency_penalty = value.as_f64(),
        "stop" => match value.as_str() {
            Some(text) => turn.stop = vec![text],
            None => turn.stop = value.elements().filter_map(Node::as_str).collect(),
        },
        "user" => turn.user = value.as_str(),
        "tools" => {
            for (at, tool) in value.elements().enumerate() {
                turn.tools.push(read_tool(at, tool)?);
            }
        }
        "tool_choice" => turn.tool_choice = Some(read_choice(value)?),
        "parallel_tool_calls" => turn.parallel_tools = value.as_bool(),
        "response_format" => turn.form = read_form(value)?,
        "reasoning_effort" => turn.thinking = read_effort(value, &mut turn.dropped),
        "reasoning" => turn.thinking = read_reasoning(value),
        _ => return take_untold(&mut turn.dropped, key, value),
    }
    Ok(())
}

/// Fields without a counterpart: those that change nothing as they are, those without which there is no right answer, and
/// the rest, which is dropped by name.
fn take_untold(dropped: &mut Losses, key: &str, value: Node<'_>) -> Result<(), Unsupported> {
    let only_here = "is known to providers of this format only";
    match key {
        // As if they were not there.
        "logprobs" | "store" if value.as_bool() == Some(false) => Ok(()),
        "n" if value.as_u64() == Some(1) => Ok(()),
        "n" => Err(Unsupported::new(
            "n",
            "asks for several answers, which the provider does not give",
        )),
        "logprobs" | "top_logprobs" => Err(Unsupported::new(
            key.to_owned(),
            "asks for probabilities, which the provider does not give",
        )),
        "modalities" if value.elements().all(|it| it.as_str() == Some("text")) => Ok(()),
        "modalities" | "audio" => Err(Unsupported::new(
            key.to_owned(),
            "asks for an answer in sound, which the provider does not give",
        )),
        "web_search_options" | "functions" | "function_call" => {
            Err(Unsupported::new(key.to_owned(), only_here))
        }
        "service_tier" if matches!(value.as_str(), Some("auto" | "default")) => Ok(()),
        "metadata" | "logit_bias" if value.members().next().is_none() => Ok(()),
        _ => {
            dropped.add(key.to_owned());
            Ok(())
        }
    }
}

fn read_effort(value: Node<'_>, dropped: &mut Losses) -> Option<Thinking> {
    let effort = value.as_str().and_then(Effort::of);
    dropped.add_if(effort.is_none(), "reasoning_effort");
    effort.map(|effort| Thinking {
        effort: Some(effort),
        ..Thinking::default()
    })
}

/// COMPAT: `OpenRouter`'s form, which its clients send: `{"effort"|"max_tokens"|"enabled","exclude"}`.
fn read_reasoning(value: Node<'_>) -> Option<Thinking> {
    let effort = value.text("effort").and_then(Effort::of);
    let budget = value.get("max_tokens").and_then(Node::as_u64);
    let off = value.get("enabled").and_then(Node::as_bool) == Some(false);
    let effort = if off { Some(Effort::None) } else { effort };
    (effort.is_some() || budget.is_some()).then(|| Thinking {
        effort,
        budget,
        shown: value.get("exclude").and_then(Node::as_bool) != Some(true),
    })
}

fn read_tool(at: usize, tool: Node<'_>) -> Result<Tool<'_>, Unsupported> {
    let field = || format!("tools[{at}]");
    let function = tool
        .get("function")
        .filter(|_| tool.text("type").is_none_or(|kind| kind == "function"))
        .ok_or_else(|| {
            Unsupported::new(field(), "is not a function: other tools run at OpenAI only")
        })?;
    let name = function
        .text("name")
        .ok_or_else(|| Unsupported::new(field(), "has no name"))?;
    Ok(Tool {
        name,
        description: function.text("description"),
        schema: function.get("parameters"),
        strict: function.get("strict").and_then(Node::as_bool),
        cache: marks_cache(tool) || marks_cache(function),
    })
}

fn read_choice(value: Node<'_>) -> Result<ToolChoice<'_>, Unsupported> {
    match value.as_str() {
        Some("auto") => return Ok(ToolChoice::Auto),
        Some("none") => return Ok(ToolChoice::None),
        // COMPAT: `any` is Mistral's word, which its clients send.
        Some("required" | "any") => return Ok(ToolChoice::Required),
        _ => {}
    }
    value
        .get("function")
        .and_then(|function| function.text("name"))
        .map(ToolChoice::Named)
        .ok_or_else(|| {
            Unsupported::new(
                "tool_choice",
                "is neither `auto`, `none` nor `required`, and names no function",
            )
        })
}

fn read_form(value: Node<'_>) -> Result<Form<'_>, Unsupported> {
    match value.text("type") {
        None | Some("text") => Ok(Form::Text),
        Some("json_object") => Ok(Form::Json),
        Some("json_schema") => {
            let given = value.get("json_schema");
            let schema = given
                .and_then(|given| given.get("schema"))
                .ok_or_else(|| Unsupported::new("response_format.json_schema", "has no schema"))?;
            let text = |key| given.and_then(|given| given.text(key));
            Ok(Form::Schema(Schema {
                name: text("name"),
                description: text("description"),
                schema,
                strict: given
                    .and_then(|given| given.get("strict"))
                    .and_then(Node::as_bool),
            }))
        }
        Some(_) => Err(Unsupported::new(
            "response_format.type",
            "is known to providers of this format only",
        )),
    }
}

fn read_conversation<'a>(turn: &mut Turn<'a>, body: Node<'a>) -> Result<(), Unsupported> {
    let mut calls = Calls::default();
    for (at, message) in body.list("messages").enumerate() {
        turn.dropped
            .add_if(message.get("name").is_some(), "messages[].name");
        match message.text("role") {
            Some("system" | "developer") => {
                let parts = read_content(at, message)?;
                if turn.messages.is_empty() {
                    turn.system.extend(parts);
                } else {
                    push(turn, Role::System, parts);
                }
            }
            Some("user") => push(turn, Role::User, read_content(at, message)?),
            Some("assistant") => {
                let parts = read_assistant(at, message, &mut calls, &mut turn.dropped)?;
                push(turn, Role::Assistant, parts);
            }
            Some("tool") => {
                let id = message.text("tool_call_id").unwrap_or_default();
                let result = ToolResult {
                    id: Cow::Borrowed(id),
                    name: calls.tool_of(id),
                    parts: read_content(at, message)?,
                    is_error: false,
                    cache: marks_cache(message),
                };
                push(turn, Role::User, vec![Part::ToolResult(result)]);
            }
            _ => {
                return Err(Unsupported::new(
                    format!("messages[{at}].role"),
                    "is none of `system`, `developer`, `user`, `assistant` and `tool`",
                ));
            }
        }
    }
    Ok(())
}

/// One message more, or more of the last one: what one side says in a row is one message.
fn push<'a>(turn: &mut Turn<'a>, role: Role, parts: Vec<Part<'a>>) {
    if parts.is_empty() {
        return;
    }
    match turn.messages.last_mut() {
        Some(last) if last.role == role => last.parts.extend(parts),
        _ => turn.messages.push(Message { role, parts }),
    }
}

fn read_assistant<'a>(
    at: usize,
    message: Node<'a>,
    calls: &mut Calls<'a>,
    dropped: &mut Losses,
) -> Result<Vec<Part<'a>>, Unsupported> {
    let mut parts = Vec::new();
    read_thoughts(message, &mut parts);
    parts.extend(read_content(at, message)?);
    if let Some(refusal) = message.text("refusal").filter(|text| !text.is_empty()) {
        parts.push(Part::Refusal(Cow::Borrowed(refusal)));
    }
    dropped.add_if(message.get("audio").is_some(), "messages[].audio");
    dropped.add_if(
        message.get("function_call").is_some(),
        "messages[].function_call",
    );
    for (number, call) in message.list("tool_calls").enumerate() {
        let function = call.get("function").ok_or_else(|| {
            Unsupported::new(
                format!("messages[{at}].tool_calls[{number}]"),
                "is not the call of a function",
            )
        })?;
        let id = call.text("id").unwrap_or_default();
        let name = function.text("name").unwrap_or_default();
        calls.add(id, name);
        parts.push(Part::ToolCall(ToolCall {
            id: Cow::Borrowed(id),
            name: Cow::Borrowed(name),
            arguments: Arguments::Text(Cow::Borrowed(
                function.text("arguments").unwrap_or_default(),
            )),
            signature: None,
        }));
    }
    Ok(parts)
}

/// COMPAT: thoughts, in the members that clients send back: `reasoning_content` (DeepSeek, vLLM, `LiteLLM`), `reasoning`
/// (OpenRouter, Groq).
fn read_thoughts<'a>(message: Node<'a>, parts: &mut Vec<Part<'a>>) {
    let text = message
        .text("reasoning_content")
        .or_else(|| message.text("reasoning"))
        .unwrap_or_default();
    if !text.is_empty() {
        parts.push(Part::Reasoning(Reasoning {
            text: Cow::Borrowed(text),
            signature: None,
            redacted: false,
        }));
    }
}

fn read_content(at: usize, message: Node<'_>) -> Result<Vec<Part<'_>>, Unsupported> {
    let Some(content) = message.get("content") else {
        return Ok(Vec::new());
    };
    if let Some(text) = content.as_str() {
        return Ok(Part::text(text)
            .map(|part| with_mark(part, message))
            .into_iter()
            .collect());
    }
    let mut parts = Vec::new();
    for (number, part) in content.elements().enumerate() {
        let field = || format!("messages[{at}].content[{number}]");
        match part.text("type") {
            Some("text") => {
                let text = Part::text(part.text("text").unwrap_or_default());
                parts.extend(text.map(|text| with_mark(text, part)));
            }
            Some("refusal") => {
                let text = part.text("refusal").unwrap_or_default();
                if !text.is_empty() {
                    parts.push(Part::Refusal(Cow::Borrowed(text)));
                }
            }
            Some("image_url") => parts.push(Part::Image(read_image(&field, part)?)),
            Some("file") => parts.push(Part::Document(read_file(&field, part)?)),
            Some("input_audio") => parts.push(Part::Audio(read_audio(&field, part)?)),
            _ => {
                return Err(Unsupported::new(
                    field(),
                    "is of a type that is known to providers of this format only",
                ));
            }
        }
    }
    Ok(parts)
}

fn read_image<'a>(field: &dyn Fn() -> String, part: Node<'a>) -> Result<Media<'a>, Unsupported> {
    let image = part.get("image_url");
    // COMPAT: Mistral takes the address itself, and its clients send that.
    let url = image.and_then(|image| image.as_str().or_else(|| image.text("url")));
    let url = url.ok_or_else(|| Unsupported::new(field(), "has no `image_url.url`"))?;
    Ok(Media {
        source: Source::of_url(url),
        name: None,
        cache: marks_cache(part),
    })
}

fn read_file<'a>(field: &dyn Fn() -> String, part: Node<'a>) -> Result<Media<'a>, Unsupported> {
    let file = part.get("file");
    let data = file
        .and_then(|file| file.text("file_data"))
        .ok_or_else(|| {
            Unsupported::new(
                field(),
                "has no `file.file_data`: a file that lies at one provider is not known to another",
            )
        })?;
    Ok(Media {
        source: Source::of_url(data),
        name: file.and_then(|file| file.text("filename")),
        cache: marks_cache(part),
    })
}

fn read_audio<'a>(field: &dyn Fn() -> String, part: Node<'a>) -> Result<Media<'a>, Unsupported> {
    let audio = part.get("input_audio");
    let text = |key| audio.and_then(|audio| audio.text(key));
    let data =
        text("data").ok_or_else(|| Unsupported::new(field(), "has no `input_audio.data`"))?;
    let media_type = match text("format") {
        Some("mp3") => Cow::Borrowed("audio/mpeg"),
        Some(format) => Cow::Owned(format!("audio/{format}")),
        None => Cow::Borrowed("audio/wav"),
    };
    Ok(Media {
        source: Source::Data {
            media_type,
            base64: Cow::Borrowed(data),
        },
        name: None,
        cache: false,
    })
}

/// COMPAT: `cache_control`, Anthropic's mark, which clients of `OpenRouter` and `LiteLLM` put on parts of this format.
fn marks_cache(node: Node<'_>) -> bool {
    node.get("cache_control").is_some()
}

fn with_mark<'a>(part: Part<'a>, marked: Node<'_>) -> Part<'a> {
    match part {
        Part::Text(text) => Part::Text(Text {
            cache: marks_cache(marked),
            ..text
        }),
        other => other,
    }
}
