//! A decision under the policy that made it, step by step.

use std::fmt;
use std::sync::Arc;

use crate::base::{Moment, Outcome, RequestId, RouteId, Span};
use crate::engine::{
    Asked, Board, Chain, Core, Did, End, Finish, Form, Noted, Sight, Stand, Step, fallback_line,
};
use crate::ops::{Told, ToldAttempt};
use crate::policy::model::{Action, AttemptFacts, Panic, PromptSize, Serve};
use crate::policy::{Decision, OwnedFacts, Plan};
use crate::sim::trial::{Ending, Explained, Journey, Visit, explained};

/// A decision that was made again.
#[derive(Clone, Debug)]
pub struct Again {
    /// Its whole way, as far as it came.
    pub explained: Explained,
    /// What came out otherwise than recorded; nothing follows it.
    pub difference: Option<Difference>,
    /// What could not be made again although nothing differs so far.
    pub skipped: Option<Skipped>,
}

/// What came out otherwise.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// Of what: `route`, `step 2`, `status`.
    pub of: String,
    /// As the record has it.
    pub recorded: String,
    /// What came out.
    pub found: String,
}

/// Why a decision, or the rest of it, cannot be made again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Skipped {
    /// It was made by a policy with another hash.
    OtherPolicy,
    /// A fact that the policy reads was not recorded.
    Withheld,
    /// The request waited for a place: that hangs on others.
    Queued,
    /// A target was tried although it was open, or not: that hangs on others.
    Lifeline,
    /// The stream broke and another target went on with it.
    WentOn,
    /// The record is not complete.
    Incomplete,
}

impl Skipped {
    /// A word for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OtherPolicy => "other_policy",
            Self::Withheld => "withheld",
            Self::Queued => "queued",
            Self::Lifeline => "lifeline",
            Self::WentOn => "went_on",
            Self::Incomplete => "incomplete",
        }
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherPolicy => "another policy made it",
            Self::Withheld => "a fact that the policy reads was not recorded",
            Self::Queued => "it waited for a place, which hangs on other requests",
            Self::Lifeline => "`panic = probe` hangs on other requests",
            Self::WentOn => "another target went on with a broken stream",
            Self::Incomplete => "the record is not complete",
        })
    }
}

/// Makes a decision again.
pub fn again(plan: &Plan, told: &Told) -> Again {
    let facts = told.facts_for(plan);
    let decision = decide(plan, told, &facts);
    let id = told.request().unwrap_or_default();
    let mut run = Run::new(plan, told, decision, &facts, id);
    let stopped = run.checked().err();
    let Run { visits, notes, .. } = &mut run;
    let (visits, notes) = (std::mem::take(visits), std::mem::take(notes));
    let ending = run.ending(&visits);
    let journey = Journey {
        route: decision.route,
        visits,
        passed: Vec::new(),
        ending,
    };
    let explained = facts.with(|facts| explained(plan, facts, id, journey, notes));
    let (difference, skipped) = match stopped {
        None => (None, None),
        Some(Stopped::Differs(difference)) => (Some(difference), None),
        Some(Stopped::Skipped(why)) => (None, Some(why)),
    };
    Again {
        explained,
        difference,
        skipped,
    }
}

/// What the plan says, routes that were withdrawn left out.
pub(super) fn decide(plan: &Plan, told: &Told, facts: &OwnedFacts) -> Decision {
    facts.with(|facts| {
        let mut decision = plan.program.decide(facts);
        // Only the first one is recorded: those behind it, up to the one that took the request, were withdrawn, too.
        let name = |route: RouteId| plan.policy.routes.get(route.index()).map(|it| &*it.name);
        let withdrawn = told.withdrawn.as_deref();
        if withdrawn.is_some() && withdrawn == name(decision.route) {
            while name(decision.route) != Some(&*told.route)
                && decision.route != plan.policy.default_route()
            {
                decision = plan.program.decide_after(decision.route, facts);
            }
        }
        decision
    })
}

