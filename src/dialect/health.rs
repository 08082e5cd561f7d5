//! Health checks as bytes: what an endpoint is asked, and what its answer says about it.

use crate::base::Outcome;
use crate::dialect::codec::Destination;
use crate::dialect::format::Format;
use crate::dialect::provider::{Asked, outcome_of};
use crate::dialect::{Operation, translation};
use crate::policy::model::{Endpoint, Provider, ProviderKind, Question};
use crate::wire::h1::write;
use crate::wire::json::Writer;

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
            let asked = Asked {
                provider,
                endpoint,
                format: Format::own_of(provider.kind),
                model,
                max_output: None,
                stream: false,
            };
            token_question(&asked, &mut body);
            let mut target = Vec::new();
            asked.path(Operation::Generate(asked.format), &mut target);
            write::request_line("POST", &target, out);
            out.extend_from_slice(b"content-type: application/json\r\n");
            asked.fields(false, out);
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
    match outcome_of(Format::own_of(kind), kind, status, "", body) {
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

/// The smallest request that makes a model generate, in the provider's own format.
fn token_question(asked: &Asked<'_>, out: &mut Vec<u8>) {
    let mut chat = Vec::new();
    Writer::new(&mut chat).object(|it| {
        it.key("messages").array(|it| {
            it.object(|it| {
                it.key("role").string("user");
                it.key("content").string("ping");
            });
        });
        it.key("max_tokens").number(1);
    });
    let to = Destination {
        model: if asked.model_in_body() {
            asked.model
        } else {
            ""
        },
        ..asked.destination()
    };
    let said = translation::request(&mut chat, Format::Chat, &to, asked.format, false, out);
    debug_assert!(said.is_ok(), "every format can say this");
}
