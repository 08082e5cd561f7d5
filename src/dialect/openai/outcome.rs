//! What a provider's answer means for failover: status, error code and words become one [`Outcome`].
//!
//! Statuses alone mislead: a wrong key is 400 at xAI, a spent quota is 429 at OpenAI and 402 at DeepSeek, a removed
//! model is 400 at DeepSeek, and a challenge page of a firewall is a 403 that says nothing about the key. So the order
//! is: is it a page, does a code name the case, do the words, and only then the status.

use crate::base::Outcome;
use crate::dialect::openai::complaint::Complaint;
use crate::policy::model::ProviderKind;
use crate::wire::json::is_plain_answer;
use crate::wire::json::walk::{Cursor, Shape};

/// The outcome of a whole answer: `body` is all of it, decoded from its transfer coding.
pub fn outcome_of(kind: ProviderKind, status: u16, body: &[u8]) -> Outcome {
    match status {
        200..=203 => outcome_of_success(kind, body),
        // 1xx that are not interim, 204, 206 and redirects: nothing that a client could use, and a redirect is never
        // followed, because the key would follow it.
        ..400 => Outcome::BadOutput,
        _ if is_page(body) => outcome_of_page(status),
        _ => classify(
            kind,
            status,
            &Complaint::find(body).unwrap_or_else(|| plain(body)),
        ),
    }
}

/// The outcome that an error object inside a 200 names: an event that is [`EventKind::Error`](super::EventKind), or a
/// whole body.
pub fn outcome_of_error(kind: ProviderKind, data: &[u8]) -> Outcome {
    let complaint = Complaint::find(data).unwrap_or_default();
    let status = complaint
        .status
        .unwrap_or_else(|| status_of_kind(complaint.kind, complaint.code));
    classify(kind, status, &complaint)
}

/// Whether the provider does not know the path that it was asked at: a wrong base address answers 404 or 405 to a request
/// that is fine. That is ours, not the client's. Where the answer names what in the request is not there — a member of it,
/// a conversation that the provider kept — it is the client's.
pub fn is_wrong_path(outcome: Outcome, status: u16, body: &[u8]) -> bool {
    if outcome != Outcome::S4xx || !matches!(status, 404 | 405) {
        return false;
    }
    let complaint = Complaint::find(body).unwrap_or_default();
    complaint.param.is_empty() && !complaint.code.starts_with(THREAD)
}

/// How Anthropic's codes begin that are about a conversation which it keeps (platform.claude.com, *Message threads*,
/// November 2026): it is gone, or went on elsewhere. Clients know what to do: they send all of it.
const THREAD: &[u8] = b"thread_";

/// Whether a refusal is about the model that was asked for and not about the key: the key is good for others.
pub fn is_of_model(status: u16, body: &[u8]) -> bool {
    const RIGHTS: [&[u8]; 6] = [
        b"access",
        b"permission",
        b"permitted",
        b"not allowed",
        b"not authorized",
        b"blocked",
    ];
    if status != 403 || is_page(body) {
        return false;
    }
    let complaint = Complaint::find(body).unwrap_or_else(|| plain(body));
    let rights = |word: &&[u8]| says(complaint.message, word);
    names_model(&complaint) || (says(complaint.message, b"model") && RIGHTS.iter().any(rights))
}

/// A code for a model that this key may not use. With 404 the first of them is a model that nobody may.
fn names_model(complaint: &Complaint<'_>) -> bool {
    let codes = [complaint.code, complaint.kind];
    codes.into_iter().any(|code| {
        by_code(code) == Some(Outcome::ModelGone) || code.starts_with(b"model_permission") // Groq
    })
}

/// A success must be a JSON object that is whole and has an answer in it.
fn outcome_of_success(kind: ProviderKind, body: &[u8]) -> Outcome {
    if is_plain_answer(body) {
        return Outcome::Ok;
    }
    match answer_of(body) {
        Some(Answer { error: true, .. }) => outcome_of_error(kind, body),
        Some(Answer { given: true, .. }) => Outcome::Ok,
        _ => Outcome::BadOutput,
    }
}

struct Answer {
    error: bool,
    given: bool,
}

/// What a plain answer holds; `None` where it is not a whole JSON object.
fn answer_of(body: &[u8]) -> Option<Answer> {
    let mut answer = Answer {
        error: false,
        given: false,
    };
    let mut cursor = Cursor::new(body);
    if cursor.shape()? == Shape::Array {
        // Only Google's compatible address answers in an array, and only with errors.
        answer.error = Complaint::find(body).is_some();
        return Some(answer);
    }
    cursor.enter(b'{')?;
    while let Some(key) = cursor.member() {
        let value = cursor.value()?;
        match key {
            b"error" => answer.error |= !matches!(value, b"null" | b"\"\"" | b"{}"),
            b"object" | b"type" => answer.error |= value == b"\"error\"",
            // `data`: embeddings and model lists.
            b"choices" | b"data" => answer.given |= Cursor::new(value).has_substance()?,
            _ => {}
        }
        if key == b"choices" {
            answer.error |= choice_failed(value);
        }
    }
    cursor.is_whole().then_some(answer)
}

