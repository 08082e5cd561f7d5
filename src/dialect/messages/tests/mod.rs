//! The format against what Anthropic really sent, and the shapes that nobody records.

mod answers;
mod models;
mod outcomes;
mod random;
mod recordings;
mod requests;
mod streams;
mod thinking;

use serde_json::Value;

use super::stream::{Reader, Writer};
use super::{answer, request};
use crate::dialect::codec::{Destination, Reply};
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::recorded::{data_of, name_of};
use crate::dialect::turn::{Answer, Arguments, Event, Finish, Part, Usage};
use crate::policy::model::ProviderKind;
use crate::wire::json::{self, Tree};

/// What a request becomes on its way through the neutral form.
#[derive(Debug)]
struct Written {
    body: Value,
    text: String,
    dropped: Vec<String>,
    lost: Vec<String>,
}

/// Reads `body` and writes it for `model`.
fn through(body: &Value, model: &str, max_output: Option<u64>) -> Result<Written, Unsupported> {
    let mut text = serde_json::to_vec(body).unwrap();
    let tree = Tree::parse(&mut text).unwrap();
    let turn = request::read(tree.root())?;
    let mut out = Vec::new();
    let mut losses = Losses::default();
    let to = Destination {
        kind: ProviderKind::Anthropic,
        model,
        max_output,
    };
    request::write(&turn, &to, &mut losses, &mut json::Writer::new(&mut out))?;
    Ok(Written {
        body: serde_json::from_slice(&out).unwrap(),
        text: String::from_utf8(out).unwrap(),
        dropped: turn.dropped.iter().map(str::to_owned).collect(),
        lost: losses.iter().map(str::to_owned).collect(),
    })
}

/// What an answer says, however it comes.
#[derive(Debug, Default, PartialEq)]
struct Said {
    id: String,
    model: String,
    /// `text`, `refusal`, `thought`, `proof`, `sealed` and `call` pieces, in order, neighbours of a kind joined.
    pieces: Vec<(&'static str, String)>,
    finish: Option<Finish>,
    stop_sequence: Option<String>,
    usage: Option<Usage>,
    is_ended: bool,
    is_error: bool,
}

impl Said {
    fn add(&mut self, kind: &'static str, text: &str) {
        match self.pieces.last_mut() {
            Some((last, said)) if *last == kind && kind != "call" => said.push_str(text),
            _ => self.pieces.push((kind, text.to_owned())),
        }
    }

    /// Takes an event. Calls are `id name arguments`.
    fn take(&mut self, event: &Event<'_>, calls: &mut Vec<usize>) {
        match *event {
            Event::Start { id, model } => {
                (self.id, self.model) = (id.to_owned(), model.to_owned());
            }
            Event::Text(text) => self.add("text", text),
            Event::Refusal(text) => self.add("refusal", text),
            Event::Reasoning(text) => self.add("thought", text),
            Event::Signature(text) => self.add("proof", text),
            Event::Redacted(text) => self.add("sealed", text),
            Event::ToolCall { at, id, name, .. } => {
                assert_eq!(at as usize, calls.len(), "calls are numbered from 0");
                calls.push(self.pieces.len());
                self.add("call", &format!("{id} {name} "));
            }
            Event::ToolArguments { at, text } => {
                self.pieces[calls[at as usize]].1.push_str(text);
            }
            Event::Finish {
                finish,
                stop_sequence,
            } => {
                assert_eq!(self.finish, None, "an answer ends once");
                self.finish = Some(finish);
                self.stop_sequence = stop_sequence.map(str::to_owned);
            }
            Event::Usage(usage) => self.usage = Some(usage),
            Event::End => self.is_ended = true,
            Event::Error => self.is_error = true,
        }
    }

    fn of_answer(answer: &Answer<'_>) -> Self {
        let mut said = Self {
            id: answer.id.to_string(),
            model: answer.model.to_string(),
            finish: Some(answer.finish),
            stop_sequence: answer.stop_sequence.as_ref().map(ToString::to_string),
            usage: answer.usage,
            is_ended: true,
            ..Self::default()
        };
        for part in &answer.parts {
            match part {
                Part::Text(text) => said.add("text", &text.text),
                Part::Refusal(text) => said.add("refusal", text),
                Part::Reasoning(thought) => {
                    let proof = thought.signature.as_deref().unwrap_or_default();
                    if thought.redacted {
                        said.add("sealed", proof);
                        continue;
                    }
                    if !thought.text.is_empty() {
                        said.add("thought", &thought.text);
                    }
                    if !proof.is_empty() {
                        said.add("proof", proof);
                    }
                }
                Part::ToolCall(call) => {
                    let arguments = match &call.arguments {
                        Arguments::Text(text) => text.to_string(),
                        Arguments::Object(object) => {
                            let mut text = Vec::new();
                            object.write(&mut text);
                            String::from_utf8(text).unwrap()
                        }
                    };
                    said.add("call", &format!("{} {} {arguments}", call.id, call.name));
                }
                _ => panic!("not of an answer"),
            }
        }
        said
    }

    fn pieces(&self, kind: &str) -> Vec<&str> {
        let pieces = self.pieces.iter().filter(|(it, _)| *it == kind);
        pieces.map(|(_, text)| text.as_str()).collect()
    }
}

/// What the events of a stream say.
fn folded(events: &[impl AsRef<str>]) -> Said {
    let mut reader = Reader::default();
    let mut said = Said::default();
    let mut calls = Vec::new();
    for event in events {
        let event = event.as_ref();
        let Some(data) = data_of(event) else { continue };
        let mut data = data.into_bytes();
        let tree = Tree::parse(&mut data).unwrap();
        reader.read(name_of(event), tree.root(), &mut |event| {
            said.take(&event, &mut calls);
        });
    }
    said
}

/// The same stream, written for a client: its events, each with its blank line.
fn rewritten(events: &[impl AsRef<str>]) -> Vec<String> {
    let mut reader = Reader::default();
    let mut writer = Writer::new(reply());
    let mut out = Vec::new();
    for event in events {
        let event = event.as_ref();
        let Some(data) = data_of(event) else { continue };
        let mut data = data.into_bytes();
        let tree = Tree::parse(&mut data).unwrap();
        reader.read(name_of(event), tree.root(), &mut |event| {
            writer.write(&event, &mut out);
        });
    }
    split(&out)
}

/// Writes `events`.
fn written(events: &[Event<'_>]) -> Vec<String> {
    let mut writer = Writer::new(reply());
    let mut out = Vec::new();
    for event in events {
        writer.write(event, &mut out);
    }
    split(&out)
}

fn split(stream: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(stream).unwrap();
    let events = text.split_inclusive("\n\n");
    events.map(str::to_owned).collect()
}

/// Writes `answer` for a client.
fn whole(answer: &Answer<'_>) -> String {
    let mut out = Vec::new();
    answer::write(answer, &reply(), &mut json::Writer::new(&mut out));
    String::from_utf8(out).unwrap()
}

fn reply() -> Reply {
    Reply {
        id: "9f".to_owned(),
        created: 1_790_000_000,
        model: "asked".to_owned(),
        ..Reply::default()
    }
}
