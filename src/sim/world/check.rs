//! What must hold in every world, whatever happens in it. Written from the documents, not from the engine: it keeps books
//! of its own and compares.

use std::sync::Arc;

use crate::base::limits::{HISTORY_ATTEMPTS_MAX, KEY_TRIES_MAX, TICK};
use crate::base::{Moment, Span, TargetId};
use crate::engine::{AttemptRecord, Order, PassedOver, State};
use crate::ops::{Count, Ending, Record, Totals};
use crate::policy::model::{Action, HedgeDelay, MidStream, Serve};
use crate::sim::world::attempt::{right_endpoints, right_outcome, right_secret, same_place};
use crate::sim::world::generation::{Generation, Generations, Roster};
use crate::sim::world::homes::Homes;
use crate::sim::world::network::Sighting;
use crate::sim::world::orders::Orders;
use crate::sim::world::reader::Answer;
use crate::sim::world::report::{Report, TargetReport};
use crate::sim::world::rule::{Broken, Rule};
use crate::sim::world::uses::Uses;
use crate::sim::world::words;

/// The books of one world, by the places of its roster.
#[derive(Debug)]
pub(super) struct Ledger {
    roster: Arc<Roster>,
    /// Of each target's breaker, since when it was in which state.
    pub(super) states: Vec<Vec<(Moment, State)>>,
    /// Probes: of whom, in which state of its breaker, from when to when, and how many there may be.
    pub(super) probes: Vec<(TargetId, usize, Moment, Moment, u32)>,
    pub(super) orders: Orders,
    pub(super) homes: Homes,
    pub(super) uses: Uses,
    pub(super) report: Report,
    answered: Vec<u64>,
    /// Ids given to requests.
    pub(super) named: u64,
    attempts: u64,
    /// By route: what its requests that were asked of anybody may have of hedges, in millionths, and those they had.
    pub(super) hedges: Vec<(u64, u64)>,
    /// By provider: what its attempts allow of repeats, in millionths, and what a second allows.
    budgets: Vec<(u64, u64)>,
    /// What the client got whose record comes next.
    told: Option<Told>,
    shed: u64,
    /// The last tick.
    pub(super) ticked: Moment,
}

/// An error that a client got.
#[derive(Clone, Copy, Debug)]
struct Told {
    /// 503, and when to come again.
    hinted: bool,
    /// It must not ask again.
    stops: bool,
    waited: Span,
}

/// A request that has ended, as the network and the clock saw it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    /// What it ran by, and since when.
    pub(super) generation: &'a Generation<'a>,
    pub(super) chosen: Moment,
    pub(super) attempts: &'a [(Moment, Sighting)],
    /// Which of them answers, if one does.
    pub(super) at_hand: usize,
    /// When the gateway could begin with it.
    pub(super) began: Moment,
    /// Its client reads as fast as it can.
    pub(super) prompt: bool,
    pub(super) streams: bool,
    /// Which its client has named.
    pub(super) session: Option<u32>,
}

impl Ledger {
    pub(super) fn new(roster: &Arc<Roster>) -> Self {
        let targets = roster.targets.len();
        Self {
            orders: Orders::new(targets),
            homes: Homes::default(),
            uses: Uses::default(),
            states: vec![vec![(Moment::START, State::Closed)]; targets],
            probes: Vec::new(),
            report: Report {
                targets: vec![TargetReport::default(); targets],
                ..Report::default()
            },
            answered: vec![0; targets],
            named: 0,
            attempts: 0,
            hedges: vec![(0, 0); roster.routes.len()],
            budgets: vec![(0, 0); roster.providers.len()],
            told: None,
            shed: 0,
            ticked: Moment::START,
            roster: Arc::clone(roster),
        }
    }

    /// Looks at all breakers.
    pub(super) fn observe(
        &mut self,
        now: Moment,
        generations: &Generations<'_>,
    ) -> Result<(), Broken> {
        for (judged, status) in generations.status(now) {
            if let Some(states) = self.states.get_mut(status.target.index())
                && states.last().is_some_and(|&(_, last)| last != status.state)
            {
                states.push((now, status.state));
            }
            // A world at rest ticks seldom: only ticks end a cool-down.
            let overdue = |until: Moment| self.ticked > until + TICK;
            if judged && status.until.is_some_and(overdue) {
                let seen = format!("{status:?} is past its cool-down");
                return Err(Broken::new(Rule::Recovery, seen));
            }
            if let Some(report) = self.report.targets.get_mut(status.target.index()) {
                report.opened = status.opened;
            }
        }
        Ok(())
    }

