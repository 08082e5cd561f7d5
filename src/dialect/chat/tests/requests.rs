//! Requests: the recorded ones read and written again, and what each provider takes.

use serde_json::{Value, json};

use super::recordings;
use crate::dialect::chat::{read_request, write_request};
use crate::dialect::codec::Destination;
use crate::dialect::loss::{Losses, Unsupported};
use crate::policy::model::ProviderKind;
use crate::wire::json::{Tree, Writer};

/// Says a request again for a provider; tells it with what was dropped.
fn said(
    body: &Value,
    kind: ProviderKind,
    model: &str,
) -> Result<(Value, Vec<String>), Unsupported> {
    let mut text = serde_json::to_vec(body).unwrap();
    let tree = Tree::parse(&mut text).unwrap();
    let mut turn = read_request(tree.root())?;
    let mut losses: Losses = std::mem::take(&mut turn.dropped);
    let to = Destination {
        kind,
        model,
        max_output: None,
    };
    let mut out = Vec::new();
    write_request(&turn, &to, &mut losses, &mut Writer::new(&mut out))?;
    let said = serde_json::from_slice(&out).unwrap();
    Ok((said, losses.iter().map(str::to_owned).collect()))
}

/// The request with the words that mean the same spelt in one way.
fn plain(mut body: Value) -> Value {
    let fields = body.as_object_mut().unwrap();
    for (from, to) in [
        ("max_completion_tokens", "max_tokens"),
        ("random_seed", "seed"),
    ] {
        if let Some(value) = fields.remove(from) {
            fields.insert(to.to_owned(), value);
        }
    }
    if fields.get("stream") == Some(&json!(false)) {
        fields.remove("stream");
    }
    if fields.get("parallel_tool_calls") == Some(&json!(true)) {
        // As if it were not there.
        fields.remove("parallel_tool_calls");
    }
    // The gateway always asks for usage.
    fields.remove("stream_options");
    if let Some(Value::String(stop)) = fields.get("stop").cloned() {
        fields.insert("stop".to_owned(), json!([stop]));
    }
    if fields
        .get("tools")
        .is_none_or(|tools| tools.as_array().is_none_or(Vec::is_empty))
    {
        fields.remove("tools");
        fields.remove("tool_choice");
        fields.remove("parallel_tool_calls");
    }
    fields.retain(|_, value| !value.is_null());
    for message in body["messages"].as_array_mut().into_iter().flatten() {
        let message = message.as_object_mut().unwrap();
        if message.get("role") == Some(&json!("developer")) {
            message.insert("role".to_owned(), json!("system"));
        }
        if let Some(Value::Array(parts)) = message.get("content").cloned()
            && parts.iter().all(|part| part["type"] == "text")
        {
            let texts = parts.iter().map(|part| part["text"].as_str().unwrap());
            let joined = texts.collect::<Vec<_>>().join("\n\n");
            message.insert("content".to_owned(), json!(joined));
        }
        message.retain(|_, value| !value.is_null() && value != "");
    }
    if let Some(messages) = body["messages"].as_array_mut() {
        *messages = merged(std::mem::take(messages));
    }
    body
}

/// What one side says in a row is one message.
fn merged(messages: Vec<Value>) -> Vec<Value> {
    let mut merged: Vec<Value> = Vec::new();
    for message in messages {
        let text = |message: &Value| message["content"].as_str().map(str::to_owned);
        match merged.last_mut() {
            Some(last)
                if last["role"] == message["role"]
                    && message["role"] != "tool"
                    && message.get("tool_calls").is_none() =>
            {
                let (Some(one), Some(other)) = (text(last), text(&message)) else {
                    panic!("parts in a row: {message}");
                };
                last["content"] = json!(format!("{one}\n\n{other}"));
            }
            _ => merged.push(message),
        }
    }
    merged
}

/// Recorded fields that are dropped and told. Of those only the names are compared.
const DROPPED: [&str; 14] = [
    "name",
    "reasoning",
    "reasoning_content",
    "metadata",
    "store",
    "service_tier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "verbosity",
    "user",
    "top_k",
    "provider",
    "usage",
    "plugins",
];

