//! What answers of other providers leave in a conversation, and the next one refuses. It is changed where a request passes as
//! it is otherwise; one that is said in another format has it in its provider's words anyway.
//!
//! * **Thoughts.** An answer that is said in this format has them in `reasoning_content`, where clients look for them, and
//!   SDKs send the whole message again. Some providers refuse a member that they do not know (Groq: "property … is
//!   unsupported"; Mistral: `extra_forbidden`; Cerebras: `wrong_api_format`): it is taken out.
//! * **Names of calls.** Each provider makes its own, and some take no others: Mistral nine letters and digits, `OpenAI` up to
//!   40 characters. Those that do not fit are replaced ([`ids`](crate::dialect::ids)), the same in the call and in its
//!   result.

use std::borrow::Cow;

use crate::dialect::ids::{IdForm, fitted};
use crate::policy::model::ProviderKind;
use crate::wire;
use crate::wire::Extent;
use crate::wire::json::walk::{Cursor, Shape};
use crate::wire::json::{patch, value};

const THOUGHTS: &[u8] = b"reasoning_content";
const CALL_OF_RESULT: &[u8] = b"tool_call_id";

/// Whether a part of a request may hold something that a provider of this kind refuses.
pub fn may_hold_foreign(kind: ProviderKind, part: &[u8]) -> bool {
    let refused = Refused::by(kind);
    refused.thoughts && wire::contains(part, THOUGHTS)
        || refused.names_but.is_some_and(|form| has_others(part, form))
}

/// A request without that, all other bytes as they are but for white space in the messages that are changed; `None` where
/// nothing is.
///
/// PERF: a search for each of the two where there are none, which is the rule.
pub fn without_foreign(kind: ProviderKind, body: &[u8]) -> Option<Vec<u8>> {
    if !may_hold_foreign(kind, body) {
        return None;
    }
    let refused = Refused::by(kind);
    let messages = messages_of(body)?;
    let changed = changed_elements(messages, |message| refused.message(message))?;
    let place = Extent::of_part(body, messages).range();
    Some([body.get(..place.start)?, &changed, body.get(place.end..)?].concat())
}

/// What a provider refuses of what others left.
#[derive(Clone, Copy, Debug)]
struct Refused {
    /// `reasoning_content`.
    thoughts: bool,
    /// Names of calls other than these.
    names_but: Option<IdForm>,
}

impl Refused {
    /// By a provider of this kind. Thoughts are taken where models write them themselves, or nothing is known. `OpenAI`'s
    /// never write them, and there and at Azure some models refuse any member of a message that they do not know:
    /// "Additional properties are not allowed ('parsed' was unexpected) - 'messages.1'" (auto-playwright #50, db-ally #95,
    /// semantic-kernel #4261).
    const fn by(kind: ProviderKind) -> Self {
        Self {
            thoughts: matches!(
                kind,
                ProviderKind::OpenAi
                    | ProviderKind::AzureOpenAi
                    | ProviderKind::Mistral
                    | ProviderKind::Groq
                    | ProviderKind::Cerebras
            ),
            names_but: match kind {
                ProviderKind::OpenAi | ProviderKind::AzureOpenAi => Some(IdForm::Chat),
                ProviderKind::Mistral => Some(IdForm::Mistral),
                _ => None,
            },
        }
    }

    /// The message as the provider takes it, if it has to be changed.
    fn message(self, message: &[u8]) -> Option<Vec<u8>> {
        changed_members(message, |key, value| match key {
            THOUGHTS if self.thoughts => Change::Out,
            CALL_OF_RESULT => self.name(value),
            b"tool_calls" => Change::to(changed_elements(value, |call| {
                changed_members(call, |key, value| match key {
                    b"id" => self.name(value),
                    _ => Change::None,
                })
            })),
            _ => Change::None,
        })
    }

    fn name(self, value: &[u8]) -> Change {
        let name = value::string(value, Extent::of_part(value, value));
        let Some((form, name)) = self.names_but.zip(name) else {
            return Change::None;
        };
        match fitted(&name, form) {
            Cow::Borrowed(_) => Change::None,
            Cow::Owned(fitted) => {
                let mut text = Vec::new();
                patch::string(&fitted, &mut text);
                Change::To(text)
            }
        }
    }
}

/// What becomes of a member.
enum Change {
    None,
    Out,
    To(Vec<u8>),
}

impl Change {
    fn to(value: Option<Vec<u8>>) -> Self {
        value.map_or(Self::None, Self::To)
    }
}

