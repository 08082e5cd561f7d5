//! Halves of characters. What lies beyond the first 65,536 code points — emoji — is spelt in JSON as two escapes, a high
//! and a low surrogate (RFC 8259 section 7). A provider that cuts its text between the two sends deltas which are not
//! valid, each with half a character; parsers refuse them, and a client would lose two deltas for one emoji.
//!
//! ```text
//!   {"delta":"Hi \ud83d"}   →   {"delta":"Hi "}            the half is kept
//!   {"delta":"\ude00!"}     →   {"delta":"\ud83d\ude00!"}   and put before the other one
//! ```
//!
//! Any other half becomes U+FFFD. Nothing else is touched: what is broken stays broken.
//!
//! PERF: an event without an escape of a surrogate costs one search for `\u`, and no allocation.

use std::sync::LazyLock;

use crate::wire::Needle;

use super::text::code_unit;

/// The half that a stream was cut behind, from one event to the next.
#[derive(Clone, Copy, Default)]
pub struct Surrogates {
    held: Option<Escape>,
}

/// `\ud83d`, as it was written.
type Escape = [u8; 6];

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Half {
    High,
    Low,
}

impl Surrogates {
    /// Mends the data of an event: JSON, whole, not yet parsed. To be called for every event of a stream, in order.
    pub fn mend(&mut self, data: &mut Vec<u8>) {
        if !mentions_surrogate(data) {
            return; // a half is kept meanwhile: life signs come between
        }
        let before = self.held.take();
        let mut mending = Mending {
            before,
            held: None,
            out: Vec::with_capacity(data.len() + size_of::<Escape>()),
        };
        let mut rest = data.as_slice();
        while let Some(quote) = memchr::memchr(b'"', rest) {
            let (outside, string) = rest.split_at_checked(quote + 1).unwrap_or((rest, &[]));
            mending.out.extend_from_slice(outside);
            rest = mending.string(string);
        }
        mending.out.extend_from_slice(rest);
        self.held = mending.held;
        *data = mending.out;
    }
}

impl core::fmt::Debug for Surrogates {
    /// Without the half: it is of an answer.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Surrogates").finish_non_exhaustive()
    }
}

struct Mending {
    /// Of the event before.
    before: Option<Escape>,
    /// For the event after.
    held: Option<Escape>,
    out: Vec<u8>,
}

impl Mending {
    /// Takes a string whose opening quote was taken, and its closing one; returns what is behind it.
    fn string<'d>(&mut self, string: &'d [u8]) -> &'d [u8] {
        let mut rest = string;
        loop {
            let plain = memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
            let (text, behind) = rest.split_at_checked(plain).unwrap_or((rest, &[]));
            self.out.extend_from_slice(text);
            let is_first = behind.len() == string.len();
            rest = match (behind, half(behind)) {
                ([], _) => return behind,
                ([b'"', after @ ..], _) => {
                    self.out.push(b'"');
                    return after;
                }
                (_, Some((half, escape, after))) => self.half(half, escape, is_first, after),
                (_, None) => {
                    // The escaped byte, be it a quote, goes with its backslash.
                    let (escape, after) = behind.split_at_checked(2).unwrap_or((behind, &[]));
                    self.out.extend_from_slice(escape);
                    after
                }
            };
        }
    }

    /// Takes half a character, and the other half if it follows; returns what is behind.
    fn half<'d>(
        &mut self,
        which: Half,
        escape: Escape,
        is_first: bool,
        after: &'d [u8],
    ) -> &'d [u8] {
        match (which, half(after)) {
            (Half::High, Some((Half::Low, low, after))) => {
                self.out.extend_from_slice(&escape);
                self.out.extend_from_slice(&low);
                return after;
            }
            (Half::High, _) if after.starts_with(b"\"") && self.held.is_none() => {
                self.held = Some(escape);
            }
            (Half::Low, _) if is_first && self.before.is_some() => {
                self.out
                    .extend_from_slice(&self.before.take().unwrap_or_default());
                self.out.extend_from_slice(&escape);
            }
            _ => self.out.extend_from_slice(b"\\ufffd"),
        }
        after
    }
}

/// The escape of half a character at the front of `text`, and what is behind it.
fn half(text: &[u8]) -> Option<(Half, Escape, &[u8])> {
    let (escape, after) = text.split_first_chunk::<6>()?;
    let unit = code_unit(&mut text.strip_prefix(b"\\u")?)?;
    let half = match unit {
        0xd800..0xdc00 => Half::High,
        0xdc00..0xe000 => Half::Low,
        _ => return None,
    };
    Some((half, *escape, after))
}

