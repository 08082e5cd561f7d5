//! Errors as clients of this format read them: the envelope of OpenAI's other formats, and an event of its own.

use crate::dialect::openai::{self, ClientError};
use crate::wire::json::Writer;

/// Appends the envelope, for a body of its own.
pub fn body(error: &ClientError<'_>, _request: &str, out: &mut Vec<u8>) {
    openai::error_body(out, error);
}

/// Appends an error as the first event of a stream, or as one of a stream whose events were not counted. Where a
/// [`Writer`](super::Writer) counts them, its `fail` writes it.
pub fn event(error: &ClientError<'_>, out: &mut Vec<u8>) {
    numbered(error, 0, out);
}

/// The same, with its number. SDKs raise at an event with an `error` object; the flat form of the reference passes some
/// of them unnoticed.
pub(super) fn numbered(error: &ClientError<'_>, sequence: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: error\ndata: ");
    Writer::new(out).object(|it| {
        it.key("type").string("error");
        it.key("sequence_number").number(sequence);
        it.key("error").object(|it| members(error, it));
    });
    out.extend_from_slice(b"\n\n");
}

fn members(error: &ClientError<'_>, it: &mut Writer<'_>) {
    it.key("type").string(&error.kind);
    for (key, value) in [("code", &error.code), ("param", &error.param)] {
        match value {
            Some(text) => it.key(key).string(text),
            None => it.key(key).null(),
        }
    }
    it.key("message").string(&error.message);
}