/// Whether results stand in a part of a request whose calls have other names than these. A call without a result is refused
/// everywhere.
fn has_others(part: &[u8], form: IdForm) -> bool {
    let mut rest = part;
    while let Some(at) = wire::find(rest, b"\"tool_call_id\"") {
        rest = rest
            .get(at + CALL_OF_RESULT.len() + 2..)
            .unwrap_or_default();
        let mut cursor = Cursor::new(rest);
        if cursor.enter(b':').is_some()
            && cursor.shape() == Some(Shape::String)
            && let Some(name) = cursor.string()
            && !std::str::from_utf8(name).is_ok_and(|name| form.takes(name))
        {
            return true;
        }
    }
    false
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

/// A list with those of its elements changed that have to be, every other byte as it is; `None` where none has to.
fn changed_elements(list: &[u8], change: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let mut elements = Cursor::new(list);
    elements.enter(b'[')?;
    let (mut out, mut kept_to) = (Vec::with_capacity(list.len()), 0);
    while elements.element() {
        let element = elements.value()?;
        if let Some(changed) = change(element) {
            let place = Extent::of_part(list, element).range();
            out.extend_from_slice(list.get(kept_to..place.start)?);
            out.extend_from_slice(&changed);
            kept_to = place.end;
        }
    }
    if kept_to == 0 {
        return None;
    }
    out.extend_from_slice(list.get(kept_to..)?);
    Some(out)
}

/// An object with those of its members changed that have to be; `None` where none has to, and where it is no whole object.
fn changed_members(object: &[u8], change: impl Fn(&[u8], &[u8]) -> Change) -> Option<Vec<u8>> {
    let mut cursor = Cursor::new(object);
    cursor.enter(b'{')?;
    let (mut members, mut found) = (Vec::new(), false);
    while let Some(key) = cursor.member() {
        let value = cursor.value()?;
        let change = change(key, value);
        found |= !matches!(change, Change::None);
        match change {
            Change::None => members.push([b"\"", key, b"\":", value].concat()),
            Change::To(value) => members.push([b"\"", key, b"\":", &value[..]].concat()),
            Change::Out => {}
        }
    }
    (found && cursor.is_whole()).then(|| [b"{", &members.join(&b","[..])[..], b"}"].concat())
}

#[cfg(test)]
mod tests {
    use super::without_foreign;
    use crate::policy::model::ProviderKind;

    fn check(body: &str, expected: Option<&str>) {
        check_at(ProviderKind::Groq, body, expected);
    }

    fn check_at(kind: ProviderKind, body: &str, expected: Option<&str>) {
        let without = without_foreign(kind, body.as_bytes());
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

    /// litellm #17343: `OpenAI` answers 400 to a name of 46 characters ("Expected a string with maximum length 40"). A model
    /// elsewhere made it, and the client sends it again.
    #[test]
    fn litellm_17343_names_of_calls_that_are_too_long_for_openai() {
        let (long, short) = ("call_0123456789012345678901234567890123456789_", "call_1");
        assert_eq!(long.len(), 46);
        let body = |long: &str| {
            format!(
                r#"{{"messages": [ {{"role": "user", "content": "\"tool_call_id\": \"{}\""}},
                    {{"role":"assistant","tool_calls":[ {{"id":"{long}","type":"function"}}, {{"id" : "{short}"}}]}},
                    {{"role":"tool","tool_call_id":"{long}"}}, {{"role" : "tool", "tool_call_id" : "{short}"}}],"n": 1}}"#,
                "x".repeat(46)
            )
        };
        let fitted = crate::dialect::ids::fitted(long, crate::dialect::ids::IdForm::Chat);
        for kind in [ProviderKind::OpenAi, ProviderKind::AzureOpenAi] {
            check_at(kind, &body(long), Some(&body(&fitted)));
            check_at(kind, &body(short), None);
        }
        check_at(ProviderKind::Vllm, &body(long), None);
    }

    /// The same by what Mistral says of it: "Tool call id was call_… but must be a-z, A-Z, 0-9, with a length of 9."
    #[test]
    fn mistral_gets_names_of_its_own_form_only() {
        let body = |id: &str| {
            format!(
                r#"{{"messages":[{{"tool_calls":[{{"id":"{id}"}}]}},{{"tool_call_id":"{id}"}}]}}"#
            )
        };
        let fitted = |id| crate::dialect::ids::fitted(id, crate::dialect::ids::IdForm::Mistral);
        let at = ProviderKind::Mistral;
        check_at(at, &body("call_1"), Some(&body(&fitted("call_1"))));
        check_at(at, &body("aB3456789"), None);
        // However it is spelt.
        let spelt =
            r#"{"messages":[{"tool_calls":[{"id":"call_1"}]},{"tool_call_id":"call\u005f1"}]}"#;
        check_at(at, spelt, Some(&body(&fitted("call_1"))));
        // What is no name is the provider's to refuse.
        check_at(
            at,
            r#"{"messages":[{"tool_call_id":1},{"tool_calls":{"id":"x"}}]}"#,
            None,
        );
    }
}
