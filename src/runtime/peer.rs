//! The providers' endpoints as the network sees them: TLS settings and addresses, found ahead of any request.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::ClientConfig;

use crate::base::ProviderId;
use crate::policy::Policy;
use crate::runtime::tls;

/// Every endpoint of every provider.
#[derive(Debug)]
pub(super) struct Peers {
    peers: Vec<Peer>,
    /// For each provider, the index of its first endpoint.
    first: Vec<usize>,
}

/// One endpoint.
#[derive(Debug)]
pub(super) struct Peer {
    /// Name or address, as its certificate must prove it.
    pub(super) host: Box<str>,
    port: u16,
    /// `None` for plain HTTP.
    pub(super) tls: Option<Arc<ClientConfig>>,
    /// Where it was found last. Read when a connection is opened, never while a request runs on an open one.
    addresses: Mutex<Arc<[SocketAddr]>>,
}

impl Peers {
    /// The endpoints of `policy`; literal addresses are known at once, names are not resolved yet.
    ///
    /// # Errors
    /// A provider's CA file cannot be used.
    pub(super) fn new(policy: &Policy) -> Result<Self, String> {
        let mut peers = Vec::new();
        let mut first = Vec::new();
        for provider in &policy.providers {
            first.push(peers.len());
            let wants_tls = provider.endpoints.iter().any(|endpoint| endpoint.tls);
            let config = if wants_tls {
                Some(tls::client_config(&provider.tls)?)
            } else {
                None
            };
            for endpoint in &provider.endpoints {
                let literal = endpoint
                    .host
                    .parse()
                    .map(|ip| SocketAddr::new(ip, endpoint.port));
                peers.push(Peer {
                    host: endpoint.host.clone(),
                    port: endpoint.port,
                    tls: config.clone().filter(|_| endpoint.tls),
                    addresses: Mutex::new(literal.into_iter().collect()),
                });
            }
        }
        Ok(Self { peers, first })
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
    pub(super) fn at(&self, index: usize) -> Option<&Peer> {
        self.peers.get(index)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }

    /// Looks every name up again. Blocks: for the resolver's own thread. An empty answer or an error keeps the
    /// addresses that worked before.
    pub(super) fn resolve(&self) {
        for peer in &self.peers {
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
