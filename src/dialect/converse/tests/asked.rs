//! Reads recorded requests of Bedrock into a neutral turn: only here, as no client speaks the format.

use std::borrow::Cow;

use crate::dialect::turn::{
    Arguments, Form, Media, Message, Part, Reasoning, Role, Schema, Source, Text, Thinking, Tool,
    ToolCall, ToolChoice, ToolResult, Turn,
};
use crate::wire::json::Node;

/// The turn that `body` asks for. `schema` is the parsed text of its schema, if it has one.
pub(super) fn read<'a>(body: Node<'a>, schema: Option<Node<'a>>) -> Turn<'a> {
    let nothing = body.list("nothing");
    let config = |key| body.get("inferenceConfig").and_then(|it| it.get(key));
    let more = |key| {
        body.get("additionalModelRequestFields")
            .and_then(|it| it.get(key))
    };
    Turn {
        system: read_parts(body.list("system")),
        messages: body
            .list("messages")
            .map(|message| Message {
                role: match message.text("role") {
                    Some("assistant") => Role::Assistant,
                    _ => Role::User,
                },
                parts: read_parts(message.list("content")),
            })
            .collect(),
        tools: read_tools(body),
        tool_choice: body
            .get("toolConfig")
            .and_then(|it| it.get("toolChoice"))
            .map(|choice| match choice.members().next().unwrap() {
                ("auto", _) => ToolChoice::Auto,
                ("any", _) => ToolChoice::Required,
                (_, tool) => ToolChoice::Named(tool.text("name").unwrap()),
            }),
        max_tokens: config("maxTokens").and_then(Node::as_u64),
        temperature: config("temperature").and_then(Node::as_f64),
        top_p: config("topP").and_then(Node::as_f64),
        top_k: more("inferenceConfig")
            .and_then(|it| it.get("topK"))
            .and_then(Node::as_u64),
        stop: config("stopSequences")
            .map_or(nothing, Node::elements)
            .map(|it| it.as_str().unwrap())
            .collect(),
        form: read_form(body, schema),
        thinking: more("thinking").map(|it| Thinking {
            effort: None,
            budget: it.get("budget_tokens").and_then(Node::as_u64),
            shown: true,
        }),
        ..Turn::default()
    }
}

fn read_parts<'a>(blocks: impl Iterator<Item = Node<'a>>) -> Vec<Part<'a>> {
    let mut parts: Vec<Part<'a>> = Vec::new();
    for block in blocks {
        let (kind, value) = block.members().next().unwrap();
        match kind {
            "cachePoint" => mark(parts.last_mut().unwrap()),
            // What stands between a document and its mark.
            "text" if value.as_str() == Some("\n") => {}
            "text" => parts.push(Part::Text(Text::new(value.as_str().unwrap()))),
            "guardContent" => {
                let words = value.get("text").unwrap().text("text").unwrap();
                parts.push(Part::Text(Text::new(words)));
            }
            "image" => parts.push(Part::Image(read_media(value, "image/"))),
            "document" => parts.push(Part::Document(read_media(value, "application/"))),
            "toolUse" => parts.push(Part::ToolCall(ToolCall {
                id: Cow::Borrowed(value.text("toolUseId").unwrap()),
                name: Cow::Borrowed(value.text("name").unwrap()),
                arguments: Arguments::Object(value.get("input").unwrap()),
                signature: None,
            })),
            "toolResult" => parts.push(Part::ToolResult(ToolResult {
                id: Cow::Borrowed(value.text("toolUseId").unwrap()),
                name: Cow::Borrowed(""),
                parts: read_parts(value.list("content")),
                is_error: value.text("status") == Some("error"),
                cache: false,
            })),
            "reasoningContent" => parts.push(Part::Reasoning(Reasoning {
                text: Cow::Borrowed(""),
                signature: None,
                redacted: false,
            })),
            other => panic!("a block of {other}"),
        }
    }
    parts
}

fn mark(part: &mut Part<'_>) {
    match part {
        Part::Text(text) => text.cache = true,
        Part::Document(media) | Part::Image(media) => media.cache = true,
        Part::ToolResult(result) => result.cache = true,
        _ => panic!("a mark behind another block"),
    }
}

fn read_media<'a>(value: Node<'a>, class: &str) -> Media<'a> {
    let source = value.get("source").unwrap();
    let format = value.text("format").unwrap();
    Media {
        source: match source.text("bytes") {
            Some(base64) => Source::Data {
                media_type: Cow::Owned(match format {
                    "txt" => "text/plain".to_owned(),
                    format => format!("{class}{format}"),
                }),
                base64: Cow::Borrowed(base64),
            },
            None => Source::Text(Cow::Borrowed(source.text("text").unwrap())),
        },
        name: value.text("name"),
        detail: None,
        cache: false,
    }
}

fn read_tools(body: Node<'_>) -> Vec<Tool<'_>> {
    let Some(config) = body.get("toolConfig") else {
        return Vec::new();
    };
    let mut tools: Vec<Tool<'_>> = Vec::new();
    for tool in config.list("tools") {
        if let Some(tool) = tool.get("toolSpec") {
            tools.push(Tool {
                name: tool.text("name").unwrap(),
                description: tool.text("description"),
                schema: tool.get("inputSchema").and_then(|it| it.get("json")),
                strict: tool.get("strict").and_then(Node::as_bool),
                cache: false,
            });
        } else if tool.get("cachePoint").is_some() {
            tools.last_mut().unwrap().cache = true;
        }
    }
    tools
}

fn read_form<'a>(body: Node<'a>, schema: Option<Node<'a>>) -> Form<'a> {
    let Some(schema) = schema else {
        return Form::Text;
    };
    let about = body
        .get("outputConfig")
        .and_then(|it| it.get("textFormat"))
        .and_then(|it| it.get("structure"))
        .and_then(|it| it.get("jsonSchema"))
        .unwrap();
    Form::Schema(Schema {
        name: about.text("name"),
        description: about.text("description"),
        schema,
        strict: None,
    })
}
