//! Streams of providers: the recorded ones, event by event, and what others might send.

use serde_json::{Value, json};

use super::answers::told;
use super::{Meaning, check_stream, events_of, read, recordings, with_tree};
use crate::dialect::recorded::{RecordedBody, data_of, name_of};
use crate::dialect::responses::{Reader, read_answer};
use crate::dialect::turn::{Event, Finish};

const STREAMS: &[(&str, &str)] = &[
    (
        "azure/responses-protocol-dialects-with-azure-gpt-5-nano-streams-responses",
        "sealed text(4) | Stop | 18/0 120/64",
    ),
    (
        "openai-responses/json-openai-gpt-4o-responses-async-stream",
        "call(get_book_info {\"isbn\":\"0-7653-1178-X\"}) | ToolCalls | 216/0 23/0",
    ),
    (
        "openai-responses/multimodalrequest-response-streaming",
        "text(A cute tabby cat) | Length | 321/0 284/256",
    ),
    (
        "openai-responses/openai-gpt52codex",
        "text(AI Assistant Cap) | Stop | 135/0 27/0",
    ),
    (
        "openai-responses/openai-include-raw-annotations-streaming",
        "text(The tallest moun) | Stop | 12243/0 140/100",
    ),
    (
        "openai-responses/openai-responses-phase-streamed-on-part-start",
        "sealed text(I’ll check the c) call(get_capital {\"country\":\"PotatoLand\"}) | ToolCalls | 63/0 69/26",
    ),
    (
        "openai-responses/refusal-openai-gpt-4o-responses-async-stream",
        "refusal(I'm sorry, I can) | Stop | 54/0 11/0",
    ),
    (
        "openai-responses/responses-sessions-reasoning-session-two-tool-calls-streaming",
        "sealed call(get_weather {\"city\":\"Tokyo\"}) call(get_weather {\"city\":\"Paris\"}) | ToolCalls | 144/0 62/12",
    ),
    (
        "openai-responses/streaming-grammar-incomplete-mid-tool-call",
        "call(add {\"x\":48151) | Length | 83/0 16/0",
    ),
    (
        "openai-responses/structured-output-with-tools-openai-gpt-4o-responses-async-strea-1",
        "text({\"title\":\"Mistbo) | Stop | 195/0 33/0",
    ),
    (
        "xai/function-calling-xai-grok-4-1-fast-non-reasoning-can-use-tools-w-2",
        "thought(The user is aski) proof call(best_language_to_learn {}) | ToolCalls | 573/448 125/117",
    ),
    (
        "xai/permission-control-permission-control-streaming-example",
        "thought(The user says: \") call(read_file_head {}) call(read_file_tail {}) | ToolCalls | 296/256 364/352",
    ),
    (
        "xai/streaming-tools-raw-stream-emits-required-zero-arg-tool-call",
        "thought(The user says: \") call(ping {}) | ToolCalls | 226/128 241/237",
    ),
];

#[test]
fn recorded_streams_say_what_their_last_event_says() {
    let mut found = Vec::new();
    for recorded in recordings() {
        let RecordedBody::Sse(events) = &recorded.body else {
            continue;
        };
        if recorded.name.ends_with("openai-error-1") {
            continue;
        }
        let mut reader = Reader::default();
        let mut meaning = Meaning::default();
        let (mut starts, mut ends) = (0, 0);
        let mut last = Value::Null;
        for event in events {
            let data: Value = serde_json::from_str(&data_of(event).unwrap()).unwrap();
            with_tree(&data, |data| {
                reader.read(name_of(event), data, &mut |event| {
                    starts += u32::from(matches!(event, Event::Start { .. }));
                    ends += u32::from(matches!(event, Event::End));
                    meaning.take(&event);
                });
            });
            last = data;
        }
        assert_eq!((starts, ends), (1, 1), "{}", recorded.name);
        let whole = with_tree(&last["response"], |body| {
            Meaning::of(&read_answer(body).unwrap())
        });
        assert_eq!(meaning, whole, "{}", recorded.name);
        found.push((recorded.name.clone(), told(&meaning)));
    }
    let expected: Vec<_> = STREAMS
        .iter()
        .map(|&(name, told)| (name.to_owned(), told.to_owned()))
        .collect();
    assert_eq!(found, expected);
}

/// The rules that what we write is checked by hold for what OpenAI and xAI write.
#[test]
fn recorded_streams_keep_the_rules() {
    for recorded in recordings() {
        if let RecordedBody::Sse(events) = &recorded.body
            && !recorded.name.ends_with("openai-error-1")
        {
            check_stream(&events_of(&events.concat()));
        }
    }
}

