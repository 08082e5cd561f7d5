//! The OpenAI Chat format: spoken by clients, and — with quirks — by most providers. Bytes pass untouched; this folder
//! answers what the gateway must know about them.
//!
//! ```text
//!   request:   quirks (path, model)   forward (fields)   patience       → provider
//!   answer:    outcome, classify, retry (how did it go?)   event (one of a stream)
//!   broken:    continuation (what to go on from, and how to ask for it)
//!   to client: error, refusal (one envelope)   forward (fields)
//!   below:     complaint (members of an error body)   redact (no secrets in sentences)
//! ```

mod classify;
pub(super) mod complaint;
mod continuation;
mod counting;
mod error;
mod event;
mod forward;
mod outcome;
mod patience;
mod quirks;
mod redact;
mod refusal;
mod retry;
#[cfg(test)]
mod tests;

pub use self::classify::reclassify;
pub use self::continuation::{SENT_BYTES_MAX, SentText, blank_role, continued};
pub use self::counting::{asking_for_usage, is_usage_alone};
pub use self::error::{ClientError, MESSAGE_BYTES_MAX, error_body, error_event, provider_message};
pub use self::event::{EventKind, event_kind};
pub use self::forward::{Passage, request_field_passage, response_field_passes};
pub(in crate::dialect) use self::outcome::says;
pub use self::outcome::{is_of_model, is_wrong_path, outcome_of, outcome_of_error};
pub use self::patience::Patience;
pub use self::quirks::{StreamEnd, model_in_body, path, stream_end, thinks};
pub use self::refusal::Refusal;
pub use self::retry::retry_after;
