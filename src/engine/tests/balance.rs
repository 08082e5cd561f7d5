//! Picks: shares within bounds, keys that stay, and nobody left out for ever.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::{ProptestConfig, Strategy, prop, prop_assert, prop_assert_eq, proptest};
use proptest::test_runner::RngSeed;

use crate::base::{Outcome, Span, TargetId, hash};
use crate::engine::tests::world::{MS, Setup, World, target};
use crate::policy::model::{MaxInflight, Pick, Spill};

fn one_tier(pick: Pick, weights: Vec<u32>) -> World {
    Setup {
        tiers: vec![(pick, weights)],
        ..Setup::default()
    }
    .build()
}

/// Spills above this part of a tier's places.
const fn above(saturation: u32) -> Spill {
    Spill {
        saturation: Some(saturation),
        slow: Vec::new(),
    }
}

/// Where `count` requests go, whose candidates are masked by these bits.
fn spread(world: &mut World, count: u64, forbidden: u64) -> BTreeMap<TargetId, u64> {
    let mut counts = BTreeMap::new();
    for i in 0..count {
        world.affinity = hash::mix(77, i);
        let mut chain = world.masked(forbidden);
        *counts
            .entry(world.attempt(&mut chain, 0).target)
            .or_insert(0) += 1;
        world.end(&mut chain, 0, Outcome::Ok);
    }
    counts
}

/// Where the key goes.
fn home(world: &mut World, key: u64, forbidden: u64) -> TargetId {
    world.affinity = key;
    let mut chain = world.masked(forbidden);
    let home = world.attempt(&mut chain, 0).target;
    world.end(&mut chain, 0, Outcome::Ok);
    home
}

fn weights() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0_u32..100, 2..8)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })]

    #[test]
    fn shares_are_weights_over_what_is_left(weights in weights(), mask in 0_u64..256, which in 0_usize..3) {
        let pick = [Pick::Weighted, Pick::RoundRobin, Pick::Hash(Vec::new())][which].clone();
        let all = (1_u64 << weights.len()) - 1;
        let left: Vec<usize> = (0..weights.len()).filter(|i| !mask & all & 1 << i != 0).collect();
        if left.is_empty() {
            return Ok(());
        }
        let total: u32 = left.iter().map(|&i| weights[i]).sum();
        let mut world = one_tier(pick, weights.clone());
        let n = 2_000_u32;
        let counts = spread(&mut world, u64::from(n), mask & all);
        prop_assert_eq!(counts.values().sum::<u64>(), u64::from(n));
        for i in left {
            let got = counts.get(&TargetId(u16::try_from(i).unwrap())).copied().unwrap_or(0);
            if total == 0 {
                prop_assert!(got > 0);
                continue;
            }
            let share = f64::from(weights[i]) / f64::from(total);
            let expected = f64::from(n) * share;
            // Six standard deviations, and one request of rounding.
            let bound = 6.0 * (expected * (1.0 - share)).sqrt() + 1.0;
            #[expect(clippy::cast_precision_loss, reason = "counts below 2^52")]
            let off = (got as f64 - expected).abs();
            prop_assert!(off <= bound, "{} of {}: {} instead of {}", i, n, got, expected);
            prop_assert!(weights[i] != 0 || got == 0);
        }
    }

    #[test]
    fn a_target_that_leaves_takes_only_its_own_keys(weights in weights(), gone in 0_usize..8) {
        let gone = gone % weights.len();
        let mut world = one_tier(Pick::Hash(Vec::new()), weights);
        for key in 0..200 {
            let key = hash::mix(9, key);
            let before = home(&mut world, key, 0);
            let after = home(&mut world, key, 1 << gone);
            prop_assert!(after.index() != gone);
            prop_assert!(before == after || before.index() == gone);
        }
    }
}

#[test]
fn round_robin_is_smooth() {
    let mut world = one_tier(Pick::RoundRobin, vec![5, 1, 1]);
    let order: Vec<u16> = (0..7)
        .map(|_| world.once(Outcome::Ok).unwrap().target.0)
        .collect();
    assert_eq!(order, [0, 0, 1, 0, 2, 0, 0]);
}

#[test]
fn weight_zero_is_for_when_nothing_else_is_left() {
    for pick in [
        Pick::Weighted,
        Pick::RoundRobin,
        Pick::LeastBusy,
        Pick::LeastLatency,
    ] {
        let mut world = one_tier(pick, vec![1, 0]);
        for _ in 0..100 {
            assert_eq!(world.once(Outcome::Ok).unwrap().target, target('a'));
        }
        world.open('a');
        assert_eq!(world.once(Outcome::Ok).unwrap().target, target('b'));
    }
}

