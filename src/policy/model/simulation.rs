//! What a simulated provider does.

use crate::base::Span;

/// `simulate { … }` of a simulated provider.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Simulation {
    /// Time to the first content, drawn evenly from this range.
    pub ttft: (Span, Span),
    /// Time between the events of a stream.
    pub gap: Span,
    /// Words in an answer.
    pub tokens: u32,
    /// What it does, request by request; after the last step it starts again. Empty: always well.
    pub script: Vec<ScriptStep>,
}

/// One step of a fault script: `times` requests answered in one way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ScriptStep {
    /// How the requests are answered.
    pub act: Act,
    /// How many.
    pub times: u32,
}

/// What a simulated provider can do with a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Act {
    /// `ok`
    Ok,
    /// `s400` to `s599`: that status with an OpenAI error body.
    Status(u16),
    /// `refuse`: the connection is reset before any byte.
    Refuse,
    /// `hang`: the head never comes.
    Hang,
    /// `stall`: a stream stops after its first content; an answer stops inside its body.
    Stall,
    /// `cut`: a stream ends by reset after its first content; an answer inside its body.
    Cut,
    /// `error_event`: a 200 stream whose first event is an error.
    ErrorEvent,
    /// `model_gone`: 404 `model_not_found`.
    ModelGone,
    /// `bad_key`: 401 `invalid_api_key`.
    BadKey,
}