/// COMPAT: OpenRouter, 2025: `{"choices":[{"error":{"code":502,…},"finish_reason":"error"}]}` under 200.
fn choice_failed(choices: &[u8]) -> bool {
    let mut cursor = Cursor::new(choices);
    let entered = cursor.enter(b'[').and_then(|()| cursor.enter(b'{'));
    while entered.is_some()
        && let Some(key) = cursor.member()
        && let Some(value) = cursor.value()
    {
        if key == b"error" {
            return value.starts_with(b"{") && value != b"{}";
        }
    }
    false
}

/// A page is from something in front of the provider: a firewall's challenge, a proxy's error.
fn is_page(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'<')
}

const fn outcome_of_page(status: u16) -> Outcome {
    match status {
        429 => Outcome::S429,
        401 | 403 | 408 | 500.. => Outcome::S5xx, // 401, 403: the key was never looked at
        _ => Outcome::S4xx,
    }
}

/// An error body that is not JSON is its own message.
fn plain(body: &[u8]) -> Complaint<'_> {
    Complaint {
        message: body,
        ..Complaint::default()
    }
}

fn classify(kind: ProviderKind, status: u16, complaint: &Complaint<'_>) -> Outcome {
    if status == 403 && names_model(complaint) {
        return Outcome::AuthFailed;
    }
    if let Some(outcome) = by_code(complaint.code).or_else(|| by_code(complaint.kind)) {
        return outcome;
    }
    if status < 500
        && let Some(outcome) =
            by_details(status, complaint.details).or_else(|| by_words(status, complaint))
    {
        return outcome;
    }
    match status {
        401 | 403 => Outcome::AuthFailed,
        402 => Outcome::QuotaExhausted,
        410 => Outcome::ModelGone,
        // COMPAT: Groq, 2025: 498 is "flex tier capacity exceeded".
        498 if kind == ProviderKind::Groq => Outcome::Overloaded,
        429 if says(complaint.message, b"overloaded") => Outcome::Overloaded,
        429 => Outcome::S429,
        529 => Outcome::Overloaded,
        503 if tells_overload(complaint) => Outcome::Overloaded,
        // 408, 409, 425: it gave up waiting for us, or for a lock of its own: an answer, not silence, and the next try
        // may do better. 424: a broker's word for a failure behind it.
        408 | 409 | 424 | 425 | 500.. => Outcome::S5xx,
        _ => Outcome::S4xx,
    }
}

/// Codes and types that name the case by themselves, whatever the status.
fn by_code(code: &[u8]) -> Option<Outcome> {
    Some(match code {
        b"context_length_exceeded"
        | b"context_window_exceeded"
        | b"exceed_context_size_error" // llama.cpp
        | b"too_many_prompt_tokens" => Outcome::ContextExceeded, // Perplexity
        b"content_filter"
        | b"content_policy_violation"
        | b"ResponsibleAIPolicyViolation" => Outcome::ContentFilter,
        b"insufficient_quota"
        | b"billing_hard_limit_reached"
        | b"billing_not_active"
        | b"billing_error" // Anthropic, with 402
        | b"enforced_spend_limit_reached" // Anthropic, with 429 and type `rate_limit_error`
        | b"insufficient_balance"
        | b"insufficient_credits" => Outcome::QuotaExhausted,
        b"model_not_found"
        | b"model_decommissioned" // Groq, with 400
        | b"model_not_available" // Together
        | b"invalid_model" // Mistral, Perplexity, with 400
        | b"unknown_model" // Azure AI
        | b"DeploymentNotFound"
        | b"ModelNotFound" => Outcome::ModelGone,
        b"invalid_api_key"
        | b"API_KEY_INVALID"
        | b"authentication_error"
        | b"account_deactivated"
        | b"wrong_api_key" => Outcome::AuthFailed, // Cerebras
        b"overloaded_error"
        | b"engine_overloaded"
        | b"server_overloaded"
        | b"service_tier_capacity_exceeded" // Mistral, with 429
        | b"capacity_exceeded" => Outcome::Overloaded,
        b"rate_limit_exceeded" | b"RateLimitReached" => Outcome::S429, // Groq sends it with 413 too
        _ if code.starts_with(THREAD) => Outcome::S4xx, // with 404 and 409, too
        _ => return None,
    })
}

/// Google's particulars. Its sentence for a limit by the minute is OpenAI's for a spent quota, word for word, so that
/// these come before the words.
fn by_details(status: u16, details: &[u8]) -> Option<Outcome> {
    if says(details, b"api_key_invalid") {
        return Some(Outcome::AuthFailed);
    }
    if says(details, b"enforced_spend_limit_reached") {
        return Some(Outcome::QuotaExhausted);
    }
    (status == 429 && says(details, b"retrydelay")).then(|| {
        if says(details, b"perday") {
            Outcome::QuotaExhausted
        } else {
            Outcome::S429
        }
    })
}

