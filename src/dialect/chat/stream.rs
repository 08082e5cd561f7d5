//! Streams: the chunks of a provider, and those for a client.

use crate::dialect::chat::answer::{
    Words, finish_of, id_of, is_nothing, model_of, thoughts_of, word_of, words_of,
};
use crate::dialect::chat::usage::{usage_of, write_usage};
use crate::dialect::codec::Reply;
use crate::dialect::turn::{Event, Finish, Usage};
use crate::wire::json::{Node, Writer as Json};

/// Reads a provider's chunks.
#[derive(Debug, Default)]
pub struct Reader {
    /// The provider's number of each call, in the order in which they began. Usually the same as its place.
    calls: Vec<u64>,
    /// The answer's name and model have been told.
    started: bool,
    finished: bool,
}

impl Reader {
    /// Takes one chunk.
    pub fn read(&mut self, _name: &str, chunk: Node<'_>, take: &mut dyn FnMut(Event<'_>)) {
        if is_error(chunk) {
            return take(Event::Error);
        }
        self.read_start(chunk, take);
        let choice = chunk.list("choices").find(|choice| {
            choice
                .get("index")
                .and_then(Node::as_u64)
                .unwrap_or_default()
                == 0
        });
        if let Some(choice) = choice {
            if choice.get("error").is_some() {
                return take(Event::Error);
            }
            if let Some(delta) = choice.get("delta") {
                self.read_delta(delta, take);
            }
            self.read_finish(choice, take);
        }
        // COMPAT: Groq puts it into `x_groq`, in the first or the last chunk, and again where the others have it.
        let usage = chunk
            .get("usage")
            .or_else(|| chunk.get("x_groq").and_then(|groq| groq.get("usage")));
        if let Some(usage) = usage {
            take(Event::Usage(usage_of(usage)));
        }
    }

    /// COMPAT: Azure's first chunk, with the verdict of its filter, has neither name nor model.
    fn read_start(&mut self, chunk: Node<'_>, take: &mut dyn FnMut(Event<'_>)) {
        let text = |key| chunk.text(key).unwrap_or_default();
        let (id, model) = (text("id"), text("model"));
        let says_something = !id.is_empty() || !model.is_empty();
        if !self.started && says_something {
            self.started = true;
            take(Event::Start { id, model });
        }
    }

    fn read_delta(&mut self, delta: Node<'_>, take: &mut dyn FnMut(Event<'_>)) {
        thoughts_of(delta, &mut |text| take(Event::Reasoning(text)));
        words_of(delta, &mut |words| {
            take(match words {
                Words::Said(text) => Event::Text(text),
                Words::Thought(text) => Event::Reasoning(text),
            });
        });
        if let Some(text) = delta.text("refusal").filter(|text| !text.is_empty()) {
            take(Event::Refusal(text));
        }
        for call in delta.list("tool_calls") {
            self.read_call(call, take);
        }
    }

    fn read_call(&mut self, call: Node<'_>, take: &mut dyn FnMut(Event<'_>)) {
        let function = call.get("function");
        let text = |key| {
            function
                .and_then(|function| function.text(key))
                .unwrap_or_default()
        };
        let name = text("name");
        let number = call.get("index").and_then(Node::as_u64);
        let known = match number {
            Some(number) => self.calls.iter().position(|known| *known == number),
            // COMPAT: some servers leave the index out: a name begins a call, all else belongs to the last one.
            None if name.is_empty() => self.calls.len().checked_sub(1),
            None => None,
        };
        let at = match known {
            Some(at) => at,
            None if name.is_empty() => return,
            None => {
                self.calls.push(number.unwrap_or(self.calls.len() as u64));
                let at = self.calls.len() - 1;
                take(Event::ToolCall {
                    at: u32::try_from(at).unwrap_or(u32::MAX),
                    id: call.text("id").unwrap_or_default(),
                    name,
                    signature: None,
                });
                at
            }
        };
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        let arguments = function.and_then(|function| function.get("arguments"));
        match arguments.map(|arguments| (arguments, arguments.as_str())) {
            Some((_, Some(text))) if !is_nothing(text) => take(Event::ToolArguments { at, text }),
            Some((object, None)) if object.is_object() => {
                let mut text = Vec::new();
                object.write(&mut text);
                let text = String::from_utf8_lossy(&text);
                take(Event::ToolArguments { at, text: &text });
            }
            _ => {}
        }
    }

    /// COMPAT: OpenRouter says it twice, the second time beside the usage.
    fn read_finish(&mut self, choice: Node<'_>, take: &mut dyn FnMut(Event<'_>)) {
        let Some(reason) = choice.text("finish_reason").filter(|_| !self.finished) else {
            return;
        };
        self.finished = true;
        take(Event::Finish {
            finish: finish_of(reason, !self.calls.is_empty()),
            stop_sequence: None,
        });
    }
}

/// COMPAT: vLLM and Mistral, 2025: {"object":"error","message":…} without an `error` member.
fn is_error(chunk: Node<'_>) -> bool {
    chunk.get("error").is_some()
        || chunk.text("object") == Some("error")
        || chunk.text("type") == Some("error")
}

