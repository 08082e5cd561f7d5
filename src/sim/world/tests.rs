//! Every rule can be broken: a mistake is planted into a world that is sound, and its rule must say so.

use std::sync::Arc;

use crate::base::{Moment, ProviderId, Span, TargetId};
use crate::engine::{Bound, Order, State};
use crate::policy::{Plan, load};
use crate::sim::world::agenda::{Agenda, Event};
use crate::sim::world::client::{Arrivals, Ask, Crowd, Manners};
use crate::sim::world::fault::{Fault, Spell, Who};
use crate::sim::world::generation::{Generation, Roster};
use crate::sim::world::network::Nature;
use crate::sim::world::reader::{Answer, words};
use crate::sim::world::words::{Heard, goes_on};
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

const WITHOUT_MAIN: &str = r#"
policy 1
provider backup {
  kind = openai_compatible, base_url = "http://backup.test/v1", auth = bearer(env("BACKUP")), tls = off
  model m = "model"
}
defaults { deadline = 500ms }
route default { tier 1 { backup.m } }
"#;

fn plan(text: &str) -> Plan {
    let (policy, _) = load(&[("test", text)], "test", &[]).unwrap();
    Plan::new(policy).unwrap()
}

/// A second of this world, with requests under way at its end; then `plant` changes something, and it goes on.
fn broken_by(plant: impl FnOnce(&mut World<'_>)) -> Option<Rule> {
    broken_in(POLICY, Vec::new(), plant)
}

/// The same under another policy, with faults.
fn broken_in(policy: &str, spells: Vec<Spell>, plant: impl FnOnce(&mut World<'_>)) -> Option<Rule> {
    let plan = plan(policy);
    let to = Moment::START + Span::from_secs(2);
    let crowd = Crowd {
        arrivals: Arrivals::Every(Span::from_millis(10)),
        from: Moment::START,
        to,
        manners: Manners {
            streams: 1_000_000,
            insist: 1_000_000,
            sessions: 6,
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
        spells,
        crowds: vec![crowd],
        errands: Vec::new(),
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
            session: None,
            sent: Moment::START,
            leaves: None,
            tries: 0,
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
        let other: &Plan = Box::leak(Box::new(plan(&other)));
        let roster = Arc::new(Roster::of([other].into_iter()));
        let versions = vec![vec![0]; 2];
        let other = Generation::first(other, &roster, &versions, 2, 1);
        world.generations.newest.outlets = other.outlets;
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
        world.generations.newest.law = Box::leak(Box::new(plan(&without)));
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
        let probe = (TargetId(0), 0, now, now + Span::from_secs(1), 1);
        world.ledger.probes = vec![probe; 9];
    };
    assert_eq!(broken_by(probes), Some(Rule::Breaker));
}

/// `main` has two endpoints, the first of which nobody reaches.
const ENDPOINTS: &str = r#"
policy 1
provider main {
  kind = openai_compatible, auth = bearer(env("MAIN")), tls = off
  endpoints = ["http://main-a.test/v1", "http://main-b.test/v1"]
  model m = "model"
}
provider backup {
  kind = openai_compatible, base_url = "http://backup.test/v1", auth = bearer(env("BACKUP")), tls = off
  model m = "model"
}
defaults { deadline = 900ms, connect_timeout = 600ms }
route default {
  tier 1 { main.m }
  tier 2 { backup.m }
  fallback { on any -> next, else -> reject(503) }
}
"#;

#[test]
fn an_attempt_that_leaves_an_endpoint_out_is_found() {
    let end = Moment::START + Span::from_secs(9);
    let broken = |plant: fn(&mut World<'_>)| {
        let first = Who::Endpoint(ProviderId(0), 0);
        let silent = Spell::always(first, Fault::BlackHole, Moment::START, end);
        broken_in(ENDPOINTS, vec![silent], plant)
    };
    assert_eq!(broken(|_| ()), None);
    // There is a third one by the law, and nobody dials it.
    let left_out = |world: &mut World<'_>| {
        let three = r#""http://main-b.test/v1", "http://main-c.test/v1""#;
        let three = ENDPOINTS.replace(r#""http://main-b.test/v1""#, three);
        world.generations.newest.law = Box::leak(Box::new(plan(&three)));
        let all = Who::Provider(ProviderId(0));
        let (now, end) = (world.now, world.now + Span::from_secs(9));
        world.network.spells = vec![Spell::always(all, Fault::Refused, now, end)];
    };
    assert_eq!(broken(left_out), Some(Rule::Endpoint));
    let dialed_twice = |world: &mut World<'_>| {
        let connections = world.connections.iter_mut().flatten();
        let mut dials = connections.filter_map(|it| it.request.attempts.last_mut());
        let (_, dials) = dials
            .find(|(_, it)| it.serial == 0 && it.dial.is_ok())
            .unwrap();
        dials.missed = 0b11;
    };
    assert_eq!(broken(dialed_twice), Some(Rule::Endpoint));
    let by_anothers_name = |world: &mut World<'_>| {
        let other = ENDPOINTS.replace("main-b", "main-c");
        let other: &Plan = Box::leak(Box::new(plan(&other)));
        let roster = Arc::new(Roster::of([other].into_iter()));
        let other = Generation::first(other, &roster, &vec![vec![0]; 2], 2, 1);
        world.generations.newest.outlets = other.outlets;
    };
    assert_eq!(broken(by_anothers_name), Some(Rule::Request));
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
fn a_breaker_that_no_tick_moves_is_stuck() {
    let stuck = |world: &mut World<'_>| {
        let (now, to) = (world.now, world.now + Span::from_secs(60));
        world.network.spells = vec![Spell::always(Who::Everyone, Fault::Refused, now, to)];
        world.pass(now + Span::from_millis(500));
        world.agenda = Agenda::default();
        // A tick that passed the board by.
        (world.now, world.ledger.ticked) = (to, to);
        let seen = world.ledger.observe(to, &world.generations);
        world.ledger.report.broken = seen.err();
    };
    assert_eq!(broken_by(stuck), Some(Rule::Recovery));
}

#[test]
fn an_order_that_is_not_obeyed_is_found() {
    for order in [Order::Drain, Order::Open] {
        let deaf = |world: &mut World<'_>| world.ledger.orders.note(world.now, TargetId(0), order);
        assert_eq!(broken_by(deaf), Some(Rule::Order), "{order:?}");
    }
    let board = |world: &mut World<'_>, order| {
        let board = &world.generations.newest.board;
        board.order(TargetId(0), order)
    };
    // Nobody has ordered it, or somebody has ordered the contrary.
    let drained = |world: &mut World<'_>| {
        board(world, Order::Drain);
    };
    assert_eq!(broken_by(drained), Some(Rule::Order));
    let closed = |world: &mut World<'_>| {
        world.order(TargetId(0), Order::Close);
        board(world, Order::Open);
    };
    assert_eq!(broken_by(closed), Some(Rule::Order));
}

