//! Recorded requests, read as what they are but for some names — Chat Completions — and written again: what differs is
//! listed.

use serde_json::{Map, Value, json};

use super::written;
use crate::dialect::chat;
use crate::dialect::recorded;
use crate::dialect::turn::{Media, Part, Source, Thinking};
use crate::wire::json::Tree;

#[test]
fn recorded_requests_are_written_again() {
    for recorded in recorded::of("cohere") {
        let name = &recorded.name;
        let mut asked = recorded.request.clone();
        let (thinks, documents) = as_chat(asked.as_object_mut().unwrap());
        let mut text = serde_json::to_vec(&asked).unwrap();
        let tree = Tree::parse(&mut text).unwrap();
        let mut turn = chat::read_request(tree.root()).unwrap();
        turn.thinking = thinks.then(Thinking::default);
        for document in &documents {
            let part = Part::Document(Media {
                name: document["title"].as_str(),
                ..Media::of(Source::Text(document["text"].as_str().unwrap().into()))
            });
            turn.messages.last_mut().unwrap().parts.push(part);
        }
        let (body, dropped) = written(&turn, recorded.request["model"].as_str().unwrap()).unwrap();
        assert!(dropped.is_empty(), "{name}: {dropped:?}");
        let mut ours: Value = serde_json::from_str(&body).unwrap();
        let mut theirs = recorded.request.clone();
        level(&mut ours);
        level(&mut theirs);
        assert_eq!(ours, theirs, "{name}");
    }
}

/// Gives members the names that they have in Chat Completions. Takes out whether it asks for thinking, and the files.
fn as_chat(request: &mut Map<String, Value>) -> (bool, Vec<Value>) {
    if let Some(stops) = request.remove("stop_sequences") {
        request.insert("stop".to_owned(), stops);
    }
    if request.get("tool_choice") == Some(&json!("REQUIRED")) {
        request.insert("tool_choice".to_owned(), json!("required"));
    }
    if let Some(format) = request.get_mut("response_format") {
        let schema = format["json_schema"].take();
        *format = json!({"type": "json_schema", "json_schema": {"schema": schema}});
    }
    let documents = match request.remove("documents") {
        Some(Value::Array(list)) => list.into_iter().map(|it| it["data"].clone()).collect(),
        _ => Vec::new(),
    };
    (request.remove("thinking").is_some(), documents)
}

/// Takes away what differs and says the same.
fn level(request: &mut Value) {
    let request = request.as_object_mut().unwrap();
    request.retain(|key, value| {
        !(key == "stream" && *value == json!(false) || key == "documents" && *value == json!([]))
    });
    for message in request["messages"].as_array_mut().unwrap() {
        let message = message.as_object_mut().unwrap();
        // A list of one text is a text, and an empty one beside calls nothing.
        if let Some(content) = message.get_mut("content")
            && let Some([part]) = content.as_array().map(Vec::as_slice)
            && part["type"] == "text"
        {
            *content = part["text"].clone();
        }
        if message.contains_key("tool_calls") && message.get("content") == Some(&json!("")) {
            message.remove("content");
        }
    }
}
