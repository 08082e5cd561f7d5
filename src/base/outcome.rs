//! How an attempt ended: the closed set of words that policies, logs and metrics share.

use std::fmt;

/// How one attempt at one target ended, or why it could not begin.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum Outcome {
    /// A whole answer, or a stream up to its proper end.
    Ok,
    /// Rate limited: HTTP 429 that is not about a quota.
    S429,
    /// Another 4xx: the request itself is at fault, so no other target would cure it.
    S4xx,
    /// HTTP 5xx, 529 included.
    S5xx,
    /// A timer of the attempt ran out: head, idle gap or total.
    Timeout,
    /// No connection: refused, unreachable, unresolved, or not established in time.
    Connect,
    /// The TLS handshake failed or the certificate did not prove the provider's name.
    Tls,
    /// No content in time: `ttft_timeout` or a policy's `on ttft > …`.
    Ttft,
    /// The answer broke off after its head: reset, early end, broken framing.
    StreamAbort,
    /// The target's breaker refuses traffic.
    BreakerOpen,
    /// The target is at its `max_inflight`, or the provider said that it is overloaded.
    Overloaded,
    /// The provider refuses the key: 401, 403, or a 400 that says so.
    AuthFailed,
    /// The prompt is longer than the model's context.
    ContextExceeded,
    /// The provider's content filter refused the request.
    ContentFilter,
    /// Quota, balance or spend limit used up.
    QuotaExhausted,
    /// The model does not exist at this provider (any more).
    ModelGone,
    /// A success that is none: HTML, an empty body, an error object inside a 200.
    BadOutput,
    /// The request says something that the target's format cannot say: nothing was sent.
    Unsupported,
}

impl Outcome {
    /// Every outcome, in declaration order.
    pub const ALL: [Self; 18] = [
        Self::Ok,
        Self::S429,
        Self::S4xx,
        Self::S5xx,
        Self::Timeout,
        Self::Connect,
        Self::Tls,
        Self::Ttft,
        Self::StreamAbort,
        Self::BreakerOpen,
        Self::Overloaded,
        Self::AuthFailed,
        Self::ContextExceeded,
        Self::ContentFilter,
        Self::QuotaExhausted,
        Self::ModelGone,
        Self::BadOutput,
        Self::Unsupported,
    ];

    /// The word of the policy language, of logs and of metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::S429 => "s429",
            Self::S4xx => "s4xx",
            Self::S5xx => "s5xx",
            Self::Timeout => "timeout",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Ttft => "ttft",
            Self::StreamAbort => "stream_abort",
            Self::BreakerOpen => "breaker_open",
            Self::Overloaded => "overloaded",
            Self::AuthFailed => "auth_failed",
            Self::ContextExceeded => "context_exceeded",
            Self::ContentFilter => "content_filter",
            Self::QuotaExhausted => "quota_exhausted",
            Self::ModelGone => "model_gone",
            Self::BadOutput => "bad_output",
            Self::Unsupported => "unsupported",
        }
    }

    /// The outcome that `word` names, if any. `any` is a set: see [`OutcomeSet::ANY`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == word)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of outcomes.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct OutcomeSet(u32);

impl OutcomeSet {
    /// No outcome.
    pub const EMPTY: Self = Self(0);

    /// `any` of the policy language: every outcome that another target may cure.
    pub const ANY: Self = Self::EMPTY
        .with(Outcome::S429)
        .with(Outcome::S5xx)
        .with(Outcome::Timeout)
        .with(Outcome::Connect)
        .with(Outcome::Tls)
        .with(Outcome::Ttft)
        .with(Outcome::StreamAbort)
        .with(Outcome::BreakerOpen)
        .with(Outcome::Overloaded)
        .with(Outcome::AuthFailed)
        .with(Outcome::QuotaExhausted)
        .with(Outcome::ModelGone)
        .with(Outcome::BadOutput)
        .with(Outcome::Unsupported);

    /// The set with `outcome` in it.
    #[must_use]
    pub const fn with(self, outcome: Outcome) -> Self {
        Self(self.0 | 1 << outcome as u8)
    }

    /// Whether `outcome` is in the set.
    pub const fn has(self, outcome: Outcome) -> bool {
        self.0 & (1 << outcome as u8) != 0
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether nothing is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The outcomes of the set, in declaration order.
    pub fn iter(self) -> impl Iterator<Item = Outcome> {
        Outcome::ALL
            .into_iter()
            .filter(move |&outcome| self.has(outcome))
    }
}

#[cfg(test)]
mod tests {
    use super::{Outcome, OutcomeSet};

    #[test]
    fn words_name_outcomes_and_back() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::from_word(outcome.as_str()), Some(outcome));
        }
        assert_eq!(Outcome::from_word("any"), None);
    }

    #[test]
    fn any_leaves_out_what_no_other_target_cures() {
        for outcome in [
            Outcome::Ok,
            Outcome::S4xx,
            Outcome::ContextExceeded,
            Outcome::ContentFilter,
        ] {
            assert!(!OutcomeSet::ANY.has(outcome));
        }
        assert_eq!(OutcomeSet::ANY.iter().count(), 14);
    }
}
