//! A canary beside what it is compared with: withdrawn within its window when it is worse, and never when it is not.

use switchover::base::{Moment, Span, TargetId};
use switchover::engine::WhyWithdrawn;
use switchover::sim::world::{
    Arrivals, Crowd, Fault, Latency, Manners, Nature, Report, Scenario, Spell, Who, World,
};

use crate::sim::plan;

const POLICY: &str = r#"
policy 1
provider new {
  kind = openai, base_url = "http://new.test/v1", auth = bearer(env("NEW")), tls = off
  model m = "canary"
}
provider old {
  kind = mistral, base_url = "http://old.test/v1", auth = bearer(env("OLD")), tls = off
  model m = "stable"
}
route canary when req.model == "canary" {
  tier 1 { new.m }
  tier 2 { old.m }
  fallback { on any -> next, else -> reject(503) }
  guard {
    compare = route.default, window = 2m, min_requests = 100
    stop when delta(error_rate) > 1%
    stop when ratio(p95(ttft)) > 1.3
  }
}
route default { tier 1 { old.m } }
"#;

/// Two requests a second of the canary's beside ten, for four minutes: so many seconds until it is withdrawn, why, and what came of all.
fn live(seed: u64, spells: Vec<Spell>, canary: Nature) -> (Option<(u64, u8)>, u64, Report) {
    let plan = plan("canary", POLICY);
    let crowd = |model: &str, apart| Crowd {
        arrivals: Arrivals::Poisson(Span::from_millis(apart)),
        from: Moment::START,
        to: at(SECONDS),
        manners: Manners {
            streams: 1_000_000,
            ..Manners::polite(vec![model.to_owned()])
        },
    };
    let scenario = Scenario {
        cores: 2,
        natures: vec![canary, Nature::default()],
        spells,
        crowds: vec![crowd("canary", 500), crowd("stable", 100)],
        errands: Vec::new(),
    };
    let mut world = World::new(&plan, scenario, seed);
    let mut withdrawn = None;
    for second in 1..=SECONDS {
        world.run(at(second));
        let status = world.guards().remove(0);
        if let (None, Some(WhyWithdrawn::Rule(rule))) = (withdrawn, status.withdrawn) {
            withdrawn = Some((second, rule));
        }
    }
    let withdrawals = world.guards().remove(0).withdrawals;
    let report = world.finish();
    if let Some(broken) = &report.broken {
        panic!("seed {seed}: {broken}");
    }
    (withdrawn, withdrawals, report)
}

fn at(seconds: u64) -> Moment {
    Moment::START + Span::from_secs(seconds)
}

/// A part of the canary's requests, in a million.
fn failing(share: u32) -> Vec<Spell> {
    vec![Spell {
        share,
        ..Spell::always(
            Who::Target(TargetId(0)),
            Fault::Status(500),
            at(0),
            at(SECONDS),
        )
    }]
}

#[test]
fn a_canary_with_ten_percent_of_errors_is_withdrawn_within_its_window() {
    for seed in 0..2 {
        let (withdrawn, withdrawals, report) = live(seed, failing(100_000), Nature::default());
        let (second, rule) = withdrawn.unwrap_or_else(|| panic!("seed {seed}: never"));
        assert!(second <= 120 && rule == 0, "seed {seed}: {second} {rule}");
        assert_eq!(withdrawals, 1, "seed {seed}");
        assert_eq!(report.clients.errors, 0, "seed {seed}: tier 2 answers");
        // From then on nobody asks it.
        let asked = report.targets[0].attempts;
        assert!(asked < 120 * 3, "seed {seed}: {asked}");
    }
}

#[test]
fn a_canary_that_is_half_as_slow_again_is_withdrawn_within_its_window() {
    let Nature { ttft, .. } = Nature::default();
    let Latency::Uniform(low, high) = ttft else {
        panic!("{ttft:?}")
    };
    let longer = |span: Span| Span::from_nanos(span.as_nanos() / 2 * 3);
    let slow = Nature {
        ttft: Latency::Uniform(longer(low), longer(high)),
        ..Nature::default()
    };
    for seed in 0..1 {
        let (withdrawn, ..) = live(seed, Vec::new(), slow);
        let (second, rule) = withdrawn.unwrap_or_else(|| panic!("seed {seed}: never"));
        assert!(second <= 120 && rule == 1, "seed {seed}: {second} {rule}");
    }
}

#[test]
fn a_canary_as_good_as_its_baseline_stays() {
    for seed in 0..3 {
        // Both fail a little, and both are down for half a minute.
        let everyone = |share, from, to| Spell {
            share,
            ..Spell::always(Who::Everyone, Fault::Status(500), at(from), at(to))
        };
        let spells = vec![everyone(900_000, 100, 130), everyone(20_000, 0, SECONDS)];
        let (withdrawn, withdrawals, _) = live(seed, spells, Nature::default());
        assert_eq!((withdrawn, withdrawals), (None, 0), "seed {seed}");
    }
}

const SECONDS: u64 = 240;
