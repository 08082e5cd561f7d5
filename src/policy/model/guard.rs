//! What withdraws a canary.

use std::fmt;

use crate::base::{RouteId, Span};
use crate::policy::model::At;

/// `guard { … }`: a route is withdrawn when it does worse than another one does over the same time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Guard {
    /// Where it stands.
    pub at: At,
    /// `compare`: the baseline.
    pub compare: RouteId,
    /// `window`: what is looked back on.
    pub window: Span,
    /// `min_requests`: below it, on either side, nothing is judged.
    pub min_requests: u32,
    /// `stop when …`; at least one, at most [`Guard::STOPS_MAX`].
    pub stop: Vec<StopRule>,
}

impl Guard {
    /// Rules of one guard.
    pub const STOPS_MAX: usize = 16;
}

/// `stop when …`: the canary's measurement against the baseline's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StopRule {
    /// `delta(error_rate) > 1%`: so many parts per million more.
    ErrorDelta(u32),
    /// `ratio(error_rate) > 2`: so many millionths of the baseline's.
    ErrorRatio(u64),
    /// `delta(pNN(ttft)) > 200ms`
    TtftDelta {
        /// The percentile in parts per million: p95 is 950,000.
        percentile: u32,
        /// So much longer.
        more: Span,
    },
    /// `ratio(pNN(ttft)) > 1.3`
    TtftRatio {
        /// The percentile in parts per million.
        percentile: u32,
        /// So many millionths of the baseline's.
        times: u64,
    },
}

impl StopRule {
    /// The largest ratio, in millionths.
    pub const RATIO_MAX: u64 = 1_000_000_000;

    /// The percentile that it is about, in parts per million, if it is about times.
    pub const fn percentile(self) -> Option<u32> {
        match self {
            Self::ErrorDelta(_) | Self::ErrorRatio(_) => None,
            Self::TtftDelta { percentile, .. } | Self::TtftRatio { percentile, .. } => {
                Some(percentile)
            }
        }
    }
}

impl fmt::Display for StopRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |ppm: u32| decimal(u64::from(ppm), 10_000);
        match *self {
            Self::ErrorDelta(ppm) => write!(f, "delta(error_rate) > {}%", percent(ppm)),
            Self::ErrorRatio(times) => {
                write!(f, "ratio(error_rate) > {}", decimal(times, 1_000_000))
            }
            Self::TtftDelta { percentile, more } => {
                write!(f, "delta(p{}(ttft)) > {more}", percent(percentile))
            }
            Self::TtftRatio { percentile, times } => {
                let times = decimal(times, 1_000_000);
                write!(f, "ratio(p{}(ttft)) > {times}", percent(percentile))
            }
        }
    }
}

/// `count` units of which `one` make a whole, without needless zeros. `one` is a power of ten.
fn decimal(count: u64, one: u64) -> String {
    let (whole, rest) = (count / one, count % one);
    if rest == 0 {
        return whole.to_string();
    }
    let width = one.ilog10() as usize;
    let digits = format!("{whole}.{rest:0width$}");
    digits.trim_end_matches('0').to_owned()
}
