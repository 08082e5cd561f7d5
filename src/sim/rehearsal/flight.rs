//! One request: its chain, and the attempts that are under way for it.

use crate::base::{Outcome, Span, TargetId};
use crate::engine::{Attempt, Chain, Finish, Form, Step};
use crate::policy::Plan;
use crate::policy::model::{Action, MidStream, Target};

use super::agenda::Event;
use super::edge::Course;
use super::record::{Asked, Failed};
use super::world::World;

/// A request that is not over.
#[derive(Debug)]
pub(super) struct Flight {
    chain: Chain,
    core: usize,
    form: Form,
    number: u64,
    prompt_tokens: u64,
    /// The attempt at hand, and the one beside it.
    at_hand: Option<Run>,
    beside: Option<Run>,
    /// From the beginning to the first content that the client got.
    ttft: Option<Span>,
    /// Attempts that broke after a beginning which another one went on with.
    continued: u8,
    cost_nanos: u64,
    /// How the attempt that ended last did.
    last: Outcome,
}

/// An attempt under way.
#[derive(Clone, Copy, Debug)]
struct Run {
    number: u32,
    target: TargetId,
    course: Course,
    /// Its first content is there.
    content: bool,
}

impl Flight {
    pub(super) const fn new(
        chain: Chain,
        core: usize,
        form: Form,
        number: u64,
        prompt_tokens: u64,
    ) -> Self {
        Self {
            chain,
            core,
            form,
            number,
            prompt_tokens,
            at_hand: None,
            beside: None,
            ttft: None,
            continued: 0,
            cost_nanos: 0,
            last: Outcome::Ok,
        }
    }

    /// Makes the attempt of this number the one at hand. Tells whether it is under way at all.
    fn take(&mut self, run: u32) -> bool {
        let is = |it: &Option<Run>| it.is_some_and(|it| it.number == run);
        if is(&self.beside) {
            self.turn();
        }
        is(&self.at_hand)
    }

    fn turn(&mut self) {
        self.chain.turn();
        std::mem::swap(&mut self.at_hand, &mut self.beside);
    }

    /// What the provider bills for an attempt of which so much came.
    fn charge(&mut self, target: Option<&Target>, tokens: u32) {
        let Some(target) = target else { return };
        let input = target.price_in.unwrap_or_default();
        let output = target.price_out.unwrap_or_default();
        // Prices are micro-dollars for a million tokens, so that one token costs a thousandth of them in nano-dollars.
        let thousandths = u128::from(self.prompt_tokens) * u128::from(input)
            + u128::from(tokens) * u128::from(output);
        let nanos = u64::try_from(thousandths / 1_000).unwrap_or(u64::MAX);
        self.cost_nanos = self.cost_nanos.saturating_add(nanos);
    }
}

