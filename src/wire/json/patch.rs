//! Writes what takes the place of a value. A body is never serialised again: whoever sends it sends the bytes before the
//! place, this text, and the bytes behind, so that unknown fields, number forms and the order of keys stay as they were.

/// Appends `text` as a JSON string, quotes included.
pub fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|&byte| must_be_escaped(byte)) {
        let (plain, behind) = rest.split_at(at);
        out.extend_from_slice(plain);
        let (&byte, behind) = behind.split_first().unwrap_or((&0, &[]));
        rest = behind;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                out.extend_from_slice(b"\\u00");
                out.push(b'0' + (byte >> 4));
                out.push(hex_digit(byte & 0xf));
            }
        }
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// RFC 8259 section 7.
const fn must_be_escaped(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | ..0x20)
}

/// Appends `"key":value` for insertion right behind the opening brace, with a comma unless the object is empty. `key`
/// needs no escapes, `value` is JSON.
pub fn first_member(key: &str, value: &[u8], object_is_empty: bool, out: &mut Vec<u8>) {
    string(key, out);
    out.push(b':');
    out.extend_from_slice(value);
    if !object_is_empty {
        out.push(b',');
    }
}

const fn hex_digit(value: u8) -> u8 {
    match value {
        0..10 => b'0' + value,
        _ => b'a' + value - 10,
    }
}
