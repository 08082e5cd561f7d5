//! Two attempts at once: when the second one begins, and every order in which the two can go on.

use crate::base::{Moment, Outcome, Span, TargetId};
use crate::engine::Chain;
use crate::engine::tests::world::{MS, SECOND, Setup, World, target};
use crate::policy::model::{At, Cond, Hedge, HedgeDelay, MaxInflight};

/// `a`, then `b`; hedges go to `c` after 100 ms.
fn setup(after: HedgeDelay, max_extra: u32) -> Setup {
    Setup {
        spare: 1,
        hedge: Some(Hedge {
            at: At::default(),
            after,
            target: target('c'),
            when: Cond::Always,
            max_extra,
        }),
        ..Setup::default()
    }
}

fn fixed() -> Setup {
    setup(HedgeDelay::Fixed(Span::from_millis(100)), 1_000_000)
}

/// When the first attempt may be hedged, from its beginning.
fn delay(world: &World, at: Moment) -> Option<Span> {
    (at != Moment::NEVER).then(|| at.since(world.now))
}

fn hedge(world: &mut World, chain: &mut Chain) -> Option<TargetId> {
    let second = chain.hedge(world.now, &world.plan, &mut world.cores[0])?;
    assert_eq!(second.hedge_at, Moment::NEVER, "once for a request");
    assert!(second.deadline <= chain.deadline() && !second.probe);
    Some(second.target)
}

#[test]
fn a_request_hedges_once_and_where_the_target_can_be_asked() {
    let mut world = fixed().build();
    let mut chain = world.chain();
    let first = world.attempt(&mut chain, 0);
    assert_eq!(delay(&world, first.hedge_at), Some(Span::from_millis(100)));
    assert_eq!(hedge(&mut world, &mut chain), Some(target('c')));
    assert_eq!(hedge(&mut world, &mut chain), None);

    // Forbidden, open, half-open, full, and after content.
    let mut forbidden = world.masked(0b100);
    world.attempt(&mut forbidden, 0);
    assert_eq!(hedge(&mut world, &mut forbidden), None);
    for state in [World::open as fn(&World, char), |world, name| {
        world.open(name);
        let cell = world.board.cell(target(name)).unwrap();
        let gate = cell.gate(0).unwrap();
        gate.half_open(gate.word(), world.now, &cell.rules);
    }] {
        let mut world = fixed().build();
        state(&world, 'c');
        let mut chain = world.chain();
        world.attempt(&mut chain, 0);
        assert_eq!(hedge(&mut world, &mut chain), None);
    }
    let mut full = Setup {
        max_inflight: Some(MaxInflight::Fixed(1)),
        ..fixed()
    }
    .build();
    let mut one = full.chain();
    full.attempt(&mut one, 0);
    assert_eq!(hedge(&mut full, &mut one), Some(target('c')));
    let mut other = full.chain();
    full.attempt(&mut other, 0);
    assert_eq!(hedge(&mut full, &mut other), None);
    let mut late = world.chain();
    world.attempt(&mut late, 0);
    world.content(&mut late, 0);
    assert_eq!(hedge(&mut world, &mut late), None);
}

#[test]
fn the_second_one_counts_as_an_attempt() {
    let mut world = Setup {
        attempts_max: 1,
        ..fixed()
    }
    .build();
    let mut chain = world.chain();
    assert_eq!(world.attempt(&mut chain, 0).hedge_at, Moment::NEVER);
    assert_eq!(hedge(&mut world, &mut chain), None);
}

#[test]
fn nobody_races_to_go_on_with_a_stream() {
    let mut world = fixed().build();
    let mut chain = world.chain();
    world.attempt(&mut chain, 0);
    world.content(&mut chain, 0);
    world.end(&mut chain, 0, Outcome::StreamAbort);
    let next = chain.go_on(world.now, &world.plan, &mut world.cores[0], |_| true);
    assert_eq!(next.unwrap().hedge_at, Moment::NEVER);
    assert_eq!(hedge(&mut world, &mut chain), None);
}

#[test]
fn hedges_are_bounded_by_the_requests() {
    let mut world = setup(HedgeDelay::Fixed(MS), 50_000).build();
    let hedged = (0..1_000).filter(|_| {
        let mut chain = world.chain();
        world.attempt(&mut chain, 0);
        let hedged = hedge(&mut world, &mut chain).is_some();
        world.end(&mut chain, 0, Outcome::Ok);
        hedged
    });
    assert_eq!(hedged.count(), 51);
}

#[test]
fn p95_is_known_after_some_streams() {
    let mut world = setup(HedgeDelay::P95, 1_000_000).build();
    for _ in 0..20 {
        let mut chain = world.chain();
        assert_eq!(world.attempt(&mut chain, 0).hedge_at, Moment::NEVER);
        world.pass(Span::from_millis(200));
        world.content(&mut chain, 0);
        world.end(&mut chain, 0, Outcome::Ok);
    }
    let mut chain = world.chain();
    let first = world.attempt(&mut chain, 0);
    let p95 = delay(&world, first.hedge_at).unwrap().as_millis();
    assert!((200..=225).contains(&p95), "{p95}");
}

#[test]
fn who_was_overtaken_took_at_least_so_long() {
    let mut world = fixed().build();
    let mut chain = world.chain();
    world.attempt(&mut chain, 0);
    world.pass(SECOND);
    hedge(&mut world, &mut chain).unwrap();
    world.pass(SECOND);
    chain.turn();
    world.content(&mut chain, 0);
    assert_eq!(world.board.latencies(target('a')).sum(), Span::from_secs(2));
    assert_eq!(
        world.cores[0].usual_ttft(target('a')),
        Some(Span::from_secs(2))
    );
    assert_eq!(world.cores[0].usual_ttft(target('c')), Some(SECOND));
    let [first, second] = [0, 1].map(|index| chain.attempts().nth(index).unwrap());
    assert!(first.overtaken && first.outcome.is_none() && first.ended.is_some());
    assert!(second.hedge && !second.overtaken);
    assert_eq!(second.ttft, Some(SECOND));
    assert_eq!(chain.target(), Some(target('c')));
}