    /// A client has got a whole answer, `waited` after the gateway could begin with its request.
    pub(super) fn heard(
        &mut self,
        answer: &Answer,
        seen: Seen<'_>,
        waited: Span,
    ) -> Result<(), Broken> {
        let clients = &mut self.report.clients;
        if answer.status != 200 {
            clients.errors += 1;
            clients.hinted += u64::from(answer.hinted);
            clients.slowest_error = clients.slowest_error.max(waited);
            self.told = Some(Told {
                hinted: answer.hinted && answer.status == 503,
                stops: answer.retry == Some(false),
                waited,
            });
            if answer.status < 400 || !answer.says(b"{\"error\":{\"message\":") {
                let seen = format!("a {} that is no error", answer.status);
                return Err(Broken::new(Rule::Answer, seen));
            }
            return words::none(answer);
        }
        clients.answers += 1;
        if seen.prompt {
            clients.slowest_answer = clients.slowest_answer.max(waited);
        }
        // Whoever goes on with an answer comes after its head.
        let mut told = seen.attempts.iter();
        let before = told.position(|(_, sighting)| sighting.resumes);
        if answer.attempts != before.or(Some(seen.attempts.len())) {
            let seen = format!("the client was told of {:?} attempts", answer.attempts);
            return Err(Broken::new(Rule::Attempts, seen));
        }
        if seen.streams && !answer.says(b"data: [DONE]") {
            return Err(Broken::new(
                Rule::Answer,
                "a whole stream without its end".to_owned(),
            ));
        }
        self.credit(answer, seen)?;
        words::whole(answer, seen)
    }

    /// The answer is of the target that the client was told, unless another one went on with it.
    fn credit(&mut self, answer: &Answer, seen: Seen<'_>) -> Result<(), Broken> {
        let answering = seen.attempts.get(seen.at_hand).map(|(_, it)| it);
        let heir = answering.filter(|it| it.goes_on.is_some());
        let mut targets = self.roster.targets.iter();
        let told = targets.position(|name| answer.target.as_deref() == Some(&**name));
        let heir = heir
            .and_then(|it| it.target)
            .map(|(target, _)| target.index());
        let index = told.map(|told| heir.unwrap_or(told));
        if let Some(count) = index.and_then(|index| self.answered.get_mut(index)) {
            *count += 1;
        } else {
            let seen = format!("an answer of {:?}", answer.target);
            return Err(Broken::new(Rule::Answer, seen));
        }
        Ok(())
    }

    /// The gateway has closed the connection inside an answer.
    pub(super) fn heard_part(&mut self, answer: &Answer, seen: Seen<'_>) -> Result<(), Broken> {
        self.report.clients.cut += 1;
        let told = answer.says(b"data: {\"error\":{\"message\":");
        if answer.status != 200 || !seen.streams || !told || answer.says(b"data: [DONE]") {
            let seen = format!(
                "a cut that does not say so, after {:?}: {answer:?}",
                seen.attempts
            );
            return Err(Broken::new(Rule::Answer, seen));
        }
        words::in_order(answer, seen).map(drop)
    }

