//! Numbers with their units, exact: a mantissa and how many of its digits are decimals. No floating point, so that
//! `0.1%` is 1,000 parts per million everywhere.

use crate::base::Span;

/// A number as it is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::policy) struct Number {
    /// All digits.
    mantissa: u64,
    /// How many of them stand after the point, at most [`Number::DECIMALS_MAX`].
    decimals: u32,
    /// What it counts.
    pub(in crate::policy) unit: Unit,
}

/// An amount of dollars as it is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::policy) struct Money {
    /// Micro-dollars.
    pub(in crate::policy) micros: u64,
    /// What it buys.
    pub(in crate::policy) per: MoneyPer,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::policy) enum Unit {
    /// Nothing: `30`
    Plain,
    /// `k`, `M`
    Count(u64),
    /// `%`
    Percent,
    /// `us ms s m h d`, in nanoseconds.
    Time(u64),
    /// `KiB MiB GiB`, in bytes.
    Bytes(u64),
    /// `/s /m /h /d`, the time in nanoseconds.
    Rate(u64),
}

/// What an amount of money is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::policy) enum MoneyPer {
    /// `$5`
    Once,
    /// `$5/Mtok`
    Mtok,
    /// `$5/d` and its like.
    Time,
}

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;

/// Longest first, so that `ms` is not taken for `s`.
const UNITS: [(&str, Unit); 17] = [
    ("/month", Unit::Rate(30 * DAY)),
    ("KiB", Unit::Bytes(1 << 10)),
    ("MiB", Unit::Bytes(1 << 20)),
    ("GiB", Unit::Bytes(1 << 30)),
    ("/s", Unit::Rate(SECOND)),
    ("/m", Unit::Rate(60 * SECOND)),
    ("/h", Unit::Rate(3_600 * SECOND)),
    ("/d", Unit::Rate(DAY)),
    ("us", Unit::Time(1_000)),
    ("ms", Unit::Time(1_000_000)),
    ("s", Unit::Time(SECOND)),
    ("m", Unit::Time(60 * SECOND)),
    ("h", Unit::Time(3_600 * SECOND)),
    ("d", Unit::Time(DAY)),
    ("k", Unit::Count(1_000)),
    ("M", Unit::Count(1_000_000)),
    ("%", Unit::Percent),
];

impl Number {
    /// Nine decimals are enough to write nanoseconds in seconds.
    const DECIMALS_MAX: u32 = 9;

    /// From a `number` token. Digits past what fits saturate, decimals past the ninth are dropped.
    pub(in crate::policy) fn parse(text: &str) -> Self {
        let (digits, unit) = UNITS
            .iter()
            .find_map(|&(suffix, unit)| Some((text.strip_suffix(suffix)?, unit)))
            .unwrap_or((text, Unit::Plain));
        let (mantissa, decimals) = decimal(digits);
        Self {
            mantissa,
            decimals,
            unit,
        }
    }

    /// The number times `factor`; `None` where that is not whole or does not fit.
    pub(in crate::policy) fn times(self, factor: u64) -> Option<u64> {
        let product = u128::from(self.mantissa) * u128::from(factor);
        let divisor = 10_u128.pow(self.decimals);
        if product % divisor != 0 {
            return None;
        }
        u64::try_from(product / divisor).ok()
    }

    /// A whole count: `12`, `400k`.
    pub(in crate::policy) fn count(self) -> Option<u64> {
        match self.unit {
            Unit::Plain => self.times(1),
            Unit::Count(factor) => self.times(factor),
            _ => None,
        }
    }

    /// Millionths of a plain number: `1.3` has 1,300,000.
    pub(in crate::policy) fn millionths(self) -> Option<u64> {
        match self.unit {
            Unit::Plain => self.times(1_000_000),
            _ => None,
        }
    }

    /// A time.
    pub(in crate::policy) fn span(self) -> Option<Span> {
        match self.unit {
            Unit::Time(nanos) => self.times(nanos).map(Span::from_nanos),
            _ => None,
        }
    }

    /// Parts per million.
    pub(in crate::policy) fn ppm(self) -> Option<u64> {
        match self.unit {
            Unit::Percent => self.times(10_000),
            _ => None,
        }
    }
}

impl Money {
    /// From a `money` token.
    pub(in crate::policy) fn parse(text: &str) -> Self {
        let text = text.trim_start_matches('$');
        let (digits, per) = text.split_once('/').unwrap_or((text, ""));
        let (factor, per) = match per {
            "" => (1_000_000, MoneyPer::Once),
            "Mtok" => (1_000_000, MoneyPer::Mtok),
            "ktok" => (1_000_000_000, MoneyPer::Mtok),
            _ => (1_000_000, MoneyPer::Time),
        };
        let (mantissa, decimals) = decimal(digits);
        let micros = u128::from(mantissa) * factor / 10_u128.pow(decimals);
        Self {
            micros: u64::try_from(micros).unwrap_or(u64::MAX),
            per,
        }
    }
}

/// A time as a policy writes it, such as `20s` or `1.5m`; for command lines. `None` where it is anything else.
pub fn duration(text: &str) -> Option<Span> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let unit = text.strip_prefix(digits)?;
    let is_time = |(word, kind)| word == unit && matches!(kind, Unit::Time(_));
    if !are_digits(whole) || !are_digits(fraction) || !UNITS.into_iter().any(is_time) {
        return None;
    }
    Number::parse(text).span()
}

/// `1_234.5` as `(12_345, 1)`.
fn decimal(digits: &str) -> (u64, u32) {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut mantissa: u64 = 0;
    let mut decimals = 0;
    let fraction = fraction
        .trim_end_matches('0')
        .bytes()
        .take(Number::DECIMALS_MAX as usize)
        .inspect(|_| decimals += 1);
    for digit in whole.bytes().filter(u8::is_ascii_digit).chain(fraction) {
        mantissa = mantissa
            .saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'));
    }
    (mantissa, decimals)
}

#[cfg(test)]
mod tests {
    use super::{Money, Number, duration};
    use crate::base::Span;

    #[test]
    fn numbers_are_exact() {
        assert_eq!(Number::parse("0.1%").ppm(), Some(1_000));
        assert_eq!(Number::parse("99.99%").ppm(), Some(999_900));
        assert_eq!(Number::parse("1.5s").span(), Some(Span::from_millis(1_500)));
        assert_eq!(Number::parse("15m").span(), Some(Span::from_secs(900)));
        assert_eq!(Number::parse("400k").count(), Some(400_000));
        assert_eq!(Number::parse("1_000").count(), Some(1_000));
        assert_eq!(Number::parse("1.5").count(), None);
        assert_eq!(Number::parse("99999999999999999999M").count(), None);
        assert_eq!(Number::parse("30").span(), None);
    }

    #[test]
    fn durations_have_digits_and_a_unit_of_time() {
        assert_eq!(duration("20s"), Some(Span::from_secs(20)));
        assert_eq!(duration("1.5m"), Some(Span::from_secs(90)));
        assert_eq!(duration("800ms"), Some(Span::from_millis(800)));
        for text in [
            "", "s", "20", "20xs", "20 s", "-1s", "1.s", ".5s", "1.2.3s", "20%", "5/s", "20M",
            "1_0s",
        ] {
            assert_eq!(duration(text), None, "{text:?}");
        }
    }

    #[test]
    fn money_is_in_micro_dollars() {
        assert_eq!(Money::parse("$1.25/Mtok").micros, 1_250_000);
        assert_eq!(Money::parse("$0.002/ktok").micros, 2_000_000);
        assert_eq!(Money::parse("$50/d").micros, 50_000_000);
    }
}
