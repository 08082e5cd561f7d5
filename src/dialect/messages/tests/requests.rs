//! Requests: how they are read, and what they become at which model.

#![expect(clippy::too_many_lines, reason = "tables")]

use serde_json::{Value, json};

use super::{Written, through};
use crate::dialect::codec::Destination;
use crate::dialect::ids::{IdForm, fitted};
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::messages::request;
use crate::dialect::turn::{
    Arguments, Form, Message, Part, Role, Text, Tool, ToolCall, ToolChoice, ToolResult, Turn,
};
use crate::policy::model::ProviderKind;
use crate::wire::json as wire;

pub(super) const MANUAL: &str = "claude-sonnet-4-5";
pub(super) const EITHER: &str = "claude-opus-4-6";
pub(super) const ADAPTIVE: &str = "claude-opus-4-8";

pub(super) fn text(role: Role, text: &str) -> Message<'_> {
    Message {
        role,
        parts: vec![Part::Text(Text::new(text))],
    }
}

pub(super) fn call<'a>(id: &'a str, arguments: &'a str) -> Part<'a> {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: "f".into(),
        arguments: Arguments::Text(arguments.into()),
        signature: Some("foreign".into()),
    })
}

pub(super) fn result<'a>(id: &'a str, said: &'a str) -> Part<'a> {
    Part::ToolResult(ToolResult {
        id: id.into(),
        name: "f".into(),
        parts: Part::text(said).into_iter().collect(),
        is_error: false,
        cache: false,
    })
}

pub(super) fn asked<'a>() -> Turn<'a> {
    Turn {
        messages: vec![text(Role::User, "hi")],
        ..Turn::default()
    }
}

pub(super) fn tool() -> Tool<'static> {
    Tool {
        name: "f",
        description: None,
        schema: None,
        strict: None,
        cache: false,
    }
}

/// The body for `model`, and what is lost.
pub(super) fn written(turn: &Turn<'_>, model: &str) -> Result<(Value, Vec<String>), Unsupported> {
    let mut out = Vec::new();
    let mut losses = Losses::default();
    let to = Destination {
        kind: ProviderKind::Anthropic,
        model,
        max_output: None,
    };
    request::write(turn, &to, &mut losses, &mut wire::Writer::new(&mut out))?;
    let lost = losses.iter().map(str::to_owned).collect();
    Ok((serde_json::from_slice(&out).unwrap(), lost))
}

#[test]
fn max_tokens_are_required() {
    let body = json!({"messages": [{"role": "user", "content": "hi"}]});
    for (max_output, max_tokens) in [(None, 4_096), (Some(64_000), 64_000)] {
        let written = through(&body, MANUAL, max_output).unwrap();
        assert_eq!(written.body["max_tokens"], max_tokens);
    }
    let body = json!({"messages": [{"role": "user", "content": "hi"}], "max_tokens": 100_000});
    assert_eq!(
        through(&body, MANUAL, Some(64_000)).unwrap().body["max_tokens"],
        64_000
    );
}

// One golden text: members in their order, results in front, roles that alternate, names that fit.
#[test]
fn a_conversation_to_the_letter() {
    let turn = Turn {
        system: vec![Part::Text(Text::new("be brief"))],
        messages: vec![
            text(Role::User, "q"),
            text(Role::User, " \n"),
            Message {
                role: Role::Assistant,
                parts: vec![call("call.1", ""), call("b", r#"{"x": 1}"#)],
            },
            Message {
                role: Role::User,
                parts: vec![result("call.1", "one")],
            },
            text(Role::System, "and kind"),
            Message {
                role: Role::User,
                parts: vec![Part::Text(Text::new("so?")), result("b", "")],
            },
        ],
        tools: vec![tool()],
        parallel_tools: Some(false),
        temperature: Some(1.7),
        stop: vec!["\n", "END"],
        user: Some("u1"),
        seed: Some(1),
        stream: true,
        ..Turn::default()
    };
    let mut out = Vec::new();
    let mut losses = Losses::default();
    let to = Destination {
        kind: ProviderKind::Anthropic,
        model: MANUAL,
        max_output: None,
    };
    request::write(&turn, &to, &mut losses, &mut wire::Writer::new(&mut out)).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"{"model":"claude-sonnet-4-5","max_tokens":4096,"system":[{"type":"text","text":"be brief"},{"type":"text","text":"and kind"}],"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"tool_use","id":"ID","name":"f","input":{}},{"type":"tool_use","id":"b","name":"f","input":{"x":1}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"ID","content":"one"},{"type":"tool_result","tool_use_id":"b"},{"type":"text","text":"so?"}]}],"tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"auto","disable_parallel_tool_use":true},"temperature":1.0,"stop_sequences":["END"],"metadata":{"user_id":"u1"},"stream":true}"#
            .replace("ID", &fitted("call.1", IdForm::Messages))
    );
    assert_eq!(
        losses.iter().collect::<Vec<_>>(),
        ["messages[].role", "seed", "temperature", "stop"]
    );
}

