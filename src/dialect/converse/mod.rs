//! Bedrock Converse: the format in which Amazon Bedrock is asked for any of its models. Of providers only: no client
//! speaks it here. Sources: AWS, `Converse`, `ConverseStream` and the pages of each model family, 2026-10; the recordings.
//!
//! ```text
//!   POST /model/{id}/converse          {"messages":[{"role","content":[block…]}],"system":[block…],"inferenceConfig":{},
//!        /model/{id}/converse-stream    "toolConfig":{"tools":[],"toolChoice":{}},"additionalModelRequestFields":{},…}
//!
//!   block: {"text"} {"image"} {"document"} {"toolUse"} {"toolResult"} {"reasoningContent"} {"cachePoint"}
//! ```
//!
//! A stream is `application/vnd.amazon.eventstream` ([`crate::wire::eventstream`]), its events named by `:event-type`.
//!
//! What surprises:
//!
//! * Blocks are named by their only member, not by a type. A text block of a stream has no start, only deltas and an end.
//! * The stream ends with `metadata` (the usage), after `messageStop`. `inputTokens` leaves the cache out, `totalTokens`
//!   does not. Payloads are padded with a member `p`.
//! * Sides alternate and the user's comes first; results of tools are the first blocks of the user's side. A text must not
//!   be blank. Wherever the conversation holds calls or results, `toolConfig` must be there, and no `toolChoice` forbids
//!   calls.
//! * What a family of models takes besides goes by `additionalModelRequestFields`, in the family's own words.
//! * Errors name their kind in `x-amzn-errortype`, or, in a stream, in `:exception-type`.

mod answer;
pub mod embeddings;
mod family;
mod outcome;
mod path;
mod request;
mod sigv4;
mod stream;
#[cfg(test)]
mod tests;

pub use self::answer::read as read_answer;
pub use self::outcome::{outcome_of, outcome_of_exception};
pub use self::path::path;
pub use self::request::write as write_request;
pub use self::sigv4::{Signed, sign};
pub use self::stream::Reader;
