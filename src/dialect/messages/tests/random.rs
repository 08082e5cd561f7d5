//! Anything may come from the network.

use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use serde_json::Value;

use super::{through, whole};
use crate::dialect::codec::Reply;
use crate::dialect::messages::{answer, outcome_of, outcome_of_error, stream};
use crate::wire::json::Tree;

/// JSON with the words of the format at wrong places.
fn words() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] = &[
        "messages",
        "role",
        "user",
        "assistant",
        "content",
        "type",
        "text",
        "tool_use",
        "id",
        "name",
        "input",
        "tool_result",
        "tool_use_id",
        "thinking",
        "signature",
        "message",
        "message_start",
        "message_delta",
        "usage",
        "input_tokens",
        "cache_read_input_tokens",
        "output_tokens",
        "content_block_start",
        "content_block",
        "content_block_delta",
        "delta",
        "index",
        "input_json_delta",
        "partial_json",
        "stop_reason",
        "system",
        "tools",
        "input_schema",
        "tool_choice",
        "source",
        "image",
        "base64",
        "output_config",
        "effort",
        "model",
        "max_tokens",
    ];
    prop_oneof![8 => proptest::sample::select(KNOWN).prop_map(str::to_owned), 1 => any::<String>()]
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        words().prop_map(Value::String),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            proptest::collection::vec((words(), inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn nothing_panics(
        body in document(),
        events in proptest::collection::vec(document(), 0..6),
        name in words(),
    ) {
        let _ = through(&body, "claude-opus-4-6", None);
        let mut messages = serde_json::json!({"messages": [{"role": "user"}], "tools": []});
        messages["messages"][0]["content"] = body.clone();
        messages["tools"] = body.clone();
        let _ = through(&messages, "claude-3-7-sonnet", Some(1_000));
        let mut text = serde_json::to_vec(&body).unwrap();
        outcome_of(200, &text);
        outcome_of_error(&text);
        if let Ok(answer) = answer::read(Tree::parse(&mut text).unwrap().root()) {
            whole(&answer);
        }
        let mut reader = stream::Reader::default();
        let mut writer = stream::Writer::new(Reply::default());
        let mut out = Vec::new();
        for event in &events {
            let mut text = serde_json::to_vec(event).unwrap();
            let tree = Tree::parse(&mut text).unwrap();
            reader.read(&name, tree.root(), &mut |event| writer.write(&event, &mut out));
        }
    }
}
