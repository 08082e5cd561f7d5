//! One plan after another: what is known of targets and keys stays, what is said about something else goes.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::base::{Outcome, OutcomeSet, ProviderId, Span, TargetId};
use crate::engine::tests::world::{MS, SECOND, Setup, World, breaker, target};
use crate::engine::{KeyPlace, Order, State};
use crate::policy::model::{
    Breaker, Endpoint, HealthCheck, KeyPick, Measure, ModelName, Pick, Question, SlowRule,
};
use crate::policy::{Plan, Policy};

/// Every key is where it was.
#[expect(clippy::unnecessary_wraps, reason = "what a predecessor is asked")]
fn same(place: KeyPlace) -> Option<KeyPlace> {
    Some(place)
}

/// The plan of `setup`, changed.
fn changed(setup: &Setup, change: impl FnOnce(&mut Policy)) -> Plan {
    let mut policy = setup.plan().policy;
    change(&mut policy);
    Plan::new(policy).unwrap()
}

/// `b` before `a`: every id means something else.
fn turned_round(setup: &Setup) -> Plan {
    changed(setup, |policy| {
        policy.targets.reverse();
        policy.providers.reverse();
        for (place, target) in (0..).zip(&mut policy.targets) {
            target.provider = ProviderId(place);
        }
    })
}

#[test]
fn a_breaker_is_known_by_its_targets_name() {
    let setup = Setup::default();
    let mut world = setup.build_from(setup.plan());
    world.open('a');
    world.pass(MS);
    let before = world.status('a');
    world.follow(turned_round(&setup), &|_| None);
    let after = world.status('b');
    assert_eq!((after.state, after.until), (State::Open, before.until));
    assert_eq!((after.why, after.opened), (before.why, 1));
    assert_eq!(world.status('a').state, State::Closed);
    // The tick that follows has nothing to tell, and ends the cool-down when it is over.
    assert_eq!(world.pass(MS), []);
    let changes = world.pass(Span::from_secs(17));
    assert_eq!(changes.len(), 1);
    assert_eq!(
        (changes[0].target, changes[0].to),
        (TargetId(1), State::HalfOpen)
    );
}

#[test]
fn a_target_that_is_new_is_fresh_and_one_that_is_gone_is_forgotten() {
    let setup = Setup::default();
    let mut world = setup.build_from(setup.plan());
    world.open('a');
    world.follow(
        changed(&setup, |policy| policy.targets[0].name = "new".into()),
        &same,
    );
    assert_eq!(world.status('a').state, State::Closed);
    // And with its old name again it is a new one.
    world.follow(setup.plan(), &same);
    assert_eq!(world.status('a').state, State::Closed);
}

#[test]
fn an_order_is_kept_by_the_targets_name() {
    let setup = Setup::default();
    let mut world = setup.build_from(setup.plan());
    world.board.order(target('a'), Order::Drain);
    // With another key, and as another model.
    world.follow(setup.plan(), &|_| None);
    assert_eq!(world.status('a').order, Order::Drain);
    let other = changed(&setup, |policy| {
        policy.targets[0].model = ModelName::Fixed("other".into());
    });
    world.follow(other, &same);
    assert_eq!(world.status('a').order, Order::Drain);
    world.follow(turned_round(&setup), &same);
    assert_eq!(world.status('a').order, Order::Auto);
    assert_eq!(world.status('b').order, Order::Drain);
}

#[test]
fn an_order_is_for_requests_of_older_plans_too() {
    let setup = Setup::default();
    let mut world = setup.build_from(setup.plan());
    let older = Arc::clone(&world.board);
    // With another key, as another model, and with the same of both.
    world.follow(setup.plan(), &|_| None);
    let other = |policy: &mut Policy| policy.targets[0].model = ModelName::Fixed("other".into());
    world.follow(changed(&setup, other), &same);
    world.follow(changed(&setup, other), &same);
    for order in [Order::Drain, Order::Auto] {
        world.board.order(target('a'), order);
        assert_eq!(older.status(world.now)[0].order, order);
    }
}

#[test]
fn attempts_of_the_old_plan_end_in_the_new_one() {
    let setup = Setup::default();
    let mut world = setup.build_from(setup.plan());
    let mut chains: Vec<_> = (0..5).map(|_| world.chain()).collect();
    for chain in &mut chains {
        world.attempt(chain, 0);
    }
    let mut before = world.follow(setup.plan(), &same);
    assert_eq!(world.status('a').inflight, 5);
    for chain in &mut chains {
        before.end(chain, 0, Outcome::S5xx);
    }
    let status = world.status('a');
    assert_eq!(status.inflight, 0);
    // Five in a row: the old plan's requests have told the new one.
    assert_eq!(status.state, State::Open);
    world.pass(MS);
    assert!(
        world
            .once(Outcome::Ok)
            .is_some_and(|attempt| attempt.target == target('b'))
    );
}

