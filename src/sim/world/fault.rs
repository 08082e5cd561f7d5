//! Everything that a provider can do wrong, or right in an unusual way, and when it does.

use crate::base::{Moment, Outcome, OutcomeSet, ProviderId, Span, TargetId};

/// One way to behave. The comments name the outcome that an attempt must end in, if no timer ends it before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The provider is gone: connections are refused, and those that are open are reset. `connect`, or `stream_abort` for
    /// what was under way.
    Gone,
    /// Connections are refused: `connect`.
    Refused,
    /// Connects vanish: `connect`, by `connect_timeout`.
    BlackHole,
    /// Connecting takes so long.
    SlowConnect(Span),
    /// The name has no address: `connect`.
    NoAddress,
    /// The handshake fails: `tls`.
    Tls,
    /// The connection is closed when the request has come: `connect`.
    CloseAtOnce,
    /// The same by reset: `connect`.
    ResetAtOnce,
    /// The request is not read, so that it cannot be sent: `timeout`.
    NotReading,
    /// Nothing is ever answered: `ttft` or `timeout`.
    Hang,
    /// An error in OpenAI's format.
    Status(u16),
    /// The same with a hint of when to come again.
    Hinted(u16, Hint),
    /// A web page with this status; 200 is one.
    Page(u16),
    /// 401 `invalid_api_key`: `auth_failed`.
    BadKey,
    /// 429 `insufficient_quota`: `quota_exhausted`.
    NoQuota,
    /// 403 for this key and this model: `auth_failed`.
    Denied,
    /// 404 `model_not_found`: `model_gone`.
    ModelGone,
    /// 400 `context_length_exceeded`.
    TooLong,
    /// 400 `content_filter`.
    Filtered,
    /// 200 with an error object: `s5xx`.
    ErrorObject,
    /// 200 without a body: `bad_output`.
    Empty,
    /// 200 with no choices, or a stream that says nothing: `bad_output`.
    NoChoices,
    /// 204: `bad_output`.
    NoContent,
    /// 302: `bad_output`.
    Redirect,
    /// A gzip body that nobody asked for: `bad_output`.
    Compressed,
    /// No HTTP at all: `bad_output`.
    Noise,
    /// A head without an end: `bad_output` at its bound.
    EndlessHead,
    /// An error that comes before the request was read, and a reset behind it.
    Early(u16),
    /// The head comes so late.
    LateHead(Span),
    /// The first content comes so late, behind a head that was in time.
    LateContent(Span),
    /// Each word of a stream but the first comes so long after the one before: well.
    LateWords(Span),
    /// Silence after so many words: `timeout`.
    Stall(u32),
    /// The same under comments and empty deltas: `timeout`.
    Murmur(u32),
    /// The end inside the head: `stream_abort`.
    CutHead,
    /// The end inside the body, after so many words: `stream_abort`.
    Cut(u32),
    /// The same by reset: `stream_abort`.
    Reset(u32),
    /// A chunk size that is none, after so many words: `stream_abort`.
    BadChunk(u32),
    /// The body ends well, but the stream does not, after so many words: `stream_abort`.
    NoEnd(u32),
    /// A stream's first event is an error: `s5xx`.
    ErrorFirst,
    /// An error event after so many words: `s5xx`.
    ErrorAfter(u32),
    /// 103 before the answer: well.
    Interim,
    /// The right body under the wrong type: well.
    OddType,
    /// One event with broken JSON among good ones: well.
    BrokenEvent,
    /// One word of 20 KiB: well.
    Huge,
    /// The head byte by byte: well.
    Drip,
    /// The answer cut into pieces anywhere: well.
    Split,
    /// `connection: close` behind the answer: well.
    CloseAfter,
    /// The connection is closed soon after a good answer, without a word: well.
    CloseLater(Span),
}

/// The forms of `Retry-After`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hint {
    /// Seconds.
    Seconds(u32),
    /// `retry-after-ms`.
    Millis(u32),
    /// `x-ratelimit-reset-requests: 1.5s`.
    Reset,
    /// -1.
    Negative,
    /// A word.
    Junk,
}

/// Where in an attempt a fault strikes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    /// Before there is a connection.
    Connect,
    /// When the request has come.
    Answer,
}

impl Fault {
    pub(super) const fn phase(self) -> Phase {
        match self {
            Self::Gone
            | Self::Refused
            | Self::BlackHole
            | Self::SlowConnect(_)
            | Self::NoAddress
            | Self::Tls => Phase::Connect,
            _ => Phase::Answer,
        }
    }

