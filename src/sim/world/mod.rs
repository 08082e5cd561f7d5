//! A deterministic world around the gateway: clients, workers, a network and providers on a virtual clock, all of it from
//! one seed. The exchange and the engine in it are those that serve live traffic.
//!
//! ```text
//!   client ── Pipe ──▶ ┌ worker: Exchange ── Core ┐ ── Link ──▶ Network: Spells, Natures, Speaker
//!     Crowd  ◀─ Reader │ worker …         Board ◀─┤ ◀─ Pipe ──  (answers are decided when a request arrives)
//!                      └──────────────────── tick ┘
//!                                   Ledger: what must hold, after each step
//! ```
//! Nothing happens between two events of the `agenda`; a wait costs nothing. `operation` is the one place that knows
//! what an exchange asks for. The same plan, scenario and seed give the same world, step by step: [`Report::trace`] says so.
//!
//! What it leaves out: TCP's own windows and retransmissions, TLS records, name resolution, and what happens when a worker's
//! thread stands still. The live fault suite has those.

mod agenda;
mod attempt;
mod bounds;
mod chance;
mod check;
mod client;
mod copies;
mod errand;
mod fault;
mod generation;
mod homes;
mod keyring;
mod letter;
mod network;
mod operation;
mod orders;
mod pipe;
mod reader;
mod report;
mod rule;
mod scenario;
mod speech;
#[cfg(test)]
mod tests;
mod uses;
mod words;
mod worker;

use std::sync::Arc;

use crate::base::limits::TICK;
use crate::base::{Moment, Span, TargetId, hash};
use crate::engine::{GuardStatus, Load, Order, State};
use crate::ops::Totals;
use crate::policy::Plan;
use crate::policy::model::{Action, Breaker};

use self::agenda::{Agenda, Event, beat_after};
use self::check::Ledger;
use self::client::{Ask, Client};
use self::generation::{Generation, Generations, Roster};
use self::network::Network;
use self::pipe::Ending;
use self::reader::Answer;
use self::worker::{Connection, Worker};

pub use self::chance::{Dice, Latency};
pub use self::client::{Arrivals, Crowd, Manners};
pub use self::errand::{Deed, Errand};
pub use self::fault::{Fault, Hint, Spell, Who};
pub use self::network::Nature;
pub use self::report::{ClientReport, Report, TargetReport};
pub use self::rule::{Broken, Rule};
pub use self::scenario::Scenario;

/// One world.
#[derive(Debug)]
pub struct World<'p> {
    roster: Arc<Roster>,
    generations: Generations<'p>,
    load: Arc<Load>,
    errands: Vec<Errand<'p>>,
    now: Moment,
    agenda: Agenda,
    workers: Vec<Worker>,
    network: Network,
    crowds: Vec<Crowd>,
    /// Of each crowd, the connections that wait for its next request: place and name.
    idle: Vec<Vec<(usize, u64)>>,
    connections: Vec<Option<Box<Connection>>>,
    free: Vec<usize>,
    ledger: Ledger,
    dice: Dice,
    /// Connections so far, requests so far, waits so far: each names the next one.
    names: u64,
    numbers: u64,
    turns: u64,
    seed: u64,
    trace: u64,
    /// Events at the present moment.
    steps: u32,
    /// Clients ask no further.
    closing: bool,
    /// A key or a model may be out for minutes after the last fault.
    rests: bool,
    /// Nothing but these minutes is waited for.
    resting: bool,
}

