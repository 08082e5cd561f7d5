//! HTTP/1.1 (RFC 9110, RFC 9112), read strictly and written plainly.
//!
//! Where the RFC leaves a recipient the choice, we refuse: a gateway stands between two other parsers, and whatever
//! they could read differently is a way to smuggle a request. Three things are tolerated because clients need them:
//! absolute-form targets, one empty line before a request, and `chunked` in any case.
//!
//! ```text
//!   bytes ─ request::parse ─→ RequestHead + Fields ─ chunked::Decoder ─→ payload, in place
//!         ─ response::parse ─→ ResponseHead + Fields ─ chunked::Decoder ─→ payload, in place
//! ```
//!
//! A parse that returns `None` is repeated from the start once [`HeadSearch`] says that the head may be complete, so
//! that a head that drips in costs its length and not its square.

pub mod chunked;
mod fields;
mod framing;
mod method;
pub mod request;
pub mod response;
mod search;
mod target;
pub mod write;

pub use self::fields::Fields;
pub use self::method::Method;
pub use self::search::HeadSearch;

/// How far the body of a message reaches (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Framing {
    /// There is no body.
    #[default]
    None,
    /// As many bytes as `Content-Length` says; may be 0.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// Up to the end of the connection; responses only.
    UntilClose,
}

/// The version a peer speaks. Any other is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    /// `HTTP/1.0`: no chunked coding, no 1xx, closes unless asked not to.
    Http10,
    /// `HTTP/1.1`.
    Http11,
}

impl Version {
    const fn from_minor(minor: Option<u8>) -> Self {
        match minor {
            Some(0) => Self::Http10,
            _ => Self::Http11,
        }
    }
}

/// Whether a line of `bytes` ends in LF without CR. Such heads are refused: RFC 9112 section 2.2 lets a recipient
/// accept them, and those who do disagree with those who do not about where a field ends.
fn has_bare_lf(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', bytes)
        .any(|at| at == 0 || bytes.get(at.wrapping_sub(1)) != Some(&b'\r'))
}

/// Cuts spaces and tabs off both ends.
fn trim_ows(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// RFC 9110 section 5.6.2: the characters of a token.
const fn is_token_byte(byte: u8) -> bool {
    matches!(byte,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z')
}