/// Cases that some providers only describe. Read on 4xx only, where the sentence is the provider's own.
fn by_words(status: u16, complaint: &Complaint<'_>) -> Option<Outcome> {
    let tells = |words: &[&[u8]]| {
        words
            .iter()
            .any(|word| says(complaint.message, word) || says(complaint.behind, word))
    };
    if tells(&QUOTA) {
        return Some(Outcome::QuotaExhausted);
    }
    match status {
        400 | 403 | 404 | 413 | 422 => {}
        _ => return None,
    }
    if tells(&CONTEXT) {
        return Some(Outcome::ContextExceeded);
    }
    if tells(&KEY) {
        return Some(Outcome::AuthFailed);
    }
    if tells(&FILTER) {
        return Some(Outcome::ContentFilter);
    }
    // Anthropic names the model, and nothing else: `model: claude-3-opus-20240229`.
    if complaint.kind == b"not_found_error" && complaint.message.starts_with(b"model:") {
        return Some(Outcome::ModelGone);
    }
    let about_model =
        complaint.param == b"model" || tells(&[b"model", b"endpoints found", b"deployment"]);
    (matches!(status, 400 | 404) && about_model && tells(&GONE)).then_some(Outcome::ModelGone)
}

const QUOTA: [&[u8]; 10] = [
    b"insufficient balance", // DeepSeek
    b"insufficient credits", // OpenRouter
    b"insufficient funds",
    b"credit balance",             // Anthropic behind brokers
    b"used all available credits", // xAI
    b"spending limit",             // xAI, Fireworks
    b"spend limit",
    b"specified api usage limits", // Anthropic's own spend limit, with 400
    b"key limit exceeded",         // OpenRouter
    b"billing details",            // OpenAI, where a broker drops the code
];

const CONTEXT: [&[u8]; 13] = [
    b"maximum context length", // OpenAI, vLLM, DeepSeek, OpenRouter
    b"max context length",     // Ollama
    b"context window",
    b"available context size", // llama.cpp
    b"prompt is too long",
    b"exceed context limit", // Anthropic, of the prompt and `max_tokens` together
    b"prompt too long",
    b"too large for model with", // Mistral
    b"exceeds the maximum number of tokens",
    b"maximum prompt length", // xAI
    b"input is too long",     // Bedrock
    b"input tokens exceeded", // Bedrock
    b"too many input tokens", // Bedrock
];

const KEY: [&[u8]; 9] = [
    b"incorrect api key", // OpenAI, xAI (with 400)
    b"invalid api key",
    b"invalid api_key",
    b"api key not valid", // Google (with 400)
    b"api key not found",
    b"api key expired",
    b"invalid subscription key", // Azure
    b"no api key",
    b"organization has been disabled", // Anthropic (with 400)
];

const FILTER: [&[u8]; 4] = [
    b"content management policy", // Azure
    b"content filtering policy",  // Anthropic
    b"flagged as potentially violating",
    b"requires moderation", // OpenRouter
];

const GONE: [&[u8]; 11] = [
    b"not found",
    b"not exist",
    b"not a valid model", // OpenRouter (with 400)
    b"invalid model",
    b"unknown model",
    b"decommissioned",
    b"has been deprecated",
    b"no longer available",
    b"no endpoints found",    // OpenRouter
    b"identifier is invalid", // Bedrock
    b"end of its life",       // Bedrock
];

fn tells_overload(complaint: &Complaint<'_>) -> bool {
    [
        &b"overloaded"[..],
        b"at capacity",
        b"over capacity",
        b"too busy",
        b"slow_down",
    ]
    .iter()
    .any(|word| {
        says(complaint.message, word) || says(complaint.code, word) || says(complaint.kind, word)
    })
}

/// The status that a type stands for where an error comes inside a 200 and names none.
fn status_of_kind(kind: &[u8], code: &[u8]) -> u16 {
    let either = |word: &[u8]| says(kind, word) || says(code, word);
    if either(b"rate_limit") || either(b"ratelimit") {
        429
    } else if either(b"overloaded") {
        529
    } else if [
        &b"invalid_request"[..],
        b"invalid_prompt", // Responses, as the two below
        b"invalid_image",
        b"image_",
        b"badrequest",
        b"bad_request",
    ]
    .into_iter()
    .any(either)
    {
        400
    } else if either(b"too_large") {
        413
    } else if either(b"authentication") || either(b"permission") {
        403
    } else if either(b"not_found") || either(b"notfound") {
        404
    } else {
        500
    }
}

/// Whether `text` contains `word` (lower case), in any case. Looks at the first 4 KiB: sentences are short, and a body
/// that is long repeats the prompt.
pub(in crate::dialect) fn says(text: &[u8], word: &[u8]) -> bool {
    text.get(..4096)
        .unwrap_or(text)
        .windows(word.len())
        .any(|window| window.eq_ignore_ascii_case(word))
}
