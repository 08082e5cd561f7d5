//! A record over time, in slices of equal length.

use crate::base::Span;

use super::record::{Asked, Record, Sum, percentile};

/// What requests came to that came in one slice of time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Slice {
    /// Its beginning.
    pub from: Span,
    /// Its end; the next one's beginning.
    pub to: Span,
    /// All together.
    pub sum: Sum,
    /// Half of the clients had something by then, in microseconds; `None` where nobody got anything.
    pub p50: Option<u64>,
    /// 95 of 100 had.
    pub p95: Option<u64>,
    /// By target: requests that it answered.
    pub answered: Vec<u64>,
}

/// At most `most` slices of the same round length, from the beginning to the end of the traffic.
pub fn slices(record: &Record, most: u64) -> Vec<Slice> {
    let wanted = record.length.as_nanos().div_ceil(most.max(1));
    let width = WIDTHS
        .into_iter()
        .map(Span::from_secs)
        .find(|width| width.as_nanos() >= wanted)
        .unwrap_or_else(|| Span::from_nanos(wanted));
    let mut slices = Vec::new();
    let mut from = Span::ZERO;
    while from < record.length {
        let to = from.saturating_add(width).min(record.length);
        slices.push(slice(record, from, to));
        from = to;
    }
    slices
}

fn slice(record: &Record, from: Span, to: Span) -> Slice {
    let requests: &[Asked] = record.between((from, to));
    let mut answered = vec![0; record.targets.len()];
    for asked in requests {
        let place = asked
            .answered
            .and_then(|target| answered.get_mut(target.index()));
        if let Some(count) = place {
            *count += 1;
        }
    }
    Slice {
        from,
        to,
        sum: Sum::of(requests),
        p50: percentile(requests, 500_000),
        p95: percentile(requests, 950_000),
        answered,
    }
}

/// Lengths that are easy to read, in seconds.
const WIDTHS: [u64; 14] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200,
];
