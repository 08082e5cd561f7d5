//! Waiting for a place.

use crate::base::{Outcome, Span};
use crate::engine::tests::world::{SECOND, Setup, World, reject, target};
use crate::engine::{Chain, Finish, PassedOver, Reason, Step};
use crate::policy::model::{MaxInflight, Otherwise, Pick, Queue};

/// Three milliseconds: less than a look.
const SOON: Span = Span::from_millis(3);
const LOOK: Span = Span::from_millis(5);

/// Two members of one place each, then one more tier of the same; two may wait at each target.
fn setup() -> Setup {
    Setup {
        tiers: vec![(Pick::Weighted, vec![1, 1]), (Pick::Weighted, vec![1])],
        max_inflight: Some(MaxInflight::Fixed(1)),
        queue: Some(Queue {
            max: 2,
            wait: SECOND,
        }),
        deadline: Span::from_secs(5),
        ..Setup::default()
    }
}

/// Chains that hold all places of tier 1.
fn fill(world: &mut World) -> [Chain; 2] {
    [0, 1].map(|_| {
        let mut chain = world.chain();
        world.attempt(&mut chain, 0);
        chain
    })
}

fn waits(world: &mut World, chain: &mut Chain) {
    let now = world.now;
    match world.next(chain, 0) {
        Step::Wait(until) => assert_eq!(until, now + LOOK),
        other => panic!("expected a wait, got {other:?}"),
    }
}

#[test]
fn a_request_waits_for_a_place_and_takes_it() {
    for turned in [false, true] {
        waits_and_takes(turned);
    }
}

fn waits_and_takes(turned: bool) {
    let mut world = setup().build();
    let [mut first, mut second] = fill(&mut world);
    if turned {
        std::mem::swap(&mut first, &mut second);
    }
    let mut waiting = world.chain();
    waits(&mut world, &mut waiting);
    assert_eq!(world.status('a').queued, 1);
    world.now = world.now + LOOK;
    waits(&mut world, &mut waiting);
    // A place at either member does, in whosever queue it is counted.
    let freed = second.target().unwrap();
    world.end(&mut second, 0, Outcome::Ok);
    // Who comes now does not take it.
    let mut late = world.chain();
    waits(&mut world, &mut late);
    world.now = world.now + SOON;
    assert_eq!(world.attempt(&mut waiting, 0).target, freed);
    assert_eq!(waiting.queued(world.now), Span::from_millis(8));
    waits(&mut world, &mut late);
    world.end(&mut first, 0, Outcome::Ok);
    world.attempt(&mut late, 0);
    for chain in [&mut waiting, &mut late] {
        world.end(chain, 0, Outcome::Ok);
    }
    for name in ['a', 'b', 'c'] {
        let status = world.status(name);
        assert_eq!((status.queued, status.inflight), (0, 0));
    }
}

#[test]
fn a_full_queue_and_a_wait_that_is_over_lead_to_the_next_tier() {
    let mut world = setup().build();
    let mut held = fill(&mut world);
    let mut waiting: Vec<_> = (0..4).map(|_| world.chain()).collect();
    for chain in &mut waiting {
        waits(&mut world, chain);
    }
    assert_eq!(['a', 'b'].map(|name| world.status(name).queued), [2, 2]);
    // There is room for four, then somebody else answers.
    let mut fifth = world.chain();
    assert_eq!(world.attempt(&mut fifth, 0).target, target('c'));
    // And then one waits there.
    let mut sixth = world.chain();
    waits(&mut world, &mut sixth);
    assert_eq!(world.status('c').queued, 1);
    world.end(&mut fifth, 0, Outcome::Ok);
    sixth.leave_queue(world.now, &world.cores[0]);
    world.now = world.now + SECOND;
    assert_eq!(world.attempt(&mut waiting[0], 0).target, target('c'));
    assert_eq!(waiting[0].queued(world.now), SECOND);
    // Nobody waits twice.
    let finish = world.finish(&mut waiting[1], 0);
    assert!(
        matches!(
            finish,
            Finish::Reject {
                reason: Reason::Outcome(Outcome::Overloaded),
                ..
            }
        ),
        "{finish:?}"
    );
    assert_eq!(world.status('a').queued, 0);
    let waiting: Vec<_> = waiting.drain(2..).collect();
    for mut chain in waiting {
        chain.leave_queue(world.now, &world.cores[0]);
    }
    for chain in &mut held {
        world.abandon(chain, 0);
    }
    assert_eq!(
        ['a', 'b', 'c'].map(|name| world.status(name).queued),
        [0; 3]
    );
}

