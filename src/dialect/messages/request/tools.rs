//! Tools of a request, in both directions.

use std::collections::BTreeSet;

use crate::dialect::claude::Claude;
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::mark;
use crate::dialect::messages::request::read::wrong;
use crate::dialect::messages::request::{blocks, schema};
use crate::dialect::turn::{Labels, Part, Tool, ToolChoice, Turn};
use crate::wire::json::{Node, Writer};

/// Reads `tools`.
pub(super) fn read<'a>(tools: Node<'a>, turn: &mut Turn<'a>) -> Result<(), Unsupported> {
    if !tools.is_array() {
        return Err(wrong("tools", "has to be a list"));
    }
    for (at, tool) in tools.elements().enumerate() {
        if !matches!(tool.text("type"), None | Some("custom")) {
            return Err(Unsupported::new(
                format!("tools[{at}]"),
                "is a tool of Anthropic's own, which no other provider has",
            ));
        }
        let Some(name) = tool.text("name") else {
            return Err(Unsupported::new(format!("tools[{at}].name"), "is missing"));
        };
        turn.dropped.add_rest(tool, &TOOL, "tools[].");
        turn.tools.push(Tool {
            name,
            description: tool.text("description"),
            schema: tool.get("input_schema"),
            strict: tool.get("strict").and_then(Node::as_bool),
            cache: mark::is_on(tool, &mut turn.dropped),
        });
    }
    Ok(())
}

/// Writes `tools` and `tool_choice`.
///
/// A history with calls needs a list of tools. Where the client gives none, the names that were called stand in, and none
/// of them may be called again.
pub(super) fn write(
    turn: &Turn<'_>,
    choice: Option<ToolChoice<'_>>,
    claude: Claude,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) {
    if turn.tools.is_empty() {
        write_stand_ins(turn, out);
        return;
    }
    out.key("tools").array(|it| {
        for tool in &turn.tools {
            write_tool(tool, claude, losses, it);
        }
    });
    let parallel = turn.parallel_tools != Some(false) || choice == Some(ToolChoice::None);
    if choice.is_none() && parallel {
        return;
    }
    out.key("tool_choice").object(|it| {
        it.key("type").string(match choice {
            None | Some(ToolChoice::Auto) => "auto",
            Some(ToolChoice::Required) => "any",
            Some(ToolChoice::None) => "none",
            Some(ToolChoice::Named(_)) => "tool",
        });
        if let Some(ToolChoice::Named(name)) = choice {
            it.key("name").string(name);
        }
        if !parallel {
            it.key("disable_parallel_tool_use").bool(true);
        }
    });
}

fn write_tool(tool: &Tool<'_>, claude: Claude, losses: &mut Losses, out: &mut Writer<'_>) {
    let strict = tool.strict == Some(true) && claude.takes_schemas();
    losses.add_if(
        tool.strict == Some(true) && !strict,
        "tools[].function.strict",
    );
    out.object(|it| {
        it.key("name").string(tool.name);
        if let Some(description) = tool.description {
            it.key("description").string(description);
        }
        it.key("input_schema");
        match tool.schema {
            Some(given) if strict => schema::write(given, Labels::default(), it),
            Some(given) => write_as_object(given, it),
            None => it.object(|it| it.key("type").string("object")),
        }
        if strict {
            it.key("strict").bool(true);
        }
        blocks::write_mark(tool.cache, it);
    });
}

/// A schema as it is, but for its `type`: a schema of arguments needs one.
fn write_as_object(schema: Node<'_>, out: &mut Writer<'_>) {
    if schema.get("type").is_some() {
        out.node(schema);
        return;
    }
    out.object(|it| {
        it.key("type").string("object");
        for (key, value) in schema.members().filter(|(key, _)| *key != "type") {
            it.key(key).node(value);
        }
    });
}

fn write_stand_ins(turn: &Turn<'_>, out: &mut Writer<'_>) {
    let parts = turn.messages.iter().flat_map(|message| &message.parts);
    let names: BTreeSet<&str> = parts
        .filter_map(|part| match part {
            Part::ToolCall(call) => Some(call.name.as_ref()),
            _ => None,
        })
        .collect();
    if names.is_empty() {
        return;
    }
    out.key("tools").array(|it| {
        for name in names {
            it.object(|it| {
                it.key("name").string(name);
                it.key("input_schema")
                    .object(|it| it.key("type").string("object"));
            });
        }
    });
    out.key("tool_choice")
        .object(|it| it.key("type").string("none"));
}

/// Members of a tool that are read.
const TOOL: [&str; 6] = [
    "type",
    "name",
    "description",
    "input_schema",
    "strict",
    "cache_control",
];
