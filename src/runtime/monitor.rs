//! What operators can look at: metrics, the state of targets, records of requests. It lives on the control thread, which
//! alone sees every change of a breaker, and reads what the cores count.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;

use serde_json::{Value, json};

use crate::base::{Moment, RequestId};
use crate::engine::Transition;
use crate::ops::{Account, Changes, Copies, Process, Record, Scrape, exposition};
use crate::runtime::clock::{self, Anchor};
use crate::runtime::generation::{Generation, Whose};
use crate::runtime::requests::{self, Ask, Found, Question};
use crate::runtime::shared::Shared;
use crate::runtime::status;

/// The control thread's eyes.
#[derive(Debug)]
pub(super) struct Monitor {
    shared: Arc<Shared>,
    /// The newest one when it was looked for last; `changes` are of its targets.
    generation: RefCell<Arc<Generation>>,
    changes: RefCell<Changes>,
    workers: Vec<Sender<Question>>,
}

/// What an operator gets.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) body: String,
}

impl Monitor {
    /// Of a gateway whose workers can be asked through `workers`.
    pub(super) fn new(shared: Arc<Shared>, workers: Vec<Sender<Question>>) -> Self {
        let generation = shared.generation();
        let targets = generation.plan.policy.targets.len();
        Self {
            changes: RefCell::new(Changes::new(targets, clock::now())),
            generation: RefCell::new(generation),
            shared,
            workers,
        }
    }

    /// The newest generation.
    pub(super) fn generation(&self) -> Arc<Generation> {
        let mut seen = self.generation.borrow_mut();
        if seen.number != self.shared.number() {
            let newest = self.shared.generation();
            let (before, policy) = (&seen.plan.policy, &newest.plan.policy);
            let changes = self
                .changes
                .borrow()
                .following(clock::now(), before, policy);
            self.changes.replace(changes);
            *seen = newest;
        }
        Arc::clone(&seen)
    }

    /// A breaker changed.
    pub(super) fn saw(&self, transition: &Transition) {
        self.changes.borrow_mut().count(transition);
    }

    /// Looks at all targets, so that it is known since when they are out.
    pub(super) fn look(&self, now: Moment) {
        let generation = self.generation();
        let targets = generation.board.status(now);
        self.changes.borrow_mut().look(now, &targets);
    }

    /// The page at `path`, if it is one of these.
    pub(super) async fn page(&self, path: &str, query: &str) -> Option<Page> {
        match path {
            "/metrics" => Some(self.metrics(clock::now())),
            "/status" => Some(self.status(clock::now())),
            "/requests" => Some(self.newest(query).await),
            "/decisions" => Some(self.decisions(query)),
            _ if path.starts_with(DECISIONS) => {
                let text = path.strip_prefix(DECISIONS)?;
                Some(self.decision(text))
            }
            _ => {
                let text = path.strip_prefix("/requests/")?;
                Some(match RequestId::from_hex(text) {
                    Some(id) => self.one(id).await,
                    None => error(400, "a request's id is 32 hexadecimal digits"),
                })
            }
        }
    }

    fn metrics(&self, now: Moment) -> Page {
        let generation = self.generation();
        let Generation {
            plan,
            board,
            counters,
            ..
        } = &*generation;
        let targets = board.status(now);
        let shadows = generation.shadows.as_ref();
        let copies = shadows.map(|side| side.shadowing.shadows.status());
        let uptime = now.since(Moment::START);
        let body = exposition(&Scrape {
            plan,
            board,
            targets: &targets,
            keys: &board.key_status(now),
            guards: &board.guard_status(),
            counters,
            load: &self.shared.load,
            changes: &self.changes.borrow(),
            copies: shadows.zip(copies.as_deref()).map(|(side, status)| Copies {
                status,
                board: &side.generation.board,
                counters: &side.generation.counters,
            }),
            drills: &self.shared.drills.figures(plan, &self.shared.timetable()),
            process: Process {
                version: VERSION,
                started_unix: clock::unix_seconds().saturating_sub(uptime.as_secs()),
                uptime,
                generation: generation.number,
                reloads_refused: self.shared.reloads_refused(),
                draining: self.shared.draining.load(Ordering::Relaxed),
            },
        });
        Page {
            status: 200,
            content_type: "text/plain; version=0.0.4; charset=utf-8",
            body,
        }
    }

    fn status(&self, now: Moment) -> Page {
        self.look(now);
        let generation = self.generation();
        let changes = self.changes.borrow();
        ok(&status::json(&self.shared, &generation, now, &changes))
    }