#[test]
fn recorded_requests_are_read_and_written_again() {
    let (mut same, mut refused, mut different) = (0, Vec::new(), Vec::new());
    for recorded in recordings() {
        // A picture in a tool's message, which only llama.cpp takes: elsewhere the user shows it.
        let shown_by_tool = recorded.name.starts_with("llamacpp/image-tool-result");
        if recorded.request.is_null() || recorded.status != 200 || shown_by_tool {
            continue;
        }
        let model = recorded.request["model"]
            .as_str()
            .unwrap_or("deployment")
            .to_owned();
        match said(&recorded.request, recorded.kind, &model) {
            Err(unsupported) => refused.push(format!("{}: {unsupported}", recorded.name)),
            Ok((written, losses)) => {
                let (mut was, mut is) = (plain(recorded.request.clone()), plain(written));
                was["model"] = json!(model);
                let dropped: Vec<_> = losses.iter().map(String::as_str).collect();
                for body in [&mut was, &mut is] {
                    let fields = body.as_object_mut().unwrap();
                    fields.retain(|key, _| !dropped.contains(&key.as_str()));
                    strip(body);
                }
                let mut places = Vec::new();
                differences("", &was, &is, &mut places);
                places.retain(|place| !ALLOWED.iter().any(|allowed| place.contains(allowed)));
                if places.is_empty() {
                    same += 1;
                } else {
                    different.push(format!(
                        "{}: {places:#?}, dropped {dropped:?}",
                        recorded.name
                    ));
                }
            }
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    assert!(same > 70, "{same}; refused {refused:#?}");
}

/// What differs and means the same.
const ALLOWED: [&str; 11] = [
    ".n: was 1",
    ".prefix: was false",
    ".index: was 0",
    ".tool_calls: was []",
    ".annotations: was []",
    ".type: was null, is \"function\"",
    // Written where the provider wants it.
    "].name: was null",
    ".json_schema.name: was null",
    // Replaced by the recorder; not of Mistral's alphabet.
    "call_REDACTED_1",
    // What it is anyway.
    ".image_url.detail: was \"auto\", is null",
    // Five minutes are what a mark means.
    ".cache_control.ttl: was \"5m\"",
];

/// Where two documents differ.
fn differences(path: &str, was: &Value, is: &Value, places: &mut Vec<String>) {
    match (was, is) {
        (Value::Object(one), Value::Object(other)) => {
            for key in one
                .keys()
                .chain(other.keys().filter(|key| !one.contains_key(*key)))
            {
                let path = format!("{path}.{key}");
                differences(&path, &was[key], &is[key], places);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (at, (one, other)) in one.iter().zip(other).enumerate() {
                differences(&format!("{path}[{at}]"), one, other, places);
            }
        }
        _ if was == is => {}
        _ => places.push(format!("{path}: was {was}, is {is}")),
    }
}

/// Leaves out what the neutral turn does not keep, whichever side has it.
fn strip(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(strip),
        Value::Object(fields) => {
            fields.retain(|key, _| !DROPPED.contains(&key.as_str()) || key == "name");
            fields.values_mut().for_each(strip);
        }
        _ => {}
    }
}

/// A conversation with everything in it, as clients of other formats have it.
fn conversation() -> Value {
    json!({
        "model": "asked",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Add 1 and 2."},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "toolu_a.b", "type": "function", "function": {"name": "add", "arguments": "{\"a\":1,\"b\":2}"}}
            ]},
            {"role": "tool", "tool_call_id": "toolu_a.b", "content": "3"}
        ],
        "tools": [
            {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}},
            {"type": "function", "function": {"name": "now"}}
        ],
        "tool_choice": {"type": "function", "function": {"name": "add"}},
        "parallel_tool_calls": false,
        "max_tokens": 100,
        "temperature": 0.5,
        "top_k": 3,
        "seed": 7,
        "reasoning_effort": "medium",
        "user": "u1"
    })
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn each_provider_gets_what_it_takes() {
    // Members that differ from the conversation's own, and what is dropped.
    for (kind, model, wanted, dropped) in [
        (
            ProviderKind::OpenAi,
            "gpt-5",
            json!({"max_completion_tokens": 100, "temperature": null, "top_k": null, "max_tokens": null}),
            vec!["temperature", "top_k"],
        ),
        (
            ProviderKind::OpenAi,
            "gpt-4o",
            json!({"max_completion_tokens": 100, "reasoning_effort": null, "top_k": null, "max_tokens": null}),
            vec!["top_k", "reasoning_effort"],
        ),
        (
            ProviderKind::Mistral,
            "mistral-large",
            json!({"tool_choice": "any", "random_seed": 7, "seed": null, "reasoning_effort": "high", "top_k": null, "user": null}),
            vec!["top_k", "user"],
        ),
        (
            ProviderKind::OpenRouter,
            "anthropic/claude",
            json!({"reasoning": {"effort": "medium"}, "reasoning_effort": null}),
            vec![],
        ),
        (
            ProviderKind::DeepSeek,
            "deepseek-chat",
            json!({"thinking": {"type": "enabled"}, "reasoning_effort": null, "seed": null, "user": null, "top_k": null, "parallel_tool_calls": null}),
            vec!["parallel_tool_calls", "top_k", "seed", "user"],
        ),
        (ProviderKind::Vllm, "qwen", json!({}), vec![]),
        (
            ProviderKind::Groq,
            "llama-3.3-70b-versatile",
            json!({"max_completion_tokens": 100, "max_tokens": null, "top_k": null, "reasoning_effort": null}),
            vec!["top_k", "reasoning_effort"],
        ),
        (
            ProviderKind::Cerebras,
            "gpt-oss-120b",
            json!({"max_completion_tokens": 100, "max_tokens": null, "top_k": null}),
            vec!["top_k"],
        ),
        (
            ProviderKind::Xai,
            "grok-4.3",
            json!({"top_k": null}),
            vec!["top_k"],
        ),
        (
            ProviderKind::Xai,
            "grok-4",
            json!({"top_k": null, "reasoning_effort": null}),
            vec!["top_k", "reasoning_effort"],
        ),
        (
            ProviderKind::Perplexity,
            "sonar",
            json!({"parallel_tool_calls": null, "seed": null, "user": null, "reasoning_effort": null}),
            vec!["parallel_tool_calls", "seed", "reasoning_effort", "user"],
        ),
        (
            ProviderKind::Ollama,
            "qwen3",
            json!({"tool_choice": null, "parallel_tool_calls": null, "top_k": null, "user": null}),
            vec!["tool_choice", "parallel_tool_calls", "top_k", "user"],
        ),
        (ProviderKind::Together, "qwen", json!({}), vec![]),
        (ProviderKind::Fireworks, "qwen", json!({}), vec![]),
    ] {
        let (said, losses) = said(&conversation(), kind, model).unwrap();
        let mut expected = conversation();
        expected["model"] = json!(model);
        for (key, value) in wanted.as_object().unwrap() {
            expected[key] = value.clone();
        }
        expected
            .as_object_mut()
            .unwrap()
            .retain(|_, value| !value.is_null());
        if kind == ProviderKind::Mistral {
            // Its own alphabet, the tool's name beside its result, and no other tool than the one that is demanded.
            let id = crate::dialect::ids::fitted("toolu_a.b", crate::dialect::ids::IdForm::Mistral);
            expected["messages"][2]["tool_calls"][0]["id"] = json!(id);
            expected["messages"][3]["tool_call_id"] = json!(id);
            expected["messages"][3]["name"] = json!("add");
            expected["tools"].as_array_mut().unwrap().pop();
        }
        let mut places = Vec::new();
        differences("", &expected, &said, &mut places);
        assert!(places.is_empty(), "{kind:?}: {places:#?}");
        assert_eq!(losses, dropped, "{kind:?}");
    }
}

