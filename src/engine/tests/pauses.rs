//! Rate limits, dead keys and missing models: each takes out no more than it must, and comes back by itself.

use crate::base::{Moment, Outcome, Span};
use crate::engine::State;
use crate::engine::pause::{Rest, Turn};
use crate::engine::tests::world::{MS, SECOND, Setup, World, breaker, target};
use crate::policy::model::Breaker;

/// Ends a request at `a` so, and says for how many seconds (rounded up) `a` is paused then.
fn paused(world: &mut World, hint: Option<Span>) -> u64 {
    let mut chain = world.chain();
    assert_eq!(world.attempt(&mut chain, 0).target, target('a'));
    world.end_after(&mut chain, 0, Outcome::S429, hint);
    let until = world.status('a').throttled_until;
    until.map_or(0, |until| until.since(world.now).as_secs_ceil())
}

#[test]
fn a_hint_is_obeyed_within_bounds() {
    for (hint, from, to) in [(2, 2, 3), (60, 60, 60), (86_400, 60, 60), (0, 1, 2)] {
        let mut world = Setup::default().build();
        let pause = paused(&mut world, Some(Span::from_secs(hint)));
        assert!((from..=to).contains(&pause), "{hint}: {pause}");
        assert_eq!(world.status('a').state, State::Closed);
    }
    let deaf = Breaker {
        obey_retry_after: false,
        ..breaker()
    };
    let mut world = Setup {
        breaker: deaf,
        ..Setup::default()
    }
    .build();
    assert!(paused(&mut world, Some(Span::from_secs(30))) <= 2);
}

#[test]
fn without_a_hint_pauses_grow_until_an_answer() {
    let mut world = Setup::default().build();
    let mut pauses = Vec::new();
    for _ in 0..8 {
        pauses.push(paused(&mut world, None));
        world.pass(Span::from_secs(61));
    }
    for (pause, plain) in pauses.iter().zip([1, 2, 4, 8, 16, 32, 60, 60]) {
        assert!(
            (plain..=plain + plain / 10 + 1).contains(pause),
            "{pauses:?}"
        );
    }
    world.once(Outcome::Ok);
    assert!(paused(&mut world, None) <= 2);
}

#[test]
fn requests_under_way_when_a_pause_began_do_not_lengthen_it() {
    let mut world = Setup::default().build();
    let mut chains: Vec<_> = (0..20).map(|_| world.chain()).collect();
    for chain in &mut chains {
        world.attempt(chain, 0);
    }
    for chain in &mut chains {
        world.end(chain, 0, Outcome::S429);
    }
    let until = world.status('a').throttled_until.unwrap();
    assert!(until.since(world.now) <= Span::from_millis(1_100));
}

#[test]
fn a_dead_key_is_tried_once_after_its_rest() {
    for (outcome, rest) in [(Outcome::AuthFailed, 60), (Outcome::QuotaExhausted, 300)] {
        let mut world = Setup::default().build();
        assert_eq!(world.once(outcome).unwrap().target, target('a'));
        for _ in 0..20 {
            assert_eq!(world.once(Outcome::Ok).unwrap().target, target('b'));
        }
        world.pass(Span::from_secs(rest).saturating_sub(MS));
        assert_eq!(world.once(Outcome::Ok).unwrap().target, target('b'));
        world.pass(MS);
        // One request tests the key; the others do not follow before it is back.
        let mut test = world.chain();
        assert_eq!(world.attempt(&mut test, 0).target, target('a'));
        assert_eq!(world.once(Outcome::Ok).unwrap().target, target('b'));
        world.end(&mut test, 0, outcome);
        world.pass(Span::from_secs(rest - 1));
        assert_eq!(world.once(Outcome::Ok).unwrap().target, target('b'));
        world.pass(SECOND);
        assert_eq!(world.once(Outcome::Ok).unwrap().target, target('a'));
        assert_eq!(world.status('a').key_out_until, None);
        assert_eq!(world.once(Outcome::Ok).unwrap().target, target('a'));
        assert_eq!(world.status('a').state, State::Closed);
    }
}

