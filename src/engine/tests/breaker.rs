//! The breaker in the situations it is made for: what opens it, who sees that, and how it comes back.

use crate::base::{Outcome, Span, TargetId};
use crate::engine::tests::world::{MS, SECOND, Setup, World, breaker};
use crate::engine::{Rule, State};
use crate::policy::model::{Breaker, Measure, Pick, PromptSize, SlowRule};

#[test]
fn an_error_rate_opens_at_the_first_tick_after_it() {
    let mut world = Setup {
        breaker: Breaker {
            consecutive: None,
            ..breaker()
        },
        ..Setup::default()
    }
    .build();
    for i in 0..20 {
        world.once(if i % 3 == 0 {
            Outcome::S5xx
        } else {
            Outcome::Ok
        });
        assert_eq!(world.status('a').state, State::Closed);
    }
    let changed = world.pass(Span::from_millis(100));
    assert_eq!(changed.len(), 1);
    assert_eq!(
        (changed[0].from, changed[0].to),
        (State::Closed, State::Open)
    );
    assert_eq!(changed[0].why, Some(Rule::ErrorRate));
    assert!(world.pass(Span::from_millis(100)).is_empty());
}

#[test]
fn what_a_core_opened_the_others_see_at_once_and_the_tick_reports() {
    let mut world = Setup {
        cores: 2,
        ..Setup::default()
    }
    .build();
    for core in [0, 1, 0, 1, 0] {
        let mut chain = world.chain();
        assert_eq!(world.attempt(&mut chain, core).target, TargetId(0));
        world.end(&mut chain, core, Outcome::Connect);
    }
    let mut chain = world.chain();
    assert_eq!(world.attempt(&mut chain, 1).target, TargetId(1));
    world.end(&mut chain, 1, Outcome::Ok);
    let changed = world.pass(MS);
    assert_eq!(changed[0].why, Some(Rule::Consecutive));
}

#[test]
fn a_core_of_its_own_judges_by_its_own_counts() {
    let own = Breaker {
        per_core: true,
        ..breaker()
    };
    let mut world = Setup {
        cores: 2,
        breaker: own,
        ..Setup::default()
    }
    .build();
    for _ in 0..5 {
        world.once(Outcome::S5xx);
    }
    let changed = world.pass(Span::from_millis(100));
    assert_eq!(changed[0].core, Some(0));
    let mut chain = world.chain();
    assert_eq!(world.attempt(&mut chain, 1).target, TargetId(0));
    world.abandon(&mut chain, 1);
    assert_eq!(world.once(Outcome::Ok).unwrap().target, TargetId(1));
}

#[test]
fn outcomes_that_are_not_ill_health_never_open() {
    let eager = Breaker {
        min_requests: 1,
        consecutive: Some(1),
        ..breaker()
    };
    let mut world = Setup {
        breaker: eager,
        ..Setup::default()
    }
    .build();
    for outcome in [
        Outcome::S4xx,
        Outcome::ContextExceeded,
        Outcome::ContentFilter,
    ] {
        for _ in 0..50 {
            assert_eq!(world.once(outcome).unwrap().target, TargetId(0));
        }
        world.pass(SECOND);
        assert_eq!(world.status('a').state, State::Closed);
        assert_eq!(world.status('a').requests, 0);
    }
}

#[test]
fn a_probe_that_never_reports_does_not_hold_the_breaker() {
    let one = Breaker {
        probes: 1,
        need: 1,
        ..breaker()
    };
    let mut world = Setup {
        tiers: vec![(Pick::Weighted, vec![1])],
        breaker: one,
        ..Setup::default()
    }
    .build();
    world.half_open('a');
    let mut lost = world.chain();
    assert!(world.attempt(&mut lost, 0).probe);
    assert!(world.once(Outcome::Ok).is_none());
    world.pass(Span::from_secs(60));
    assert!(
        world.once(Outcome::Ok).is_none(),
        "the deadline has a grace for the report"
    );
    world.pass(Span::from_secs(2));
    assert!(world.once(Outcome::Ok).unwrap().probe);
    assert_eq!(world.status('a').state, State::Ramp);
    // The report comes after all: it has no say any more.
    world.end(&mut lost, 0, Outcome::S5xx);
    assert_eq!(world.status('a').state, State::Ramp);
}

