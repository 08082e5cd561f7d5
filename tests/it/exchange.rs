//! The exchange between two peers that cut their bytes anywhere, or send what nobody should: cuts change nothing for
//! the client, nothing panics, every request is answered in well-formed HTTP and recorded exactly once.

use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy};
use proptest::sample::Index;
use proptest::{prop_assert, prop_assert_eq, prop_oneof, proptest};

use switchover::ops::Count;
use switchover::wire::h1::chunked::Decoder;

use crate::desk;
use crate::desk::Desk;

/// Lengths of pieces, in turn.
fn cuts() -> impl Strategy<Value = Vec<usize>> {
    vec(
        prop_oneof![Just(1_usize), 1..30_usize, 1..2_000_usize],
        1..8,
    )
}

/// One event of a stream: words, what only keeps the line warm, and both kinds of line end.
fn event() -> impl Strategy<Value = String> {
    let content = "[ -~é☃]{0,40}".prop_map(|text| {
        let text = text.replace('\\', "\\\\").replace('"', "\\\"");
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
    });
    let quiet = prop_oneof![
        Just(": ping\n\n"),
        Just("event: ping\ndata: {}\n\n"),
        Just(
            "data: {\"choices\":\ndata: [{\"index\":0,\"delta\":{\"content\":\"two lines\"}}]}\n\n"
        ),
    ];
    prop_oneof![
        4 => content.clone(),
        1 => content.prop_map(|event| event.replace('\n', "\r\n")),
        1 => quiet.prop_map(str::to_owned),
    ]
}

/// A body in chunks that are not the reads' pieces.
fn stream(events: &[String], cuts: &[usize]) -> Vec<u8> {
    let mut answer =
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            .to_vec();
    let finish = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    let body = format!("{}{finish}data: [DONE]\n\n", events.concat());
    for piece in pieces(body.as_bytes(), cuts) {
        answer.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        answer.extend_from_slice(piece);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"0\r\n\r\n");
    answer
}

fn pieces<'a>(mut bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut lengths = cuts.iter().cycle();
    while !bytes.is_empty() {
        let (piece, rest) = bytes.split_at(bytes.len().min(*lengths.next().unwrap()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

/// What a client heard.
struct Heard {
    /// Head and decoded body of each answer.
    answers: Vec<(String, Vec<u8>)>,
    /// The last body came to its end.
    whole: bool,
}

/// Serves one client, and takes apart what it got; fails unless that is HTTP.
fn converse(desk: &mut Desk, asks: &[&[u8]], answers: &[&[u8]]) -> Heard {
    let mut bytes = Vec::new();
    let mut exchange = desk.accept();
    desk.serve(
        &mut exchange,
        asks.iter().copied(),
        answers.iter().copied(),
        |part| bytes.extend_from_slice(part),
    );
    assert_eq!(desk.totals().of(Count::Requests), desk.requests());
    let mut heard = Heard {
        answers: Vec::new(),
        whole: true,
    };
    let mut rest = bytes.as_mut_slice();
    while !rest.is_empty() {
        assert!(heard.whole, "more behind a body that was cut");
        let end = rest.windows(4).position(|four| four == b"\r\n\r\n");
        let (head, behind) = rest.split_at_mut(end.expect("a head has an end") + 4);
        // A provider's fields may hold bytes that are not ASCII (RFC 9110 section 5.5).
        let head = String::from_utf8_lossy(head).into_owned();
        assert!(head.starts_with("HTTP/1.1 "), "{head}");
        let length = if head.contains("transfer-encoding: chunked\r\n") {
            let step = Decoder::new()
                .decode(behind)
                .expect("chunks are well formed");
            heard.whole = step.done;
            let body = behind[..step.produced].to_vec();
            heard.answers.push((head, body));
            step.consumed
        } else {
            let (_, length) = head.split_once("content-length: ").expect("a length");
            let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
            heard.answers.push((head, behind[..length].to_vec()));
            length
        };
        rest = &mut behind[length..];
    }
    heard
}

/// `bytes` with one of a few things done to them.
fn spoilt(bytes: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    (
        0..5_u8,
        proptest::arbitrary::any::<Index>(),
        vec(proptest::arbitrary::any::<u8>(), 0..40),
    )
        .prop_map(move |(how, place, noise)| {
            let mut bytes = bytes.clone();
            let at = place.index(bytes.len());
            match how {
                0 => bytes.truncate(at),
                1 => {
                    bytes.splice(at..at, noise);
                }
                2 => {
                    let end = (at + noise.len()).min(bytes.len());
                    bytes.drain(at..end);
                }
                3 => bytes[at] ^= noise.first().copied().unwrap_or(1),
                _ => bytes = noise,
            }
            bytes
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    /// Two requests on one connection, sent without waiting: whatever the pieces are, the client gets the same.
    #[test]
    fn cuts_change_nothing(
        asked in cuts(),
        answered in cuts(),
        chunks in cuts(),
        events in vec(event(), 0..12),
    ) {
        let asks = [desk::request(false), desk::request(true), desk::request(false)].concat();
        let (whole, stream) = (desk::answer(), stream(&events, &chunks));
        let want = converse(&mut Desk::new(), &[&asks], &[&whole, &stream, &whole]);
        // The next answer never begins in the read in which the last one ends.
        let reads = [&whole, &stream, &whole].map(|answer| pieces(answer, &answered)).concat();
        let mut desk = Desk::new();
        let got = converse(&mut desk, &pieces(&asks, &asked), &reads);
        prop_assert_eq!(&got.answers, &want.answers);
        prop_assert!(got.whole && want.whole);
        prop_assert_eq!(desk.totals().of(Count::Answered), 3);
        prop_assert_eq!(got.answers.len(), 3);
    }

    /// Whatever a provider sends, its client gets one answer, which it can tell from a whole one if it is not.
    #[test]
    fn a_provider_may_send_anything(
        first in prop_oneof![spoilt(desk::answer()), spoilt(desk::stream(3).concat())],
        second in prop_oneof![spoilt(desk::answer()), spoilt(desk::stream(3).concat())],
        streams in proptest::arbitrary::any::<bool>(),
        cuts in cuts(),
    ) {
        let mut desk = Desk::new();
        let reads = [pieces(&first, &cuts), pieces(&second, &cuts)].concat();
        let heard = converse(&mut desk, &[&desk::request(streams)], &reads);
        prop_assert_eq!(heard.answers.len(), 1);
        prop_assert_eq!(desk.requests(), 1);
        let answered = desk.totals().of(Count::Answered) == 1;
        prop_assert!(heard.whole || !answered);
    }

    /// Whatever a client sends, it gets an answer for each request of which the head came, but for one that it cut.
    #[test]
    fn a_client_may_send_anything(
        first in prop_oneof![spoilt(desk::request(false)), spoilt(desk::request(true))],
        second in spoilt(desk::request(false)),
        cuts in cuts(),
    ) {
        let mut desk = Desk::new();
        let asks = [pieces(&first, &cuts), pieces(&second, &cuts)].concat();
        let answer = desk::answer();
        let heard = converse(&mut desk, &asks, &[&answer, &answer]);
        let gone = desk.totals().of(Count::ClientGone);
        prop_assert!(gone <= 1);
        prop_assert_eq!(heard.answers.len() as u64 + gone, desk.requests());
    }
}
