//! The little of JSON (RFC 8259) that a gateway needs: find values in a body without building a document, read them,
//! replace one and leave every other byte alone. Bodies pass through as they came; what is not asked for is not judged.
//!
//! * [`scan`] finds values of the top-level object while the body arrives.
//! * [`value`] reads what was found.
//! * [`document`] parses the whole body, for the few facts that need it.
//! * [`patch`] writes what takes the place of a value.
//! * [`Tree`] and [`Writer`] read and write whole documents, where one format is said in another.
//! * [`Surrogates`] joins characters that a stream was cut in the middle of.
//! * [`walk`] looks into small texts from providers, once per event of a stream, and believes what it sees.

pub mod document;
pub mod key;
mod nesting;
pub mod patch;
pub mod scan;
mod surrogates;
mod text;
mod tree;
pub mod value;
pub mod walk;
mod write;

use core::fmt;

pub use self::document::{DocumentFacts, Inspector};
pub use self::key::{Key, KeySet};
pub use self::scan::{Progress, TopLevel, is_plain_answer};
pub use self::surrogates::Surrogates;
pub use self::tree::{Elements, Members, Node, Tree};
pub use self::write::Writer;

/// Why a body is not the JSON object that it has to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BadJson {
    /// Offset of the byte at which it was noticed.
    pub offset: usize,
    /// For the client: a sentence in lower case without a full stop.
    pub reason: &'static str,
}

impl fmt::Display for BadJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {} of the body)", self.reason, self.offset)
    }
}

impl core::error::Error for BadJson {}