#[test]
fn the_less_busy_of_two_goes() {
    let mut world = Setup {
        tiers: vec![(Pick::LeastBusy, vec![1, 1])],
        max_inflight: Some(MaxInflight::Fixed(50)),
        ..Setup::default()
    }
    .build();
    let mut chains: Vec<_> = (0..60).map(|_| world.chain()).collect();
    for chain in &mut chains {
        world.attempt(chain, 0);
        let [a, b] = ['a', 'b'].map(|name| world.status(name).inflight);
        assert!(a.abs_diff(b) <= 1);
    }
    for chain in &mut chains {
        world.abandon(chain, 0);
    }
}

/// Above the line the next tier gets its part, which grows with what is taken, before anybody is full.
#[test]
fn a_tier_spills_part_of_its_load() {
    let mut world = Setup {
        tiers: vec![(Pick::LeastBusy, vec![1, 1]), (Pick::Weighted, vec![1])],
        max_inflight: Some(MaxInflight::Fixed(100)),
        spill: Some(above(500_000)),
        ..Setup::default()
    }
    .build();
    let mut chains: Vec<_> = (0..220).map(|_| world.chain()).collect();
    let mut first_spilt = None;
    for (index, chain) in chains.iter_mut().enumerate() {
        if world.attempt(chain, 0).target == target('c') {
            first_spilt.get_or_insert(index);
        }
    }
    let [a, b, c] = ['a', 'b', 'c'].map(|name| world.status(name).inflight);
    // Half of two hundred places are taken before the first one leaves; nobody is full at the end.
    assert!(
        first_spilt.is_some_and(|first| (101..130).contains(&first)),
        "{first_spilt:?}"
    );
    assert!(a < 100 && b < 100 && c > 20, "{a} {b} {c}");
    for chain in &mut chains {
        world.abandon(chain, 0);
    }
}

/// One member is full and the other empty: half of the tier's places are taken, and that is not above the line.
#[test]
fn a_full_member_has_places_too() {
    let mut world = Setup {
        tiers: vec![(Pick::Weighted, vec![1, 0]), (Pick::Weighted, vec![1])],
        max_inflight: Some(MaxInflight::Fixed(10)),
        spill: Some(above(900_000)),
        ..Setup::default()
    }
    .build();
    let mut chains: Vec<_> = (0..18).map(|_| world.chain()).collect();
    let went: Vec<_> = chains
        .iter_mut()
        .map(|chain| world.attempt(chain, 0).target)
        .collect();
    // Member `b` is 80 % full at the end, the tier 90 %.
    assert_eq!(went, [vec![target('a'); 10], vec![target('b'); 8]].concat());
    for chain in &mut chains {
        world.abandon(chain, 0);
    }
}

/// Who has left at some saturation leaves at a higher one, too.
#[test]
fn the_same_keys_spill_first() {
    let mut world = Setup {
        tiers: vec![(Pick::Weighted, vec![1]), (Pick::Weighted, vec![1])],
        max_inflight: Some(MaxInflight::Fixed(100)),
        spill: Some(above(500_000)),
        ..Setup::default()
    }
    .build();
    let mut held = Vec::new();
    let mut gone = [false; 64];
    for fill in [60, 75, 90] {
        world.sticky = None;
        while world.status('a').inflight < fill {
            let mut chain = world.chain();
            world.attempt(&mut chain, 0);
            held.push(chain);
        }
        for (key, left) in (0_u64..).zip(&mut gone) {
            let mut chain = sticky(&mut world, hash::mix(9, key));
            let leaves = world.attempt(&mut chain, 0).target == target('b');
            world.abandon(&mut chain, 0);
            assert!(leaves || !*left, "key {key} came back at {fill}");
            *left = leaves;
        }
        let count = gone.iter().filter(|&&left| left).count();
        let expected = 64 * (fill as usize - 50) / 50;
        assert!(count.abs_diff(expected) <= 12, "{count} at {fill}");
    }
    for chain in &mut held {
        world.abandon(chain, 0);
    }
}

/// A request for which nobody else is left stays.
#[test]
fn what_finds_no_place_in_the_next_tier_stays() {
    let mut world = Setup {
        tiers: vec![(Pick::Weighted, vec![1]), (Pick::Weighted, vec![1])],
        max_inflight: Some(MaxInflight::Fixed(4)),
        spill: Some(above(10_000)),
        ..Setup::default()
    }
    .build();
    let mut chains: Vec<_> = (0..8).map(|_| world.chain()).collect();
    for chain in &mut chains {
        world.attempt(chain, 0);
    }
    assert_eq!(['a', 'b'].map(|name| world.status(name).inflight), [4, 4]);
    for chain in &mut chains {
        world.abandon(chain, 0);
    }
}

