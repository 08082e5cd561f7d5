//! Custom tools: called with a text (Codex's `apply_patch` takes a patch). No other format has them, so that elsewhere
//! they are functions with one string, `input`.

use std::borrow::Cow;
use std::sync::LazyLock;

use crate::dialect::turn::Arguments;
use crate::wire::json::{Node, Tree, Writer};

/// The schema of a function that stands for a custom tool.
pub(super) fn schema() -> Option<Node<'static>> {
    static SCHEMA: LazyLock<Option<Tree<'static>>> = LazyLock::new(|| {
        let text = br#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}"#;
        Tree::parse(Box::leak(Box::new(*text))).ok()
    });
    SCHEMA.as_ref().map(Tree::root)
}

/// The arguments of a function that stands for a custom tool called with `input`.
pub(super) fn wrapped(input: &str) -> String {
    let mut json = Vec::with_capacity(input.len() + 16);
    Writer::new(&mut json).object(|it| it.key("input").string(input));
    String::from_utf8(json).unwrap_or_default()
}

/// What a custom tool is called with, from the arguments of the function that stands for it. Arguments of another form —
/// cut off, or the text itself — are given as they are.
pub(super) fn unwrapped<'a>(arguments: &'a Arguments<'_>) -> Cow<'a, str> {
    match arguments {
        Arguments::Object(object) => match object.text("input") {
            Some(input) => Cow::Borrowed(input),
            None => Cow::Owned(spelt(*object)),
        },
        Arguments::Text(text) => unwrapped_text(text),
    }
}

/// The same, of arguments as text.
pub(super) fn unwrapped_text(arguments: &str) -> Cow<'_, str> {
    let mut copy = arguments.as_bytes().to_vec();
    let tree = Tree::parse(&mut copy).ok();
    match tree.as_ref().and_then(|tree| tree.root().text("input")) {
        Some(input) => Cow::Owned(input.to_owned()),
        None => Cow::Borrowed(arguments),
    }
}

fn spelt(node: Node<'_>) -> String {
    let mut json = Vec::new();
    node.write(&mut json);
    String::from_utf8(json).unwrap_or_default()
}
