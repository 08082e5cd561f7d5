//! Streams of Chat Completions that are counted although their client does not ask what they take: the provider is asked to
//! say it, and what it says in an event of its own does not reach the client.
//!
//! Source: the API reference of Chat Completions (`stream_options`, November 2026): with `include_usage`, "an additional chunk
//! will be streamed before the `data: [DONE]` message", with an empty `choices`, and "all other chunks will also include a
//! `usage` field, but with a null value".

use crate::wire::Extent;
use crate::wire::json::walk::{Cursor, Shape};

/// The request `body`, asking for what the answer takes; `None` where the client asks itself, or where the body is none that
/// can be asked in.
pub fn asking_for_usage(body: &[u8]) -> Option<Vec<u8>> {
    let mut cursor = Cursor::new(body);
    cursor.enter(b'{')?;
    let (mut options, mut is_empty) = (None, true);
    while let Some(key) = cursor.member() {
        let value = cursor.value()?;
        is_empty = false;
        if key == b"stream_options" {
            // The last one of its name counts.
            options = Some(value);
        }
    }
    if is_empty || !cursor.is_whole() {
        return None;
    }
    let Some(options) = options else {
        let members = body.trim_ascii_start().get(1..)?;
        return Some([b"{\"stream_options\":{\"include_usage\":true},", members].concat());
    };
    let place = Extent::of_part(body, options).range();
    let (before, behind) = (body.get(..place.start)?, body.get(place.end..)?);
    Some([before, &asking(options)?, behind].concat())
}

/// The options, asking for it.
fn asking(options: &[u8]) -> Option<Vec<u8>> {
    let mut cursor = Cursor::new(options);
    match cursor.shape()? {
        Shape::Null => return Some(b"{\"include_usage\":true}".to_vec()),
        Shape::Object => cursor.enter(b'{')?,
        _ => return None,
    }
    let mut members = vec![b"\"include_usage\":true".to_vec()];
    while let Some(key) = cursor.member() {
        let value = cursor.value()?;
        match (key, value) {
            (b"include_usage", b"true") => return None,
            (b"include_usage", _) => {}
            _ => members.push([b"\"", key, b"\":", value].concat()),
        }
    }
    Some([b"{", &members.join(&b","[..])[..], b"}"].concat())
}

/// Whether an event of a stream says what the answer took, and nothing else.
pub fn is_usage_alone(data: &[u8]) -> bool {
    let mut cursor = Cursor::new(data);
    let (mut has_usage, mut has_choices) = (false, true);
    if cursor.enter(b'{').is_none() {
        return false;
    }
    while let Some(key) = cursor.member() {
        match key {
            b"usage" => has_usage = cursor.shape() == Some(Shape::Object),
            b"choices" => {
                let mut list = cursor.clone();
                has_choices = list.enter(b'[').is_none() || list.element();
            }
            _ => {}
        }
        if cursor.value().is_none() {
            return false;
        }
    }
    has_usage && !has_choices && cursor.is_whole()
}

#[cfg(test)]
mod tests {
    use super::{asking_for_usage, is_usage_alone};

    #[test]
    fn the_provider_is_asked_unless_the_client_asks() {
        let asked = |body: &str| {
            asking_for_usage(body.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap())
        };
        for (body, wanted) in [
            (
                r#" {"model": "m","stream":true}"#,
                r#"{"stream_options":{"include_usage":true},"model": "m","stream":true}"#,
            ),
            (
                r#"{"stream_options" : null, "n":1}"#,
                r#"{"stream_options" : {"include_usage":true}, "n":1}"#,
            ),
            (
                r#"{"stream_options":{"include_usage":false,"include_obfuscation":false}}"#,
                r#"{"stream_options":{"include_usage":true,"include_obfuscation":false}}"#,
            ),
            (
                r#"{"stream_options":{}}"#,
                r#"{"stream_options":{"include_usage":true}}"#,
            ),
        ] {
            assert_eq!(asked(body).as_deref(), Some(wanted), "{body}");
            assert_eq!(asked(wanted), None, "once is enough");
        }
        for body in [
            r#"{"stream_options":{"include_usage":true}}"#,
            r#"{"stream_options":1}"#,
            "{}",
            r#"{"model":"m""#,
            "[]",
            "",
        ] {
            assert_eq!(asked(body), None, "{body}");
        }
    }

    #[test]
    fn only_what_says_nothing_else_is_usage_alone() {
        for (data, alone) in [
            (
                r#"{"id":"a","choices":[],"usage":{"prompt_tokens":1}}"#,
                true,
            ),
            (r#"{"usage":{"prompt_tokens":1},"choices": [ ] }"#, true),
            // Azure's verdict on the prompt, Groq's and Mistral's last chunk, and what others say.
            (r#"{"choices":[],"prompt_filter_results":[]}"#, false),
            (r#"{"choices":[],"usage":null}"#, false),
            (
                r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}"#,
                false,
            ),
            (r#"{"usage":{"prompt_tokens":1}}"#, false),
            (r#"{"choices":[],"usage":{"prompt_tokens":1}"#, false),
            ("[DONE]", false),
            ("", false),
        ] {
            assert_eq!(is_usage_alone(data.as_bytes()), alone, "{data}");
        }
    }
}
