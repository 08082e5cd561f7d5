//! Percent-encoding (RFC 3986, section 2.1): how names of models and deployments come into a path.

/// Appends `text` as one path segment or query value: all but unreserved characters become `%XX` (section 2.3).
pub fn encode(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(byte);
        } else {
            out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

const fn digit(half: u8) -> u8 {
    match half {
        0..10 => b'0' + half,
        _ => b'A' + half - 10,
    }
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn all_but_unreserved_characters_are_encoded() {
        let mut out = b"/".to_vec();
        encode("a-Z_0.9~ /:%é", &mut out);
        assert_eq!(out, b"/a-Z_0.9~%20%2F%3A%25%C3%A9");
    }
}
