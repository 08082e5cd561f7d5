//! Spilling by time, `spill when p95(ttft) > 2s`: a part of a slow target's load goes to others of its pool.
//!
//! ```text
//!   sample ─▶ times      of each core, of a target that such a pool names
//!   tick ─ every few seconds: the percentile of what came since ─▶ memory: a step up, a step back ─▶ part
//!   pick ─ one relaxed load, of a target in such a pool ◀────────────────────────────────────────────┘
//! ```
//! The part is found by steps, because nobody knows how much of its slowness is its load: a step more while it is too slow,
//! a step less while it is clearly fast enough, and none between the two lines. Some of the load always stays, so that there
//! is something to judge by. A target that is slow again on its way back stays longer at each of the next steps.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::{Moment, Span, TargetId};
use crate::engine::board::{Board, Cell, Padded, many};
use crate::engine::breaker::Order;
use crate::engine::keys::KeyStanding;
use crate::engine::latency::{Histogram, Latencies};
use crate::policy::Plan;
use crate::policy::model::{Action, Measure, SlowRule, Spill, Tier};

/// What the streams of one target took, and what pools make of it.
#[derive(Debug)]
pub(crate) struct Watched {
    times: Arc<[Padded<Times>]>,
    /// One for each rule of the pools that name it.
    spillings: Vec<Spilling>,
}

/// One core's; only that core writes.
#[derive(Debug, Default)]
struct Times {
    ttft: Histogram,
    gap: Histogram,
}

#[derive(Debug)]
struct Spilling {
    rule: SlowRule,
    /// Who gets what it leaves: the others of its tier, and all of the tiers behind it. Nobody for a target of a last tier,
    /// which others are only compared with.
    others: Vec<TargetId>,
    /// The next plan's board goes on with it.
    state: Arc<Standing>,
}

#[derive(Debug, Default)]
struct Standing {
    /// What leaves, in parts per million of the requests that would go there.
    part: Padded<AtomicU32>,
    /// The tick's own.
    memory: Mutex<Memory>,
}

/// What is remembered from one judgement to the next.
#[derive(Debug, Default)]
struct Memory {
    /// When the times at hand began to be counted, and what was counted before.
    begun: Option<(Moment, Box<Latencies>)>,
    /// The last percentile that was known, and when.
    known: Option<(Span, Moment)>,
    part: u32,
    /// Judgements in a row by which it was fast enough.
    calm: u8,
    /// How many of them make a step back, beyond the first.
    patience: u8,
    /// It is on its way back, or has just come.
    returns: bool,
}

/// Has each target that a pool of `plan` watches be watched.
pub(super) fn watch(cells: &mut [Cell], plan: &Plan, cores: usize) {
    for route in &plan.policy.routes {
        if let Action::Serve(serve) = &route.action
            && let Some(spill) = &serve.spill
        {
            for (target, others) in around(&serve.tiers) {
                if let Some(cell) = cells.get_mut(target.index()) {
                    cell.watch(&spill.slow, &others, cores);
                }
            }
        }
    }
}

/// Each member, with who gets what it leaves.
fn around(tiers: &[Tier]) -> Vec<(TargetId, Vec<TargetId>)> {
    let mut around = Vec::new();
    for (index, tier) in tiers.iter().enumerate() {
        let rest = tiers.get(index..).unwrap_or_default();
        let takers = if rest.len() < 2 { &[] } else { rest };
        for member in &tier.members {
            let takers = takers.iter().flat_map(|tier| &tier.members);
            let takers = takers.map(|taker| taker.target);
            let others = takers.filter(|&taker| taker != member.target);
            around.push((member.target, others.collect()));
        }
    }
    around
}

impl Cell {
    fn watch(&mut self, rules: &[SlowRule], others: &[TargetId], cores: usize) {
        for &rule in rules {
            let watched = self.watched.get_or_insert_with(|| {
                Box::new(Watched {
                    times: many(cores),
                    spillings: Vec::new(),
                })
            });
            watched.watch(rule, others);
        }
    }

