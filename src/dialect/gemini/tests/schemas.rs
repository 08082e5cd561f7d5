//! Schemas in Google's own words, into JSON Schema and out of it.

use serde_json::{Value, json};

use crate::dialect::gemini::request;
use crate::dialect::loss::Unsupported;
use crate::dialect::turn::{Message, Part, Role, Text, Tool, Turn};
use crate::policy::model::ProviderKind;
use crate::wire::json::Tree;

use super::{parse, written};

/// A tool with this schema, as a model is told that takes no JSON Schema; and what was lost.
fn told(schema: &Value, model: &str) -> Result<(Value, Vec<String>), Unsupported> {
    let mut text = serde_json::to_vec(schema).unwrap();
    let tree = Tree::parse(&mut text).unwrap();
    let turn = Turn {
        messages: vec![Message {
            role: Role::User,
            parts: vec![Part::Text(Text::new("a"))],
        }],
        tools: vec![Tool {
            name: "f",
            description: None,
            schema: Some(tree.root()),
            strict: None,
            cache: false,
        }],
        ..Turn::default()
    };
    let (text, losses) = written(&turn, ProviderKind::Gemini, model)?;
    let body = parse(text.as_bytes());
    Ok((body["tools"][0]["functionDeclarations"][0].clone(), losses))
}

#[test]
fn newer_models_take_json_schema_as_it_is() {
    let schema = json!({"$schema": "x", "type": "object", "additionalProperties": false,
        "properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {"const": 7}}});
    for model in [
        "gemini-2.5-flash",
        "models/gemini-3-pro-preview",
        "gemini-flash-latest",
    ] {
        let (declared, losses) = told(&schema, model).unwrap();
        assert_eq!(
            declared,
            json!({"name": "f", "parametersJsonSchema": schema}),
            "{model}"
        );
        assert_eq!(losses, [""; 0]);
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn older_models_are_told_in_the_subset() {
    for (schema, expected, lost) in [
        (
            json!({"type": "string", "enum": ["a", "b"], "description": "d"}),
            json!({"type": "STRING", "enum": ["a", "b"], "description": "d"}),
            &[][..],
        ),
        (
            json!({"type": ["string", "null"]}),
            json!({"nullable": true, "type": "STRING"}),
            &[],
        ),
        (
            json!({"type": ["string", "integer"]}),
            json!({"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]}),
            &[],
        ),
        (
            json!({"const": "a"}),
            json!({"type": "STRING", "enum": ["a"]}),
            &[],
        ),
        (
            json!({"type": "integer", "enum": [1, 2]}),
            json!({"type": "INTEGER"}),
            &["enum"],
        ),
        (
            json!({"type": "integer", "const": 1}),
            json!({"type": "INTEGER"}),
            &["const"],
        ),
        (
            json!({"type": "string", "enum": ["a", null]}),
            json!({"nullable": true, "type": "STRING", "enum": ["a"]}),
            &[],
        ),
        (
            json!({"anyOf": [{"type": "string"}, {"type": "null"}]}),
            json!({"nullable": true, "anyOf": [{"type": "STRING"}]}),
            &[],
        ),
        (
            json!({"oneOf": [{"type": "string"}, {"type": "number"}]}),
            json!({"anyOf": [{"type": "STRING"}, {"type": "NUMBER"}]}),
            &[],
        ),
        (
            json!({"allOf": [{"type": "string"}]}),
            json!({"type": "STRING"}),
            &[],
        ),
        (
            json!({"type": "string", "format": "uri"}),
            json!({"type": "STRING"}),
            &["format"],
        ),
        (
            json!({"type": "string", "format": "date-time", "pattern": "^a"}),
            json!({"type": "STRING", "format": "date-time", "pattern": "^a"}),
            &[],
        ),
        (
            json!({"type": "array", "items": {"type": "integer", "minimum": 1, "exclusiveMaximum": 9}, "minItems": 2, "uniqueItems": true}),
            json!({"type": "ARRAY", "items": {"type": "INTEGER", "minimum": 1}, "minItems": 2}),
            &["exclusiveMaximum", "uniqueItems"],
        ),
        (
            json!({"type": "object", "additionalProperties": {"type": "string"}}),
            json!({"type": "OBJECT"}),
            &["additionalProperties"],
        ),
        (
            json!({"type": "object", "properties": {"type": {"type": "string"}, "format": {"type": "object"}}, "required": ["type", "gone"]}),
            json!({"type": "OBJECT", "properties": {"type": {"type": "STRING"}, "format": {"type": "OBJECT"}}, "required": ["type"]}),
            &[],
        ),
    ] {
        // Within an object: an empty one at the root is left out.
        let whole = json!({"$schema": "x", "type": "object", "additionalProperties": false, "properties": {"p": schema}});
        let (declared, losses) = told(&whole, "gemini-2.0-flash").unwrap();
        assert_eq!(
            declared["parameters"],
            json!({"type": "OBJECT", "properties": {"p": expected}}),
            "{schema}"
        );
        let lost: Vec<_> = lost
            .iter()
            .map(|key| format!("tools[0].function.parameters.{key}"))
            .collect();
        assert_eq!(losses, lost, "{schema}");
    }
}

#[test]
fn an_object_without_properties_is_left_out() {
    for schema in [
        json!({}),
        json!({"type": "object"}),
        json!({"type": "object", "properties": {}, "required": []}),
    ] {
        let (declared, _) = told(&schema, "gemini-2.0-flash").unwrap();
        assert_eq!(declared, json!({"name": "f"}), "{schema}");
    }
}

#[test]
fn references_are_written_out() {
    let schema = json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}, "c": {"$ref": "#/definitions/d~1e/items"}},
        "$defs": {"b": {"type": "object", "properties": {"x": {"$ref": "#/definitions/d~1e"}}}},
        "definitions": {"d/e": {"type": "array", "items": {"type": "string"}}}});
    let (declared, losses) = told(&schema, "gemini-2.0-flash").unwrap();
    assert_eq!(
        declared["parameters"],
        json!({"type": "OBJECT", "properties": {
            "a": {"type": "OBJECT", "properties": {"x": {"type": "ARRAY", "items": {"type": "STRING"}}}},
            "c": {"type": "STRING"},
        }})
    );
    assert_eq!(losses, [""; 0]);
}

#[test]
fn a_schema_that_contains_itself_ends() {
    let schema = json!({"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "object", "properties": {
        "left": {"$ref": "#/$defs/tree", "description": "smaller"}, "value": {"type": "integer"}}}}});
    let (declared, losses) = told(&schema, "gemini-2.0-flash").unwrap();
    assert_eq!(
        declared["parameters"],
        json!({"type": "OBJECT", "properties": {
        "left": {"type": "OBJECT", "description": "smaller"}, "value": {"type": "INTEGER"}}})
    );
    assert_eq!(losses, ["tools[0].function.parameters.$ref"]);
    let of_nothing = json!({"$ref": "#"});
    assert!(told(&of_nothing, "gemini-2.0-flash").is_ok());
}

