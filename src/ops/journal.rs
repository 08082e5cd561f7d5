//! One record for each request, kept in a bounded ring on its core, and the counters that follow from it. No prompt,
//! no answer, no credential.

use std::sync::Arc;

use crate::base::{Moment, Outcome, RequestId, RouteId, Span, TargetId};
use crate::engine::{AttemptRecord, History, PassedOver, PassedSet};
use crate::ops::access_log::LogSink;
use crate::ops::cost::Spent;
use crate::ops::counters::{Count, Counters};
use crate::ops::decision::{DecisionNotes, DecisionSink, Wanted};
use crate::ops::tally::{Move, add};
use crate::ops::tap::Tap;
use crate::policy::Candidate;

/// How a request ended for its client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// With a target's whole answer.
    Answered,
    /// With a refusal: bad input, no route, a policy's `reject`, or a target's verdict on the request itself.
    Refused,
    /// With an error although it was a good request.
    Failed,
    /// The client left.
    ClientGone,
    /// Turned away: the gateway had as much to do as it may, or was about to end.
    Shed,
}

impl Ending {
    /// Every ending, in declaration order.
    pub const ALL: [Self; 5] = [
        Self::Answered,
        Self::Refused,
        Self::Failed,
        Self::ClientGone,
        Self::Shed,
    ];

    /// The word of records, of the access log and of metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::ClientGone => "client_gone",
            Self::Shed => "shed",
        }
    }
}

/// What is kept of one request.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// The id in `x-request-id`.
    pub id: RequestId,
    /// The hash of the policy that decided: ids are of its tables.
    pub policy: u64,
    /// When its head was complete.
    pub started: Moment,
    /// When its last byte was handed over.
    pub ended: Moment,
    /// The route that matched; `None` if it never came so far.
    pub route: Option<RouteId>,
    /// The first route that would have taken it and was withdrawn.
    pub withdrawn: Option<RouteId>,
    /// The status that the client got; 0 if it left before.
    pub status: u16,
    /// How it ended.
    pub ending: Ending,
    /// Why it was refused, as `x-switchover-reason` tells the client.
    pub reason: Option<&'static str>,
    /// Whether it asked for a stream.
    pub stream: bool,
    /// How long it waited for a place at a target.
    pub queued: Span,
    /// Bytes of its body.
    pub bytes_in: u64,
    /// Bytes of the answer's body.
    pub bytes_out: u64,
    /// Why candidates of the route were passed over, at the newest occasion.
    pub passed: PassedSet,
    /// Its attempts.
    pub attempts: History,
    /// What its answer took, where the provider said so; of an answer in parts, the last one.
    pub spent: Option<Spent>,
    /// A drill made it, or it is one of those that a drill's faults may hit.
    pub drill: bool,
    /// What the parts before it took together. They were counted when they ended.
    pub spent_before: Option<Spent>,
}

impl Record {
    /// What all parts of its answer took, as far as their providers said so.
    pub(super) fn spent_in_all(&self) -> Option<Spent> {
        match (self.spent_before, self.spent) {
            (Some(before), Some(last)) => Some(before.and(last)),
            (before, last) => last.or(before),
        }
    }

    /// The candidates that this request never asked, and why not. `candidates` are those of its route.
    pub(super) fn passed_over<'a>(
        &'a self,
        candidates: &'a [Candidate],
    ) -> impl Iterator<Item = (TargetId, PassedOver)> + 'a {
        let asked = |target| {
            let mut attempts = self.attempts.iter();
            attempts.any(|attempt| attempt.target == target)
        };
        let reasons = candidates
            .iter()
            .enumerate()
            .filter_map(|(index, candidate)| Some((candidate.target, self.passed.of(index)?)));
        reasons.filter(move |&(target, _)| !asked(target))
    }
}

/// The record keeper of one core.
#[derive(Debug)]
pub struct Journal {
    counters: Arc<Counters>,
    core: usize,
    ring: Vec<Record>,
    next: usize,
    log: Option<LogSink>,
    decisions: Option<DecisionSink>,
    /// To the drill that is on, if it is about these requests.
    tap: Option<Tap>,
}

impl Journal {
    /// The journal of core `core`.
    pub fn new(counters: Arc<Counters>, core: usize) -> Self {
        Self {
            counters,
            core,
            ring: Vec::with_capacity(RECORDS_MAX),
            next: 0,
            log: None,
            decisions: None,
            tap: None,
        }
    }

    /// The same, writing to the access log too.
    #[must_use]
    pub fn logging(self, log: Option<LogSink>) -> Self {
        Self { log, ..self }
    }

    /// The same, recording decisions too.
    #[must_use]
    pub fn recording(self, decisions: Option<DecisionSink>) -> Self {
        Self { decisions, ..self }
    }

    /// A drill is told of its requests from now on, or not any more.
    pub fn tell(&mut self, tap: Option<Tap>) {
        self.tap = tap;
    }

    /// The access log that it writes to.
    pub fn log(&self) -> Option<LogSink> {
        self.log.clone()
    }

    /// Whether the decision about a request is recorded.
    pub fn wants_decision(&self, id: RequestId) -> Wanted {
        let decisions = self.decisions.as_ref();
        decisions.map_or(Wanted::Never, |decisions| decisions.wants(id))
    }