#[test]
fn one_probe_at_a_time_over_both_plans() {
    let setup = || Setup {
        breaker: Breaker {
            probes: 1,
            need: 1,
            share: 1_000_000,
            ..breaker()
        },
        ..Setup::default()
    };
    let mut world = setup().build();
    world.half_open('a');
    let mut probing = world.chain();
    assert!(world.attempt(&mut probing, 0).probe);
    let mut before = world.follow(setup().plan(), &same);
    let mut other = world.chain();
    assert_eq!(world.attempt(&mut other, 0).target, target('b'));
    world.end(&mut other, 0, Outcome::Ok);
    before.end(&mut probing, 0, Outcome::Ok);
    assert_eq!(world.status('a').state, State::Ramp);
    // Another plan does not send it back to the first step.
    let until = world
        .board
        .cell(target('a'))
        .unwrap()
        .gate(0)
        .unwrap()
        .word()
        .until;
    world.follow(setup().plan(), &same);
    assert_eq!(world.status('a').state, State::Ramp);
    world.pass(until.since(world.now));
    assert_eq!(world.status('a').state, State::Closed);
}

#[test]
fn a_window_goes_on_unless_what_counts_has_changed() {
    let count = OutcomeSet::EMPTY.with(Outcome::S5xx);
    let slow = vec![SlowRule {
        measure: Measure::Ttft,
        prompts: None,
        percentile: 950_000,
        limit: SECOND,
    }];
    let changes: [(&str, u64, Breaker); 5] = [
        ("nothing", 10, breaker()),
        (
            "the length",
            0,
            Breaker {
                window: SECOND,
                ..breaker()
            },
        ),
        ("what counts", 0, Breaker { count, ..breaker() }),
        ("a latency rule", 0, Breaker { slow, ..breaker() }),
        (
            "the threshold",
            10,
            Breaker {
                error_rate: Some(500_000),
                ..breaker()
            },
        ),
    ];
    for (what, left, breaker) in changes {
        let mut world = Setup::default().build();
        for outcome in [Outcome::Ok, Outcome::S5xx].repeat(5) {
            world.once(outcome);
        }
        world.pass(MS);
        assert_eq!(world.status('a').requests, 10);
        let setup = Setup {
            breaker,
            ..Setup::default()
        };
        world.follow(setup.plan(), &same);
        assert_eq!(world.status('a').requests, left, "{what}");
        // Nor does what was counted before come back with the ticks.
        assert_eq!(world.pass(MS), [], "{what}");
        assert_eq!(world.status('a').requests, left, "{what}");
        world.once(Outcome::Ok);
        world.pass(MS);
        assert_eq!(world.status('a').requests, left + 1, "{what}");
    }
}

#[test]
fn a_breaker_stays_open_when_its_scope_changes() {
    let with = |per_core| Setup {
        cores: 2,
        breaker: Breaker {
            per_core,
            ..breaker()
        },
        ..Setup::default()
    };
    for per_core in [false, true] {
        let mut world = with(per_core).build();
        world.open('a');
        let until = world.status('a').until;
        world.follow(with(!per_core).plan(), &same);
        let status = world.status('a');
        assert_eq!((status.state, status.until), (State::Open, until));
        assert_eq!(status.opened, 1);
        for core in 0..2 {
            let mut chain = world.chain();
            let attempt = world.attempt(&mut chain, core);
            // With a breaker for each core it was core 0 alone that refused; now nobody asks before it is tested.
            assert_eq!(attempt.target, target('b'));
            world.end(&mut chain, core, Outcome::Ok);
        }
        assert!(!world.pass(Span::from_secs(17)).is_empty());
        assert_eq!(world.status('a').state, State::HalfOpen);
    }
}

#[test]
fn rests_hold_for_the_same_model_only() {
    let rests = [Outcome::ModelGone, Outcome::S429];
    for outcome in rests {
        let setup = Setup::default();
        let asks = |change: &dyn Fn(&mut Policy)| {
            let mut world = Setup::default().build();
            world.once(outcome);
            world.follow(changed(&setup, |policy| change(policy)), &same);
            world.once(Outcome::Ok).map(|attempt| attempt.target)
        };
        assert_eq!(asks(&|_| ()), Some(target('b')), "{outcome:?}");
        let other_model = |policy: &mut Policy| {
            policy.targets[0].model = ModelName::Fixed("other".into());
        };
        assert_eq!(asks(&other_model), Some(target('a')), "{outcome:?}");
        let other_provider = |policy: &mut Policy| policy.providers[0].name = "other".into();
        assert_eq!(asks(&other_provider), Some(target('a')), "{outcome:?}");
    }
}