    /// The gateway has written a request's record.
    pub(super) fn settle(&mut self, record: &Record, seen: Seen<'_>) -> Result<(), Broken> {
        self.report.clients.left += u64::from(record.ending == Ending::ClientGone);
        let tried: Vec<AttemptRecord> = record.attempts.iter().collect();
        self.attempts += tried.len() as u64;
        let serve = serve(record, seen.generation);
        let max = serve.map_or(0, |serve| usize::from(serve.attempts_max.max(1)));
        let key_changes = tried.iter().filter(|attempt| attempt.key_change).count();
        if tried.len() - key_changes > max.min(HISTORY_ATTEMPTS_MAX)
            || key_changes > KEY_TRIES_MAX
            || tried.len() != seen.attempts.len()
        {
            let seen = format!("of at most {max}: {tried:?} against {:?}", seen.attempts);
            return Err(Broken::new(Rule::Attempts, seen));
        }
        self.right_hedge(record, &tried, seen.generation)?;
        self.right_orders(record, &seen)?;
        self.right_refusal(record, &seen)?;
        self.right_home(record, &tried, &seen)?;
        let continues = serve.is_some_and(|serve| serve.mid_stream == MidStream::Continue);
        if !continues && seen.attempts.iter().any(|it| it.1.resumes) {
            let seen = "an answer is gone on with against the policy".to_owned();
            return Err(Broken::new(Rule::Words, seen));
        }
        let deadline = serve.map_or(Span::ZERO, |serve| serve.deadline);
        let took = record.ended.since(seen.began);
        if seen.prompt && took > deadline.saturating_add(SLACK) {
            let seen = format!("it took {} ms: {record:?}", took.as_millis());
            return Err(Broken::new(Rule::Deadline, seen));
        }
        for (attempt, &(at, sighting)) in tried.iter().zip(seen.attempts) {
            same_place(attempt, &sighting, seen.generation)?;
            right_secret(&sighting, seen.chosen)?;
            right_outcome(attempt, &sighting, seen.streams)?;
            if let Some(serve) = serve {
                let left = (seen.began + serve.deadline).since(at);
                right_endpoints(attempt, &sighting, serve, left, seen.generation)?;
            }
            // A probe is waited for until its deadline and ten ticks more; a slow reader may hold it for longer.
            let end = record
                .ended
                .min(seen.began + deadline + TICK.saturating_mul(10));
            self.right_state(attempt, at, end, seen.generation)?;
            self.uses.note((attempt, &sighting), at, seen);
            self.count(attempt, at, seen.generation);
        }
        Ok(())
    }

    /// At most one hedge, where the policy has it, beside an attempt that had brought nothing for as long.
    fn right_hedge(
        &mut self,
        record: &Record,
        tried: &[AttemptRecord],
        generation: &Generation<'_>,
    ) -> Result<(), Broken> {
        let hedge = serve(record, generation).and_then(|serve| serve.hedge.as_ref());
        let route = record.route.and_then(|route| generation.route(route));
        let route = route.unwrap_or_default();
        if let (Some((part, _)), false) = (self.hedges.get_mut(route), tried.is_empty()) {
            *part += hedge.map_or(0, |hedge| u64::from(hedge.max_extra));
        }
        let hedges = tried.iter().filter(|attempt| attempt.hedge).count();
        let Some(at) = tried.iter().position(|attempt| attempt.hedge) else {
            return Ok(());
        };
        if let Some((_, all)) = self.hedges.get_mut(route) {
            *all += 1;
        }
        let pair = tried.get(at.wrapping_sub(1)).zip(tried.get(at));
        let right = hedge.zip(pair).is_some_and(|(hedge, (first, second))| {
            let after = match hedge.after {
                HedgeDelay::Fixed(after) => after,
                HedgeDelay::P95 => Span::ZERO,
            };
            // Of two at once one is overtaken, or has failed before the other one ends.
            let beside = first.ended.is_none_or(|ended| ended >= second.started);
            // Whole microseconds.
            let waited = second.started.saturating_sub(first.started);
            let waited = waited.saturating_add(Span::from_micros(1));
            let silent = first.ttft.is_none_or(|ttft| ttft >= after);
            second.target == hedge.target && beside && waited >= after && silent
        });
        let both = tried.iter().filter(|attempt| attempt.overtaken).count();
        if right && hedges == 1 && both <= 1 {
            return Ok(());
        }
        Err(Broken::new(Rule::Hedge, format!("{tried:?}")))
    }

    /// Who is turned away is told so at once, and when to come again; a stream that has begun is not.
    /// For whom somebody was asked in vain is told not to ask again: clients that do would multiply it.
    fn right_refusal(&mut self, record: &Record, seen: &Seen<'_>) -> Result<(), Broken> {
        let told = self.told.take();
        if record.ending != Ending::Shed {
            return match told {
                Some(told) if !told.stops && !seen.attempts.is_empty() => {
                    let seen = format!("{told:?} after {:?}", seen.attempts);
                    Err(Broken::new(Rule::Amplification, seen))
                }
                _ => Ok(()),
            };
        }
        self.shed += 1;
        let at_once = |told: Told| told.waited <= SLACK || !seen.attempts.is_empty();
        if told.is_some_and(|told| told.hinted && (at_once(told) || !seen.prompt)) {
            return Ok(());
        }
        let seen = format!("{told:?} for {record:?}");
        Err(Broken::new(Rule::Bounds, seen))
    }

