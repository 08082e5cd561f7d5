//! Reads streams.

use super::answer::{finish, usage};
use crate::dialect::turn::Event;
use crate::wire::json::Node;

/// Reads the events of one stream. `[DONE]` is the caller's.
#[derive(Debug, Default)]
pub struct Reader {
    /// Calls that have begun. One is whole before the next begins.
    calls: u32,
}

impl Reader {
    /// Reads one event. It is named by `event:` and by `type`; what is not known is passed over.
    pub fn read(&mut self, name: &str, data: Node<'_>, take: &mut dyn FnMut(Event<'_>)) {
        let delta = data.get("delta");
        let message = delta.and_then(|it| it.get("message"));
        match data.text("type").unwrap_or(name) {
            "message-start" => take(Event::Start {
                id: data.text("id").unwrap_or_default(),
                model: "",
            }),
            "content-start" | "content-delta" => {
                let Some(content) = message.and_then(|it| it.get("content")) else {
                    return;
                };
                if let Some(thought) = piece(content, "thinking") {
                    take(Event::Reasoning(thought));
                }
                if let Some(text) = piece(content, "text") {
                    take(Event::Text(text));
                }
            }
            "tool-plan-delta" => {
                if let Some(text) = message.and_then(|it| piece(it, "tool_plan")) {
                    take(Event::Text(text));
                }
            }
            "tool-call-start" => self.start_call(message, take),
            "tool-call-delta" => self.take_arguments(message, take),
            "message-end" => {
                let Some(delta) = delta else { return };
                take(Event::Finish {
                    finish: finish(delta.text("finish_reason").unwrap_or_default()),
                    stop_sequence: None,
                });
                if let Some(counts) = delta.get("usage") {
                    take(Event::Usage(usage(counts)));
                }
            }
            "error" => take(Event::Error),
            // A body of an error in the place of an event.
            "" if data.get("message").is_some() || data.get("error").is_some() => {
                take(Event::Error);
            }
            _ => {}
        }
    }

    fn start_call(&mut self, message: Option<Node<'_>>, take: &mut dyn FnMut(Event<'_>)) {
        let call = message.and_then(|it| it.get("tool_calls"));
        let function = call.and_then(|it| it.get("function"));
        take(Event::ToolCall {
            at: self.calls,
            id: call.and_then(|it| it.text("id")).unwrap_or_default(),
            name: function.and_then(|it| it.text("name")).unwrap_or_default(),
            signature: None,
        });
        self.calls = self.calls.saturating_add(1);
        self.take_arguments(message, take);
    }

    fn take_arguments(&self, message: Option<Node<'_>>, take: &mut dyn FnMut(Event<'_>)) {
        let piece = message
            .and_then(|it| it.get("tool_calls"))
            .and_then(|it| it.get("function"))
            .and_then(|it| piece(it, "arguments"));
        if let (Some(at), Some(text)) = (self.calls.checked_sub(1), piece) {
            take(Event::ToolArguments { at, text });
        }
    }
}

fn piece<'a>(node: Node<'a>, key: &str) -> Option<&'a str> {
    node.text(key).filter(|text| !text.is_empty())
}
