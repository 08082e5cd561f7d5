//! However the bytes of a recorded stream are cut, the client gets the same.

use super::{CLIENTS, Dice, STREAMS, Stream, rounds, said};
use crate::dialect::format::Format;
use crate::dialect::translation::Translator;
use crate::wire::eventstream::message_at_front;

/// Checks that a stream which comes in such pieces says what the whole says.
fn check(stream: &Stream, client: Format, whole: &[u8], lengths: &[usize]) {
    let (pieces, _) = said(
        &stream.bytes,
        stream.format,
        client,
        lengths.iter().copied(),
    );
    let (name, client) = (&stream.name, client.word());
    assert!(pieces == whole, "{name} for {client}: {lengths:?}");
}

#[test]
fn pieces_make_no_difference() {
    for (number, stream) in STREAMS.iter().enumerate() {
        for (place, client) in CLIENTS.into_iter().enumerate() {
            let (whole, _) = said(&stream.bytes, stream.format, client, [stream.bytes.len()]);
            let name = &stream.name;
            assert!(!whole.is_empty() || name.contains("error"), "{name}");
            check(stream, client, &whole, &[7]);
            check(stream, client, &whole, &[1_400]);
            // The slowest way, and no writer sees how a stream is cut: by turns.
            if place == number % CLIENTS.len() {
                check(stream, client, &whole, &[1]);
            }
        }
    }
}

/// `SWITCHOVER_CUTS=100 cargo test --lib dialect::tests::pieces` for more of them.
#[test]
fn cuts_anywhere_make_no_difference() {
    for stream in STREAMS.iter() {
        for client in CLIENTS {
            let (whole, _) = said(&stream.bytes, stream.format, client, [stream.bytes.len()]);
            for seed in 0..rounds("SWITCHOVER_CUTS", 1) {
                let mut dice = Dice::new(seed, &format!("{}{}", stream.name, client.word()));
                let most = dice.pick(&[3, 40, 300, 5_000]);
                let lengths: Vec<usize> = (0..=stream.bytes.len() * 2 / most)
                    .map(|_| 1 + dice.below(most))
                    .collect();
                check(stream, client, &whole, &lengths);
            }
        }
    }
}

/// The binary streams, and where their third message ends.
fn binary() -> impl Iterator<Item = (&'static Stream, usize)> {
    let streams = STREAMS
        .iter()
        .filter(|stream| stream.format == Format::Converse);
    streams.map(|stream| {
        let mut end = 0;
        for _ in 0..3 {
            let message = message_at_front(&stream.bytes[end..]).unwrap();
            end += message.map_or(0, |message| message.len);
        }
        (stream, end)
    })
}

/// Within lengths, names, payloads and checksums.
#[test]
fn a_message_may_be_cut_at_every_byte() {
    let mut count = 0;
    for (stream, end) in binary() {
        let front = &stream.bytes[..end];
        let (whole, is_good) = said(front, stream.format, Format::Chat, [end]);
        assert!(is_good && !whole.is_empty(), "{}", stream.name);
        for cut in 1..end {
            let pieces = said(front, stream.format, Format::Chat, [cut, end]);
            assert!(pieces == (whole.clone(), true), "{} at {cut}", stream.name);
            count += 1;
        }
    }
    assert!(count > 2_000, "{count}");
}

/// Whatever byte it is: lengths have a checksum of their own.
#[test]
fn a_changed_byte_breaks_the_stream_at_its_message() {
    for (stream, end) in binary() {
        let mut translator = Translator::new(stream.format, Format::Chat, super::reply());
        let first = message_at_front(&stream.bytes).unwrap().unwrap().len;
        let mut before = Vec::new();
        let seen = translator.feed(&stream.bytes[..first], false, &mut before);
        assert!(seen.is_ok());
        for place in first
            ..message_at_front(&stream.bytes[first..])
                .unwrap()
                .unwrap()
                .len
                + first
        {
            let mut bytes = stream.bytes[..end].to_vec();
            bytes[place] ^= 0x10;
            let mut translator = Translator::new(stream.format, Format::Chat, super::reply());
            let mut out = Vec::new();
            let seen = translator.feed(&bytes, true, &mut out);
            assert!(seen.is_err(), "{} at {place}", stream.name);
            assert!(out == before, "{} at {place}", stream.name);
        }
    }
}