#[test]
fn nobody_waits_for_those_who_are_ill_or_longer_than_the_deadline() {
    let mut world = Setup {
        queue: Some(Queue {
            max: 9,
            wait: Span::from_secs(60),
        }),
        otherwise: Otherwise::Reject(reject(529)),
        ..setup()
    }
    .build();
    let mut held = fill(&mut world);
    let mut patient = world.chain();
    waits(&mut world, &mut patient);
    let mut hopeless = world.chain();
    waits(&mut world, &mut hopeless);
    world.open('a');
    world.now = world.now + LOOK;
    // The other one may still become free.
    waits(&mut world, &mut hopeless);
    world.open('b');
    world.now = world.now + LOOK;
    assert_eq!(world.attempt(&mut hopeless, 0).target, target('c'));
    assert_eq!(hopeless.passed_over(0), Some(PassedOver::BreakerOpen));
    // Its last place is taken now.
    assert!(matches!(world.next(&mut patient, 0), Step::Finish(_)));
    for chain in held.iter_mut().chain([&mut hopeless]) {
        world.abandon(chain, 0);
    }
    // Within the deadline of five seconds.
    world.renew();
    let mut held = fill(&mut world);
    let mut c = world.chain();
    let mut patient = world.chain();
    waits(&mut world, &mut c);
    waits(&mut world, &mut patient);
    world.now = world.now + Span::from_secs(5);
    let finish = world.finish(&mut patient, 0);
    assert!(
        matches!(
            finish,
            Finish::Reject {
                reason: Reason::Deadline,
                ..
            }
        ),
        "{finish:?}"
    );
    c.leave_queue(world.now, &world.cores[0]);
    for chain in &mut held {
        world.abandon(chain, 0);
    }
    assert_eq!(world.status('a').queued, 0);
}

/// What failed goes on at once: a wait is for those who have not been anywhere.
#[test]
fn a_failover_does_not_wait() {
    let mut world = setup().build();
    let mut first = world.chain();
    let went = world.attempt(&mut first, 0).target;
    let mut second = world.chain();
    world.attempt(&mut second, 0);
    world.end(&mut first, 0, Outcome::S5xx);
    assert_ne!(went, target('c'));
    assert_eq!(world.attempt(&mut first, 0).target, target('c'));
    for chain in [&mut first, &mut second] {
        world.abandon(chain, 0);
    }
}

#[test]
fn a_reload_goes_on_with_those_who_wait() {
    let mut world = setup().build();
    let mut held = fill(&mut world);
    let mut waiting = world.chain();
    waits(&mut world, &mut waiting);
    let mut old = world.follow(setup().plan(), &Some);
    assert_eq!(world.status('a').queued, 1);
    old.end(&mut held[0], 0, Outcome::Ok);
    // The new plan's requests stand behind.
    let mut late = world.chain();
    waits(&mut world, &mut late);
    old.attempt(&mut waiting, 0);
    assert_eq!(world.status('a').queued, 1);
    late.leave_queue(world.now, &world.cores[0]);
    for chain in [&mut waiting, &mut held[1]] {
        old.abandon(chain, 0);
    }
    assert_eq!(world.status('a').queued, 0);
}
