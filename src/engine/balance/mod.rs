//! Which member of a tier: the strategies of `pick = …`.
//!
//! All of them are functions of the members that are left (a set of bits over the route's candidates), so weights
//! renormalise over these and the ratios between survivors stay. Where chance decides, it comes from the request's id
//! and not from a generator: a recorded request can be asked again where it would have gone.

mod rendezvous;

use std::sync::atomic::Ordering::Relaxed;

use crate::base::{RouteId, Span, hash};
use crate::engine::core::Core;
use crate::policy::Candidate;
use crate::policy::model::Pick;

use self::rendezvous::{clock, rings_before};

/// What a pick may go by besides the members.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draw {
    /// The route, whose turns round robin keeps.
    pub(crate) route: RouteId,
    /// This attempt's own chance.
    pub(crate) chance: u64,
    /// The key of `pick = hash(…)`.
    pub(crate) affinity: u64,
    /// The key of `sticky = hash(…)`, which goes before the strategy.
    pub(crate) sticky: Option<u64>,
}

/// The candidate that `pick` chooses among `members`; `None` if there are none. Members of weight 0 are left out as
/// long as there are others.
pub(crate) fn pick(
    pick: &Pick,
    mut members: u64,
    candidates: &[Candidate],
    draw: Draw,
    core: &mut Core,
) -> Option<usize> {
    // INVARIANT: no bit above the candidates.
    debug_assert!(
        members
            .checked_shr(u32::try_from(candidates.len()).unwrap_or(0))
            .unwrap_or(0)
            == 0
    );
    if let Some(key) = draw.sticky {
        return rendezvous(favoured(members, candidates), candidates, key, core);
    }
    // PERF: the usual strategy never draws weight 0 and needs no second look at the weights.
    if !matches!(pick, Pick::Weighted) {
        members = favoured(members, candidates);
    }
    if members.count_ones() <= 1 {
        return bits(members).next();
    }
    match pick {
        Pick::Weighted => weighted(members, candidates, draw.chance),
        Pick::RoundRobin => in_turn(members, candidates, core.turns(draw.route)),
        Pick::LeastBusy => least_busy(members, candidates, draw.chance, core),
        Pick::LeastLatency => least_latency(members, candidates, draw.chance, core),
        Pick::Hash(_) => rendezvous(members, candidates, draw.affinity, core),
    }
}

/// The indices in a set, ascending.
pub(crate) fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let index = set.trailing_zeros();
        set &= set.wrapping_sub(1);
        (index < u64::BITS).then_some(index as usize)
    })
}

/// The set of one index; empty for one that no set can hold.
pub(crate) fn bit(index: usize) -> u64 {
    u32::try_from(index)
        .ok()
        .and_then(|index| 1_u64.checked_shl(index))
        .unwrap_or(0)
}

/// The weights of a set together; each counts as one where all are zero.
pub(crate) fn weight_of(members: u64, candidates: &[Candidate]) -> u64 {
    weights(members, candidates).fold(0, |sum, (_, weight)| sum.saturating_add(u64::from(weight)))
}

/// Members with a weight, or all if none has one.
fn favoured(members: u64, candidates: &[Candidate]) -> u64 {
    let heavy = weights(members, candidates)
        .filter(|&(_, weight)| weight != 0)
        .fold(0, |set, (index, _)| set | bit(index));
    if heavy == 0 { members } else { heavy }
}

fn weights(members: u64, candidates: &[Candidate]) -> impl Iterator<Item = (usize, u32)> {
    bits(members).filter_map(|index| {
        candidates
            .get(index)
            .map(|candidate| (index, candidate.weight))
    })
}

/// By weight.
fn weighted(members: u64, candidates: &[Candidate], chance: u64) -> Option<usize> {
    let total = weight_of(members, candidates);
    if total == 0 {
        return nth(members, chance);
    }
    let mut point = hash::scale(chance, total);
    for (index, weight) in weights(members, candidates) {
        match point.checked_sub(u64::from(weight)) {
            Some(rest) => point = rest,
            None => return Some(index),
        }
    }
    None
}

