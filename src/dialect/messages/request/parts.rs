//! Reads what was said: `system` and `messages`.

use std::borrow::Cow;

use crate::dialect::ids::Calls;
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::mark;
use crate::dialect::messages::block;
use crate::dialect::messages::request::read::wrong;
use crate::dialect::turn::{Media, Message, Part, Role, Source, Text, ToolResult, Turn};
use crate::wire::json::Node;

/// Reads `system`: a text, or text blocks.
pub(super) fn system<'a>(value: Node<'a>, turn: &mut Turn<'a>) -> Result<(), Unsupported> {
    if let Some(text) = value.as_str() {
        turn.system.extend(Part::text(text));
        return Ok(());
    }
    if !value.is_array() {
        return Err(wrong("system", "has to be a text or a list of text blocks"));
    }
    for block in value.elements() {
        if block.text("type") != Some("text") {
            return Err(wrong("system", "holds a block that is no text"));
        }
        turn.system.extend(text(block, &mut turn.dropped));
    }
    Ok(())
}

/// Reads `messages`.
pub(super) fn conversation<'a>(messages: Node<'a>, turn: &mut Turn<'a>) -> Result<(), Unsupported> {
    let mut reader = Reader {
        calls: Calls::default(),
        dropped: &mut turn.dropped,
    };
    for (at, message) in messages.elements().enumerate() {
        let role = match message.text("role").unwrap_or_default() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            _ => {
                return Err(Unsupported::new(
                    format!("messages[{at}].role"),
                    "has to be user or assistant",
                ));
            }
        };
        reader
            .dropped
            .add_rest(message, &["role", "content"], "messages[].");
        let parts = reader.content(message, role, at)?;
        if !parts.is_empty() {
            turn.messages.push(Message { role, parts });
        }
    }
    Ok(())
}

fn text<'a>(block: Node<'a>, dropped: &mut Losses) -> Option<Part<'a>> {
    let text = block.text("text").filter(|text| !text.is_empty())?;
    name_rest(block, &["text"], dropped);
    Some(Part::Text(Text {
        text: Cow::Borrowed(text),
        cache: mark::is_on(block, dropped),
    }))
}

/// Names what a block says beside what is `known`.
fn name_rest(block: Node<'_>, known: &[&str], dropped: &mut Losses) {
    let known = [known, &["type", "cache_control"]].concat();
    dropped.add_rest(block, &known, "messages[].content[].");
}

/// Where reading stands.
struct Reader<'a, 'd> {
    calls: Calls<'a>,
    dropped: &'d mut Losses,
}

