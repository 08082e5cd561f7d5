//! The board: what all cores know about all targets, in one place without a lock.
//!
//! ```text
//!   cell = one target
//!     gate      the breaker's word, streak and probe tokens   read by every pick, written at changes
//!     pause     rate limit, missing model, an order           read by every pick, written at 429, 404 and by operators
//!     pool      the same for each key, where there are several
//!     inflight  requests under way                            one atomic add at each attempt's two ends
//!     queue     requests that wait for a place                read by picks of targets that have one, written by who waits
//!     auto      how many there may be, where that is learned   counts of each core, read by the tick
//!     watched   what leaves because it is slow, where a pool says   read by picks of such pools, written by the tick
//!     slots     one for each core: totals                     written by their core, read by the tick
//!     windows   what the tick remembers                       the tick's own
//!   key = one credential of one provider                      read by every pick, written at 401
//!   vitals = one provider's endpoints                         read where the policy checks health
//!   guards = routes that may be withdrawn                     read where such a route matches
//! ```
//! Each of these lies in cache lines of its own, so that a core which counts does not disturb one that picks. The board
//! has no clock and no thread: somebody calls [`Board::tick`] about every [`crate::base::limits::TICK`].
//!
//! What a cell knows is held apart from its settings, so that the board of the next plan can go on with it (`carry`):
//! what requests of the old plan report then counts for the new one too.

use std::ops::Deref;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, Weak};

use crate::base::{Moment, ProviderId, Span, TargetId, hash};
use crate::engine::adaptive::{self, Adaptive};
use crate::engine::breaker::gate::Gate;
use crate::engine::breaker::order::Standing;
use crate::engine::breaker::slot::{Slot, Totals};
use crate::engine::breaker::window::{Window, broken_rule};
use crate::engine::breaker::word::{Rule, State, Word};
use crate::engine::breaker::{Order, Rules};
use crate::engine::domain::{Domain, domains};
use crate::engine::guard::Guards;
use crate::engine::health::Vitals;
use crate::engine::keys::{Key, KeyPause, KeyStanding};
use crate::engine::latency::{Histogram, Latencies};
use crate::engine::notice::Notice;
use crate::engine::pause::{Lifeline, Rest, Throttle};
use crate::engine::queue::Queue;
use crate::engine::spill::{self, Watched};
use crate::policy::Plan;
use crate::policy::model::{AutoInflight, KeyPick, MaxInflight, Provider};

/// The shared state of every target of one plan.
#[derive(Debug)]
pub struct Board {
    pub(super) cells: Box<[Cell]>,
    /// Of each provider in turn.
    pub(super) keys: Box<[Arc<Padded<Key>>]>,
    /// Where a provider's keys begin.
    first_keys: Box<[usize]>,
    pub(super) vitals: Box<[Arc<Padded<Vitals>>]>,
    pub(super) guards: Guards,
    pub(super) domains: Box<[Domain]>,
    cores: usize,
    seed: u64,
    /// Held by ticks, and by whoever notes what they must not fall into.
    pub(super) still: Mutex<()>,
}

/// A breaker changed between two ticks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Transition {
    /// Whose breaker.
    pub target: TargetId,
    /// The core whose own breaker it is, where the policy says `scope = core`.
    pub core: Option<u16>,
    /// What the tick before saw.
    pub from: State,
    /// What it is now.
    pub to: State,
    /// The rule that opened it in the first place. From half open to open it was a probe that failed.
    pub why: Option<Rule>,
    /// The end of the cool-down, where it is open now.
    pub until: Option<Moment>,
}

/// One target as operators see it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TargetStatus {
    /// The target.
    pub target: TargetId,
    /// Its breaker; with `scope = core` the one that lets the least through.
    pub state: State,
    /// When the cool-down ends, where it is open.
    pub until: Option<Moment>,
    /// The part of its weight that it has on the ramp, in parts per million.
    pub ramp: Option<u32>,
    /// What opened it last.
    pub why: Option<Rule>,
    /// What an operator has ordered. It goes before the state.
    pub order: Order,
    /// How often it opened.
    pub opened: u64,
    /// Attempts under way.
    pub inflight: u32,
    /// How many of them there may be, if that is bounded.
    pub max_inflight: Option<u32>,
    /// Requests that wait for a place.
    pub queued: u32,
    /// The part of its load that leaves because it is slow, in parts per million, where a pool has it do so.
    pub spilt: Option<u32>,
    /// Probes among them, where it is half open.
    pub probes: u32,
    /// Counted attempts in the window.
    pub requests: u64,
    /// Failures among them.
    pub failures: u64,
    /// The end of the pause that the provider asked for; of a pool, when the first key may be used again.
    pub throttled_until: Option<Moment>,
    /// The end of the rest after the model was gone.
    pub gone_until: Option<Moment>,
    /// The end of the rest of its provider's key; of a pool in which all rest, the first one's.
    pub key_out_until: Option<Moment>,
    /// Health checks say that none of its provider's endpoints is up.
    pub down: bool,
}

