//! Worlds with copies of requests beside the same worlds without: clients and the gateway's books may not tell them apart.

use switchover::sim::world::{Crowd, Report, Scenario, World};

use crate::sim::plan;

const SHADOWED: &str = include_str!("../../corpus/sim/shadows.policy");

/// What clients and operators see of a world.
fn lived(text: &str, seed: u64) -> (Report, u64) {
    let plan = plan("shadows", text);
    let storm = Scenario::storm(&plan, None, seed);
    // A slow reader gets what there is in other pieces, whose times are rounded by themselves.
    let brisk = |mut crowd: Crowd| {
        crowd.manners.slow = 0;
        crowd
    };
    let scenario = Scenario {
        crowds: storm.crowds.into_iter().map(brisk).collect(),
        ..storm
    };
    let end = scenario.ends();
    let mut world = World::new(&plan, scenario, seed);
    world.run(end);
    world.recover();
    let copies = world.copies();
    let report = world.finish();
    (Report { trace: 0, ..report }, copies)
}

#[test]
fn a_world_with_copies_is_the_world_without() {
    let is_not_shadow = |line: &&str| !line.trim_start().starts_with("shadow ");
    let without: Vec<&str> = SHADOWED.lines().filter(is_not_shadow).collect();
    let without = without.join("\n");
    let mut copies = 0;
    for seed in 0..100 {
        let (plain, none) = lived(&without, seed);
        let (shadowed, some) = lived(SHADOWED, seed);
        assert_eq!(none, 0);
        copies += some;
        assert_eq!(format!("{plain:?}"), format!("{shadowed:?}"), "seed {seed}");
    }
    assert!(copies > 500, "{copies}");
}
