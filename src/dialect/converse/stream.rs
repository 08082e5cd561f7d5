//! Reads streams.

use super::answer::{finish, is_of_server, usage};
use crate::dialect::turn::Event;
use crate::wire::json::Node;

/// Reads the events of one stream.
#[derive(Debug, Default)]
pub struct Reader {
    /// Calls that have begun.
    calls: u32,
    /// The block of tools that began last, by its index, and the number of its call: none if Bedrock makes the call
    /// itself. Blocks come one after the other.
    block: Option<(u64, Option<u32>)>,
    ended: bool,
}

impl Reader {
    /// Reads one event: `name` is its `:event-type`, or the `:exception-type` of an exception. What is not known is
    /// passed over.
    pub fn read(&mut self, name: &str, data: Node<'_>, take: &mut dyn FnMut(Event<'_>)) {
        if self.ended {
            return;
        }
        match name {
            "messageStart" => take(Event::Start { id: "", model: "" }),
            "contentBlockStart" => self.read_start(data, take),
            "contentBlockDelta" => self.read_delta(data, take),
            "messageStop" => take(Event::Finish {
                finish: finish(data.text("stopReason").unwrap_or_default()),
                stop_sequence: None,
            }),
            // The last one: usage comes after the end of the message.
            "metadata" => {
                if let Some(counts) = data.get("usage") {
                    take(Event::Usage(usage(counts)));
                }
                take(Event::End);
                self.ended = true;
            }
            _ if name.ends_with("Exception") => {
                take(Event::Error);
                self.ended = true;
            }
            _ => {}
        }
    }

    /// Only blocks of tools have a start.
    fn read_start(&mut self, data: Node<'_>, take: &mut dyn FnMut(Event<'_>)) {
        let Some(start) = data.get("start") else {
            return;
        };
        let index = index_of(data);
        let Some(call) = start.get("toolUse").filter(|call| !is_of_server(*call)) else {
            self.block = Some((index, None));
            return;
        };
        let at = self.calls;
        self.calls = self.calls.saturating_add(1);
        self.block = Some((index, Some(at)));
        take(Event::ToolCall {
            at,
            id: call.text("toolUseId").unwrap_or_default(),
            name: call.text("name").unwrap_or_default(),
            signature: None,
        });
    }

    fn read_delta(&self, data: Node<'_>, take: &mut dyn FnMut(Event<'_>)) {
        let Some(delta) = data.get("delta") else {
            return;
        };
        if let Some(text) = piece(delta, "text") {
            take(Event::Text(text));
        }
        if let Some(call) = delta.get("toolUse")
            && let Some((index, Some(at))) = self.block
            && index == index_of(data)
            && let Some(text) = piece(call, "input")
        {
            take(Event::ToolArguments { at, text });
        }
        if let Some(reasoning) = delta.get("reasoningContent") {
            if let Some(text) = piece(reasoning, "text") {
                take(Event::Reasoning(text));
            }
            if let Some(signature) = piece(reasoning, "signature") {
                take(Event::Signature(signature));
            }
            if let Some(sealed) = piece(reasoning, "redactedContent") {
                take(Event::Redacted(sealed));
            }
        }
    }
}

/// A piece of text. A guardrail that holds words back to mask them leaves empty ones.
fn piece<'a>(node: Node<'a>, key: &str) -> Option<&'a str> {
    node.text(key).filter(|text| !text.is_empty())
}

fn index_of(data: Node<'_>) -> u64 {
    data.get("contentBlockIndex")
        .and_then(Node::as_u64)
        .unwrap_or_default()
}
