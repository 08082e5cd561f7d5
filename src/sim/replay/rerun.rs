//! A gateway's whole log, run again: one engine, fresh as the gateway's was, is given what that one was told, in its order, and has
//! to do the same. Nothing is put into a state here: breakers open, pauses end and averages move by themselves.
//!
//! Calls of chains and ticks come from different threads, so that the order of their clocks may be wrong by what a thread was
//! kept waiting. Two things that the log has tell the order: how much a tick found counted, and which breakers a step
//! saw changed.

use std::fmt;
use std::iter::Peekable;
use std::slice::Iter;
use std::sync::Arc;

use crate::base::{Moment, RequestId, Span};
use crate::engine::{Board, Call, Called, Chain, Core, Finish, Form, Noted, Step};
use crate::ops::{Doings, Told, ToldChange, ToldLog, ToldTick};
use crate::policy::Plan;
use crate::policy::model::PromptSize;
use crate::sim::replay::again::Difference;

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Rerun {
    /// Requests that were made again.
    pub requests: u64,
    /// Ticks that were.
    pub ticks: u64,
    /// Changes of breakers among them.
    pub changes: u64,
    /// What came out otherwise, and of which request; ticks have none. The first one may be the cause of others.
    pub differences: Vec<(Option<String>, Difference)>,
}

/// Why a log cannot be run again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NoRerun {
    /// There are no ticks, or a request does not say what its chain was told: not all requests were recorded.
    NoLog,
    /// A policy with another hash made it.
    OtherPolicy,
    /// Of this request, a fact that the policy reads was withheld.
    Withheld(String),
    /// Requests or ticks are missing at the moment of this tick.
    Hole(u64),
    /// What this request was told makes no sense.
    Garbled(String),
}

impl fmt::Display for NoRerun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLog => f.write_str(
                "it is no log of all requests and ticks: that is what `records` with a `file` and `share = 100%` write",
            ),
            Self::OtherPolicy => f.write_str("another policy made it"),
            Self::Withheld(id) => {
                write!(f, "request {id} hangs on a fact that was not recorded")
            }
            Self::Hole(tick) => write!(f, "requests or ticks are missing before tick {tick}"),
            Self::Garbled(id) => write!(f, "what request {id} was told makes no sense"),
        }
    }
}

/// Runs a gateway's log again, from its beginning: all its decisions and ticks, in any order.
///
/// # Errors
/// It is not complete, or not this plan's.
pub fn rerun(plan: &Plan, decisions: &[Told], ticks: &[ToldTick]) -> Result<Rerun, NoRerun> {
    let mut ticks: Vec<&ToldTick> = ticks.iter().collect();
    ticks.sort_by_key(|tick| tick.number);
    let events = events(decisions)?;
    let mut engine = Engine::new(plan, decisions, &ticks)?;
    let (mut calls, mut ticks) = (events.iter().peekable(), ticks.iter().copied().peekable());
    loop {
        let tick_first = ticks
            .peek()
            .copied()
            .map(|tick| engine.is_due(tick, &calls));
        match (tick_first, calls.peek()) {
            (None, None) => break,
            (Some(Some(false)) | None, Some(_)) => {
                let event = calls.next();
                event.map_or(Ok(()), |event| engine.call(event))?;
            }
            (Some(Some(true)), _) => {
                if let Some(tick) = ticks.next() {
                    engine.tick(tick);
                }
            }
            (Some(_), _) => {
                let number = ticks.peek().map_or(0, |tick| tick.number);
                return Err(NoRerun::Hole(number));
            }
        }
    }
    Ok(engine.done)
}

/// One call of one request's chain; the last one says that it is over.
#[derive(Clone, Copy, Debug)]
struct Event<'t> {
    at: Moment,
    request: usize,
    told: &'t Told,
    call: Option<Call>,
}

/// All calls of all requests, in the order of their clocks.
fn events(decisions: &[Told]) -> Result<Vec<Event<'_>>, NoRerun> {
    let mut events = Vec::new();
    for (request, told) in decisions.iter().enumerate() {
        let log = told.log.as_ref().ok_or(NoRerun::NoLog)?;
        for call in &log.calls {
            let call = call
                .call()
                .ok_or_else(|| NoRerun::Garbled(told.id.clone()))?;
            events.push(Event {
                at: log.begun() + call.at,
                request,
                told,
                call: Some(call),
            });
        }
        events.push(Event {
            at: log.over(),
            request,
            told,
            call: None,
        });
    }
    // Those of one request stay in their order.
    events.sort_by_key(|event| event.at);
    Ok(events)
}

/// A request under way.
#[derive(Debug)]
struct Flight {
    chain: Chain,
    steps: Vec<Noted>,
    status: Option<u16>,
}

/// The engine that does it again.
#[derive(Debug)]
struct Engine<'p> {
    plan: &'p Plan,
    board: Arc<Board>,
    cores: Vec<Core>,
    flights: Vec<Option<Flight>>,
    done: Rerun,
}

