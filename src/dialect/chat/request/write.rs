//! A request for a provider of this format, from one in another.

use std::borrow::Cow;

use crate::dialect::chat::answer::write_call;
use crate::dialect::chat::kinds::{Files, MaxTokens, Takes, ThinkingForm, takes};
use crate::dialect::chat::request::thinking;
use crate::dialect::codec::Destination;
use crate::dialect::ids::{IdForm, fitted};
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::openai::thinks;
use crate::dialect::turn::{
    Form, Media, Message, Part, Role, Schema, Source, Text, Tool, ToolCall, ToolChoice, ToolResult,
    Turn,
};
use crate::policy::model::ProviderKind;
use crate::wire::json::Writer;

/// Writes a request.
///
/// # Errors
/// Something that the provider does not take and that the answer depends on.
pub fn write(
    turn: &Turn<'_>,
    to: &Destination<'_>,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    let takes = takes(to.kind);
    out.try_object(|it| {
        it.key("model").string(to.model);
        it.key("messages")
            .try_array(|it| write_conversation(turn, to, takes, losses, it))?;
        write_tools(turn, takes, losses, it);
        write_sampling(turn, to, takes, losses, it);
        write_form(&turn.form, takes, it)?;
        if let Some(asked) = turn.thinking {
            thinking::write(asked, to, takes, losses, it);
        }
        match turn.user {
            Some(user) if takes.user => it.key("user").string(user),
            user => losses.add_if(user.is_some(), "user"),
        }
        if turn.stream {
            it.key("stream").bool(true);
            if takes.stream_options {
                it.key("stream_options")
                    .object(|it| it.key("include_usage").bool(true));
            }
        }
        Ok(())
    })
}

fn write_sampling(
    turn: &Turn<'_>,
    to: &Destination<'_>,
    takes: Takes,
    losses: &mut Losses,
    it: &mut Writer<'_>,
) {
    if let Some(max) = turn.max_tokens {
        let key = match takes.max_tokens {
            MaxTokens::Completion => "max_completion_tokens",
            MaxTokens::Plain => "max_tokens",
        };
        it.key(key).number(max);
    }
    let fixed = takes.thinking == ThinkingForm::OpenAi && thinks(to.model);
    // xAI, 2026: models that think refuse both, and say so.
    let thinks = takes.thinking == ThinkingForm::Xai && thinking::xai_thinks(to.model);
    let penalties = takes.penalties && !fixed && !thinks;
    for (key, value, usual, taken) in [
        ("temperature", turn.temperature, 1.0, !fixed),
        ("top_p", turn.top_p, 1.0, !fixed),
        ("presence_penalty", turn.presence_penalty, 0.0, penalties),
        ("frequency_penalty", turn.frequency_penalty, 0.0, penalties),
    ] {
        match value {
            Some(value) if taken => it.key(key).float(value),
            value => losses.add_unless_usual(value, usual, key),
        }
    }
    match turn.top_k {
        Some(top_k) if takes.top_k => it.key("top_k").number(top_k),
        top_k => losses.add_if(top_k.is_some(), "top_k"),
    }
    match turn.seed {
        Some(seed) if !takes.seed.is_empty() => it.key(takes.seed).number(seed),
        seed => losses.add_if(seed.is_some(), "seed"),
    }
    if fixed || thinks {
        losses.add_if(!turn.stop.is_empty(), "stop");
    } else if !turn.stop.is_empty() {
        losses.add_if(turn.stop.len() > STOP_MAX, "stop");
        it.key("stop").array(|it| {
            for text in turn.stop.iter().take(STOP_MAX) {
                it.string(text);
            }
        });
    }
}

fn write_form(form: &Form<'_>, takes: Takes, it: &mut Writer<'_>) -> Result<(), Unsupported> {
    match form {
        Form::Text => {}
        Form::Json if !takes.json => {
            return Err(Unsupported::new(
                "response_format",
                "asks for JSON without a schema, which the provider does not give: give a `json_schema`",
            ));
        }
        Form::Json => it
            .key("response_format")
            .object(|it| it.key("type").string("json_object")),
        Form::Schema(_) if !takes.schema => {
            return Err(Unsupported::new(
                "response_format",
                "asks for a schema, which the provider does not follow",
            ));
        }
        Form::Schema(schema) => it.key("response_format").object(|it| {
            it.key("type").string("json_schema");
            it.key("json_schema").object(|it| write_schema(schema, it));
        }),
    }
    Ok(())
}

