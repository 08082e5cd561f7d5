//! Writes what was said: `system` and `messages`.

use crate::dialect::ids::{IdForm, fitted};
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::turn::{Media, Message, Part, Role, Source, Text, ToolResult, Turn};
use crate::wire::json::Writer;

/// Writes `system`: instructions before the conversation, and those in the middle of it, which only the newest models
/// take where they stand.
pub(super) fn write_system(
    turn: &Turn<'_>,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    let in_the_middle = turn
        .messages
        .iter()
        .filter(|message| message.role == Role::System);
    losses.add_if(in_the_middle.clone().next().is_some(), "messages[].role");
    let parts = turn
        .system
        .iter()
        .chain(in_the_middle.flat_map(|message| &message.parts));
    let mut texts = Vec::new();
    for part in parts {
        match part {
            Part::Text(text) if is_blank(&text.text) => {}
            Part::Text(text) => texts.push(text),
            _ => {
                let why = "holds instructions that are not text, which Anthropic does not take";
                return Err(Unsupported::new("messages", why));
            }
        }
    }
    match texts[..] {
        [] => {}
        [text] if !text.cache => out.key("system").string(&text.text),
        _ => out.key("system").array(|it| {
            for text in texts {
                write_text(text, it);
            }
        }),
    }
    Ok(())
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
                write_parts(parts, losses, it)
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

fn write_parts(
    parts: &[&Part<'_>],
    losses: &mut Losses,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    if let [Part::Text(text)] = parts
        && !text.cache
    {
        out.string(&text.text);
        return Ok(());
    }
    out.try_array(|it| {
        for part in parts {
            write_part(part, losses, it)?;
        }
        Ok(())
    })
}

fn write_part(
    part: &Part<'_>,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    match part {
        Part::Text(text) => write_text(text, out),
        Part::Refusal(text) => write_text(&Text::new(text.as_ref()), out),
        Part::Image(media) => write_image(media, losses, out)?,
        Part::Document(media) => write_document(media, out)?,
        Part::ToolCall(call) => out.try_object(|it| {
            it.key("type").string("tool_use");
            it.key("id").string(&fitted(&call.id, IdForm::Messages));
            it.key("name").string(&call.name);
            let field = || "messages[].tool_calls[].function.arguments".to_owned();
            call.arguments.write_object(&field, it.key("input"))
        })?,
        Part::ToolResult(result) => write_result(result, losses, out)?,
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

fn write_result(
    result: &ToolResult<'_>,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    let is_said = |part: &&Part<'_>| !matches!(part, Part::Text(text) if is_blank(&text.text));
    let parts: Vec<_> = result.parts.iter().filter(is_said).collect();
    out.try_object(|it| {
        it.key("type").string("tool_result");
        it.key("tool_use_id")
            .string(&fitted(&result.id, IdForm::Messages));
        if !parts.is_empty() {
            it.key("content");
            write_parts(&parts, losses, it)?;
        }
        if result.is_error {
            it.key("is_error").bool(true);
        }
        write_mark(result.cache, it);
        Ok(())
    })
}

fn write_image(
    media: &Media<'_>,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    media.lose_name(losses);
    media.lose_detail(losses);
    out.try_object(|it| {
        it.key("type").string("image");
        it.key("source");
        match &media.source {
            Source::Data { media_type, base64 } => write_data(media_type, base64, it),
            Source::Url(url) => write_url(url, it),
            Source::Text(_) => {
                return Err(Unsupported::new(
                    "messages[].content[].image_url",
                    "holds a picture without its bytes or address",
                ));
            }
        }
        write_mark(media.cache, it);
        Ok(())
    })
}

fn write_document(media: &Media<'_>, out: &mut Writer<'_>) -> Result<(), Unsupported> {
    out.try_object(|it| {
        it.key("type").string("document");
        it.key("source");
        match (&media.source, media.source.words()) {
            (_, Some(text)) => it.object(|it| {
                it.key("type").string("text");
                it.key("media_type").string("text/plain");
                it.key("data").string(&text);
            }),
            (Source::Data { media_type, base64 }, None) if media_type == "application/pdf" => {
                write_data(media_type, base64, it);
            }
            (Source::Url(url), None) => write_url(url, it),
            (Source::Data { .. } | Source::Text(_), None) => {
                return Err(Unsupported::new(
                    "messages[].content[].file",
                    "holds a file that Anthropic does not read: it takes PDF and plain text",
                ));
            }
        }
        if let Some(name) = media.name {
            it.key("title").string(name);
        }
        write_mark(media.cache, it);
        Ok(())
    })
}

fn write_data(media_type: &str, base64: &str, out: &mut Writer<'_>) {
    out.object(|it| {
        it.key("type").string("base64");
        it.key("media_type").string(media_type);
        it.key("data").string(base64);
    });
}

fn write_url(url: &str, out: &mut Writer<'_>) {
    out.object(|it| {
        it.key("type").string("url");
        it.key("url").string(url);
    });
}
