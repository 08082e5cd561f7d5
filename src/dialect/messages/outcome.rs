//! What an answer of Anthropic's means for failover. Errors are told apart where those of all providers are
//! (`dialect/openai/outcome`); a success is told apart here.

use crate::base::Outcome;
use crate::dialect::openai;
use crate::policy::model::ProviderKind;
use crate::wire::json::walk::Cursor;

/// The outcome of a whole answer: `body` is all of it, decoded from its transfer coding.
pub fn outcome_of(status: u16, body: &[u8]) -> Outcome {
    match status {
        200..=203 => outcome_of_success(body),
        _ => openai::outcome_of(ProviderKind::Anthropic, status, body),
    }
}

/// The outcome that the data of an `error` event names.
pub fn outcome_of_error(data: &[u8]) -> Outcome {
    openai::outcome_of_error(ProviderKind::Anthropic, data)
}

/// A message with content, a list of models, or a count of tokens. An empty message is a success too, if it says why it
/// ended: after results of tools a model may have nothing to add (platform.claude.com, *Handling stop reasons*).
fn outcome_of_success(body: &[u8]) -> Outcome {
    let Some(seen) = walk(body) else {
        return Outcome::BadOutput;
    };
    match seen {
        Seen { error: true, .. } => outcome_of_error(body),
        Seen { given: true, .. } => Outcome::Ok,
        Seen {
            message: true,
            stop_reason,
            ..
        } => match stop_reason {
            b"\"refusal\"" => Outcome::ContentFilter,
            b"\"end_turn\"" | b"\"stop_sequence\"" | b"\"max_tokens\"" | b"\"pause_turn\"" => {
                Outcome::Ok
            }
            _ => Outcome::BadOutput,
        },
        _ => Outcome::BadOutput,
    }
}

#[derive(Default)]
struct Seen<'a> {
    error: bool,
    message: bool,
    given: bool,
    stop_reason: &'a [u8],
}

/// The members of a whole object; `None` where it is none.
fn walk(body: &[u8]) -> Option<Seen<'_>> {
    let mut seen = Seen::default();
    let mut content = false;
    let mut cursor = Cursor::new(body);
    cursor.enter(b'{')?;
    while let Some(key) = cursor.member() {
        let value = cursor.value()?;
        match key {
            b"type" => {
                seen.error |= value == b"\"error\"";
                seen.message |= value == b"\"message\"";
            }
            b"content" => {
                content = value.starts_with(b"[") && Cursor::new(value).has_substance()?;
            }
            b"stop_reason" => seen.stop_reason = value,
            b"data" => seen.given |= value.starts_with(b"["),
            b"input_tokens" => seen.given |= value.first().is_some_and(u8::is_ascii_digit),
            _ => {}
        }
    }
    seen.given |= seen.message && content;
    cursor.is_whole().then_some(seen)
}
