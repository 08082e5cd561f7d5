//! What an answer repeats of its request. SDKs demand `parallel_tool_calls`, `tool_choice` and `tools`; the rest is there
//! because OpenAI repeats it.

use crate::dialect::codec::Echo;
use crate::wire::json::{Node, Writer};

/// What an answer to `body` repeats of it.
pub fn echo(body: Node<'_>) -> Echo {
    let mut members = Vec::new();
    Writer::new(&mut members).object(|it| {
        for (key, default) in REPEATED {
            match body.get(key) {
                Some(value) => it.key(key).node(value),
                None => it.key(key).raw(default.as_bytes()),
            }
        }
    });
    // Without its braces: they become members of a larger object.
    members.pop();
    members.drain(..1);
    let tools = body.list("tools");
    Echo {
        members,
        custom_tools: tools
            .filter(|tool| tool.text("type") == Some("custom"))
            .filter_map(|tool| tool.text("name"))
            .map(str::to_owned)
            .collect(),
    }
}

/// What is repeated where the request is not known.
pub(in crate::dialect::responses) const NOTHING: &[u8] =
    br#""instructions":null,"metadata":{},"parallel_tool_calls":true,"tool_choice":"auto","tools":[]"#;

const REPEATED: [(&str, &str); 12] = [
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("temperature", "null"),
    ("text", r#"{"format":{"type":"text"}}"#),
    ("tool_choice", r#""auto""#),
    ("tools", "[]"),
    ("top_p", "null"),
    ("user", "null"),
];