#[test]
fn without_a_capacity_busy_is_measured_by_weight() {
    let mut world = one_tier(Pick::LeastBusy, vec![3, 1]);
    let mut chains: Vec<_> = (0..40).map(|_| world.chain()).collect();
    for chain in &mut chains {
        world.attempt(chain, 0);
    }
    assert!(world.status('a').inflight.abs_diff(30) <= 1);
    for chain in &mut chains {
        world.abandon(chain, 0);
    }
}

#[test]
fn the_fastest_goes_and_the_others_are_not_forgotten() {
    let mut world = one_tier(Pick::LeastLatency, vec![1, 1, 1]);
    let mut counts = [0_u32; 3];
    let mut first = Vec::new();
    for i in 0..3_200 {
        let mut chain = world.chain();
        let index = world.attempt(&mut chain, 0).target.index();
        if i < 3 {
            first.push(index);
        }
        counts[index] += 1;
        world.now = world.now + [Span::from_millis(30), Span::from_millis(10), MS][index];
        world.content(&mut chain, 0);
        world.end(&mut chain, 0, Outcome::Ok);
    }
    first.sort_unstable();
    assert_eq!(
        first,
        [0, 1, 2],
        "each is asked once before any is asked twice"
    );
    // One in sixteen is spread over all three: 67 each.
    assert!(
        (40..100).contains(&counts[0]) && (40..100).contains(&counts[1]),
        "{counts:?}"
    );
}

#[test]
fn nobody_follows_to_a_target_that_has_not_answered_yet() {
    let mut world = one_tier(Pick::LeastLatency, vec![1; 8]);
    let mut chains: Vec<_> = (0..8).map(|_| world.chain()).collect();
    let asked: BTreeSet<_> = chains
        .iter_mut()
        .map(|chain| world.attempt(chain, 0).target)
        .collect();
    assert_eq!(asked.len(), 8);
    for chain in &mut chains {
        world.abandon(chain, 0);
    }
}

/// A chain of a request with this key.
fn sticky(world: &mut World, key: u64) -> crate::engine::Chain {
    world.sticky = Some(key);
    world.chain()
}

#[test]
fn a_sticky_key_stays_until_its_target_is_ill_and_comes_back_when_it_has_passed() {
    for strategy in [
        Pick::Weighted,
        Pick::RoundRobin,
        Pick::LeastBusy,
        Pick::LeastLatency,
    ] {
        let mut world = one_tier(strategy, vec![3, 1, 2]);
        let key = 11;
        let mut first = sticky(&mut world, key);
        let home = world.attempt(&mut first, 0).target;
        world.end(&mut first, 0, Outcome::S5xx);
        // The next one in its own order, the same for each of its requests.
        let next = world.attempt(&mut first, 0).target;
        world.end(&mut first, 0, Outcome::Ok);
        assert_ne!(home, next);
        for _ in 0..4 {
            let mut chain = sticky(&mut world, key);
            assert_eq!(world.attempt(&mut chain, 0).target, home);
            world.end(&mut chain, 0, Outcome::S5xx);
            assert_eq!(world.attempt(&mut chain, 0).target, next);
            world.end(&mut chain, 0, Outcome::Ok);
        }
        // Five failures in a row: open.
        for _ in 0..4 {
            let mut chain = sticky(&mut world, key);
            assert_eq!(world.attempt(&mut chain, 0).target, next);
            world.end(&mut chain, 0, Outcome::Ok);
        }
    }
}

#[test]
fn sticky_keys_spread_by_weight_and_requests_without_one_are_picked() {
    let mut world = one_tier(Pick::RoundRobin, vec![3, 1]);
    let mut counts = [0_u32; 2];
    for key in 0..2_000 {
        let mut chain = sticky(&mut world, hash::mix(5, key));
        counts[world.attempt(&mut chain, 0).target.index()] += 1;
        world.end(&mut chain, 0, Outcome::Ok);
    }
    assert!((1_400..1_600).contains(&counts[0]), "{counts:?}");
    world.sticky = None;
    let turns: Vec<_> = (0..8)
        .map(|_| {
            let mut chain = world.chain();
            let target = world.attempt(&mut chain, 0).target.index();
            world.end(&mut chain, 0, Outcome::Ok);
            target
        })
        .collect();
    assert_eq!(
        turns.iter().filter(|&&target| target == 1).count(),
        2,
        "{turns:?}"
    );
}
