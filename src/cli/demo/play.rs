//! A demonstration under way: what is due happens, what has happened is entered in the ledger, and the screen is told.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread;

use crate::base::{Moment, Span};
use crate::cli::DemoArgs;
use crate::cli::demo::ledger::{self, Ledger};
use crate::cli::demo::outage::{self, Order, Outage};
use crate::cli::demo::screen::Screen;
use crate::cli::demo::summary::{Event, Summary, TargetSum};
use crate::cli::demo::view::{Clients, Row, Scene};
use crate::engine::{State, TargetStatus, Transition};
use crate::policy::Plan;
use crate::policy::model::Target;
use crate::runtime::client::{Load, Profile};
use crate::runtime::simulated::Control;
use crate::runtime::{self, Asked, Gateway};

/// The provider that breaks: the one that most requests go to first.
pub(super) const BROKEN: &str = "alpha";

/// A demonstration.
pub(super) struct Demo<'g> {
    gateway: &'g Gateway,
    plan: Arc<Plan>,
    transitions: Receiver<Transition>,
    load: Load,
    rate: u32,
    length: Span,
    start: Moment,
    outage: Outage,
    ledger: Ledger,
    events: Vec<Event>,
    /// How many of the events the screen has.
    shown: usize,
}

impl<'g> Demo<'g> {
    /// Its traffic begins at once.
    pub(super) fn new(
        args: &DemoArgs,
        gateway: &'g Gateway,
        transitions: Receiver<Transition>,
    ) -> Self {
        let plan = gateway.plan();
        let targets = &plan.policy.targets;
        let names = targets.iter().map(|target| target.name.clone()).collect();
        let start = runtime::now();
        let load = Load::start(Profile {
            address: gateway.listen,
            rate: args.rate,
            patience: PATIENCE,
            models: MODELS.map(Box::from).to_vec(),
        });
        Self {
            gateway,
            plan,
            transitions,
            load,
            rate: args.rate,
            length: args.length,
            start,
            outage: Outage::new(args.length),
            ledger: Ledger::new(names),
            events: Vec::new(),
            shown: 0,
        }
    }

    /// From the first request to the last answer.
    pub(super) fn play(&mut self, asked: &Asked, screen: &mut Screen<'_>) {
        self.say(format!(
            "the gateway's own view: http://{}/status",
            self.gateway.admin
        ));
        loop {
            self.advance();
            if screen.is_due(self.elapsed()) || self.shown < self.events.len() {
                self.show(screen);
            }
            if asked.to_end() > 0 || self.is_over() {
                break;
            }
            thread::park_timeout(LOOK.as_std());
        }
        // Ended early, the outage ends too: what is under way shall not fail for that.
        if let Some(order) = self.outage.end(self.elapsed()) {
            self.obey(order);
        }
        self.load.stop();
        while !self.load.is_done() && asked.to_end() < 2 {
            thread::park_timeout(LOOK.as_std());
        }
        self.settle();
        self.show(screen);
    }