impl Board {
    /// A board for the targets of `plan` and `cores` workers (at least one). Its jitter hangs on the policy's text: use
    /// [`Board::seeded`] where several gateways run the same policy.
    pub fn new(plan: &Plan, cores: usize) -> Self {
        Self::seeded(plan, cores, plan.policy.hash)
    }

    /// A board whose jitter hangs on `seed`.
    ///
    /// # Panics
    /// If a target names a breaker or a provider that the plan does not have.
    pub fn seeded(plan: &Plan, cores: usize, seed: u64) -> Self {
        let cores = cores.max(1);
        let policy = &plan.policy;
        let mut first_keys = Vec::with_capacity(policy.providers.len());
        let mut key_count = 0_usize;
        for provider in &policy.providers {
            first_keys.push(key_count);
            // Who has none is treated as one that everybody knows.
            key_count = key_count.saturating_add(provider.auth.secrets().len().max(1));
        }
        let mut cells = (0_u16..)
            .zip(&policy.targets)
            .filter_map(|(id, target)| {
                let name_hash = hash::of_bytes(0, target.name.as_bytes());
                let breaker = policy.breakers.get(target.breaker.index())?;
                let provider = policy.providers.get(target.provider.index())?;
                let pool = provider.auth.secrets().len();
                let gates = if breaker.per_core { cores } else { 1 };
                Some(Cell {
                    target: TargetId(id),
                    provider: target.provider,
                    name_hash,
                    max_inflight: AtomicU32::new(first_bound(target.max_inflight)),
                    auto: match target.max_inflight {
                        Some(MaxInflight::Auto(range)) => Some(Auto {
                            range,
                            learned: Arc::new(Adaptive::new(range, cores)),
                        }),
                        Some(MaxInflight::Fixed(_)) | None => None,
                    },
                    queue: target.queue.map(Queue::new),
                    checked: Checked::of(provider),
                    rules: Rules::new(breaker, hash::mix(seed, name_hash)),
                    gates: many(gates),
                    windows: many(gates),
                    slots: many(cores),
                    ttft: many(cores),
                    pause: Arc::default(),
                    older: Box::default(),
                    first_key: *first_keys.get(target.provider.index())?,
                    key_pick: provider.auth.pick(),
                    pool: many(if pool > 1 { pool } else { 0 }),
                    inflight: Arc::default(),
                    wrong_path: Arc::default(),
                    watched: None,
                })
            })
            .collect::<Box<[_]>>();
        assert_eq!(
            cells.len(),
            policy.targets.len(),
            "each target has a breaker and a provider"
        );
        spill::watch(&mut cells, plan, cores);
        let vitals = many(policy.providers.len());
        Self {
            domains: domains(&cells, policy.providers.len()),
            cells,
            keys: many(key_count),
            first_keys: first_keys.into(),
            vitals,
            guards: Guards::new(plan, cores),
            cores,
            seed,
            still: Mutex::default(),
        }
    }

    /// The same, by what health checks tell `other`, whose plan has the same providers.
    #[must_use]
    pub fn sharing_health(mut self, other: &Self) -> Self {
        self.vitals.clone_from(&other.vitals);
        self
    }

    /// Sums what the cores counted, judges every breaker and gives those that changed since the last tick, also where it
    /// was a core that changed them. Reads one cache line for each core and target. One thread calls it.
    pub fn tick(&self, now: Moment) -> Vec<Transition> {
        let _still = self.still();
        self.promote(now);
        self.judge_spilling(now);
        let mut changed = Vec::new();
        for cell in &self.cells {
            cell.learn_bound(now);
            for (index, (gate, window)) in cell.gates.iter().zip(&*cell.windows).enumerate() {
                let totals = cell.totals_of(index);
                let (from, word) = judge(cell, gate, window, totals, now);
                if (from.epoch, from.state) != (word.epoch, word.state) {
                    changed.push(Transition {
                        target: cell.target,
                        core: (cell.gates.len() > 1)
                            .then(|| u16::try_from(index).unwrap_or(u16::MAX)),
                        from: from.state,
                        to: word.state,
                        why: word.rule,
                        until: (word.state == State::Open).then_some(word.until),
                    });
                }
            }
        }
        changed
    }

