//! A generation: everything that a policy, its secrets and its certificates make of the gateway, built once and never
//! changed. A reload builds the next one from the files and from what the one before it knows. Each request keeps the
//! generation that it began with to its end, repeats and hedges included.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::{Moment, ProviderId, Secret};
use crate::engine::{Board, KeyPlace, Predecessor};
use crate::exchange::{Outlet, Outlets};
use crate::ops::Counters;
use crate::policy::model::{Auth, Provider};
use crate::policy::{Plan, Policy};
use crate::runtime::clock;
use crate::runtime::peer::Peers;
use crate::runtime::secrets;
use crate::runtime::tls::ServerProfile;

/// One state of the gateway, from its publication until the last request that runs by it has ended.
#[derive(Debug)]
pub(super) struct Generation {
    /// From 1.
    pub(super) number: u64,
    pub(super) plan: Arc<Plan>,
    pub(super) board: Arc<Board>,
    pub(super) outlets: Outlets,
    pub(super) peers: Peers,
    pub(super) server_tls: Option<Arc<ServerProfile>>,
    pub(super) counters: Arc<Counters>,
    /// When it was built.
    pub(super) loaded: Moment,
}

impl Generation {
    /// The first one, for so many cores. Reads every secret and certificate that the policy refers to.
    ///
    /// # Errors
    /// All that is missing or unusable, each a sentence that names the policy's line.
    pub(super) fn first(plan: Plan, cores: usize) -> Result<Self, Vec<String>> {
        let Materials {
            outlets,
            peers,
            server_tls,
        } = Materials::read(&plan.policy, None)?;
        let policy = &plan.policy;
        let counters = Counters::sized(cores, policy.targets.len(), policy.routes.len());
        Ok(Self {
            number: 1,
            board: Arc::new(Board::new(&plan, cores)),
            outlets,
            peers,
            server_tls,
            counters: Arc::new(counters),
            loaded: clock::now(),
            plan: Arc::new(plan),
        })
    }

    /// The one after this for another plan, which goes on with what this one knows. Reads everything again.
    ///
    /// # Errors
    /// As [`Generation::first`].
    pub(super) fn next(&self, plan: Arc<Plan>) -> Result<Self, Vec<String>> {
        let materials = Materials::read(&plan.policy, Some(self))?;
        Ok(self.with(plan, materials))
    }

    /// The one after this for the same plan, whose providers may have other endpoints, if one of these or a secret,
    /// certificate or authority is another one than when this one was made. What cannot be used keeps its old value;
    /// `kept` gets a sentence for each.
    pub(super) fn rotated(&self, plan: Arc<Plan>, kept: &mut Vec<String>) -> Option<Rotation> {
        let (materials, errors) = Materials::gather(&plan.policy, Some(self));
        kept.extend(errors);
        let next = self.with(plan, materials?);
        let replaced = self.replaced_in(&next);
        (!replaced.is_empty()).then_some(Rotation { next, replaced })
    }

    fn with(&self, plan: Arc<Plan>, materials: Materials) -> Self {
        let Materials {
            outlets,
            peers,
            server_tls,
        } = materials;
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
        Self {
            number: self.number + 1,
            board: Arc::new(Board::following(&plan, &predecessor)),
            counters: self.counters.following(before, &plan.policy),
            outlets,
            peers,
            server_tls,
            loaded: clock::now(),
            plan,
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
struct Materials {
    outlets: Outlets,
    peers: Peers,
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
        let peers = Peers::new(policy, old.map(|old| &old.peers), &mut errors);
        let all_there = server_tls.is_some() == policy.server.tls.is_some();
        let all = outlets.zip(peers).filter(|_| all_there);
        let materials = all.map(|(outlets, peers)| Self {
            outlets,
            peers,
            server_tls,
        });
        (materials, errors)
    }
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