    /// What came of it.
    pub(super) fn summary(&self) -> Summary<'_> {
        Summary {
            elapsed: self.elapsed(),
            rate: self.rate,
            ledger: &self.ledger,
            targets: self
                .targets()
                .into_iter()
                .map(|(target, status)| TargetSum {
                    name: &target.name,
                    state: status.state,
                    opened: status.opened,
                })
                .collect(),
            events: &self.events,
            differences: self.ledger.differences(&self.gateway.totals()),
        }
    }

    fn elapsed(&self) -> Span {
        runtime::now().since(self.start)
    }

    fn broken(&self) -> Option<&Control> {
        self.gateway.simulated(BROKEN)
    }

    fn targets(&self) -> Vec<(&Target, TargetStatus)> {
        let targets = self.plan.policy.targets.iter();
        targets.zip(self.gateway.targets(runtime::now())).collect()
    }

    /// Lets everything happen that is due, and learns what has happened.
    fn advance(&mut self) {
        let served = self.broken().map_or(0, Control::served);
        if let Some(order) = self.outage.advance(self.elapsed(), served) {
            self.obey(order);
        }
        while let Ok(transition) = self.transitions.try_recv() {
            let policy = &self.plan.policy;
            let target = policy.targets.get(transition.target.index());
            let name = target.map_or("?", |target| &*target.name);
            let what = outage::describe_transition(name, &transition, runtime::now());
            self.say(what);
        }
        for sample in self.load.samples() {
            let phase = self.outage.phase_at(sample.due.since(self.start));
            self.ledger.take(&sample, phase);
        }
        self.ledger.mark(self.elapsed());
    }

    fn obey(&mut self, order: Order) {
        if let Some(control) = self.broken() {
            control.set_act(match order {
                Order::Break(act) => Some(act),
                Order::Mend => None,
            });
        }
        self.say(order.describe(BROKEN));
    }

    /// Whether the time is over and the broken provider serves again; if that takes too long it is over all the same.
    fn is_over(&self) -> bool {
        let Some(late) = self
            .elapsed()
            .as_nanos()
            .checked_sub(self.length.as_nanos())
        else {
            return false;
        };
        let broken = |target: &Target| {
            let providers = &self.plan.policy.providers;
            let provider = providers.get(target.provider.index());
            provider.is_some_and(|provider| &*provider.name == BROKEN)
        };
        let serves_again = self
            .targets()
            .iter()
            .enumerate()
            .filter(|(_, (target, _))| broken(target))
            .all(|(index, (_, status))| {
                status.state == State::Closed && self.ledger.after.answered_by(index) > 0
            });
        serves_again || late >= RECOVERY_MAX.as_nanos()
    }

    /// A client has its answer a moment before the gateway has counted it: waits until both know the same.
    fn settle(&mut self) {
        let until = runtime::now() + SETTLING_MAX;
        loop {
            self.advance();
            let totals = self.gateway.totals();
            if self.ledger.differences(&totals).is_empty() || runtime::now() >= until {
                return;
            }
            thread::park_timeout(LOOK.as_std());
        }
    }

    fn say(&mut self, what: String) {
        let at = self.elapsed();
        self.events.push(Event { at, what });
    }

    fn show(&mut self, screen: &mut Screen<'_>) {
        let news = self.events.get(self.shown..).unwrap_or_default();
        screen.show(&self.scene(), news);
        self.shown = self.events.len();
    }

    fn scene(&self) -> Scene {
        let now = runtime::now();
        let elapsed = self.elapsed();
        let recent = self.ledger.recent();
        let rows = self.targets().into_iter().enumerate();
        let all = &self.ledger.all;
        Scene {
            elapsed,
            length: self.length,
            doing: self.outage.doing(BROKEN),
            rate: self.rate,
            rows: rows
                .map(|(index, (target, status))| Row {
                    name: target.name.clone(),
                    state: status.state,
                    why: status.why,
                    left: status.until.map(|until| until.since(now)),
                    tenths_a_second: self.ledger.tenths_a_second(index),
                    answered: all.answered_by(index),
                })
                .collect(),
            clients: Clients {
                requests: all.requests,
                answered: all.answered,
                failed: all.failed,
                failovers: all.failovers,
                p50: ledger::percentile(&recent, 50),
                p99: ledger::percentile(&recent, 99),
            },
        }
    }
}

/// What clients ask for; the policy's route answers all of them with its own models.
const MODELS: [&str; 3] = ["gpt-5-mini", "claude-haiku-4-5", "mistral-small-latest"];
/// How long a client waits: the policy's deadline of 10 s, and as much for a machine that has other things to do.
const PATIENCE: Span = Span::from_secs(20);
/// How often it is looked whether something is due.
const LOOK: Span = Span::from_millis(20);
/// How long the broken provider may take after the demonstration's time: the longest cool-down, 10 s and a tenth, and
/// the probes after it.
const RECOVERY_MAX: Span = Span::from_secs(15);
/// How long the gateway may take to count its last answer.
const SETTLING_MAX: Span = Span::from_secs(2);
