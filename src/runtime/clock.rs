//! The only place that reads a clock.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use jiff::civil::Date;
use jiff::{Timestamp, ZonedDateTime};

use crate::base::Moment;
use crate::policy::WallTime;

/// The moment at which the process first asked for the time.
static START: OnceLock<Instant> = OnceLock::new();

/// Monotonic time since the process began to count.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn now() -> Moment {
    let elapsed = START.get_or_init(Instant::now).elapsed();
    // 584 years of nanoseconds fit.
    Moment::from_nanos(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
}

/// Seconds since 1970-01-01 UTC.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub(super) fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// A moment and the wall time at it: what dates of other moments are reckoned from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Anchor {
    now: Moment,
    unix_ms: i64,
}

impl Anchor {
    /// Of this moment.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub(super) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let unix_ms = since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(0));
        Self {
            now: now(),
            unix_ms,
        }
    }

    /// When `moment` was, in UTC to the millisecond: `2026-11-25T07:51:31.042Z`. Clocks that were set since then move
    /// it.
    pub(super) fn rfc3339(&self, moment: Moment) -> String {
        let ago = i64::try_from(self.now.since(moment).as_millis()).unwrap_or(0);
        let at = Timestamp::from_millisecond(self.unix_ms.saturating_sub(ago));
        let at = at.unwrap_or(Timestamp::UNIX_EPOCH);
        at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
    }
}

/// Hour, weekday and date in the machine's own time zone.
pub(super) fn wall() -> WallTime {
    let local = ZonedDateTime::now();
    let epoch = Date::constant(1970, 1, 1);
    WallTime {
        hour: u8::try_from(local.hour()).unwrap_or(0),
        weekday: u8::try_from(local.weekday().to_monday_zero_offset()).unwrap_or(0),
        date: local.date().since(epoch).map_or(0, |span| span.get_days()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Anchor, now, wall};
    use crate::base::{Moment, Span};

    #[test]
    fn dates_are_reckoned_from_an_anchor() {
        let anchor = Anchor {
            now: Moment::START + Span::from_secs(60),
            unix_ms: 1_700_000_000_123,
        };
        assert_eq!(anchor.rfc3339(Moment::START), "2023-11-14T22:12:20.123Z");
        assert!(Anchor::now().rfc3339(now()).as_str() > "2024");
    }

    #[test]
    fn time_goes_forward() {
        let first = now();
        assert!(now() >= first);
        assert!(wall().hour < 24 && wall().weekday < 7 && wall().date > 20_000);
    }
}