    /// Counts a time for the pools that watch the target. One that would have been longer counts where it is too long already.
    pub(super) fn watch_time(&self, core: usize, measure: Measure, time: Span, at_least: bool) {
        let Some(watched) = &self.watched else { return };
        let mut rules = watched.spillings.iter().map(|it| it.rule);
        let too_long = |rule: SlowRule| rule.measure == measure && time > rule.limit;
        if (!at_least || rules.any(too_long))
            && let Some(times) = watched.times.get(core)
        {
            times.of(measure).record(time);
        }
    }

    /// What of the load leaves by the rules of `spill`, in parts per million.
    pub(super) fn spilt(&self, spill: &Spill) -> u32 {
        let spillings = self.watched.iter().flat_map(|it| &it.spillings);
        let parts = spillings.filter(|it| spill.slow.contains(&it.rule));
        let parts = parts.map(|it| it.state.part.load(Relaxed));
        parts.max().unwrap_or_default()
    }

    /// The most that leaves by any rule, in parts per million; `None` where there is none by which something could.
    pub(super) fn spilt_most(&self) -> Option<u32> {
        let spillings = self.watched.iter().flat_map(|it| &it.spillings);
        let parts = spillings.filter(|it| !it.others.is_empty());
        parts.map(|it| it.state.part.load(Relaxed)).max()
    }

    /// So much leaves by the rules of `spill`, whatever it was. For rehearsals.
    pub(super) fn restage_spilt(&self, spill: &Spill, part: u32) {
        for spilling in self.watched.iter().flat_map(|it| &it.spillings) {
            if spill.slow.contains(&spilling.rule) {
                spilling.state.part.store(part, Relaxed);
            }
        }
    }
}

impl Watched {
    fn watch(&mut self, rule: SlowRule, others: &[TargetId]) {
        let known = self.spillings.iter_mut().find(|it| it.rule == rule);
        if let Some(known) = known {
            known.others.extend(others);
        } else {
            self.spillings.push(Spilling {
                rule,
                others: others.to_vec(),
                state: Arc::default(),
            });
        }
    }

    /// Goes on with what another plan's board knows of the same target, where the rules are the same.
    pub(super) fn take_over(&mut self, old: &Self) {
        self.times = Arc::clone(&old.times);
        for mine in &mut self.spillings {
            if let Some(theirs) = old.spillings.iter().find(|it| it.rule == mine.rule) {
                mine.state = Arc::clone(&theirs.state);
            }
        }
    }

    fn all(&self, measure: Measure) -> Latencies {
        let mut all = Latencies::new();
        for times in &*self.times {
            all.add(times.of(measure));
        }
        all
    }
}

impl Times {
    const fn of(&self, measure: Measure) -> &Histogram {
        match measure {
            Measure::Ttft => &self.ttft,
            Measure::Gap => &self.gap,
        }
    }
}

impl Board {
    /// Judges, where it is time to, what targets are to leave to others. Part of a tick.
    pub(super) fn judge_spilling(&self, now: Moment) {
        for watched in self.cells.iter().filter_map(|cell| cell.watched.as_ref()) {
            for spilling in &watched.spillings {
                spilling.judge(now, self, || watched.all(spilling.rule.measure));
            }
        }
    }

    /// Whether somebody among `others` can be asked and is not known to be as slow as this, by the same rule.
    fn has_faster(&self, others: &[TargetId], rule: SlowRule, time: Span, now: Moment) -> bool {
        let mut cells = others.iter().filter_map(|&other| self.cell(other));
        cells.any(|cell| {
            let spillings = cell.watched.iter().flat_map(|it| &it.spillings);
            let known = spillings.filter(|it| it.rule == rule);
            let known = known.filter_map(|it| it.state.memory().known);
            let mut known = known.filter(|&(_, at)| now.since(at) < REMEMBERED);
            self.can_take(cell, now) && known.all(|(theirs, _)| theirs < time)
        })
    }

    /// Whether nothing but its places can keep requests from the target.
    fn can_take(&self, cell: &Cell, now: Moment) -> bool {
        cell.is_closed()
            && cell.pause.order.order() != Order::Drain
            && cell.pause.gone.until(now).is_none()
            && cell.standing(now, self) == KeyStanding::Usable
            && !self.is_down(cell)
    }
}

