//! Answers in one piece: the shapes that nobody records.

use serde_json::{Value, json};

use super::{Said, folded, reply, split, whole};
use crate::dialect::messages::answer;
use crate::dialect::messages::stream::Writer;
use crate::dialect::turn::{
    Answer, Arguments, Event, Finish, Part, Reasoning, Text, ToolCall, Usage,
};
use crate::wire::json::Tree;

fn read(body: &Value) -> Said {
    let mut text = serde_json::to_vec(body).unwrap();
    let tree = Tree::parse(&mut text).unwrap();
    Said::of_answer(&answer::read(tree.root()).unwrap())
}

fn call<'a>(id: &'a str, arguments: &'a str) -> Part<'a> {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: "f".into(),
        arguments: Arguments::Text(arguments.into()),
        signature: None,
    })
}

fn of(parts: Vec<Part<'_>>, finish: Finish) -> Answer<'_> {
    Answer {
        id: "chatcmpl-1".into(),
        model: "gpt-5".into(),
        parts,
        finish,
        stop_sequence: None,
        usage: Some(Usage {
            input: 100,
            cache_read: 60,
            cache_write: 10,
            output: 20,
            reasoning: 5,
        }),
    }
}

#[test]
fn an_answer_for_a_client() {
    let answer = of(
        vec![
            Part::Reasoning(Reasoning {
                text: "hm".into(),
                signature: None,
                redacted: false,
            }),
            Part::Text(Text::new("Hi")),
            call("call.1", ""),
        ],
        Finish::Stop,
    );
    assert_eq!(
        whole(&answer),
        r#"{"id":"msg_9f","type":"message","role":"assistant","model":"gpt-5","content":[{"type":"thinking","thinking":"hm","signature":""},{"type":"text","text":"Hi"},{"type":"tool_use","id":"toolu_ID","name":"f","input":{}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":30,"cache_creation_input_tokens":10,"cache_read_input_tokens":60,"output_tokens":20,"output_tokens_details":{"thinking_tokens":5}}}"#
            .replace("toolu_ID", &crate::dialect::ids::fitted("call.1", crate::dialect::ids::IdForm::Messages))
    );
}

#[test]
fn why_an_answer_ends() {
    for (finish, parts, reason) in [
        (Finish::Stop, vec![], "end_turn"),
        (Finish::Length, vec![], "max_tokens"),
        (Finish::ContentFilter, vec![], "refusal"),
        (Finish::StopSequence, vec![], "stop_sequence"),
        // litellm_34692: what was called decides, not the provider's word
        (Finish::Stop, vec![call("a", "{}")], "tool_use"),
        (Finish::ToolCalls, vec![], "end_turn"),
        (Finish::Stop, vec![Part::Refusal("no".into())], "refusal"),
        // cut off by the limit: no client executes it
        (Finish::Length, vec![call("a", r#"{"x":"#)], "max_tokens"),
        (Finish::ToolCalls, vec![call("a", r#"{"x":"#)], "max_tokens"),
        (Finish::ToolCalls, vec![call("a", "[1]")], "max_tokens"),
    ] {
        let said: Value = serde_json::from_str(&whole(&of(parts, finish))).unwrap();
        assert_eq!(said["stop_reason"], reason, "{finish:?}");
        if reason == "max_tokens" && said["content"][0].is_object() {
            assert_eq!(said["content"][0]["input"], json!({}));
        }
    }
}

#[test]
fn why_an_answer_of_anthropic_ends() {
    for (reason, finish) in [
        ("end_turn", Finish::Stop),
        ("pause_turn", Finish::Stop),
        ("stop_sequence", Finish::StopSequence),
        ("max_tokens", Finish::Length),
        ("model_context_window_exceeded", Finish::Length),
        ("tool_use", Finish::ToolCalls),
        ("refusal", Finish::ContentFilter),
        ("of tomorrow", Finish::Stop),
    ] {
        let said = read(&json!({"type": "message", "content": [], "stop_reason": reason}));
        assert_eq!(said.finish, Some(finish), "{reason}");
    }
    let said = read(&json!({
        "type": "message", "content": [], "stop_reason": "refusal",
        "stop_details": {"type": "refusal", "explanation": "not that"},
    }));
    assert_eq!(said.pieces("refusal"), ["not that"]);
}

// litellm_11789, litellm_13207, any-llm_622, Kong's driver: the cache is counted once.
#[test]
fn litellm_11789_the_cache_is_of_the_prompt() {
    let said = read(&json!({"type": "message", "content": [], "usage": {
        "input_tokens": 3, "cache_read_input_tokens": 227, "cache_creation_input_tokens": 1712, "output_tokens": 9,
        "output_tokens_details": {"thinking_tokens": 70},
    }}));
    let usage = said.usage.unwrap();
    assert_eq!(
        (usage.input, usage.cache_read, usage.cache_write),
        (1942, 227, 1712)
    );
    assert_eq!(
        (usage.output, usage.reasoning),
        (9, 9),
        "a part is no more than the whole"
    );
    let huge = read(&json!({"type": "message", "content": [], "usage": {
        "input_tokens": u64::MAX, "cache_read_input_tokens": u64::MAX, "output_tokens": u64::MAX,
    }}));
    assert_eq!(huge.usage.unwrap().total(), u64::MAX);
}

#[test]
fn what_is_no_answer() {
    for body in [
        json!({}),
        json!([]),
        json!({"type": "message"}),
        json!({"type": "message", "content": "x"}),
        json!({"type": "error", "error": {"type": "api_error"}}),
    ] {
        let mut text = serde_json::to_vec(&body).unwrap();
        let tree = Tree::parse(&mut text).unwrap();
        assert!(answer::read(tree.root()).is_err(), "{body}");
    }
}

// An answer in one piece and the same one as a stream say the same to a client.
#[test]
fn a_stream_says_what_the_whole_says() {
    let answer = of(
        vec![
            Part::Reasoning(Reasoning {
                text: "hm".into(),
                signature: Some("proof".into()),
                redacted: false,
            }),
            Part::Reasoning(Reasoning {
                text: "".into(),
                signature: Some("seal".into()),
                redacted: true,
            }),
            Part::Text(Text::new("Hi")),
            call("", r#"{"a":1}"#),
            call("toolu_2", "{}"),
        ],
        Finish::ToolCalls,
    );
    let mut writer = Writer::new(reply());
    let mut out = Vec::new();
    let mut at = 0;
    let mut write = |event: &Event<'_>| writer.write(event, &mut out);
    write(&Event::Start {
        id: "chatcmpl-1",
        model: "gpt-5",
    });
    for part in &answer.parts {
        match part {
            Part::Text(text) => write(&Event::Text(&text.text)),
            Part::Reasoning(it) if it.redacted => {
                write(&Event::Redacted(it.signature.as_deref().unwrap()));
            }
            Part::Reasoning(it) => {
                write(&Event::Reasoning(&it.text));
                write(&Event::Signature(it.signature.as_deref().unwrap()));
            }
            Part::ToolCall(ToolCall {
                id,
                name,
                arguments: Arguments::Text(text),
                ..
            }) => {
                write(&Event::ToolCall {
                    at,
                    id,
                    name,
                    signature: None,
                });
                write(&Event::ToolArguments { at, text });
                at += 1;
            }
            _ => panic!("not of this answer"),
        }
    }
    write(&Event::Usage(answer.usage.unwrap()));
    write(&Event::Finish {
        finish: answer.finish,
        stop_sequence: None,
    });
    write(&Event::End);
    let mut text = whole(&answer).into_bytes();
    let tree = Tree::parse(&mut text).unwrap();
    assert_eq!(
        folded(&split(&out)),
        Said::of_answer(&answer::read(tree.root()).unwrap())
    );
}