    /// All targets as they stand, in the order of their ids. A window's beginning is as of the last tick.
    pub fn status(&self, now: Moment) -> Vec<TargetStatus> {
        self.cells
            .iter()
            .map(|cell| self.status_of(cell, now))
            .collect()
    }

    /// The times to first content of one target since the start, over all cores.
    pub fn latencies(&self, target: TargetId) -> Latencies {
        let mut all = Latencies::new();
        for histogram in self.cell(target).into_iter().flat_map(|cell| &*cell.ttft) {
            all.add(histogram);
        }
        all
    }

    /// The number of cores that it was made for.
    pub fn cores(&self) -> usize {
        self.cores
    }

    /// What its jitter hangs on.
    pub(super) const fn seed(&self) -> u64 {
        self.seed
    }

    /// From now on this order holds for a target, for requests of the boards before this one as well; the one before.
    /// `None` for a target that there is not.
    pub fn order(&self, target: TargetId, order: Order) -> Option<Order> {
        let cell = self.cell(target)?;
        for older in cell.older.iter().filter_map(Weak::upgrade) {
            older.order.set(order);
        }
        Some(cell.pause.order.set(order))
    }

    /// The requests that a provider has answered well since the start, over all its targets and all cores.
    pub fn served(&self, provider: ProviderId) -> u64 {
        let cells = self.cells.iter().filter(|cell| cell.provider == provider);
        let slots = cells.flat_map(|cell| cell.slots.iter().map(|slot| slot.read()));
        slots.fold(0, |sum, totals| {
            sum.saturating_add(totals.requests.saturating_sub(totals.failures))
        })
    }

    pub(crate) fn guards(&self) -> &Guards {
        &self.guards
    }

    pub(crate) fn vitals(&self, provider: ProviderId) -> Option<&Vitals> {
        self.vitals.get(provider.index()).map(|vitals| &***vitals)
    }

    pub(crate) fn cell(&self, target: TargetId) -> Option<&Cell> {
        self.cells.get(target.index())
    }

    pub(crate) fn cells(&self) -> impl Iterator<Item = &Cell> {
        self.cells.iter()
    }

    /// One key of the target's provider.
    pub(crate) fn key(&self, cell: &Cell, key: u8) -> Option<&Key> {
        let index = cell.first_key.checked_add(usize::from(key))?;
        self.keys.get(index).map(|key| &***key)
    }

    /// The place of one key of a provider among all.
    pub(super) fn key_place(&self, provider: ProviderId, key: u8) -> Option<usize> {
        let first = self.first_keys.get(provider.index())?;
        first.checked_add(usize::from(key))
    }

    /// All keys, with their places.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (ProviderId, u8, &Key)> {
        let ends = self.first_keys.iter().skip(1).copied();
        let ends = ends.chain([self.keys.len()]);
        let ranges = self.first_keys.iter().copied().zip(ends);
        (0_u16..).zip(ranges).flat_map(|(provider, (from, to))| {
            let keys = self.keys.get(from..to).unwrap_or_default();
            (0_u8..)
                .zip(keys)
                .map(move |(index, key)| (ProviderId(provider), index, &***key))
        })
    }

    /// Whether health checks have taken the target's provider out.
    pub(crate) fn is_down(&self, cell: &Cell) -> bool {
        cell.checked.is_some_and(|checked| {
            self.vitals(cell.provider)
                .is_some_and(|vitals| vitals.all_down(checked.endpoints))
        })
    }

    fn status_of(&self, cell: &Cell, now: Moment) -> TargetStatus {
        let mut window = Totals::default();
        let mut opened = 0_u64;
        let mut probes = 0_u32;
        let mut worst = Word::unpack(Word::FRESH);
        for (index, (gate, kept)) in cell.gates.iter().zip(&*cell.windows).enumerate() {
            window = window.plus(kept.sum(cell.totals_of(index)));
            opened = opened.saturating_add(gate.opened());
            probes = probes.saturating_add(gate.probes_out());
            let word = gate.word();
            if index == 0 || word.state > worst.state {
                worst = word;
            }
        }
        let standing = cell.standing(now, self);
        TargetStatus {
            target: cell.target,
            state: worst.state,
            until: (worst.state == State::Open).then_some(worst.until),
            ramp: (worst.state == State::Ramp).then(|| cell.rules.ramp_share(worst, now)),
            why: worst.rule,
            order: cell.pause.order.order(),
            opened,
            inflight: cell.inflight.load(Relaxed),
            max_inflight: cell.max_inflight(),
            queued: cell.queue.as_ref().map_or(0, Queue::waiting),
            spilt: cell.spilt_most(),
            probes,
            requests: window.requests,
            failures: window.failures,
            throttled_until: match standing {
                KeyStanding::Paused(until) => Some(until),
                KeyStanding::Usable | KeyStanding::Out(_) => None,
            },
            gone_until: cell.pause.gone.until(now),
            key_out_until: match standing {
                KeyStanding::Out(until) => Some(until),
                KeyStanding::Usable | KeyStanding::Paused(_) => None,
            },
            down: self.is_down(cell),
        }
    }
}

