//! Spilling by time: part of a slow target's load leaves, some stays, and all comes back.

use crate::base::{Outcome, RouteId, Span};
use crate::engine::Order;
use crate::engine::tests::world::{SECOND, Setup, World, target};
use crate::policy::model::{Measure, Pick, SlowRule, Spill};

const A: usize = 0;
const B: usize = 1;
const FAST: Span = Span::from_millis(500);
const SLOW: Span = Span::from_secs(3);
const VERY_SLOW: Span = Span::from_secs(5);

/// Beyond two seconds.
fn by(measure: Measure) -> Spill {
    let rule = SlowRule {
        measure,
        prompts: None,
        percentile: 950_000,
        limit: Span::from_secs(2),
    };
    Spill {
        saturation: None,
        slow: vec![rule],
    }
}

fn setup() -> Setup {
    Setup {
        spill: Some(by(Measure::Ttft)),
        ..Setup::default()
    }
}

/// So many requests in each of so many seconds, and what the times of a target hang on: how many it got in that second.
/// Gives how many each of the first three targets got, by seconds.
fn serve(
    world: &mut World,
    seconds: usize,
    rate: usize,
    time: impl Fn(usize, usize) -> Span,
) -> Vec<[usize; 3]> {
    let mut went = Vec::new();
    for _ in 0..seconds {
        let began = world.now;
        let mut chains: Vec<_> = (0..rate)
            .map(|_| {
                let mut chain = world.chain();
                let target = world.attempt(&mut chain, 0).target;
                (chain, target.index())
            })
            .collect();
        let mut counts = [0; 3];
        for (_, at) in &chains {
            counts[*at] += 1;
        }
        for (chain, at) in &mut chains {
            world.now = began + time(*at, counts[*at]);
            world.content(chain, 0);
            world.end(chain, 0, Outcome::Ok);
        }
        went.push(counts);
        world.now = began;
        world.pass(SECOND);
    }
    went
}

fn share(went: &[[usize; 3]], at: usize) -> f64 {
    let (mut part, mut all) = (0, 0);
    for counts in went {
        part += counts[at];
        all += counts.iter().sum::<usize>();
    }
    f64::from(u32::try_from(part).unwrap()) / f64::from(u32::try_from(all).unwrap())
}

#[test]
fn part_of_a_slow_targets_load_leaves_and_comes_back() {
    let mut world = setup().build();
    let well = serve(&mut world, 20, 50, |_, _| FAST);
    assert!(share(&well, A) > 0.999);
    let slow = |at, _| if at == A { SLOW } else { FAST };
    let went = serve(&mut world, 60, 50, slow);
    // It was judged within five seconds, and a quarter leaves then, not all.
    let first = share(&went[2..5], A);
    assert!((0.65..0.85).contains(&first), "{first}");
    let last = &went[50..];
    assert!((0.05..0.15).contains(&share(last, A)), "{last:?}");
    assert_eq!(world.status('a').spilt, Some(900_000));
    assert_eq!(world.status('b').spilt, None, "nobody is left to take it");
    // Step by step, not all at once.
    let back = serve(&mut world, 60, 50, |_, _| FAST);
    assert!(share(&back[..10], A) < 0.5);
    assert!(share(&back[55..], A) > 0.999, "{back:?}");
    assert_eq!(world.status('a').spilt, Some(0));
}

#[test]
fn what_is_far_too_slow_is_left_sooner() {
    let mut world = setup().build();
    let went = serve(
        &mut world,
        20,
        50,
        |at, _| {
            if at == A { VERY_SLOW } else { FAST }
        },
    );
    let first = share(&went[6..10], A);
    assert!((0.4..0.6).contains(&first), "{first}");
}

/// It bears thirty a second; fifty come.
#[test]
fn load_that_makes_slow_settles() {
    let mut world = setup().build();
    let time = |at, load| if at == A && load > 30 { SLOW } else { FAST };
    serve(&mut world, 300, 50, time);
    let mut parts = Vec::new();
    let mut slow = 0;
    for _ in 0..600 {
        let went = serve(&mut world, 1, 50, time);
        slow += usize::from(went[0][A] > 30);
        parts.push(world.status('a').spilt.unwrap());
    }
    let changes = parts.windows(2).filter(|pair| pair[0] != pair[1]).count();
    // Once in 80 s it tries what it bears, in one step back and one ahead.
    assert!(changes <= 24, "{changes} in ten minutes: {parts:?}");
    assert!(slow <= 200, "{slow} of 600 seconds beyond what it bears");
    let least = parts.iter().min().unwrap();
    assert!(*least >= 200_000, "{least}");
}

#[test]
fn nothing_goes_to_who_is_slower() {
    let mut world = setup().build();
    let time = |at, _| if at == A { SLOW } else { VERY_SLOW };
    let went = serve(&mut world, 600, 50, time);
    // It has to be seen, now and then.
    assert!(share(&went, A) > 0.9, "{}", share(&went, A));
    // Once it is faster, that is seen, too.
    let time = |at, _| if at == A { SLOW } else { FAST };
    let went = serve(&mut world, 400, 50, time);
    assert!(share(&went[350..], A) < 0.2, "{}", share(&went[350..], A));
}