#[test]
fn a_reload_that_forgets_or_is_forgotten_is_found() {
    let forgets = |world: &mut World<'_>| {
        world.order(TargetId(0), Order::Open);
        let versions = world.network.keyring.versions();
        let plan = world.generations.newest.plan;
        let fresh = Generation::first(plan, &world.roster, versions, 2, 1);
        world.ledger.report.broken = world.publish(fresh).err();
    };
    assert_eq!(broken_by(forgets), Some(Rule::Reload));
    let loses = |world: &mut World<'_>| {
        let lost = under_way(world).runs_by;
        assert_eq!(lost.map(|(number, _)| number), Some(0));
        let versions = world.network.keyring.versions();
        let plan = world.generations.newest.plan;
        let fresh = Generation::first(plan, &world.roster, versions, 2, 1);
        world.ledger.report.broken = world.publish(fresh).err();
    };
    assert_eq!(broken_by(loses), Some(Rule::Reload));
    // No worker ever hears of it.
    let forgotten = |world: &mut World<'_>| {
        let plan: &Plan = Box::leak(Box::new(plan(WITHOUT_MAIN)));
        let versions = world.network.keyring.versions();
        let newest = &world.generations.newest;
        let next = newest.next(world.now, plan, versions);
        world.generations.push(next);
    };
    assert_eq!(broken_by(forgotten), Some(Rule::Reload));
}

#[test]
fn a_key_that_is_used_after_its_rotation_is_found() {
    let stale = |world: &mut World<'_>| {
        let keyring = &mut world.network.keyring;
        keyring.rotate(world.now, ProviderId(0), 0, Moment::NEVER);
    };
    assert_eq!(broken_by(stale), Some(Rule::Key));
}

