//! A client's request, said in no format's words.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::dialect::chat::answer::arguments_of;
use crate::dialect::chat::request::content;
use crate::dialect::ids::Calls;
use crate::dialect::loss::{BOOL, LIST, Losses, NUMBER, TEXT, Unsupported, WHOLE, typed};
use crate::dialect::mark;
use crate::dialect::turn::{
    Effort, Form, Message, Part, Reasoning, Role, Schema, Thinking, Tool, ToolCall, ToolChoice,
    ToolResult, Turn,
};
use crate::wire::json::Node;

/// Reads a request. What the neutral turn does not hold is named in [`Turn::dropped`].
///
/// # Errors
/// A field that only this format has and that the answer depends on, or one that is not of its type.
pub fn read(body: Node<'_>) -> Result<Turn<'_>, Unsupported> {
    let mut turn = Turn::default();
    for (key, value) in body.members() {
        if !value.is_null() {
            take_field(&mut turn, key, value)?;
        }
    }
    read_conversation(&mut turn, body)?;
    if let Some(choice) = body.get("tool_choice") {
        take_choice(&mut turn, choice)?;
    }
    if turn.tools.is_empty() {
        // Of no meaning without tools, and refused by those that are asked next.
        turn.tool_choice = None;
        turn.parallel_tools = None;
    }
    Ok(turn)
}

fn take_field<'a>(turn: &mut Turn<'a>, key: &str, value: Node<'a>) -> Result<(), Unsupported> {
    let number = || typed(key, value.as_f64(), NUMBER).map(Some);
    let whole = || typed(key, value.as_u64(), WHOLE).map(Some);
    let text = || typed(key, value.as_str(), TEXT).map(Some);
    match key {
        // Read in the order that matters, or the policy's to say.
        "model" | "messages" | "tool_choice" => {}
        "stream" => turn.stream = typed(key, value.as_bool(), BOOL)?,
        "stream_options" => read_stream_options(turn, value),
        "max_completion_tokens" => turn.max_tokens = whole()?,
        "max_tokens" => turn.max_tokens = turn.max_tokens.or(whole()?),
        "temperature" => turn.temperature = number()?,
        "top_p" => turn.top_p = number()?,
        "top_k" => {
            turn.top_k = value.as_u64();
            turn.dropped.add_if(turn.top_k.is_none(), "top_k");
        }
        "seed" => {
            turn.seed = value.as_u64();
            turn.dropped.add_if(turn.seed.is_none(), "seed");
        }
        "presence_penalty" => turn.presence_penalty = number()?,
        "frequency_penalty" => turn.frequency_penalty = number()?,
        "stop" => turn.stop = read_stops(value)?,
        // Two names of one thing: `user` is the older.
        "safety_identifier" => turn.user = text()?,
        "user" => turn.user = turn.user.or(text()?),
        "tools" => {
            typed(key, value.is_array().then_some(()), LIST)?;
            for (at, tool) in value.elements().enumerate() {
                let tool = read_tool(at, tool, &mut turn.dropped)?;
                turn.tools.push(tool);
            }
        }
        "parallel_tool_calls" => {
            turn.parallel_tools = Some(typed(key, value.as_bool(), BOOL)?);
        }
        "response_format" => turn.form = read_form(value, &mut turn.dropped)?,
        "reasoning_effort" => turn.thinking = read_effort(value, &mut turn.dropped),
        "reasoning" => turn.thinking = read_reasoning(value, &mut turn.dropped),
        _ => return take_untold(&mut turn.dropped, key, value),
    }
    Ok(())
}

fn read_stream_options(turn: &mut Turn<'_>, value: Node<'_>) {
    let is = |key| value.get(key).and_then(Node::as_bool);
    turn.stream_usage = is("include_usage") == Some(true);
    // Padding against those who count bytes on the way: the answer has none.
    let known = ["include_usage", "include_obfuscation"];
    let padded = is("include_obfuscation") == Some(true);
    turn.dropped
        .add_if(padded, "stream_options.include_obfuscation");
    turn.dropped.add_rest(value, &known, "stream_options.");
}

fn read_stops(value: Node<'_>) -> Result<Vec<&str>, Unsupported> {
    if let Some(text) = value.as_str() {
        return Ok(vec![text]);
    }
    let texts = value.elements().map(Node::as_str).collect();
    typed(
        "stop",
        Some(texts).filter(|_| value.is_array()).flatten(),
        "a text or a list of texts",
    )
}

