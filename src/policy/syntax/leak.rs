//! Finds credentials that stand in a text, wherever they stand: in strings, in comments, in items that do not parse.
//! By the prefixes that providers give them so that scanners can; a name that only begins alike has no digit or is
//! shorter.

use std::ops::Range;

/// Prefixes of credentials, by their first letter.
const PREFIXES: [&str; 14] = [
    "AIza",
    "AKIA",
    "ASIA",
    "csk-",
    "eyJ",
    "ghp_",
    "github_pat_",
    "gsk_",
    "hf_",
    "pplx-",
    "r8_",
    "sk-",
    "sk_",
    "xai-",
];
/// The shortest credential of any of them; AWS key ids have just this length.
const LENGTH_MIN: usize = 20;

/// Where credentials stand. A word that is long enough has a byte at every [`LENGTH_MIN`]th place: most of a text is never looked at.
pub(in crate::policy) fn find(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = LENGTH_MIN - 1;
    while let Some((before, rest)) = bytes.split_at_checked(at)
        && let Some(&byte) = rest.first()
    {
        if !is_part(byte) {
            at += LENGTH_MIN;
            continue;
        }
        let other = |byte: &u8| !is_part(*byte);
        let start = before.iter().rposition(other).map_or(0, |last| last + 1);
        let end = rest.iter().position(other);
        let end = end.map_or(bytes.len(), |length| at + length);
        if end - start >= LENGTH_MIN && text.get(start..end).is_some_and(is_credential) {
            found.push(start..end);
        }
        at = end + LENGTH_MIN;
    }
    found
}

/// Whether the byte may stand in a credential.
const fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn is_credential(word: &str) -> bool {
    let digit = word.bytes().any(|byte| byte.is_ascii_digit());
    digit && PREFIXES.iter().any(|prefix| word.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn credentials_are_found_and_names_are_not() {
        let text = "x = \"sk-proj-0123456789abcdef\" # AKIA0123456789ABCDEF";
        assert_eq!(find(text), [5..29, 33..53]);
        assert!(
            find("sk-learn-compatible-server sk-1 hf_tiny gpt-5-mini-2025-08-07-preview")
                .is_empty()
        );
        // Wherever a word begins, and at both ends of a text.
        for before in 0..45 {
            let text = format!("{}AKIA0123456789ABCDEF", " ".repeat(before));
            assert_eq!(find(&text).first(), Some(&(before..before + 20)));
            let text = format!("{}AKIA0123456789ABCDE", " ".repeat(before));
            assert!(find(&text).is_empty());
        }
        assert!(find("").is_empty());
    }
}
