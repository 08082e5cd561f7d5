//! What came of a demonstration: for people as a table, for programs as JSON of the schema `switchover.demo/1`.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::base::Span;
use crate::cli::demo::ledger::{Ledger, Tally, percentile};
use crate::cli::demo::view::{millis, seconds};
use crate::engine::State;

/// Something that happened.
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// Since the beginning.
    pub(super) at: Span,
    pub(super) what: String,
}

/// A target at the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct TargetSum<'a> {
    pub(super) name: &'a str,
    pub(super) state: State,
    /// How often its breaker opened.
    pub(super) opened: u64,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Summary<'a> {
    pub(super) elapsed: Span,
    /// Requests a second.
    pub(super) rate: u32,
    pub(super) ledger: &'a Ledger,
    /// In the order of their ids.
    pub(super) targets: Vec<TargetSum<'a>>,
    pub(super) events: &'a [Event],
    /// Where the gateway has counted otherwise than its clients.
    pub(super) differences: Vec<String>,
}

impl Summary<'_> {
    /// Whether no client saw a failure although some requests met one, and the gateway knows the same.
    pub(super) fn is_good(&self) -> bool {
        self.ledger.all.failed == 0
            && self.ledger.outage.failovers > 0
            && self.differences.is_empty()
    }

    /// For programs.
    pub(super) fn json(&self) -> String {
        let ledger = self.ledger;
        let targets: Map<String, Value> = (0..)
            .zip(&self.targets)
            .map(|(index, target)| {
                let sum = json!({
                    "answered": ledger.all.answered_by(index),
                    "breaker": target.state.as_str(),
                    "opened": target.opened,
                });
                (target.name.to_owned(), sum)
            })
            .collect();
        let answered_by: Map<String, Value> = (0..)
            .zip(&self.targets)
            .map(|(index, target)| {
                let answered = ledger.outage.answered_by(index);
                (target.name.to_owned(), answered.into())
            })
            .collect();
        let latencies = ledger.latencies();
        let at =
            |percent| percentile(&latencies, percent).map(|span| tenths(span.as_micros() / 100));
        let events: Vec<Value> = self
            .events
            .iter()
            .map(|event| json!({ "at": in_seconds(event.at), "what": event.what }))
            .collect();
        json!({
            "schema": "switchover.demo/1",
            "seconds": in_seconds(self.elapsed),
            "requests": ledger.all.requests,
            "answered": ledger.all.answered,
            "failed": ledger.all.failed,
            "failovers": ledger.all.failovers,
            "during_outage": {
                "requests": ledger.outage.requests,
                "failed": ledger.outage.failed,
                "failovers": ledger.outage.failovers,
                "answered_by": answered_by,
            },
            "targets": targets,
            "latency_ms": { "p50": at(50), "p90": at(90), "p99": at(99), "max": at(100) },
            "failures": ledger.failures,
            "gateway_differs": self.differences,
            "events": events,
        })
        .to_string()
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        // Writing to a string cannot fail.
        let mut out = String::new();
        let _ = self.write_text(&mut out);
        out
    }

    fn write_text(&self, out: &mut String) -> std::fmt::Result {
        let ledger = self.ledger;
        writeln!(
            out,
            "{:19}{:>10}{:>10}{:>10}{:>11}",
            format!("{}, {}/s", seconds(self.elapsed), self.rate),
            "requests",
            "answered",
            "failed",
            "failovers"
        )?;
        for (name, tally) in [
            ("the whole time", &ledger.all),
            ("during the outage", &ledger.outage),
        ] {
            let Tally {
                requests,
                answered,
                failed,
                failovers,
                ..
            } = tally;
            writeln!(
                out,
                "{name:19}{requests:>10}{answered:>10}{failed:>10}{failovers:>11}"
            )?;
        }
        writeln!(
            out,
            "\n{:19}{:>10}{:>14}{:>10}{:>8}",
            "target", "answered", "in the outage", "breaker", "opened"
        )?;
        for (index, target) in self.targets.iter().enumerate() {
            writeln!(
                out,
                "{:19}{:>10}{:>14}{:>10}{:>8}",
                target.name,
                ledger.all.answered_by(index),
                ledger.outage.answered_by(index),
                target.state.as_str(),
                target.opened
            )?;
        }
        let latencies = ledger.latencies();
        let at = |percent| millis(percentile(&latencies, percent));
        writeln!(
            out,
            "\nlatency of whole answers: p50 {}, p90 {}, p99 {}, max {}",
            at(50),
            at(90),
            at(99),
            at(100)
        )?;
        self.write_verdict(out)
    }

    fn write_verdict(&self, out: &mut String) -> std::fmt::Result {
        for (words, count) in &self.ledger.failures {
            writeln!(out, "failed {count} times: {words}")?;
        }
        for difference in &self.differences {
            writeln!(out, "counted otherwise: {difference}")?;
        }
        let verdict = match (self.ledger.all.failed, self.ledger.outage.failovers) {
            (0, 0) => "no request met the outage: it ended too early to show anything",
            (0, _) => "no client noticed the outage",
            _ => "clients saw failures",
        };
        writeln!(out, "{verdict}")
    }
}

