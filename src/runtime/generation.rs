//! A generation: everything that a policy, its secrets and its certificates make of the gateway, built once and never
//! changed. A reload builds the next one from the files and from what the one before it knows. Each request keeps the
//! generation that it began with to its end, repeats and hedges included.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::{Moment, ProviderId, Secret};
use crate::engine::{Board, Bounds, KeyPlace, Load, Predecessor, Shadows};
use crate::exchange::{Outlet, Outlets, Shadowing};
use crate::ops::Counters;
use crate::policy::model::{Auth, Provider};
use crate::policy::{Plan, Policy};
use crate::runtime::clock;
use crate::runtime::machine;
use crate::runtime::peer::Peers;
use crate::runtime::secrets;
use crate::runtime::timetable;
use crate::runtime::tls::ServerProfile;

/// One state of the gateway, from its publication until the last request that runs by it has ended.
#[derive(Debug)]
pub(super) struct Generation {
    /// From 1.
    pub(super) number: u64,
    pub(super) plan: Arc<Plan>,
    pub(super) board: Arc<Board>,
    pub(super) outlets: Arc<Outlets>,
    pub(super) peers: Arc<Peers>,
    pub(super) server_tls: Option<Arc<ServerProfile>>,
    pub(super) counters: Arc<Counters>,
    /// When it was built.
    pub(super) loaded: Moment,
    /// What copies of requests run by, where a route has a shadow.
    pub(super) shadows: Option<ShadowSide>,
    /// Whose requests run by it.
    pub(super) whose: Whose,
}

/// Who asks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Whose {
    /// Clients.
    #[default]
    Requests,
    /// Nobody: copies of requests, for shadows.
    Copies,
    /// A drill.
    Drill,
}

/// The part of a generation that copies of requests run by: the same providers, and a plan, a board and counters that
/// requests themselves never see.
#[derive(Debug)]
pub(super) struct ShadowSide {
    pub(super) shadowing: Shadowing,
    /// Without a shadow side of its own.
    pub(super) generation: Arc<Generation>,
}

impl Generation {
    /// The first one, for so many cores. Reads every secret and certificate that the policy refers to.
    ///
    /// # Errors
    /// All that is missing or unusable, each a sentence that names the policy's line.
    pub(super) fn first(plan: Plan, cores: usize) -> Result<Self, Vec<String>> {
        timetable::check(&plan.policy)?;
        let materials = Materials::read(&plan.policy, None)?;
        let board = Arc::new(Board::new(&plan, cores));
        let plan = Arc::new(plan);
        let counters = counters(&plan.policy, cores);
        let shadows = ShadowSide::of(&plan, &board, &materials, 1, None);
        Ok(Self::built(1, (plan, board, counters), materials, shadows))
    }

    /// The one after this for another plan, which goes on with what this one knows. Reads everything again.
    ///
    /// # Errors
    /// As [`Generation::first`].
    pub(super) fn next(&self, plan: &Arc<Plan>) -> Result<Self, Vec<String>> {
        timetable::check(&plan.policy)?;
        let materials = Materials::read(&plan.policy, Some(self))?;
        Ok(self.with(plan, materials))
    }

    /// The one after this for the same plan, whose providers may have other endpoints, if one of these or a secret,
    /// certificate or authority is another one than when this one was made. What cannot be used keeps its old value;
    /// `kept` gets a sentence for each.
    pub(super) fn rotated(&self, plan: &Arc<Plan>, kept: &mut Vec<String>) -> Option<Rotation> {
        let (materials, errors) = Materials::gather(&plan.policy, Some(self));
        kept.extend(errors);
        let next = self.with(plan, materials?);
        let replaced = self.replaced_in(&next);
        (!replaced.is_empty()).then_some(Rotation { next, replaced })
    }

    /// One for the requests of a drill: the same plan, providers and keys, with a board, counters and connections that no
    /// other request sees. What health checks say of endpoints its run tells it.
    pub(super) fn for_drill(&self) -> Self {
        let plan = Arc::clone(&self.plan);
        let cores = self.board.cores();
        let board = Board::new(&plan, cores);
        let counters = counters(&plan.policy, cores);
        let materials = Materials {
            outlets: Arc::clone(&self.outlets),
            peers: Arc::clone(&self.peers),
            server_tls: None,
        };
        Self {
            whose: Whose::Drill,
            ..Self::built(
                self.number,
                (plan, Arc::new(board), counters),
                materials,
                None,
            )
        }
    }

    /// What requests of a drill may hold together: memory beside that of the clients' requests.
    pub(super) fn drill_bounds(&self) -> Bounds {
        shadow_bounds(&self.plan.policy)
    }

