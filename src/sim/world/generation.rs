//! What workers decide by: a plan, the keys of its time, and what the engine knows; and how one follows another.
//!
//! Ids hang on a plan. What outlives one — faults, books, connections — goes by the places of the [`Roster`], which has every
//! name of every plan that a world will ever see.

use std::sync::Arc;

use crate::base::{Moment, ProviderId, RouteId, Secret, Span, TargetId};
use crate::engine::{Board, Core, KeyPlace, Predecessor, TargetStatus};
use crate::exchange::{Outlet, Outlets};
use crate::ops::{Counters, Totals};
use crate::policy::Plan;
use crate::policy::model::{
    Auth, AuthStyle, Breaker, Continuation, Endpoint, Provider, Retries, SecretSource,
};
use crate::sim::world::copies::CopySide;
use crate::sim::world::rule::{Broken, Rule};

/// All names of a world, in the order of the first plan that has them: of one plan, its ids.
#[derive(Debug, Default)]
pub(super) struct Roster {
    pub(super) targets: Vec<Box<str>>,
    pub(super) providers: Vec<Known>,
    pub(super) routes: Vec<Box<str>>,
}

/// One provider, as all plans together know it.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) name: Box<str>,
    /// Where its keys are read from. Who has none is treated as one that everybody knows.
    pub(super) keys: Vec<Box<str>>,
    pub(super) endpoints: Vec<Endpoint>,
}

impl Roster {
    pub(super) fn of<'a>(plans: impl Iterator<Item = &'a Plan>) -> Self {
        let mut roster = Self::default();
        for policy in plans.map(|plan| &plan.policy) {
            for target in &policy.targets {
                place(&mut roster.targets, target.name.clone());
            }
            for route in &policy.routes {
                place(&mut roster.routes, route.name.clone());
            }
            for provider in &policy.providers {
                roster.meet(provider);
            }
        }
        roster
    }

    fn meet(&mut self, provider: &Provider) {
        let at = self
            .providers
            .iter()
            .position(|it| it.name == provider.name);
        let at = at.unwrap_or_else(|| {
            self.providers.push(Known {
                name: provider.name.clone(),
                keys: Vec::new(),
                endpoints: Vec::new(),
            });
            self.providers.len() - 1
        });
        if let Some(known) = self.providers.get_mut(at) {
            for key in keys(provider) {
                place(&mut known.keys, key);
            }
            for endpoint in &provider.endpoints {
                place(&mut known.endpoints, endpoint.clone());
            }
        }
    }

    pub(super) fn provider(&self, provider: ProviderId) -> Option<&Known> {
        self.providers.get(provider.index())
    }

    /// Whose target it is: the part of its name before the first dot.
    pub(super) fn provider_of(&self, target: usize) -> Option<ProviderId> {
        let (provider, _) = self.targets.get(target)?.split_once('.')?;
        let index = self.providers.iter().position(|it| *it.name == *provider)?;
        Some(ProviderId(small(index)))
    }
}

/// Which secret each key has now, by the places of the roster: each rotation is another one.
pub(super) type Versions = Vec<Vec<u32>>;

/// One key's secret.
pub(super) fn secret_of(known: &Known, key: u8, version: u32) -> String {
    let name = known.keys.get(usize::from(key)).map_or("", |name| name);
    format!("sk-only-for-{}-{name}-{version}", known.name)
}

/// All generations of a world, numbered from 0.
#[derive(Debug)]
pub(super) struct Generations<'p> {
    older: Vec<Generation<'p>>,
    pub(super) newest: Generation<'p>,
}

impl<'p> Generations<'p> {
    pub(super) const fn new(first: Generation<'p>) -> Self {
        Self {
            older: Vec::new(),
            newest: first,
        }
    }

    /// The newest one's number.
    pub(super) const fn number(&self) -> usize {
        self.older.len()
    }

