//! Skips a nested array or object: matches brackets and quotes, and passes over everything between them. What is in it
//! is not looked at, except that no byte may stand outside strings that JSON has no use for.

use crate::base::limits::JSON_DEPTH_MAX;

use super::BadJson;
use super::text::close_quote;

/// Open brackets below the top level.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nesting {
    depth: u32,
    /// One bit for each open bracket, the innermost lowest: 1 for an object. 128 of them fit [`JSON_DEPTH_MAX`].
    objects: u128,
    in_text: bool,
}

/// How far a nested value was skipped.
pub(super) enum Skipped {
    /// Behind its closing bracket.
    Closed(usize),
    /// It goes on at this offset.
    Open(usize),
}

impl Nesting {
    /// Before the opening bracket.
    pub(super) const NONE: Self = Self {
        depth: 0,
        objects: 0,
        in_text: false,
    };

    /// Skips from `from`, inside the value or at its opening bracket.
    ///
    /// PERF: most bytes of a body are skipped here. Strings go by words and vectors, the rest byte by byte over a
    /// table; there is little of it.
    pub(super) fn skip(&mut self, body: &[u8], from: usize) -> Result<Skipped, BadJson> {
        let mut at = from;
        loop {
            if self.in_text {
                match close_quote(body, at) {
                    Ok(end) => at = end + 1,
                    Err(resume) => return Ok(Skipped::Open(resume)),
                }
                self.in_text = false;
            }
            let rest = body.get(at..).unwrap_or_default();
            let Some(filling) = rest.iter().position(|&byte| class(byte) != Class::Filling) else {
                return Ok(Skipped::Open(body.len().max(at)));
            };
            at += filling;
            let byte = body.get(at).copied().unwrap_or_default();
            let class = class(byte);
            if class == Class::Quote {
                self.in_text = true;
            } else if class == Class::Foreign {
                return Err(BadJson {
                    offset: at,
                    reason: "a byte stands outside strings that JSON has no use for",
                });
            } else {
                let open = class == Class::Open;
                self.bracket(byte, open)
                    .map_err(|reason| BadJson { offset: at, reason })?;
                if self.depth == 0 {
                    return Ok(Skipped::Closed(at + 1));
                }
            }
            at += 1;
        }
    }

    const fn bracket(&mut self, byte: u8, open: bool) -> Result<(), &'static str> {
        let object = matches!(byte, b'{' | b'}');
        if open {
            // The top level is one bracket too.
            if self.depth + 1 >= JSON_DEPTH_MAX {
                return Err("the body is nested too deeply");
            }
            self.depth += 1;
            self.objects = self.objects << 1 | object as u128;
        } else {
            if (self.objects & 1 == 1) != object {
                return Err("a closing bracket does not match the one that was opened");
            }
            self.depth -= 1;
            self.objects >>= 1;
        }
        Ok(())
    }
}

/// What a byte outside strings is to a skip.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Class {
    /// White space, commas, colons, and what numbers and literals are made of.
    Filling,
    Quote,
    Open,
    Close,
    Foreign,
}

/// PERF: a table that the compiler fills; a `match` in the loop costs some 7 % on bodies of many small values.
#[inline]
fn class(byte: u8) -> Class {
    const CLASSES: [Class; 256] = {
        let mut classes = [Class::Foreign; 256];
        let mut rest = classes.as_mut_slice();
        let mut byte = 0_u8;
        while let [slot, behind @ ..] = rest {
            *slot = class_of(byte);
            rest = behind;
            byte = byte.wrapping_add(1);
        }
        classes
    };
    CLASSES
        .get(usize::from(byte))
        .copied()
        .unwrap_or(Class::Foreign)
}

const fn class_of(byte: u8) -> Class {
    match byte {
        b' ' | b'\n' | b'\r' | b'\t' | b',' | b':' // between tokens
        | b'0'..=b'9' | b'-' | b'+' | b'.' | b'E' // in numbers
        | b'a' | b'e' | b'f' | b'l' | b'n' | b'r' | b's' | b't' | b'u' // in literals and exponents
        => Class::Filling,
        b'"' => Class::Quote,
        b'{' | b'[' => Class::Open,
        b'}' | b']' => Class::Close,
        _ => Class::Foreign,
    }
}

const _: () = assert!(JSON_DEPTH_MAX <= u128::BITS);
