//! An answer as a stream: read from Anthropic, written for a client.

mod braces;
mod reader;
mod writer;

pub use self::reader::Reader;
pub use self::writer::Writer;
