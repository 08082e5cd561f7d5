//! What a request asks and what an answer says, in no provider's words: every format is read into this and written from
//! it, so that any client's format meets any provider's in one step each.
//!
//! ```text
//!   client's body  ── chat, responses, messages, gemini: request::read ──▶  Turn  ── request::write ──▶  provider's body
//!   client's body  ◀── answer::write, stream::Writer ──  Answer, Event  ◀── answer::read, stream::Reader ──  provider's
//! ```
//!
//! Texts are borrowed from the body that was read. The words are those of content blocks (Anthropic's, Gemini's, Bedrock's),
//! as the flat message of Chat Completions is the special case: one turn of the assistant may think, speak and call tools in
//! any order, and results of tools are parts of what the user's side says next.
//!
//! What a format says and this does not hold is either named in [`Turn::dropped`] or refused ([`Unsupported`]).

use std::borrow::Cow;

use crate::dialect::loss::{Losses, Unsupported};
pub use crate::dialect::media::{Media, Source};
use crate::wire::json::{Node, Tree, Writer};

/// A request for the next turn of a conversation. The model is not in it: the policy names it.
#[derive(Debug, Default)]
pub struct Turn<'a> {
    /// Instructions before the conversation: texts.
    pub system: Vec<Part<'a>>,
    /// The conversation, in order.
    pub messages: Vec<Message<'a>>,
    /// Functions that may be called, in order.
    pub tools: Vec<Tool<'a>>,
    /// Which of them has to be called. Only where there are tools: readers leave it out otherwise.
    pub tool_choice: Option<ToolChoice<'a>>,
    /// Whether several may be called at once; `None`: as the provider likes. Only where there are tools.
    pub parallel_tools: Option<bool>,
    /// Tokens of the answer at most, thinking included.
    pub max_tokens: Option<u64>,
    /// As the client gave it: formats differ in its range.
    pub temperature: Option<f64>,
    /// 0–1
    pub top_p: Option<f64>,
    /// Only so many of the likeliest tokens.
    pub top_k: Option<u64>,
    /// Texts at which the answer ends.
    pub stop: Vec<&'a str>,
    /// For answers that repeat.
    pub seed: Option<u64>,
    /// −2–2
    pub presence_penalty: Option<f64>,
    /// −2–2
    pub frequency_penalty: Option<f64>,
    /// The form of the answer.
    pub form: Form<'a>,
    /// How much to think; `None`: as the provider likes.
    pub thinking: Option<Thinking>,
    /// Who asks: an opaque name for the provider's abuse checks.
    pub user: Option<&'a str>,
    /// Event by event.
    pub stream: bool,
    /// A stream ends with its usage, in formats where that is a choice.
    pub stream_usage: bool,
    /// What the client's body says and this does not hold.
    pub dropped: Losses,
}

/// What one side said.
#[derive(Debug)]
pub struct Message<'a> {
    /// Which side.
    pub role: Role,
    /// What, in order. Never empty.
    pub parts: Vec<Part<'a>>,
}

/// A side of the conversation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// Instructions in the middle of the conversation; those before it are [`Turn::system`].
    System,
    /// The user, and the tools that answered.
    User,
    /// The model.
    Assistant,
}