enum Stopped {
    Differs(Difference),
    Skipped(Skipped),
}

/// One request under way, again.
struct Run<'r> {
    plan: &'r Plan,
    told: &'r Told,
    route: RouteId,
    chain: Chain,
    core: Core,
    /// Attempts of the record, of which so many have begun.
    begun: usize,
    /// Those that have not ended.
    running: Vec<Running<'r>>,
    visits: Vec<Visit>,
    notes: Vec<(Noted, usize)>,
    /// Not before this the chain is asked again.
    waits: Moment,
    finish: Option<Finish>,
}

/// When it begins. Breakers tell moments from here to their ends.
const BEGINNING: Moment = Moment::from_nanos(3_600_000_000_000);

/// An attempt of the record that has begun.
#[derive(Clone, Copy)]
struct Running<'r> {
    told: &'r ToldAttempt,
    /// What forbids knew when it did.
    facts: AttemptFacts,
}

impl<'r> Run<'r> {
    fn new(
        plan: &'r Plan,
        told: &'r Told,
        decision: Decision,
        facts: &OwnedFacts,
        id: RequestId,
    ) -> Self {
        let form = if facts.stream {
            Form::Stream
        } else {
            Form::Whole
        };
        let patience = told.steps.first().map(|first| {
            let look = first.noted(plan, decision.route, BEGINNING).look;
            BEGINNING + look.at + look.time_left
        });
        let deadline = BEGINNING + Span::from_micros(told.deadline_us);
        let chain = Chain::new(plan, decision, form, id, BEGINNING)
            .with_prompt(PromptSize::of_body(told.bytes_in))
            .within(
                deadline,
                patience.filter(|_| told.whole).unwrap_or(Moment::NEVER),
            );
        let board = Arc::new(Board::new(plan, 1));
        Self {
            plan,
            told,
            route: decision.route,
            chain,
            core: Core::new(board, plan, 0),
            begun: 0,
            running: Vec::new(),
            visits: Vec::new(),
            notes: Vec::new(),
            waits: BEGINNING,
            finish: None,
        }
    }

    fn checked(&mut self) -> Result<(), Stopped> {
        let policy = &self.plan.policy;
        if format!("{:016x}", policy.hash) != self.told.policy {
            return Err(Stopped::Skipped(Skipped::OtherPolicy));
        }
        if self.told.withholds(self.plan) {
            return Err(Stopped::Skipped(Skipped::Withheld));
        }
        let route = policy.routes.get(self.route.index());
        let route = route.map_or("?", |route| &route.name);
        if *route != *self.told.route {
            return differs("route", &self.told.route, route);
        }
        if self.told.waited_in_queue() {
            return Err(Stopped::Skipped(Skipped::Queued));
        }
        if !self.told.whole {
            self.catch_up()?;
        }
        for (number, step) in (1_u32..).zip(&self.told.steps) {
            let noted = step.noted(self.plan, self.route, BEGINNING);
            self.step(number, &noted)?;
        }
        self.end_all();
        match self.finish {
            Some(Finish::Reject { status, .. }) if self.told.status != Some(status) => {
                let recorded = self
                    .told
                    .status
                    .map_or_else(|| "the client left".to_owned(), |status| status.to_string());
                // A client that left got nothing.
                match self.told.status {
                    None => Ok(()),
                    Some(_) => differs("status", &recorded, &status.to_string()),
                }
            }
            _ => Ok(()),
        }
    }

