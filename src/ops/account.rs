//! A record in words: as JSON for the admin address and the access log, as one line of text for people. The words are
//! those of the policy language; ids become names here and nowhere before.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::base::{RouteId, Span, TargetId};
use crate::engine::AttemptRecord;
use crate::ops::cost::{Spent, Tokens};
use crate::ops::journal::Record;
use crate::policy::{Candidate, Plan};

/// A record that can be told: with the plan that its ids are of, if that is still known, and the wall time of its start.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    record: &'a Record,
    plan: Option<&'a Plan>,
    time: &'a str,
}

impl<'a> Account<'a> {
    /// Of `record`, which began at `time`. A plan that it was not decided by is not used.
    pub fn new(record: &'a Record, plan: &'a Plan, time: &'a str) -> Self {
        let plan = (plan.policy.hash == record.policy).then_some(plan);
        Self { record, plan, time }
    }

    /// What the access log has.
    pub fn json(&self) -> Value {
        let record = self.record;
        let passed_over: Vec<Value> = self
            .passed_over()
            .map(|(target, why)| json!({ "target": self.target(target), "why": why }))
            .collect();
        let attempts: Vec<Value> = self
            .record
            .attempts
            .iter()
            .map(|tried| self.attempt(&tried))
            .collect();
        json!({
            "id": hex(record),
            "time": self.time,
            "policy": format!("{:016x}", record.policy),
            "route": self.route(record.route),
            "withdrawn": self.route(record.withdrawn),
            "status": (record.status != 0).then_some(record.status),
            "ending": record.ending.as_str(),
            "reason": record.reason,
            "stream": record.stream,
            "bytes_in": record.bytes_in,
            "bytes_out": record.bytes_out,
            "duration_ms": millis(record.ended.since(record.started)),
            "drill": record.drill.then_some(true),
            "tokens": record.spent_in_all().map(|spent| tokens(&spent)),
            "cost_dollars": record.spent_in_all().and_then(|spent| spent.dollars()),
            "queued_ms": (record.queued != Span::ZERO).then(|| millis(record.queued)),
            "passed_over": passed_over,
            "attempts": attempts,
        })
    }

    /// The same, and all candidates of the route.
    pub fn full_json(&self) -> Value {
        let mut value = self.json();
        let candidates: Vec<Value> = self
            .candidates()
            .iter()
            .map(|candidate| self.target(candidate.target))
            .collect();
        if let Value::Object(fields) = &mut value {
            fields.insert("candidates".to_owned(), candidates.into());
        }
        value
    }

    /// One line for people, without its end.
    pub fn text(&self) -> String {
        let record = self.record;
        let mut line = format!(
            "{} {} {} {} route={} duration_ms={} bytes_in={} bytes_out={}",
            self.time,
            hex(record),
            record.status,
            record.ending.as_str(),
            self.route(record.route).as_str().unwrap_or("-"),
            millis(record.ended.since(record.started)),
            record.bytes_in,
            record.bytes_out,
        );
        // Writing to a string cannot fail.
        if let Some(withdrawn) = self.route(record.withdrawn).as_str() {
            let _ = write!(line, " withdrawn={withdrawn}");
        }
        if let Some(reason) = record.reason {
            let _ = write!(line, " reason={reason}");
        }
        if record.drill {
            line.push_str(" drill=true");
        }
        if record.queued != Span::ZERO {
            let _ = write!(line, " queued_ms={}", millis(record.queued));
        }
        if let Some(spent) = record.spent_in_all() {
            for kind in Tokens::ALL {
                let _ = write!(line, " tokens_{}={}", kind.as_str(), kind.of(spent.usage));
            }
            if let Some(dollars) = spent.dollars() {
                let _ = write!(line, " cost_dollars={dollars}");
            }
        }
        for tried in self.record.attempts.iter() {
            let target = self.target(tried.target);
            let _ = write!(line, " {}={}", plain(&target), outcome(&tried));
        }
        for (target, why) in self.passed_over() {
            let _ = write!(line, " {}!{why}", plain(&self.target(target)));
        }
        line
    }

    fn attempt(&self, tried: &AttemptRecord) -> Value {
        json!({
            "target": self.target(tried.target),
            "outcome": outcome(tried),
            "probe": tried.probe,
            "repeat": tried.repeat,
            "hedge": tried.hedge,
            "key": tried.key,
            "key_change": tried.key_change,
            "started_ms": millis(tried.started),
            "ttft_ms": tried.ttft.map(millis),
            "ended_ms": tried.ended.map(millis),
        })
    }

