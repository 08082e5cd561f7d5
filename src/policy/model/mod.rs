//! The resolved policy: every name an id, every unit a base unit, every default filled in. What cannot be written
//! down here cannot happen at run time.

mod auth;
mod breakers;
mod conditions;
mod guard;
mod providers;
mod routes;
mod server;
mod simulation;
mod targets;

pub use self::auth::{Auth, AuthStyle, KeyPick, SecretRef, SecretSource};
pub use self::breakers::{Breaker, Measure, PromptSize, Ramp, Retries, SlowRule};
pub use self::conditions::{AttemptFacts, Cond, FlagFact, IntFact, Pattern, StrFact, Test};
pub use self::guard::{Guard, StopRule};
pub use self::providers::{
    AnswerCond, Classify, ClientTls, Continuation, Discover, Endpoint, HealthCheck, Provider,
    ProviderKind, Question, Roots,
};
pub use self::routes::{
    Action, Alias, FallbackLine, Forbid, Hedge, HedgeDelay, Member, MidStream, Otherwise, Panic,
    Pick, Reject, Route, Serve, Shadow, Spill, Then, Tier, Trigger,
};
pub use self::server::{LogForm, Records, Server, ServerBounds, ServerTls, Telemetry};
pub use self::simulation::{Act, ScriptStep, Simulation};
pub use self::targets::{
    AutoInflight, MaxInflight, ModelName, Queue, Target, Timeouts, TimeoutsOverride,
};

use crate::base::{RouteId, TargetId};
use crate::policy::drill::Drill;
use crate::policy::trial::{Proof, Trial};

/// A policy whose names, types and defaults are settled.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The files it came from, the first one first; [`At::file`] indexes this.
    pub files: Vec<Box<str>>,
    /// XXH3 of all its text and of the values that `--set` gives its consts: shown at start-up and at the admin address.
    pub hash: u64,
    /// Where and how the gateway listens.
    pub server: Server,
    /// What is told of requests.
    pub telemetry: Telemetry,
    /// `telemetry { records { … } }`: what is recorded of decisions; nothing where it is `None`.
    pub records: Option<Records>,
    /// Indexed by [`ProviderId`](crate::base::ProviderId).
    pub providers: Vec<Provider>,
    /// Indexed by [`TargetId`]: every model of every provider, and `provider.*` where a route names it.
    pub targets: Vec<Target>,
    /// Indexed by [`BreakerId`](crate::base::BreakerId).
    pub breakers: Vec<Breaker>,
    /// Indexed by [`RetriesId`](crate::base::RetriesId).
    pub retries: Vec<Retries>,
    /// Client model names that are replaced before any fact is read.
    pub aliases: Vec<Alias>,
    /// Masks that are checked on every pick.
    pub forbids: Vec<Forbid>,
    /// Indexed by [`RouteId`], in file order; the last one is `default` and has no condition.
    pub routes: Vec<Route>,
    /// What it expects of itself. The gateway does not read them.
    pub trials: Vec<Trial>,
    /// What must follow for all requests. The gateway does not read them.
    pub proofs: Vec<Proof>,
    /// What it rehearses. The gateway does not read them.
    pub drills: Vec<Drill>,
}

impl Policy {
    /// What an `alias` makes of a model name.
    pub fn alias_of(&self, asked: &str) -> Option<&str> {
        let alias = self.aliases.iter().find(|alias| *alias.from == *asked)?;
        Some(&alias.to)
    }
}

/// A place in the policy's text.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct At {
    /// Index into [`Policy::files`].
    pub file: u16,
    /// Line, from 1.
    pub line: u32,
}

impl Policy {
    /// The provider of a target. Ids come from this policy's own tables, so `None` means a mistake of ours.
    pub fn provider_of(&self, target: TargetId) -> Option<&Provider> {
        self.providers
            .get(self.targets.get(target.index())?.provider.index())
    }

    /// What clients may call models: the aliases and the ids of all targets, sorted, each once.
    pub fn model_names(&self) -> Vec<&str> {
        let aliases = self.aliases.iter().map(|alias| &*alias.from);
        let ids = self
            .targets
            .iter()
            .filter_map(|target| match &target.model {
                ModelName::Fixed(id) => Some(&**id),
                ModelName::Asked => None,
            });
        let mut names: Vec<&str> = aliases.chain(ids).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The catch-all route: the last one.
    pub fn default_route(&self) -> RouteId {
        RouteId(u16::try_from(self.routes.len().saturating_sub(1)).unwrap_or(u16::MAX))
    }
}
