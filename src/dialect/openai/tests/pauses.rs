//! How long providers ask to be left alone, in every form that they write it.

use proptest::prelude::{any, proptest};

use super::fixtures;
use crate::base::Span;
use crate::dialect::openai::retry_after;

/// Wed, 25 Nov 2026 00:00:00 GMT
const NOW: u64 = 1_795_564_800;

const fn ms(millis: u64) -> Span {
    Span::from_millis(millis)
}

type Pause<'a> = (&'a [(&'a str, &'a str)], &'a str, Option<Span>);

const PAUSES: &[Pause<'static>] = &[
    (&[("Retry-After", "2")], "", Some(ms(2_000))),
    (&[("retry-after", "1.5")], "", Some(ms(1_500))),
    (
        &[("retry-after", "1"), ("retry-after-ms", "0")],
        "",
        Some(ms(1_000)),
    ),
    (
        &[("retry-after", "1"), ("retry-after-ms", "250")],
        "",
        Some(ms(250)),
    ),
    (&[("retry-after", "86400")], "", Some(ms(86_400_000))),
    (&[("x-ms-retry-after-ms", "1500")], "", Some(ms(1_500))),
    (
        &[("retry-after", "7"), ("x-ms-retry-after-ms", "-1")],
        "",
        Some(ms(7_000)),
    ),
    (
        &[("retry-after-ms", "99.5")],
        "",
        Some(Span::from_micros(99_500)),
    ),
    (&[("retry-after", "0")], "", None),
    (&[("retry-after", "-1")], "", None),
    (&[("retry-after", "+5")], "", None),
    (&[("retry-after", "soon")], "", None),
    (&[("retry-after", "")], "", None),
    (&[("retry-after", "1e3")], "", None),
    (
        &[("retry-after", "99999999999999999999")],
        "",
        Some(Span::MAX),
    ),
    (
        &[("retry-after", "Wed, 25 Nov 2026 00:00:30 GMT")],
        "",
        Some(ms(30_000)),
    ),
    (
        &[("retry-after", "Wednesday, 25-Nov-26 00:01:00 GMT")],
        "",
        Some(ms(60_000)),
    ),
    (
        &[("retry-after", "Wed Nov 25 00:00:05 2026")],
        "",
        Some(ms(5_000)),
    ),
    (
        &[("retry-after", "Wed, 25 Nov 2015 00:00:30 GMT")],
        "",
        None,
    ),
    (
        &[("retry-after", "Wed, 99 Nov 2026 00:00:30 GMT")],
        "",
        None,
    ),
    (
        &[
            ("x-ratelimit-reset-requests", "12ms"),
            ("x-ratelimit-reset-tokens", "6m0s"),
        ],
        "",
        Some(ms(12)),
    ),
    (
        &[
            ("x-ratelimit-reset-requests", "12ms"),
            ("x-ratelimit-reset-tokens", "6m0s"),
            ("x-ratelimit-remaining-tokens", "0"),
        ],
        "",
        Some(ms(360_000)),
    ),
    (
        &[("x-ratelimit-reset-requests", "1m30s")],
        "",
        Some(ms(90_000)),
    ),
    (&[("x-ratelimit-reset-tokens", "6ms")], "", Some(ms(6))),
    (&[("x-ratelimit-reset-tokens", "20")], "", Some(ms(20_000))),
    (&[("x-ratelimit-reset", "58")], "", Some(ms(58_000))),
    // Since 1970, in seconds and in milliseconds; and long ago.
    (&[("x-ratelimit-reset", "1795564830")], "", Some(ms(30_000))),
    (
        &[("X-RateLimit-Reset", "1795564830250")],
        "",
        Some(ms(30_250)),
    ),
    (&[("x-ratelimit-reset", "1741305600000")], "", None),
    (
        &[
            ("x-ratelimit-reset", "9"),
            ("x-ratelimit-reset-tokens", "2s"),
        ],
        "",
        Some(ms(2_000)),
    ),
    (
        &[],
        r#"[{"error":{"code":429,"message":"x","details":[{"violations":[]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay": "34.4s"}]}}]"#,
        Some(ms(34_400)),
    ),
    (
        &[],
        r#"{"error":{"message":"x","details":[{"retryDelay":"soon"}]}}"#,
        None,
    ),
    (
        &[],
        r#"{"error":{"message":"Quota exceeded. Please retry in 34.4s."}}"#,
        Some(ms(34_400)),
    ),
    (&[("x-ratelimit-reset-tokens", "0s")], "", None),
    (&[("x-ratelimit-reset-tokens", "6 minutes")], "", None),
    (
        &[],
        r#"{"error":{"message":"Limit reached. Please try again in 7.66s. Need more?"}}"#,
        Some(ms(7_660)),
    ),
    (
        &[],
        r#"{"error":{"message":"Please try again in 1m2.5s."}}"#,
        Some(ms(62_500)),
    ),
    (
        &[],
        r#"{"error":{"message":"Please try again in a while"}}"#,
        None,
    ),
    (&[], "", None),
];

#[test]
fn pauses() {
    for (fields, body, pause) in PAUSES {
        let pairs = fields
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        assert_eq!(
            retry_after(pairs, 429, body.as_bytes(), NOW),
            *pause,
            "{fields:?} {body}"
        );
    }
}

/// Providers send them with every answer: an error that is no rate limit does not wait for one.
#[test]
fn resets_are_for_rate_limits() {
    let reset = (&b"x-ratelimit-reset-tokens"[..], &b"6m0s"[..]);
    let after = (&b"retry-after"[..], &b"3"[..]);
    assert_eq!(retry_after([reset], 429, b"", NOW), Some(ms(360_000)));
    for status in [401, 500, 503] {
        assert_eq!(retry_after([reset], status, b"", NOW), None);
        assert_eq!(
            retry_after([reset, after], status, b"", NOW),
            Some(ms(3_000))
        );
    }
}

#[test]
fn recorded_pause() {
    let all = fixtures();
    let limited = all
        .iter()
        .find(|f| f.name.starts_with("azure/real-error"))
        .unwrap();
    let pairs = limited
        .headers
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    assert_eq!(retry_after(pairs, 429, b"", 0), Some(Span::from_secs(1)));
}

proptest! {
    #[test]
    fn any_field_is_survived(
        body in proptest::collection::vec(any::<u8>(), 0..100),
        value in "[ -~]{0,40}",
        unix_now in any::<u64>(),
    ) {
        for name in [
            &b"retry-after"[..],
            b"retry-after-ms",
            b"x-ratelimit-reset",
            b"x-ratelimit-reset-tokens",
        ] {
            retry_after([(name, value.as_bytes())], 429, &body, unix_now);
        }
    }

    #[test]
    fn any_date_is_survived(
        word in "[A-Za-z]{3}", day in 0_u64..100, year in 0_u64..99_999, hour in 0_u8..30,
    ) {
        let value = format!("{word}, {day:02} Nov {year} {hour:02}:00:00 GMT");
        retry_after([(&b"retry-after"[..], value.as_bytes())], 429, b"", 0);
    }
}
