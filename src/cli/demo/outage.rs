//! When the provider breaks, in which ways, and when it is mended; and the words for it. Pure: it gives orders, and is
//! told how many requests the provider got.

use crate::base::{Moment, Span};
use crate::engine::{State, Transition};
use crate::policy::model::Act;

/// The course of one outage.
#[derive(Debug)]
pub(super) struct Outage {
    breaks: Span,
    mends: Span,
    state: Course,
    /// From its real beginning to its real end.
    began: Option<Span>,
    ended: Option<Span>,
}

#[derive(Debug)]
enum Course {
    Before,
    /// With the fault of this index, since the provider had got so many requests.
    Under {
        fault: usize,
        since: u64,
    },
    After,
}

/// What to do to the provider.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Order {
    Break(Act),
    Mend,
}

/// A part of the demonstration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    Before,
    During,
    After,
}

impl Outage {
    /// In the middle of a demonstration of this length.
    pub(super) const fn new(length: Span) -> Self {
        let hundredth = length.as_nanos() / 100;
        Self {
            breaks: Span::from_nanos(hundredth * BREAKS_AT),
            mends: Span::from_nanos(hundredth * MENDS_AT),
            state: Course::Before,
            began: None,
            ended: None,
        }
    }

    /// What is due. `served` is how many requests the provider has got since it started.
    pub(super) fn advance(&mut self, elapsed: Span, served: u64) -> Option<Order> {
        let fault = match self.state {
            Course::Before if elapsed >= self.breaks => {
                self.began = Some(elapsed);
                0
            }
            Course::Under { .. } if elapsed >= self.mends => return self.end(elapsed),
            Course::Under { fault, since } if served.saturating_sub(since) >= MET => fault + 1,
            _ => return None,
        };
        self.state = Course::Under {
            fault,
            since: served,
        };
        self.fault().map(Order::Break)
    }

    /// Ends it now, if it has begun.
    pub(super) fn end(&mut self, elapsed: Span) -> Option<Order> {
        let begun = matches!(self.state, Course::Under { .. });
        self.state = Course::After;
        begun.then(|| {
            self.ended = Some(elapsed);
            Order::Mend
        })
    }

    /// Which part of the demonstration a request belongs to that was due at this time.
    pub(super) fn phase_at(&self, due: Span) -> Phase {
        if self.began.is_none_or(|began| due < began) {
            Phase::Before
        } else if self.ended.is_none_or(|ended| due < ended) {
            Phase::During
        } else {
            Phase::After
        }
    }

    /// How the provider is.
    pub(super) fn doing(&self, provider: &str) -> String {
        match (&self.state, self.fault()) {
            (Course::After, _) if self.ended.is_some() => format!("{provider} is mended"),
            (Course::Under { .. }, Some(act)) => {
                format!("{provider} is broken: {}", words_of(act))
            }
            _ => "all is well".to_owned(),
        }
    }

    fn fault(&self) -> Option<Act> {
        match self.state {
            Course::Under { fault, .. } => FAULTS.get(fault % FAULTS.len()).copied(),
            Course::Before | Course::After => None,
        }
    }
}

impl Order {
    /// The event's words.
    pub(super) fn describe(self, provider: &str) -> String {
        match self {
            Self::Break(act) => format!("{provider} broken: {}", words_of(act)),
            Self::Mend => format!("{provider} mended"),
        }
    }
}

/// A breaker's change in words.
pub(super) fn describe_transition(target: &str, transition: &Transition, now: Moment) -> String {
    let tenths = transition
        .until
        .map_or(0, |until| until.since(now).as_millis().div_ceil(100));
    let left = format!("{}.{} s", tenths / 10, tenths % 10);
    match (transition.from, transition.to) {
        (State::HalfOpen, State::Open) => {
            format!("{target}: a probe failed, breaker open for {left}")
        }
        (_, State::Open) => {
            let rule = transition.why.map_or("", |rule| rule.as_str());
            format!("{target}: breaker opened ({rule}), for {left}")
        }
        (_, State::HalfOpen) => format!("{target}: breaker lets probes through"),
        (_, State::Ramp) => format!("{target}: breaker lets a part of the requests through"),
        (_, State::Closed) => format!("{target}: breaker closed"),
    }
}

const fn words_of(act: Act) -> &'static str {
    match act {
        Act::Status(503) => "status 503",
        Act::Refuse => "connections refused",
        Act::ErrorEvent => "an error in place of the first event",
        _ => "another fault",
    }
}

/// In hundredths of the length. At the default of 20 s the breaker's second cool-down ends after the mending, so that
/// its closing can be seen, and the traffic's return after it.
const BREAKS_AT: u64 = 30;
const MENDS_AT: u64 = 60;
/// What goes wrong, in turn. None of it reaches a client: each comes before anything was sent on.
const FAULTS: [Act; 3] = [Act::Status(503), Act::Refuse, Act::ErrorEvent];
/// A fault makes room for the next when it has met so many requests. At the usual rate some ten fail before the breaker
/// has seen five in a row, for answers that are under way still succeed: by then each fault has had its turn.
const MET: u64 = 3;

#[cfg(test)]
mod tests {
    use super::{Order, Outage, Phase};
    use crate::base::Span;
    use crate::policy::model::Act;

    #[test]
    fn every_fault_is_met_and_then_mended() {
        let s = Span::from_secs;
        let mut outage = Outage::new(s(20));
        assert_eq!(outage.advance(s(5), 100), None);
        assert_eq!(outage.doing("alpha"), "all is well");
        let broken = |act| Some(Order::Break(act));
        assert_eq!(outage.advance(s(6), 100), broken(Act::Status(503)));
        assert_eq!(outage.advance(s(7), 102), None);
        assert_eq!(outage.advance(s(7), 103), broken(Act::Refuse));
        assert_eq!(
            outage.doing("alpha"),
            "alpha is broken: connections refused"
        );
        assert_eq!(outage.advance(s(8), 106), broken(Act::ErrorEvent));
        assert_eq!(outage.advance(s(8), 110), broken(Act::Status(503)));
        assert_eq!(outage.advance(s(12), 113), Some(Order::Mend));
        assert_eq!(outage.advance(s(13), 120), None);
        assert_eq!(outage.end(s(14)), None);
        let phases = [5, 6, 11, 12].map(|due| outage.phase_at(s(due)));
        let want = [Phase::Before, Phase::During, Phase::During, Phase::After];
        assert_eq!(phases, want);
    }

    #[test]
    fn ended_before_it_began_there_was_none() {
        let mut outage = Outage::new(Span::from_secs(20));
        assert_eq!(outage.end(Span::from_secs(1)), None);
        assert_eq!(outage.advance(Span::from_secs(9), 0), None);
        assert_eq!(outage.phase_at(Span::from_secs(9)), Phase::Before);
    }
}
