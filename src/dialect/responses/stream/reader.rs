//! Reads the events of a provider's stream. What was not said in deltas is taken from the event that closes it: servers
//! differ in how much they stream.

use crate::dialect::responses::answer::{finish_of, usage_of};
use crate::dialect::responses::custom;
use crate::dialect::responses::item::{self, BETWEEN_SUMMARIES};
use crate::dialect::turn::{Event, Finish};
use crate::wire::json::Node;

/// What has been heard of a stream.
#[derive(Debug, Default)]
pub struct Reader {
    /// The beginning has been told.
    started: bool,
    /// Something was said or declined.
    said: bool,
    /// The calls so far; their places are their numbers.
    calls: Vec<Call>,
    /// Something of the part that is open came as a delta.
    heard: bool,
    /// What the thoughts of the item that is open came as.
    thoughts: Option<Thoughts>,
}

#[derive(Debug)]
struct Call {
    /// The `output_index` of its item.
    index: u64,
    /// Its arguments have come, or some.
    heard: bool,
}

/// Thoughts come as a summary, or as they are; one of them is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Thoughts {
    Summary,
    Content,
}

impl Reader {
    /// Reads one event.
    pub fn read(&mut self, name: &str, data: Node<'_>, take: &mut dyn FnMut(Event<'_>)) {
        let kind = data.text("type").unwrap_or(name);
        match kind {
            "response.created" | "response.in_progress" | "response.queued" => {
                return self.start(data.get("response"), take);
            }
            "response.failed" | "response.cancelled" | "error" => return take(Event::Error),
            _ => {}
        }
        let Some(kind) = kind.strip_prefix("response.") else {
            return; // life signs, and what is not known
        };
        self.start(None, take);
        match kind {
            "output_item.added" => self.begin_item(data, take),
            "content_part.added" => self.heard = false,
            "output_text.delta" => self.hear(data, "delta", take, Event::Text),
            "refusal.delta" => self.hear(data, "delta", take, Event::Refusal),
            "output_text.done" if !self.heard => self.hear(data, "text", take, Event::Text),
            "refusal.done" if !self.heard => self.hear(data, "refusal", take, Event::Refusal),
            "reasoning_summary_part.added" => {
                let index = data.get("summary_index").and_then(Node::as_u64);
                if self.thoughts == Some(Thoughts::Summary) && index > Some(0) {
                    take(Event::Reasoning(BETWEEN_SUMMARIES));
                }
            }
            "reasoning_summary_text.delta" => self.think(Thoughts::Summary, data, take),
            "reasoning_text.delta" => self.think(Thoughts::Content, data, take),
            "function_call_arguments.delta" => self.hear_arguments(data, "delta", take),
            "function_call_arguments.done"
                if self.call_of(data).is_some_and(|(_, call)| !call.heard) =>
            {
                self.hear_arguments(data, "arguments", take);
            }
            "output_item.done" => self.end_item(data, take),
            "completed" | "incomplete" => self.finish(kind, data, take),
            _ => {}
        }
    }

    fn start(&mut self, response: Option<Node<'_>>, take: &mut dyn FnMut(Event<'_>)) {
        if !self.started {
            self.started = true;
            let text = |key| response.and_then(|it| it.text(key)).unwrap_or_default();
            take(Event::Start {
                id: text("id"),
                model: text("model"),
            });
        }
    }

    fn begin_item(&mut self, data: Node<'_>, take: &mut dyn FnMut(Event<'_>)) {
        self.heard = false;
        self.thoughts = None;
        if let (Some(item), Some(index)) = (data.get("item"), index_of(data))
            && let Some("function_call" | "custom_tool_call") = item.text("type")
        {
            self.begin_call(index, item, take);
        }
    }

    /// Tells its number.
    fn begin_call(&mut self, index: u64, item: Node<'_>, take: &mut dyn FnMut(Event<'_>)) -> u32 {
        let at = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
        self.calls.push(Call {
            index,
            heard: false,
        });
        take(Event::ToolCall {
            at,
            id: item.text("call_id").unwrap_or_default(),
            name: item.text("name").unwrap_or_default(),
            signature: None,
        });
        at
    }

    fn end_item(&mut self, data: Node<'_>, take: &mut dyn FnMut(Event<'_>)) {
        let Some(item) = data.get("item") else {
            return;
        };
        match item.text("type") {
            Some("reasoning") => self.end_thoughts(item, take),
            Some("function_call" | "custom_tool_call") => {
                let Some(index) = index_of(data) else {
                    return;
                };
                let at = match self.call_of(data) {
                    Some((at, _)) => at,
                    None => self.begin_call(index, item, take),
                };
                self.end_call(at, item, take);
            }
            _ => {}
        }
    }

    /// Tells what a call is called with, unless that was told.
    fn end_call(&mut self, at: u32, item: Node<'_>, take: &mut dyn FnMut(Event<'_>)) {
        let call = usize::try_from(at)
            .ok()
            .and_then(|at| self.calls.get_mut(at));
        let Some(call) = call.filter(|call| !call.heard) else {
            return;
        };
        call.heard = true;
        if let Some(input) = item.text("input") {
            let text = custom::wrapped(input);
            take(Event::ToolArguments { at, text: &text });
        } else if let Some(text) = item.text("arguments").filter(|it| !it.is_empty()) {
            take(Event::ToolArguments { at, text });
        }
    }

    fn end_thoughts(&mut self, item: Node<'_>, take: &mut dyn FnMut(Event<'_>)) {
        let Some(reasoning) = item::reasoning(item) else {
            return;
        };
        if self.thoughts.is_none() && !reasoning.text.is_empty() {
            take(Event::Reasoning(&reasoning.text));
        }
        self.thoughts = None;
        if let Some(signature) = &reasoning.signature {
            take(if reasoning.redacted {
                Event::Redacted(signature)
            } else {
                Event::Signature(signature)
            });
        }
    }

    fn hear<'a>(
        &mut self,
        data: Node<'a>,
        key: &str,
        take: &mut dyn FnMut(Event<'_>),
        event: fn(&'a str) -> Event<'a>,
    ) {
        if let Some(text) = data.text(key).filter(|text| !text.is_empty()) {
            self.heard = true;
            self.said = true;
            take(event(text));
        }
    }

    fn think(&mut self, form: Thoughts, data: Node<'_>, take: &mut dyn FnMut(Event<'_>)) {
        let Some(text) = data.text("delta").filter(|text| !text.is_empty()) else {
            return;
        };
        if *self.thoughts.get_or_insert(form) == form {
            take(Event::Reasoning(text));
        }
    }

    fn hear_arguments(&mut self, data: Node<'_>, key: &str, take: &mut dyn FnMut(Event<'_>)) {
        if let Some((at, call)) = self.call_of(data)
            && let Some(text) = data.text(key).filter(|text| !text.is_empty())
        {
            call.heard = true;
            take(Event::ToolArguments { at, text });
        }
    }

    /// COMPAT: `LiteLLM`, 2026 (its issue 22102): streams of words only, whose calls — or all of it — are in the last event.
    fn catch_up(&mut self, response: Node<'_>, take: &mut dyn FnMut(Event<'_>)) {
        let (said, called) = (self.said, !self.calls.is_empty());
        for (index, item) in (0..).zip(response.list("output")) {
            match item.text("type") {
                Some("message") if !said => {
                    for part in item.list("content") {
                        self.hear(part, "text", take, Event::Text);
                        self.hear(part, "refusal", take, Event::Refusal);
                    }
                }
                Some("function_call" | "custom_tool_call") if !called => {
                    let at = self.begin_call(index, item, take);
                    self.end_call(at, item, take);
                }
                _ => {}
            }
        }
    }

    /// The call that an event is about, and its number.
    fn call_of(&mut self, data: Node<'_>) -> Option<(u32, &mut Call)> {
        let index = index_of(data)?;
        let at = self.calls.iter().rposition(|call| call.index == index)?;
        let call = self.calls.get_mut(at)?;
        Some((u32::try_from(at).ok()?, call))
    }

    fn finish(&mut self, kind: &str, data: Node<'_>, take: &mut dyn FnMut(Event<'_>)) {
        let response = data.get("response");
        if let Some(response) = response {
            self.catch_up(response, take);
        }
        let calls = !self.calls.is_empty();
        let finish = response.and_then(|response| finish_of(response, calls));
        let finish = finish.unwrap_or(match kind {
            "completed" if calls => Finish::ToolCalls,
            "completed" => Finish::Stop,
            _ => Finish::Length,
        });
        take(Event::Finish {
            finish,
            stop_sequence: None,
        });
        if let Some(usage) = response.and_then(|response| response.get("usage")) {
            take(Event::Usage(usage_of(usage)));
        }
        take(Event::End);
    }
}

fn index_of(data: Node<'_>) -> Option<u64> {
    data.get("output_index").and_then(Node::as_u64)
}
