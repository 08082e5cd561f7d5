//! Requests for Gemini and Vertex AI: goldens of what is written, what is lost, and what is refused.

use serde_json::{Value, json};

use crate::dialect::turn::{
    Arguments, Effort, Form, Media, Message, Part, Reasoning, Role, Source, Text, Thinking, Tool,
    ToolCall, ToolChoice, ToolResult, Turn,
};
use crate::policy::model::ProviderKind;
use crate::wire::json::Tree;

use super::{parse, written};

fn said(role: Role, parts: Vec<Part<'_>>) -> Message<'_> {
    Message { role, parts }
}

fn text(text: &str) -> Part<'_> {
    Part::Text(Text::new(text))
}

fn call<'a>(id: &'a str, arguments: &'a str) -> Part<'a> {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: "look".into(),
        arguments: Arguments::Text(arguments.into()),
        signature: Some("foreign".into()),
    })
}

fn result<'a>(id: &'a str, parts: Vec<Part<'a>>) -> Part<'a> {
    Part::ToolResult(ToolResult {
        id: id.into(),
        name: "look".into(),
        parts,
        is_error: false,
        cache: false,
    })
}

fn image(source: Source<'_>) -> Part<'_> {
    Part::Image(Media {
        source,
        name: None,
        detail: None,
        cache: false,
    })
}

fn png() -> Source<'static> {
    Source::Data {
        media_type: "image/png".into(),
        base64: "AAAA".into(),
    }
}

fn tool(name: &str) -> Tool<'_> {
    Tool {
        name,
        description: Some("d"),
        schema: None,
        strict: None,
        cache: false,
    }
}

fn of(messages: Vec<Message<'_>>) -> Turn<'_> {
    Turn {
        messages,
        ..Turn::default()
    }
}

fn contents(turn: &Turn<'_>, kind: ProviderKind, model: &str) -> Value {
    parse(written(turn, kind, model).unwrap().0.as_bytes())["contents"].clone()
}

/// A conversation of another provider's words, for the newest generation.
#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one conversation, and what becomes of it"
)]
fn a_conversation_in_full() {
    let mut schema = br#"{"type":"object","properties":{"city":{"type":"string"}}}"#.to_vec();
    let schema = Tree::parse(&mut schema).unwrap();
    let turn = Turn {
        system: vec![text("be brief")],
        messages: vec![
            said(Role::User, vec![text("compare"), image(png())]),
            said(
                Role::Assistant,
                vec![
                    Part::Reasoning(Reasoning {
                        text: "hm".into(),
                        signature: Some("foreign".into()),
                        redacted: false,
                    }),
                    text("I look."),
                    call("call_1", "{\"city\": \"Bern\"}"),
                    call("call_2", ""),
                ],
            ),
            said(Role::System, vec![text("be kind")]),
            said(
                Role::User,
                vec![
                    text("and?"),
                    result("call_2", vec![]),
                    result("call_1", vec![text("{\"t\": 3}")]),
                ],
            ),
        ],
        tools: vec![Tool {
            schema: Some(schema.root()),
            ..tool("look")
        }],
        tool_choice: Some(ToolChoice::Named("look")),
        parallel_tools: Some(false),
        max_tokens: Some(100),
        temperature: Some(0.5),
        stop: vec!["\n"],
        seed: Some(7),
        thinking: Some(Thinking {
            effort: Some(Effort::Low),
            budget: None,
            shown: true,
        }),
        user: Some("u"),
        ..Turn::default()
    };
    let (body, losses) = written(&turn, ProviderKind::Gemini, "gemini-3-flash-preview").unwrap();
    assert_eq!(
        body,
        concat!(
            r#"{"systemInstruction":{"parts":[{"text":"be brief"},{"text":"be kind"}]},"contents":["#,
            r#"{"role":"user","parts":[{"text":"compare"},{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]},"#,
            r#"{"role":"model","parts":[{"text":"I look."},"#,
            r#"{"functionCall":{"id":"call_1","name":"look","args":{"city":"Bern"}},"thoughtSignature":"skip_thought_signature_validator"},"#,
            r#"{"functionCall":{"id":"call_2","name":"look","args":{}}}]},"#,
            r#"{"role":"user","parts":[{"functionResponse":{"id":"call_1","name":"look","response":{"t":3}}},"#,
            r#"{"functionResponse":{"id":"call_2","name":"look","response":{"result":""}}},{"text":"and?"}]}],"#,
            r#""tools":[{"functionDeclarations":[{"name":"look","description":"d","parametersJsonSchema":{"type":"object","properties":{"city":{"type":"string"}}}}]}],"#,
            r#""toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["look"]}},"#,
            r#""generationConfig":{"temperature":0.5,"maxOutputTokens":100,"seed":7,"stopSequences":["\n"],"#,
            r#""thinkingConfig":{"includeThoughts":true,"thinkingLevel":"low"}}}"#
        )
    );
    assert_eq!(
        losses,
        [
            "user",
            "parallel_tool_calls",
            "messages[].reasoning_content",
            "messages[].role"
        ]
    );
    assert_eq!(
        written(&turn, ProviderKind::Gemini, "gemini-3-flash-preview")
            .unwrap()
            .0,
        body,
        "the same every time"
    );
}

