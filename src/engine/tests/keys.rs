//! Key pools: another key before another target, no more of a provider taken out than is at fault, and bounds.

use proptest::collection::vec;
use proptest::prelude::ProptestConfig;
use proptest::sample::select;
use proptest::{prop_assert, prop_assert_eq, proptest};

use crate::base::limits::{KEY_TRIES_MAX, KEYS_MAX};
use crate::base::{Outcome, OutcomeSet, ProviderId, Span};
use crate::engine::tests::world::{MS, SECOND, Setup, World, breaker, target};
use crate::engine::{
    Attempt, Chain, End, Finish, KeptFrom, KeyChange, Order, PassedOver, Reason, State, Step,
};
use crate::policy::model::{Breaker, KeyPick, MaxInflight, Pick, Retries};

/// Providers with so many keys each; `a` before `b`.
fn pool(keys: u16) -> Setup {
    Setup {
        keys: (keys, KeyPick::InOrder),
        ..Setup::default()
    }
}

/// `a` and `b` are two models of one provider.
fn two_models(keys: u16) -> World {
    Setup {
        one_provider: true,
        ..pool(keys)
    }
    .build()
}

fn place(attempt: Attempt) -> (char, u8) {
    (
        crate::engine::tests::world::name(attempt.target),
        attempt.key,
    )
}

/// A request on core 0 whose attempts end so, in turn: where each went, and how the chain ended.
fn play(world: &mut World, ends: &[Outcome]) -> (Vec<(char, u8)>, Option<Finish>) {
    let mut chain = world.chain();
    let mut places = Vec::new();
    for &end in ends {
        match world.next(&mut chain, 0) {
            Step::Attempt(attempt) => places.push(place(attempt)),
            Step::Finish(finish) => return (places, Some(finish)),
            Step::Wait(_) => panic!("nobody asked for a pause"),
        }
        world.end(&mut chain, 0, end);
    }
    match world.next(&mut chain, 0) {
        Step::Finish(finish) => (places, Some(finish)),
        other => panic!("expected the end, got {other:?}"),
    }
}

#[test]
fn another_key_goes_before_another_target() {
    for outcome in [Outcome::AuthFailed, Outcome::QuotaExhausted, Outcome::S429] {
        let mut world = pool(2).build();
        let mut chain = world.chain();
        let first = world.attempt(&mut chain, 0);
        world.end(&mut chain, 0, outcome);
        let second = world.attempt(&mut chain, 0);
        assert_eq!((place(first), place(second)), (('a', 0), ('a', 1)));
        assert_eq!((first.index, second.index), (0, 1));
        world.end(&mut chain, 0, Outcome::Ok);
        assert_eq!(world.finish(&mut chain, 0), Finish::Stop);
        let record: Vec<_> = chain
            .attempts()
            .map(|attempt| (attempt.key, attempt.key_change, attempt.repeat))
            .collect();
        assert_eq!(record, [(0, false, false), (1, true, false)]);
        // Who comes next does not ask the first one again.
        assert_eq!(play(&mut world, &[Outcome::Ok]).0, [('a', 1)]);
        assert_eq!(world.status('a').key_out_until, None);
        assert_eq!(world.status('a').throttled_until, None);
        assert_eq!(world.status('a').inflight, 0);
    }
}

#[test]
fn a_key_is_none_of_the_targets_faults() {
    for outcome in [Outcome::S5xx, Outcome::ModelGone, Outcome::Timeout] {
        let ends = [outcome, Outcome::Ok];
        assert_eq!(
            play(&mut pool(2).build(), &ends).0,
            [('a', 0), ('b', 0)],
            "{outcome}"
        );
    }
    // One key: as if there were no pools.
    let ends = [Outcome::AuthFailed, Outcome::Ok];
    assert_eq!(play(&mut pool(1).build(), &ends).0, [('a', 0), ('b', 0)]);
}

#[test]
fn keys_cost_no_attempt() {
    let setup = Setup {
        attempts_max: 2,
        ..pool(3)
    };
    let mut world = setup.build();
    let (places, finish) = play(&mut world, &[Outcome::AuthFailed; 9]);
    assert_eq!(places[..3], [('a', 0), ('a', 1), ('a', 2)]);
    assert_eq!(places[3..], [('b', 0), ('b', 1), ('b', 2)]);
    let Some(Finish::Reject { reason, .. }) = finish else {
        panic!("{finish:?}");
    };
    assert_eq!(reason, Reason::Outcome(Outcome::AuthFailed));
}

