//! Requests of clients: the recorded ones read and written again, and what is refused or dropped.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{any_json, recordings, with_tree};
use crate::dialect::codec::Destination;
use crate::dialect::responses::{read_request, write_request};
use crate::dialect::turn::{Effort, Form, Part, Role, ToolChoice, Turn};
use crate::policy::model::ProviderKind;
use crate::wire::json::Writer;

/// Read and written again for the same kind of provider; what was dropped on either way.
fn again(request: &Value, kind: ProviderKind) -> Result<(Value, Vec<String>), String> {
    with_tree(request, |body| {
        let turn = read_request(body).map_err(|unsupported| unsupported.to_string())?;
        let model = request["model"].as_str().unwrap_or("m");
        let to = Destination {
            kind,
            model,
            max_output: None,
        };
        let mut losses = turn.dropped.clone();
        let mut out = Vec::new();
        write_request(&turn, &to, &mut losses, &mut Writer::new(&mut out))
            .map_err(|it| it.to_string())?;
        Ok((
            serde_json::from_slice(&out).unwrap(),
            losses.iter().map(str::to_owned).collect(),
        ))
    })
}

#[test]
fn recorded_requests_are_written_as_they_were() {
    for recorded in recordings() {
        if recorded.request.is_null() {
            continue;
        }
        let written = again(&recorded.request, recorded.kind);
        if recorded.has("server-tools") {
            let refusal = "`tools[0]` is a tool that runs at OpenAI only, and not a function";
            assert_eq!(written.unwrap_err(), refusal, "{}", recorded.name);
            continue;
        }
        let (written, dropped) = written.unwrap();
        assert_eq!(
            normal(&written),
            normal(&recorded.request),
            "{}",
            recorded.name
        );
        for name in dropped {
            let known = [
                "messages[].reasoning_content",
                "reasoning.context",
                "prompt_cache_key",
                "prompt_cache_options",
                "cache_control",
            ];
            assert!(known.contains(&name.as_str()), "{}: {name}", recorded.name);
        }
    }
}

/// A request without the differences that are allowed.
fn normal(request: &Value) -> Value {
    let mut normal = Map::new();
    let mut system = Vec::new();
    let mut items = Vec::new();
    if let Some(text) = request["instructions"].as_str() {
        system.push(json!(text)); // instructions become the first item
    }
    let input = match &request["input"] {
        Value::String(text) => vec![json!({"role": "user", "content": text})],
        input => input.as_array().unwrap().clone(),
    };
    for item in input {
        let kind = item["type"].as_str().unwrap_or("message");
        let role = item["role"].as_str().unwrap_or_default();
        match kind {
            "message" if items.is_empty() && ["system", "developer"].contains(&role) => {
                system.extend(content(&item["content"]));
            }
            "message" => items.push(json!([role, content(&item["content"])])),
            "function_call" => items.push(json!([
                kind,
                item["call_id"],
                item["name"],
                item["arguments"]
            ])),
            "function_call_output" => {
                items.push(json!([kind, item["call_id"], content(&item["output"])]));
            }
            "reasoning" => {} // another provider's, as far as the writer knows
            other => panic!("{other}"),
        }
    }
    normal.insert("system".to_owned(), json!(system));
    normal.insert("items".to_owned(), json!(items));
    for (key, value) in request.as_object().unwrap() {
        let value = match key.as_str() {
            // Nothing is stored; sealed thoughts are the provider's own; a cache is a matter of the provider.
            "store"
            | "include"
            | "prompt_cache_key"
            | "prompt_cache_options"
            | "input"
            | "instructions" => continue,
            "stream" if *value == json!(false) => continue,
            "tools" => value.as_array().unwrap().iter().map(tool).collect(),
            "reasoning" => match value.get("effort") {
                Some(effort) => json!({"effort": effort}),
                None => continue,
            },
            _ => value.clone(),
        };
        normal.insert(key.clone(), value);
    }
    Value::Object(normal)
}

/// A text is a list of one part.
fn content(content: &Value) -> Vec<Value> {
    let Some(parts) = content.as_array() else {
        return vec![content.clone()];
    };
    parts
        .iter()
        .map(|part| match part["type"].as_str().unwrap() {
            "input_text" | "output_text" => part["text"].clone(),
            "input_image" => json!([part["image_url"], part["detail"].as_str().unwrap_or("auto")]),
            _ => part.clone(),
        })
        .collect()
}

/// `strict` is always written; a description that is null is none.
fn tool(tool: &Value) -> Value {
    json!([
        tool["type"],
        tool["name"],
        tool["description"],
        tool["parameters"],
        tool["strict"].as_bool().unwrap_or(false)
    ])
}

