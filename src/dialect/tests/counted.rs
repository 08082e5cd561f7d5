//! What answers say they took: read from the text of one that passes as it is, and by the reader of its format.

use crate::dialect::codec::Reply;
use crate::dialect::format::Format;
use crate::dialect::openai::{EventKind, event_kind};
use crate::dialect::provider::StreamReader;
use crate::dialect::recorded::{RecordedBody, all, data_of, name_of};
use crate::dialect::tests::{CLIENTS, format_of};
use crate::dialect::translation;
use crate::dialect::turn::{Event, Usage};
use crate::dialect::usage_of_answer;

#[test]
fn recorded_answers_count_the_same_read_either_way() {
    let mut counted = [0; CLIENTS.len()];
    for recorded in all() {
        let Some(format) = format_of(&recorded) else {
            continue;
        };
        let Some(place) = CLIENTS.iter().position(|&client| client == format) else {
            continue;
        };
        let RecordedBody::Whole(body) = recorded.body else {
            continue;
        };
        let (mut copy, mut said) = (body.clone(), Vec::new());
        let read = translation::answer(
            &mut copy,
            format,
            Format::Chat,
            &Reply::default(),
            &mut said,
        );
        if let Ok(usage) = read {
            assert_eq!(usage_of_answer(format, &body), usage, "{}", recorded.name);
            counted[place] += usize::from(usage.is_some());
        }
    }
    assert!(counted.iter().all(|&count| count >= 5), "{counted:?}");
}

#[test]
fn recorded_streams_of_chat_completions_count_the_same_read_either_way() {
    let mut counted = 0;
    for recorded in all() {
        if format_of(&recorded) != Some(Format::Chat) {
            continue;
        }
        let RecordedBody::Sse(events) = recorded.body else {
            continue;
        };
        let mut reader = StreamReader::new(Format::Chat);
        let (mut read, mut found): (Option<Usage>, Option<Usage>) = (None, None);
        for event in events {
            let Some(data) = data_of(&event) else {
                continue;
            };
            let kind = event_kind(data.as_bytes());
            if matches!(kind, EventKind::Lifecycle | EventKind::Finish) {
                found = usage_of_answer(Format::Chat, data.as_bytes()).or(found);
            }
            let mut copy = data.into_bytes();
            reader.read(name_of(&event), &mut copy, &mut |event| {
                if let Event::Usage(usage) = event {
                    read = Some(usage);
                }
            });
        }
        assert_eq!(found, read, "{}", recorded.name);
        counted += usize::from(read.is_some());
    }
    assert!(counted >= 10, "{counted}");
}
