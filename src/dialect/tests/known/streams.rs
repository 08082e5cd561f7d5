//! Streams: which events there have to be, in which order, and how an error ends them.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{CALLED, CLIENTS, data_of, recorded_stream, reply, said};
use crate::dialect::client::error_event;
use crate::dialect::format::Format;
use crate::dialect::openai::ClientError;
use crate::dialect::translation::{Translator, Watcher};

/// A stream of Chat Completions with these deltas of one choice.
fn chunks(deltas: &[Value]) -> String {
    let mut stream = String::new();
    for delta in deltas {
        let chunk = json!({"id": "a", "model": "m", "choices": [{"index": 0, "delta": delta}]});
        let _ = write!(stream, "data: {chunk}\n\n");
    }
    let end = json!({"id": "a", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]});
    stream + &format!("data: {end}\n\ndata: [DONE]\n\n")
}

/// The calls that a client of the format adds up: id, tool, arguments.
fn calls(client: Format, said: &str) -> Vec<[String; 3]> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut calls = Vec::<[String; 3]>::new();
    for event in data_of(said) {
        let (block, delta, item) = (&event["content_block"], &event["delta"], &event["item"]);
        match client {
            Format::Messages if block["type"] == "tool_use" => {
                calls.push([text(&block["id"]), text(&block["name"]), String::new()]);
            }
            Format::Messages if delta["type"] == "input_json_delta" => {
                calls.last_mut().unwrap()[2].push_str(delta["partial_json"].as_str().unwrap());
            }
            Format::Responses
                if event["type"] == "response.output_item.done"
                    && item["type"] == "function_call" =>
            {
                calls.push(["call_id", "name", "arguments"].map(|key| text(&item[key])));
            }
            Format::Gemini => {
                let parts = event["candidates"][0]["content"]["parts"].as_array();
                for call in parts
                    .into_iter()
                    .flatten()
                    .map(|part| &part["functionCall"])
                {
                    if call.is_object() {
                        calls.push([
                            text(&call["id"]),
                            text(&call["name"]),
                            call["args"].to_string(),
                        ]);
                    }
                }
            }
            _ => {}
        }
    }
    calls
}

/// In the area of litellm #33223: servers say the index, the name of a call and its tool in ways of their own. A call is one,
/// whether they say it once, with each piece, or as `""` later.
#[test]
fn litellm_33223_a_call_is_one_however_its_pieces_name_it() {
    let piece = |id: Value, name: Value, arguments: &str| json!({"tool_calls": [{"index": 0, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}}]});
    let none = || Value::Null;
    let ways = [
        (
            "once",
            [
                piece(json!("call_1"), json!("f"), "{\"a\":"),
                piece(none(), none(), "1}"),
            ],
        ),
        (
            "always",
            [
                piece(json!("call_1"), json!("f"), "{\"a\":"),
                piece(json!("call_1"), json!("f"), "1}"),
            ],
        ),
        (
            "empty",
            [
                piece(json!("call_1"), json!("f"), "{\"a\":"),
                piece(json!(""), json!(""), "1}"),
            ],
        ),
    ];
    for client in CLIENTS.into_iter().filter(|client| *client != Format::Chat) {
        for (name, deltas) in &ways {
            let (said, seen) = said(chunks(deltas).as_bytes(), Format::Chat, client);
            assert!(seen.finish && !seen.error, "{name}");
            let calls = calls(client, &said);
            assert_eq!(calls.len(), 1, "{name}: {said}");
            let [id, tool, arguments] = &calls[0];
            assert_eq!(
                (tool.as_str(), arguments.as_str()),
                ("f", "{\"a\":1}"),
                "{name}"
            );
            // Gemini's clients read no names of calls from a provider that is not Gemini, but may.
            assert!(
                id == "call_1" || client == Format::Gemini && id.is_empty(),
                "{name}: {id}"
            );
        }
    }
}

