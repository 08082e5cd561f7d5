//! `max_inflight = auto` against providers that are models of queues, in virtual time and with the whole engine.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::base::{Moment, Outcome, Span, hash};
use crate::engine::Chain;
use crate::engine::tests::world::{SECOND, Setup, World, target};
use crate::policy::model::{AutoInflight, MaxInflight, Pick};

/// A provider that answers so many at a time, each within `service` and a random part more or less; others wait.
struct Queue {
    servers: Vec<Moment>,
    service: Span,
    /// In percent.
    spread: u64,
    /// Above so many under way it refuses.
    refuses_above: usize,
    drawn: u64,
}

impl Queue {
    fn new(servers: usize, service_ms: u64) -> Self {
        Self {
            servers: vec![Moment::START; servers],
            service: Span::from_millis(service_ms),
            spread: 20,
            refuses_above: usize::MAX,
            drawn: 0,
        }
    }

    /// When a request is answered that comes now.
    fn take(&mut self, now: Moment) -> Moment {
        self.drawn += 1;
        let width = self.service.as_micros() * self.spread / 100;
        let part = hash::scale(hash::mix(77, self.drawn), width * 2 + 1);
        let service = Span::from_micros(self.service.as_micros() - width + part);
        let free = self.servers.iter_mut().min().unwrap();
        *free = (*free).max(now) + service;
        *free
    }
}

/// Requests at a rate, the first target a queue, the second one takes what it has no place for.
struct Run {
    world: World,
    queue: Queue,
    under_way: BinaryHeap<Reverse<(Moment, u64)>>,
    chains: std::collections::BTreeMap<u64, (Chain, bool)>,
    count: u64,
    overflowed: u64,
    served: u64,
}

const RANGE: AutoInflight = AutoInflight {
    least: 4,
    most: 1_000,
};

impl Run {
    fn new(queue: Queue) -> Self {
        let world = Setup {
            tiers: vec![(Pick::Weighted, vec![1]), (Pick::Weighted, vec![1])],
            max_inflight: Some(MaxInflight::Auto(RANGE)),
            ..Setup::default()
        }
        .build();
        Self {
            world,
            queue,
            under_way: BinaryHeap::new(),
            chains: std::collections::BTreeMap::new(),
            count: 0,
            overflowed: 0,
            served: 0,
        }
    }

    /// So many requests a second for so many seconds; gives the limit after each of them.
    fn load(&mut self, per_second: u64, seconds: u64) -> Vec<u32> {
        let gap = Span::from_micros(1_000_000 / per_second);
        let end = self.world.now + Span::from_secs(seconds);
        let mut limits = Vec::new();
        let mut next_tick = self.world.now;
        let mut next_look = self.world.now + SECOND;
        let mut next_request = self.world.now;
        while self.world.now < end {
            let now = self.world.now;
            self.finish(now);
            if now >= next_tick {
                self.world.board.tick(now);
                next_tick = next_tick + Span::from_millis(100);
            }
            if now >= next_look {
                limits.push(self.limit());
                next_look = next_look + SECOND;
            }
            while next_request <= now {
                self.request(now);
                next_request = next_request + gap;
            }
            self.world.now = now + Span::from_millis(5);
        }
        limits
    }

    fn request(&mut self, now: Moment) {
        let mut chain = self.world.chain();
        let attempt = self.world.attempt(&mut chain, 0);
        if attempt.target != target('a') {
            // Elsewhere answers are instant, so that it never matters.
            self.overflowed += 1;
            self.world.abandon(&mut chain, 0);
            return;
        }
        self.count += 1;
        let refused = self.under_way.len() >= self.queue.refuses_above;
        let due = if refused {
            now + Span::from_millis(20)
        } else {
            self.queue.take(now)
        };
        self.under_way.push(Reverse((due, self.count)));
        self.chains.insert(self.count, (chain, refused));
    }

    fn finish(&mut self, now: Moment) {
        while let Some(&Reverse((due, id))) = self.under_way.peek() {
            if due > now {
                return;
            }
            self.under_way.pop();
            let (mut chain, refused) = self.chains.remove(&id).unwrap();
            if refused {
                self.world.end(&mut chain, 0, Outcome::Overloaded);
                continue;
            }
            self.served += 1;
            self.world.content(&mut chain, 0);
            self.world.end(&mut chain, 0, Outcome::Ok);
        }
    }

