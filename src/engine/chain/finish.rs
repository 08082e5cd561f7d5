//! How a chain ends when it is not by an answer: which `reject(…)`, with what hint.

use crate::base::{Moment, Outcome, RouteId, Span};
use crate::policy::Plan;
use crate::policy::model::{Action, At, Otherwise, Reject, Then};

/// The end of a chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Finish {
    /// The client gets what the last attempt had to say. At least one attempt has ended.
    Stop,
    /// The client gets a refusal of the policy's.
    Reject {
        /// 400–599.
        status: u16,
        /// What `Retry-After` says: the policy's own value, else the time until the first target may be usable again.
        retry_after: Option<Span>,
        /// Why.
        reason: Reason,
        /// The policy line that refuses.
        at: At,
        /// Where its message stands.
        message: Message,
    },
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// The route is a `reject(…)`.
    Route,
    /// Every target is masked by a `forbid`. The client learns nothing more.
    Forbidden,
    /// No target can do what the route requires.
    Lacks,
    /// The request's deadline is over.
    Deadline,
    /// An attempt ended so and nothing was left to do, or no attempt could begin: [`Outcome::BreakerOpen`],
    /// [`Outcome::S429`] (rate limits), [`Outcome::Overloaded`], [`Outcome::AuthFailed`] (keys out),
    /// [`Outcome::ModelGone`], [`Outcome::Connect`] (health checks).
    Outcome(Outcome),
}

impl Reason {
    /// The word of logs and of the client's reason header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Route => "route",
            Self::Forbidden => "forbidden",
            Self::Lacks => "lacks",
            Self::Deadline => "deadline",
            Self::Outcome(outcome) => outcome.as_str(),
        }
    }
}

/// Names a `reject(…)` of the plan.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Message {
    route: RouteId,
    by: By,
}

/// Which of a route's rejects.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum By {
    /// Its action.
    Route,
    /// This fallback line.
    Line(u8),
    /// Its `else`.
    Otherwise,
}

impl Message {
    /// Which of the route's rejects it is.
    pub const fn by(self) -> By {
        self.by
    }

    /// The policy's text for the client, if it has one.
    pub fn text(self, plan: &Plan) -> Option<&str> {
        self.reject(plan)?.message.as_deref()
    }

    fn reject(self, plan: &Plan) -> Option<&Reject> {
        match (&plan.policy.routes.get(self.route.index())?.action, self.by) {
            (Action::Reject(reject), _) => Some(reject),
            (Action::Serve(serve), By::Line(line)) => {
                match &serve.fallback.get(usize::from(line))?.then {
                    Then::Reject(reject) => Some(reject),
                    Then::Next | Then::Stop | Then::Jump(_) => None,
                }
            }
            (Action::Serve(serve), By::Otherwise | By::Route) => match &serve.otherwise {
                Otherwise::Reject(reject) => Some(reject),
                Otherwise::Stop => None,
            },
        }
    }
}

/// What stood in the way, for the hint and the status.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocked {
    /// When something may be usable again.
    pub(crate) soonest: Moment,
    /// Every target is rate-limited and nothing else: the client is told so, whatever status `else` has.
    pub(crate) throttled: bool,
}

impl Blocked {
    /// Nothing is known.
    pub(crate) const UNKNOWN: Self = Self {
        soonest: Moment::NEVER,
        throttled: false,
    };
}

/// A refusal by `by`. Where that is a `stop` and there is no answer to give, 503.
pub(crate) fn reject(
    now: Moment,
    plan: &Plan,
    (route, by): (RouteId, By),
    reason: Reason,
    blocked: Blocked,
) -> Finish {
    let message = Message { route, by };
    let line = message.reject(plan);
    let own_at = || plan.policy.routes.get(route.index()).map(|route| route.at);
    let status = if by == By::Otherwise && reason == Reason::Deadline {
        TOO_LATE
    } else if by == By::Otherwise && blocked.throttled {
        TOO_MANY
    } else {
        line.map_or(UNAVAILABLE, |line| line.status)
    };
    let hinted = || {
        let some = blocked.soonest != Moment::NEVER && matches!(status, TOO_MANY | UNAVAILABLE);
        some.then(|| blocked.soonest.since(now))
    };
    Finish::Reject {
        status,
        retry_after: line.and_then(|line| line.retry_after).or_else(hinted),
        reason,
        at: line.map(|line| line.at).or_else(own_at).unwrap_or_default(),
        message,
    }
}

const TOO_MANY: u16 = 429;
const TOO_LATE: u16 = 504;
const UNAVAILABLE: u16 = 503;
