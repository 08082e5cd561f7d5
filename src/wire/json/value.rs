//! Reads values at places that a scan has found. They are whole and delimited; what they are is decided here.

use core::str;
use std::borrow::Cow;

use crate::wire::Extent;

use super::text::{escaped, has_control, unescape};

/// What kind of value a text is, by its first byte.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// `"…"`
    Text,
    /// A number.
    Number,
    /// `true` or `false`
    Bool,
    /// `null`
    Null,
    /// `[…]`
    Array,
    /// `{…}`
    Object,
}

/// The kind of the value at `place`; `None` if there is none.
pub fn kind(body: &[u8], place: Extent) -> Option<Kind> {
    Some(match place.of(body).first()? {
        b'"' => Kind::Text,
        b'-' | b'0'..=b'9' => Kind::Number,
        b't' | b'f' => Kind::Bool,
        b'n' => Kind::Null,
        b'[' => Kind::Array,
        b'{' => Kind::Object,
        _ => return None,
    })
}

/// What the string at `place` spells. `None` if it is no string, or holds control characters, invalid escapes, half a
/// surrogate pair or invalid UTF-8. Borrows unless there are escapes.
pub fn string(body: &[u8], place: Extent) -> Option<Cow<'_, str>> {
    let [b'"', text @ .., b'"'] = place.of(body) else {
        return None;
    };
    if has_control(text) {
        return None;
    }
    if memchr::memchr(b'\\', text).is_none() {
        return str::from_utf8(text).ok().map(Cow::Borrowed);
    }
    let mut spelt = Vec::with_capacity(text.len());
    unescape(text, &mut spelt)?;
    String::from_utf8(spelt).ok().map(Cow::Owned)
}

/// What a string spells that is given without its quotes, for people to read: what is not valid becomes U+FFFD. Reads
/// no further once `out` is `bytes_max` long.
pub fn text_lossy(text: &[u8], bytes_max: usize, out: &mut String) {
    let mut rest = text;
    while out.len() < bytes_max && !rest.is_empty() {
        let plain = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
        let (plain, behind) = rest
            .split_at_checked(plain.min(bytes_max))
            .unwrap_or((rest, &[]));
        out.push_str(&String::from_utf8_lossy(plain));
        rest = behind;
        if let Some(behind) = rest.strip_prefix(b"\\") {
            rest = behind;
            out.push(escaped(&mut rest).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
    }
}

/// The truth value at `place`; `None` if it is something else.
pub fn bool(body: &[u8], place: Extent) -> Option<bool> {
    match place.of(body) {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

/// The number at `place`; `None` if it is no number, negative, not written as an integer, or above 2^64 - 1.
pub fn u64(body: &[u8], place: Extent) -> Option<u64> {
    let digits = place.of(body);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(digits).ok()?.parse().ok()
}

/// Whether `text` is a number as JSON writes them: `-? (0 | [1-9][0-9]*) (.[0-9]+)? ([eE][+-]?[0-9]+)?`
pub(super) fn is_number(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let Some(rest) = digits(text) else {
        return false;
    };
    if text.first() == Some(&b'0') && text.len() - rest.len() > 1 {
        return false;
    }
    let rest = match rest {
        [b'.', fraction @ ..] => match digits(fraction) {
            Some(rest) => rest,
            None => return false,
        },
        _ => rest,
    };
    match rest {
        [] => true,
        [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] => {
            digits(exponent).is_some_and(<[u8]>::is_empty)
        }
        _ => false,
    }
}

/// What follows the digits at the front, of which there must be one.
fn digits(text: &[u8]) -> Option<&[u8]> {
    let len = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text.get(len..).filter(|_| len > 0)
}
