//! The splitter of event streams: named cases, and agreement with a reference that follows the standard's text.

use proptest::prelude::prop;
use proptest::{prop_assert_eq, proptest};
use switchover::base::limits::EVENT_BYTES_MAX;
use switchover::wire::sse::{EventTooLong, Splitter};

use super::corpus;

#[test]
fn streams() {
    corpus::check(include_str!("../../corpus/wire/sse.cases"), |bytes| {
        let whole = split(bytes, &[]);
        for cut in 0..=bytes.len() {
            assert_eq!(split(bytes, &[cut]), whole, "cut at {cut}");
        }
        let every: Vec<_> = (0..bytes.len()).collect();
        assert_eq!(split(bytes, &every), whole, "byte by byte");
        let events: Vec<_> = whole.iter().map(describe).collect();
        events.join(" | ")
    });
}

/// A relay may not hold an event back once its last byte is there.
#[test]
fn an_event_is_there_with_its_last_byte() {
    for stream in ["data: 1\n\n", "data: 1\r\n\r\n", "data: 1\r\r", ": x\n\n"] {
        let mut splitter = Splitter::new();
        for end in 0..stream.len() {
            assert_eq!(splitter.next(&stream.as_bytes()[..end]), Ok(None));
        }
        let event = splitter.next(stream.as_bytes()).unwrap().unwrap();
        assert_eq!(event.len, stream.len());
    }
}

#[test]
fn events_are_bounded() {
    let event = |len: usize| format!("data: {}\n\n", "x".repeat(len - 8)).into_bytes();
    let longest = event(EVENT_BYTES_MAX);
    assert_eq!(
        Splitter::new().next(&longest).unwrap().unwrap().len,
        EVENT_BYTES_MAX
    );
    let longer = event(EVENT_BYTES_MAX + 1);
    assert_eq!(Splitter::new().next(&longer), Err(EventTooLong));
    assert_eq!(Splitter::new().next(&longer[..EVENT_BYTES_MAX]), Ok(None));
    let mut splitter = Splitter::new();
    assert_eq!(splitter.next(&vec![b'x'; EVENT_BYTES_MAX]), Ok(None));
    assert_eq!(
        splitter.next(&vec![b'x'; EVENT_BYTES_MAX + 1]),
        Err(EventTooLong)
    );
}

proptest! {
    #![proptest_config(super::cases(500))]

    #[test]
    fn agrees_with_the_reference(
        text in "(\u{feff})?(data: ?|data|event:|: |id:|[a-c ]{1,2}|\n|\r\n|\r|\n\n|\r\n\r\n){0,24}",
        cuts in prop::collection::vec(0_usize..90, 0..6),
    ) {
        // A last byte that is no LF: otherwise a CR before it could still become a CR LF.
        let text = text + ":";
        let whole = split(text.as_bytes(), &[]);
        prop_assert_eq!(split(text.as_bytes(), &cuts), whole.clone());
        let with_data: Vec<_> = whole
            .into_iter()
            .filter(|split| !split.at_end)
            .filter_map(|split| Some((split.name, split.data?)))
            .collect();
        prop_assert_eq!(with_data, reference(&text));
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Split {
    at_end: bool,
    name: Vec<u8>,
    data: Option<Vec<u8>>,
    bytes: Vec<u8>,
}

fn describe(split: &Split) -> String {
    let end = if split.at_end { "end" } else { "" };
    match &split.data {
        None => format!("{end}-"),
        Some(data) => format!(
            "{end}{}\"{}\"",
            split.name.escape_ascii(),
            data.escape_ascii()
        ),
    }
}

/// Runs the loop of a relay over `bytes` in the pieces that `cuts` make.
fn split(bytes: &[u8], cuts: &[usize]) -> Vec<Split> {
    let mut ends: Vec<_> = cuts.iter().map(|&cut| cut.min(bytes.len())).collect();
    ends.push(bytes.len());
    ends.sort_unstable();
    let mut splitter = Splitter::new();
    let mut events = Vec::new();
    let mut scratch = Vec::new();
    let mut at = 0;
    for end in ends {
        while let Some(event) = splitter.next(&bytes[at..end]).unwrap() {
            assert_eq!(
                event.has_data(),
                event.data(&bytes[at..end], &mut scratch).is_some()
            );
            events.push(Split {
                at_end: false,
                name: event.name(&bytes[at..end]).to_vec(),
                data: event
                    .data(&bytes[at..end], &mut scratch)
                    .map(<[u8]>::to_vec),
                bytes: bytes[at..at + event.len].to_vec(),
            });
            at += event.len;
        }
    }
    if let Some(event) = splitter.finish(&bytes[at..]) {
        events.push(Split {
            at_end: true,
            name: event.name(&bytes[at..]).to_vec(),
            data: event.data(&bytes[at..], &mut scratch).map(<[u8]>::to_vec),
            bytes: bytes[at..at + event.len].to_vec(),
        });
    }
    let relayed: Vec<u8> = events
        .iter()
        .flat_map(|event| event.bytes.clone())
        .collect();
    assert_eq!(relayed, bytes, "a relay forwards what it read");
    events
}

/// The algorithm of the standard, line by line: the names and data of the events that are dispatched.
fn reference(text: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut events = Vec::new();
    let (mut name, mut data) = (String::new(), None::<String>);
    let lines: Vec<_> = text.split('\n').collect();
    // What follows the last line end is no line yet.
    for line in &lines[..lines.len() - 1] {
        if line.is_empty() {
            if let Some(data) = data.take() {
                events.push((name.clone().into_bytes(), data.into_bytes()));
            }
            name.clear();
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut name),
            "data" => {
                data =
                    Some(data.map_or_else(|| value.to_owned(), |data| format!("{data}\n{value}")));
            }
            _ => {}
        }
    }
    events
}
