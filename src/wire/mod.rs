//! Layer 1: bytes and messages. Heads, chunked bodies, server-sent events and the little of JSON that routing needs.
//!
//! Everything here is a function over bytes that somebody else read: no socket, no clock, no policy. Decoders are
//! resumable at every byte and refuse whatever could be read in two ways. This folder is the only door to `httparse`,
//! `memchr`, `crc32fast` and `simd-json`.
//!
//! ```text
//!   client → h1::request → h1::chunked → json::scan ─ (json::document) ─ json::patch → h1::write → provider
//!   client ← h1::write   ←──── bytes as they came ──── sse  ← h1::chunked ← h1::response        ← provider
//! ```

pub mod base64;
pub mod eventstream;
pub mod extent;
pub mod h1;
pub mod json;
pub mod percent;
pub mod sse;

pub use self::extent::Extent;

/// Whether `part` stands somewhere in `bytes`.
pub fn contains(bytes: &[u8], part: &[u8]) -> bool {
    find(bytes, part).is_some()
}

/// Where `part` stands in `bytes` for the first time.
pub fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, part)
}

/// Something that is looked for again and again: what the search needs to know of it is found out once.
#[derive(Debug)]
pub struct Needle(memchr::memmem::Finder<'static>);

impl Needle {
    /// Of this text.
    pub fn new(text: &'static [u8]) -> Self {
        Self(memchr::memmem::Finder::new(text))
    }

    /// What is looked for.
    pub fn text(&self) -> &[u8] {
        self.0.needle()
    }

    /// Where it stands in `bytes` for the first time.
    pub fn first_in(&self, bytes: &[u8]) -> Option<usize> {
        self.0.find(bytes)
    }

    /// Everywhere it stands in `bytes`, from the first place on.
    pub fn all_in<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
        self.0.find_iter(bytes)
    }

    /// Where it stands in `bytes` for the last time.
    ///
    /// PERF: all of `bytes` is searched. That is still faster than from the end, where there is no search on vectors.
    pub fn last_in(&self, bytes: &[u8]) -> Option<usize> {
        self.all_in(bytes).last()
    }
}
