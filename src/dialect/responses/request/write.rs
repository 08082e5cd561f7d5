//! A request for a provider of this format, from one in another.

use crate::dialect::codec::Destination;
use crate::dialect::ids::{IdForm, fitted};
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::openai::thinks;
use crate::dialect::turn::{
    Effort, Form, Media, Message, Part, Role, Schema, Source, Text, Thinking, Tool, ToolCall,
    ToolChoice, ToolResult, Turn,
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
    out.try_object(|it| {
        it.key("model").string(to.model);
        it.key("input").try_array(|it| {
            // Not `instructions`: the word "json", which OpenAI demands of those who ask for JSON, counts in items only.
            if !turn.system.is_empty() {
                write_said(Role::System, &turn.system, losses, it)?;
            }
            for message in &turn.messages {
                write_message(message, to, losses, it)?;
            }
            Ok(())
        })?;
        write_tools(turn, losses, it);
        write_sampling(turn, to, losses, it);
        write_form(&turn.form, it);
        if let Some(thinking) = turn.thinking {
            write_thinking(thinking, to, it);
        }
        if let Some(user) = turn.user {
            it.key("user").string(user);
        }
        it.key("store").bool(false);
        if turn.stream {
            it.key("stream").bool(true);
        }
        Ok(())
    })
}

fn write_message(
    message: &Message<'_>,
    to: &Destination<'_>,
    losses: &mut Losses,
    it: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    let is_item = |part: &Part<'_>| {
        matches!(
            part,
            Part::ToolCall(_) | Part::ToolResult(_) | Part::Reasoning(_)
        )
    };
    let mut behind = Vec::new();
    for parts in message
        .parts
        .chunk_by(|one, next| !is_item(one) && !is_item(next))
    {
        if !matches!(parts, [Part::ToolResult(_)]) {
            write_behind(&mut behind, losses, it)?;
        }
        match parts {
            [Part::ToolCall(call)] => write_call(call, it),
            [Part::ToolResult(result)] => write_result(result, to, &mut behind, losses, it)?,
            // Thoughts of another provider are of no use to this one.
            [Part::Reasoning(_)] => losses.add("messages[].reasoning_content"),
            words => write_said(message.role, words, losses, it)?,
        }
    }
    write_behind(&mut behind, losses, it)
}

/// What results show and cannot hold, said by the user right behind them.
fn write_behind(
    behind: &mut Vec<&Part<'_>>,
    losses: &mut Losses,
    it: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    if behind.is_empty() {
        return Ok(());
    }
    it.try_object(|it| {
        it.key("role").string("user");
        it.key("content").try_array(|it| {
            behind
                .drain(..)
                .try_for_each(|part| write_part(Role::User, part, losses, it))
        })
    })
}