    fn limit(&self) -> u32 {
        self.world.status('a').max_inflight.unwrap()
    }
}

fn range(limits: &[u32]) -> (u32, u32) {
    (*limits.iter().min().unwrap(), *limits.iter().max().unwrap())
}

/// Forty at a time, half a second each: eighty a second, and twice as many are asked.
#[test]
fn a_queue_is_held_near_its_knee_for_as_long_as_the_load_lasts() {
    let mut run = Run::new(Queue::new(40, 500));
    run.load(20, 20);
    run.load(160, 40);
    let served = run.served;
    let limits = run.load(160, 320);
    let (low, high) = range(&limits);
    assert!(low >= 20 && high <= 120, "{low} {high}");
    let mean = limits.iter().sum::<u32>() as usize / limits.len();
    assert!((40..=80).contains(&mean), "{mean}");
    // It has work all the time but for the trials.
    let rate = (run.served - served) / 320;
    assert!(rate >= 74, "{rate}");
}

#[test]
fn a_target_that_is_as_fast_with_many_as_with_few_is_not_throttled() {
    let mut queue = Queue::new(10_000, 1_500);
    queue.spread = 60;
    let mut run = Run::new(queue);
    run.load(20, 10);
    run.load(120, 60);
    run.overflowed = 0;
    let asked = run.count;
    let limits = run.load(120, 120);
    // A hundred and eighty are under way.
    assert!(
        run.overflowed * 50 <= run.count - asked,
        "{}",
        run.overflowed
    );
    assert!(range(&limits).0 >= 90, "{limits:?}");
}

#[test]
fn the_bound_comes_back_when_the_target_has_recovered() {
    let mut run = Run::new(Queue::new(200, 500));
    run.load(20, 10);
    let well = run.load(300, 60);
    run.queue.servers.truncate(20);
    let ill = run.load(300, 120);
    run.queue.servers = vec![run.world.now; 200];
    let again = run.load(300, 90);
    assert!(*well.last().unwrap() >= 140, "{well:?}");
    assert!(range(&ill[100..]).1 <= 60, "{ill:?}");
    assert!(range(&ill).0 >= RANGE.least, "{ill:?}");
    assert!(*again.last().unwrap() >= 140, "{again:?}");
}

/// What got slower for everybody, whatever we do, is not ours to cure.
#[test]
fn a_target_that_has_become_slow_by_itself_keeps_its_load() {
    let mut run = Run::new(Queue::new(10_000, 250));
    run.load(100, 30);
    run.queue.service = Span::from_millis(1_000);
    run.load(100, 120);
    run.overflowed = 0;
    let asked = run.count;
    run.load(100, 120);
    assert!(
        run.overflowed * 20 <= run.count - asked,
        "{}",
        run.overflowed
    );
}

#[test]
fn refusals_cut_it_and_it_goes_on_below() {
    let mut queue = Queue::new(10_000, 200);
    queue.refuses_above = 50;
    let mut run = Run::new(queue);
    run.load(20, 10);
    let limits = run.load(300, 120);
    let (low, high) = range(&limits[10..]);
    assert!(low >= 15 && high <= 80, "{limits:?}");
}

#[test]
fn what_nobody_uses_does_not_grow() {
    let mut run = Run::new(Queue::new(1_000, 100));
    let limits = run.load(50, 60);
    assert_eq!(range(&limits), (64, 64));
}

/// The new plan's bounds hold at once, and what was learned within them goes on.
#[test]
fn a_reload_goes_on_from_what_is_known() {
    let mut run = Run::new(Queue::new(20, 500));
    run.load(10, 10);
    run.load(80, 60);
    let learned = run.limit();
    assert!((20..50).contains(&learned), "{learned}");
    let follow = |run: &mut Run, bound| {
        let plan = Setup {
            tiers: vec![(Pick::Weighted, vec![1]), (Pick::Weighted, vec![1])],
            max_inflight: Some(bound),
            ..Setup::default()
        }
        .plan();
        run.world.follow(plan, &Some);
        run.limit()
    };
    let auto = |least, most| MaxInflight::Auto(AutoInflight { least, most });
    assert_eq!(follow(&mut run, auto(1, 500)), learned);
    assert_eq!(follow(&mut run, auto(90, 500)), 90);
    assert_eq!(follow(&mut run, MaxInflight::Fixed(7)), 7);
    assert_eq!(follow(&mut run, auto(1, 500)), 64);
}
