//! What a client asks for, from method and path alone. Independent of providers and policies.

/// What is asked of a provider.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Operation {
    /// `/chat/completions`
    Chat,
    /// `/embeddings`
    Embeddings,
}

impl Operation {
    /// The path at which a client asks for it.
    pub const fn client_path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Embeddings => "/v1/embeddings",
        }
    }
}

/// What a client's request line names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClientRoute<'a> {
    /// `POST /v1/chat/completions`
    Chat,
    /// `POST /v1/embeddings`
    Embeddings,
    /// `GET /v1/models`
    Models,
    /// `GET /v1/models/{id}`: the id as it stands in the path, slashes and percent signs included; see [`is_model`].
    Model(&'a str),
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
        "/v1/chat/completions" => (ClientRoute::Chat, "POST"),
        "/v1/embeddings" => (ClientRoute::Embeddings, "POST"),
        "/v1/models" => (ClientRoute::Models, "GET"),
        _ => match path.strip_prefix("/v1/models/") {
            Some(id) if !id.is_empty() => (ClientRoute::Model(id), "GET"),
            _ => return ClientRoute::Unknown { hint: hint(path) },
        },
    };
    if method == allow {
        asked
    } else {
        ClientRoute::MethodNotAllowed { allow }
    }
}

/// The mistakes that base addresses make.
fn hint(path: &str) -> &'static str {
    const SERVED: &str = "nothing is served at this path; served are `POST /v1/chat/completions`, \
                          `POST /v1/embeddings` and `GET /v1/models`";
    let is_served = |path: &str| matches!(path, "/chat/completions" | "/embeddings" | "/models");
    let without_v1 = path.strip_prefix("/v1").unwrap_or(path);
    if path.starts_with("/v1/v1/") {
        "the path has `/v1` twice: end the base address in `/v1` once, or leave it out"
    } else if without_v1 != path && without_v1.strip_suffix('/').is_some_and(is_served) {
        "the path ends in a slash: leave the last `/` out"
    } else if path.contains("//") {
        "the path has a double slash: leave the last `/` of the base address out"
    } else if is_served(path) {
        "the path lacks `/v1`: the base address must end in `/v1`"
    } else if without_v1.starts_with("/responses") || without_v1.starts_with("/messages") {
        "this gateway speaks the Chat Completions format: use `POST /v1/chat/completions`"
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
    let mut rest = id.as_bytes();
    for &expected in name.as_bytes() {
        let (byte, after) = match rest {
            [b'%', high, low, after @ ..] => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, after),
                _ => return id == name,
            },
            [byte, after @ ..] => (*byte, after),
            [] => return false,
        };
        if byte != expected {
            return id == name;
        }
        rest = after;
    }
    rest.is_empty()
}

fn hex(digit: u8) -> Option<u8> {
    u8::try_from(char::from(digit).to_digit(16)?).ok()
}

#[cfg(test)]
mod tests {
    use super::{ClientRoute, client_route, is_model};

    #[test]
    fn paths_that_are_served() {
        for (method, path, route) in [
            ("POST", "/v1/chat/completions", ClientRoute::Chat),
            ("POST", "/v1/embeddings", ClientRoute::Embeddings),
            ("GET", "/v1/models", ClientRoute::Models),
            ("GET", "/v1/models/gpt-5", ClientRoute::Model("gpt-5")),
            (
                "GET",
                "/v1/models/meta-llama/Llama-3",
                ClientRoute::Model("meta-llama/Llama-3"),
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
            ("/v1/responses", "Chat Completions format"),
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
