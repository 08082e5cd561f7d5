//! Writes what was said: `system` and `messages`.

use crate::dialect::ids::{IdForm, fitted};
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::turn::{Media, Message, Part, Role, Source, Text, ToolResult, Turn};
use crate::wire::json::Writer;

/// Writes `system`: instructions before the conversation, and those in the middle of it, which only the newest models
/// take where they stand.
pub(super) fn write_system(turn: &Turn<'_>, losses: &mut Losses, out: &mut Writer<'_>) {
    let in_the_middle = turn
        .messages
        .iter()
        .filter(|message| message.role == Role::System);
    losses.add_if(in_the_middle.clone().next().is_some(), "messages[].role");
    let texts: Vec<_> = turn
        .system
        .iter()
        .chain(in_the_middle.flat_map(|message| &message.parts))
        .filter_map(|part| match part {
            Part::Text(text) if !is_blank(&text.text) => Some(text),
            _ => None,
        })
        .collect();
    match texts[..] {
        [] => {}
        [text] if !text.cache => out.key("system").string(&text.text),
        _ => out.key("system").array(|it| {
            for text in texts {
                write_text(text, it);
            }
        }),
    }
}

/// Writes `messages`. What one side says in several messages becomes one, with results of tools in front: they must follow
/// their calls directly, and all of them at once.
pub(super) fn write_messages(
    turn: &Turn<'_>,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    let sides = sides(turn, losses);
    if sides.is_empty() {
        return Err(Unsupported::new(
            "messages",
            "holds nothing but instructions, and Anthropic needs a message of the user",
        ));
    }
    out.key("messages").try_array(|it| {
        for (role, parts) in &sides {
            it.try_object(|it| {
                it.key("role").string(match role {
                    Role::Assistant => "assistant",
                    Role::User | Role::System => "user",
                });
                it.key("content");
                write_parts(parts, it)
            })?;
        }
        Ok(())
    })
}

/// Writes `cache_control` if `cache`.
pub(super) fn write_mark(cache: bool, out: &mut Writer<'_>) {
    if cache {
        out.key("cache_control")
            .object(|it| it.key("type").string("ephemeral"));
    }
}

type Side<'t, 'a> = (Role, Vec<&'t Part<'a>>);

fn sides<'t, 'a>(turn: &'t Turn<'a>, losses: &mut Losses) -> Vec<Side<'t, 'a>> {
    let mut sides: Vec<Side<'t, 'a>> = Vec::new();
    for Message { role, parts } in &turn.messages {
        if *role == Role::System {
            continue;
        }
        let parts = parts.iter().filter(|part| is_carried(part, losses));
        match sides.last_mut() {
            Some((last, gathered)) if last == role => gathered.extend(parts),
            _ => {
                let parts: Vec<_> = parts.collect();
                if !parts.is_empty() {
                    sides.push((*role, parts));
                }
            }
        }
    }
    for (_, parts) in &mut sides {
        parts.sort_by_key(|part| !matches!(part, Part::ToolResult(_))); // stable
    }
    sides
}

/// Blank texts are refused, and thoughts were another provider's.
fn is_carried(part: &Part<'_>, losses: &mut Losses) -> bool {
    match part {
        Part::Text(text) => !is_blank(&text.text),
        Part::Refusal(text) => !is_blank(text),
        Part::Reasoning(_) => {
            losses.add("messages[].reasoning_content");
            false
        }
        _ => true,
    }
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

fn write_parts(parts: &[&Part<'_>], out: &mut Writer<'_>) -> Result<(), Unsupported> {
    if let [Part::Text(text)] = parts
        && !text.cache
    {
        out.string(&text.text);
        return Ok(());
    }
    out.try_array(|it| {
        for part in parts {
            write_part(part, it)?;
        }
        Ok(())
    })
}

fn write_part(part: &Part<'_>, out: &mut Writer<'_>) -> Result<(), Unsupported> {
    match part {
        Part::Text(text) => write_text(text, out),
        Part::Refusal(text) => write_text(&Text::new(text.as_ref()), out),
        Part::Image(media) => write_media("image", media, out)?,
        Part::Document(media) => write_media("document", media, out)?,
        Part::ToolCall(call) => out.try_object(|it| {
            it.key("type").string("tool_use");
            it.key("id").string(&fitted(&call.id, IdForm::Messages));
            it.key("name").string(&call.name);
            let field = || "messages[].tool_calls[].function.arguments".to_owned();
            call.arguments.write_object(&field, it.key("input"))
        })?,
        Part::ToolResult(result) => write_result(result, out)?,
        Part::Audio(_) => {
            return Err(Unsupported::new(
                "messages[].content[].input_audio",
                "holds a recording, which Anthropic does not take",
            ));
        }
        Part::Reasoning(_) => {} // left out before
    }
    Ok(())
}

fn write_text(text: &Text<'_>, out: &mut Writer<'_>) {
    out.object(|it| {
        it.key("type").string("text");
        it.key("text").string(&text.text);
        write_mark(text.cache, it);
    });
}

fn write_result(result: &ToolResult<'_>, out: &mut Writer<'_>) -> Result<(), Unsupported> {
    let is_said = |part: &&Part<'_>| !matches!(part, Part::Text(text) if is_blank(&text.text));
    let parts: Vec<_> = result.parts.iter().filter(is_said).collect();
    out.try_object(|it| {
        it.key("type").string("tool_result");
        it.key("tool_use_id")
            .string(&fitted(&result.id, IdForm::Messages));
        if !parts.is_empty() {
            it.key("content");
            write_parts(&parts, it)?;
        }
        if result.is_error {
            it.key("is_error").bool(true);
        }
        write_mark(result.cache, it);
        Ok(())
    })
}

fn write_media(kind: &str, media: &Media<'_>, out: &mut Writer<'_>) -> Result<(), Unsupported> {
    let is_document = kind == "document";
    out.try_object(|it| {
        it.key("type").string(kind);
        it.key("source");
        match &media.source {
            Source::Data { media_type, base64 } => {
                if is_document && media_type != "application/pdf" {
                    return Err(Unsupported::new(
                        "messages[].content[].file",
                        "holds a file that Anthropic does not read: it takes PDF and plain text",
                    ));
                }
                it.object(|it| {
                    it.key("type").string("base64");
                    it.key("media_type").string(media_type);
                    it.key("data").string(base64);
                });
            }
            Source::Url(url) => it.object(|it| {
                it.key("type").string("url");
                it.key("url").string(url);
            }),
            Source::Text(text) if is_document => it.object(|it| {
                it.key("type").string("text");
                it.key("media_type").string("text/plain");
                it.key("data").string(text);
            }),
            Source::Text(_) => {
                return Err(Unsupported::new(
                    "messages[].content[].image_url",
                    "holds a picture without its bytes or address",
                ));
            }
        }
        if let Some(name) = media.name.filter(|_| is_document) {
            it.key("title").string(name);
        }
        write_mark(media.cache, it);
        Ok(())
    })
}
