//! What requests can ask, in the words of each client's format.

#![expect(
    clippy::too_many_lines,
    clippy::needless_pass_by_value,
    reason = "tables: one row for each feature, with values written where they stand"
)]

use serde_json::{Value, json};

use switchover::dialect::format::Format;

/// Something that a request can ask.
pub(super) struct Feature {
    pub(super) name: &'static str,
    /// What has to stand in a request for it, in each of `CLIENTS`' formats; `Null` where there are no words for it.
    pub(super) asked: [Value; 4],
    /// Such a request has tools.
    pub(super) of_tools: bool,
    /// It is what a provider does that is told nothing.
    pub(super) usual: bool,
}

fn feature(name: &'static str, asked: [Value; 4]) -> Feature {
    Feature {
        name,
        asked,
        of_tools: false,
        usual: false,
    }
}

fn of_tools(name: &'static str, asked: [Value; 4]) -> Feature {
    Feature {
        of_tools: true,
        ..feature(name, asked)
    }
}

const SCHEMA: &str = r#"{"type":"object","properties":{"x":{"type":"string"}},"required":["x"],"additionalProperties":false}"#;

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

/// What the user says, in a client's format.
pub(super) fn base(client: Format) -> Value {
    let hello = json!([{"role": "user", "content": "hello, as json"}]);
    match client {
        Format::Responses => json!({"model": "m", "max_output_tokens": 9000, "input": hello}),
        Format::Messages => json!({"model": "m", "max_tokens": 9000, "messages": hello}),
        Format::Gemini => json!({
            "contents": [{"role": "user", "parts": [{"text": "hello, as json"}]}],
            "generationConfig": {"maxOutputTokens": 9000},
        }),
        _ => json!({"model": "m", "max_completion_tokens": 9000, "messages": hello}),
    }
}

/// One message of the user in each format.
fn user(chat: Value, responses: Value, messages: Value, gemini: Value) -> [Value; 4] {
    let says = |key: &str, part: &Value| json!({key: [{"role": "user", "content": [part]}]});
    let [chat, responses, messages] = [
        ("messages", chat),
        ("input", responses),
        ("messages", messages),
    ]
    .map(|(key, part)| match part {
        Value::Null => Value::Null,
        part => says(key, &part),
    });
    let gemini = match gemini {
        Value::Null => Value::Null,
        part => json!({"contents": [{"role": "user", "parts": [part]}]}),
    };
    [chat, responses, messages, gemini]
}

pub(super) fn tools() -> [Value; 4] {
    [
        json!({"tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": schema()}}]}),
        json!({"tools": [{"type": "function", "name": "f", "description": "d", "parameters": schema()}]}),
        json!({
            "tools": [{"name": "f", "description": "d", "input_schema": schema()}],
            "tool_choice": {"type": "auto"},
        }),
        json!({"tools": [{"functionDeclarations": [{"name": "f", "description": "d", "parametersJsonSchema": schema()}]}]}),
    ]
}

fn gemini_mode(config: Value) -> Value {
    json!({"toolConfig": {"functionCallingConfig": config}})
}

/// One call, and what the tool answered: a text and, if `picture`, that.
fn called(picture: bool) -> [Value; 4] {
    let data = "iVBORw0KGgo=";
    let mut responses = vec![json!({"type": "input_text", "text": "done"})];
    let mut messages = vec![json!({"type": "text", "text": "done"})];
    if picture {
        let url = format!("data:image/png;base64,{data}");
        responses.push(json!({"type": "input_image", "image_url": url}));
        messages.push(json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}));
    }
    // Chat Completions' tools answer in words only.
    let chat = if picture {
        Value::Null
    } else {
        json!({"messages": [
            {"role": "user", "content": "hello"},
            {"role": "assistant", "content": null, "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "done"},
        ]})
    };
    [
        chat,
        json!({"input": [
            {"role": "user", "content": "hello"},
            {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_1", "output": responses},
        ]}),
        json!({"messages": [
            {"role": "user", "content": "hello"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": messages}]},
        ]}),
        if picture {
            Value::Null
        } else {
            json!({"contents": [
                {"role": "user", "parts": [{"text": "hello"}]},
                {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
                {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"result": "done"}}}]},
            ]})
        },
    ]
}

