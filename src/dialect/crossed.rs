//! Every recorded stream for every client's format: however its bytes are cut, the client gets the same.

use std::sync::LazyLock;

use proptest::prelude::{ProptestConfig, any, proptest};

use crate::dialect::codec::{Destination, Reply};
use crate::dialect::format::Format;
use crate::dialect::provider::{StreamReader, read_answer};
use crate::dialect::recorded::{Recorded, RecordedBody, all};
use crate::dialect::told::{Call, Told};
use crate::dialect::translation::{Translator, answer, request};
use crate::dialect::turn::Event;
use crate::policy::model::ProviderKind;
use crate::wire::json::Tree;
use crate::wire::sse;

const CLIENTS: [Format; 4] = [
    Format::Chat,
    Format::Responses,
    Format::Messages,
    Format::Gemini,
];

/// The format that was spoken; `None` where it is not spoken here.
fn format_of(recorded: &Recorded) -> Option<Format> {
    match (recorded.endpoint.as_str(), recorded.folder) {
        ("chat-completions", _) => Some(Format::Chat),
        ("responses", _) => Some(Format::Responses),
        ("messages", _) => Some(Format::Messages),
        ("generate-content", _) => Some(Format::Gemini),
        ("converse", _) => Some(Format::Converse),
        ("chat", "cohere") => Some(Format::Cohere),
        _ => None,
    }
}

/// A recorded stream: its name, the format that was spoken, its bytes.
type Stream = (String, Format, Vec<u8>);

/// The streams in server-sent events, as they came.
static STREAMS: LazyLock<Vec<Stream>> = LazyLock::new(|| {
    let streams: Vec<_> = all()
        .into_iter()
        .filter_map(|recorded| {
            let format = format_of(&recorded)?;
            match recorded.body {
                RecordedBody::Sse(events) => {
                    Some((recorded.name, format, events.concat().into_bytes()))
                }
                _ => None,
            }
        })
        .collect();
    assert!(streams.len() > 70, "{}", streams.len());
    streams
});

fn reply() -> Reply {
    Reply {
        id: "0123456789abcdef".to_owned(),
        created: 1_700_000_000,
        model: "m".to_owned(),
        stream_usage: true,
        ..Reply::default()
    }
}

/// What a client gets of a stream that comes in such pieces, the last length again and again.
fn said(stream: &[u8], provider: Format, client: Format, lengths: &[usize]) -> Vec<u8> {
    let mut translator = Translator::new(provider, client, reply());
    let mut out = Vec::new();
    let mut rest = stream;
    let mut lengths = lengths.iter().copied();
    let mut length = 1;
    let mut failed = false;
    while !failed {
        length = lengths.next().unwrap_or(length);
        let (piece, behind) = rest.split_at(length.clamp(1, rest.len().max(1)).min(rest.len()));
        rest = behind;
        let ended = rest.is_empty();
        match translator.feed(piece, ended, &mut out) {
            Ok(seen) => failed = seen.error,
            Err(_) => failed = true,
        }
        if ended {
            break;
        }
    }
    if !failed {
        translator.end(&mut out);
    }
    out
}

