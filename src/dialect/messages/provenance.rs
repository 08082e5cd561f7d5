//! Thoughts of other providers that come back in a conversation. They were written for an answer that Anthropic did not
//! give, without a signature; Anthropic refuses them ("Invalid `signature` in `thinking` block"). So they are taken out where
//! a request passes as it is.

use crate::wire;
use crate::wire::json::{Node, Tree, Writer};

/// A request without thoughts that nobody signed; `None` where there are none. What is left means the same, its white space
/// is gone: that happens in conversations only that another provider has had a part in.
///
/// PERF: two searches where there are none, which is the rule.
pub fn without_unsigned_thoughts(body: &[u8]) -> Option<Vec<u8>> {
    if !may_hold_unsigned_thoughts(body) {
        return None;
    }
    let mut copy = body.to_vec();
    let tree = Tree::parse(&mut copy).ok()?;
    let mut out = Vec::new();
    let mut found = false;
    Writer::new(&mut out).object(|it| {
        for (key, value) in tree.root().members() {
            it.key(key);
            match key {
                "messages" => it.array(|it| {
                    for message in value.elements() {
                        write_message(message, &mut found, it);
                    }
                }),
                _ => it.node(value),
            }
        }
    });
    found.then_some(out)
}

/// Whether a part of a request may hold some: an empty signature stands in it.
pub fn may_hold_unsigned_thoughts(part: &[u8]) -> bool {
    [b"\"signature\":\"\"".as_slice(), b"\"signature\": \"\""]
        .iter()
        .any(|empty| wire::contains(part, empty))
}

/// The message, unless nothing but such thoughts is in it.
fn write_message(message: Node<'_>, found: &mut bool, out: &mut Writer<'_>) {
    let unsigned = message
        .list("content")
        .filter(|block| is_unsigned(*block))
        .count();
    if unsigned == 0 {
        return out.node(message);
    }
    *found = true;
    if unsigned == message.list("content").count() {
        return;
    }
    out.object(|it| {
        for (key, value) in message.members() {
            it.key(key);
            match key {
                "content" => write_content(value, it),
                _ => it.node(value),
            }
        }
    });
}

fn write_content(content: Node<'_>, out: &mut Writer<'_>) {
    out.array(|it| {
        for block in content.elements().filter(|block| !is_unsigned(*block)) {
            it.node(block);
        }
    });
}

fn is_unsigned(block: Node<'_>) -> bool {
    block.text("type") == Some("thinking") && block.text("signature") == Some("")
}

#[cfg(test)]
mod tests {
    use super::without_unsigned_thoughts;

    #[test]
    fn only_unsigned_thoughts_go() {
        let body = br#"{"model":"m", "messages":[{"role":"user","content":"hi"},
            {"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":""},{"type":"text","text":"b"}]},
            {"role":"assistant","content":[{"type":"thinking","thinking":"c","signature": ""}]},
            {"role":"assistant","content":[{"type":"thinking","thinking":"d","signature":"proof"}]}],"x":[1.50]}"#;
        let without = without_unsigned_thoughts(body).expect("there are some");
        assert_eq!(
            String::from_utf8(without).unwrap(),
            r#"{"model":"m","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"text","text":"b"}]},{"role":"assistant","content":[{"type":"thinking","thinking":"d","signature":"proof"}]}],"x":[1.5]}"#
        );
        assert_eq!(without_unsigned_thoughts(br#"{"messages":[]}"#), None);
        // Somebody else's member of that name.
        assert_eq!(
            without_unsigned_thoughts(br#"{"metadata":{"signature":""},"messages":[]}"#),
            None
        );
    }
}
