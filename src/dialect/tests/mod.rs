//! All formats with each other: every recorded stream and answer for every client's format, made-up requests from each
//! format to each, and bytes that nobody should send.

mod again;
mod counted;
mod hostile;
mod known;
mod meaning;
mod pieces;
mod turns;

use std::sync::LazyLock;

use crate::base::hash;
use crate::dialect::codec::Reply;
use crate::dialect::format::Format;
use crate::dialect::provider::StreamReader;
use crate::dialect::recorded::{Recorded, RecordedBody, all};
use crate::dialect::told::Told;
use crate::dialect::translation::Translator;
use crate::dialect::turn::Event;
use crate::wire::{base64, eventstream, sse};

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

/// A recorded stream.
struct Stream {
    name: String,
    /// That was spoken.
    format: Format,
    bytes: Vec<u8>,
}

/// All of them, as they came.
static STREAMS: LazyLock<Vec<Stream>> = LazyLock::new(|| {
    let streams: Vec<_> = all()
        .into_iter()
        .filter_map(|recorded| {
            Some(Stream {
                format: format_of(&recorded)?,
                name: recorded.name,
                bytes: match recorded.body {
                    RecordedBody::Sse(events) => events.concat().into_bytes(),
                    RecordedBody::EventStream(messages) => messages
                        .iter()
                        .flat_map(|message| base64::decode(message).unwrap())
                        .collect(),
                    RecordedBody::Whole(_) | RecordedBody::Lines => return None,
                },
            })
        })
        .collect();
    assert!(streams.len() > 85, "{}", streams.len());
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

/// What a client gets of a stream that comes in such pieces, the last length again and again, and whether it came to its
/// end.
fn said(
    stream: &[u8],
    provider: Format,
    client: Format,
    lengths: impl IntoIterator<Item = usize>,
) -> (Vec<u8>, bool) {
    let mut translator = Translator::new(provider, client, reply());
    let mut out = Vec::new();
    let mut rest = stream;
    let mut lengths = lengths.into_iter();
    let mut length = 1;
    loop {
        length = lengths.next().unwrap_or(length);
        let (piece, behind) = rest.split_at(length.max(1).min(rest.len()));
        rest = behind;
        match translator.feed(piece, rest.is_empty(), &mut out) {
            Err(_) => return (out, false),
            Ok(seen) if seen.error => return (out, false),
            Ok(_) if rest.is_empty() => break,
            Ok(_) => {}
        }
    }
    translator.end(&mut out);
    (out, true)
}

/// What the events of a stream tell.
fn told(stream: &[u8], format: Format) -> Told {
    let mut reader = StreamReader::new(format);
    let mut told = Told::default();
    let mut take = |name: &str, data: &[u8]| {
        reader.read(name, &mut data.to_vec(), &mut |event: Event<'_>| {
            told.take(&event);
        });
    };
    let mut rest = stream;
    if format == Format::Converse {
        while let Some(message) = eventstream::message_at_front(rest).unwrap() {
            take(message.name(rest), message.payload(rest));
            rest = &rest[message.len..];
        }
        return told;
    }
    let (mut splitter, mut several) = (sse::Splitter::new(), Vec::new());
    while let Some(event) = splitter.next(rest).unwrap() {
        if let Some(data) = event.data(rest, &mut several) {
            take(std::str::from_utf8(event.name(rest)).unwrap(), data);
        }
        rest = &rest[event.len..];
    }
    told
}

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn new(seed: u64, of: &str) -> Self {
        Self(hash::of_bytes(seed, of.as_bytes()))
    }

    /// From 0; `end` is none of them.
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(1);
        let bits = hash::mix(self.0, 0x9e37_79b9_7f4a_7c15);
        usize::try_from(hash::scale(bits, end as u64)).unwrap()
    }

    /// Once in so many times.
    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

/// How often a test with made-up inputs tries, unless an environment variable says otherwise.
fn rounds(variable: &str, usual: u64) -> u64 {
    std::env::var_os(variable).map_or(usual, |rounds| {
        rounds.into_string().unwrap().parse().unwrap()
    })
}