    /// The attempts before the first step that was noted begin as recorded: of the states that chose them nothing is known.
    fn catch_up(&mut self) -> Result<(), Stopped> {
        let first = self.told.steps.first();
        let first = first.map(|step| step.noted(self.plan, self.route, BEGINNING).look.at);
        let before = self.told.attempts.iter().take_while(|attempt| {
            let (started, ..) = attempt.times();
            first.is_none_or(|first| started < first)
        });
        for attempt in before.collect::<Vec<_>>() {
            let (started, ..) = attempt.times();
            if attempt.is_hedge() {
                return Err(Stopped::Skipped(Skipped::Incomplete));
            }
            self.end_all();
            let target = attempt.target_in(self.plan);
            let mut look = self
                .chain
                .look(BEGINNING + started, self.plan, &mut self.core);
            for sight in &mut look.sights {
                sight.stand = if Some(sight.target) == target {
                    Stand::Free
                } else {
                    Stand::Out(crate::engine::PassedOver::Drained, Moment::NEVER)
                };
            }
            let noted = Noted {
                asked: Asked::Next,
                did: target.map_or(Did::Nothing, Did::Attempt),
                look,
            };
            let number = u32::try_from(self.begun).unwrap_or(u32::MAX);
            self.step(number, &noted)?;
            // What it was picked by is not what it was forced by.
            self.notes.pop();
        }
        Ok(())
    }

    fn step(&mut self, number: u32, noted: &Noted) -> Result<(), Stopped> {
        match noted.asked {
            Asked::Next => self.next(number, noted),
            Asked::Hedge => self.hedge(number, noted),
            Asked::GoOn => Err(Stopped::Skipped(Skipped::WentOn)),
        }
    }

    fn next(&mut self, number: u32, noted: &Noted) -> Result<(), Stopped> {
        self.end_all();
        let now = (BEGINNING + noted.look.at).max(self.waits);
        self.restage(now, &noted.look.sights);
        let before = self.visits.len();
        let facts = self.chain.facts();
        let (step, own) = self.chain.next_noted(now, self.plan, &mut self.core);
        let did = own.did;
        self.notes.push((own, before));
        match step {
            Step::Wait(until) => self.waits = until,
            Step::Finish(finish) => self.finish = Some(finish),
            Step::Attempt(_) => {}
        }
        let same = match (noted.did, did) {
            // To the microsecond they are not the same: one of them was cut to that.
            (Did::Wait(_), Did::Wait(_)) => true,
            (recorded, found) => recorded == found,
        };
        let lifeline = |serve: &Serve| serve.panic == Panic::Probe;
        if !same && noted.did == Did::Finish && self.serve().is_some_and(lifeline) {
            return Err(Stopped::Skipped(Skipped::Lifeline));
        }
        if !same {
            let of = format!("step {number}");
            return differs(&of, &self.told_did(noted.did), &self.told_did(did));
        }
        self.begin(did, facts)
    }

    fn hedge(&mut self, number: u32, noted: &Noted) -> Result<(), Stopped> {
        // Whether an allowance paid for it hangs on other requests.
        let Did::Attempt(_) = noted.did else {
            return Ok(());
        };
        let now = BEGINNING + noted.look.at;
        self.restage(now, &noted.look.sights);
        self.core.allow_hedge(self.route);
        let mut own = Noted {
            look: self.chain.look(now, self.plan, &mut self.core),
            ..noted.clone()
        };
        let facts = self.chain.facts();
        let second = self.chain.hedge(now, self.plan, &mut self.core);
        own.did = second.map_or(Did::Nothing, |second| Did::Attempt(second.target));
        let did = own.did;
        self.notes.push((own, self.visits.len()));
        if did != noted.did {
            let of = format!("step {number}");
            return differs(&of, &self.told_did(noted.did), &self.told_did(did));
        }
        self.begin(did, facts)
    }

    fn restage(&mut self, now: Moment, sights: &[Sight]) {
        let next = self.told.attempts.get(self.begun);
        let key = next.and_then(|next| Some((next.target_in(self.plan)?, next.key)));
        self.core.restage(now, self.plan, self.route, sights, key);
    }

    /// The next attempt of the record has begun.
    fn begin(&mut self, did: Did, facts: AttemptFacts) -> Result<(), Stopped> {
        let Did::Attempt(target) = did else {
            return Ok(());
        };
        let next = self.told.attempts.get(self.begun);
        let Some(next) = next.filter(|next| next.target_in(self.plan) == Some(target)) else {
            return Err(Stopped::Skipped(Skipped::Incomplete));
        };
        self.begun += 1;
        self.running.push(Running { told: next, facts });
        Ok(())
    }

