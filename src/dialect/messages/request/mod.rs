//! A request: read from a client, written to Anthropic.

mod blocks;
mod parts;
mod read;
mod tools;
mod write;

pub use self::read::read;
pub use self::write::write;
