//! Requests that say what their format can say: every member that the provider's reference documents, spread over requests
//! in which each does something. What changes the question and is refused by whoever is asked is not here.
//!
//! Sources: the API references of OpenAI (Chat Completions, Responses), Anthropic (Messages) and Google (generateContent),
//! November 2026.

use serde_json::{Value, json};
use switchover::dialect::format::Format;

pub(super) fn requests(client: Format) -> Vec<Value> {
    match client {
        Format::Chat => chat(),
        Format::Responses => responses(),
        Format::Messages => messages(),
        Format::Gemini => gemini(),
        Format::Converse | Format::Cohere => panic!("no client speaks it"),
    }
}

const PNG: &str = "data:image/png;base64,iVBORw0KGgo=";
const PDF: &str = "data:application/pdf;base64,JVBERi0xLjQK";

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "x": {"type": "string", "description": "d"},
            "y": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "z": {"type": "array", "items": {"$ref": "#/$defs/z"}},
        },
        "required": ["x", "y"],
        "additionalProperties": false,
        "$defs": {"z": {"type": "string", "enum": ["a", "b"]}},
    })
}

fn chat() -> Vec<Value> {
    let user = json!([{"role": "user", "content": "hello"}]);
    vec![
        json!({
            "model": "m", "messages": user,
            "frequency_penalty": 0.5, "presence_penalty": 0.5, "logit_bias": {"1": 2}, "max_completion_tokens": 3000,
            "metadata": {"a": "b"}, "n": 1, "prediction": {"type": "content", "content": "x"}, "prompt_cache_key": "k",
            "prompt_cache_retention": "24h", "safety_identifier": "u", "seed": 7, "service_tier": "flex", "stop": ["END"],
            "store": true, "temperature": 0.5, "top_p": 0.5, "top_k": 5, "verbosity": "low", "min_p": 0.1,
            "stream_options": {"include_usage": true, "include_obfuscation": true},
        }),
        json!({"model": "m", "messages": user, "max_tokens": 3000, "user": "u", "reasoning_effort": "high"}),
        json!({"model": "m", "messages": user, "reasoning": {"effort": "high", "exclude": true, "new": 1}}),
        json!({"model": "m", "messages": user, "reasoning": {"max_tokens": 2048}}),
        json!({"model": "m", "messages": user, "reasoning": {"enabled": true}}),
        json!({"model": "m", "messages": [
            {"role": "system", "content": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]},
            {"role": "developer", "content": "be kind", "name": "dev"},
            {"role": "user", "content": [
                {"type": "text", "text": "what is it?"},
                {"type": "image_url", "image_url": {"url": PNG, "detail": "high"}},
            ]},
            {"role": "assistant", "content": "a dot", "refusal": "no more", "annotations": [{"type": "url_citation"}],
                "audio": {"id": "a"}, "reasoning_content": "hm", "reasoning_details": [{"type": "reasoning.text"}], "prefix": true},
            {"role": "user", "content": "and now?"},
        ]}),
        json!({"model": "m", "messages": [{"role": "user", "content": "hello", "cache_control": {"type": "ephemeral"}}]}),
        json!({"model": "m", "messages": [
            {"role": "user", "content": "hello"},
            {"role": "assistant", "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}}]},
            {"role": "tool", "tool_call_id": "call_1", "name": "f", "content": "done", "cache_control": {"type": "ephemeral"}},
        ]}),
        json!({"model": "m", "messages": [{"role": "user", "content": [
            {"type": "text", "text": "read"},
            {"type": "file", "file": {"file_data": PDF, "filename": "a.pdf"}},
            {"type": "file", "file": {"file_data": "data:text/plain;base64,SXQgcmFpbnMu", "format": "x"}},
        ]}]}),
        json!({"model": "m", "messages": [{"role": "user", "content": [
            {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "mp3", "new": 1}, "cache_control": {"type": "ephemeral"}},
        ]}]}),
        json!({"model": "m",
            "messages": [
                {"role": "user", "content": "hello"},
                {"role": "assistant", "content": "wait", "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}, "extra_content": {}},
                ]},
                {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "done"}]},
            ],
            "tools": [
                {"type": "function", "function": {"name": "f", "description": "d", "parameters": schema(), "strict": true, "new": 1}, "also": 1},
                {"type": "function", "function": {"name": "g"}, "cache_control": {"type": "ephemeral"}},
            ],
            "tool_choice": {"type": "function", "function": {"name": "f"}},
            "parallel_tool_calls": false,
        }),
        json!({"model": "m", "messages": user,
            "tools": [{"type": "function", "function": {"name": "f"}}, {"type": "function", "function": {"name": "g"}}],
            "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]}},
        }),
        json!({"model": "m", "messages": user, "response_format": {"type": "json_schema", "json_schema": {
            "name": "weather", "description": "d", "schema": schema(), "strict": true, "new": 1,
        }}}),
        json!({"model": "m", "messages": user, "response_format": {"type": "json_object"}}),
    ]
}