/// What is known about one target.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) target: TargetId,
    pub(crate) provider: ProviderId,
    pub(crate) name_hash: u64,
    /// How many requests it may have at once; [`UNBOUNDED`] where the policy does not say.
    max_inflight: AtomicU32,
    /// Where that is learned.
    pub(crate) auto: Option<Auto>,
    /// Where requests wait for a place, if they may.
    pub(crate) queue: Option<Queue>,
    /// How its provider's health is checked, if it is.
    pub(crate) checked: Option<Checked>,
    pub(crate) rules: Rules,
    pub(crate) pause: Arc<Padded<Pause>>,
    /// Those of boards before this one that have their own, for as long as requests go by them: orders are for these too.
    pub(super) older: Box<[Weak<Padded<Pause>>]>,
    pub(crate) inflight: Arc<Padded<AtomicU32>>,
    /// Its provider does not know the path that it is asked at.
    pub(crate) wrong_path: Arc<Notice>,
    pub(crate) key_pick: KeyPick,
    /// What it knows of each key of its provider; empty where there is one.
    pub(crate) pool: Box<[Arc<Padded<KeyPause>>]>,
    /// Where its provider's keys begin on the board.
    first_key: usize,
    /// One, or one for each core.
    pub(super) gates: Arc<[Padded<Gate>]>,
    pub(super) windows: Arc<[Window]>,
    pub(super) slots: Arc<[Padded<Slot>]>,
    pub(super) ttft: Arc<[Padded<Histogram>]>,
    /// For pools that spill by times.
    pub(super) watched: Option<Box<Watched>>,
}

/// A bound that is learned.
#[derive(Debug)]
pub(crate) struct Auto {
    range: AutoInflight,
    pub(crate) learned: Arc<Adaptive>,
}

/// What a pick must know about health checks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checked {
    pub(crate) endpoints: u16,
    /// After this time an endpoint that has just recovered is up.
    pub(crate) recovery: Span,
}

impl Checked {
    fn of(provider: &Provider) -> Option<Self> {
        let health = provider.health.as_ref()?;
        Some(Self {
            endpoints: u16::try_from(provider.endpoints.len()).unwrap_or(u16::MAX),
            recovery: health.every.saturating_mul(u64::from(health.rise)),
        })
    }
}

/// Why a healthy target may be left out for a time.
#[derive(Debug, Default)]
pub(crate) struct Pause {
    pub(crate) order: Standing,
    pub(crate) throttle: Throttle,
    pub(crate) gone: Rest,
    /// The provider's only key may not use this model.
    pub(crate) barred: Rest,
    pub(crate) lifeline: Lifeline,
}

impl Cell {
    /// How many requests it may have at once, if that is bounded.
    pub(crate) fn max_inflight(&self) -> Option<u32> {
        let max = self.max_inflight.load(Relaxed);
        (max != UNBOUNDED).then_some(max)
    }

    /// So many requests are under way of so many, whatever it was. For rehearsals.
    pub(super) fn restage(&self, inflight: u32, max: Option<u32>) {
        self.inflight.store(inflight, Relaxed);
        self.max_inflight.store(max.unwrap_or(UNBOUNDED), Relaxed);
    }

