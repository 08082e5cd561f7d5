//! Where the providers of this format differ in what they take: one row each. The policy's own words — address, key,
//! model — are not here.
//!
//! Sources: each provider's API reference (October 2026) and recorded refusals.

use crate::policy::model::ProviderKind;

/// What a provider takes of a request.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a row of a table: each member is taken or not, by itself"
)]
pub(super) struct Takes {
    /// The member that bounds the answer.
    pub(super) max_tokens: MaxTokens,
    /// The member for [`Turn::seed`](crate::dialect::turn::Turn::seed).
    pub(super) seed: &'static str,
    /// `stream_options.include_usage`; those that do not take it send usage anyway.
    pub(super) stream_options: bool,
    /// The word for [`ToolChoice::Required`](crate::dialect::turn::ToolChoice::Required); `""`: no choice is known.
    pub(super) required: &'static str,
    /// A single function may be demanded.
    pub(super) named_choice: bool,
    /// `top_k`.
    pub(super) top_k: bool,
    /// `presence_penalty` and `frequency_penalty`.
    pub(super) penalties: bool,
    /// `parallel_tool_calls`.
    pub(super) parallel: bool,
    /// `user`.
    pub(super) user: bool,
    /// How thinking is asked for.
    pub(super) thinking: ThinkingForm,
    /// How files are given, and recordings.
    pub(super) files: Files,
    /// `response_format` of type `json_object`.
    pub(super) json: bool,
    /// `response_format` of type `json_schema`.
    pub(super) schema: bool,
    /// `cache_control` on parts.
    pub(super) cache_marks: bool,
    /// `reasoning_content` beside calls, without which a model that thinks refuses them.
    pub(super) thoughts: bool,
}

/// How files are given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Files {
    /// Not at all.
    Never,
    /// Parts of type `file`, with data.
    OpenAi,
    /// Parts of type `document_url`; recordings are their data alone.
    Mistral,
}

/// The member that bounds the answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum MaxTokens {
    /// `max_completion_tokens`
    Completion,
    /// `max_tokens`
    Plain,
}

/// How thinking is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ThinkingForm {
    /// `reasoning_effort`, of models that think only.
    OpenAi,
    /// `reasoning_effort`, `none` to `high`.
    Effort,
    /// `reasoning_effort`, of gpt-oss and Qwen.
    Groq,
    /// `reasoning_effort`, by the model's version.
    Xai,
    /// `reasoning_effort` `none` or `high`.
    OnOff,
    /// `reasoning: {effort | max_tokens | enabled}`
    OpenRouter,
    /// `thinking: {type}`
    DeepSeek,
    /// Not at all.
    Never,
}

const USUAL: Takes = Takes {
    max_tokens: MaxTokens::Plain,
    seed: "seed",
    stream_options: true,
    required: "required",
    named_choice: true,
    top_k: false,
    penalties: true,
    parallel: true,
    user: true,
    thinking: ThinkingForm::Effort,
    files: Files::Never,
    json: true,
    schema: true,
    cache_marks: false,
    thoughts: false,
};

/// Whether a provider of this kind says what a stream takes when it is asked to, and only then.
pub const fn says_usage_if_asked(kind: ProviderKind) -> bool {
    takes(kind).stream_options
}

/// What a provider of this kind takes.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) const fn takes(kind: ProviderKind) -> Takes {
    match kind {
        ProviderKind::OpenAi | ProviderKind::AzureOpenAi => Takes {
            max_tokens: MaxTokens::Completion,
            thinking: ThinkingForm::OpenAi,
            files: Files::OpenAi,
            ..USUAL
        },
        ProviderKind::Mistral => Takes {
            seed: "random_seed",
            stream_options: false,
            required: "any",
            named_choice: false,
            user: false,
            files: Files::Mistral,
            thinking: ThinkingForm::OnOff,
            ..USUAL
        },
        ProviderKind::Groq => Takes {
            max_tokens: MaxTokens::Completion,
            penalties: false,
            thinking: ThinkingForm::Groq,
            ..USUAL
        },
        ProviderKind::Cerebras => Takes {
            max_tokens: MaxTokens::Completion,
            penalties: false,
            ..USUAL
        },
        ProviderKind::Xai => Takes {
            thinking: ThinkingForm::Xai,
            ..USUAL
        },
        ProviderKind::DeepSeek => Takes {
            thinking: ThinkingForm::DeepSeek,
            thoughts: true,
            parallel: false,
            user: false,
            seed: "",
            schema: false,
            ..USUAL
        },
        ProviderKind::OpenRouter => Takes {
            top_k: true,
            files: Files::OpenAi,
            thinking: ThinkingForm::OpenRouter,
            cache_marks: true,
            ..USUAL
        },
        ProviderKind::Perplexity => Takes {
            top_k: true,
            stream_options: false,
            parallel: false,
            user: false,
            seed: "",
            thinking: ThinkingForm::Never,
            json: false,
            ..USUAL
        },
        ProviderKind::Together | ProviderKind::Fireworks | ProviderKind::Vllm => Takes {
            top_k: true,
            ..USUAL
        },
        // It passes over what it does not know.
        ProviderKind::Ollama => Takes {
            required: "",
            parallel: false,
            user: false,
            ..USUAL
        },
        // Of a server that is not known the least is expected.
        _ => Takes {
            thinking: ThinkingForm::Effort,
            ..USUAL
        },
    }
}
