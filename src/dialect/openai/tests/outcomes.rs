//! Outcomes of answers: the recorded refusals by name, then what providers document or were seen to do.

use proptest::prelude::{any, proptest};

use super::{Body, fixtures};
use crate::base::Outcome;
use crate::dialect::openai::{is_of_model, outcome_of, outcome_of_error};
use crate::policy::model::ProviderKind::{
    self, DeepSeek, Fireworks, Groq, Mistral, Ollama, OpenAi, OpenAiCompatible, OpenRouter, Vllm,
    Xai,
};

const RECORDED: [(&str, Outcome); 19] = [
    ("azure/chat-reasoning-1", Outcome::ModelGone),
    (
        "azure/error-handling-with-azure-grok-4-1-fast-non-reasoning-raises-appropria",
        Outcome::AuthFailed,
    ),
    (
        "azure/real-error-scenarios-azure-grok-4-1-fast-non-reasoning-handles-context",
        Outcome::S429,
    ),
    (
        "deepseek/error-handling-with-deepseek-deepseek-chat-raises-appropriate-auth-err",
        Outcome::AuthFailed,
    ),
    (
        "deepseek/wire-shape-matrix-streaming-image-part-reaches-the-wire",
        Outcome::S4xx,
    ),
    ("groq/model-name-suggestion-groq", Outcome::ModelGone),
    (
        "groq/response-identity-edge-auth-rejection-classifies-with-contract",
        Outcome::AuthFailed,
    ),
    ("groq/tool-use-failed-error-with-text", Outcome::S4xx),
    (
        "mistral/error-handling-with-mistral-mistral-small-latest-raises-appropriate-au",
        Outcome::AuthFailed,
    ),
    (
        "mistral/logprobs-rejection-matrix-blocking-ministral-3b",
        Outcome::S4xx,
    ),
    (
        "ollama/error-handling-with-ollama-cloud-gpt-oss-120b-raises-appropriate-auth",
        Outcome::AuthFailed,
    ),
    (
        "ollama/real-error-scenarios-ollama-cloud-gpt-oss-120b-handles-context-length",
        Outcome::ContextExceeded,
    ),
    ("openai/agents-and-tools-2", Outcome::ModelGone),
    (
        "openai/authentication-error-stream-openai-gpt-4o-completions",
        Outcome::AuthFailed,
    ),
    (
        "openai/call-with-params-openai-gpt-5-mini-completions",
        Outcome::S4xx,
    ),
    (
        "openrouter/error-handling-with-openrouter-claude-haiku-4-5-raises-appropriate-aut",
        Outcome::AuthFailed,
    ),
    ("openrouter/openrouter-errors-raised", Outcome::S429),
    (
        "openrouter/real-error-scenarios-openrouter-claude-haiku-4-5-handles-context-lengt",
        Outcome::ContextExceeded,
    ),
    (
        "perplexity/real-error-scenarios-perplexity-sonar-handles-context-length-exceeded",
        Outcome::ContextExceeded,
    ),
];

#[test]
fn recorded_refusals() {
    let mut seen = Vec::new();
    for fixture in fixtures() {
        let Body::Whole(body) = &fixture.body else {
            continue;
        };
        let outcome = outcome_of(fixture.kind, fixture.status, body);
        if fixture.status < 400 {
            assert_eq!(outcome, Outcome::Ok, "{}", fixture.name);
        } else {
            seen.push((fixture.name, outcome));
        }
    }
    let seen: Vec<_> = seen
        .iter()
        .map(|(name, outcome)| (name.as_str(), *outcome))
        .collect();
    assert_eq!(seen, RECORDED);
}

