//! `panic = probe`, and what failed probes cost.

use crate::base::{Outcome, Span};
use crate::engine::tests::world::{SECOND, Setup, World, target};
use crate::engine::{Order, Reason, State, Step};
use crate::policy::model::{Panic, Pick, Retries};

fn setup(panic: Panic) -> Setup {
    Setup {
        tiers: vec![(Pick::Weighted, vec![1, 1])],
        panic,
        cores: 2,
        ..Setup::default()
    }
}

fn all_open(panic: Panic) -> World {
    let world = setup(panic).build();
    world.open('a');
    world.open('b');
    world
}

/// Where so many requests went that come now, on both cores in turn.
fn went(world: &mut World, requests: usize, outcome: Outcome) -> Vec<char> {
    let mut went = Vec::new();
    for index in 0..requests {
        let mut chain = world.chain();
        match world.next(&mut chain, index % 2) {
            Step::Attempt(attempt) => {
                assert!(attempt.probe);
                went.push(crate::engine::tests::world::name(attempt.target));
                world.end(&mut chain, index % 2, outcome);
            }
            Step::Finish(_) => {}
            Step::Wait(until) => panic!("waits until {until:?}"),
        }
    }
    went
}

#[test]
fn unless_the_policy_says_so_nobody_asks_a_target_that_is_open() {
    let mut world = all_open(Panic::Fail);
    assert_eq!(went(&mut world, 20, Outcome::S5xx), []);
}

#[test]
fn one_request_a_second_tries_each_target_that_is_open() {
    let mut world = all_open(Panic::Probe);
    for _ in 0..5 {
        assert_eq!(went(&mut world, 20, Outcome::S5xx), ['a', 'b']);
        world.pass(Span::from_millis(999));
        assert_eq!(went(&mut world, 20, Outcome::S5xx), []);
        world.pass(Span::from_millis(1));
    }
    // What fails changes nothing: the cool-down ends when it would have ended.
    let until = world.status('a').until.unwrap();
    assert!(until > world.now);
    assert_eq!(world.status('a').opened, 1);
    let mut chain = world.chain();
    world.attempt(&mut chain, 0);
    world.abandon(&mut chain, 0);
    assert_eq!(world.status('a').inflight, 0);
}

#[test]
fn an_answer_ends_the_cool_down() {
    let mut world = all_open(Panic::Probe);
    assert_eq!(went(&mut world, 1, Outcome::Ok), ['a']);
    assert_eq!(world.status('a').state, State::Open);
    world.pass(Span::from_millis(100));
    assert_eq!(world.status('a').state, State::HalfOpen);
    assert_eq!(world.status('b').state, State::Open);
}

#[test]
fn an_order_a_pause_or_somebody_else_goes_before() {
    let mut world = all_open(Panic::Probe);
    world.board.order(target('a'), Order::Open);
    assert_eq!(went(&mut world, 20, Outcome::S5xx), ['b']);
    world.board.order(target('a'), Order::Drain);
    world.pass(SECOND);
    assert_eq!(went(&mut world, 20, Outcome::S5xx), ['b']);
    // Who may be asked is asked.
    world.board.order(target('a'), Order::Close);
    world.pass(SECOND);
    let mut chain = world.chain();
    let attempt = world.attempt(&mut chain, 0);
    assert!(attempt.target == target('a') && !attempt.probe);
    world.end(&mut chain, 0, Outcome::S5xx);
    let finish = world.finish(&mut chain, 0);
    assert!(
        matches!(
            finish,
            crate::engine::Finish::Reject {
                reason: Reason::Outcome(Outcome::S5xx),
                ..
            }
        ),
        "{finish:?}"
    );
}

/// One repeat a second is all there is, and a probe that failed has had it.
#[test]
fn a_failed_probe_draws_on_the_budget_for_repeats() {
    let repeats_after = |outcome: Outcome| {
        let mut world = Setup {
            retries: Retries {
                max: 1,
                budget: 0,
                floor_per_s: 1,
                ..Setup::default().retries
            },
            one_provider: true,
            tiers: vec![(Pick::Weighted, vec![1]), (Pick::Weighted, vec![1])],
            ..Setup::default()
        }
        .build();
        world.half_open('a');
        let word = world.status('a');
        assert_eq!(word.state, State::HalfOpen);
        // The probe, by whichever request draws it.
        loop {
            let mut chain = world.chain();
            let probe = world.attempt(&mut chain, 0).probe;
            world.end(&mut chain, 0, if probe { outcome } else { Outcome::Ok });
            if probe {
                break;
            }
        }
        // Somebody whose only target is `b`, and who fails there.
        let mut chain = world.masked(1);
        assert_eq!(world.attempt(&mut chain, 0).target, target('b'));
        world.end(&mut chain, 0, Outcome::S5xx);
        matches!(world.next(&mut chain, 0), Step::Wait(_))
    };
    assert!(repeats_after(Outcome::Ok));
    assert!(!repeats_after(Outcome::S5xx));
    // What says nothing about health is no failure.
    assert!(repeats_after(Outcome::S4xx));
}