pub(super) fn conversation() -> Vec<Feature> {
    let none = Value::Null;
    let middle = |system: &str| {
        json!([
            {"role": "user", "content": "hello"},
            {"role": "assistant", "content": "hello"},
            {"role": system, "content": "be short"},
            {"role": "user", "content": "how are you?"},
        ])
    };
    let png = "data:image/png;base64,iVBORw0KGgo=";
    let pdf = "data:application/pdf;base64,JVBERi0xLjQK";
    let web = "https://example.com/a.png";
    vec![
        feature(
            "instructions",
            [
                json!({"messages": [{"role": "system", "content": "be short"}, {"role": "user", "content": "hello"}]}),
                json!({"instructions": "be short"}),
                json!({"system": "be short"}),
                json!({"systemInstruction": {"parts": [{"text": "be short"}]}}),
            ],
        ),
        feature(
            "instructions in the middle",
            [
                json!({"messages": middle("system")}),
                json!({"input": middle("developer")}),
                none.clone(),
                none.clone(),
            ],
        ),
        feature(
            "picture in the request",
            user(
                json!({"type": "image_url", "image_url": {"url": png}}),
                json!({"type": "input_image", "image_url": png}),
                json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}),
                json!({"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}),
            ),
        ),
        feature(
            "how closely to look at it",
            user(
                json!({"type": "image_url", "image_url": {"url": png, "detail": "high"}}),
                json!({"type": "input_image", "image_url": png, "detail": "high"}),
                none.clone(),
                json!({"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}, "mediaResolution": {"level": "MEDIA_RESOLUTION_HIGH"}}),
            ),
        ),
        feature(
            "picture at an address",
            user(
                json!({"type": "image_url", "image_url": {"url": web}}),
                json!({"type": "input_image", "image_url": web}),
                json!({"type": "image", "source": {"type": "url", "url": web}}),
                json!({"fileData": {"mimeType": "image/png", "fileUri": web}}),
            ),
        ),
        feature(
            "PDF in the request",
            user(
                json!({"type": "file", "file": {"file_data": pdf}}),
                json!({"type": "input_file", "file_data": pdf}),
                json!({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQK"}}),
                json!({"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0xLjQK"}}),
            ),
        ),
        feature(
            "name of a document",
            user(
                json!({"type": "file", "file": {"file_data": pdf, "filename": "a.pdf"}}),
                json!({"type": "input_file", "file_data": pdf, "filename": "a.pdf"}),
                json!({"type": "document", "title": "a", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQK"}}),
                json!({"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0xLjQK", "displayName": "a.pdf"}}),
            ),
        ),
        feature(
            "context and citations of a document",
            user(
                none.clone(),
                none.clone(),
                json!({"type": "document", "context": "c", "citations": {"enabled": true}, "source": {"type": "text", "media_type": "text/plain", "data": "It rains."}}),
                none.clone(),
            ),
        ),
        feature(
            "document as text",
            user(
                json!({"type": "file", "file": {"file_data": "data:text/plain;base64,SXQgcmFpbnMu"}}),
                json!({"type": "input_file", "file_data": "data:text/plain;base64,SXQgcmFpbnMu"}),
                json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "It rains."}}),
                json!({"inlineData": {"mimeType": "text/plain", "data": "SXQgcmFpbnMu"}}),
            ),
        ),
        feature(
            "recording",
            user(
                json!({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}),
                json!({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}),
                none.clone(),
                json!({"inlineData": {"mimeType": "audio/wav", "data": "UklGRg=="}}),
            ),
        ),
        feature(
            "file by its id",
            user(
                json!({"type": "file", "file": {"file_id": "file-1"}}),
                json!({"type": "input_file", "file_id": "file-1"}),
                json!({"type": "document", "source": {"type": "file", "file_id": "file-1"}}),
                none.clone(),
            ),
        ),
        feature(
            "mark for the prompt cache",
            user(
                json!({"type": "text", "text": "hello, as json", "cache_control": {"type": "ephemeral"}}),
                none.clone(),
                json!({"type": "text", "text": "hello, as json", "cache_control": {"type": "ephemeral"}}),
                none,
            ),
        ),
    ]
}

pub(super) fn tool_features() -> Vec<Feature> {
    let none = Value::Null;
    let [mut strict, mut strict_flat] = [tools()[0].clone(), tools()[1].clone()];
    strict["tools"][0]["function"]["strict"] = json!(true);
    strict_flat["tools"][0]["strict"] = json!(true);
    vec![
        feature("tools", tools()),
        of_tools("tool results", called(false)),
        of_tools("pictures in tool results", called(true)),
        Feature {
            usual: true,
            ..of_tools(
                "tool choice: any or none",
                [
                    json!({"tool_choice": "auto"}),
                    json!({"tool_choice": "auto"}),
                    json!({"tool_choice": {"type": "auto"}}),
                    gemini_mode(json!({"mode": "AUTO"})),
                ],
            )
        },
        of_tools(
            "tool choice: at least one",
            [
                json!({"tool_choice": "required"}),
                json!({"tool_choice": "required"}),
                json!({"tool_choice": {"type": "any"}}),
                gemini_mode(json!({"mode": "ANY"})),
            ],
        ),
        of_tools(
            "tool choice: this one",
            [
                json!({"tool_choice": {"type": "function", "function": {"name": "f"}}}),
                json!({"tool_choice": {"type": "function", "name": "f"}}),
                json!({"tool_choice": {"type": "tool", "name": "f"}}),
                gemini_mode(json!({"mode": "ANY", "allowedFunctionNames": ["f"]})),
            ],
        ),
        of_tools(
            "tool choice: none",
            [
                json!({"tool_choice": "none"}),
                json!({"tool_choice": "none"}),
                json!({"tool_choice": {"type": "none"}}),
                gemini_mode(json!({"mode": "NONE"})),
            ],
        ),
        of_tools(
            "no parallel calls",
            [
                json!({"parallel_tool_calls": false}),
                json!({"parallel_tool_calls": false}),
                json!({"tool_choice": {"type": "auto", "disable_parallel_tool_use": true}}),
                none.clone(),
            ],
        ),
        of_tools(
            "strict tools",
            [strict, strict_flat, none.clone(), none.clone()],
        ),
        feature(
            "tools of the provider",
            [
                json!({"web_search_options": {}}),
                json!({"tools": [{"type": "web_search"}]}),
                json!({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
                json!({"tools": [{"googleSearch": {}}]}),
            ],
        ),
        feature(
            "tools that take text",
            [
                json!({"tools": [{"type": "custom", "custom": {"name": "f"}}]}),
                json!({"tools": [{"type": "custom", "name": "f"}]}),
                none.clone(),
                none,
            ],
        ),
    ]
}

pub(super) fn answer_features() -> Vec<Feature> {
    let none = Value::Null;
    let config = |config: Value| json!({"generationConfig": config});
    vec![
        feature(
            "any JSON",
            [
                json!({"response_format": {"type": "json_object"}}),
                json!({"text": {"format": {"type": "json_object"}}}),
                none.clone(),
                config(json!({"responseMimeType": "application/json"})),
            ],
        ),
        feature(
            "JSON by a schema",
            [
                json!({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema()}}}),
                json!({"text": {"format": {"type": "json_schema", "name": "x", "schema": schema()}}}),
                json!({"output_config": {"format": {"type": "json_schema", "schema": schema()}}}),
                config(
                    json!({"responseMimeType": "application/json", "responseJsonSchema": schema()}),
                ),
            ],
        ),
        feature(
            "name and description of the schema",
            [
                json!({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "description": "d", "schema": schema()}}}),
                json!({"text": {"format": {"type": "json_schema", "name": "x", "description": "d", "schema": schema()}}}),
                none.clone(),
                none.clone(),
            ],
        ),
        feature(
            "thinking, in words",
            [
                json!({"reasoning_effort": "high"}),
                json!({"reasoning": {"effort": "high"}}),
                json!({"output_config": {"effort": "high"}}),
                config(json!({"thinkingConfig": {"thinkingLevel": "HIGH"}})),
            ],
        ),
        feature(
            "thinking, in tokens",
            [
                json!({"reasoning": {"max_tokens": 2048}}),
                none.clone(),
                json!({"thinking": {"type": "enabled", "budget_tokens": 2048}}),
                config(json!({"thinkingConfig": {"thinkingBudget": 2048}})),
            ],
        ),
        feature(
            "temperature",
            [
                json!({"temperature": 0.5}),
                json!({"temperature": 0.5}),
                json!({"temperature": 0.5}),
                config(json!({"temperature": 0.5})),
            ],
        ),
        feature(
            "temperature above 1",
            [
                json!({"temperature": 1.5}),
                json!({"temperature": 1.5}),
                none.clone(),
                config(json!({"temperature": 1.5})),
            ],
        ),
        feature(
            "top_p",
            [
                json!({"top_p": 0.5}),
                json!({"top_p": 0.5}),
                json!({"top_p": 0.5}),
                config(json!({"topP": 0.5})),
            ],
        ),
        feature(
            "top_k",
            [
                json!({"top_k": 5}),
                none.clone(),
                json!({"top_k": 5}),
                config(json!({"topK": 5})),
            ],
        ),
        feature(
            "stop, up to 4",
            [
                json!({"stop": ["END"]}),
                none.clone(),
                json!({"stop_sequences": ["END"]}),
                config(json!({"stopSequences": ["END"]})),
            ],
        ),
        feature(
            "stop, more than 4",
            [
                json!({"stop": ["a", "b", "c", "d", "e"]}),
                none.clone(),
                json!({"stop_sequences": ["a", "b", "c", "d", "e"]}),
                config(json!({"stopSequences": ["a", "b", "c", "d", "e"]})),
            ],
        ),
        feature(
            "seed",
            [
                json!({"seed": 7}),
                none.clone(),
                none.clone(),
                config(json!({"seed": 7})),
            ],
        ),
        feature(
            "penalties",
            [
                json!({"presence_penalty": 0.5, "frequency_penalty": 0.5}),
                json!({"presence_penalty": 0.5, "frequency_penalty": 0.5}),
                none.clone(),
                config(json!({"presencePenalty": 0.5, "frequencyPenalty": 0.5})),
            ],
        ),
        feature(
            "user",
            [
                json!({"user": "u"}),
                json!({"safety_identifier": "u"}),
                json!({"metadata": {"user_id": "u"}}),
                none.clone(),
            ],
        ),
        feature(
            "metadata",
            [
                json!({"metadata": {"team": "a"}}),
                json!({"metadata": {"team": "a"}}),
                none.clone(),
                json!({"labels": {"team": "a"}}),
            ],
        ),
        feature(
            "several answers",
            [
                json!({"n": 2}),
                none.clone(),
                none.clone(),
                config(json!({"candidateCount": 2})),
            ],
        ),
        feature(
            "logprobs",
            [
                json!({"logprobs": true}),
                json!({"include": ["message.output_text.logprobs"]}),
                none.clone(),
                config(json!({"responseLogprobs": true})),
            ],
        ),
        feature(
            "state kept by the provider",
            [
                none.clone(),
                json!({"previous_response_id": "resp_1"}),
                json!({"container": "c"}),
                json!({"cachedContent": "cachedContents/1"}),
            ],
        ),
        feature(
            "a conversation that the provider is to keep from now on",
            [
                none.clone(),
                none.clone(),
                json!({"thread": {"type": "create"}}),
                none.clone(),
            ],
        ),
        feature(
            "a field that nobody knows",
            [
                json!({"frobnicate": 1}),
                json!({"frobnicate": 1}),
                json!({"frobnicate": 1}),
                json!({"frobnicate": 1}),
            ],
        ),
    ]
}
