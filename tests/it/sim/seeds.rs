//! Worlds drawn from seeds.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use switchover::sim::world::{Report, Scenario, World};

use crate::sim::{Pair, plans};

/// Worlds of one run, unless `SWITCHOVER_SEEDS` says otherwise.
const SEEDS: u64 = 10_000;
/// Every so manieth world is run twice.
const AGAIN: u64 = 50;

/// One world from its beginning to its end.
fn world(pair: &Pair, seed: u64) -> Report {
    let Pair { plan, next, .. } = pair;
    let scenario = Scenario::storm(plan, next.as_ref(), seed);
    let end = scenario.ends();
    let mut world = World::new(plan, scenario, seed);
    world.run(end);
    world.recover();
    world.finish()
}

/// All worlds of a run together.
#[derive(Default)]
struct Seen {
    requests: AtomicU64,
    /// The sum of all traces: two builds that agree in it live through the same worlds.
    trace: AtomicU64,
}

impl Seen {
    fn note(&self, report: &Report) {
        self.requests
            .fetch_add(report.clients.asked, Ordering::Relaxed);
        self.trace.fetch_add(report.trace, Ordering::Relaxed);
    }
}

/// What is wrong with a world, if anything.
fn verdict(pair: &Pair, seed: u64, seen: &Seen) -> Option<String> {
    let lived = catch_unwind(AssertUnwindSafe(|| world(pair, seed)));
    let wrong = match lived {
        Err(_) => "it panicked".to_owned(),
        Ok(report) => {
            seen.note(&report);
            match report.broken {
                Some(broken) => broken.to_string(),
                None if seed.is_multiple_of(AGAIN) && world(pair, seed).trace != report.trace => {
                    "the same seed gave another world".to_owned()
                }
                None => return None,
            }
        }
    };
    let name = &pair.name;
    Some(format!(
        "{wrong}\n  SWITCHOVER_SEED={name}:{seed} cargo test --test it sim::seeds -- --nocapture"
    ))
}

/// The kept worlds, or the one that is asked for.
fn kept() -> Vec<(String, u64)> {
    if let Some(asked) = std::env::var_os("SWITCHOVER_SEED") {
        let asked = asked.into_string().unwrap();
        let (name, seed) = asked.split_once(':').expect("as in tiers:42");
        return vec![(name.to_owned(), seed.parse().unwrap())];
    }
    include_str!("../../corpus/sim/seeds.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next().unwrap().to_owned();
            (name, words.next().unwrap().parse().unwrap())
        })
        .collect()
}

fn count() -> u64 {
    if std::env::var_os("SWITCHOVER_SEED").is_some() {
        return 0;
    }
    std::env::var_os("SWITCHOVER_SEEDS").map_or(SEEDS, |count| {
        count.into_string().unwrap().parse().expect("a number")
    })
}

/// The plans that worlds are drawn for: all, or those that are asked for.
fn drawn_plans(plans: &[Pair]) -> Vec<&Pair> {
    let asked = std::env::var_os("SWITCHOVER_PLANS").map(|asked| asked.into_string().unwrap());
    let is_asked = |pair: &&Pair| {
        let mut names = asked.iter().flat_map(|asked| asked.split(','));
        asked.is_none() || names.any(|name| name == pair.name)
    };
    plans.iter().filter(is_asked).collect()
}

#[test]
fn every_rule_holds_in_every_world() {
    let plans = plans();
    let drawn = drawn_plans(&plans);
    assert!(!drawn.is_empty(), "no such plan");
    let seen = Seen::default();
    let wrong = Mutex::new(Vec::new());
    for (name, seed) in kept() {
        let pair = plans.iter().find(|pair| pair.name == name).expect("a plan");
        wrong.lock().unwrap().extend(verdict(pair, seed, &seen));
    }
    let next = AtomicU64::new(0);
    let count = count();
    // One that fails ends the search soon: more would only hide the first.
    let look = || {
        let open = || wrong.lock().unwrap().len() < FAILURES_SHOWN;
        while let seed = next.fetch_add(1, Ordering::Relaxed)
            && seed < count
            && open()
        {
            let pair = drawn[usize::try_from(seed).unwrap() % drawn.len()];
            let failed = verdict(pair, seed, &seen);
            wrong.lock().unwrap().extend(failed);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(look);
        }
    });
    let wrong = wrong.into_inner().unwrap();
    let mut text = String::new();
    for wrong in &wrong {
        writeln!(text, "\n{wrong}").unwrap();
    }
    assert!(wrong.is_empty(), "{text}");
    let Seen { requests, trace } = seen;
    println!(
        "{count} worlds, {} requests, trace {:016x}",
        requests.into_inner(),
        trace.into_inner()
    );
}

/// Failures that are shown.
const FAILURES_SHOWN: usize = 5;
