//! What makes records a log that an engine can be run from again: what each chain was told, to the nanosecond, and the ticks
//! between. It is written where all requests are recorded.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::{Moment, Outcome, Span};
use crate::engine::{Call, Called, End, Transition};
use crate::ops::decision::{DecisionNotes, TickNotes};
use crate::policy::Plan;

use super::{Names, Told, Unreadable};

/// What a chain was told. Moments are nanoseconds of the gateway's clock, calls' from the chain's beginning.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ToldLog {
    core: usize,
    begun_ns: u64,
    deadline_ns: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    patience_ns: Option<u64>,
    over_ns: u64,
    /// All of it, in order.
    pub calls: Vec<ToldCall>,
}

/// One call.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ToldCall {
    at_ns: u64,
    call: Word,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempt: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outcome: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after_ns: Option<u64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    model_alone: bool,
    #[serde(default, skip_serializing_if = "is_nothing")]
    gap_ns: u64,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Next,
    Hedge,
    GoOn,
    Content,
    Ended,
    Abandoned,
}

/// A tick of the engine, `switchover.tick/1`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ToldTick {
    schema: String,
    at_ns: u64,
    /// Counts them from 1: one that is missing shows.
    pub number: u64,
    /// The hash of the policy, 16 hexadecimal digits.
    pub policy: String,
    /// Workers.
    pub cores: usize,
    /// Of each target in the policy's order, how much it found counted.
    pub counted: Vec<u64>,
    /// Breakers that it found changed.
    pub changes: Vec<ToldChange>,
}

/// A breaker that changed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ToldChange {
    /// Whose.
    pub target: String,
    /// Whose own it is, where the policy says `scope = core`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub core: Option<u16>,
    /// What the tick before saw.
    pub from: String,
    /// What it is.
    pub to: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until_ns: Option<u64>,
}

/// A line of a file with records.
#[derive(Clone, Debug)]
pub enum ToldLine {
    /// A decision.
    Decision(Box<Told>),
    /// A tick between decisions.
    Tick(ToldTick),
}

impl FromStr for ToldLine {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        if text.trim_start().starts_with(TICK_BEGINNING) {
            let tick = serde_json::from_str(text)
                .map_err(|error| Unreadable(format!("it is no tick: {error}")))?;
            return Ok(Self::Tick(tick));
        }
        text.parse().map(|told| Self::Decision(Box::new(told)))
    }
}

impl ToldLog {
    pub(super) fn new(notes: &DecisionNotes) -> Option<Self> {
        let log = notes.log.as_ref()?;
        let since = |moment: Moment| moment.since(notes.begun).as_nanos();
        Some(Self {
            core: log.core,
            begun_ns: notes.begun.as_nanos(),
            deadline_ns: since(notes.deadline),
            patience_ns: (log.patience != Moment::NEVER).then(|| since(log.patience)),
            over_ns: since(notes.record.ended),
            calls: log.calls.iter().map(ToldCall::new).collect(),
        })
    }

    /// The core that the chain ran on.
    pub const fn core(&self) -> usize {
        self.core
    }

    /// When it began.
    pub const fn begun(&self) -> Moment {
        Moment::from_nanos(self.begun_ns)
    }

    /// When it had to be over, and when its client gave up that had nothing by then.
    pub fn bounds(&self) -> (Moment, Moment) {
        let at = |ns: u64| self.begun() + Span::from_nanos(ns);
        (
            at(self.deadline_ns),
            self.patience_ns.map_or(Moment::NEVER, at),
        )
    }

    /// When the request was over.
    pub fn over(&self) -> Moment {
        self.begun() + Span::from_nanos(self.over_ns)
    }
}