/// A piece of what was said.
#[derive(Debug)]
pub enum Part<'a> {
    /// Words. Never empty.
    Text(Text<'a>),
    /// A picture.
    Image(Media<'a>),
    /// A file to read, as PDF or text.
    Document(Media<'a>),
    /// A recording.
    Audio(Media<'a>),
    /// The model calls a tool. Only in [`Role::Assistant`].
    ToolCall(ToolCall<'a>),
    /// A tool answered. Only in [`Role::User`].
    ToolResult(ToolResult<'a>),
    /// The model thinks. Only in [`Role::Assistant`].
    Reasoning(Reasoning<'a>),
    /// The model declines. Only in [`Role::Assistant`].
    Refusal(Cow<'a, str>),
}

/// Words.
#[derive(Debug, Default)]
pub struct Text<'a> {
    /// The words.
    pub text: Cow<'a, str>,
    /// The provider may keep everything up to and including this for the next request.
    pub cache: bool,
}

/// A call of a tool.
#[derive(Debug)]
pub struct ToolCall<'a> {
    /// Its name among the calls, in the words of whoever made the call; `""` where a format has none.
    pub id: Cow<'a, str>,
    /// The tool's.
    pub name: Cow<'a, str>,
    /// What it is called with.
    pub arguments: Arguments<'a>,
    /// A proof of the thinking that led to it, valid at the provider that gave it only.
    pub signature: Option<Cow<'a, str>>,
}

/// What a tool is called with.
#[derive(Debug)]
pub enum Arguments<'a> {
    /// JSON as the model wrote it. It may be broken: a model can be cut off in the middle.
    Text(Cow<'a, str>),
    /// An object.
    Object(Node<'a>),
}

/// What a tool answered.
#[derive(Debug)]
pub struct ToolResult<'a> {
    /// Of the call.
    pub id: Cow<'a, str>,
    /// The tool's, found by the call where the format does not say; `""` if there is no such call.
    pub name: Cow<'a, str>,
    /// Texts, and where a format has them pictures and documents.
    pub parts: Vec<Part<'a>>,
    /// The tool failed.
    pub is_error: bool,
    /// The provider may keep everything up to and including this for the next request.
    pub cache: bool,
}

/// What the model thought.
#[derive(Debug)]
pub struct Reasoning<'a> {
    /// Words; `""` where the provider keeps them to itself.
    pub text: Cow<'a, str>,
    /// A proof of it, or the thoughts under a seal: valid at the provider that gave it only.
    pub signature: Option<Cow<'a, str>>,
    /// `signature` is thoughts that the provider withholds.
    pub redacted: bool,
}

/// A function that may be called.
#[derive(Debug)]
pub struct Tool<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is for.
    pub description: Option<&'a str>,
    /// JSON Schema of its arguments.
    pub schema: Option<Node<'a>>,
    /// The arguments have to fit the schema.
    pub strict: Option<bool>,
    /// The provider may keep everything up to and including this for the next request.
    pub cache: bool,
}

/// Which tool has to be called.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ToolChoice<'a> {
    /// As the model likes.
    Auto,
    /// At least one.
    Required,
    /// None.
    None,
    /// This one.
    Named(&'a str),
}

/// The form of the answer.
#[derive(Debug, Default)]
pub enum Form<'a> {
    /// Words.
    #[default]
    Text,
    /// Any JSON.
    Json,
    /// JSON that fits a schema.
    Schema(Schema<'a>),
}

/// A schema of answers.
#[derive(Debug)]
pub struct Schema<'a> {
    /// Its name.
    pub name: Option<&'a str>,
    /// What it is for.
    pub description: Option<&'a str>,
    /// JSON Schema.
    pub schema: Node<'a>,
    /// The answer has to fit.
    pub strict: Option<bool>,
}

/// What a schema says of itself in a format where it stands alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Labels<'a> {
    /// Its name, for a schema without a title.
    pub title: Option<&'a str>,
    /// What it is for, for a schema that does not say.
    pub description: Option<&'a str>,
}

/// How much to think.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Thinking {
    /// In words; `None`: as the provider likes.
    pub effort: Option<Effort>,
    /// In tokens at most; `None`: as `effort` says.
    pub budget: Option<u64>,
    /// The thoughts are to be shown, in formats where that is a choice.
    pub shown: bool,
}

/// How much to think, in words.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Effort {
    /// Not at all.
    None,
    /// Hardly.
    Minimal,
    /// A little.
    Low,
    /// As usual.
    Medium,
    /// Much.
    High,
    /// Very much.
    XHigh,
    /// As much as can be.
    Max,
}

/// An answer in one piece.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The provider's name for it; `""` where it has none.
    pub id: Cow<'a, str>,
    /// The model that answered, in the provider's words; `""` where it does not say.
    pub model: Cow<'a, str>,
    /// What it says, in order.
    pub parts: Vec<Part<'a>>,
    /// Why it ended.
    pub finish: Finish,
    /// The text at which it ended, where the provider says so.
    pub stop_sequence: Option<Cow<'a, str>>,
    /// What it took.
    pub usage: Option<Usage>,
}

/// Why an answer ended. That tools are called is decided by the calls in it, not by the provider's word: some say `stop`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Finish {
    /// Everything was said.
    #[default]
    Stop,
    /// A text of [`Turn::stop`] was met.
    StopSequence,
    /// The tokens were used up.
    Length,
    /// Tools are to be called.
    ToolCalls,
    /// The provider, or the model, declines.
    ContentFilter,
    /// The model failed: what was said is not an answer.
    Failed,
}

/// Tokens that an answer took. Parts never exceed their whole: readers saturate.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    /// Of the request, those of the cache included.
    pub input: u64,
    /// Of those: read from the provider's cache.
    pub cache_read: u64,
    /// Of those: written into the provider's cache.
    pub cache_write: u64,
    /// Of the answer, thinking included.
    pub output: u64,
    /// Of those: thinking.
    pub reasoning: u64,
}

impl Usage {
    /// With parts that do not exceed their whole, whatever the provider said.
    #[must_use]
    pub fn saturated(self) -> Self {
        let cache_read = self.cache_read.min(self.input);
        Self {
            cache_read,
            cache_write: self.cache_write.min(self.input - cache_read),
            reasoning: self.reasoning.min(self.output),
            ..self
        }
    }