impl Standing {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spilling {
    fn judge(&self, now: Moment, board: &Board, all: impl FnOnce() -> Latencies) {
        let mut memory = self.state.memory();
        let Some(lately) = memory.lately(now, self.rule.limit, all) else {
            return;
        };
        if lately.count() >= SAMPLES {
            let time = lately.quantile(self.rule.percentile);
            memory.known = time.map(|time| (time, now));
            if let Some(time) = time.filter(|_| !self.others.is_empty()) {
                let faster = || board.has_faster(&self.others, self.rule, time, now);
                memory.step(time, self.rule.limit, faster);
            }
        } else {
            memory.step_back();
        }
        self.state.part.store(memory.part, Relaxed);
    }
}

impl Memory {
    /// What came since the last judgement, if it is time for another one: when that is some time ago and enough has come, or
    /// long ago. What comes from now on is for the next one.
    fn lately(
        &mut self,
        now: Moment,
        limit: Span,
        all: impl FnOnce() -> Latencies,
    ) -> Option<Latencies> {
        let Some((begun, before)) = &self.begun else {
            self.begun = Some((now, Box::new(all())));
            return None;
        };
        let passed = now.since(*begun);
        // What was on its way at the last step has come by then, for the most part.
        if passed < JUDGED_EVERY.max(limit.saturating_mul(2)) {
            return None;
        }
        let all = all();
        let lately = all.minus(before);
        if lately.count() < SAMPLES && passed < WAITED_MAX.max(limit.saturating_mul(4)) {
            return None;
        }
        self.begun = Some((now, Box::new(all)));
        Some(lately)
    }

    /// The percentile was `time`.
    fn step(&mut self, time: Span, limit: Span, has_faster: impl FnOnce() -> bool) {
        if time > limit {
            self.calm = 0;
            if has_faster() {
                self.step_up(time > limit.saturating_mul(2));
            } else {
                // What leaves gains nothing.
                self.step_back();
            }
        } else if time.saturating_mul(5) > limit.saturating_mul(4) {
            // Neither too slow nor clearly fast enough.
            self.calm = 0;
        } else if self.part == 0 {
            self.at_peace();
        } else if self.calm >= self.patience {
            self.step_back();
        } else {
            self.calm = self.calm.saturating_add(1);
        }
    }

    /// More leaves: a quarter of what stays, or half of it.
    fn step_up(&mut self, far: bool) {
        if std::mem::take(&mut self.returns) {
            self.patience = self.patience.saturating_mul(2).clamp(1, PATIENCE_MAX);
        }
        let stays = ALL_PPM.saturating_sub(self.part);
        let more = stays / if far { 2 } else { 4 };
        self.part = self.part.saturating_add(more).min(MOST_PPM);
    }

    /// A third of what leaves stays again.
    fn step_back(&mut self) {
        self.calm = 0;
        if self.part == 0 {
            return;
        }
        let part = self.part - self.part / 3;
        self.part = if part < LEAST_PPM { 0 } else { part };
        self.returns = true;
    }

    /// It has all of its load and is fast.
    fn at_peace(&mut self) {
        match self.patience.checked_sub(1) {
            Some(less) => self.patience = less,
            None => self.returns = false,
        }
    }
}

/// All of something, in parts per million.
const ALL_PPM: u32 = 1_000_000;
/// A tenth stays, or nobody would learn that a target is fast again.
const MOST_PPM: u32 = 900_000;
/// Less than this is nothing.
const LEAST_PPM: u32 = 50_000;
/// The fewest times that have a percentile.
const SAMPLES: u64 = 20;
/// How often a target is judged.
const JUDGED_EVERY: Span = Span::from_secs(5);
/// Who has shown so few times for so long gets more of his load, and thereby shows more.
const WAITED_MAX: Span = Span::from_secs(60);
/// Who was slow is not sent anything for so long after he was last seen so.
const REMEMBERED: Span = Span::from_secs(300);
/// The longest stay at one step: 80 s, as the longest cool-down of a breaker is two minutes.
const PATIENCE_MAX: u8 = 16;
