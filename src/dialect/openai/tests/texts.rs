//! What clients read: envelopes, cleaned sentences, lists.

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use serde_json::{Value, json};

use super::{Body, fixtures};
use crate::base::Outcome;
use crate::dialect::openai::{
    ClientError, MESSAGE_BYTES_MAX, Refusal, error_body, error_event, outcome_of, provider_message,
};

fn envelope(error: &ClientError<'_>) -> Value {
    let mut out = Vec::new();
    error_body(&mut out, error);
    serde_json::from_slice(&out).unwrap()
}

fn message_of(body: &str) -> String {
    let mut out = String::new();
    provider_message(body.as_bytes(), &mut out);
    out
}

#[test]
fn every_outcome_and_refusal_has_a_whole_envelope() {
    let errors = Outcome::ALL.into_iter().map(ClientError::of_outcome);
    let refusals = [
        Refusal::BadRequest,
        Refusal::BadJson,
        Refusal::ModelMissing,
        Refusal::HeadTooLarge,
        Refusal::TargetTooLong,
        Refusal::BodyTooLarge,
        Refusal::EncodedBody,
        Refusal::RequestTimeout,
        Refusal::UnknownPath("x"),
        Refusal::UnknownModel,
        Refusal::MethodNotAllowed,
        Refusal::NoRoute,
        Refusal::AllUnavailable,
        Refusal::Deadline,
        Refusal::Internal,
    ];
    for error in errors.chain(refusals.map(Refusal::error)) {
        let value = envelope(&error);
        assert!((400..600).contains(&error.status), "{error:?}");
        assert_ne!(
            error.status, 401,
            "the client's key is never at fault here: {error:?}"
        );
        for member in ["message", "type", "code"] {
            assert!(value["error"][member].is_string(), "{value}");
        }
        assert_eq!(value["error"].as_object().unwrap().len(), 4, "{value}");
    }
    assert_eq!(
        envelope(&Refusal::ModelMissing.error())["error"]["param"],
        "model"
    );
}

#[test]
fn statuses_follow_the_blame() {
    for (outcome, status, code) in [
        (Outcome::S429, 429, "rate_limit_exceeded"),
        (Outcome::QuotaExhausted, 429, "insufficient_quota"),
        (Outcome::AuthFailed, 502, "upstream_auth"),
        (Outcome::ModelGone, 404, "model_not_found"),
        (Outcome::Overloaded, 503, "overloaded"),
        (Outcome::S5xx, 502, "upstream_error"),
        (Outcome::Ttft, 504, "upstream_timeout"),
        (Outcome::ContextExceeded, 400, "context_length_exceeded"),
        (Outcome::ContentFilter, 400, "content_filter"),
    ] {
        let error = ClientError::of_outcome(outcome);
        assert_eq!((error.status, error.code.as_deref()), (status, Some(code)));
    }
}

#[test]
fn the_providers_words_survive_where_the_request_is_at_fault() {
    let body = br#"{"error":{"message":"Unsupported parameter: 'stop' is not supported with this model.","type":"invalid_request_error","param":"stop","code":"unsupported_parameter"}}"#;
    assert_eq!(
        envelope(&ClientError::of_answer(Outcome::S4xx, 400, body)),
        serde_json::from_slice::<Value>(body).unwrap()
    );
    let error = ClientError::of_answer(
        Outcome::S4xx,
        422,
        br#"{"detail":[{"msg":"Field required"}]}"#,
    );
    assert_eq!((error.status, &*error.message), (422, "Field required"));
    let long = br#"{"error":{"message":"The total length is too long.","type":"too_many_prompt_tokens","code":400}}"#;
    let error = ClientError::of_answer(Outcome::ContextExceeded, 400, long);
    assert_eq!(error.code.as_deref(), Some("context_length_exceeded"));
    assert_eq!(error.message, "The total length is too long.");
}

