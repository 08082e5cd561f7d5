//! Events: what commits, what ends, and what only looks like it.

use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};

use super::{Body, fixtures};
use crate::dialect::openai::{EventKind, StreamEnd, event_kind, stream_end};

#[test]
fn recorded_streams_have_content_then_a_finish_then_their_end() {
    let mut streams = 0;
    for fixture in fixtures() {
        let Body::Events(events) = &fixture.body else {
            continue;
        };
        streams += 1;
        let name = &fixture.name;
        let kinds: Vec<_> = events
            .iter()
            .map(|data| event_kind(data.as_bytes()))
            .collect();
        let first = |kind| kinds.iter().position(|&other| other == kind);
        if name == "groq/tool-use-failed-error-streaming" {
            assert_eq!(kinds.last(), Some(&EventKind::Error), "{name}");
            assert_eq!(first(EventKind::Done), None, "{name}");
            assert!(first(EventKind::Content).is_some(), "{name}");
            continue;
        }
        let finish = first(EventKind::Finish).unwrap_or_else(|| panic!("{name}: no finish"));
        let opening = kinds
            .iter()
            .position(|&kind| kind != EventKind::Lifecycle)
            .unwrap();
        // No content at all: the token budget went into hidden reasoning, or the call came whole in the finish chunk.
        let has_content = first(EventKind::Content).is_some_and(|content| content < finish);
        assert!(has_content || opening == finish, "{name}: {kinds:?}");
        assert_eq!(first(EventKind::Error), None, "{name}");
        match stream_end(fixture.kind) {
            StreamEnd::Done => assert_eq!(kinds.last(), Some(&EventKind::Done), "{name}"),
            StreamEnd::Finish => assert!(kinds.len() > finish, "{name}"),
        }
    }
    assert_eq!(streams, 45);
}

#[test]
fn recorded_openings_are_told_from_content() {
    // The number of events before the first one that commits.
    for (name, held) in [
        ("azure/chat-streaming", 2),
        ("openai/refusal-openai-gpt-4o-completions-async-stream", 1),
        ("openai/tool-openai-gpt-4o-completions-async-stream-1", 0),
        (
            "openai/max-tokens-openai-gpt-5-mini-completions-async-stream",
            1,
        ),
        ("groq/tool-use-failed-error-streaming", 1),
        (
            "mistral/mistral-hybrid-reasoning-streams-thinking-separately-from-content",
            2,
        ),
        ("together/async-chat-stream", 0),
        (
            "perplexity/streaming-responses-perplexity-sonar-supports-streaming-responses",
            0,
        ),
        ("llamacpp/content-matrix-unicode-across", 1),
    ] {
        let all = fixtures();
        let fixture = all.iter().find(|fixture| fixture.name == name).unwrap();
        let Body::Events(events) = &fixture.body else {
            panic!("{name} is no stream")
        };
        let first = events
            .iter()
            .position(|data| event_kind(data.as_bytes()) != EventKind::Lifecycle);
        assert_eq!(first, Some(held), "{name}");
    }
}

