//! What loading a policy costs: from text to the resolved model, by the number of routes.
//!
//! The generated policy has the shape of a large one: each route asks for a model and a team of its own, and falls back
//! over two tiers of shared pools.

use std::fmt::Write;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use switchover::policy;
use switchover::policy::editor::{Memory, Texts};

/// A policy with `routes` routes before `default`.
pub fn text_of(routes: usize) -> String {
    let mut text = String::from(
        "policy 1\n\
         provider openai  { model large = \"gpt-5\", model mini = \"gpt-5-mini\" }\n\
         provider mistral { model large = \"mistral-large-latest\", model small = \"mistral-small-latest\" }\n\
         pool main  { tier 1 { openai.large weight 70, mistral.large weight 30 }, tier 2 { openai.mini } }\n\
         pool cheap { pick = least_latency, tier 1 { openai.mini, mistral.small } }\n",
    );
    for route in 0..routes {
        let pool = if route % 3 == 0 { "cheap" } else { "main" };
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "# Team {route} and its model.\n\
             route team_{route} when req.model == \"model-{route}\" and key.team in [\"team-{route}\", \"all\"] {{\n  \
             use pool.{pool}\n  deadline = 30s\n  fallback {{\n    \
             on [s429, s5xx, timeout, connect, breaker_open] -> next\n    else -> reject(503)\n  }}\n}}\n"
        );
    }
    text.push_str("route default { use pool.main }\n");
    text
}

fn load(c: &mut Criterion) {
    let mut group = c.benchmark_group("policy/load");
    group.sample_size(10);
    for routes in [10, 1_000, 10_000] {
        let text = text_of(routes);
        let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
        group.throughput(Throughput::Bytes(bytes));
        group.bench_function(format!("{routes} routes"), |b| {
            b.iter_batched(
                || [("main.policy", text.as_str())],
                |sources| policy::load(black_box(&sources), "main.policy", &[]).is_ok(),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

/// The shipped policy that uses most of the language, with its providers and some routes more: about 200 lines.
fn enterprise() -> (String, usize) {
    let text = include_str!("../policies/enterprise.policy");
    let mut more = String::new();
    for team in 0..8 {
        // Writing to a string does not fail.
        let _ = write!(
            more,
            "route team_{team} when key.team in [\"team-{team}\", \"lab-{team}\"] and req.model starts_with \"gpt-\"\n\
             \x20             and not req.has.audio and req.tokens_in <= {team}0k {{\n  use pool.chat_main\n  \
             fallback {{\n    on any -> next\n    else -> reject(503)\n  }}\n}}\n"
        );
    }
    let text = text.replace("route default", &format!("{more}route default"));
    let lines = text.lines().count() + PROVIDERS.lines().count();
    (text, lines)
}

const PROVIDERS: &str = include_str!("../policies/shared/providers.policy");

/// All that `switchover check` does but drawing, of a policy with forbids, hedges and conditions of several facts.
fn check(c: &mut Criterion) {
    let (text, lines) = enterprise();
    let sources = [
        ("enterprise.policy", text.as_str()),
        ("shared/providers.policy", PROVIDERS),
    ];
    assert!(policy::load(&sources, "enterprise.policy", &[]).is_ok());
    c.bench_function(&format!("policy/check/{lines} lines"), |b| {
        b.iter_batched(
            || sources,
            |sources| policy::load(black_box(&sources), "enterprise.policy", &[]).is_ok(),
            BatchSize::LargeInput,
        );
    });
}

/// What an editor waits for after a letter in one rule: what is said of it, with all others carried along; and, when its author pauses, of all.
fn keystroke(c: &mut Criterion) {
    let mut group = c.benchmark_group("policy/keystroke");
    group.sample_size(20);
    let text = text_of(10_000);
    let edited = text.replace("\"model-5000\"", "\"model-5000x\"");
    let texts = Texts::new();
    let mut memory = Memory::new(&texts);
    memory.look(&[("main.policy", text.as_str())], "main.policy", &|| false);
    let mut turn = false;
    group.bench_function("glance/10000 routes", |b| {
        b.iter(|| {
            turn = !turn;
            let text = if turn { &edited } else { &text };
            memory.glance(&[("main.policy", text.as_str())], "main.policy");
        });
    });
    group.bench_function("look/10000 routes", |b| {
        b.iter(|| {
            turn = !turn;
            let text = if turn { &edited } else { &text };
            memory.look(&[("main.policy", text.as_str())], "main.policy", &|| false)
        });
    });
    group.finish();
}

criterion_group!(benches, load, check, keystroke);
criterion_main!(benches);
