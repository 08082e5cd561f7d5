//! Errors as Anthropic's clients read them. Their SDKs go by the status; Claude Code also reads the sentence.

use std::borrow::Cow;

use crate::dialect::openai::ClientError;
use crate::wire::json::Writer;

/// The status that a client of this format expects where another one than [`ClientError::status`].
pub fn status(error: &ClientError<'_>) -> u16 {
    match kind(error) {
        "overloaded_error" => 529,
        _ => error.status,
    }
}

/// Appends the envelope, for a body of its own. `request` is the request's name, `""` for none.
pub fn body(error: &ClientError<'_>, request: &str, out: &mut Vec<u8>) {
    Writer::new(out).object(|it| {
        members(error, it);
        if !request.is_empty() {
            it.key("request_id").string(request);
        }
    });
}

/// Appends the envelope as one event of a stream. Nothing may follow it.
pub fn event(error: &ClientError<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: error\ndata: ");
    Writer::new(out).object(|it| members(error, it));
    out.extend_from_slice(b"\n\n");
}

fn members(error: &ClientError<'_>, out: &mut Writer<'_>) {
    out.key("type").string("error");
    out.key("error").object(|it| {
        it.key("type").string(kind(error));
        it.key("message").string(&message(error));
        if let Some(code) = thread_code(error) {
            it.key("details")
                .object(|it| it.key("error_code").string(code));
        }
    });
}

/// What Anthropic's clients read of a conversation that a provider was to keep: they go by the code, and send all of it
/// again (platform.claude.com, *Message threads*, November 2026).
fn thread_code<'a>(error: &'a ClientError<'_>) -> Option<&'a str> {
    if is_half_a_conversation(error) {
        return Some("thread_unsupported_request");
    }
    let code = error.code.as_deref()?;
    code.starts_with("thread_").then_some(code)
}

/// Whether a provider would serve the request if the client sent all of the conversation.
pub fn is_half_a_conversation(error: &ClientError<'_>) -> bool {
    let is_unsupported = error.code.as_deref() == Some("unsupported_by_provider");
    is_unsupported && error.param.as_deref() == Some("thread")
}

/// The class: of platform.claude.com, *Errors*, November 2026.
fn kind(error: &ClientError<'_>) -> &'static str {
    match (error.status, error.code.as_deref()) {
        (503, Some("overloaded")) | (529, _) => "overloaded_error",
        (401, _) => "authentication_error",
        (402, _) => "billing_error",
        (403, _) => "permission_error",
        (404, _) => "not_found_error",
        (413, _) => "request_too_large",
        (429, _) => "rate_limit_error",
        (408 | 504, _) => "timeout_error",
        (500.., _) => "api_error",
        _ => "invalid_request_error",
    }
}

/// Claude Code makes a conversation shorter where it reads these words, and only there.
fn message<'a>(error: &'a ClientError<'_>) -> Cow<'a, str> {
    const WORDS: &str = "prompt is too long";
    let is_too_long = error.code.as_deref() == Some("context_length_exceeded");
    if is_too_long && !error.message.to_ascii_lowercase().contains(WORDS) {
        Cow::Owned(format!("{WORDS}: {}", error.message))
    } else {
        Cow::Borrowed(&error.message)
    }
}
