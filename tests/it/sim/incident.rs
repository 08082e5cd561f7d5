//! An incident: what goes wrong in an otherwise plain world, and who lives through it.

use switchover::base::{Moment, Span};
use switchover::policy::Plan;
use switchover::sim::world::{
    Arrivals, Crowd, Latency, Manners, Nature, Report, Scenario, Spell, World,
};

use crate::sim::plan;

/// Two providers with everything as it is built in.
pub(super) const PAIR: &str = r#"
policy 1
provider main {
  kind = openai, base_url = "http://main.test/v1", auth = bearer(env("MAIN")), tls = off
  model m = "model"
}
provider backup {
  kind = mistral, base_url = "http://backup.test/v1", auth = bearer(env("BACKUP")), tls = off
  model m = "model"
}
route default {
  tier 1 { main.m }
  tier 2 { backup.m }
  fallback { on any -> next, else -> reject(503) }
}
"#;

/// An incident, and who lives through it.
pub(super) struct Incident<'a> {
    pub(super) policy: &'a str,
    pub(super) cores: usize,
    pub(super) spells: Vec<Spell>,
    pub(super) arrivals: Arrivals,
    pub(super) seconds: u64,
    pub(super) streams: u32,
    pub(super) leave: u32,
    pub(super) patience: Latency,
    pub(super) nature: Nature,
}

impl Default for Incident<'_> {
    fn default() -> Self {
        Self {
            policy: PAIR,
            cores: 2,
            spells: Vec::new(),
            arrivals: Arrivals::Poisson(Span::from_millis(20)),
            seconds: 120,
            streams: 500_000,
            leave: 0,
            patience: Latency::Constant(Span::ZERO),
            nature: Nature::default(),
        }
    }
}

impl Incident<'_> {
    /// Lives through it; every rule of `src/sim/world/check.rs` holds.
    pub(super) fn run(self, seed: u64) -> Report {
        let plan: Plan = plan("incident", self.policy);
        let models = plan.policy.model_names();
        let models = models.into_iter().map(str::to_owned).collect();
        let to = at(self.seconds);
        let scenario = Scenario {
            cores: self.cores,
            natures: vec![self.nature; plan.policy.providers.len()],
            spells: self.spells,
            crowds: vec![Crowd {
                arrivals: self.arrivals,
                from: Moment::START,
                to,
                manners: Manners {
                    streams: self.streams,
                    leave: self.leave,
                    patience: self.patience,
                    ..Manners::polite(models)
                },
            }],
            errands: Vec::new(),
        };
        let mut world = World::new(&plan, scenario, seed);
        world.run(to);
        let report = world.finish();
        if let Some(broken) = &report.broken {
            panic!("seed {seed}: {broken}");
        }
        report
    }
}

/// So long after the beginning.
pub(super) fn at(seconds: u64) -> Moment {
    Moment::START + Span::from_secs(seconds)
}