    /// What runs ends as recorded.
    fn end_all(&mut self) {
        match *std::mem::take(&mut self.running) {
            [] => {}
            [only] => self.end(only),
            [first, second, ..] => {
                // The first one is at hand.
                let (leads, other) = if Self::leads(second, first) {
                    self.chain.turn();
                    (second, first)
                } else {
                    (first, second)
                };
                self.end(leads);
                if other.told.is_overtaken() {
                    self.visits.push(self.visit(other, None));
                } else {
                    self.chain.turn();
                    self.end(other);
                }
            }
        }
    }

    /// Whether something comes of `one` before anything comes of `other`.
    fn leads(one: Running<'_>, other: Running<'_>) -> bool {
        let (one, other) = (one.told, other.told);
        let end = |attempt: &ToldAttempt| attempt.times().2.unwrap_or(Span::MAX);
        other.is_overtaken() || (!one.is_overtaken() && end(one) < end(other))
    }

    fn end(&mut self, attempt: Running<'r>) {
        let (_, content, over) = attempt.told.times();
        if let Some(content) = content {
            let now = BEGINNING + content;
            self.chain.content(now, self.plan, &mut self.core);
        }
        let now = BEGINNING + over.unwrap_or_default();
        let outcome = attempt.told.ended();
        self.visits.push(self.visit(attempt, outcome));
        match outcome {
            Some(outcome) => {
                let end = End {
                    outcome,
                    retry_after: None,
                    model_alone: false,
                };
                self.chain.ended(now, self.plan, &mut self.core, end);
            }
            None => self.chain.abandoned(now, self.plan, &mut self.core),
        }
    }

    fn visit(&self, attempt: Running<'_>, outcome: Option<Outcome>) -> Visit {
        let Running {
            told: attempt,
            facts,
        } = attempt;
        let (started, _, over) = attempt.times();
        let waited = over.unwrap_or_default().saturating_sub(started);
        let line = outcome.filter(|outcome| *outcome != Outcome::Ok);
        let line = line.and_then(|outcome| {
            let (index, line) = fallback_line(self.serve()?, outcome, waited)?;
            Some((index, line.at))
        });
        Visit {
            target: attempt.target_in(self.plan).unwrap_or_default(),
            outcome,
            status: None,
            facts,
            hedge: attempt.is_hedge(),
            line,
        }
    }

    fn ending(&self, visits: &[Visit]) -> Ending {
        let answered = visits.iter().rev();
        let mut answered = answered.filter(|visit| visit.outcome == Some(Outcome::Ok));
        match (self.finish, answered.next()) {
            (
                Some(Finish::Reject {
                    status,
                    reason,
                    at,
                    message,
                    ..
                }),
                _,
            ) => Ending::Rejected {
                status,
                reason,
                at,
                by: message.by(),
            },
            (_, Some(visit)) => Ending::Answered(visit.target),
            _ => Ending::Stopped(self.told.status.unwrap_or_default()),
        }
    }

    fn serve(&self) -> Option<&'r Serve> {
        match &self.plan.policy.routes.get(self.route.index())?.action {
            Action::Serve(serve) => Some(serve),
            Action::Reject(_) => None,
        }
    }

    fn told_did(&self, did: Did) -> String {
        match did {
            Did::Attempt(target) => {
                let found = self.plan.policy.targets.get(target.index());
                format!("asks {}", found.map_or("?", |target| &target.name))
            }
            Did::Wait(_) => "waits".to_owned(),
            Did::Finish => "ends".to_owned(),
            Did::Nothing => "asks nobody".to_owned(),
        }
    }
}

fn differs<T>(of: &str, recorded: &str, found: &str) -> Result<T, Stopped> {
    Err(Stopped::Differs(Difference {
        of: of.to_owned(),
        recorded: recorded.to_owned(),
        found: found.to_owned(),
    }))
}