/// What one side says: a text, or a list of parts.
fn write_said(
    role: Role,
    parts: &[Part<'_>],
    losses: &mut Losses,
    it: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    it.try_object(|it| {
        it.key("role").string(match role {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        });
        write_content(role, parts, losses, it.key("content"))
    })
}

fn write_content(
    role: Role,
    parts: &[Part<'_>],
    losses: &mut Losses,
    it: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    if let [Part::Text(Text { text, cache })] = parts {
        losses.add_if(*cache, "cache_control");
        it.string(text);
        return Ok(());
    }
    it.try_array(|it| {
        parts
            .iter()
            .try_for_each(|part| write_part(role, part, losses, it))
    })
}

fn write_part(
    role: Role,
    part: &Part<'_>,
    losses: &mut Losses,
    it: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    match part {
        Part::Text(Text { text, cache }) => {
            losses.add_if(*cache, "cache_control");
            write_text(role, text, it);
            Ok(())
        }
        Part::Refusal(text) => {
            it.object(|it| {
                it.key("type").string("refusal");
                it.key("refusal").string(text);
            });
            Ok(())
        }
        Part::Image(media) if role != Role::Assistant => {
            losses.add_if(media.cache, "cache_control");
            let url = media
                .source
                .url()
                .ok_or_else(|| Unsupported::new("image", "is a text and not a picture"))?;
            media.lose_name(losses);
            it.object(|it| {
                it.key("type").string("input_image");
                it.key("image_url").string(&url);
                it.key("detail").string(media.detail.unwrap_or("auto"));
            });
            Ok(())
        }
        Part::Document(media) if role != Role::Assistant => {
            losses.add_if(media.cache, "cache_control");
            write_document(role, media, losses, it);
            Ok(())
        }
        Part::Audio(_) => Err(Unsupported::new(
            "audio",
            "is a recording, which OpenAI's Responses do not take",
        )),
        _ => Err(Unsupported::new(
            "messages",
            "has a part that its role cannot say",
        )),
    }
}

fn write_text(role: Role, text: &str, it: &mut Writer<'_>) {
    it.object(|it| {
        it.key("type").string(match role {
            Role::Assistant => "output_text",
            Role::System | Role::User => "input_text",
        });
        it.key("text").string(text);
    });
}

fn write_document(role: Role, media: &Media<'_>, losses: &mut Losses, it: &mut Writer<'_>) {
    match &media.source {
        Source::Text(text) => {
            media.lose_name(losses);
            write_text(role, text, it);
        }
        Source::Url(url) => {
            media.lose_name(losses);
            it.object(|it| {
                it.key("type").string("input_file");
                it.key("file_url").string(url);
            });
        }
        Source::Data { .. } => it.object(|it| {
            it.key("type").string("input_file");
            // Refused without a name.
            it.key("filename")
                .string(media.name.unwrap_or("document.pdf"));
            it.key("file_data")
                .string(&media.source.url().unwrap_or_default());
        }),
    }
}

fn write_call(call: &ToolCall<'_>, it: &mut Writer<'_>) {
    it.object(|it| {
        it.key("type").string("function_call");
        it.key("call_id")
            .string(&fitted(&call.id, IdForm::Responses));
        it.key("name").string(&call.name);
        call.arguments.write_text(it.key("arguments"));
    });
}

/// A result. `behind` takes the parts that have to be said by the user instead.
fn write_result<'t, 'a>(
    result: &'t ToolResult<'a>,
    to: &Destination<'_>,
    behind: &mut Vec<&'t Part<'a>>,
    losses: &mut Losses,
    it: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    losses.add_if(result.cache, "cache_control");
    let is_text = |part: &Part<'_>| matches!(part, Part::Text(_));
    // COMPAT: xAI, 2025: results are texts there; its clients send pictures behind them (recorded).
    let texts_only = to.kind == ProviderKind::Xai || result.parts.iter().all(is_text);
    it.try_object(|it| {
        it.key("type").string("function_call_output");
        it.key("call_id")
            .string(&fitted(&result.id, IdForm::Responses));
        let it = it.key("output");
        if texts_only {
            behind.extend(result.parts.iter().filter(|part| !is_text(part)));
            write_text_result(result, losses, it);
            return Ok(());
        }
        it.try_array(|it| {
            if result.is_error {
                write_text(Role::User, FAILED.trim_end(), it);
            }
            result
                .parts
                .iter()
                .try_for_each(|part| write_part(Role::User, part, losses, it))
        })
    })
}

fn write_text_result(result: &ToolResult<'_>, losses: &mut Losses, it: &mut Writer<'_>) {
    let mut whole = String::new();
    if result.is_error {
        whole.push_str(FAILED);
    }
    let mut first = true;
    for part in &result.parts {
        if let Part::Text(Text { text, cache }) = part {
            losses.add_if(*cache, "cache_control");
            if !first {
                whole.push('\n');
            }
            first = false;
            whole.push_str(text);
        }
    }
    it.string(&whole);
}

fn write_tools(turn: &Turn<'_>, losses: &mut Losses, it: &mut Writer<'_>) {
    if turn.tools.is_empty() {
        return;
    }
    losses.add_if(turn.tools.iter().any(|tool| tool.cache), "cache_control");
    it.key("tools")
        .array(|it| turn.tools.iter().for_each(|tool| write_tool(tool, it)));
    if let Some(choice) = turn.tool_choice {
        let it = it.key("tool_choice");
        match choice {
            ToolChoice::Auto => it.string("auto"),
            ToolChoice::Required => it.string("required"),
            ToolChoice::None => it.string("none"),
            ToolChoice::Named(name) => it.object(|it| {
                it.key("type").string("function");
                it.key("name").string(name);
            }),
        }
    }
    if let Some(parallel) = turn.parallel_tools {
        it.key("parallel_tool_calls").bool(parallel);
    }
}

fn write_tool(tool: &Tool<'_>, it: &mut Writer<'_>) {
    it.object(|it| {
        it.key("type").string("function");
        it.key("name").string(tool.name);
        if let Some(description) = tool.description {
            it.key("description").string(description);
        }
        match tool.schema {
            Some(schema) => it.key("parameters").node(schema),
            None => it.key("parameters").object(|it| {
                it.key("type").string("object");
                it.key("properties").object(|_| ());
            }),
        }
        // Where it is not said OpenAI takes it for true, and refuses schemas that do not list every property.
        it.key("strict").bool(tool.strict == Some(true));
    });
}

fn write_sampling(turn: &Turn<'_>, to: &Destination<'_>, losses: &mut Losses, it: &mut Writer<'_>) {
    let is_openai = matches!(to.kind, ProviderKind::OpenAi | ProviderKind::AzureOpenAi);
    if let Some(max) = turn.max_tokens {
        let least = if is_openai { OPENAI_TOKENS_MIN } else { 1 };
        losses.add_if(max < least, "max_tokens");
        it.key("max_output_tokens").number(max.max(least));
    }
    let fixed = is_openai && thinks(to.model);
    for (key, value) in [("temperature", turn.temperature), ("top_p", turn.top_p)] {
        match value {
            Some(value) if !fixed => it.key(key).float(value),
            value => losses.add_unless_usual(value, 1.0, key),
        }
    }
    losses.add_unless_usual(turn.presence_penalty, 0.0, "presence_penalty");
    losses.add_unless_usual(turn.frequency_penalty, 0.0, "frequency_penalty");
    losses.add_if(turn.top_k.is_some(), "top_k");
    losses.add_if(turn.seed.is_some(), "seed");
    losses.add_if(!turn.stop.is_empty(), "stop");
}

fn write_form(form: &Form<'_>, it: &mut Writer<'_>) {
    let mut format = |members: &dyn Fn(&mut Writer<'_>)| {
        it.key("text").object(|it| it.key("format").object(members));
    };
    match form {
        Form::Text => {}
        Form::Json => format(&|it| it.key("type").string("json_object")),
        Form::Schema(schema) => format(&|it| write_schema(schema, it)),
    }
}

fn write_schema(schema: &Schema<'_>, it: &mut Writer<'_>) {
    it.key("type").string("json_schema");
    it.key("name").string(schema.name.unwrap_or("answer"));
    if let Some(description) = schema.description {
        it.key("description").string(description);
    }
    it.key("schema").node(schema.schema);
    if let Some(strict) = schema.strict {
        it.key("strict").bool(strict);
    }
}

fn write_thinking(thinking: Thinking, to: &Destination<'_>, it: &mut Writer<'_>) {
    let effort = thinking
        .effort
        .or_else(|| thinking.budget.map(Effort::of_budget))
        .map(|effort| match (to.kind, effort) {
            // COMPAT: xAI, October 2026: `low`, `medium` and `high`.
            (ProviderKind::Xai, Effort::Minimal) => Effort::Low,
            (ProviderKind::Xai, Effort::XHigh | Effort::Max) => Effort::High,
            (_, Effort::Max) => Effort::XHigh,
            (_, effort) => effort,
        });
    it.key("reasoning").object(|it| {
        if let Some(effort) = effort {
            it.key("effort").string(effort.word());
        }
        if thinking.shown {
            it.key("summary").string("auto");
        }
    });
}

/// Before the words of a tool that failed: the format has no mark for it.
const FAILED: &str = "Error: ";
/// What OpenAI takes for `max_output_tokens` at least.
const OPENAI_TOKENS_MIN: u64 = 16;