#[test]
fn a_missing_model_comes_back_by_itself() {
    let mut world = Setup::default().build();
    world.once(Outcome::ModelGone);
    assert!(world.status('a').gone_until.is_some());
    assert_eq!(world.once(Outcome::Ok).unwrap().target, target('b'));
    world.pass(Span::from_secs(300));
    // The test's client leaves: whoever comes after that attempt's deadline tests again.
    let mut test = world.chain();
    assert_eq!(world.attempt(&mut test, 0).target, target('a'));
    world.abandon(&mut test, 0);
    assert_eq!(world.once(Outcome::Ok).unwrap().target, target('b'));
    world.pass(Span::from_secs(60));
    assert_eq!(world.once(Outcome::Ok).unwrap().target, target('a'));
    assert_eq!(world.once(Outcome::Ok).unwrap().target, target('a'));
}

#[test]
fn an_impatient_client_is_a_failure_of_nobody_unless_it_was_slow() {
    let slow = crate::policy::model::SlowRule {
        measure: crate::policy::model::Measure::Ttft,
        prompts: None,
        percentile: 500_000,
        limit: SECOND,
    };
    let rules = Breaker {
        min_requests: 1,
        slow: vec![slow],
        ..breaker()
    };
    for (waits, opens) in [
        (Span::from_millis(900), false),
        (Span::from_millis(1_001), true),
    ] {
        let mut world = Setup {
            breaker: rules.clone(),
            ..Setup::default()
        }
        .build();
        let mut chain = world.chain();
        world.attempt(&mut chain, 0);
        world.now = world.now + waits;
        world.abandon(&mut chain, 0);
        world.pass(Span::from_millis(100));
        assert_eq!(world.status('a').state == State::Open, opens);
        assert_eq!(world.status('a').failures, 0);
    }
}

#[test]
fn a_slow_answer_that_is_cut_short_counts_once() {
    let slow = crate::policy::model::SlowRule {
        measure: crate::policy::model::Measure::Ttft,
        prompts: None,
        percentile: 500_000,
        limit: SECOND,
    };
    let rules = Breaker {
        min_requests: 2,
        slow: vec![slow],
        ..breaker()
    };
    let mut world = Setup {
        breaker: rules,
        ..Setup::default()
    }
    .build();
    let mut chain = world.chain();
    world.attempt(&mut chain, 0);
    world.now = world.now + Span::from_secs(2);
    world.content(&mut chain, 0);
    world.abandon(&mut chain, 0);
    world.pass(Span::from_millis(100));
    assert_eq!(world.status('a').state, State::Closed);
}

#[test]
fn a_rest_ends_with_one_test_at_a_time() {
    let (rest, second) = (Rest::default(), |s| Moment::START + Span::from_secs(s));
    for _ in 0..2 {
        assert_eq!(rest.claim(second(0), second(1)), Some(Turn::Free));
    }
    rest.begin(second(10));
    assert_eq!(rest.claim(second(9), second(20)), None);
    assert_eq!(rest.claim(second(10), second(20)), Some(Turn::Test));
    assert_eq!(rest.claim(second(10), second(20)), None);
    let again = rest.claim(second(20), second(30));
    assert_eq!(again, Some(Turn::Test), "the first test never reported");
    rest.clear();
    assert_eq!(rest.claim(second(21), second(30)), Some(Turn::Free));
    assert!(rest.until(second(21)).is_none() && !rest.is_on());
}

#[test]
fn an_answer_from_before_a_rest_does_not_end_it() {
    let mut world = Setup::default().build();
    // A stream that began under the key before it was revoked, and ends well afterwards.
    let mut old = world.chain();
    world.attempt(&mut old, 0);
    world.content(&mut old, 0);
    world.once(Outcome::AuthFailed);
    world.end(&mut old, 0, Outcome::Ok);
    assert_eq!(world.once(Outcome::Ok).unwrap().target, target('b'));
}