#[test]
fn keys_have_a_bound_of_their_own() {
    let mut world = pool(8).build();
    let mut ends = [Outcome::AuthFailed; KEY_TRIES_MAX + 2];
    ends[KEY_TRIES_MAX + 1] = Outcome::Ok;
    let (places, _) = play(&mut world, &ends);
    assert_eq!(places[..5], [0, 1, 2, 3, 4].map(|key| ('a', key)));
    assert_eq!(places[5..], [('b', 0)]);
    assert_eq!(play(&mut world, &[Outcome::Ok]).0, [('a', 5)]);
}

#[test]
fn a_whole_pool_that_is_out_says_when_it_comes_back() {
    let setup = Setup {
        tiers: vec![(Pick::Weighted, vec![1])],
        ..pool(2)
    };
    let mut world = setup.build();
    let ends = [Outcome::QuotaExhausted, Outcome::AuthFailed];
    let (places, _) = play(&mut world, &ends);
    assert_eq!(places, [('a', 0), ('a', 1)]);
    let mut chain = world.chain();
    let Finish::Reject {
        status,
        retry_after,
        reason,
        ..
    } = world.finish(&mut chain, 0)
    else {
        panic!("nobody is left");
    };
    assert_eq!(
        (status, retry_after),
        (503, Some(Span::from_secs(60))),
        "the sooner key"
    );
    assert_eq!(reason, Reason::Outcome(Outcome::AuthFailed));
    assert_eq!(chain.passed_over(0), Some(PassedOver::KeyOut));
    // The refused key's rest is over before the spent one's, and one request tests it.
    world.pass(Span::from_secs(60));
    let mut test = world.chain();
    assert_eq!(place(world.attempt(&mut test, 0)), ('a', 1));
    assert!(matches!(
        play(&mut world, &[]).1,
        Some(Finish::Reject { .. })
    ));
    world.end(&mut test, 0, Outcome::Ok);
    assert_eq!(play(&mut world, &[Outcome::Ok]).0, [('a', 1)]);
}

#[test]
fn when_all_keys_are_limited_the_soonest_counts() {
    let setup = Setup {
        tiers: vec![(Pick::Weighted, vec![1])],
        ..pool(2)
    };
    let mut world = setup.build();
    let mut chain = world.chain();
    for seconds in [30, 20] {
        world.attempt(&mut chain, 0);
        world.end_after(&mut chain, 0, Outcome::S429, Some(Span::from_secs(seconds)));
    }
    let soonest = world.status('a').throttled_until.unwrap();
    assert!((20..=22).contains(&soonest.since(world.now).as_secs()));
    for chain in [&mut chain, &mut world.chain()] {
        let Finish::Reject {
            status,
            retry_after,
            ..
        } = world.finish(chain, 0)
        else {
            panic!("nobody is left");
        };
        assert_eq!((status, retry_after), (429, Some(soonest.since(world.now))));
        assert_eq!(chain.passed_over(0), Some(PassedOver::Throttled));
    }
    world.now = soonest;
    assert_eq!(play(&mut world, &[Outcome::Ok]).0, [('a', 1)]);
}

#[test]
fn a_limit_is_of_one_key_at_one_model() {
    let mut world = two_models(2);
    assert_eq!(
        play(&mut world, &[Outcome::S429, Outcome::S5xx, Outcome::Ok]).0,
        [('a', 0), ('a', 1), ('b', 0)]
    );
    let kept = world.board.key_status(world.now)[0].kept_from.clone();
    let [
        KeptFrom {
            target: limited,
            why: Outcome::S429,
            ..
        },
    ] = kept[..]
    else {
        panic!("{kept:?}");
    };
    assert_eq!(limited, target('a'));
}

#[test]
fn a_dead_key_is_dead_at_every_model() {
    let mut world = two_models(2);
    assert_eq!(
        play(
            &mut world,
            &[Outcome::AuthFailed, Outcome::S5xx, Outcome::Ok]
        )
        .0,
        [('a', 0), ('a', 1), ('b', 1)]
    );
}