fn in_seconds(span: Span) -> f64 {
    tenths(span.as_millis() / 100)
}

/// Tenths of a unit as a number with one decimal.
fn tenths(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / 10.0
}

#[cfg(test)]
mod tests {
    use super::{Event, Summary, TargetSum};
    use crate::base::{Moment, Span};
    use crate::cli::demo::ledger::Ledger;
    use crate::cli::demo::outage::Phase;
    use crate::engine::State;
    use crate::runtime::client::{Answer, Failure, Sample};

    /// How many attempts an answer took.
    type Attempts = Result<u32, Failure>;

    fn ledger(results: &[Attempts]) -> Ledger {
        let mut ledger = Ledger::new(vec!["a.x".into()]);
        for result in results {
            let answer = |attempts| Answer {
                target: "a.x".into(),
                attempts,
                bytes: 1,
            };
            let sample = Sample {
                due: Moment::START,
                ended: Moment::START + Span::from_micros(7_250),
                result: result.clone().map(answer),
            };
            ledger.take(&sample, Phase::During);
        }
        ledger
    }

    fn summary<'a>(ledger: &'a Ledger, events: &'a [Event]) -> Summary<'a> {
        Summary {
            elapsed: Span::from_millis(4_040),
            rate: 60,
            ledger,
            targets: vec![TargetSum {
                name: "a.x",
                state: State::Closed,
                opened: 1,
            }],
            events,
            differences: Vec::new(),
        }
    }

    #[test]
    fn good_is_no_failure_where_failovers_were_needed() {
        let cases: [(&[Attempts], bool, &str); 3] = [
            (&[Ok(1), Ok(2)], true, "no client noticed the outage\n"),
            (&[Ok(1)], false, "ended too early to show anything\n"),
            (&[Ok(2), Err(Failure::Cut)], false, "clients saw failures\n"),
        ];
        for (results, is_good, verdict) in cases {
            let ledger = ledger(results);
            let summary = summary(&ledger, &[]);
            assert_eq!(summary.is_good(), is_good, "{results:?}");
            assert!(summary.text().ends_with(verdict), "{}", summary.text());
        }
    }

    #[test]
    fn a_gateway_that_counts_otherwise_is_told_of() {
        let ledger = ledger(&[Ok(2)]);
        let mut summary = summary(&ledger, &[]);
        summary.differences.push("failed: 0 or 1".into());
        assert!(!summary.is_good());
        assert!(
            summary
                .text()
                .contains("counted otherwise: failed: 0 or 1\n")
        );
        assert!(
            summary
                .json()
                .contains(r#""gateway_differs":["failed: 0 or 1"]"#)
        );
    }

    #[test]
    fn numbers_have_one_decimal() {
        let ledger = ledger(&[Ok(2)]);
        let events = [Event {
            at: Span::from_millis(1_290),
            what: "alpha mended".into(),
        }];
        let json = summary(&ledger, &events).json();
        for part in [
            r#""seconds":4.0"#,
            r#""p50":7.2"#,
            r#""events":[{"at":1.2,"what":"alpha mended"}]"#,
            r#""targets":{"a.x":{"answered":1,"breaker":"closed","opened":1}}"#,
        ] {
            assert!(json.contains(part), "{part}: {json}");
        }
    }
}
