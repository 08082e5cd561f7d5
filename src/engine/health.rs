//! What health checks say about endpoints: a bit for each that is down, beside the breakers and never instead of them.
//!
//! Available means up *and* not refused by a breaker. A check that succeeds closes no breaker, because a list of models
//! that can be read does not prove that one of them generates; a check that fails opens none, but takes the endpoint
//! out. A provider whose endpoints are all down takes its targets out.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use crate::base::ProviderId;
use crate::engine::board::Board;

/// Which of one provider's endpoints are down.
#[derive(Debug, Default)]
pub(crate) struct Vitals {
    down: AtomicU64,
}

impl Vitals {
    /// Of endpoints each of which was at a place of `other`, or is new and up.
    pub(crate) fn like(other: &Self, places: impl Iterator<Item = Option<u16>>) -> Self {
        let vitals = Self::default();
        for (endpoint, place) in (0..).zip(places) {
            if place.is_some_and(|place| !other.is_up(place)) {
                vitals.set(endpoint, false);
            }
        }
        vitals
    }

    /// Sets what the checks say about an endpoint. Of more than 64 endpoints the rest is always up.
    pub(crate) fn set(&self, endpoint: u16, up: bool) {
        let bit = bit(endpoint);
        if up {
            self.down.fetch_and(!bit, Relaxed);
        } else {
            self.down.fetch_or(bit, Relaxed);
        }
    }

    /// Whether none of so many endpoints is up.
    pub(crate) fn all_down(&self, endpoints: u16) -> bool {
        let down = self.down.load(Relaxed);
        down != 0 && (0..endpoints).all(|endpoint| down & bit(endpoint) != 0)
    }

    /// Whether this endpoint is up.
    pub(crate) fn is_up(&self, endpoint: u16) -> bool {
        self.down.load(Relaxed) & bit(endpoint) == 0
    }

    /// The first endpoint that is up, from `first` on and round; `first` itself where none is.
    pub(crate) fn up_from(&self, first: u16, endpoints: u16) -> u16 {
        let down = self.down.load(Relaxed);
        if down & bit(first) == 0 {
            return first;
        }
        (first..endpoints)
            .chain(0..first)
            .find(|&endpoint| down & bit(endpoint) == 0)
            .unwrap_or(first)
    }
}

impl Board {
    /// Sets what health checks say about an endpoint.
    pub fn set_health(&self, provider: ProviderId, endpoint: u16, up: bool) {
        if let Some(vitals) = self.vitals(provider) {
            vitals.set(endpoint, up);
        }
    }

    /// Whether health checks have nothing against an endpoint.
    pub fn is_up(&self, provider: ProviderId, endpoint: u16) -> bool {
        self.vitals(provider)
            .is_none_or(|vitals| vitals.is_up(endpoint))
    }

    /// The first of a provider's endpoints that is up, from `first` on and round; `first` where none is.
    pub fn endpoint_from(&self, provider: ProviderId, first: u16, endpoints: u16) -> u16 {
        self.vitals(provider)
            .map_or(first, |vitals| vitals.up_from(first, endpoints))
    }

    /// Where to go on when endpoint `at` gives no connection, in a round that began at `first`: to the next one that is up.
    /// `None` where all had their turn.
    pub fn endpoint_after(
        &self,
        provider: ProviderId,
        (first, at): (u16, u16),
        endpoints: u16,
    ) -> Option<u16> {
        let up_from = |next| self.endpoint_from(provider, next, endpoints);
        after((first, at), endpoints, up_from)
    }
}

fn after((first, at): (u16, u16), endpoints: u16, up_from: impl FnOnce(u16) -> u16) -> Option<u16> {
    let all = u32::from(endpoints.max(1));
    let turn = |endpoint: u16| (u32::from(endpoint) + all).saturating_sub(u32::from(first)) % all;
    let next = up_from(at.saturating_add(1) % endpoints.max(1));
    (turn(next) > turn(at)).then_some(next)
}