#[test]
fn sampling_by_generation() {
    for (model, temperature, top_p, body, lost) in [
        (
            "claude-sonnet-4-0",
            Some(0.5),
            Some(0.9),
            json!([0.5, 0.9]),
            vec![],
        ),
        (
            MANUAL,
            Some(0.5),
            Some(0.9),
            json!([0.5, null]),
            vec!["top_p"],
        ),
        (MANUAL, Some(1.0), Some(0.9), json!([null, 0.9]), vec![]),
        (
            ADAPTIVE,
            Some(0.5),
            Some(0.9),
            json!([null, null]),
            vec!["temperature", "top_k", "top_p"],
        ),
        (
            ADAPTIVE,
            Some(1.0),
            Some(1.0),
            json!([null, null]),
            vec!["top_k"],
        ),
    ] {
        let turn = Turn {
            temperature,
            top_p,
            top_k: Some(5),
            ..asked()
        };
        let (said, losses) = written(&turn, model).unwrap();
        assert_eq!(json!([said["temperature"], said["top_p"]]), body, "{model}");
        assert_eq!(losses, lost, "{model}");
    }
}

#[test]
fn tool_choices() {
    for (choice, parallel, want) in [
        (None, None, json!(null)),
        (None, Some(true), json!(null)),
        (Some(ToolChoice::Auto), None, json!({"type": "auto"})),
        (
            Some(ToolChoice::Required),
            Some(false),
            json!({"type": "any", "disable_parallel_tool_use": true}),
        ),
        (Some(ToolChoice::None), Some(false), json!({"type": "none"})),
        (
            Some(ToolChoice::Named("f")),
            None,
            json!({"type": "tool", "name": "f"}),
        ),
    ] {
        let turn = Turn {
            tools: vec![tool()],
            tool_choice: choice,
            parallel_tools: parallel,
            ..asked()
        };
        assert_eq!(written(&turn, MANUAL).unwrap().0["tool_choice"], want);
    }
    // A history with calls needs tools, though none may be called.
    let turn = Turn {
        messages: vec![
            Message {
                role: Role::Assistant,
                parts: vec![call("a", "{}")],
            },
            Message {
                role: Role::User,
                parts: vec![result("a", "x")],
            },
        ],
        ..Turn::default()
    };
    let (said, _) = written(&turn, MANUAL).unwrap();
    assert_eq!(
        said["tools"],
        json!([{"name": "f", "input_schema": {"type": "object"}}])
    );
    assert_eq!(said["tool_choice"], json!({"type": "none"}));
}

#[test]
fn forms_of_answers() {
    let schema = json!({
        "type": "object",
        "properties": {
            "n": {"type": "integer", "minimum": 1, "maximum": 9, "description": "how many"},
            "tags": {"type": "array", "items": {"type": "string", "pattern": "^a"}, "minItems": 1, "maxItems": 3},
            "when": {"oneOf": [{"type": "string", "format": "date"}, {"$ref": "#/$defs/never"}]},
        },
        "required": ["n"],
        "additionalProperties": true,
        "$defs": {"never": {"type": "null"}},
    });
    let body = json!({
        "messages": [{"role": "user", "content": "hi"}],
        "output_config": {"format": {"type": "json_schema", "schema": schema}},
    });
    let Written { body: said, .. } = through(&body, MANUAL, None).unwrap();
    assert_eq!(
        said["output_config"]["format"]["schema"],
        json!({
            "type": "object",
            "properties": {
                "n": {"type": "integer", "description": "how many (maximum: 9, minimum: 1)"},
                "tags": {"type": "array", "items": {"type": "string", "description": "(pattern: \"^a\")"}, "minItems": 1, "description": "(maxItems: 3)"},
                "when": {"anyOf": [{"type": "string", "format": "date"}, {"$ref": "#/$defs/never"}]},
            },
            "required": ["n"],
            "$defs": {"never": {"type": "null"}},
            "additionalProperties": false,
        })
    );
    assert_eq!(
        through(&body, "claude-sonnet-4-0", None).unwrap_err().field,
        "response_format"
    );
    let turn = Turn {
        form: Form::Json,
        ..asked()
    };
    assert_eq!(written(&turn, MANUAL).unwrap_err().field, "response_format");
}

