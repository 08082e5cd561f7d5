//! What a whole answer and a chunk of a stream have in common: why it ended and what it took, read and written.

use crate::dialect::turn::{Arguments, Finish, Usage};
use crate::wire::json::{Node, Writer};

use super::field;

/// What stands on the first call of an answer that another provider gave: a client sends it back, and Gemini 3 refuses
/// calls without it. In base64, as SDKs decode the field; a request says the word itself, which Google's documents ask
/// for and which is base64url as it stands.
pub(super) const SIGNATURE_OF_NONE: &str = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=";

/// What has been said so far, as far as it decides why an answer ended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    /// Words of the answer.
    pub(super) words: bool,
    /// Calls.
    pub(super) calls: bool,
}

/// Why an answer ended, by its word and by what was said.
pub(super) fn finish_of(word: &str, said: Said) -> Finish {
    match word {
        "STOP" if said.calls => Finish::ToolCalls,
        "STOP" => Finish::Stop,
        "MAX_TOKENS" => Finish::Length,
        _ if is_filter(word) => Finish::ContentFilter,
        // Words without a meaning of their own; new ones too.
        _ if !is_failure(word) && said.calls => Finish::ToolCalls,
        _ if !is_failure(word) && said.words => Finish::Stop,
        _ => Finish::Failed,
    }
}

/// The provider declines.
pub(super) fn is_filter(word: &str) -> bool {
    matches!(
        word,
        "SAFETY"
            | "RECITATION"
            | "LANGUAGE"
            | "BLOCKLIST"
            | "PROHIBITED_CONTENT"
            | "SPII"
            | "IMAGE_SAFETY"
            | "IMAGE_PROHIBITED_CONTENT"
            | "IMAGE_RECITATION"
            | "MODEL_ARMOR"
            | "JAILBREAK"
    )
}

/// What was said is not an answer.
pub(super) fn is_failure(word: &str) -> bool {
    matches!(
        word,
        "MALFORMED_FUNCTION_CALL"
            | "UNEXPECTED_TOOL_CALL"
            | "TOO_MANY_TOOL_CALLS"
            | "MISSING_THOUGHT_SIGNATURE"
            | "MALFORMED_RESPONSE"
            | "NO_IMAGE"
            | "IMAGE_OTHER"
    )
}

/// The word for it.
pub(super) const fn word_of(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::StopSequence | Finish::ToolCalls => "STOP",
        Finish::Length => "MAX_TOKENS",
        Finish::ContentFilter => "SAFETY",
        Finish::Failed => "OTHER",
    }
}

/// What it took, where the member says so: the first chunks of Vertex AI say nothing but the kind of traffic.
pub(super) fn usage(object: Node<'_>) -> Option<Usage> {
    usage_of(field::member(object, "usageMetadata")?)
}

/// What a `usageMetadata` says, if it counts anything.
pub fn usage_of(counts: Node<'_>) -> Option<Usage> {
    field::member(counts, "promptTokenCount")
        .or_else(|| field::member(counts, "candidatesTokenCount"))?;
    let count = |name| field::count(counts, name);
    let reasoning = count("thoughtsTokenCount");
    let usage = Usage {
        input: count("promptTokenCount").saturating_add(count("toolUsePromptTokenCount")),
        cache_read: count("cachedContentTokenCount"),
        cache_write: 0,
        output: count("candidatesTokenCount").saturating_add(reasoning),
        reasoning,
    };
    Some(usage.saturated())
}

/// Writes `usageMetadata`.
pub(super) fn write_usage(usage: &Usage, out: &mut Writer<'_>) {
    out.key("usageMetadata").object(|out| {
        out.key("promptTokenCount").number(usage.input);
        if usage.cache_read > 0 {
            out.key("cachedContentTokenCount").number(usage.cache_read);
        }
        out.key("candidatesTokenCount")
            .number(usage.output.saturating_sub(usage.reasoning));
        if usage.reasoning > 0 {
            out.key("thoughtsTokenCount").number(usage.reasoning);
        }
        out.key("totalTokenCount").number(usage.total());
    });
}

/// Writes a part with words.
pub(super) fn write_text(text: &str, out: &mut Writer<'_>) {
    out.object(|out| out.key("text").string(text));
}

/// Writes a part with thoughts.
pub(super) fn write_thought(text: &str, out: &mut Writer<'_>) {
    out.object(|out| {
        out.key("text").string(text);
        out.key("thought").bool(true);
    });
}

/// Writes a part with a call; `args` is an object, as JSON.
pub(super) fn write_call(id: &str, name: &str, args: &[u8], is_first: bool, out: &mut Writer<'_>) {
    out.object(|out| {
        out.key("functionCall").object(|out| {
            out.key("id").string(id);
            out.key("name").string(name);
            out.key("args").raw(args);
        });
        if is_first {
            out.key("thoughtSignature").string(SIGNATURE_OF_NONE);
        }
    });
}

/// Writes the members of an answer or chunk around its parts.
pub(super) fn write_envelope(
    id: &str,
    model: &str,
    finish: Option<&str>,
    usage: Option<&Usage>,
    parts: impl FnOnce(&mut Writer<'_>),
    out: &mut Writer<'_>,
) {
    out.object(|out| {
        out.key("candidates").array(|out| {
            out.object(|out| {
                out.key("content").object(|out| {
                    out.key("parts").array(parts);
                    out.key("role").string("model");
                });
                if let Some(word) = finish {
                    out.key("finishReason").string(word);
                }
                out.key("index").number(0);
            });
        });
        if let Some(usage) = usage {
            write_usage(usage, out);
        }
        out.key("modelVersion").string(model);
        out.key("responseId").string(id);
    });
}

/// The arguments of a call as an object, in JSON; `None` if they are not one.
pub(super) fn object_of(arguments: &Arguments<'_>) -> Option<Vec<u8>> {
    let mut object = Vec::new();
    let mut out = Writer::new(&mut object);
    arguments.write_object(&String::new, &mut out).ok()?;
    Some(object)
}
