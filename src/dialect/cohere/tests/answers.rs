//! Recorded answers and streams, and what could be wrong with one.

use proptest::prelude::{any, proptest};
use serde_json::{Value, json};

use crate::dialect::cohere::{Reader, read_answer};
use crate::dialect::recorded::{self, RecordedBody, data_of, name_of};
use crate::dialect::told::Told;
use crate::dialect::turn::{Event, Finish, Usage};
use crate::wire::json::Tree;

/// A recorded answer: its name begins with, its thoughts and its text begin with, its calls, its end, its tokens: in,
/// cached, out, thinking.
type Expected = (
    &'static str,
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    Finish,
    (u64, u64, u64, u64),
);

const EXPECTED: &[Expected] = &[
    ("astream", "", "Sure", &[], Finish::Stop, (212, 208, 65, 0)),
    (
        "basic-chat",
        "",
        "I'm unable to provide",
        &[],
        Finish::Stop,
        (555, 512, 225, 0),
    ),
    (
        "citations-with-cohere-command-a-plus-05-2026-cites",
        "The user is asking who created Ruby",
        "",
        &[("knowledge_base", "{\"query\":\"Ruby creator\"}")],
        Finish::ToolCalls,
        (267, 144, 91, 58),
    ),
    (
        "citations-with-cohere-command-a-plus-05-2026-streams",
        "The",
        "According",
        &[],
        Finish::Stop,
        (508, 144, 86, 28),
    ),
    (
        "cohere-v2-chat-legacy",
        "",
        "I",
        &[
            ("get_time", "{\"location\":\"Tokyo\"}"),
            ("get_weather", "{\"location\":\"Tokyo\"}"),
        ],
        Finish::ToolCalls,
        (968, 0, 83, 0),
    ),
    (
        "function-calling-cohere-command-a-03-2025-can-handle",
        "",
        "Here are the results",
        &[],
        Finish::Stop,
        (1_703, 992, 55, 0),
    ),
    (
        "function-calling-cohere-command-a-03-2025-can-use",
        "",
        "",
        &[("best_language_to_learn", "{}")],
        Finish::ToolCalls,
        (1_591, 992, 38, 0),
    ),
    (
        "stop-settings-cohere",
        "",
        "The capital of France is a city known as",
        &[],
        Finish::StopSequence,
        (91, 0, 11, 0),
    ),
    (
        "streaming-streaming-smoke",
        "",
        "",
        &[],
        Finish::Length,
        (553, 480, 64, 0),
    ),
    (
        "tool-choice-matrix",
        "",
        "I will use one or more",
        &[(
            "final_result",
            "{\"city\":\"Paris\",\"summary\":\"Sunny, 22C\"}",
        )],
        Finish::ToolCalls,
        (1_622, 1_024, 44, 0),
    ),
    (
        "vision-models",
        "",
        "I see a canine animal",
        &[],
        Finish::Stop,
        (293, 0, 56, 0),
    ),
    (
        "with-extended-thinking",
        "The user is asking for the sum",
        "The sum of 5 and 3 is 8.",
        &[],
        Finish::Stop,
        (1_394, 1_360, 55, 38),
    ),
    (
        "with-schema",
        "",
        "{\"name\":\"John\",\"age\":30}",
        &[],
        Finish::Stop,
        (614, 480, 13, 0),
    ),
];

fn told_of(body: RecordedBody) -> Told {
    match body {
        RecordedBody::Whole(mut body) => {
            let tree = Tree::parse(&mut body).unwrap();
            Told::of_answer(&read_answer(tree.root()).unwrap())
        }
        RecordedBody::Sse(events) => {
            let (mut reader, mut told) = (Reader::default(), Told::default());
            for event in events {
                let mut data = data_of(&event).unwrap().into_bytes();
                if data == b"[DONE]" {
                    told.take(&Event::End);
                    continue;
                }
                let tree = Tree::parse(&mut data).unwrap();
                reader.read(name_of(&event), tree.root(), &mut |event| told.take(&event));
            }
            assert!(told.ended && !told.failed);
            told
        }
        _ => panic!("no answer of Cohere"),
    }
}

#[test]
fn recorded_answers_mean_this() {
    let mut expected = EXPECTED.iter();
    for recorded in recorded::of("cohere") {
        if recorded.status != 200 {
            continue;
        }
        let (name, thoughts, text, calls, finish, (input, cache_read, output, reasoning)) =
            expected.next().unwrap();
        assert!(
            recorded.name.contains(name),
            "{} is not {name}",
            recorded.name
        );
        let told = told_of(recorded.body);
        assert!(!told.id.is_empty(), "{name}");
        assert!(
            told.thoughts.starts_with(thoughts),
            "{name}: {}",
            told.thoughts
        );
        assert!(told.text.starts_with(text), "{name}: {}", told.text);
        assert_eq!(told.thoughts.is_empty(), thoughts.is_empty(), "{name}");
        let told = told.meaning();
        let made: Vec<_> = told
            .calls
            .iter()
            .map(|call| (call.name.as_str(), call.arguments.as_str()))
            .collect();
        assert_eq!(made, *calls, "{name}");
        assert_eq!(told.finish, Some(*finish), "{name}");
        let usage = Usage {
            input: *input,
            cache_read: *cache_read,
            cache_write: 0,
            output: *output,
            reasoning: *reasoning,
        };
        assert_eq!(told.usage, Some(usage), "{name}");
    }
    assert_eq!(expected.next(), None);
}