fn write_schema(schema: &Schema<'_>, it: &mut Writer<'_>) {
    it.key("name").string(schema.name.unwrap_or("answer"));
    if let Some(description) = schema.description {
        it.key("description").string(description);
    }
    it.key("schema").node(schema.schema);
    if let Some(strict) = schema.strict {
        it.key("strict").bool(strict);
    }
}

fn write_tools(turn: &Turn<'_>, takes: Takes, losses: &mut Losses, it: &mut Writer<'_>) {
    // COMPAT: Mistral answers `none` beside tools with garbled text (pydantic-ai), and Ollama knows no choice: they get no
    // tools.
    let none = turn.tool_choice == Some(ToolChoice::None);
    if turn.tools.is_empty() || (none && (takes.required == "any" || takes.required.is_empty())) {
        return;
    }
    let named = match turn.tool_choice {
        Some(ToolChoice::Named(name)) if !takes.named_choice => Some(name),
        _ => None,
    };
    it.key("tools").array(|it| {
        for tool in &turn.tools {
            // Where one cannot be named, it is the only one there is.
            if named.is_none_or(|name| name == tool.name) {
                write_tool(tool, takes, losses, it);
            }
        }
    });
    match turn.tool_choice {
        None => {}
        Some(ToolChoice::Auto) => it.key("tool_choice").string("auto"),
        Some(ToolChoice::Required | ToolChoice::Named(_)) if takes.required.is_empty() => {
            losses.add("tool_choice");
        }
        Some(ToolChoice::None) => it.key("tool_choice").string("none"),
        Some(ToolChoice::Named(name)) if takes.named_choice => {
            it.key("tool_choice").object(|it| {
                it.key("type").string("function");
                it.key("function").object(|it| it.key("name").string(name));
            });
        }
        Some(ToolChoice::Required | ToolChoice::Named(_)) => {
            it.key("tool_choice").string(takes.required);
        }
    }
    match turn.parallel_tools {
        Some(parallel) if takes.parallel => it.key("parallel_tool_calls").bool(parallel),
        parallel => losses.add_if(parallel == Some(false), "parallel_tool_calls"),
    }
}

fn write_tool(tool: &Tool<'_>, takes: Takes, losses: &mut Losses, it: &mut Writer<'_>) {
    it.object(|it| {
        it.key("type").string("function");
        it.key("function").object(|it| {
            it.key("name").string(tool.name);
            if let Some(description) = tool.description {
                it.key("description").string(description);
            }
            if let Some(schema) = tool.schema {
                it.key("parameters").node(schema);
            }
            if let Some(strict) = tool.strict {
                it.key("strict").bool(strict);
            }
        });
        write_mark(tool.cache, takes, losses, it);
    });
}

fn write_mark(cache: bool, takes: Takes, losses: &mut Losses, it: &mut Writer<'_>) {
    if cache && takes.cache_marks {
        it.key("cache_control")
            .object(|it| it.key("type").string("ephemeral"));
    } else {
        losses.add_if(cache, "cache_control");
    }
}

fn write_conversation(
    turn: &Turn<'_>,
    to: &Destination<'_>,
    takes: Takes,
    losses: &mut Losses,
    it: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    if !turn.system.is_empty() {
        it.try_object(|it| {
            it.key("role").string("system");
            write_content(&turn.system.iter().collect::<Vec<_>>(), takes, losses, it)
        })?;
    }
    for message in &turn.messages {
        match message.role {
            Role::System => it.try_object(|it| {
                it.key("role").string("system");
                write_content(&message.parts.iter().collect::<Vec<_>>(), takes, losses, it)
            })?,
            Role::User => write_user(message, to, takes, losses, it)?,
            Role::Assistant => write_assistant(message, to, takes, losses, it),
        }
    }
    Ok(())
}