/// From the providers' documents and bug reports.
const UNRECORDED: &[(ProviderKind, u16, &str, Outcome)] = &[
    (
        Xai,
        400,
        r#"{"code":"invalid-argument","error":"Incorrect API key provided. You can obtain one"}"#,
        Outcome::AuthFailed,
    ),
    (
        Xai,
        429,
        r#"{"code":"x","error":"Your team has either used all available credits or reached its monthly spending limit"}"#,
        Outcome::QuotaExhausted,
    ),
    (
        OpenAi,
        429,
        r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}"#,
        Outcome::QuotaExhausted,
    ),
    (
        OpenAi,
        429,
        r#"{"error":{"message":"Rate limit reached","type":"tokens","code":"rate_limit_exceeded"}}"#,
        Outcome::S429,
    ),
    (
        OpenAi,
        429,
        r#"{"error":{"message":"The engine is currently overloaded","type":"server_error"}}"#,
        Outcome::Overloaded,
    ),
    (
        OpenAi,
        400,
        r#"{"error":{"message":"…","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
        Outcome::ContextExceeded,
    ),
    (
        OpenAi,
        403,
        r#"{"error":{"message":"Project `proj_x` does not have access to model `gpt-5`","code":"model_not_found"}}"#,
        Outcome::AuthFailed,
    ),
    (
        OpenAi,
        404,
        r#"{"error":{"message":"The model `gpt-5` does not exist or you do not have access to it.","code":"model_not_found"}}"#,
        Outcome::ModelGone,
    ),
    (
        Groq,
        403,
        r#"{"error":{"message":"The model `x` is blocked at the project level.","type":"permissions_error","code":"model_permission_blocked_project"}}"#,
        Outcome::AuthFailed,
    ),
    // Anthropic: the workspace's spend cap, with no `retry-after`; the account's own limit; billing.
    (
        OpenAiCompatible,
        429,
        r#"{"type":"error","error":{"type":"rate_limit_error","error_code":"enforced_spend_limit_reached","message":"This workspace has reached its limit."}}"#,
        Outcome::QuotaExhausted,
    ),
    (
        OpenAiCompatible,
        429,
        r#"{"type":"error","error":{"type":"rate_limit_error","message":"x","details":{"error_code":"enforced_spend_limit_reached"}}}"#,
        Outcome::QuotaExhausted,
    ),
    (
        OpenAiCompatible,
        429,
        r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your account's rate limit."}}"#,
        Outcome::S429,
    ),
    (
        OpenAiCompatible,
        400,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."}}"#,
        Outcome::QuotaExhausted,
    ),
    (
        OpenAiCompatible,
        402,
        r#"{"type":"error","error":{"type":"billing_error","message":"x"}}"#,
        Outcome::QuotaExhausted,
    ),
    // Google's sentence for a limit by the minute is OpenAI's for a spent quota; only a daily one is spent.
    (
        OpenAiCompatible,
        429,
        r#"[{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details. Please retry in 34.4s.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34s"}]}}]"#,
        Outcome::S429,
    ),
    (
        OpenAiCompatible,
        429,
        r#"[{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]},{"retryDelay":"34s"}]}}]"#,
        Outcome::QuotaExhausted,
    ),
    (
        OpenAiCompatible,
        400,
        r#"[{"error":{"code":400,"message":"x","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}]"#,
        Outcome::AuthFailed,
    ),
    (
        OpenAi,
        403,
        r#"{"error":{"message":"Country not supported","code":"unsupported_country_region_territory"}}"#,
        Outcome::AuthFailed,
    ),
    (
        OpenAi,
        404,
        r#"{"error":{"message":"Invalid URL (POST /v1/v1/chat/completions)","type":"invalid_request_error"}}"#,
        Outcome::S4xx,
    ),
    (
        OpenAi,
        400,
        r#"{"error":{"message":"Unsupported value: 'temperature' does not support 0.2 with this model.","param":"temperature"}}"#,
        Outcome::S4xx,
    ),
    (
        ProviderKind::AzureOpenAi,
        400,
        r#"{"error":{"code":"content_filter","innererror":{"code":"ResponsibleAIPolicyViolation"},"status":400}}"#,
        Outcome::ContentFilter,
    ),
    (
        ProviderKind::AzureOpenAi,
        404,
        r#"{"error":{"code":"404","message":"Resource not found"}}"#,
        Outcome::S4xx,
    ),
    (
        DeepSeek,
        402,
        r#"{"error":{"message":"Insufficient Balance"}}"#,
        Outcome::QuotaExhausted,
    ),
    (
        DeepSeek,
        400,
        r#"{"error":{"message":"Model Not Exist","type":"invalid_request_error"}}"#,
        Outcome::ModelGone,
    ),
    (
        DeepSeek,
        503,
        r#"{"error":{"message":"Service is too busy"}}"#,
        Outcome::Overloaded,
    ),
    (
        Mistral,
        400,
        r#"{"object":"error","message":"Invalid model: x","type":"invalid_model","code":"1500"}"#,
        Outcome::ModelGone,
    ),
    (
        Mistral,
        429,
        r#"{"object":"error","message":"Service tier capacity exceeded for this model.","type":"service_tier_capacity_exceeded","code":"3505"}"#,
        Outcome::Overloaded,
    ),
    (
        Mistral,
        422,
        r#"{"detail":[{"loc":["body"],"msg":"Field required"}]}"#,
        Outcome::S4xx,
    ),
    (
        OpenRouter,
        402,
        r#"{"error":{"message":"Insufficient credits","code":402}}"#,
        Outcome::QuotaExhausted,
    ),
    (
        OpenRouter,
        403,
        r#"{"error":{"message":"Key limit exceeded (daily limit)","code":403}}"#,
        Outcome::QuotaExhausted,
    ),
    (
        OpenRouter,
        403,
        r#"{"error":{"message":"x requires moderation on y. Your input was flagged","code":403}}"#,
        Outcome::ContentFilter,
    ),
    (
        OpenRouter,
        400,
        r#"{"error":{"message":"foo/bar is not a valid model ID","code":400}}"#,
        Outcome::ModelGone,
    ),
    (
        OpenRouter,
        404,
        r#"{"error":{"message":"No endpoints found for a/b.","code":404}}"#,
        Outcome::ModelGone,
    ),
    (
        OpenRouter,
        400,
        r#"{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\"message\":\"prompt is too long: 9 > 8\"}"}}}"#,
        Outcome::ContextExceeded,
    ),
    (
        OpenRouter,
        502,
        r#"{"error":{"message":"Provider returned error","code":502}}"#,
        Outcome::S5xx,
    ),
    (
        Ollama,
        404,
        r#"{"error":"model 'nonexistent-model:latest' not found"}"#,
        Outcome::ModelGone,
    ),
    (Ollama, 404, "404 page not found", Outcome::S4xx),
    (
        Vllm,
        404,
        r#"{"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","param":null,"code":404}"#,
        Outcome::ModelGone,
    ),
    (
        Vllm,
        400,
        r#"{"object":"error","message":"This model's maximum context length is 4096 tokens.","type":"BadRequestError","code":400}"#,
        Outcome::ContextExceeded,
    ),
    (
        Fireworks,
        412,
        r#"{"error":"Account x is suspended, possibly due to reaching the monthly spending limit"}"#,
        Outcome::QuotaExhausted,
    ),
    (
        Groq,
        413,
        r#"{"error":{"message":"Request too large for model","type":"tokens","code":"rate_limit_exceeded"}}"#,
        Outcome::S429,
    ),
    (
        Groq,
        400,
        r#"{"error":{"message":"The model `x` has been decommissioned","code":"model_decommissioned"}}"#,
        Outcome::ModelGone,
    ),
    (
        Groq,
        498,
        r#"{"error":{"message":"Flex tier capacity exceeded"}}"#,
        Outcome::Overloaded,
    ),
    (
        OpenAi,
        400,
        r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}]"#,
        Outcome::AuthFailed,
    ),
    (
        OpenAi,
        413,
        r#"{"error":{"message":"body too large"}}"#,
        Outcome::S4xx,
    ),
    (OpenAi, 408, "", Outcome::S5xx),
    (OpenAi, 409, "{}", Outcome::S5xx),
    (OpenAi, 410, "", Outcome::ModelGone),
    (OpenAi, 401, "", Outcome::AuthFailed),
    (
        OpenAi,
        500,
        r#"{"error":{"message":"model not found in cache","type":"server_error"}}"#,
        Outcome::S5xx,
    ),
    (OpenAi, 503, "upstream connect error", Outcome::S5xx),
    (
        OpenAi,
        503,
        r#"{"error":{"message":"x","code":"slow_down"}}"#,
        Outcome::Overloaded,
    ),
    (OpenAi, 529, "", Outcome::Overloaded),
    (OpenAi, 520, "error code: 520", Outcome::S5xx),
    (
        OpenAi,
        403,
        "<!DOCTYPE html><title>Just a moment...</title>",
        Outcome::S5xx,
    ),
    (OpenAi, 401, "\n<html>", Outcome::S5xx),
    (OpenAi, 429, "<html>", Outcome::S429),
    (
        OpenAi,
        413,
        "<html><h1>413 Request Entity Too Large</h1>",
        Outcome::S4xx,
    ),
    (OpenAi, 503, "<html>", Outcome::S5xx),
];

