//! Clients' requests: what is read from them, and what is refused.

use serde_json::{Value, json};

use crate::dialect::gemini::path;
use crate::dialect::turn::{Effort, Form, Part, Role, Source, Thinking, ToolChoice, Turn};

use super::with_turn;

fn asked(mut body: Value) -> Value {
    body["contents"] = json!([{"role": "user", "parts": [{"text": "a"}]}]);
    body
}

fn read<T>(body: &Value, with: impl FnOnce(&Turn<'_>) -> T) -> T {
    with_turn(body, |turn| with(&turn.unwrap()))
}

/// A call and its response meet by name and order, and get a name of their own, the same every time.
#[test]
fn calls_without_names_meet_their_responses() {
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "compare"}]},
        {"role": "model", "parts": [
            {"functionCall": {"name": "look", "args": {"city": "Bern"}}},
            {"functionCall": {"name": "look", "args": {"city": "Rome"}}},
            {"functionCall": {"name": "list"}},
        ]},
        {"role": "user", "parts": [
            {"functionResponse": {"name": "list", "response": {"n": 1}}},
            {"functionResponse": {"name": "look", "response": {"result": "cold"}}},
            {"functionResponse": {"name": "look", "response": {"error": "no such city"}}},
        ]},
    ]});
    let (calls, results) = read(&body, names);
    let of = |at: usize, name: &str, failed| (calls[at].clone(), name.to_owned(), failed);
    assert_eq!(
        results,
        [
            of(2, "list", false),
            of(0, "look", false),
            of(1, "look", true)
        ]
    );
    assert_ne!(calls[0], calls[1]);
    assert_eq!(read(&body, names).0, calls, "the same every time");
}

#[test]
fn calls_with_names_meet_by_name() {
    let body = json!({"contents": [
        {"role": "model", "parts": [
            {"functionCall": {"id": "1", "name": "look"}},
            {"functionCall": {"id": "2", "name": "look"}},
        ]},
        {"role": "user", "parts": [
            {"functionResponse": {"id": "2", "name": "look", "response": {}}},
            {"functionResponse": {"name": "look", "response": {}}},
            {"functionResponse": {"id": "9", "name": "gone", "response": {}}},
            {"functionResponse": {"name": "gone", "response": {}}},
        ]},
    ]});
    let (calls, results) = read(&body, names);
    assert_eq!(calls, ["1", "2"]);
    let ids: Vec<_> = results.iter().map(|(id, ..)| id.as_str()).collect();
    assert_eq!(ids[..3], ["2", "1", "9"]);
    assert!(
        ids[3].starts_with("call_"),
        "of no call: a name of its own, for the provider to refuse"
    );
}

fn names(turn: &Turn<'_>) -> (Vec<String>, Vec<(String, String, bool)>) {
    let (mut calls, mut results) = (Vec::new(), Vec::new());
    for part in turn.messages.iter().flat_map(|message| &message.parts) {
        match part {
            Part::ToolCall(call) => calls.push(call.id.to_string()),
            Part::ToolResult(it) => {
                results.push((it.id.to_string(), it.name.to_string(), it.is_error));
            }
            _ => {}
        }
    }
    (calls, results)
}

#[test]
fn any_spelling_that_proto_json_allows() {
    let body = json!({
        "system_instruction": {"parts": {"text": "s"}},
        "contents": {"parts": [{"inline_data": {"mime_type": "image/png", "data": "_-8"}}, "b"]},
        "generation_config": {"max_output_tokens": "50", "top_k": 40.0, "stop_sequences": "x", "thinking_config": {"thinking_level": "LOW"}},
        "tools": {"function_declarations": {"name": "f"}},
        "tool_config": {"function_calling_config": {"mode": "any", "allowed_function_names": ["f"]}},
    });
    read(&body, |turn| {
        let Part::Text(system) = &turn.system[0] else {
            panic!()
        };
        assert_eq!(system.text, "s");
        assert_eq!(turn.messages[0].role, Role::User);
        let Part::Image(image) = &turn.messages[0].parts[0] else {
            panic!()
        };
        let Source::Data { media_type, base64 } = &image.source else {
            panic!()
        };
        assert_eq!((&**media_type, &**base64), ("image/png", "/+8="));
        let Part::Text(text) = &turn.messages[0].parts[1] else {
            panic!()
        };
        assert_eq!(text.text, "b");
        assert_eq!(
            (turn.max_tokens, turn.top_k, &*turn.stop),
            (Some(50), Some(40), &["x"][..])
        );
        assert_eq!(turn.thinking.unwrap().effort, Some(Effort::Low));
        assert_eq!(turn.tools[0].name, "f");
        assert_eq!(turn.tool_choice, Some(ToolChoice::Named("f")));
        assert!(turn.dropped.is_empty() && turn.stream_usage && !turn.stream);
    });
}