impl<'p> Engine<'p> {
    fn new(plan: &'p Plan, decisions: &[Told], ticks: &[&ToldTick]) -> Result<Self, NoRerun> {
        let hash = format!("{:016x}", plan.policy.hash);
        let first = ticks.first().ok_or(NoRerun::NoLog)?;
        let mut policies = decisions.iter().map(|told| &told.policy);
        if policies.any(|policy| *policy != hash) || ticks.iter().any(|it| it.policy != hash) {
            return Err(NoRerun::OtherPolicy);
        }
        if let Some(told) = decisions.iter().find(|told| told.withholds(plan)) {
            return Err(NoRerun::Withheld(told.id.clone()));
        }
        for (number, tick) in (1..).zip(ticks) {
            if tick.number != number {
                return Err(NoRerun::Hole(tick.number));
            }
        }
        // As the gateway's own: the hash of the policy is the seed.
        let board = Arc::new(Board::new(plan, first.cores));
        let core = |index| Core::new(Arc::clone(&board), plan, index);
        Ok(Self {
            plan,
            cores: (0..board.cores()).map(core).collect(),
            board,
            flights: decisions.iter().map(|_| None).collect(),
            done: Rerun::default(),
        })
    }

    /// Whether a tick comes before the next call; `None` if it found more counted than all calls bring.
    fn is_due(&self, tick: &ToldTick, calls: &Peekable<Iter<'_, Event<'_>>>) -> Option<bool> {
        let mut found = tick.counted.iter().zip(self.board.counted());
        let waits = found.any(|(found, counted)| *found > counted);
        let mut ahead = calls.clone();
        let Some(next) = ahead.peek().copied() else {
            return (!waits).then_some(true);
        };
        if waits {
            return Some(false);
        }
        // Who saw the state before it comes first.
        let mut near = ahead.take_while(|event| event.at < tick.at() + LATE);
        if near.find_map(|event| self.saw_before(event, tick)) == Some(true) {
            return Some(false);
        }
        let early = next.at < tick.at() && tick.at().since(next.at) < LATE;
        if early && self.counts_beyond(next, tick) {
            return Some(true);
        }
        Some(tick.at() <= next.at || self.saw_before(next, tick) == Some(false))
    }

    /// Whether a call that is a step saw a breaker which the tick changes as it was before; `None` if it does not tell.
    fn saw_before(&self, event: &Event<'_>, tick: &ToldTick) -> Option<bool> {
        let is_step = matches!(
            event.call.map(|call| call.what),
            Some(Called::Next | Called::Hedge | Called::GoOn)
        );
        if tick.changes.is_empty() || !is_step {
            return None;
        }
        let core = event.told.log.as_ref().map_or(0, ToldLog::core);
        let at = event.call.map(|call| call.at.as_micros());
        let steps = event.told.steps.iter();
        let mut steps = steps.filter(|step| Some(step.at().as_micros()) == at);
        steps.find_map(|step| {
            // What cores change themselves has its place among their calls.
            let mut own = tick.changes.iter().filter(|change| {
                let state = self.board.state_of(self.plan, &change.target, core);
                state.is_some_and(|state| state.as_str() == change.from && change.from != change.to)
            });
            own.find_map(|change| {
                let saw = step.breaker_of(&change.target)?;
                let known = saw == change.from || saw == change.to;
                known.then_some(saw == change.from)
            })
        })
    }

    /// Whether a call brings a target beyond what the tick found counted there.
    fn counts_beyond(&self, event: &Event<'_>, tick: &ToldTick) -> bool {
        let (attempt, outcome) = match event.call.map(|call| call.what) {
            Some(Called::Content { attempt }) => (attempt, None),
            Some(Called::Ended { attempt, end, .. }) => (attempt, Some(end.outcome)),
            _ => return false,
        };
        let attempt = event.told.attempts.get(usize::from(attempt));
        let target = attempt.filter(|attempt| !attempt.is_probe());
        let Some(target) = target.and_then(|attempt| attempt.target_in(self.plan)) else {
            return false;
        };
        let counted = self.board.counted().nth(target.index());
        tick.counted.get(target.index()).copied() == counted
            && outcome.is_none_or(|outcome| self.board.counts(target, outcome))
    }

    fn tick(&mut self, tick: &ToldTick) {
        let changes = self.board.tick(tick.at());
        let changes: Vec<ToldChange> = changes
            .iter()
            .map(|change| ToldChange::new(change, self.plan))
            .collect();
        // What follows from it is seen by the requests that come.
        let _ = self.board.judge_guards(tick.at());
        self.done.ticks += 1;
        self.done.changes += changes.len() as u64;
        if changes != tick.changes {
            self.done.differences.push((
                None,
                Difference {
                    of: format!("tick {}", tick.number),
                    recorded: json(&tick.changes),
                    found: json(&changes),
                },
            ));
        }
    }

