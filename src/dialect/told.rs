//! What an answer tells, however it came: for tests that compare streams with answers in one piece and one format with
//! another.

use crate::dialect::turn::{Answer, Arguments, Event, Finish, Part, Usage};

/// Everything that reaches a reader.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Told {
    pub(super) id: String,
    pub(super) model: String,
    pub(super) text: String,
    pub(super) thoughts: String,
    pub(super) refusal: String,
    pub(super) calls: Vec<Call>,
    pub(super) finish: Option<Finish>,
    pub(super) usage: Option<Usage>,
    pub(super) ended: bool,
    pub(super) failed: bool,
}

/// A call of a tool.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: String,
}

impl Told {
    /// Takes one event of a stream.
    pub(super) fn take(&mut self, event: &Event<'_>) {
        match *event {
            Event::Start { id, model } => {
                id.clone_into(&mut self.id);
                model.clone_into(&mut self.model);
            }
            Event::Text(text) => self.text.push_str(text),
            Event::Refusal(text) => self.refusal.push_str(text),
            Event::Reasoning(text) => self.thoughts.push_str(text),
            Event::Signature(_) | Event::Redacted(_) => {}
            Event::ToolCall { at, id, name, .. } => {
                assert_eq!(at as usize, self.calls.len(), "calls are numbered from 0");
                self.calls.push(Call {
                    id: id.to_owned(),
                    name: name.to_owned(),
                    arguments: String::new(),
                });
            }
            Event::ToolArguments { at, text } => {
                self.calls[at as usize].arguments.push_str(text);
            }
            Event::Finish { finish, .. } => {
                assert_eq!(self.finish, None, "an answer finishes once");
                self.finish = Some(finish);
            }
            Event::Usage(usage) => self.usage = Some(usage),
            Event::End => self.ended = true,
            Event::Error => self.failed = true,
        }
    }

    /// An answer in one piece.
    pub(super) fn of_answer(answer: &Answer<'_>) -> Self {
        let mut told = Self {
            id: answer.id.to_string(),
            model: answer.model.to_string(),
            finish: Some(answer.finish),
            usage: answer.usage,
            ..Self::default()
        };
        for part in &answer.parts {
            match part {
                Part::Text(text) => told.text.push_str(&text.text),
                Part::Reasoning(thought) => told.thoughts.push_str(&thought.text),
                Part::Refusal(text) => told.refusal.push_str(text),
                Part::ToolCall(call) => told.calls.push(Call {
                    id: call.id.to_string(),
                    name: call.name.to_string(),
                    arguments: match &call.arguments {
                        Arguments::Text(text) => text.to_string(),
                        Arguments::Object(object) => {
                            let mut text = Vec::new();
                            object.write(&mut text);
                            String::from_utf8(text).unwrap()
                        }
                    },
                }),
                other => panic!("no part of an answer: {other:?}"),
            }
        }
        told
    }

    /// The same without what differs between a stream and an answer in one piece, or between two formats.
    #[must_use]
    pub(super) fn meaning(&self) -> Self {
        let mut meaning = self.clone();
        meaning.id.clear();
        meaning.model.clear();
        meaning.ended = false;
        for call in &mut meaning.calls {
            call.id.clear();
            // As an object: white space and an empty text mean nothing.
            if let Ok(value) = serde_json::from_str::<serde_json::Value>(&call.arguments) {
                call.arguments = value.to_string();
            } else if call.arguments.is_empty() {
                call.arguments = "{}".to_owned();
            }
        }
        meaning
    }
}
