//! Reads a client's request.
//!
//! Refused is what no other provider could do in Anthropic's place: tools that Anthropic runs or whose schema only its
//! models know, files, containers and conversations that lie there, MCP servers that it calls, a place of inference that was
//! asked for.
//! What only makes an answer cheaper or rounder is dropped and named.

use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::messages::request::{parts, tools};
use crate::dialect::turn::{Effort, Form, Schema, Thinking, ToolChoice, Turn};
use crate::wire::json::Node;

/// Reads a body.
pub fn read(body: Node<'_>) -> Result<Turn<'_>, Unsupported> {
    let mut turn = Turn::default();
    let mut later = Later::default();
    for (key, value) in body.members().filter(|(_, value)| !value.is_null()) {
        member(key, value, &mut turn, &mut later)?;
    }
    let Some(messages) = later.messages.filter(|messages| messages.is_array()) else {
        return Err(Unsupported::new("messages", "has to be a list"));
    };
    parts::conversation(messages, &mut turn)?;
    if !turn.tools.is_empty()
        && let Some(choice) = later.tool_choice
    {
        choose(choice, &mut turn)?;
    }
    if let Some(thinking) = later.thinking {
        let known = ["type", "budget_tokens", "display"];
        turn.dropped.add_rest(thinking, &known, "thinking.");
    }
    turn.thinking = thinking(later.thinking, later.effort);
    turn.stream_usage = turn.stream; // streams of this format always end with it
    Ok(turn)
}

/// What is read when all else is known.
#[derive(Default)]
struct Later<'a> {
    messages: Option<Node<'a>>,
    tool_choice: Option<Node<'a>>,
    thinking: Option<Node<'a>>,
    effort: Option<Effort>,
}

fn member<'a>(
    key: &'a str,
    value: Node<'a>,
    turn: &mut Turn<'a>,
    later: &mut Later<'a>,
) -> Result<(), Unsupported> {
    match key {
        // The policy names the model; the version is a field of the head, or of the body at Bedrock and Vertex.
        "model" | "anthropic_version" => {}
        "messages" => later.messages = Some(value),
        "system" => parts::system(value, turn)?,
        "max_tokens" => turn.max_tokens = Some(whole(key, value)?),
        "temperature" => turn.temperature = Some(number(key, value)?),
        "top_p" => turn.top_p = Some(number(key, value)?),
        "top_k" => turn.top_k = Some(whole(key, value)?),
        "stop_sequences" => turn.stop = texts(key, value)?,
        "stream" => {
            turn.stream = value
                .as_bool()
                .ok_or_else(|| wrong(key, "has to be true or false"))?;
        }
        "metadata" => metadata(value, turn),
        "tools" => tools::read(value, turn)?,
        "tool_choice" => later.tool_choice = Some(value),
        "thinking" => later.thinking = Some(value),
        "output_config" => output_config(value, turn, later)?,
        // COMPAT: the form of 2025's beta, still accepted.
        "output_format" => turn.form = form("output_format", value, &mut turn.dropped)?,
        "mcp_servers" if value.elements().next().is_none() => {}
        "mcp_servers" => return Err(wrong(key, "names servers that only Anthropic calls")),
        "container" => return Err(wrong(key, "names a container that is Anthropic's")),
        // What was said before is not in the request. To begin one is no more than a wish to be able to.
        "thread" if value.text("type") != Some("create") => {
            return Err(wrong(
                key,
                "goes on with a conversation that only Anthropic keeps: all of it has to be sent",
            ));
        }
        "inference_geo" if value.as_str() == Some("global") => {}
        "inference_geo" => {
            return Err(wrong(
                key,
                "asks for a place of inference that only Anthropic keeps",
            ));
        }
        _ => turn.dropped.add_unknown("", key),
    }
    Ok(())
}

fn metadata<'a>(value: Node<'a>, turn: &mut Turn<'a>) {
    for (key, value) in value.members() {
        match key {
            "user_id" => turn.user = value.as_str(),
            _ => turn.dropped.add_unknown("metadata.", key),
        }
    }
}

