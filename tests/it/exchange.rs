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

/// Two providers, each with a pool, for a request that is refused again and again.
const POOLS: &str = r#"policy 1
provider first {
  kind = openai_compatible, base_url = "http://127.0.0.1:1/v1"
  auth = keys(env("A"), env("B"), env("C")), model small = "up-small"
}
provider second {
  kind = openai_compatible, base_url = "http://127.0.0.1:2/v1"
  auth = keys(env("D"), env("E"), pick = in_order), model small = "up-small"
}
retries none { max = 0 }
defaults { retries = none }
route default {
  tier 1 { first.small }
  tier 2 { second.small }
  fallback { on any -> next, else -> reject(503) }
}
"#;

/// An error answer with an empty object, which only its status explains.
fn refusal(status: u16) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} No\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
    )
    .into_bytes()
}

#[test]
fn keys_are_tried_before_the_next_provider() {
    let mut desk = Desk::under(POOLS);
    desk.sent = Some(Vec::new());
    let answers = [
        refusal(401),
        refusal(429),
        refusal(402),
        refusal(403),
        desk::answer(),
    ];
    let answers: Vec<_> = answers.iter().map(Vec::as_slice).collect();
    let heard = converse(&mut desk, &[&desk::request(false)], &answers);
    let (head, _) = &heard.answers[0];
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(
        head.contains("x-switchover-target: second.small\r\n"),
        "{head}"
    );
    let sent = desk.sent.take().unwrap();
    let providers: Vec<_> = sent.iter().map(|(provider, _)| provider.0).collect();
    assert_eq!(providers, [0, 0, 0, 1, 1]);
    let mut keys: Vec<_> = sent.iter().map(|(_, bytes)| key_of(bytes)).collect();
    assert_eq!(keys[3..], ["sk-second-00", "sk-second-01"]);
    keys.truncate(3);
    keys.sort_unstable();
    assert_eq!(keys, ["sk-first-00", "sk-first-01", "sk-first-02"]);
}

/// The one key in a request's head.
fn key_of(bytes: &[u8]) -> &str {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let head = str::from_utf8(&bytes[..end.unwrap()]).unwrap();
    let mut keys = head
        .split("\r\n")
        .filter_map(|line| line.strip_prefix("authorization: Bearer "));
    let key = keys.next().unwrap();
    assert!(
        keys.next().is_none() && head.matches("sk-").count() == 1,
        "{head}"
    );
    key
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever providers answer, a key goes to its own provider and to nobody else, and no body holds one.
    #[test]
    fn a_key_goes_to_its_own_provider_only(
        statuses in vec(proptest::sample::select(vec![200_u16, 400, 401, 402, 403, 404, 429, 500, 503]), 1..12),
        requests in 1..4_usize,
    ) {
        let mut desk = Desk::under(POOLS);
        desk.sent = Some(Vec::new());
        let answers: Vec<_> = statuses
            .iter()
            .map(|&status| if status == 200 { desk::answer() } else { refusal(status) })
            .collect();
        let reads: Vec<_> = answers.iter().map(Vec::as_slice).collect();
        let asks = desk::request(false).repeat(requests);
        let heard = converse(&mut desk, &[&asks], &reads);
        for (head, body) in &heard.answers {
            prop_assert!(!head.contains("sk-") && !String::from_utf8_lossy(body).contains("sk-"));
        }
        for (provider, bytes) in desk.sent.take().unwrap() {
            let name = ["sk-first-", "sk-second-"][provider.index()];
            prop_assert!(key_of(&bytes).starts_with(name));
            let text = String::from_utf8_lossy(&bytes);
            prop_assert_eq!(text.matches("sk-").count(), 1, "{}", text);
        }
    }
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

/// Claude's format has to name a limit; a client that names none gets all that the model can say.
#[test]
fn a_limit_that_nobody_named_is_the_models_own() {
    let limits = [
        ("id = \"claude-haiku-4-5\"", "", 64_000),
        ("id = \"claude-haiku-4-5\"", ",\"max_tokens\":90000", 64_000),
        ("id = \"claude-haiku-4-5\"", ",\"max_tokens\":9", 9),
        ("id = \"claude-haiku-4-5\", max_output = 500", "", 500),
        ("id = \"unheard-of\"", "", 4_096),
    ];
    for (model, member, limit) in limits {
        let mut desk = Desk::under(&format!(
            "policy 1\nprovider anthropic {{ auth = none, model a {{ {model} }} }}\n\
             route default {{ tier 1 {{ anthropic.a }} }}\n"
        ));
        desk.sent = Some(Vec::new());
        let body = format!(
            "{{\"model\":\"m\",\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]{member}}}"
        );
        let ask = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";
        let mut exchange = desk.accept();
        desk.serve(&mut exchange, [ask.as_bytes()], [&answer[..]], |_| {});
        let sent = desk.sent.take().unwrap();
        let first = String::from_utf8(sent[0].1.clone()).unwrap();
        assert!(
            first.contains(&format!("\"max_tokens\":{limit},")),
            "{model} {member}: {first}"
        );
    }
}
