//! Reads a stream of Anthropic's.
//!
//! Blocks are numbered among all blocks, calls among calls only: the first call is often block 1 (the trap of BerriAI/litellm
//! #11407). Counts come in two halves, see `usage`.

use crate::dialect::messages::answer::{explanation_of, finish_of};
use crate::dialect::messages::usage::Counts;
use crate::dialect::turn::Event;
use crate::wire::json::Node;

/// Calls whose blocks are open at once; Anthropic has one.
const OPEN_MAX: usize = 64;

/// Reads one stream, event by event.
#[derive(Debug, Default)]
pub struct Reader {
    is_started: bool,
    is_finished: bool,
    counts: Counts,
    /// Calls so far.
    calls: u32,
    open: Vec<OpenCall>,
}

/// A call whose block is open.
#[derive(Clone, Copy, Debug)]
struct OpenCall {
    block: u64,
    at: u32,
    has_arguments: bool,
    /// The block began with all of them.
    is_whole: bool,
}

impl Reader {
    /// Takes the event `name` with `data`, and gives what it says to `take`.
    pub fn read(&mut self, name: &str, data: Node<'_>, take: &mut dyn FnMut(Event<'_>)) {
        match data.text("type").unwrap_or(name) {
            "message_start" => self.start(data, take),
            "content_block_start" => self.open_block(data, take),
            "content_block_delta" => self.delta(data, take),
            "content_block_stop" => self.close_block(data, take),
            "message_delta" => self.finish(data, take),
            "message_stop" => take(Event::End),
            "error" => take(Event::Error),
            _ => {} // `ping`, and what comes to be
        }
    }

    fn start(&mut self, data: Node<'_>, take: &mut dyn FnMut(Event<'_>)) {
        let Some(message) = data.get("message") else {
            return;
        };
        // COMPAT: a start that comes twice was seen behind proxies (vercel/ai, duplicate-message-start, 2025).
        if !self.is_started {
            self.is_started = true;
            take(Event::Start {
                id: message.text("id").unwrap_or_default(),
                model: message.text("model").unwrap_or_default(),
            });
        }
        self.count(message, take);
    }

    fn open_block(&mut self, data: Node<'_>, take: &mut dyn FnMut(Event<'_>)) {
        let Some(block) = data.get("content_block") else {
            return;
        };
        let text = |key| block.text(key).filter(|text| !text.is_empty());
        match block.text("type").unwrap_or_default() {
            "text" => give(text("text").map(Event::Text), take),
            "thinking" => {
                give(text("thinking").map(Event::Reasoning), take);
                give(text("signature").map(Event::Signature), take);
            }
            "redacted_thinking" => give(text("data").map(Event::Redacted), take),
            "tool_use" => self.open_call(index_of(data), block, take),
            _ => {}
        }
    }

    fn open_call(&mut self, index: u64, block: Node<'_>, take: &mut dyn FnMut(Event<'_>)) {
        let mut call = OpenCall {
            block: index,
            at: self.calls,
            has_arguments: false,
            is_whole: false,
        };
        self.calls = self.calls.saturating_add(1);
        take(Event::ToolCall {
            at: call.at,
            id: block.text("id").unwrap_or_default(),
            name: block.text("name").unwrap_or_default(),
            signature: None,
        });
        if let Some(input) = block.get("input")
            && input.members().next().is_some()
        {
            let mut text = Vec::new();
            input.write(&mut text);
            take(Event::ToolArguments {
                at: call.at,
                text: &String::from_utf8_lossy(&text),
            });
            (call.has_arguments, call.is_whole) = (true, true);
        }
        if self.open.len() < OPEN_MAX {
            self.open.push(call);
        }
    }

    fn delta(&mut self, data: Node<'_>, take: &mut dyn FnMut(Event<'_>)) {
        let Some(delta) = data.get("delta") else {
            return;
        };
        let text = |key| delta.text(key).filter(|text| !text.is_empty());
        match delta.text("type").unwrap_or_default() {
            "text_delta" => give(text("text").map(Event::Text), take),
            "thinking_delta" => give(text("thinking").map(Event::Reasoning), take),
            "signature_delta" => give(text("signature").map(Event::Signature), take),
            "input_json_delta" => {
                let index = index_of(data);
                if let Some(piece) = text("partial_json")
                    && let Some(call) = self.open.iter_mut().find(|call| call.block == index)
                    && !call.is_whole
                {
                    call.has_arguments = true;
                    take(Event::ToolArguments {
                        at: call.at,
                        text: piece,
                    });
                }
            }
            _ => {} // `citations_delta`, and what comes to be
        }
    }

    /// A call without arguments ends without a piece of them, where others need an object.
    fn close_block(&mut self, data: Node<'_>, take: &mut dyn FnMut(Event<'_>)) {
        let index = index_of(data);
        let Some(place) = self.open.iter().position(|call| call.block == index) else {
            return;
        };
        let call = self.open.swap_remove(place);
        if !call.has_arguments {
            take(Event::ToolArguments {
                at: call.at,
                text: "{}",
            });
        }
    }

    fn finish(&mut self, data: Node<'_>, take: &mut dyn FnMut(Event<'_>)) {
        if let Some(delta) = data.get("delta")
            && let Some(reason) = delta.text("stop_reason")
            && !self.is_finished
        {
            self.is_finished = true;
            if reason == "refusal" {
                give(explanation_of(delta).map(Event::Refusal), take);
            }
            take(Event::Finish {
                finish: finish_of(reason),
                stop_sequence: delta.text("stop_sequence"),
            });
        }
        self.count(data, take);
    }

    fn count(&mut self, holder: Node<'_>, take: &mut dyn FnMut(Event<'_>)) {
        if let Some(usage) = holder.get("usage") {
            self.counts.take(usage);
            take(Event::Usage(self.counts.usage()));
        }
    }
}

fn give<'a>(event: Option<Event<'a>>, take: &mut dyn FnMut(Event<'_>)) {
    if let Some(event) = event {
        take(event);
    }
}

fn index_of(data: Node<'_>) -> u64 {
    data.get("index").and_then(Node::as_u64).unwrap_or_default()
}
