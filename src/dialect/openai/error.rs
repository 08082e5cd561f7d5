//! Errors as OpenAI's clients read them: one envelope for everything that can go wrong, whoever is to blame.
//!
//! ```text
//!   {"error":{"message":"…","type":"…","param":…,"code":…}}          with a status of its own
//!   data: {"error":{…}}                                              inside a stream whose 200 has been sent
//! ```
//! The status tells the client's SDK what to do, so it is chosen by who can help: 4xx only where the client's request
//! is at fault; a provider's refusal of *our* key is a 502, because the client's key is fine.

use std::borrow::Cow;

use crate::base::Outcome;
use crate::dialect::openai::complaint::Complaint;
use crate::dialect::openai::outcome::is_wrong_path;
use crate::dialect::openai::redact::redact;
use crate::wire::json::{patch, value};

/// A provider's sentence that reaches a client, in bytes: enough for any sentence, too short for an echoed prompt.
pub const MESSAGE_BYTES_MAX: usize = 1024;
/// `param` and `code` of a provider.
const WORD_BYTES_MAX: usize = 128;

/// An error on its way to a client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientError<'a> {
    /// HTTP status, 400–599.
    pub status: u16,
    /// `error.type`
    pub kind: Cow<'a, str>,
    /// `error.code`
    pub code: Option<Cow<'a, str>>,
    /// `error.param`
    pub param: Option<Cow<'a, str>>,
    /// `error.message`
    pub message: Cow<'a, str>,
}

pub(super) const INVALID: &str = "invalid_request_error";
pub(super) const SERVER: &str = "server_error";
pub(super) const TIMEOUT: &str = "timeout_error";

impl ClientError<'static> {
    /// An error in words that are not the client's or a provider's.
    pub const fn new(
        status: u16,
        kind: &'static str,
        code: &'static str,
        message: &'static str,
    ) -> Self {
        Self {
            status,
            kind: Cow::Borrowed(kind),
            code: Some(Cow::Borrowed(code)),
            param: None,
            message: Cow::Borrowed(message),
        }
    }
}

impl<'a> ClientError<'a> {
    /// The error for an attempt's outcome, in the gateway's own words.
    pub const fn of_outcome(outcome: Outcome) -> ClientError<'static> {
        let (status, kind, code) = class(outcome);
        ClientError::new(status, kind, code, sentence(outcome))
    }

    /// The error for an attempt that the provider itself refused with `status` and `body`. Where the request is at
    /// fault the client reads the provider's own words, code and param, cleaned; where the provider or the gateway's
    /// account is, the gateway's.
    pub fn of_answer(outcome: Outcome, status: u16, body: &[u8]) -> ClientError<'static> {
        let own = Self::of_outcome(outcome);
        if !matches!(
            outcome,
            Outcome::S4xx | Outcome::ContextExceeded | Outcome::ContentFilter
        ) {
            return own;
        }
        if is_wrong_path(outcome, status, body) {
            return ClientError::new(
                502,
                SERVER,
                "upstream_not_found",
                "the provider does not serve the gateway's path",
            );
        }
        let complaint = Complaint::find(body).unwrap_or_default();
        let mut message = String::new();
        provider_message(body, &mut message);
        let is_own_case = outcome != Outcome::S4xx;
        ClientError {
            status: if is_own_case || !(400..500).contains(&status) {
                own.status
            } else {
                status
            },
            kind: own.kind,
            code: if is_own_case {
                own.code
            } else {
                word(complaint.code).or(own.code)
            },
            param: word(complaint.param),
            message: if message.is_empty() {
                own.message
            } else {
                Cow::Owned(message)
            },
        }
    }

    /// A policy's `reject(status, "message")`.
    pub fn rejected(status: u16, message: Cow<'a, str>) -> Self {
        let (kind, code) = match status {
            429 => ("rate_limit_error", "rate_limit_exceeded"),
            401 => (INVALID, "invalid_api_key"),
            403 => ("permission_error", "forbidden"),
            504 => (TIMEOUT, "deadline_exceeded"),
            500.. => (SERVER, "no_target_available"),
            _ => (INVALID, "rejected"),
        };
        ClientError {
            status,
            kind: Cow::Borrowed(kind),
            code: Some(Cow::Borrowed(code)),
            param: None,
            message,
        }
    }
}

