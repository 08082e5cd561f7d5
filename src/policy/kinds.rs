//! The kinds of provider and what each brings along: address, credential style, the conventional variable. From the
//! providers' own API references, October 2026. Which wire format a kind speaks is `dialect`'s to know.

use crate::policy::model::{AuthStyle, ProviderKind};

/// One kind of provider.
#[derive(Debug)]
pub(in crate::policy) struct KindRow {
    /// As it is written.
    pub(in crate::policy) word: &'static str,
    /// What it is.
    pub(in crate::policy) kind: ProviderKind,
    /// Where it answers; `None` where every customer has an own address.
    pub(in crate::policy) base_url: Option<&'static str>,
    /// What an address without a path gets.
    pub(in crate::policy) path: &'static str,
    /// How its key is written on the wire.
    pub(in crate::policy) style: AuthStyle,
    /// The variable that its own SDK reads; `None`: no key unless the policy names one.
    pub(in crate::policy) env: Option<&'static str>,
}

const fn bearer(
    word: &'static str,
    kind: ProviderKind,
    base_url: &'static str,
    path: &'static str,
    env: &'static str,
) -> KindRow {
    KindRow {
        word,
        kind,
        base_url: Some(base_url),
        path,
        style: AuthStyle::Bearer,
        env: Some(env),
    }
}

/// A server of one's own: plain http on this machine, no key.
const fn local(word: &'static str, kind: ProviderKind, base_url: Option<&'static str>) -> KindRow {
    KindRow {
        word,
        kind,
        base_url,
        path: "/v1",
        style: AuthStyle::Bearer,
        env: None,
    }
}

/// Every kind.
pub(in crate::policy) const KINDS: [KindRow; 20] = [
    bearer(
        "openai",
        ProviderKind::OpenAi,
        "https://api.openai.com/v1",
        "/v1",
        "OPENAI_API_KEY",
    ),
    KindRow {
        word: "azure_openai",
        kind: ProviderKind::AzureOpenAi,
        base_url: None,
        path: "",
        style: AuthStyle::ApiKey,
        env: Some("AZURE_OPENAI_API_KEY"),
    },
    KindRow {
        word: "anthropic",
        kind: ProviderKind::Anthropic,
        base_url: Some("https://api.anthropic.com/v1"),
        path: "/v1",
        style: AuthStyle::XApiKey,
        env: Some("ANTHROPIC_API_KEY"),
    },
    KindRow {
        word: "gemini",
        kind: ProviderKind::Gemini,
        base_url: Some("https://generativelanguage.googleapis.com/v1beta"),
        path: "/v1beta",
        style: AuthStyle::XGoogApiKey,
        env: Some("GEMINI_API_KEY"),
    },
    // Its address names project and location: `https://{location}-aiplatform.googleapis.com/v1/projects/{project}/
    // locations/{location}/publishers/google`. Its key is a token that others refresh in a file.
    KindRow {
        word: "vertex",
        kind: ProviderKind::Vertex,
        base_url: None,
        path: "",
        style: AuthStyle::Bearer,
        env: None,
    },
    // Its address names the region: `https://bedrock-runtime.{region}.amazonaws.com`.
    KindRow {
        word: "bedrock",
        kind: ProviderKind::Bedrock,
        base_url: None,
        path: "",
        style: AuthStyle::Bearer,
        env: Some("AWS_BEARER_TOKEN_BEDROCK"),
    },
    bearer(
        "mistral",
        ProviderKind::Mistral,
        "https://api.mistral.ai/v1",
        "/v1",
        "MISTRAL_API_KEY",
    ),
    bearer(
        "cohere",
        ProviderKind::Cohere,
        "https://api.cohere.com/v2",
        "/v2",
        "CO_API_KEY",
    ),
    bearer(
        "groq",
        ProviderKind::Groq,
        "https://api.groq.com/openai/v1",
        "/openai/v1",
        "GROQ_API_KEY",
    ),
    bearer(
        "xai",
        ProviderKind::Xai,
        "https://api.x.ai/v1",
        "/v1",
        "XAI_API_KEY",
    ),
    bearer(
        "deepseek",
        ProviderKind::DeepSeek,
        "https://api.deepseek.com",
        "",
        "DEEPSEEK_API_KEY",
    ),
    bearer(
        "openrouter",
        ProviderKind::OpenRouter,
        "https://openrouter.ai/api/v1",
        "/api/v1",
        "OPENROUTER_API_KEY",
    ),
    bearer(
        "together",
        ProviderKind::Together,
        "https://api.together.xyz/v1",
        "/v1",
        "TOGETHER_API_KEY",
    ),
    bearer(
        "fireworks",
        ProviderKind::Fireworks,
        "https://api.fireworks.ai/inference/v1",
        "/inference/v1",
        "FIREWORKS_API_KEY",
    ),
    bearer(
        "perplexity",
        ProviderKind::Perplexity,
        "https://api.perplexity.ai",
        "",
        "PERPLEXITY_API_KEY",
    ),
    bearer(
        "cerebras",
        ProviderKind::Cerebras,
        "https://api.cerebras.ai/v1",
        "/v1",
        "CEREBRAS_API_KEY",
    ),
    local(
        "ollama",
        ProviderKind::Ollama,
        Some("http://127.0.0.1:11434/v1"),
    ),
    local("vllm", ProviderKind::Vllm, Some("http://127.0.0.1:8000/v1")),
    local("openai_compatible", ProviderKind::OpenAiCompatible, None),
    // The runtime puts the real port in once its own server listens.
    local(
        "simulated",
        ProviderKind::Simulated,
        Some("http://127.0.0.1:80/v1"),
    ),
];

/// The words of [`KINDS`], for the schema.
pub(in crate::policy) const WORDS: [&str; KINDS.len()] = [
    "openai",
    "azure_openai",
    "anthropic",
    "gemini",
    "vertex",
    "bedrock",
    "mistral",
    "cohere",
    "groq",
    "xai",
    "deepseek",
    "openrouter",
    "together",
    "fireworks",
    "perplexity",
    "cerebras",
    "ollama",
    "vllm",
    "openai_compatible",
    "simulated",
];

/// The kind that `word` names.
pub(in crate::policy) fn by_word(word: &str) -> Option<&'static KindRow> {
    KINDS.iter().find(|row| row.word == word)
}

#[cfg(test)]
mod tests {
    use super::{KINDS, WORDS};

    #[test]
    fn the_two_tables_agree() {
        assert!(KINDS.iter().map(|row| row.word).eq(WORDS));
    }
}