/// Where a request goes after the key of `a` had `outcome`, and the pool of `before` keys has become one of `after`.
/// The keys that both have are the same, in the order turned round where there are two of them.
fn after_pools(outcome: Outcome, before: u16, after: u16) -> Option<(TargetId, u8)> {
    let setup = |keys| Setup {
        keys: (keys, KeyPick::InOrder),
        ..Setup::default()
    };
    let mut world = setup(before).build();
    world.once(outcome);
    let both_have = u8::try_from(before.min(after)).unwrap();
    world.follow(setup(after).plan(), &|(provider, key)| {
        (key < both_have).then(|| (provider, both_have - 1 - key))
    });
    let attempt = world.once(Outcome::Ok)?;
    Some((attempt.target, attempt.key))
}

#[test]
fn a_key_keeps_its_rest_wherever_it_stands_now() {
    for outcome in [Outcome::AuthFailed, Outcome::QuotaExhausted, Outcome::S429] {
        // The first of two keys is the second one now, and the other way round.
        assert_eq!(after_pools(outcome, 2, 2), Some((target('a'), 0)));
        // The only key is one of a pool now: the one beside it goes.
        assert_eq!(after_pools(outcome, 1, 2), Some((target('a'), 1)));
        // Only the bad one of two is left.
        assert_eq!(after_pools(outcome, 2, 1), Some((target('b'), 0)));
        assert_eq!(after_pools(outcome, 1, 1), Some((target('b'), 0)));
    }
}

#[test]
fn endpoints_are_known_by_their_address() {
    let endpoint = |host: &str| Endpoint {
        tls: false,
        host: host.into(),
        port: 80,
        base_path: "".into(),
    };
    let health = HealthCheck {
        question: Question::Path {
            path: "/".into(),
            head: false,
        },
        every: SECOND,
        timeout: SECOND,
        fall: 1,
        rise: 1,
        spread: true,
    };
    let setup = Setup::default();
    let with = |hosts: &[&str], checked: bool| {
        changed(&setup, |policy| {
            let provider = &mut policy.providers[0];
            provider.endpoints = hosts.iter().map(|host| endpoint(host)).collect();
            provider.health = checked.then(|| health.clone());
        })
    };
    let mut world = setup.build_from(with(&["one", "two"], true));
    let first = ProviderId(0);
    world.board.set_health(first, 1, false);
    world.follow(with(&["two", "three", "one"], true), &same);
    let up = |world: &World| [0, 1, 2].map(|place| world.board.is_up(first, place));
    assert_eq!(up(&world), [false, true, true]);
    world.follow(with(&["two"], true), &same);
    assert!(world.status('a').down);
    // Nobody would ever say that it is up again.
    world.follow(with(&["two"], false), &same);
    assert!(!world.status('a').down && world.board.is_up(first, 0));
}

#[test]
fn a_core_keeps_its_averages_and_turns() {
    let setup = || Setup {
        tiers: vec![(Pick::RoundRobin, vec![1, 1])],
        ..Setup::default()
    };
    let mut world = setup().build();
    let mut chain = world.chain();
    world.attempt(&mut chain, 0);
    world.pass(Span::from_millis(40));
    world.content(&mut chain, 0);
    world.end(&mut chain, 0, Outcome::Ok);
    let asked = chain.target();
    world.follow(setup().plan(), &same);
    let place = asked.unwrap();
    assert_eq!(
        world.cores[0].usual_ttft(place),
        Some(Span::from_millis(40))
    );
    assert_eq!(world.board.latencies(place).count(), 1);
    let next = world.once(Outcome::Ok).map(|attempt| attempt.target);
    assert_ne!(next, asked);
    // Where ids have changed, the average goes with the name.
    world.follow(turned_round(&setup()), &same);
    let other = TargetId(1 - place.0);
    assert_eq!(
        world.cores[0].usual_ttft(other),
        Some(Span::from_millis(40))
    );
    let cell = world.board.cell(other).unwrap();
    assert_eq!(cell.inflight.load(Relaxed), 0);
}

#[test]
fn a_rule_that_looks_at_something_else_counts_anew() {
    let setup = |measure| Setup {
        breaker: Breaker {
            slow: vec![SlowRule {
                measure,
                prompts: None,
                percentile: 950_000,
                limit: SECOND,
            }],
            ..breaker()
        },
        ..Setup::default()
    };
    for (to, left) in [(Measure::Gap, 10), (Measure::Ttft, 0)] {
        let mut world = setup(Measure::Gap).build();
        for outcome in [Outcome::Ok, Outcome::S5xx].repeat(5) {
            world.once(outcome);
        }
        world.pass(MS);
        world.follow(setup(to).plan(), &same);
        assert_eq!(world.status('a').requests, left);
    }
}
