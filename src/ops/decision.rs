//! Decisions on their way into records: from their core into a bounded queue, as lines of the access log go
//! (`access_log`). Which requests are recorded their ids say; those that failed may be recorded too.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::base::{Moment, RequestId};
use crate::engine::{Board, Call, Noted, Transition};
use crate::ops::access_log::{NoRoom, is_sampled};
use crate::ops::journal::Record;
use crate::policy::model::{Action, MaxInflight, Records};
use crate::policy::{OwnedFacts, Plan};

/// Whether a request's decision is recorded.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Wanted {
    /// However it ends, with all that its chain is told: as all others are.
    Logged,
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
    /// What its chain was told, where all requests are recorded.
    pub log: Option<ChainLog>,
}

/// What a chain was told, and what else it hangs on.
#[derive(Clone, Debug)]
pub struct ChainLog {
    /// The core that it ran on.
    pub core: usize,
    /// When a client gave up that had nothing by then.
    pub patience: Moment,
    /// All of it, in order.
    pub calls: Vec<Call>,
}

/// Where one core puts decisions.
#[derive(Clone, Debug)]
pub struct DecisionSink {
    queue: SyncSender<Box<DecisionNotes>>,
    share: u32,
    failed: bool,
    whole: bool,
}

impl DecisionSink {
    /// One core's way into the records that `records` asks for, and its other end.
    pub fn new(records: &Records) -> (Self, Receiver<Box<DecisionNotes>>) {
        let (queue, other_end) = sync_channel(DECISIONS_MAX);
        let sink = Self {
            queue,
            share: records.share,
            failed: records.failed,
            whole: records.are_whole(),
        };
        (sink, other_end)
    }

    /// Whether the decision about this request is recorded.
    pub fn wants(&self, id: RequestId) -> Wanted {
        if self.whole {
            Wanted::Logged
        } else if is_sampled(id, self.share) {
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

/// A tick of the engine that did something, or may have.
#[derive(Clone, Debug)]
pub struct TickNotes {
    /// When it was.
    pub at: Moment,
    /// Counts them: none is missing between two.
    pub number: u64,
    /// The hash of the policy.
    pub policy: u64,
    /// Workers.
    pub cores: usize,
    /// Of each target, how much it found counted ([`Board::seen`]).
    pub counted: Vec<u64>,
    /// What changed.
    pub changes: Vec<Transition>,
}

/// Where ticks are put.
#[derive(Debug)]
pub struct TickSink {
    queue: SyncSender<TickNotes>,
    number: u64,
    counted: Vec<u64>,
}

impl TickSink {
    /// A way into the records, and its other end; `None` where not all requests are recorded: ticks are of no use then.
    pub fn new(records: &Records) -> Option<(Self, Receiver<TickNotes>)> {
        let (queue, other_end) = sync_channel(TICKS_MAX);
        let sink = Self {
            queue,
            number: 0,
            counted: Vec::new(),
        };
        (records.are_whole() && records.file.is_some()).then_some((sink, other_end))
    }

    /// There was a tick. It is left out if nothing had been counted since the one before and nothing changed: then it did
    /// nothing. One that finds no room is missed by its number.
    pub fn put(&mut self, at: Moment, plan: &Plan, board: &Board, changes: &[Transition]) {
        let counted: Vec<u64> = board.seen().collect();
        if changes.is_empty() && counted == self.counted && !hangs_on_time(plan) {
            return;
        }
        self.counted.clone_from(&counted);
        self.number += 1;
        // Nobody waits for a record.
        let _ = self.queue.try_send(TickNotes {
            at,
            number: self.number,
            policy: plan.policy.hash,
            cores: board.cores(),
            counted,
            changes: changes.to_vec(),
        });
    }
}

/// Whether ticks do something though nothing was counted: bounds that are learned, routes that are compared, targets that
/// leave load to others because they are slow.
fn hangs_on_time(plan: &Plan) -> bool {
    let learned = |bound: Option<MaxInflight>| matches!(bound, Some(MaxInflight::Auto(_)));
    let spills = |action: &Action| {
        let spill = match action {
            Action::Serve(serve) => serve.spill.as_ref(),
            Action::Reject(_) => None,
        };
        spill.is_some_and(|spill| !spill.slow.is_empty())
    };
    let mut targets = plan.policy.targets.iter();
    let mut routes = plan.policy.routes.iter();
    targets.any(|target| learned(target.max_inflight))
        || routes.any(|route| route.guard.is_some() || spills(&route.action))
}

/// Ticks that wait to be written: what comes in six seconds.
const TICKS_MAX: usize = 64;
/// Decisions of one core that wait to be written, a few KiB each: what a core makes while a slow disk is waited for.
const DECISIONS_MAX: usize = 256;
