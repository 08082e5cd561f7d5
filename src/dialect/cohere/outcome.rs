//! What Cohere's answers mean for failover: statuses and words, as with OpenAI, but for the shapes of its own.

use crate::base::Outcome;
use crate::dialect::openai;
use crate::policy::model::ProviderKind;
use crate::wire::json::walk::{Cursor, Shape, unquoted};

/// The outcome of a whole answer: `body` is all of it, decoded from its transfer coding.
pub fn outcome_of(status: u16, body: &[u8]) -> Outcome {
    let told = Told::of(body);
    match status {
        200..=203 if told.is_whole && told.ends_in_error => outcome_of_error(body),
        200..=203 if told.is_whole && told.has_message => Outcome::Ok,
        ..400 => Outcome::BadOutput,
        _ => told
            .outcome(status)
            .unwrap_or_else(|| openai::outcome_of(ProviderKind::Cohere, status, body)),
    }
}

/// The outcome that an error inside a 200 names.
pub fn outcome_of_error(data: &[u8]) -> Outcome {
    Told::of(data)
        .outcome(400)
        .unwrap_or_else(|| openai::outcome_of_error(ProviderKind::Cohere, data))
}

/// What a body says of itself.
#[derive(Default)]
struct Told<'a> {
    is_whole: bool,
    /// It has the message of an answer.
    has_message: bool,
    /// It ended because something went wrong.
    ends_in_error: bool,
    error_type: &'a [u8],
    sentence: &'a [u8],
}

impl<'a> Told<'a> {
    fn of(body: &'a [u8]) -> Self {
        let mut told = Self::default();
        let mut cursor = Cursor::new(body);
        if cursor.enter(b'{').is_none() {
            return told;
        }
        while let Some(key) = cursor.member() {
            let Some(value) = cursor.value() else {
                return told;
            };
            match key {
                b"message" if Cursor::new(value).shape() == Some(Shape::Object) => {
                    told.has_message = true;
                }
                b"message" | b"data" => told.sentence = unquoted(value),
                b"error_type" => told.error_type = unquoted(value),
                b"finish_reason" => {
                    told.ends_in_error = matches!(unquoted(value), b"ERROR" | b"TIMEOUT");
                }
                _ => {}
            }
        }
        told.is_whole = cursor.is_whole();
        told
    }

    /// Cases that only Cohere's own words tell.
    fn outcome(&self, status: u16) -> Option<Outcome> {
        let says = |word: &str| openai::says(self.sentence, word.as_bytes());
        if self.error_type == b"TOO_MANY_TOKENS" || (status < 429 && says("too many tokens")) {
            return Some(Outcome::ContextExceeded);
        }
        match status {
            // COMPAT: Cohere, 2025: keys for trying out have a limit by the month, with 429.
            429 if says("per month") || says("calls / month") => Some(Outcome::QuotaExhausted),
            400 | 404 if says("model") && (says("not found") || says("was removed")) => {
                Some(Outcome::ModelGone)
            }
            // Statuses of Cohere's own: a token or a text that was blocked, and a request that was given up.
            498 if says("blocked") => Some(Outcome::ContentFilter),
            498 => Some(Outcome::AuthFailed),
            499 => Some(Outcome::S5xx),
            _ => None,
        }
    }
}
