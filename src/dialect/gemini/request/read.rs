//! Reads a client's request: its outermost members and its tools.

use std::collections::BTreeSet;

use crate::dialect::gemini::field;
use crate::dialect::loss::Unsupported;
use crate::dialect::turn::{Part, Tool, ToolChoice, Turn};
use crate::wire::json::Node;

use super::read_config;
use super::read_contents;

/// Reads the body of `generateContent` or `streamGenerateContent`. Model and stream stand in the path: `stream` is left
/// for the caller to set. Schemas are taken as JSON Schema: see [`in_json_schema`](super::in_json_schema).
pub fn read(body: Node<'_>) -> Result<Turn<'_>, Unsupported> {
    if !body.is_object() {
        return Err(Unsupported::new("body", "is not an object"));
    }
    let mut turn = Turn {
        // Every chunk says what it took: whoever answers has to.
        stream_usage: true,
        ..Turn::default()
    };
    let mut contents = None;
    let mut choice = None;
    for (key, value) in body.members().filter(|(_, value)| !value.is_null()) {
        match &*field::camel(key) {
            "contents" => contents = Some(value),
            "systemInstruction" => read_system(value, &mut turn)?,
            "tools" => {
                for (at, tool) in field::many(value).enumerate() {
                    read_tool(tool, at, &mut turn)?;
                }
            }
            "toolConfig" => choice = Some(value),
            "generationConfig" => read_config::read(value, &mut turn)?,
            "model" => {}
            // What it names is a part of the question.
            "cachedContent" => {
                return Err(Unsupported::new(
                    "cachedContent",
                    "names a text that only Gemini keeps",
                ));
            }
            name => turn.dropped.add_unknown("", name),
        }
    }
    let contents = contents.ok_or_else(|| Unsupported::new("contents", "is missing"))?;
    read_contents::read(contents, &mut turn)?;
    if let Some(choice) = choice {
        read_choice(choice, &mut turn)?;
    }
    Ok(turn)
}

/// Instructions: a content, whose role says nothing; or a text, as SDKs take it.
fn read_system<'a>(value: Node<'a>, turn: &mut Turn<'a>) -> Result<(), Unsupported> {
    const FIELD: &str = "systemInstruction";
    if let Some(text) = value.as_str() {
        turn.system.extend(Part::text(text));
        return Ok(());
    }
    for part in field::list(value, "parts") {
        field::name_rest(
            part,
            &["text"],
            "systemInstruction.parts[].",
            &mut turn.dropped,
        );
        let text = field::text(part, "text").or_else(|| part.as_str());
        let text = text.ok_or_else(|| Unsupported::new(FIELD, "holds more than text"))?;
        turn.system.extend(Part::text(text));
    }
    Ok(())
}

fn read_tool<'a>(tool: Node<'a>, at: usize, turn: &mut Turn<'a>) -> Result<(), Unsupported> {
    for (key, value) in tool.members().filter(|(_, value)| !value.is_null()) {
        if field::camel(key) != "functionDeclarations" {
            return Err(Unsupported::new(
                format!("tools[{at}].{key}"),
                "is a tool that only Gemini runs",
            ));
        }
        for declaration in field::many(value) {
            let read = read_declaration(declaration, turn)?;
            turn.tools.push(read);
        }
    }
    Ok(())
}

fn read_declaration<'a>(
    declaration: Node<'a>,
    turn: &mut Turn<'a>,
) -> Result<Tool<'a>, Unsupported> {
    const FIELD: &str = "tools[].functionDeclarations[]";
    let mut tool = Tool {
        name: "",
        description: None,
        schema: None,
        strict: None,
        cache: false,
    };
    for (key, value) in declaration.members().filter(|(_, it)| !it.is_null()) {
        match &*field::camel(key) {
            "name" => tool.name = value.as_str().unwrap_or_default(),
            "description" => {
                tool.description = value.as_str().filter(|text| !text.is_empty());
            }
            "parameters" | "parametersJsonSchema" if value.is_object() => {
                tool.schema = Some(value);
            }
            name => turn
                .dropped
                .add_unknown("tools[].functionDeclarations[].", name),
        }
    }
    if tool.name.is_empty() {
        return Err(Unsupported::new(FIELD, "has no name"));
    }
    Ok(tool)
}

fn read_choice<'a>(config: Node<'a>, turn: &mut Turn<'a>) -> Result<(), Unsupported> {
    for (key, value) in config.members().filter(|(_, value)| !value.is_null()) {
        match &*field::camel(key) {
            "functionCallingConfig" => read_calling(value, turn)?,
            name => turn.dropped.add_unknown("toolConfig.", name),
        }
    }
    Ok(())
}

fn read_calling<'a>(config: Node<'a>, turn: &mut Turn<'a>) -> Result<(), Unsupported> {
    const FIELD: &str = "toolConfig.functionCallingConfig";
    field::name_rest(
        config,
        &["mode", "allowedFunctionNames"],
        "toolConfig.functionCallingConfig.",
        &mut turn.dropped,
    );
    if turn.tools.is_empty() {
        return Ok(());
    }
    let allowed: Vec<&'a str> = field::list(config, "allowedFunctionNames")
        .filter_map(Node::as_str)
        .collect();
    let mode = field::text(config, "mode").unwrap_or("MODE_UNSPECIFIED");
    let choice = match mode.to_ascii_uppercase().as_str() {
        "MODE_UNSPECIFIED" => None,
        "AUTO" => Some(ToolChoice::Auto),
        // That arguments fit their schema is asked of every provider, and promised by none without a switch of its own.
        "VALIDATED" => {
            turn.dropped.add(format!("{FIELD}.mode"));
            Some(ToolChoice::Auto)
        }
        "NONE" => Some(ToolChoice::None),
        "ANY" => Some(match allowed.as_slice() {
            [one] => ToolChoice::Named(one),
            _ => ToolChoice::Required,
        }),
        _ => {
            let why = "is none of AUTO, ANY, VALIDATED and NONE";
            return Err(Unsupported::new(format!("{FIELD}.mode"), why));
        }
    };
    // The others cannot be called, so that they need not be known.
    if !allowed.is_empty() && matches!(choice, Some(ToolChoice::Required | ToolChoice::Auto)) {
        let allowed: BTreeSet<_> = allowed.into_iter().collect();
        turn.tools.retain(|tool| allowed.contains(tool.name));
    }
    turn.tool_choice = choice.filter(|_| !turn.tools.is_empty());
    Ok(())
}