    /// The outcomes that an attempt under this fault may end in; `streams` is what the client asked for. Timers are not
    /// looked at: they may always come first.
    #[expect(
        clippy::match_same_arms,
        reason = "a table in the catalogue's order, one reason a line"
    )]
    pub(super) fn outcomes(self, streams: bool) -> OutcomeSet {
        let of = |outcome| OutcomeSet::EMPTY.with(outcome);
        match self {
            Self::Gone | Self::Refused | Self::BlackHole | Self::NoAddress => of(Outcome::Connect),
            Self::Tls => of(Outcome::Tls),
            Self::SlowConnect(_) => of(Outcome::Ok).with(Outcome::Connect),
            Self::CloseAtOnce | Self::ResetAtOnce => of(Outcome::Connect),
            Self::NotReading | Self::Hang => OutcomeSet::EMPTY,
            Self::Status(status) | Self::Hinted(status, _) | Self::Early(status) => {
                of_status(status)
            }
            Self::Page(status) => of_page(status),
            Self::BadKey | Self::Denied => of(Outcome::AuthFailed),
            Self::NoQuota => of(Outcome::QuotaExhausted),
            Self::ModelGone => of(Outcome::ModelGone),
            Self::TooLong => of(Outcome::ContextExceeded),
            Self::Filtered => of(Outcome::ContentFilter),
            Self::ErrorObject => of(Outcome::S5xx),
            Self::Empty
            | Self::NoChoices
            | Self::NoContent
            | Self::Redirect
            | Self::Compressed
            | Self::Noise
            | Self::EndlessHead => of(Outcome::BadOutput),
            Self::CutHead | Self::Cut(_) | Self::Reset(_) | Self::BadChunk(_) => {
                of(Outcome::StreamAbort)
            }
            // A body without its end is no JSON; a stream without its end is one that broke off.
            Self::NoEnd(_) if streams => of(Outcome::StreamAbort),
            Self::NoEnd(_) => of(Outcome::BadOutput),
            Self::ErrorFirst | Self::ErrorAfter(_) => of(Outcome::S5xx),
            Self::LateHead(_) | Self::LateContent(_) | Self::LateWords(_) => of(Outcome::Ok),
            Self::Stall(_) | Self::Murmur(_) => OutcomeSet::EMPTY,
            Self::Interim
            | Self::OddType
            | Self::BrokenEvent
            | Self::Huge
            | Self::Drip
            | Self::Split
            | Self::CloseAfter
            | Self::CloseLater(_) => of(Outcome::Ok),
        }
    }

    /// How long the fault's mark stays on a key, a model or a target after the fault itself is over.
    pub(super) const fn leaves_a_rest(self) -> bool {
        matches!(
            self,
            Self::BadKey | Self::Denied | Self::NoQuota | Self::ModelGone
        ) || matches!(self, Self::Status(401..=403))
    }
}

fn of_status(status: u16) -> OutcomeSet {
    let of = |outcome| OutcomeSet::EMPTY.with(outcome);
    match status {
        401 | 403 => of(Outcome::AuthFailed),
        402 => of(Outcome::QuotaExhausted),
        429 => of(Outcome::S429),
        503 | 529 => of(Outcome::Overloaded),
        408 | 409 | 500.. => of(Outcome::S5xx),
        _ => of(Outcome::S4xx),
    }
}

fn of_page(status: u16) -> OutcomeSet {
    let of = |outcome| OutcomeSet::EMPTY.with(outcome);
    match status {
        200 => of(Outcome::BadOutput),
        401 | 403 | 500.. => of(Outcome::S5xx),
        _ => of_status(status),
    }
}

/// A time in which somebody misbehaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Spell {
    /// Who.
    pub who: Who,
    /// How.
    pub fault: Fault,
    /// From this moment on.
    pub from: Moment,
    /// Until then.
    pub to: Moment,
    /// How many of a million requests, or of connects.
    pub share: u32,
    /// It comes and goes: so long there, so long away. Zero: all the time.
    pub beat: Span,
}

/// Whom a spell holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Who {
    /// One provider.
    Provider(ProviderId),
    /// One endpoint of a provider, from 0.
    Endpoint(ProviderId, u16),
    /// One model of a provider; a fault of connecting never strikes.
    Target(TargetId),
    /// One key of a provider, from 0; a fault of connecting never strikes.
    Key(ProviderId, u8),
    /// All of them.
    Everyone,
}

impl Who {
    /// Whether it is this endpoint of a provider, or the target and key that it is asked for and with, once they are known.
    pub(super) fn holds(self, place: (ProviderId, u16), asked: Option<(TargetId, u8)>) -> bool {
        let (provider, endpoint) = place;
        match self {
            Self::Everyone => true,
            Self::Provider(id) => id == provider,
            Self::Endpoint(id, of) => (id, of) == (provider, endpoint),
            Self::Target(id) => asked.is_some_and(|(target, _)| id == target),
            Self::Key(id, held) => id == provider && asked.is_some_and(|(_, key)| held == key),
        }
    }
}

impl Spell {
    /// A fault that strikes every time.
    pub const fn always(who: Who, fault: Fault, from: Moment, to: Moment) -> Self {
        Self {
            who,
            fault,
            from,
            to,
            share: 1_000_000,
            beat: Span::ZERO,
        }
    }

    /// Whether it is there.
    pub(super) fn holds(&self, now: Moment) -> bool {
        let beat = self.beat.as_nanos();
        self.from <= now
            && now < self.to
            && (beat == 0 || (now.since(self.from).as_nanos() / beat).is_multiple_of(2))
    }
}
