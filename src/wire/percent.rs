//! Percent-encoding (RFC 3986 section 2.1): names in paths and queries.

use std::borrow::Cow;

/// Appends `text` as a part of a path or a query: all bytes but unreserved ones (section 2.3) and those of `kept` become
/// `%XX`.
pub fn encode(text: &str, kept: &[u8], out: &mut Vec<u8>) {
    const DIGITS: [u8; 16] = *b"0123456789ABCDEF";
    for byte in text.bytes() {
        let unreserved = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        if unreserved || kept.contains(&byte) {
            out.push(byte);
        } else {
            let digit = |half: u8| DIGITS.get(usize::from(half)).copied().unwrap_or(b'0');
            out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

/// What `text` spells. It comes back as it is where it is not encoded throughout, or spells no UTF-8.
pub fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    loop {
        rest = match rest {
            [b'%', high, low, after @ ..] => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    decoded.push(high << 4 | low);
                    after
                }
                _ => return Cow::Borrowed(text),
            },
            [b'%', ..] => return Cow::Borrowed(text),
            [byte, after @ ..] => {
                decoded.push(*byte);
                after
            }
            [] => break,
        };
    }
    String::from_utf8(decoded).map_or(Cow::Borrowed(text), Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    u8::try_from(char::from(digit).to_digit(16)?).ok()
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn there_and_back() {
        for (text, kept, encoded) in [
            ("gpt-5", "", "gpt-5"),
            ("gpt/5 x", "", "gpt%2F5%20x"),
            ("org/model@1", "/@", "org/model@1"),
            ("anthropic.claude:0", "", "anthropic.claude%3A0"),
            ("é", "", "%C3%A9"),
        ] {
            let mut out = Vec::new();
            encode(text, kept.as_bytes(), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), encoded);
            assert_eq!(decode(encoded), text);
        }
        for text in ["100%", "%zz", "%ff", "a%2"] {
            assert_eq!(decode(text), text);
        }
    }
}
