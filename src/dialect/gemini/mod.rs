//! Gemini `generateContent` and `streamGenerateContent`: of clients, of Gemini and of Vertex AI.
//!
//! Sources: ai.google.dev, "Generating content", "Function calling", "Thought signatures", "Thinking" and "Structured
//! output" (November 2025), and the recordings of `tests/fixtures/gemini` and `tests/fixtures/vertex`.
//!
//! * The model, and whether to stream, stand in the path ([`path`]), not in the body.
//! * Proto JSON: every name may be spelt in camel case or in snake case, a list of one may stand without its brackets,
//!   bytes may be in base64url, whole numbers may be strings or end in `.0`. Readers take all of it.
//! * A client's schemas are in a subset of `OpenAPI` (`"type":"OBJECT"`, `nullable`) or in JSON Schema. A turn holds JSON
//!   Schema only: a body with the former is said again by [`request::in_json_schema`] before it is read.
//! * Calls have no names, or have since 2025: a call and its response meet by name and order.
//! * A call comes whole, and `STOP` is said of an answer that ends in calls. A stream has no event of its own at its end.
//! * Gemini 3 refuses a call of the current turn without its `thoughtSignature`, where it is the first of a step; one
//!   that it did not make goes with a word that says so.
//! * `promptTokenCount` holds what came from the cache; `candidatesTokenCount` does not hold the thoughts.
//! * A proof (`thoughtSignature`) on words, thought or said, is not asked back, and not carried: only Gemini could read it,
//!   and Anthropic would take it for a forged one of its own. Pictures in answers are not carried either: no request that is written here asks for them.

mod answer;
pub mod embeddings;
mod error;
mod field;
mod generation;
mod outcome;
mod parts;
mod request;
mod stream;
#[cfg(test)]
mod tests;

pub use self::answer::{read as read_answer, write as write_answer};
pub use self::error::{body as error_body, event as error_event};
pub use self::outcome::{outcome_of, outcome_of_error};
pub use self::parts::usage_of;
pub use self::request::{in_json_schema, read as read_request, write as write_request};
pub use self::stream::{Reader, Writer};

use crate::wire::percent;

/// Appends the path at which `model` is asked. `base` is what stands before `/models/`: `/v1beta` at Gemini,
/// `/v1/projects/{project}/locations/{location}/publishers/google` at Vertex AI. A model may be named with its
/// collection, as Google's lists have it (`models/…`, `tunedModels/…`).
pub fn path(base: &str, model: &str, stream: bool, out: &mut Vec<u8>) {
    model_path(base, model, out);
    out.extend_from_slice(if stream {
        b":streamGenerateContent?alt=sse".as_slice()
    } else {
        b":generateContent"
    });
}

/// Appends the path of a model.
fn model_path(base: &str, model: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(base.trim_end_matches('/').as_bytes());
    out.push(b'/');
    let mut name = String::new();
    model_name(model, &mut name);
    percent::encode(&name, b"/@", out);
}

/// Appends the name of a model with its collection.
fn model_name(model: &str, out: &mut String) {
    if !model.starts_with("models/") && !model.starts_with("tunedModels/") {
        out.push_str("models/");
    }
    out.push_str(model);
}
