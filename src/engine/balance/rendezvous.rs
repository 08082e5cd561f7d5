//! Weighted rendezvous hashing: a key stays with its target as long as that target is there, whatever happens to the
//! others, and each target has its share of the keys.
//!
//! Each (key, target) pair draws a uniform `u` in (0, 1]; the smallest `−log2(u) / weight` wins (the minimum of
//! exponential clocks whose rates are the weights). In whole numbers, because floating-point logarithms differ between
//! machines and a recorded pick must be repeatable: the logarithm comes from a table of 256 steps with linear
//! interpolation, exact at both ends and off by less than 3 · 10⁻⁶ between.

use crate::base::hash;

/// How far the clock of one (key, target) pair runs before it rings; compare with [`rings_before`].
pub(crate) fn clock(key: u64, target_name_hash: u64) -> u64 {
    minus_log2(hash::mix(key, target_name_hash))
}

/// Whether clock `a` at rate `weight_a` rings before clock `b` at rate `weight_b`.
pub(crate) fn rings_before((a, weight_a): (u64, u32), (b, weight_b): (u64, u32)) -> bool {
    // a / weight_a < b / weight_b without dividing.
    u128::from(a) * u128::from(weight_b) < u128::from(b) * u128::from(weight_a)
}

/// `−log2((hash + 1) / 2^64)` in units of 2^-32: 0 to 64 · 2^32.
fn minus_log2(hash: u64) -> u64 {
    let Some(u) = hash.checked_add(1) else {
        return 0;
    };
    let shift = u.leading_zeros();
    // The leading one is shifted out: 64 bits of mantissa, 8 of them choose the step.
    let mantissa = (u << shift) << 1;
    let step = usize::try_from(mantissa >> 56).unwrap_or(0);
    let [low, high] = [0, 1].map(|next: usize| {
        LOG2.get(step.saturating_add(next))
            .copied()
            .unwrap_or(1 << 32)
    });
    let within = (mantissa << 8) >> 32;
    let log = low.saturating_add((high.saturating_sub(low).saturating_mul(within)) >> 32);
    // u = 2^(63 − shift) · (1 + mantissa), so −log2(u / 2^64) = 1 + shift − log2(1 + mantissa).
    (u64::from(shift).saturating_add(1) << 32).saturating_sub(log)
}

/// `log2(1 + i / 256)` in units of 2^-32.
const LOG2: [u64; 257] = log2_table();

#[expect(
    clippy::indexing_slicing,
    reason = "a constant table, built and checked at compile time"
)]
const fn log2_table() -> [u64; 257] {
    let mut table = [0; 257];
    let mut i = 0;
    while i < 257 {
        table[i] = log2_of(256 + i as u64);
        i += 1;
    }
    table
}

/// Digit by digit: squaring doubles the logarithm; where the square reaches 2, the next binary digit is 1.
const fn log2_of(of_256: u64) -> u64 {
    let mut x = (of_256 as u128) << 55;
    let one = 1_u128 << 63;
    if x >= one << 1 {
        return 1 << 32;
    }
    let mut log = 0;
    let mut digit = 32;
    while digit > 0 {
        digit -= 1;
        x = (x * x) >> 63;
        if x >= one << 1 {
            x >>= 1;
            log |= 1 << digit;
        }
    }
    log
}

#[cfg(test)]
mod tests {
    use super::minus_log2;
    use crate::base::hash;

    #[test]
    fn the_table_agrees_with_floating_point() {
        for i in 0..10_000 {
            let h = hash::mix(3, i) >> (i % 40);
            #[expect(clippy::cast_precision_loss, reason = "a comparison within 1e-5")]
            let (ours, exact) = (
                minus_log2(h) as f64 / 4_294_967_296.0,
                64.0 - ((h as f64) + 1.0).log2(),
            );
            assert!((ours - exact).abs() < 1e-5, "{h}: {ours} {exact}");
        }
        assert_eq!(minus_log2(u64::MAX), 0);
        assert_eq!(minus_log2(0), 64 << 32);
    }
}
