//! Recorded streams, event by event.

use serde_json::{Value, json};

use super::with_tree;
use crate::dialect::converse::Reader;
use crate::dialect::recorded::{self, RecordedBody};
use crate::dialect::turn::Event;
use crate::wire::base64;
use crate::wire::eventstream::message_at_front;
use crate::wire::json::Tree;

/// What a stream says, with pieces of one kind put together.
#[derive(Debug, Default)]
struct Told {
    parts: Vec<(String, String)>,
    /// Everything else, in order.
    marks: Vec<String>,
}

impl Told {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Text(text) => self.more("text", text),
            Event::Reasoning(text) => self.more("thought", text),
            Event::Signature(text) => self.more("proof", text),
            Event::Redacted(text) => self.parts.push(("sealed".into(), text.into())),
            Event::ToolCall { at, id, name, .. } => {
                self.parts
                    .push((format!("call {at} {id} {name}"), String::new()));
            }
            Event::ToolArguments { at, text } => {
                let (call, arguments) = self.parts.last_mut().unwrap();
                assert!(call.starts_with(&format!("call {at} ")));
                arguments.push_str(text);
            }
            Event::Finish { finish, .. } => self.marks.push(format!("{finish:?}")),
            Event::Usage(usage) => self.marks.push(format!(
                "{} {} {} {}",
                usage.input, usage.cache_read, usage.cache_write, usage.output
            )),
            other => self
                .marks
                .push(format!("{other:?}").split(' ').next().unwrap().into()),
        }
    }

    fn more(&mut self, kind: &str, text: &str) {
        assert!(!text.is_empty());
        match self.parts.last_mut() {
            Some((last, said)) if last == kind => said.push_str(text),
            _ => self.parts.push((kind.into(), text.into())),
        }
    }
}

/// What the payloads of `events` say.
fn told(events: &[(&str, Value)]) -> Told {
    let (mut reader, mut told) = (Reader::default(), Told::default());
    for (name, payload) in events {
        with_tree(payload, |tree| {
            reader.read(name, tree.root(), &mut |event| told.take(event));
        });
    }
    told
}

/// A recorded stream: its name begins with, its parts by kind and beginning, and its marks.
type Expected = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
);

const EXPECTED: &[Expected] = &[
    (
        "bedrock-model-code-execution-tool-stream",
        &[(
            "call 0 tooluse_ptgCcZ0uQu-UUMz0abqoWw final_result",
            "{\"result\":7006652.0}",
        )],
        &["Start", "ToolCalls", "1002 0 0 59", "End"],
    ),
    (
        "bedrock-model-stream",
        &[("text", "The capital of France is Paris. Paris is not only")],
        &["Start", "Stop", "13 0 0 82", "End"],
    ),
    (
        "bedrock-model-thinking-part-redacted-stream",
        &[
            ("sealed", "RXRrRUNrZ0lC"),
            ("sealed", "RXFBRENrZ0lC"),
            (
                "text",
                "I notice you've sent what appears to be some kind of",
            ),
        ],
        &["Start", "Stop", "92 0 0 253", "End"],
    ),
    (
        "converse-stream-close-before-consumption",
        &[("text", "Hi, did you have a question")],
        &["Start", "Length", "8 0 0 10", "End"],
    ),
    (
        "converse-stream-no-content-tool-call",
        &[
            ("text", "<thinking> The"),
            (
                "call 0 tooluse_IIpMFTgaRVGyI7x4sJfKzQ get_current_weather",
                "{\"location\":\"Seattle\"}",
            ),
            (
                "call 1 tooluse_KZPBYYUtS72Um_JDI8hTow get_current_weather",
                "{\"location\":\"San Francisco\"}",
            ),
        ],
        &["Start", "ToolCalls", "415 0 0 195", "End"],
    ),
    (
        "function-calling-bedrock",
        &[(
            "call 0 tooluse_fRncHquvKyueO5ooVOer9k best_language_to_learn",
            "{}",
        )],
        &["Start", "ToolCalls", "1138 0 0 18", "End"],
    ),
    (
        "nova-converse-stream",
        &[(
            "text",
            "{ADDRESS} is the capital of Japan {Account Number}.",
        )],
        &["Start", "ContentFilter", "54 0 0 18", "End"],
    ),
];

