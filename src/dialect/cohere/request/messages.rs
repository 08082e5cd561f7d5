//! The conversation, and the files beside it.

use std::borrow::Cow;

use crate::dialect::ids::{self, IdForm};
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::turn::{Media, Message, Part, Role, ToolCall, ToolResult, Turn};
use crate::wire::json::Writer;

/// The files of a conversation, in order.
#[derive(Default)]
pub(super) struct Documents<'t, 'a>(Vec<&'t Media<'a>>);

impl Documents<'_, '_> {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes `documents`.
    pub(super) fn write(&self, out: &mut Writer<'_>) -> Result<(), Unsupported> {
        if self.is_empty() {
            return Ok(());
        }
        out.key("documents").try_array(|out| {
            self.0.iter().enumerate().try_for_each(|(at, document)| {
                let text = text_of(document)?;
                out.object(|out| {
                    out.key("id").string(&format!("doc:{at}"));
                    write_data(document, &text, out.key("data"));
                });
                Ok(())
            })
        })
    }
}

fn write_data(document: &Media<'_>, text: &str, out: &mut Writer<'_>) {
    out.object(|out| {
        if let Some(name) = document.name {
            out.key("title").string(name);
        }
        out.key("text").string(text);
    });
}

/// Cohere reads text and no other files.
fn text_of<'t>(document: &'t Media<'_>) -> Result<Cow<'t, str>, Unsupported> {
    let why = "holds no text: Cohere reads no other files";
    let words = document.source.words();
    words.ok_or_else(|| Unsupported::new("file", why))
}

/// Writes `messages`, and gives back the files that stand in them.
pub(super) fn write<'t, 'a>(
    turn: &'t Turn<'a>,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) -> Result<Documents<'t, 'a>, Unsupported> {
    let mut documents = Documents::default();
    out.key("messages").try_array(|out| {
        write_system(&turn.system, losses, out)?;
        for message in &turn.messages {
            match message.role {
                Role::System => write_system(&message.parts, losses, out)?,
                Role::User => write_user(message, &mut documents, losses, out)?,
                Role::Assistant => write_assistant(message, losses, out),
            }
        }
        Ok(())
    })?;
    Ok(documents)
}

fn write_system(
    parts: &[Part<'_>],
    losses: &mut Losses,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    if !parts.iter().all(is_text) {
        let why = "holds instructions that are not text, which Cohere does not take";
        return Err(Unsupported::new("messages", why));
    }
    let parts: Vec<_> = parts.iter().collect();
    write_said("system", &parts, losses, out)
}

/// What tools answered is a message each, before what the user says. It is text: what is to be seen is shown by the user.
fn write_user<'t, 'a>(
    message: &'t Message<'a>,
    documents: &mut Documents<'t, 'a>,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    let mut said = Vec::new();
    for part in &message.parts {
        let Part::ToolResult(result) = part else {
            said.push(part);
            continue;
        };
        write_result(result, losses, out);
        said.extend(result.parts.iter().filter(|part| !is_text(part)));
    }
    said.retain(|part| match part {
        Part::Document(document) => {
            document.lose_detail(losses);
            losses.add_if(document.cache, "cache_control");
            documents.0.push(document);
            false
        }
        _ => true,
    });
    write_said("user", &said, losses, out)
}

const fn is_text(part: &Part<'_>) -> bool {
    matches!(part, Part::Text(_))
}

/// A message of `role` unless it says nothing: a text if it is one, else parts.
fn write_said(
    role: &str,
    parts: &[&Part<'_>],
    losses: &mut Losses,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    let is_marked = |part: &&&Part<'_>| match part {
        Part::Text(text) => text.cache,
        Part::Image(image) => image.cache,
        _ => false,
    };
    losses.add_if(parts.iter().any(|part| is_marked(&part)), "cache_control");
    if parts.is_empty() {
        return Ok(());
    }
    out.try_object(|out| {
        out.key("role").string(role);
        if let [Part::Text(text)] = parts {
            out.key("content").string(&text.text);
            return Ok(());
        }
        out.key("content").try_array(|out| {
            parts
                .iter()
                .try_for_each(|part| write_part(part, losses, out))
        })
    })
}

fn write_part(
    part: &Part<'_>,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    match part {
        Part::Text(text) => out.object(|out| {
            out.key("type").string("text");
            out.key("text").string(&text.text);
        }),
        Part::Refusal(text) => out.object(|out| {
            out.key("type").string("text");
            out.key("text").string(text);
        }),
        Part::Image(image) => write_image(image, losses, out)?,
        Part::Audio(_) => return Err(Unsupported::new("input_audio", "is not taken by Cohere")),
        Part::Document(_) => return Err(Unsupported::new("file", "is not the user's own")),
        // Of other sides, and written there.
        Part::ToolCall(_) | Part::ToolResult(_) | Part::Reasoning(_) => {}
    }
    Ok(())
}

fn write_image(
    image: &Media<'_>,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    let url = image.source.url().ok_or_else(|| {
        Unsupported::new("image_url", "is a text, and no picture that Cohere takes")
    })?;
    image.lose_name(losses);
    let detail = image.detail.filter(|it| matches!(*it, "low" | "high"));
    if detail.is_none() {
        image.lose_detail(losses);
    }
    out.object(|out| {
        out.key("type").string("image_url");
        out.key("image_url").object(|out| {
            out.key("url").string(&url);
            if let Some(detail) = detail {
                out.key("detail").string(detail);
            }
        });
    });
    Ok(())
}

fn write_result(result: &ToolResult<'_>, losses: &mut Losses, out: &mut Writer<'_>) {
    let mut text = String::new();
    if result.is_error {
        // There is no field for it.
        text.push_str("Error: ");
    }
    for part in &result.parts {
        if let Part::Text(more) = part {
            losses.add_if(more.cache, "cache_control");
            text.push_str(&more.text);
        }
    }
    losses.add_if(result.cache, "cache_control");
    out.object(|out| {
        out.key("role").string("tool");
        out.key("tool_call_id")
            .string(&ids::fitted(&result.id, IdForm::Any));
        out.key("content").string(&text);
    });
}

/// What is said beside calls is the plan that led to them.
fn write_assistant(message: &Message<'_>, losses: &mut Losses, out: &mut Writer<'_>) {
    let mut text = String::new();
    let mut calls: Vec<&ToolCall<'_>> = Vec::new();
    for part in &message.parts {
        match part {
            Part::Text(more) => {
                losses.add_if(more.cache, "cache_control");
                text.push_str(&more.text);
            }
            Part::Refusal(more) => text.push_str(more),
            Part::ToolCall(call) => calls.push(call),
            Part::Reasoning(_) => losses.add("messages[].reasoning_content"),
            Part::Image(_) | Part::Document(_) | Part::Audio(_) | Part::ToolResult(_) => {
                losses.add("messages[].content");
            }
        }
    }
    if text.is_empty() && calls.is_empty() {
        return;
    }
    out.object(|out| {
        out.key("role").string("assistant");
        if calls.is_empty() {
            out.key("content").string(&text);
            return;
        }
        if !text.is_empty() {
            out.key("tool_plan").string(&text);
        }
        out.key("tool_calls")
            .array(|out| calls.iter().for_each(|call| write_call(call, out)));
    });
}

fn write_call(call: &ToolCall<'_>, out: &mut Writer<'_>) {
    out.object(|out| {
        out.key("id").string(&ids::fitted(&call.id, IdForm::Any));
        out.key("type").string("function");
        out.key("function").object(|out| {
            out.key("name").string(&call.name);
            call.arguments.write_text(out.key("arguments"));
        });
    });
}