#[test]
fn structure_decides_not_words() {
    let chunk = |delta: &str, finish: &str| {
        format!(
            r#"{{"id":"x","choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}"#
        )
    };
    for (data, kind) in [
        (chunk(r#"{"content":"{\"error\":{\"message\":\"x\"}}"}"#, "null"), EventKind::Content),
        (chunk(r#"{"content":"\"finish_reason\":\"stop\""}"#, "null"), EventKind::Content),
        (chunk(r#"{"content":"[DONE]"}"#, "null"), EventKind::Content),
        (chunk(r#"{"content":"\\"}"#, "null"), EventKind::Content),
        (chunk(r#"{"content":"\""}"#, "null"), EventKind::Content),
        (chunk(r#"{"role":"assistant","content":""}"#, "null"), EventKind::Lifecycle),
        (chunk(r#"{"role":"assistant","content":null,"tool_calls":[]}"#, "null"), EventKind::Lifecycle),
        (chunk(r#"{"content":[]}"#, "null"), EventKind::Lifecycle),
        (chunk(r#"{"role":"assistant","channel":"analysis","token_id":16}"#, "null"), EventKind::Lifecycle),
        (chunk(r#"{"reasoning_content":"w"}"#, "null"), EventKind::Content),
        (chunk(r#"{"refusal":"no"}"#, "null"), EventKind::Content),
        (chunk(r#"{"audio":{"id":"a"}}"#, "null"), EventKind::Content),
        (chunk(r#"{"tool_calls":[{"index":0}]}"#, "null"), EventKind::Content),
        (chunk("{}", r#""stop""#), EventKind::Finish),
        (chunk("null", r#""length""#), EventKind::Finish),
        (chunk("{}", r#""""#), EventKind::Lifecycle),
        (chunk(r#"{"content":"a"}"#, r#""tool_calls""#), EventKind::Finish),
        ("[DONE]".to_owned(), EventKind::Done),
        (" [DONE]\r".to_owned(), EventKind::Done),
        (r#"{"choices":[],"usage":{"total_tokens":3}}"#.to_owned(), EventKind::Lifecycle),
        (r#"{"choices":null}"#.to_owned(), EventKind::Lifecycle),
        (r#"{"error":null,"choices":[]}"#.to_owned(), EventKind::Lifecycle),
        (r#"{"error":{"message":"x"}}"#.to_owned(), EventKind::Error),
        (r#"{"error":"text","code":"invalid-argument"}"#.to_owned(), EventKind::Error),
        (r#"{"object":"error","message":"x","code":400}"#.to_owned(), EventKind::Error),
        (r#"{"type":"error","error":{"type":"overloaded_error"}}"#.to_owned(), EventKind::Error),
        (
            r#"{"choices":[{"delta":{"content":""},"finish_reason":"error","error":{"code":502}}]}"#.to_owned(),
            EventKind::Error,
        ),
        (r#" { "choices" : [ { "delta" : { "content" : "a" } } ] } "#.to_owned(), EventKind::Content),
        (String::new(), EventKind::Lifecycle),
        ("{".to_owned(), EventKind::Lifecycle),
        ("not json".to_owned(), EventKind::Lifecycle),
        (r#"{"choices":[{"delta":{"content":"a"}"#.to_owned(), EventKind::Content),
    ] {
        assert_eq!(event_kind(data.as_bytes()), kind, "{data}");
    }
}

#[test]
fn nesting_costs_no_stack() {
    let mut data = br#"{"choices":[{"delta":{"content":"#.to_vec();
    data.extend(std::iter::repeat_n(b'[', 1_000_000));
    assert_eq!(event_kind(&data), EventKind::Lifecycle);
}

proptest! {
    /// Whatever text a model writes, a chunk with text is content, and the strings' ends are found.
    #[test]
    fn any_text_is_content(text in any::<String>().prop_filter("empty", |text| !text.is_empty())) {
        let delta = serde_json::json!({"choices": [{"delta": {"content": text}, "finish_reason": null}]});
        prop_assert_eq!(event_kind(delta.to_string().as_bytes()), EventKind::Content);
        let broken = serde_json::json!({"x": text, "error": {"message": text}});
        prop_assert_eq!(event_kind(broken.to_string().as_bytes()), EventKind::Error);
    }

    /// No bytes make it panic, and cutting a chunk never invents an end.
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0_usize..400) {
        event_kind(&bytes);
        let whole = br#"{"id":"c","choices":[{"index":0,"delta":{"content":"a \"quoted\" word"},"finish_reason":null}],"usage":null}"#;
        let kind = event_kind(&whole[..cut.min(whole.len())]);
        prop_assert!(matches!(kind, EventKind::Lifecycle | EventKind::Content));
    }
}