#[test]
fn who_is_out_takes_nothing() {
    let mut world = Setup {
        tiers: vec![(Pick::Weighted, vec![1]); 3],
        ..setup()
    }
    .build();
    // The last one is known to be slower, and the fast one between them is out.
    let time = |at, _| [SLOW, FAST, VERY_SLOW][at];
    world.board.order(target('b'), Order::Drain);
    serve(&mut world, 60, 50, time);
    let went = serve(&mut world, 4, 50, time);
    assert!(share(&went, A) > 0.7, "{went:?}");
}

#[test]
fn a_slow_member_is_left_for_the_others_of_its_tier() {
    let mut world = Setup {
        tiers: vec![(Pick::Weighted, vec![1, 1]), (Pick::Weighted, vec![1])],
        ..setup()
    }
    .build();
    let went = serve(
        &mut world,
        60,
        50,
        |at, _| if at == A { SLOW } else { FAST },
    );
    let last = &went[50..];
    assert!(share(last, A) < 0.1, "{last:?}");
    assert!(share(last, B) > 0.9, "{last:?}");
    assert_eq!(world.status('b').spilt, Some(0));
}

#[test]
fn too_few_requests_say_nothing_and_what_left_comes_back_without_them() {
    let mut world = setup().build();
    let slow = |at, _| if at == A { SLOW } else { FAST };
    for _ in 0..100 {
        let went = serve(&mut world, 1, 1, slow);
        assert_eq!(went[0][A], 1);
        world.pass(Span::from_secs(3));
    }
    serve(&mut world, 60, 50, slow);
    assert_eq!(world.status('a').spilt, Some(900_000));
    // Eight steps of a minute each.
    for _ in 0..8 * 600 {
        world.pass(Span::from_millis(100));
    }
    assert_eq!(world.status('a').spilt, Some(0));
}

/// Impatient clients do not hide how slow a target is.
#[test]
fn what_was_not_waited_for_counts() {
    let mut world = setup().build();
    for _ in 0..200 {
        let began = world.now;
        let mut chain = world.chain();
        let at = world.attempt(&mut chain, 0).target;
        world.now = began + if at == target('a') { SLOW } else { FAST };
        if at == target('a') {
            world.abandon(&mut chain, 0);
        } else {
            world.content(&mut chain, 0);
            world.end(&mut chain, 0, Outcome::Ok);
        }
        world.now = began;
        world.pass(Span::from_millis(100));
    }
    assert!(world.status('a').spilt.unwrap() >= 250_000);
    // One who leaves early says nothing at all.
    world.renew();
    for _ in 0..200 {
        let began = world.now;
        let mut chain = world.chain();
        world.attempt(&mut chain, 0);
        world.now = began + FAST;
        world.abandon(&mut chain, 0);
        world.now = began;
        world.pass(Span::from_millis(100));
    }
    assert_eq!(world.status('a').spilt, Some(0));
}

#[test]
fn gaps_spill_where_the_pool_says_so() {
    for (measure, leaves) in [(Measure::Gap, true), (Measure::Ttft, false)] {
        let mut world = Setup {
            spill: Some(by(measure)),
            ..Setup::default()
        }
        .build();
        for _ in 0..500 {
            let mut chain = world.chain();
            let at = world.attempt(&mut chain, 0).target;
            world.content(&mut chain, 0);
            chain.gap(if at == target('a') { SLOW } else { FAST });
            world.end(&mut chain, 0, Outcome::Ok);
            world.pass(Span::from_millis(20));
        }
        assert_eq!(world.status('a').spilt > Some(0), leaves, "{measure:?}");
    }
}

#[test]
fn a_reload_changes_nothing_unless_the_rule_is_another() {
    let mut world = setup().build();
    serve(
        &mut world,
        60,
        50,
        |at, _| if at == A { SLOW } else { FAST },
    );
    let plan = setup().plan();
    world.follow(plan, &|place| Some(place));
    assert_eq!(world.status('a').spilt, Some(900_000));
    let went = serve(&mut world, 4, 50, |at, _| if at == A { SLOW } else { FAST });
    assert!(share(&went, A) < 0.2, "{went:?}");
    let mut other = by(Measure::Ttft);
    other.slow[0].limit = Span::from_secs(4);
    let plan = Setup {
        spill: Some(other),
        ..Setup::default()
    }
    .plan();
    world.follow(plan, &|place| Some(place));
    assert_eq!(world.status('a').spilt, Some(0));
}

/// What a recorded decision saw makes another engine decide alike.
#[test]
fn what_was_seen_to_leave_leaves_again() {
    let mut world = setup().build();
    serve(
        &mut world,
        60,
        50,
        |at, _| if at == A { SLOW } else { FAST },
    );
    let chain = world.chain();
    let look = chain.look(world.now, &world.plan, &mut world.cores[0]);
    let seen: Vec<u32> = look.sights.iter().map(|sight| sight.spilt).collect();
    assert_eq!(seen, [900_000, 0]);
    let mut other = setup().build();
    other.cores[0].restage(other.now, &other.plan, RouteId(0), &look.sights, None);
    assert_eq!(other.status('a').spilt, Some(900_000));
    let went = serve(&mut other, 1, 200, |_, _| FAST);
    assert!(share(&went, A) < 0.2, "{went:?}");
}