impl<'p> World<'p> {
    /// A world in which nothing has happened yet.
    pub fn new(plan: &'p Plan, scenario: Scenario<'p>, seed: u64) -> Self {
        let dice = Dice::new(seed);
        let rests = scenario.leaves_rests();
        let cores = scenario.cores.max(1);
        let roster = Arc::new(Roster::of([plan].into_iter().chain(scenario.plans())));
        let network = Network::new(&roster, &scenario.natures, &scenario.spells, dice.fork(1));
        let versions = network.keyring.versions();
        let first = Generation::first(plan, &roster, versions, cores, seed);
        let load = Arc::new(Load::new(bounds::of(plan), cores));
        let workers = (0..cores).map(|core| Worker::new(&first, core, &load));
        let mut world = Self {
            now: Moment::START,
            agenda: Agenda::default(),
            workers: workers.collect(),
            load,
            generations: Generations::new(first),
            errands: scenario.errands,
            network,
            crowds: Vec::new(),
            idle: Vec::new(),
            connections: Vec::new(),
            free: Vec::new(),
            ledger: Ledger::new(&roster),
            roster,
            dice: dice.fork(2),
            names: 0,
            numbers: 0,
            turns: 0,
            seed,
            trace: seed,
            steps: 0,
            closing: false,
            rests,
            resting: false,
        };
        for crowd in scenario.crowds {
            world.invite(crowd);
        }
        for (index, errand) in world.errands.iter().enumerate() {
            world.agenda.enter(errand.at, Event::Errand { index });
        }
        world.agenda.enter(Moment::START + TICK, Event::Tick);
        world
    }

    /// Lets time pass until then, and tells what has happened since the beginning.
    pub fn run(&mut self, until: Moment) -> Report {
        self.pass(until);
        self.report()
    }

    fn pass(&mut self, until: Moment) {
        while self.is_sound()
            && let Some((at, event)) = self.agenda.next(until)
        {
            self.steps = if at == self.now { self.steps + 1 } else { 0 };
            self.now = at;
            let stepped = if self.steps > STEPS_MAX {
                let seen = format!("time stands still at {event:?}");
                Err(Broken::new(Rule::Rest, seen))
            } else {
                self.step(event)
            };
            if let Err(broken) = stepped {
                self.ledger.report.broken = Some(Broken { at, ..broken });
            }
        }
        self.now = self.now.max(until);
    }

    /// Lifts every fault and every order, waits until nothing rests any more, and goes on with plain traffic until every breaker of a first
    /// tier passes. Breakers that do not within a few of their longest cool-downs are stuck.
    pub fn recover(&mut self) -> Report {
        self.network.spells.clear();
        self.network.natures.fill(Nature::default());
        self.errands.clear();
        for target in (0_u16..).map(TargetId).take(self.roster.targets.len()) {
            self.order(target, Order::Auto);
        }
        if self.rests {
            self.resting = true;
            self.pass(self.now + RESTS);
            self.resting = false;
        }
        let policy = &self.generations.newest.plan.policy;
        let models = policy.model_names().into_iter().map(str::to_owned);
        let longest = policy.breakers.iter().map(patience);
        let patience = longest.max().unwrap_or_default().saturating_add(PATIENCE);
        // Of so many sessions each target has some: only its own try one that is half open.
        let keyed = policy.routes.iter().any(scenario::goes_by_sessions);
        let sessions = if keyed { SESSIONS } else { 0 };
        let end = self.now + patience;
        self.invite(Crowd {
            arrivals: Arrivals::Every(Span::from_millis(40)),
            from: self.now,
            to: end,
            manners: Manners {
                sessions,
                ..Manners::polite(models.collect())
            },
        });
        while self.is_sound() && !self.all_pass() {
            if self.now >= end {
                let status = self.generations.newest.board.status(self.now);
                let seen = format!("after {patience} without a fault: {status:?}");
                let broken = Broken::new(Rule::Recovery, seen);
                self.ledger.report.broken = Some(Broken {
                    at: self.now,
                    ..broken
                });
            }
            self.pass(self.now + TICK);
        }
        self.report()
    }

