//! The items of a client's `input`, as messages. What one side says in a row is one message, calls and thoughts with it.

use std::borrow::Cow;

use crate::dialect::ids::Calls;
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::responses::{custom, item};
use crate::dialect::turn::{
    Arguments, Media, Message, Part, Role, Source, Text, ToolCall, ToolResult, Turn,
};
use crate::wire::json::Node;

/// Reads `instructions` and `input`.
pub(super) fn read<'a>(turn: &mut Turn<'a>, body: Node<'a>) -> Result<(), Unsupported> {
    match body.get("instructions") {
        None => {}
        Some(text) => match text.as_str() {
            Some(text) => turn.system.extend(Part::text(text)),
            None => return Err(Unsupported::new("instructions", "is not a text")),
        },
    }
    let Some(input) = body.get("input") else {
        return Err(Unsupported::new("input", "is missing"));
    };
    if let Some(text) = input.as_str() {
        push(turn, Role::User, Part::text(text));
        return Ok(());
    }
    if !input.is_array() {
        return Err(Unsupported::new(
            "input",
            "is neither a text nor a list of items",
        ));
    }
    let mut calls = Calls::default();
    for (at, item) in input.elements().enumerate() {
        take_item(turn, &mut calls, at, item)?;
    }
    Ok(())
}

fn take_item<'a>(
    turn: &mut Turn<'a>,
    calls: &mut Calls<'a>,
    at: usize,
    item: Node<'a>,
) -> Result<(), Unsupported> {
    let field = || format!("input[{at}]");
    match item.text("type") {
        None | Some("message") => take_message(turn, at, item),
        Some("reasoning") => {
            push(
                turn,
                Role::Assistant,
                item::reasoning(item).map(Part::Reasoning),
            );
            Ok(())
        }
        Some("function_call" | "custom_tool_call") => {
            turn.dropped.add_rest(item, &CALL, "input[].");
            let call = read_call(item).ok_or_else(|| {
                Unsupported::new(
                    field(),
                    "is a call without `call_id`, `name` or what it is called with",
                )
            })?;
            calls.add(call.id.clone(), call.name.clone());
            push(turn, Role::Assistant, Some(Part::ToolCall(call)));
            Ok(())
        }
        Some("function_call_output" | "custom_tool_call_output") => {
            turn.dropped.add_rest(item, &OUTPUT, "input[].");
            let id = item.text("call_id").ok_or_else(|| {
                Unsupported::new(field(), "is a result without the `call_id` of its call")
            })?;
            let result = ToolResult {
                id: Cow::Borrowed(id),
                name: calls.tool_of(id),
                parts: read_parts(
                    &|| format!("input[{at}].output"),
                    item.get("output"),
                    &mut turn.dropped,
                )?,
                is_error: false,
                cache: false,
            };
            push(turn, Role::User, Some(Part::ToolResult(result)));
            Ok(())
        }
        Some("item_reference") => Err(Unsupported::new(
            field(),
            "refers to something that is stored at OpenAI only: send the item itself",
        )),
        Some(_) => Err(Unsupported::new(
            field(),
            "is of a type that is known to OpenAI only",
        )),
    }
}

/// A call as an item of `input` or `output` has it; `None` without its names, or with arguments of another type.
pub(in crate::dialect::responses) fn read_call(item: Node<'_>) -> Option<ToolCall<'_>> {
    let arguments = match item.text("type") {
        Some("custom_tool_call") => {
            Arguments::Text(Cow::Owned(custom::wrapped(item.text("input")?)))
        }
        _ => match item.get("arguments") {
            None => Arguments::Text(Cow::Borrowed("")),
            Some(object) if object.is_object() => Arguments::Object(object),
            Some(text) => Arguments::Text(Cow::Borrowed(text.as_str()?)),
        },
    };
    Some(ToolCall {
        id: Cow::Borrowed(item.text("call_id")?),
        name: Cow::Borrowed(item.text("name")?),
        arguments,
        signature: None,
    })
}

fn take_message<'a>(turn: &mut Turn<'a>, at: usize, item: Node<'a>) -> Result<(), Unsupported> {
    turn.dropped.add_rest(item, &MESSAGE, "input[].");
    let role = match item.text("role") {
        Some("system" | "developer") => Role::System,
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        _ => {
            return Err(Unsupported::new(
                format!("input[{at}].role"),
                "is none of `system`, `developer`, `user` and `assistant`",
            ));
        }
    };
    let field = || format!("input[{at}].content");
    let parts = read_parts(&field, item.get("content"), &mut turn.dropped)?;
    if role == Role::System && turn.messages.is_empty() {
        turn.system.extend(parts);
    } else {
        push(turn, role, parts);
    }
    Ok(())
}