#[test]
fn what_thinking_is_asked_for() {
    for (config, effort, budget, shown) in [
        (json!({}), None, None, false),
        (json!({"includeThoughts": true}), None, None, true),
        (
            json!({"thinkingBudget": 0}),
            Some(Effort::None),
            None,
            false,
        ),
        (
            json!({"thinkingBudget": -1, "includeThoughts": true}),
            None,
            None,
            true,
        ),
        (json!({"thinkingBudget": 300}), None, Some(300), false),
        (
            json!({"thinkingLevel": "HIGH"}),
            Some(Effort::High),
            None,
            false,
        ),
        (
            json!({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}),
            None,
            None,
            false,
        ),
    ] {
        let body = asked(json!({"generationConfig": {"thinkingConfig": config}}));
        let thinking = read(&body, |turn| turn.thinking);
        assert_eq!(
            thinking,
            Some(Thinking {
                effort,
                budget,
                shown
            }),
            "{body}"
        );
    }
}

#[test]
fn which_tools_may_be_called() {
    let choice = |config: Value| {
        let body = asked(json!({
            "tools": [{"functionDeclarations": [{"name": "f"}, {"name": "g"}, {"name": "h"}]}],
            "toolConfig": {"functionCallingConfig": config},
        }));
        read(&body, |turn| {
            let choice = match turn.tool_choice {
                None => "-",
                Some(ToolChoice::Auto) => "auto",
                Some(ToolChoice::Required) => "required",
                Some(ToolChoice::None) => "none",
                Some(ToolChoice::Named(_)) => "named",
            };
            (choice, turn.tools.len(), turn.dropped.iter().count())
        })
    };
    assert_eq!(choice(json!({})), ("-", 3, 0));
    assert_eq!(choice(json!({"mode": "AUTO"})), ("auto", 3, 0));
    assert_eq!(choice(json!({"mode": "NONE"})), ("none", 3, 0));
    assert_eq!(choice(json!({"mode": "ANY"})), ("required", 3, 0));
    assert_eq!(
        choice(json!({"mode": "ANY", "allowedFunctionNames": ["g"]})),
        ("named", 3, 0)
    );
    assert_eq!(
        choice(json!({"mode": "ANY", "allowedFunctionNames": ["g", "h"]})),
        ("required", 2, 0)
    );
    assert_eq!(
        choice(json!({"mode": "ANY", "allowedFunctionNames": ["x", "y"]})),
        ("-", 0, 0)
    );
    assert_eq!(choice(json!({"mode": "VALIDATED"})), ("auto", 3, 1));
    assert_eq!(
        choice(json!({"mode": "AUTO", "streamFunctionCallArguments": true})),
        ("auto", 3, 1)
    );
    // `litellm_34276_…`, `litellm_34420_…`: a choice without tools leaks.
    let body = asked(json!({"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}));
    assert!(read(&body, |turn| turn.tool_choice.is_none()));
}

#[test]
fn the_form_of_the_answer() {
    let form = |config: Value| {
        let body = asked(json!({"generationConfig": config}));
        read(&body, |turn| match turn.form {
            Form::Text => "text",
            Form::Json => "json",
            Form::Schema(_) => "schema",
        })
    };
    assert_eq!(
        form(json!({"responseMimeType": "text/plain", "candidateCount": 1})),
        "text"
    );
    assert_eq!(
        form(json!({"responseMimeType": "application/json"})),
        "json"
    );
    for key in [
        "responseSchema",
        "responseJsonSchema",
        "response_json_schema",
    ] {
        assert_eq!(
            form(json!({"responseMimeType": "application/json", (key): {"type": "STRING"}})),
            "schema"
        );
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn what_is_refused() {
    let of_part = |part: Value| json!({"contents": [{"role": "user", "parts": [part]}]});
    let of_config = |config: Value| asked(json!({"generationConfig": config}));
    for (body, field) in [
        (json!([]), "body"),
        (json!({}), "contents"),
        (
            json!({"contents": [{"role": "nobody", "parts": []}]}),
            "contents[0].role",
        ),
        (of_part(json!({"text": 7})), "contents[0].parts[0]"),
        (
            of_part(json!({"functionCall": {"name": "f"}})),
            "contents[0].parts[0]",
        ),
        (
            of_part(json!({"inlineData": {"mimeType": "video/mp4", "data": ""}})),
            "contents[0].parts[0]",
        ),
        (
            of_part(json!({"inlineData": {"mimeType": "image/png"}})),
            "contents[0].parts[0]",
        ),
        (
            of_part(json!({"fileData": {"mimeType": "image/png", "fileUri": "gs://b/o"}})),
            "contents[0].parts[0]",
        ),
        (
            of_part(
                json!({"fileData": {"mimeType": "image/png", "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/x"}}),
            ),
            "contents[0].parts[0]",
        ),
        (
            of_part(json!({"executableCode": {"code": "x"}})),
            "contents[0].parts[0]",
        ),
        (
            json!({"contents": [{"role": "model", "parts": [{"functionResponse": {"name": "f"}}]}]}),
            "contents[0].parts[0]",
        ),
        (
            json!({"contents": [{"role": "model", "parts": [{"functionCall": {"name": "f", "args": [1]}}]}]}),
            "contents[0].parts[0]",
        ),
        (
            asked(json!({"systemInstruction": {"parts": [{"inlineData": {}}]}})),
            "systemInstruction",
        ),
        (
            asked(json!({"tools": [{"codeExecution": {}}]})),
            "tools[0].codeExecution",
        ),
        (
            asked(json!({"tools": [{"functionDeclarations": [{}]}]})),
            "tools[].functionDeclarations[]",
        ),
        (
            of_config(json!({"temperature": "hot"})),
            "generationConfig.temperature",
        ),
        (
            of_config(json!({"maxOutputTokens": -1})),
            "generationConfig.maxOutputTokens",
        ),
        (
            of_config(json!({"candidateCount": 2})),
            "generationConfig.candidateCount",
        ),
        (
            of_config(json!({"responseLogprobs": true})),
            "generationConfig.responseLogprobs",
        ),
        (
            of_config(json!({"responseModalities": ["TEXT", "IMAGE"]})),
            "generationConfig.responseModalities",
        ),
        (
            of_config(json!({"responseMimeType": "text/x.enum"})),
            "generationConfig.responseMimeType",
        ),
        (
            of_config(json!({"stopSequences": [1]})),
            "generationConfig.stopSequences",
        ),
        (
            of_config(json!({"thinkingConfig": {"thinkingLevel": "DEEP"}})),
            "generationConfig.thinkingConfig.thinkingLevel",
        ),
    ] {
        let refused = with_turn(&body, |turn| {
            turn.map(|_| ()).unwrap_err().field.into_owned()
        });
        assert_eq!(refused, field, "{body}");
    }
}

#[test]
fn what_is_dropped_is_named() {
    let body = json!({
        "contents": [{"role": "model", "parts": [{"text": "a", "thoughtSignature": "s", "videoMetadata": {}}]}],
        "labels": {"a": "b"},
        "safety_settings": [],
        "tools": [{"functionDeclarations": [{"name": "f", "behavior": "BLOCKING"}]}],
        "toolConfig": {"retrievalConfig": {}},
        "generationConfig": {"mediaResolution": "LOW", "seed": -4, "thinkingConfig": {"fast": true}},
    });
    let dropped = read(&body, |turn| {
        turn.dropped.iter().map(str::to_owned).collect::<Vec<_>>()
    });
    let mut expected = [
        "contents[].parts[].thoughtSignature",
        "contents[].parts[].videoMetadata",
        "generationConfig.mediaResolution",
        "generationConfig.seed",
        "generationConfig.thinkingConfig.fast",
        "labels",
        "safetySettings",
        "tools[].functionDeclarations[].behavior",
        "toolConfig.retrievalConfig",
    ];
    let mut dropped = dropped;
    dropped.sort();
    expected.sort_unstable();
    assert_eq!(dropped, expected);
}

#[test]
fn paths_of_models() {
    for (base, model, stream, expected) in [
        (
            "/v1beta",
            "gemini-2.5-flash",
            false,
            "/v1beta/models/gemini-2.5-flash:generateContent",
        ),
        (
            "/v1beta/",
            "models/gemini-2.5-flash",
            true,
            "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        ),
        (
            "/v1beta",
            "tunedModels/mine-1",
            false,
            "/v1beta/tunedModels/mine-1:generateContent",
        ),
        (
            "/v1/projects/p/locations/l/publishers/google",
            "gemini-3-flash",
            true,
            "/v1/projects/p/locations/l/publishers/google/models/gemini-3-flash:streamGenerateContent?alt=sse",
        ),
        (
            "",
            "a?b #ü",
            false,
            "/models/a%3Fb%20%23%C3%BC:generateContent",
        ),
    ] {
        let mut out = String::new();
        path(base, model, stream, &mut out);
        assert_eq!(out, expected);
    }
}
