//! Health checks as bytes: what an endpoint is asked, and what its answer says about it.

use crate::base::Outcome;
use crate::dialect::Operation;
use crate::dialect::format::Format;
use crate::dialect::openai::outcome::outcome_of;
use crate::dialect::openai::quirks::{model_in_body, path};
use crate::policy::model::{Endpoint, Provider, ProviderKind, Question};
use crate::wire::h1::write;
use crate::wire::json::patch;

/// What an answer says about the endpoint that gave it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Finding {
    /// It does what it was asked for.
    Good,
    /// It does not.
    Bad,
    /// It is there, but refuses us: a key, a quota, a rate limit. Those have switches of their own.
    Silent,
}

/// Appends a health check's request. `outlet` are the fields that the endpoint always gets: its name and our credential.
pub fn health_request(
    provider: &Provider,
    endpoint: &Endpoint,
    question: &Question,
    outlet: &[u8],
    out: &mut Vec<u8>,
) {
    let mut body = Vec::new();
    match question {
        Question::Path { head, path } => {
            write::request_line(if *head { "HEAD" } else { "GET" }, path.as_bytes(), out);
        }
        Question::Token { model, .. } => {
            token_question(provider, endpoint, model, &mut body);
            let mut target = Vec::new();
            path(
                provider,
                endpoint,
                Operation::Generate(Format::Chat),
                model,
                &mut target,
            );
            write::request_line("POST", &target, out);
            out.extend_from_slice(b"content-type: application/json\r\n");
        }
    }
    out.extend_from_slice(outlet);
    out.extend_from_slice(b"accept-encoding: identity\r\nconnection: close\r\n");
    if !body.is_empty() {
        write::field_decimal(b"content-length", body.len() as u64, out);
    }
    write::end(out);
    out.extend_from_slice(&body);
}

/// What an answer with this status and body says. The body of an answer to [`Question::Path`] is not looked at.
pub fn health_finding(
    kind: ProviderKind,
    question: &Question,
    status: u16,
    body: &[u8],
) -> Finding {
    if let Question::Path { .. } = question {
        return match status {
            200..=399 => Finding::Good,
            401 | 403 | 429 => Finding::Silent,
            _ => Finding::Bad,
        };
    }
    match outcome_of(kind, status, body) {
        Outcome::Ok => Finding::Good,
        Outcome::S429
        | Outcome::S4xx
        | Outcome::AuthFailed
        | Outcome::QuotaExhausted
        | Outcome::ContextExceeded
        | Outcome::ContentFilter => Finding::Silent,
        // One token cuts the answer short, so that it may well be empty (a reasoning model thinks first).
        Outcome::BadOutput if status == 200 && body.trim_ascii_start().starts_with(b"{\"") => {
            Finding::Silent
        }
        _ => Finding::Bad,
    }
}

/// The smallest request that makes a model generate. `max_tokens` is what all servers know; OpenAI's own newer models
/// refuse it for `max_completion_tokens` (API reference, "Create chat completion", read 2026-11-25).
fn token_question(provider: &Provider, endpoint: &Endpoint, model: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"model\":");
    if model_in_body(provider, endpoint) {
        patch::string(model, out);
    } else {
        out.extend_from_slice(b"\"\"");
    }
    out.extend_from_slice(b",\"messages\":[{\"role\":\"user\",\"content\":\"ping\"}],");
    out.extend_from_slice(match provider.kind {
        ProviderKind::OpenAi | ProviderKind::AzureOpenAi => {
            b"\"max_completion_tokens\":1}".as_slice()
        }
        _ => b"\"max_tokens\":1}",
    });
}
