//! Bounds on extra requests. The budget for repeats at the same target, one for each provider and core: a part of the provider's requests, plus a
//! floor per second, so that a quiet gateway may still repeat. Without it, retries multiply the load of a provider at
//! the moment when it can bear it least. The allowance for hedges, one for each route and core, is a part of the route's
//! requests.

use crate::base::Moment;
use crate::policy::model::Retries;

/// What one core may still repeat at one provider, in millionths of a repeat.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Budget {
    saved: u64,
    filled: Option<Moment>,
}

impl Budget {
    /// A request went to the provider: the budget grows by its part.
    pub(crate) fn deposit(&mut self, retries: &Retries) {
        self.saved = self
            .saved
            .saturating_add(u64::from(retries.budget))
            .min(SAVED_MAX);
    }

    /// One that has so many millionths of a repeat at `now`.
    pub(crate) const fn of(saved: u64, now: Moment) -> Self {
        Self {
            saved,
            filled: Some(now),
        }
    }

    /// What it would pay now, in millionths of a repeat.
    pub(crate) fn left(&self, now: Moment, retries: &Retries, cores: usize) -> u64 {
        let earned = self.earned(now, retries, cores);
        self.saved.saturating_add(earned).min(SAVED_MAX)
    }

    /// What the floor adds by `now`. It is the gateway's: each of `cores` has its part of it, and starts with one second's
    /// worth, at least one repeat.
    fn earned(&self, now: Moment, retries: &Retries, cores: usize) -> u64 {
        let cores = u64::try_from(cores).unwrap_or(u64::MAX).max(1);
        let floor = u64::from(retries.floor_per_s).saturating_mul(ONE) / cores;
        match self.filled {
            None if floor == 0 => 0,
            None => floor.max(ONE),
            Some(filled) => {
                let ms = now.since(filled).as_millis();
                floor.saturating_mul(ms) / 1_000
            }
        }
    }

    /// Takes one repeat, if it can be paid.
    pub(crate) fn take(&mut self, now: Moment, retries: &Retries, cores: usize) -> bool {
        let earned = self.earned(now, retries, cores);
        // A span too short to earn anything is left to grow.
        if self.filled.is_none() || earned != 0 {
            self.filled = Some(now);
        }
        self.saved = self.saved.saturating_add(earned).min(SAVED_MAX);
        let paid = self.saved.checked_sub(ONE);
        self.saved = paid.unwrap_or(self.saved);
        paid.is_some()
    }
}

/// What one core may still hedge for one route, in millionths of a hedge: a part of the requests, and one to begin with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    saved: u64,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { saved: ONE }
    }
}

impl Allowance {
    /// A request was made: the allowance grows by `ppm` of a hedge.
    pub(crate) fn deposit(&mut self, ppm: u32) {
        self.saved = self.saved.saturating_add(u64::from(ppm)).min(SAVED_MAX);
    }

    /// Takes one hedge, if it can be paid.
    pub(crate) fn take(&mut self) -> bool {
        let paid = self.saved.checked_sub(ONE);
        self.saved = paid.unwrap_or(self.saved);
        paid.is_some()
    }

    /// Takes everything, for the allowance that goes on from here.
    pub(crate) const fn take_all(&mut self) -> Self {
        std::mem::replace(self, Self { saved: 0 })
    }

    /// The hedge that was taken did not come about.
    pub(crate) fn give_back(&mut self) {
        self.saved = self.saved.saturating_add(ONE);
    }
}

const ONE: u64 = 1_000_000;
/// The burst that a sudden fault may cost each core: ten repeats, what a hundred requests save up at the usual tenth.
const SAVED_MAX: u64 = 10 * ONE;

#[cfg(test)]
mod tests {
    use super::{Allowance, Budget};
    use crate::base::{Moment, Span};
    use crate::policy::model::{At, Retries};

    fn retries(budget: u32, floor_per_s: u32) -> Retries {
        Retries {
            name: "r".into(),
            at: At::default(),
            max: 2,
            budget,
            floor_per_s,
            backoff: (Span::from_millis(50), Span::from_millis(500)),
        }
    }

    #[test]
    fn a_part_of_the_requests_and_a_floor() {
        let retries = retries(100_000, 2);
        let mut budget = Budget::default();
        let now = Moment::START;
        assert_eq!((0..9).filter(|_| budget.take(now, &retries, 1)).count(), 2);
        for _ in 0..35 {
            budget.deposit(&retries);
        }
        assert_eq!((0..9).filter(|_| budget.take(now, &retries, 1)).count(), 3);
        let later = now + Span::from_millis(750);
        assert_eq!(
            (0..9).filter(|_| budget.take(later, &retries, 1)).count(),
            2
        );
    }

    #[test]
    fn the_floor_is_shared_by_the_cores_and_the_savings_are_bounded() {
        let retries = retries(100_000, 3);
        let mut budget = Budget::default();
        assert!(budget.take(Moment::START, &retries, 16));
        assert!(!budget.take(Moment::START, &retries, 16));
        let second = Moment::START + Span::from_secs(1);
        assert!(!budget.take(second, &retries, 16));
        assert!(budget.take(second + Span::from_secs(5), &retries, 16));
        for _ in 0..1_000 {
            budget.deposit(&retries);
        }
        let taken = (0..99)
            .filter(|_| budget.take(second, &retries, 16))
            .count();
        assert_eq!(taken, 10);
    }

    #[test]
    fn nothing_earned_nothing_spent() {
        assert!(!Budget::default().take(Moment::START, &retries(0, 0), 1));
    }

    #[test]
    fn hedges_are_a_part_of_the_requests() {
        let mut allowance = Allowance::default();
        let taken = (0..1_000).filter(|_| {
            allowance.deposit(50_000);
            allowance.take()
        });
        assert_eq!(taken.count(), 51);
        (0..1_000).for_each(|_| allowance.deposit(50_000));
        assert_eq!((0..99).filter(|_| allowance.take()).count(), 10);
    }
}
