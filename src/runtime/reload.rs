//! Reloading: the policy's files are read again, checked as `switchover check` does, and take over as a new generation,
//! or change nothing at all. What runs is always the whole of one state of the files that was found good.
//!
//! ```text
//!   SIGHUP ──────────┐
//!   POST /reload ────┼─→ read ─→ check ─→ what cannot change? ─→ secrets, certificates ─→ publish
//!                    │      └─────────┴───────────┴─────────────────────┴─→ refused: told, kept for /status
//! ```

use std::sync::{Arc, Mutex, PoisonError};

use crate::policy::model::{Provider, Records, Simulation, Telemetry};
use crate::policy::{self, Plan, Policy};
use crate::runtime::discovery;
use crate::runtime::files::Disk;
use crate::runtime::generation::Rotation;
use crate::runtime::machine;
use crate::runtime::shared::Shared;
use crate::runtime::simulated::SimulatedServers;
use crate::runtime::{Options, guard_exposure, log, point_at_simulated};

/// Where a policy was loaded from, so that it can be loaded again.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file, as the command line names it.
    pub file: String,
    /// `--set`: names and values.
    pub sets: Vec<(String, String)>,
}

/// A reload that took place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reloaded {
    /// The number of the generation that runs now.
    pub generation: u64,
    /// The hash of its policy.
    pub policy: u64,
    /// What the check has to say although it is good; may be empty.
    pub notes: String,
}

/// Why a reload changed nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Unchanged {
    /// The policy has errors: what `switchover check` says.
    Policy(String),
    /// It is good, but asks for what a running gateway cannot change; each a sentence.
    Fixed(Vec<String>),
    /// It is good, but a secret or certificate is missing or unusable; each a sentence.
    Unusable(Vec<String>),
    /// The gateway was not started from a file.
    NoSource,
}

impl Unchanged {
    /// All of it as text of one or more lines.
    pub fn text(&self) -> String {
        match self {
            Self::Policy(diagnostics) => diagnostics.clone(),
            Self::Fixed(sentences) | Self::Unusable(sentences) => sentences.join("\n"),
            Self::NoSource => "this gateway was not started from a file".to_owned(),
        }
    }
}

/// Reloads one gateway, one reload at a time.
#[derive(Debug)]
pub(super) struct Reloader {
    shared: Arc<Shared>,
    source: Option<Source>,
    options: Options,
    simulated: Option<SimulatedServers>,
    fixed: Fixed,
    turn: Mutex<()>,
}

impl Reloader {
    /// Of the gateway that began with `policy`, as `options` changed it.
    pub(super) fn new(
        shared: Arc<Shared>,
        options: &Options,
        simulated: Option<SimulatedServers>,
        fixed: Fixed,
    ) -> Self {
        Self {
            shared,
            source: options.source.clone(),
            options: options.clone(),
            simulated,
            fixed,
            turn: Mutex::new(()),
        }
    }

    /// Reads everything again and lets it take over, or changes nothing. Blocks for as long as files take to read, and is
    /// told in the log either way. `by`: who wants it, where that is said.
    pub(super) fn reload(&self, by: Option<&str>) -> Result<Reloaded, Unchanged> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let done = self.source.as_ref().ok_or(Unchanged::NoSource);
        let done = done.and_then(|source| Ok((source, self.load(source)?)));
        match done {
            Ok((source, reloaded)) => {
                let (hash, number) = (reloaded.policy, reloaded.generation);
                let file = &source.file;
                self.shared.adopt(hash, by);
                let by = by.map(|by| format!(", by {by}")).unwrap_or_default();
                log::note(&format!(
                    "reloaded {file} ({hash:016x}), generation {number}{by}"
                ));
                Ok(reloaded)
            }
            Err(unchanged) => {
                let text = unchanged.text();
                log::note(&format!("the reload changed nothing:\n{}", text.trim_end()));
                self.shared.refuse(text.trim_end());
                Err(unchanged)
            }
        }
    }

    /// Where the policy was loaded from.
    pub(super) const fn source(&self) -> Option<&Source> {
        self.source.as_ref()
    }

    /// Reads secrets, certificates, authorities and lists of endpoints again, and lets those that are others now take over. What cannot be
    /// used keeps its old value.
    pub(super) fn rotate(&self) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let running = self.shared.generation();
        let mut kept = Vec::new();
        let plan = rediscovered(&running.plan, &mut kept);
        if let Some(Rotation { next, replaced }) = running.rotated(&plan, &mut kept) {
            let number = next.number;
            self.shared.publish(next);
            for what in replaced {
                log::note(&format!("{what}, generation {number}"));
            }
        }
        if !kept.is_empty() {
            let why = kept.join("\n");
            log::note(&format!(
                "a changed file cannot be used; what was there before is kept:\n{why}"
            ));
            self.shared.refuse(&why);
        }
    }

    fn load(&self, source: &Source) -> Result<Reloaded, Unchanged> {
        let sets: Vec<(&str, &str)> = source
            .sets
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        let (mut policy, diagnostics) = policy::load(&Disk, &source.file, &sets)
            .map_err(|diagnostics| Unchanged::Policy(diagnostics.render(false)))?;
        self.options.apply(&mut policy);
        let refusals = self.fixed.refusals(&policy, &self.shared);
        if !refusals.is_empty() {
            return Err(Unchanged::Fixed(refusals));
        }
        if let Some(servers) = &self.simulated {
            point_at_simulated(&mut policy, servers);
        }
        let unread = discovery::read(&mut policy);
        if !unread.is_empty() {
            return Err(Unchanged::Unusable(unread));
        }
        let plan = Plan::new(policy).map_err(|error| Unchanged::Policy(error.to_string()))?;
        let next = self
            .shared
            .generation()
            .next(&Arc::new(plan))
            .map_err(Unchanged::Unusable)?;
        let reloaded = Reloaded {
            generation: next.number,
            policy: next.plan.policy.hash,
            notes: diagnostics.render(false),
        };
        let bounds = machine::bounds(&next.plan.policy.server);
        self.shared.publish(next);
        self.shared.load.rebound(bounds);
        Ok(reloaded)
    }
}

