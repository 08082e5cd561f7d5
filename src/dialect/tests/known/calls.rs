//! Calls of tools in requests and in whole answers: who is called, by which name, with which proof.

use serde_json::{Value, json};

use super::{CLIENTS, asked, data_of, reply, said};
use crate::dialect::codec::Destination;
use crate::dialect::format::Format;
use crate::dialect::translation::{answer, request};
use crate::policy::model::ProviderKind;

const CLAUDE_ON_BEDROCK: &str = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0";

fn tool() -> Value {
    json!({"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}})
}

/// A request of Chat Completions as a model of Bedrock gets it.
fn asked_of_bedrock(body: &Value, model: &str) -> Value {
    let mut body = serde_json::to_vec(body).unwrap();
    let to = Destination {
        kind: ProviderKind::Bedrock,
        model,
        max_output: None,
    };
    let mut out = Vec::new();
    request(
        &mut body,
        Format::Chat,
        &to,
        Format::Converse,
        false,
        &mut out,
    )
    .unwrap();
    serde_json::from_slice(&out).unwrap()
}

/// A whole answer as a client gets it.
fn told(body: &Value, provider: Format, client: Format) -> Value {
    let (mut body, mut out) = (serde_json::to_vec(body).unwrap(), Vec::new());
    answer(&mut body, provider, client, &reply(), &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

/// "`tool_choice.type`: Field required": one call at a time is said in Claude's own words, and those are whole.
#[test]
fn litellm_27184_one_call_at_a_time_is_a_whole_choice() {
    let with = |choice: Option<Value>| {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}],
            "tools": [tool()], "parallel_tool_calls": false});
        if let Some(choice) = choice {
            body["tool_choice"] = choice;
        }
        let asked = asked_of_bedrock(&body, CLAUDE_ON_BEDROCK);
        assert_eq!(asked["toolConfig"].get("toolChoice"), None, "said once");
        asked["additionalModelRequestFields"]["tool_choice"].clone()
    };
    let one = |mut choice: Value| {
        choice["disable_parallel_tool_use"] = json!(true);
        choice
    };
    assert_eq!(with(None), one(json!({"type": "auto"})));
    assert_eq!(with(Some(json!("auto"))), one(json!({"type": "auto"})));
    assert_eq!(with(Some(json!("required"))), one(json!({"type": "any"})));
    let named = json!({"type": "function", "function": {"name": "f"}});
    assert_eq!(with(Some(named)), one(json!({"type": "tool", "name": "f"})));
}

/// `any` is refused there as a choice that nobody knows, although it is Bedrock's own word.
#[test]
fn litellm_37980_any_is_a_choice() {
    for word in ["any", "required"] {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}],
            "tools": [tool()], "tool_choice": word});
        let asked = asked_of_bedrock(&body, CLAUDE_ON_BEDROCK);
        assert_eq!(
            asked["toolConfig"]["toolChoice"],
            json!({"any": {}}),
            "{word}"
        );
    }
}

/// litellm #32063, portkey #1417: what Bedrock refuses of calls and results. Those made at once are answered at once, in one
/// message that begins with them; none is empty; and tools are declared as long as the conversation has calls.
#[test]
fn litellm_32063_portkey_1417_results_are_as_bedrock_wants_them() {
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": ""}});
    let result =
        |id: &str, text: &str| json!({"role": "tool", "tool_call_id": id, "content": text});
    let body = json!({"model": "m", "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": null, "tool_calls": [call("a"), call("b")]},
        result("a", "1"),
        result("b", ""),
        {"role": "user", "content": "and?"},
    ]});
    let asked = asked_of_bedrock(&body, CLAUDE_ON_BEDROCK);
    let messages = asked["messages"].as_array().unwrap();
    let roles: Vec<_> = messages.iter().map(|message| &message["role"]).collect();
    assert_eq!(roles, ["user", "assistant", "user"]);
    let calls = messages[1]["content"].as_array().unwrap();
    assert_eq!(calls.len(), 2, "{asked}");
    assert!(
        calls
            .iter()
            .all(|call| call["toolUse"]["input"] == json!({}))
    );
    let answers = messages[2]["content"].as_array().unwrap();
    let ids: Vec<_> = answers
        .iter()
        .filter_map(|block| block["toolResult"]["toolUseId"].as_str())
        .collect();
    assert_eq!(ids, ["a", "b"], "{asked}");
    assert_eq!(answers[2], json!({"text": "and?"}));
    for block in answers.iter().take(2) {
        let content = block["toolResult"]["content"].as_array().unwrap();
        assert!(
            content.iter().all(|part| part["text"] != json!("")),
            "{asked}"
        );
    }
    assert_eq!(asked["toolConfig"]["tools"].as_array().unwrap().len(), 1);
}

