//! Requests of every client's format said for every provider: whole ones that a person can read (`golden`), and what
//! becomes of each feature (`coverage`), which is the table of docs/dialects.md, that nothing is lost without a word
//! (`silent`), that the bugs of others have their tests (`known`), and what becomes of bad input (`bad`).

mod bad;
mod coverage;
mod documented;
mod features;
mod golden;
mod known;
mod layout;
mod silent;

use switchover::dialect::codec::Destination;
use switchover::dialect::format::Format;
use switchover::dialect::translation::{self, Untold};
use switchover::policy::model::ProviderKind;

/// A provider that requests are said for.
struct Target {
    /// Its kind, as a policy has it.
    name: &'static str,
    kind: ProviderKind,
    model: &'static str,
}

const fn target(name: &'static str, kind: ProviderKind, model: &'static str) -> Target {
    Target { name, kind, model }
}

/// One for each way in which providers are asked.
const TARGETS: [Target; 10] = [
    target("openai", ProviderKind::OpenAi, "gpt-4.1"),
    target("azure_openai", ProviderKind::AzureOpenAi, "gpt-5-mini"),
    target("mistral", ProviderKind::Mistral, "mistral-medium-latest"),
    target("deepseek", ProviderKind::DeepSeek, "deepseek-chat"),
    target("openrouter", ProviderKind::OpenRouter, "qwen/qwen3-235b"),
    target("anthropic", ProviderKind::Anthropic, "claude-sonnet-4-5"),
    target("gemini", ProviderKind::Gemini, "gemini-3-pro-preview"),
    target("vertex", ProviderKind::Vertex, "gemini-2.5-flash"),
    target(
        "bedrock",
        ProviderKind::Bedrock,
        "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
    ),
    target("cohere", ProviderKind::Cohere, "command-a-plus-05-2026"),
];

/// Providers beside [`TARGETS`]: kinds and models that take less, or something else.
const MORE: [Target; 14] = [
    target("openai-thinking", ProviderKind::OpenAi, "gpt-5.2"),
    target("groq", ProviderKind::Groq, "llama-3.3-70b-versatile"),
    target("xai", ProviderKind::Xai, "grok-4"),
    target("together", ProviderKind::Together, "moonshotai/Kimi-K2"),
    target(
        "fireworks",
        ProviderKind::Fireworks,
        "accounts/fireworks/models/kimi-k2",
    ),
    target("perplexity", ProviderKind::Perplexity, "sonar"),
    target("cerebras", ProviderKind::Cerebras, "gpt-oss-120b"),
    target("ollama", ProviderKind::Ollama, "qwen3"),
    target("vllm", ProviderKind::Vllm, "m"),
    target("openai_compatible", ProviderKind::OpenAiCompatible, "m"),
    target(
        "anthropic-newer",
        ProviderKind::Anthropic,
        "claude-opus-4-8",
    ),
    target("gemini-older", ProviderKind::Gemini, "gemini-2.0-flash"),
    target(
        "bedrock-nova",
        ProviderKind::Bedrock,
        "us.amazon.nova-lite-v1:0",
    ),
    target(
        "bedrock-llama",
        ProviderKind::Bedrock,
        "meta.llama3-3-70b-instruct-v1:0",
    ),
];

/// The formats that clients speak.
const CLIENTS: [Format; 4] = [
    Format::Chat,
    Format::Responses,
    Format::Messages,
    Format::Gemini,
];

/// What became of a request.
enum Said {
    /// The provider's body, and what was dropped on the way.
    Whole { body: Vec<u8>, dropped: Vec<String> },
    /// The client is told why not.
    Refused { field: String, why: String },
}

impl Target {
    /// Whether a client's bytes pass as they are.
    fn passes(&self, client: Format) -> bool {
        self.format(client) == client
    }

    /// What the provider is asked in.
    fn format(&self, client: Format) -> Format {
        Format::of_provider(self.kind, client)
    }

    fn said(&self, client: Format, request: &[u8]) -> Said {
        let to = Destination {
            kind: self.kind,
            model: self.model,
            max_output: None,
        };
        let format = self.format(client);
        let mut body = Vec::new();
        let mut request = request.to_vec();
        match translation::request(&mut request, client, &to, format, false, &mut body) {
            Ok(said) => Said::Whole {
                body,
                dropped: said.dropped.iter().map(str::to_owned).collect(),
            },
            Err(Untold::Unsupported(unsupported)) => Said::Refused {
                field: unsupported.field.into_owned(),
                why: unsupported.why.into_owned(),
            },
            Err(Untold::Json(bad)) => panic!("the request is no JSON: {bad}"),
        }
    }
}