/// One message more, or more of the last one.
fn push<'a>(turn: &mut Turn<'a>, role: Role, parts: impl IntoIterator<Item = Part<'a>>) {
    let mut parts = parts.into_iter().peekable();
    if parts.peek().is_none() {
        return;
    }
    match turn.messages.last_mut() {
        Some(last) if last.role == role => last.parts.extend(parts),
        _ => turn.messages.push(Message {
            role,
            parts: parts.collect(),
        }),
    }
}

/// The content of a message, or the output of a call: a text, or a list of parts.
fn read_parts<'a>(
    field: &dyn Fn() -> String,
    content: Option<Node<'a>>,
    dropped: &mut Losses,
) -> Result<Vec<Part<'a>>, Unsupported> {
    let Some(content) = content else {
        return Ok(Vec::new());
    };
    if let Some(text) = content.as_str() {
        return Ok(Part::text(text).into_iter().collect());
    }
    if !content.is_array() {
        return Err(Unsupported::new(
            field(),
            "is neither a text nor a list of parts",
        ));
    }
    let mut parts = Vec::new();
    for (at, part) in content.elements().enumerate() {
        parts.extend(read_part(&|| format!("{}[{at}]", field()), part, dropped)?);
    }
    Ok(parts)
}

/// A part; `None` for one that says nothing.
fn read_part<'a>(
    field: &dyn Fn() -> String,
    part: Node<'a>,
    dropped: &mut Losses,
) -> Result<Option<Part<'a>>, Unsupported> {
    let cache = part.get("prompt_cache_breakpoint").is_some();
    let (read, known): (_, &[&str]) = match part.text("type") {
        Some("input_text" | "output_text" | "text") => {
            let text = part.text("text");
            let text = text.ok_or_else(|| Unsupported::new(field(), "has no `text`"))?;
            let text = Cow::Borrowed(text);
            let said = !text.is_empty();
            (said.then_some(Part::Text(Text { text, cache })), &["text"])
        }
        Some("refusal") => {
            let text = part.text("refusal").filter(|text| !text.is_empty());
            (
                text.map(|text| Part::Refusal(Cow::Borrowed(text))),
                &["refusal"],
            )
        }
        Some("input_image") => {
            let image = Media {
                detail: part.text("detail").filter(|detail| *detail != "auto"),
                cache,
                ..Media::of(source_at(part, &["image_url"], field)?)
            };
            (
                Some(Part::Image(image)),
                &["image_url", "detail", "file_id"],
            )
        }
        Some("input_file") => {
            let file = Media {
                name: part.text("filename"),
                cache,
                ..Media::of(source_at(part, &["file_data", "file_url"], field)?)
            };
            (
                Some(Part::Document(file)),
                &["file_data", "file_url", "filename", "file_id"],
            )
        }
        Some("input_audio") => (
            Some(Part::Audio(read_audio(part, field)?)),
            &["input_audio"],
        ),
        _ => {
            return Err(Unsupported::new(
                field(),
                "is of a type that is known to OpenAI only",
            ));
        }
    };
    let known = [known, &["type", "prompt_cache_breakpoint"]].concat();
    dropped.add_rest(part, &known, "input[].content[].");
    Ok(read)
}

fn source_at<'a>(
    part: Node<'a>,
    keys: &[&str],
    field: &dyn Fn() -> String,
) -> Result<Source<'a>, Unsupported> {
    let url = keys.iter().find_map(|key| part.text(key));
    let source = match url {
        Some(url) => Source::of_url(url),
        None if part.get("file_id").is_some() => {
            Err("lies at one provider, and another does not know it: send it as data")
        }
        None => Err("has neither data nor an address"),
    };
    source.map_err(|why| Unsupported::new(field(), why))
}

fn read_audio<'a>(part: Node<'a>, field: &dyn Fn() -> String) -> Result<Media<'a>, Unsupported> {
    let audio = part.get("input_audio");
    let text = |key| audio.and_then(|audio| audio.text(key));
    let data =
        text("data").ok_or_else(|| Unsupported::new(field(), "has no `input_audio.data`"))?;
    let media_type = match text("format") {
        Some("mp3") => Cow::Borrowed("audio/mpeg"),
        Some(format) => Cow::Owned(format!("audio/{format}")),
        None => Cow::Borrowed("audio/wav"),
    };
    Source::of_data(media_type, Cow::Borrowed(data))
        .map(Media::of)
        .map_err(|why| Unsupported::new(field(), why))
}

// Members that are read, and those that say how an item was made: its name, its state, where it stood in the answer.
const MESSAGE: [&str; 6] = ["type", "role", "content", "id", "status", "phase"];
const CALL: [&str; 7] = [
    "type",
    "call_id",
    "name",
    "arguments",
    "input",
    "id",
    "status",
];
const OUTPUT: [&str; 5] = ["type", "call_id", "output", "id", "status"];
