//! What clients saw, counted. Pure.

use std::collections::{BTreeMap, VecDeque};

use crate::base::Span;
use crate::cli::demo::outage::Phase;
use crate::ops::{Count, Totals};
use crate::runtime::client::Sample;

/// All samples of a demonstration, summed up.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// The targets' names, in the order of their ids.
    names: Vec<Box<str>>,
    /// All requests.
    pub(super) all: Tally,
    /// Those that were due while the provider was broken.
    pub(super) outage: Tally,
    /// Those that were due after it was mended.
    pub(super) after: Tally,
    /// What clients complained about, and how often.
    pub(super) failures: BTreeMap<String, u64>,
    /// Of answered requests, in the order in which they ended.
    latencies: Vec<Span>,
    /// Answers by target at some moments of the last second, the oldest first.
    marks: VecDeque<(Span, Vec<u64>)>,
}

/// Some requests.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Tally {
    /// Those that have ended, well or not.
    pub(super) requests: u64,
    /// Those that got a whole and right answer.
    pub(super) answered: u64,
    /// The others.
    pub(super) failed: u64,
    /// Answers that took more than one attempt.
    pub(super) failovers: u64,
    by: Vec<u64>,
}

impl Ledger {
    /// For targets of these names.
    pub(super) fn new(names: Vec<Box<str>>) -> Self {
        Self {
            names,
            ..Self::default()
        }
    }

    /// Enters a request that has ended.
    pub(super) fn take(&mut self, sample: &Sample, phase: Phase) {
        let answer = match &sample.result {
            Ok(answer) => match self.names.iter().position(|name| *name == answer.target) {
                Some(target) => Ok((target, answer.attempts > 1)),
                None => Err(format!("`{}` is not a target", answer.target)),
            },
            Err(failure) => Err(failure.to_string()),
        };
        self.all.enter(answer.as_ref().ok().copied());
        match phase {
            Phase::Before => {}
            Phase::During => self.outage.enter(answer.as_ref().ok().copied()),
            Phase::After => self.after.enter(answer.as_ref().ok().copied()),
        }
        match answer {
            Ok(_) => self.latencies.push(sample.ended.since(sample.due)),
            Err(words) => {
                let full = self.failures.len() >= FAILURES_MAX;
                let words = if full { "others".to_owned() } else { words };
                *self.failures.entry(words).or_default() += 1;
            }
        }
    }

    /// Remembers how things stand at this time, to tell rates.
    pub(super) fn mark(&mut self, elapsed: Span) {
        let passed = |&(at, _): &(Span, _)| elapsed.saturating_sub(at) >= RATE_OVER;
        // One that is old enough stays, so that the marks span the whole time.
        while self.marks.get(1).is_some_and(passed) {
            self.marks.pop_front();
        }
        self.marks.push_back((elapsed, self.all.by.clone()));
    }

    /// Answers of a target in the last second, in tenths of an answer a second.
    pub(super) fn tenths_a_second(&self, target: usize) -> u64 {
        let (Some((from, first)), Some((to, last))) = (self.marks.front(), self.marks.back())
        else {
            return 0;
        };
        let count = |by: &[u64]| by.get(target).copied().unwrap_or_default();
        let answers = count(last).saturating_sub(count(first));
        let over = to.saturating_sub(*from).as_millis();
        (answers * 10_000).checked_div(over).unwrap_or_default()
    }

    /// The latencies of the last answers, sorted.
    pub(super) fn recent(&self) -> Vec<Span> {
        let skipped = self.latencies.len().saturating_sub(RECENT);
        sorted(self.latencies.get(skipped..).unwrap_or_default())
    }

    /// All latencies, sorted.
    pub(super) fn latencies(&self) -> Vec<Span> {
        sorted(&self.latencies)
    }

    /// What the gateway has counted otherwise, in words.
    pub(super) fn differences(&self, totals: &Totals) -> Vec<String> {
        let answered = totals.of(Count::Answered);
        let requests = totals.of(Count::Requests);
        let sums = [
            ("requests", self.all.requests, requests),
            ("answered", self.all.answered, answered),
            ("failed", self.all.failed, requests.saturating_sub(answered)),
        ];
        let by_target = self.names.iter().enumerate().map(|(index, name)| {
            let counted = totals.answered.get(index).copied().unwrap_or_default();
            (&**name, self.all.answered_by(index), counted)
        });
        sums.into_iter()
            .chain(by_target)
            .filter(|(_, clients, gateway)| clients != gateway)
            .map(|(what, clients, gateway)| {
                format!("{what}: the clients counted {clients}, the gateway {gateway}")
            })
            .collect()
    }
}

