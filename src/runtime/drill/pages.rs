//! Drills at the admin address: `GET /drills`, `GET /drills/NAME`, `POST /drills/NAME/start` and `end`.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::base::Span;
use crate::policy::Plan;
use crate::runtime::clock::Anchor;
use crate::runtime::drill::{DrillStatus, Drills, WhyEnded};
use crate::runtime::monitor::{Page, error, ok};
use crate::runtime::shared::Shared;
use crate::sim::rehearsal::{self, Report};

/// What is said at a path that begins with [`PATH`]. `may_order` says whether the request may change something.
pub(in crate::runtime) fn page(
    shared: &Arc<Shared>,
    path: &str,
    query: &str,
    may_order: impl FnOnce() -> Result<(), Page>,
) -> Page {
    let plan = Arc::clone(&shared.generation().plan);
    let Some(rest) = path.strip_prefix(PATH).filter(|rest| !rest.is_empty()) else {
        return list(shared, &plan);
    };
    let rest = rest.strip_prefix('/').unwrap_or(rest);
    let Some((name, order)) = rest.split_once('/') else {
        return match query.strip_prefix("back=").map(str::parse) {
            None if query.is_empty() => report(&shared.drills, &plan, rest),
            Some(Ok(back)) => past(&shared.drills, rest, back),
            _ => error(
                400,
                "there is `back=N`: the report of so many runs before the last",
            ),
        };
    };
    if let Err(refused) = may_order() {
        return refused;
    }
    match order {
        "start" => start(shared, name, query),
        "end" if shared.drills.end(name, WhyEnded::Operator) => {
            ok(&json!({ "schema": ORDER, "drill": name, "order": "end" }))
        }
        "end" => error(409, &format!("no drill `{name}` is running")),
        _ => error(404, "there are the orders start and end"),
    }
}

fn start(shared: &Arc<Shared>, name: &str, query: &str) -> Page {
    let seed = match query.split_once('=') {
        None if query.is_empty() => None,
        Some(("seed", number)) if number.parse::<u64>().is_ok() => number.parse().ok(),
        _ => return error(400, "there is `seed=N`"),
    };
    match shared.drills.start(shared, name, seed) {
        Ok(started) => Page {
            status: 202,
            ..ok(&json!({
                "schema": ORDER,
                "drill": &*started.name,
                "order": "start",
                "seed": started.seed,
                "requests": started.requests,
                "seconds": seconds(started.length),
            }))
        },
        Err(refused) => error(refused.status(), &refused.to_string()),
    }
}

fn list(shared: &Shared, plan: &Plan) -> Page {
    let anchor = Anchor::now();
    let timetable = shared.timetable();
    let one = |status: DrillStatus| -> Value {
        let coming = timetable.coming(&status.name);
        let (schedule, next) = coming.map(|it| (it.cron, it.next_there)).unzip();
        json!({
            "schedule": schedule,
            "next": next.flatten(),
            "name": &*status.name,
            "state": if status.running { "running" } else { "idle" },
            "traffic": status.traffic.as_str(),
            "requests": status.requests,
            "seconds": seconds(status.length),
            "last": status.began.map(|began| json!({
                "began": anchor.rfc3339(began),
                "verdict": status.conclusion.map(rehearsal::Conclusion::as_str),
            })),
        })
    };
    let all: Vec<Value> = shared.drills.list(plan).into_iter().map(one).collect();
    ok(&json!({ "schema": "switchover.drills/1", "drills": all }))
}

/// The report of a run before.
fn past(drills: &Drills, name: &str, back: usize) -> Page {
    match drills.past(name, back) {
        Some(body) => Page {
            body,
            ..ok(&Value::Null)
        },
        None => error(
            404,
            &format!("there is no such report of `{name}` any more"),
        ),
    }
}

fn report(drills: &Drills, plan: &Plan, name: &str) -> Page {
    match drills.report(name) {
        Some((file, drilled)) => {
            let report = Report {
                file,
                drills: vec![drilled],
            };
            Page {
                body: rehearsal::json(&[report]),
                ..ok(&Value::Null)
            }
        }
        None if plan.policy.drills.iter().any(|it| &*it.name == name) => error(
            404,
            &format!("the drill `{name}` has not run on this gateway"),
        ),
        None => error(404, &format!("the policy has no drill `{name}`")),
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people: 53 bits are enough")]
fn seconds(span: Span) -> f64 {
    span.as_millis() as f64 / 1_000.0
}

/// What their paths begin with.
pub(in crate::runtime) const PATH: &str = "/drills";
const ORDER: &str = "switchover.drill_order/1";
