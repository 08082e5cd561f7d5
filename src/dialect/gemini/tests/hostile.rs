//! Whatever a client or a provider sends, nothing panics, and what is written is JSON.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::dialect::gemini::{answer, embeddings, outcome, stream};
use crate::policy::model::ProviderKind;
use crate::wire::json::{Tree, Writer};

use super::{parse, reply, with_turn, written};

/// Names that mean something, in either spelling: anything else is only ever skipped.
const NAMES: [&str; 46] = [
    "contents",
    "role",
    "parts",
    "text",
    "thought",
    "thought_signature",
    "thoughtSignature",
    "inlineData",
    "mimeType",
    "data",
    "fileData",
    "fileUri",
    "functionCall",
    "functionResponse",
    "name",
    "id",
    "args",
    "response",
    "result",
    "error",
    "systemInstruction",
    "tools",
    "functionDeclarations",
    "function_declarations",
    "parameters",
    "properties",
    "items",
    "type",
    "nullable",
    "enum",
    "anyOf",
    "$ref",
    "$defs",
    "toolConfig",
    "functionCallingConfig",
    "mode",
    "generationConfig",
    "responseSchema",
    "thinkingConfig",
    "thinkingBudget",
    "candidates",
    "content",
    "finishReason",
    "usageMetadata",
    "promptTokenCount",
    "promptFeedback",
];

const TEXTS: [&str; 14] = [
    "",
    "user",
    "model",
    "a",
    "ANY",
    "OBJECT",
    "STRING",
    "STOP",
    "#/$defs/a",
    "#",
    "image/png",
    "application/json",
    "{",
    "-1",
];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        proptest::sample::select(&TEXTS[..]).prop_map(Value::from),
    ];
    leaf.prop_recursive(7, 60, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((proptest::sample::select(&NAMES[..]), inner), 0..5)
                .prop_map(|members| {
                    let members = members
                        .into_iter()
                        .map(|(key, value)| (key.to_owned(), value));
                    Value::Object(members.collect::<Map<_, _>>())
                }),
        ]
    })
}

/// Real requests with one value somewhere replaced: these get further than what is made of nothing.
fn spoilt() -> impl Strategy<Value = Value> {
    let request = json!({
        "systemInstruction": {"parts": [{"text": "s"}]},
        "contents": [
            {"role": "user", "parts": [{"text": "a"}, {"inlineData": {"mimeType": "image/png", "data": "AA"}}]},
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "s"}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"result": "r"}}}]},
        ],
        "tools": [{"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT", "properties": {
            "a": {"type": "STRING", "nullable": true, "enum": ["x"]}, "b": {"type": "ARRAY", "items": {"type": "STRING"}},
        }}}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        "generationConfig": {"temperature": 1, "stopSequences": ["x"], "responseMimeType": "application/json",
            "responseSchema": {"type": "OBJECT"}, "thinkingConfig": {"thinkingBudget": 5}},
    });
    let mut places = Vec::new();
    find(&request, String::new(), &mut places);
    (proptest::sample::select(places), any_json()).prop_map(move |(place, value)| {
        let mut request = request.clone();
        *request.pointer_mut(&place).unwrap() = value;
        request
    })
}

fn find(value: &Value, place: String, places: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                find(value, format!("{place}/{key}"), places);
            }
        }
        Value::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                find(value, format!("{place}/{at}"), places);
            }
        }
        _ => {}
    }
    places.push(place);
}

/// Read, and written for a model of each kind.
fn pass_on(request: &Value) {
    with_turn(request, |turn| {
        let Ok(turn) = turn else { return };
        for (kind, model) in [
            (ProviderKind::Gemini, "gemini-2.0-flash"),
            (ProviderKind::Gemini, "gemini-2.5-pro"),
            (ProviderKind::Vertex, "gemini-3-flash"),
        ] {
            if let Ok((text, _)) = written(&turn, kind, model) {
                parse(text.as_bytes());
            }
        }
    });
}

proptest! {
    #[test]
    fn any_request(request in any_json()) {
        pass_on(&request);
    }

    #[test]
    fn any_spoilt_request(request in spoilt()) {
        pass_on(&request);
    }

    #[test]
    fn any_answer(body in any_json()) {
        let mut text = serde_json::to_vec(&body).unwrap();
        outcome::outcome_of(200, &text);
        outcome::outcome_of(429, &text);
        outcome::outcome_of_error(&text);
        let tree = Tree::parse(&mut text).unwrap();
        let _ = embeddings::read(tree.root(), 1);
        if let Ok(answer) = answer::read(tree.root()) {
            let mut out = Vec::new();
            answer::write(&answer, &reply(), &mut Writer::new(&mut out));
            parse(&out);
        }
    }

    #[test]
    fn any_stream(bodies in proptest::collection::vec(any_json(), 0..4)) {
        let mut reader = stream::Reader::default();
        let mut writer = stream::Writer::new(reply());
        let mut out = Vec::new();
        for body in bodies {
            let mut text = serde_json::to_vec(&body).unwrap();
            let tree = Tree::parse(&mut text).unwrap();
            reader.read("", tree.root(), &mut |event| writer.write(&event, &mut out));
        }
        let out = String::from_utf8(out).unwrap();
        for event in out.split_terminator("\r\n\r\n") {
            parse(event.strip_prefix("data: ").unwrap().as_bytes());
        }
    }
}

/// Bytes that are no JSON at all.
#[test]
fn outcomes_of_anything() {
    for body in [
        "",
        "[",
        "{",
        "nul",
        "[{]",
        "{\"candidates\":",
        "\u{feff}{}",
        "{\"error\":",
    ] {
        outcome::outcome_of(200, body.as_bytes());
        outcome::outcome_of(500, body.as_bytes());
        outcome::outcome_of_error(body.as_bytes());
    }
}
