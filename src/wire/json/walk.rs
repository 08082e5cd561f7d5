//! A forward-only walk over JSON text: finds members and skips values, in one pass, without allocation.
//!
//! It exists because the questions asked here ("is there content in this chunk?", "what is the error's code?") are
//! asked once per streamed event, where a parser that builds a document costs ten times the answer. It refuses to
//! validate: text that is broken ends the walk early with `None`, and what was found before stays found. It recurses
//! nowhere, so nesting costs no stack. Keys are compared as they are written: no provider escapes letters in its keys.

#![expect(
    clippy::inline_always,
    reason = "inlined, the cursor lives in registers: a quarter of the time of an event otherwise goes into storing \
              and reloading it"
)]

use super::text::specials;

/// The first letter of a value tells its type.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shape {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    String,
    /// A number, `true`, `false`, or garbage.
    Scalar,
    /// `null`
    Null,
}

/// A position in JSON text.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
    /// Whether the object that was walked last has been left by its closing brace.
    closed: bool,
}

impl<'a> Cursor<'a> {
    /// At the start of `text`.
    pub const fn new(text: &'a [u8]) -> Self {
        Self {
            rest: text,
            closed: false,
        }
    }

    /// What the next value is; `None` at the end.
    pub fn shape(&mut self) -> Option<Shape> {
        self.skip_space();
        Some(match self.rest.first()? {
            b'{' => Shape::Object,
            b'[' => Shape::Array,
            b'"' => Shape::String,
            b'n' => Shape::Null,
            _ => Shape::Scalar,
        })
    }

    /// After [`Cursor::member`] has returned `None`: whether the object was whole, with only white space behind it.
    pub fn is_whole(&self) -> bool {
        self.closed && self.rest.trim_ascii_start().is_empty()
    }

    /// Steps over `byte` if it is next.
    #[inline(always)]
    pub fn enter(&mut self, byte: u8) -> Option<()> {
        self.skip_space();
        let (first, rest) = self.rest.split_first()?;
        if *first == byte {
            self.rest = rest;
            return Some(());
        }
        None
    }

