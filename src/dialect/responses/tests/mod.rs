//! The format against the recordings, against itself, and against what is known to go wrong.

mod answers;
mod crossed;
mod outcomes;
mod provenance;
mod readers;
mod requests;
mod streams;
mod writers;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::dialect::codec::{Echo, Reply};
use crate::dialect::recorded::{self, Recorded};
use crate::dialect::responses::Reader;
use crate::dialect::turn::{Answer, Arguments, Event, Finish, Part, Usage};
use crate::wire::json::{Node, Tree};

/// The recordings of this format, by all providers.
fn recordings() -> Vec<Recorded> {
    let mut all = recorded::all();
    all.retain(|it| it.endpoint == "responses");
    assert_eq!(all.len(), 37);
    all
}

fn with_tree<T>(value: &Value, then: impl FnOnce(Node<'_>) -> T) -> T {
    let mut text = serde_json::to_vec(value).unwrap();
    then(Tree::parse(&mut text).unwrap().root())
}

/// What an answer says, to be compared: one line for each thing, words in a row as one.
#[derive(Clone, Debug, Default, PartialEq)]
struct Meaning {
    said: Vec<(&'static str, String)>,
    finish: Option<Finish>,
    usage: Option<Usage>,
}

impl Meaning {
    fn of(answer: &Answer<'_>) -> Self {
        let mut meaning = Self {
            finish: Some(answer.finish),
            usage: answer.usage,
            ..Self::default()
        };
        for part in &answer.parts {
            match part {
                Part::Text(text) => meaning.say("text", &text.text),
                Part::Refusal(text) => meaning.say("refusal", text),
                Part::Reasoning(reasoning) => {
                    meaning.say("thought", &reasoning.text);
                    let seal = if reasoning.redacted {
                        "sealed"
                    } else {
                        "proof"
                    };
                    let sealed = reasoning.signature.as_ref().map(|_| "…");
                    meaning.say(seal, sealed.unwrap_or_default());
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
                    meaning.call(&call.id, &call.name);
                    meaning.said.last_mut().unwrap().1 += &arguments;
                }
                other => panic!("{other:?} in an answer"),
            }
        }
        meaning
    }

    fn take(&mut self, event: &Event<'_>) {
        match *event {
            Event::Start { .. } | Event::End => {}
            Event::Text(text) => self.say("text", text),
            Event::Refusal(text) => self.say("refusal", text),
            Event::Reasoning(text) => self.say("thought", text),
            Event::Signature(_) => self.say("proof", "…"),
            Event::Redacted(_) => self.say("sealed", "…"),
            Event::ToolCall { id, name, .. } => self.call(id, name),
            Event::ToolArguments { at, text } => {
                let mut calls = self.said.iter_mut().filter(|(kind, _)| *kind == "call");
                calls.nth(at as usize).unwrap().1 += text;
            }
            Event::Finish { finish, .. } => self.finish = Some(finish),
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Error => panic!("an error"),
        }
    }

    fn say(&mut self, kind: &'static str, text: &str) {
        match self.said.last_mut() {
            Some((last, whole)) if *last == kind && kind != "sealed" => whole.push_str(text),
            _ if text.is_empty() => {}
            _ => self.said.push((kind, text.to_owned())),
        }
    }

    fn call(&mut self, id: &str, name: &str) {
        self.said.push(("call", format!("{id} {name} ")));
    }

    /// Without what is valid at its provider only.
    fn without_seals(mut self) -> Self {
        let said = core::mem::take(&mut self.said);
        for (kind, text) in said {
            match kind {
                "proof" | "sealed" => {}
                "call" => self.said.push((kind, text)),
                _ => self.say(kind, &text),
            }
        }
        self
    }
}

fn reply() -> Reply {
    Reply {
        id: "0k7q".to_owned(),
        created: 1_790_000_000,
        model: "asked".to_owned(),
        stream_usage: true,
        echo: Echo::default(),
    }
}

/// Events as they stand in a stream: their names and data.
fn events_of(stream: &str) -> Vec<(String, Value)> {
    let events = stream.split("\n\n").filter(|event| !event.is_empty());
    events
        .map(|event| {
            let data = recorded::data_of(event).unwrap();
            let name = recorded::name_of(event).to_owned();
            (name, serde_json::from_str(&data).unwrap())
        })
        .collect()
}

/// What a stream says.
fn read(events: &[(String, Value)]) -> Meaning {
    let mut reader = Reader::default();
    let mut meaning = Meaning::default();
    for (name, data) in events {
        with_tree(data, |data| {
            reader.read(name, data, &mut |event| meaning.take(&event));
        });
    }
    meaning
}

/// What holds for every complete stream, of OpenAI's as of ours.
fn check_stream(events: &[(String, Value)]) {
    let mut open: Vec<(Value, Value)> = Vec::new(); // output_index, id
    let mut parts = Vec::new();
    let mut done = Vec::new();
    for (number, (name, data)) in events.iter().enumerate() {
        assert_eq!(data["type"], json!(name));
        assert_eq!(data["sequence_number"], json!(number), "{name}");
        let index = &data["output_index"];
        match name.as_str() {
            "response.created" => assert_eq!(number, 0),
            "response.in_progress" => assert_eq!(number, 1),
            "response.output_item.added" => {
                assert_eq!(*index, json!(open.len() + done.len()));
                assert!(data["item"]["id"].is_string());
                open.push((index.clone(), data["item"]["id"].clone()));
            }
            "response.output_item.done" => {
                let (opened, id) = open.remove(0);
                assert_eq!((index, &data["item"]["id"]), (&opened, &id), "in order");
                assert!(parts.is_empty(), "a part is open");
                done.push(data["item"].clone());
            }
            "response.completed" | "response.incomplete" | "response.failed" => {
                assert_eq!(number + 1, events.len(), "nothing follows");
                assert!(open.is_empty(), "an item is open");
                let output = data["response"]["output"].as_array().unwrap();
                let names = |list: &[Value]| -> Vec<_> {
                    list.iter()
                        .map(|it| (it["id"].clone(), it["type"].clone()))
                        .collect()
                };
                assert_eq!(names(output), names(&done));
            }
            _ => {
                let item = open.iter().find(|(at, _)| at == index);
                let (_, id) = item.unwrap_or_else(|| panic!("{name} of an item that is not open"));
                assert_eq!(data["item_id"], *id);
                if name.ends_with("part.added") {
                    parts.push(data["item_id"].clone());
                } else if name.ends_with("part.done") {
                    assert_eq!(parts.pop().as_ref(), Some(id));
                } else if name.starts_with("response.output_text") {
                    assert_eq!(parts.last(), Some(id), "{name} outside of a part");
                    assert!(data["content_index"].is_number());
                }
            }
        }
    }
    let (last, _) = events.last().unwrap();
    assert!(last.starts_with("response."), "{last}");
}

/// JSON of any form, with the words of this format more often than others.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0_u64..4).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(&WORDS[..]).prop_map(Value::from),
        prop::sample::select(&WORDS[..]).prop_map(Value::from),
        ".{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        let member = (prop::sample::select(&KEYS[..]), inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(Value::from),
            prop::collection::vec(member, 0..8).prop_map(|members| {
                let members = members
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value));
                Value::Object(members.collect())
            }),
        ]
    })
}

