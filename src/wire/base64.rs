//! Base64 (RFC 4648, section 4), standard alphabet with padding: how bytes come into JSON.

/// Appends `bytes` in base64.
pub fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group
            .iter()
            .zip([16, 8, 0])
            .fold(0_u32, |bits, (&byte, shift)| {
                bits | u32::from(byte) << shift
            });
        for (at, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let index = usize::try_from(bits >> shift & 63).unwrap_or_default();
            let letter = ALPHABET.get(index).copied().unwrap_or(b'=');
            out.push(if at <= group.len() { letter } else { b'=' });
        }
    }
}

/// The bytes that `text` spells; `None` if it is not padded base64, or a bit is set that stands for nothing.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.as_bytes();
    let (groups, rest) = text.as_chunks::<4>();
    if !rest.is_empty() {
        return None;
    }
    let mut bytes = Vec::with_capacity(groups.len() * 3);
    for (at, group) in groups.iter().enumerate() {
        let is_last = at + 1 == groups.len();
        let letters = match group {
            [_, _, b'=', b'='] if is_last => 2,
            [_, _, _, b'='] if is_last => 3,
            _ => 4,
        };
        let mut bits = 0_u32;
        for (&letter, shift) in group.iter().take(letters).zip([18, 12, 6, 0]) {
            bits |= u32::from(value(letter)?) << shift;
        }
        let [_, first, second, third] = bits.to_be_bytes();
        let (spelt, unused) = match letters {
            2 => (&[first][..], bits & 0xffff),
            3 => (&[first, second][..], bits & 0xff),
            _ => (&[first, second, third][..], 0),
        };
        if unused != 0 {
            return None;
        }
        bytes.extend_from_slice(spelt);
    }
    Some(bytes)
}

const fn value(letter: u8) -> Option<u8> {
    Some(match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::{decode, encode};

    #[test]
    fn the_standard_s_own_vectors() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            let mut out = Vec::new();
            encode(bytes.as_bytes(), &mut out);
            assert_eq!(out, text.as_bytes());
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()));
        }
    }

    #[test]
    fn what_is_none() {
        for text in [
            "Zg", "Zg=", "Z===", "====", "Zh==", "Zm9=", "Zg==Zg==", "Zm 9", "Zm-_",
        ] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn there_and_back(bytes: Vec<u8>, text in any::<String>()) {
            let mut out = Vec::new();
            encode(&bytes, &mut out);
            assert_eq!(decode(&String::from_utf8(out).unwrap()), Some(bytes));
            if let Some(bytes) = decode(&text) {
                let mut again = Vec::new();
                encode(&bytes, &mut again);
                assert_eq!(again, text.as_bytes());
            }
        }
    }
}