    /// Nobody was left aside by an order that did not hold, or for a breaker that was ordered to pass.
    fn right_orders(&self, record: &Record, seen: &Seen<'_>) -> Result<(), Broken> {
        let Some(route) = record.route.filter(|_| !record.passed.is_empty()) else {
            return Ok(());
        };
        let candidates = seen.generation.plan.program.candidates(route);
        for (index, candidate) in candidates.iter().enumerate() {
            let Some(target) = seen.generation.target(candidate.target) else {
                continue;
            };
            let mut orders = self.orders.between(target, record.started, record.ended);
            let right = match record.passed.of(index) {
                Some(PassedOver::Drained) => orders.any(|order| order == Order::Drain),
                Some(PassedOver::BreakerOpen) => orders.any(|order| order != Order::Close),
                _ => true,
            };
            if !right {
                let seen = format!("{target:?} was passed over: {:?}", record.passed.of(index));
                return Err(Broken::new(Rule::Order, seen));
            }
        }
        Ok(())
    }

    /// Notes an attempt, and what it allows of repeats.
    fn count(&mut self, attempt: &AttemptRecord, at: Moment, generation: &Generation<'_>) {
        let Some(target) = generation.target(attempt.target) else {
            return;
        };
        if let Some(target) = self.report.targets.get_mut(target.index()) {
            target.note(at, attempt);
        }
        let provider = self.roster.provider_of(target.index());
        let budget = provider.and_then(|provider| self.budgets.get_mut(provider.index()));
        if let (Some((part, floor)), Some(retries)) = (budget, generation.retries(attempt.target)) {
            *part += u64::from(retries.budget);
            *floor = (*floor).max(u64::from(retries.floor_per_s));
        }
    }

    /// The attempt began in a state of its target's breaker that allows it.
    fn right_state(
        &mut self,
        attempt: &AttemptRecord,
        at: Moment,
        ended: Moment,
        generation: &Generation<'_>,
    ) -> Result<(), Broken> {
        let breaker = generation.breaker(attempt.target);
        let Some((breaker, target)) = breaker.zip(generation.target(attempt.target)) else {
            return Ok(());
        };
        let index = target.index();
        let mut orders = self.orders.between(target, at, at);
        let refused = |order| match order {
            Order::Drain | Order::Open => true,
            Order::Close => attempt.probe,
            Order::Auto => false,
        };
        if orders.clone().all(refused) {
            let orders: Vec<_> = orders.collect();
            let seen = format!("{attempt:?} began at {at:?} under {orders:?}");
            return Err(Broken::new(Rule::Order, seen));
        }
        if breaker.per_core || orders.any(|order| order == Order::Close && !attempt.probe) {
            return Ok(());
        }
        let states = self
            .states
            .get(index)
            .map(Vec::as_slice)
            .unwrap_or_default();
        // Of changes at the very moment, either side is right.
        let after = states.partition_point(|&(since, _)| since <= at);
        let before = states.partition_point(|&(since, _)| since < at);
        let period = (before.saturating_sub(1)..after).find(|&period| {
            states.get(period).is_some_and(|&(_, state)| match state {
                State::Closed | State::Ramp => !attempt.probe,
                State::HalfOpen => attempt.probe,
                State::Open => false,
            })
        });
        let Some(period) = period else {
            let seen = format!("{attempt:?} began at {at:?} in {states:?}");
            return Err(Broken::new(Rule::Breaker, seen));
        };
        if attempt.probe {
            let length = attempt
                .ended
                .map(|ended| ended.saturating_sub(attempt.started));
            // Of whole microseconds one may be too much: a change of key begins where the attempt before it ends.
            let length = length.map(|length| length.saturating_sub(Span::from_micros(1)));
            let end = length.map_or(ended, |length| ended.min(at + length));
            let probes = breaker.probes.max(1);
            self.probes.push((target, period, at, end, probes));
        }
        Ok(())
    }