/// A call of Gemini's has no name, and the one that was made up was too long for whoever was asked next.
#[test]
fn litellm_12941_made_up_names_of_calls_fit_everywhere() {
    let body = json!({"candidates": [{"content": {"role": "model", "parts": [
        {"functionCall": {"name": "f", "args": {}}}, {"functionCall": {"name": "f", "args": {}}}]}, "finishReason": "STOP"}]});
    let chat = told(&body, Format::Gemini, Format::Chat);
    let calls = chat["choices"][0]["message"]["tool_calls"]
        .as_array()
        .unwrap();
    let responses = told(&body, Format::Gemini, Format::Responses);
    let output = responses["output"].as_array().unwrap();
    let messages = told(&body, Format::Gemini, Format::Messages);
    let blocks = messages["content"].as_array().unwrap();
    for names in [
        [&calls[0]["id"], &calls[1]["id"]],
        [&output[0]["call_id"], &output[1]["call_id"]],
        [&blocks[0]["id"], &blocks[1]["id"]],
    ] {
        let names = names.map(|name| name.as_str().unwrap());
        assert_ne!(names[0], names[1]);
        for name in names {
            assert!((1..=40).contains(&name.len()), "{name}");
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            assert!(name.bytes().all(plain), "{name}");
        }
    }
}

/// 46 characters, from a model elsewhere. Where a client's bytes pass: `chat/provenance`.
#[test]
fn litellm_17343_a_name_of_46_characters_is_shortened() {
    let long = "toolu_0123456789012345678901234567890123456789";
    assert_eq!(long.len(), 46);
    let body = json!({"model": "m", "max_tokens": 9, "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": long, "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": long, "content": "1"}]},
    ]});
    for kind in [
        ProviderKind::OpenAi,
        ProviderKind::AzureOpenAi,
        ProviderKind::Groq,
    ] {
        let asked = asked(&body, Format::Messages, kind);
        let call = &asked["messages"][1]["tool_calls"][0]["id"];
        assert!(call.as_str().unwrap().len() <= 40, "{kind:?}: {call}");
        assert_eq!(&asked["messages"][2]["tool_call_id"], call);
    }
}

