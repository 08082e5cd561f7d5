//! The virtual clock, and what happens by it: arrivals, ticks, health checks, faults. What requests do is in `flight`.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::base::limits::TICK;
use crate::base::{Moment, Span, hash};
use crate::engine::{Board, Chain, Core, Form};
use crate::policy::drill::{Abort, Drill};
use crate::policy::model::PromptSize;
use crate::policy::{Decision, Plan};
use crate::sim::request::Request;

use super::Setup;
use super::agenda::{Agenda, Event};
use super::arrivals::{Arrival, Arrivals, salted};
use super::checks::Check;
use super::edge::Edge;
use super::flight::Flight;
use super::judge::aborted;
use super::record::{self, Asked, Record, Tried};

/// Any moment: rests and pauses are counted from here.
const BEGINNING: Moment = Moment::from_nanos(3_600_000_000_000);
/// How often it is looked at what ends a drill.
const LOOK: Span = Span::from_secs(1);
/// A token of a prompt is about so many bytes.
const TOKEN_BYTES: u64 = 4;
/// What a prompt is billed as where nothing is said of it.
const PROMPT_TOKENS: u64 = 500;
/// More changes of targets than anybody reads.
const EVENTS_MAX: usize = 10_000;

/// One kind of request, and what the program says to it.
#[derive(Debug)]
pub(super) struct Kind {
    request: Request,
    decision: Decision,
}

/// A gateway's engine, its clients and its providers.
#[derive(Debug)]
pub(super) struct World<'p> {
    pub(super) plan: &'p Plan,
    pub(super) drill: &'p Drill,
    pub(super) now: Moment,
    pub(super) board: Arc<Board>,
    pub(super) cores: Vec<Core>,
    pub(super) agenda: Agenda,
    pub(super) edge: Edge<'p>,
    pub(super) flights: Vec<Option<Flight>>,
    /// Places of flights that are over.
    pub(super) free: Vec<u32>,
    /// Attempts so far.
    pub(super) runs: u32,
    pub(super) record: Record,
    /// Requests that are over lately, for what ends a drill.
    pub(super) lately: VecDeque<(Moment, Asked)>,
    kinds: Vec<Kind>,
    checks: Vec<Check>,
    arrivals: Arrivals,
    /// The one that comes next.
    coming: Option<Arrival>,
    /// Requests come up to here.
    end: Moment,
    looked: Moment,
}

impl<'p> World<'p> {
    pub(super) fn new(plan: &'p Plan, drill: &'p Drill, setup: Setup) -> Self {
        let own = setup.seed.unwrap_or(drill.seed);
        let seed = salted(own);
        let cores = usize::from(setup.cores.max(1));
        let board = Arc::new(Board::seeded(plan, cores, seed));
        let core = |index| Core::new(Arc::clone(&board), plan, index);
        let length = drill.length;
        let kinds = kinds(plan, drill);
        Self {
            plan,
            drill,
            now: BEGINNING,
            cores: (0..cores).map(core).collect(),
            agenda: Agenda::default(),
            edge: Edge::new(plan, drill, Arc::clone(&board), hash::mix(seed, 1)),
            board,
            flights: Vec::new(),
            free: Vec::new(),
            runs: 0,
            record: Record {
                length,
                faulty: drill.faulty(),
                targets: vec![Tried::default(); plan.policy.targets.len()],
                cores,
                seed: own,
                ..Record::default()
            },
            lately: VecDeque::new(),
            arrivals: Arrivals::new(drill, own, kinds.len(), cores),
            coming: None,
            kinds,
            checks: Check::all(&plan.policy, hash::mix(seed, 2)),
            end: BEGINNING + length,
            looked: BEGINNING,
        }
    }

    /// All of it, to the end of the last request.
    pub(super) fn run(mut self) -> Record {
        self.begin();
        while let Some((at, event)) = self.agenda.next() {
            self.now = at;
            match event {
                Event::Arrive => self.arrive(),
                Event::GoOn { slot } => self.go_on(slot),
                Event::Content { slot, run } => self.content(slot, run),
                Event::Hedge { slot, run } => self.hedge(slot, run),
                Event::Over { slot, run } => self.over(slot, run),
                Event::Tick => self.tick(),
                Event::Check { index } => self.check(index),
                Event::Inject { index } => self.inject(index),
                Event::Lift { index } => self.lift(index),
            }
        }
        self.record
    }

    fn begin(&mut self) {
        for (index, injection) in (0_u32..).zip(&self.drill.injections) {
            self.agenda
                .enter(BEGINNING + injection.after, Event::Inject { index });
            self.agenda
                .enter(BEGINNING + injection.lifted(), Event::Lift { index });
        }
        for (index, check) in (0_u32..).zip(&self.checks) {
            self.agenda
                .enter(BEGINNING + check.wait(), Event::Check { index });
        }
        self.agenda.enter(BEGINNING + TICK, Event::Tick);
        self.next_arrival();
    }

    /// Whether nothing is left to do.
    fn is_over(&self) -> bool {
        self.now >= self.end && self.flights.len() == self.free.len()
    }

