//! Beginning an attempt: which candidate, whether it is a probe, what it holds while it runs, and its timers.

use std::sync::atomic::Ordering::Relaxed;

use crate::base::limits::DEADLINE_RESERVE;
use crate::base::{Moment, ProviderId, Span, TargetId, hash};
use crate::engine::balance::{Draw, bit, bits, pick, rendezvous, weight_of};
use crate::engine::board::Cell;
use crate::engine::breaker::gate::{Gate, Token};
use crate::engine::breaker::word::{State, Word, epoch_of, passes};
use crate::engine::chain::record::{Beginning, PassedOver};
use crate::engine::chain::survey::{BUSY_HINT, Survey, View};
use crate::engine::chain::verdict::slow_line;
use crate::engine::chain::{Attempt, Chain, Form, Running};
use crate::engine::core::Core;
use crate::engine::keys::{KeyDraw, Taken};
use crate::engine::pause::Turn;
use crate::policy::model::{KeyPick, Pick, Spill, Then};

impl Chain {
    /// The first candidate that takes the request: tier by tier, probes by their share, then whoever `pick` names. A target
    /// on the ramp stands aside for the requests that are not of its part, as long as somebody else is left. When nobody is
    /// left but half-open targets, the request probes one of those: it would be refused otherwise, so it has nothing to lose.
    pub(super) fn start_any(
        &mut self,
        now: Moment,
        view: &View<'_>,
        survey: &mut Survey,
        core: &mut Core,
    ) -> Option<Attempt> {
        let draw = Draw {
            route: self.decision.route,
            chance: self.draw_chance(),
            affinity: self.decision.affinity,
            sticky: self.decision.sticky,
        };
        let spill = view.serve.spill.as_deref();
        let spilt = spill.map_or(0, |spill| spilt(view, survey, spill, draw, core));
        let attempt = self.start_in_tiers(now, view, survey, draw, (survey.ramp, spilt), core);
        if attempt.is_some() || self.is_queued() {
            return attempt;
        }
        if (survey.ramp | spilt) & survey.usable & survey.tiers != 0
            && let Some(attempt) = self.start_in_tiers(now, view, survey, draw, (0, 0), core)
        {
            return Some(attempt);
        }
        bits(survey.half & survey.tiers)
            .find_map(|index| self.start_one(now, view, survey, index, core))
    }

    /// The first candidate of the tiers; of those that may stand aside, the ones on the ramp by their part and the ones
    /// that spill not at all.
    fn start_in_tiers(
        &mut self,
        now: Moment,
        view: &View<'_>,
        survey: &mut Survey,
        draw: Draw,
        (ramp, spilt): (u64, u64),
        core: &mut Core,
    ) -> Option<Attempt> {
        // INVARIANT: the candidates are the tiers' members, flattened in order.
        let mut first = 0_usize;
        for rules in &view.serve.tiers {
            let after = first.saturating_add(rules.members.len());
            let tier = below(after) & !below(first);
            if survey.full & tier != 0 && !view.queued {
                self.stand_behind(now, view, survey, tier, core);
            }
            let mut members = tier & (survey.usable | survey.half);
            first = after;
            for index in bits(ramp & members) {
                if !is_of_the_part(now, view, index, &rules.pick, draw, core) {
                    members &= !bit(index);
                }
            }
            for index in bits(survey.half & members) {
                if self.draws_probe(now, view, survey, members, index, (draw, &rules.pick), core)
                    && let Some(attempt) = self.start_one(now, view, survey, index, core)
                {
                    return Some(attempt);
                }
            }
            // A request that leaves the tier may still be the one that tries who is half open there.
            members &= !spilt;
            // Each round ends or takes one member out.
            while survey.usable & members != 0 {
                let index = pick(
                    &rules.pick,
                    survey.usable & members,
                    view.candidates,
                    draw,
                    core,
                )?;
                if let Some(attempt) = self.start_one(now, view, survey, index, core) {
                    return Some(attempt);
                }
            }
            let full = survey.full & tier & !view.tried;
            if full != 0 && survey.usable & tier == 0 {
                self.join_queue(now, view, full, core);
                if self.is_queued() {
                    return None;
                }
            }
        }
        None
    }

    /// Begins an attempt at one candidate. If it turns out to be full, paused or taken meanwhile it is dropped from the
    /// survey instead.
    pub(super) fn start_one(
        &mut self,
        now: Moment,
        view: &View<'_>,
        survey: &mut Survey,
        index: usize,
        core: &mut Core,
    ) -> Option<Attempt> {
        self.begin(now, view, survey, index, None, core)
    }