#[test]
fn a_key_may_be_kept_from_one_model_alone() {
    for (keys, second, third) in [(2, ('a', 1), ('b', 0)), (1, ('b', 0), ('b', 0))] {
        let mut world = two_models(keys);
        let mut chain = world.chain();
        world.attempt(&mut chain, 0);
        let end = End {
            outcome: Outcome::AuthFailed,
            retry_after: None,
            model_alone: true,
        };
        chain.ended(world.now, &world.plan, &mut world.cores[0], end);
        assert_eq!(place(world.attempt(&mut chain, 0)), second, "{keys}");
        world.end(&mut chain, 0, Outcome::S5xx);
        if keys > 1 {
            assert_eq!(place(world.attempt(&mut chain, 0)), third, "{keys}");
            world.abandon(&mut chain, 0);
        }
        let kept = world.board.key_status(world.now)[0].kept_from.clone();
        assert_eq!(kept.len(), 1, "{kept:?}");
        assert_eq!(
            (kept[0].target, kept[0].why),
            (target('a'), Outcome::AuthFailed)
        );
        let out = (keys == 1).then_some(kept[0].until);
        assert_eq!(world.status('a').key_out_until, out);
        assert_eq!(world.status('b').key_out_until, None);
    }
}

#[test]
fn an_overloaded_server_is_overloaded_for_every_key() {
    let mut world = pool(2).build();
    let mut chain = world.chain();
    world.attempt(&mut chain, 0);
    world.end_after(&mut chain, 0, Outcome::S5xx, Some(Span::from_secs(5)));
    assert_eq!(place(world.attempt(&mut chain, 0)), ('b', 0));
    world.end(&mut chain, 0, Outcome::Ok);
    assert!(world.status('a').throttled_until.is_some());
    assert_eq!(play(&mut world, &[Outcome::Ok]).0, [('b', 0)]);
}

#[test]
fn no_key_is_asked_where_a_forbid_masks() {
    let setup = Setup {
        forbid_after: OutcomeSet::EMPTY.with(Outcome::AuthFailed),
        ..pool(3)
    };
    let (places, finish) = play(&mut setup.build(), &[Outcome::AuthFailed]);
    assert_eq!(places, [('a', 0)]);
    assert!(matches!(finish, Some(Finish::Reject { .. })), "{finish:?}");
}

#[test]
fn no_other_key_is_asked_where_an_operator_drains_or_opens() {
    for order in [Order::Drain, Order::Open] {
        let mut world = pool(3).build();
        let mut chain = world.chain();
        let Step::Attempt(attempt) = world.next(&mut chain, 0) else {
            panic!("somebody is asked first");
        };
        world.board.order(attempt.target, order);
        world.end(&mut chain, 0, Outcome::S429);
        let next = world.next(&mut chain, 0);
        let elsewhere = !matches!(next, Step::Attempt(next) if next.target == attempt.target);
        assert!(elsewhere, "{order:?}: {next:?}");
    }
}

#[test]
fn no_key_is_asked_after_the_deadline_or_too_late_for_an_answer() {
    let (deadline, usual) = (Span::from_secs(60), Span::from_secs(5));
    for (waits, goes_on) in [
        (deadline, false),
        (deadline.saturating_sub(SECOND), false),
        (Span::from_secs(50), true),
    ] {
        let mut world = pool(2).build();
        world.cores[0].learn_ttft(target('a'), usual);
        let mut chain = world.chain();
        world.attempt(&mut chain, 0);
        world.now = world.now + waits;
        world.end(&mut chain, 0, Outcome::AuthFailed);
        let step = world.next(&mut chain, 0);
        let another = matches!(step, Step::Attempt(Attempt { key: 1, target: to, deadline: end, .. })
            if to == target('a') && end <= chain.deadline());
        assert_eq!(another, goes_on, "{step:?}");
        if matches!(step, Step::Attempt(_)) {
            world.abandon(&mut chain, 0);
        }
    }
}

#[test]
fn a_probe_changes_its_key_and_no_refusal_opens_a_breaker() {
    let setup = Setup {
        tiers: vec![(Pick::Weighted, vec![1])],
        breaker: Breaker {
            probes: 1,
            ..breaker()
        },
        max_inflight: Some(MaxInflight::Fixed(1)),
        ..pool(2)
    };
    let mut world = setup.build();
    world.half_open('a');
    let mut chain = world.chain();
    for key in 0..2 {
        let attempt = world.attempt(&mut chain, 0);
        assert!(attempt.probe);
        assert_eq!(attempt.key, key);
        let status = world.status('a');
        assert_eq!((status.inflight, status.probes), (1, 1));
        world.end(&mut chain, 0, Outcome::AuthFailed);
        let status = world.status('a');
        assert_eq!((status.inflight, status.probes), (0, 0));
    }
    world.finish(&mut chain, 0);
    assert_eq!(world.status('a').state, State::HalfOpen);

    let mut world = pool(2).build();
    for _ in 0..50 {
        play(&mut world, &[Outcome::AuthFailed; 4]);
        world.pass(Span::from_secs(61));
    }
    assert_eq!(world.status('a').state, State::Closed);
    assert_eq!(world.status('a').failures, 0);
}