fn told_by(events: &[Value]) -> Told {
    let (mut reader, mut told) = (Reader::default(), Told::default());
    for event in events {
        let mut data = serde_json::to_vec(event).unwrap();
        let tree = Tree::parse(&mut data).unwrap();
        reader.read("", tree.root(), &mut |event| told.take(&event));
    }
    told
}

#[test]
fn vercel_cohere_empty_tool_call_arguments_may_be_null() {
    let told = told_by(&[
        json!({"type": "tool-call-start", "index": 0, "delta": {"message": {"tool_calls":
            {"id": "t", "type": "function", "function": {"name": "f", "arguments": null}}}}}),
        json!({"type": "tool-call-end", "index": 0}),
        json!({"type": "message-end", "delta": {"finish_reason": "TOOL_CALL"}}),
    ]);
    assert_eq!(told.calls[0].name, "f");
    assert_eq!(told.calls[0].arguments, "");
    assert_eq!(told.finish, Some(Finish::ToolCalls));
}

#[test]
fn an_error_in_the_place_of_an_event() {
    for error in [
        json!({"id": "x", "message": "internal server error"}),
        json!({"type": "error", "error": {"message": "x"}}),
    ] {
        assert!(told_by(&[error]).failed);
    }
}

#[test]
fn reasons_to_end() {
    for (reason, finish) in [
        ("COMPLETE", Finish::Stop),
        ("STOP_SEQUENCE", Finish::StopSequence),
        ("MAX_TOKENS", Finish::Length),
        ("TOOL_CALL", Finish::ToolCalls),
        ("ERROR", Finish::Failed),
        ("TIMEOUT", Finish::Failed),
        ("NEW", Finish::Stop),
    ] {
        let told = told_by(&[json!({"type": "message-end", "delta": {"finish_reason": reason}})]);
        assert_eq!(told.finish, Some(finish), "{reason}");
    }
}

#[test]
fn counts_may_be_fractions_and_saturate() {
    let mut body = serde_json::to_vec(&json!({"message": {"content": "hi"}, "usage": {
        "tokens": {"input_tokens": 3.0, "output_tokens": -2, "reasoning_tokens": 9}, "cached_tokens": 7}}))
    .unwrap();
    let tree = Tree::parse(&mut body).unwrap();
    let answer = read_answer(tree.root()).unwrap();
    let usage = answer.usage.unwrap();
    assert_eq!(
        (usage.input, usage.cache_read, usage.output, usage.reasoning),
        (3, 3, 0, 0)
    );
}

#[test]
fn an_answer_without_a_message_is_none() {
    for body in ["{}", "[]", r#"{"message":"denied"}"#] {
        let mut body = body.as_bytes().to_vec();
        let tree = Tree::parse(&mut body).unwrap();
        assert!(read_answer(tree.root()).is_err());
    }
}

proptest! {
    #[test]
    fn wrong_types_never_panic(text in any::<String>(), number in any::<f64>(), at in 0_usize..30) {
        let answer = json!({"id": "i", "message": {"role": "assistant", "tool_plan": "p",
            "content": [{"type": "text", "text": "a"}, {"type": "thinking", "thinking": "t"}],
            "tool_calls": [{"id": "t", "function": {"name": "n", "arguments": "{}"}}]},
            "finish_reason": "COMPLETE", "usage": {"tokens": {"input_tokens": 1}, "cached_tokens": 2}});
        let event = json!({"type": "content-delta", "id": "i", "delta": {"message": {"content": {"text": "a", "thinking": "t"},
            "tool_plan": "p", "tool_calls": {"id": "t", "function": {"name": "n", "arguments": "{}"}}},
            "finish_reason": "COMPLETE", "usage": {"tokens": {"input_tokens": 1}}}});
        for other in [json!(null), json!(text), json!(number), json!([text]), json!({"text": number})] {
            let (mut answer, mut event) = (answer.clone(), event.clone());
            replace(&mut answer, &mut at.clone(), &other);
            replace(&mut event, &mut at.clone(), &other);
            let mut body = serde_json::to_vec(&answer).unwrap();
            let _ = read_answer(Tree::parse(&mut body).unwrap().root());
            for kind in ["message-start", "content-delta", "tool-plan-delta", "tool-call-delta", "tool-call-start", "message-end", "odd"] {
                if let Some(event) = event.as_object_mut() {
                    event.insert("type".to_owned(), json!(kind));
                }
                let mut data = serde_json::to_vec(&event).unwrap();
                let tree = Tree::parse(&mut data).unwrap();
                Reader::default().read("", tree.root(), &mut |_| ());
            }
        }
    }
}

/// Puts `other` in the place of the value numbered `at`, counted from outside in.
fn replace(value: &mut Value, at: &mut usize, other: &Value) {
    if *at == 0 {
        *value = other.clone();
    }
    *at = at.wrapping_sub(1);
    match value {
        Value::Object(object) => object.values_mut().for_each(|it| replace(it, at, other)),
        Value::Array(list) => list.iter_mut().for_each(|it| replace(it, at, other)),
        _ => {}
    }
}
