//! Copies of requests for shadows: what they run by beside the requests, and that the requests see nothing of them.

use std::sync::Arc;

use crate::base::{Moment, RouteId, hash};
use crate::engine::{
    AttemptRecord, Board, BoundStatus, Core, KeyPlace, Load, Order, Predecessor, Shadows, State,
    TargetStatus,
};
use crate::exchange::{Shadow, Shadowing};
use crate::ops::{Counters, Journal, Record, Totals};
use crate::policy::Plan;
use crate::policy::model::{self, Action, Serve};
use crate::sim::world::World;
use crate::sim::world::agenda::Event;
use crate::sim::world::attempt::{right_endpoints, right_outcome, right_secret, same_place};
use crate::sim::world::bounds;
use crate::sim::world::check::{SLACK, Seen};
use crate::sim::world::generation::{Generation, Generations};
use crate::sim::world::network::Pool;
use crate::sim::world::rule::{Broken, Rule};
use crate::sim::world::worker::Connection;

/// What copies of one generation's requests run by.
#[derive(Debug)]
pub(super) struct CopySide {
    pub(super) shadowing: Shadowing,
    pub(super) board: Arc<Board>,
    pub(super) counters: Arc<Counters>,
}

/// One core's part of it, with what copies have of their own.
#[derive(Debug, Default)]
pub(super) struct CopyDesk {
    /// With their generation's numbers; the newest comes last.
    pub(super) cores: Vec<(usize, Core)>,
    pub(super) journal: Option<Journal>,
    pub(super) pool: Pool,
}

/// What requests could notice: how targets stand, what is counted, and what is held.
#[derive(Debug, PartialEq)]
pub(super) struct RequestSide {
    targets: Vec<(bool, TargetStatus)>,
    totals: Totals,
    held: [BoundStatus; 3],
}

impl CopySide {
    /// Of the first plan; `None` where no route has a shadow.
    pub(super) fn first(plan: &Plan, cores: usize, seed: u64) -> Option<Self> {
        let copies = Arc::new(plan.of_shadows()?);
        let policy = &copies.policy;
        let counters = Counters::sized(cores, policy.targets.len(), policy.routes.len());
        Some(Self {
            board: Arc::new(Board::seeded(&copies, cores, hash::mix(seed, COPIES))),
            counters: Arc::new(counters),
            shadowing: Shadowing {
                shadows: Arc::new(Shadows::new(policy)),
                load: Arc::new(Load::new(bounds::of(plan), cores)),
                plan: copies,
            },
        })
    }

    /// Of the plan after this one, as a reload makes it.
    pub(super) fn following(
        &self,
        plan: &Plan,
        same_key: &dyn Fn(KeyPlace) -> Option<KeyPlace>,
    ) -> Option<Self> {
        let copies = Arc::new(plan.of_shadows()?);
        let Shadowing {
            plan: old,
            shadows,
            load,
        } = &self.shadowing;
        let predecessor = Predecessor {
            board: &self.board,
            plan: old,
            same_key,
        };
        load.rebound(bounds::of(plan));
        Some(Self {
            board: Arc::new(Board::following(&copies, &predecessor)),
            counters: self.counters.following(&old.policy, &copies.policy),
            shadowing: Shadowing {
                shadows: Arc::new(shadows.following(&old.policy, &copies.policy)),
                load: Arc::clone(load),
                plan: copies,
            },
        })
    }

    fn core(&self, index: usize) -> Core {
        let core = Core::new(Arc::clone(&self.board), &self.shadowing.plan, index);
        core.within(Arc::clone(&self.shadowing.load))
    }
}

impl CopyDesk {
    pub(super) fn new(first: &Generation<'_>, index: usize) -> Self {
        let cores = first.copies.iter().map(|side| (0, side.core(index)));
        Self {
            cores: cores.collect(),
            ..Self::default()
        }
    }

    /// The core `index` takes the newest generation up.
    pub(super) fn take_up(&mut self, index: usize, generations: &Generations<'_>) {
        let Some(side) = &generations.newest.copies else {
            return;
        };
        let before = self.cores.last_mut().and_then(|(number, core)| {
            let old = generations.get(*number)?.copies.as_ref()?;
            Some((core, old))
        });
        let core = match before {
            Some((core, old)) => {
                let board = Arc::clone(&side.board);
                Core::following(board, &side.shadowing.plan, core, &old.shadowing.plan)
            }
            None => side.core(index),
        };
        self.cores.push((generations.number(), core));
    }
}