    /// Lets every client have its answer and go home, and closes the books.
    pub fn finish(mut self) -> Report {
        self.closing = true;
        for place in 0..self.connections.len() {
            self.close_if_idle(place);
        }
        let end = self.now + LONGEST;
        while self.is_sound() && self.connections.iter().any(Option::is_some) && self.now < end {
            self.pass(self.now + TICK);
        }
        if self.is_sound() {
            let cores = self.workers.len();
            let totals = self.totals();
            let closed = if self.connections.iter().any(Option::is_some) {
                Err(Broken::new(
                    Rule::Memory,
                    "a connection never ends".to_owned(),
                ))
            } else {
                self.ledger
                    .close(self.now, cores, &self.generations, totals)
                    .and_then(|()| bounds::nothing(&self.load))
                    .and_then(|()| self.no_copies())
            };
            if let Err(broken) = closed {
                self.ledger.report.broken = Some(Broken {
                    at: self.now,
                    ..broken
                });
            }
        }
        self.report()
    }

    /// Clients of one more kind.
    pub fn invite(&mut self, crowd: Crowd) {
        let index = self.crowds.len();
        let first = match crowd.arrivals {
            Arrivals::Poisson(mean) => self.dice.exponential(mean),
            Arrivals::Every(_) | Arrivals::Bursts(..) | Arrivals::ClosedLoop(..) => Span::ZERO,
        };
        self.agenda
            .enter(crowd.from + first, Event::Arrive { crowd: index });
        self.crowds.push(crowd);
        self.idle.push(Vec::new());
    }

    /// The time.
    pub const fn now(&self) -> Moment {
        self.now
    }

    /// What has happened so far.
    pub fn report(&self) -> Report {
        Report {
            totals: self.totals(),
            trace: self.trace,
            ..self.ledger.report.clone()
        }
    }

    /// Copies of requests that have begun.
    pub fn copies(&self) -> u64 {
        let side = self.generations.newest.copies.as_ref();
        let all = side
            .into_iter()
            .flat_map(|side| side.shadowing.shadows.status());
        all.map(|status| status.started).sum()
    }

    /// The guarded routes as they stand.
    pub fn guards(&self) -> Vec<GuardStatus> {
        self.generations.newest.board.guard_status()
    }

    fn totals(&self) -> Totals {
        self.generations.totals(self.roster.targets.len())
    }

    const fn is_sound(&self) -> bool {
        self.ledger.report.broken.is_none()
    }

    fn step(&mut self, event: Event) -> Result<(), Broken> {
        match event {
            Event::Tick => self.tick(),
            Event::Arrive { crowd } => self.arrive(crowd),
            Event::Wake { place, turn } => {
                let due = self.connection(place).is_some_and(|it| it.turn() == turn);
                if due { self.drive(place) } else { Ok(()) }
            }
            Event::Leave { place, number } => self.leave(place, number),
            Event::AskAgain { place, name } => self.ask_again(place, name),
            Event::Insist { crowd, tries } => self.insist(crowd, tries),
            Event::Errand { index } => self.run_errand(index),
            Event::TakeUp { core } => {
                self.take_up(core);
                Ok(())
            }
        }
    }

    fn tick(&mut self) -> Result<(), Broken> {
        // PERF: a world in which nobody asks anything is looked at ten times less often.
        let idle = self.resting
            && self
                .connections
                .iter()
                .flatten()
                .all(|it| it.client.asks.is_empty());
        let next = if idle { TICK.saturating_mul(10) } else { TICK };
        self.agenda.enter(self.now + next, Event::Tick);
        if let Some(copies) = &self.generations.newest.copies {
            copies.board.tick(self.now);
        }
        let board = Arc::clone(&self.generations.newest.board);
        self.ledger.ticked = self.now;
        let changed = board.tick(self.now);
        for change in board.judge_guards(self.now) {
            self.note(u64::from(change.route.0) << 8 | u64::from(change.withdrawn.is_some()));
        }
        for transition in &changed {
            self.note(u64::from(transition.target.0) << 8 | transition.to as u64);
        }
        if changed.is_empty() {
            return Ok(());
        }
        self.ledger.observe(self.now, &self.generations)
    }