impl World<'_> {
    /// Asks the chain what to do now.
    pub(super) fn go_on(&mut self, slot: u32) {
        let Some(Some(flight)) = self.flights.get_mut(slot as usize) else {
            return;
        };
        let Some(core) = self.cores.get_mut(flight.core) else {
            return;
        };
        match flight.chain.next(self.now, self.plan, core) {
            Step::Attempt(attempt) => self.start(slot, &attempt),
            Step::Wait(until) => self.agenda.enter(until, Event::GoOn { slot }),
            Step::Finish(finish) => self.finish(slot, finish),
        }
    }

    fn start(&mut self, slot: u32, attempt: &Attempt) {
        let Some(Some(flight)) = self.flights.get_mut(slot as usize) else {
            return;
        };
        let course = self
            .edge
            .course(self.now, flight.number, flight.form, attempt);
        self.runs = self.runs.wrapping_add(1);
        let run = self.runs;
        flight.beside = flight.at_hand.take();
        flight.at_hand = Some(Run {
            number: run,
            target: attempt.target,
            course,
            content: false,
        });
        if let Some(tried) = self.record.targets.get_mut(attempt.target.index()) {
            tried.attempts += 1;
        }
        let silent_until = course.first.unwrap_or(course.over);
        if attempt.hedge_at < silent_until {
            let at = attempt.hedge_at.max(self.now);
            self.agenda.enter(at, Event::Hedge { slot, run });
        }
        match course.first {
            Some(first) => self.agenda.enter(first, Event::Content { slot, run }),
            None => self.agenda.enter(course.over, Event::Over { slot, run }),
        }
    }

    /// An attempt has had no content for so long that another one may begin beside it.
    pub(super) fn hedge(&mut self, slot: u32, run: u32) {
        let Some(Some(flight)) = self.flights.get_mut(slot as usize) else {
            return;
        };
        let waits = flight
            .at_hand
            .is_some_and(|it| it.number == run && !it.content);
        if !waits || flight.beside.is_some() {
            return;
        }
        let Some(core) = self.cores.get_mut(flight.core) else {
            return;
        };
        if let Some(second) = flight.chain.hedge(self.now, self.plan, core) {
            // The first one stays at hand.
            let first = flight.at_hand;
            self.start(slot, &second);
            if let Some(Some(flight)) = self.flights.get_mut(slot as usize) {
                flight.beside = std::mem::replace(&mut flight.at_hand, first);
            }
        }
    }

    /// A stream's first content is there.
    pub(super) fn content(&mut self, slot: u32, run: u32) {
        let Some(Some(flight)) = self.flights.get_mut(slot as usize) else {
            return;
        };
        if !flight.take(run) {
            return;
        }
        let Some(core) = self.cores.get_mut(flight.core) else {
            return;
        };
        flight.chain.content(self.now, self.plan, core);
        let begun = flight.chain.begun();
        let ttft = self.now.since(begun);
        flight.ttft = flight.ttft.or(Some(ttft));
        if let Some(run) = &mut flight.at_hand {
            run.content = true;
        }
        self.overtake(slot);
        if let Some(Some(Flight {
            at_hand: Some(Run { course, .. }),
            ..
        })) = self.flights.get(slot as usize)
        {
            self.agenda.enter(course.over, Event::Over { slot, run });
        }
    }

    /// Whoever runs beside the one that has answered is cut off.
    fn overtake(&mut self, slot: u32) {
        let Some(Some(flight)) = self.flights.get_mut(slot as usize) else {
            return;
        };
        if let Some(loser) = flight.beside.take() {
            let target = self.plan.policy.targets.get(loser.target.index());
            flight.charge(target, 0);
        }
    }

    /// An attempt ends.
    pub(super) fn over(&mut self, slot: u32, run: u32) {
        let Some(Some(flight)) = self.flights.get_mut(slot as usize) else {
            return;
        };
        if !flight.take(run) {
            return;
        }
        let (Some(core), Some(run)) = (self.cores.get_mut(flight.core), flight.at_hand) else {
            return;
        };
        let Course {
            end, gap, tokens, ..
        } = run.course;
        let answered = end.outcome == Outcome::Ok;
        if answered && !run.content {
            // A whole answer: the first of it that its client gets is the last.
            let begun = flight.chain.begun();
            let ttft = self.now.since(begun);
            flight.ttft = flight.ttft.or(Some(ttft));
        }
        if run.content {
            flight.chain.gap(gap);
        }
        flight.chain.ended(self.now, self.plan, core, end);
        flight.last = end.outcome;
        flight.at_hand = None;
        if answered || run.content {
            let target = self.plan.policy.targets.get(run.target.index());
            flight.charge(target, tokens);
            let priced = target.is_some_and(|it| it.price_in.is_some() && it.price_out.is_some());
            if !priced {
                self.record.unpriced.insert(run.target);
            }
        }
        if answered {
            self.overtake(slot);
        } else if flight.beside.is_some() {
            // The other one goes on alone.
            flight.turn();
            return;
        } else if run.content && self.continues(slot) {
            return;
        }
        self.go_on(slot);
    }

    /// A stream that broke is gone on with by another target, where its route says so and one can.
    fn continues(&mut self, slot: u32) -> bool {
        let plan = self.plan;
        let Some(Some(flight)) = self.flights.get_mut(slot as usize) else {
            return false;
        };
        let Some(core) = self.cores.get_mut(flight.core) else {
            return false;
        };
        let route = flight.chain.decision().route;
        let Some(Action::Serve(serve)) = plan.policy.routes.get(route.index()).map(|it| &it.action)
        else {
            return false;
        };
        if serve.mid_stream != MidStream::Continue {
            return false;
        }
        let next = flight
            .chain
            .go_on(self.now, plan, core, |target| can_go_on(plan, target));
        let Some(attempt) = next else { return false };
        flight.continued += 1;
        self.start(slot, &attempt);
        true
    }

    fn finish(&mut self, slot: u32, finish: Finish) {
        let Some(flight) = self.flights.get_mut(slot as usize).and_then(Option::take) else {
            return;
        };
        self.free.push(slot);
        if let Some(core) = self.cores.get(flight.core) {
            flight.chain.concluded(self.plan, core);
        }
        let attempts = flight.chain.attempts().len();
        let answered = match finish {
            Finish::Stop if flight.last == Outcome::Ok && attempts > 0 => flight.chain.target(),
            Finish::Stop | Finish::Reject { .. } => None,
        };
        if answered.is_none() {
            let failure = match finish {
                Finish::Reject { reason, .. } => (Failed::Rejected, reason.as_str()),
                Finish::Stop if flight.chain.committed() => (Failed::Broken, flight.last.as_str()),
                Finish::Stop => (Failed::Stopped, flight.last.as_str()),
            };
            *self.record.failures.entry(failure).or_default() += 1;
        }
        if let Some(target) = answered
            && let Some(tried) = self.record.targets.get_mut(target.index())
        {
            tried.answered += 1;
        }
        let attempts = u8::try_from(attempts).unwrap_or(u8::MAX);
        let used = match answered {
            Some(_) => flight.continued.saturating_add(1),
            None => 0,
        };
        let place = usize::try_from(flight.number).unwrap_or(usize::MAX);
        let Some(asked) = self.record.requests.get_mut(place) else {
            return;
        };
        *asked = Asked {
            answered,
            ttft_us: flight.ttft.map_or(Asked::NOTHING, micros),
            attempts,
            wasted: attempts.saturating_sub(used),
            cost_nanos: flight.cost_nanos,
            ..*asked
        };
        if !self.drill.aborts.is_empty() {
            self.lately.push_back((self.now, *asked));
        }
    }
}

fn micros(span: Span) -> u32 {
    u32::try_from(span.as_micros())
        .unwrap_or(Asked::NOTHING)
        .min(Asked::NOTHING - 1)
}

fn can_go_on(plan: &Plan, target: TargetId) -> bool {
    plan.policy
        .provider_of(target)
        .is_some_and(|provider| provider.continuation().is_some())
}
