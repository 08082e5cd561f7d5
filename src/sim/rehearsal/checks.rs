//! Health checks on the virtual clock: as the control thread makes them, one for each endpoint whose policy asks for it.

use crate::base::{ProviderId, Span, hash};
use crate::engine::{Board, Checkup};
use crate::policy::Policy;
use crate::policy::model::{HealthCheck, Question};

use super::edge::Edge;

/// One endpoint that is checked.
#[derive(Debug)]
pub(super) struct Check<'p> {
    provider: ProviderId,
    endpoint: u16,
    endpoints: usize,
    rules: &'p HealthCheck,
    checkup: Checkup,
    count: u64,
    seed: u64,
}

/// An endpoint is found down, or up again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) provider: ProviderId,
    pub(super) endpoint: u16,
    pub(super) up: bool,
}

impl<'p> Check<'p> {
    /// All that the policy asks for.
    pub(super) fn all(policy: &'p Policy, seed: u64) -> Vec<Self> {
        let mut all = Vec::new();
        for (id, provider) in (0_u16..).zip(&policy.providers) {
            let Some(rules) = &provider.health else {
                continue;
            };
            for endpoint in (0_u16..).take(provider.endpoints.len()) {
                all.push(Self {
                    provider: ProviderId(id),
                    endpoint,
                    endpoints: provider.endpoints.len(),
                    rules,
                    checkup: Checkup::new(rules.fall, rules.rise, true),
                    count: 0,
                    seed: hash::mix(seed, u64::from(id) << 16 | u64::from(endpoint)),
                });
            }
        }
        all
    }

    /// Until the next one: what the policy says, give or take a tenth.
    pub(super) fn wait(&self) -> Span {
        let every = match self.rules.question {
            Question::Path { .. } => self.rules.every,
            Question::Token { count, per, .. } => {
                let share = per.as_nanos().saturating_mul(self.endpoints as u64);
                let share = share / u64::from(count.max(1));
                self.rules.every.max(Span::from_nanos(share))
            }
        };
        let tenth = every.as_nanos() / 10;
        let drawn = hash::scale(hash::mix(self.seed, self.count), tenth.saturating_mul(2));
        Span::from_nanos(
            every
                .as_nanos()
                .saturating_sub(tenth)
                .saturating_add(drawn)
                .max(1),
        )
    }

    /// Asks, and tells the board what follows.
    pub(super) fn ask(&mut self, edge: &Edge<'_>, board: &Board) -> Option<Change> {
        self.count += 1;
        let chance = hash::mix(self.seed, self.count ^ CHANCE_SALT);
        let good = edge.is_well(self.provider, self.endpoint, self.rules, chance);
        // Requests tell about an endpoint only where there is no other one that they could have gone to.
        let served = match self.endpoints {
            1 => board.served(self.provider),
            _ => 0,
        };
        let up = self.checkup.saw(good, served)?;
        board.set_health(self.provider, self.endpoint, up);
        Some(Change {
            provider: self.provider,
            endpoint: self.endpoint,
            up,
        })
    }
}

const CHANCE_SALT: u64 = 0x6865_616c_0000_0000;
