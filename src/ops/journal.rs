//! One record for each request, kept in a bounded ring on its core, and the counters that follow from it. No prompt,
//! no answer, no credential.

use std::sync::Arc;

use crate::base::limits::HISTORY_ENTRIES_MAX;
use crate::base::{Moment, Outcome, RequestId, RouteId};
use crate::engine::AttemptRecord;
use crate::ops::counters::{Count, Counters};

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
}

/// What is kept of one request.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// The id in `x-request-id`.
    pub id: RequestId,
    /// When its head was complete.
    pub started: Moment,
    /// When its last byte was handed over.
    pub ended: Moment,
    /// The route that matched; `None` if it never came so far.
    pub route: Option<RouteId>,
    /// The status that the client got; 0 if it left before.
    pub status: u16,
    /// How it ended.
    pub ending: Ending,
    /// Whether it asked for a stream.
    pub stream: bool,
    /// Bytes of its body.
    pub bytes_in: u64,
    /// Bytes of the answer's body.
    pub bytes_out: u64,
    /// Its attempts, in order.
    pub tried: [Option<AttemptRecord>; TRIED_MAX],
}

/// The record keeper of one core.
#[derive(Debug)]
pub struct Journal {
    counters: Arc<Counters>,
    core: usize,
    ring: Vec<Record>,
    next: usize,
}

impl Journal {
    /// The journal of core `core`.
    pub fn new(counters: Arc<Counters>, core: usize) -> Self {
        Self {
            counters,
            core,
            ring: Vec::with_capacity(RECORDS_MAX),
            next: 0,
        }
    }

    /// Keeps a record and counts it.
    pub fn keep(&mut self, record: Record) {
        self.count(&record);
        if self.ring.len() < RECORDS_MAX {
            self.ring.push(record);
        } else if let Some(oldest) = self.ring.get_mut(self.next) {
            *oldest = record;
        }
        self.next = (self.next + 1) % RECORDS_MAX;
    }

    /// The record of a request, if it is still kept.
    pub fn find(&self, id: RequestId) -> Option<&Record> {
        self.ring.iter().find(|record| record.id == id)
    }

    fn count(&self, record: &Record) {
        self.counters.add(self.core, Count::Requests);
        self.counters.add(
            self.core,
            match record.ending {
                Ending::Answered => Count::Answered,
                Ending::Refused => Count::Refused,
                Ending::Failed => Count::Failed,
                Ending::ClientGone => Count::ClientGone,
            },
        );
        let mut last = None;
        for tried in record.tried.iter().flatten() {
            self.counters.add(self.core, Count::Attempts);
            last = Some(tried);
        }
        let first = record.tried.iter().flatten().next();
        if let (Some(first), Some(last)) = (first, last)
            && record.ending == Ending::Answered
            && last.outcome == Some(Outcome::Ok)
        {
            self.counters.answered_by(self.core, last.target);
            if last.target != first.target {
                self.counters.add(self.core, Count::Failovers);
            }
        }
    }
}

/// Attempts that a record has room for: all that a chain can make, changes of key included.
pub const TRIED_MAX: usize = HISTORY_ENTRIES_MAX;
/// Records of one core: about 700 bytes each, 700 KiB in all.
const RECORDS_MAX: usize = 1024;
