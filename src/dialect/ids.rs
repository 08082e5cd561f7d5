//! Names of tool calls. Each format takes names of its own alphabet and length; one that does not fit is replaced by a
//! hash of it, the same wherever it stands in a request: the call and its result stay together, the same request gives
//! the same bytes (prompt caches), and two names with a common beginning stay two.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::base::hash;

/// What a format takes for the name of a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IdForm {
    /// Chat Completions: up to 40 characters (recorded refusals of OpenAI).
    Chat,
    /// Responses: up to 64 characters.
    Responses,
    /// Anthropic Messages: letters, digits, `_` and `-`, up to 64.
    Messages,
    /// Bedrock Converse: the same.
    Converse,
    /// Mistral: exactly nine letters and digits.
    Mistral,
    /// Anything that is not empty.
    Any,
}

/// `id`, or what stands for it in `form`.
pub fn fitted(id: &str, form: IdForm) -> Cow<'_, str> {
    if form.takes(id) {
        return Cow::Borrowed(id);
    }
    let (prefix, digits) = match form {
        IdForm::Mistral => ("", 9),
        IdForm::Messages => ("toolu_", 24),
        IdForm::Converse => ("tooluse_", 22),
        IdForm::Chat | IdForm::Responses | IdForm::Any => ("call_", 24),
    };
    Cow::Owned(spelt(prefix, digits, hashes(id.as_bytes(), 0)))
}

/// A name for the call numbered `at` of the answer named `answer`, where the provider gives none. `form` is the
/// client's.
pub fn made_up(answer: &str, at: u32, form: IdForm) -> String {
    let prefix = match form {
        IdForm::Messages => "toolu_",
        IdForm::Converse => "tooluse_",
        _ => "call_",
    };
    spelt(prefix, 24, hashes(answer.as_bytes(), u64::from(at) + 1))
}

/// The calls of a conversation so far: formats whose results do not say what was called are read with its help.
#[derive(Debug, Default)]
pub struct Calls<'a>(BTreeMap<Cow<'a, str>, Cow<'a, str>>);

impl<'a> Calls<'a> {
    /// One more.
    pub fn add(&mut self, id: impl Into<Cow<'a, str>>, name: impl Into<Cow<'a, str>>) {
        self.0.insert(id.into(), name.into());
    }

    /// What was called by the last call of that name; `""` if there is none.
    pub fn tool_of(&self, id: &str) -> Cow<'a, str> {
        let tool = self.0.get(id);
        tool.map_or(Cow::Borrowed(""), Cow::clone)
    }
}

impl IdForm {
    /// Whether a name fits.
    pub fn takes(self, id: &str) -> bool {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        match self {
            Self::Chat => (1..=40).contains(&id.len()),
            Self::Responses => (1..=64).contains(&id.len()),
            Self::Messages | Self::Converse => {
                (1..=64).contains(&id.len()) && id.bytes().all(plain)
            }
            Self::Mistral => id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            Self::Any => !id.is_empty(),
        }
    }
}

/// Two hashes under different seeds: 128 bits, of which a name shows up to 124.
fn hashes(bytes: &[u8], salt: u64) -> [u64; 2] {
    [
        hash::of_bytes(hash::mix(SEED, salt), bytes),
        hash::of_bytes(hash::mix(!SEED, salt), bytes),
    ]
}

fn spelt(prefix: &str, digits: usize, hashes: [u64; 2]) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut name = String::with_capacity(prefix.len() + digits);
    name.push_str(prefix);
    let mut bits = u128::from(hashes[0]) << 64 | u128::from(hashes[1]);
    for _ in 0..digits {
        let at = usize::try_from(bits & 31).unwrap_or_default();
        name.push(char::from(ALPHABET.get(at).copied().unwrap_or(b'0')));
        bits >>= 5;
    }
    name
}

/// Any number; it must never change, or prompt caches of conversations under way are lost.
const SEED: u64 = 0x5357_4f56_4552_0001;

#[cfg(test)]
mod tests {
    use super::{IdForm, fitted, made_up};

    #[test]
    fn a_name_that_fits_stays() {
        for (id, form) in [
            ("call_abc", IdForm::Chat),
            ("toolu_01-x", IdForm::Messages),
            ("tooluse_x", IdForm::Converse),
            ("a1B2c3D4e", IdForm::Mistral),
        ] {
            assert_eq!(fitted(id, form), id);
        }
    }

    #[test]
    fn another_one_is_replaced_by_one_that_fits() {
        let long = "x".repeat(41);
        for (id, form) in [
            (long.as_str(), IdForm::Chat),
            ("", IdForm::Chat),
            ("call.1:2", IdForm::Messages),
            ("call.1:2", IdForm::Converse),
            ("call_abc", IdForm::Mistral),
            ("", IdForm::Any),
        ] {
            let fit = fitted(id, form);
            assert_ne!(fit, id);
            assert_eq!(fitted(&fit, form), fit, "{form:?}");
            assert_eq!(fitted(id, form), fit, "the same every time");
        }
        assert_eq!(fitted("call_abc", IdForm::Mistral), "sqaf4tymn");
    }

    /// litellm #41534 cuts them.
    #[test]
    fn a_common_beginning_does_not_make_two_names_one() {
        let (one, other) = (
            format!("{}1", "x".repeat(80)),
            format!("{}2", "x".repeat(80)),
        );
        assert_ne!(fitted(&one, IdForm::Chat), fitted(&other, IdForm::Chat));
        assert_ne!(
            made_up("resp_1", 0, IdForm::Chat),
            made_up("resp_1", 1, IdForm::Chat)
        );
    }
}
