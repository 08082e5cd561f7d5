//! What went wrong between formats elsewhere, by the issues that tell of it: those that need two formats. The rest stands
//! in each format's own tests, what needs a whole gateway in `tests/sdk`. All of them, with their tests: docs/known-bugs.md.

mod calls;
mod streams;

use serde_json::{Value, json};

use crate::dialect::codec::{Destination, Reply};
use crate::dialect::format::Format;
use crate::dialect::recorded::{self, RecordedBody};
use crate::dialect::translation::{Seen, Translator, answer, request};
use crate::dialect::{converse, gemini};
use crate::policy::model::ProviderKind;
use crate::wire::base64;
use crate::wire::eventstream::{self, Kind};

const CLIENTS: [Format; 4] = [
    Format::Chat,
    Format::Responses,
    Format::Messages,
    Format::Gemini,
];

fn reply() -> Reply {
    Reply {
        id: "0123456789abcdef".to_owned(),
        model: "m".to_owned(),
        stream_usage: true,
        ..Reply::default()
    }
}

/// What a client gets of a stream, and what the stream amounts to. A stream that is well is brought to its end.
fn said(stream: &[u8], provider: Format, client: Format) -> (String, Seen) {
    let (mut translator, mut out) = (Translator::new(provider, client, reply()), Vec::new());
    let seen = translator.feed(stream, true, &mut out).unwrap();
    if !seen.error {
        translator.end(&mut out);
    }
    (String::from_utf8(out).unwrap(), seen)
}

