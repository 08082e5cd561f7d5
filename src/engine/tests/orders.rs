//! What operators order, and what becomes of it.

use crate::base::{Outcome, Span, TargetId};
use crate::engine::tests::world::{SECOND, Setup, World, target};
use crate::engine::{Attempt, Order, PassedOver, Reason, State};
use crate::policy::model::{Pick, Retries};

fn order(world: &World, name: char, order: Order) {
    world.board.order(target(name), order).unwrap();
}

#[test]
fn a_drained_target_finishes_and_gets_nothing_new() {
    let mut world = Setup {
        tiers: vec![(Pick::Weighted, vec![1]), (Pick::Weighted, vec![1])],
        ..Setup::default()
    }
    .build();
    let mut under_way = world.chain();
    assert_eq!(world.attempt(&mut under_way, 0).target, TargetId(0));
    order(&world, 'a', Order::Drain);
    assert_eq!(world.status('a').order, Order::Drain);
    for sticky in [None, Some(7)] {
        world.sticky = sticky;
        let mut chain = world.chain();
        assert_eq!(world.attempt(&mut chain, 0).target, TargetId(1));
        assert_eq!(chain.passed_over(0), Some(PassedOver::Drained));
        world.end(&mut chain, 0, Outcome::Ok);
    }
    world.content(&mut under_way, 0);
    world.end(&mut under_way, 0, Outcome::Ok);
    assert_eq!(world.status('a').inflight, 0);
    order(&world, 'a', Order::Auto);
    assert_eq!(world.once(Outcome::Ok).unwrap().target, TargetId(0));
}

#[test]
fn draining_goes_before_health_and_the_breaker() {
    let mut world = Setup::default().build();
    world.open('a');
    order(&world, 'a', Order::Drain);
    let mut chain = world.chain();
    world.attempt(&mut chain, 0);
    assert_eq!(chain.passed_over(0), Some(PassedOver::Drained));
    world.abandon(&mut chain, 0);
}

#[test]
fn where_all_are_drained_clients_are_told_no_time() {
    let mut world = Setup {
        tiers: vec![(Pick::Weighted, vec![1])],
        ..Setup::default()
    }
    .build();
    for (given, reason) in [
        (Order::Drain, PassedOver::Drained),
        (Order::Open, PassedOver::BreakerOpen),
    ] {
        order(&world, 'a', given);
        let mut chain = world.chain();
        let crate::engine::Finish::Reject {
            reason: why,
            retry_after,
            ..
        } = world.finish(&mut chain, 0)
        else {
            panic!("nobody is left");
        };
        assert_eq!(why, Reason::Outcome(Outcome::BreakerOpen));
        assert_eq!(retry_after, None);
        assert_eq!(chain.passed_over(0), Some(reason));
    }
}

#[test]
fn an_open_order_outlasts_every_cool_down() {
    let mut world = Setup::default().build();
    order(&world, 'a', Order::Open);
    for _ in 0..10 {
        assert!(world.pass(Span::from_secs(3_600)).is_empty());
        assert_eq!(world.once(Outcome::Ok).unwrap().target, TargetId(1));
    }
    assert_eq!(world.status('a').state, State::Closed);
}

#[test]
fn a_close_order_asks_whatever_the_breaker_says() {
    let mut world = Setup::default().build();
    world.open('a');
    order(&world, 'a', Order::Close);
    for _ in 0..20 {
        let Attempt { target, probe, .. } = world.once(Outcome::S5xx).unwrap();
        assert_eq!((target, probe), (TargetId(0), false));
    }
    // The breaker has its own state still, and goes by it again.
    assert_eq!(world.status('a').state, State::Open);
    order(&world, 'a', Order::Auto);
    assert_eq!(world.once(Outcome::Ok).unwrap().target, TargetId(1));
    world.pass(Span::from_secs(17));
    order(&world, 'a', Order::Close);
    for _ in 0..20 {
        assert!(!world.once(Outcome::Ok).unwrap().probe);
    }
    assert_eq!(world.status('a').state, State::HalfOpen, "no probe, no say");
}

#[test]
fn nobody_repeats_at_a_drained_target() {
    let mut world = Setup {
        tiers: vec![(Pick::Weighted, vec![1])],
        retries: Retries {
            max: 2,
            ..Setup::default().retries
        },
        ..Setup::default()
    }
    .build();
    let mut chain = world.chain();
    world.attempt(&mut chain, 0);
    order(&world, 'a', Order::Drain);
    world.end(&mut chain, 0, Outcome::S5xx);
    world.finish(&mut chain, 0);
    world.pass(SECOND);
}