/// Fields without a counterpart: those that change nothing as they are, those without which there is no right answer, and
/// the rest, which is dropped by name.
fn take_untold(dropped: &mut Losses, key: &str, value: Node<'_>) -> Result<(), Unsupported> {
    let only_here = "is known to providers of this format only";
    match key {
        // As if they were not there.
        "top_logprobs" if value.as_u64() == Some(0) => Ok(()),
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
fn read_reasoning(value: Node<'_>, dropped: &mut Losses) -> Option<Thinking> {
    let is = |key| value.get(key).and_then(Node::as_bool);
    let said = value.text("effort");
    let effort = said.and_then(Effort::of);
    let budget = value.get("max_tokens").and_then(Node::as_u64);
    let effort = match is("enabled") {
        Some(false) => Some(Effort::None),
        Some(true) if said.is_none() && budget.is_none() => Some(Effort::Medium),
        _ => effort,
    };
    dropped.add_if(said.is_some() && effort.is_none(), "reasoning.effort");
    // Thoughts are told wherever the provider tells them.
    dropped.add_if(is("exclude") == Some(true), "reasoning.exclude");
    dropped.add_rest(
        value,
        &["effort", "max_tokens", "enabled", "exclude"],
        "reasoning.",
    );
    (effort.is_some() || budget.is_some()).then(|| Thinking {
        effort,
        budget,
        shown: is("exclude") != Some(true),
    })
}

fn read_tool<'a>(at: usize, tool: Node<'a>, dropped: &mut Losses) -> Result<Tool<'a>, Unsupported> {
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
    dropped.add_rest(tool, &["type", "function", "cache_control"], "tools[].");
    let known = [
        "name",
        "description",
        "parameters",
        "strict",
        "cache_control",
    ];
    dropped.add_rest(function, &known, "tools[].function.");
    Ok(Tool {
        name,
        description: function.text("description"),
        schema: function.get("parameters"),
        strict: function.get("strict").and_then(Node::as_bool),
        cache: mark::is_on(tool, dropped) || mark::is_on(function, dropped),
    })
}

fn take_choice<'a>(turn: &mut Turn<'a>, value: Node<'a>) -> Result<(), Unsupported> {
    let name_of = |tool: Node<'a>| {
        let function = tool.get("function")?;
        function.text("name")
    };
    if let Some(choice) = value.as_str().and_then(choice_of) {
        turn.tool_choice = Some(choice);
    } else if let Some(name) = name_of(value) {
        turn.tool_choice = Some(ToolChoice::Named(name));
    } else if let Some(allowed) = value.get("allowed_tools") {
        turn.tool_choice = allowed.text("mode").and_then(choice_of);
        let allowed: BTreeSet<_> = allowed.list("tools").filter_map(name_of).collect();
        turn.tools.retain(|tool| allowed.contains(tool.name));
    } else {
        return Err(Unsupported::new(
            "tool_choice",
            "is neither `auto`, `none` nor `required`, and names no function",
        ));
    }
    Ok(())
}

fn choice_of(word: &str) -> Option<ToolChoice<'static>> {
    Some(match word {
        "auto" => ToolChoice::Auto,
        "none" => ToolChoice::None,
        // COMPAT: `any` is Mistral's word, which its clients send.
        "required" | "any" => ToolChoice::Required,
        _ => return None,
    })
}

fn read_form<'a>(value: Node<'a>, dropped: &mut Losses) -> Result<Form<'a>, Unsupported> {
    typed("response_format", value.text("type"), "a form with a type")?;
    dropped.add_rest(value, &["type", "json_schema"], "response_format.");
    match value.text("type") {
        None | Some("text") => Ok(Form::Text),
        Some("json_object") => Ok(Form::Json),
        Some("json_schema") => {
            const FIELD: &str = "response_format.json_schema";
            let given = value
                .get("json_schema")
                .ok_or_else(|| Unsupported::new(FIELD, "is missing"))?;
            let schema = given
                .get("schema")
                .ok_or_else(|| Unsupported::new(FIELD, "has no schema"))?;
            let known = ["name", "description", "schema", "strict"];
            dropped.add_rest(given, &known, "response_format.json_schema.");
            Ok(Form::Schema(Schema {
                name: given.text("name"),
                description: given.text("description"),
                schema,
                strict: given.get("strict").and_then(Node::as_bool),
            }))
        }
        Some(_) => Err(Unsupported::new(
            "response_format.type",
            "is known to providers of this format only",
        )),
    }
}

