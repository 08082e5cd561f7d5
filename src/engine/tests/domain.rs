//! Faults of a whole provider.

use crate::base::{Outcome, Span};
use crate::engine::tests::world::{Setup, World, target};
use crate::engine::{Rule, State};
use crate::policy::model::Pick;

/// Three models of one provider, a tier each.
fn world(one_provider: bool, cores: usize) -> World {
    Setup {
        tiers: vec![(Pick::Weighted, vec![1]); 3],
        one_provider,
        cores,
        ..Setup::default()
    }
    .build()
}

/// A request that goes to `name` alone and ends so.
fn ends(world: &mut World, core: usize, name: char, outcome: Outcome) {
    let bit = 1_u64 << target(name).index();
    let mut chain = world.masked(!bit & 0b111);
    assert_eq!(world.attempt(&mut chain, core).target, target(name));
    world.end(&mut chain, core, outcome);
}

fn states(world: &World) -> [State; 3] {
    ['a', 'b', 'c'].map(|name| world.status(name).state)
}

/// So many tenths of a second.
fn pass(world: &mut World, ticks: u32) {
    for _ in 0..ticks {
        world.pass(Span::from_millis(100));
    }
}

#[test]
fn two_models_out_of_reach_take_the_third_along() {
    for outcome in [Outcome::Connect, Outcome::Tls] {
        let mut world = world(true, 2);
        for (core, name) in [(0, 'a'), (1, 'b'), (0, 'b'), (1, 'a')] {
            ends(&mut world, core, name, outcome);
        }
        pass(&mut world, 15);
        assert_eq!(states(&world), [State::Closed; 3], "four are too few");
        ends(&mut world, 0, 'a', outcome);
        pass(&mut world, 1);
        assert_eq!(states(&world), [State::Open; 3]);
        assert_eq!(world.status('c').why, Some(Rule::Provider));
        // Each of them comes back by its own probes.
        world.pass(Span::from_secs(17));
        assert_eq!(states(&world), [State::HalfOpen; 3]);
        pass(&mut world, 20);
        assert_eq!(
            states(&world),
            [State::HalfOpen; 3],
            "nothing is remembered"
        );
    }
}

#[test]
fn it_waits_for_a_second_without_an_answer() {
    let mut world = world(true, 1);
    ends(&mut world, 0, 'c', Outcome::Ok);
    pass(&mut world, 1);
    for name in ['a', 'b', 'a', 'b', 'a'] {
        ends(&mut world, 0, name, Outcome::Connect);
        pass(&mut world, 1);
    }
    pass(&mut world, 4);
    assert_eq!(states(&world), [State::Closed; 3]);
    pass(&mut world, 3);
    assert_eq!(states(&world), [State::Open; 3]);
}

#[test]
fn an_answer_of_one_clears_all() {
    let mut world = world(true, 1);
    for name in ['a', 'b', 'a', 'b', 'a'] {
        ends(&mut world, 0, name, Outcome::Connect);
    }
    ends(&mut world, 0, 'c', Outcome::Ok);
    pass(&mut world, 30);
    assert_eq!(states(&world), [State::Closed; 3]);
}

#[test]
fn who_is_back_stays() {
    let mut world = world(true, 1);
    for name in ['a', 'b', 'a', 'b', 'a'] {
        ends(&mut world, 0, name, Outcome::Connect);
    }
    pass(&mut world, 15);
    assert_eq!(states(&world), [State::Open; 3]);
    world.pass(Span::from_secs(17));
    ends(&mut world, 0, 'a', Outcome::Ok);
    // Nobody asks for a while, and what the others met is not half a minute ago.
    pass(&mut world, 50);
    let [back, others @ ..] = states(&world);
    assert_ne!(back, State::Open);
    assert_eq!(others, [State::HalfOpen; 2]);
}

#[test]
fn one_model_alone_never_takes_another_one_along() {
    // Whatever it ends in, as often as it likes.
    for outcome in [Outcome::Connect, Outcome::Tls, Outcome::S5xx] {
        let mut world = world(true, 1);
        for _ in 0..5 {
            ends(&mut world, 0, 'a', outcome);
        }
        pass(&mut world, 30);
        assert_eq!(states(&world), [State::Open, State::Closed, State::Closed]);
    }
    // Two that were reached.
    let mut world = world(true, 1);
    for name in ['a', 'b'] {
        for _ in 0..4 {
            ends(&mut world, 0, name, Outcome::S5xx);
        }
    }
    pass(&mut world, 30);
    assert_eq!(states(&world), [State::Closed; 3]);
}

#[test]
fn answers_and_time_make_it_forget() {
    let connect = |world: &mut World| {
        for name in ['a', 'a', 'a', 'b', 'b', 'b'] {
            ends(world, 0, name, Outcome::Connect);
        }
    };
    // A refusal is an answer, too.
    for answer in [Outcome::Ok, Outcome::S429, Outcome::S4xx, Outcome::S5xx] {
        let mut world = world(true, 1);
        connect(&mut world);
        ends(&mut world, 0, 'b', answer);
        pass(&mut world, 30);
        assert_eq!(states(&world), [State::Closed; 3], "{answer:?}");
    }
    // What one met half a minute ago does not explain what another one meets now.
    let mut world = world(true, 1);
    for _ in 0..4 {
        ends(&mut world, 0, 'a', Outcome::Connect);
    }
    world.pass(Span::from_secs(31));
    ends(&mut world, 0, 'b', Outcome::Connect);
    pass(&mut world, 30);
    assert_eq!(states(&world), [State::Closed; 3]);
}

#[test]
fn other_providers_are_other_domains() {
    let mut world = world(false, 1);
    for name in ['a', 'b'] {
        for _ in 0..4 {
            ends(&mut world, 0, name, Outcome::Connect);
        }
    }
    pass(&mut world, 30);
    assert_eq!(states(&world), [State::Closed; 3]);
}
