//! The formats, and which one a provider is asked in.

use crate::policy::model::ProviderKind;

/// A wire format of requests and answers.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Format {
    /// OpenAI Chat Completions: of clients, and of most providers.
    #[default]
    Chat,
    /// OpenAI Responses: of clients, OpenAI, Azure OpenAI and xAI.
    Responses,
    /// Anthropic Messages: of clients and Anthropic.
    Messages,
    /// Gemini `generateContent`: of clients, Gemini and Vertex AI.
    Gemini,
    /// Bedrock Converse: of Bedrock.
    Converse,
    /// Cohere v2 chat: of Cohere.
    Cohere,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Chat,
        Self::Responses,
        Self::Messages,
        Self::Gemini,
        Self::Converse,
        Self::Cohere,
    ];

    /// As it is written in logs, metrics and documents.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::Gemini => "gemini",
            Self::Converse => "converse",
            Self::Cohere => "cohere",
        }
    }

    /// What a provider is asked in for a client that speaks `client`: the same, where the provider knows it, so that bytes
    /// pass as they are; else the provider's own.
    pub const fn of_provider(kind: ProviderKind, client: Self) -> Self {
        let own = Self::own_of(kind);
        match (client, kind) {
            (
                Self::Responses,
                ProviderKind::OpenAi | ProviderKind::AzureOpenAi | ProviderKind::Xai,
            ) => Self::Responses,
            _ => own,
        }
    }

    /// The format in which everything that the provider can do may be asked for.
    pub const fn own_of(kind: ProviderKind) -> Self {
        match kind {
            ProviderKind::Anthropic => Self::Messages,
            ProviderKind::Gemini | ProviderKind::Vertex => Self::Gemini,
            ProviderKind::Bedrock => Self::Converse,
            ProviderKind::Cohere => Self::Cohere,
            ProviderKind::OpenAi
            | ProviderKind::AzureOpenAi
            | ProviderKind::Mistral
            | ProviderKind::Groq
            | ProviderKind::Xai
            | ProviderKind::DeepSeek
            | ProviderKind::OpenRouter
            | ProviderKind::Together
            | ProviderKind::Fireworks
            | ProviderKind::Perplexity
            | ProviderKind::Cerebras
            | ProviderKind::Ollama
            | ProviderKind::Vllm
            | ProviderKind::OpenAiCompatible
            | ProviderKind::Simulated => Self::Chat,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Format;
    use crate::policy::model::ProviderKind;

    #[test]
    fn providers_are_asked_in_the_clients_format_where_they_know_it() {
        for (kind, client, asked) in [
            (ProviderKind::OpenAi, Format::Chat, Format::Chat),
            (ProviderKind::OpenAi, Format::Responses, Format::Responses),
            (ProviderKind::OpenAi, Format::Messages, Format::Chat),
            (ProviderKind::Simulated, Format::Chat, Format::Chat),
            (ProviderKind::Vllm, Format::Chat, Format::Chat),
            (ProviderKind::Mistral, Format::Responses, Format::Chat),
            (ProviderKind::Anthropic, Format::Messages, Format::Messages),
            (ProviderKind::Anthropic, Format::Chat, Format::Messages),
            (ProviderKind::Vertex, Format::Gemini, Format::Gemini),
            (ProviderKind::Bedrock, Format::Chat, Format::Converse),
            (ProviderKind::Cohere, Format::Chat, Format::Cohere),
        ] {
            assert_eq!(
                Format::of_provider(kind, client),
                asked,
                "{kind:?} {client:?}"
            );
        }
    }
}