impl<'a> Reader<'a, '_> {
    fn content(
        &mut self,
        message: Node<'a>,
        role: Role,
        at: usize,
    ) -> Result<Vec<Part<'a>>, Unsupported> {
        let field = || format!("messages[{at}].content");
        let Some(content) = message.get("content") else {
            return Err(Unsupported::new(field(), "is missing"));
        };
        if let Some(text) = content.as_str() {
            return Ok(Part::text(text).into_iter().collect());
        }
        if !content.is_array() {
            return Err(Unsupported::new(
                field(),
                "has to be a text or a list of blocks",
            ));
        }
        let mut parts = Vec::new();
        for (place, block) in content.elements().enumerate() {
            let field = || format!("messages[{at}].content[{place}]");
            parts.extend(self.block(block, role, &field)?);
        }
        Ok(parts)
    }

    fn block(
        &mut self,
        block: Node<'a>,
        role: Role,
        field: &dyn Fn() -> String,
    ) -> Result<Option<Part<'a>>, Unsupported> {
        let kind = block.text("type").unwrap_or_default();
        match (kind, role) {
            ("text", _) => Ok(text(block, self.dropped)),
            ("thinking" | "redacted_thinking", Role::Assistant) => Ok(block::read(block)),
            ("tool_use", Role::Assistant) => Ok(self.call(block)),
            ("tool_result", Role::User) => self.result(block, field).map(Some),
            ("image" | "document" | "search_result", Role::User | Role::Assistant) => {
                self.media(kind, block, field).map(Some)
            }
            ("thinking" | "redacted_thinking" | "tool_use" | "tool_result" | "image", _) => Err(
                Unsupported::new(field(), "does not belong into a message of this role"),
            ),
            ("", _) => Err(Unsupported::new(field(), "has no `type`")),
            _ => Err(Unsupported::new(
                field(),
                "is of a kind that only Anthropic knows",
            )),
        }
    }

    fn call(&mut self, block: Node<'a>) -> Option<Part<'a>> {
        // `caller` says that the model itself called, which all calls of other providers are.
        name_rest(block, &["id", "name", "input", "caller"], self.dropped);
        self.dropped
            .add_if(block.get("cache_control").is_some(), "cache_control");
        let part = block::read(block)?;
        if let Part::ToolCall(call) = &part {
            self.calls.add(call.id.clone(), call.name.clone());
        }
        Some(part)
    }

    fn result(
        &mut self,
        block: Node<'a>,
        field: &dyn Fn() -> String,
    ) -> Result<Part<'a>, Unsupported> {
        let Some(id) = block.text("tool_use_id") else {
            return Err(Unsupported::new(
                format!("{}.tool_use_id", field()),
                "is missing",
            ));
        };
        name_rest(block, &["tool_use_id", "content", "is_error"], self.dropped);
        let mut parts = Vec::new();
        if let Some(content) = block.get("content") {
            if let Some(text) = content.as_str() {
                parts.extend(Part::text(text));
            }
            for (place, inner) in content.elements().enumerate() {
                let field = || format!("{}.content[{place}]", field());
                parts.extend(self.result_block(inner, &field)?);
            }
        }
        Ok(Part::ToolResult(ToolResult {
            id: Cow::Borrowed(id),
            name: self.calls.tool_of(id),
            parts,
            is_error: block.get("is_error").and_then(Node::as_bool) == Some(true),
            cache: mark::is_on(block, self.dropped),
        }))
    }

    fn result_block(
        &mut self,
        block: Node<'a>,
        field: &dyn Fn() -> String,
    ) -> Result<Option<Part<'a>>, Unsupported> {
        match block.text("type").unwrap_or_default() {
            "text" => Ok(text(block, self.dropped)),
            kind @ ("image" | "document" | "search_result") => {
                self.media(kind, block, field).map(Some)
            }
            _ => Err(Unsupported::new(
                field(),
                "is of a kind that only Anthropic knows",
            )),
        }
    }

    fn media(
        &mut self,
        kind: &str,
        block: Node<'a>,
        field: &dyn Fn() -> String,
    ) -> Result<Part<'a>, Unsupported> {
        let source = if kind == "search_result" {
            // Its `source` is where it was found.
            name_rest(block, &["title", "content", "citations"], self.dropped);
            block
                .get("content")
                .and_then(texts_of)
                .map(|text| Ok(Source::Text(text)))
        } else {
            name_rest(block, &["source", "title", "citations"], self.dropped);
            block.get("source").and_then(source_of)
        };
        let cited = block.get("citations").and_then(|it| it.get("enabled"));
        self.dropped.add_if(
            cited.and_then(Node::as_bool) == Some(true),
            "messages[].content[].citations",
        );
        let elsewhere = "is not in the request: only base64, text and addresses can be given to another provider";
        let source = source
            .unwrap_or(Err(elsewhere))
            .map_err(|why| Unsupported::new(format!("{}.source", field()), why))?;
        let media = Media {
            name: block.text("title"),
            cache: mark::is_on(block, self.dropped),
            ..Media::of(source)
        };
        Ok(if kind == "image" {
            Part::Image(media)
        } else {
            Part::Document(media)
        })
    }
}

/// A `source` that says it all; files that lie at Anthropic do not.
fn source_of(source: Node<'_>) -> Option<Result<Source<'_>, &'static str>> {
    Some(match source.text("type")? {
        "base64" => Source::of_data(
            Cow::Borrowed(source.text("media_type")?),
            Cow::Borrowed(source.text("data")?),
        ),
        "url" => Source::of_url(source.text("url")?),
        "text" => Ok(Source::Text(Cow::Borrowed(source.text("data")?))),
        "content" => Ok(Source::Text(texts_of(source.get("content")?)?)),
        _ => return None,
    })
}

/// A text, or text blocks one below the other.
fn texts_of(content: Node<'_>) -> Option<Cow<'_, str>> {
    if let Some(text) = content.as_str() {
        return Some(Cow::Borrowed(text));
    }
    let mut texts = content.elements().map(|block| block.text("text"));
    let first = texts.next()??;
    let mut joined = Cow::Borrowed(first);
    for text in texts {
        let joined = joined.to_mut();
        joined.push('\n');
        joined.push_str(text?);
    }
    Some(joined)
}
