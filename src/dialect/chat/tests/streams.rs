//! Chunks for clients, to the byte; each trap is named after whoever fell into it.

use super::{reply, told_by};
use crate::dialect::chat::Writer;
use crate::dialect::codec::Reply;
use crate::dialect::turn::{Event, Finish, Usage};

/// What a writer makes of events.
fn written(reply: Reply, events: &[Event<'_>]) -> String {
    let (mut writer, mut out) = (Writer::new(reply), Vec::new());
    for event in events {
        writer.write(event, &mut out);
    }
    String::from_utf8(out).unwrap()
}

/// What stands in the chunks behind what all of them have.
fn chunks(text: &str) -> Vec<&str> {
    text.split("\n\n")
        .filter(|chunk| !chunk.is_empty())
        .map(|chunk| {
            let behind = chunk.split_once("\"choices\":").map(|(_, behind)| behind);
            behind.unwrap_or(chunk)
        })
        .collect()
}

#[test]
fn a_stream_from_blocks() {
    let text = written(
        reply(),
        &[
            Event::Start {
                id: "msg_1",
                model: "claude",
            },
            Event::Reasoning("hm"),
            Event::Signature("proof"),
            Event::Text("Hel\"lo"),
            Event::ToolCall {
                at: 0,
                id: "toolu_1",
                name: "add",
                signature: None,
            },
            Event::ToolArguments {
                at: 0,
                text: "{\"a\":",
            },
            Event::ToolArguments { at: 0, text: "1}" },
            Event::ToolCall {
                at: 1,
                id: "",
                name: "now",
                signature: None,
            },
            Event::Finish {
                finish: Finish::Stop,
                stop_sequence: None,
            },
            Event::Usage(Usage {
                input: 9,
                output: 5,
                cache_read: 4,
                ..Usage::default()
            }),
            Event::End,
            Event::Text("late"),
        ],
    );
    let made_up = crate::dialect::ids::made_up("0123", 1, crate::dialect::ids::IdForm::Chat);
    assert_eq!(
        chunks(&text),
        [
            r#"[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#,
            r#"[{"index":0,"delta":{"reasoning_content":"hm"},"finish_reason":null}],"usage":null}"#,
            r#"[{"index":0,"delta":{"content":"Hel\"lo"},"finish_reason":null}],"usage":null}"#,
            r#"[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"toolu_1","type":"function","function":{"name":"add","arguments":""}}]},"finish_reason":null}],"usage":null}"#,
            r#"[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}}]},"finish_reason":null}],"usage":null}"#,
            r#"[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]},"finish_reason":null}],"usage":null}"#,
            &format!(
                r#"[{{"index":0,"delta":{{"tool_calls":[{{"index":1,"id":"{made_up}","type":"function","function":{{"name":"now","arguments":""}}}}]}},"finish_reason":null}}],"usage":null}}"#
            ),
            r#"[{"index":0,"delta":{},"finish_reason":"tool_calls"}],"usage":null}"#,
            r#"[],"usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":0}}}"#,
            "data: [DONE]",
        ]
    );
    // litellm 32607: one id, one time, one model in every chunk.
    let opening = r#"data: {"id":"chatcmpl-0123","object":"chat.completion.chunk","created":7,"model":"claude","choices":"#;
    assert_eq!(text.matches(opening).count(), 9);
}

#[test]
fn portkey_1399_the_role_comes_first_even_if_nothing_announces_the_answer() {
    let text = written(reply(), &[Event::Text("a"), Event::End]);
    assert_eq!(
        chunks(&text)[0],
        r#"[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#
    );
    assert!(text.contains(r#""model":"asked""#));
}

#[test]
fn cli_proxy_796_usage_stands_alone_and_only_where_it_was_asked_for() {
    let usage = Event::Usage(Usage {
        input: 1,
        output: 1,
        ..Usage::default()
    });
    let finish = Event::Finish {
        finish: Finish::Stop,
        stop_sequence: None,
    };
    let text = written(
        Reply {
            stream_usage: false,
            ..reply()
        },
        &[Event::Text("a"), usage, finish, Event::End],
    );
    assert!(!text.contains("usage"), "{text}");
    assert!(text.ends_with("\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"));
}

#[test]
fn litellm_18238_text_and_a_call_in_one_chunk_are_both_told() {
    let told = told_by(&[
        r#"data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"so","tool_calls":[{"index":3,"id":"x","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"#.to_owned(),
    ]);
    assert_eq!(told.text, "so");
    assert_eq!(told.calls[0].name, "f");
    assert_eq!(told.calls[0].arguments, "{}");
    assert_eq!(told.finish, Some(Finish::ToolCalls));
}

#[test]
fn litellm_11407_calls_are_numbered_from_nothing_whatever_the_provider_says() {
    let call = |index: u32, id: &str, name: &str, arguments: &str| {
        format!(
            r#"data: {{"id":"c","choices":[{{"index":0,"delta":{{"tool_calls":[{{"index":{index},"id":"{id}","function":{{"name":"{name}","arguments":"{arguments}"}}}}]}}}}]}}"#
        )
    };
    let told = told_by(&[
        call(1, "a", "f", ""),
        call(1, "", "", "1"),
        call(4, "b", "g", ""),
        // Some servers repeat the name.
        call(1, "a", "f", "2"),
        call(4, "", "", "3"),
    ]);
    let calls: Vec<_> = told
        .calls
        .iter()
        .map(|call| (&*call.id, &*call.name, &*call.arguments))
        .collect();
    assert_eq!(calls, [("a", "f", "12"), ("b", "g", "3")]);
}

#[test]
fn errors_in_every_shape() {
    for data in [
        r#"{"error":{"message":"no","code":429}}"#,
        r#"{"object":"error","message":"no"}"#,
        r#"{"choices":[{"index":0,"delta":{},"error":{"code":502},"finish_reason":"error"}]}"#,
    ] {
        assert!(told_by(&[format!("data: {data}")]).failed, "{data}");
    }
}
