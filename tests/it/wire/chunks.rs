//! The chunked decoder: named cases, and agreement with a reference that reads everything at once.

use proptest::prelude::{any, prop};
use proptest::{prop_assert_eq, proptest};
use switchover::base::limits::{CHUNK_LINE_BYTES_MAX, TRAILER_BYTES_MAX};
use switchover::wire::h1::chunked::Decoder;
use switchover::wire::h1::write;

use super::corpus;

#[test]
fn bodies() {
    corpus::check(include_str!("../../corpus/wire/chunked.cases"), |bytes| {
        let whole = decode(bytes, &[]);
        for cut in 0..=bytes.len() {
            assert_eq!(decode(bytes, &[cut]), whole, "cut at {cut}");
        }
        let every: Vec<_> = (0..bytes.len()).collect();
        assert_eq!(decode(bytes, &every), whole, "byte by byte");
        match whole {
            Outcome::Bad => "bad".to_owned(),
            Outcome::Cut(payload) => format!("cut {}", payload.escape_ascii()),
            Outcome::Done(payload, rest) if rest.is_empty() => {
                format!("done {}", payload.escape_ascii())
            }
            Outcome::Done(payload, rest) => {
                format!(
                    "done {} rest={}",
                    payload.escape_ascii(),
                    rest.escape_ascii()
                )
            }
        }
    });
}

#[test]
fn extensions_and_trailers_are_bounded() {
    let line = |len: usize| format!("1;{}\r\nx\r\n0\r\n\r\n", "e".repeat(len - 2));
    assert!(matches!(
        decode(line(CHUNK_LINE_BYTES_MAX).as_bytes(), &[]),
        Outcome::Done(..)
    ));
    assert_eq!(
        decode(line(CHUNK_LINE_BYTES_MAX + 1).as_bytes(), &[]),
        Outcome::Bad
    );
    let trailers = |lines: usize| format!("0\r\n{}\r\n", "X: 12345678\r\n".repeat(lines));
    assert!(matches!(
        decode(trailers(600).as_bytes(), &[]),
        Outcome::Done(..)
    ));
    assert_eq!(
        decode(trailers(TRAILER_BYTES_MAX / 10).as_bytes(), &[]),
        Outcome::Bad
    );
}

#[test]
fn nothing_is_read_after_an_error() {
    let mut decoder = Decoder::new();
    assert!(decoder.decode(&mut b"x".to_vec()).is_err());
    assert!(decoder.decode(&mut b"0\r\n\r\n".to_vec()).is_err());
    assert!(!decoder.is_done());
}

proptest! {
    #![proptest_config(super::cases(300))]

    /// What we write is what we read, however it is cut.
    #[test]
    fn round_trip(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..8),
        cuts in prop::collection::vec(0_usize..2000, 0..12),
    ) {
        let mut body = Vec::new();
        for payload in &payloads {
            write::chunk_size(payload.len() as u64, &mut body);
            body.extend_from_slice(payload);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(write::LAST_CHUNK);
        body.extend_from_slice(b"next");
        prop_assert_eq!(decode(&body, &cuts), Outcome::Done(payloads.concat(), b"next".to_vec()));
    }

    /// Whatever the bytes: no panic, and the outcome of the reference.
    #[test]
    fn agrees_with_the_reference(
        text in "([0-9a-fA-F]{1,3}|;[a-z=\"]{0,4}|\r\n|\r|\n|[ -~]{1,5}|3\r\nabc\r\n|0\r\n|\r\n\r\n|X: y\r\n){0,12}",
        cuts in prop::collection::vec(0_usize..80, 0..6),
    ) {
        let whole = decode(text.as_bytes(), &[]);
        prop_assert_eq!(decode(text.as_bytes(), &cuts), whole.clone());
        prop_assert_eq!(whole, reference(text.as_bytes()));
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Outcome {
    Bad,
    /// Not at its end: the payload so far.
    Cut(Vec<u8>),
    /// The payload and the bytes behind the body.
    Done(Vec<u8>, Vec<u8>),
}

/// Decodes `bytes` in the pieces that `cuts` make.
fn decode(bytes: &[u8], cuts: &[usize]) -> Outcome {
    let mut cuts: Vec<_> = cuts.iter().map(|&cut| cut.min(bytes.len())).collect();
    cuts.push(bytes.len());
    cuts.sort_unstable();
    let mut decoder = Decoder::new();
    let mut payload = Vec::new();
    let mut start = 0;
    for end in cuts {
        let mut piece = bytes[start..end].to_vec();
        let Ok(step) = decoder.decode(&mut piece) else {
            return Outcome::Bad;
        };
        payload.extend_from_slice(&piece[..step.produced]);
        if step.done {
            return Outcome::Done(payload, bytes[start + step.consumed..].to_vec());
        }
        assert_eq!(step.consumed, piece.len());
        start = end;
    }
    Outcome::Cut(payload)
}

/// RFC 9112 section 7.1 over the whole input, without a thought for speed.
fn reference(mut bytes: &[u8]) -> Outcome {
    let mut payload = Vec::new();
    loop {
        let Some(line) = line(&mut bytes) else {
            return Outcome::Bad;
        };
        let (line, complete) = line;
        let size: Vec<u8> = line
            .iter()
            .copied()
            .take_while(u8::is_ascii_hexdigit)
            .collect();
        let rest = &line[size.len()..];
        if !(rest.is_empty() || (rest[0] == b';' && !size.is_empty()))
            || size.len() > 16
            || (size.is_empty() && !bytes.is_empty())
        {
            return Outcome::Bad;
        }
        if !complete {
            return Outcome::Cut(payload);
        }
        let Ok(size) = usize::from_str_radix(str::from_utf8(&size).unwrap(), 16) else {
            return Outcome::Bad;
        };
        if size == 0 {
            return trailers(bytes, payload);
        }
        let taken = size.min(bytes.len());
        payload.extend_from_slice(&bytes[..taken]);
        bytes = &bytes[taken..];
        match bytes {
            [] | [b'\r'] => return Outcome::Cut(payload),
            [b'\r', b'\n', rest @ ..] => bytes = rest,
            _ => return Outcome::Bad,
        }
    }
}

fn trailers(mut bytes: &[u8], payload: Vec<u8>) -> Outcome {
    loop {
        let Some((line, complete)) = line(&mut bytes) else {
            return Outcome::Bad;
        };
        if line.is_empty() {
            return if complete {
                Outcome::Done(payload, bytes.to_vec())
            } else {
                Outcome::Cut(payload)
            };
        }
        let name = line.split(|&b| b == b':').next().unwrap();
        let token = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
        if name.is_empty()
            || !name.iter().all(token)
            || ((complete || !bytes.is_empty()) && name.len() == line.len())
        {
            return Outcome::Bad;
        }
        if !complete {
            return Outcome::Cut(payload);
        }
    }
}

/// Takes a line off the front: its content, and whether its CR LF is there. `None` for a lone CR or LF in it.
fn line<'a>(bytes: &mut &'a [u8]) -> Option<(&'a [u8], bool)> {
    let end = bytes
        .iter()
        .position(|&b| b < b' ' && b != b'\t' || b == 0x7f);
    match end.map(|end| bytes.split_at(end)) {
        None => Some((std::mem::take(bytes), false)),
        Some((content, [b'\r'])) => Some((content, false)),
        Some((content, [b'\r', b'\n', rest @ ..])) => {
            *bytes = rest;
            Some((content, true))
        }
        Some(_) => None,
    }
}