/// `litellm_16893_…`, `langchain_37347_…`: "Function call is missing a `thought_signature`": each step's first call has
/// one, and a foreign one is never passed on.
#[test]
fn litellm_16893_each_step_is_signed_once() {
    let turn = of(vec![
        said(Role::Assistant, vec![call("1", ""), call("2", "")]),
        said(Role::User, vec![result("1", vec![]), result("2", vec![])]),
        said(Role::Assistant, vec![call("3", "")]),
    ]);
    let signatures = |model: &str| -> Vec<Value> {
        let contents = contents(&turn, ProviderKind::Gemini, model);
        let parts = [
            &contents[0]["parts"][0],
            &contents[0]["parts"][1],
            &contents[2]["parts"][0],
        ];
        parts.map(|part| part["thoughtSignature"].clone()).to_vec()
    };
    let word = json!("skip_thought_signature_validator");
    assert_eq!(
        signatures("gemini-3.1-pro-preview"),
        [word.clone(), Value::Null, word]
    );
    assert_eq!(
        signatures("gemini-2.5-pro"),
        [Value::Null, Value::Null, Value::Null]
    );
}

#[test]
fn sides_take_turns() {
    let thought = || {
        Part::Reasoning(Reasoning {
            text: "hm".into(),
            signature: None,
            redacted: false,
        })
    };
    let turn = of(vec![
        said(Role::User, vec![text("a")]),
        said(Role::Assistant, vec![thought()]),
        said(Role::User, vec![text("b")]),
        said(Role::Assistant, vec![Part::Refusal("no".into())]),
    ]);
    assert_eq!(
        contents(&turn, ProviderKind::Gemini, "gemini-2.5-pro"),
        json!([
            {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]},
            {"role": "model", "parts": [{"text": "no"}]},
        ])
    );
}

#[test]
fn vertex_is_not_told_the_names_of_calls() {
    let turn = of(vec![
        said(Role::Assistant, vec![call("1", "")]),
        said(Role::User, vec![result("1", vec![text("x")])]),
    ]);
    assert_eq!(
        contents(&turn, ProviderKind::Vertex, "gemini-2.5-pro"),
        json!([
            {"role": "model", "parts": [{"functionCall": {"name": "look", "args": {}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "look", "response": {"result": "x"}}}]},
        ])
    );
}

#[test]
fn what_tools_answer() {
    let answer = |parts: Vec<Part<'static>>, is_error, model: &str| {
        let mut part = result("1", parts);
        if let Part::ToolResult(result) = &mut part {
            result.is_error = is_error;
        }
        let turn = of(vec![said(Role::User, vec![part])]);
        contents(&turn, ProviderKind::Gemini, model)[0]["parts"].clone()
    };
    let response = |value: Value| json!([{"functionResponse": {"id": "1", "name": "look", "response": value}}]);
    for (said, told) in [
        ("cold", json!({"result": "cold"})),
        (" {\"a\": [1, null]} ", json!({"a": [1, null]})),
        ("[1]", json!({"result": "[1]"})),
        ("{\"a\": ", json!({"result": "{\"a\": "})),
    ] {
        assert_eq!(
            answer(vec![text(said)], false, "gemini-3-flash"),
            response(told)
        );
    }
    assert_eq!(
        answer(vec![text("a"), text("b")], false, "gemini-3-flash"),
        response(json!({"result": "a\nb"}))
    );
    assert_eq!(
        answer(vec![text("{\"a\": 1}")], true, "gemini-3-flash"),
        response(json!({"error": "{\"a\": 1}"}))
    );
    // A picture: in the answer, or behind it where that is not known yet.
    let data = json!({"inlineData": {"mimeType": "image/png", "data": "AAAA"}});
    let told = answer(vec![text("see"), image(png())], false, "gemini-3-flash");
    assert_eq!(told[0]["functionResponse"]["parts"], json!([data]));
    let told = answer(vec![text("see"), image(png())], false, "gemini-2.5-flash");
    assert_eq!(
        (&told[0]["functionResponse"]["parts"], &told[1]),
        (&Value::Null, &data)
    );
}

