//! The rules of a world, and how one is seen to be broken.

use std::fmt;

use crate::base::Moment;

/// What must not happen, and happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Broken {
    /// Which rule.
    pub rule: Rule,
    /// When.
    pub at: Moment,
    /// What was seen.
    pub seen: String,
}

/// The rules of a world.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rule {
    /// Every request is answered exactly once, in proper HTTP.
    Answer,
    /// All words of an answer are of one attempt, in order, and a whole answer has all of them.
    Words,
    /// A request reaches a target of its route, unchanged.
    Request,
    /// A key is seen by its provider only, and no other key is; and not while it rests because it was refused.
    Key,
    /// Attempts are bounded, and the record has those that providers saw.
    Attempts,
    /// A dead endpoint costs time and no attempt, while another one of its provider has not been dialed.
    Endpoint,
    /// An attempt ends in the outcome that its fault is.
    Outcome,
    /// The client has an answer by its deadline.
    Deadline,
    /// An open breaker's target gets no request, and a half-open one's probes only, so many at once.
    Breaker,
    /// The same key goes to the same target, on every core and in every generation, and leaves it only while that is not well.
    Sticky,
    /// Copies of requests are few, ask whom requests would ask, and change nothing that requests could notice.
    Shadow,
    /// An operator's order is obeyed from the moment on in which it is given, and only while it holds.
    Order,
    /// A request keeps the generation that it began with, begins with the newest, and what was known goes on.
    Reload,
    /// What the gateway holds stays within its bounds, and who is turned away for them is told so at once.
    Bounds,
    /// Clients that ask again do not multiply what providers are asked.
    Amplification,
    /// Breakers pass again when all is well again.
    Recovery,
    /// Repeats stay within their budget, and hedges within their allowance.
    Budget,
    /// Of two attempts at once the loser is cut off at the moment in which the other one has content.
    Hedge,
    /// Whatever was taken is given back, and buffers stay within their bounds.
    Memory,
    /// The gateway counts what clients and providers saw.
    Counters,
    /// A connection that nothing happens to rests.
    Rest,
}

impl Broken {
    /// Without its moment, which whoever reports it knows.
    pub(super) const fn new(rule: Rule, seen: String) -> Self {
        Self {
            rule,
            at: Moment::START,
            seen,
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.since(Moment::START).as_micros();
        write!(f, "{:?} after {at} us: {}", self.rule, self.seen)
    }
}