    fn with(&self, plan: &Arc<Plan>, materials: Materials) -> Self {
        let outlets = &materials.outlets;
        let before = &self.plan.policy;
        let providers: HashMap<&str, ProviderId> = before
            .providers
            .iter()
            .map(|provider| &*provider.name)
            .zip((0..).map(ProviderId))
            .collect();
        let same_key = |(provider, key): KeyPlace| {
            let name = &plan.policy.providers.get(provider.index())?.name;
            let old = *providers.get(&**name)?;
            let place = outlets.key_before((provider, key), &self.outlets, old)?;
            Some((old, place))
        };
        let predecessor = Predecessor {
            board: &self.board,
            plan: &self.plan,
            same_key: &same_key,
        };
        let board = Arc::new(Board::following(plan, &predecessor));
        let number = self.number + 1;
        let old = self
            .shadows
            .as_ref()
            .map(|old| (old, &same_key as SameKey<'_>));
        let shadows = ShadowSide::of(plan, &board, &materials, number, old);
        let counters = self.counters.following(before, &plan.policy);
        let plan = Arc::clone(plan);
        Self::built(number, (plan, board, counters), materials, shadows)
    }

    fn built(
        number: u64,
        (plan, board, counters): (Arc<Plan>, Arc<Board>, Arc<Counters>),
        materials: Materials,
        shadows: Option<ShadowSide>,
    ) -> Self {
        let Materials {
            outlets,
            peers,
            server_tls,
        } = materials;
        Self {
            number,
            plan,
            board,
            outlets,
            peers,
            server_tls,
            counters,
            loaded: clock::now(),
            shadows,
            whose: Whose::Requests,
        }
    }

    /// What is another one in the next generation of the same plan, in words.
    fn replaced_in(&self, next: &Self) -> Vec<String> {
        let mut replaced = Vec::new();
        for (id, provider) in (0..).map(ProviderId).zip(&self.plan.policy.providers) {
            for (key, secret) in (0..).zip(provider.auth.secrets()) {
                let is = |of: &Self| {
                    of.outlets
                        .credential(id, key)
                        .map(|it| it.expose().to_vec())
                };
                if is(self) != is(next) {
                    let (name, from) = (&provider.name, &secret.source);
                    replaced.push(format!("provider {name}: key {key} ({from}) was replaced"));
                }
            }
            if let Some(new) = next.plan.policy.providers.get(id.index()) {
                replaced.extend(endpoints_replaced(provider, new));
            }
            if self.peers.profile_of(id) != next.peers.profile_of(id) {
                let name = &provider.name;
                replaced.push(format!(
                    "provider {name}: its certificate authorities were replaced"
                ));
            }
        }
        let same = match (&self.server_tls, &next.server_tls) {
            (Some(old), Some(new)) => Arc::ptr_eq(old, new),
            (None, None) => true,
            _ => false,
        };
        if !same {
            replaced.push("the certificate that clients see was replaced".to_owned());
        }
        replaced
    }
}

/// Where a key of the new plan was in the old one.
type SameKey<'a> = &'a dyn Fn(KeyPlace) -> Option<KeyPlace>;

impl ShadowSide {
    /// Of a generation with this plan and board; `None` where no route has a shadow. It goes on with what the one before it
    /// knows.
    fn of(
        plan: &Plan,
        requests: &Board,
        materials: &Materials,
        number: u64,
        old: Option<(&Self, SameKey<'_>)>,
    ) -> Option<Self> {
        let copies = Arc::new(plan.of_shadows()?);
        let cores = requests.cores();
        let bounds = shadow_bounds(&plan.policy);
        let (board, counters, shadows, load) = match old {
            None => (
                Board::new(&copies, cores),
                counters(&copies.policy, cores),
                Shadows::new(&copies.policy),
                Arc::new(Load::new(bounds, cores)),
            ),
            Some((old, same_key)) => {
                let Shadowing { shadows, load, .. } = &old.shadowing;
                let old = &old.generation;
                let predecessor = Predecessor {
                    board: &old.board,
                    plan: &old.plan,
                    same_key,
                };
                load.rebound(bounds);
                let before = &old.plan.policy;
                (
                    Board::following(&copies, &predecessor),
                    old.counters.following(before, &copies.policy),
                    shadows.following(before, &copies.policy),
                    Arc::clone(load),
                )
            }
        };
        let board = Arc::new(board.sharing_health(requests));
        let tables = (Arc::clone(&copies), board, counters);
        Some(Self {
            shadowing: Shadowing {
                plan: copies,
                shadows: Arc::new(shadows),
                load,
            },
            generation: Arc::new(Generation {
                whose: Whose::Copies,
                ..Generation::built(number, tables, materials.clone(), None)
            }),
        })
    }
}

fn counters(policy: &Policy, cores: usize) -> Arc<Counters> {
    let (targets, routes) = (policy.targets.len(), policy.routes.len());
    Arc::new(Counters::sized(cores, targets, routes))
}

/// What copies may hold: memory beside that of the requests, which they never take any of.
fn shadow_bounds(policy: &Policy) -> Bounds {
    let requests = machine::bounds(&policy.server);
    Bounds {
        body_memory: requests.body_memory / SHADOW_MEMORY_PART,
        ..Bounds::NONE
    }
}

/// Copies may hold an eighth of what requests may.
const SHADOW_MEMORY_PART: u64 = 8;

/// How the endpoints of a provider differ, if they do.
fn endpoints_replaced(old: &Provider, new: &Provider) -> Option<String> {
    let only = |these: &Provider, those: &Provider| {
        let endpoints = these.endpoints.iter();
        endpoints.filter(|it| !those.endpoints.contains(it)).count()
    };
    let (came, went) = (only(new, old), only(old, new));
    let (name, all) = (&new.name, new.endpoints.len());
    (old.endpoints != new.endpoints)
        .then(|| format!("provider {name}: {came} endpoints came, {went} went, {all} in all"))
}

/// A generation with other secrets or endpoints.
#[derive(Debug)]
pub(super) struct Rotation {
    pub(super) next: Generation,
    /// What is another one, each in words, without what it is.
    pub(super) replaced: Vec<String>,
}

/// What comes from outside the policy's text.
#[derive(Clone)]
struct Materials {
    outlets: Arc<Outlets>,
    peers: Arc<Peers>,
    server_tls: Option<Arc<ServerProfile>>,
}

impl Materials {
    /// All or nothing.
    fn read(policy: &Policy, old: Option<&Generation>) -> Result<Self, Vec<String>> {
        match Self::gather(policy, old) {
            (Some(materials), errors) if errors.is_empty() => Ok(materials),
            (_, errors) => Err(errors),
        }
    }

    /// Reads what there is. What cannot be used is what it was in `old`, if that has the same plan; `None` if something
    /// is not to be had at all.
    fn gather(policy: &Policy, old: Option<&Generation>) -> (Option<Self>, Vec<String>) {
        let mut errors = Vec::new();
        let outlets = outlets(policy, old, &mut errors);
        let known = old.and_then(|old| old.server_tls.as_ref());
        let server_tls = server_tls(policy, known, &mut errors);
        let peers = Peers::new(policy, old.map(|old| &*old.peers), &mut errors);
        let all_there = server_tls.is_some() == policy.server.tls.is_some();
        let all = outlets.zip(peers).filter(|_| all_there);
        let materials = all.map(|(outlets, peers)| Self {
            outlets: Arc::new(outlets),
            peers: Arc::new(peers),
            server_tls,
        });
        (materials, errors)
    }
}

/// What the policy refers to outside of itself and cannot be used: secrets, certificates, lists of endpoints. Each a sentence that
/// names the reference and the policy's line, never a value.
pub fn unresolved(policy: &Policy) -> Vec<String> {
    Materials::gather(policy, None).1
}

fn outlets(policy: &Policy, old: Option<&Generation>, errors: &mut Vec<String>) -> Option<Outlets> {
    let mut outlets = Vec::new();
    let mut complete = true;
    for (id, provider) in (0..).map(ProviderId).zip(&policy.providers) {
        let mut credentials = Vec::new();
        if let Auth::Key { style, secrets, .. } = &provider.auth {
            for (key, secret) in (0..).zip(secrets) {
                let credential = match secrets::read(policy, secret) {
                    Ok(secret) => Some(Outlet::credential(*style, &secret)),
                    Err(error) => {
                        errors.push(error);
                        let kept = old.and_then(|old| old.outlets.credential(id, key));
                        kept.cloned()
                    }
                };
                complete &= credential.is_some();
                credentials.extend(credential);
            }
        }
        outlets.push(Outlet::new(provider, credentials));
    }
    complete.then(|| Outlets::new(outlets))
}

/// The same profile while certificate and key are the same, so that sessions of clients can be resumed; and where they
/// cannot be used.
fn server_tls(
    policy: &Policy,
    known: Option<&Arc<ServerProfile>>,
    errors: &mut Vec<String>,
) -> Option<Arc<ServerProfile>> {
    let tls = policy.server.tls.as_ref()?;
    let mut read = |reference| match secrets::read(policy, reference) {
        Ok(secret) => Some(secret),
        Err(error) => {
            errors.push(error);
            None
        }
    };
    let pair: (Option<Secret>, Option<Secret>) = (read(&tls.cert), read(&tls.key));
    let (Some(cert), Some(key)) = pair else {
        return known.cloned();
    };
    if let Some(known) = known.filter(|known| known.is_of(&cert, &key)) {
        return Some(Arc::clone(known));
    }
    match ServerProfile::new(cert, key) {
        Ok(profile) => Some(Arc::new(profile)),
        Err(error) => {
            errors.push(error);
            known.cloned()
        }
    }
}
