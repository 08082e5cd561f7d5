//! A client's request, said in no format's words.

use std::collections::BTreeSet;

use crate::dialect::loss::{BOOL, LIST, Losses, NUMBER, OBJECT, TEXT, Unsupported, WHOLE, typed};
use crate::dialect::responses::custom;
use crate::dialect::responses::request::items;
use crate::dialect::turn::{Effort, Form, Schema, Thinking, Tool, ToolChoice, Turn};
use crate::wire::json::Node;

/// Reads a request. What the neutral turn does not hold is named in [`Turn::dropped`].
///
/// # Errors
/// Something that only OpenAI knows or stores, and that the answer depends on.
pub fn read(body: Node<'_>) -> Result<Turn<'_>, Unsupported> {
    let mut turn = Turn {
        stream_usage: true,
        ..Turn::default()
    };
    for (key, value) in body.members() {
        if !value.is_null() {
            take_field(&mut turn, key, value)?;
        }
    }
    items::read(&mut turn, body)?;
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
    match key {
        // Read in the order that matters, or the policy's to say.
        "model" | "input" | "instructions" | "tool_choice" => {}
        "stream" => turn.stream = typed(key, value.as_bool(), BOOL)?,
        "max_output_tokens" => turn.max_tokens = Some(typed(key, value.as_u64(), WHOLE)?),
        "temperature" => turn.temperature = Some(typed(key, value.as_f64(), NUMBER)?),
        "top_p" => turn.top_p = Some(typed(key, value.as_f64(), NUMBER)?),
        "presence_penalty" => turn.presence_penalty = Some(typed(key, value.as_f64(), NUMBER)?),
        "frequency_penalty" => turn.frequency_penalty = Some(typed(key, value.as_f64(), NUMBER)?),
        // Two names of one thing: `user` is the older.
        "safety_identifier" => turn.user = Some(typed(key, value.as_str(), TEXT)?),
        "user" => turn.user = turn.user.or(Some(typed(key, value.as_str(), TEXT)?)),
        "tools" => {
            typed(key, value.is_array().then_some(()), LIST)?;
            for (at, tool) in value.elements().enumerate() {
                let tool = read_tool(at, tool, &mut turn.dropped)?;
                turn.tools.push(tool);
            }
        }
        "parallel_tool_calls" => turn.parallel_tools = Some(typed(key, value.as_bool(), BOOL)?),
        "text" => {
            typed(key, value.is_object().then_some(()), OBJECT)?;
            for (key, value) in value.members() {
                match key {
                    "format" => turn.form = read_form(value, &mut turn.dropped)?,
                    _ if value.is_null() => {}
                    _ => turn.dropped.add(format!("text.{key}")),
                }
            }
        }
        "reasoning" => {
            typed(key, value.is_object().then_some(()), OBJECT)?;
            turn.thinking = read_reasoning(value, &mut turn.dropped);
        }
        _ => return take_untold(&mut turn.dropped, key, value),
    }
    Ok(())
}

/// Fields without a counterpart: those that change nothing as they are, those without which there is no right answer, and
/// the rest, which is dropped by name.
fn take_untold(dropped: &mut Losses, key: &str, value: Node<'_>) -> Result<(), Unsupported> {
    let is = |default: &str| value.as_str() == Some(default);
    match key {
        "previous_response_id" | "conversation" | "prompt" => Err(Unsupported::new(
            key.to_owned(),
            "refers to something that is stored at OpenAI only: send the whole conversation as `input`",
        )),
        "background" if value.as_bool() == Some(true) => Err(Unsupported::new(
            "background",
            "asks for an answer that is kept for later, and answers are not stored",
        )),
        "top_logprobs" if value.as_u64() != Some(0) => Err(Unsupported::new(
            "top_logprobs",
            "asks for probabilities, which the provider does not give",
        )),
        "include" => {
            for wanted in value.elements().filter_map(Node::as_str) {
                if wanted == "message.output_text.logprobs" {
                    return Err(Unsupported::new(
                        "include",
                        "asks for probabilities, which the provider does not give",
                    ));
                }
                // Sealed thoughts are asked for as a rule, and are the provider's own.
                dropped.add_if(wanted != "reasoning.encrypted_content", "include");
            }
            Ok(())
        }
        "background" | "top_logprobs" => Ok(()),
        "stream_options" => {
            // Padding against those who count bytes on the way: the answer has none.
            let padding = value.get("include_obfuscation").and_then(Node::as_bool);
            dropped.add_if(padding == Some(true), "stream_options.include_obfuscation");
            dropped.add_rest(value, &["include_obfuscation"], "stream_options.");
            Ok(())
        }
        // As if they were not there.
        "store" if value.as_bool() == Some(false) => Ok(()),
        "truncation" if is("disabled") => Ok(()),
        "service_tier" if is("auto") || is("default") => Ok(()),
        "metadata" if value.members().next().is_none() => Ok(()),
        _ => {
            dropped.add(key.to_owned());
            Ok(())
        }
    }
}

fn read_reasoning(value: Node<'_>, dropped: &mut Losses) -> Option<Thinking> {
    let mut thinking = Thinking::default();
    for (key, value) in value.members().filter(|(_, value)| !value.is_null()) {
        match key {
            "effort" => {
                thinking.effort = value.as_str().and_then(Effort::of);
                dropped.add_if(thinking.effort.is_none(), "reasoning.effort");
            }
            // `generate_summary` is the older name.
            "summary" | "generate_summary" => {
                thinking.shown = value.as_str() != Some("none");
                // How much of them is the provider's to say.
                let is_plain = matches!(value.as_str(), Some("none" | "auto"));
                dropped.add_if(!is_plain, "reasoning.summary");
            }
            _ => dropped.add(format!("reasoning.{key}")),
        }
    }
    (thinking != Thinking::default()).then_some(thinking)
}

fn read_tool<'a>(at: usize, tool: Node<'a>, dropped: &mut Losses) -> Result<Tool<'a>, Unsupported> {
    let field = || format!("tools[{at}]");
    let name = || {
        let name = tool.text("name");
        name.ok_or_else(|| Unsupported::new(field(), "has no name"))
    };
    match tool.text("type") {
        Some("function") => {
            let known = ["type", "name", "description", "parameters", "strict"];
            dropped.add_rest(tool, &known, "tools[].");
            Ok(Tool {
                name: name()?,
                description: tool.text("description"),
                schema: tool.get("parameters"),
                strict: tool.get("strict").and_then(Node::as_bool),
                cache: false,
            })
        }
        Some("custom") => {
            let known = ["type", "name", "description", "format"];
            dropped.add_rest(tool, &known, "tools[].");
            let format = tool.get("format").and_then(|format| format.text("type"));
            dropped.add_if(
                format.is_some_and(|format| format != "text"),
                "tools[].format",
            );
            Ok(Tool {
                name: name()?,
                description: tool.text("description"),
                schema: custom::schema(),
                strict: None,
                cache: false,
            })
        }
        Some(_) => Err(Unsupported::new(
            field(),
            "is a tool that runs at OpenAI only, and not a function",
        )),
        None => Err(Unsupported::new(field(), "has no type")),
    }
}

