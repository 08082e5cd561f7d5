//! Whole worlds from seeds: clients, workers and providers on a virtual clock, with everything that can go wrong. Which
//! rules must hold is written in `src/sim/world/check.rs`.
//!
//! ```sh
//! cargo test --test it sim                                                             # about ten thousand worlds
//! SWITCHOVER_SEEDS=1000000 cargo test --release --test it sim::seeds -- --nocapture    # a long run
//! SWITCHOVER_PLANS=keys,tiers cargo test --test it sim::seeds -- --nocapture           # some plans only
//! SWITCHOVER_SEED=tiers:42 cargo test --test it sim::seeds -- --nocapture              # one world again
//! ```
//! A world that breaks a rule names the last of these commands for itself, and is kept in `tests/corpus/sim/seeds.txt`
//! once it is understood.

mod canary;
mod endpoints;
mod incident;
mod named;
mod seeds;
mod shadow;
mod spilling;

use std::fs;
use std::path::Path;

use switchover::policy::{Plan, load};

/// A plan, and what may take over from it one day.
struct Pair {
    name: String,
    plan: Plan,
    next: Option<Plan>,
}

/// The plans of `tests/corpus/sim`, by name, with those of the same name in `next`.
fn plans() -> Vec<Pair> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/sim");
    let mut plans: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "policy")
        })
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let next = fs::read_to_string(folder.join(format!("next/{name}.policy")));
            Pair {
                plan: plan(&name, &fs::read_to_string(&path).unwrap()),
                next: next.ok().map(|text| plan(&name, &text)),
                name,
            }
        })
        .collect();
    plans.sort_by(|a, b| a.name.cmp(&b.name));
    plans
}

fn plan(name: &str, text: &str) -> Plan {
    let (policy, _) = load(&[(name, text)], name, &[])
        .unwrap_or_else(|diagnostics| panic!("{name}: {:#?}", diagnostics.list));
    Plan::new(policy).unwrap()
}