#[test]
fn what_cannot_be_said_is_refused() {
    let cut = Message {
        role: Role::Assistant,
        parts: vec![call("a", r#"{"x": "#)],
    };
    let turn = Turn {
        messages: vec![text(Role::User, "q"), cut],
        ..Turn::default()
    };
    assert_eq!(
        written(&turn, MANUAL).unwrap_err().field,
        "messages[].tool_calls[].function.arguments"
    );
    let turn = Turn {
        system: vec![Part::Text(Text::new("x"))],
        ..Turn::default()
    };
    assert_eq!(written(&turn, MANUAL).unwrap_err().field, "messages");
}

#[test]
fn media_come_through() {
    let content = json!([
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
        {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}, "cache_control": {"type": "ephemeral"}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="}, "title": "t.pdf"},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}},
        {"type": "tool_result", "tool_use_id": "a", "is_error": true, "content": [
            {"type": "image", "source": {"type": "url", "url": "https://x/z.png"}},
        ]},
    ]);
    let body = json!({"messages": [{"role": "user", "content": content}]});
    let written = through(&body, MANUAL, None).unwrap();
    let mut want = content.as_array().unwrap().clone();
    want.rotate_right(1); // results first
    assert_eq!(written.body["messages"][0]["content"], json!(want));
    assert!(written.dropped.is_empty() && written.lost.is_empty());
}

// What other providers cannot do in Anthropic's place, and what is only dropped.
#[test]
fn what_clients_ask_for() {
    let with = |key: &str, value: Value| {
        let mut body = json!({"messages": [{"role": "user", "content": "hi"}]});
        body[key] = value;
        through(&body, MANUAL, None)
    };
    let content = |block: Value| with("messages", json!([{"role": "user", "content": [block]}]));
    let refused = |result: Result<Written, Unsupported>| result.unwrap_err().field.into_owned();
    for kind in [
        "web_search_20250305",
        "bash_20250124",
        "text_editor_20250728",
        "computer_20251124",
        "code_execution_20250825",
    ] {
        assert_eq!(
            refused(with("tools", json!([{"type": kind, "name": "x"}]))),
            "tools[0]"
        );
    }
    assert_eq!(
        refused(with("mcp_servers", json!([{"url": "x"}]))),
        "mcp_servers"
    );
    assert_eq!(refused(with("container", json!("c"))), "container");
    let on = json!({"type": "continue", "previous_message_id": "msg_1"});
    assert_eq!(refused(with("thread", on)), "thread");
    assert_eq!(refused(with("inference_geo", json!("us"))), "inference_geo");
    for key in [
        "max_tokens",
        "temperature",
        "stream",
        "stop_sequences",
        "messages",
        "system",
        "tools",
    ] {
        assert_eq!(refused(with(key, json!({"x": 1}))), key);
    }
    for (block, field) in [
        (
            json!({"type": "container_upload", "file_id": "f"}),
            "messages[0].content[0]",
        ),
        (
            json!({"type": "image", "source": {"type": "file", "file_id": "f"}}),
            "messages[0].content[0].source",
        ),
        (
            json!({"type": "tool_use", "id": "a", "name": "f", "input": {}}),
            "messages[0].content[0]",
        ),
        (
            json!({"type": "tool_result"}),
            "messages[0].content[0].tool_use_id",
        ),
        (json!("x"), "messages[0].content[0]"),
    ] {
        assert_eq!(refused(content(block)), field);
    }
    for (key, value, name) in [
        (
            "context_management",
            json!({"edits": []}),
            "context_management",
        ),
        ("service_tier", json!("auto"), "service_tier"),
        ("thread", json!({"type": "create"}), "thread"),
        (
            "metadata",
            json!({"user_id": "u", "other": 1}),
            "metadata.other",
        ),
        (
            "output_config",
            json!({"task_budget": {}}),
            "output_config.task_budget",
        ),
        (
            "cache_control",
            json!({"type": "ephemeral"}),
            "cache_control",
        ),
        ("a\r\nb", json!(1), "*"),
    ] {
        assert_eq!(with(key, value).unwrap().dropped, [name]);
    }
    // litellm_34276, litellm_34420: a choice without tools says nothing
    let said = with("tool_choice", json!({"type": "any"})).unwrap();
    assert!(!said.text.contains("tool_choice") && said.dropped.is_empty());
    // litellm_24443
    let mut body =
        json!({"messages": [{"role": "user", "content": "hi"}], "tools": [{"name": "f"}]});
    body["tool_choice"] = json!({"type": "none"});
    assert_eq!(
        through(&body, MANUAL, None).unwrap().body["tool_choice"],
        json!({"type": "none"})
    );
}

// Thoughts are read, for those who keep them, and are never given to another provider.
#[test]
fn thoughts_are_dropped_from_translated_requests() {
    let body = json!({"messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "redacted_thinking", "data": "d"},
            {"type": "text", "text": "yes"},
        ]},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}]},
        {"role": "user", "content": [{"type": "text", "text": ""}]},
        {"role": "user", "content": "so"},
    ]});
    let written = through(&body, MANUAL, None).unwrap();
    assert_eq!(
        written.body["messages"],
        json!([
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "yes"},
            {"role": "user", "content": "so"},
        ])
    );
    assert_eq!(written.lost, ["messages[].reasoning_content"]);
}
