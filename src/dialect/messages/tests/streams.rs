//! Streams: the shapes that nobody records.

use serde_json::Value;

use super::{folded, written};
use crate::dialect::recorded::{data_of, name_of};
use crate::dialect::turn::Event::{self, End, Finish, Reasoning, Refusal, Signature, Text};
use crate::dialect::turn::{self, Usage};

const START: Event<'_> = Event::Start {
    id: "",
    model: "gpt-5",
};
const STOP: Event<'_> = Finish {
    finish: turn::Finish::Stop,
    stop_sequence: None,
};

const fn call(at: u32, id: &str) -> Event<'_> {
    Event::ToolCall {
        at,
        id,
        name: "f",
        signature: None,
    }
}

const fn arguments(at: u32, text: &str) -> Event<'_> {
    Event::ToolArguments { at, text }
}

// The events of a stream as a client's SDK takes them: `message_start` first, blocks numbered from 0 without a gap, one
/// open at a time, no empty text. One line each.
fn outline(events: &[Event<'_>]) -> Vec<String> {
    let events = written(events);
    let mut lines = Vec::new();
    let (mut next, mut open) = (0, false);
    for (at, event) in events.iter().enumerate() {
        let data: Value = serde_json::from_str(&data_of(event).unwrap()).unwrap();
        let name = name_of(event);
        assert_eq!(data["type"], name, "every event has its name twice");
        assert_eq!(at == 0, name == "message_start");
        match name {
            "content_block_start" => {
                assert!(!open && data["index"] == next, "{event}");
                open = true;
                let block = &data["content_block"];
                let id = block["id"].as_str().unwrap_or_default();
                lines.push(
                    format!("+ {} {id}", block["type"].as_str().unwrap())
                        .trim_end()
                        .to_owned(),
                );
            }
            "content_block_delta" => {
                assert!(open && data["index"] == next, "{event}");
                let delta = data["delta"].as_object().unwrap();
                let text = delta
                    .iter()
                    .find(|(key, _)| *key != "type")
                    .unwrap()
                    .1
                    .as_str()
                    .unwrap();
                assert!(!text.is_empty());
                lines.push(format!(
                    "{} {text}",
                    data["delta"]["type"]
                        .as_str()
                        .unwrap()
                        .replace("_delta", "")
                ));
            }
            "content_block_stop" => {
                assert!(open && data["index"] == next, "{event}");
                (open, next) = (false, next + 1);
            }
            "message_delta" => {
                assert!(!open);
                lines.push(format!(
                    "= {}",
                    data["delta"]["stop_reason"].as_str().unwrap()
                ));
            }
            "message_stop" => lines.push(".".to_owned()),
            _ => assert_eq!(name, "message_start"),
        }
    }
    lines
}

#[test]
fn a_stream_to_the_letter() {
    let usage = Usage {
        input: 12,
        cache_read: 2,
        output: 3,
        ..Usage::default()
    };
    let events = written(&[
        START,
        Text("Hi"),
        STOP,
        Event::Usage(usage),
        End,
        Text("more"),
        End,
    ]);
    assert_eq!(
        events.concat(),
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_9f\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"gpt-5\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":0,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":0}}}\n\n\
         event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n\
         event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n\
         event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
         event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"input_tokens\":10,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":2,\"output_tokens\":3}}\n\n\
         event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
    );
}

// claude-code_88536, litellm_34692, litellm_27442: no empty leading text, no index but the next.
#[test]
fn claude_code_88536_no_text_without_a_word() {
    assert_eq!(
        outline(&[
            START,
            Text(""),
            Reasoning(""),
            call(0, "a"),
            arguments(0, ""),
            arguments(0, r#"{"x":1}"#),
            STOP,
            End
        ]),
        ["+ tool_use a", r#"input_json {"x":1}"#, "= tool_use", "."]
    );
    assert_eq!(outline(&[START, Text(""), STOP, End]), ["= end_turn", "."]);
}

// litellm_34701: thoughts and words are blocks of their own.
#[test]
fn litellm_34701_thoughts_and_words_are_apart() {
    assert_eq!(
        outline(&[
            START,
            Reasoning("h"),
            Reasoning("m"),
            Signature("p"),
            Text("Hi"),
            Event::Redacted("s"),
            Text("!"),
            STOP,
            End
        ]),
        [
            "+ thinking",
            "thinking h",
            "thinking m",
            "signature p",
            "+ text",
            "text Hi",
            "+ redacted_thinking",
            "+ text",
            "text !",
            "= end_turn",
            "."
        ]
    );
}

// litellm_25836, litellm_25561: a call that comes whole keeps its arguments.
#[test]
fn litellm_25836_whole_calls_keep_their_arguments() {
    assert_eq!(
        outline(&[
            call(0, "a"),
            arguments(0, r#"{"x":"}\"{"}"#),
            call(1, "b"),
            arguments(1, "{}"),
            Text("t"),
            STOP,
            End
        ]),
        [
            "+ tool_use a",
            r#"input_json {"x":"}\"{"}"#,
            "+ tool_use b",
            "input_json {}",
            "+ text",
            "text t",
            "= tool_use",
            "."
        ]
    );
}

#[test]
fn calls_that_come_interleaved_are_put_in_order() {
    assert_eq!(
        outline(&[
            START,
            call(0, "a"),
            call(1, "b"),
            arguments(1, "{"),
            arguments(0, "{"),
            arguments(0, "}"),
            arguments(1, "}"),
            call(2, "c"),
            STOP,
            End
        ]),
        [
            "+ tool_use a",
            "input_json {",
            "input_json }",
            "+ tool_use b",
            "input_json {",
            "input_json }",
            "+ tool_use c",
            "= tool_use",
            "."
        ]
    );
    // More of a call that is closed cannot be said: the stream stays without its end.
    assert_eq!(
        outline(&[
            START,
            call(0, "a"),
            arguments(0, "{"),
            Text("t"),
            arguments(0, "}"),
            STOP,
            End
        ]),
        ["+ tool_use a", "input_json {", "+ text", "text t"]
    );
}

#[test]
fn ends_of_streams() {
    let ended = |finish, stop_sequence| Finish {
        finish,
        stop_sequence,
    };
    let last = |events: &[Event<'_>]| {
        let lines = outline(events);
        lines[lines.len().saturating_sub(2)].clone()
    };
    assert_eq!(
        last(&[START, Text("a"), ended(turn::Finish::Length, None), End]),
        "= max_tokens"
    );
    assert_eq!(last(&[START, Refusal("no"), STOP, End]), "= refusal");
    assert_eq!(
        last(&[START, ended(turn::Finish::StopSequence, Some("x")), End]),
        "= stop_sequence"
    );
    assert_eq!(
        outline(&[START, Text("a"), ended(turn::Finish::Failed, None), End]),
        ["+ text", "text a"]
    );
    assert_eq!(
        outline(&[START, Text("a"), Event::Error]),
        ["+ text", "text a"]
    );
    let made_up = outline(&[START, call(0, ""), STOP, End]);
    assert!(made_up[0].starts_with("+ tool_use toolu_"), "{made_up:?}");
    assert_eq!(
        made_up,
        outline(&[START, call(0, ""), STOP, End]),
        "the same every time"
    );
}

fn said(events: &[&str]) -> super::Said {
    let events: Vec<_> = events
        .iter()
        .map(|data| format!("data: {data}\n\n"))
        .collect();
    folded(&events)
}

// litellm_11407: calls are numbered among calls, not among blocks.
#[test]
fn litellm_11407_calls_are_numbered_among_calls() {
    let said = said(&[
        r#"{"type":"message_start","message":{"id":"msg_1","model":"m","usage":{"input_tokens":5,"cache_read_input_tokens":7,"output_tokens":1}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"ping"}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"message_start","message":{"id":"msg_2","model":"m"}}"#,
        r#"{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#,
        r#"{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":""}}"#,
        r#"{"type":"content_block_delta","index":9,"delta":{"type":"input_json_delta","partial_json":"lost"}}"#,
        r#"{"type":"content_block_stop","index":3}"#,
        r#"{"type":"content_block_start","index":4,"content_block":{"type":"tool_use","id":"u","name":"g","input":{"x":1}}}"#,
        r#"{"type":"content_block_delta","index":4,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
        r#"{"type":"content_block_stop","index":4}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":9}}"#,
        r#"{"type":"message_stop"}"#,
    ]);
    assert_eq!(said.id, "msg_1", "a second start is none");
    assert_eq!(said.pieces("call"), ["t f {}", r#"u g {"x":1}"#]);
    assert_eq!(
        said.usage,
        Some(Usage {
            input: 12,
            cache_read: 7,
            output: 9,
            ..Usage::default()
        })
    );
    assert!(said.is_ended);
}

#[test]
fn refusals_and_errors_of_streams() {
    let refused = said(&[
        r#"{"type":"message_delta","delta":{"stop_reason":"refusal","stop_details":{"explanation":"not that"}},"usage":{}}"#,
    ]);
    assert_eq!(refused.pieces("refusal"), ["not that"]);
    assert_eq!(refused.finish, Some(turn::Finish::ContentFilter));
    let failed = folded(&["event: error\ndata: {\"error\":{\"type\":\"overloaded_error\"}}\n\n"]);
    assert!(failed.is_error && !failed.is_ended);
}
