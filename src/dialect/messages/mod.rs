//! Anthropic Messages: spoken by clients (Claude Code, the `anthropic` SDKs) and by Anthropic.
//!
//! ```text
//!   request   {model, max_tokens, system, messages:[{role, content:[block]}], tools, tool_choice, thinking, output_config}
//!   answer    {type:"message", id, model, content:[block], stop_reason, stop_sequence, stop_details, usage}
//!   stream    message_start (content_block_start content_block_delta* content_block_stop)* message_delta message_stop
//!             ping and error anywhere; every event has its `event:` line, there is no [DONE]
//!   error     {type:"error", error:{type, message}, request_id}
//!   block     text  image  document  tool_use  tool_result  thinking  redacted_thinking
//! ```
//!
//! * `max_tokens` is required. Text blocks must not be blank, roles alternate, and all results of one turn's calls
//!   stand at the beginning of one message of the user.
//! * What a model takes differs by generation: see `model`. What is asked of thinking is settled in `request/thinking`.
//! * `usage.input_tokens` leaves the cache out; a neutral [`Usage`](crate::dialect::turn::Usage) has it in.
//! * Claude Code keeps what it is sent: an empty text block, once sent, fails every request that follows.
//!
//! Sources: platform.claude.com, *Create a message*, *Streaming messages*, *Errors*, *Thinking*, *Structured outputs*
//! and the migration guides up to Opus 5.5 and Fable 5.1, read in November 2026; the recordings in `tests/fixtures`.

mod block;
mod outcome;
mod provenance;
#[cfg(test)]
mod tests;
mod usage;

mod answer;
mod error;
mod request;
mod stream;

pub use self::answer::{read as read_answer, write as write_answer};
pub use self::error::{
    body as error_body, event as error_event, is_half_a_conversation, status as error_status,
};
pub use self::outcome::{outcome_of, outcome_of_error};
pub use self::provenance::{may_hold_unsigned_thoughts, without_unsigned_thoughts};
pub use self::request::{read as read_request, write as write_request};
pub use self::stream::{Reader, Writer};
pub use self::usage::{count_tokens, usage_of};