fn output_config<'a>(
    value: Node<'a>,
    turn: &mut Turn<'a>,
    later: &mut Later<'a>,
) -> Result<(), Unsupported> {
    for (key, value) in value.members().filter(|(_, value)| !value.is_null()) {
        match key {
            "format" => turn.form = form("output_config.format", value, &mut turn.dropped)?,
            "effort" => {
                let effort = value.as_str().and_then(Effort::of);
                later.effort = Some(effort.ok_or_else(|| {
                    wrong(
                        "output_config.effort",
                        "has to be low, medium, high, xhigh or max",
                    )
                })?);
            }
            _ => turn.dropped.add_unknown("output_config.", key),
        }
    }
    Ok(())
}

fn form<'a>(
    field: &'static str,
    value: Node<'a>,
    dropped: &mut Losses,
) -> Result<Form<'a>, Unsupported> {
    dropped.add_rest(value, &["type", "schema", "name"], "output_config.format.");
    match (value.text("type"), value.get("schema")) {
        (Some("json_schema"), Some(schema)) => Ok(Form::Schema(Schema {
            name: value.text("name"),
            description: None,
            schema,
            strict: Some(true), // this format knows no other
        })),
        _ => Err(Unsupported::new(
            field,
            "has to be a `json_schema` with its `schema`",
        )),
    }
}

fn choose<'a>(choice: Node<'a>, turn: &mut Turn<'a>) -> Result<(), Unsupported> {
    let known = ["type", "name", "disable_parallel_tool_use"];
    turn.dropped.add_rest(choice, &known, "tool_choice.");
    turn.tool_choice = Some(match choice.text("type").unwrap_or_default() {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => match choice.text("name") {
            Some(name) => ToolChoice::Named(name),
            None => return Err(wrong("tool_choice.name", "is missing")),
        },
        _ => {
            return Err(wrong(
                "tool_choice.type",
                "has to be auto, any, none or tool",
            ));
        }
    });
    turn.parallel_tools = choice
        .get("disable_parallel_tool_use")
        .and_then(Node::as_bool)
        .map(|disabled| !disabled);
    Ok(())
}

/// `thinking` and the effort that belongs to it.
fn thinking(thinking: Option<Node<'_>>, effort: Option<Effort>) -> Option<Thinking> {
    let kind = thinking.and_then(|thinking| thinking.text("type"));
    let Some(kind) = kind else {
        return effort.map(|effort| Thinking {
            effort: Some(effort),
            ..Thinking::default()
        });
    };
    let said = |key| thinking.and_then(|thinking| thinking.get(key));
    Some(match kind {
        "disabled" => Thinking {
            effort: Some(Effort::None),
            ..Thinking::default()
        },
        "between_tools" => Thinking {
            effort: Some(Effort::Minimal),
            ..Thinking::default()
        },
        _ => Thinking {
            effort,
            budget: said("budget_tokens").and_then(Node::as_u64),
            shown: said("display").and_then(Node::as_str) != Some("omitted"),
        },
    })
}

fn texts<'a>(field: &str, value: Node<'a>) -> Result<Vec<&'a str>, Unsupported> {
    if !value.is_array() {
        return Err(wrong(field, "has to be a list of texts"));
    }
    value
        .elements()
        .map(|text| {
            text.as_str()
                .ok_or_else(|| wrong(field, "has to be a list of texts"))
        })
        .collect()
}

fn whole(field: &str, value: Node<'_>) -> Result<u64, Unsupported> {
    value
        .as_u64()
        .ok_or_else(|| wrong(field, "has to be a whole number"))
}

fn number(field: &str, value: Node<'_>) -> Result<f64, Unsupported> {
    value
        .as_f64()
        .ok_or_else(|| wrong(field, "has to be a number"))
}

/// A field that this folder knows, so that its name may be shown.
pub(super) fn wrong(field: &str, why: &'static str) -> Unsupported {
    Unsupported::new(field.to_owned(), why)
}
