//! Streams: what is written reads the same as what was read, and what providers do to them.

use crate::dialect::gemini::stream::{Reader, Writer};
use crate::dialect::recorded::{RecordedBody, data_of};
use crate::dialect::turn::{Event, Finish, Usage};
use crate::wire::json::Tree;

use super::{Meaning, all, reply};

/// Reads the events, writes them for a client, and reads those.
#[test]
fn streams_come_out_as_they_went_in() {
    for recorded in all() {
        let RecordedBody::Sse(events) = &recorded.body else {
            continue;
        };
        let events: Vec<_> = events.iter().filter_map(|it| data_of(it)).collect();
        let mut first = Meaning::of_stream(events.iter().map(String::as_str));
        let out = written_again(&events);
        for (at, call) in first.calls.iter_mut().enumerate() {
            call.3 = at == 0;
            if call.0.is_empty() {
                let number = u32::try_from(at).unwrap();
                call.0 =
                    crate::dialect::ids::made_up("gw1", number, crate::dialect::ids::IdForm::Any);
            }
        }
        let again: Vec<_> = out
            .split_inclusive("\r\n\r\n")
            .filter_map(data_of)
            .collect();
        let again = Meaning::of_stream(again.iter().map(String::as_str));
        assert_eq!(again, first, "{}", recorded.name);
    }
}

#[test]
fn events_as_google_frames_them() {
    let mut writer = Writer::new(reply());
    let mut out = Vec::new();
    for event in [
        Event::Start {
            id: "r1",
            model: "m1",
        },
        Event::Usage(Usage {
            input: 9,
            ..Usage::default()
        }),
        Event::Reasoning("hm"),
        Event::Signature("foreign"),
        Event::Text(""),
        Event::Text("I look."),
        Event::ToolCall {
            at: 0,
            id: "call_1",
            name: "look",
            signature: None,
        },
        Event::ToolArguments {
            at: 0,
            text: "{\"city\":",
        },
        Event::ToolCall {
            at: 1,
            id: "",
            name: "list",
            signature: None,
        },
        Event::ToolArguments {
            at: 0,
            text: "\"Bern\"}",
        },
        Event::Finish {
            finish: Finish::ToolCalls,
            stop_sequence: None,
        },
        Event::Usage(Usage {
            input: 9,
            output: 5,
            ..Usage::default()
        }),
        Event::End,
        Event::Text("too late"),
    ] {
        writer.write(&event, &mut out);
    }
    assert_eq!(
        String::from_utf8(out).unwrap(),
        concat!(
            r#"data: {"candidates":[{"content":{"parts":[{"text":"hm","thought":true}],"role":"model"},"index":0}],"modelVersion":"m1","responseId":"r1"}"#,
            "\r\n\r\n",
            r#"data: {"candidates":[{"content":{"parts":[{"text":"I look."}],"role":"model"},"index":0}],"modelVersion":"m1","responseId":"r1"}"#,
            "\r\n\r\n",
            r#"data: {"candidates":[{"content":{"parts":[{"functionCall":{"id":"call_1","name":"look","args":{"city":"Bern"}},"thoughtSignature":"c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="},"#,
            r#"{"functionCall":{"id":"call_s56fe7t25chmh7evbf1csqp5","name":"list","args":{}}}],"role":"model"},"finishReason":"STOP","index":0}],"#,
            r#""usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":5,"totalTokenCount":14},"modelVersion":"m1","responseId":"r1"}"#,
            "\r\n\r\n",
        )
    );
}

/// A call cut off by the tokens that were left cannot be said in this format.
#[test]
fn a_call_that_was_cut_off() {
    for (finish, word) in [
        (Finish::Length, "MAX_TOKENS"),
        (Finish::ToolCalls, "MALFORMED_FUNCTION_CALL"),
    ] {
        let mut writer = Writer::new(reply());
        let mut out = Vec::new();
        for event in [
            Event::Start { id: "", model: "" },
            Event::ToolCall {
                at: 0,
                id: "c",
                name: "look",
                signature: None,
            },
            Event::ToolArguments {
                at: 0,
                text: "{\"city\":\"Be",
            },
            Event::Finish {
                finish,
                stop_sequence: None,
            },
            Event::End,
        ] {
            writer.write(&event, &mut out);
        }
        let out = String::from_utf8(out).unwrap();
        assert!(out.contains(word) && !out.contains("functionCall"), "{out}");
    }
}

#[test]
fn nothing_is_written_for_an_error() {
    let mut writer = Writer::new(reply());
    let mut out = Vec::new();
    for event in [Event::Error, Event::Text("x"), Event::End] {
        writer.write(&event, &mut out);
    }
    assert!(out.is_empty());
}

#[test]
fn a_blocked_prompt_ends_the_stream() {
    let meaning = Meaning::of_stream(
        [r#"{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":3}}"#].into_iter(),
    );
    assert_eq!(meaning.finish, Some(Finish::ContentFilter));
    assert_eq!(meaning.usage.unwrap().input, 3);
}

#[test]
fn an_error_ends_the_stream() {
    let meaning = Meaning::of_stream(
        [
            r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#,
            r#"{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}]}"#,
        ]
        .into_iter(),
    );
    assert!(meaning.failed);
    assert_eq!((&*meaning.text, meaning.finish), ("a", None));
}

/// An empty part with a proof may follow the end; words may not: what was taken for the whole answer was not.
#[test]
fn words_after_the_end_are_an_error() {
    let end = r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}"#;
    let proof = r#"{"candidates":[{"content":{"parts":[{"text":"","thoughtSignature":"s"}]},"finishReason":"STOP"}]}"#;
    let more = r#"{"candidates":[{"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}]}"#;
    let meaning = Meaning::of_stream([end, proof].into_iter());
    assert_eq!(
        (meaning.finish, meaning.failed),
        (Some(Finish::Stop), false)
    );
    assert!(Meaning::of_stream([end, more].into_iter()).failed);
}

/// `vercel/ai` and `CLIProxyAPI` count once; the totals grow from chunk to chunk, and the last ones count.
#[test]
fn usage_of_the_last_chunk_counts() {
    let chunk = |count: u32| {
        format!(
            r#"{{"candidates":[{{"content":{{"parts":[{{"text":"a"}}]}}}}],"usageMetadata":{{"promptTokenCount":5,"candidatesTokenCount":{count}}}}}"#
        )
    };
    let chunks = [
        chunk(1),
        chunk(4),
        r#"{"usageMetadata":{"trafficType":"ON_DEMAND"}}"#.to_owned(),
    ];
    let meaning = Meaning::of_stream(chunks.iter().map(String::as_str));
    assert_eq!(meaning.usage.unwrap().output, 4);
}

fn written_again(events: &[String]) -> String {
    let (mut reader, mut writer) = (Reader::default(), Writer::new(reply()));
    let mut out = Vec::new();
    for event in events {
        let mut text = event.as_bytes().to_vec();
        let tree = Tree::parse(&mut text).unwrap();
        reader.read("", tree.root(), &mut |event| writer.write(&event, &mut out));
    }
    writer.write(&Event::End, &mut out);
    String::from_utf8(out).unwrap()
}