#[test]
fn a_repeat_waits_for_the_key_that_is_first_free() {
    let setup = Setup {
        tiers: vec![(Pick::Weighted, vec![1])],
        retries: Retries {
            max: 1,
            ..Setup::default().retries
        },
        ..pool(2)
    };
    let mut world = setup.build();
    let mut chain = world.chain();
    for seconds in [3, 2] {
        world.attempt(&mut chain, 0);
        world.end_after(&mut chain, 0, Outcome::S429, Some(Span::from_secs(seconds)));
    }
    let Step::Wait(until) = world.next(&mut chain, 0) else {
        panic!("a repeat is allowed");
    };
    assert_eq!(Some(until), world.status('a').throttled_until);
    world.now = until;
    assert_eq!(place(world.attempt(&mut chain, 0)), ('a', 1));
    let last = chain.attempts().next_back().unwrap();
    assert!(last.repeat && !last.key_change);
    world.end(&mut chain, 0, Outcome::Ok);
}

/// The keys of so many requests that end well.
fn keys_of(world: &mut World, requests: usize) -> Vec<usize> {
    let one = |world: &mut World| play(world, &[Outcome::Ok]).0[0].1.into();
    (0..requests).map(|_| one(world)).collect()
}

#[test]
fn keys_are_picked_as_the_policy_says() {
    let world = |pick| {
        Setup {
            keys: (3, pick),
            ..Setup::default()
        }
        .build()
    };
    assert_eq!(keys_of(&mut world(KeyPick::InOrder), 4), [0; 4]);
    let mut rounds = world(KeyPick::RoundRobin);
    assert_eq!(keys_of(&mut rounds, 7), [0, 1, 2, 0, 1, 2, 0]);

    let mut even = world(KeyPick::LeastThrottled);
    let count = |keys: &[usize], key| keys.iter().filter(|&&one| one == key).count();
    let keys = keys_of(&mut even, 600);
    for key in 0..3 {
        assert!((150..=250).contains(&count(&keys, key)), "key {key}");
    }
    // A key that was limited lately is left for the others, also after its pause, for a minute.
    even.affinity = 0;
    let mut chain = even.chain();
    let limited = even.attempt(&mut chain, 0).key.into();
    even.end_after(&mut chain, 0, Outcome::S429, Some(SECOND));
    even.attempt(&mut chain, 0);
    even.end(&mut chain, 0, Outcome::Ok);
    even.pass(Span::from_secs(30));
    assert_eq!(count(&keys_of(&mut even, 100), limited), 0);
    even.pass(Span::from_secs(40));
    assert!(count(&keys_of(&mut even, 100), limited) > 10);
    // Requests that a hash places keep to a key.
    even.affinity = 99;
    let keys = keys_of(&mut even, 20);
    assert_eq!(count(&keys, keys[0]), 20);
}

#[test]
fn operators_hear_of_each_change_once() {
    let mut world = two_models(2);
    assert_eq!(world.board.key_changes(), []);
    play(&mut world, &[Outcome::QuotaExhausted, Outcome::Ok]);
    let change = |out| KeyChange {
        provider: ProviderId(0),
        key: 0,
        out,
    };
    assert_eq!(
        world.board.key_changes(),
        [change(Some(Outcome::QuotaExhausted))]
    );
    assert_eq!(world.board.key_changes(), []);
    let status = &world.board.key_status(world.now)[0];
    assert_eq!((status.provider, status.key), (ProviderId(0), 0));
    assert_eq!(status.out, Some(Outcome::QuotaExhausted));
    let rest = status.out_until.unwrap().since(world.now);
    assert_eq!(rest, Span::from_secs(300));
    // A rest that is over is not yet a key that is well.
    world.pass(rest);
    assert_eq!(world.board.key_changes(), []);
    play(&mut world, &[Outcome::Ok]);
    assert_eq!(world.board.key_changes(), [change(None)]);
}

