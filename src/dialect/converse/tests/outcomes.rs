//! What refusals mean: the recorded ones, then those that AWS documents.

use proptest::prelude::{any, proptest};

use crate::base::Outcome;
use crate::dialect::converse::{outcome_of, outcome_of_exception, path};
use crate::dialect::recorded::{self, RecordedBody};

#[test]
fn recorded_answers_mean_this() {
    let mut refusals = Vec::new();
    for recorded in recorded::of("bedrock") {
        let RecordedBody::Whole(body) = &recorded.body else {
            continue;
        };
        let error_type = recorded
            .headers
            .iter()
            .find_map(|(name, value)| (name == "x-amzn-errortype").then_some(&**value));
        let outcome = outcome_of(recorded.status, error_type, body);
        if recorded.status == 200 {
            assert_eq!(outcome, Outcome::Ok, "{}", recorded.name);
        } else {
            refusals.push((recorded.status, outcome));
        }
    }
    assert_eq!(
        refusals,
        [
            (403, Outcome::AuthFailed),
            (404, Outcome::ModelGone),
            (400, Outcome::ModelGone),
        ]
    );
}

const DOCUMENTED: &[(u16, &str, &str, Outcome)] = &[
    (
        429,
        "ThrottlingException",
        "Too many requests, please wait before trying again.",
        Outcome::S429,
    ),
    (
        429,
        "ThrottlingException",
        "Too many tokens per day, please wait before trying again.",
        Outcome::QuotaExhausted,
    ),
    (
        400,
        "ServiceQuotaExceededException",
        "Your request exceeds the service quota for your account.",
        Outcome::QuotaExhausted,
    ),
    (
        429,
        "ModelNotReadyException",
        "The model specified in the request is not ready to serve inference requests.",
        Outcome::Overloaded,
    ),
    (
        503,
        "ServiceUnavailableException",
        "The service isn't currently available.",
        Outcome::S5xx,
    ),
    (
        500,
        "InternalServerException",
        "An internal server error occurred.",
        Outcome::S5xx,
    ),
    (
        424,
        "ModelErrorException",
        "The request failed due to an error while processing the model.",
        Outcome::S5xx,
    ),
    (
        408,
        "ModelTimeoutException",
        "The request took too long to process.",
        Outcome::S5xx,
    ),
    (
        403,
        "AccessDeniedException",
        "You don't have access to the model with the specified model ID.",
        Outcome::AuthFailed,
    ),
    (
        403,
        "ExpiredTokenException",
        "The security token included in the request is expired",
        Outcome::AuthFailed,
    ),
    (
        403,
        "InvalidSignatureException",
        "The request signature we calculated does not match the signature you provided.",
        Outcome::AuthFailed,
    ),
    (
        400,
        "ValidationException",
        "Input is too long for requested model.",
        Outcome::ContextExceeded,
    ),
    (
        400,
        "ValidationException",
        "Too many input tokens. Max input tokens: 8192, request input token count: 9000",
        Outcome::ContextExceeded,
    ),
    (
        400,
        "ValidationException",
        "The model returned the following errors: prompt is too long: 210000 tokens > 200000 maximum",
        Outcome::ContextExceeded,
    ),
    (
        400,
        "ValidationException",
        "The model returned the following errors: Input Tokens Exceeded: Number of input tokens exceeds maximum length.",
        Outcome::ContextExceeded,
    ),
    (
        400,
        "ValidationException",
        "Invocation of model ID anthropic.claude-3-7-sonnet-20250219-v1:0 with on-demand throughput isn’t supported. Retry your request with the ID or ARN of an inference profile that contains this model.",
        Outcome::ModelGone,
    ),
    (
        400,
        "ValidationException",
        "Operation not allowed",
        Outcome::AuthFailed,
    ),
    (
        400,
        "ValidationException",
        "The text field in the ContentBlock object at messages.0.content.0 is blank.",
        Outcome::S4xx,
    ),
    (
        404,
        "ResourceNotFoundException",
        "Access denied. This Model is marked by provider as Legacy and you have not been actively using the model.",
        Outcome::ModelGone,
    ),
];

#[test]
fn documented_exceptions_mean_this() {
    for (status, name, message, outcome) in DOCUMENTED {
        let body = serde_json::json!({ "message": message }).to_string();
        for error_type in [
            (*name).to_owned(),
            format!("{name}:http://internal.amazon.com/coral/com.amazon.bedrock/"),
            format!("com.amazon.coral.service#{name}"),
        ] {
            assert_eq!(
                outcome_of(*status, Some(&error_type), body.as_bytes()),
                *outcome,
                "{error_type}: {message}"
            );
        }
        // In a stream the name begins in lower case, and there is no status.
        let (first, rest) = name.split_at(1);
        let in_stream = first.to_lowercase() + rest;
        assert_eq!(
            outcome_of_exception(&in_stream, body.as_bytes()),
            *outcome,
            "{in_stream}: {message}"
        );
    }
    assert_eq!(
        outcome_of_exception("modelStreamErrorException", b"{\"originalStatusCode\":500}"),
        Outcome::S5xx
    );
    assert_eq!(outcome_of_exception("InternalFailure", b""), Outcome::S5xx);
}

#[test]
fn a_refusal_without_a_kind_is_judged_by_its_words_and_status() {
    for (status, body, outcome) in [
        (
            403,
            r#"{"Message":"User: arn:aws:iam::123456789012:user/x is not authorized"}"#,
            Outcome::AuthFailed,
        ),
        (
            400,
            r#"{"message":"Input is too long for requested model."}"#,
            Outcome::ContextExceeded,
        ),
        (429, r#"{"message":"Too many requests"}"#, Outcome::S429),
        (503, "<html>", Outcome::S5xx),
        (500, "", Outcome::S5xx),
    ] {
        assert_eq!(outcome_of(status, None, body.as_bytes()), outcome, "{body}");
    }
}

#[test]
fn a_success_has_an_output() {
    for (body, outcome) in [
        (r#"{"output":{"message":{}},"usage":{}}"#, Outcome::Ok),
        (r#"{"output":{"message":{}},"usage":{}"#, Outcome::BadOutput),
        (r#"{"output":null}"#, Outcome::BadOutput),
        (r#"{"choices":[{}]}"#, Outcome::BadOutput),
        ("<html>", Outcome::BadOutput),
        ("", Outcome::BadOutput),
    ] {
        assert_eq!(outcome_of(200, None, body.as_bytes()), outcome, "{body}");
    }
    assert_eq!(outcome_of(302, None, b""), Outcome::BadOutput);
}

#[test]
fn the_model_stands_in_the_path() {
    for (base, model, stream, expected) in [
        (
            "",
            "us.amazon.nova-lite-v1:0",
            false,
            "/model/us.amazon.nova-lite-v1%3A0/converse",
        ),
        ("/aws/", "m", true, "/aws/model/m/converse-stream"),
        (
            "",
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/x",
            false,
            "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fx/converse",
        ),
    ] {
        let mut out = Vec::new();
        path(base, model, stream, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

proptest! {
    #[test]
    fn bytes_never_panic(status in 200_u16..600, name in any::<String>(), body: Vec<u8>) {
        outcome_of(status, Some(&name), &body);
        outcome_of_exception(&name, &body);
    }
}
