//! Decisions on their way into records: from their core into a bounded queue, as lines of the access log go
//! (`access_log`). Which requests are recorded their ids say; those that failed may be recorded too.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::base::{Moment, RequestId};
use crate::engine::Noted;
use crate::ops::access_log::{NoRoom, is_sampled};
use crate::ops::journal::Record;
use crate::policy::OwnedFacts;
use crate::policy::model::Records;

/// Whether a request's decision is recorded.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Wanted {
    /// However it ends.
    Always,
    /// If it fails.
    IfFailed,
    /// Not.
    #[default]
    Never,
}

/// A decision with all that it was made by, beside the request's record.
#[derive(Clone, Debug)]
pub struct DecisionNotes {
    /// The record.
    pub record: Record,
    /// The facts that the plan reads.
    pub facts: OwnedFacts,
    /// When its chain began.
    pub begun: Moment,
    /// When it had to be over.
    pub deadline: Moment,
    /// What its chain was asked, and what it saw.
    pub steps: Vec<Noted>,
    /// None of them is missing at the beginning: it was noted from there, as a request is that ids choose.
    pub whole: bool,
}

/// Where one core puts decisions.
#[derive(Clone, Debug)]
pub struct DecisionSink {
    queue: SyncSender<Box<DecisionNotes>>,
    share: u32,
    failed: bool,
}

impl DecisionSink {
    /// One core's way into the records that `records` asks for, and its other end.
    pub fn new(records: &Records) -> (Self, Receiver<Box<DecisionNotes>>) {
        let (queue, other_end) = sync_channel(DECISIONS_MAX);
        let sink = Self {
            queue,
            share: records.share,
            failed: records.failed,
        };
        (sink, other_end)
    }

    /// Whether the decision about this request is recorded.
    pub fn wants(&self, id: RequestId) -> Wanted {
        if is_sampled(id, self.share) {
            Wanted::Always
        } else if self.failed {
            Wanted::IfFailed
        } else {
            Wanted::Never
        }
    }

    /// Puts one in.
    ///
    /// # Errors
    /// The queue is full, or nobody empties it any more.
    pub fn offer(&self, notes: DecisionNotes) -> Result<(), NoRoom> {
        self.queue.try_send(Box::new(notes)).map_err(|_| NoRoom)
    }
}

/// Decisions of one core that wait to be written, a few KiB each: what a core makes while a slow disk is waited for.
const DECISIONS_MAX: usize = 256;