    pub(super) fn get(&self, number: usize) -> Option<&Generation<'p>> {
        if number == self.number() {
            return Some(&self.newest);
        }
        self.older.get(number)
    }

    pub(super) fn push(&mut self, next: Generation<'p>) {
        self.older.push(std::mem::replace(&mut self.newest, next));
    }

    /// All targets of the roster as they stand: each as of the newest plan that has it. The first number tells whether
    /// that is the newest of all.
    pub(super) fn status(&self, now: Moment) -> Vec<(bool, TargetStatus)> {
        let mut all: Vec<_> = self
            .newest
            .status(now)
            .map(|status| (true, status))
            .collect();
        for old in self.older.iter().rev() {
            // PERF: most plans have the targets of the one before.
            let has = |target| all.iter().any(|(_, known)| known.target == target);
            if old.targets().all(has) {
                continue;
            }
            let gone = old.status(now).filter(|status| !has(status.target));
            let gone: Vec<_> = gone.map(|status| (false, status)).collect();
            all.extend(gone);
        }
        all
    }

    /// What was counted, answers by the roster.
    pub(super) fn totals(&self, targets: usize) -> Totals {
        let mut totals = self.newest.counters.totals();
        totals.answered = vec![0; targets];
        for generation in self.older.iter().chain([&self.newest]) {
            let counted = generation.counters.totals().answered;
            for (target, count) in generation.targets().zip(counted) {
                if let Some(sum) = totals.answered.get_mut(target.index()) {
                    *sum = count;
                }
            }
        }
        totals
    }
}

/// One state of the gateway.
#[derive(Debug)]
pub(super) struct Generation<'p> {
    /// What the gateway goes by.
    pub(super) plan: &'p Plan,
    /// What the books go by.
    pub(super) law: &'p Plan,
    pub(super) board: Arc<Board>,
    pub(super) counters: Arc<Counters>,
    pub(super) outlets: Outlets,
    /// What copies of requests run by, where a route has a shadow.
    pub(super) copies: Option<CopySide>,
    /// From then on workers may take it up.
    pub(super) published: Moment,
    roster: Arc<Roster>,
    /// By this plan's ids, the places in the roster.
    targets: Vec<usize>,
    providers: Vec<usize>,
}

impl<'p> Generation<'p> {
    /// The first one.
    pub(super) fn first(
        plan: &'p Plan,
        roster: &Arc<Roster>,
        versions: &Versions,
        cores: usize,
        seed: u64,
    ) -> Self {
        let policy = &plan.policy;
        let counters = Counters::sized(cores, policy.targets.len(), policy.routes.len());
        let board = Arc::new(Board::seeded(plan, cores, seed));
        let outlets = outlets(plan, roster, versions);
        Self {
            copies: CopySide::first(plan, cores, seed),
            ..Self::with(
                plan,
                roster,
                board,
                Arc::new(counters),
                outlets,
                Moment::START,
            )
        }
    }

    /// The one after this, as a reload makes it.
    pub(super) fn next(&self, now: Moment, plan: &'p Plan, versions: &Versions) -> Self {
        let outlets = outlets(plan, &self.roster, versions);
        let same_key = |(provider, key): KeyPlace| {
            let name = &plan.policy.providers.get(provider.index())?.name;
            let mut before = self.plan.policy.providers.iter();
            let old = ProviderId(small(before.position(|old| old.name == *name)?));
            let place = outlets.key_before((provider, key), &self.outlets, old)?;
            Some((old, place))
        };
        let predecessor = Predecessor {
            board: &self.board,
            plan: self.plan,
            same_key: &same_key,
        };
        let board = Arc::new(Board::following(plan, &predecessor));
        let counters = self.counters.following(&self.plan.policy, &plan.policy);
        let copies = match &self.copies {
            Some(old) => old.following(plan, &same_key),
            None => CopySide::first(plan, board.cores(), now.as_nanos()),
        };
        Self {
            copies,
            ..Self::with(plan, &self.roster, board, counters, outlets, now)
        }
    }