/// What tools answered is a message each, before what the user says: that is where this format wants it.
fn write_user(
    message: &Message<'_>,
    to: &Destination<'_>,
    takes: Takes,
    losses: &mut Losses,
    it: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    let mut said = Vec::new();
    for part in &message.parts {
        match part {
            Part::ToolResult(result) => {
                write_result(result, to, takes, losses, it)?;
                // A result is text in this format: what is to be seen is shown by the user.
                said.extend(
                    result
                        .parts
                        .iter()
                        .filter(|part| !matches!(part, Part::Text(_))),
                );
            }
            part => said.push(part),
        }
    }
    if said.is_empty() {
        return Ok(());
    }
    it.try_object(|it| {
        it.key("role").string("user");
        write_content(&said, takes, losses, it)
    })
}

fn write_result(
    result: &ToolResult<'_>,
    to: &Destination<'_>,
    takes: Takes,
    losses: &mut Losses,
    it: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    it.try_object(|it| {
        it.key("role").string("tool");
        it.key("tool_call_id")
            .string(&fitted(&result.id, id_form(to.kind)));
        if to.kind == ProviderKind::Mistral && !result.name.is_empty() {
            it.key("name").string(&result.name);
        }
        let texts: Vec<_> = result
            .parts
            .iter()
            .filter(|part| matches!(part, Part::Text(_)))
            .collect();
        let (text, marked) = joined_text(&texts).unwrap_or_default();
        let text = if result.is_error {
            // There is no field for it.
            Cow::Owned(format!("Error: {text}"))
        } else {
            text
        };
        let marked = marked || result.cache;
        if marked && takes.cache_marks {
            it.key("content").array(|it| {
                it.object(|it| {
                    it.key("type").string("text");
                    it.key("text").string(&text);
                    write_mark(marked, takes, losses, it);
                });
            });
        } else {
            losses.add_if(marked, "cache_control");
            it.key("content").string(&text);
        }
        Ok(())
    })
}

fn write_assistant(
    message: &Message<'_>,
    to: &Destination<'_>,
    takes: Takes,
    losses: &mut Losses,
    it: &mut Writer<'_>,
) {
    let (mut text, mut thoughts) = (String::new(), String::new());
    let calls_back = |part: &Part<'_>| matches!(part, Part::ToolCall(_));
    let wants_thoughts = takes.thoughts && message.parts.iter().any(calls_back);
    let mut calls: Vec<&ToolCall<'_>> = Vec::new();
    for part in &message.parts {
        match part {
            Part::Text(Text { text: more, cache }) => {
                losses.add_if(*cache, "cache_control");
                text.push_str(more);
            }
            Part::Refusal(more) => text.push_str(more),
            Part::ToolCall(call) => calls.push(call),
            Part::Reasoning(thought) if wants_thoughts && !thought.text.is_empty() => {
                thoughts.push_str(&thought.text);
            }
            // Another provider's thoughts prove nothing to this one.
            Part::Reasoning(_) => losses.add("messages[].reasoning_content"),
            Part::Image(_) | Part::Document(_) | Part::Audio(_) | Part::ToolResult(_) => {
                losses.add("messages[].content");
            }
        }
    }
    if text.is_empty() && calls.is_empty() {
        return;
    }
    it.object(|it| {
        it.key("role").string("assistant");
        if text.is_empty() {
            it.key("content").null();
        } else {
            it.key("content").string(&text);
        }
        if !thoughts.is_empty() {
            it.key("reasoning_content").string(&thoughts);
        }
        if !calls.is_empty() {
            it.key("tool_calls").array(|it| {
                for call in &calls {
                    write_call(&fitted(&call.id, id_form(to.kind)), call, it);
                }
            });
        }
    });
}

const fn id_form(kind: ProviderKind) -> IdForm {
    match kind {
        ProviderKind::Mistral => IdForm::Mistral,
        _ => IdForm::Chat,
    }
}

