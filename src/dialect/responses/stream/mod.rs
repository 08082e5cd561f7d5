//! Answers event by event: a provider's, and one for a client.

mod reader;
mod writer;

pub use self::reader::Reader;
pub use self::writer::Writer;
