//! Requests: a client's is read, one for Gemini or Vertex AI is written.

mod from_openapi;
mod json_schema;
mod read;
mod read_config;
mod read_contents;
mod to_openapi;
mod write;
mod write_config;
mod write_contents;

pub use self::from_openapi::in_json_schema;
pub use self::read::read;
pub use self::write::write;