/// Writes the chunks for a client: the role first, then what comes, one reason to finish, the usage if it was asked for,
/// and `[DONE]`.
#[derive(Debug)]
pub struct Writer {
    reply: Reply,
    /// What all chunks begin with, up to the delta.
    opening: Vec<u8>,
    calls: u32,
    finish: Option<Finish>,
    usage: Option<Usage>,
    ended: bool,
}

impl Writer {
    /// For one answer.
    pub const fn new(reply: Reply) -> Self {
        Self {
            reply,
            opening: Vec::new(),
            calls: 0,
            finish: None,
            usage: None,
            ended: false,
        }
    }

    /// Appends what an event amounts to.
    pub fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.ended {
            return;
        }
        match *event {
            Event::Start { model, .. } => self.start(model, out),
            Event::Text(text) => self.delta(out, |it| it.key("content").string(text)),
            Event::Refusal(text) => self.delta(out, |it| it.key("refusal").string(text)),
            Event::Reasoning(text) => {
                self.delta(out, |it| it.key("reasoning_content").string(text));
            }
            Event::ToolCall { at, id, name, .. } => self.call(at, id, name, out),
            Event::ToolArguments { at, text } => self.delta(out, |it| {
                it.key("tool_calls").array(|it| {
                    it.object(|it| {
                        it.key("index").number(at.into());
                        it.key("function")
                            .object(|it| it.key("arguments").string(text));
                    });
                });
            }),
            Event::Finish { finish, .. } => self.finish(finish, out),
            Event::Usage(usage) => self.usage = Some(usage),
            Event::End => self.end(out),
            // Proofs of thoughts have no place here, and the error is told by whoever knows what it means.
            Event::Signature(_) | Event::Redacted(_) | Event::Error => {}
        }
    }

    fn start(&mut self, model: &str, out: &mut Vec<u8>) {
        if !self.opening.is_empty() {
            return;
        }
        self.opening.extend_from_slice(b"data: {");
        let mut members = Vec::new();
        Json::new(&mut members).object(|it| {
            it.key("id").string(&format!("chatcmpl-{}", self.reply.id));
            it.key("object").string("chat.completion.chunk");
            it.key("created").number(self.reply.created);
            it.key("model").string(model_of(model, &self.reply));
        });
        // The object stays open.
        let members = members.strip_prefix(b"{").unwrap_or_default();
        let members = members.strip_suffix(b"}").unwrap_or_default();
        self.opening.extend_from_slice(members);
        self.opening.extend_from_slice(b",\"choices\":[");
        self.delta(out, |it| {
            it.key("role").string("assistant");
            it.key("content").string("");
        });
    }

    fn call(&mut self, at: u32, id: &str, name: &str, out: &mut Vec<u8>) {
        self.calls += 1;
        let id = id_of(id, at, &self.reply).into_owned();
        self.delta(out, |it| {
            it.key("tool_calls").array(|it| {
                it.object(|it| {
                    it.key("index").number(at.into());
                    it.key("id").string(&id);
                    it.key("type").string("function");
                    write_function(name, it);
                });
            });
        });
    }

    /// One chunk with these members in its delta.
    fn delta(&mut self, out: &mut Vec<u8>, members: impl FnOnce(&mut Json<'_>)) {
        self.start("", out);
        out.extend_from_slice(&self.opening);
        out.extend_from_slice(b"{\"index\":0,\"delta\":");
        Json::new(out).object(members);
        out.extend_from_slice(b",\"finish_reason\":null}]");
        self.close_chunk(None, out);
    }

    fn finish(&mut self, finish: Finish, out: &mut Vec<u8>) {
        if self.finish.is_some() {
            return;
        }
        let finish = match finish {
            Finish::Stop if self.calls > 0 => Finish::ToolCalls,
            other => other,
        };
        self.finish = Some(finish);
        self.start("", out);
        out.extend_from_slice(&self.opening);
        out.extend_from_slice(b"{\"index\":0,\"delta\":{},\"finish_reason\":\"");
        out.extend_from_slice(word_of(finish).as_bytes());
        out.extend_from_slice(b"\"}]");
        self.close_chunk(None, out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.ended = true;
        if self.reply.stream_usage
            && let Some(usage) = self.usage
        {
            out.extend_from_slice(&self.opening);
            out.extend_from_slice(b"]");
            self.close_chunk(Some(usage), out);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    /// All chunks but the last have a `usage` of `null` where one was asked for.
    fn close_chunk(&self, usage: Option<Usage>, out: &mut Vec<u8>) {
        if let Some(usage) = usage {
            out.extend_from_slice(b",\"usage\":");
            Json::new(out).object(|it| write_usage(usage, it));
        } else if self.reply.stream_usage {
            out.extend_from_slice(b",\"usage\":null");
        }
        out.extend_from_slice(b"}\n\n");
    }
}

/// A function whose arguments follow.
fn write_function(name: &str, it: &mut Json<'_>) {
    it.key("function").object(|it| {
        it.key("name").string(name);
        it.key("arguments").string("");
    });
}