/// The `content` of a message: a string where it is all text and carries no mark — every server takes that —, else parts.
fn write_content(
    parts: &[&Part<'_>],
    takes: Takes,
    losses: &mut Losses,
    it: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    if let Some((text, marked)) = joined_text(parts)
        && !(marked && takes.cache_marks)
    {
        losses.add_if(marked, "cache_control");
        it.key("content").string(&text);
        return Ok(());
    }
    it.key("content").try_array(|it| {
        for part in parts {
            it.try_object(|it| write_part(part, takes, losses, it))?;
        }
        Ok(())
    })
}

/// The words of parts that are all words, a blank line between two; and whether any is marked.
fn joined_text<'p>(parts: &[&'p Part<'_>]) -> Option<(Cow<'p, str>, bool)> {
    let mut joined: Option<Cow<'p, str>> = None;
    let mut marked = false;
    for part in parts {
        let Part::Text(Text { text, cache }) = part else {
            return None;
        };
        marked |= cache;
        match &mut joined {
            None => joined = Some(Cow::Borrowed(text)),
            Some(before) => {
                let before = before.to_mut();
                before.push_str("\n\n");
                before.push_str(text);
            }
        }
    }
    joined.map(|text| (text, marked))
}

fn write_part(
    part: &Part<'_>,
    takes: Takes,
    losses: &mut Losses,
    it: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    let cache = match part {
        Part::Text(Text { text, cache }) => {
            write_text(text, it);
            *cache
        }
        Part::Image(media) => {
            write_image(media, losses, it)?;
            media.cache
        }
        Part::Document(media) => {
            write_document(media, takes.files, losses, it)?;
            media.cache
        }
        Part::Audio(media) => {
            media.lose_name(losses);
            write_audio(media, takes.files, it)?;
            media.cache
        }
        Part::Refusal(text) => {
            write_text(text, it);
            false
        }
        Part::ToolCall(_) | Part::ToolResult(_) | Part::Reasoning(_) => {
            return Err(Unsupported::new(
                "messages",
                "has a part that its role cannot say",
            ));
        }
    };
    write_mark(cache, takes, losses, it);
    Ok(())
}

fn write_text(text: &str, it: &mut Writer<'_>) {
    it.key("type").string("text");
    it.key("text").string(text);
}

fn write_image(
    media: &Media<'_>,
    losses: &mut Losses,
    it: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    let url = media
        .source
        .url()
        .ok_or_else(|| Unsupported::new("image", "is not a picture"))?;
    media.lose_name(losses);
    it.key("type").string("image_url");
    it.key("image_url").object(|it| {
        it.key("url").string(&url);
        if let Some(detail) = media.detail {
            it.key("detail").string(detail);
        }
    });
    Ok(())
}

/// Plain text is said as such: every provider reads that, and OpenAI no other file than PDF.
fn write_document(
    media: &Media<'_>,
    files: Files,
    losses: &mut Losses,
    it: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    if let Some(text) = media.source.words() {
        media.lose_name(losses);
        write_text(&text, it);
        return Ok(());
    }
    let refused = |why| Err(Unsupported::new("document", why));
    match (files, media.source.url()) {
        (Files::Never, _) => refused("is a file, which the provider does not read"),
        (_, None) => refused("is neither data nor at an address"),
        (Files::OpenAi, Some(_)) if matches!(media.source, Source::Url(_)) => {
            refused("lies at an address, and the provider takes files only as data")
        }
        (Files::OpenAi, Some(url)) => {
            it.key("type").string("file");
            it.key("file").object(|it| {
                it.key("filename")
                    .string(media.name.unwrap_or("document.pdf"));
                it.key("file_data").string(&url);
            });
            Ok(())
        }
        (Files::Mistral, Some(url)) => {
            it.key("type").string("document_url");
            it.key("document_url").string(&url);
            if let Some(name) = media.name {
                it.key("document_name").string(name);
            }
            Ok(())
        }
    }
}

fn write_audio(media: &Media<'_>, files: Files, it: &mut Writer<'_>) -> Result<(), Unsupported> {
    let Source::Data { media_type, base64 } = &media.source else {
        return Err(Unsupported::new(
            "audio",
            "lies at an address, and the provider takes recordings only as data",
        ));
    };
    let format = match media_type.strip_prefix("audio/").unwrap_or(media_type) {
        "mpeg" | "mp3" => "mp3",
        "x-wav" | "wave" => "wav",
        other => other,
    };
    it.key("type").string("input_audio");
    if files == Files::Mistral {
        it.key("input_audio").string(base64);
        return Ok(());
    }
    it.key("input_audio").object(|it| {
        it.key("data").string(base64);
        it.key("format").string(format);
    });
    Ok(())
}

/// OpenAI's bound, which the others have too.
const STOP_MAX: usize = 4;
