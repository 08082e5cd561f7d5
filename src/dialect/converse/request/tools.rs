//! Tools, and which of them has to be called.

use super::messages::{Conversation, write_cache_point};
use crate::dialect::converse::family::Family;
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::schema::{self, Decoder};
use crate::dialect::turn::{Labels, Tool, ToolChoice, Turn};
use crate::wire::json::{Node, Writer};

/// Which tools are shown, and how one of them is asked for.
pub(super) struct Choice<'a> {
    /// `toolConfig` is there.
    pub(super) shows_tools: bool,
    /// What is asked for; `None`: nothing is said.
    asked: Option<ToolChoice<'a>>,
    /// One call at a time: said in Claude's own words, and then all of the choice is, as both ways contradict each other.
    one_at_a_time: bool,
}

impl<'a> Choice<'a> {
    pub(super) fn of(
        turn: &Turn<'_>,
        asked: Option<ToolChoice<'a>>,
        family: Family,
        history_has_tools: bool,
        losses: &mut Losses,
    ) -> Self {
        let forbidden = asked == Some(ToolChoice::None);
        // No choice forbids calls. Without tools there are none, but a conversation with calls in it must show tools.
        losses.add_if(forbidden && history_has_tools, "tool_choice");
        let offered = !turn.tools.is_empty() && !forbidden;
        let one_at_a_time = offered && turn.parallel_tools == Some(false);
        let is_claude = matches!(family, Family::Claude(_));
        losses.add_if(one_at_a_time && !is_claude, "parallel_tool_calls");
        Self {
            shows_tools: offered || history_has_tools,
            asked: asked.filter(|_| offered),
            one_at_a_time: one_at_a_time && is_claude,
        }
    }

    /// Whether [`Self::write_for_claude`] writes something.
    pub(super) const fn is_for_claude(&self) -> bool {
        self.one_at_a_time
    }

    /// The choice in Claude's own words, among what goes to the model as it is.
    pub(super) fn write_for_claude(&self, out: &mut Writer<'_>) {
        if !self.one_at_a_time {
            return;
        }
        out.key("tool_choice").object(|out| {
            match self.asked {
                Some(ToolChoice::Required) => out.key("type").string("any"),
                Some(ToolChoice::Named(name)) => {
                    out.key("type").string("tool");
                    out.key("name").string(name);
                }
                Some(ToolChoice::Auto | ToolChoice::None) | None => {
                    out.key("type").string("auto");
                }
            }
            out.key("disable_parallel_tool_use").bool(true);
        });
    }

    fn write(&self, out: &mut Writer<'_>) {
        let Some(asked) = self.asked.filter(|_| !self.one_at_a_time) else {
            return;
        };
        out.key("toolChoice").object(|out| match asked {
            ToolChoice::Auto | ToolChoice::None => out.key("auto").object(|_| ()),
            ToolChoice::Required => out.key("any").object(|_| ()),
            ToolChoice::Named(name) => out.key("tool").object(|out| out.key("name").string(name)),
        });
    }
}

/// Writes `toolConfig`.
pub(super) fn write(
    turn: &Turn<'_>,
    talk: &Conversation<'_, '_>,
    choice: &Choice<'_>,
    family: Family,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    if !choice.shows_tools {
        return Ok(());
    }
    out.key("toolConfig").try_object(|out| {
        out.key("tools").try_array(|out| {
            if turn.tools.is_empty() {
                // The client sends none any more, and Bedrock insists: the ones that were called, as far as they are known.
                let called = talk.called();
                if called.is_empty() {
                    let why = "hold the result of a call that is not among them, and Bedrock asks for the tool";
                    return Err(Unsupported::new("messages", why));
                }
                return called.into_iter().try_for_each(|name| {
                    write_tool(
                        &Tool {
                            name,
                            description: None,
                            schema: None,
                            strict: None,
                            cache: false,
                        },
                        family,
                        losses,
                        out,
                    )
                });
            }
            turn.tools
                .iter()
                .try_for_each(|tool| write_tool(tool, family, losses, out))
        })?;
        choice.write(out);
        Ok(())
    })
}

fn write_tool(
    tool: &Tool<'_>,
    family: Family,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    check_name(tool.name, "tools.function.name")?;
    let strict = tool.strict == Some(true);
    let takes_strict = matches!(family, Family::Claude(claude) if claude.takes_schemas());
    losses.add_if(strict && !takes_strict, "tools[].function.strict");
    out.object(|out| {
        out.key("toolSpec").object(|out| {
            out.key("name").string(tool.name);
            // An empty one is refused; none is not.
            if let Some(text) = tool.description.filter(|text| !text.trim().is_empty()) {
                out.key("description").string(text);
            }
            let is_typed = |schema: &Node<'_>| {
                schema.get("type").is_some() || schema.get("properties").is_some()
            };
            let held = tool
                .schema
                .filter(is_typed)
                .filter(|_| strict && takes_strict);
            out.key("inputSchema").object(|out| match held {
                Some(given) => {
                    let (decoder, place) = (Decoder::Bedrock, schema::OF_TOOLS);
                    let out = out.key("json");
                    schema::write(given, Labels::default(), decoder, place, losses, out);
                }
                None => write_schema(tool.schema, out.key("json")),
            });
            if strict && takes_strict {
                out.key("strict").bool(true);
            }
        });
    });
    losses.add_if(tool.cache && !family.caches_tools(), "cache_control");
    if tool.cache && family.caches_tools() {
        write_cache_point(out);
    }
    Ok(())
}

/// A schema of an object: Bedrock insists on the type.
fn write_schema(schema: Option<Node<'_>>, out: &mut Writer<'_>) {
    match schema.filter(|schema| schema.is_object()) {
        Some(schema) if schema.get("type").is_some() => out.node(schema),
        Some(schema) => out.object(|out| {
            out.key("type").string("object");
            for (key, value) in schema.members().filter(|(key, _)| *key != "type") {
                out.key(key).node(value);
            }
        }),
        None => out.raw(br#"{"type":"object","properties":{}}"#),
    }
}

/// AWS, `ToolSpecification`: `[a-zA-Z0-9_-]{1,64}`. Names are not changed: the answer would call another tool.
pub(super) fn check_name(name: &str, field: &'static str) -> Result<(), Unsupported> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if (1..=64).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(());
    }
    Err(Unsupported::new(
        field,
        "has to be 1 to 64 letters, digits, `_` or `-` for Bedrock",
    ))
}
