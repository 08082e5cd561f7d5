//! What a world was like, in numbers.

use crate::base::{Moment, Outcome, Span};
use crate::engine::AttemptRecord;
use crate::ops::Totals;
use crate::sim::world::rule::Broken;

/// What has happened from the beginning of a world until now.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The gateway's own counters.
    pub totals: Totals,
    /// By [`crate::base::TargetId`].
    pub targets: Vec<TargetReport>,
    /// What clients got.
    pub clients: ClientReport,
    /// A hash of all that happened: two worlds that agree in it are the same.
    pub trace: u64,
    /// What must not happen and did; the world stood still then.
    pub broken: Option<Broken>,
}

/// What one target was asked.
#[derive(Clone, Debug, Default)]
pub struct TargetReport {
    /// Attempts.
    pub attempts: u64,
    /// Attempts that came to nothing, those aside whose client left.
    pub failed: u64,
    /// When each of these began.
    pub failed_since: Vec<Moment>,
    /// Probes among the attempts.
    pub probes: u64,
    /// Repeats among them.
    pub repeats: u64,
    /// When the first attempt began that succeeded after the last one that failed.
    pub well_since: Option<Moment>,
    /// How often its breaker began to refuse.
    pub opened: u64,
}

/// What clients got.
#[derive(Clone, Debug, Default)]
pub struct ClientReport {
    /// Requests that were sent, whole or not.
    pub asked: u64,
    /// Whole answers of targets.
    pub answers: u64,
    /// Errors.
    pub errors: u64,
    /// Streams that broke off.
    pub cut: u64,
    /// Clients that left without an answer.
    pub left: u64,
    /// The longest time to a whole answer, slow readers aside.
    pub slowest_answer: Span,
    /// The longest time to an error.
    pub slowest_error: Span,
    /// A hash of all that clients got, and when.
    pub heard: u64,
    /// Errors that said when to come again.
    pub hinted: u64,
}

impl TargetReport {
    pub(super) fn note(&mut self, began: Moment, attempt: &AttemptRecord) {
        self.attempts += 1;
        self.probes += u64::from(attempt.probe);
        self.repeats += u64::from(attempt.repeat);
        match attempt.outcome {
            Some(Outcome::Ok) => self.well_since = self.well_since.or(Some(began)),
            Some(_) => {
                self.failed += 1;
                self.failed_since.push(began);
                self.well_since = None;
            }
            None => {}
        }
    }
}
