//! Recorded requests are read and written again: what comes out is what was recorded, up to what is listed here.

use serde_json::{Map, Value, json};

use crate::dialect::recorded::RecordedBody;

use super::{all, parse, with_turn, written};

/// What cannot be carried to another provider, and the field that says so.
const REFUSED: [(&str, &str); 6] = [
    (
        "gemini/cached-content-matrix-use-streaming-1",
        "cachedContent",
    ),
    (
        "gemini/google-model-mobile-youtube-video-url-input",
        "contents[0].parts[1]",
    ),
    (
        "gemini/google-model-web-search-tool-stream",
        "tools[0].googleSearch",
    ),
    (
        "gemini/native-output-with-function-and-builtin-tools",
        "tools[0].googleSearch",
    ),
    (
        "gemini/web-search-with-gemini-gemini-3-5-flash-grounds-the-answer-and-exposes",
        "tools[0].google_search",
    ),
    (
        "vertex/google-vertex-tool-combination-omits-include-server-side-tool-invocati",
        "tools[0].googleSearch",
    ),
];

#[test]
fn requests_come_out_as_they_went_in() {
    let mut refused = Vec::new();
    for recorded in all() {
        assert!(recorded.request.is_object(), "{}", recorded.name);
        let model = model_of(&recorded.body).unwrap_or_else(|| "gemini-2.5-flash".to_owned());
        let again = with_turn(&recorded.request, |turn| {
            turn.and_then(|turn| written(&turn, recorded.kind, &model))
        });
        match again {
            Ok((again, _)) => assert_eq!(
                normal(&recorded.name, &parse(again.as_bytes())),
                normal(&recorded.name, &recorded.request),
                "{}",
                recorded.name
            ),
            Err(error) => refused.push((recorded.name, error.field.into_owned())),
        }
    }
    refused.sort();
    let expected = REFUSED.map(|(name, field)| (name.to_owned(), field.to_owned()));
    assert_eq!(refused, expected);
}

#[test]
fn what_is_dropped_is_named() {
    let dropped = |name: &str| -> Vec<String> {
        let recorded = all()
            .into_iter()
            .find(|it| it.name.ends_with(name))
            .unwrap();
        with_turn(&recorded.request, |turn| {
            turn.unwrap().dropped.iter().map(str::to_owned).collect()
        })
    };
    assert_eq!(dropped("/tools"), ["safetySettings"]);
    assert_eq!(
        dropped("/call-with-params-google-gemini-2-5-flash"),
        [""; 0]
    );
}

fn model_of(body: &RecordedBody) -> Option<String> {
    let text = match body {
        RecordedBody::Whole(body) => String::from_utf8(body.clone()).unwrap(),
        RecordedBody::Sse(events) => events.concat(),
        _ => return None,
    };
    let (_, rest) = text.split_once("\"modelVersion\"")?;
    Some(rest.split('"').nth(1)?.to_owned())
}

/// A request without the differences that are meant:
///
/// * names in camel case, numbers as numbers, base64 in its standard alphabet, nothing that is `null` or says nothing;
/// * schemas under one name, in JSON Schema (`in_json_schema` has tests of its own);
/// * sides in turns; nothing of thoughts, their proofs and the ids of calls; `output` is `result`;
/// * what is dropped and named;
/// * thinking in the words of the model's own generation.
fn normal(name: &str, request: &Value) -> Value {
    let mut request = plain(request);
    let members = request.as_object_mut().unwrap();
    for dropped in ["safetySettings", "model"] {
        members.remove(dropped);
    }
    if let Some(system) = members.get_mut("systemInstruction") {
        system.as_object_mut().unwrap().remove("role");
    }
    let mut contents: Vec<Value> = Vec::new();
    for content in members["contents"].as_array().unwrap() {
        let role = content
            .get("role")
            .cloned()
            .unwrap_or_else(|| json!("user"));
        let parts = content["parts"].as_array().unwrap().iter();
        let parts: Vec<Value> = parts.filter(|it| it["thought"] != true).cloned().collect();
        match contents.last_mut() {
            Some(last) if last["role"] == role => {
                last["parts"].as_array_mut().unwrap().extend(parts);
            }
            _ => contents.push(json!({"role": role, "parts": parts})),
        }
    }
    members.insert("contents".to_owned(), contents.into());
    if let Some(config) = members.get_mut("generationConfig") {
        let config = config.as_object_mut().unwrap();
        if config.get("responseModalities") == Some(&json!(["TEXT"])) {
            config.remove("responseModalities");
        }
        if let Some(schema) = config.remove("responseSchema") {
            config.insert("responseJsonSchema".to_owned(), schema);
        }
        // Gemini 3 counts in words: 6,400 tokens are `medium`, which its first large model takes as `high`.
        if name.contains("strict-mode-with-streamed-thinking") {
            config["thinkingConfig"] = json!({"includeThoughts": true, "thinkingLevel": "high"});
        }
        if let Some(thinking) = config.get_mut("thinkingConfig") {
            let thinking = thinking.as_object_mut().unwrap();
            if thinking.get("includeThoughts") == Some(&json!(false)) {
                thinking.remove("includeThoughts");
            }
            if let Some(level) = thinking.get_mut("thinkingLevel") {
                *level = json!(level.as_str().unwrap().to_lowercase());
            }
        }
        if config.is_empty() {
            members.remove("generationConfig");
        }
    }
    // COMPAT: a client of 2025 gave the name of the call in place of the function's; the call decides.
    if name.contains("testexec-gemini-toolcall-1") {
        let last = members["contents"]
            .as_array_mut()
            .unwrap()
            .last_mut()
            .unwrap();
        last["parts"][0]["functionResponse"]["name"] = json!("list_directory");
    }
    request
}

fn plain(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64().unwrap()),
        Value::Array(list) => list.iter().map(plain).collect(),
        Value::Object(members) => {
            let mut plain_members = Map::new();
            for (key, value) in members {
                let key = &*crate::dialect::gemini::field::camel(key);
                let said = match key {
                    "thoughtSignature" => continue,
                    "id" if members.contains_key("name") => continue,
                    "thought" if value == false => continue,
                    "description" if value == "" => continue,
                    _ if value.is_null() => continue,
                    "response" if value["output"].is_string() => json!({"result": value["output"]}),
                    "args" | "response" => value.clone(),
                    "parameters"
                    | "parametersJsonSchema"
                    | "responseSchema"
                    | "responseJsonSchema" => schema(value),
                    "data" => json!(value.as_str().unwrap().replace('-', "+").replace('_', "/")),
                    _ => plain(value),
                };
                let key = if key == "parameters" {
                    "parametersJsonSchema"
                } else {
                    key
                };
                plain_members.insert(key.to_owned(), said);
            }
            Value::Object(plain_members)
        }
        _ => value.clone(),
    }
}

/// A schema with its types in small letters and without the order of its properties; without its references and what
/// the subset of `OpenAPI` cannot say, as nothing recorded has any.
fn schema(value: &Value) -> Value {
    match value {
        Value::Array(list) => list.iter().map(schema).collect(),
        Value::Object(members) => members
            .iter()
            .filter(|(key, _)| *key != "property_ordering")
            .map(|(key, value)| match (key.as_str(), value.as_str()) {
                ("type", Some(word)) => (key.clone(), json!(word.to_lowercase())),
                _ => (key.clone(), schema(value)),
            })
            .collect(),
        _ => value.clone(),
    }
}
