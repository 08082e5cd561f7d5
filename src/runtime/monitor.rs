//! What operators can look at: metrics, the state of targets, records of requests. It lives on the control thread, which
//! alone sees every change of a breaker, and reads what the cores count.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;

use serde_json::{Value, json};

use crate::base::{Moment, RequestId};
use crate::engine::Transition;
use crate::ops::{Account, Changes, Process, Record, Scrape, exposition};
use crate::runtime::clock::{self, Anchor};
use crate::runtime::requests::{self, Ask, Found, Question};
use crate::runtime::shared::Shared;
use crate::runtime::status;

/// The control thread's eyes.
#[derive(Debug)]
pub(super) struct Monitor {
    shared: Arc<Shared>,
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
        let targets = shared.plan.policy.targets.len();
        Self {
            changes: RefCell::new(Changes::new(targets, clock::now())),
            shared,
            workers,
        }
    }

    /// A breaker changed.
    pub(super) fn saw(&self, transition: &Transition) {
        self.changes.borrow_mut().count(transition);
    }

    /// Looks at all targets, so that it is known since when they are out.
    pub(super) fn look(&self, now: Moment) {
        let targets = self.shared.board.status(now);
        let policy = &self.shared.plan.policy;
        self.changes.borrow_mut().look(now, policy, &targets);
    }

    /// The page at `path`, if it is one of these.
    pub(super) async fn page(&self, path: &str, query: &str) -> Option<Page> {
        match path {
            "/metrics" => Some(self.metrics(clock::now())),
            "/status" => Some(self.status(clock::now())),
            "/requests" => Some(self.newest(query).await),
            _ => {
                let text = path.strip_prefix("/requests/")?;
                Some(match requests::id(text) {
                    Some(id) => self.one(id).await,
                    None => error(400, "a request's id is 32 hexadecimal digits"),
                })
            }
        }
    }

    fn metrics(&self, now: Moment) -> Page {
        let Shared {
            plan,
            board,
            counters,
            draining,
            ..
        } = &*self.shared;
        let targets = board.status(now);
        let uptime = now.since(Moment::START);
        let body = exposition(&Scrape {
            plan,
            board,
            targets: &targets,
            keys: &board.key_status(now),
            counters,
            changes: &self.changes.borrow(),
            process: Process {
                version: VERSION,
                started_unix: clock::unix_seconds().saturating_sub(uptime.as_secs()),
                uptime,
                draining: draining.load(Ordering::Relaxed),
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
        ok(&status::json(&self.shared, now, &self.changes.borrow()))
    }

    async fn newest(&self, query: &str) -> Page {
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
        let found = requests::ask(&self.workers, Ask::Newest { count, failed }).await;
        let anchor = Anchor::now();
        let told: Vec<Value> = found
            .records
            .iter()
            .map(|record| self.tell(record, &anchor))
            .collect();
        ok(&json!({
            "schema": "switchover.requests/1",
            "cores_silent": found.silent,
            "requests": told,
        }))
    }

    async fn one(&self, id: RequestId) -> Page {
        let Found { records, silent } = requests::ask(&self.workers, Ask::One(id)).await;
        match records.first() {
            Some(record) => {
                let mut told = self.tell(record, &Anchor::now());
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

    fn tell(&self, record: &Record, anchor: &Anchor) -> Value {
        let time = anchor.rfc3339(record.started);
        Account::new(record, &self.shared.plan, &time).full_json()
    }
}

fn ok(body: &Value) -> Page {
    Page {
        status: 200,
        content_type: JSON,
        body: body.to_string(),
    }
}

fn error(status: u16, text: &str) -> Page {
    Page {
        status,
        ..ok(&json!({ "error": text }))
    }
}

/// The gateway's version.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");
const JSON: &str = "application/json";
/// Records in a list, unless asked otherwise.
const COUNT: usize = 20;
/// The most, some 600 KiB of JSON.
const COUNT_MAX: usize = 1_000;
