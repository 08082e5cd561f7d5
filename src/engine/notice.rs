//! Something that an operator should be told, and not again at every request.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};

use crate::base::{Moment, Span, TargetId};
use crate::engine::board::Board;

/// Raised by any core, told by one thread.
#[derive(Debug, Default)]
pub(crate) struct Notice {
    raised: AtomicBool,
    /// Until then, in nanoseconds, it is not told again.
    quiet_until: AtomicU64,
}

impl Notice {
    /// It happened, once more or for the first time.
    pub(crate) fn raise(&self) {
        if !self.raised.load(Relaxed) {
            self.raised.store(true, Relaxed);
        }
    }

    /// Whether it is to be told now: it happened since it was told, and that is long enough ago.
    fn is_due(&self, now: Moment) -> bool {
        let due = self.raised.load(Relaxed) && now.as_nanos() >= self.quiet_until.load(Relaxed);
        if due {
            self.raised.store(false, Relaxed);
            let until = now + REPEAT;
            self.quiet_until.store(until.as_nanos(), Relaxed);
        }
        due
    }
}

impl Board {
    /// The targets whose providers do not know the path that they were asked at, each at most once a minute. One thread
    /// calls it.
    pub fn wrong_paths(&self, now: Moment) -> Vec<TargetId> {
        self.cells()
            .filter(|cell| cell.wrong_path.is_due(now))
            .map(|cell| cell.target)
            .collect()
    }

    /// A provider answered that it has no such path: its address is wrong, or it does not do what the model is asked for.
    pub fn path_was_wrong(&self, target: TargetId) {
        if let Some(cell) = self.cell(target) {
            cell.wrong_path.raise();
        }
    }
}

const REPEAT: Span = Span::from_secs(60);

#[cfg(test)]
mod tests {
    use super::{Notice, REPEAT};
    use crate::base::{Moment, Span};

    #[test]
    fn is_told_once_and_again_after_a_minute_if_it_goes_on() {
        let notice = Notice::default();
        let at = |seconds| Moment::START + Span::from_secs(seconds);
        assert!(!notice.is_due(at(1)));
        notice.raise();
        assert!(notice.is_due(at(2)));
        notice.raise();
        assert!(!notice.is_due(at(3)));
        assert!(notice.is_due(at(2) + REPEAT));
        assert!(!notice.is_due(at(500)), "nothing happened since");
    }
}