    /// Of the request and the answer.
    pub const fn total(self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

/// One thing that a stream says. Tools are numbered from 0 in the order in which their calls begin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event<'a> {
    /// The answer begins. Comes first; again if a provider names its answer later only.
    Start {
        /// The provider's name for it; `""` where it has none.
        id: &'a str,
        /// The model that answers; `""` where the provider does not say.
        model: &'a str,
    },
    /// More words.
    Text(&'a str),
    /// More words with which the model declines.
    Refusal(&'a str),
    /// More thoughts.
    Reasoning(&'a str),
    /// The proof of the thoughts so far.
    Signature(&'a str),
    /// Thoughts that the provider withholds, under a seal.
    Redacted(&'a str),
    /// A call of a tool begins. `id` may be `""`.
    ToolCall {
        /// Its number.
        at: u32,
        /// Its name among the calls.
        id: &'a str,
        /// The tool's.
        name: &'a str,
        /// A proof of the thinking that led to it.
        signature: Option<&'a str>,
    },
    /// More of the arguments of a call that has begun: a piece of JSON text.
    ToolArguments {
        /// Its number.
        at: u32,
        /// The piece.
        text: &'a str,
    },
    /// Why the answer ended. Once; usage may follow.
    Finish {
        /// Why.
        finish: Finish,
        /// The text at which it ended, where the provider says so.
        stop_sequence: Option<&'a str>,
    },
    /// What the answer took so far; the last one counts.
    Usage(Usage),
    /// Nothing follows: the provider's own mark of a complete stream.
    End,
    /// The provider reports an error. Nothing that follows counts.
    Error,
}

impl<'a> Text<'a> {
    /// Words, and no mark.
    pub fn new(text: impl Into<Cow<'a, str>>) -> Self {
        Self {
            text: text.into(),
            cache: false,
        }
    }
}

impl<'a> Part<'a> {
    /// Words, unless there are none.
    pub fn text(text: &'a str) -> Option<Self> {
        (!text.is_empty()).then(|| Self::Text(Text::new(text)))
    }
}

impl<'a> Schema<'a> {
    /// For formats that take nothing but the schema itself: the name and the description go into it, as its `title` and
    /// `description`, unless it has others of its own. Such formats hold every answer to it, whatever `strict` says.
    pub fn labels(&self, losses: &mut Losses) -> Labels<'a> {
        let mut label = |given: Option<&'a str>, key: &str, field: &'static str| {
            let given = given.filter(|text| !text.is_empty())?;
            if self.schema.is_object() && self.schema.get(key).is_none() {
                return Some(given);
            }
            losses.add_if(self.schema.text(key) != Some(given), field);
            None
        };
        Labels {
            title: label(self.name, "title", "response_format.json_schema.name"),
            description: label(
                self.description,
                "description",
                "response_format.json_schema.description",
            ),
        }
    }
}

impl Labels<'_> {
    /// Writes them, as members of a schema.
    pub fn write(self, out: &mut Writer<'_>) {
        for (key, text) in [("title", self.title), ("description", self.description)] {
            if let Some(text) = text {
                out.key(key).string(text);
            }
        }
    }
}

impl Arguments<'_> {
    /// Writes them as formats want them that keep arguments as text: a string.
    pub fn write_text(&self, out: &mut Writer<'_>) {
        match self {
            Self::Text(text) if text.is_empty() => out.string("{}"),
            Self::Text(text) => out.string(text),
            Self::Object(object) => out.string_of(|text| object.write(text)),
        }
    }

    /// Writes them as formats want them that keep arguments as an object. `call` is a path for the error.
    ///
    /// # Errors
    /// They are no whole object: the model was cut off while it wrote them.
    pub fn write_object(
        &self,
        call: &dyn Fn() -> String,
        out: &mut Writer<'_>,
    ) -> Result<(), Unsupported> {
        match self {
            Self::Object(object) => out.node(*object),
            Self::Text(text) if text.trim_ascii().is_empty() => out.object(|_| ()),
            Self::Text(text) => {
                let mut copy = text.as_bytes().to_vec();
                let tree = Tree::parse(&mut copy).ok();
                match tree.as_ref().map(Tree::root) {
                    Some(root) if root.is_object() => out.node(root),
                    _ => {
                        return Err(Unsupported::new(
                            call(),
                            "holds arguments that are no JSON object: the call was cut off, and the provider refuses it",
                        ));
                    }
                }
            }
        }
        Ok(())
    }
}

impl Effort {
    /// The word, as most formats have it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// By its word.
    pub fn of(word: &str) -> Option<Self> {
        const ALL: [Effort; 7] = [
            Effort::None,
            Effort::Minimal,
            Effort::Low,
            Effort::Medium,
            Effort::High,
            Effort::XHigh,
            Effort::Max,
        ];
        ALL.into_iter().find(|effort| effort.word() == word)
    }

    /// The tokens that providers which count understand by it; `None`: no thinking.
    pub const fn budget(self) -> Option<u64> {
        match self {
            Self::None => None,
            Self::Minimal | Self::Low => Some(1_024),
            Self::Medium => Some(4_096),
            Self::High => Some(12_288),
            Self::XHigh => Some(24_576),
            Self::Max => Some(32_768),
        }
    }

    /// What a number of tokens amounts to.
    pub const fn of_budget(budget: u64) -> Self {
        match budget {
            0 => Self::None,
            1..=2_048 => Self::Low,
            2_049..=8_192 => Self::Medium,
            8_193..=16_384 => Self::High,
            16_385..=28_672 => Self::XHigh,
            _ => Self::Max,
        }
    }
}