    fn call(&mut self, event: &Event<'_>) -> Result<(), NoRerun> {
        let garbled = || NoRerun::Garbled(event.told.id.clone());
        let log = event.told.log.as_ref().ok_or(NoRerun::NoLog)?;
        let core = self.cores.get_mut(log.core()).ok_or_else(garbled)?;
        let place = self.flights.get_mut(event.request).ok_or_else(garbled)?;
        let Some(call) = event.call else {
            let flight = place.take().ok_or_else(garbled)?;
            self.over(event, log, flight);
            return Ok(());
        };
        let flight = match place {
            Some(flight) => flight,
            None => place.insert(Flight::new(self.plan, event.told, log, core)),
        };
        flight
            .call(event.at, call, self.plan, core)
            .ok_or_else(garbled)
    }

    /// A request is over: its chain has to have done what the record says.
    fn over(&mut self, event: &Event<'_>, log: &ToldLog, mut flight: Flight) {
        if let Some(core) = self.cores.get_mut(log.core()) {
            flight.chain.leave_queue(event.at, core);
            flight.chain.concluded(self.plan, core);
        }
        self.done.requests += 1;
        // A client that left got nothing.
        let status = flight.status.filter(|_| event.told.status.is_some());
        let found = event.told.with_doings(&Doings {
            plan: self.plan,
            begun: log.begun(),
            chain: &flight.chain,
            steps: &flight.steps,
            status,
        });
        if let Some(difference) = difference(event.told, &found) {
            let id = event.told.id.clone();
            self.done.differences.push((Some(id), difference));
        }
    }
}

impl Flight {
    fn new(plan: &Plan, told: &Told, log: &ToldLog, core: &Core) -> Self {
        let facts = told.facts_for(plan);
        let decision = facts.with(|facts| {
            let mut decision = plan.program.decide(facts);
            while core.is_withdrawn(decision.route) {
                decision = plan.program.decide_after(decision.route, facts);
            }
            decision
        });
        let form = if facts.stream {
            Form::Stream
        } else {
            Form::Whole
        };
        let id: RequestId = told.request().unwrap_or_default();
        let (deadline, patience) = log.bounds();
        let chain = Chain::new(plan, decision, form, id, log.begun())
            .with_prompt(PromptSize::of_body(told.bytes_in))
            .within(deadline, patience);
        Self {
            chain,
            steps: Vec::new(),
            status: None,
        }
    }

    /// Does what the gateway's did; `None` if it cannot be.
    fn call(&mut self, now: Moment, call: Call, plan: &Plan, core: &mut Core) -> Option<()> {
        let chain = &mut self.chain;
        match call.what {
            Called::Next => {
                if chain.is_running() {
                    return None;
                }
                let (step, noted) = chain.next_noted(now, plan, core);
                self.steps.push(noted);
                if let Step::Finish(Finish::Reject { status, .. }) = step {
                    self.status = Some(status);
                }
            }
            Called::Hedge => {
                let noted = chain.hedge_noted(now, plan, core);
                self.steps.push(noted);
            }
            Called::GoOn => {
                if chain.is_running() {
                    return None;
                }
                let able = |target| {
                    let provider = plan.policy.provider_of(target);
                    provider.is_some_and(|provider| provider.continuation().is_some())
                };
                let noted = chain.go_on_noted(now, plan, core, able);
                self.steps.push(noted);
            }
            Called::Content { attempt } => {
                chain.take_at_hand(attempt).then_some(())?;
                chain.content(now, plan, core);
            }
            Called::Ended { attempt, end, gap } => {
                chain.take_at_hand(attempt).then_some(())?;
                chain.gap(gap);
                chain.ended(now, plan, core, end);
                if chain.has_beside() {
                    chain.turn();
                }
            }
            Called::Abandoned { gap } => {
                chain.is_running().then_some(())?;
                chain.gap(gap);
                chain.abandoned(now, plan, core);
            }
        }
        Some(())
    }
}

/// The first thing in which two records of a request differ.
fn difference(recorded: &Told, found: &Told) -> Option<Difference> {
    let differ = |of: String, recorded: String, found: String| {
        (recorded != found).then_some(Difference {
            of,
            recorded,
            found,
        })
    };
    if let Some(route) = differ(
        "route".to_owned(),
        recorded.route.clone(),
        found.route.clone(),
    ) {
        return Some(route);
    }
    // A step of a long stay in a queue may not be noted any more.
    let mut steps = (1_u32..).zip(recorded.steps.iter().zip(&found.steps));
    let step = steps.find_map(|(number, (recorded, found))| {
        differ(format!("step {number}"), json(recorded), json(found))
    });
    step.or_else(|| {
        let (recorded, found) = (&recorded.attempts, &found.attempts);
        differ("attempts".to_owned(), json(recorded), json(found))
    })
    .or_else(|| {
        let status = |told: &Told| told.status.unwrap_or_default().to_string();
        differ("status".to_owned(), status(recorded), status(found))
    })
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Longer than a thread is kept from going on between a look at the clock and what it does then.
const LATE: Span = Span::from_millis(50);