    /// The same; `tried_keys` are those that this change of key is away from.
    pub(super) fn begin(
        &mut self,
        now: Moment,
        view: &View<'_>,
        survey: &mut Survey,
        index: usize,
        tried_keys: Option<u16>,
        core: &mut Core,
    ) -> Option<Attempt> {
        let target = view.candidates.get(index)?.target;
        let key_change = tried_keys.is_some();
        let mut attempt = self.timers(now, view, survey, index, key_change)?;
        let held = {
            let cell = core.board.cell(target)?;
            let draw = KeyDraw {
                seed: self.key_seed(),
                turn: match cell.key_pick {
                    KeyPick::RoundRobin => core.key_turn(cell.provider),
                    KeyPick::LeastThrottled | KeyPick::InOrder => 0,
                },
                tried: tried_keys.unwrap_or_default(),
            };
            hold(now, cell, core, attempt.deadline, draw, self.lifeline)
        };
        let held = match held {
            Ok(held) => held,
            Err((reason, until)) => {
                survey.drop(bit(index), reason, until, &mut self.passed);
                return None;
            }
        };
        attempt.probe = held.token.is_some() || self.lifeline;
        attempt.key = held.taken.key;
        self.history.push(Beginning {
            target,
            key: held.taken.key,
            probe: attempt.probe,
            repeat: !key_change && self.tried & bit(index) != 0,
            key_change,
            started: now.since(self.begun),
        });
        self.mark_tried(target, view.candidates);
        self.running = Some(Running {
            target,
            index: attempt.index,
            started: now,
            epoch: held.epoch,
            token: held.token,
            lifeline: self.lifeline,
            key: held.taken.key,
            tests: held.taken.turn == Turn::Test,
            content: false,
            gap: Span::ZERO,
        });
        let policy = &view.plan.policy;
        if let Some(provider) = held.rotates {
            core.took_key(provider, held.taken.key);
        }
        if !key_change
            && let Some(settings) = policy.targets.get(target.index())
            && let Some(retries) = policy.retries.get(settings.retries.index())
        {
            core.deposit(settings.provider, retries);
        }
        if let Some(hedge) = &view.serve.hedge {
            attempt.hedge_at = self.hedge_at(now, view, hedge, target, core);
        }
        Some(attempt)
    }

    /// Whether this request is one of the few that try a half-open target: those that draw its weight, and of these its
    /// `share`; after [`PROBE_DUE`] everyone, as far as `probes` allows. They need somewhere else to go, so that a probe
    /// which fails costs its client nothing but time. When no such request has come for the longest cool-down (a route with one attempt, say), others may: a breaker that
    /// nobody may probe would never pass again.
    #[expect(
        clippy::too_many_arguments,
        reason = "the inputs of one decision, used once"
    )]
    fn draws_probe(
        &self,
        now: Moment,
        view: &View<'_>,
        survey: &Survey,
        members: u64,
        index: usize,
        (draw, pick): (Draw, &Pick),
        core: &Core,
    ) -> bool {
        let Some((candidate, cell)) = view.candidates.get(index).and_then(|candidate| {
            core.board
                .cell(candidate.target)
                .map(|cell| (candidate, cell))
        }) else {
            return false;
        };
        let word = cell
            .gate(core.index)
            .map_or_else(|| Word::unpack(Word::FRESH), Gate::word);
        let elsewhere =
            survey.usable & survey.tiers & !bit(index) != 0 && self.attempts_left(view.serve) > 1;
        if !elsewhere && now < word.until {
            return false;
        }
        // A key comes back when its target has passed; only a target's own keys try whether it may.
        if let Some(key) = key(draw, pick)
            && rendezvous(members, view.candidates, key, core) != Some(index)
        {
            return false;
        }
        let all = weight_of(survey.usable & members | bit(index), view.candidates);
        let (weight, all) = match (u64::from(candidate.weight), all) {
            (weight, 0) => (weight.max(1), u64::from(members.count_ones())),
            known => known,
        };
        // A quiet target's few requests would draw a small share for minutes while it is well: the next one goes.
        let begun = word.until - cell.rules.cool_down.1;
        if weight > 0 && now.since(begun) >= PROBE_DUE {
            return true;
        }
        let parts = weight.saturating_mul(u64::from(cell.rules.share));
        let own = hash::mix(draw.chance, cell.name_hash ^ u64::from(word.epoch));
        hash::scale(own, all.saturating_mul(1_000_000)) < parts
    }

    /// The attempt's timers, from the target's settings, the route's and the request's deadline.
    fn timers(
        &self,
        now: Moment,
        view: &View<'_>,
        survey: &Survey,
        index: usize,
        key_change: bool,
    ) -> Option<Attempt> {
        let target = view.candidates.get(index)?.target;
        let own = view.plan.policy.targets.get(target.index())?.timeouts;
        let route = view.serve.timeouts;
        // This one is counted once it has begun, if it counts at all.
        let more = self.attempts_left(view.serve) > u8::from(!key_change);
        let others = more && survey.usable & survey.tiers & !bit(index) != 0;
        let reserve = |end: Moment| match end - DEADLINE_RESERVE {
            reserved if others && reserved > now => reserved,
            _ => end,
        };
        let deadline = reserve(self.deadline);
        let begin_by = reserve(self.begin_by());
        let ttft = route.ttft.unwrap_or(own.ttft);
        let head = route.head.or(own.head).unwrap_or(ttft);
        let mut content_by = now + ttft;
        if self.form == Form::Stream
            && let Some((limit, then)) = slow_line(view.serve)
        {
            let armed = match then {
                Then::Next => others,
                Then::Jump(to) => more && can_jump(*to, target, view, survey),
                Then::Stop | Then::Reject(_) => true,
            };
            if armed {
                content_by = content_by.min(now + limit);
            }
        }
        Some(Attempt {
            target,
            index: self.history.len(),
            key: 0,
            probe: false,
            connect_by: (now + route.connect.unwrap_or(own.connect)).min(begin_by),
            head_by: (now + head).min(content_by).min(begin_by),
            content_by: content_by.min(begin_by),
            idle: route.idle.unwrap_or(own.idle),
            deadline,
            hedge_at: Moment::NEVER,
        })
    }
}