#[test]
fn settings_that_only_openai_has_are_refused() {
    refused(&[
        (
            json!({"previous_response_id": "resp_1"}),
            "previous_response_id",
        ),
        (json!({"conversation": "conv_1"}), "conversation"),
        (json!({"prompt": {"id": "pmpt_1"}}), "prompt"),
        (json!({"background": true}), "background"),
        (json!({"top_logprobs": 3}), "top_logprobs"),
        (
            json!({"include": ["message.output_text.logprobs"]}),
            "include",
        ),
        (
            json!({"tools": [{"type": "function", "name": "f"}, {"type": "web_search"}]}),
            "tools[1]",
        ),
        (json!({"tools": [{"type": "local_shell"}]}), "tools[0]"),
        (json!({"tools": [{"type": "function"}]}), "tools[0]"),
        (json!({"tools": ["f"]}), "tools[0]"),
        (
            json!({"tools": [{"type": "function", "name": "f"}], "tool_choice": {"type": "web_search_preview"}}),
            "tool_choice",
        ),
        (
            json!({"text": {"format": {"type": "grammar"}}}),
            "text.format.type",
        ),
        (
            json!({"text": {"format": {"type": "json_schema"}}}),
            "text.format",
        ),
        (json!({"instructions": ["x"]}), "instructions"),
    ]);
}

#[test]
fn fields_of_another_type_are_refused() {
    refused(&[
        (json!({"stream": "yes"}), "stream"),
        (json!({"max_output_tokens": "9"}), "max_output_tokens"),
        (json!({"max_output_tokens": -9}), "max_output_tokens"),
        (json!({"temperature": "warm"}), "temperature"),
        (json!({"tools": {}}), "tools"),
        (json!({"reasoning": "high"}), "reasoning"),
        (json!({"text": "json"}), "text"),
        (json!({"user": 7}), "user"),
        (json!({"parallel_tool_calls": 1}), "parallel_tool_calls"),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_text", "text": 5}]}]}),
            "input[0].content[0]",
        ),
        (
            json!({"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": 5}]}),
            "input[0]",
        ),
        (
            json!({"input": [{"type": "custom_tool_call", "call_id": "c", "name": "f"}]}),
            "input[0]",
        ),
    ]);
}

#[test]
fn items_that_only_openai_has_are_refused() {
    refused(&[
        (json!({"input": 5}), "input"),
        (json!({"input": null}), "input"),
        (
            json!({"input": [{"type": "item_reference", "id": "msg_1"}]}),
            "input[0]",
        ),
        (json!({"input": [{"type": "web_search_call"}]}), "input[0]"),
        (json!({"input": ["x"]}), "input[0].role"),
        (
            json!({"input": [{"role": "tool", "content": "x"}]}),
            "input[0].role",
        ),
        (
            json!({"input": [{"role": "user", "content": {}}]}),
            "input[0].content",
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "file_1"}]}]}),
            "input[0].content[0]",
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_video"}]}]}),
            "input[0].content[0]",
        ),
        (
            json!({"input": [{"type": "function_call", "name": "f"}]}),
            "input[0]",
        ),
        (
            json!({"input": [{"type": "function_call_output", "output": "x"}]}),
            "input[0]",
        ),
        (
            json!({"input": [{"type": "function_call_output", "call_id": "c", "output": [{"type": "input_file", "file_id": "f"}]}]}),
            "input[0].output[0]",
        ),
    ]);
}

fn refused(cases: &[(Value, &str)]) {
    for (member, field) in cases {
        let mut request = json!({"model": "m", "input": "Hi"});
        request
            .as_object_mut()
            .unwrap()
            .extend(member.as_object().unwrap().clone());
        let refused = with_tree(&request, |body| read_request(body).map(drop).unwrap_err());
        assert_eq!(refused.field, *field, "{member}");
    }
}

