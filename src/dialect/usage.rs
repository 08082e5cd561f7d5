//! The tokens that an answer took, read from the text of one that passes as it is. Of one that is said in another format the
//! reader of its own format tells.

use std::sync::LazyLock;

use crate::dialect::format::Format;
use crate::dialect::turn::Usage;
use crate::dialect::{chat, gemini, messages, responses};
use crate::wire::Needle;
use crate::wire::json::walk::Cursor;
use crate::wire::json::{Node, Tree};

static USAGE: LazyLock<Needle> = LazyLock::new(|| Needle::new(b"\"usage\""));
static USAGE_METADATA: LazyLock<Needle> = LazyLock::new(|| Needle::new(b"\"usageMetadata\""));

/// What a whole answer in `format`, or one event of it in Chat Completions, says that it took; `None` where it does not say.
///
/// It is looked for from the end, where providers put it: what a model or a client wrote stands before it, or is quoted.
///
/// PERF: it nearly always stands in the last `NEAR_BYTES`, which are searched forwards, on vectors. In Chat Completions
/// it is read once and nothing is allocated.
pub fn usage_of_answer(format: Format, answer: &[u8]) -> Option<Usage> {
    let key = match format {
        Format::Gemini => &USAGE_METADATA,
        _ => &USAGE,
    };
    let in_last = |bytes| {
        let tail = answer.len().saturating_sub(bytes);
        last_usage(format, key, answer.get(tail..)?)
    };
    let near = in_last(NEAR_BYTES);
    if near.is_none() && answer.len() > NEAR_BYTES {
        return in_last(TAIL_BYTES);
    }
    near
}

/// The last one in `text` that can be read.
fn last_usage(format: Format, key: &Needle, text: &[u8]) -> Option<Usage> {
    let mut before = text;
    while let Some(at) = key.last_in(before) {
        let (rest, member) = before.split_at(at);
        let mut cursor = Cursor::new(member.get(key.text().len()..)?);
        if let Some(usage) = cursor.enter(b':').and_then(|()| read(format, cursor)) {
            return Some(usage);
        }
        before = rest;
    }
    None
}

/// What stands at the cursor.
fn read(format: Format, cursor: Cursor<'_>) -> Option<Usage> {
    match format {
        Format::Chat => chat::usage_at(cursor),
        Format::Messages => in_tree(cursor, messages::usage_of),
        Format::Responses => in_tree(cursor, |usage| {
            usage.get("input_tokens").and_then(Node::as_u64)?;
            Some(responses::usage_of(usage))
        }),
        Format::Gemini => in_tree(cursor, gemini::usage_of),
        // No client speaks them, so that their answers never pass as they are.
        Format::Converse | Format::Cohere => None,
    }
}

fn in_tree(mut cursor: Cursor<'_>, read: impl FnOnce(Node<'_>) -> Option<Usage>) -> Option<Usage> {
    let mut text = cursor.value()?.to_vec();
    let tree = Tree::parse(&mut text).ok()?;
    read(tree.root())
}

/// A usage and what stands behind it, but in rare answers.
const NEAR_BYTES: usize = 1024;

/// Behind a usage stand a few short members, and in Responses the client's own `metadata`: 16 pairs of at most 64 and 512
/// characters.
const TAIL_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::usage_of_answer;
    use crate::dialect::format::Format;

    fn tokens(format: Format, answer: &str) -> Option<(u64, u64)> {
        usage_of_answer(format, answer.as_bytes()).map(|usage| (usage.input, usage.output))
    }

    #[test]
    fn each_format_has_its_own() {
        let chat = r#"{"choices":[{"message":{"content":"\"usage\":{\"prompt_tokens\":1}"}}],"usage" : {"prompt_tokens":7,"completion_tokens":5},"x":1}"#;
        assert_eq!(tokens(Format::Chat, chat), Some((7, 5)));
        let groq = r#"{"choices":[],"x_groq":{"id":"r","usage":{"queue_time":0.1,"prompt_tokens":7,"completion_tokens":5}}}"#;
        assert_eq!(tokens(Format::Chat, groq), Some((7, 5)));
        let messages = r#"{"content":[{"input":{"usage":{"input_tokens":1}}}],"usage":{"input_tokens":2,"cache_read_input_tokens":5,"output_tokens":5}}"#;
        assert_eq!(tokens(Format::Messages, messages), Some((7, 5)));
        let responses = r#"{"usage":{"input_tokens":7,"output_tokens":5},"tools":[{"parameters":{"properties":{"usage":{"type":"string"}}}}]}"#;
        assert_eq!(tokens(Format::Responses, responses), Some((7, 5)));
        let gemini = r#"{"candidates":[],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":3,"thoughtsTokenCount":2},"modelVersion":"m"}"#;
        assert_eq!(tokens(Format::Gemini, gemini), Some((7, 5)));
    }

    #[test]
    fn where_nothing_is_said_nothing_is_made_up() {
        for answer in [
            "",
            "{}",
            r#"{"usage":null}"#,
            r#"{"usage":{"prompt_tokens":7"#,
            r#"{"usage""#,
        ] {
            assert_eq!(tokens(Format::Chat, answer), None, "{answer}");
        }
        let far = format!(
            r#"{{"usage":{{"prompt_tokens":7}},"x":"{}"}}"#,
            "x".repeat(20_000)
        );
        assert_eq!(tokens(Format::Chat, &far), None);
    }
}
