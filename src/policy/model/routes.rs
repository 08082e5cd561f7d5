//! Routes: which requests, which targets, and what follows a failure.

use crate::base::{OutcomeSet, Span, TargetId};
use crate::policy::facts::Caps;
use crate::policy::model::{At, Cond, Guard, SlowRule, StrFact, TimeoutsOverride};

/// `alias "from" -> "to"`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Alias {
    /// What the client says.
    pub from: Box<str>,
    /// What it means.
    pub to: Box<str>,
}

/// `forbid NAME when …`: no target for which the condition holds is ever picked.
#[derive(Clone, Debug)]
pub struct Forbid {
    /// Its name.
    pub name: Box<str>,
    /// Where it is declared.
    pub at: At,
    /// May read facts of the request, of the target and of the attempt.
    pub when: Cond,
}

/// `route NAME when … { … }`
#[derive(Clone, Debug)]
pub struct Route {
    /// Its name.
    pub name: Box<str>,
    /// Where it is declared.
    pub at: At,
    /// Reads facts of the request only. `Cond::Always` for `default`.
    pub when: Cond,
    /// What a matching request gets.
    pub action: Action,
    /// `guard { … }`: what withdraws the route; [`Action::Serve`] only, and never on `default`.
    pub guard: Option<Guard>,
}

/// What a route does.
#[derive(Clone, Debug)]
pub enum Action {
    /// The route is only a `reject(…)`.
    Reject(Reject),
    /// Targets are tried.
    Serve(Serve),
}

/// `spill when …`: what makes a part of the load of a tier, or of a target in it, go to others before it has to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Spill {
    /// From this part of a tier's places taken, in parts per million.
    pub saturation: Option<u32>,
    /// Beyond this time of a target's streams. Of each measure at most one, about prompts of all sizes.
    pub slow: Vec<SlowRule>,
}

/// The targets of a route and how they are tried.
#[derive(Clone, Debug)]
pub struct Serve {
    /// By priority; together at most [`crate::base::limits::ROUTE_TARGETS_MAX`] members.
    pub tiers: Vec<Tier>,
    /// `spill when …`
    pub spill: Option<Box<Spill>>,
    /// Tried top down against the outcome.
    pub fallback: Vec<FallbackLine>,
    /// `else -> …`
    pub otherwise: Otherwise,
    /// `require = […]`: targets that are known to lack one are passed over.
    pub require: Caps,
    /// `deadline`
    pub deadline: Span,
    /// `max_attempts`
    pub attempts_max: u8,
    /// The route's own timers.
    pub timeouts: TimeoutsOverride,
    /// `mid_stream`
    pub mid_stream: MidStream,
    /// `panic`
    pub panic: Panic,
    /// `strict`: a request is refused rather than said in part.
    pub strict: bool,
    /// `sticky = hash(…)`: a request that has all of these goes where its like went; empty: none.
    pub sticky: Vec<StrFact>,
    /// `hedge after … -> provider.model`
    pub hedge: Option<Box<Hedge>>,
    /// `shadow provider.model { … }`
    pub shadow: Option<Shadow>,
}

/// `shadow provider.model { … }`: some of the route's requests are copied to a target whose answers nobody gets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Shadow {
    /// Where it stands.
    pub at: At,
    /// Where copies go.
    pub target: TargetId,
    /// `share`: the part of the route's requests that is copied, in parts per million.
    pub share: u32,
    /// `max_inflight`: copies at once, over all cores.
    pub max_inflight: u32,
}

/// `hedge after … -> provider.model`: a second attempt beside one that has brought no content yet. The first content
/// wins.
#[derive(Clone, Debug, PartialEq)]
pub struct Hedge {
    /// Where it stands.
    pub at: At,
    /// How long the attempt goes without content before.
    pub after: HedgeDelay,
    /// Where the second attempt goes.
    pub target: TargetId,
    /// Reads facts of the request only: which requests may hedge.
    pub when: Cond,
    /// `max_extra`: second attempts as a part of the route's requests, in parts per million.
    pub max_extra: u32,
}

/// When a hedge begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HedgeDelay {
    /// After this time.
    Fixed(Span),
    /// `p95`: after what 95 of 100 streams of the first attempt's target took to their first content.
    P95,
}

/// What happens when a stream breaks after its first content.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum MidStream {
    /// The client gets an error event.
    #[default]
    Error,
    /// A target that can go on from the text sent so far is asked to; if none can, as [`MidStream::Error`].
    Continue,
}

/// What happens when the breakers of all of a route's targets are open.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Panic {
    /// Requests are refused at once.
    #[default]
    Fail,
    /// One request a second tries each target; the others are refused.
    Probe,
}

/// `tier N { … }`
#[derive(Clone, Debug, PartialEq)]
pub struct Tier {
    /// How one of its members is picked.
    pub pick: Pick,
    /// At least one.
    pub members: Vec<Member>,
}

/// A target in a tier.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Member {
    /// The target.
    pub target: TargetId,
    /// Its weight; 0 is never picked first, only when nothing else of the tier is left.
    pub weight: u32,
}

/// `pick = …`
#[derive(Clone, Debug, PartialEq)]
pub enum Pick {
    /// By weight, from the request id.
    Weighted,
    /// In turn, smoothly by weight.
    RoundRobin,
    /// The smaller of two random members' requests in flight over capacity.
    LeastBusy,
    /// The smallest moving average of the time to first content.
    LeastLatency,
    /// Weighted rendezvous over these facts; a missing one hashes as empty.
    Hash(Vec<StrFact>),
}

/// One line of `fallback { … }`.
#[derive(Clone, Debug)]
pub struct FallbackLine {
    /// Where it stands.
    pub at: At,
    /// When it applies.
    pub on: Trigger,
    /// What it does.
    pub then: Then,
}

/// What a fallback line waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Trigger {
    /// The attempt ended in one of these.
    Outcomes(OutcomeSet),
    /// `on ttft > …`: no content after this time, and nothing sent to the client.
    Slow(Span),
}

/// What a fallback line does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Then {
    /// `next`: the next candidate of this tier, then of the next tier.
    Next,
    /// `stop`: the client gets this outcome's own answer, cleaned.
    Stop,
    /// `-> provider.model`
    Jump(TargetId),
    /// `-> reject(…)`
    Reject(Reject),
}

/// `else -> …`
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Otherwise {
    /// `stop`
    Stop,
    /// `reject(…)`
    Reject(Reject),
}

/// `reject(status, "message", retry_after = …)`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reject {
    /// 400–599.
    pub status: u16,
    /// The client's message; a sentence about the cause where it is `None`.
    pub message: Option<Box<str>>,
    /// `retry_after`; where `None`, the soonest moment at which a target may be usable again.
    pub retry_after: Option<Span>,
    /// The policy line, named in the reason.
    pub at: At,
}
