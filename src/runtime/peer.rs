//! The providers' endpoints as the network sees them: TLS settings and addresses, found ahead of any request.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
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
    /// For each provider, if it has an endpoint that speaks TLS.
    profiles: Vec<Option<Arc<ClientProfile>>>,
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
    /// `old` has, with the same TLS settings, is the same one. `errors` gets a sentence for each CA file that cannot be
    /// used; what `old` knows for the same provider is used instead, and without that there is nothing to be had.
    pub(super) fn new(
        policy: &Policy,
        old: Option<&Self>,
        errors: &mut Vec<String>,
    ) -> Option<Self> {
        let mut new = Self {
            endpoints: Vec::new(),
            first: Vec::new(),
            profiles: Vec::new(),
        };
        let mut complete = true;
        for (id, provider) in (0..).map(ProviderId).zip(&policy.providers) {
            new.first.push(new.endpoints.len());
            let wants_tls = provider.endpoints.iter().any(|endpoint| endpoint.tls);
            let profile = match wants_tls.then(|| ClientProfile::new(&provider.tls)) {
                None => None,
                Some(Ok(profile)) => Some(new.same_or_new(profile, old)),
                Some(Err(error)) => {
                    errors.push(error);
                    let kept = old.and_then(|old| old.profile_of(id)).cloned();
                    complete &= kept.is_some();
                    kept
                }
            };
            for endpoint in &provider.endpoints {
                let tls = profile.clone().filter(|_| endpoint.tls);
                let known = old.and_then(|old| old.known(endpoint, tls.as_ref()));
                let peer = known.unwrap_or_else(|| Arc::new(Peer::new(endpoint, tls, old)));
                new.endpoints.push(peer);
            }
            new.profiles.push(profile);
        }
        complete.then_some(new)
    }

    /// How a provider's certificates are checked, if it has any.
    pub(super) fn profile_of(&self, provider: ProviderId) -> Option<&Arc<ClientProfile>> {
        self.profiles.get(provider.index())?.as_ref()
    }

    /// The same profile where there is one, so that what is known of sessions and connections stays.
    fn same_or_new(&self, profile: ClientProfile, old: Option<&Self>) -> Arc<ClientProfile> {
        let known = old.into_iter().flat_map(|old| &old.profiles);
        let mut known = known.chain(&self.profiles).flatten();
        let known = known.find(|known| ***known == profile);
        known.map_or_else(|| Arc::new(profile), Arc::clone)
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

    /// Every name among the endpoints' addresses.
    pub(super) fn names(&self) -> BTreeSet<Box<str>> {
        let names = self.endpoints.iter().filter(|peer| peer.is_named());
        names.map(|peer| peer.host.clone()).collect()
    }

    /// A name has these addresses now.
    pub(super) fn found(&self, name: &str, addresses: &[IpAddr]) {
        for peer in self.endpoints.iter().filter(|peer| &*peer.host == name) {
            peer.found(addresses);
        }
    }

    /// Whether every endpoint of that name has an address.
    pub(super) fn knows(&self, name: &str) -> bool {
        let mut peers = self.endpoints.iter().filter(|peer| &*peer.host == name);
        peers.all(|peer| !peer.addresses().is_empty())
    }

    /// The addresses of a name, as any of its endpoints has them.
    fn addresses_of(&self, name: &str) -> Vec<IpAddr> {
        let mut peers = self.endpoints.iter().filter(|peer| &*peer.host == name);
        let known = peers.next().map(|peer| peer.addresses());
        let known = known.iter().flat_map(|known| known.iter());
        known.map(SocketAddr::ip).collect()
    }
}

impl Peer {
    /// One that is new, under a name that may be known from another one.
    fn new(endpoint: &Endpoint, tls: Option<Arc<ClientProfile>>, old: Option<&Peers>) -> Self {
        let peer = Self {
            host: endpoint.host.clone(),
            port: endpoint.port,
            tls,
            addresses: Mutex::default(),
        };
        match (endpoint.host.parse(), old) {
            (Ok(literal), _) => peer.found(&[literal]),
            (Err(_), Some(old)) => peer.found(&old.addresses_of(&endpoint.host)),
            (Err(_), None) => {}
        }
        peer
    }

    /// How it proves its name; `None` for plain HTTP.
    pub(super) fn tls(&self) -> Option<&Arc<ClientConfig>> {
        self.tls.as_ref().map(|profile| &profile.config)
    }

    /// Whether its host is a name and no address.
    fn is_named(&self) -> bool {
        self.host.parse::<IpAddr>().is_err()
    }

    fn found(&self, addresses: &[IpAddr]) {
        let at = |&ip| SocketAddr::new(ip, self.port);
        *self
            .addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = addresses.iter().map(at).collect();
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
