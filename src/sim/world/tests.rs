//! Every rule can be broken: a mistake is planted into a world that is sound, and its rule must say so.

use crate::base::{Moment, Span, TargetId};
use crate::engine::State;
use crate::policy::{Plan, load};
use crate::sim::world::agenda::{Agenda, Event};
use crate::sim::world::client::{Arrivals, Ask, Crowd, Manners};
use crate::sim::world::fault::{Fault, Spell, Who};
use crate::sim::world::network::{Nature, outlets};
use crate::sim::world::worker::Connection;
use crate::sim::world::{Latency, Rule, Scenario, World};

const POLICY: &str = r#"
policy 1
provider main {
  kind = openai_compatible, base_url = "http://main.test/v1", auth = bearer(env("MAIN")), tls = off
  model m = "model"
}
provider backup {
  kind = openai_compatible, base_url = "http://backup.test/v1", auth = bearer(env("BACKUP")), tls = off
  model m = "model"
}
defaults { deadline = 500ms }
route default {
  tier 1 { main.m }
  hedge after 100ms -> backup.m { max_extra = 5% }
  fallback { on any -> next, else -> reject(503) }
}
"#;

fn plan(text: &str) -> Plan {
    let (policy, _) = load(&[("test", text)], "test", &[]).unwrap();
    Plan::new(policy).unwrap()
}

/// A second of this world, with requests under way at its end; then `plant` changes something, and it goes on.
fn broken_by(plant: impl FnOnce(&mut World<'_>)) -> Option<Rule> {
    let plan = plan(POLICY);
    let to = Moment::START + Span::from_secs(2);
    let crowd = Crowd {
        arrivals: Arrivals::Every(Span::from_millis(10)),
        from: Moment::START,
        to,
        manners: Manners {
            streams: 1_000_000,
            ..Manners::polite(vec!["model".to_owned()])
        },
    };
    let quick = Nature {
        ttft: Latency::Constant(Span::from_millis(40)),
        gap: Latency::Constant(Span::from_millis(10)),
        ..Nature::default()
    };
    let scenario = Scenario {
        cores: 2,
        natures: vec![quick; 2],
        spells: Vec::new(),
        crowds: vec![crowd],
    };
    let mut world = World::new(&plan, scenario, 1);
    let half = world.run(Moment::START + Span::from_secs(1));
    assert_eq!(half.broken, None);
    assert!(half.clients.answers > 50);
    plant(&mut world);
    world.run(to);
    world.finish().broken.map(|broken| broken.rule)
}

/// A connection whose request has been sent and whose answer has not begun.
fn under_way<'w>(world: &'w mut World<'_>) -> &'w mut Connection {
    let found = world.connections.iter_mut().flatten().find(|it| {
        it.request
            .attempts
            .last()
            .is_some_and(|(_, sighting)| sighting.serial != 0)
            && it.client.reader.begun().is_none()
    });
    found.unwrap()
}

#[test]
fn a_world_without_a_mistake_is_sound() {
    assert_eq!(broken_by(|_| ()), None);
}

#[test]
fn a_mistake_in_a_request_or_an_answer_is_found() {
    let answer = |world: &mut World<'_>| under_way(world).client.asks.clear();
    assert_eq!(broken_by(answer), Some(Rule::Answer));
    let unanswered = |world: &mut World<'_>| {
        let it = under_way(world);
        it.client.asks.push_back(Ask {
            number: 0,
            streams: true,
            sent: Moment::START,
            leaves: None,
        });
    };
    assert_eq!(broken_by(unanswered), Some(Rule::Answer));
    let words = |world: &mut World<'_>| {
        under_way(world).request.attempts[0].1.serial += 1;
    };
    assert_eq!(broken_by(words), Some(Rule::Words));
    let fewer = |world: &mut World<'_>| {
        under_way(world).request.attempts[0].1.words += 1;
    };
    assert_eq!(broken_by(fewer), Some(Rule::Words));
    let target = |world: &mut World<'_>| {
        let seen = Some((TargetId(1), 0));
        under_way(world).request.attempts[0].1.target = seen;
    };
    assert_eq!(broken_by(target), Some(Rule::Request));
    let key = |world: &mut World<'_>| {
        let other = POLICY
            .replace("provider main", "provider other")
            .replace("main.m", "other.m");
        world.outlets = outlets(&plan(&other));
    };
    assert_eq!(broken_by(key), Some(Rule::Key));
}

#[test]
fn a_mistake_in_attempts_is_found() {
    let more = |world: &mut World<'_>| {
        let attempts = &mut under_way(world).request.attempts;
        attempts.push(attempts[0]);
    };
    assert_eq!(broken_by(more), Some(Rule::Attempts));
    let outcome = |world: &mut World<'_>| {
        under_way(world).request.attempts[0].1.fault = Some(Fault::BadKey);
    };
    assert_eq!(broken_by(outcome), Some(Rule::Outcome));
    let late = |world: &mut World<'_>| {
        let it = under_way(world);
        it.request.began = it.request.began - Span::from_secs(1);
    };
    assert_eq!(broken_by(late), Some(Rule::Deadline));
    let unasked = |world: &mut World<'_>| {
        let without = POLICY.replace("  hedge after 100ms -> backup.m { max_extra = 5% }\n", "");
        world.ledger.plan = Box::leak(Box::new(plan(&without)));
        world.network.natures[0].ttft = Latency::Constant(Span::from_millis(300));
    };
    assert_eq!(broken_by(unasked), Some(Rule::Hedge));
    let hedge = |world: &mut World<'_>| world.ledger.hedges[0].1 += 100;
    assert_eq!(broken_by(hedge), Some(Rule::Budget));
    let repeats = |world: &mut World<'_>| world.ledger.report.targets[0].repeats += 1_000;
    assert_eq!(broken_by(repeats), Some(Rule::Budget));
    let breaker = |world: &mut World<'_>| {
        world.ledger.states[0] = vec![(Moment::START, State::Open)];
    };
    assert_eq!(broken_by(breaker), Some(Rule::Breaker));
    let probes = |world: &mut World<'_>| {
        let now = world.now;
        let probe = (TargetId(0), 0, now, now + Span::from_secs(1));
        world.ledger.probes = vec![probe; 9];
    };
    assert_eq!(broken_by(probes), Some(Rule::Breaker));
}

#[test]
fn a_mistake_in_the_books_is_found() {
    let counters = |world: &mut World<'_>| world.ledger.report.clients.answers += 1;
    assert_eq!(broken_by(counters), Some(Rule::Counters));
    let place = |world: &mut World<'_>| {
        let it = under_way(world);
        it.first.link = None;
    };
    assert_eq!(broken_by(place), Some(Rule::Memory));
    let rest = |world: &mut World<'_>| {
        world.steps = u32::MAX - 1;
        world.agenda.enter(
            world.now,
            Event::Leave {
                place: usize::MAX,
                number: 0,
            },
        );
    };
    assert_eq!(broken_by(rest), Some(Rule::Rest));
}

#[test]
fn a_breaker_that_nobody_ticks_is_stuck() {
    let stuck = |world: &mut World<'_>| {
        let (now, to) = (world.now, world.now + Span::from_secs(60));
        world.network.spells = vec![Spell::always(Who::Everyone, Fault::Refused, now, to)];
        world.pass(now + Span::from_millis(500));
        world.agenda = Agenda::default();
        world.now = to;
        let seen = world.ledger.observe(to, &world.board);
        world.ledger.report.broken = seen.err();
    };
    assert_eq!(broken_by(stuck), Some(Rule::Recovery));
}
