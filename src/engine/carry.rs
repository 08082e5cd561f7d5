//! From one plan to the next: the new board goes on with what the old one knows, by the names of targets and providers.
//!
//! ```text
//!   breaker, order, in flight, times   by the target's name, whatever else changed about it; later orders are for
//!                                     requests of the old plan too
//!   learned `max_inflight`            the same, where it is still learned; within the new bounds
//!   what leaves by `spill`            the same, where a pool says it by the same time
//!   window                            the same, but begins afresh where the rules that count have changed
//!   rate limit, model gone            while the target is the same model of the same provider
//!   keys                              while the secret is the same; another secret is another key
//!   health                            by the endpoint's address
//!   guards                            while the route, its baseline and the rules are the same
//! ```
//! Nothing is copied that can be shared: both boards hold the same words. So an attempt that began under the old plan
//! ends in the new one's counts, its probe is settled where it was taken, and its place in flight is given back where
//! the new plan's picks look. What a core keeps for itself is copied, when that core takes the new plan up.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use crate::base::{ProviderId, RouteId, TargetId};
use crate::engine::board::{Board, Cell, Padded, Pause};
use crate::engine::breaker::Rules;
use crate::engine::breaker::gate::Gate;
use crate::engine::breaker::order::Standing;
use crate::engine::breaker::window::Window;
use crate::engine::core::{Core, Speed};
use crate::engine::health::Vitals;
use crate::engine::keys::KeyPause;
use crate::engine::pause::{Lifeline, Rest, Throttle};
use crate::policy::model::{Provider, Target};
use crate::policy::{Plan, Policy};

/// One key: its provider, and its place among the provider's keys.
pub type KeyPlace = (ProviderId, u8);

/// What a board goes on from.
#[expect(missing_debug_implementations, reason = "holds a closure")]
#[derive(Clone, Copy)]
pub struct Predecessor<'a> {
    /// The board until now.
    pub board: &'a Board,
    /// Its plan.
    pub plan: &'a Plan,
    /// Where a key of the new plan was in the old one, if the same secret was there: the board knows no secrets.
    pub same_key: &'a dyn Fn(KeyPlace) -> Option<KeyPlace>,
}

impl Board {
    /// A board for `plan` that goes on with what `old` knows. Both may be used side by side, but only the new one is
    /// ticked from now on.
    ///
    /// # Panics
    /// As [`Board::seeded`].
    pub fn following(plan: &Plan, old: &Predecessor<'_>) -> Self {
        let mut board = Self::seeded(plan, old.board.cores(), old.board.seed());
        let (policy, before) = (&plan.policy, &old.plan.policy);
        let targets = places(before.targets.iter().map(|target| &*target.name));
        for (cell, target) in board.cells.iter_mut().zip(&policy.targets) {
            let Some(&place) = targets.get(&*target.name) else {
                continue;
            };
            let known = old.board.cells.get(place).zip(before.targets.get(place));
            let Some((old_cell, old_target)) = known else {
                continue;
            };
            cell.take_over(old_cell);
            if is_same_model((policy, target), (before, old_target)) {
                cell.take_over_pauses(old_cell, old.same_key);
            }
            cell.older = old_cell.pauses_besides(&cell.pause);
        }
        for place in 0..policy.providers.len() {
            board.take_over_provider(place, policy, old);
        }
        board.guards.take_over(plan, &old.board.guards, old.plan);
        board
    }

    fn take_over_provider(&mut self, place: usize, policy: &Policy, old: &Predecessor<'_>) {
        let Some(provider) = policy.providers.get(place) else {
            return;
        };
        let id = ProviderId(u16::try_from(place).unwrap_or(u16::MAX));
        let keys = u8::try_from(provider.auth.secrets().len().max(1)).unwrap_or(u8::MAX);
        for key in 0..keys {
            let known = (old.same_key)((id, key))
                .and_then(|(provider, key)| old.board.key_place(provider, key))
                .and_then(|place| old.board.keys.get(place));
            let mine = self.key_place(id, key);
            if let (Some(known), Some(mine)) = (known, mine.and_then(|at| self.keys.get_mut(at))) {
                *mine = Arc::clone(known);
            }
        }
        let before = &old.plan.policy.providers;
        let known = before
            .iter()
            .zip(&old.board.vitals)
            .find(|(known, _)| known.name == provider.name);
        if let (Some((before, known)), Some(mine)) = (known, self.vitals.get_mut(place)) {
            *mine = vitals_after(provider, before, known);
        }
    }
}

