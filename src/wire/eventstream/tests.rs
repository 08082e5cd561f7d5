//! Every recorded message, cut anywhere; flipped bits; every type of header.

use std::path::Path;

use proptest::prelude::{any, prop, proptest};

use super::{BadMessage, Kind, message_at_front, write};
use crate::base::limits::EVENT_MESSAGE_BYTES_MAX;
use crate::wire::base64;

/// The recorded streams of Bedrock, each as its messages.
fn recorded() -> Vec<Vec<Vec<u8>>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bedrock");
    let mut streams = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let file: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        if let Some(messages) = file["response"]["eventstream"].as_array() {
            let messages = messages.iter();
            streams.push(
                messages
                    .map(|text| base64::decode(text.as_str().unwrap()).unwrap())
                    .collect(),
            );
        }
    }
    assert_eq!(streams.len(), 7);
    streams
}

/// A message as it was found: kind, name, payload.
type Seen = (Kind, String, Vec<u8>);

/// Reads a stream that comes in pieces, as a connection does.
fn read_pieces<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Seen> {
    let (mut buffer, mut seen) = (Vec::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while let Some(message) = message_at_front(&buffer).unwrap() {
            seen.push((
                message.kind,
                message.name(&buffer).to_owned(),
                message.payload(&buffer).to_vec(),
            ));
            buffer.drain(..message.len);
        }
    }
    assert!(buffer.is_empty(), "a message was left over");
    seen
}

#[test]
fn recorded_messages_are_written_again_as_they_were() {
    for message in recorded().concat() {
        let found = message_at_front(&message).unwrap().unwrap();
        assert_eq!(found.len, message.len());
        let mut again = Vec::new();
        write(
            found.kind,
            found.name(&message),
            found.payload(&message),
            &mut again,
        );
        assert_eq!(again, message);
        assert_eq!(found.payload_place().of(&message), found.payload(&message));
    }
}

#[test]
fn a_message_is_found_when_its_last_byte_is_there() {
    for message in recorded().concat() {
        for cut in 0..message.len() {
            assert_eq!(message_at_front(&message[..cut]), Ok(None));
        }
    }
}

#[test]
fn pieces_of_any_size_give_the_same_messages() {
    for stream in recorded() {
        let whole = stream.concat();
        let expected = read_pieces(std::iter::once(&whole[..]));
        assert_eq!(expected.len(), stream.len());
        assert_eq!(expected[0].1, "messageStart");
        for size in [1, 7, 1_400] {
            assert_eq!(
                read_pieces(whole.chunks(size)),
                expected,
                "pieces of {size}"
            );
        }
    }
}

#[test]
fn a_flipped_bit_is_noticed() {
    let mut message = Vec::new();
    write(Kind::Event, "metadata", b"{\"usage\":{}}", &mut message);
    for at in 0..message.len() {
        for bit in 0..8 {
            let mut flipped = message.clone();
            flipped[at] ^= 1 << bit;
            assert_eq!(
                message_at_front(&flipped),
                Err(BadMessage::Checksum),
                "byte {at}, bit {bit}"
            );
        }
    }
}

#[test]
fn exceptions_and_errors_have_names() {
    for (kind, name) in [
        (Kind::Exception, "throttlingException"),
        (Kind::Error, "InternalFailure"),
    ] {
        let mut message = Vec::new();
        write(kind, name, b"{}", &mut message);
        let found = message_at_front(&message).unwrap().unwrap();
        assert_eq!((found.kind, found.name(&message)), (kind, name));
    }
}

/// A message with a block of headers of one's own; its checksums are right.
fn framed(headers: &[u8]) -> Vec<u8> {
    sealed(
        u32::try_from(headers.len() + 16).unwrap(),
        u32::try_from(headers.len()).unwrap(),
        headers,
    )
}