/// Keeps the draws of the ramp apart from the order of keys.
const RAMP_SALT: u64 = 1 << 33;
/// Spilling is drawn for itself.
const SPILL_SALT: u64 = 1 << 34;
/// All of something, in parts per million.
const ALL_PPM: u64 = 1_000_000;
/// A target with twenty requests a second draws a probe about once in this time at a share of 5 %.
const PROBE_DUE: Span = Span::from_secs(1);

/// Whether this request is of the part that a target on the ramp has back. What goes by a key goes by the key here, too:
/// a larger part has all the keys of a smaller one, so that each of them moves once.
fn is_of_the_part(
    now: Moment,
    view: &View<'_>,
    index: usize,
    pick: &Pick,
    draw: Draw,
    core: &Core,
) -> bool {
    let candidate = view.candidates.get(index);
    let Some(cell) = candidate.and_then(|it| core.board.cell(it.target)) else {
        return false;
    };
    let word = cell.gate(core.index).map(Gate::word);
    let Some(word) = word.filter(|word| word.state == State::Ramp) else {
        return true;
    };
    let own = hash::mix(own(draw, pick), cell.name_hash ^ RAMP_SALT);
    hash::scale(own, 1_000_000) < u64::from(cell.rules.ramp_share(word, now))
}

/// The key that the request goes by, if it does.
const fn key(draw: Draw, pick: &Pick) -> Option<u64> {
    match (draw.sticky, pick) {
        (None, Pick::Hash(_)) => Some(draw.affinity),
        (key, _) => key,
    }
}

/// What decides for a request that may stand aside: its key, so that the same conversations do; else its chance.
fn own(draw: Draw, pick: &Pick) -> u64 {
    key(draw, pick).unwrap_or(draw.chance)
}

/// The usable members of tiers that this request leaves to others: all of a tier because more than a part of its places is
/// taken, the fuller it is the more requests, and all when it is full; or those that are slow, by their parts. A tier spills
/// only where a later one has somebody left.
fn spilt(view: &View<'_>, survey: &Survey, spill: &Spill, draw: Draw, core: &Core) -> u64 {
    let (mut first, mut spilt) = (0_usize, 0);
    for (tier, rules) in view.serve.tiers.iter().enumerate() {
        let after = first.saturating_add(rules.members.len());
        let members = below(after) & !below(first);
        first = after;
        if survey.usable & survey.tiers & !below(after) == 0 {
            break;
        }
        let chance = hash::mix(own(draw, &rules.pick), SPILL_SALT ^ tier as u64);
        let overflows = |above: u32| {
            let above = u64::from(above);
            let taken = saturation(view, survey, members, core).unwrap_or_default();
            hash::scale(chance, ALL_PPM.saturating_sub(above)) < taken.saturating_sub(above)
        };
        if spill.saturation.is_some_and(overflows) {
            spilt |= members & survey.usable;
        } else if !spill.slow.is_empty() {
            // The same requests leave each of them, or those of two slow ones would only change places.
            for index in bits(members & survey.usable) {
                let candidate = view.candidates.get(index);
                let cell = candidate.and_then(|it| core.board.cell(it.target));
                let part = cell.map_or(0, |cell| cell.spilt(spill));
                if hash::scale(chance, ALL_PPM) < u64::from(part) {
                    spilt |= bit(index);
                }
            }
        }
    }
    spilt
}