/// Two of the same name may be different things: what was said about one model is not said about another.
fn is_same_model(new: (&Policy, &Target), old: (&Policy, &Target)) -> bool {
    let provider = |(policy, target): (&Policy, &Target)| {
        let provider = policy.providers.get(target.provider.index())?;
        Some((provider.name.clone(), provider.kind))
    };
    new.1.model == old.1.model && provider(new) == provider(old)
}

/// What is known of endpoints, which may have other places now. Nothing where nobody checks them any more.
fn vitals_after(
    provider: &Provider,
    before: &Provider,
    known: &Arc<Padded<Vitals>>,
) -> Arc<Padded<Vitals>> {
    if provider.health.is_none() {
        return Arc::default();
    }
    if provider.endpoints == before.endpoints {
        return Arc::clone(known);
    }
    let places = provider.endpoints.iter().map(|endpoint| {
        let place = before.endpoints.iter().position(|old| old == endpoint)?;
        u16::try_from(place).ok()
    });
    Arc::new(Padded::new(Vitals::like(known, places)))
}

impl Cell {
    /// Goes on with the breaker, the counts and the requests in flight of `old`.
    fn take_over(&mut self, old: &Self) {
        self.inflight = Arc::clone(&old.inflight);
        self.take_over_bound(old);
        if let (Some(mine), Some(theirs)) = (&mut self.queue, &old.queue) {
            mine.take_over(theirs);
        }
        self.pause.order.set(old.pause.order.order());
        self.ttft = Arc::clone(&old.ttft);
        if let (Some(mine), Some(theirs)) = (&mut self.watched, &old.watched) {
            mine.take_over(theirs);
        }
        let counts_alike = self.rules.slow_limits == old.rules.slow_limits;
        if counts_alike {
            self.slots = Arc::clone(&old.slots);
        }
        let same_gates = self.gates.len() == old.gates.len();
        self.gates = if same_gates {
            Arc::clone(&old.gates)
        } else {
            gates_like(&old.gates, self.gates.len())
        };
        self.windows = if same_gates && counts_alike && judges_alike(&self.rules, &old.rules) {
            Arc::clone(&old.windows)
        } else {
            let begin = |(index, gate): (usize, &Padded<Gate>)| {
                Window::beginning(self.totals_of(index), gate.word())
            };
            self.gates.iter().enumerate().map(begin).collect()
        };
    }

    /// Its pauses, and older ones that somebody still goes by, if they are not `newest`.
    fn pauses_besides(&self, newest: &Arc<Padded<Pause>>) -> Box<[Weak<Padded<Pause>>]> {
        let own = (!Arc::ptr_eq(&self.pause, newest)).then(|| Arc::downgrade(&self.pause));
        let older = self.older.iter().filter(|older| older.strong_count() > 0);
        older.cloned().chain(own).collect()
    }

    /// Goes on with the rest of the model and, of keys that are the same, with what they may not do here.
    fn take_over_pauses(&mut self, old: &Self, same_key: &dyn Fn(KeyPlace) -> Option<KeyPlace>) {
        self.wrong_path = Arc::clone(&old.wrong_path);
        let provider = self.provider;
        let known = |key: u8| {
            let (_, key) = same_key((provider, key))?;
            Some((key, old.throttle(key), old.barred(key)))
        };
        let one_key = self.pool.is_empty();
        if one_key == old.pool.is_empty() && (!one_key || known(0).is_some()) {
            self.pause = Arc::clone(&old.pause);
        } else {
            let only = known(0).filter(|_| one_key);
            let (throttle, barred) = only
                .map(|(_, throttle, barred)| (Throttle::like(throttle), Rest::like(barred)))
                .unwrap_or_default();
            let gone = Rest::like(&old.pause.gone);
            let order = Standing::default();
            order.set(old.pause.order.order());
            self.pause = Arc::new(Padded::new(Pause {
                order,
                throttle,
                gone,
                barred,
                lifeline: Lifeline::default(),
            }));
        }
        for (key, mine) in (0..).zip(&mut self.pool) {
            let Some((key, throttle, barred)) = known(key) else {
                continue;
            };
            *mine = match old.pool.get(usize::from(key)) {
                Some(pooled) => Arc::clone(pooled),
                None => Arc::new(Padded::new(KeyPause {
                    throttle: Throttle::like(throttle),
                    barred: Rest::like(barred),
                })),
            };
        }
    }
}