    /// Whether it has no place for one more beside so many.
    pub(crate) fn is_full(&self, inflight: u32) -> bool {
        inflight >= self.max_inflight.load(Relaxed)
    }

    /// Goes on with the bound that another plan's cell has learned, where this one learns, too.
    pub(super) fn take_over_bound(&mut self, old: &Self) {
        if let (Some(mine), Some(theirs)) = (&mut self.auto, &old.auto) {
            mine.learned = Arc::clone(&theirs.learned);
            let known = old.max_inflight.load(Relaxed);
            let known = known.clamp(mine.range.least, mine.range.most);
            self.max_inflight.store(known, Relaxed);
        }
    }

    /// Learns how many requests it may have at once.
    fn learn_bound(&self, now: Moment) {
        let Some(Auto { range, learned }) = &self.auto else {
            return;
        };
        let max = learned.tick(now, *range, self.inflight.load(Relaxed));
        // A write takes the line from all cores that pick.
        if max != self.max_inflight.load(Relaxed) {
            self.max_inflight.store(max, Relaxed);
        }
    }

    /// The gate that `core` goes through.
    pub(crate) fn gate(&self, core: usize) -> Option<&Gate> {
        self.gates
            .get(core)
            .or_else(|| self.gates.first())
            .map(|gate| &**gate)
    }

    /// Whether requests pass its breaker on all cores.
    pub(crate) fn is_closed(&self) -> bool {
        self.gates
            .iter()
            .all(|gate| gate.word().state == State::Closed)
    }

    /// The breaker's packed state as `core` goes by it, under the order that holds.
    pub(crate) fn packed(&self, core: usize, order: Order) -> u64 {
        order.over(self.gate(core).map_or(Word::FRESH, Gate::packed))
    }

    /// Where `core` counts.
    pub(crate) fn slot(&self, core: usize) -> Option<&Slot> {
        self.slots.get(core).map(|slot| &**slot)
    }

    /// Where `core` keeps its times for the metrics.
    pub(crate) fn ttft(&self, core: usize) -> Option<&Histogram> {
        self.ttft.get(core).map(|histogram| &**histogram)
    }

    /// The totals that gate `index` is judged by: its core's own, or everybody's.
    pub(super) fn totals_of(&self, index: usize) -> Totals {
        if self.gates.len() > 1 {
            return self.slot(index).map(Slot::read).unwrap_or_default();
        }
        self.slots
            .iter()
            .fold(Totals::default(), |sum, slot| sum.plus(slot.read()))
    }
}

/// One gate, one tick: the state that the last tick saw, and the state now.
fn judge(cell: &Cell, gate: &Gate, window: &Window, totals: Totals, now: Moment) -> (Word, Word) {
    let rules = &cell.rules;
    let from = window.seen();
    let word = gate.word();
    match word.state {
        State::Closed | State::Ramp => {
            // An epoch that began and ended unseen left counts behind. One that came after a tick that saw the gate
            // open or half open starts from that tick's reading, which nothing has been added to before.
            if from.state.passes() && from.epoch != word.epoch {
                window.restart(now, totals, rules.window);
            }
            let counted = window.advance(now, totals, rules.window);
            if let Some(rule) = broken_rule(counted, rules) {
                gate.open(word, rule, now, rules);
            } else if word.state == State::Ramp && now >= word.until {
                gate.close(word, now, rules);
            }
        }
        State::Open | State::HalfOpen => {
            window.restart(now, totals, rules.window);
            if word.state == State::Open && now >= word.until {
                gate.half_open(word, now, rules);
            }
        }
    }
    let word = gate.word();
    window.see(word);
    (from, word)
}

/// A value in cache lines of its own. Two lines, because the prefetcher of today's x86 cores fetches them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Padded<T>(T);

impl<T> Padded<T> {
    /// This value.
    pub(super) const fn new(value: T) -> Self {
        Self(value)
    }
}

impl<T> Deref for Padded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// The bound that a target begins with.
fn first_bound(max: Option<MaxInflight>) -> u32 {
    match max {
        None => UNBOUNDED,
        Some(MaxInflight::Fixed(max)) => max,
        Some(MaxInflight::Auto(range)) => adaptive::first(range),
    }
}

/// More than there can be.
const UNBOUNDED: u32 = u32::MAX;

pub(crate) fn many<T: Default, C: FromIterator<T>>(count: usize) -> C {
    std::iter::repeat_with(T::default).take(count).collect()
}