fn sealed(total: u32, header_bytes: u32, rest: &[u8]) -> Vec<u8> {
    let mut message = [total.to_be_bytes(), header_bytes.to_be_bytes()].concat();
    super::push_sum(0, &mut message);
    message.extend_from_slice(rest);
    super::push_sum(0, &mut message);
    message
}

/// `:event-type` and `:message-type`, as strings.
const NAMES: &[u8] = b"\x0b:event-type\x07\x00\x01x\x0d:message-type\x07\x00\x05event";

#[test]
fn headers_of_every_type_are_stepped_over() {
    let others: [&[u8]; 10] = [
        b"\x01a\x00",
        b"\x01a\x01",
        b"\x01a\x02\x01",
        b"\x01a\x03\x01\x02",
        b"\x01a\x04\x01\x02\x03\x04",
        b"\x01a\x05\x01\x02\x03\x04\x05\x06\x07\x08",
        b"\x01a\x06\x00\x02\x01\x02",
        b"\x01a\x07\x00\x02xy",
        b"\x01a\x08\x01\x02\x03\x04\x05\x06\x07\x08",
        b"\x01a\x09\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\x05\x06\x07\x08",
    ];
    for other in others {
        for headers in [[other, NAMES].concat(), [NAMES, other].concat()] {
            let message = framed(&headers);
            let found = message_at_front(&message).unwrap().unwrap();
            assert_eq!(found.name(&message), "x");
            assert_eq!(found.payload(&message), b"");
        }
    }
}

#[test]
fn headers_that_are_none() {
    let broken: [&[u8]; 11] = [
        b"",                                                      // no kind
        b"\x0b:event-type\x07\x00\x01x",                          // no kind
        b"\x0d:message-type\x07\x00\x05event",                    // no name
        b"\x0d:message-type\x07\x00\x09exception\x0b:event-type\x07\x00\x01x", // not an exception's name
        b"\x0d:message-type\x07\x00\x05other\x0b:event-type\x07\x00\x01x",     // no such kind
        b"\x0b:event-type\x07\x00\x01x\x0b:event-type\x07\x00\x01y\x0d:message-type\x07\x00\x05event",
        b"\x0b:event-type\x06\x00\x01x\x0d:message-type\x07\x00\x05event", // bytes, not text
        b"\x0b:event-type\x07\x00\x01\xff\x0d:message-type\x07\x00\x05event", // not UTF-8
        b"\x01a\x0a",                                             // no such type
        b"\x01a\x07\x00\x05x",                                    // a value that does not end
        b"\x05a",                                                 // a name that does not end
    ];
    for headers in broken {
        assert_eq!(
            message_at_front(&framed(headers)),
            Err(BadMessage::Malformed),
            "{headers:?}"
        );
    }
}

#[test]
fn lengths_that_cannot_be() {
    for (total, headers, bad) in [
        (15, 0, BadMessage::Malformed),
        (0, 0, BadMessage::Malformed),
        (16, 1, BadMessage::Malformed),
        (100, u32::MAX, BadMessage::Malformed),
        (u32::MAX, 0, BadMessage::TooLong),
        (
            u32::try_from(EVENT_MESSAGE_BYTES_MAX).unwrap() + 1,
            0,
            BadMessage::TooLong,
        ),
    ] {
        assert_eq!(message_at_front(&sealed(total, headers, b"")), Err(bad));
    }
}

proptest! {
    #[test]
    fn random_pieces_give_the_same_messages(cuts in prop::collection::vec(1_usize..400, 1..50)) {
        let stream = recorded().swap_remove(0);
        let whole = stream.concat();
        let (mut rest, mut pieces) = (&whole[..], Vec::new());
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, behind) = rest.split_at(rest.len().min(*cut));
            pieces.push(piece);
            rest = behind;
        }
        assert_eq!(read_pieces(pieces.into_iter()).len(), stream.len());
    }

    #[test]
    fn bytes_never_panic(bytes: Vec<u8>, headers in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = message_at_front(&bytes);
        let _ = message_at_front(&framed(&headers));
    }
}