/// The plan with the endpoints that are in their files now; the same one where they are the same.
fn rediscovered(plan: &Arc<Plan>, kept: &mut Vec<String>) -> Arc<Plan> {
    let providers = &plan.policy.providers;
    if providers.iter().all(|provider| provider.discover.is_none()) {
        return Arc::clone(plan);
    }
    let mut policy = plan.policy.clone();
    kept.extend(discovery::read(&mut policy));
    let mut pairs = providers.iter().zip(&policy.providers);
    if pairs.all(|(old, new)| old.endpoints == new.endpoints) {
        return Arc::clone(plan);
    }
    match Plan::new(policy) {
        Ok(plan) => Arc::new(plan),
        Err(error) => {
            kept.push(error.to_string());
            Arc::clone(plan)
        }
    }
}

/// What a running gateway cannot change, as its policy had it.
#[derive(Debug)]
pub(super) struct Fixed {
    listen: Option<String>,
    admin: Option<String>,
    cores: Option<String>,
    telemetry: Telemetry,
    records: Option<Records>,
    /// Names of simulated providers and what they do.
    simulated: Vec<(Box<str>, Simulation)>,
}

impl Fixed {
    /// Of `policy`; what the command line decides is not the policy's to change.
    pub(super) fn of(policy: &Policy, options: &Options) -> Self {
        let server = &policy.server;
        Self {
            listen: options.listen.is_none().then(|| quoted(&server.listen)),
            admin: options.admin.is_none().then(|| quoted(&server.admin)),
            cores: options.cores.is_none().then(|| count(server.cores)),
            telemetry: policy.telemetry,
            records: policy.records.clone(),
            simulated: simulated(policy),
        }
    }

    /// All that `policy` would change of it.
    fn refusals(&self, policy: &Policy, shared: &Shared) -> Vec<String> {
        let server = &policy.server;
        let mut found = Vec::new();
        let mut compare = |what: &str, is: &str, wanted: &str| {
            if is != wanted {
                found.push(format!(
                    "`{what}` cannot change while the gateway runs: it is {is}, and the policy says {wanted} now; \
                     restart the gateway, or take the change back"
                ));
            }
        };
        let texts = [
            ("server { listen }", &self.listen, quoted(&server.listen)),
            ("server { admin }", &self.admin, quoted(&server.admin)),
            ("server { cores }", &self.cores, count(server.cores)),
        ];
        for (what, is, wanted) in texts {
            if let Some(is) = is {
                compare(what, is, &wanted);
            }
        }
        let (is, wanted) = (self.telemetry, policy.telemetry);
        compare(
            "telemetry { access_log }",
            is.access_log.as_str(),
            wanted.access_log.as_str(),
        );
        compare(
            "telemetry { sample }",
            &percent(is.sample),
            &percent(wanted.sample),
        );
        compare(
            "telemetry { records }",
            &recorded(self.records.as_ref()),
            &recorded(policy.records.as_ref()),
        );
        for (name, simulation) in simulated(policy) {
            if !self.simulated.contains(&(name.clone(), simulation)) {
                found.push(format!(
                    "the simulated provider `{name}` is new or does something else now: simulated providers begin with \
                     the gateway; restart it"
                ));
            }
        }
        found.extend(guard_exposure(shared.listen.ip(), policy).err());
        found
    }
}

fn simulated(policy: &Policy) -> Vec<(Box<str>, Simulation)> {
    let simulated =
        |provider: &Provider| Some((provider.name.clone(), provider.simulation.clone()?));
    policy.providers.iter().filter_map(simulated).collect()
}

fn recorded(records: Option<&Records>) -> String {
    let Some(records) = records else {
        return "off".to_owned();
    };
    let Records {
        file,
        share,
        failed,
        max_size,
    } = records;
    let file = file.as_ref().map_or("memory", |file| file);
    let failed = if *failed { "all" } else { "sampled" };
    let share = percent(*share);
    format!("to {file}, share {share}, failed {failed}, max_size {max_size}")
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

fn count(cores: Option<u16>) -> String {
    cores.map_or_else(
        || "as many as there are".to_owned(),
        |cores| cores.to_string(),
    )
}

fn percent(ppm: u32) -> String {
    format!("{}%", f64::from(ppm) / 10_000.0)
}
