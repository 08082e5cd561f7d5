//! What answers mean for failover, and errors as clients read them.

use serde_json::{Value, json};

use crate::base::Outcome::{
    self, AuthFailed, BadOutput, ContentFilter, ContextExceeded, ModelGone, Ok, Overloaded,
    QuotaExhausted, S4xx, S5xx, S429,
};
use crate::dialect::messages::{count_tokens, error, outcome_of, outcome_of_error};
use crate::dialect::openai::ClientError;
use crate::dialect::recorded::{self, RecordedBody};

#[test]
fn recorded_answers() {
    let mut refused = Vec::new();
    for recorded in recorded::of("anthropic") {
        let RecordedBody::Whole(body) = &recorded.body else {
            continue;
        };
        let outcome = outcome_of(recorded.status, body);
        if recorded.status == 200 {
            assert_eq!(outcome, Ok, "{}", recorded.name);
        } else {
            refused.push((recorded.status, outcome));
        }
    }
    assert_eq!(
        refused,
        [(401, AuthFailed), (404, ModelGone), (400, ContextExceeded)]
    );
}

/// platform.claude.com, *Errors*, and sentences from bug reports.
const ERRORS: &[(u16, &str, &str, Outcome)] = &[
    (
        400,
        "invalid_request_error",
        "messages: at least one message is required",
        S4xx,
    ),
    (
        400,
        "invalid_request_error",
        "prompt is too long: 3 tokens > 2 maximum",
        ContextExceeded,
    ),
    (
        400,
        "invalid_request_error",
        "input length and `max_tokens` exceed context limit: 9 + 9 > 10",
        ContextExceeded,
    ),
    (
        400,
        "invalid_request_error",
        "Your credit balance is too low to access the Anthropic API.",
        QuotaExhausted,
    ),
    (
        400,
        "invalid_request_error",
        "You have reached your specified API usage limits.",
        QuotaExhausted,
    ),
    (
        400,
        "invalid_request_error",
        "Output blocked by content filtering policy",
        ContentFilter,
    ),
    (
        400,
        "invalid_request_error",
        "This organization has been disabled.",
        AuthFailed,
    ),
    (401, "authentication_error", "invalid x-api-key", AuthFailed),
    (402, "billing_error", "x", QuotaExhausted),
    (
        403,
        "permission_error",
        "Your API key may not use the specified resource.",
        AuthFailed,
    ),
    (
        404,
        "not_found_error",
        "model: claude-3-opus-20240229",
        ModelGone,
    ),
    (404, "not_found_error", "Not Found", S4xx),
    (
        413,
        "request_too_large",
        "Request exceeds the maximum size",
        S4xx,
    ),
    (
        429,
        "rate_limit_error",
        "This request would exceed your rate limit.",
        S429,
    ),
    (500, "api_error", "Internal server error", S5xx),
    (504, "timeout_error", "The request timed out", S5xx),
    (529, "overloaded_error", "Overloaded", Overloaded),
];

#[test]
fn published_errors() {
    for (status, kind, message, outcome) in ERRORS {
        let body = format!(
            r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"}},"request_id":"req_1"}}"#
        );
        assert_eq!(outcome_of(*status, body.as_bytes()), *outcome, "{body}");
        // The same inside a stream, where the type is all there is.
        assert_eq!(outcome_of_error(body.as_bytes()), *outcome, "{body}");
        assert_eq!(outcome_of(200, body.as_bytes()), *outcome, "{body}");
    }
    assert_eq!(outcome_of(529, b""), Overloaded);
    assert_eq!(outcome_of(413, b"<html>"), S4xx);
    assert_eq!(outcome_of(302, b""), BadOutput);
}

