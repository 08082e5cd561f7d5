//! Which secrets providers accept: those of now, and for a while those that were replaced.

use std::sync::Arc;

use crate::base::{Moment, ProviderId};
use crate::sim::world::generation::{Known, Roster, Versions, secret_of};

/// The secrets of all providers.
#[derive(Debug)]
pub(super) struct Keyring {
    roster: Arc<Roster>,
    versions: Versions,
    /// Those that were replaced: whose, which, which version, since when, and from when on it is refused.
    replaced: Vec<(ProviderId, u8, u32, Moment, Moment)>,
}

impl Keyring {
    pub(super) fn new(roster: &Arc<Roster>) -> Self {
        let versions = roster.providers.iter();
        Self {
            versions: versions.map(|known| vec![0; known.keys.len()]).collect(),
            roster: Arc::clone(roster),
            replaced: Vec::new(),
        }
    }

    pub(super) const fn versions(&self) -> &Versions {
        &self.versions
    }

    pub(super) fn rotate(&mut self, now: Moment, provider: ProviderId, key: u8, revoked: Moment) {
        let keys = self.versions.get_mut(provider.index());
        if let Some(version) = keys.and_then(|keys| keys.get_mut(usize::from(key))) {
            self.replaced.push((provider, key, *version, now, revoked));
            *version += 1;
        }
    }

    /// Which key of a provider, and which of its secrets, `value` is as an `authorization`.
    pub(super) fn read(&self, provider: ProviderId, value: &str) -> Option<(u8, u32)> {
        let secret = value.strip_prefix("Bearer ")?;
        let known: &Known = self.roster.provider(provider)?;
        let versions = self.versions.get(provider.index())?;
        let mut keys = (0_u8..).zip(versions);
        keys.find_map(|(key, &newest)| {
            let mut versions = (0..=newest).rev();
            let version = versions.find(|&version| secret == secret_of(known, key, version))?;
            Some((key, version))
        })
    }

    /// When a secret was replaced, and from when on it is refused; `None` for one that is good.
    pub(super) fn replaced(
        &self,
        provider: ProviderId,
        key: u8,
        version: u32,
    ) -> Option<(Moment, Moment)> {
        let mut replaced = self.replaced.iter();
        let found = replaced.find(|it| (it.0, it.1, it.2) == (provider, key, version));
        found.map(|&(_, _, _, since, revoked)| (since, revoked))
    }
}
