//! The order in which a policy is settled, and what the steps share.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::{BreakerId, RetriesId, Span, TargetId};
use crate::policy::diag::safety as say;
use crate::policy::diag::{Code, Diagnostic};
use crate::policy::files::Files;
use crate::policy::model::{
    Alias, At, Breaker, Forbid, HealthCheck, Policy, Provider, Retries, Route, Target,
};
use crate::policy::resolve::names::Names;
use crate::policy::resolve::places::{BreakerPlaces, RoutePlaces};
use crate::policy::resolve::settings::Defaults;
use crate::policy::resolve::settled::{Mark, Settled};
use crate::policy::resolve::tiers::Tiers;
use crate::policy::schema::Space;
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::{Expr, Item};

/// What came of it.
#[derive(Debug)]
pub(in crate::policy) struct Resolved {
    /// The policy; meaningless if an error was reported.
    pub(in crate::policy) policy: Option<Policy>,
    /// Secrets that stand in the text.
    pub(in crate::policy) secrets: Vec<Place>,
    /// What the look at the whole policy said; `None` if there was none, or it was broken off.
    pub(in crate::policy) of_whole: Option<BTreeSet<(Code, Place)>>,
    /// The items whose routes the next glance may take over.
    pub(in crate::policy) marks: Vec<(usize, Mark)>,
}

/// How far a policy is looked at.
pub(in crate::policy) enum Depth<'t> {
    /// What each item says. These routes need not be settled again.
    Items(Settled),
    /// What they say together, too. It is broken off when this says so.
    Whole(&'t dyn Fn() -> bool),
}

/// What could not be read: asking for it is no second mistake.
#[derive(Debug)]
pub(in crate::policy) struct Lost<'t> {
    /// The word and the name of declarations that did not parse.
    pub(in crate::policy) names: Vec<(&'t str, &'t str)>,
    /// Whether there was no mistake so far: only then can something be called missing.
    pub(in crate::policy) whole: bool,
}

/// Settles names, types and defaults.
pub(in crate::policy) fn resolve<'t>(
    tree: &'t [Item<'t>],
    files: &'t Files,
    sets: &'t BTreeMap<&'t str, Expr<'t>>,
    lost: Lost<'t>,
    depth: Depth<'t>,
    found: &mut Vec<Diagnostic>,
) -> Resolved {
    let whole = lost.whole;
    let mut resolver = Resolver::new(files, lost.names);
    let stop = match depth {
        Depth::Items(settled) => {
            resolver.settled = settled;
            None
        }
        Depth::Whole(stop) => Some(stop),
    };
    resolver.collect(tree);
    resolver.settle_consts(sets);
    let server = resolver.server();
    let telemetry = resolver.telemetry();
    let records = resolver.records();
    resolver.settle_defaults();
    resolver.providers();
    resolver.aliases();
    resolver.pools();
    resolver.forbids();
    resolver.routes();
    resolver.later();
    let trials = resolver.trials();
    let drills = resolver.drills();
    let proofs = resolver.proofs();
    let of_items = resolver.found.len();
    if stop.is_some() {
        resolver.stop = stop;
        // What an unreadable item may have declared or used cannot be called missing.
        if whole {
            resolver.check_whole();
        }
    }
    let complete = stop.is_some() && !resolver.stopped;
    let of_whole = complete.then(|| {
        let found = resolver.found.iter().skip(of_items);
        found.map(|one| (one.code, one.place())).collect()
    });
    for (word, places) in &resolver.idle {
        found.push(say::no_effect(word, places));
    }
    found.append(&mut resolver.found);
    Resolved {
        policy: server.map(|server| Policy {
            files: Vec::new(),
            hash: 0,
            server,
            telemetry,
            records,
            providers: resolver.providers,
            targets: resolver.targets,
            breakers: resolver.breakers,
            retries: resolver.retries,
            aliases: resolver.aliases,
            forbids: resolver.forbids,
            routes: resolver.routes,
            trials,
            drills,
            proofs,
        }),
        secrets: resolver.secrets,
        of_whole,
        marks: resolver.marks,
    }
}

