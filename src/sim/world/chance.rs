//! Chance and latencies from a seed, in whole numbers: the same draws on every machine and build.

use crate::base::{Span, hash};

/// A source of draws. Two dice of one seed fall alike.
#[derive(Clone, Debug)]
pub struct Dice {
    seed: u64,
    drawn: u64,
}

impl Dice {
    /// Dice for `seed`.
    pub const fn new(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }

    /// Dice of their own for one purpose: what is drawn here changes nothing there.
    #[must_use]
    pub const fn fork(&self, purpose: u64) -> Self {
        Self::new(hash::mix(self.seed, purpose))
    }

    /// 64 random bits.
    pub const fn bits(&mut self) -> u64 {
        self.drawn = self.drawn.wrapping_add(1);
        hash::mix(self.seed, self.drawn)
    }

    /// A number below `bound`; 0 where that is 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        hash::scale(self.bits(), bound)
    }

    /// Whether something happens that happens so many times in a million.
    pub const fn happens(&mut self, ppm: u32) -> bool {
        self.below(MILLION) < ppm as u64
    }

    /// One of these, evenly; `None` of none.
    pub fn one_of<T: Copy>(&mut self, these: &[T]) -> Option<T> {
        let index = self.below(these.len() as u64);
        these.get(usize::try_from(index).ok()?).copied()
    }

    /// An index below `bound`.
    pub fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).unwrap_or_default()
    }

    /// From `low` to `high`, both included, evenly.
    pub const fn between(&mut self, low: Span, high: Span) -> Span {
        let width = high.saturating_sub(low).as_nanos().saturating_add(1);
        low.saturating_add(Span::from_nanos(self.below(width)))
    }

    /// A gap between two arrivals that come `mean` apart on average and know nothing of each other.
    pub fn exponential(&mut self, mean: Span) -> Span {
        // −ln u = ln 2 × −log₂ u, and log₂(1 + f) is f + 0.344 f (1 − f) to less than a hundredth.
        let bits = self.bits() | 1;
        let zeros = u64::from(bits.leading_zeros());
        let mantissa = (bits << zeros) << 1 >> 44; // 20 bits behind the point
        let bow = mantissa * (ONE - mantissa) / ONE * 352 / 1024; // 0.344 = 352 / 1024
        let log = (zeros + 1) * ONE - (mantissa + bow).min(ONE);
        scaled(mean, log.saturating_mul(710) / 1024) // ln 2 = 709.8 / 1024
    }

    /// About normal, mean 0 and deviation 1, behind a point of 20 bits: twelve even draws, less six.
    fn normal(&mut self) -> i64 {
        let mut sum = 0_i64;
        for _ in 0..3 {
            let bits = self.bits();
            for part in 0..4 {
                sum += i64::try_from((bits >> (16 * part)) & 0xffff).unwrap_or_default() << 4;
            }
        }
        sum - 6 * 0xf_ffff
    }
}

/// How long something takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Latency {
    /// Always so long.
    Constant(Span),
    /// Evenly from the first to the second.
    Uniform(Span, Span),
    /// About log-normal: half of the draws are shorter than the median; a deviation to the right is so many doublings,
    /// in thousandths. 1,000 has a p99 of five times the median, 2,000 of 25 times.
    HeavyTail(Span, u32),
}

impl Latency {
    /// One draw.
    pub fn draw(self, dice: &mut Dice) -> Span {
        match self {
            Self::Constant(span) => span,
            Self::Uniform(low, high) => dice.between(low, high),
            Self::HeavyTail(median, milli_doublings) => {
                let exponent = dice.normal() * i64::from(milli_doublings) / 1000;
                power_of_two(median, exponent)
            }
        }
    }
}

/// `span × 2^exponent`, with 20 bits behind the exponent's point; between two powers along a straight line.
fn power_of_two(span: Span, exponent: i64) -> Span {
    let fraction = u64::try_from(exponent & 0xf_ffff).unwrap_or_default();
    let whole = exponent >> 20;
    let drawn = scaled(span, ONE + fraction).as_nanos();
    let shift = u32::try_from(whole.unsigned_abs().min(20)).unwrap_or(20);
    Span::from_nanos(if whole < 0 {
        drawn >> shift
    } else {
        drawn.saturating_mul(1 << shift)
    })
}

/// `span × factor`, where 2^20 is one.
fn scaled(span: Span, factor: u64) -> Span {
    let product = (u128::from(span.as_nanos()) * u128::from(factor)) >> 20;
    Span::from_nanos(u64::try_from(product).unwrap_or(u64::MAX))
}

const ONE: u64 = 1 << 20;
const MILLION: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::{Dice, Latency};
    use crate::base::Span;

    const MS: Span = Span::from_millis(1);

    fn sorted(mut draw: impl FnMut() -> Span) -> Vec<u64> {
        let mut drawn: Vec<_> = (0..10_000).map(|_| draw().as_nanos()).collect();
        drawn.sort_unstable();
        drawn
    }

    #[test]
    fn arrivals_are_apart_by_their_mean() {
        let mut dice = Dice::new(1);
        let drawn = sorted(|| dice.exponential(MS));
        let mean = drawn.iter().sum::<u64>() / 10_000;
        assert!((900_000..1_100_000).contains(&mean), "{mean}");
        // A tenth is shorter than −ln 0.9 of the mean, a tenth longer than −ln 0.1.
        assert!(
            (90_000..120_000).contains(&drawn[1_000]),
            "{}",
            drawn[1_000]
        );
        assert!((2_100_000..2_500_000).contains(&drawn[9_000]));
    }

    #[test]
    fn a_heavy_tail_has_its_median_and_its_tail() {
        let mut dice = Dice::new(2);
        let drawn = sorted(|| Latency::HeavyTail(MS, 1_000).draw(&mut dice));
        assert!(
            (950_000..1_080_000).contains(&drawn[5_000]),
            "{}",
            drawn[5_000]
        );
        assert!(
            (4_000_000..6_500_000).contains(&drawn[9_900]),
            "{}",
            drawn[9_900]
        );
    }

    #[test]
    fn even_draws_keep_their_bounds() {
        let mut dice = Dice::new(3);
        let drawn = sorted(|| Latency::Uniform(MS, MS.saturating_mul(2)).draw(&mut dice));
        assert!(drawn[0] >= 1_000_000 && drawn[9_999] <= 2_000_000);
        assert!(drawn[9_999] - drawn[0] > 990_000);
        assert_eq!(dice.one_of::<u8>(&[]), None);
    }
}