#[test]
fn refusals_that_nobody_recorded() {
    for (kind, status, body, outcome) in UNRECORDED {
        assert_eq!(
            outcome_of(*kind, *status, body.as_bytes()),
            *outcome,
            "{kind:?} {status} {body}"
        );
    }
}

#[test]
fn refusals_of_one_model_alone() {
    let cases = [
        (
            403,
            r#"{"error":{"message":"x","code":"model_not_found"}}"#,
            true,
        ),
        (
            403,
            r#"{"error":{"message":"x","code":"model_permission_blocked_org"}}"#,
            true,
        ),
        (
            403,
            r#"{"error":{"message":"You do not have permission to access this tuned model."}}"#,
            true,
        ),
        (
            403,
            r#"{"type":"error","error":{"type":"permission_error","message":"Your API key may not use the specified resource."}}"#,
            false,
        ),
        (
            403,
            r#"{"error":{"message":"Country not supported"}}"#,
            false,
        ),
        (403, "<html>no access to this model</html>", false),
        (
            401,
            r#"{"error":{"message":"no access to this model"}}"#,
            false,
        ),
        (
            404,
            r#"{"error":{"message":"x","code":"model_not_found"}}"#,
            false,
        ),
    ];
    for (status, body, of_model) in cases {
        assert_eq!(
            is_of_model(status, body.as_bytes()),
            of_model,
            "{status} {body}"
        );
    }
}