#[test]
fn probes_need_somewhere_else_to_go_and_keep_their_share() {
    let mut world = Setup::default().build();
    world.half_open('a');
    let mut probes = 0_u32;
    for _ in 0..10_000 {
        let mut chain = world.chain();
        let attempt = world.attempt(&mut chain, 0);
        probes += u32::from(attempt.probe);
        world.abandon(&mut chain, 0);
    }
    // 5 % of 10,000, five standard deviations either way.
    assert!((390..610).contains(&probes), "{probes}");
    // With nowhere else to go, and while that is not for long, nobody probes.
    let mut world = Setup {
        attempts_max: 1,
        ..Setup::default()
    }
    .build();
    world.half_open('a');
    for _ in 0..1_000 {
        assert!(!world.once(Outcome::S4xx).unwrap().probe);
    }
    world.pass(Span::from_secs(121));
    let probes = (0..1_000)
        .filter(|_| world.once(Outcome::S4xx).unwrap().probe)
        .count();
    assert!(probes > 0);
}

/// At one request in four seconds a share of 5 % is drawn once in eighty seconds.
#[test]
fn a_quiet_target_is_probed_by_whoever_comes() {
    let mut world = Setup::default().build();
    world.half_open('a');
    world.pass(SECOND);
    for _ in 0..2 {
        let mut chain = world.chain();
        assert!(world.attempt(&mut chain, 0).probe);
        world.end(&mut chain, 0, Outcome::Ok);
    }
    assert_eq!(world.status('a').state, State::Ramp);
}

/// One at a time, over all cores, and each of them must succeed.
#[test]
fn probes_go_one_after_the_other() {
    let mut world = Setup {
        cores: 2,
        ..Setup::default()
    }
    .build();
    world.half_open('a');
    world.pass(SECOND);
    for won in 0..2 {
        assert_eq!(world.status('a').state, State::HalfOpen, "{won}");
        let mut probe = world.chain();
        assert!(world.attempt(&mut probe, 0).probe);
        for core in [0, 1] {
            let mut other = world.chain();
            assert_eq!(world.attempt(&mut other, core).target, TargetId(1));
            world.end(&mut other, core, Outcome::Ok);
        }
        world.end(&mut probe, 0, Outcome::Ok);
    }
    assert_eq!(world.status('a').state, State::Ramp);
}

#[test]
fn a_probe_that_fails_is_repeated_elsewhere_at_once() {
    let mut world = Setup::default().build();
    world.half_open('a');
    world.pass(SECOND);
    let mut chain = world.chain();
    assert!(world.attempt(&mut chain, 0).probe);
    world.end(&mut chain, 0, Outcome::S5xx);
    let second = world.attempt(&mut chain, 0);
    assert_eq!((second.target, second.probe), (TargetId(1), false));
    assert_eq!(world.status('a').state, State::Open);
    world.end(&mut chain, 0, Outcome::Ok);
}

/// Wins all probes of `a`, which is half open.
fn cured(world: &mut World) {
    world.pass(SECOND);
    while world.status('a').state == State::HalfOpen {
        assert!(world.once(Outcome::Ok).unwrap().probe);
    }
    assert_eq!(world.status('a').state, State::Ramp);
}

/// Of 10,000 requests as many as went to `a`, and back.
fn part_of_a(world: &mut World) -> u32 {
    let mut part = 0;
    for _ in 0..10_000 {
        let mut chain = world.chain();
        part += u32::from(world.attempt(&mut chain, 0).target == TargetId(0));
        world.abandon(&mut chain, 0);
    }
    part
}

#[test]
fn a_target_gets_its_weight_back_in_steps() {
    // Alone in its tier it has all of it; beside one of three times its weight a quarter.
    for (tiers, whole) in [
        (
            vec![(Pick::Weighted, vec![1]), (Pick::Weighted, vec![1])],
            10_000,
        ),
        (vec![(Pick::Weighted, vec![1, 3])], 2_500),
        (vec![(Pick::RoundRobin, vec![1, 3])], 2_500),
    ] {
        let mut world = Setup {
            tiers,
            ..Setup::default()
        }
        .build();
        world.half_open('a');
        cured(&mut world);
        let mut changed = Vec::new();
        for percent in [1_u32, 5, 25] {
            assert_eq!(world.status('a').ramp, Some(percent * 10_000));
            let part = part_of_a(&mut world);
            let wanted = whole * percent / 100;
            // Five standard deviations.
            let noise = 5 * wanted.isqrt() + 5;
            assert!(part.abs_diff(wanted) <= noise, "{percent} %: {part}");
            changed.extend(world.pass(SECOND));
        }
        let told: Vec<_> = changed.iter().map(|it| (it.from, it.to)).collect();
        let wanted = [(State::HalfOpen, State::Ramp), (State::Ramp, State::Closed)];
        assert_eq!(told, wanted);
        assert_eq!(world.status('a').ramp, None);
        let part = part_of_a(&mut world);
        assert!(part.abs_diff(whole) <= 5 * whole.isqrt(), "{part}");
    }
}