fn take_choice<'a>(turn: &mut Turn<'a>, value: Node<'a>) -> Result<(), Unsupported> {
    if let Some(choice) = value.as_str().and_then(choice_of) {
        turn.tool_choice = Some(choice);
        return Ok(());
    }
    match (value.text("type"), value.text("name")) {
        (Some("function" | "custom"), Some(name)) => {
            turn.tool_choice = Some(ToolChoice::Named(name));
            Ok(())
        }
        (Some("allowed_tools"), _) => {
            turn.tool_choice = value.text("mode").and_then(choice_of);
            let names = value.list("tools").filter_map(|tool| tool.text("name"));
            let allowed: BTreeSet<_> = names.collect();
            turn.tools.retain(|tool| allowed.contains(tool.name));
            Ok(())
        }
        _ => Err(Unsupported::new(
            "tool_choice",
            "is neither `auto`, `none` nor `required`, and names no function",
        )),
    }
}

fn choice_of(word: &str) -> Option<ToolChoice<'static>> {
    Some(match word {
        "auto" => ToolChoice::Auto,
        "none" => ToolChoice::None,
        "required" => ToolChoice::Required,
        _ => return None,
    })
}

fn read_form<'a>(value: Node<'a>, dropped: &mut Losses) -> Result<Form<'a>, Unsupported> {
    let known = ["type", "name", "description", "schema", "strict"];
    dropped.add_rest(value, &known, "text.format.");
    match value.text("type") {
        None | Some("text") => Ok(Form::Text),
        Some("json_object") => Ok(Form::Json),
        Some("json_schema") => {
            let schema = value
                .get("schema")
                .ok_or_else(|| Unsupported::new("text.format", "has no schema"))?;
            Ok(Form::Schema(Schema {
                name: value.text("name"),
                description: value.text("description"),
                schema,
                strict: value.get("strict").and_then(Node::as_bool),
            }))
        }
        Some(_) => Err(Unsupported::new(
            "text.format.type",
            "is known to OpenAI only",
        )),
    }
}
