//! The way of a record into the access log: from its core into a bounded queue, and from there, by a thread of the
//! runtime's, to wherever lines go. A core never waits for it: what finds no room is counted and gone.
//!
//! PERF: whoever empties the queue looks at it from time to time and never sleeps in it, so that putting a record in is
//! a copy of some 500 bytes and no system call.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::base::{RequestId, hash};
use crate::ops::journal::{Ending, Record};
use crate::policy::model::Telemetry;

/// Where one core puts records.
#[derive(Clone, Debug)]
pub struct LogSink {
    queue: SyncSender<Record>,
    /// The part of requests that is logged, in parts per million.
    sample: u32,
}

/// There was no room.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NoRoom;

impl LogSink {
    /// One core's way into the log that `telemetry` asks for, and its other end.
    pub fn new(telemetry: Telemetry) -> (Self, Receiver<Record>) {
        let (queue, other_end) = sync_channel(LOG_RECORDS_MAX);
        let sample = telemetry.sample;
        (Self { queue, sample }, other_end)
    }

    /// Puts a record in, if it is one of those that are logged.
    ///
    /// # Errors
    /// The queue is full, or nobody empties it any more.
    pub fn offer(&self, record: &Record) -> Result<(), NoRoom> {
        if !self.takes(record) {
            return Ok(());
        }
        self.queue.try_send(*record).map_err(|_| NoRoom)
    }

    /// Requests that failed are always logged; of the others chance decides by the id, as it does for all that is asked
    /// about the same request.
    fn takes(&self, record: &Record) -> bool {
        record.ending == Ending::Failed || is_sampled(record.id, self.sample)
    }
}

/// Whether a request is of this part of all, in parts per million.
pub(super) fn is_sampled(id: RequestId, part: u32) -> bool {
    const MILLION: u64 = 1_000_000;
    if u64::from(part) >= MILLION {
        return true;
    }
    let half = u64::try_from(id.0 & u128::from(u64::MAX)).unwrap_or(0);
    hash::scale(hash::mix(half, 0), MILLION) < u64::from(part)
}

/// Records of one core that wait to be written, about 500 bytes each: at the fastest a core goes, more than one pause of
/// the writer brings.
const LOG_RECORDS_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::{LOG_RECORDS_MAX, LogSink, NoRoom};
    use crate::base::RequestId;
    use crate::ops::account::tests::record;
    use crate::ops::{Ending, Record};
    use crate::policy::model::{LogForm, Telemetry};

    fn sink(sample: u32) -> (LogSink, std::sync::mpsc::Receiver<Record>) {
        let access_log = LogForm::Json;
        LogSink::new(Telemetry { access_log, sample })
    }

    #[test]
    fn a_full_queue_refuses_and_does_not_wait() {
        let (sink, other_end) = sink(1_000_000);
        for _ in 0..LOG_RECORDS_MAX {
            assert_eq!(sink.offer(&record()), Ok(()));
        }
        assert_eq!(sink.offer(&record()), Err(NoRoom));
        assert_eq!(other_end.try_iter().count(), LOG_RECORDS_MAX);
        assert_eq!(sink.offer(&record()), Ok(()));
        drop(other_end);
        assert_eq!(sink.offer(&record()), Err(NoRoom));
    }

    #[test]
    fn a_sample_is_a_part_of_all_and_all_that_failed() {
        let (sink, other_end) = sink(100_000);
        for id in 0..1_000 {
            let id = RequestId(id);
            assert_eq!(sink.offer(&Record { id, ..record() }), Ok(()));
        }
        let sampled = other_end.try_iter().count();
        assert!((60..140).contains(&sampled), "{sampled}");
        let ending = Ending::Failed;
        for id in 0..100 {
            let id = RequestId(id);
            let failed = Record {
                id,
                ending,
                ..record()
            };
            assert_eq!(sink.offer(&failed), Ok(()));
        }
        assert_eq!(other_end.try_iter().count(), 100);
    }
}