#[test]
fn the_providers_words_stay_away_where_it_is_not() {
    let body = br#"{"error":{"message":"Incorrect API key provided: sk-abcdef","code":"invalid_api_key"}}"#;
    let error = ClientError::of_answer(Outcome::AuthFailed, 401, body);
    assert_eq!(error, ClientError::of_outcome(Outcome::AuthFailed));
    let error = ClientError::of_answer(Outcome::S4xx, 404, b"404 page not found");
    assert_eq!(
        (error.status, error.code.as_deref()),
        (502, Some("upstream_not_found"))
    );
    // Unless it is in the request that something is named which is not there.
    let item = br#"{"error":{"message":"Item with id 'rs_1' not found.","type":"invalid_request_error","param":"input","code":null}}"#;
    let error = ClientError::of_answer(Outcome::S4xx, 404, item);
    assert_eq!((error.status, error.param.as_deref()), (404, Some("input")));
}

#[test]
fn recorded_sentences_are_found_and_clean() {
    for fixture in fixtures() {
        let Body::Whole(body) = &fixture.body else {
            continue;
        };
        if fixture.status < 400 {
            continue;
        }
        let mut message = String::new();
        provider_message(body, &mut message);
        assert!(!message.is_empty(), "{}", fixture.name);
        assert!(
            !message.contains("sk-") && !message.contains("**"),
            "{message}"
        );
        let outcome = outcome_of(fixture.kind, fixture.status, body);
        envelope(&ClientError::of_answer(outcome, fixture.status, body));
    }
}

#[test]
fn sentences_of_every_shape() {
    for (body, message) in [
        (r#"{"error":{"message":"a"}}"#, "a"),
        (r#"{"error":"a","code":"b"}"#, "a"),
        (r#"{"detail":"a"}"#, "a"),
        (r#"{"object":"error","message":"a"}"#, "a"),
        (r#"{"message":"a"}"#, "a"),
        (r#"[{"error":{"message":"a"}}]"#, "a"),
        (
            r#"{"error":{"message":"tab\t \u00e9 \ud83d\ude00 \ud83d end\/"}}"#,
            "tab\t é 😀 \u{fffd} end/",
        ),
        ("upstream connect error\n", "upstream connect error"),
        ("<html>secret</html>", ""),
        (r#"{"unknown":{"shape":1}}"#, ""),
        ("", ""),
    ] {
        assert_eq!(message_of(body), message, "{body}");
    }
}

#[test]
fn sentences_are_bounded_between_characters() {
    let body = json!({"error": {"message": "é".repeat(4000)}}).to_string();
    let message = message_of(&body);
    assert!(message.len() <= MESSAGE_BYTES_MAX && message.len() > MESSAGE_BYTES_MAX - 4);
    assert!(message.chars().all(|c| c == 'é' || c == '\u{fffd}'));
}

#[test]
fn an_event_is_one_data_line() {
    let mut out = Vec::new();
    error_event(&mut out, &ClientError::rejected(503, "line\none".into()));
    let text = String::from_utf8(out).unwrap();
    let data = text
        .strip_prefix("data: ")
        .unwrap()
        .strip_suffix("\n\n")
        .unwrap();
    assert!(!data.contains('\n'));
    assert_eq!(
        serde_json::from_str::<Value>(data).unwrap()["error"]["message"],
        "line\none"
    );
}

proptest! {
    #[test]
    fn any_text_survives_the_envelope(text in any::<String>()) {
        let value = envelope(&ClientError::rejected(400, text.as_str().into()));
        prop_assert_eq!(value["error"]["message"].as_str(), Some(text.as_str()));
    }

    #[test]
    fn any_body_is_survived(body in proptest::collection::vec(any::<u8>(), 0..200), status in 400_u16..600) {
        let mut message = String::new();
        provider_message(&body, &mut message);
        prop_assert!(message.len() <= MESSAGE_BYTES_MAX);
        for outcome in Outcome::ALL {
            envelope(&ClientError::of_answer(outcome, status, &body));
        }
    }

    #[test]
    fn any_sentence_is_read_as_json_reads_it(text in "[ -~é😀\t\n]{0,60}") {
        let body = json!({"error": {"message": text}}).to_string();
        let mut clean = String::new();
        super::super::redact::redact(&text, &mut clean);
        prop_assert_eq!(message_of(&body), clean);
    }
}
