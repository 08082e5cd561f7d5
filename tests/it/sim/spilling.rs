//! `spill when p95(ttft) > …`: part of a slow target's load leaves and comes back, whatever the rest of the gateway does.

use switchover::base::{ProviderId, Span};
use switchover::sim::world::{Arrivals, Fault, Nature, Report, Spell, Who};

use crate::sim::incident::{Incident, at};

const MAIN: Who = Who::Provider(ProviderId(0));
const BACKUP: Who = Who::Provider(ProviderId(1));
const MILLION: u32 = 1_000_000;
/// Ten a second.
const RATE: u64 = 10;

const POOL: &str = r#"
policy 1
provider main {
  kind = openai, base_url = "http://main.test/v1", auth = bearer(env("MAIN")), tls = off
  model m = "model"
}
provider backup {
  kind = mistral, base_url = "http://backup.test/v1", auth = bearer(env("BACKUP")), tls = off
  model m = "model"
}
pool both {
  tier 1 { main.m }
  tier 2 { backup.m }
  spill when p95(ttft) > 500ms
}
route default {
  use pool.both
  fallback { on any -> next, else -> reject(503) }
}
"#;

/// What these spells cost within so many seconds, and how many requests `main` got.
fn lived(spells: &[Spell], seconds: u64) -> (Report, u64) {
    let report = Incident {
        policy: POOL,
        spells: spells.to_vec(),
        arrivals: Arrivals::Poisson(Span::from_millis(1_000 / RATE)),
        streams: MILLION,
        seconds,
        nature: Nature::default(),
        ..Incident::default()
    }
    .run(21);
    assert_eq!(report.clients.errors + report.clients.cut, 0);
    // Slow is not ill: nothing fails, and no breaker takes part in it.
    let failed = report.targets.iter().map(|it| it.failed + it.opened);
    assert_eq!(failed.sum::<u64>(), 0);
    let main = report.targets[0].attempts;
    (report, main)
}

/// The part of the requests of these seconds that `main` got, in percent.
fn part(spells: &[Spell], from: u64, to: u64) -> u64 {
    let (before, main) = lived(spells, from);
    let (after, more) = lived(spells, to);
    (more - main) * 100 / (after.clients.asked - before.clients.asked)
}

#[test]
fn part_of_the_load_leaves_while_the_first_is_slow_and_comes_back() {
    let late = Fault::LateContent(Span::from_millis(900));
    let spells = [Spell::always(MAIN, late, at(20), at(140))];
    assert_eq!(part(&spells, 0, 20), 100);
    // A quarter leaves with the first judgement, within ten seconds.
    let soon = part(&spells, 30, 34);
    assert!((45..=85).contains(&soon), "{soon}");
    // Some stays, or nobody would learn that it is well again.
    let then = part(&spells, 90, 140);
    assert!((5..=16).contains(&then), "{then}");
    let back = part(&spells, 200, 240);
    assert!(back >= 98, "{back}");
}

#[test]
fn a_few_slow_answers_send_nobody_away() {
    let late = Fault::LateContent(Span::from_secs(1));
    let spells = [Spell {
        share: 10_000,
        ..Spell::always(MAIN, late, at(0), at(100))
    }];
    let all = part(&spells, 0, 100);
    assert!(all >= 95, "{all}");
}

#[test]
fn nobody_is_sent_to_who_is_slower() {
    let spells = [
        Spell::always(MAIN, Fault::LateContent(Span::from_secs(1)), at(0), at(200)),
        Spell::always(
            BACKUP,
            Fault::LateContent(Span::from_secs(3)),
            at(0),
            at(200),
        ),
    ];
    let all = part(&spells, 0, 200);
    assert!(all >= 85, "{all}");
}

#[test]
fn one_that_comes_and_goes_is_not_followed_each_time() {
    let late = Fault::LateContent(Span::from_secs(1));
    let spells = [Spell {
        beat: Span::from_secs(30),
        ..Spell::always(MAIN, late, at(0), at(480))
    }];
    // Half of the time it is well. The longer this goes on, the more carefully it gets its load back.
    let (early, late) = (part(&spells, 0, 120), part(&spells, 300, 480));
    assert!(late < early, "{early} {late}");
    assert!(late >= 5, "{late}");
}
