//! Recorded answers in one piece, and what could be wrong with one.

use proptest::prelude::{any, proptest};
use serde_json::{Value, json};

use super::with_tree;
use crate::dialect::codec::BadAnswer;
use crate::dialect::converse::{Reader, read_answer};
use crate::dialect::recorded::{self, RecordedBody};
use crate::dialect::turn::{Answer, Arguments, Finish, Part, Usage};
use crate::wire::json::Tree;

/// A recorded answer: its name begins with, its parts by kind and beginning, its end, its tokens: in, cached, written, out.
type Expected = (
    &'static str,
    &'static [&'static str],
    Finish,
    (u64, u64, u64, u64),
);

const EXPECTED: &[Expected] = &[
    (
        "basic-chat-functionality",
        &["text The weather can vary"],
        Finish::Stop,
        (69, 0, 0, 162),
    ),
    (
        "bedrock-anthropic-tool-with-thinking",
        &[
            "thought The user is asking +ErcBCkgI",
            "text I'll need to check",
            "call tooluse_W9DaUFg4Tj2cRPpndqxWSg get_user_country {}",
        ],
        Finish::ToolCalls,
        (397, 0, 0, 130),
    ),
    (
        "bedrock-cache-write-and-read",
        &["text 21"],
        Finish::Stop,
        (1_324, 0, 1_322, 5),
    ),
    (
        "bedrock-model-with-code-execution-tool-1",
        &["call tooluse_RyG7SphVTsuS_8GFmX9hIA final_result {\"result\":14013304.0}"],
        Finish::ToolCalls,
        (1_148, 0, 0, 59),
    ),
    (
        "bedrock-native-output-minimax",
        &[
            "thought I need to answer",
            "text {\n\n\n  \"city\": \"Paris\"",
        ],
        Finish::Stop,
        (40, 0, 0, 302),
    ),
    (
        "bedrock-single-tool-choice",
        &["text 21"],
        Finish::Stop,
        (2_556, 0, 2_492, 4),
    ),
    (
        "bedrock-strict-tool",
        &["call tooluse_ckKeSOeZlKAoQLhwNPuLCe lookup_population {\"city\":\"Paris\"}"],
        Finish::ToolCalls,
        (747, 0, 0, 53),
    ),
    (
        "citations-with-bedrock",
        &["text The Ruby programming language was created by"],
        Finish::Stop,
        (672, 0, 0, 39),
    ),
    (
        "multimodal-tool-attachments",
        &["text The returned image shows"],
        Finish::Stop,
        (675, 0, 0, 103),
    ),
    (
        "multimodal-tool-return-matrix",
        &["text I retrieved the file"],
        Finish::Stop,
        (3_529, 0, 0, 111),
    ),
    (
        "stop-settings-bedrock",
        &["text The city of Paris"],
        Finish::Stop,
        (25, 0, 0, 4),
    ),
    (
        "testnovainvokemodel",
        &["text The capital of France is Paris."],
        Finish::Length,
        (7, 0, 0, 64),
    ),
    (
        "titan-converse-guardrail",
        &["text {ADDRESS} is the capital"],
        Finish::ContentFilter,
        (28, 0, 0, 26),
    ),
    (
        "web-search-with-bedrock",
        &["text The latest stable Ruby version is", "text ."],
        Finish::Stop,
        (141, 0, 0, 322),
    ),
];

#[test]
fn recorded_answers_mean_this() {
    let mut expected = EXPECTED.iter();
    for recorded in recorded::of("bedrock") {
        let RecordedBody::Whole(mut body) = recorded.body else {
            continue;
        };
        if recorded.status != 200 {
            continue;
        }
        let tree = Tree::parse(&mut body).unwrap();
        let answer = read_answer(tree.root()).unwrap();
        let (name, parts, finish, (input, cache_read, cache_write, output)) =
            expected.next().unwrap();
        assert!(
            recorded.name.contains(name),
            "{} is not {name}",
            recorded.name
        );
        check_parts(&answer, parts);
        assert_eq!(answer.finish, *finish, "{name}");
        let usage = Usage {
            input: *input,
            cache_read: *cache_read,
            cache_write: *cache_write,
            output: *output,
            reasoning: 0,
        };
        assert_eq!(answer.usage, Some(usage), "{name}");
    }
    assert_eq!(expected.next(), None);
}

fn check_parts(answer: &Answer<'_>, expected: &[&str]) {
    let said: Vec<_> = answer.parts.iter().map(shown).collect();
    assert_eq!(said.len(), expected.len(), "{said:?}");
    for (said, expected) in said.iter().zip(expected) {
        let (begin, proof) = expected.split_once(" +").unwrap_or((expected, ""));
        assert!(said.starts_with(begin), "{said} is not {begin}");
        assert!(said.contains(proof));
    }
}