#[test]
fn successes_and_those_that_are_none() {
    for (body, outcome) in [
        (
            r#"{"type":"message","content":[{"type":"text","text":"x"}],"stop_reason":"end_turn"}"#,
            Ok,
        ),
        (
            r#"{"content":[{"type":"text","text":"x"}],"type":"message","stop_reason":"refusal"}"#,
            Ok,
        ),
        (
            r#"{"type":"message","content":[],"stop_reason":"end_turn"}"#,
            Ok,
        ),
        (
            r#"{"type":"message","content":[],"stop_reason":"refusal"}"#,
            ContentFilter,
        ),
        (
            r#"{"type":"message","content":[],"stop_reason":"tool_use"}"#,
            BadOutput,
        ),
        (
            r#"{"type":"message","content":[],"stop_reason":null}"#,
            BadOutput,
        ),
        (r#"{"type":"message","content":"x"}"#, BadOutput),
        (r#"{"type":"message","content":[{"type":"text"#, BadOutput),
        (r#"{"input_tokens":7}"#, Ok),
        (r#"{"data":[],"has_more":false}"#, Ok),
        (r#"{"choices":[{"message":{"content":"x"}}]}"#, BadOutput),
        ("{}", BadOutput),
        ("", BadOutput),
        ("<html>", BadOutput),
        ("[]", BadOutput),
    ] {
        assert_eq!(outcome_of(200, body.as_bytes()), outcome, "{body}");
    }
}

/// platform.claude.com, *Message threads*: clients go by the code in the details, and send all of the conversation.
#[test]
fn a_conversation_that_is_not_there_is_the_clients_matter() {
    for (status, code) in [
        (404, "thread_not_found"),
        (409, "thread_continue_in_flight"),
        (400, "thread_unsupported_request"),
    ] {
        let answer = json!({"type": "error", "error": {"type": "x", "message": "m", "details": {"error_code": code}}});
        let answer = answer.to_string();
        assert_eq!(outcome_of(status, answer.as_bytes()), S4xx, "{code}");
        let error = ClientError::of_answer(S4xx, status, answer.as_bytes());
        assert_eq!(error::status(&error), status);
        assert_eq!(
            told(&error)["error"]["details"],
            json!({"error_code": code})
        );
    }
    let unsupported = ClientError {
        param: Some("thread".into()),
        ..ClientError::of_outcome(Outcome::Unsupported)
    };
    let details = json!({"error_code": "thread_unsupported_request"});
    assert_eq!(told(&unsupported)["error"]["details"], details);
    let other = ClientError {
        param: Some("container".into()),
        ..ClientError::of_outcome(Outcome::Unsupported)
    };
    assert_eq!(told(&other)["error"].get("details"), None);
}

/// The body of an error, for a client.
fn told(error: &ClientError<'_>) -> Value {
    let mut body = Vec::new();
    error::body(error, "", &mut body);
    serde_json::from_slice(&body).unwrap()
}

#[test]
fn errors_for_clients() {
    for (outcome, status, kind) in [
        (S4xx, 400, "invalid_request_error"),
        (ContextExceeded, 400, "invalid_request_error"),
        (AuthFailed, 502, "api_error"),
        (ModelGone, 404, "not_found_error"),
        (S429, 429, "rate_limit_error"),
        (QuotaExhausted, 429, "rate_limit_error"),
        (Overloaded, 529, "overloaded_error"),
        (S5xx, 502, "api_error"),
        (Outcome::Timeout, 504, "timeout_error"),
    ] {
        let error = ClientError::of_outcome(outcome);
        assert_eq!(error::status(&error), status, "{outcome}");
        let mut body = Vec::new();
        error::body(&error, "req_1", &mut body);
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["error"]["type"], kind, "{outcome}");
        assert_eq!(body["request_id"], "req_1");
    }
    let mut event = Vec::new();
    error::event(&ClientError::of_outcome(ContextExceeded), &mut event);
    assert_eq!(
        String::from_utf8(event).unwrap(),
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\
         \"prompt is too long: the prompt is longer than the model's context\"}}\n\n"
    );
    let mut counted = Vec::new();
    count_tokens(12, &mut counted);
    assert_eq!(counted, br#"{"input_tokens":12}"#);
}