#[test]
fn litellm_34420_a_choice_without_tools_goes_nowhere() {
    let body = json!({"model": "m", "messages": [], "tools": [], "tool_choice": "auto", "parallel_tool_calls": false});
    let (said, losses) = said(&body, ProviderKind::OpenAi, "m").unwrap();
    assert_eq!(said, json!({"model": "m", "messages": []}));
    assert!(losses.is_empty());
}

#[test]
fn what_changes_the_question_is_refused_by_name() {
    for (body, field) in [
        (json!({"n": 2}), "n"),
        (json!({"logprobs": true}), "logprobs"),
        (json!({"modalities": ["text", "audio"]}), "modalities"),
        (
            json!({"tools": [{"type": "custom", "custom": {"name": "x"}}]}),
            "tools[0]",
        ),
        (json!({"web_search_options": {}}), "web_search_options"),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "video_url"}]}]}),
            "messages[0].content[0]",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}]}),
            "messages[0].content[0]",
        ),
        (
            json!({"messages": [{"role": "wizard", "content": "x"}]}),
            "messages[0].role",
        ),
    ] {
        let refused = said(&body, ProviderKind::Mistral, "m").unwrap_err();
        assert_eq!(refused.field, field, "{refused}");
    }
}

#[test]
fn what_changes_nothing_is_not_named() {
    let body = json!({"messages": [], "n": 1, "logprobs": false, "store": false, "service_tier": "auto", "logit_bias": {}, "modalities": ["text"],
        "stream": null, "metadata": {}});
    let (_, losses) = said(&body, ProviderKind::OpenAi, "m").unwrap();
    assert!(losses.is_empty(), "{losses:?}");
    let body = json!({"messages": [], "logit_bias": {"1": 2}, "store": true, "metadata": {"a": "b"}, "invented": 1, "seed": -1});
    let (_, losses) = said(&body, ProviderKind::OpenAi, "m").unwrap();
    assert_eq!(
        losses,
        ["invented", "logit_bias", "metadata", "seed", "store"]
    );
}

