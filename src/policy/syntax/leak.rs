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

/// Where credentials stand.
pub(in crate::policy) fn find(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = None;
    for (at, byte) in text.bytes().chain([b' ']).enumerate() {
        let part = byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        match start {
            None if part => start = Some(at),
            Some(from) if !part => {
                start = None;
                if at - from >= LENGTH_MIN && text.get(from..at).is_some_and(is_credential) {
                    found.push(from..at);
                }
            }
            _ => {}
        }
    }
    found
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
    }
}