/// From single checks to a verdict: `fall` failures in a row and an endpoint is down, `rise` successes and it is up.
#[derive(Clone, Copy, Debug)]
pub struct Checkup {
    fall: u32,
    rise: u32,
    up: bool,
    /// Checks in a row that speak against the present state.
    against: u32,
    /// What requests had succeeded when the first of these failed.
    served: u64,
}

impl Checkup {
    /// Of an endpoint that is `up` so far, as is one that nobody has checked yet. `fall` and `rise` are at least 1.
    pub const fn new(fall: u32, rise: u32, up: bool) -> Self {
        Self {
            fall,
            rise,
            up,
            against: 0,
            served: 0,
        }
    }

    /// The verdict so far.
    pub const fn is_up(&self) -> bool {
        self.up
    }

    /// Takes a check's result; gives the new state if it changes. `served` counts the requests that the endpoint has
    /// answered well since the start, or stays 0 where nobody can tell: what requests see outweighs what checks see,
    /// so that a broken health path does not take a provider out that works.
    pub const fn saw(&mut self, good: bool, served: u64) -> Option<bool> {
        if good == self.up {
            self.against = 0;
            return None;
        }
        if self.up && (self.against == 0 || served > self.served) {
            self.served = served;
            self.against = 0;
        }
        self.against = self.against.saturating_add(1);
        let needed = if self.up { self.fall } else { self.rise };
        if self.against < needed {
            return None;
        }
        self.up = good;
        self.against = 0;
        Some(good)
    }
}

fn bit(endpoint: u16) -> u64 {
    1_u64.checked_shl(u32::from(endpoint)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Checkup, Vitals, after};

    #[test]
    fn it_falls_and_rises_by_runs() {
        let mut checkup = Checkup::new(3, 2, true);
        let mut see = |goods: &[bool]| -> Vec<Option<bool>> {
            goods.iter().map(|&good| checkup.saw(good, 0)).collect()
        };
        assert_eq!(see(&[false, false, true, false, false]), [None; 5]);
        assert_eq!(see(&[false]), [Some(false)]);
        assert_eq!(see(&[true, false, true]), [None; 3]);
        assert_eq!(see(&[true, true]), [Some(true), None]);
    }

    #[test]
    fn requests_that_succeed_outweigh_checks_that_fail() {
        let mut checkup = Checkup::new(2, 1, true);
        assert_eq!(checkup.saw(false, 10), None);
        // Somebody was served between the checks: the run begins again.
        assert_eq!(checkup.saw(false, 11), None);
        assert_eq!(checkup.saw(false, 11), Some(false));
        // Being up again needs no request.
        assert_eq!(checkup.saw(true, 11), Some(true));
    }

    #[test]
    fn a_provider_is_down_when_all_its_endpoints_are() {
        let vitals = Vitals::default();
        assert!(!vitals.all_down(2));
        vitals.set(0, false);
        assert!(!vitals.all_down(2));
        assert_eq!((vitals.up_from(0, 3), vitals.up_from(2, 3)), (1, 2));
        vitals.set(1, false);
        assert!(vitals.all_down(2));
        assert_eq!(vitals.up_from(1, 2), 1);
        vitals.set(0, true);
        assert_eq!(vitals.up_from(1, 2), 0);
        assert!(vitals.is_up(0) && !vitals.is_up(1));
        // Beyond the word nothing is ever down.
        vitals.set(64, false);
        assert!(vitals.is_up(64));
    }
    #[test]
    fn a_round_passes_over_what_is_down_and_ends_where_it_began() {
        let vitals = Vitals::default();
        let round = |first: u16, endpoints: u16| {
            let next =
                |at: &u16| after((first, *at), endpoints, |it| vitals.up_from(it, endpoints));
            std::iter::successors(Some(first), next).collect::<Vec<_>>()
        };
        assert_eq!(round(2, 4), [2, 3, 0, 1]);
        assert_eq!(round(0, 1), [0]);
        vitals.set(3, false);
        vitals.set(1, false);
        assert_eq!(round(2, 4), [2, 0]);
        assert_eq!(round(0, 4), [0, 2]);
        // Nobody is up: whoever is asked at all may be any of them.
        vitals.set(0, false);
        vitals.set(2, false);
        assert_eq!(round(1, 4), [1, 2, 3, 0]);
    }
}
