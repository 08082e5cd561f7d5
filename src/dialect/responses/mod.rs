//! OpenAI Responses: a format of clients (Codex, the SDKs' default) and of OpenAI, Azure OpenAI and xAI, said in other
//! formats and other formats said in it. Where both sides speak it bytes pass, and only [`outcome_of`],
//! [`outcome_of_error`] and [`Reader`] look at them.
//!
//! ```text
//!   request:  {"model","input":[items],"instructions","tools":[flat],"text":{"format"},"reasoning":{"effort"},…}
//!   answer:   {"id":"resp_…","object":"response","status","output":[items],"usage",… and the request's own fields again}
//!   items:    message [output_text | refusal]   function_call   function_call_output   reasoning   custom_tool_call
//!   stream:   response.created, in_progress, then for each item output_item.added … deltas … output_item.done, and
//!             response.completed | incomplete | failed with the whole answer. Every event is named and numbered.
//! ```
//!
//! * Nothing is stored here: what refers to something stored (`previous_response_id`, `item_reference`, `conversation`,
//!   `prompt`, files by id, `background`) is refused, and requests are written with `store: false`.
//! * There is no `[DONE]`: a stream has ended with its `response.completed` or `response.incomplete`, or it is broken.
//! * Failures hide in 200s: `status: failed`, or an `error` event after `response.created`.
//! * Names of items that are made here are `msg_`, `rs_`, `fc_` and `ctc_` with the answer's own name: OpenAI refuses
//!   others when the conversation comes back, and those beyond 64 characters.
//! * Sealed thoughts (`encrypted_content`) are never written: those of another provider would be refused by OpenAI when
//!   the client sends them there. Readable ones are, under names by which they are known when they come back:
//!   [`without_own_thoughts`].
//! * A custom tool takes a text where functions take JSON. Elsewhere it is a function of one string, `input`.
//!
//! Sources: the API reference of Responses (platform.openai.com, October 2026), the recordings in
//! `tests/fixtures/{openai-responses,xai,azure}`.

mod answer;
mod custom;
mod error;
mod item;
mod outcome;
mod provenance;
mod request;
mod response;
mod stream;
#[cfg(test)]
mod tests;

pub use self::answer::{read as read_answer, usage_of, write as write_answer};
pub use self::error::{body as error_body, event as error_event};
pub use self::outcome::{outcome_of, outcome_of_error};
pub use self::provenance::{may_hold_own_thoughts, without_own_thoughts};
pub use self::request::{echo, read as read_request, write as write_request};
pub use self::stream::{Reader, Writer};
