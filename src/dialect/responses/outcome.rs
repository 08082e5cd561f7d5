//! What a provider's answer means for failover. Refusals are those of OpenAI's other formats; successes and errors inside
//! a 200 have forms of their own.

use crate::base::Outcome;
use crate::dialect::openai;
use crate::policy::model::ProviderKind;
use crate::wire::json::walk::Cursor;

/// The outcome of a whole answer: `body` is all of it, decoded from its transfer coding.
pub fn outcome_of(kind: ProviderKind, status: u16, body: &[u8]) -> Outcome {
    if !matches!(status, 200..=203) {
        return openai::outcome_of(kind, status, body);
    }
    match answer_of(body) {
        Some(answer) if answer.error || answer.status == b"\"failed\"" => {
            outcome_of_error(kind, body)
        }
        Some(answer) if answer.is_success() => Outcome::Ok,
        _ => Outcome::BadOutput,
    }
}

/// The outcome that an event names which reports an error, or a body whose answer failed:
/// `{"type":"error","error":{…}}`, `{"type":"error","code","message"}`, `{"type":"response.failed","response":{"error":{…}}}`,
/// `{"status":"failed","error":{…}}`.
pub fn outcome_of_error(kind: ProviderKind, data: &[u8]) -> Outcome {
    openai::outcome_of_error(kind, response_of(data).unwrap_or(data))
}

/// What is in `response`.
fn response_of(data: &[u8]) -> Option<&[u8]> {
    let mut cursor = Cursor::new(data);
    cursor.enter(b'{')?;
    while let Some(key) = cursor.member() {
        let value = cursor.value()?;
        if key == b"response" && value.starts_with(b"{") {
            return Some(value);
        }
    }
    None
}

#[derive(Default)]
struct Answer<'a> {
    status: &'a [u8],
    error: bool,
    /// There are items.
    given: bool,
    /// Why there may be none: the tokens were used up, or a filter stepped in.
    cut: bool,
}

impl Answer<'_> {
    /// An answer in the background has nothing to show yet.
    fn is_success(&self) -> bool {
        match self.status {
            b"\"queued\"" | b"\"in_progress\"" => true,
            b"\"incomplete\"" => self.given || self.cut,
            b"\"completed\"" | b"" => self.given,
            _ => false,
        }
    }
}

/// What a body holds; `None` where it is not a whole JSON object.
fn answer_of(body: &[u8]) -> Option<Answer<'_>> {
    let mut answer = Answer::default();
    let mut cursor = Cursor::new(body);
    cursor.enter(b'{')?;
    while let Some(key) = cursor.member() {
        match key {
            b"status" => answer.status = cursor.value()?,
            b"error" => answer.error = cursor.has_substance()?,
            b"incomplete_details" => answer.cut = cursor.has_substance()?,
            b"output" => answer.given = cursor.has_substance()?,
            _ => {
                cursor.value()?;
            }
        }
    }
    cursor.is_whole().then_some(answer)
}
