//! Errors in the envelope of the format.

use crate::dialect::gemini::error;
use crate::dialect::openai::ClientError;

use super::parse;

#[test]
fn errors_as_googles_clients_read_them() {
    let error = ClientError {
        param: Some("stop".into()),
        ..ClientError::new(
            400,
            "invalid_request_error",
            "context_length_exceeded",
            "too \"long\"",
        )
    };
    let mut out = Vec::new();
    error::body(&error, "req_1", &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        concat!(
            r#"{"error":{"code":400,"message":"too \"long\"","status":"INVALID_ARGUMENT","details":["#,
            r#"{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"CONTEXT_LENGTH_EXCEEDED","domain":"gateway","metadata":{"field":"stop"}},"#,
            r#"{"@type":"type.googleapis.com/google.rpc.RequestInfo","requestId":"req_1"}]}}"#
        )
    );
    let mut out = Vec::new();
    let key = ClientError::new(401, "invalid_request_error", "invalid_api_key", "who?");
    error::event(&key, &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        concat!(
            r#"data: {"error":{"code":401,"message":"who?","status":"UNAUTHENTICATED","details":["#,
            r#"{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"gateway"}]}}"#,
            "\r\n\r\n"
        )
    );
    for (status, name) in [
        (429, "RESOURCE_EXHAUSTED"),
        (404, "NOT_FOUND"),
        (503, "UNAVAILABLE"),
        (504, "DEADLINE_EXCEEDED"),
        (500, "INTERNAL"),
    ] {
        let mut out = Vec::new();
        error::body(&ClientError::new(status, "k", "c", "m"), "r", &mut out);
        assert_eq!(parse(&out)["error"]["status"], name);
    }
}