impl Tally {
    /// Answers that the target of this index gave.
    pub(super) fn answered_by(&self, target: usize) -> u64 {
        self.by.get(target).copied().unwrap_or_default()
    }

    /// A request: which target answered it, and whether another had failed before.
    fn enter(&mut self, answer: Option<(usize, bool)>) {
        self.requests += 1;
        let Some((target, failed_over)) = answer else {
            self.failed += 1;
            return;
        };
        self.answered += 1;
        self.failovers += u64::from(failed_over);
        if self.by.len() <= target {
            self.by.resize(target + 1, 0);
        }
        if let Some(count) = self.by.get_mut(target) {
            *count += 1;
        }
    }
}

/// The smallest value that at least `percent` of `sorted` do not exceed (nearest rank); `None` of none.
pub(super) fn percentile(sorted: &[Span], percent: usize) -> Option<Span> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

fn sorted(spans: &[Span]) -> Vec<Span> {
    let mut spans = spans.to_vec();
    spans.sort_unstable();
    spans
}

/// What rates are taken over.
const RATE_OVER: Span = Span::from_secs(1);
/// Latencies that the live view looks at: some ten seconds of the usual traffic.
const RECENT: usize = 500;
/// Different complaints that are kept apart.
const FAILURES_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::{Ledger, percentile};
    use crate::base::{Moment, Span, TargetId};
    use crate::cli::demo::outage::Phase;
    use crate::ops::{Counters, Totals};
    use crate::runtime::client::{Answer, Failure, Sample};

    fn sample(target: &str, attempts: u32) -> Sample {
        Sample {
            due: Moment::START,
            ended: Moment::START + Span::from_millis(7),
            result: Ok(Answer {
                target: target.into(),
                attempts,
                bytes: 1,
            }),
        }
    }

    fn ledger() -> Ledger {
        Ledger::new(vec!["a.x".into(), "b.x".into()])
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let spans: Vec<Span> = (1..=10).map(Span::from_millis).collect();
        let of = |percent| percentile(&spans, percent).unwrap().as_millis();
        assert_eq!([0, 1, 50, 51, 90, 99, 100].map(of), [1, 1, 5, 6, 9, 10, 10]);
        assert_eq!(percentile(&[], 50), None);
        assert_eq!(percentile(&spans[..1], 99), Some(Span::from_millis(1)));
    }

    #[test]
    fn requests_are_entered_where_they_belong() {
        let mut ledger = ledger();
        ledger.take(&sample("a.x", 1), Phase::Before);
        ledger.take(&sample("b.x", 2), Phase::During);
        ledger.take(&sample("c.x", 1), Phase::After);
        let mut failed = sample("a.x", 1);
        failed.result = Err(Failure::Cut);
        ledger.take(&failed, Phase::During);
        let all = &ledger.all;
        assert_eq!(
            (all.requests, all.answered, all.failed, all.failovers),
            (4, 2, 2, 1)
        );
        assert_eq!([0, 1, 2].map(|target| all.answered_by(target)), [1, 1, 0]);
        assert_eq!((ledger.outage.requests, ledger.outage.failed), (2, 1));
        assert_eq!((ledger.after.requests, ledger.after.failed), (1, 1));
        assert_eq!(ledger.failures.values().sum::<u64>(), 2);
        assert_eq!(ledger.latencies(), [Span::from_millis(7); 2]);
    }

    #[test]
    fn rates_are_those_of_the_last_second() {
        let mut ledger = ledger();
        ledger.mark(Span::ZERO);
        assert_eq!(ledger.tenths_a_second(0), 0);
        for tenth in 1..=30 {
            ledger.take(&sample("a.x", 1), Phase::Before);
            ledger.mark(Span::from_millis(tenth * 100));
        }
        assert_eq!(ledger.tenths_a_second(0), 100);
        assert_eq!(ledger.tenths_a_second(1), 0);
        assert!(ledger.marks.len() <= 12, "{}", ledger.marks.len());
    }

    #[test]
    fn differences_are_told() {
        let mut ledger = ledger();
        let none = Totals::default();
        assert!(ledger.differences(&none).is_empty());
        ledger.take(&sample("b.x", 1), Phase::Before);
        let words = ledger.differences(&none).join("; ");
        assert!(
            words.contains("b.x: the clients counted 1, the gateway 0"),
            "{words}"
        );
        let counters = Counters::new(1, 2);
        assert_eq!(
            counters.totals().answered.get(TargetId(1).index()),
            Some(&0)
        );
    }
}
