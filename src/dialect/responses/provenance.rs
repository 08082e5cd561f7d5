//! Thoughts of other providers that come back in a conversation. A client sends all items of an answer again; OpenAI looks
//! up thoughts by their names and refuses the request if it does not know them ("Item with id 'rs_…' not found"). So
//! those that were written here, for an answer of another provider, are taken out where a request passes as it is.

use crate::wire;
use crate::wire::json::walk::{Cursor, unquoted};

/// How the names of thoughts begin that are written here. OpenAI's are `rs_` and hexadecimal digits.
pub(super) const THOUGHTS: &str = "rs_sw";

/// A request without the thoughts that were written here, all other bytes as they are; `None` where there are none.
///
/// PERF: one search where there are none, which is the rule.
pub fn without_own_thoughts(body: &[u8]) -> Option<Vec<u8>> {
    if !may_hold_own_thoughts(body) {
        return None;
    }
    let input = input_of(body)?;
    let mut elements = Cursor::new(input);
    elements.enter(b'[')?;
    let mut kept = Vec::new();
    let mut found = false;
    while elements.element() {
        let element = elements.value()?;
        if is_own(element) {
            found = true;
        } else {
            kept.push(element);
        }
    }
    if !found {
        return None;
    }
    let begin = input.as_ptr().addr() - body.as_ptr().addr();
    let (before, behind) = (body.get(..begin)?, body.get(begin + input.len()..)?);
    Some([before, b"[", &kept.join(&b","[..]), b"]", behind].concat())
}

/// Whether a part of a request may hold some: what their names begin with stands in it.
pub fn may_hold_own_thoughts(part: &[u8]) -> bool {
    wire::contains(part, THOUGHTS.as_bytes())
}

/// The list of items, as it stands in the request.
fn input_of(body: &[u8]) -> Option<&[u8]> {
    let mut cursor = Cursor::new(body);
    cursor.enter(b'{')?;
    while let Some(key) = cursor.member() {
        let value = cursor.value()?;
        if key == b"input" {
            return Some(value);
        }
    }
    None
}

fn is_own(item: &[u8]) -> bool {
    let mut cursor = Cursor::new(item);
    let (mut reasoning, mut own) = (false, false);
    if cursor.enter(b'{').is_some() {
        while let Some(key) = cursor.member() {
            let Some(value) = cursor.value() else { break };
            match key {
                b"type" => reasoning = value == b"\"reasoning\"",
                b"id" => own = unquoted(value).starts_with(THOUGHTS.as_bytes()),
                _ => {}
            }
        }
    }
    reasoning && own
}
