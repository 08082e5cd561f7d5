//! Secrets and how a provider knows us by them. Never the secret itself.

use std::fmt;

use crate::policy::model::At;

/// Where a secret is kept. Never the secret itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SecretRef {
    /// The store and the name in it.
    pub source: SecretSource,
    /// Where the policy names it.
    pub at: At,
}

/// The stores that secrets come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SecretSource {
    /// `env("NAME")`
    Env(Box<str>),
    /// `file("path")`, one trailing newline is not part of it.
    File(Box<str>),
    /// None: where nobody is asked who could tell, as in rehearsals on loopback. No policy says it.
    Placeholder,
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env({name:?})"),
            Self::File(path) => write!(f, "file({path:?})"),
            Self::Placeholder => f.write_str("nowhere"),
        }
    }
}

/// `auth = …`
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Auth {
    /// `none`
    None,
    /// One field with one secret, or with one of several: a pool.
    Key {
        /// How the secret is written.
        style: AuthStyle,
        /// The secrets, in the policy's order; at least one, at most [`KEYS_MAX`](crate::base::limits::KEYS_MAX).
        secrets: Vec<SecretRef>,
        /// Which of them a request takes.
        pick: KeyPick,
    },
}

impl Auth {
    /// The secrets, in the policy's order; none for `none`.
    pub fn secrets(&self) -> &[SecretRef] {
        match self {
            Self::None => &[],
            Self::Key { secrets, .. } => secrets,
        }
    }

    /// Which key of a pool a request takes.
    pub fn pick(&self) -> KeyPick {
        match self {
            Self::None => KeyPick::default(),
            Self::Key { pick, .. } => *pick,
        }
    }
}

/// `pick = …` in `keys(…)`: which of the keys that may be used.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum KeyPick {
    /// `least_throttled`: spread evenly over those that were not rate-limited lately; else the one whose pause ended
    /// first.
    #[default]
    LeastThrottled,
    /// `round_robin`: one after the other.
    RoundRobin,
    /// `in_order`: the first one.
    InOrder,
}

impl KeyPick {
    /// Each, the default first.
    pub const ALL: [Self; 3] = [Self::LeastThrottled, Self::RoundRobin, Self::InOrder];

    /// The word of the policy language.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LeastThrottled => "least_throttled",
            Self::RoundRobin => "round_robin",
            Self::InOrder => "in_order",
        }
    }
}

/// How a credential is written on the wire.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AuthStyle {
    /// `authorization: Bearer …`
    Bearer,
    /// `api-key: …` (Azure)
    ApiKey,
    /// `x-api-key: …` (Anthropic)
    XApiKey,
    /// `x-goog-api-key: …` (Gemini)
    XGoogApiKey,
    /// `authorization: AWS4-HMAC-SHA256 …`: a signature of each request (Bedrock)
    SigV4,
}
