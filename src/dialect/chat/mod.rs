//! OpenAI Chat Completions: the format of most clients and most providers, said in other formats and other formats said
//! in it. Where both sides speak it nothing of this runs but [`without_thoughts`]: see [`openai`](crate::dialect::openai).
//!
//! Sources: the API reference of Chat Completions (platform.openai.com, October 2026), the providers' own pages for what
//! they take of it, and the recordings in `tests/fixtures`.

mod answer;
mod kinds;
mod provenance;
mod request;
mod stream;
#[cfg(test)]
mod tests;
mod usage;

pub use self::answer::{read as read_answer, write as write_answer};
pub use self::provenance::{may_hold_thoughts, takes_thoughts, without_thoughts};
pub use self::request::{read as read_request, write as write_request};
pub use self::stream::{Reader, Writer};
pub use self::usage::usage_at;
