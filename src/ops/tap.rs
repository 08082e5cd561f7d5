//! The way of records to a drill: what became of the requests that it is about.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::base::{RequestId, hash};
use crate::ops::journal::Record;

/// A part of all requests, chosen by their ids: whoever asks about a request is told the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Portion {
    /// In parts per million.
    pub share: u32,
    /// Two portions with different salts are independent.
    pub salt: u64,
}

impl Portion {
    /// Every request.
    pub const ALL: Self = Self {
        share: 1_000_000,
        salt: 0,
    };

    /// Whether a request is of it.
    pub fn has(self, id: RequestId) -> bool {
        const MILLION: u64 = 1_000_000;
        let low = u64::try_from(id.0 & u128::from(u64::MAX)).unwrap_or_default();
        hash::scale(hash::mix(low, self.salt), MILLION) < u64::from(self.share)
    }
}

/// Where one core puts records of a drill's requests.
#[derive(Clone, Debug)]
pub struct Tap {
    portion: Portion,
    queue: SyncSender<Record>,
}

impl Tap {
    /// For the requests of this portion, and its other end.
    pub fn new(portion: Portion) -> (Self, Receiver<Record>) {
        let (queue, other_end) = sync_channel(RECORDS_MAX);
        (Self { portion, queue }, other_end)
    }

    /// Marks a record that is of a drill's request, and puts it in. What finds no room is gone.
    #[cold]
    pub(super) fn take(&self, record: &mut Record) {
        record.drill = self.portion.has(record.id);
        if record.drill {
            // Nobody may be there any more.
            let _ = self.queue.try_send(*record);
        }
    }
}

/// Records of all cores that wait, about 500 bytes each: whoever takes them out does so every few milliseconds.
const RECORDS_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::{Portion, Tap};
    use crate::base::RequestId;
    use crate::ops::Record;
    use crate::ops::account::tests::record;

    #[test]
    fn a_portion_is_a_part_of_all_and_always_the_same() {
        let portion = Portion {
            share: 50_000,
            salt: 7,
        };
        let of_it: Vec<u128> = (0..10_000)
            .filter(|&id| portion.has(RequestId(id)))
            .collect();
        assert!((400..600).contains(&of_it.len()), "{}", of_it.len());
        assert!((0..100).all(|id| Portion::ALL.has(RequestId(id))));
        let (tap, other_end) = Tap::new(portion);
        for id in 0..10_000 {
            let mut told = Record {
                id: RequestId(id),
                ..record()
            };
            tap.take(&mut told);
            assert_eq!(told.drill, of_it.contains(&id));
        }
        let ids: Vec<u128> = other_end.try_iter().map(|it| it.id.0).collect();
        assert_eq!(ids, of_it);
    }
}
