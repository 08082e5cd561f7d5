//! Whether a window breaks a rule. Both kinds of rule are brought to one question, about two shares: of all requests,
//! those that failed; of all streams, those that were slower than the rule allows.
//!
//! A share that is too large is not enough: of 200 requests at 1 % errors, one canary in ten shows a difference of 1 %
//! by chance, and a window is looked at again and again. So the difference must also be one that two equal routes would not
//! show once in a million looks. That is Chernoff's bound for a draw without replacement (Hoeffding 1963, section 6): it needs
//! no table, and never says "beyond chance" too early, however rare failures are.

use crate::base::Span;
use crate::engine::guard::{GuardWindow, RouteCounts};
use crate::engine::latency::Latencies;
use crate::policy::model::{Guard, StopRule};

/// The first rule that the window breaks.
pub(super) fn broken_rule(guard: &Guard, window: &GuardWindow) -> Option<u8> {
    let enough = u64::from(guard.min_requests.max(1));
    if window.canary.requests < enough || window.baseline.requests < enough {
        return None;
    }
    (0_u8..).zip(&guard.stop).find_map(|(index, rule)| {
        let [canary, baseline] = shares(rule, window)?;
        let worse = canary.rate() > allowed(rule, baseline);
        (worse && is_beyond_chance(canary, baseline)).then_some(index)
    })
}

/// A part of a route's requests.
#[derive(Clone, Copy, Debug)]
struct Share {
    part: u64,
    of: u64,
}

impl Share {
    fn rate(self) -> f64 {
        float(self.part) / float(self.of.max(1))
    }
}

/// What of the canary's and of the baseline's requests the rule is about. `None` where nothing is known of the baseline.
fn shares(rule: &StopRule, window: &GuardWindow) -> Option<[Share; 2]> {
    let GuardWindow { canary, baseline } = window;
    let failed = |counts: &RouteCounts| Share {
        part: counts.failures,
        of: counts.asked,
    };
    let limit = match *rule {
        StopRule::ErrorDelta(_) | StopRule::ErrorRatio(_) => {
            return Some([failed(canary), failed(baseline)]);
        }
        StopRule::TtftDelta { percentile, more } => {
            baseline.ttft.quantile(percentile)?.saturating_add(more)
        }
        StopRule::TtftRatio { percentile, times } => {
            let base = baseline.ttft.quantile(percentile)?.as_micros();
            let longer = u128::from(base) * u128::from(times) / MILLION;
            Span::from_micros(u64::try_from(longer).unwrap_or(u64::MAX / 1_000))
        }
    };
    let slow = |ttft: &Latencies| Share {
        part: ttft.above(limit),
        of: ttft.count(),
    };
    Some([slow(&canary.ttft), slow(&baseline.ttft)])
}

/// The largest rate of the canary's that keeps the rule.
fn allowed(rule: &StopRule, baseline: Share) -> f64 {
    match *rule {
        StopRule::ErrorDelta(more) => baseline.rate() + f64::from(more) / 1e6,
        StopRule::ErrorRatio(times) => baseline.rate() * float(times) / 1e6,
        // A percentile is above a limit exactly when more than the rest is.
        StopRule::TtftDelta { percentile, .. } | StopRule::TtftRatio { percentile, .. } => {
            1.0 - f64::from(percentile) / 1e6
        }
    }
}

/// Whether two routes that are equal would show so much of a difference in less than one look in a million.
fn is_beyond_chance(canary: Share, baseline: Share) -> bool {
    let parts = float(canary.part.saturating_add(baseline.part));
    let all = float(canary.of.saturating_add(baseline.of));
    if parts == 0.0 || all == 0.0 {
        return false;
    }
    let [part, of] = [float(canary.part), float(canary.of)];
    // The same draw seen from both sides: of all that failed so many were the canary's; of the canary's so many failed.
    let by_parts = parts * divergence(part / parts, of / all);
    let by_canary = of * divergence(part / of.max(1.0), parts / all);
    by_parts.max(by_canary) > LN_MILLION
}

/// How far the share `seen` lies above the share `expected`, in nats; 0 where it does not.
fn divergence(seen: f64, expected: f64) -> f64 {
    if seen <= expected {
        return 0.0;
    }
    let term = |p: f64, q: f64| if p > 0.0 { p * (p / q).ln() } else { 0.0 };
    term(seen, expected) + term(1.0 - seen, 1.0 - expected)
}

/// Counts of a window: more than four billion requests say no more than four billion.
fn float(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

const MILLION: u128 = 1_000_000;
/// The natural logarithm of a million.
const LN_MILLION: f64 = 13.815_510_557_964_274;
