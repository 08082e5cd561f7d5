//! Streams of other formats, as they are written for a client of this one.

use serde_json::Value;

use super::{Meaning, check_stream, events_of, read, reply, with_tree};
use crate::dialect::recorded::{self, Recorded, RecordedBody, data_of, name_of};
use crate::dialect::responses::Writer;
use crate::dialect::turn::Event;
use crate::dialect::{gemini, messages};
use crate::wire::json::Node;

/// Reads one event of a stream: its name and data.
type Read<'r> = &'r mut dyn FnMut(&str, Node<'_>, &mut dyn FnMut(Event<'_>));

/// ll #37852, #22102: calls without words before them, items that are closed but never opened.
#[test]
fn litellm_37852_recorded_streams_of_others_keep_the_rules() {
    let mut count = 0;
    for recorded in recorded::all() {
        let (mut messages, mut gemini) = (
            messages::stream::Reader::default(),
            gemini::stream::Reader::default(),
        );
        count += u32::from(match recorded.folder {
            "anthropic" => check(&recorded, &mut |name, data, take| {
                messages.read(name, data, take);
            }),
            "gemini" | "vertex" => check(&recorded, &mut |name, data, take| {
                gemini.read(name, data, take);
            }),
            _ => false,
        });
    }
    assert!(count >= 20, "{count} streams");
}

/// Whether it is a stream that came to its end.
fn check(recorded: &Recorded, read_event: Read<'_>) -> bool {
    let RecordedBody::Sse(events) = &recorded.body else {
        return false;
    };
    let (mut meaning, mut writer) = (Meaning::default(), Writer::new(reply()));
    let (mut out, mut failed) = (Vec::new(), false);
    for event in events {
        let Some(data) = data_of(event) else { continue };
        let Ok(data) = serde_json::from_str::<Value>(&data) else {
            return false;
        };
        with_tree(&data, |data| {
            read_event(name_of(event), data, &mut |event| {
                failed |= event == Event::Error;
                if !failed {
                    meaning.take(&event);
                    writer.write(&event, &mut out);
                }
            });
        });
    }
    if failed || meaning.finish.is_none() {
        return false;
    }
    writer.write(&Event::End, &mut out);
    let events = events_of(&String::from_utf8(out).unwrap());
    check_stream(&events);
    let mut expected = meaning.without_seals().said;
    for (at, (kind, text)) in expected
        .iter_mut()
        .filter(|(kind, _)| *kind == "call")
        .enumerate()
    {
        assert_eq!(*kind, "call");
        if text.starts_with(' ') {
            let at = u32::try_from(at).unwrap();
            let id =
                crate::dialect::ids::made_up("0k7q", at, crate::dialect::ids::IdForm::Responses);
            text.insert_str(0, &id);
        }
        if text.ends_with(' ') {
            text.push_str("{}");
        }
    }
    assert_eq!(read(&events).said, expected, "{}", recorded.name);
    true
}