    fn arrive(&mut self, index: usize) -> Result<(), Broken> {
        let Some(crowd) = self.crowds.get(index) else {
            return Ok(());
        };
        if self.closing || self.now >= crowd.to {
            return Ok(());
        }
        let (count, next) = match crowd.arrivals {
            Arrivals::Poisson(mean) => (1, Some(self.dice.exponential(mean))),
            Arrivals::Every(beat) => (1, Some(beat)),
            Arrivals::Bursts(size, beat) => (size, Some(beat)),
            Arrivals::ClosedLoop(clients, _) => (clients, None),
        };
        if let Some(next) = next {
            // A crowd never comes twice at one moment, or time would stand still.
            let at = self.now + next.max(Span::from_nanos(1));
            self.agenda.enter(at, Event::Arrive { crowd: index });
        }
        for _ in 0..count {
            let place = self.seat(index);
            self.ask(place, None)?;
        }
        Ok(())
    }

    fn insist(&mut self, crowd: usize, tries: u8) -> Result<(), Broken> {
        if self.closing {
            return Ok(());
        }
        let place = self.seat(crowd);
        self.ask(place, Some(tries))
    }

    /// A connection of the crowd that is free, or a new one.
    fn seat(&mut self, crowd: usize) -> usize {
        while let Some((place, name)) = self.idle.get_mut(crowd).and_then(Vec::pop) {
            if self.connection(place).is_some_and(|it| it.is_free(name)) {
                return place;
            }
        }
        self.names += 1;
        let core = self.dice.index(self.workers.len());
        let manners = self.crowds.get(crowd).map(|crowd| &crowd.manners);
        let polite = Manners::polite(Vec::new());
        let client = Client::new(
            self.names,
            crowd,
            manners.unwrap_or(&polite),
            &mut self.dice,
        );
        self.place(Box::new(Connection::new(self.now, core, client)))
    }

    /// Where a new connection is.
    fn place(&mut self, connection: Box<Connection>) -> usize {
        let connection = Some(connection);
        if let Some(place) = self.free.pop()
            && let Some(seat) = self.connections.get_mut(place)
        {
            *seat = connection;
            return place;
        }
        self.connections.push(connection);
        self.connections.len() - 1
    }

    /// The client at `place` asks.
    fn ask(&mut self, place: usize, tries: Option<u8>) -> Result<(), Broken> {
        let Self {
            connections,
            crowds,
            agenda,
            numbers,
            dice,
            now,
            ..
        } = self;
        if let Some(Some(connection)) = connections.get_mut(place) {
            let client = &mut connection.client;
            if let Some(crowd) = crowds.get(client.crowd) {
                let before = client.asks.len();
                client.ask(*now, &crowd.manners, tries, numbers, dice);
                for ask in client.asks.iter().skip(before) {
                    let number = ask.number;
                    let leaves = ask.leaves.unwrap_or(Moment::NEVER);
                    agenda.enter(leaves, Event::Leave { place, number });
                }
            }
        }
        self.ledger.report.clients.asked = self.numbers;
        self.drive(place)
    }

    fn ask_again(&mut self, place: usize, name: u64) -> Result<(), Broken> {
        let free = self.connection(place).filter(|it| it.is_free(name));
        let Some(crowd) = free.map(|it| it.client.crowd) else {
            return Ok(());
        };
        let over = self
            .crowds
            .get(crowd)
            .is_none_or(|crowd| self.now >= crowd.to);
        if over || self.closing {
            self.close_if_idle(place);
            return Ok(());
        }
        self.ask(place, None)
    }

    /// A client that was refused may ask again later, as the official ones do.
    fn insist_later(&mut self, it: &Connection, asked: Ask, answer: &Answer) {
        let usual = matches!(answer.status, 408 | 409 | 429 | 500..);
        if let Some(tries) = asked.tries.checked_sub(1)
            && answer.retry.unwrap_or(usual)
        {
            let wait = answer.wait.map_or(UNTOLD_WAIT, Span::from_secs);
            let crowd = it.client.crowd;
            self.agenda
                .enter(self.now + wait, Event::Insist { crowd, tries });
        }
    }