/// `main` breaks off after two words, and `backup` goes on.
const CONTINUED: &str = r#"
policy 1
provider main {
  kind = openai_compatible, base_url = "http://main.test/v1", auth = bearer(env("MAIN")), tls = off
  model m = "model"
}
provider backup {
  kind = vllm, base_url = "http://backup.test/v1", auth = bearer(env("BACKUP")), tls = off
  model m = "model"
}
defaults { deadline = 500ms }
route default {
  mid_stream = continue
  tier 1 { main.m }
  tier 2 { backup.m }
  fallback { on any -> next, else -> reject(503) }
}
"#;

#[test]
fn a_mistake_in_going_on_is_found() {
    let broken = |plant: fn(&mut World<'_>)| {
        let end = Moment::START + Span::from_secs(9);
        let main = Who::Provider(ProviderId(0));
        let cut = Spell {
            share: 100_000,
            ..Spell::always(main, Fault::Cut(2), Moment::START, end)
        };
        broken_in(CONTINUED, vec![cut], plant)
    };
    assert_eq!(broken(|_| ()), None);
    let against = |world: &mut World<'_>| {
        let without = CONTINUED.replace("  mid_stream = continue\n", "");
        world.generations.newest.law = Box::leak(Box::new(plan(&without)));
    };
    assert_eq!(broken(against), Some(Rule::Words));
    // Something is lost on the way to the client, or told twice.
    let answer = |body: &[u8]| Answer {
        body: body.to_vec(),
        ..Answer::default()
    };
    let asked = Some(Heard::of(words(b" 7#0 7#1")));
    assert_eq!(goes_on(asked, Some(&answer(b"7#0 7#1"))), Ok(()));
    for body in [b"7#0".as_slice(), b"7#0 7#1 7#2", b"7#1 7#0", b""] {
        let broken = goes_on(asked, Some(&answer(body))).unwrap_err();
        assert_eq!(broken.rule, Rule::Words);
    }
    assert!(goes_on(None, Some(&answer(b"7#0"))).is_err());
}

#[test]
fn a_mistake_about_bounds_is_found() {
    let bounded = |requests: u32| {
        let server = format!("server {{ max_requests = {requests} }}\ndefaults");
        POLICY.replace("defaults", &server)
    };
    let policy = bounded(6);
    let broken = |plant: fn(&mut World<'_>)| broken_in(&policy, Vec::new(), plant);
    assert_eq!(broken(|_| ()), None);
    let law = |world: &mut World<'_>, requests| {
        world.generations.newest.law = Box::leak(Box::new(plan(&bounded(requests))));
    };
    let more = |world: &mut World<'_>| law(world, 1);
    assert_eq!(broken_in(&policy, Vec::new(), more), Some(Rule::Bounds));
    // With slower providers some are turned away; there is room for them by the law.
    let nothing = |world: &mut World<'_>| {
        law(world, 100);
        world.network.natures[0].ttft = Latency::Constant(Span::from_millis(300));
    };
    assert_eq!(broken_in(&policy, Vec::new(), nothing), Some(Rule::Bounds));
    let lost = |world: &mut World<'_>| {
        assert!(world.load.take(0, Bound::Requests, 1));
    };
    assert_eq!(broken(lost), Some(Rule::Bounds));
}

#[test]
fn a_client_that_may_ask_again_in_vain_is_found() {
    let silent = |world: &mut World<'_>| {
        let name = under_way(world).client.name;
        let mut connections = world.connections.iter();
        let is_it =
            |it: &Option<Box<Connection>>| it.as_ref().is_some_and(|it| it.client.name == name);
        let place = connections.position(is_it).unwrap();
        let mut it = world.connections[place].take().unwrap();
        let error =
            b"HTTP/1.1 503 No\r\ncontent-length: 27\r\n\r\n{\"error\":{\"message\":\"no\"}}\n";
        world.hear(place, &mut it, &error[..]).unwrap();
        it.client.leave(world.now, world.now);
        world.connections[place] = Some(it);
    };
    assert_eq!(broken_by(silent), Some(Rule::Amplification));
}

/// Sessions among two targets, one of which has two keys.
const SESSIONS: &str = r#"
policy 1
provider main {
  kind = openai_compatible, base_url = "http://main.test/v1", tls = off
  auth = keys(env("MAIN_1"), env("MAIN_2"), pick = round_robin)
  model m = "model"
}
provider backup {
  kind = openai_compatible, base_url = "http://backup.test/v1", auth = bearer(env("BACKUP")), tls = off
  model m = "model"
}
defaults { deadline = 500ms }
route default {
  sticky = hash(req.header["x-session"])
  tier 1 { main.m, backup.m }
  fallback { on any -> next, else -> reject(503) }
}
"#;