    /// Records a decision.
    pub fn keep_decision(&self, notes: DecisionNotes) {
        if let Some(decisions) = &self.decisions
            && decisions.offer(notes).is_err()
        {
            self.counters.unrecorded(self.core);
        }
    }

    /// Counts in `counters` from now on.
    pub fn count_in(&mut self, counters: &Arc<Counters>) {
        // PERF: the same ones but for a while after a plan with other targets has taken over.
        if !Arc::ptr_eq(&self.counters, counters) {
            self.counters = Arc::clone(counters);
        }
    }

    /// Keeps a record and counts it, after a drill that it is of has marked it. `candidates` are those of its route.
    pub fn keep(&mut self, record: &mut Record, candidates: &[Candidate]) {
        if let Some(tap) = &self.tap {
            tap.take(record);
        }
        self.count(record, candidates);
        if let Some(log) = &self.log
            && log.offer(record).is_err()
        {
            self.counters.unlogged(self.core);
        }
        if self.ring.len() < RECORDS_MAX {
            self.ring.push(*record);
        } else if let Some(oldest) = self.ring.get_mut(self.next) {
            *oldest = *record;
        }
        self.next = (self.next + 1) % RECORDS_MAX;
    }

    /// The record of a request, if it is still kept.
    pub fn find(&self, id: RequestId) -> Option<&Record> {
        self.ring.iter().find(|record| record.id == id)
    }

    /// The record that was kept last.
    pub fn last(&self) -> Option<&Record> {
        let before = self.next.checked_sub(1);
        self.ring.get(before.unwrap_or(RECORDS_MAX - 1))
    }

    /// The newest records, newest first; with `failed` only those of requests that failed.
    pub fn newest(&self, count: usize, failed: bool) -> Vec<Record> {
        let at = self.next.min(self.ring.len());
        let (newer, older) = self.ring.split_at(at);
        let all = newer.iter().rev().chain(older.iter().rev());
        all.filter(|record| !failed || record.ending == Ending::Failed)
            .take(count)
            .copied()
            .collect()
    }

    /// A stream's content came `gap` after the one before.
    pub fn gap(&self, target: TargetId, gap: Span) {
        if let Some(tally) = self.counters.target(self.core, target) {
            tally.gap(gap);
        }
    }

    /// A part of an answer that others go on with took so much.
    pub fn spent(&mut self, spent: &Spent) {
        if let Some(tally) = self.counters.target(self.core, spent.target) {
            tally.spent(spent);
        }
    }

    fn count(&self, record: &Record, candidates: &[Candidate]) {
        if let Some(route) = self.counters.route(self.core, record.route) {
            if let Some(cell) = route.endings.get(record.ending as usize) {
                add(cell, 1);
            }
            add(&route.bytes_in, record.bytes_in);
            add(&route.bytes_out, record.bytes_out);
            route.durations.record(record.ended.since(record.started));
        }
        if !record.passed.is_empty() {
            self.count_passed(record, candidates);
        }
        if let Some(spent) = &record.spent
            && let Some(tally) = self.counters.target(self.core, spent.target)
        {
            tally.spent(spent);
        }
        self.counters.add(self.core, Count::Requests);
        self.counters.add(
            self.core,
            match record.ending {
                Ending::Answered => Count::Answered,
                Ending::Refused => Count::Refused,
                Ending::Failed => Count::Failed,
                Ending::ClientGone => Count::ClientGone,
                Ending::Shed => Count::Shed,
            },
        );
        let mut last: Option<AttemptRecord> = None;
        for tried in record.attempts.iter() {
            self.counters.add(self.core, Count::Attempts);
            if tried.hedge {
                self.counters.add(self.core, Count::Hedges);
            }
            if let Some(tally) = self.counters.target(self.core, tried.target) {
                let at = record.started + tried.ended.unwrap_or_default();
                if tried.overtaken {
                    tally.overtaken();
                } else {
                    tally.ended(tried.outcome, at);
                }
            }
            // A hedge did not move there from anywhere.
            if let Some(before) = last.filter(|before| before.target != tried.target)
                && let Some(why) = before.outcome
                && !tried.hedge
            {
                let (from, to) = (before.target, tried.target);
                self.counters.moved(self.core, Move { from, to, why });
            }
            last = Some(tried);
        }
        let mut attempts = record.attempts.iter();
        let answer = attempts.find(|attempt| attempt.outcome == Some(Outcome::Ok));
        if let (Some(first), Some(answer)) = (record.attempts.iter().next(), answer)
            && record.ending == Ending::Answered
        {
            self.counters.answered_by(self.core, answer.target);
            if answer.hedge {
                self.counters.add(self.core, Count::HedgesWon);
            } else if answer.target != first.target {
                self.counters.add(self.core, Count::Failovers);
            }
        }
    }

    fn count_passed(&self, record: &Record, candidates: &[Candidate]) {
        for (target, why) in record.passed_over(candidates) {
            if let Some(tally) = self.counters.target(self.core, target) {
                tally.passed_over(why);
            }
        }
    }
}

/// Records of one core: about 350 bytes each, 350 KiB in all.
const RECORDS_MAX: usize = 1024;