#[test]
fn what_is_dropped_is_named() {
    let request = json!({
        "model": "m", "store": true, "truncation": "auto", "service_tier": "flex", "metadata": {"k": "v"}, "made_up": 1,
        "include": ["reasoning.encrypted_content", "file_search_call.results"], "prompt_cache_key": "k",
        "text": {"verbosity": "low"}, "reasoning": {"effort": "enormous", "context": "all_turns", "summary": null},
        "tools": [{"type": "custom", "name": "p", "format": {"type": "grammar", "syntax": "lark", "definition": "x"}}],
        "input": [{"role": "user", "id": "msg_1", "status": "completed", "phase": "final_answer", "made_up": true, "content": [
            {"type": "input_image", "image_url": "https://x/y.png", "detail": "high", "made_up": 1},
            {"type": "input_text", "text": "x", "annotations": [], "made_up": 1},
        ]}],
    });
    let turn = |request: &Value| {
        with_tree(request, |body| {
            read_request(body)
                .unwrap()
                .dropped
                .iter()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
    };
    let mut dropped = turn(&request);
    dropped.sort();
    assert_eq!(
        dropped,
        [
            "include",
            "input[].content[].made_up",
            "input[].made_up",
            "made_up",
            "metadata",
            "prompt_cache_key",
            "reasoning.context",
            "reasoning.effort",
            "service_tier",
            "store",
            "text.verbosity",
            "tools[].format",
            "truncation",
        ]
    );
    let request = json!({
        "model": "m", "input": "Hi", "stream": true, "stream_options": {"include_obfuscation": false}, "store": false,
        "background": false, "truncation": "disabled", "metadata": {}, "service_tier": "auto", "top_logprobs": 0,
        "include": ["reasoning.encrypted_content"], "previous_response_id": null, "tool_choice": "auto",
        "parallel_tool_calls": false, "text": {"format": {"type": "text"}, "verbosity": null},
    });
    assert_eq!(turn(&request), Vec::<String>::new());
}

fn read<T>(request: &Value, then: impl FnOnce(Turn<'_>) -> T) -> T {
    with_tree(request, |body| then(read_request(body).unwrap()))
}

#[test]
fn what_one_side_says_in_a_row_is_one_message() {
    let request = json!({"input": [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}], "encrypted_content": "s"},
        {"type": "reasoning", "summary": [], "encrypted_content": "s"},
        {"type": "reasoning", "summary": []},
        {"role": "assistant", "content": [{"type": "output_text", "text": "Look:"}, {"type": "refusal", "refusal": "no"}]},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "p", "input": "a\n\"b\""},
        {"type": "function_call_output", "call_id": "c1", "output": "one"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "two"}]},
        {"type": "function_call_output", "call_id": "unknown", "output": ""},
        {"role": "user", "content": "And?"},
        {"role": "system", "content": "Now at length."},
    ], "instructions": "Be kind."});
    read(&request, |turn| {
        let roles: Vec<_> = turn
            .messages
            .iter()
            .map(|it| (it.role, it.parts.len()))
            .collect();
        assert_eq!(turn.system.len(), 2);
        assert_eq!(
            roles,
            [
                (Role::User, 1),
                (Role::Assistant, 6),
                (Role::User, 4),
                (Role::System, 1)
            ]
        );
        let [
            Part::Reasoning(told),
            Part::Reasoning(sealed),
            ..,
            Part::ToolCall(custom),
        ] = &turn.messages[1].parts[..]
        else {
            panic!("other parts");
        };
        assert!((&*told.text, told.redacted) == ("Hm.", false) && told.signature.is_some());
        assert!(sealed.redacted && sealed.text.is_empty());
        let mut arguments = Vec::new();
        custom
            .arguments
            .write_text(&mut Writer::new(&mut arguments));
        assert_eq!(
            String::from_utf8(arguments).unwrap(),
            r#""{\"input\":\"a\\n\\\"b\\\"\"}""#
        );
        let results = turn.messages[2].parts.iter().filter_map(|part| match part {
            Part::ToolResult(result) => Some((&*result.id, &*result.name, result.parts.len())),
            _ => None,
        });
        assert_eq!(
            results.collect::<Vec<_>>(),
            [("c1", "f", 1), ("c2", "p", 1), ("unknown", "", 0)]
        );
    });
}

#[test]
fn settings_are_read() {
    let request = json!({
        "input": "Hi", "stream": true, "max_output_tokens": 9, "temperature": 1, "top_p": 0.5, "user": "old",
        "safety_identifier": "new", "parallel_tool_calls": false,
        "reasoning": {"effort": "xhigh", "summary": "auto"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": true}},
        "tools": [
            {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": true},
            {"type": "function", "name": "g"},
            {"type": "custom", "name": "p", "format": {"type": "text"}},
        ],
        "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [
            {"type": "function", "name": "f"}, {"type": "custom", "name": "p"}]},
    });
    read(&request, |turn| {
        assert!(turn.dropped.is_empty() && turn.stream && turn.stream_usage);
        assert_eq!(
            (turn.max_tokens, turn.temperature, turn.top_p),
            (Some(9), Some(1.0), Some(0.5))
        );
        assert_eq!(turn.user, Some("new"));
        assert_eq!(
            (turn.tool_choice, turn.parallel_tools),
            (Some(ToolChoice::Required), Some(false))
        );
        let thinking = turn.thinking.unwrap();
        assert_eq!(
            (thinking.effort, thinking.shown),
            (Some(Effort::XHigh), true)
        );
        assert!(
            matches!(&turn.form, Form::Schema(schema) if schema.name == Some("n") && schema.strict == Some(true))
        );
        let tools: Vec<_> = turn
            .tools
            .iter()
            .map(|tool| (tool.name, tool.strict))
            .collect();
        assert_eq!(tools, [("f", Some(true)), ("p", None)]);
        let mut schema = Vec::new();
        turn.tools[1].schema.unwrap().write(&mut schema);
        assert!(
            schema.starts_with(br#"{"type":"object","properties":{"input":{"type":"string"}}"#)
        );
    });
}

/// ll #34276, #34420: settings of tools without tools leak.
#[test]
fn litellm_34420_settings_of_tools_need_tools() {
    for tools in [json!([]), Value::Null] {
        let request = json!({"input": "Hi", "tools": tools, "tool_choice": "required", "parallel_tool_calls": false});
        read(&request, |turn| {
            assert_eq!((turn.tool_choice, turn.parallel_tools), (None, None));
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn reading_never_panics(body in any_json(), item in any_json(), tool in any_json()) {
        let request = json!({"input": [item], "tools": [tool], "text": body});
        let _ = again(&request, ProviderKind::Xai);
        let _ = with_tree(&body, |body| read_request(body).is_ok());
    }
}