const fn class(outcome: Outcome) -> (u16, &'static str, &'static str) {
    match outcome {
        Outcome::S429 => (429, "rate_limit_error", "rate_limit_exceeded"),
        Outcome::QuotaExhausted => (429, "insufficient_quota", "insufficient_quota"),
        Outcome::S4xx => (400, INVALID, "rejected_by_provider"),
        Outcome::Unsupported => (400, INVALID, "unsupported_by_provider"),
        Outcome::ContextExceeded => (400, INVALID, "context_length_exceeded"),
        Outcome::ContentFilter => (400, INVALID, "content_filter"),
        Outcome::ModelGone => (404, INVALID, "model_not_found"),
        Outcome::Timeout | Outcome::Ttft => (504, TIMEOUT, "upstream_timeout"),
        Outcome::Connect | Outcome::Tls => (502, SERVER, "upstream_unreachable"),
        Outcome::StreamAbort => (502, SERVER, "upstream_aborted"),
        Outcome::AuthFailed => (502, SERVER, "upstream_auth"),
        Outcome::BreakerOpen => (503, SERVER, "no_target_available"),
        Outcome::Overloaded => (503, SERVER, "overloaded"),
        Outcome::BadOutput => (502, SERVER, "upstream_bad_output"),
        // `Ok` is no error; asked all the same, it is answered like any failure of a provider.
        Outcome::S5xx | Outcome::Ok => (502, SERVER, "upstream_error"),
    }
}

const fn sentence(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::S429 => "the provider's rate limit is reached",
        Outcome::QuotaExhausted => "the provider's quota or balance is used up",
        Outcome::S4xx => "the provider rejects this request",
        Outcome::Unsupported => "the provider's format cannot say what the request says",
        Outcome::ContextExceeded => "the prompt is longer than the model's context",
        Outcome::ContentFilter => "the provider's content filter refused the request",
        Outcome::ModelGone => "the provider does not have this model",
        Outcome::Timeout => "the provider did not answer in time",
        Outcome::Ttft => "the provider sent no content in time",
        Outcome::Connect => "the provider cannot be reached",
        Outcome::Tls => "no secure connection to the provider could be made",
        Outcome::StreamAbort => "the provider's answer broke off",
        Outcome::AuthFailed => "the provider refuses the gateway's key",
        Outcome::BreakerOpen => "the provider is out of service for now",
        Outcome::Overloaded => "the provider is overloaded",
        Outcome::BadOutput => "the provider's answer cannot be used",
        Outcome::S5xx | Outcome::Ok => "the provider failed",
    }
}

/// The sentence in an error body of any recorded shape, as plain text: cleaned of secrets and no longer than
/// [`MESSAGE_BYTES_MAX`]. Nothing is appended where there is none, or where the body is a page.
pub fn provider_message(body: &[u8], out: &mut String) {
    let mut text = String::new();
    match Complaint::find(body) {
        Some(complaint) => value::text_lossy(complaint.message, MESSAGE_BYTES_MAX, &mut text),
        None if body.trim_ascii_start().starts_with(b"<") || body.contains(&b'{') => return,
        None => {
            let start = body.get(..MESSAGE_BYTES_MAX).unwrap_or(body);
            text.push_str(String::from_utf8_lossy(start).trim());
        }
    }
    let mut clean = String::new();
    redact(&text, &mut clean);
    out.push_str(bounded(&clean, MESSAGE_BYTES_MAX));
}

/// `text` up to `bytes_max` bytes, cut between characters.
fn bounded(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or(text)
}

/// A provider's `code` or `param`: short, cleaned, or nothing.
fn word(raw: &[u8]) -> Option<Cow<'static, str>> {
    let mut text = String::new();
    value::text_lossy(
        raw.get(..WORD_BYTES_MAX).unwrap_or(raw),
        WORD_BYTES_MAX,
        &mut text,
    );
    let mut clean = String::new();
    redact(&text, &mut clean);
    (!clean.is_empty()).then_some(Cow::Owned(clean))
}

/// Appends the envelope, for a body of its own.
pub fn error_body(out: &mut Vec<u8>, error: &ClientError<'_>) {
    out.extend_from_slice(b"{\"error\":{\"message\":");
    patch::string(&error.message, out);
    out.extend_from_slice(b",\"type\":");
    patch::string(&error.kind, out);
    for (name, value) in [
        (&b",\"param\":"[..], &error.param),
        (b",\"code\":", &error.code),
    ] {
        out.extend_from_slice(name);
        match value {
            Some(text) => patch::string(text, out),
            None => out.extend_from_slice(b"null"),
        }
    }
    out.extend_from_slice(b"}}");
}

/// Appends the envelope as one event of a stream. No `[DONE]` may follow it: the answer is not complete.
pub fn error_event(out: &mut Vec<u8>, error: &ClientError<'_>) {
    out.extend_from_slice(b"data: ");
    error_body(out, error);
    out.extend_from_slice(b"\n\n");
}