    fn with(
        plan: &'p Plan,
        roster: &Arc<Roster>,
        board: Arc<Board>,
        counters: Arc<Counters>,
        outlets: Outlets,
        published: Moment,
    ) -> Self {
        let policy = &plan.policy;
        let targets = policy.targets.iter().filter_map(|target| {
            let mut names = roster.targets.iter();
            names.position(|name| *name == target.name)
        });
        let providers = policy.providers.iter().filter_map(|provider| {
            let mut known = roster.providers.iter();
            known.position(|known| known.name == provider.name)
        });
        Self {
            plan,
            law: plan,
            board,
            counters,
            outlets,
            copies: None,
            published,
            targets: targets.collect(),
            providers: providers.collect(),
            roster: Arc::clone(roster),
        }
    }

    /// The part of a core that went on with what `old` knows.
    pub(super) fn core_after(&self, core: &mut Core, old: &Self) -> Core {
        Core::following(Arc::clone(&self.board), self.plan, core, old.plan)
    }

    /// The roster's targets that the plan has, in the order of its ids.
    fn targets(&self) -> impl Iterator<Item = TargetId> + '_ {
        self.targets.iter().map(|&place| TargetId(small(place)))
    }

    /// A target of the plan in the roster.
    pub(super) fn target(&self, own: TargetId) -> Option<TargetId> {
        let place = self.targets.get(own.index())?;
        Some(TargetId(small(*place)))
    }

    /// How a provider of the roster is asked to go on with an answer.
    pub(super) fn continuation(&self, provider: ProviderId) -> Option<Continuation> {
        let own = self.own_provider(provider)?;
        self.plan.policy.providers.get(own.index())?.continuation()
    }

    /// A target of the roster in the plan, if it has it.
    pub(super) fn own_target(&self, target: TargetId) -> Option<TargetId> {
        let mut targets = self.targets.iter();
        let own = targets.position(|&place| place == target.index())?;
        Some(TargetId(small(own)))
    }

    /// A provider of the plan in the roster.
    pub(super) fn provider(&self, own: ProviderId) -> Option<ProviderId> {
        let place = self.providers.get(own.index())?;
        Some(ProviderId(small(*place)))
    }

    /// A provider of the roster in the plan.
    pub(super) fn own_provider(&self, provider: ProviderId) -> Option<ProviderId> {
        let mut providers = self.providers.iter();
        let own = providers.position(|&place| place == provider.index())?;
        Some(ProviderId(small(own)))
    }

    /// One of a provider's endpoints in the roster.
    pub(super) fn endpoint(&self, own: ProviderId, endpoint: u16) -> Option<u16> {
        let provider = self.plan.policy.providers.get(own.index())?;
        let address = provider.endpoints.get(usize::from(endpoint))?;
        let known = self.roster.provider(self.provider(own)?)?;
        let place = known.endpoints.iter().position(|it| it == address)?;
        u16::try_from(place).ok()
    }

    /// One of a provider's keys in the roster.
    pub(super) fn key(&self, own: ProviderId, key: u8) -> Option<u8> {
        let provider = self.plan.policy.providers.get(own.index())?;
        let name = keys(provider).into_iter().nth(usize::from(key))?;
        let known = self.roster.provider(self.provider(own)?)?;
        let place = known.keys.iter().position(|it| *it == name)?;
        u8::try_from(place).ok()
    }

    /// A route's place in the roster.
    pub(super) fn route(&self, own: RouteId) -> Option<usize> {
        let name = &self.plan.policy.routes.get(own.index())?.name;
        self.roster.routes.iter().position(|it| it == name)
    }

    /// What the books know of a target's breaker.
    pub(super) fn breaker(&self, own: TargetId) -> Option<&'p Breaker> {
        let policy = &self.law.policy;
        let target = policy.targets.get(own.index())?;
        policy.breakers.get(target.breaker.index())
    }

    /// What the books know of a target's repeats.
    pub(super) fn retries(&self, own: TargetId) -> Option<&'p Retries> {
        let policy = &self.law.policy;
        let target = policy.targets.get(own.index())?;
        policy.retries.get(target.retries.index())
    }

    /// All targets as they stand, by the roster.
    pub(super) fn status(&self, now: Moment) -> impl Iterator<Item = TargetStatus> + '_ {
        let status = self.board.status(now);
        status.into_iter().filter_map(|status| {
            let target = self.target(status.target)?;
            Some(TargetStatus { target, ..status })
        })
    }

    /// What was known of a target is known of the target of that name.
    ///
    /// # Errors
    /// It is not.
    pub(super) fn goes_on(&self, now: Moment, old: &Self) -> Result<(), Broken> {
        for was in old.status(now) {
            let Some(is) = self.status(now).find(|is| is.target == was.target) else {
                continue;
            };
            let core = |generation: &Self| {
                let own = generation.own_target(was.target)?;
                generation.breaker(own).map(|breaker| breaker.per_core)
            };
            let breaker = (was.state, was.until, was.opened, was.probes)
                == (is.state, is.until, is.opened, is.probes);
            let same = (breaker || core(self) != core(old))
                && (was.order, was.inflight) == (is.order, is.inflight)
                && (self.same_pauses(old, was.target, now));
            if !same {
                let seen = format!("{was:?} went on as {is:?}");
                return Err(Broken::new(Rule::Reload, seen));
            }
        }
        Ok(())
    }

    /// A model that is gone, and a rate limit where the key is the same, outlive a plan.
    fn same_pauses(&self, old: &Self, target: TargetId, now: Moment) -> bool {
        let find = |of: &Self| of.status(now).find(|it| it.target == target);
        let settings = |of: &Self| {
            let own = of.own_target(target)?;
            let target = of.plan.policy.targets.get(own.index())?;
            let kind = of.plan.policy.providers.get(target.provider.index())?.kind;
            let model = (target.model.clone(), kind);
            Some((model, of.credentials(target.provider)))
        };
        let (Some(was), Some(is)) = (find(old), find(self)) else {
            return true;
        };
        let (Some((model, keys)), Some((new_model, new_keys))) = (settings(old), settings(self))
        else {
            return true;
        };
        model != new_model
            || (was.gone_until == is.gone_until
                && (keys != new_keys
                    || (was.throttled_until, was.key_out_until)
                        == (is.throttled_until, is.key_out_until)))
    }

    fn credentials(&self, own: ProviderId) -> Vec<Vec<u8>> {
        let credential = |key| self.outlets.credential(own, key);
        (0..u8::MAX)
            .map_while(credential)
            .map(|secret| secret.expose().to_vec())
            .collect()
    }
}