/// OpenAI's Ruby SDK found neither the beginning nor the end of an answer.
#[test]
fn litellm_15432_an_answer_of_responses_has_its_first_and_last_events() {
    for (name, format) in CALLED {
        let (said, _) = said(&recorded_stream(name), format, Format::Responses);
        let events = data_of(&said);
        let types: Vec<_> = events
            .iter()
            .map(|event| event["type"].as_str().unwrap())
            .collect();
        assert_eq!(
            types[..2],
            ["response.created", "response.in_progress"],
            "{name}"
        );
        assert_eq!(types.last(), Some(&"response.completed"), "{name}");
        for (at, event) in (0_u64..).zip(&events) {
            assert_eq!(event["sequence_number"], at, "{name}");
        }
        let begun = events[0]["response"]["id"].as_str().unwrap();
        let ended = &events.last().unwrap()["response"];
        assert!(begun.starts_with("resp_") && ended["id"] == begun, "{name}");
        assert_eq!(
            ended["output"].as_array().unwrap().len(),
            types
                .iter()
                .filter(|it| **it == "response.output_item.done")
                .count(),
            "{name}"
        );
    }
}

/// An error in the middle of a stream of the Responses API was passed over, and the answer was half an answer.
#[test]
fn litellm_29223_an_error_in_a_stream_of_responses_is_one() {
    let begun = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"model\":\"m\"}}\n\n\
        event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"delta\":\"hi\"}\n\n";
    let errors = [
        "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"broke\"}\n\n",
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"server_error\",\"code\":\"server_error\",\"message\":\"broke\"}}\n\n",
        "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"id\":\"resp_1\",\"status\":\"failed\",\"error\":{\"code\":\"server_error\",\"message\":\"broke\"}}}\n\n",
    ];
    for error in errors {
        for client in CLIENTS
            .into_iter()
            .filter(|client| *client != Format::Responses)
        {
            let mut translator = Translator::new(Format::Responses, client, reply());
            let mut out = Vec::new();
            let stream = format!("{begun}{error}");
            let seen = translator.feed(stream.as_bytes(), true, &mut out).unwrap();
            assert!(
                seen.content && seen.error && !seen.finish && !seen.end,
                "{error}"
            );
            let told = String::from_utf8_lossy(translator.error().1).into_owned();
            assert!(told.contains("broke"), "{told}");
        }
        // And where the bytes pass.
        let (name, data) = error
            .strip_prefix("event: ")
            .unwrap()
            .split_once("\ndata: ")
            .unwrap();
        let seen =
            Watcher::new(Format::Responses).see(name.as_bytes(), &mut data.as_bytes().to_vec());
        assert!(seen.error && !seen.finish && !seen.end, "{error}");
    }
}

/// A stream that broke ended like one that is whole, or with nothing. Here the error is the last event, in the words of the
/// client's format, and nothing behind it says that all was well: neither `[DONE]` nor another end. SDKs of OpenAI raise when
/// they see it; those that wait for `[DONE]` see the body break off.
#[test]
fn litellm_39748_the_error_is_the_last_thing_in_a_stream() {
    let error = ClientError {
        message: "it broke".into(),
        ..ClientError::of_outcome(crate::base::Outcome::StreamAbort)
    };
    let begun = chunks(&[json!({"role": "assistant", "content": "hi"})]);
    let begun = begun.split_inclusive("\n\n").next().unwrap();
    for client in CLIENTS {
        let mut translator = Translator::new(Format::Chat, client, reply());
        let mut out = Vec::new();
        let seen = translator.feed(begun.as_bytes(), false, &mut out).unwrap();
        assert!(seen.content && !seen.finish && !seen.end);
        let before = out.len();
        error_event(client, &error, &mut out);
        let (before, event) = out.split_at(before);
        let event = std::str::from_utf8(event).unwrap();
        assert!(
            event.ends_with('\n') && event.matches("data: ").count() == 1,
            "{event}"
        );
        let data = &data_of(event)[0];
        assert_eq!(data["error"]["message"], "it broke", "{event}");
        let all = [before, event.as_bytes()].concat();
        let all = std::str::from_utf8(&all).unwrap();
        let ends = [
            "[DONE]",
            "message_stop",
            "response.completed",
            "\"STOP\"",
            "\"stop\"",
        ];
        assert!(!ends.iter().any(|end| all.contains(end)), "{all}");
    }
}