#[test]
fn files_by_address() {
    let told = |address: &'static str, kind| {
        let turn = of(vec![said(
            Role::User,
            vec![text("a"), image(Source::Url(address.into()))],
        )]);
        written(&turn, kind, "gemini-2.5-flash")
            .map(|(body, _)| parse(body.as_bytes())["contents"][0]["parts"][1].clone())
    };
    let uploaded = "https://generativelanguage.googleapis.com/v1beta/files/abc";
    let (gemini, vertex) = (ProviderKind::Gemini, ProviderKind::Vertex);
    assert_eq!(
        told(uploaded, gemini).unwrap(),
        json!({"fileData": {"fileUri": uploaded}})
    );
    assert_eq!(
        told("gs://b/o.png", vertex).unwrap(),
        json!({"fileData": {"mimeType": "image/png", "fileUri": "gs://b/o.png"}})
    );
    assert!(told("https://www.youtube.com/watch?v=x", gemini).is_ok());
    for (address, kind) in [
        ("https://example.com/a.png", gemini),
        ("https://example.com/a.png", vertex),
        (
            "https://generativelanguage.googleapis.com.example.com/x",
            gemini,
        ),
        ("http://169.254.169.254/x", gemini),
        ("gs://b/o.png", gemini),
        (uploaded, vertex),
    ] {
        assert_eq!(
            told(address, kind).unwrap_err().field,
            "messages[0].content",
            "{address}"
        );
    }
    let note = Part::Document(Media {
        source: Source::Text("plain".into()),
        name: Some("n.txt"),
        detail: None,
        cache: true,
    });
    let (body, losses) = written(
        &of(vec![said(Role::User, vec![note])]),
        gemini,
        "gemini-2.5-flash",
    )
    .unwrap();
    assert_eq!(
        parse(body.as_bytes())["contents"][0]["parts"],
        json!([{"text": "plain"}])
    );
    assert_eq!(
        losses,
        ["messages[].content[].file.filename", "cache_control"]
    );
}

#[test]
fn which_tools_may_be_called() {
    for (choice, strict, model, mode, lost) in [
        (None, None, "gemini-3-flash", Value::Null, false),
        (
            Some(ToolChoice::Auto),
            None,
            "gemini-3-flash",
            json!("AUTO"),
            false,
        ),
        (
            Some(ToolChoice::Required),
            None,
            "gemini-3-flash",
            json!("ANY"),
            false,
        ),
        (
            Some(ToolChoice::None),
            None,
            "gemini-3-flash",
            json!("NONE"),
            false,
        ),
        (
            None,
            Some(true),
            "gemini-3-flash",
            json!("VALIDATED"),
            false,
        ),
        (
            Some(ToolChoice::Auto),
            Some(true),
            "gemini-2.5-pro",
            json!("VALIDATED"),
            false,
        ),
        (
            Some(ToolChoice::Required),
            Some(true),
            "gemini-3-flash",
            json!("ANY"),
            true,
        ),
        (None, Some(true), "gemini-2.0-flash", Value::Null, true),
    ] {
        let turn = Turn {
            tools: vec![
                tool("g"),
                Tool {
                    strict,
                    ..tool("f")
                },
            ],
            tool_choice: choice,
            ..of(vec![said(Role::User, vec![text("a")])])
        };
        let (body, losses) = written(&turn, ProviderKind::Gemini, model).unwrap();
        let config = parse(body.as_bytes())["toolConfig"]["functionCallingConfig"].clone();
        assert_eq!(config["mode"], mode, "{choice:?} {model}");
        assert_eq!(!losses.is_empty(), lost, "{choice:?} {model}");
    }
}

#[test]
fn the_form_of_the_answer() {
    let turn = |tools| Turn {
        form: Form::Json,
        tools,
        ..of(vec![said(Role::User, vec![text("a")])])
    };
    let told = |tools, model: &str| written(&turn(tools), ProviderKind::Gemini, model);
    let (body, _) = told(vec![], "gemini-2.5-flash").unwrap();
    assert_eq!(
        parse(body.as_bytes())["generationConfig"],
        json!({"responseMimeType": "application/json"})
    );
    // "Function calling with a response mime type: 'application/json' is unsupported"
    for model in ["gemini-2.5-flash", "gemini-2.0-flash"] {
        let error = told(vec![tool("f")], model).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`response_format` cannot be combined with tools on Gemini before 3"
        );
    }
    assert!(told(vec![tool("f")], "gemini-3-flash").is_ok());
}

#[test]
fn what_is_refused_and_what_is_lost() {
    let ask = || vec![said(Role::User, vec![text("a")])];
    let orphan = Part::ToolResult(ToolResult {
        id: "x".into(),
        name: "".into(),
        parts: vec![],
        is_error: false,
        cache: false,
    });
    for (turn, message) in [
        (
            of(vec![said(Role::User, vec![orphan])]),
            "`messages[0].tool_call_id` is of no call that was made",
        ),
        (
            of(vec![said(Role::Assistant, vec![call("1", "{\"a\"")])]),
            "`messages[0].tool_calls` holds arguments that are no JSON object: the call was cut off, and the provider refuses it",
        ),
        (
            Turn {
                stop: vec!["a", "b", "c", "d", "e", "f"],
                ..of(ask())
            },
            "`stop` holds more than the 5 texts that Gemini takes",
        ),
        (
            Turn {
                system: vec![image(png())],
                ..of(ask())
            },
            "`messages` holds instructions that are not text, which Gemini does not take",
        ),
    ] {
        let error = written(&turn, ProviderKind::Gemini, "gemini-3-flash").unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    let turn = Turn {
        seed: Some(1 << 31),
        ..of(ask())
    };
    let (body, losses) = written(&turn, ProviderKind::Gemini, "gemini-3-flash").unwrap();
    assert_eq!(
        (body.as_str(), losses),
        (
            r#"{"contents":[{"role":"user","parts":[{"text":"a"}]}]}"#,
            vec!["seed".to_owned()]
        )
    );
}