impl World<'_> {
    /// What requests could notice now.
    pub(super) fn request_side(&self) -> RequestSide {
        RequestSide {
            targets: self.generations.status(self.now),
            totals: self.totals(),
            held: self.load.status(),
        }
    }

    /// Nothing has changed for the requests since `before`.
    pub(super) fn unnoticed(&self, before: Option<RequestSide>) -> Result<(), Broken> {
        let Some(before) = before else { return Ok(()) };
        let after = self.request_side();
        if before == after {
            return Ok(());
        }
        let seen = format!("a copy made {before:?} into {after:?}");
        Err(Broken::new(Rule::Shadow, seen))
    }

    /// A copy of the request that `of` serves begins.
    pub(super) fn cast(&mut self, of: &Connection, shadow: Shadow) -> Result<(), Broken> {
        if of.request.attempts.is_empty() {
            let seen = format!("{:?} was copied, for which nobody was asked", of.request);
            return Err(Broken::new(Rule::Shadow, seen));
        }
        let now = self.now;
        let before = self.request_side();
        let mut it = Connection::of_copy(now, of);
        let begun = self.with_context(&mut it, |exchange, context| {
            let (begun, seat) = shadow.begin(now, context);
            *exchange = begun;
            seat
        });
        it.seat = begun;
        self.unnoticed(Some(before))?;
        self.turns += 1;
        let turn = it.renew(self.turns);
        let place = self.place(Box::new(it));
        self.agenda.enter(now, Event::Wake { place, turn });
        self.few_copies()
    }

    /// So many copies of a route as its shadow allows.
    fn few_copies(&self) -> Result<(), Broken> {
        let generation = &self.generations.newest;
        let Some(side) = &generation.copies else {
            return Ok(());
        };
        for status in side.shadowing.shadows.status() {
            let shadow = shadow_of(generation, status.route);
            let most = shadow.map_or(0, |shadow| shadow.max_inflight);
            if status.inflight > most && self.generations.number() == 0 {
                let seen = format!(
                    "{} copies of {:?}, of {most}",
                    status.inflight, status.route
                );
                return Err(Broken::new(Rule::Shadow, seen));
            }
        }
        Ok(())
    }

    /// A copy has its record: one attempt, keys aside, at the shadow's target, which requests would have asked as well.
    pub(super) fn settle_copy(
        &self,
        record: &Record,
        decided: Moment,
        seen: Seen<'_>,
    ) -> Result<(), Broken> {
        let generation = seen.generation;
        let tried: Vec<_> = record.attempts.iter().collect();
        let shadow = record.route.and_then(|route| shadow_of(generation, route));
        let serve = record.route.and_then(|route| serve(generation, route));
        let right = shadow.zip(serve).is_some_and(|(shadow, serve)| {
            let others = |attempt: &AttemptRecord| attempt.target != shadow.target;
            let late = record.ended.since(seen.began) > serve.deadline.saturating_add(SLACK);
            let more = tried.iter().filter(|attempt| !attempt.key_change).count() > 1;
            !late && !more && !tried.iter().any(others)
        });
        if !right || tried.len() != seen.attempts.len() {
            let seen = format!("a copy's {tried:?} against {:?}", seen.attempts);
            return Err(Broken::new(Rule::Shadow, seen));
        }
        for (attempt, &(at, sighting)) in tried.iter().zip(seen.attempts) {
            same_place(attempt, &sighting, generation)?;
            right_secret(&sighting, seen.chosen)?;
            right_outcome(attempt, &sighting, seen.streams)?;
            if let Some(serve) = serve {
                let left = (seen.began + serve.deadline).since(at);
                right_endpoints(attempt, &sighting, serve, left, generation)?;
            }
        }
        self.wanted(record, decided, seen)
    }

    /// Requests come first: a copy begins where they would ask its target without reserve.
    fn wanted(&self, record: &Record, at: Moment, seen: Seen<'_>) -> Result<(), Broken> {
        let attempts = record.attempts.iter();
        let Some((first, _)) = attempts.zip(seen.attempts).next() else {
            return Ok(());
        };
        let Some(target) = seen.generation.target(first.target) else {
            return Ok(());
        };
        let ledger = &self.ledger;
        let mut orders = ledger.orders.between(target, at, at);
        let mut states = ledger.states_at(target, at).iter();
        let per_core = seen.generation.breaker(first.target);
        let closed = per_core.is_some_and(|breaker| breaker.per_core)
            || states.any(|&(_, state)| state == State::Closed)
            || orders.clone().any(|order| order == Order::Close);
        if closed && orders.any(|order| matches!(order, Order::Auto | Order::Close)) {
            return Ok(());
        }
        let seen = format!("{first:?} of a copy began at {at:?}");
        Err(Broken::new(Rule::Shadow, seen))
    }

    /// In the end copies hold nothing either.
    pub(super) fn no_copies(&self) -> Result<(), Broken> {
        let Some(side) = &self.generations.newest.copies else {
            return Ok(());
        };
        let status = side.board.status(self.now);
        let held = status.iter().find(|status| status.inflight != 0);
        let mut seats = side.shadowing.shadows.status().into_iter();
        let seat = seats.find(|status| status.inflight != 0);
        if held.is_some() || seat.is_some() {
            let seen = format!("copies left over: {held:?} {seat:?}");
            return Err(Broken::new(Rule::Memory, seen));
        }
        bounds::nothing(&side.shadowing.load)
    }
}

fn serve<'p>(generation: &Generation<'p>, route: RouteId) -> Option<&'p Serve> {
    match &generation.law.policy.routes.get(route.index())?.action {
        Action::Serve(serve) => Some(serve),
        Action::Reject(_) => None,
    }
}

fn shadow_of(generation: &Generation<'_>, route: RouteId) -> Option<model::Shadow> {
    serve(generation, route)?.shadow
}

/// What happens to copies is drawn apart: requests live as if there were none.
pub(super) const COPIES: u64 = 0x636f_7069_6573;
/// A copy's words are marked with numbers from here on.
pub(super) const COPIES_FROM: u64 = 1 << 32;
