//! Cohere's chat, version 2: of providers only. Sources: docs.cohere.com, *Chat* and *Chat with Streaming* (API v2),
//! 2026-10; the recordings.
//!
//! ```text
//!   POST /v2/chat   {"model","messages":[…],"tools":[…],"documents":[…],"max_tokens","p","k","stop_sequences",…}
//!   answer          {"id","message":{"role","content":[{"type":"text"|"thinking"}],"tool_plan","tool_calls":[…]},
//!                    "finish_reason","usage":{"tokens":{},"billed_units":{},"cached_tokens"}}
//!   stream          message-start, content-start/-delta/-end, tool-plan-delta, tool-call-start/-delta/-end,
//!                   citation-start/-end, message-end, then `data: [DONE]`
//!   error           {"id","message"}, at times with "error_type"; older ones {"data":"…"}
//! ```
//!
//! It looks like Chat Completions and is not. What surprises:
//!
//! * What is said beside calls is `tool_plan`, and is text for everybody else.
//! * Which tools may be called is `REQUIRED` or `NONE`; one cannot be named, so that it is the only one shown.
//! * Files are `documents` beside the messages, as texts.
//! * Two counts of tokens: `tokens` is what was read and written, `billed_units` what is paid. What was read from the
//!   cache stands beside both.

mod answer;
pub mod embeddings;
mod outcome;
mod request;
mod stream;
#[cfg(test)]
mod tests;

pub use self::answer::read as read_answer;
pub use self::outcome::{outcome_of, outcome_of_error};
pub use self::request::write as write_request;
pub use self::stream::Reader;

/// Appends the path of a request below `base`, which ends in the version.
pub fn path(base: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(base.trim_end_matches('/').as_bytes());
    out.extend_from_slice(b"/chat");
}