    fn next_arrival(&mut self) {
        self.coming = self.arrivals.next();
        if let Some(arrival) = &self.coming {
            self.agenda.enter(BEGINNING + arrival.at, Event::Arrive);
        }
    }

    fn arrive(&mut self) {
        if self.now >= self.end {
            return;
        }
        let arrival = self.coming;
        self.next_arrival();
        let Some(Arrival {
            number,
            kind,
            core,
            id,
            ..
        }) = arrival
        else {
            return;
        };
        let (Some(kind), Some(own)) = (self.kinds.get(kind), self.cores.get(core)) else {
            return;
        };
        let mut decision = kind.decision;
        while own.is_withdrawn(decision.route) {
            decision = kind
                .request
                .decide_after(decision.route, &self.plan.program);
        }
        let form = if kind.request.stream {
            Form::Stream
        } else {
            Form::Whole
        };
        let tokens = kind.request.tokens_in;
        let prompt = PromptSize::of_body(tokens.saturating_mul(TOKEN_BYTES));
        let chain = Chain::new(self.plan, decision, form, id, self.now).with_prompt(prompt);
        self.record.requests.push(Asked {
            came: self.now.since(BEGINNING),
            route: decision.route,
            answered: None,
            ttft_us: Asked::NOTHING,
            attempts: 0,
            wasted: 0,
            cost_nanos: 0,
        });
        let prompt_tokens = if tokens == 0 { PROMPT_TOKENS } else { tokens };
        let flight = Flight::new(chain, core, form, number, prompt_tokens);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.flights.push(None);
            u32::try_from(self.flights.len() - 1).unwrap_or(u32::MAX)
        });
        if let Some(place) = self.flights.get_mut(slot as usize) {
            *place = Some(flight);
        }
        self.go_on(slot);
    }

    fn tick(&mut self) {
        if self.is_over() {
            return;
        }
        self.agenda.enter(self.now + TICK, Event::Tick);
        let since = |at: Moment| at.since(BEGINNING);
        let mut news = Vec::new();
        for change in self.board.tick(self.now) {
            news.push(record::Event::Breaker {
                target: change.target,
                core: change.core,
                from: change.from,
                to: change.to,
                why: change.why,
                until: change.until.map(since),
            });
        }
        for change in self.board.key_changes() {
            news.push(record::Event::Key {
                provider: change.provider,
                key: change.key,
                out: change.out,
            });
        }
        for change in self.board.judge_guards(self.now) {
            news.push(record::Event::Guard {
                route: change.route,
                rule: change.rule.filter(|_| change.withdrawn.is_some()),
            });
        }
        for event in news {
            self.note(event);
        }
        if self.now >= self.looked + LOOK {
            self.looked = self.now;
            self.look();
        }
    }

    /// Whether something ends the drill.
    fn look(&mut self) {
        if self.drill.aborts.is_empty() || self.now >= self.end {
            return;
        }
        let from = self.now - Abort::LOOKS_BACK;
        while self.lately.front().is_some_and(|(at, _)| *at < from) {
            self.lately.pop_front();
        }
        let lately: Vec<Asked> = self.lately.iter().map(|(_, asked)| *asked).collect();
        // There are no clients but the drill's own.
        let Some(index) = aborted(self.drill, &lately, None) else {
            return;
        };
        self.note(record::Event::Aborted(index));
        for index in self.edge.injected() {
            self.lift(u32::try_from(index).unwrap_or(u32::MAX));
        }
        self.end = self.now;
        self.record.aborted = Some(index);
        self.record.length = self.now.since(BEGINNING);
    }

    fn check(&mut self, index: u32) {
        if self.is_over() {
            return;
        }
        let Some(check) = self.checks.get_mut(index as usize) else {
            return;
        };
        let (provider, endpoint) = (check.provider, check.endpoint);
        let served = self.board.served(provider);
        let edge = &self.edge;
        let changed = check.ask(&self.plan.policy, served, |it| edge.met(&it));
        self.agenda
            .enter(self.now + check.wait(), Event::Check { index });
        if let Some(up) = changed {
            self.board.set_health(provider, endpoint, up);
            self.note(record::Event::Endpoint {
                provider,
                endpoint,
                up,
            });
        }
    }

    fn inject(&mut self, index: u32) {
        if self.now < self.end {
            self.edge.inject(index as usize);
            self.note(record::Event::Injected(index as usize));
        }
    }

    fn lift(&mut self, index: u32) {
        if self.edge.lift(index as usize) {
            self.note(record::Event::Lifted(index as usize));
        }
    }

    fn note(&mut self, event: record::Event) {
        if self.record.events.len() < EVENTS_MAX {
            let at = self.now.since(BEGINNING);
            self.record.events.push((at, event));
        }
    }
}

/// The requests of a drill, and what the program says to each kind.
fn kinds(plan: &Plan, drill: &Drill) -> Vec<Kind> {
    let kind = |request: Request| Kind {
        decision: request.decide(&plan.program),
        request,
    };
    Request::kinds(plan, drill).into_iter().map(kind).collect()
}