fn mentions_surrogate(data: &[u8]) -> bool {
    static UNIT: LazyLock<Needle> = LazyLock::new(|| Needle::new(b"\\u"));
    UNIT.all_in(data).any(|at| {
        let digits = data.get(at + 2..at + 4);
        matches!(
            digits,
            Some([b'd' | b'D', b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F'])
        )
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Surrogates;
    use crate::wire::json::Tree;

    /// The events, mended one after the other.
    fn mended(events: &[&str]) -> Vec<String> {
        let mut surrogates = Surrogates::default();
        let mend = |event: &&str| {
            let mut data = event.as_bytes().to_vec();
            surrogates.mend(&mut data);
            String::from_utf8(data).unwrap()
        };
        events.iter().map(mend).collect()
    }

    #[test]
    fn a_character_cut_in_two_is_joined() {
        assert_eq!(
            mended(&[
                r#"{"type":"d","delta":"Hi \ud83d"}"#,
                r#"{"type":"ping"}"#,
                r#"{"type":"d","delta":"\uDE00!"}"#,
                r#"{"type":"d","delta":"\ud83d\ude00"}"#,
            ]),
            [
                r#"{"type":"d","delta":"Hi "}"#,
                r#"{"type":"ping"}"#,
                r#"{"type":"d","delta":"\ud83d\uDE00!"}"#,
                r#"{"type":"d","delta":"\ud83d\ude00"}"#,
            ]
        );
        // A low and a high half in one delta.
        assert_eq!(
            mended(&[r#"["\ud83d"]"#, r#"["\ude00\ud83d"]"#, r#"["\ude01"]"#]),
            [r#"[""]"#, r#"["\ud83d\ude00"]"#, r#"["\ud83d\ude01"]"#]
        );
    }

    #[test]
    fn any_other_half_is_replaced() {
        for (event, expected) in [
            (r#"["a\ud83db"]"#, r#"["a\ufffdb"]"#),
            (r#"["\ude00"]"#, r#"["\ufffd"]"#),
            (r#"["a\ude00"]"#, r#"["a\ufffd"]"#),
            (r#"["\ud83d\ud83d\ude00"]"#, r#"["\ufffd\ud83d\ude00"]"#),
            (r#"["\ud83d","\ud83d"]"#, r#"["","\ufffd"]"#),
            (r#"["\ud83d\n"]"#, r#"["\ufffd\n"]"#),
        ] {
            assert_eq!(mended(&[event]), [expected]);
        }
        // One that nothing came for is left out: only the first string that begins with a half is waited for.
        assert_eq!(
            mended(&[r#"["\ud83d"]"#, r#"["x\ude00","\ude01"]"#, r#"["\ude02"]"#]),
            [r#"[""]"#, r#"["x\ufffd","\ud83d\ude01"]"#, r#"["\ufffd"]"#]
        );
    }

    #[test]
    fn what_only_looks_like_one_stays() {
        for event in [
            r#"["\\ud83d", "\u00e9\ud7ff\ue000", "\"\\\"", "ud83d"]"#,
            r#"["\ud83"#,
            r#"["\ud8zz"]"#,
            r#"["\\\\ud83d\"#,
            "\\ud83d",
        ] {
            assert_eq!(mended(&[event]), [event]);
        }
    }

    /// A delta of `units`, those that are not ASCII as escapes.
    fn escaped(units: &[u16]) -> String {
        let spelt = units.iter().map(|unit| match u8::try_from(*unit) {
            Ok(byte) if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            _ => format!("\\u{unit:04x}"),
        });
        let delta: String = spelt.collect();
        format!("{{\"type\":\"delta\",\"delta\":\"{delta}\"}}")
    }

    fn parsed(json: &str) -> Option<String> {
        let mut data = json.as_bytes().to_vec();
        let tree = Tree::parse(&mut data).ok()?;
        tree.root().text("delta").map(str::to_owned)
    }

    proptest! {
        /// Wherever a text is cut, it is put together again.
        #[test]
        fn cuts_are_healed(text in "[a\u{e9}\u{1f600}-\u{1f64f}]{1,24}", cuts in prop::collection::vec(1_usize..4, 1..48)) {
            let units: Vec<u16> = text.encode_utf16().collect();
            let mut events = Vec::new();
            let mut rest = &units[..];
            for cut in cuts {
                let (piece, behind) = rest.split_at(cut.min(rest.len()));
                events.push(escaped(piece));
                rest = behind;
            }
            events.push(escaped(rest));
            let events: Vec<_> = events.iter().map(String::as_str).collect();
            let whole: Vec<_> = mended(&events).iter().map(|event| parsed(event).unwrap()).collect();
            prop_assert_eq!(whole.concat(), text);
        }

        /// Whatever halves come, every event can be parsed, and one that could be before is as it was.
        #[test]
        fn every_event_is_valid(events in prop::collection::vec(prop::collection::vec(
            prop_oneof![Just(0x61_u16), 0xd83d_u16..=0xd83e, 0xde00_u16..=0xde01], 0..6), 1..8)) {
            let events: Vec<_> = events.iter().map(|units| escaped(units)).collect();
            let events: Vec<_> = events.iter().map(String::as_str).collect();
            for (before, after) in events.iter().zip(mended(&events)) {
                prop_assert!(parsed(&after).is_some());
                prop_assert!(parsed(before).is_none() || *before == after);
            }
        }

        #[test]
        fn nothing_panics(data in "(\\\\u|d8|dc00|\"|\\\\|[0-9a-f]|x){0,24}") {
            mended(&[&data, &data]);
        }
    }
}
