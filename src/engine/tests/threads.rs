//! The board under real threads: counts are exact, tokens and places in flight are never given twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use crate::base::{Moment, Outcome, RequestId, RouteId, Span};
use crate::engine::tests::world::{Setup, World, breaker};
use crate::engine::{Chain, Core, End, Form, State, Step};
use crate::policy::Decision;
use crate::policy::model::{Breaker, MaxInflight, Pick};

const CORES: usize = 4;

/// How many probes are under way, and the most there have been.
#[derive(Default)]
struct Probes {
    out: AtomicU32,
    most: AtomicU32,
}

impl Probes {
    fn seen(&self) {
        let out = self.out.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(out, Ordering::SeqCst);
        thread::yield_now();
        self.out.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Runs whole requests on every core of the world at once; `work` says from the core and the request's number how each
/// ends. The most probes that were under way.
fn storm(world: &mut World, requests: u64, work: impl Fn(usize, u64) -> Outcome + Sync) -> u32 {
    let (plan, now) = (&world.plan, world.now);
    let probes = Probes::default();
    let one = |core: &mut Core, index: usize, number: u64| {
        let id = RequestId(u128::from(number) << 8 | index as u128);
        let decision = Decision {
            route: RouteId(0),
            ..Decision::default()
        };
        let mut chain = Chain::new(plan, decision, Form::Stream, id, now);
        if let Step::Attempt(attempt) = chain.next(now, plan, core) {
            if attempt.probe {
                probes.seen();
            }
            let end = End {
                outcome: work(index, number),
                retry_after: None,
                model_alone: false,
            };
            chain.ended(now, plan, core, end);
        }
    };
    thread::scope(|scope| {
        for (index, core) in world.cores.iter_mut().enumerate() {
            let one = &one;
            scope.spawn(move || (0..requests).for_each(|number| one(core, index, number)));
        }
    });
    assert_eq!(probes.out.load(Ordering::SeqCst), 0);
    probes.most.into_inner()
}

fn world(breaker: Breaker, max_inflight: Option<u32>) -> World {
    Setup {
        tiers: vec![(Pick::Weighted, vec![1])],
        cores: CORES,
        breaker,
        max_inflight: max_inflight.map(MaxInflight::Fixed),
        ..Setup::default()
    }
    .build()
}

#[test]
fn the_sum_is_exact() {
    let mut world = world(
        Breaker {
            consecutive: None,
            error_rate: None,
            ..breaker()
        },
        None,
    );
    storm(&mut world, 5_000, |core, number| {
        if number % 10 == core as u64 {
            Outcome::S5xx
        } else {
            Outcome::Ok
        }
    });
    world.pass(Span::from_millis(100));
    let status = world.status('a');
    assert_eq!((status.requests, status.failures), (20_000, 2_000));
    assert_eq!((status.inflight, status.state), (0, State::Closed));
}

#[test]
fn no_more_probes_than_tokens() {
    let many = Breaker {
        probes: 2,
        need: 60_000,
        ..breaker()
    };
    let mut world = world(many, None);
    world.half_open('a');
    let most = storm(&mut world, 5_000, |_, _| Outcome::Ok);
    assert!((1..=2).contains(&most), "{most}");
    assert_eq!(world.status('a').probes, 0);
    assert_eq!(world.status('a').state, State::HalfOpen);
}

#[test]
fn the_streak_opens_once_whoever_gets_there_first() {
    let mut world = world(breaker(), None);
    storm(&mut world, 100, |_, _| Outcome::S5xx);
    let status = world.status('a');
    assert_eq!(
        (status.state, status.opened, status.inflight),
        (State::Open, 1, 0)
    );
    assert_eq!(world.board.tick(world.now).len(), 1);
}

#[test]
fn a_full_target_never_has_more_in_flight_than_it_may() {
    let mut world = world(breaker(), Some(2));
    let board = Arc::clone(&world.board);
    let most = AtomicU32::new(0);
    storm(&mut world, 2_000, |_, _| {
        most.fetch_max(board.status(Moment::START)[0].inflight, Ordering::SeqCst);
        Outcome::Ok
    });
    // Each core may add itself for an instant before it sees that there is no room; none of them goes.
    assert!(most.into_inner() < 2 + u32::try_from(CORES).unwrap());
    assert_eq!(world.status('a').inflight, 0);
}

#[test]
fn a_probe_that_finds_no_room_gives_its_token_back() {
    let many = Breaker {
        probes: 4,
        need: 60_000,
        ..breaker()
    };
    let mut world = world(many, Some(1));
    world.half_open('a');
    assert!(storm(&mut world, 5_000, |_, _| Outcome::Ok) <= 1);
    assert_eq!(
        (world.status('a').probes, world.status('a').inflight),
        (0, 0)
    );
}
