//! Where the providers of the OpenAI format differ: one row each. What the policy can say itself — base address, how
//! the key is written — is not here.
//!
//! | provider | difference |
//! |---|---|
//! | Azure, with `api_version` | the model is a deployment in the path; the version is a query parameter |
//! | Azure, without | `/openai/v1`, otherwise like OpenAI |
//! | Azure, base path given and not ending in `/openai` | taken as complete: `/openai/v1`, `/models`, one deployment |
//! | Perplexity | streams end after the finish chunk, without `[DONE]` |
//! | Groq | no `[DONE]` after an error event (as with all: an error ends a stream) |
//! | `openai_compatible`, vLLM, llama.cpp | unknown servers: `[DONE]` is not insisted on |

use crate::dialect::Operation;
use crate::dialect::format::Format;
use crate::policy::model::{Endpoint, Provider, ProviderKind};
use crate::wire::percent;

/// How a stream that went well ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StreamEnd {
    /// With `[DONE]`: an end without it is a break-off, even after a finish reason.
    Done,
    /// With the end of the body after a finish reason; `[DONE]` may come.
    Finish,
}

/// Whether a model of OpenAI's thinks before it answers: it takes `reasoning_effort`, and refuses `temperature` and
/// `top_p` other than 1 (recorded refusals: `unsupported_value`, `unsupported_parameter`).
pub fn thinks(model: &str) -> bool {
    // A dated or fine-tuned name begins with the family's; brokers put the vendor before it.
    let name = model.rsplit('/').next().unwrap_or(model);
    let is_o = name
        .strip_prefix('o')
        .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    is_o || (name.starts_with("gpt-5") && !name.contains("-chat")) || name.starts_with("gpt-oss")
}

/// How the provider ends a stream.
pub const fn stream_end(kind: ProviderKind) -> StreamEnd {
    match kind {
        ProviderKind::Perplexity | ProviderKind::OpenAiCompatible | ProviderKind::Vllm => {
            StreamEnd::Finish
        }
        _ => StreamEnd::Done,
    }
}

/// Whether `model` in the body must be the provider's name for it. Azure's deployments are named by the path, and what
/// the body says does not matter.
pub fn model_in_body(provider: &Provider, endpoint: &Endpoint) -> bool {
    !matches!(azure_form(provider, endpoint), Some(AzureForm::Deployments))
}

/// Appends the request target — path and query — for `operation` with `model` at `endpoint`.
pub fn path(
    provider: &Provider,
    endpoint: &Endpoint,
    operation: Operation,
    model: &str,
    out: &mut Vec<u8>,
) {
    let base = endpoint.base_path.trim_end_matches('/');
    out.extend_from_slice(base.as_bytes());
    match azure_form(provider, endpoint) {
        None | Some(AzureForm::Plain) => {}
        Some(AzureForm::V1) => {
            if !base.ends_with("/openai") {
                out.extend_from_slice(b"/openai");
            }
            out.extend_from_slice(b"/v1");
        }
        Some(AzureForm::Deployments) => {
            if !base.ends_with("/openai") {
                out.extend_from_slice(b"/openai");
            }
            out.extend_from_slice(b"/deployments/");
            percent::encode(model, b"", out);
        }
    }
    out.extend_from_slice(match operation {
        Operation::Generate(Format::Responses) => b"/responses".as_slice(),
        Operation::Generate(_) | Operation::CountTokens => b"/chat/completions",
        Operation::Embeddings => b"/embeddings",
    });
    if provider.kind == ProviderKind::AzureOpenAi
        && let Some(version) = &provider.api_version
    {
        out.extend_from_slice(b"?api-version=");
        percent::encode(version, b"", out);
    }
}

/// The forms of Azure's paths.
enum AzureForm {
    /// `/openai/deployments/{model}/…`
    Deployments,
    /// `/openai/v1/…`, still to be written.
    V1,
    /// The base path has all of it: `/openai/v1`, a whole deployment, or `/models` of Azure AI inference.
    Plain,
}

fn azure_form(provider: &Provider, endpoint: &Endpoint) -> Option<AzureForm> {
    if provider.kind != ProviderKind::AzureOpenAi {
        return None;
    }
    let base = endpoint.base_path.trim_end_matches('/');
    Some(if !base.is_empty() && !base.ends_with("/openai") {
        AzureForm::Plain
    } else if provider.api_version.is_some() {
        AzureForm::Deployments
    } else {
        AzureForm::V1
    })
}

#[cfg(test)]
mod tests {
    use super::thinks;

    #[test]
    fn models_that_think() {
        for model in [
            "o1",
            "o3-mini",
            "o4-mini-2025-04-16",
            "gpt-5",
            "gpt-5.1-codex",
            "openai/gpt-5-mini",
            "gpt-oss-120b",
        ] {
            assert!(thinks(model), "{model}");
        }
        for model in [
            "gpt-4o",
            "gpt-4.1",
            "gpt-5-chat-latest",
            "ollama",
            "omni-moderation",
            "chatgpt-4o-latest",
        ] {
            assert!(!thinks(model), "{model}");
        }
    }
}