#[test]
fn successes_that_are_none() {
    for (status, body, outcome) in [
        (
            200,
            r#"{"choices":[{"message":{"content":"hi"}}]}"#,
            Outcome::Ok,
        ),
        (
            200,
            r#"{"object":"list","data":[{"embedding":[1]}]}"#,
            Outcome::Ok,
        ),
        (
            200,
            r#"{"choices":[{"message":{"content":"{\"error\":1}"}}],"error":null}"#,
            Outcome::Ok,
        ),
        (200, "", Outcome::BadOutput),
        (200, "  ", Outcome::BadOutput),
        (200, "<html>", Outcome::BadOutput),
        (200, "{}", Outcome::BadOutput),
        (200, r#"{"choices":[]}"#, Outcome::BadOutput),
        (200, r#"{"choices":null}"#, Outcome::BadOutput),
        (200, r#"{"data":[]}"#, Outcome::BadOutput),
        (
            200,
            r#"{"choices":[{"message":{"content":"hi"}}]"#,
            Outcome::BadOutput,
        ),
        (
            200,
            r#"{"choices":[{"message":{"content":"hi"}}"#,
            Outcome::BadOutput,
        ),
        (200, r#"{"choices":[{}]} {"#, Outcome::BadOutput),
        (
            200,
            r#"{"error":{"message":"x","code":"insufficient_quota"}}"#,
            Outcome::QuotaExhausted,
        ),
        (
            200,
            r#"{"error":{"message":"x","type":"rate_limit_error"}}"#,
            Outcome::S429,
        ),
        (200, r#"{"error":"boom"}"#, Outcome::S5xx),
        (
            200,
            r#"{"choices":[ {"error":{"code":502,"message":"x"},"finish_reason":"error"}]}"#,
            Outcome::S5xx,
        ),
        (
            200,
            r#"[{"error":{"code":429,"message":"x"}}]"#,
            Outcome::S429,
        ),
        (204, "", Outcome::BadOutput),
        (302, "", Outcome::BadOutput),
        (307, r#"{"choices":[{}]}"#, Outcome::BadOutput),
        (101, "", Outcome::BadOutput),
    ] {
        assert_eq!(
            outcome_of(OpenAi, status, body.as_bytes()),
            outcome,
            "{status} {body}"
        );
    }
}

#[test]
fn errors_inside_streams() {
    for (data, outcome) in [
        (
            r#"{"error":{"message":"x","type":"invalid_request_error","code":"tool_use_failed","status_code":400}}"#,
            Outcome::S4xx,
        ),
        (
            r#"{"error":{"code":502,"message":"Provider disconnected"}}"#,
            Outcome::S5xx,
        ),
        (
            r#"{"error":{"code":"insufficient_quota","message":"x"}}"#,
            Outcome::QuotaExhausted,
        ),
        (
            r#"{"error":{"type":"overloaded_error","message":"x"}}"#,
            Outcome::Overloaded,
        ),
        (
            r#"{"error":{"type":"server_error","message":"x"}}"#,
            Outcome::S5xx,
        ),
        (
            r#"{"object":"error","message":"This model's maximum context length is 1","type":"BadRequestError","code":400}"#,
            Outcome::ContextExceeded,
        ),
        (r#"{"error":{"message":"x"}}"#, Outcome::S5xx),
        (
            r#"{"error":{"type":"timeout","message":"x"}}"#,
            Outcome::S5xx,
        ),
        ("junk", Outcome::S5xx),
    ] {
        assert_eq!(outcome_of_error(OpenAi, data.as_bytes()), outcome, "{data}");
    }
}

proptest! {
    #[test]
    fn any_answer_has_an_outcome(
        status in any::<u16>(),
        body in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        outcome_of(OpenRouter, status, &body);
        outcome_of_error(OpenRouter, &body);
    }
}
