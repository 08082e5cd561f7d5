//! What a run came to, for people and for programs: what `drill` and `simulate` have in common.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::base::Span;
use crate::policy::Plan;
use crate::policy::drill::Drill;

use super::record::{Record, Sum, percentile};
use super::series::{Slice, slices};
use super::show::{clock, cost, event, part};

/// One run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Run {
    /// Where chance came from.
    pub seed: u64,
    /// Workers.
    pub cores: usize,
    /// By which its times are: `virtual` or `real`.
    pub clock: Cow<'static, str>,
    /// How long requests came.
    pub seconds: f64,
    /// When the first fault was injected and the last one lifted.
    pub faulty: [f64; 2],
    /// All of them.
    pub requests: u64,
    /// Those whose clients got a whole answer.
    pub answered: u64,
    /// The others.
    pub failed: u64,
    /// Attempts.
    pub attempts: u64,
    /// Those of them whose answers nobody got.
    pub wasted: u64,
    /// Requests that more than one attempt was made for.
    pub moved: u64,
    /// To the first that clients got.
    pub ttft_ms: Percentiles,
    /// What providers bill.
    pub cost_dollars: f64,
    /// Targets that were asked and whose price is not known: the cost is without them.
    pub unpriced: Vec<String>,
    /// Why requests failed.
    pub failures: Vec<Failure>,
    /// Requests of clients that were to be copied and were not.
    #[serde(default)]
    pub not_copied: Vec<NotCopied>,
    /// Those that were asked.
    pub targets: Vec<Target>,
    /// What happened in between.
    pub timeline: Vec<Moment>,
    /// All of it over time.
    pub series: Vec<Point>,
}

/// Percentiles of times, in milliseconds.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Percentiles {
    /// Of half of the requests.
    pub p50: Option<f64>,
    /// Of 95 of 100.
    pub p95: Option<f64>,
    /// Of 99 of 100.
    pub p99: Option<f64>,
}

/// Requests that failed in the same way.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Failure {
    /// What became of the requests.
    pub how: Cow<'static, str>,
    /// The reason, in the words of logs.
    pub reason: Cow<'static, str>,
    /// How many.
    pub requests: u64,
}

/// Requests of clients that were not copied for the same reason.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct NotCopied {
    /// The reason, in the words of metrics.
    pub reason: Cow<'static, str>,
    /// How many.
    pub requests: u64,
}

/// What came of a target.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// Attempts there.
    pub attempts: u64,
    /// Requests that it answered.
    pub answered: u64,
}

/// Something that is not about one request.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Moment {
    /// From the beginning.
    pub seconds: f64,
    /// A word for it.
    pub event: Cow<'static, str>,
    /// What it happened to.
    pub what: String,
}

/// A slice of the time.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Point {
    /// Its beginning, in seconds.
    pub from: f64,
    /// Its end.
    pub to: f64,
    /// Requests that came in it.
    pub requests: u64,
    /// Those of them that got a whole answer.
    pub answered: u64,
    /// Attempts for them.
    pub attempts: u64,
    /// Those of these whose answers nobody got.
    pub wasted: u64,
    /// Half of the clients had something by then.
    pub p50_ms: Option<f64>,
    /// 95 of 100 had.
    pub p95_ms: Option<f64>,
    /// Requests that each target answered, in the order of `targets`.
    pub by_target: Vec<u64>,
}

/// Lines of a timeline that people read.
const LINES: usize = 40;

impl Run {
    /// With at most so many slices of time.
    pub fn new(plan: &Plan, drill: &Drill, record: &Record, most: u64) -> Self {
        let sum = Sum::of(&record.requests);
        let name = |index: usize| {
            let target = plan.policy.targets.get(index);
            target.map_or_else(String::new, |target| target.name.to_string())
        };
        let ms = |ppm| percentile(&record.requests, ppm).map(millis);
        let asked: Vec<usize> = (0..record.targets.len())
            .filter(|&index| record.targets.get(index).is_some_and(|it| it.attempts > 0))
            .collect();
        let targets = asked.iter().filter_map(|&index| {
            let tried = record.targets.get(index)?;
            Some(Target {
                name: name(index),
                attempts: tried.attempts,
                answered: tried.answered,
            })
        });
        let failures = record
            .failures
            .iter()
            .map(|(&(how, reason), &requests)| Failure {
                how: how.as_str().into(),
                reason: reason.into(),
                requests,
            });
        let not_copied = record.not_copied.iter();
        let not_copied = not_copied.map(|(&reason, &requests)| NotCopied {
            reason: reason.into(),
            requests,
        });
        let timeline = record.events.iter().map(|(at, it)| {
            let (event, what) = event(&plan.policy, drill, it);
            Moment {
                seconds: secs(*at),
                event: event.into(),
                what,
            }
        });
        Self {
            seed: record.seed,
            cores: record.cores,
            clock: record.clock.as_str().into(),
            seconds: secs(record.length),
            faulty: [secs(record.faulty.0), secs(record.faulty.1)],
            requests: sum.requests,
            answered: sum.answered,
            failed: sum.failed(),
            attempts: sum.attempts,
            wasted: sum.wasted,
            moved: sum.moved,
            ttft_ms: Percentiles {
                p50: ms(500_000),
                p95: ms(950_000),
                p99: ms(990_000),
            },
            cost_dollars: dollars(sum.cost_nanos),
            unpriced: record.unpriced.iter().map(|it| name(it.index())).collect(),
            failures: failures.collect(),
            not_copied: not_copied.collect(),
            targets: targets.collect(),
            timeline: timeline.collect(),
            series: slices(record, most)
                .iter()
                .map(|slice| Point::new(slice, &asked))
                .collect(),
        }
    }