/// A client of Messages cannot keep Gemini's proof of a call, and Gemini 3 refuses calls without one or answers ever worse:
/// each step has what stands for it, and the thoughts that came with it do not come back as words.
#[test]
fn litellm_25322_calls_are_proved_in_the_next_request() {
    let chunk = json!({"candidates": [{"content": {"role": "model", "parts": [
        {"text": "hm", "thought": true, "thoughtSignature": "c2VhbGVk"},
        {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "c2VhbGVk"}]}, "finishReason": "STOP"}]});
    let message = told(&chunk, Format::Gemini, Format::Messages);
    let (said, _) = said(
        format!("data: {chunk}\r\n\r\n").as_bytes(),
        Format::Gemini,
        Format::Messages,
    );
    let streamed = data_of(&said);
    let id_of = |block: &Value| block["id"].as_str().unwrap_or_default().to_owned();
    let started = streamed
        .iter()
        .map(|event| &event["content_block"])
        .find(|block| block["type"] == "tool_use")
        .unwrap();
    let blocks = message["content"].as_array().unwrap();
    let call = blocks
        .iter()
        .find(|block| block["type"] == "tool_use")
        .unwrap();
    assert_eq!(id_of(call), id_of(started));
    let body = json!({"model": "m", "max_tokens": 9, "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": message["content"]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call["id"], "content": "1"}]},
    ], "tools": [{"name": "f", "input_schema": {"type": "object"}}]});
    let mut body = serde_json::to_vec(&body).unwrap();
    let to = Destination {
        kind: ProviderKind::Gemini,
        model: "gemini-3-pro-preview",
        max_output: None,
    };
    let mut out = Vec::new();
    request(
        &mut body,
        Format::Messages,
        &to,
        Format::Gemini,
        false,
        &mut out,
    )
    .unwrap();
    let asked: Value = serde_json::from_slice(&out).unwrap();
    let parts = asked["contents"][1]["parts"].as_array().unwrap();
    let call = parts.iter().find(|part| part.get("functionCall").is_some());
    let proof = &call.unwrap()["thoughtSignature"];
    assert_eq!(proof, "skip_thought_signature_validator", "{asked}");
    assert!(parts.iter().all(|part| part["text"] != "hm"), "{asked}");
    let result = &asked["contents"][2]["parts"][0]["functionResponse"];
    assert_eq!(result["name"], "f", "{asked}");
}

/// The Responses API over Anthropic, in the area of litellm #19368: what was thought, said and called are items of one answer, and what the
/// client sends back of them is Anthropic's again, the result right behind its call.
#[test]
fn litellm_19368_a_turn_of_responses_goes_to_anthropic_and_back() {
    let body = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [
        {"type": "thinking", "thinking": "hm", "signature": "c2VhbGVk"},
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}},
        {"type": "tool_use", "id": "toolu_2", "name": "f", "input": {}},
    ], "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 2}});
    let response = told(&body, Format::Messages, Format::Responses);
    let output = response["output"].as_array().unwrap();
    let types: Vec<_> = output.iter().map(|item| &item["type"]).collect();
    assert_eq!(
        types,
        ["reasoning", "message", "function_call", "function_call"]
    );
    assert_eq!(response["status"], "completed");
    let mut input = vec![json!({"role": "user", "content": "hi"})];
    input.extend(output.iter().cloned());
    for (call, text) in output.iter().skip(2).zip(["1", "2"]) {
        input.push(
            json!({"type": "function_call_output", "call_id": call["call_id"], "output": text}),
        );
    }
    let body = json!({"model": "m", "input": input,
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}]});
    let asked = asked(&body, Format::Responses, ProviderKind::Anthropic);
    let messages = asked["messages"].as_array().unwrap();
    let roles: Vec<_> = messages.iter().map(|message| &message["role"]).collect();
    assert_eq!(roles, ["user", "assistant", "user"], "{asked}");
    let ids = |message: &Value, key: &str| -> Vec<String> {
        let blocks = message["content"].as_array().unwrap().iter();
        blocks
            .filter_map(|block| block[key].as_str().map(str::to_owned))
            .collect()
    };
    assert_eq!(ids(&messages[1], "id"), ["toolu_1", "toolu_2"]);
    assert_eq!(ids(&messages[2], "tool_use_id"), ["toolu_1", "toolu_2"]);
}

/// Whatever its client speaks, an answer names each call once, with its tool.
#[test]
fn every_client_reads_the_name_and_the_tool_of_a_call() {
    let body = json!({"id": "a", "model": "m", "choices": [{"index": 0, "finish_reason": "tool_calls", "message":
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}}]});
    for client in CLIENTS.into_iter().filter(|client| *client != Format::Chat) {
        let told = told(&body, Format::Chat, client).to_string();
        assert_eq!(told.matches("\"f\"").count(), 1, "{told}");
    }
}
