//! Paths and header fields, provider by provider.

use crate::dialect::Operation;
use crate::dialect::format::Format;
use crate::dialect::openai::{
    Passage, model_in_body, path, request_field_passage, response_field_passes,
};
use crate::policy::model::ProviderKind::{
    self, AzureOpenAi, DeepSeek, Fireworks, Groq, OpenAi, OpenRouter, Perplexity,
};
use crate::policy::model::{At, Auth, ClientTls, Endpoint, Provider};

fn provider(kind: ProviderKind, base_path: &str, api_version: Option<&str>) -> Provider {
    Provider {
        name: "p".into(),
        at: At::default(),
        kind,
        endpoints: vec![Endpoint {
            tls: true,
            host: "h".into(),
            port: 443,
            base_path: base_path.into(),
        }],
        auth: Auth::None,
        tls: ClientTls::default(),
        region: None,
        failure_domain: "p".into(),
        trains_on_data: false,
        count_streams: false,
        api_version: api_version.map(Into::into),
        max_inflight: None,
        queue: None,
        health: None,
        simulation: None,
        classify: Vec::new(),
        discover: None,
    }
}

const VERSION: Option<&str> = Some("2024-10-21");

/// Kind, base path, API version; the target for model `gpt/5 x`, and whether the body names the model.
const PATHS: &[(ProviderKind, &str, Option<&str>, &str, bool)] = &[
    (OpenAi, "/v1", None, "/v1/chat/completions", true),
    (OpenAi, "/v1/", None, "/v1/chat/completions", true),
    (OpenAi, "", None, "/chat/completions", true),
    (OpenAi, "/v1", VERSION, "/v1/chat/completions", true),
    (
        Groq,
        "/openai/v1",
        None,
        "/openai/v1/chat/completions",
        true,
    ),
    (
        OpenRouter,
        "/api/v1",
        None,
        "/api/v1/chat/completions",
        true,
    ),
    (
        Fireworks,
        "/inference/v1",
        None,
        "/inference/v1/chat/completions",
        true,
    ),
    (DeepSeek, "", None, "/chat/completions", true),
    (Perplexity, "", None, "/chat/completions", true),
    (
        AzureOpenAi,
        "",
        VERSION,
        "/openai/deployments/gpt%2F5%20x/chat/completions?api-version=2024-10-21",
        false,
    ),
    (
        AzureOpenAi,
        "/openai",
        VERSION,
        "/openai/deployments/gpt%2F5%20x/chat/completions?api-version=2024-10-21",
        false,
    ),
    (AzureOpenAi, "", None, "/openai/v1/chat/completions", true),
    (
        AzureOpenAi,
        "/openai",
        None,
        "/openai/v1/chat/completions",
        true,
    ),
    (
        AzureOpenAi,
        "/openai/v1",
        None,
        "/openai/v1/chat/completions",
        true,
    ),
    (
        AzureOpenAi,
        "/openai/v1",
        Some("preview"),
        "/openai/v1/chat/completions?api-version=preview",
        true,
    ),
    (
        AzureOpenAi,
        "/models",
        VERSION,
        "/models/chat/completions?api-version=2024-10-21",
        true,
    ),
    (
        AzureOpenAi,
        "/openai/deployments/d",
        VERSION,
        "/openai/deployments/d/chat/completions?api-version=2024-10-21",
        true,
    ),
];

#[test]
fn paths() {
    for &(kind, base, version, target, in_body) in PATHS {
        let provider = provider(kind, base, version);
        let endpoint = &provider.endpoints[0];
        let mut out = Vec::new();
        path(
            &provider,
            endpoint,
            Operation::Generate(Format::Chat),
            "gpt/5 x",
            &mut out,
        );
        assert_eq!(String::from_utf8(out).unwrap(), target);
        assert_eq!(model_in_body(&provider, endpoint), in_body, "{target}");
    }
    let provider = provider(OpenAi, "/v1", None);
    let mut out = Vec::new();
    path(
        &provider,
        &provider.endpoints[0],
        Operation::Embeddings,
        "m",
        &mut out,
    );
    assert_eq!(out, b"/v1/embeddings");
}

#[test]
fn request_fields() {
    let passes = |name: &str| request_field_passage(name.as_bytes()) == Passage::Passes;
    for name in [
        "Accept",
        "user-agent",
        "OpenAI-Beta",
        "idempotency-key",
        "traceparent",
        "TraceState",
    ] {
        assert!(passes(name), "{name}");
    }
    for name in [
        "authorization",
        "x-api-key",
        "api-key",
        "cookie",
        "proxy-authorization",
        "host",
        "content-length",
        "content-type",
        "transfer-encoding",
        "connection",
        "accept-encoding",
        "expect",
        "te",
        "upgrade",
        "forwarded",
        "x-forwarded-for",
        "openai-organization",
        "openai-project",
        "x-stainless-retry-count",
        "http-referer",
        "x-title",
        "x-grok-conv-id",
        "",
    ] {
        assert!(!passes(name), "{name}");
    }
    for name in [&b"HTTP-Referer"[..], b"X-Title"] {
        assert_eq!(request_field_passage(name), Passage::PassesTo(OpenRouter));
    }
}

#[test]
fn response_fields() {
    for name in [
        "Content-Type",
        "retry-after",
        "Retry-After-Ms",
        "x-ratelimit-limit-requests",
        "X-RateLimit-Reset",
        "x-ratelimit-limit-tok",
        "openai-processing-ms",
        "openai-version",
    ] {
        assert!(response_field_passes(name.as_bytes()), "{name}");
    }
    for name in [
        "set-cookie",
        "openai-organization",
        "openai-project",
        "server",
        "cf-ray",
        "cf-cache-status",
        "via",
        "alt-svc",
        "content-length",
        "transfer-encoding",
        "connection",
        "content-encoding",
        "x-request-id",
        "www-authenticate",
        "location",
        "strict-transport-security",
        "x-ratelimit",
        "",
    ] {
        assert!(!response_field_passes(name.as_bytes()), "{name}");
    }
}
