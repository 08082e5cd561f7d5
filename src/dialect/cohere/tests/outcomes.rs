//! What refusals mean: the recorded ones, then those that Cohere documents.

use proptest::prelude::proptest;

use crate::base::Outcome;
use crate::dialect::cohere::{outcome_of, outcome_of_error, path};
use crate::dialect::recorded::{self, RecordedBody};

#[test]
fn recorded_answers_mean_this() {
    let mut refusals = Vec::new();
    for recorded in recorded::of("cohere") {
        let RecordedBody::Whole(body) = &recorded.body else {
            continue;
        };
        let outcome = outcome_of(recorded.status, body);
        if recorded.status == 200 {
            assert_eq!(outcome, Outcome::Ok, "{}", recorded.name);
        } else {
            refusals.push((recorded.status, outcome));
        }
    }
    assert_eq!(
        refusals,
        [
            (401, Outcome::AuthFailed),
            (404, Outcome::ModelGone),
            (400, Outcome::ContextExceeded),
        ]
    );
}

#[test]
fn documented_refusals_mean_this() {
    for (status, body, outcome) in [
        (
            401,
            r#"{"id":"x","message":"invalid api token"}"#,
            Outcome::AuthFailed,
        ),
        (
            498,
            r#"{"id":"x","message":"blocked output"}"#,
            Outcome::ContentFilter,
        ),
        (
            498,
            r#"{"id":"x","message":"invalid token"}"#,
            Outcome::AuthFailed,
        ),
        (499, r#"{"message":"request cancelled"}"#, Outcome::S5xx),
        (
            400,
            r#"{"message":"too many tokens: total number of tokens in the prompt cannot exceed 4081"}"#,
            Outcome::ContextExceeded,
        ),
        (
            404,
            r#"{"message":"model 'command-r' was removed on September 15, 2025. See https://docs.cohere.com/docs/models"}"#,
            Outcome::ModelGone,
        ),
        (
            429,
            r#"{"message":"You are using a Trial key, which is limited to 20 API calls / minute. You can continue to use the Trial key for free"}"#,
            Outcome::S429,
        ),
        (
            429,
            r#"{"data":"You are using a Trial key, which is limited to 1000 API calls / month."}"#,
            Outcome::QuotaExhausted,
        ),
        (
            402,
            r#"{"message":"Please add or update your payment method to continue"}"#,
            Outcome::QuotaExhausted,
        ),
        (
            422,
            r#"{"message":"message must be at least 1 token long"}"#,
            Outcome::S4xx,
        ),
        (500, r#"{"data":"internal server error"}"#, Outcome::S5xx),
        (503, "<html>", Outcome::S5xx),
    ] {
        assert_eq!(
            outcome_of(status, body.as_bytes()),
            outcome,
            "{status} {body}"
        );
    }
}

#[test]
fn a_success_has_a_message_and_no_error() {
    for (body, outcome) in [
        (
            r#"{"message":{"content":[]},"finish_reason":"COMPLETE"}"#,
            Outcome::Ok,
        ),
        (
            r#"{"message":{"content":[]},"finish_reason":"ERROR"}"#,
            Outcome::S5xx,
        ),
        (r#"{"message":{"content":[]}"#, Outcome::BadOutput),
        (r#"{"message":"hm"}"#, Outcome::BadOutput),
        ("", Outcome::BadOutput),
    ] {
        assert_eq!(outcome_of(200, body.as_bytes()), outcome, "{body}");
    }
}

#[test]
fn errors_inside_a_stream() {
    for (data, outcome) in [
        (
            r#"{"id":"x","message":"internal server error"}"#,
            Outcome::S5xx,
        ),
        (r#"{"message":"too many tokens"}"#, Outcome::ContextExceeded),
        (
            r#"{"type":"message-end","delta":{"finish_reason":"ERROR"}}"#,
            Outcome::S5xx,
        ),
    ] {
        assert_eq!(outcome_of_error(data.as_bytes()), outcome, "{data}");
    }
}

#[test]
fn where_it_is_asked() {
    let mut out = Vec::new();
    path("/v2/", &mut out);
    assert_eq!(out, b"/v2/chat");
}

proptest! {
    #[test]
    fn bytes_never_panic(status in 200_u16..600, body: Vec<u8>) {
        outcome_of(status, &body);
        outcome_of_error(&body);
    }
}