#[test]
fn a_lone_target_on_the_ramp_takes_everything() {
    let mut world = Setup {
        tiers: vec![(Pick::Weighted, vec![1, 1])],
        ..Setup::default()
    }
    .build();
    world.half_open('a');
    cured(&mut world);
    world.open('b');
    assert_eq!(part_of_a(&mut world), 10_000);
    // Two of them share by weight what none of them may take by its part.
    let mut world = Setup {
        tiers: vec![(Pick::Weighted, vec![1, 1])],
        ..Setup::default()
    }
    .build();
    world.half_open('b');
    world.pass(SECOND);
    while world.status('b').state == State::HalfOpen {
        world.once(Outcome::Ok);
    }
    world.half_open('a');
    let mut on_a = 0;
    while world.status('a').state == State::HalfOpen {
        on_a += u32::from(world.once(Outcome::Ok).unwrap().target == TargetId(0));
        world.pass(SECOND);
    }
    assert!(on_a >= 2);
    assert!(world.status('b').state.passes());
}

#[test]
fn ill_health_on_the_ramp_opens_again_for_longer() {
    let mut world = Setup::default().build();
    world.half_open('a');
    cured(&mut world);
    let opened = world.status('a').opened;
    while world.status('a').state == State::Ramp {
        world.once(Outcome::S5xx);
    }
    let status = world.status('a');
    assert_eq!((status.state, status.opened), (State::Open, opened + 1));
    assert_eq!(status.why, Some(Rule::Consecutive));
    let length = status.until.unwrap().since(world.now).as_millis();
    assert!((27_000..=33_001).contains(&length), "{length}");
}

#[test]
fn what_was_counted_on_the_ramp_counts_when_it_is_over() {
    let mut world = Setup {
        tiers: vec![(Pick::Weighted, vec![1])],
        breaker: Breaker {
            consecutive: None,
            need: 1,
            ..breaker()
        },
        ..Setup::default()
    }
    .build();
    world.half_open('a');
    cured(&mut world);
    for _ in 0..10 {
        world.once(Outcome::S5xx);
    }
    let mut across = world.chain();
    world.attempt(&mut across, 0);
    world.pass(Span::from_secs(3));
    assert_eq!(world.status('a').state, State::Closed);
    world.end(&mut across, 0, Outcome::S5xx);
    for _ in 0..9 {
        world.once(Outcome::Ok);
    }
    let changed = world.pass(Span::from_millis(100));
    assert_eq!(changed[0].why, Some(Rule::ErrorRate));
    assert_eq!(world.status('a').opened, 2);
}

/// A key stays elsewhere until its target is back, and comes back once.
#[test]
fn keys_return_after_the_probes_and_each_of_them_once() {
    for pick in [Pick::Weighted, Pick::Hash(Vec::new())] {
        let by_hash = pick != Pick::Weighted;
        let mut world = Setup {
            tiers: vec![(pick, vec![1, 1])],
            breaker: Breaker {
                need: 1,
                ..breaker()
            },
            ..Setup::default()
        }
        .build();
        let place = |world: &mut World, key: u64| {
            let key = crate::base::hash::mix(key, 3);
            if by_hash {
                world.affinity = key;
            } else {
                world.sticky = Some(key);
            }
            let mut chain = world.chain();
            let attempt = world.attempt(&mut chain, 0);
            world.abandon(&mut chain, 0);
            (attempt.target == TargetId(0), attempt.probe)
        };
        let keys = 0..1_000_u64;
        let home: Vec<bool> = keys.clone().map(|key| place(&mut world, key).0).collect();
        world.half_open('a');
        world.pass(SECOND);
        let probe = (0..100).find_map(|key| {
            world.sticky = (!by_hash).then_some(key);
            world.affinity = key;
            let mut chain = world.chain();
            if world.attempt(&mut chain, 0).probe {
                return Some(chain);
            }
            world.abandon(&mut chain, 0);
            None
        });
        let mut probe = probe.unwrap();
        for key in keys.clone() {
            assert_eq!(
                place(&mut world, key),
                (false, false),
                "while it is half open"
            );
        }
        world.end(&mut probe, 0, Outcome::Ok);
        let mut back = vec![false; home.len()];
        for percent in [1_usize, 5, 25, 100] {
            let now: Vec<bool> = keys.clone().map(|key| place(&mut world, key).0).collect();
            for ((&now, &before), &home) in now.iter().zip(&back).zip(&home) {
                assert!(now >= before && now <= home, "{percent} %");
            }
            let part = now.iter().filter(|back| **back).count();
            let wanted = home.iter().filter(|home| **home).count() * percent / 100;
            assert!(
                part.abs_diff(wanted) <= 5 * wanted.isqrt() + 5,
                "{percent} %: {part}"
            );
            back = now;
            world.pass(SECOND);
        }
        assert_eq!(back, home);
    }
}