fn responses() -> Vec<Value> {
    let user = json!([{"role": "user", "content": "hello"}]);
    vec![
        json!({
            "model": "m", "instructions": "be brief", "input": user,
            "include": ["file_search_call.results"], "max_output_tokens": 3000, "max_tool_calls": 3, "metadata": {"a": "b"},
            "prompt_cache_key": "k", "prompt_cache_retention": "24h", "safety_identifier": "u", "service_tier": "flex",
            "store": true, "stream_options": {"include_obfuscation": true}, "temperature": 0.5, "top_p": 0.5,
            "text": {"verbosity": "low"}, "truncation": "auto", "context_management": [{"type": "compaction"}],
            "frequency_penalty": 0.5, "presence_penalty": 0.5,
        }),
        json!({"model": "m", "input": "hello", "user": "u", "reasoning": {"effort": "high", "summary": "detailed", "new": 1}}),
        json!({"model": "m", "input": [
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "be brief"}]},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "what is it?", "prompt_cache_breakpoint": {"mode": "explicit"}},
                {"type": "input_image", "image_url": PNG, "detail": "high"},
            ]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "x"},
            {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "new": 1, "content": [
                {"type": "output_text", "text": "a dot", "annotations": [{"type": "url_citation"}]},
                {"type": "refusal", "refusal": "no more"},
            ]},
            {"type": "message", "role": "user", "content": "and now?"},
        ]}),
        json!({"model": "m", "input": [{"role": "user", "content": [
            {"type": "input_text", "text": "read"},
            {"type": "input_file", "file_data": PDF, "filename": "a.pdf", "detail": "high"},
        ]}]}),
        json!({"model": "m", "input": [{"role": "user", "content": [
            {"type": "input_file", "file_url": "https://example.com/a.pdf", "filename": "a.pdf"},
        ]}]}),
        json!({"model": "m",
            "input": [
                {"role": "user", "content": "hello"},
                {"type": "function_call", "id": "fc_1", "status": "completed", "call_id": "call_1", "name": "f", "arguments": "{\"x\":1}", "namespace": "n"},
                {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_2", "name": "p", "input": "patch"},
                {"type": "function_call_output", "call_id": "call_1", "output": [{"type": "input_text", "text": "done"}, {"type": "input_image", "image_url": PNG}]},
                {"type": "custom_tool_call_output", "call_id": "call_2", "output": "patched"},
            ],
            "tools": [
                {"type": "function", "name": "f", "description": "d", "parameters": schema(), "strict": true, "defer_loading": true},
                {"type": "custom", "name": "p", "description": "e", "format": {"type": "grammar", "syntax": "lark", "definition": "x"}},
            ],
            "tool_choice": {"type": "function", "name": "f"},
            "parallel_tool_calls": false,
        }),
        json!({"model": "m", "input": user,
            "tools": [{"type": "function", "name": "f"}, {"type": "function", "name": "g"}],
            "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]},
        }),
        json!({"model": "m", "input": user, "text": {"format": {
            "type": "json_schema", "name": "weather", "description": "d", "schema": schema(), "strict": true, "new": 1,
        }}}),
        json!({"model": "m", "input": user, "text": {"format": {"type": "json_object"}}}),
    ]
}

