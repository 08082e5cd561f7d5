//! Tests of the format: what was recorded, what is written, and what cannot be read.

mod answers;
mod embeddings;
mod errors;
mod hostile;
mod outcomes;
mod readers;
mod recordings;
mod requests;
mod schemas;
mod streams;
mod thinking;

use serde_json::Value;

use crate::dialect::codec::{Destination, Reply};
use crate::dialect::gemini::{request, stream};
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::recorded::{self, Recorded};
use crate::dialect::turn::{Answer, Arguments, Event, Finish, Part, Turn, Usage};
use crate::policy::model::ProviderKind;
use crate::wire::json::{Tree, Writer};

/// What was recorded of both providers.
fn all() -> Vec<Recorded> {
    let mut all = recorded::of("gemini");
    all.extend(recorded::of("vertex"));
    all
}

fn parse(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(text));
    })
}

fn reply() -> Reply {
    Reply {
        id: "gw1".to_owned(),
        model: "asked".to_owned(),
        ..Reply::default()
    }
}

/// Reads a client's request as the gateway does, and gives it to `with`.
fn with_turn<T>(body: &Value, with: impl FnOnce(Result<Turn<'_>, Unsupported>) -> T) -> T {
    let mut text = serde_json::to_vec(body).unwrap();
    let tree = Tree::parse(&mut text).unwrap();
    match request::in_json_schema(tree.root()) {
        Some(mut text) => {
            let tree = Tree::parse(&mut text).unwrap();
            with(request::read(tree.root()))
        }
        None => with(request::read(tree.root())),
    }
}

/// Writes a turn for a model; what was lost comes with it.
fn written(
    turn: &Turn<'_>,
    kind: ProviderKind,
    model: &str,
) -> Result<(String, Vec<String>), Unsupported> {
    let to = Destination {
        kind,
        model,
        max_output: None,
    };
    let (mut out, mut losses) = (Vec::new(), Losses::default());
    request::write(turn, &to, &mut losses, &mut Writer::new(&mut out))?;
    let losses = losses.iter().map(str::to_owned).collect();
    Ok((String::from_utf8(out).unwrap(), losses))
}

/// What an answer says, whole or in events.
#[derive(Debug, Default, PartialEq)]
struct Meaning {
    id: String,
    model: String,
    text: String,
    thoughts: String,
    /// Id, tool, arguments, whether there is a proof.
    calls: Vec<(String, String, String, bool)>,
    finish: Option<Finish>,
    usage: Option<Usage>,
    failed: bool,
}

impl Meaning {
    fn of_answer(answer: &Answer<'_>) -> Self {
        let mut meaning = Self {
            id: answer.id.to_string(),
            model: answer.model.to_string(),
            finish: Some(answer.finish),
            usage: answer.usage,
            ..Self::default()
        };
        for part in &answer.parts {
            match part {
                Part::Text(text) => meaning.text.push_str(&text.text),
                Part::Reasoning(it) => meaning.thoughts.push_str(&it.text),
                Part::ToolCall(call) => meaning.calls.push((
                    call.id.to_string(),
                    call.name.to_string(),
                    match &call.arguments {
                        Arguments::Text(text) => text.to_string(),
                        Arguments::Object(node) => {
                            let mut text = Vec::new();
                            node.write(&mut text);
                            String::from_utf8(text).unwrap()
                        }
                    },
                    call.signature.is_some(),
                )),
                _ => panic!("a part that no answer has: {part:?}"),
            }
        }
        meaning
    }

    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start { id, model } => {
                (self.id, self.model) = (id.to_owned(), model.to_owned());
            }
            Event::Text(text) => self.text.push_str(text),
            Event::Reasoning(text) => self.thoughts.push_str(text),
            Event::ToolCall {
                at,
                id,
                name,
                signature,
            } => {
                assert_eq!(at as usize, self.calls.len(), "numbered in order");
                let call = (id.into(), name.into(), String::new(), signature.is_some());
                self.calls.push(call);
            }
            Event::ToolArguments { at, text } => self.calls[at as usize].2.push_str(text),
            Event::Finish { finish, .. } => {
                assert_eq!(self.finish, None, "ends once");
                self.finish = Some(finish);
            }
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Signature(_) => {}
            Event::Error => self.failed = true,
            Event::Refusal(_) | Event::Redacted(_) | Event::End => {
                panic!("this format has no {event:?}");
            }
        }
    }

    /// Of the events of a stream, each the text behind `data:`.
    fn of_stream<'e>(events: impl Iterator<Item = &'e str>) -> Self {
        let mut reader = stream::Reader::default();
        let mut meaning = Self::default();
        for event in events {
            let mut text = event.as_bytes().to_vec();
            let tree = Tree::parse(&mut text).unwrap();
            reader.read("", tree.root(), &mut |event| meaning.take(event));
        }
        meaning
    }
}
