//! The format against what Bedrock was recorded to say, and against what it is known to refuse.

mod answers;
mod asked;
mod outcomes;
mod recordings;
mod requests;
mod settings;
mod streams;
mod tools;

use std::borrow::Cow;

use serde_json::Value;

use crate::dialect::codec::Destination;
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::turn::{
    Arguments, Message, Part, Role, Text, Tool, ToolCall, ToolResult, Turn,
};
use crate::policy::model::ProviderKind;
use crate::wire::json::{Tree, Writer};

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const CLAUDE_OLD: &str = "anthropic.claude-3-5-sonnet-20240620-v1:0";
const CLAUDE_NEW: &str = "global.anthropic.claude-opus-4-7-v1";
const NOVA: &str = "us.amazon.nova-lite-v1:0";
const NOVA_2: &str = "us.amazon.nova-2-lite-v1:0";
const LLAMA: &str = "meta.llama3-3-70b-instruct-v1:0";

/// The body that asks `model`, and what was dropped.
fn written(turn: &Turn<'_>, model: &str) -> Result<(String, Vec<String>), Unsupported> {
    let to = Destination {
        kind: ProviderKind::Bedrock,
        model,
        max_output: None,
    };
    let (mut out, mut losses) = (Vec::new(), Losses::default());
    super::write_request(turn, &to, &mut losses, &mut Writer::new(&mut out))?;
    let dropped = losses.iter().map(str::to_owned).collect();
    Ok((String::from_utf8(out).unwrap(), dropped))
}

/// `value` as a tree, for `check`.
fn with_tree<T>(value: &Value, check: impl FnOnce(&Tree<'_>) -> T) -> T {
    let mut text = serde_json::to_vec(value).unwrap();
    check(&Tree::parse(&mut text).unwrap())
}

fn message(role: Role, parts: Vec<Part<'_>>) -> Message<'_> {
    Message { role, parts }
}

fn text(words: &str) -> Part<'_> {
    Part::Text(Text::new(words))
}

/// A conversation in which the user says `hi`.
fn hi<'a>() -> Turn<'a> {
    Turn {
        messages: vec![message(Role::User, vec![text("hi")])],
        ..Turn::default()
    }
}

fn call<'a>(id: &'a str, name: &'a str, arguments: &'a str) -> Part<'a> {
    Part::ToolCall(ToolCall {
        id: Cow::Borrowed(id),
        name: Cow::Borrowed(name),
        arguments: Arguments::Text(Cow::Borrowed(arguments)),
        signature: None,
    })
}

fn result<'a>(id: &'a str, words: &'a str) -> ToolResult<'a> {
    ToolResult {
        id: Cow::Borrowed(id),
        name: Cow::Borrowed(""),
        parts: vec![text(words)],
        is_error: false,
        cache: false,
    }
}

fn tool(name: &str) -> Tool<'_> {
    Tool {
        name,
        description: None,
        schema: None,
        strict: None,
        cache: false,
    }
}

/// A conversation that has got to the results of a tool.
fn after_a_call<'a>() -> Turn<'a> {
    Turn {
        messages: vec![
            message(Role::User, vec![text("q")]),
            message(Role::Assistant, vec![call("t1", "f", "{}")]),
            message(Role::User, vec![Part::ToolResult(result("t1", "r"))]),
        ],
        ..Turn::default()
    }
}

/// Checks the body that `turn` becomes behind its `messages`, and what is dropped.
fn check(turn: &Turn<'_>, model: &str, behind: &str, dropped: &[&str]) {
    let (body, lost) = written(turn, model).unwrap();
    let (_, rest) = body.split_once("}]}]").unwrap();
    assert_eq!(rest, behind, "{body}");
    assert_eq!(lost, dropped);
}

fn refusal(turn: &Turn<'_>, model: &str) -> String {
    written(turn, model).unwrap_err().to_string()
}