/// What the events of a stream tell.
fn told(stream: &[u8], format: Format) -> Told {
    let mut reader = StreamReader::new(format);
    let mut told = Told::default();
    let mut splitter = sse::Splitter::new();
    let (mut rest, mut several) = (stream, Vec::new());
    while let Ok(Some(event)) = splitter.next(rest) {
        if let Some(data) = event.data(rest, &mut several) {
            let (name, mut data) = (event.name(rest), data.to_vec());
            let name = std::str::from_utf8(name).unwrap();
            reader.read(name, &mut data, &mut |event: Event<'_>| told.take(&event));
        }
        rest = &rest[event.len..];
    }
    told
}

/// The declared losses: most formats have no words for a refusal beside text, and Gemini none for a call that was cut off.
fn same(there: &Told, source: &Told, client: Format, place: &str) {
    let words = |told: &Told| format!("{}{}", told.text, told.refusal);
    assert_eq!(words(there), words(source), "{place}");
    let is_whole = |call: &&Call| {
        client != Format::Gemini || Tree::parse(&mut call.arguments.clone().into_bytes()).is_ok()
    };
    let expected: Vec<&Call> = source.calls.iter().filter(is_whole).collect();
    assert_eq!(there.calls.iter().collect::<Vec<_>>(), expected, "{place}");
}

#[test]
fn pieces_make_no_difference() {
    for (number, (name, provider, stream)) in STREAMS.iter().enumerate() {
        for (place, client) in CLIENTS.into_iter().enumerate() {
            let whole = said(stream, *provider, client, &[stream.len()]);
            assert!(!whole.is_empty() || name.contains("error"), "{name}");
            let mut cuts: Vec<&[usize]> = vec![&[7], &[1_400], &[3, 900, 1, 2, 77, 5_000, 13]];
            // The slowest way, and no writer sees how a stream is cut: by turns.
            if place == number % CLIENTS.len() {
                cuts.push(&[1]);
            }
            for lengths in cuts {
                let pieces = said(stream, *provider, client, lengths);
                assert!(pieces == whole, "{name} for {}: {lengths:?}", client.word());
            }
        }
    }
}

#[test]
fn a_stream_tells_every_client_the_same() {
    for (name, provider, stream) in STREAMS.iter() {
        let source = told(stream, *provider).meaning();
        if source.failed || source.finish.is_none() {
            continue;
        }
        for client in CLIENTS {
            let there = told(&said(stream, *provider, client, &[stream.len()]), client).meaning();
            let place = format!("{name} for {}", client.word());
            same(&there, &source, client, &place);
        }
    }
}

#[test]
fn whole_answers_tell_every_client_the_same() {
    let mut count = 0;
    for recorded in all() {
        let (Some(provider), 200) = (format_of(&recorded), recorded.status) else {
            continue;
        };
        let RecordedBody::Whole(body) = recorded.body else {
            continue;
        };
        let of = |format: Format, bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let tree = Tree::parse(&mut bytes).ok()?;
            let read = read_answer(format, tree.root()).ok()?;
            Some(Told::of_answer(&read).meaning())
        };
        for client in CLIENTS {
            let mut out = Vec::new();
            if answer(&mut body.clone(), provider, client, &reply(), &mut out).is_err() {
                continue;
            }
            let (source, there) = (of(provider, &body).unwrap(), of(client, &out).unwrap());
            let place = format!("{} for {}", recorded.name, client.word());
            same(&there, &source, client, &place);
            count += 1;
        }
    }
    assert!(count > 200, "{count}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A recording with bytes changed, cut off and in pieces never takes the process down, and makes no flood.
    #[test]
    fn hostile_streams_do_no_harm(
        pick in any::<proptest::sample::Index>(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..8),
        length in 1_usize..2_000,
        client in proptest::sample::select(&CLIENTS[..]),
    ) {
        let (_, provider, stream) = &STREAMS[pick.index(STREAMS.len())];
        let mut stream = stream.clone();
        for (at, byte) in changes {
            let at = at.index(stream.len());
            stream[at] = byte;
        }
        let out = said(&stream, *provider, client, &[length]);
        assert!(out.len() <= 64 * stream.len() + 65_536, "{}", out.len());
    }

    /// Neither do arbitrary bytes, in place of a request, an answer or a stream.
    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let to = Destination {
            kind: ProviderKind::OpenAi,
            model: "m",
            max_output: None,
        };
        for client in CLIENTS {
            for provider in Format::ALL {
                let mut out = Vec::new();
                let _ = request(&mut bytes.clone(), client, &to, provider, false, &mut out);
                let _ = answer(&mut bytes.clone(), provider, client, &reply(), &mut out);
                said(&bytes, provider, client, &[7]);
            }
        }
    }
}