#[test]
fn recorded_streams_tell_this() {
    let mut expected = EXPECTED.iter();
    for recorded in recorded::of("bedrock") {
        let RecordedBody::EventStream(messages) = recorded.body else {
            continue;
        };
        let (mut reader, mut told) = (Reader::default(), Told::default());
        for message in messages {
            let message = base64::decode(&message).unwrap();
            let found = message_at_front(&message).unwrap().unwrap();
            let mut payload = found.payload(&message).to_vec();
            let tree = Tree::parse(&mut payload).unwrap();
            reader.read(found.name(&message), tree.root(), &mut |event| {
                told.take(event);
            });
        }
        let (name, parts, marks) = expected.next().unwrap();
        assert!(
            recorded.name.contains(name),
            "{} is not {name}",
            recorded.name
        );
        assert_eq!(told.parts.len(), parts.len(), "{name}: {:?}", told.parts);
        for ((kind, said), (expected_kind, begin)) in told.parts.iter().zip(*parts) {
            assert_eq!(kind, expected_kind, "{name}");
            assert!(said.starts_with(begin), "{name}: {said}");
        }
        assert_eq!(told.marks, *marks, "{name}");
    }
    assert_eq!(expected.next(), None);
}

#[test]
fn litellm_11407_calls_are_numbered_by_themselves() {
    // The block's index is 1, the call is the first one.
    let told = told(&[
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": 0, "delta": {"text": "Let me see."}}),
        ),
        (
            "contentBlockStart",
            json!({"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "t", "name": "f"}}}),
        ),
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": 1, "delta": {"toolUse": {"input": "{}"}}}),
        ),
    ]);
    assert_eq!(told.parts[1], ("call 0 t f".to_owned(), "{}".to_owned()));
}

#[test]
fn a_call_that_bedrock_makes_itself_is_not_shown() {
    let told = told(&[
        (
            "contentBlockStart",
            json!({"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": "t", "name": "f", "type": "server_tool_use"}}}),
        ),
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": 0, "delta": {"toolUse": {"input": "{}"}}}),
        ),
    ]);
    assert!(told.parts.is_empty());
}

#[test]
fn thoughts_come_with_their_proof() {
    let delta = |content: Value| {
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": 0, "delta": {"reasoningContent": content}}),
        )
    };
    let told = told(&[
        delta(json!({"text": "One and "})),
        delta(json!({"text": "one"})),
        delta(json!({"signature": "proof"})),
    ]);
    let expected = [("thought", "One and one"), ("proof", "proof")];
    assert_eq!(
        told.parts,
        expected.map(|(kind, said)| (kind.to_owned(), said.to_owned()))
    );
}

#[test]
fn an_exception_ends_the_stream() {
    let told = told(&[
        ("messageStart", json!({"role": "assistant"})),
        (
            "throttlingException",
            json!({"message": "Too many requests"}),
        ),
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": 0, "delta": {"text": "more"}}),
        ),
    ]);
    assert_eq!(told.marks, ["Start", "Error"]);
    assert!(told.parts.is_empty());
}

#[test]
fn nothing_follows_the_metadata() {
    let told = told(&[
        ("messageStop", json!({"stopReason": "end_turn"})),
        (
            "metadata",
            json!({"usage": {"inputTokens": 3, "cacheReadInputTokens": 1712, "cacheWriteInputTokens": 0, "outputTokens": 227}}),
        ),
        ("metadata", json!({"usage": {"inputTokens": 9}})),
        ("later", json!({})),
    ]);
    assert_eq!(told.marks, ["Stop", "1715 1712 0 227", "End"]);
}
