//! What every format's reader and writer is given besides the bytes.

use crate::policy::model::ProviderKind;

/// Where a request goes.
#[derive(Clone, Copy, Debug)]
pub struct Destination<'a> {
    /// What kind of provider.
    pub kind: ProviderKind,
    /// The provider's name for the model.
    pub model: &'a str,
    /// Tokens that the model can answer with at most, where it is known.
    pub max_output: Option<u64>,
}

/// What an answer for a client is written with.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// The gateway's own name for the answer: letters and digits. Names of answers, items and calls that the provider
    /// does not give are made of it.
    pub id: String,
    /// When the request came, in Unix seconds.
    pub created: u64,
    /// The model that was asked for: where the provider does not say which one answers.
    pub model: String,
    /// A stream ends with its usage.
    pub stream_usage: bool,
}

/// An answer, or an event of one, that is not what its format says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BadAnswer {
    /// For the log: what is missing or wrong, never what was said.
    pub reason: &'static str,
}