fn read_conversation<'a>(turn: &mut Turn<'a>, body: Node<'a>) -> Result<(), Unsupported> {
    let messages = body.get("messages").filter(|messages| messages.is_array());
    let messages = typed("messages", messages, LIST)?;
    let mut calls = Calls::default();
    for (at, message) in messages.elements().enumerate() {
        let role = message.text("role").unwrap_or_default();
        let known = match role {
            "assistant" => &ASSISTANT[..],
            "tool" => &TOOL,
            _ => &MESSAGE,
        };
        turn.dropped.add_rest(message, known, "messages[].");
        match role {
            "system" | "developer" => {
                let parts = read_content(at, message, &mut turn.dropped)?;
                if turn.messages.is_empty() {
                    turn.system.extend(parts);
                } else {
                    push(turn, Role::System, parts);
                }
            }
            "user" => {
                let parts = read_content(at, message, &mut turn.dropped)?;
                push(turn, Role::User, parts);
            }
            "assistant" => {
                let parts = read_assistant(at, message, &mut calls, &mut turn.dropped)?;
                push(turn, Role::Assistant, parts);
            }
            "tool" => {
                let result = read_result(at, message, &calls, &mut turn.dropped)?;
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

fn read_result<'a>(
    at: usize,
    message: Node<'a>,
    calls: &Calls<'a>,
    dropped: &mut Losses,
) -> Result<ToolResult<'a>, Unsupported> {
    let id = message.text("tool_call_id").unwrap_or_default();
    let mut name = calls.tool_of(id);
    if name.is_empty() {
        // COMPAT: not of this format any more, and still sent by many clients.
        name = Cow::Borrowed(message.text("name").unwrap_or_default());
    }
    Ok(ToolResult {
        id: Cow::Borrowed(id),
        name,
        parts: read_parts(at, message, dropped)?,
        is_error: false,
        cache: mark::is_on(message, dropped),
    })
}

fn read_assistant<'a>(
    at: usize,
    message: Node<'a>,
    calls: &mut Calls<'a>,
    dropped: &mut Losses,
) -> Result<Vec<Part<'a>>, Unsupported> {
    let mut parts = Vec::new();
    read_thoughts(message, &mut parts);
    parts.extend(read_content(at, message, dropped)?);
    if let Some(refusal) = message.text("refusal").filter(|text| !text.is_empty()) {
        parts.push(Part::Refusal(Cow::Borrowed(refusal)));
    }
    if message.get("function_call").is_some() {
        return Err(Unsupported::new(
            format!("messages[{at}].function_call"),
            "is the older form of `tool_calls`, which other providers do not have",
        ));
    }
    for (number, call) in message.list("tool_calls").enumerate() {
        let function = call.get("function").ok_or_else(|| {
            Unsupported::new(
                format!("messages[{at}].tool_calls[{number}]"),
                "is not the call of a function",
            )
        })?;
        let known = ["id", "type", "index", "function"];
        dropped.add_rest(call, &known, "messages[].tool_calls[].");
        let known = ["name", "arguments"];
        dropped.add_rest(function, &known, "messages[].tool_calls[].function.");
        let id = call.text("id").unwrap_or_default();
        let name = function.text("name").unwrap_or_default();
        calls.add(id, name);
        parts.push(Part::ToolCall(ToolCall {
            id: Cow::Borrowed(id),
            name: Cow::Borrowed(name),
            arguments: arguments_of(function),
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

/// The content of a message. A mark of the message's own is one of the last part.
fn read_content<'a>(
    at: usize,
    message: Node<'a>,
    dropped: &mut Losses,
) -> Result<Vec<Part<'a>>, Unsupported> {
    let mut parts = read_parts(at, message, dropped)?;
    if mark::is_on(message, dropped) {
        match parts.last_mut() {
            Some(Part::Text(text)) => text.cache = true,
            Some(Part::Image(media) | Part::Document(media) | Part::Audio(media)) => {
                media.cache = true;
            }
            _ => dropped.add("messages[].cache_control"),
        }
    }
    Ok(parts)
}

fn read_parts<'a>(
    at: usize,
    message: Node<'a>,
    dropped: &mut Losses,
) -> Result<Vec<Part<'a>>, Unsupported> {
    let Some(content) = message.get("content") else {
        return Ok(Vec::new());
    };
    if let Some(text) = content.as_str() {
        return Ok(Part::text(text).into_iter().collect());
    }
    if !content.is_array() {
        return Err(Unsupported::new(
            format!("messages[{at}].content"),
            "is neither a text nor a list of parts",
        ));
    }
    let mut parts = Vec::new();
    for (number, part) in content.elements().enumerate() {
        let field = || format!("messages[{at}].content[{number}]");
        parts.extend(content::read(part, &field, dropped)?);
    }
    Ok(parts)
}

// Members of a message that are read, or named by themselves.
const MESSAGE: [&str; 3] = ["role", "content", "cache_control"];
const TOOL: [&str; 5] = ["role", "content", "cache_control", "tool_call_id", "name"];
const ASSISTANT: [&str; 8] = [
    "role",
    "content",
    "cache_control",
    "refusal",
    "tool_calls",
    "function_call",
    "reasoning_content",
    "reasoning",
];
