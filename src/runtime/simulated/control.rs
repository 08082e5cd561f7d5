//! The handle on a running simulated provider: breaks it, mends it and counts, from any thread, without a lock.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::policy::model::Act;

/// What other threads and a provider's server share.
#[derive(Debug, Default)]
pub struct Control {
    act: AtomicU32,
    served: AtomicU64,
    in_flight: AtomicU32,
    abandoned: AtomicU64,
}

impl Control {
    /// Makes every request from now on be answered with `act`; `None` goes back to the provider's own script. Answers
    /// that are under way are not touched.
    pub fn set_act(&self, act: Option<Act>) {
        self.act.store(encode(act), Ordering::Release);
    }

    /// The act in force, if one overrides the script.
    pub fn act(&self) -> Option<Act> {
        decode(self.act.load(Ordering::Acquire))
    }

    /// Requests whose answer began, lists of models included.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::Acquire)
    }

    /// Answers under way, hanging ones included.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Acquire)
    }

    /// Answers whose client left before their end.
    pub fn abandoned(&self) -> u64 {
        self.abandoned.load(Ordering::Acquire)
    }

    pub(super) fn begin(&self) -> InFlight<'_> {
        self.served.fetch_add(1, Ordering::AcqRel);
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        InFlight { control: self }
    }
}

/// One answer under way; counted until it is dropped.
pub(super) struct InFlight<'a> {
    control: &'a Control,
}

impl InFlight<'_> {
    pub(super) fn abandon(&self) {
        self.control.abandoned.fetch_add(1, Ordering::AcqRel);
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.control.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

/// An act as one word: statuses are themselves, the others are small.
const fn encode(act: Option<Act>) -> u32 {
    match act {
        None => 0,
        Some(Act::Ok) => 1,
        Some(Act::Refuse) => 2,
        Some(Act::Hang) => 3,
        Some(Act::Stall) => 4,
        Some(Act::Cut) => 5,
        Some(Act::ErrorEvent) => 6,
        Some(Act::ModelGone) => 7,
        Some(Act::BadKey) => 8,
        Some(Act::Status(status)) => STATUS_BASE + status as u32,
    }
}

const STATUS_BASE: u32 = 0x1_0000;

fn decode(word: u32) -> Option<Act> {
    Some(match word {
        1 => Act::Ok,
        2 => Act::Refuse,
        3 => Act::Hang,
        4 => Act::Stall,
        5 => Act::Cut,
        6 => Act::ErrorEvent,
        7 => Act::ModelGone,
        8 => Act::BadKey,
        STATUS_BASE.. => Act::Status(u16::try_from(word - STATUS_BASE).ok()?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::Control;
    use crate::policy::model::Act;

    #[test]
    fn every_act_comes_through() {
        let control = Control::default();
        for act in [
            None,
            Some(Act::Ok),
            Some(Act::Status(400)),
            Some(Act::Status(599)),
            Some(Act::Refuse),
            Some(Act::Hang),
            Some(Act::Stall),
            Some(Act::Cut),
            Some(Act::ErrorEvent),
            Some(Act::ModelGone),
            Some(Act::BadKey),
        ] {
            control.set_act(act);
            assert_eq!(control.act(), act);
        }
    }
}
