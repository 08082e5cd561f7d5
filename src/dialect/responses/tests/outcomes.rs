//! What answers mean for failover.

use serde_json::json;

use super::recordings;
use crate::base::Outcome;
use crate::dialect::recorded::{RecordedBody, data_of};
use crate::dialect::responses::{outcome_of, outcome_of_error};
use crate::policy::model::ProviderKind;

#[test]
fn recorded_answers() {
    for recorded in recordings() {
        let RecordedBody::Whole(body) = &recorded.body else {
            continue;
        };
        let outcome = outcome_of(recorded.kind, recorded.status, body);
        let expected = match (recorded.status, recorded.name.as_str()) {
            (200, _) => Outcome::Ok,
            (400, "openai-responses/responses-create-api-error-content-mode0") => {
                Outcome::ModelGone
            }
            // A recording that came of a file that the model does not take.
            (
                400,
                "openai-responses/multimodal-tool-return-matrix-direct-url-audio-openai-responses-1",
            ) => Outcome::S4xx,
            // xAI's 400, and OpenAI's 401.
            _ => Outcome::AuthFailed,
        };
        assert_eq!(outcome, expected, "{}", recorded.name);
    }
}

#[test]
fn a_spent_quota_inside_a_200() {
    let recorded = recordings();
    let failed = recorded
        .iter()
        .find(|it| it.name.ends_with("openai-error-1"))
        .unwrap();
    let RecordedBody::Sse(events) = &failed.body else {
        panic!("no stream");
    };
    for event in &events[2..] {
        let data = data_of(event).unwrap();
        let outcome = outcome_of_error(ProviderKind::OpenAi, data.as_bytes());
        assert_eq!(outcome, Outcome::QuotaExhausted, "{data}");
    }
}

#[test]
fn errors_inside_a_200() {
    for (data, outcome) in [
        (
            json!({"type": "error", "code": "rate_limit_exceeded", "message": "slow down", "param": null}),
            Outcome::S429,
        ),
        (
            json!({"type": "error", "error": {"type": "server_error", "message": "oops"}}),
            Outcome::S5xx,
        ),
        (
            json!({"type": "response.failed", "response": {"error": {"code": "rate_limit_exceeded", "message": "x"}}}),
            Outcome::S429,
        ),
        (
            json!({"type": "response.failed", "response": {"error": {"code": "server_error", "message": "x"}}}),
            Outcome::S5xx,
        ),
        (
            json!({"type": "response.failed", "response": {"error": {"code": "server_is_overloaded", "message": "x"}}}),
            Outcome::Overloaded,
        ),
        (
            json!({"type": "response.failed", "response": {"error": {"code": "invalid_prompt", "message": "x"}}}),
            Outcome::S4xx,
        ),
        (
            json!({"type": "response.failed", "response": {"error": null}}),
            Outcome::S5xx,
        ),
        (json!({"type": "response.failed"}), Outcome::S5xx),
        (
            json!({"status": "failed", "error": {"code": "server_error", "message": "x"}, "output": []}),
            Outcome::S5xx,
        ),
    ] {
        let text = data.to_string();
        assert_eq!(
            outcome_of_error(ProviderKind::OpenAi, text.as_bytes()),
            outcome,
            "{text}"
        );
    }
}

#[test]
fn a_success_has_items() {
    let item = json!([{"type": "message"}]);
    for (body, outcome) in [
        (json!({"status": "completed", "output": item}), Outcome::Ok),
        (json!({"output": item}), Outcome::Ok),
        (
            json!({"status": "incomplete", "output": [], "incomplete_details": {"reason": "max_output_tokens"}}),
            Outcome::Ok,
        ),
        (
            json!({"status": "incomplete", "output": []}),
            Outcome::BadOutput,
        ),
        // In the background: nothing to show yet.
        (json!({"status": "queued", "output": []}), Outcome::Ok),
        (
            json!({"status": "completed", "output": []}),
            Outcome::BadOutput,
        ),
        (json!({"status": "completed"}), Outcome::BadOutput),
        (
            json!({"status": "cancelled", "output": item}),
            Outcome::BadOutput,
        ),
        (json!({"choices": [{"message": {}}]}), Outcome::BadOutput),
        (json!([]), Outcome::BadOutput),
        (
            json!({"error": {"code": "insufficient_quota", "message": "x"}}),
            Outcome::QuotaExhausted,
        ),
        (
            json!({"status": "failed", "output": item, "error": null}),
            Outcome::S5xx,
        ),
    ] {
        let text = body.to_string();
        assert_eq!(
            outcome_of(ProviderKind::OpenAi, 200, text.as_bytes()),
            outcome,
            "{text}"
        );
    }
    for text in [
        "",
        "<html>",
        "{\"status\":\"completed\",\"output\":[{}",
        "null",
    ] {
        assert_eq!(
            outcome_of(ProviderKind::OpenAi, 200, text.as_bytes()),
            Outcome::BadOutput,
            "{text}"
        );
    }
    assert_eq!(
        outcome_of(ProviderKind::OpenAi, 204, b""),
        Outcome::BadOutput
    );
    assert_eq!(outcome_of(ProviderKind::OpenAi, 503, b""), Outcome::S5xx);
}
