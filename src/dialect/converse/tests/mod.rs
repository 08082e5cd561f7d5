//! The format against what Bedrock was recorded to say, and against what it is known to refuse.

mod answers;
mod asked;
mod outcomes;
mod recordings;
mod requests;
mod streams;

use serde_json::Value;

use crate::dialect::codec::Destination;
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::turn::{Message, Part, Role, Text, Turn};
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

fn message<'a>(role: Role, parts: Vec<Part<'a>>) -> Message<'a> {
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