/// The data of each event.
fn data_of(stream: &str) -> Vec<Value> {
    let data = stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

/// A request as a provider of that kind gets it.
fn asked(body: &Value, client: Format, kind: ProviderKind) -> Value {
    let mut body = serde_json::to_vec(body).unwrap();
    let to = Destination {
        kind,
        model: "m",
        max_output: None,
    };
    let mut out = Vec::new();
    let provider = Format::of_provider(kind, client);
    request(&mut body, client, &to, provider, false, &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

/// A recorded stream, as it came.
fn recorded_stream(name: &str) -> Vec<u8> {
    let all = recorded::all();
    let found = all.iter().find(|recorded| recorded.name == name).unwrap();
    match &found.body {
        RecordedBody::Sse(events) => events.concat().into_bytes(),
        RecordedBody::EventStream(messages) => messages
            .iter()
            .flat_map(|message| base64::decode(message).unwrap())
            .collect(),
        _ => panic!("{name} is no stream"),
    }
}

const CALLED: [(&str, Format); 3] = [
    (
        "anthropic/anthropic-tools-streaming-legacy",
        Format::Messages,
    ),
    (
        "gemini/streaming-reasoning-with-multiple-tool-calls",
        Format::Gemini,
    ),
    (
        "bedrock/converse-stream-no-content-tool-call",
        Format::Converse,
    ),
];

#[test]
fn litellm_32607_all_chunks_are_of_one_answer() {
    for (name, format) in CALLED {
        let chunks = data_of(&said(&recorded_stream(name), format, Format::Chat).0);
        assert!(chunks.len() > 2, "{name}");
        for chunk in &chunks {
            for field in ["id", "created", "model", "object"] {
                assert_eq!(chunk[field], chunks[0][field], "{name}: {field}");
            }
        }
    }
}

/// Kong #11445, `litellm_15307`: calls that are made at once stay apart.
#[test]
fn kong_11445_parallel_calls_of_a_stream_stay_two() {
    for (name, format) in CALLED {
        let chunks = data_of(&said(&recorded_stream(name), format, Format::Chat).0);
        let mut calls = Vec::<(String, String)>::new();
        for call in chunks
            .iter()
            .filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].as_array())
            .flatten()
        {
            let at = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
            if let Some(id) = call["id"].as_str() {
                assert_eq!(at, calls.len(), "{name}");
                calls.push((id.to_owned(), String::new()));
            }
            let arguments = call["function"]["arguments"].as_str();
            calls[at].1.push_str(arguments.unwrap_or_default());
        }
        assert_eq!(calls.len(), 2, "{name}");
        assert_ne!(calls[0].0, calls[1].0, "{name}");
        for (_, arguments) in calls {
            serde_json::from_str::<Value>(&arguments).unwrap();
        }
    }
}

#[test]
fn litellm_27492_a_whole_answer_has_its_content() {
    let whole = |message: Value| {
        let body = json!({"id": "a", "object": "chat.completion", "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]});
        let (mut body, mut out) = (serde_json::to_vec(&body).unwrap(), Vec::new());
        answer(
            &mut body,
            Format::Chat,
            Format::Messages,
            &reply(),
            &mut out,
        )
        .map(|_| serde_json::from_slice::<Value>(&out).unwrap())
    };
    let said = whole(json!({"role": "assistant", "content": "hi"})).unwrap();
    assert_eq!(said["content"], json!([{"type": "text", "text": "hi"}]));
    assert!(whole(json!({"role": "assistant", "content": null})).is_err());
}

/// Also litellm #21041 and #12481: a failure that is called `stop` is taken for an empty answer.
#[test]
fn litellm_21744_a_malformed_call_is_no_end() {
    for word in ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"] {
        let chunk = json!({"candidates": [{"content": {"role": "model"}, "finishReason": word}]});
        for client in CLIENTS {
            let stream = format!("data: {chunk}\r\n\r\n");
            let (said, seen) = said(stream.as_bytes(), Format::Gemini, client);
            assert!(seen.error && !seen.finish && !seen.content, "{word}");
            let ends = ["\"stop\"", "end_turn", "response.completed", "STOP"];
            assert!(!ends.iter().any(|end| said.contains(end)), "{said}");
            let mut body = serde_json::to_vec(&chunk).unwrap();
            let whole = answer(&mut body, Format::Gemini, client, &reply(), &mut Vec::new());
            assert!(whole.is_err(), "{word}");
        }
    }
}

/// portkey #497, #1259: Mistral says the usage in the chunk that ends the answer.
#[test]
fn portkey_497_the_usage_of_the_last_chunk_counts() {
    let stream = br#"data: {"id":"a","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"hi"}}]}

data: {"id":"a","model":"m","choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}

data: [DONE]

"#;
    for (client, tokens) in [
        (
            Format::Responses,
            [r#""input_tokens":7"#, r#""output_tokens":3"#],
        ),
        (
            Format::Messages,
            [r#""input_tokens":7"#, r#""output_tokens":3"#],
        ),
        (
            Format::Gemini,
            [r#""promptTokenCount":7"#, r#""candidatesTokenCount":3"#],
        ),
    ] {
        let (said, _) = said(stream, Format::Chat, client);
        for token in tokens {
            assert!(said.contains(token), "{token}: {said}");
        }
    }
    // vercel/ai #17326: the beginning of the stream cannot know it, so the end says all of it.
    let (said, _) = said(stream, Format::Chat, Format::Messages);
    let events = data_of(&said);
    let end = events
        .iter()
        .find(|event| event["type"] == "message_delta")
        .unwrap();
    assert_eq!(end["usage"]["input_tokens"], 7);
}

/// litellm #11392, ironclaw #1241, opencode #1680, vercel/ai #11802: exactly nine letters and digits.
#[test]
fn litellm_11392_mistral_gets_names_of_calls_that_it_takes() {
    let (one, other) = (
        "toolu_01XhRHVXkKSCMGnaoHjpKax8",
        "toolu_01XhRHVXkKSCMGnaoHjpKax9",
    );
    let call = |id| json!({"type": "tool_use", "id": id, "name": "f", "input": {}});
    let result = |id| json!({"type": "tool_result", "tool_use_id": id, "content": id});
    let body = json!({"model": "m", "max_tokens": 9, "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [call(one), call(other)]},
        {"role": "user", "content": [result(one), result(other)]},
    ]});
    let asked = asked(&body, Format::Messages, ProviderKind::Mistral);
    let messages = asked["messages"].as_array().unwrap();
    let calls = messages[1]["tool_calls"].as_array().unwrap();
    assert_eq!(calls.len(), 2);
    assert_ne!(calls[0]["id"], calls[1]["id"]);
    for (call, (result, given)) in calls.iter().zip(messages[2..].iter().zip([one, other])) {
        let id = call["id"].as_str().unwrap();
        assert!(id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_eq!(
            (&result["tool_call_id"], &result["content"]),
            (&call["id"], &json!(given))
        );
    }
}

/// litellm #16895 hides them there, which #41534 (longer than `OpenAI` takes) and #25561 (shown to clients) come of.
#[test]
fn litellm_41534_no_proof_is_hidden_in_the_name_of_a_call() {
    let proof = "c2VhbGVk".repeat(500);
    let chunk = json!({"candidates": [{"content": {"role": "model", "parts": [
        {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": proof}]}, "finishReason": "STOP"}]});
    for client in CLIENTS {
        let (said, _) = said(
            format!("data: {chunk}\r\n\r\n").as_bytes(),
            Format::Gemini,
            client,
        );
        assert!(said.contains("\"f\""), "{said}");
        assert!(!said.contains("c2VhbGVkc2VhbGVk"), "{said}");
    }
}

#[test]
fn portkey_1143_an_exception_in_a_stream_of_bedrock_is_an_error() {
    let mut stream = Vec::new();
    let mut event = |kind, name, payload: Value| {
        eventstream::write(kind, name, payload.to_string().as_bytes(), &mut stream);
    };
    event(Kind::Event, "messageStart", json!({"role": "assistant"}));
    let delta = json!({"contentBlockIndex": 0, "delta": {"text": "hi"}});
    event(Kind::Event, "contentBlockDelta", delta);
    let late = json!({"message": "too many"});
    event(Kind::Exception, "throttlingException", late);
    for client in CLIENTS {
        let (said, seen) = said(&stream, Format::Converse, client);
        assert!(seen.content && seen.error && !seen.finish && !seen.end);
        assert!(said.contains("hi"));
        let ends = ["[DONE]", "message_stop", "response.completed", "STOP"];
        assert!(!ends.iter().any(|end| said.contains(end)), "{said}");
    }
}

/// portkey #741, litellm #6957, #38606: nothing was said, so that another provider can be asked. litellm #25492, #32237: vLLM and
/// sglang say `[DONE]` behind it.
#[test]
fn litellm_6957_an_error_before_any_content_is_known_as_that() {
    let overloaded = concat!(
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"m\",\"usage\":{\"input_tokens\":1}}}\n\n",
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n",
    );
    let refused = "data: {\"error\":{\"object\":\"error\",\"message\":\"not multimodal\",\"type\":\"BadRequestError\",\"code\":400}}\n\ndata: [DONE]\n\n";
    for client in CLIENTS {
        for (stream, provider, words) in [
            (overloaded, Format::Messages, "Overloaded"),
            (refused, Format::Chat, "not multimodal"),
        ] {
            let mut translator = Translator::new(provider, client, reply());
            let seen = translator.feed(stream.as_bytes(), true, &mut Vec::new());
            let seen = seen.unwrap();
            assert!(seen.error && !seen.content && !seen.finish && !seen.end);
            let error = String::from_utf8_lossy(translator.error().1);
            assert!(error.contains(words), "{error}");
        }
    }
}

#[test]
fn kong_14694_the_choice_of_tools_is_said_in_anthropics_words() {
    let choose = |choice: Value| {
        let tool = json!({"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}});
        let body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "tools": [tool], "tool_choice": choice});
        asked(&body, Format::Chat, ProviderKind::Anthropic)["tool_choice"].clone()
    };
    assert_eq!(choose(json!("required")), json!({"type": "any"}));
    assert_eq!(choose(json!("none")), json!({"type": "none"}));
    let named = json!({"type": "function", "function": {"name": "f"}});
    assert_eq!(choose(named), json!({"type": "tool", "name": "f"}));
}

/// Kong #14186: an address with a slash at its end. Kong #14751: Gemini's model is in the path alone.
#[test]
fn kong_14751_the_model_is_in_the_path() {
    let path = |write: fn(&str, &str, bool, &mut Vec<u8>)| {
        let mut out = Vec::new();
        write("/base/", "gemini-2.5-flash", false, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(
        path(gemini::path),
        "/base/models/gemini-2.5-flash:generateContent"
    );
    assert_eq!(
        path(converse::path),
        "/base/model/gemini-2.5-flash/converse"
    );
    let body = json!({"model": "asked", "messages": [{"role": "user", "content": "hi"}]});
    let asked = asked(&body, Format::Chat, ProviderKind::Gemini);
    assert_eq!(asked.get("model"), None);
}

#[test]
fn kong_11705_what_trails_behind_a_stream_says_nothing() {
    for (name, format) in CALLED.into_iter().take(2) {
        let mut stream = recorded_stream(name);
        let plain = said(&stream, format, Format::Chat);
        stream.extend_from_slice(b"\r\n\n: bye\n\n\n\n");
        assert_eq!(said(&stream, format, Format::Chat), plain, "{name}");
    }
}
