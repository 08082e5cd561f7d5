//! What every format's reader and writer is given besides the bytes.

use core::fmt;

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
    /// What the answer repeats of the request.
    pub echo: Echo,
}

/// What an answer repeats of its request, in formats where it does (Responses). It comes from the client's body, as
/// the format's reader gives it.
#[derive(Clone, Default)]
pub struct Echo {
    /// Members of an object: JSON, a comma between them.
    pub members: Vec<u8>,
    /// Names of the tools that take a text, where all others take JSON.
    pub custom_tools: Vec<String>,
}

impl Echo {
    /// Whether a tool takes a text, where all others take JSON.
    pub fn is_custom(&self, tool: &str) -> bool {
        self.custom_tools.iter().any(|name| name == tool)
    }
}

impl fmt::Debug for Echo {
    /// Without the contents: they are of a prompt.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Echo").finish_non_exhaustive()
    }
}

/// An answer, or an event of one, that is not what its format says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BadAnswer {
    /// For the log: what is missing or wrong, never what was said.
    pub reason: &'static str,
}
