//! The format against what providers really sent, and the traps that others fell into.

mod requests;
mod streams;

use super::{Reader, Writer, read_answer, write_answer};
use crate::dialect::codec::Reply;
use crate::dialect::recorded::{self, Recorded, RecordedBody, data_of};
use crate::dialect::told::Told;
use crate::dialect::turn::{Event, Finish};
use crate::wire::json::{Tree, Writer as Json};

/// The recordings of this format.
fn recordings() -> Vec<Recorded> {
    let mut all = recorded::all();
    all.retain(|recorded| recorded.endpoint == "chat-completions");
    assert_eq!(all.len(), 118);
    all
}

fn reply() -> Reply {
    Reply {
        id: "0123".to_owned(),
        created: 7,
        model: "asked".to_owned(),
        stream_usage: true,
        ..Reply::default()
    }
}

/// What the events of a stream tell.
fn told_by(events: &[String]) -> Told {
    let (mut reader, mut told) = (Reader::default(), Told::default());
    for data in events.iter().filter_map(|event| data_of(event)) {
        if data.starts_with("[DONE]") {
            told.take(&Event::End);
            continue;
        }
        let mut data = data.into_bytes();
        let tree = Tree::parse(&mut data).expect("recorded events are JSON");
        reader.read("", tree.root(), &mut |event| told.take(&event));
    }
    told
}

/// The recorded streams that are answers.
fn streams() -> Vec<(String, Vec<String>)> {
    recordings()
        .into_iter()
        .filter(|recorded| recorded.status == 200)
        .filter_map(|recorded| match recorded.body {
            RecordedBody::Sse(events) => Some((recorded.name, events)),
            _ => None,
        })
        .collect()
}

#[test]
fn recorded_answers_are_read_and_written_again() {
    let mut seen = 0;
    for recorded in recordings() {
        let (RecordedBody::Whole(body), 200) = (&recorded.body, recorded.status) else {
            continue;
        };
        let mut body = body.clone();
        let tree = Tree::parse(&mut body).unwrap();
        let answer =
            read_answer(tree.root()).unwrap_or_else(|bad| panic!("{}: {bad:?}", recorded.name));
        let told = Told::of_answer(&answer);
        assert!(
            told.finish == Some(Finish::Length)
                || !(told.text.is_empty()
                    && told.calls.is_empty()
                    && told.thoughts.is_empty()
                    && told.refusal.is_empty()),
            "{} says something",
            recorded.name
        );
        assert!(told.usage.is_some(), "{}", recorded.name);
        assert!(!told.model.is_empty(), "{}", recorded.name);
        if recorded.has("tool-call") {
            assert!(!told.calls.is_empty(), "{}", recorded.name);
        }
        let mut out = Vec::new();
        write_answer(&answer, &reply(), &mut Json::new(&mut out));
        let again = Tree::parse(&mut out).unwrap();
        let again = Told::of_answer(&read_answer(again.root()).unwrap());
        let mut usage = told.usage.unwrap();
        // Written only where there is any.
        usage.cache_write = again.usage.unwrap().cache_write;
        assert_eq!(
            Told {
                usage: Some(usage),
                ..again.meaning()
            },
            Told {
                usage: Some(usage),
                ..told.meaning()
            },
            "{}",
            recorded.name
        );
        seen += 1;
    }
    assert!(seen > 40, "{seen}");
}

#[test]
fn recorded_streams_are_read_and_written_again() {
    for (name, events) in streams() {
        let told = told_by(&events);
        if name.contains("tool-use-failed") {
            assert!(told.failed, "{name}");
            continue;
        }
        assert!(told.finish.is_some(), "{name}");
        assert!(!told.model.is_empty(), "{name}");
        let (mut reader, mut writer, mut out) =
            (Reader::default(), Writer::new(reply()), Vec::new());
        for data in events.iter().filter_map(|event| data_of(event)) {
            let mut data = data.into_bytes();
            if let Ok(tree) = Tree::parse(&mut data) {
                reader.read("", tree.root(), &mut |event| writer.write(&event, &mut out));
            }
        }
        writer.write(&Event::End, &mut out);
        let text = String::from_utf8(out).unwrap();
        let written: Vec<String> = text.split_inclusive("\n\n").map(str::to_owned).collect();
        let again = told_by(&written);
        assert!(again.ended, "{name}");
        assert_eq!(again.meaning(), told.meaning(), "{name}");
        assert!(
            text.starts_with("data: {\"id\":\"chatcmpl-0123\""),
            "{name}"
        );
        assert_eq!(text.matches("\"finish_reason\":\"").count(), 1, "{name}");
        assert_eq!(text.matches("\"role\":\"assistant\"").count(), 1, "{name}");
    }
}
