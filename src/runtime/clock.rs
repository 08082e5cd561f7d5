//! The only place that reads a clock.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use jiff::ZonedDateTime;
use jiff::civil::Date;

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
    use super::{now, wall};

    #[test]
    fn time_goes_forward() {
        let first = now();
        assert!(now() >= first);
        assert!(wall().hour < 24 && wall().weekday < 7 && wall().date > 20_000);
    }
}