#[test]
fn cool_downs_grow_to_the_longest_and_shrink_after_a_steady_time() {
    let one = Breaker {
        probes: 1,
        need: 1,
        consecutive: Some(1),
        ..breaker()
    };
    let mut world = Setup {
        tiers: vec![(Pick::Weighted, vec![1])],
        breaker: one,
        ..Setup::default()
    }
    .build();
    let mut lengths = Vec::new();
    let opens = |world: &mut World| {
        world.once(Outcome::S5xx);
        let until = world.status('a').until.unwrap();
        let length = until.since(world.now);
        world.pass(length);
        length.as_secs()
    };
    for _ in 0..5 {
        lengths.push(opens(&mut world));
    }
    for (length, plain) in lengths.iter().zip([15_u64, 30, 60, 120, 120]) {
        assert!(length.abs_diff(plain) <= plain / 10 + 1, "{lengths:?}");
    }
    // It closes and opens again soon: still long. After a steady time: short.
    let closes = |world: &mut World| {
        world.once(Outcome::Ok);
        world.pass(Span::from_secs(3));
        assert_eq!(world.status('a').state, State::Closed);
    };
    closes(&mut world);
    assert!(opens(&mut world) > 100);
    closes(&mut world);
    world.pass(Span::from_secs(121));
    assert!(opens(&mut world) < 20);
}

#[test]
fn counts_of_an_old_epoch_do_not_count_in_the_new_one() {
    let one = Breaker {
        probes: 1,
        need: 1,
        min_requests: 1,
        consecutive: Some(9),
        ..breaker()
    };
    let mut world = Setup {
        breaker: one,
        ..Setup::default()
    }
    .build();
    let mut old: Vec<_> = (0..8).map(|_| world.chain()).collect();
    for chain in &mut old {
        world.attempt(chain, 0);
    }
    world.half_open('a');
    while world.status('a').state == State::HalfOpen {
        world.once(Outcome::Ok);
        world.pass(SECOND);
    }
    for chain in &mut old {
        world.end(chain, 0, Outcome::Timeout);
    }
    world.pass(Span::from_millis(100));
    assert_eq!(world.status('a').state, State::Ramp);
    assert_eq!(world.status('a').failures, 0);
}

#[test]
fn a_percentile_is_a_count_of_slow_answers() {
    let slow = |limit| SlowRule {
        measure: Measure::Ttft,
        prompts: None,
        percentile: 950_000,
        limit: Span::from_millis(limit),
    };
    let rules = Breaker {
        slow: vec![slow(9_000), slow(1_200)],
        ..breaker()
    };
    for (slow_ones, opens) in [(5, false), (6, true)] {
        let mut world = Setup {
            breaker: rules.clone(),
            ..Setup::default()
        }
        .build();
        for i in 0..100 {
            let mut chain = world.chain();
            world.attempt(&mut chain, 0);
            let begun = world.now;
            world.now = begun + Span::from_millis(if i < slow_ones { 1_201 } else { 1_200 });
            world.content(&mut chain, 0);
            world.end(&mut chain, 0, Outcome::Ok);
            world.now = begun;
        }
        world.pass(Span::from_millis(100));
        let status = world.status('a');
        assert_eq!(status.state == State::Open, opens, "{slow_ones}");
        assert!(!opens || status.why == Some(Rule::Slow(Measure::Ttft, 1, PromptSize::Short)));
    }
}
