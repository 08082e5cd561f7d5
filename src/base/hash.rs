//! Hashes that are the same on every core, machine and build: picks, shares and stickiness hang on them, and a
//! recorded decision must be repeatable years later.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// XXH3 of `bytes` under `seed`.
pub fn of_bytes(seed: u64, bytes: &[u8]) -> u64 {
    xxh3_64_with_seed(bytes, seed)
}

/// Mixes two words into one (the finaliser of SplitMix64 over their combination): cheap, stateless, well spread.
pub const fn mix(a: u64, b: u64) -> u64 {
    let mut z = a
        .wrapping_add(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(b.rotate_left(32));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z ^= b;
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Maps a hash to `0..bound` without division bias that matters (multiply-shift). `bound` 0 gives 0.
pub const fn scale(hash: u64, bound: u64) -> u64 {
    // The product of two u64 fits in a u128; its upper half is below `bound`.
    ((hash as u128 * bound as u128) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::{mix, of_bytes, scale};

    #[test]
    fn hashes_are_pinned() {
        assert_eq!(of_bytes(0, b""), 0x2d06_8005_38d3_94c2); // XXH3's own reference value
        assert_ne!(mix(1, 2), mix(2, 1));
    }

    #[test]
    fn scale_is_even() {
        let mut counts = [0_u32; 10];
        for i in 0..100_000 {
            counts[usize::try_from(scale(mix(7, i), 10)).unwrap()] += 1;
        }
        assert!(
            counts.iter().all(|&n| (9_500..10_500).contains(&n)),
            "{counts:?}"
        );
    }
}