    fn candidates(&self) -> &'a [Candidate] {
        self.plan
            .zip(self.record.route)
            .map(|(plan, route)| plan.program.candidates(route))
            .unwrap_or_default()
    }

    fn passed_over(&self) -> impl Iterator<Item = (TargetId, &'static str)> {
        let all = self.record.passed_over(self.candidates());
        all.map(|(target, why)| (target, why.as_str()))
    }

    fn route(&self, route: Option<RouteId>) -> Value {
        let route = self.plan.zip(route);
        let route = route.and_then(|(plan, route)| plan.policy.routes.get(route.index()));
        route.map(|route| &*route.name).into()
    }

    /// Null where its plan is not known any more.
    fn target(&self, target: TargetId) -> Value {
        let found = self
            .plan
            .and_then(|plan| plan.policy.targets.get(target.index()));
        found.map(|target| &*target.name).into()
    }
}

fn plain(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

/// An attempt without an outcome was cut off because the one beside it answered, or because its client left.
fn outcome(tried: &AttemptRecord) -> &'static str {
    match tried.outcome {
        Some(outcome) => outcome.as_str(),
        None if tried.overtaken => OVERTAKEN,
        None => CLIENT_GONE,
    }
}

fn hex(record: &Record) -> String {
    String::from_utf8_lossy(&record.id.to_hex()).into_owned()
}

/// Milliseconds to the microsecond.
fn tokens(spent: &Spent) -> Value {
    let counts = Tokens::ALL.map(|kind| (kind.as_str().to_owned(), kind.of(spent.usage).into()));
    Value::Object(counts.into_iter().collect())
}

fn millis(span: Span) -> f64 {
    f64::from(u32::try_from(span.as_micros()).unwrap_or(u32::MAX)) / 1_000.0
}

/// Where an outcome is missing.
pub(super) const CLIENT_GONE: &str = "client_gone";
pub(super) const OVERTAKEN: &str = "overtaken";

#[cfg(test)]
pub(super) mod tests {
    use super::Account;
    use crate::base::{Moment, Outcome, RequestId, RouteId, Span, TargetId};
    use crate::dialect::turn::Usage;
    use crate::engine::{AttemptRecord, History, PassedSet};
    use crate::ops::{Ending, Record, Spent};
    use crate::policy::{Plan, load};

    /// A request that failed over.
    pub(in crate::ops) fn record() -> Record {
        let attempt = |target, outcome, started| AttemptRecord {
            target: TargetId(target),
            outcome: Some(outcome),
            key: 0,
            key_change: false,
            probe: false,
            repeat: false,
            hedge: false,
            overtaken: false,
            started: Span::from_millis(started),
            ttft: None,
            ended: Some(Span::from_millis(started + 1)),
        };
        Record {
            id: RequestId(0xab),
            policy: plan().policy.hash,
            started: Moment::START,
            ended: Moment::START + Span::from_micros(3_250),
            route: Some(RouteId(0)),
            withdrawn: None,
            status: 200,
            ending: Ending::Answered,
            reason: None,
            stream: false,
            queued: Span::from_millis(35),
            bytes_in: 10,
            bytes_out: 20,
            passed: PassedSet::default(),
            attempts: History::of(&[attempt(0, Outcome::S5xx, 0), attempt(1, Outcome::Ok, 2)]),
            spent: Some(Spent {
                target: TargetId(1),
                usage: Usage {
                    input: 9,
                    cache_read: 4,
                    output: 5,
                    ..Usage::default()
                },
                nano_dollars: Some(2_500),
            }),
            drill: false,
            spent_before: None,
        }
    }

    fn plan() -> Plan {
        let text = "policy 1\nprovider openai { model a = \"a\", model b = \"b\" }\n\
                    route default { tier 1 { openai.a }, tier 2 { openai.b } }\n";
        let (policy, _) = load(&[("p.policy", text)], "p.policy", &[]).unwrap();
        Plan::new(policy).unwrap()
    }

    #[test]
    fn a_record_is_told_in_words() {
        let (record, plan) = (record(), plan());
        let account = Account::new(&record, &plan, "2026-11-25T00:00:00.000Z");
        assert_eq!(
            account.text(),
            "2026-11-25T00:00:00.000Z 000000000000000000000000000000ab 200 answered route=default \
             duration_ms=3.25 bytes_in=10 bytes_out=20 queued_ms=35 tokens_input=5 \
             tokens_cache_read=4 tokens_cache_write=0 tokens_output=5 cost_dollars=0.0000025 openai.a=s5xx openai.b=ok"
        );
        let value = account.full_json();
        assert_eq!(value["attempts"][1]["target"], "openai.b");
        assert_eq!(value["candidates"][0], "openai.a");
        assert_eq!(value["duration_ms"], 3.25);
        assert_eq!(value["queued_ms"], 35.0);
        assert_eq!(value["tokens"]["cache_read"], 4);
        assert_eq!(value["cost_dollars"], 2.5e-6);
    }

    #[test]
    fn names_of_another_plan_are_not_used() {
        let plan = plan();
        let record = Record {
            policy: 1,
            ..record()
        };
        let value = Account::new(&record, &plan, "").full_json();
        assert!(value["route"].is_null() && value["attempts"][0]["target"].is_null());
        assert_eq!(value["attempts"][0]["outcome"], "s5xx");
    }
}