/// What a client says of a message's parts, tools and form beside what is read.
#[test]
fn what_is_said_inside_is_named_too() {
    let body = json!({
        "messages": [
            {"role": "user", "name": "n", "content": [
                {"type": "text", "text": "x", "a": 1},
                {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low", "b": 1}},
            ]},
            {"role": "assistant", "content": "x", "reasoning_details": [{}], "annotations": [], "tool_calls": [
                {"id": "1", "type": "function", "index": 0, "function": {"name": "f", "arguments": {"x": 1}, "c": 1}, "d": 1},
            ]},
            {"role": "tool", "tool_call_id": "1", "name": "f", "content": "y"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "e": 1}, "f": 1, "cache_control": {"ttl": "1h"}}],
        "response_format": {"type": "json_schema", "json_schema": {"schema": {}, "g": 1}},
        "stream_options": {"include_obfuscation": true},
        "reasoning": {"effort": "high", "exclude": true},
        "top_k": -1,
    });
    let (said, mut losses) = said(&body, ProviderKind::OpenAiCompatible, "m").unwrap();
    losses.sort();
    assert_eq!(
        losses,
        [
            "cache_control",
            "cache_control.ttl",
            "messages[].content[].a",
            "messages[].content[].image_url.b",
            "messages[].name",
            "messages[].reasoning_details",
            "messages[].tool_calls[].d",
            "messages[].tool_calls[].function.c",
            "reasoning.exclude",
            "response_format.json_schema.g",
            "stream_options.include_obfuscation",
            "tools[].f",
            "tools[].function.e",
            "top_k",
        ]
    );
    assert_eq!(
        said["messages"][0]["content"][1]["image_url"],
        json!({"url": "https://x/y.png", "detail": "low"})
    );
    // COMPAT: arguments as an object, as clients of Ollama send them.
    assert_eq!(
        said["messages"][1]["tool_calls"][0]["function"]["arguments"],
        "{\"x\":1}"
    );
}