#[test]
fn a_new_secret_begins_anew() {
    for (outcome, model_alone) in [
        (Outcome::AuthFailed, false),
        (Outcome::AuthFailed, true),
        (Outcome::QuotaExhausted, false),
        (Outcome::S429, false),
    ] {
        for keys in [1, 2] {
            let mut world = pool(keys).build();
            let mut old = world.chain();
            world.attempt(&mut old, 0);
            let mut chain = world.chain();
            world.attempt(&mut chain, 0);
            let bad = End {
                outcome,
                retry_after: None,
                model_alone,
            };
            chain.ended(world.now, &world.plan, &mut world.cores[0], bad);
            assert_ne!(play(&mut world, &[Outcome::Ok]).0, [('a', 0)]);
            let first = (ProviderId(0), 0);
            let plan = world.plan.clone();
            let mut before = world.follow(plan, &|place| (place != first).then_some(place));
            assert_eq!(play(&mut world, &[Outcome::Ok]).0, [('a', 0)]);
            // What went with the old secret says nothing about the new one.
            old.ended(before.now, &before.plan, &mut before.cores[0], bad);
            assert_eq!(play(&mut world, &[Outcome::Ok]).0, [('a', 0)]);
        }
    }
}

const ENDS: [Outcome; 7] = [
    Outcome::Ok,
    Outcome::AuthFailed,
    Outcome::QuotaExhausted,
    Outcome::S429,
    Outcome::S5xx,
    Outcome::ModelGone,
    Outcome::Connect,
];

/// Ends the running attempt so, with a hint of `seconds` and of one model alone where that is even.
fn end(world: &mut World, chain: &mut Chain, outcome: Outcome, seconds: u64) {
    let end = End {
        outcome,
        retry_after: (seconds > 0).then_some(Span::from_secs(seconds)),
        model_alone: seconds.is_multiple_of(2),
    };
    chain.ended(world.now, &world.plan, &mut world.cores[0], end);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// However attempts end: within a run no key is asked twice, none that rests is asked, and all bounds hold.
    #[test]
    fn any_sequence_of_ends_stays_within_bounds(
        keys in 1..=u16::try_from(KEYS_MAX).unwrap(),
        pick in select(KeyPick::ALL.to_vec()),
        one_provider in proptest::bool::ANY,
        requests in vec((vec((select(ENDS.to_vec()), 0_u64..5), 14), 0_u64..40), 1..12),
    ) {
        let mut world = Setup { keys: (keys, pick), one_provider, ..Setup::default() }.build();
        for (ends, pause) in requests {
            world.pass(Span::from_secs(pause));
            let mut chain = world.chain();
            for (outcome, seconds) in ends {
                let attempt = match world.next(&mut chain, 0) {
                    Step::Attempt(attempt) => attempt,
                    Step::Wait(until) => {
                        world.now = until;
                        continue;
                    }
                    Step::Finish(_) => break,
                };
                let status = world.board.key_status(world.now);
                let used = status.iter().find(|status| {
                    let provider = if one_provider { 0 } else { attempt.target.0 };
                    (status.provider, status.key) == (ProviderId(provider), attempt.key)
                }).unwrap();
                // Its test may be leased to this very attempt, until that attempt's end.
                prop_assert!(used.out_until.is_none_or(|until| until == attempt.deadline));
                let limited = used.kept_from.iter().find(|kept| kept.target == attempt.target);
                prop_assert!(limited.is_none_or(|kept| kept.until == attempt.deadline));
                world.now = world.now + MS;
                end(&mut world, &mut chain, outcome, seconds);
            }
            let made: Vec<_> = chain.attempts().collect();
            let changes = made.iter().filter(|attempt| attempt.key_change).count();
            prop_assert!(changes <= KEY_TRIES_MAX);
            prop_assert!(made.len() - changes <= 4);
            for run in made.chunk_by(|_, next| next.key_change) {
                prop_assert!(run.iter().all(|attempt| attempt.target == run[0].target));
                let mut asked: Vec<_> = run.iter().map(|attempt| attempt.key).collect();
                asked.sort_unstable();
                asked.dedup();
                prop_assert_eq!(asked.len(), run.len());
            }
            if chain.attempts().next_back().is_some_and(|last| last.ended.is_none()) {
                world.abandon(&mut chain, 0);
            }
        }
        for name in ['a', 'b'] {
            prop_assert_eq!(world.status(name).inflight, 0);
        }
    }
}
