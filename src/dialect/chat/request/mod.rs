//! Requests: a client's, and one for a provider.

mod content;
mod read;
mod write;

pub use self::read::read;
pub use self::write::write;
