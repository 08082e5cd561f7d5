//! A generation: everything that a policy, its secrets and its certificates make of the gateway, built once and never
//! changed. A reload builds the next one from the files and from what the one before it knows. Each request keeps the
//! generation that it began with to its end, repeats and hedges included.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::{Moment, ProviderId, Secret};
use crate::engine::{Board, KeyPlace, Predecessor};
use crate::exchange::{Outlet, Outlets};
use crate::ops::Counters;
use crate::policy::model::Auth;
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

    /// The one after this, which goes on with what this one knows. Reads everything again.
    ///
    /// # Errors
    /// As [`Generation::first`].
    pub(super) fn next(&self, plan: Arc<Plan>) -> Result<Self, Vec<String>> {
        let Materials {
            outlets,
            peers,
            server_tls,
        } = Materials::read(&plan.policy, Some(self))?;
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
        Ok(Self {
            number: self.number + 1,
            board: Arc::new(Board::following(&plan, &predecessor)),
            counters: self.counters.following(before, &plan.policy),
            outlets,
            peers,
            server_tls,
            loaded: clock::now(),
            plan,
        })
    }
}

/// What comes from outside the policy's text.
struct Materials {
    outlets: Outlets,
    peers: Peers,
    server_tls: Option<Arc<ServerProfile>>,
}

impl Materials {
    fn read(policy: &Policy, old: Option<&Generation>) -> Result<Self, Vec<String>> {
        let mut errors = Vec::new();
        let outlets = outlets(policy, &mut errors);
        let known = old.and_then(|old| old.server_tls.as_ref());
        let server_tls = server_tls(policy, known, &mut errors);
        let peers = Peers::new(policy, old.map(|old| &old.peers));
        match peers {
            Ok(peers) if errors.is_empty() => Ok(Self {
                outlets,
                peers,
                server_tls,
            }),
            Ok(_) => Err(errors),
            Err(more) => {
                errors.extend(more);
                Err(errors)
            }
        }
    }
}

fn outlets(policy: &Policy, errors: &mut Vec<String>) -> Outlets {
    let mut outlets = Vec::new();
    for provider in &policy.providers {
        let mut credentials = Vec::new();
        if let Auth::Key { style, secrets, .. } = &provider.auth {
            for secret in secrets {
                match secrets::read(policy, secret) {
                    Ok(secret) => credentials.push((*style, secret)),
                    Err(error) => errors.push(error),
                }
            }
        }
        outlets.push(Outlet::new(provider, credentials));
    }
    Outlets::new(outlets)
}

/// The same profile while certificate and key are the same: sessions of clients can be resumed then.
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
        return None;
    };
    if let Some(known) = known.filter(|known| known.is_of(&cert, &key)) {
        return Some(Arc::clone(known));
    }
    ServerProfile::new(cert, key)
        .map(Arc::new)
        .map_err(|error| errors.push(error))
        .ok()
}