fn messages() -> Vec<Value> {
    let user = json!([{"role": "user", "content": "hello"}]);
    vec![
        json!({
            "model": "m", "max_tokens": 3000, "messages": user, "system": "be brief",
            "metadata": {"user_id": "u", "other": 1}, "service_tier": "standard_only", "stop_sequences": ["END"],
            "temperature": 0.5, "top_p": 0.5, "top_k": 5, "context_management": {"edits": []}, "thread": {"type": "create"}, "cache_control": {"type": "ephemeral"},
            "speed": "fast", "fallbacks": [{}],
        }),
        json!({"model": "m", "max_tokens": 3000, "messages": user, "thinking": {"type": "enabled", "budget_tokens": 2048, "new": 1}}),
        json!({"model": "m", "max_tokens": 3000, "messages": user, "thinking": {"type": "adaptive"},
            "output_config": {"effort": "high", "task_budget": {"total": 1}}}),
        json!({"model": "m", "max_tokens": 3000,
        "system": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral", "ttl": "1h"}}, {"type": "text", "text": "be kind"}],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "what is it?", "citations": [{"type": "char_location"}]},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "text", "text": "a dot"},
            ]},
            {"role": "user", "content": "and now?", "new": 1},
        ]}),
        json!({"model": "m", "max_tokens": 3000, "messages": [{"role": "user", "content": [
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQK"},
                "title": "A", "context": "c", "citations": {"enabled": true}},
            {"type": "text", "text": "read"},
        ]}]}),
        json!({"model": "m", "max_tokens": 3000, "messages": [{"role": "user", "content": [
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "It rains."}, "title": "A"},
        ]}]}),
        json!({"model": "m", "max_tokens": 3000, "messages": [{"role": "user", "content": [
            {"type": "search_result", "source": "https://example.com", "title": "A",
                "content": [{"type": "text", "text": "It rains."}], "citations": {"enabled": true}},
        ]}]}),
        json!({"model": "m", "max_tokens": 3000,
            "messages": [
                {"role": "user", "content": "hello"},
                {"role": "assistant", "content": [
                    {"type": "text", "text": "wait"},
                    {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"x": 1}, "cache_control": {"type": "ephemeral"}, "new": 1},
                    {"type": "tool_use", "id": "toolu_2", "name": "g", "input": {"y": 2}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": true, "content": [{"type": "text", "text": "failed"}]},
                    {"type": "tool_result", "tool_use_id": "toolu_2", "content": "done"},
                ]},
            ],
            "tools": [
                {"name": "f", "description": "d", "input_schema": schema(), "strict": true, "defer_loading": true,
                    "input_examples": [{"x": "y"}], "eager_input_streaming": true, "allowed_callers": ["direct"]},
                {"type": "custom", "name": "g", "input_schema": {"type": "object"}},
            ],
            "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": true},
        }),
        json!({"model": "m", "max_tokens": 3000, "messages": [
            {"role": "user", "content": "hello"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"x": 1}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1",
                "content": [{"type": "text", "text": "done", "cache_control": {"type": "ephemeral"}}]}]},
        ]}),
        json!({"model": "m", "max_tokens": 3000, "messages": user, "output_config": {"format": {"type": "json_schema", "schema": schema(), "new": 1}}}),
    ]
}

