//! Errors as Google's SDKs read them.
//!
//! ```text
//!   {"error":{"code":429,"message":"…","status":"RESOURCE_EXHAUSTED","details":[…]}}
//! ```
//! `status` is the canonical name of google.rpc.Code; what OpenAI's form says in `code` stands in an `ErrorInfo`.

use crate::dialect::openai::ClientError;
use crate::wire::json::Writer;

/// Appends the envelope, for a body of its own. `request` is the gateway's name for the request.
pub fn body(error: &ClientError<'_>, request: &str, out: &mut Vec<u8>) {
    write(error, Some(request), &mut Writer::new(out));
}

/// Appends the envelope as the last event of a stream.
pub fn event(error: &ClientError<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    write(error, None, &mut Writer::new(out));
    out.extend_from_slice(b"\r\n\r\n");
}

fn write(error: &ClientError<'_>, request: Option<&str>, out: &mut Writer<'_>) {
    out.object(|out| {
        out.key("error").object(|out| {
            out.key("code").number(error.status.into());
            out.key("message").string(&error.message);
            out.key("status").string(status_name(error.status));
            out.key("details").array(|out| {
                if let Some(code) = &error.code {
                    info(code, error.param.as_deref(), out);
                }
                if let Some(request) = request {
                    request_info(request, out);
                }
            });
        });
    });
}

fn request_info(request: &str, out: &mut Writer<'_>) {
    out.object(|out| {
        out.key("@type")
            .string("type.googleapis.com/google.rpc.RequestInfo");
        out.key("requestId").string(request);
    });
}

fn info(code: &str, param: Option<&str>, out: &mut Writer<'_>) {
    out.object(|out| {
        out.key("@type")
            .string("type.googleapis.com/google.rpc.ErrorInfo");
        let reason = match code {
            "invalid_api_key" => "API_KEY_INVALID".to_owned(),
            _ => code.to_ascii_uppercase(),
        };
        out.key("reason").string(&reason);
        out.key("domain").string("gateway");
        if let Some(param) = param {
            out.key("metadata")
                .object(|out| out.key("field").string(param));
        }
    });
}

/// google.rpc.Code by HTTP status (google/rpc/code.proto).
const fn status_name(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        408 | 504 => "DEADLINE_EXCEEDED",
        501 => "UNIMPLEMENTED",
        502 | 503 => "UNAVAILABLE",
        500.. => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    }
}
