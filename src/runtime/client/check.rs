//! Whether a body is the chat completion that was asked for. Pure; knows the OpenAI format as its users do, from the
//! outside, and takes no shortcut through the gateway's own reader.

use serde_json::Value;

use crate::wire::sse::Splitter;

/// A completion in one document.
pub(super) fn completion(body: &[u8]) -> Result<(), &'static str> {
    let document = parse(body)?;
    if text(&document, "/object") != Some("chat.completion") {
        return Err("it is not a chat completion");
    }
    if text(&document, "/choices/0/message/content").is_none_or(str::is_empty) {
        return Err(NO_CONTENT);
    }
    if text(&document, FINISH_REASON).is_none() {
        return Err(NO_REASON);
    }
    Ok(())
}

/// A completion as events. Every byte must belong to a whole event.
pub(super) fn stream(body: &[u8]) -> Result<(), &'static str> {
    let mut splitter = Splitter::new();
    let mut scratch = Vec::new();
    let (mut content, mut finished, mut done) = (false, false, false);
    let mut rest = body;
    while let Some(event) = splitter.next(rest).map_err(|_| "an event is too long")? {
        match event.data(rest, &mut scratch) {
            None => {}
            Some(_) if done => return Err("events follow `[DONE]`"),
            Some(b"[DONE]") => done = true,
            Some(data) => {
                let chunk = parse(data)?;
                let words = text(&chunk, "/choices/0/delta/content");
                content |= words.is_some_and(|words| !words.is_empty());
                finished |= text(&chunk, FINISH_REASON).is_some();
            }
        }
        rest = rest.get(event.len..).unwrap_or_default();
    }
    if !rest.is_empty() {
        return Err("the last event is not complete");
    }
    match (done, content, finished) {
        (true, true, true) => Ok(()),
        (false, _, _) => Err("the stream ended without `[DONE]`"),
        (_, false, _) => Err(NO_CONTENT),
        (_, _, false) => Err(NO_REASON),
    }
}

/// The text at `place`, which is a JSON pointer (RFC 6901).
fn text<'a>(document: &'a Value, place: &str) -> Option<&'a str> {
    document.pointer(place)?.as_str()
}

fn parse(text: &[u8]) -> Result<Value, &'static str> {
    let document: Value = serde_json::from_slice(text).map_err(|_| "it is not JSON")?;
    if document.get("error").is_some_and(|error| !error.is_null()) {
        return Err("it is an error");
    }
    Ok(document)
}

const FINISH_REASON: &str = "/choices/0/finish_reason";
const NO_CONTENT: &str = "it has no content";
const NO_REASON: &str = "it does not say why it ended";