impl ToldCall {
    fn new(call: &Call) -> Self {
        let mut told = Self {
            at_ns: call.at.as_nanos(),
            call: Word::Next,
            attempt: None,
            outcome: None,
            retry_after_ns: None,
            model_alone: false,
            gap_ns: 0,
        };
        match call.what {
            Called::Next => {}
            Called::Hedge => told.call = Word::Hedge,
            Called::GoOn => told.call = Word::GoOn,
            Called::Content { attempt } => {
                told.call = Word::Content;
                told.attempt = Some(attempt);
            }
            Called::Ended { attempt, end, gap } => {
                told.call = Word::Ended;
                told.attempt = Some(attempt);
                told.outcome = Some(end.outcome.as_str().to_owned());
                told.retry_after_ns = end.retry_after.map(Span::as_nanos);
                told.model_alone = end.model_alone;
                told.gap_ns = gap.as_nanos();
            }
            Called::Abandoned { gap } => {
                told.call = Word::Abandoned;
                told.gap_ns = gap.as_nanos();
            }
        }
        told
    }

    /// The call; `None` where something of it is missing.
    pub fn call(&self) -> Option<Call> {
        let gap = Span::from_nanos(self.gap_ns);
        let what = match self.call {
            Word::Next => Called::Next,
            Word::Hedge => Called::Hedge,
            Word::GoOn => Called::GoOn,
            Word::Content => Called::Content {
                attempt: self.attempt?,
            },
            Word::Ended => Called::Ended {
                attempt: self.attempt?,
                end: End {
                    outcome: Outcome::from_word(self.outcome.as_deref()?)?,
                    retry_after: self.retry_after_ns.map(Span::from_nanos),
                    model_alone: self.model_alone,
                },
                gap,
            },
            Word::Abandoned => Called::Abandoned { gap },
        };
        let at = Span::from_nanos(self.at_ns);
        Some(Call { at, what })
    }
}

impl ToldTick {
    /// Of `plan`; `None` where it was another plan's.
    pub fn new(notes: &TickNotes, plan: &Plan) -> Option<Self> {
        let changes = notes.changes.iter();
        (plan.policy.hash == notes.policy).then(|| Self {
            schema: SCHEMA.to_owned(),
            at_ns: notes.at.as_nanos(),
            number: notes.number,
            policy: format!("{:016x}", notes.policy),
            cores: notes.cores,
            counted: notes.counted.clone(),
            changes: changes
                .map(|change| ToldChange::new(change, plan))
                .collect(),
        })
    }

    /// When it was.
    pub const fn at(&self) -> Moment {
        Moment::from_nanos(self.at_ns)
    }
}

impl ToldChange {
    /// In the words of records.
    pub fn new(change: &Transition, plan: &Plan) -> Self {
        Self {
            target: super::target_name(plan, change.target),
            core: change.core,
            from: change.from.as_str().to_owned(),
            to: change.to.as_str().to_owned(),
            why: change.why.map(|rule| rule.as_str().to_owned()),
            until_ns: change.until.map(Moment::as_nanos),
        }
    }
}

impl Told {
    /// The same request, had its chain done this.
    #[must_use]
    pub fn with_doings(&self, doings: &Doings<'_>) -> Self {
        let Doings { plan, begun, .. } = *doings;
        let names = Names { plan, begun };
        let route = doings.chain.decision().route;
        Self {
            route: names.route(route).unwrap_or_default(),
            status: doings.status.or(self.status),
            steps: doings.steps.iter().map(|step| names.step(step)).collect(),
            attempts: doings
                .chain
                .attempts()
                .map(|attempt| names.attempt(&attempt))
                .collect(),
            ..self.clone()
        }
    }
}

/// What a chain did.
#[derive(Clone, Copy, Debug)]
pub struct Doings<'d> {
    /// The plan that it runs by.
    pub plan: &'d Plan,
    /// When it began.
    pub begun: Moment,
    /// It.
    pub chain: &'d crate::engine::Chain,
    /// What it was asked, and what it saw.
    pub steps: &'d [crate::engine::Noted],
    /// With which status it refused, if it did.
    pub status: Option<u16>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_nothing(ns: &u64) -> bool {
    *ns == 0
}

/// What the first field of a tick says.
const SCHEMA: &str = "switchover.tick/1";
/// How its line begins.
const TICK_BEGINNING: &str = "{\"schema\":\"switchover.tick/1\"";
