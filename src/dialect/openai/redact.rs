//! Takes out of a provider's sentence what its readers must not have: keys, masked keys, hashes of keys, ids of the
//! account. The client sees another company's account behind the gateway; what an error echoes is that account's.
//!
//! It works on words and refuses to be clever: a long word of mixed letters and digits goes, even where it was only a
//! request id. A model's name, a sentence, a URL and a date stay.

/// What stands where something was taken out.
const MARK: &str = "[redacted]";

/// Beginnings of keys and account ids, with the provider that issues them.
const PREFIXES: [&str; 22] = [
    "sk-", "sk_", "pk-", "rk-", "sess-", // OpenAI, DeepSeek, OpenRouter, Anthropic
    "org-", "proj_", "user-", "acct_", // OpenAI accounts
    "gsk_", "xai-", "pplx-", "csk-", "fw_",
    "tgp_", // Groq, xAI, Perplexity, Cerebras, Fireworks, Together
    "AIza", "ya29", "AKIA", "ASIA", // Google, Amazon
    "hf_", "nvapi-", "r8_", // Hugging Face, NVIDIA, Replicate
];

/// Appends `text` to `out` without its secrets.
pub(crate) fn redact(text: &str, out: &mut String) {
    let mut after_bearer = false;
    let mut rest = text;
    while !rest.is_empty() {
        let gap = rest.find(is_word).unwrap_or(rest.len());
        let (between, from_word) = rest.split_at_checked(gap).unwrap_or((rest, ""));
        out.push_str(between);
        let end = from_word.find(|c| !is_word(c)).unwrap_or(from_word.len());
        let (word, after) = from_word.split_at_checked(end).unwrap_or((from_word, ""));
        // `Bearer x`: what follows is a credential, however short. The scheme's name in a sentence is not.
        if !word.is_empty() && (is_secret(word) || (after_bearer && word.len() >= 8)) {
            out.push_str(MARK);
        } else {
            out.push_str(word);
        }
        after_bearer = word.eq_ignore_ascii_case("bearer");
        rest = after;
    }
}

/// Letters of keys. `/`, `.` and `:` part words, so that a URL is many short ones; `*` and `%` belong to masked and
/// encoded keys.
const fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+' | '*' | '%' | '~')
}

fn is_secret(word: &str) -> bool {
    let has_prefix = PREFIXES.iter().any(|prefix| {
        word.strip_prefix(prefix)
            .is_some_and(|body| body.len() >= 4)
    });
    has_prefix
        || word.contains("**")
        || word.matches('%').count() >= 6
        || word
            .split(|c: char| !c.is_ascii_alphanumeric())
            .any(is_random)
}

/// Whether a run of letters and digits looks drawn by lot: 24 of them with both kinds, or 20 with both cases too.
/// Model names and dates have shorter runs; words have no digits.
fn is_random(run: &str) -> bool {
    let has = |test: fn(&u8) -> bool| run.as_bytes().iter().any(test);
    let digits = has(u8::is_ascii_digit);
    let letters = has(u8::is_ascii_alphabetic);
    let cases = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
    digits && letters && (run.len() >= 24 || (run.len() >= 20 && cases))
}

#[cfg(test)]
mod tests {
    use super::redact;

    fn redacted(text: &str) -> String {
        let mut out = String::new();
        redact(text, &mut out);
        out
    }

    #[test]
    fn secrets_go() {
        for (text, clean) in [
            (
                "Incorrect API key provided: sk-redacted. You can find it",
                "Incorrect API key provided: [redacted]. You can find it",
            ),
            ("key sk-ab**********wxyz is", "key [redacted] is"),
            (
                "Your api key: ****-key is invalid",
                "Your api key: [redacted] is invalid",
            ),
            ("got `Bearer abcdefgh`!", "got `Bearer [redacted]`!"),
            (
                "in organization org-9fKq2 on tokens",
                "in organization [redacted] on tokens",
            ),
            ("hash 9f86d081884c7d659a2feaa0c55ad015", "hash [redacted]"),
            ("b64 c2stbGl2ZS1hYmNkZWZnaGlqa2w=", "b64 [redacted]="),
            ("enc %73%6B%2D%6C%69%76%65", "enc [redacted]"),
            ("url ?key=AIzaSyA1234", "url ?key=[redacted]"),
            ("é sk-live1é", "é [redacted]é"),
        ] {
            assert_eq!(redacted(text), clean);
        }
    }

    #[test]
    fn sentences_stay() {
        for text in [
            "The model `gpt-4o-mini-search-preview-2025-03-11` does not exist",
            "see https://platform.openai.com/account/api-keys, max 200000 tokens",
            "meta-llama/Llama-3.3-70B-Instruct-Turbo: requested 2500021 tokens (2500021 of text)",
            "messages[0]: unknown variant `image_url`, expected `text` at line 1 column 391",
            "Use a Bearer token",
        ] {
            assert_eq!(redacted(text), text);
        }
    }
}