fn gemini() -> Vec<Value> {
    let user = json!([{"role": "user", "parts": [{"text": "hello"}]}]);
    let google = json!({
        "type": "OBJECT", "title": "t", "description": "d", "nullable": true, "propertyOrdering": ["b", "a"],
        "properties": {
            "a": {"type": "STRING", "format": "date-time", "example": "e", "default": "f", "pattern": "p", "minLength": "1", "maxLength": "2"},
            "b": {"type": "ARRAY", "items": {"type": "INTEGER", "minimum": 1, "maximum": 2}, "minItems": "1", "maxItems": "2"},
            "c": {"anyOf": [{"type": "STRING", "enum": ["x"]}, {"type": "OBJECT", "minProperties": "1", "maxProperties": "2"}]},
        },
        "required": ["a"],
    });
    vec![
        json!({
            "contents": user, "systemInstruction": {"role": "system", "parts": [{"text": "be brief"}]},
            "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}], "labels": {"a": "b"},
            "serviceTier": "flex", "store": true,
            "generationConfig": {
                "temperature": 0.5, "topP": 0.5, "topK": 5, "candidateCount": 1, "maxOutputTokens": 3000, "stopSequences": ["END"],
                "presencePenalty": 0.5, "frequencyPenalty": 0.5, "seed": 7, "mediaResolution": "MEDIA_RESOLUTION_LOW",
                "responseModalities": ["TEXT"], "speechConfig": {"languageCode": "de"}, "audioTimestamp": true,
                "enableEnhancedCivicAnswers": true, "routingConfig": {}, "imageConfig": {},
            },
        }),
        json!({"contents": user, "generationConfig": {"thinkingConfig": {"thinkingLevel": "HIGH", "includeThoughts": true, "new": 1}}}),
        json!({"contents": user, "generationConfig": {"thinkingConfig": {"thinkingBudget": 2048}}}),
        json!({"contents": [
            {"role": "user", "new": 1, "parts": [
                {"text": "what is it?", "partMetadata": {"a": 1}},
                {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo=", "displayName": "a.png", "new": 1}, "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}},
            ]},
            {"role": "model", "parts": [{"text": "hm", "thought": true, "thoughtSignature": "cw=="}, {"text": "a dot"}]},
            {"role": "user", "parts": [{"text": "and now?"}]},
        ]}),
        json!({"contents": [{"role": "user", "parts": [
            {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0xLjQK", "displayName": "a.pdf"}},
        ]}]}),
        json!({"contents": [{"role": "user", "parts": [
            {"inlineData": {"mimeType": "text/plain", "data": "SXQgcmFpbnMu", "displayName": "a.txt"}},
        ]}]}),
        json!({"contents": [{"role": "user", "parts": [
            {"inlineData": {"mimeType": "audio/mpeg", "data": "UklGRg==", "displayName": "a.mp3"}},
        ]}]}),
        json!({
            "contents": [
                {"role": "user", "parts": [{"text": "hello"}]},
                {"role": "model", "parts": [
                    {"functionCall": {"id": "c1", "name": "f", "args": {"x": 1}, "new": 1}, "thoughtSignature": "cw=="},
                    {"functionCall": {"name": "g", "args": {"y": 2}}},
                ]},
                {"role": "user", "parts": [
                    {"functionResponse": {"id": "c1", "name": "f", "response": {"result": "done"}, "scheduling": "SILENT"}},
                    {"functionResponse": {"name": "g", "response": {"error": "failed"}}},
                ]},
            ],
            "tools": [{"functionDeclarations": [
                {"name": "f", "description": "d", "parameters": google, "behavior": "BLOCKING", "response": {"type": "STRING"}},
                {"name": "g", "parametersJsonSchema": schema()},
            ]}],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}, "retrievalConfig": {"languageCode": "de"}},
        }),
        json!({
            "contents": user,
            "tools": [{"functionDeclarations": [{"name": "f"}, {"name": "g"}]}],
            "toolConfig": {"functionCallingConfig": {"mode": "VALIDATED", "allowedFunctionNames": ["f"]}},
        }),
        json!({"contents": user, "generationConfig": {"responseMimeType": "application/json", "responseSchema": google}}),
        json!({"contents": user, "generationConfig": {"responseMimeType": "application/json"}}),
    ]
}
