//! The OpenAI Chat format: spoken by clients, and — with quirks — by most providers. Bytes pass untouched; this folder
//! answers what the gateway must know about them.
//!
//! ```text
//!   request:   quirks (path, model)   forward (fields)                  → provider
//!   answer:    outcome, retry (how did it go?)   event (one of a stream)
//!   to client: error, refusal (one envelope)   models (lists)   forward (fields)
//!   below:     complaint (members of an error body)   redact (no secrets in sentences)
//! ```

mod complaint;
mod error;
mod event;
mod forward;
mod models;
mod outcome;
mod quirks;
mod redact;
mod refusal;
mod retry;
#[cfg(test)]
mod tests;

pub use self::error::{ClientError, MESSAGE_BYTES_MAX, error_body, error_event, provider_message};
pub use self::event::{EventKind, event_kind};
pub use self::forward::{Passage, request_field_passage, response_field_passes};
pub use self::models::{model_body, models_body};
pub use self::outcome::{is_of_model, outcome_of, outcome_of_error};
pub use self::quirks::{StreamEnd, model_in_body, path, speaks, stream_end};
pub use self::refusal::Refusal;
pub use self::retry::retry_after;
