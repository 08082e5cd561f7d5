//! Which header fields pass the gateway, by allow-list both ways: a list of what to drop rots with every new field.
//!
//! Credentials, cookies, hop-by-hop fields, encodings and everything about framing are not on the lists: the gateway
//! writes its own. A field that the `connection` field names must not pass either; `wire` sees to that.

use crate::policy::model::ProviderKind;

/// Where a client's field goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Passage {
    /// Nowhere.
    Stays,
    /// To every provider.
    Passes,
    /// To providers of this kind.
    PassesTo(ProviderKind),
}

/// Where a client's field goes. `name` in any case.
///
/// `content-type`, `accept-encoding`, `host`, lengths and the credential are the gateway's own to write. The SDKs'
/// `x-stainless-*` describe a connection that ends here, and the client's `openai-organization` an account that is not
/// the gateway's.
pub fn request_field_passage(name: &[u8]) -> Passage {
    use Passage::{Passes, PassesTo};
    let is = |other: &[u8], passage| {
        if name.eq_ignore_ascii_case(other) {
            passage
        } else {
            Passage::Stays
        }
    };
    // PERF: the length decides first; 13 fields a request cost some 30 ns together.
    match name.len() {
        6 => is(b"accept", Passes),
        7 => is(b"x-title", PassesTo(ProviderKind::OpenRouter)),
        10 if name
            .first()
            .is_some_and(|first| first.eq_ignore_ascii_case(&b'u')) =>
        {
            is(b"user-agent", Passes)
        }
        10 => is(b"tracestate", Passes),
        11 if name
            .first()
            .is_some_and(|first| first.eq_ignore_ascii_case(&b't')) =>
        {
            is(b"traceparent", Passes)
        }
        11 => is(b"openai-beta", Passes),
        12 => is(b"http-referer", PassesTo(ProviderKind::OpenRouter)),
        14 if name
            .first()
            .is_some_and(|first| first.eq_ignore_ascii_case(&b'a')) =>
        {
            is(b"anthropic-beta", PassesTo(ProviderKind::Anthropic))
        }
        14 => is(b"x-grok-conv-id", PassesTo(ProviderKind::Xai)), // prompt cache affinity
        15 => is(b"idempotency-key", Passes),
        17 => is(b"anthropic-version", PassesTo(ProviderKind::Anthropic)),
        18 => is(b"x-session-affinity", PassesTo(ProviderKind::Fireworks)),
        19 => is(b"x-client-request-id", Passes),
        _ => Passage::Stays,
    }
}

/// Whether a provider's field goes to the client. `name` in any case. Rate limits describe the account behind the
/// gateway; they pass because SDKs and agents pace themselves by them.
pub fn response_field_passes(name: &[u8]) -> bool {
    let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
    match name.len() {
        6 => is(b"sunset"),
        11 => is(b"retry-after") || is(b"deprecation"),
        12 => is(b"content-type"),
        14 => is(b"retry-after-ms") || is(b"openai-version"),
        20 => is(b"openai-processing-ms") || is_rate_limit(name),
        _ => is_rate_limit(name), // x-ratelimit-{limit,remaining,reset}-…: 17 bytes and more
    }
}

/// `x-ratelimit-…` of most providers, `anthropic-ratelimit-…` of Anthropic.
fn is_rate_limit(name: &[u8]) -> bool {
    [b"x-ratelimit-".as_slice(), b"anthropic-ratelimit-"]
        .into_iter()
        .any(|prefix| {
            name.get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        })
}