const KEYS: [&str; 44] = [
    "type",
    "role",
    "content",
    "input",
    "output",
    "text",
    "name",
    "id",
    "call_id",
    "arguments",
    "tools",
    "tool_choice",
    "instructions",
    "summary",
    "encrypted_content",
    "reasoning",
    "effort",
    "format",
    "schema",
    "status",
    "usage",
    "input_tokens",
    "input_tokens_details",
    "cached_tokens",
    "output_tokens",
    "incomplete_details",
    "reason",
    "item",
    "output_index",
    "delta",
    "response",
    "image_url",
    "file_data",
    "file_id",
    "input_audio",
    "data",
    "include",
    "mode",
    "error",
    "summary_index",
    "part",
    "stream",
    "max_output_tokens",
    "metadata",
];
const WORDS: [&str; 40] = [
    "message",
    "user",
    "assistant",
    "system",
    "developer",
    "function_call",
    "function_call_output",
    "custom_tool_call",
    "reasoning",
    "input_text",
    "output_text",
    "refusal",
    "input_image",
    "input_file",
    "input_audio",
    "function",
    "custom",
    "json_schema",
    "json_object",
    "auto",
    "none",
    "required",
    "allowed_tools",
    "high",
    "completed",
    "incomplete",
    "failed",
    "max_output_tokens",
    "response.created",
    "response.output_item.added",
    "response.output_text.delta",
    "response.output_item.done",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.reasoning_summary_text.delta",
    "response.reasoning_text.delta",
    "response.reasoning_summary_part.added",
    "response.completed",
    "item_reference",
    "data:image/png;base64,AAAA",
];