/// How much of the places of a tier is taken, in parts per million. Who is passed over has no places, unless it is passed
/// over for being full. `None` where a usable one has no bound, or nobody has places.
fn saturation(view: &View<'_>, survey: &Survey, members: u64, core: &Core) -> Option<u64> {
    let (mut taken, mut places) = (0_u64, 0_u64);
    for index in bits(members) {
        let cell = core.board.cell(view.candidates.get(index)?.target)?;
        let inflight = cell.inflight.load(Relaxed);
        let usable = survey.usable & bit(index) != 0;
        match cell.max_inflight() {
            Some(max) if usable || inflight >= max => {
                places = places.saturating_add(u64::from(max));
                taken = taken.saturating_add(u64::from(inflight));
            }
            None if usable => return None,
            _ => {}
        }
    }
    taken.saturating_mul(ALL_PPM).checked_div(places)
}

/// The set of all indices below `count`.
fn below(count: usize) -> u64 {
    bit(count).wrapping_sub(1)
}

fn can_jump(to: TargetId, from: TargetId, view: &View<'_>, survey: &Survey) -> bool {
    to != from
        && view
            .candidates
            .iter()
            .position(|candidate| candidate.target == to)
            .is_some_and(|index| (survey.usable | survey.half) & bit(index) != 0)
}

/// What an attempt holds while it runs, besides its place in flight.
struct Held {
    epoch: u32,
    token: Option<Token>,
    /// The key; and whether it, or the model, is tested.
    taken: Taken,
    /// The provider whose keys take turns.
    rotates: Option<ProviderId>,
}

/// Takes all that an attempt needs, or nothing: a place in flight, a token if the target is half-open, a key, and the
/// turn to test a key or a model whose rest is over.
fn hold(
    now: Moment,
    cell: &Cell,
    core: &Core,
    deadline: Moment,
    draw: KeyDraw,
    lifeline: bool,
) -> Result<Held, (PassedOver, Moment)> {
    let gate = cell
        .gate(core.index)
        .ok_or((PassedOver::BreakerOpen, Moment::NEVER))?;
    let packed = cell.packed(core.index, cell.pause.order.order());
    let mut token = None;
    if !passes(packed) && !lifeline {
        let word = Word::unpack(packed);
        if word.state == State::Open {
            return Err((PassedOver::BreakerOpen, word.until));
        }
        token = gate.take(word, now, deadline, &cell.rules);
        if token.is_none() {
            return Err((PassedOver::BreakerOpen, now + BUSY_HINT));
        }
    }
    let taken = claim(now, cell, core, deadline, draw);
    if let (Err(_), Some(token)) = (taken, token) {
        gate.give_back(token);
    }
    taken.map(|taken| Held {
        epoch: epoch_of(packed),
        token,
        taken,
        rotates: (cell.key_pick == KeyPick::RoundRobin).then_some(cell.provider),
    })
}

/// A place in flight, and a key for it.
fn claim(
    now: Moment,
    cell: &Cell,
    core: &Core,
    deadline: Moment,
    draw: KeyDraw,
) -> Result<Taken, (PassedOver, Moment)> {
    let before = cell.inflight.fetch_add(1, Relaxed);
    let taken = if cell.is_full(before) {
        Err(PassedOver::AtCapacity)
    } else if let Some(model) = cell.pause.gone.claim(now, deadline) {
        // A turn to test the model lapses at the deadline if there is no key.
        let taken = cell.claim_key(now, deadline, &core.board, draw);
        taken.ok_or(PassedOver::KeyOut).map(|taken| match model {
            Turn::Free => taken,
            Turn::Test => Taken {
                turn: model,
                ..taken
            },
        })
    } else {
        Err(PassedOver::ModelGone)
    };
    taken.map_err(|reason| {
        cell.inflight.fetch_sub(1, Relaxed);
        (reason, now + BUSY_HINT)
    })
}