/// What the steps share: the declarations, the tables of the model as they grow, and what is wrong.
pub(super) struct Resolver<'t> {
    pub(super) files: &'t Files,
    pub(super) found: Vec<Diagnostic>,
    pub(super) names: Names<'t>,
    /// Declarations that could not be read.
    lost: BTreeSet<(&'t str, &'t str)>,
    pub(super) secrets: Vec<Place>,
    pub(super) defaults: Defaults,
    pub(super) providers: Vec<Provider>,
    pub(super) targets: Vec<Target>,
    pub(super) target_ids: BTreeMap<Box<str>, TargetId>,
    /// Where each target is declared, for messages.
    pub(super) target_places: Vec<Place>,
    /// Settings that `provider.*` inherits, by provider name.
    pub(super) wildcards: BTreeMap<&'t str, Target>,
    pub(super) breakers: Vec<Breaker>,
    /// One for each of them.
    pub(super) breaker_places: Vec<BreakerPlaces>,
    pub(super) breaker_ids: BTreeMap<&'t str, BreakerId>,
    pub(super) retries: Vec<Retries>,
    /// Where each says `max`.
    pub(super) retries_places: Vec<Option<Place>>,
    pub(super) retries_ids: BTreeMap<&'t str, RetriesId>,
    pub(super) healths: BTreeMap<&'t str, HealthCheck>,
    /// What `defaults` says for providers that leave `health` out.
    pub(super) default_health: Option<HealthCheck>,
    pub(super) pools: BTreeMap<&'t str, Tiers>,
    pub(super) aliases: Vec<Alias>,
    pub(super) forbids: Vec<Forbid>,
    pub(super) routes: Vec<Route>,
    /// One for each of them.
    pub(super) route_places: Vec<RoutePlaces>,
    /// `server { cores }`, where it is a number.
    pub(super) cores: Option<u16>,
    /// Places of regions that providers name.
    pub(super) regions: Vec<Box<str>>,
    /// Those that the load before has settled.
    pub(super) settled: Settled,
    /// Items whose routes may be taken over.
    pub(super) marks: Vec<(usize, Mark)>,
    /// Where the policy uses what has no effect yet, by word.
    pub(super) idle: BTreeMap<&'static str, Vec<Place>>,
    /// Whether it has been said that nobody fills in `key.*`.
    pub(super) key_facts_noted: bool,
    /// Where the route that is being settled reads one of them first.
    pub(super) key_fact: Option<Place>,
    /// Who breaks the look at the whole policy off.
    stop: Option<&'t dyn Fn() -> bool>,
    /// How often that was to be asked.
    steps: usize,
    /// Whether it has been broken off.
    pub(super) stopped: bool,
}

/// Steps between two questions whether to go on.
const STEPS: usize = 64;

impl<'t> Resolver<'t> {
    fn new(files: &'t Files, lost: Vec<(&'t str, &'t str)>) -> Self {
        Self {
            files,
            found: Vec::new(),
            names: Names::default(),
            lost: lost.into_iter().collect(),
            secrets: Vec::new(),
            defaults: Defaults::default(),
            providers: Vec::new(),
            targets: Vec::new(),
            target_ids: BTreeMap::new(),
            target_places: Vec::new(),
            wildcards: BTreeMap::new(),
            breakers: Vec::new(),
            breaker_places: Vec::new(),
            breaker_ids: BTreeMap::new(),
            retries: Vec::new(),
            retries_places: Vec::new(),
            retries_ids: BTreeMap::new(),
            healths: BTreeMap::new(),
            default_health: None,
            pools: BTreeMap::new(),
            aliases: Vec::new(),
            forbids: Vec::new(),
            routes: Vec::new(),
            route_places: Vec::new(),
            cores: None,
            regions: Vec::new(),
            settled: Settled::default(),
            marks: Vec::new(),
            idle: BTreeMap::new(),
            key_facts_noted: false,
            key_fact: None,
            stop: None,
            steps: 0,
            stopped: false,
        }
    }

    /// Whether the look at the whole policy is broken off; for steps of less than a millisecond.
    pub(super) fn is_stopped(&mut self) -> bool {
        self.steps += 1;
        if !self.stopped && self.steps.is_multiple_of(STEPS) {
            self.stopped = self.stop.is_some_and(|stop| stop());
        }
        self.stopped
    }

    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    /// Notes a use of what has no effect yet. Each word is said once, with its first places.
    pub(super) fn note_later(&mut self, place: Place, word: &'static str) {
        self.idle.entry(word).or_default().push(place);
    }

    /// Whether there is a declaration of that name which could not be read.
    pub(super) fn is_lost(&self, space: Space, name: &str) -> bool {
        self.lost.contains(&(space.as_str(), name))
    }

    pub(super) fn at(&self, place: Place) -> At {
        self.files.at(place)
    }
}

/// The built-in timers; the schema's rows give the reasons.
pub(super) const CONNECT: Span = Span::from_secs(1);
pub(super) const TTFT: Span = Span::from_secs(30);
pub(super) const IDLE: Span = Span::from_secs(15);
pub(super) const DEADLINE: Span = Span::from_secs(60);