    /// After [`Cursor::enter`] of `{` or a member's value: the next member's key, as written, with the cursor before
    /// its value. `None` after the closing brace, which is stepped over, and where the text is broken.
    #[inline(always)]
    pub fn member(&mut self) -> Option<&'a [u8]> {
        self.skip_space();
        let (&first, rest) = self.rest.split_first()?;
        match first {
            b'"' => {}
            b',' => {
                self.rest = rest;
                self.skip_space();
            }
            b'}' => {
                self.rest = rest;
                self.closed = true;
                return None;
            }
            _ => return None,
        }
        self.closed = false;
        let key = self.string()?;
        self.enter(b':')?;
        Some(key)
    }

    /// After [`Cursor::enter`] of `[` or an element: whether the cursor stands before another element. The closing
    /// bracket is stepped over.
    pub fn element(&mut self) -> bool {
        self.skip_space();
        match self.rest.split_first() {
            Some((b']', rest)) => {
                self.rest = rest;
                false
            }
            Some((b',', rest)) => {
                self.rest = rest;
                self.skip_space();
                !self.rest.is_empty()
            }
            Some(_) => true,
            None => false,
        }
    }

    /// A string's text between its quotes, escapes and all.
    #[inline(always)]
    pub fn string(&mut self) -> Option<&'a [u8]> {
        let body = self.rest.strip_prefix(b"\"")?;
        let length = string_length(body)?;
        let (text, rest) = body.split_at_checked(length)?;
        self.rest = rest.get(1..)?;
        Some(text)
    }

    /// Steps over a value and returns it as written; a string with its quotes.
    #[inline(always)]
    pub fn value(&mut self) -> Option<&'a [u8]> {
        self.skip_space();
        let start = self.rest;
        match start.first()? {
            b'"' => {
                self.string()?;
            }
            b'{' | b'[' => self.skip_nested()?,
            _ => {
                // A scalar that runs up to the end of the text is cut: a container must close behind it.
                let length = start.iter().position(|byte| {
                    matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t')
                })?;
                if length == 0 {
                    return None; // a separator where a value should be
                }
                self.rest = start.get(length..)?;
            }
        }
        start.get(..start.len() - self.rest.len())
    }

    /// The next member's key and value, if that is a number of at most 19 digits and nothing else, with the cursor behind
    /// it. `None` where anything else comes next: then the cursor has not moved.
    ///
    /// PERF: the way that providers write counts, without space, in one go.
    #[inline(always)]
    pub fn counted(&mut self) -> Option<(&'a [u8], u64)> {
        let ([b',', b'"', body @ ..] | [b'"', body @ ..]) = self.rest else {
            return None;
        };
        let (key, behind) = body.split_at_checked(string_length(body)?)?;
        let value = behind.strip_prefix(b"\":")?;
        let (count, rest) = digits(value)?;
        matches!(rest, [b',' | b'}', ..]).then(|| {
            self.rest = rest;
            (key, count)
        })
    }

    /// Steps over a value and says which number it is, if it is one of at most 19 digits and nothing else. `None` at the
    /// end and where the text is broken.
    pub fn count(&mut self) -> Option<Option<u64>> {
        let value = self.value()?;
        let whole = |&(_, rest): &(u64, &[u8])| rest.is_empty();
        Some(digits(value).filter(whole).map(|(count, _)| count))
    }

    /// Whether the next value has anything in it — a string with text, an array or object with a member, a number, a
    /// `true` — and steps over it.
    pub fn has_substance(&mut self) -> Option<bool> {
        let value = self.value()?;
        Some(!matches!(value, b"null" | b"\"\"" | b"false") && !is_hollow(value))
    }

    fn skip_nested(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        let mut rest = self.rest;
        loop {
            let (&byte, after) = rest.split_first()?;
            rest = after;
            match byte {
                b'"' => rest = rest.get(string_length(rest)? + 1..)?,
                b'{' | b'[' => depth += 1,
                b'}' | b']' => {
                    depth -= 1; // at least 1: the first byte opened
                    if depth == 0 {
                        self.rest = rest;
                        return Some(());
                    }
                }
                _ => {}
            }
        }
    }

    /// PERF: providers send hardly any, so that the first comparison nearly always settles it.
    #[inline(always)]
    fn skip_space(&mut self) {
        if self.rest.first().is_some_and(|byte| *byte > b' ') {
            return;
        }
        while let Some((b' ' | b'\n' | b'\r' | b'\t', rest)) = self.rest.split_first() {
            self.rest = rest;
        }
    }
}

/// The number that `text` begins with, if it has from 1 to 19 digits, and what comes behind it.
#[inline(always)]
fn digits(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut count = 0_u64;
    let mut rest = text;
    while let [byte @ b'0'..=b'9', behind @ ..] = rest {
        count = count.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
        rest = behind;
    }
    let length = text.len() - rest.len();
    (1..=19).contains(&length).then_some((count, rest))
}

/// Whether `text` is `{ }` or `[ ]`.
fn is_hollow(text: &[u8]) -> bool {
    match text {
        [b'{', inner @ .., b'}'] | [b'[', inner @ .., b']'] => inner.trim_ascii().is_empty(),
        _ => false,
    }
}

/// Bytes up to the closing quote of a string whose opening quote has been read.
///
/// PERF: eight bytes at a time; a chunk's ids, model and fingerprint are strings of ten to forty bytes.
#[inline(always)]
fn string_length(body: &[u8]) -> Option<usize> {
    let mut rest = body;
    loop {
        if let Some((word, after)) = rest.split_first_chunk::<8>() {
            let stops = specials(u64::from_le_bytes(*word));
            if stops == 0 {
                rest = after;
                continue;
            }
            // The lowest marked byte is the first one in text order.
            rest = rest.get((stops.trailing_zeros() / 8) as usize..)?;
        }
        match rest.first()? {
            b'"' => return Some(body.len() - rest.len()),
            b'\\' => rest = rest.get(2..)?,
            _ => rest = rest.get(1..)?, // reached only in the last seven bytes
        }
    }
}

/// A string value without its quotes; any other value as it stands.
pub fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', text @ .., b'"'] => text,
        other => other,
    }
}
