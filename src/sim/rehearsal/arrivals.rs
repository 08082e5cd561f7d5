//! When the requests of a drill come, and what each of them is: from the drill and its seed alone, so that they are the
//! same on a virtual clock and on a gateway.

use crate::base::{RequestId, Span, hash};
use crate::policy::drill::{self, Drill, Traffic};
use crate::sim::world::Dice;

/// One request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Arrival {
    /// From the drill's beginning.
    pub at: Span,
    /// How many came before it.
    pub number: u64,
    /// Which of the drill's kinds of requests it is.
    pub kind: usize,
    /// Which worker gets it.
    pub core: usize,
    /// Its name.
    pub id: RequestId,
}

/// The requests of a drill, in their order.
#[derive(Clone, Debug)]
pub struct Arrivals {
    dice: Dice,
    seed: u64,
    how: drill::Arrivals,
    /// The time between two on average; none come where it is longer than the drill.
    mean: Span,
    length: Span,
    at: Span,
    number: u64,
    kinds: u64,
    cores: u64,
}

impl Arrivals {
    /// Of `drill`, whose requests are of so many kinds, at a gateway with so many workers.
    pub fn new(drill: &Drill, seed: u64, kinds: usize, cores: usize) -> Self {
        let (mean, how) = match drill.traffic {
            Traffic::Synthetic {
                count,
                per,
                arrivals,
            } => (
                Span::from_nanos((per.as_nanos() / count.max(1)).max(1)),
                arrivals,
            ),
            Traffic::Shadow(_) | Traffic::Live(_) => (Span::MAX, drill::Arrivals::Even),
        };
        let seed = salted(seed);
        Self {
            dice: Dice::new(hash::mix(seed, 3)),
            seed,
            how,
            mean,
            length: drill.length,
            at: Span::ZERO,
            number: 0,
            kinds: kinds as u64,
            cores: cores as u64,
        }
    }
}

impl Iterator for Arrivals {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        let wait = match self.how {
            drill::Arrivals::Poisson => self.dice.exponential(self.mean),
            drill::Arrivals::Even => self.mean,
        };
        self.at = self.at.saturating_add(wait);
        if self.at >= self.length {
            return None;
        }
        let number = self.number;
        self.number += 1;
        let chance = hash::mix(self.seed, number);
        let one_of = |salt, bound| {
            let drawn = hash::scale(hash::mix(chance, salt), bound);
            usize::try_from(drawn).unwrap_or_default()
        };
        Some(Arrival {
            at: self.at,
            number,
            kind: one_of(4, self.kinds),
            core: one_of(5, self.cores),
            id: RequestId(u128::from(chance) << 64 | u128::from(hash::mix(chance, 6))),
        })
    }
}

/// What everything of a drill draws from.
pub(super) const fn salted(seed: u64) -> u64 {
    hash::mix(seed, SALT)
}

const SALT: u64 = 0x6472_696c_6c00;
