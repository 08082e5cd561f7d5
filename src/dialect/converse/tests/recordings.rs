//! Recorded requests, read and written again: what differs is listed.

use serde_json::{Value, json};

use super::{asked, with_tree, written};
use crate::dialect::recorded;
use crate::wire::json::Tree;

#[test]
fn recorded_requests_are_written_again() {
    for recorded in recorded::of("bedrock") {
        if speaks_of_its_own(&recorded.request) {
            continue;
        }
        let model = model_of(&recorded.name);
        let mut schema = schema_text(&recorded.request);
        let schema = schema.as_mut().map(|text| Tree::parse(text).unwrap());
        let body = with_tree(&recorded.request, |tree| {
            let schema = schema.as_ref().map(Tree::root);
            let (body, dropped) = written(&asked::read(tree.root(), schema), &model).unwrap();
            // Bedrock's own names of documents, and the ones that stand here, are neutral both.
            let is_name = |it: &&String| *it == "messages[].content[].file.filename";
            assert!(
                dropped.iter().all(|it| is_name(&it)),
                "{}: {dropped:?}",
                recorded.name
            );
            body
        });
        let (mut ours, mut theirs) = (
            serde_json::from_str(&body).unwrap(),
            recorded.request.clone(),
        );
        level(&mut ours);
        level(&mut theirs);
        assert_eq!(ours, theirs, "{}", recorded.name);
    }
}

/// What has no place in a neutral turn: tools and guardrails of Bedrock's own.
fn speaks_of_its_own(request: &Value) -> bool {
    let text = request.to_string();
    ["systemTool", "guardContent", "\"citations\""]
        .iter()
        .any(|word| text.contains(word))
}

/// The model that a recording asks: it stands in the path, which the tests of other formats have no use for.
fn model_of(name: &str) -> String {
    let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let path = file["request"]["path"].as_str().unwrap();
    path.split('/').nth(2).unwrap().replace("%3A", ":")
}

fn schema_text(request: &Value) -> Option<Vec<u8>> {
    let text = request["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"].as_str();
    Some(text?.as_bytes().to_vec())
}

/// Takes away what differs and says the same.
fn level(value: &mut Value) {
    match value {
        Value::Object(object) => {
            // Nothing, or what Bedrock assumes.
            object.retain(|key, value| {
                let is_nothing = *value == json!({}) || *value == json!([]);
                let is_default = key == "status" && *value == json!("success");
                !((is_nothing && matches!(key.as_str(), "inferenceConfig" | "system"))
                    || is_default)
            });
            // The schema is a text, with white space as it pleases the writer.
            if let Some(Value::String(schema)) = object.get_mut("schema") {
                *schema = serde_json::from_str::<Value>(schema).unwrap().to_string();
            }
            object.values_mut().for_each(level);
        }
        Value::Array(list) => list.iter_mut().for_each(level),
        // 1 and 1.0
        Value::Number(number) => *value = json!(number.as_f64()),
        _ => {}
    }
}
