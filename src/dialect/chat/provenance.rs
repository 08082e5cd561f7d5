//! Thoughts of other providers that come back in a conversation. An answer that is said in this format has them in
//! `reasoning_content`, where clients look for them, and SDKs send the whole message again. Some providers refuse a member
//! that they do not know (Groq: "property … is unsupported"; Mistral: `extra_forbidden`; Cerebras: `wrong_api_format`), so
//! it is taken out there, where a request passes as it is.

use crate::policy::model::ProviderKind;
use crate::wire;
use crate::wire::json::walk::Cursor;

const MEMBER: &[u8] = b"reasoning_content";

/// Whether a provider takes `reasoning_content` in the messages of a request: its models write it themselves, or nothing is
/// known of it. `OpenAI`'s never write it, and there and at Azure some models refuse any member of a message that they do not
/// know: "Additional properties are not allowed ('parsed' was unexpected) - 'messages.1'" (auto-playwright #50, db-ally #95,
/// semantic-kernel #4261).
pub const fn takes_thoughts(kind: ProviderKind) -> bool {
    !matches!(
        kind,
        ProviderKind::OpenAi
            | ProviderKind::AzureOpenAi
            | ProviderKind::Mistral
            | ProviderKind::Groq
            | ProviderKind::Cerebras
    )
}

/// Whether a part of a request may hold some.
pub fn may_hold_thoughts(part: &[u8]) -> bool {
    wire::contains(part, MEMBER)
}

/// A request without them, all other bytes as they are but for white space in those messages; `None` where there are none.
///
/// PERF: one search where there are none, which is the rule.
pub fn without_thoughts(body: &[u8]) -> Option<Vec<u8>> {
    if !may_hold_thoughts(body) {
        return None;
    }
    let messages = messages_of(body)?;
    let mut elements = Cursor::new(messages);
    elements.enter(b'[')?;
    let (mut out, mut kept_to) = (Vec::with_capacity(body.len()), 0);
    while elements.element() {
        let message = elements.value()?;
        if let Some(without) = message_without(message) {
            let begin = message.as_ptr().addr() - body.as_ptr().addr();
            out.extend_from_slice(body.get(kept_to..begin)?);
            out.extend_from_slice(&without);
            kept_to = begin + message.len();
        }
    }
    if kept_to == 0 {
        return None;
    }
    out.extend_from_slice(body.get(kept_to..)?);
    Some(out)
}

/// The list of messages, as it stands in the request.
fn messages_of(body: &[u8]) -> Option<&[u8]> {
    let mut cursor = Cursor::new(body);
    cursor.enter(b'{')?;
    while let Some(key) = cursor.member() {
        let value = cursor.value()?;
        if key == b"messages" {
            return Some(value);
        }
    }
    None
}

/// The message without the member, if it has it.
fn message_without(message: &[u8]) -> Option<Vec<u8>> {
    let mut cursor = Cursor::new(message);
    cursor.enter(b'{')?;
    let (mut members, mut found) = (Vec::new(), false);
    while let Some(key) = cursor.member() {
        let value = cursor.value()?;
        if key == MEMBER {
            found = true;
        } else {
            members.push([b"\"", key, b"\":", value].concat());
        }
    }
    (found && cursor.is_whole()).then(|| [b"{", &members.join(&b","[..])[..], b"}"].concat())
}

#[cfg(test)]
mod tests {
    use super::without_thoughts;

    fn check(body: &str, expected: Option<&str>) {
        let without = without_thoughts(body.as_bytes());
        let without = without.map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(without.as_deref(), expected, "{body}");
    }

    /// ll #30835, crush #1590, jan #8136: Mistral answers 422, Groq 400.
    #[test]
    fn litellm_30835_thoughts_of_others_go_and_every_other_byte_stays() {
        check(
            r#"{"x": [1.50], "messages": [ {"role": "user", "content": "reasoning_content"},
                {"role":"assistant", "reasoning_content":"hm \"}", "content": null,"tool_calls":[{"id" : "a\u0041"}]} , {"role":"tool"}],"y":{"reasoning_content":1}}"#,
            Some(
                r#"{"x": [1.50], "messages": [ {"role": "user", "content": "reasoning_content"},
                {"role":"assistant","content":null,"tool_calls":[{"id" : "a\u0041"}]} , {"role":"tool"}],"y":{"reasoning_content":1}}"#,
            ),
        );
        check(
            r#"{"messages":[{"reasoning_content":null},{"a":1,"reasoning_content":""}]}"#,
            Some(r#"{"messages":[{},{"a":1}]}"#),
        );
    }

    #[test]
    fn where_there_are_none_nothing_is_copied() {
        check(
            r#"{"messages":[{"role":"user","content":"reasoning_content"}]}"#,
            None,
        );
        check(
            r#"{"messages":"reasoning_content","reasoning_content":"x"}"#,
            None,
        );
        check(r#"{"messages":[{"reasoning_content":"x"#, None);
        check(r#"{"messages":[{"reasoning_content":"x""#, None);
    }
}
