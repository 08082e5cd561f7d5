//! Writes a request for Gemini or Vertex AI: instructions, tools, and what is refused as a whole.

use crate::dialect::codec::Destination;
use crate::dialect::gemini::generation::{Generation, Model};
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::turn::{Form, Labels, Part, Role, Tool, ToolChoice, Turn};
use crate::wire::json::Writer;

use super::to_openapi;
use super::write_config;
use super::write_contents::Contents;

/// Writes the body of `generateContent` or `streamGenerateContent`: see [`path`](crate::dialect::gemini::path).
pub fn write(
    turn: &Turn<'_>,
    to: &Destination<'_>,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    let model = Model::of(to.model);
    if model.refuses_form_with_tools() && !turn.tools.is_empty() && !matches!(turn.form, Form::Text)
    {
        return Err(Unsupported::new(
            "response_format",
            "cannot be combined with tools on Gemini before 3",
        ));
    }
    losses.add_if(turn.user.is_some(), "user");
    losses.add_if(turn.parallel_tools == Some(false), "parallel_tool_calls");
    losses.add_if(turn.tools.iter().any(|tool| tool.cache), "cache_control");
    let contents = Contents::of(turn, model, to.kind, losses);
    out.try_object(|out| {
        write_system(turn, losses, out)?;
        out.key("contents").try_array(|out| contents.write(out))?;
        if !turn.tools.is_empty() {
            write_tools(turn, model, losses, out)?;
        }
        write_config::write(turn, model, losses, out)
    })
}

/// Instructions stand before the conversation, those in the middle of it too.
fn write_system(
    turn: &Turn<'_>,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    let is_system = |role| role == Role::System;
    let in_the_middle = turn.messages.iter().filter(|it| is_system(it.role));
    let mut parts = turn
        .system
        .iter()
        .chain(in_the_middle.flat_map(|message| &message.parts))
        .peekable();
    if parts.peek().is_none() {
        return Ok(());
    }
    losses.add_if(
        turn.messages.iter().any(|it| is_system(it.role)),
        "messages[].role",
    );
    out.key("systemInstruction").try_object(|out| {
        out.key("parts").try_array(|out| {
            for part in parts {
                let Part::Text(text) = part else {
                    let why = "holds instructions that are not text, which Gemini does not take";
                    return Err(Unsupported::new("messages", why));
                };
                losses.add_if(text.cache, "cache_control");
                out.object(|out| out.key("text").string(&text.text));
            }
            Ok(())
        })
    })
}

fn write_tools(
    turn: &Turn<'_>,
    model: Model,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    out.key("tools").try_array(|out| {
        out.try_object(|out| {
            out.key("functionDeclarations").try_array(|out| {
                for (at, tool) in turn.tools.iter().enumerate() {
                    write_tool(tool, at, model, losses, out)?;
                }
                Ok(())
            })
        })
    })?;
    let is_strict = turn.tools.iter().any(|tool| tool.strict == Some(true));
    let validates = is_strict
        && model.generation >= Generation::V2_5
        && matches!(turn.tool_choice, None | Some(ToolChoice::Auto));
    losses.add_if(is_strict && !validates, "tools[].function.strict");
    let (mode, allowed) = match turn.tool_choice {
        _ if validates => ("VALIDATED", None),
        None => return Ok(()),
        Some(ToolChoice::Auto) => ("AUTO", None),
        Some(ToolChoice::Required) => ("ANY", None),
        Some(ToolChoice::None) => ("NONE", None),
        Some(ToolChoice::Named(name)) => ("ANY", Some(name)),
    };
    out.key("toolConfig").object(|out| {
        out.key("functionCallingConfig").object(|out| {
            out.key("mode").string(mode);
            if let Some(name) = allowed {
                out.key("allowedFunctionNames")
                    .array(|out| out.string(name));
            }
        });
    });
    Ok(())
}

fn write_tool(
    tool: &Tool<'_>,
    at: usize,
    model: Model,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    out.try_object(|out| {
        out.key("name").string(tool.name);
        if let Some(description) = tool.description {
            out.key("description").string(description);
        }
        let Some(schema) = tool.schema else {
            return Ok(());
        };
        if model.takes_json_schema() {
            out.key("parametersJsonSchema").node(schema);
        } else if !to_openapi::is_empty_object(schema) {
            out.key("parameters");
            let place = format!("tools[{at}].function.parameters");
            to_openapi::write(schema, Labels::default(), &place, losses, out)?;
        }
        Ok(())
    })
}