fn shown(part: &Part<'_>) -> String {
    match part {
        Part::Text(text) => format!("text {}", text.text),
        Part::Reasoning(thought) => {
            let proof = thought.signature.as_deref().unwrap_or_default();
            let kind = if thought.redacted {
                "sealed"
            } else {
                "thought"
            };
            format!("{kind} {} {proof}", thought.text)
        }
        Part::ToolCall(call) => {
            let mut arguments = Vec::new();
            match &call.arguments {
                Arguments::Object(object) => object.write(&mut arguments),
                Arguments::Text(text) => arguments.extend_from_slice(text.as_bytes()),
            }
            let arguments = String::from_utf8(arguments).unwrap();
            format!("call {} {} {arguments}", call.id, call.name)
        }
        other => panic!("{other:?}"),
    }
}

fn meaning(body: &Value) -> Result<(Vec<String>, Finish, Option<Usage>), BadAnswer> {
    with_tree(body, |tree| {
        let answer = read_answer(tree.root())?;
        Ok((
            answer.parts.iter().map(shown).collect(),
            answer.finish,
            answer.usage,
        ))
    })
}

#[test]
fn thoughts_under_a_seal_stay_as_they_are() {
    let body = json!({"output": {"message": {"content": [
        {"reasoningContent": {"redactedContent": "c2VhbGVk"}},
        {"reasoningContent": {"reasoningText": {"text": "", "signature": "proof"}}},
        {"reasoningContent": {}},
    ]}}});
    let (parts, ..) = meaning(&body).unwrap();
    assert_eq!(parts, ["sealed  c2VhbGVk", "thought  proof"]);
}

#[test]
fn reasons_to_end() {
    for (reason, finish) in [
        ("end_turn", Finish::Stop),
        ("stop_sequence", Finish::StopSequence),
        ("max_tokens", Finish::Length),
        ("model_context_window_exceeded", Finish::Length),
        ("tool_use", Finish::ToolCalls),
        ("content_filtered", Finish::ContentFilter),
        ("guardrail_intervened", Finish::ContentFilter),
        ("malformed_model_output", Finish::Failed),
        ("malformed_tool_use", Finish::Failed),
        ("something_new", Finish::Stop),
    ] {
        let body = json!({"output": {"message": {"content": []}}, "stopReason": reason});
        assert_eq!(meaning(&body).unwrap().1, finish, "{reason}");
    }
}

#[test]
fn an_answer_without_a_message_is_none() {
    for body in [
        json!({}),
        json!([]),
        json!({"output": {}}),
        json!({"message": "denied"}),
    ] {
        assert!(meaning(&body).is_err(), "{body}");
    }
}

#[test]
fn counts_that_cannot_be_saturate() {
    let body = json!({"output": {"message": {}}, "usage": {
        "inputTokens": u64::MAX, "cacheReadInputTokens": 5, "cacheWriteInputTokens": u64::MAX, "outputTokens": -3,
    }});
    let usage = meaning(&body).unwrap().2.unwrap();
    assert_eq!(
        (usage.input, usage.cache_read, usage.output),
        (u64::MAX, 5, 0)
    );
    assert!(usage.cache_write <= usage.input - usage.cache_read);
}

proptest! {
    #[test]
    fn wrong_types_never_panic(text in any::<String>(), at in 0_usize..40, number in any::<i64>()) {
        // Every place of a real answer and event in turn holds something else.
        let answer = json!({"output": {"message": {"role": "assistant", "content": [
            {"text": "a"}, {"toolUse": {"toolUseId": "t", "name": "n", "input": {"a": 1}, "type": "tool_use"}},
            {"reasoningContent": {"reasoningText": {"text": "t", "signature": "s"}}},
            {"citationsContent": {"content": [{"text": "c"}]}},
        ]}}, "stopReason": "end_turn", "usage": {"inputTokens": 1, "outputTokens": 2}});
        let event = json!({"contentBlockIndex": 0, "start": {"toolUse": {"name": "n", "toolUseId": "t"}},
            "delta": {"text": "a", "toolUse": {"input": "{}"}, "reasoningContent": {"text": "t"}},
            "stopReason": "x", "usage": {"inputTokens": 1}});
        for other in [json!(null), json!(text), json!(number), json!([text]), json!({"text": number})] {
            let (mut answer, mut event) = (answer.clone(), event.clone());
            replace(&mut answer, &mut at.clone(), &other);
            replace(&mut event, &mut at.clone(), &other);
            let _ = meaning(&answer);
            with_tree(&event, |tree| {
                let mut reader = Reader::default();
                for name in ["contentBlockStart", "contentBlockDelta", "messageStop", "odd", "metadata"] {
                    reader.read(name, tree.root(), &mut |_| ());
                }
            });
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
