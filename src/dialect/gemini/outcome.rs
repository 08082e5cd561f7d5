//! What an answer of Gemini or Vertex AI means for failover.
//!
//! Errors are OpenAI's reading of statuses and words, which knows Google's details too; here is what only Google's own
//! address says: candidates, blocked prompts, lists of chunks, and quotas of nothing.

use crate::base::Outcome;
use crate::dialect::openai;
use crate::dialect::openai::complaint::Complaint;
use crate::policy::model::ProviderKind;
use crate::wire::json::walk::{Cursor, Shape, unquoted};

use super::parts::{is_failure, is_filter};

/// The outcome of a whole answer: `body` is all of it, decoded from its transfer coding.
pub fn outcome_of(status: u16, body: &[u8]) -> Outcome {
    match status {
        200..=203 => outcome_of_success(body),
        400.. => {
            let complaint = Complaint::find(body);
            complaint
                .and_then(|complaint| of_complaint(status, &complaint))
                .unwrap_or_else(|| openai::outcome_of(ProviderKind::Gemini, status, body))
        }
        _ => Outcome::BadOutput,
    }
}

/// The outcome that an error object inside a 200 names.
pub fn outcome_of_error(data: &[u8]) -> Outcome {
    let complaint = Complaint::find(data).unwrap_or_default();
    let status = complaint.status.unwrap_or(500);
    of_complaint(status, &complaint)
        .unwrap_or_else(|| openai::outcome_of_error(ProviderKind::Gemini, data))
}

/// Cases that only Google's own sentences tell.
fn of_complaint(status: u16, complaint: &Complaint<'_>) -> Option<Outcome> {
    let says = |word: &[u8]| {
        let text = complaint.message;
        text.windows(word.len())
            .any(|it| it.eq_ignore_ascii_case(word))
    };
    match status {
        // A quota of nothing is not a limit that passes: the model is not in the plan.
        429 if says(b"limit: 0,")
            || says(b"limit: 0\\n")
            || complaint.message.ends_with(b"limit: 0") =>
        {
            Some(Outcome::QuotaExhausted)
        }
        429 if says(b"prepayment credits are depleted") => Some(Outcome::QuotaExhausted),
        // FAILED_PRECONDITION: the account's place or plan, not the request.
        400 if says(b"user location is not supported") || says(b"enable billing") => {
            Some(Outcome::AuthFailed)
        }
        _ => None,
    }
}

/// A success must be whole, and have an answer in it.
fn outcome_of_success(body: &[u8]) -> Outcome {
    let mut cursor = Cursor::new(body);
    let mut answer = Answer::default();
    let read = match cursor.shape() {
        Some(Shape::Array) if body.trim_ascii_end().ends_with(b"]") => answer.list(&mut cursor),
        Some(Shape::Array) => None,
        _ => answer.object(&mut cursor, body),
    };
    match (answer.error, read, answer.end) {
        (Some(object), ..) => outcome_of_error(object),
        (None, None, _) | (None, _, Some(End::Failed)) => Outcome::BadOutput,
        (None, Some(()), _) if answer.given => Outcome::Ok,
        (None, _, Some(End::Declined)) => Outcome::ContentFilter,
        // Thought until the tokens were used up, or has nothing to say: an answer all the same.
        (None, _, Some(End::Said)) => Outcome::Ok,
        (None, _, None) => Outcome::BadOutput,
    }
}

/// What an answer, or its chunks, hold.
#[derive(Default)]
struct Answer<'a> {
    /// The object with an error.
    error: Option<&'a [u8]>,
    /// Something was said, or is there.
    given: bool,
    end: Option<End>,
}

/// Why the answer ended.
#[derive(Clone, Copy)]
enum End {
    Said,
    Declined,
    Failed,
}

impl<'a> Answer<'a> {
    fn list(&mut self, cursor: &mut Cursor<'a>) -> Option<()> {
        cursor.enter(b'[')?;
        while cursor.element() {
            let chunk = cursor.value()?;
            self.object(&mut Cursor::new(chunk), chunk)?;
        }
        cursor.shape().is_none().then_some(())
    }

    fn object(&mut self, cursor: &mut Cursor<'a>, object: &'a [u8]) -> Option<()> {
        cursor.enter(b'{')?;
        while let Some(key) = cursor.member() {
            let value = cursor.value()?;
            match key {
                b"error" if !matches!(value, b"null" | b"{}") => self.error = Some(object),
                b"candidates" => self.candidate(value)?,
                b"promptFeedback" if member(value, b"blockReason").is_some() => {
                    self.end = Some(End::Declined);
                }
                // Embeddings, counts of tokens, lists of models.
                b"embedding" | b"embeddings" | b"predictions" | b"totalTokens" | b"models" => {
                    self.given |= Cursor::new(value).has_substance()?;
                }
                _ => {}
            }
        }
        cursor.is_whole().then_some(())
    }

    /// The first candidate.
    fn candidate(&mut self, candidates: &'a [u8]) -> Option<()> {
        let mut cursor = Cursor::new(candidates);
        cursor.enter(b'[')?;
        if !cursor.element() {
            return Some(());
        }
        let candidate = cursor.value()?;
        if let Some(content) = member(candidate, b"content")
            && let Some(parts) = member(content, b"parts")
        {
            self.given |= Cursor::new(parts).has_substance()?;
        }
        if let Some(word) = member(candidate, b"finishReason") {
            let word = str::from_utf8(unquoted(word)).unwrap_or_default();
            self.end = Some(if is_failure(word) {
                End::Failed
            } else if is_filter(word) {
                End::Declined
            } else {
                End::Said
            });
        }
        Some(())
    }
}

/// The member `name` of an object.
fn member<'a>(object: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut cursor = Cursor::new(object);
    cursor.enter(b'{')?;
    while let Some(key) = cursor.member() {
        let value = cursor.value()?;
        if key == name {
            return Some(value);
        }
    }
    None
}