/// Whether a window of one can go on as a window of the other.
fn judges_alike(new: &Rules, old: &Rules) -> bool {
    new.window == old.window && new.count == old.count
}

/// So many gates in the state of the one that lets the least through, where the scope of a breaker has changed.
fn gates_like(old: &[Padded<Gate>], count: usize) -> Arc<[Padded<Gate>]> {
    let worst = old
        .iter()
        .map(|gate| gate.word())
        .max_by_key(|word| word.state);
    let opened = old
        .iter()
        .fold(0, |sum: u64, gate| sum.saturating_add(gate.opened()));
    let gate = |index: usize| {
        let opened = if index == 0 { opened } else { 0 };
        worst.map_or_else(Padded::default, |word| Padded::new(Gate::at(word, opened)))
    };
    (0..count).map(gate).collect()
}

impl Core {
    /// The part of a core in `board`, which goes on with what `old` knows: its averages, budgets and turns. What routes may
    /// hedge is taken away from `old`, or requests under way could spend it twice. `plan` is the board's, `before` that of
    /// `old`.
    ///
    /// # Panics
    /// As [`Core::new`].
    pub fn following(board: Arc<Board>, plan: &Plan, old: &mut Self, before: &Plan) -> Self {
        let mut core = Self::new(board, plan, old.index).within(Arc::clone(&old.load));
        let (policy, known) = (&plan.policy, &before.policy);
        let targets = places(known.targets.iter().map(|target| &*target.name));
        for (place, target) in policy.targets.iter().enumerate() {
            let Some(&from) = targets.get(&*target.name) else {
                continue;
            };
            give(&old.speeds, from, &mut core.speeds, place, |speed| Speed {
                ttft: speed.ttft,
                // Who was sent to find out tells the core of the old plan.
                asked: speed.asked && speed.ttft.value().is_some(),
            });
            give(&old.tails, from, &mut core.tails, place, Clone::clone);
        }
        let providers = places(known.providers.iter().map(|provider| &*provider.name));
        for (place, provider) in policy.providers.iter().enumerate() {
            if let Some(&from) = providers.get(&*provider.name) {
                give(&old.budgets, from, &mut core.budgets, place, |budget| {
                    *budget
                });
                give(&old.key_turns, from, &mut core.key_turns, place, |turn| {
                    *turn
                });
            }
        }
        let routes = places(known.routes.iter().map(|route| &*route.name));
        for (place, route) in policy.routes.iter().enumerate() {
            if let Some(&from) = routes.get(&*route.name) {
                let known = old.allowances.get_mut(from);
                if let (Some(known), Some(mine)) = (known, core.allowances.get_mut(place)) {
                    *mine = known.take_all();
                }
                core.take_over_turns((plan, place), old, (before, from));
            }
        }
        core
    }

    /// The turns of a route whose candidates are what they were.
    fn take_over_turns(&mut self, new: (&Plan, usize), old: &Self, before: (&Plan, usize)) {
        let names = |(plan, place): (&Plan, usize)| -> Vec<(Option<Box<str>>, u8, u32)> {
            let route = RouteId(u16::try_from(place).unwrap_or(u16::MAX));
            let name = |target: TargetId| {
                let target = plan.policy.targets.get(target.index());
                target.map(|target| target.name.clone())
            };
            plan.program
                .candidates(route)
                .iter()
                .map(|candidate| (name(candidate.target), candidate.tier, candidate.weight))
                .collect()
        };
        let candidates = names(new);
        let firsts = (self.first_turn.get(new.1), old.first_turn.get(before.1));
        if let (Some(&to), Some(&from)) = firsts
            && candidates == names(before)
        {
            for offset in 0..candidates.len() {
                give(
                    &old.turns,
                    from + offset,
                    &mut self.turns,
                    to + offset,
                    |turn| *turn,
                );
            }
        }
    }
}

/// Puts what `make` makes of the value at one place at another one, if both are there.
fn give<T>(old: &[T], from: usize, new: &mut [T], to: usize, make: impl Fn(&T) -> T) {
    if let (Some(old), Some(new)) = (old.get(from), new.get_mut(to)) {
        *new = make(old);
    }
}

/// Names with their places.
fn places<'a>(names: impl Iterator<Item = &'a str>) -> HashMap<&'a str, usize> {
    names.zip(0..).collect()
}