    /// Everything is over: what was taken must be there again, and the books must agree.
    pub(super) fn close(
        &mut self,
        now: Moment,
        cores: usize,
        generations: &Generations<'_>,
        totals: Totals,
    ) -> Result<(), Broken> {
        self.observe(now, generations)?;
        for (_, status) in generations.status(now) {
            let held = status.inflight != 0 || status.queued != 0;
            if held || (status.state == State::HalfOpen && status.probes != 0) {
                return Err(Broken::new(Rule::Memory, format!("left over: {status:?}")));
            }
        }
        self.count_probes()?;
        self.uses.rested()?;
        self.count_repeats(now, cores, generations.number())?;
        self.count_hedges(cores)?;
        self.report.totals = totals;
        self.count_all()
    }

    /// So many probes of one target at once as its breaker allows.
    fn count_probes(&mut self) -> Result<(), Broken> {
        self.probes.sort_unstable();
        for (index, &(target, period, from, _, allowed)) in self.probes.iter().enumerate() {
            let earlier = self.probes.get(..index).unwrap_or_default();
            let beside = earlier
                .iter()
                .rev()
                .take_while(|other| (other.0, other.1) == (target, period))
                .filter(|other| other.3 > from)
                .count();
            if beside >= usize::try_from(allowed).unwrap_or(usize::MAX) {
                let seen = format!("{beside} other probes of {target:?} at {from:?}: {earlier:?}");
                return Err(Broken::new(Rule::Breaker, seen));
            }
        }
        Ok(())
    }

    /// After a reload what was saved, and the floor, is there for the requests under way as well.
    fn count_repeats(&self, now: Moment, cores: usize, reloads: usize) -> Result<(), Broken> {
        let (cores, reloads) = (cores as u64, reloads as u64);
        for (provider, &(part, floor)) in self.budgets.iter().enumerate() {
            let is_its = |target| {
                let of = self.roster.provider_of(target);
                of.is_some_and(|of| of.index() == provider)
            };
            let targets = self.report.targets.iter().enumerate();
            let targets = targets.filter(|&(target, _)| is_its(target));
            let repeats: u64 = targets.map(|(_, report)| report.repeats).sum();
            let seconds = now.since(Moment::START).as_secs_ceil();
            let most = part / 1_000_000
                + floor * (seconds + 1) * (reloads + 1)
                + cores * (1 + reloads * SAVED_REPEATS);
            if repeats > most {
                let seen = format!("{repeats} repeats, {most} allowed");
                return Err(Broken::new(Rule::Budget, seen));
            }
        }
        Ok(())
    }

    fn count_hedges(&self, cores: usize) -> Result<(), Broken> {
        for &(part, hedges) in &self.hedges {
            if hedges > part / 1_000_000 + cores as u64 {
                let seen = format!("{hedges} hedges, {part} millionths allowed");
                return Err(Broken::new(Rule::Budget, seen));
            }
        }
        Ok(())
    }

    fn count_all(&self) -> Result<(), Broken> {
        let (totals, clients) = (&self.report.totals, &self.report.clients);
        let failed = totals.of(Count::Failed) + totals.of(Count::Refused) + self.shed;
        let pairs = [
            ("requests", totals.of(Count::Requests), self.named),
            ("attempts", totals.of(Count::Attempts), self.attempts),
            ("answered", totals.of(Count::Answered), clients.answers),
            ("shed", totals.of(Count::Shed), self.shed),
            ("failed or refused", failed, clients.errors + clients.cut),
            ("clients gone", totals.of(Count::ClientGone), clients.left),
            (
                "all",
                totals.of(Count::Requests),
                totals.of(Count::Answered) + failed + totals.of(Count::ClientGone),
            ),
        ];
        for (what, counted, seen) in pairs {
            if counted != seen {
                let seen = format!("{what}: {counted} counted, {seen} seen");
                return Err(Broken::new(Rule::Counters, seen));
            }
        }
        if totals.answered != self.answered {
            let seen = format!("answers: {:?} against {:?}", totals.answered, self.answered);
            return Err(Broken::new(Rule::Counters, seen));
        }
        Ok(())
    }
}

pub(super) fn serve<'p>(record: &Record, generation: &Generation<'p>) -> Option<&'p Serve> {
    let routes = &generation.law.policy.routes;
    match &routes.get(record.route?.index())?.action {
        Action::Serve(serve) => Some(serve),
        Action::Reject(_) => None,
    }
}

/// What one core may have saved at most.
const SAVED_REPEATS: u64 = 10;
/// A beat of the sweeper, and what comes after the last attempt's deadline.
pub(super) const SLACK: Span = Span::from_millis(20);