    /// What a client does when it has its answer.
    fn go_on(&mut self, place: usize, it: &mut Connection) {
        if !it.client.asks.is_empty() || it.told_close {
            return;
        }
        let (name, index) = (it.client.name, it.client.crowd);
        let Some(crowd) = self.crowds.get(index) else {
            return;
        };
        if let Arrivals::ClosedLoop(_, think) = crowd.arrivals {
            let at = self.now + think.draw(&mut self.dice).max(Span::from_micros(1));
            self.agenda.enter(at, Event::AskAgain { place, name });
        } else if !self.closing && self.dice.happens(crowd.manners.keep) {
            if let Some(idle) = self.idle.get_mut(index) {
                idle.push((place, name));
            }
        } else {
            it.client.pipe.end(self.now, Ending::Closed);
        }
    }

    fn leave(&mut self, place: usize, number: u64) -> Result<(), Broken> {
        let now = self.now;
        let waits =
            |it: &&mut Box<Connection>| it.client.asks.iter().any(|ask| ask.number == number);
        let connection = self.connections.get_mut(place).and_then(Option::as_mut);
        let Some(connection) = connection.filter(waits) else {
            return Ok(());
        };
        connection.client.leave(now, beat_after(now));
        self.drive(place)
    }

    /// A client with nothing to wait for closes its connection.
    fn close_if_idle(&mut self, place: usize) {
        let (now, connection) = (self.now, self.connections.get_mut(place));
        if let Some(Some(connection)) = connection
            && connection.client.asks.is_empty()
            && !connection.is_copy
        {
            connection.client.pipe.end(now, Ending::Closed);
            self.turns += 1;
            let turn = connection.renew(self.turns);
            self.agenda.enter(now, Event::Wake { place, turn });
        }
    }

    fn connection(&self, place: usize) -> Option<&Connection> {
        self.connections.get(place)?.as_deref()
    }

    fn note(&mut self, what: u64) {
        self.trace = hash::mix(hash::mix(self.trace, self.now.as_nanos()), what);
    }

    /// Whether the breakers of all first tiers pass.
    fn all_pass(&self) -> bool {
        let Generation { board, plan, .. } = &self.generations.newest;
        let status = board.status(self.now);
        let first_tiers = plan
            .policy
            .routes
            .iter()
            .filter_map(|route| match &route.action {
                Action::Serve(serve) => serve.tiers.first(),
                Action::Reject(_) => None,
            });
        first_tiers
            .flat_map(|tier| &tier.members)
            .filter(|member| member.weight > 0)
            .filter_map(|member| status.get(member.target.index()))
            .all(|status| status.state == State::Closed)
    }
}

/// Three of the longest cool-downs, the last of which may just have begun, a ramp, and a pause.
fn patience(breaker: &Breaker) -> Span {
    let cool_down = breaker.cool_down.0.max(breaker.cool_down.1);
    let steps = u64::try_from(breaker.ramp.steps().len()).unwrap_or(0);
    cool_down
        .saturating_mul(4)
        .saturating_add(breaker.step.saturating_mul(steps))
        .saturating_add(breaker.throttle_max)
}

/// No world has so much to do at one moment.
const STEPS_MAX: u32 = 1_000_000;
/// Longer than the rest of a key or a model.
const RESTS: Span = Span::from_secs(301);
/// Of the clients that come when all is well again.
const SESSIONS: u32 = 64;
/// For the probes themselves.
const PATIENCE: Span = Span::from_secs(10);
/// Longer than any timer of the exchange's, and than slow readers take.
const LONGEST: Span = Span::from_secs(900);
/// Whoever is not told how long waits so long before he asks again.
const UNTOLD_WAIT: Span = Span::from_millis(500);
