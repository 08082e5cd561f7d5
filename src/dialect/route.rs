//! What a client asks for, from method and path alone. Independent of providers and policies.

use std::borrow::Cow;

use crate::dialect::format::Format;
use crate::wire::percent;

/// What is asked of a provider.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Operation {
    /// The next turn of a conversation, asked for in this format.
    Generate(Format),
    /// `/embeddings`, in OpenAI's form.
    Embeddings,
    /// How many tokens a request in Anthropic's form has.
    CountTokens,
}

impl Operation {
    /// Each of them, by the path at which clients ask for it.
    pub const ALL: [Self; 6] = [
        Self::Generate(Format::Chat),
        Self::Generate(Format::Responses),
        Self::Generate(Format::Messages),
        Self::Generate(Format::Gemini),
        Self::Embeddings,
        Self::CountTokens,
    ];

    /// The format that the client speaks.
    pub const fn format(self) -> Format {
        match self {
            Self::Generate(format) => format,
            Self::Embeddings => Format::Chat,
            Self::CountTokens => Format::Messages,
        }
    }

    /// The path at which a client asks for it; without the model, where that is in the path.
    pub const fn client_path(self) -> &'static str {
        match self {
            Self::Generate(Format::Responses) => "/v1/responses",
            Self::Generate(Format::Messages) => "/v1/messages",
            Self::Generate(Format::Gemini) => "/v1beta/models",
            Self::Generate(Format::Chat | Format::Converse | Format::Cohere) => {
                "/v1/chat/completions"
            }
            Self::Embeddings => "/v1/embeddings",
            Self::CountTokens => "/v1/messages/count_tokens",
        }
    }
}

/// What a client's request line names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ClientRoute<'a> {
    /// `POST` to [`Operation::client_path`]
    Ask(Operation),
    /// `POST /v1beta/models/{model}:generateContent` and `:streamGenerateContent`, or the same below `/v1`: the model is not
    /// in the body.
    Gemini {
        /// The model, decoded.
        model: Cow<'a, str>,
        /// The answer is to come as it is made.
        stream: bool,
    },
    /// `GET /v1/models`, and Gemini's `GET /v1beta/models`
    Models(Format),
    /// `GET /v1/models/{id}` and its counterpart: the id as it stands in the path, slashes and percent signs included; see
    /// [`is_model`].
    Model(Format, &'a str),
    /// The path is served, with this method.
    MethodNotAllowed {
        /// The value of the `allow` field.
        allow: &'static str,
    },
    /// Nothing is served here.
    Unknown {
        /// A sentence for the client.
        hint: &'static str,
    },
}

/// Reads a request line: the method, and the path without its query.
pub fn client_route<'a>(method: &str, path: &'a str) -> ClientRoute<'a> {
    let (asked, allow) = match path {
        "/v1/chat/completions" => (ask(Format::Chat), "POST"),
        "/v1/messages" => (ask(Format::Messages), "POST"),
        "/v1/responses" => (ask(Format::Responses), "POST"),
        "/v1/embeddings" => (ClientRoute::Ask(Operation::Embeddings), "POST"),
        "/v1/messages/count_tokens" => (ClientRoute::Ask(Operation::CountTokens), "POST"),
        "/v1/models" => (ClientRoute::Models(Format::Chat), "GET"),
        "/v1beta/models" => (ClientRoute::Models(Format::Gemini), "GET"),
        _ => match below_models(path) {
            Some(found) => found,
            None => return ClientRoute::Unknown { hint: hint(path) },
        },
    };
    if method == allow {
        asked
    } else {
        ClientRoute::MethodNotAllowed { allow }
    }
}

const fn ask(format: Format) -> ClientRoute<'static> {
    ClientRoute::Ask(Operation::Generate(format))
}

/// A model, and what is asked of it.
fn below_models(path: &str) -> Option<(ClientRoute<'_>, &'static str)> {
    let (format, id) = match path.strip_prefix("/v1/models/") {
        Some(id) => (Format::Chat, id),
        None => (Format::Gemini, path.strip_prefix("/v1beta/models/")?),
    };
    if id.is_empty() {
        return None;
    }
    // A model's name may have a colon, an action's has none.
    let stream = match id.rsplit_once(':').map(|(_, action)| action) {
        Some("generateContent") => false,
        Some("streamGenerateContent") => true,
        _ => return Some((ClientRoute::Model(format, id), "GET")),
    };
    let model = id.rsplit_once(':').map_or(id, |(model, _)| model);
    let model = percent::decode(model);
    Some((ClientRoute::Gemini { model, stream }, "POST"))
}