/// Smoothly by weight, as nginx does it: everyone gains its weight, the richest goes and pays the total. 5:1:1 gives
/// `a a b a c a a` and never five in a row.
fn in_turn(members: u64, candidates: &[Candidate], turns: &mut [i64]) -> Option<usize> {
    let mut total = 0_i64;
    let mut best: Option<(usize, i64)> = None;
    for (index, weight) in weights(members, candidates) {
        let weight = i64::from(weight.max(1));
        total = total.saturating_add(weight);
        let turn = turns.get_mut(index)?;
        *turn = turn.saturating_add(weight);
        if best.is_none_or(|(_, most)| *turn > most) {
            best = Some((index, *turn));
        }
    }
    let (index, _) = best?;
    let turn = turns.get_mut(index)?;
    *turn = turn.saturating_sub(total);
    Some(index)
}

/// The less busy of two members drawn at random: nearly as good as the least busy of all, and many gateways that know
/// only their own load do not all run to the same one. Busy is requests in flight over capacity; over weight where one of the
/// two has no stated capacity.
fn least_busy(members: u64, candidates: &[Candidate], chance: u64, core: &Core) -> Option<usize> {
    let first = nth(members, chance)?;
    let second = nth(members & !bit(first), hash::mix(chance, 2))?;
    let load = |index: usize| {
        let candidate = candidates.get(index)?;
        let cell = core.board.cell(candidate.target)?;
        Some((
            u64::from(cell.inflight.load(Relaxed)),
            cell.max_inflight(),
            candidate.weight,
        ))
    };
    let (busy_a, room_a, weight_a) = load(first)?;
    let (busy_b, room_b, weight_b) = load(second)?;
    let (room_a, room_b) = room_a.zip(room_b).unwrap_or((weight_a, weight_b));
    // b is busier, or equally busy: busy_a / room_a <= busy_b / room_b without dividing.
    let a_wins = busy_a.saturating_mul(u64::from(room_b.max(1)))
        <= busy_b.saturating_mul(u64::from(room_a.max(1)));
    Some(if a_wins { first } else { second })
}

/// The smallest moving average; one request in sixteen goes by weight instead, so that a target that was slow once is
/// not forgotten. A target nobody has asked yet goes first, with one request: the next ones do not follow before it
/// has answered.
fn least_latency(
    members: u64,
    candidates: &[Candidate],
    chance: u64,
    core: &mut Core,
) -> Option<usize> {
    let speeds = &mut core.speeds;
    let mut unexplored = 0;
    let mut best: Option<(usize, Span)> = None;
    for index in bits(members) {
        let speed = speeds.get(candidates.get(index)?.target.index())?;
        match speed.ttft.value() {
            None if !speed.asked => unexplored |= bit(index),
            Some(ttft) if best.is_none_or(|(_, least)| ttft < least) => best = Some((index, ttft)),
            None | Some(_) => {}
        }
    }
    if let Some(index) = nth(unexplored, chance) {
        speeds.get_mut(candidates.get(index)?.target.index())?.asked = true;
        return Some(index);
    }
    match best {
        // The low bits decide whether, the high ones (in `weighted`) where to.
        Some((index, _)) if !chance.is_multiple_of(EXPLORE_ONE_IN) => Some(index),
        _ => weighted(members, candidates, chance),
    }
}

/// The same key goes to the same target while that one is left; without it, to its next one.
pub(crate) fn rendezvous(
    members: u64,
    candidates: &[Candidate],
    key: u64,
    core: &Core,
) -> Option<usize> {
    let mut best: Option<(usize, (u64, u32))> = None;
    for (index, weight) in weights(members, candidates) {
        let cell = core.board.cell(candidates.get(index)?.target)?;
        let mine = (clock(key, cell.name_hash), weight.max(1));
        if best.is_none_or(|(_, least)| rings_before(mine, least)) {
            best = Some((index, mine));
        }
    }
    best.map(|(index, _)| index)
}

/// One of a set, each as likely.
fn nth(set: u64, chance: u64) -> Option<usize> {
    let skip = hash::scale(chance, u64::from(set.count_ones()));
    bits(set).nth(usize::try_from(skip).ok()?)
}

const EXPLORE_ONE_IN: u64 = 16;