    async fn newest(&self, query: &str) -> Page {
        let mut count = COUNT;
        let (mut failed, mut whose) = (false, Whose::Requests);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=').unwrap_or((pair, "")) {
                ("limit", text) => match text.parse::<usize>() {
                    Ok(limit @ 1..=COUNT_MAX) => count = limit,
                    _ => return error(400, "`limit` is a number from 1 to 1000"),
                },
                ("failed", "true") => failed = true,
                ("failed", "false") => failed = false,
                ("shadow", "true") => whose = Whose::Copies,
                ("drill", "true") => whose = Whose::Drill,
                ("shadow" | "drill", "false") => {}
                _ => {
                    return error(
                        400,
                        "there are `limit=N`, `failed=true`, `shadow=true` and `drill=true`",
                    );
                }
            }
        }
        let ask = Ask::Newest {
            count,
            failed,
            whose,
        };
        let found = requests::ask(&self.workers, ask).await;
        let anchor = Anchor::now();
        let told: Vec<Value> = found
            .records
            .iter()
            .map(|record| self.tell(record, &anchor, whose == Whose::Copies))
            .collect();
        ok(&json!({
            "schema": "switchover.requests/1",
            "cores_silent": found.silent,
            "requests": told,
        }))
    }

    /// The newest records of decisions, one object a line, as the file has them.
    fn decisions(&self, query: &str) -> Page {
        let mut count = COUNT;
        let mut failed = false;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=').unwrap_or((pair, "")) {
                ("limit", text) => match text.parse::<usize>() {
                    Ok(limit @ 1..=COUNT_MAX) => count = limit,
                    _ => return error(400, "`limit` is a number from 1 to 1000"),
                },
                ("failed", "true") => failed = true,
                ("failed", "false") => failed = false,
                _ => return error(400, "there are `limit=N` and `failed=true`"),
            }
        }
        if self.generation().plan.policy.records.is_none() {
            return error(404, NO_RECORDS);
        }
        let mut body = self.shared.decisions.newest(count, failed).join("\n");
        body.push('\n');
        Page {
            status: 200,
            content_type: "application/x-ndjson",
            body,
        }
    }

    fn decision(&self, text: &str) -> Page {
        let Some(id) = RequestId::from_hex(text) else {
            return error(400, "a request's id is 32 hexadecimal digits");
        };
        match self.shared.decisions.find(id) {
            Some(body) => Page {
                status: 200,
                content_type: JSON,
                body,
            },
            None if self.generation().plan.policy.records.is_none() => error(404, NO_RECORDS),
            None => error(
                404,
                "there is no record of that decision: the request is under way, was not one of those that are recorded, or \
                 too many came after it",
            ),
        }
    }

    async fn one(&self, id: RequestId) -> Page {
        let Found { records, silent } = requests::ask(&self.workers, Ask::One(id)).await;
        match records.first() {
            Some(record) => {
                let mut told = self.tell(record, &Anchor::now(), false);
                if let Value::Object(fields) = &mut told {
                    fields.insert("schema".to_owned(), "switchover.request/1".into());
                }
                ok(&told)
            }
            None if silent > 0 => error(503, "not every core has answered; ask again"),
            None => error(
                404,
                "there is no record of it: it is under way, or too many came after it",
            ),
        }
    }

    /// `shadow`: it is of a copy of the request, which has the same id.
    fn tell(&self, record: &Record, anchor: &Anchor, shadow: bool) -> Value {
        let time = anchor.rfc3339(record.started);
        let generation = self.generation();
        let copies = generation.shadows.as_ref().filter(|_| shadow);
        let plan = copies.map_or_else(
            || self.shared.plan_of(record.policy),
            |side| Arc::clone(&side.shadowing.plan),
        );
        let mut told = Account::new(record, &plan, &time).full_json();
        if let Value::Object(fields) = &mut told
            && shadow
        {
            fields.insert("shadow".to_owned(), true.into());
        }
        told
    }
}

/// An answer with this body.
pub(super) fn ok(body: &Value) -> Page {
    Page {
        status: 200,
        content_type: JSON,
        body: body.to_string(),
    }
}

/// A refusal that says why.
pub(super) fn error(status: u16, text: &str) -> Page {
    Page {
        status,
        ..ok(&json!({ "error": text }))
    }
}

/// The gateway's version.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");
const JSON: &str = "application/json";
/// Where one decision is found by its request's id.
const DECISIONS: &str = "/decisions/";
const NO_RECORDS: &str = "no decision is recorded: the policy has no `telemetry { records { … } }`";
/// Records in a list, unless asked otherwise.
const COUNT: usize = 20;
/// The most, some 600 KiB of JSON.
const COUNT_MAX: usize = 1_000;