/// Fourteen definitions that each name the next one twice are 2¹⁴ schemas.
#[test]
fn a_schema_that_explodes_is_refused() {
    let mut definitions = serde_json::Map::new();
    for at in 0..14 {
        let next = json!({"$ref": format!("#/$defs/d{}", at + 1)});
        definitions.insert(
            format!("d{at}"),
            json!({"type": "object", "properties": {"l": next, "r": next}}),
        );
    }
    definitions.insert("d14".to_owned(), json!({"type": "string"}));
    let schema = json!({"$ref": "#/$defs/d0", "$defs": definitions});
    let error = told(&schema, "gemini-2.0-flash").unwrap_err();
    assert_eq!(error.field, "tools[0].function.parameters");
    // A chain is no larger than its document, but deeper.
    let mut definitions = serde_json::Map::new();
    for at in 0..9_000 {
        let next = json!({"$ref": format!("#/$defs/d{}", at + 1)});
        definitions.insert(format!("d{at}"), next);
    }
    definitions.insert("d9000".to_owned(), json!({"type": "string"}));
    let chain = json!({"$ref": "#/$defs/d0", "$defs": definitions});
    assert!(told(&chain, "gemini-2.0-flash").is_err());
    let lost = json!({"$ref": "#/$defs/none"});
    let error = told(&lost, "gemini-2.0-flash").unwrap_err();
    assert_eq!(
        error.to_string(),
        "`tools[0].function.parameters` refers to a definition that is not in it"
    );
}

#[test]
fn a_clients_schemas_become_json_schema() {
    let body = json!({
        "contents": [{"parts": [{"text": "a"}]}],
        "tools": [{"function_declarations": [{"name": "f", "parameters": {
            "type": "OBJECT",
            "property_ordering": ["type"],
            "properties": {
                "type": {"type": "STRING", "nullable": true, "format": "enum", "enum": ["A"], "example": "A"},
                "min_items": {"type": "ARRAY", "min_items": "2", "items": {"type": "INTEGER", "nullable": true}},
                "any": {"any_of": [{"type": "STRING"}, {"type": "NUMBER"}], "nullable": true},
                "none": {"type": "TYPE_UNSPECIFIED", "description": "d"},
            },
            "required": ["type"],
        }}]}],
        "generation_config": {"response_schema": {"type": "ARRAY", "items": {"type": "BOOLEAN"}}, "temperature": 0.5},
    });
    let mut text = serde_json::to_vec(&body).unwrap();
    let tree = Tree::parse(&mut text).unwrap();
    let again = parse(&request::in_json_schema(tree.root()).unwrap());
    assert_eq!(
        again,
        json!({
            "contents": [{"parts": [{"text": "a"}]}],
            "tools": [{"functionDeclarations": [{"name": "f", "parameters": {
                "type": "object",
                "properties": {
                    "type": {"type": ["string", "null"], "enum": ["A", null], "examples": ["A"]},
                    "min_items": {"type": "array", "minItems": 2, "items": {"type": ["integer", "null"]}},
                    "any": {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "null"}]},
                    "none": {"description": "d"},
                },
                "required": ["type"],
            }}]}],
            "generationConfig": {"responseSchema": {"type": "array", "items": {"type": "boolean"}}, "temperature": 0.5},
        })
    );
}

#[test]
fn a_body_without_such_schemas_is_read_as_it_is() {
    let body = json!({"contents": [], "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"type": "object"}}]}],
        "generationConfig": {"responseJsonSchema": {"type": "object"}}});
    let mut text = serde_json::to_vec(&body).unwrap();
    assert_eq!(
        request::in_json_schema(Tree::parse(&mut text).unwrap().root()),
        None
    );
}
