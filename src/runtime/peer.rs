//! The providers' endpoints as the network sees them: TLS settings and addresses, found ahead of any request.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::ClientConfig;

use crate::base::ProviderId;
use crate::policy::Policy;
use crate::policy::model::Endpoint;
use crate::runtime::tls::ClientProfile;

/// Every endpoint of every provider.
#[derive(Debug)]
pub(super) struct Peers {
    /// What is known of one goes on in the next generation: its addresses, and the idle connections to it.
    endpoints: Vec<Arc<Peer>>,
    /// For each provider, the index of its first endpoint.
    first: Vec<usize>,
    /// For each provider with an endpoint that speaks TLS.
    profiles: Vec<Arc<ClientProfile>>,
}

/// One endpoint.
#[derive(Debug)]
pub(super) struct Peer {
    /// Name or address, as its certificate must prove it.
    pub(super) host: Box<str>,
    port: u16,
    /// `None` for plain HTTP.
    tls: Option<Arc<ClientProfile>>,
    /// Where it was found last. Read when a connection is opened, never while a request runs on an open one.
    addresses: Mutex<Arc<[SocketAddr]>>,
}

impl Peers {
    /// The endpoints of `policy`; literal addresses are known at once, names are not resolved yet. An endpoint that
    /// `old` has, with the same TLS settings, is the same one.
    ///
    /// # Errors
    /// CA files that cannot be used, each a sentence.
    pub(super) fn new(policy: &Policy, old: Option<&Self>) -> Result<Self, Vec<String>> {
        let mut errors = Vec::new();
        let mut new = Self {
            endpoints: Vec::new(),
            first: Vec::new(),
            profiles: Vec::new(),
        };
        for provider in &policy.providers {
            new.first.push(new.endpoints.len());
            let wants_tls = provider.endpoints.iter().any(|endpoint| endpoint.tls);
            let profile = if wants_tls {
                match ClientProfile::new(&provider.tls) {
                    Ok(profile) => Some(new.profile(profile, old)),
                    Err(error) => {
                        errors.push(error);
                        continue;
                    }
                }
            } else {
                None
            };
            for endpoint in &provider.endpoints {
                let tls = profile.clone().filter(|_| endpoint.tls);
                let known = old.and_then(|old| old.known(endpoint, tls.as_ref()));
                let peer = known.unwrap_or_else(|| Arc::new(Peer::new(endpoint, tls)));
                new.endpoints.push(peer);
            }
        }
        if errors.is_empty() {
            Ok(new)
        } else {
            Err(errors)
        }
    }

    /// The same profile where there is one, so that what is known of sessions and connections stays.
    fn profile(&mut self, profile: ClientProfile, old: Option<&Self>) -> Arc<ClientProfile> {
        let known = old.into_iter().flat_map(|old| &old.profiles);
        let known = known
            .chain(&self.profiles)
            .find(|known| ***known == profile);
        let profile = known.map_or_else(|| Arc::new(profile), Arc::clone);
        self.profiles.push(Arc::clone(&profile));
        profile
    }

    fn known(&self, endpoint: &Endpoint, tls: Option<&Arc<ClientProfile>>) -> Option<Arc<Peer>> {
        let is_it = |peer: &&Arc<Peer>| {
            let same_tls = match (&peer.tls, tls) {
                (Some(old), Some(new)) => Arc::ptr_eq(old, new),
                (None, None) => true,
                _ => false,
            };
            peer.host == endpoint.host && peer.port == endpoint.port && same_tls
        };
        self.endpoints.iter().find(is_it).cloned()
    }

    /// The index of an endpoint among all, for pools.
    pub(super) fn index(&self, provider: ProviderId, endpoint: u16) -> usize {
        self.first
            .get(provider.index())
            .copied()
            .unwrap_or_default()
            + usize::from(endpoint)
    }

    /// The endpoint at an index.
    pub(super) fn at(&self, index: usize) -> Option<&Arc<Peer>> {
        self.endpoints.get(index)
    }

    /// Where this very endpoint is among all; the first place, if several providers have it.
    pub(super) fn find(&self, peer: &Arc<Peer>) -> Option<usize> {
        self.endpoints
            .iter()
            .position(|mine| Arc::ptr_eq(mine, peer))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.endpoints.len()
    }

    /// Looks every name up again. Blocks: for the resolver's own thread. An empty answer or an error keeps the
    /// addresses that worked before.
    pub(super) fn resolve(&self) {
        for peer in &self.endpoints {
            if peer.host.parse::<std::net::IpAddr>().is_ok() {
                continue;
            }
            let found = (&*peer.host, peer.port).to_socket_addrs();
            let found: Arc<[SocketAddr]> = found.into_iter().flatten().collect();
            if !found.is_empty() {
                *peer
                    .addresses
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner) = found;
            }
        }
    }
}

impl Peer {
    fn new(endpoint: &Endpoint, tls: Option<Arc<ClientProfile>>) -> Self {
        let literal = endpoint.host.parse();
        let literal = literal.map(|ip| SocketAddr::new(ip, endpoint.port));
        Self {
            host: endpoint.host.clone(),
            port: endpoint.port,
            tls,
            addresses: Mutex::new(literal.into_iter().collect()),
        }
    }

    /// How it proves its name; `None` for plain HTTP.
    pub(super) fn tls(&self) -> Option<&Arc<ClientConfig>> {
        self.tls.as_ref().map(|profile| &profile.config)
    }

    /// The last known addresses, in the resolver's order.
    pub(super) fn addresses(&self) -> Arc<[SocketAddr]> {
        Arc::clone(
            &self
                .addresses
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}