#[test]
fn what_is_of_another_type_is_refused_and_not_left_out() {
    for (key, value) in [
        ("messages", json!("hello")),
        ("tools", json!({"type": "function"})),
        ("temperature", json!("0.5")),
        ("max_tokens", json!("100")),
        ("max_completion_tokens", json!(-1)),
        ("stop", json!(["a", 1])),
        ("user", json!(7)),
        ("parallel_tool_calls", json!("no")),
        ("response_format", json!("json")),
    ] {
        let mut body = json!({"messages": []});
        body[key] = value;
        let refused = said(&body, ProviderKind::OpenAi, "m").unwrap_err();
        assert_eq!(refused.field, key);
    }
    for (message, field) in [
        (json!({"role": "user", "content": 5}), "messages[0].content"),
        (
            json!({"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}}),
            "messages[0].function_call",
        ),
    ] {
        let body = json!({"messages": [message]});
        let refused = said(&body, ProviderKind::OpenAi, "m").unwrap_err();
        assert_eq!(refused.field, field);
    }
}

#[test]
fn allowed_tools_are_the_ones_that_are_shown() {
    let tool = |name: &str| json!({"type": "function", "function": {"name": name}});
    let body = json!({"messages": [], "tools": [tool("f"), tool("g")], "tool_choice":
        {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [tool("g")]}}});
    let (said, losses) = said(&body, ProviderKind::Groq, "m").unwrap();
    assert_eq!((&said["tools"], losses.len()), (&json!([tool("g")]), 0));
    assert_eq!(said["tool_choice"], "required");
}

#[test]
fn text_files_are_text() {
    let file = |data: &str| {
        json!({"messages": [{"role": "user", "content": [
            {"type": "file", "file": {"file_data": data, "filename": "a.txt"}}]}]})
    };
    let (said_, losses) = said(
        &file("data:text/csv;base64,YSxi"),
        ProviderKind::OpenAi,
        "m",
    )
    .unwrap();
    assert_eq!(
        said_["messages"][0]["content"],
        json!([{"type": "text", "text": "a,b"}])
    );
    assert_eq!(losses, ["messages[].content[].file.filename"]);
    // No text after all: bytes that are no UTF-8.
    let (said_, _) = said(
        &file("data:text/plain;base64,/w=="),
        ProviderKind::OpenAi,
        "m",
    )
    .unwrap();
    assert_eq!(said_["messages"][0]["content"][0]["type"], "file");
}

#[test]
fn models_of_xai_that_think_take_no_stop_and_no_penalties() {
    let body = json!({"messages": [], "stop": ["END"], "presence_penalty": 0.5});
    let (thinks, losses) = said(&body, ProviderKind::Xai, "grok-4").unwrap();
    assert_eq!(thinks, json!({"model": "grok-4", "messages": []}));
    assert_eq!(losses, ["presence_penalty", "stop"]);
    let (speaks, losses) = said(&body, ProviderKind::Xai, "grok-4-1-fast-non-reasoning").unwrap();
    assert_eq!(speaks["stop"], json!(["END"]));
    assert_eq!(losses, [""; 0]);
}

#[test]
fn files_and_recordings_as_mistral_takes_them() {
    let body = json!({"messages": [{"role": "user", "content": [
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0xLjQK", "filename": "a.pdf"}},
        {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "mp3"}},
    ]}]});
    let (said_, losses) = said(&body, ProviderKind::Mistral, "m").unwrap();
    assert_eq!(
        said_["messages"][0]["content"],
        json!([
            {"type": "document_url", "document_url": "data:application/pdf;base64,JVBERi0xLjQK", "document_name": "a.pdf"},
            {"type": "input_audio", "input_audio": "UklGRg=="},
        ])
    );
    assert_eq!(losses, [""; 0]);
    // Whoever writes for Mistral sends these.
    let (again, losses) = said(&said_, ProviderKind::Mistral, "m").unwrap();
    assert_eq!(again, said_);
    assert_eq!(losses, [""; 0]);
}

/// DeepSeek refuses calls of a model that thinks without the thoughts that led to them.
#[test]
fn thoughts_before_calls_go_back_to_deepseek() {
    let call =
        json!([{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]);
    let body = json!({"messages": [
        {"role": "assistant", "content": "a", "reasoning_content": "hm"},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": null, "reasoning_content": "so", "tool_calls": call},
    ]});
    let (said_, losses) = said(&body, ProviderKind::DeepSeek, "deepseek-chat").unwrap();
    assert_eq!(said_["messages"][0].get("reasoning_content"), None);
    assert_eq!(said_["messages"][2]["reasoning_content"], "so");
    assert_eq!(losses, ["messages[].reasoning_content"]);
}

#[test]
fn json_without_a_schema_is_not_asked_of_perplexity() {
    let body = json!({"messages": [], "response_format": {"type": "json_object"}});
    let refused = said(&body, ProviderKind::Perplexity, "sonar").unwrap_err();
    assert_eq!(refused.field, "response_format");
}

#[test]
fn ollama_is_shown_no_tools_that_may_not_be_called() {
    let body = json!({"messages": [], "tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "none"});
    let (said_, losses) = said(&body, ProviderKind::Ollama, "m").unwrap();
    assert_eq!(said_, json!({"model": "m", "messages": []}));
    assert_eq!(losses, [""; 0]);
}