#[test]
fn an_error_inside_a_200_is_an_error() {
    let recorded = recordings();
    let failed = recorded
        .iter()
        .find(|it| it.name.ends_with("openai-error-1"))
        .unwrap();
    let RecordedBody::Sse(events) = &failed.body else {
        panic!("no stream");
    };
    let mut reader = Reader::default();
    let mut seen = Vec::new();
    for event in events {
        let data: Value = serde_json::from_str(&data_of(event).unwrap()).unwrap();
        with_tree(&data, |data| {
            reader.read(name_of(event), data, &mut |event| {
                seen.push(match event {
                    Event::Start { .. } => "start",
                    Event::Error => "error",
                    _ => "other",
                });
            });
        });
    }
    assert_eq!(seen, ["start", "error", "error"]);
}

/// Servers that say things once only, where they are closed.
#[test]
fn what_is_not_streamed_is_read_where_it_is_closed() {
    let item = |item: Value, at: u64, kind: &str| {
        (
            format!("response.output_item.{kind}"),
            json!({"item": item, "output_index": at}),
        )
    };
    let events = [
        item(
            json!({"type": "reasoning", "summary": [{"text": "Hm."}], "encrypted_content": "s"}),
            0,
            "done",
        ),
        (
            "response.output_text.done".to_owned(),
            json!({"text": "Hello"}),
        ),
        item(
            json!({"type": "function_call", "call_id": "a", "name": "f"}),
            2,
            "added",
        ),
        (
            "response.function_call_arguments.done".to_owned(),
            json!({"output_index": 2, "arguments": "{}"}),
        ),
        item(
            json!({"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"}),
            2,
            "done",
        ),
        item(
            json!({"type": "function_call", "call_id": "b", "name": "g", "arguments": "{\"y\":2}"}),
            3,
            "done",
        ),
        item(
            json!({"type": "custom_tool_call", "call_id": "c", "name": "h", "input": "x\n"}),
            4,
            "done",
        ),
        ("keepalive".to_owned(), json!({})),
        ("response.new.event".to_owned(), json!({"delta": 5})),
        ("response.completed".to_owned(), json!({})),
    ];
    let meaning = read(&events);
    assert_eq!(
        meaning.said,
        [
            ("thought", "Hm.".to_owned()),
            ("proof", "…".to_owned()),
            ("text", "Hello".to_owned()),
            ("call", "a f {}".to_owned()),
            ("call", "b g {\"y\":2}".to_owned()),
            ("call", "c h {\"input\":\"x\\n\"}".to_owned()),
        ]
    );
    assert_eq!(meaning.finish, Some(Finish::ToolCalls));
}

#[test]
fn thoughts_are_told_once() {
    let delta = |name: &str, index: u64, text: &str| {
        (
            format!("response.{name}"),
            json!({"summary_index": index, "delta": text}),
        )
    };
    let events = [
        (
            "response.output_item.added".to_owned(),
            json!({"item": {"type": "reasoning"}, "output_index": 0}),
        ),
        delta("reasoning_summary_part.added", 0, ""),
        delta("reasoning_summary_text.delta", 0, "One."),
        delta("reasoning_text.delta", 0, "the same at length"),
        delta("reasoning_summary_part.added", 1, ""),
        delta("reasoning_summary_text.delta", 1, "Two."),
        (
            "response.output_item.done".to_owned(),
            json!({"item": {"type": "reasoning", "summary": [{"text": "One."}, {"text": "Two."}]}}),
        ),
        ("response.completed".to_owned(), json!({})),
    ];
    assert_eq!(read(&events).said, [("thought", "One.\n\nTwo.".to_owned())]);
}

/// `LiteLLM` as a provider: words without items, calls at the end only, or everything there.
#[test]
fn litellm_22102_what_only_the_last_event_says_is_read() {
    let call = json!({"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"});
    let message = json!({"type": "message", "content": [{"type": "output_text", "text": "Hello"}]});
    let last = |output: Value| {
        (
            "response.completed".to_owned(),
            json!({"response": {"status": "completed", "output": output}}),
        )
    };
    let text = (
        "response.output_text.delta".to_owned(),
        json!({"delta": "Hello"}),
    );
    let said = [("text", "Hello".to_owned()), ("call", "a f {}".to_owned())];
    for events in [
        vec![text, last(json!([message, call]))],
        vec![last(json!([message, call]))],
    ] {
        let meaning = read(&events);
        assert_eq!(meaning.said, said);
        assert_eq!(meaning.finish, Some(Finish::ToolCalls));
    }
}
