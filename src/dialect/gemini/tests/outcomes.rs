//! What answers mean for failover.

use crate::base::Outcome;
use crate::dialect::gemini::outcome::{outcome_of, outcome_of_error};
use crate::dialect::recorded::RecordedBody;

use super::all;

#[test]
fn recorded_answers() {
    for recorded in all() {
        let RecordedBody::Whole(body) = &recorded.body else {
            continue;
        };
        let expected = match recorded.name.as_str() {
            "gemini/authentication-error-stream-google-gemini-2-5-flash" => Outcome::AuthFailed,
            "gemini/model-not-found-stream-google-gemini-2-5-flash" => Outcome::ModelGone,
            "gemini/real-error-scenarios-gemini-gemini-2-5-flash-handles-context-length-ex" => {
                Outcome::S429
            }
            _ => Outcome::Ok,
        };
        assert_eq!(
            outcome_of(recorded.status, body),
            expected,
            "{}",
            recorded.name
        );
        let listed = [b"[", &**body, b"]"].concat();
        if recorded.status != 200 {
            assert_eq!(
                outcome_of(recorded.status, &listed),
                expected,
                "{} in a list",
                recorded.name
            );
            assert_eq!(
                outcome_of_error(body),
                expected,
                "{} inside a 200",
                recorded.name
            );
            assert_eq!(
                outcome_of(200, body),
                expected,
                "{} as a 200",
                recorded.name
            );
        }
    }
}

const RETRY: &str = r#"{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.4s"}"#;
const BY_DAY: &str = r#"{"violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]},{"retryDelay":"9s"}"#;

/// Status, its word, the sentence, the details; what it means.
#[rustfmt::skip]
const ERRORS: [(u16, &str, &str, &str, Outcome); 15] = [
    (400, "INVALID_ARGUMENT", "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", "", Outcome::ContextExceeded),
    (400, "INVALID_ARGUMENT", "The input token count exceeds the maximum number of tokens allowed 1048576.", "", Outcome::ContextExceeded),
    (400, "INVALID_ARGUMENT", "Unable to submit request because it has a wrong field", "", Outcome::S4xx),
    (400, "FAILED_PRECONDITION", "User location is not supported for the API use.", "", Outcome::AuthFailed),
    (401, "UNAUTHENTICATED", "Request had invalid authentication credentials.", "", Outcome::AuthFailed),
    (403, "PERMISSION_DENIED", "Your API key was reported as leaked.", "", Outcome::AuthFailed),
    (404, "NOT_FOUND", "Publisher Model `projects/p/locations/l/publishers/google/models/x` was not found or your project does not have access to it.", "", Outcome::ModelGone),
    (429, "RESOURCE_EXHAUSTED", "Resource exhausted. Please try again later.", "", Outcome::S429),
    (429, "RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your plan and billing details.", RETRY, Outcome::S429),
    (429, "RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your plan and billing details.", BY_DAY, Outcome::QuotaExhausted),
    (429, "RESOURCE_EXHAUSTED", "Quota exceeded for metric: requests, limit: 0, model: gemini-3-pro", RETRY, Outcome::QuotaExhausted),
    (429, "RESOURCE_EXHAUSTED", "Quota exceeded for metric: requests, limit: 01, model: gemini-3-pro", RETRY, Outcome::S429),
    (500, "INTERNAL", "An internal error has occurred.", "", Outcome::S5xx),
    (503, "UNAVAILABLE", "The model is overloaded. Please try again later.", "", Outcome::Overloaded),
    (504, "DEADLINE_EXCEEDED", "The request timed out.", "", Outcome::S5xx),
];

#[test]
fn made_up_errors() {
    for (code, status, message, details, outcome) in ERRORS {
        let body = format!(
            r#"{{"error":{{"code":{code},"message":"{message}","status":"{status}","details":[{details}]}}}}"#
        );
        assert_eq!(outcome_of(code, body.as_bytes()), outcome, "{body}");
    }
}

#[test]
fn successes_that_are_none() {
    for (body, outcome) in [
        (
            r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}"#,
            Outcome::Ok,
        ),
        (
            r#"{"candidates":[{"content":{"role":"model"},"finishReason":"MAX_TOKENS"}]}"#,
            Outcome::Ok,
        ),
        (
            r#"{"candidates":[{"finishReason":"SAFETY"}]}"#,
            Outcome::ContentFilter,
        ),
        (
            r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"SAFETY"}]}"#,
            Outcome::Ok,
        ),
        (
            r#"{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"}}"#,
            Outcome::ContentFilter,
        ),
        (
            r#"{"candidates":[{"content":{},"finishReason":"MALFORMED_FUNCTION_CALL"}]}"#,
            Outcome::BadOutput,
        ),
        (r#"{"candidates":[]}"#, Outcome::BadOutput),
        (
            r#"{"usageMetadata":{"promptTokenCount":3}}"#,
            Outcome::BadOutput,
        ),
        (
            r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}"#,
            Outcome::BadOutput,
        ),
        ("<html>", Outcome::BadOutput),
        ("", Outcome::BadOutput),
        ("[]", Outcome::BadOutput),
        (
            r#"[{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#,
            Outcome::BadOutput,
        ),
        (
            r#"[{"candidates":[{"content":{"parts":[{"text":"a"}]}}]},{"error":{"code":503,"message":"The model is overloaded."}}]"#,
            Outcome::Overloaded,
        ),
        (r#"{"embedding":{"values":[0.1]}}"#, Outcome::Ok),
        (r#"{"embeddings":[]}"#, Outcome::BadOutput),
    ] {
        assert_eq!(outcome_of(200, body.as_bytes()), outcome, "{body}");
    }
    assert_eq!(outcome_of(204, b""), Outcome::BadOutput);
}
