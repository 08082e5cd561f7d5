//! How likely it is that chance alone breaks a breaker's rule.

/// Beyond so many requests chance has no part in it, and the sums below would lose their digits.
const REQUESTS_MAX: u32 = 1_000;

/// So many of `requests` are more than `limit`, in parts per million.
pub(super) fn errors_above(requests: u32, limit: u32) -> u32 {
    let most = u64::from(requests) * u64::from(limit) / 1_000_000;
    u32::try_from(most + 1).unwrap_or(u32::MAX)
}

/// The probability that of `requests`, each of which fails in `usual` of a million cases, more than `limit` do.
pub(super) fn broken(requests: u32, limit: u32, usual: u32) -> f64 {
    if requests > REQUESTS_MAX {
        return 0.0;
    }
    at_least(
        requests,
        errors_above(requests, limit),
        f64::from(usual) / 1e6,
    )
}

/// The smallest number of requests from `above` on, at which [`broken`] is no more than `bearable`.
pub(super) fn least_requests(above: u32, limit: u32, usual: u32, bearable: f64) -> Option<u32> {
    (above..=REQUESTS_MAX).find(|&requests| {
        errors_above(requests, limit) > 1 && broken(requests, limit, usual) <= bearable
    })
}

/// The upper tail of the binomial distribution.
fn at_least(draws: u32, hits: u32, p: f64) -> f64 {
    let q = 1.0 - p;
    let exponent = i32::try_from(draws).unwrap_or(i32::MAX);
    let mut exactly = q.powi(exponent);
    let mut sum = 0.0;
    for count in 0..=draws {
        if count >= hits {
            sum += exactly;
        }
        exactly *= f64::from(draws - count) / f64::from(count + 1) * p / q;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::{broken, errors_above, least_requests};

    /// The numbers that `min_requests = 20` was chosen by.
    #[test]
    fn small_numbers_are_broken_by_chance() {
        let known = [
            (3, 0.142_6),
            (5, 0.022_6),
            (8, 0.005_8),
            (10, 0.011_5),
            (20, 3.3e-4),
            (50, 7.5e-7),
        ];
        for (requests, expected) in known {
            let chance = broken(requests, 250_000, 50_000);
            assert!(
                (chance / expected - 1.0).abs() < 0.02,
                "{requests}: {chance}"
            );
        }
        assert!(broken(2_000, 250_000, 50_000) <= 0.0);
    }

    #[test]
    fn a_limit_is_exceeded_by_more_than_it() {
        assert_eq!(errors_above(20, 250_000), 6);
        assert_eq!(errors_above(20, 50_000), 2);
        assert_eq!(errors_above(19, 50_000), 1);
        assert_eq!(errors_above(3, 250_000), 1);
        assert_eq!(errors_above(10, 1_000_000), 11);
    }

    #[test]
    fn the_least_number_is_the_first_that_bears() {
        // Ten windows of 8,640 a day may be wrong.
        let bearable = 1.0 / 2_880.0;
        assert_eq!(least_requests(1, 250_000, 50_000, bearable), Some(20));
        assert!(broken(19, 250_000, 50_000) > bearable);
        assert_eq!(least_requests(1, 10_000, 50_000, bearable), None);
    }
}