#[test]
fn a_session_that_leaves_a_target_that_is_well_is_found() {
    for policy in [SESSIONS.to_owned(), SESSIONS.replace("sticky", "pick")] {
        let broken = |plant: fn(&mut World<'_>)| broken_in(&policy, Vec::new(), plant);
        assert_eq!(broken(|_| ()), None);
        // Its target is not there for a while.
        let away = |world: &mut World<'_>| {
            world.order(TargetId(0), Order::Drain);
            world.pass(world.now + Span::from_millis(300));
            world.order(TargetId(0), Order::Auto);
        };
        assert_eq!(broken(away), None);
        // By the law it stays, and the gateway goes by weights.
        let scattered = |world: &mut World<'_>| {
            let without = SESSIONS.replace("  sticky = hash(req.header[\"x-session\"])\n", "");
            world.generations.newest.plan = Box::leak(Box::new(plan(&without)));
        };
        assert_eq!(broken(scattered), Some(Rule::Sticky));
        let elsewhere = |world: &mut World<'_>| {
            let [(place, home), ..] = world.ledger.homes.0.as_mut_slice() else {
                panic!("nobody has a home");
            };
            let mut others = place.members.iter().map(|&(target, _)| target);
            *home = others.find(|target| target != home).unwrap();
        };
        assert_eq!(broken(elsewhere), Some(Rule::Sticky));
    }
}

#[test]
fn a_refused_key_that_does_not_rest_is_found() {
    let broken = |plant: fn(&mut World<'_>)| {
        let end = Moment::START + Span::from_secs(9);
        let revoked = Spell::always(
            Who::Key(ProviderId(0), 0),
            Fault::BadKey,
            Moment::START + Span::from_millis(500),
            end,
        );
        broken_in(SESSIONS, vec![revoked], plant)
    };
    assert_eq!(broken(|_| ()), None);
    // By the books another one was refused, which is used all the same.
    let other = |world: &mut World<'_>| {
        let uses = &mut world.ledger.uses.0;
        let good = uses.iter_mut().rfind(|it| it.refused.is_none()).unwrap();
        good.refused = Some(world.now);
    };
    assert_eq!(broken(other), Some(Rule::Key));
}

/// Every request has a copy, two at most at once.
const SHADOWED: &str = r#"
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
  shadow backup.m { share = 100%, max_inflight = 2 }
  fallback { on any -> next, else -> reject(503) }
}
"#;

#[test]
fn a_copy_that_requests_could_notice_is_found() {
    let broken = |plant: fn(&mut World<'_>)| broken_in(SHADOWED, Vec::new(), plant);
    assert_eq!(broken(|world| assert!(world.copies() > 20)), None);
    // What they are told to is the requests' own board.
    let shared = |world: &mut World<'_>| {
        let newest = &mut world.generations.newest;
        newest.board = Arc::clone(&newest.copies.as_ref().unwrap().board);
    };
    assert_eq!(broken(shared), Some(Rule::Shadow));
    let more = |world: &mut World<'_>| {
        let fewer = SHADOWED.replace("max_inflight = 2", "max_inflight = 1");
        world.generations.newest.law = Box::leak(Box::new(plan(&fewer)));
    };
    assert_eq!(broken(more), Some(Rule::Shadow));
    let unwanted = |world: &mut World<'_>| {
        world
            .ledger
            .orders
            .note(world.now, TargetId(1), Order::Drain);
    };
    assert_eq!(broken(unwanted), Some(Rule::Shadow));
    let elsewhere = |world: &mut World<'_>| {
        let other = SHADOWED.replace("shadow backup.m", "shadow main.m");
        world.generations.newest.law = Box::leak(Box::new(plan(&other)));
    };
    assert_eq!(broken(elsewhere), Some(Rule::Shadow));
    let left_over = |world: &mut World<'_>| {
        let copies = world.generations.newest.copies.as_ref().unwrap();
        assert!(copies.shadowing.load.take(0, Bound::BodyMemory, 1));
    };
    assert_eq!(broken(left_over), Some(Rule::Bounds));
}