/// The mistakes that base addresses make.
fn hint(path: &str) -> &'static str {
    const SERVED: &str = "nothing is served at this path; served are `POST /v1/chat/completions`, `/v1/responses`, \
                          `/v1/messages`, `/v1/embeddings`, `/v1beta/models/{model}:generateContent` and \
                          `GET /v1/models`";
    let is_served = |path: &str| {
        matches!(
            path,
            "/chat/completions" | "/embeddings" | "/models" | "/responses" | "/messages"
        )
    };
    let without_v1 = path.strip_prefix("/v1").unwrap_or(path);
    if path.starts_with("/v1/v1/") {
        "the path has `/v1` twice: end the base address in `/v1` once, or leave it out"
    } else if without_v1 != path && without_v1.strip_suffix('/').is_some_and(is_served) {
        "the path ends in a slash: leave the last `/` out"
    } else if path.contains("//") {
        "the path has a double slash: leave the last `/` of the base address out"
    } else if is_served(path) {
        "the path lacks `/v1`: the base address must end in `/v1`"
    } else if without_v1.starts_with("/responses/") {
        "answers are not stored: send the whole conversation with `POST /v1/responses`"
    } else if without_v1.starts_with("/completions") {
        "legacy completions are not served: use `POST /v1/chat/completions`"
    } else if path.starts_with("/openai/") {
        "Azure's paths are not served: use `POST /v1/chat/completions` with the model in the body"
    } else {
        SERVED
    }
}

/// Whether the id of a path names the model: as it stands, or percent-decoded, as SDKs encode slashes and colons.
pub fn is_model(id: &str, name: &str) -> bool {
    id == name || percent::decode(id) == name
}

#[cfg(test)]
mod tests {
    use super::{ClientRoute, Operation, ask, client_route, is_model};
    use crate::dialect::format::Format;

    #[test]
    fn paths_that_are_served() {
        for (method, path, route) in [
            ("POST", "/v1/chat/completions", ask(Format::Chat)),
            ("POST", "/v1/messages", ask(Format::Messages)),
            ("POST", "/v1/responses", ask(Format::Responses)),
            (
                "POST",
                "/v1/messages/count_tokens",
                ClientRoute::Ask(Operation::CountTokens),
            ),
            (
                "POST",
                "/v1beta/models/gemini-2.5-pro:streamGenerateContent",
                ClientRoute::Gemini {
                    model: "gemini-2.5-pro".into(),
                    stream: true,
                },
            ),
            (
                "POST",
                "/v1/models/org%2Fmodel:8b:generateContent",
                ClientRoute::Gemini {
                    model: "org/model:8b".into(),
                    stream: false,
                },
            ),
            (
                "GET",
                "/v1beta/models/gemini-2.5-pro",
                ClientRoute::Model(Format::Gemini, "gemini-2.5-pro"),
            ),
            (
                "POST",
                "/v1/embeddings",
                ClientRoute::Ask(Operation::Embeddings),
            ),
            ("GET", "/v1/models", ClientRoute::Models(Format::Chat)),
            (
                "GET",
                "/v1/models/gpt-5",
                ClientRoute::Model(Format::Chat, "gpt-5"),
            ),
            (
                "GET",
                "/v1/models/meta-llama/Llama-3",
                ClientRoute::Model(Format::Chat, "meta-llama/Llama-3"),
            ),
            (
                "GET",
                "/v1/chat/completions",
                ClientRoute::MethodNotAllowed { allow: "POST" },
            ),
            (
                "OPTIONS",
                "/v1/models",
                ClientRoute::MethodNotAllowed { allow: "GET" },
            ),
            (
                "post",
                "/v1/embeddings",
                ClientRoute::MethodNotAllowed { allow: "POST" },
            ),
        ] {
            assert_eq!(client_route(method, path), route, "{method} {path}");
        }
    }

    #[test]
    fn paths_that_are_not_served_say_why() {
        for (path, word) in [
            ("/v1/v1/chat/completions", "twice"),
            ("/chat/completions", "lacks `/v1`"),
            ("/models", "lacks `/v1`"),
            ("/v1/chat/completions/", "ends in a slash"),
            ("/v1/models/", "ends in a slash"),
            ("//v1/chat/completions", "double slash"),
            ("/responses", "lacks `/v1`"),
            ("/v1/responses/resp_1", "not stored"),
            ("/v1beta/models/", "served are"),
            ("/v1/completions", "legacy"),
            ("/openai/deployments/x/chat/completions", "Azure"),
            ("/", "served are"),
            ("", "served are"),
            ("/v1", "served are"),
        ] {
            match client_route("POST", path) {
                ClientRoute::Unknown { hint } => assert!(hint.contains(word), "{path}: {hint}"),
                other => panic!("{path}: {other:?}"),
            }
        }
    }

    #[test]
    fn ids_may_be_encoded() {
        assert!(is_model("gpt-5", "gpt-5"));
        assert!(is_model("meta-llama%2FLlama-3", "meta-llama/Llama-3"));
        assert!(is_model("qwen3%3a8b", "qwen3:8b"));
        assert!(is_model("100%25", "100%"));
        assert!(is_model("100%", "100%"));
        assert!(!is_model("gpt-5", "gpt-5-mini"));
        assert!(!is_model("gpt-5-mini", "gpt-5"));
        assert!(!is_model("gpt%2", "gpt-"));
    }
}