/// What can happen to a request with two attempts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Event {
    Hedge,
    Content(usize),
    Ok(usize),
    Fail(usize),
    Leave,
}

const EVENTS: [Event; 8] = [
    Event::Hedge,
    Event::Content(0),
    Event::Content(1),
    Event::Ok(0),
    Event::Ok(1),
    Event::Fail(0),
    Event::Fail(1),
    Event::Leave,
];

/// One attempt as the model sees it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Leg {
    begun: bool,
    runs: bool,
    content: bool,
    overtaken: bool,
    outcome: Option<Outcome>,
}

/// Applies `event` to the model; false where it cannot happen.
fn apply(legs: &mut [Leg; 2], event: Event) -> bool {
    let overtake = |other: &mut Leg| {
        other.overtaken |= other.runs;
        other.runs = false;
    };
    match event {
        Event::Hedge => {
            let may = legs[0].runs && !legs[0].content && !legs[1].begun;
            if may {
                legs[1] = Leg {
                    begun: true,
                    runs: true,
                    ..Leg::default()
                };
            }
            may
        }
        Event::Content(leg) => {
            if !legs[leg].runs {
                return false;
            }
            legs[leg].content = true;
            overtake(&mut legs[1 - leg]);
            true
        }
        Event::Ok(leg) | Event::Fail(leg) => {
            if !legs[leg].runs {
                return false;
            }
            legs[leg].runs = false;
            let failed = event == Event::Fail(leg);
            legs[leg].outcome = Some(if failed { Outcome::S5xx } else { Outcome::Ok });
            if !failed {
                overtake(&mut legs[1 - leg]);
            }
            true
        }
        Event::Leave => {
            let may = legs[0].runs || legs[1].runs;
            legs[0].runs = false;
            legs[1].runs = false;
            may
        }
    }
}

#[test]
fn every_order_of_two_attempts() {
    let mut sequences = vec![Vec::new()];
    let mut tried = 0;
    while let Some(sequence) = sequences.pop() {
        let Some(over) = play(&sequence) else {
            continue;
        };
        tried += 1;
        if !over && sequence.len() < 6 {
            sequences.extend(EVENTS.iter().map(|&event| {
                let mut longer: Vec<Event> = sequence.clone();
                longer.push(event);
                longer
            }));
        }
    }
    assert!(tried > 50, "{tried}");
}

/// Plays one sequence in the engine and in the model; tells whether the request is over, `None` if it is none.
fn play(sequence: &[Event]) -> Option<bool> {
    let mut world = fixed().build();
    let mut chain = world.chain();
    world.attempt(&mut chain, 0);
    let mut legs = [Leg::default(); 2];
    legs[0].begun = true;
    legs[0].runs = true;
    let mut left = false;
    for &event in sequence {
        if !apply(&mut legs, event) {
            return None;
        }
        left |= event == Event::Leave;
        world.now = world.now + MS;
        let turned = matches!(event, Event::Content(1) | Event::Ok(1) | Event::Fail(1));
        if turned {
            chain.turn();
        }
        match event {
            Event::Hedge => assert!(hedge(&mut world, &mut chain).is_some()),
            Event::Content(_) => world.content(&mut chain, 0),
            Event::Ok(_) => world.end(&mut chain, 0, Outcome::Ok),
            Event::Fail(_) => world.end(&mut chain, 0, Outcome::S5xx),
            Event::Leave => world.abandon(&mut chain, 0),
        }
        if turned {
            chain.turn();
        }
        agree(&world, &chain, &legs, sequence);
    }
    let runs = legs.iter().any(|leg| leg.runs);
    let won = legs
        .iter()
        .any(|leg| leg.content || leg.outcome == Some(Outcome::Ok));
    if !runs && !won && !left {
        assert_eq!(
            world.attempt(&mut chain, 0).target,
            target('b'),
            "{sequence:?}"
        );
    } else if !runs && !left {
        assert_eq!(world.finish(&mut chain, 0), crate::engine::Finish::Stop);
    }
    Some(!runs)
}

fn agree(world: &World, chain: &Chain, legs: &[Leg; 2], sequence: &[Event]) {
    for (leg, name) in legs.iter().zip(['a', 'c']) {
        let status = world.status(name);
        assert_eq!(status.inflight, u32::from(leg.runs), "{name}: {sequence:?}");
        let failed = leg.outcome == Some(Outcome::S5xx);
        assert_eq!(status.failures, u64::from(failed), "{name}: {sequence:?}");
        let counted = leg.outcome.is_some();
        assert_eq!(status.requests, u64::from(counted), "{name}: {sequence:?}");
    }
    let begun = legs.iter().filter(|leg| leg.begun);
    assert_eq!(chain.attempts().len(), begun.clone().count());
    for (leg, record) in begun.zip(chain.attempts()) {
        assert_eq!(record.outcome, leg.outcome, "{sequence:?}");
        assert_eq!(record.overtaken, leg.overtaken, "{sequence:?}");
        assert_eq!(record.ended.is_some(), !leg.runs, "{sequence:?}");
    }
    assert_eq!(chain.has_beside(), legs[1].runs, "{sequence:?}");
    assert_eq!(chain.committed(), legs.iter().any(|leg| leg.content));
}
