//! Places between the protocol, which counts lines and UTF-16 units from 0, and policies, which count bytes.

use serde::{Deserialize, Serialize};

use crate::policy::{Files, Place};

/// A place between two characters.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Position {
    pub(super) line: u32,
    pub(super) character: u32,
}

/// A stretch; the end does not belong to it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Range {
    pub(super) start: Position,
    pub(super) end: Position,
}

/// The stretch of a file.
pub(super) fn range(files: &Files, place: Place) -> Range {
    let position = |byte: u32| {
        let (line, character) = files.line_utf16(place.file, byte);
        Position { line, character }
    };
    Range {
        start: position(place.start),
        end: position(place.start + place.len),
    }
}

/// The byte of a text. What lies behind the end of its line is that end, as the protocol wants it.
pub(super) fn byte_of(text: &str, position: Position) -> usize {
    let mut start = 0;
    for _ in 0..position.line {
        let Some(length) = text.get(start..).and_then(|rest| rest.find('\n')) else {
            return text.len();
        };
        start += length + 1;
    }
    let line = text.get(start..).unwrap_or_default();
    let line = line.split(['\n', '\r']).next().unwrap_or_default();
    let mut units = 0;
    for (at, char) in line.char_indices() {
        if units >= position.character {
            return start + at;
        }
        units += u32::try_from(char.len_utf16()).unwrap_or(1);
    }
    start + line.len()
}

/// The path of a `file:` URI; `None` for others, which have no imports beside them.
pub(super) fn path_of(uri: &str) -> Option<String> {
    let rest = uri.strip_prefix("file://")?;
    let path = rest.get(rest.find('/')?..)?;
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::{Position, byte_of, path_of};

    #[test]
    fn positions_count_utf16_units() {
        let text = "a\n\"é𝄞x\"\r\nb";
        let at = |line, character| byte_of(text, Position { line, character });
        assert_eq!(at(0, 0), 0);
        assert_eq!(at(0, 9), 1);
        assert_eq!(at(1, 1), 3);
        assert_eq!(at(1, 2), 5);
        assert_eq!(at(1, 4), 9);
        assert!(text.get(at(1, 4)..).unwrap().starts_with('x'));
        assert_eq!(at(1, 99), text.find('\r').unwrap());
        assert_eq!(at(2, 1), text.len());
        assert_eq!(at(7, 0), text.len());
    }

    #[test]
    fn uris_become_paths() {
        assert_eq!(
            path_of("file:///a/b%20%C3%A9.policy").as_deref(),
            Some("/a/b é.policy")
        );
        assert_eq!(path_of("file://host/a").as_deref(), Some("/a"));
        assert_eq!(path_of("untitled:one"), None);
        assert_eq!(path_of("file:///a%G0"), None);
    }
}