/// The place of `name`, which is there from now on.
fn place<T: PartialEq>(names: &mut Vec<T>, name: T) -> usize {
    let known = names.iter().position(|known| *known == name);
    known.unwrap_or_else(|| {
        names.push(name);
        names.len() - 1
    })
}

fn small(index: usize) -> u16 {
    u16::try_from(index).unwrap_or(u16::MAX)
}

/// What a plan calls a provider's keys.
fn keys(provider: &Provider) -> Vec<Box<str>> {
    match &provider.auth {
        Auth::Key { secrets, .. } => secrets
            .iter()
            .map(|secret| match &secret.source {
                SecretSource::Env(name) | SecretSource::File(name) => name.clone(),
                SecretSource::Placeholder => "placeholder".into(),
            })
            .collect(),
        Auth::None => vec![Box::default()],
    }
}

/// How the gateway addresses the providers of a world.
fn outlets(plan: &Plan, roster: &Roster, versions: &Versions) -> Outlets {
    let outlets = plan.policy.providers.iter().map(|provider| {
        let style = match &provider.auth {
            Auth::Key { style, .. } => *style,
            Auth::None => AuthStyle::Bearer,
        };
        let mut known = roster.providers.iter().zip(versions);
        let known = known.find(|(known, _)| known.name == provider.name);
        let credentials = known.into_iter().flat_map(|(known, versions)| {
            keys(provider).into_iter().filter_map(move |name| {
                let key = known.keys.iter().position(|key| *key == name)?;
                let version = versions.get(key).copied().unwrap_or_default();
                let secret = secret_of(known, u8::try_from(key).ok()?, version);
                Some(Outlet::credential(style, &Secret::new(secret.into_bytes())))
            })
        });
        Outlet::new(provider, credentials)
    });
    Outlets::new(outlets.collect())
}

/// After this time every worker goes by a new generation.
pub(super) const CARE: Span = Span::from_millis(100);