    /// What happened when, a line for each event.
    pub fn timeline_text(&self, out: &mut String) {
        for moment in self.timeline.iter().take(LINES) {
            let at = clock(Span::from_millis(moment.millis()));
            let _ = writeln!(out, "  {at:>8}  {:<9} {}", moment.event, moment.what);
        }
        let more = self.timeline.len().saturating_sub(LINES);
        if more > 0 {
            let _ = writeln!(
                out,
                "            and {more} more, which `--format json` has"
            );
        }
    }

    /// The numbers, in three lines.
    pub fn numbers_text(&self, out: &mut String) {
        let _ = write!(
            out,
            "  {} requests, {} answered, {} failed",
            self.requests, self.answered, self.failed
        );
        if !self.failures.is_empty() {
            let each = self.failures.iter().map(|it| {
                let Failure {
                    how,
                    reason,
                    requests,
                } = it;
                format!("{requests} {how}: {reason}")
            });
            let _ = write!(out, " ({})", each.collect::<Vec<_>>().join(", "));
        }
        if !self.not_copied.is_empty() {
            let each = self.not_copied.iter();
            let each = each.map(|it| format!("{} {}", it.requests, it.reason));
            let each = each.collect::<Vec<_>>().join(", ");
            let _ = write!(out, "\n  clients' requests that were not copied: {each}");
        }
        let _ = writeln!(
            out,
            "\n  {} attempts, {} wasted; {} requests saw more than one",
            self.attempts, self.wasted, self.moved
        );
        let shares = self.targets.iter().map(|target| {
            let share = target.answered.saturating_mul(1_000_000) / self.requests.max(1);
            format!("{} {}", target.name, part(share))
        });
        let shares: Vec<_> = shares.collect();
        if !shares.is_empty() {
            let _ = writeln!(out, "  answered by {}", shares.join(", "));
        }
        let Percentiles { p50, p95, p99 } = self.ttft_ms;
        if let (Some(p50), Some(p95), Some(p99)) = (p50, p95, p99) {
            let _ = writeln!(
                out,
                "  first content p50 {p50:.0} ms, p95 {p95:.0} ms, p99 {p99:.0} ms; {}",
                self.cost_text()
            );
        }
    }

    /// What it would have cost.
    pub fn cost_text(&self) -> String {
        let nanos = whole(self.cost_dollars * 1e9);
        let cost = cost(u128::from(nanos));
        match self.unpriced.as_slice() {
            [] => format!("billed {cost}"),
            _ if nanos == 0 => "prices are not known".to_owned(),
            unpriced => format!(
                "billed {cost} without {}, of unknown price",
                unpriced.join(", ")
            ),
        }
    }
}

impl Moment {
    /// When it was, from the beginning.
    pub const fn millis(&self) -> u64 {
        whole(self.seconds * 1_000.0)
    }
}

impl Point {
    fn new(slice: &Slice, asked: &[usize]) -> Self {
        let by = |&index: &usize| slice.answered.get(index).copied().unwrap_or_default();
        Self {
            from: secs(slice.from),
            to: secs(slice.to),
            requests: slice.sum.requests,
            answered: slice.sum.answered,
            attempts: slice.sum.attempts,
            wasted: slice.sum.wasted,
            p50_ms: slice.p50.map(millis),
            p95_ms: slice.p95.map(millis),
            by_target: asked.iter().map(by).collect(),
        }
    }
}

/// Seconds, to the millisecond.
fn secs(span: Span) -> f64 {
    float(span.as_millis()) / 1_000.0
}

fn millis(micros: u64) -> f64 {
    float(micros) / 1_000.0
}

fn dollars(nanos: u128) -> f64 {
    float(u64::try_from(nanos).unwrap_or(u64::MAX)) / 1e9
}

/// A number for people.
#[expect(clippy::cast_precision_loss, reason = "for people: 53 bits are enough")]
pub const fn float(number: u64) -> f64 {
    number as f64
}

/// The whole number that is next to one for people.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and what is shown is not negative"
)]
pub const fn whole(number: f64) -> u64 {
    number.round() as u64
}
