//! Tools, and which of them has to be called.

use crate::dialect::loss::Losses;
use crate::dialect::turn::{Tool, ToolChoice, Turn};
use crate::wire::json::Writer;

/// Writes `tools`, `tool_choice` and `strict_tools`.
pub(super) fn write(turn: &Turn<'_>, losses: &mut Losses, out: &mut Writer<'_>) {
    if turn.tools.is_empty() {
        return;
    }
    // One cannot be named: it is the only one there is.
    let named = match turn.tool_choice {
        Some(ToolChoice::Named(name)) => Some(name),
        _ => None,
    };
    let shown = |tool: &&Tool<'_>| named.is_none_or(|name| name == tool.name);
    let tools = || turn.tools.iter().filter(shown);
    out.key("tools")
        .array(|out| tools().for_each(|tool| write_tool(tool, losses, out)));
    match turn.tool_choice {
        None | Some(ToolChoice::Auto) => {}
        Some(ToolChoice::None) => out.key("tool_choice").string("NONE"),
        Some(ToolChoice::Required | ToolChoice::Named(_)) => {
            out.key("tool_choice").string("REQUIRED");
        }
    }
    // All of them or none: and each needs an argument that has to be there.
    let is_strict = |tool: &Tool<'_>| tool.strict == Some(true);
    if tools().all(|tool| is_strict(tool) && requires_something(tool)) {
        out.key("strict_tools").bool(true);
    } else {
        losses.add_if(tools().any(is_strict), "tools[].function.strict");
    }
    losses.add_if(turn.parallel_tools == Some(false), "parallel_tool_calls");
}

fn requires_something(tool: &Tool<'_>) -> bool {
    tool.schema
        .is_some_and(|schema| schema.list("required").next().is_some())
}

fn write_tool(tool: &Tool<'_>, losses: &mut Losses, out: &mut Writer<'_>) {
    losses.add_if(tool.cache, "cache_control");
    out.object(|out| {
        out.key("type").string("function");
        out.key("function").object(|out| {
            out.key("name").string(tool.name);
            if let Some(text) = tool.description {
                out.key("description").string(text);
            }
            match tool.schema {
                Some(schema) => out.key("parameters").node(schema),
                None => out
                    .key("parameters")
                    .raw(br#"{"type":"object","properties":{}}"#),
            }
        });
    });
}
