//! How long a provider wants to be left alone: read from headers and words, bounded by nobody here — the caller caps it.
//!
//! | source | form | who |
//! |---|---|---|
//! | `retry-after-ms`, `x-ms-retry-after-ms` | milliseconds | OpenAI, Azure |
//! | `retry-after` | seconds, or a date (RFC 9110 §10.2.3) | most |
//! | `x-ratelimit-reset-requests`, `-tokens` | `6m0s`, `12ms`, seconds | OpenAI, Groq, Together |
//! | `x-ratelimit-reset` | seconds; seconds or milliseconds since 1970 | Azure; OpenRouter |
//! | `details[].retryDelay` | `34.4s` | Google |
//! | the message | `try again in 7.66s`, `retry in 34.4s` | OpenAI, Groq, Google |
//!
//! The first of the table that says something counts. Zero, negative and unreadable values say nothing. Resets are sent
//! with every answer, and mean a pause on a 429 only.

use crate::base::Span;
use crate::dialect::openai::complaint::Complaint;

/// The pause that an answer of this status asks for. `fields` are its header fields; `unix_now` is the wall clock in
/// seconds since 1970, for dates.
pub fn retry_after<'a>(
    fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
    status: u16,
    body: &[u8],
    unix_now: u64,
) -> Option<Span> {
    let mut hints = Hints::default();
    for (name, value) in fields {
        hints.read(name, value.trim_ascii(), unix_now);
    }
    let reset = if status == 429 { hints.reset() } else { None };
    hints.millis.or(hints.after).or(reset).or_else(|| {
        let complaint = Complaint::find(body)?;
        in_details(complaint.details).or_else(|| in_words(complaint.message))
    })
}

#[derive(Default)]
struct Hints {
    millis: Option<Span>,
    after: Option<Span>,
    reset: Option<Span>,
    reset_requests: Option<Span>,
    reset_tokens: Option<Span>,
    requests_spent: bool,
    tokens_spent: bool,
}

impl Hints {
    fn read(&mut self, name: &[u8], value: &[u8], unix_now: u64) {
        let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
        if is(b"retry-after-ms") || is(b"x-ms-retry-after-ms") {
            self.millis = self.millis.max(decimal(value, 1_000_000));
        } else if is(b"retry-after") {
            self.after = decimal(value, 1_000_000_000).or_else(|| {
                let wait = unix_time(value)?.checked_sub(unix_now)?;
                positive(Span::from_secs(wait))
            });
        } else if is(b"x-ratelimit-reset-requests") {
            self.reset_requests = reset(value, unix_now);
        } else if is(b"x-ratelimit-reset-tokens") {
            self.reset_tokens = reset(value, unix_now);
        } else if is(b"x-ratelimit-reset") {
            self.reset = reset(value, unix_now);
        } else if is(b"x-ratelimit-remaining-requests") {
            self.requests_spent = value == b"0";
        } else if is(b"x-ratelimit-remaining-tokens") {
            self.tokens_spent = value == b"0";
        }
    }

    /// The reset of the limit that is spent; where neither says so, the sooner one.
    fn reset(&self) -> Option<Span> {
        let of_limit = match (self.requests_spent, self.tokens_spent) {
            (true, true) => self.reset_requests.max(self.reset_tokens),
            (true, false) => self.reset_requests,
            (false, true) => self.reset_tokens,
            (false, false) => [self.reset_requests, self.reset_tokens]
                .into_iter()
                .flatten()
                .min(),
        };
        of_limit.or(self.reset)
    }
}

/// A time until, in Go's form or in seconds; or a time since 1970, in seconds or milliseconds: what would be a pause of
/// thirty years is one, and what would be the year 2286 is in milliseconds.
fn reset(value: &[u8], unix_now: u64) -> Option<Span> {
    const SECONDS_SINCE: Span = Span::from_secs(1_000_000_000);
    const MILLIS_SINCE: Span = Span::from_secs(10_000_000_000);
    let Some(number) = decimal(value, 1_000_000_000) else {
        return duration(value);
    };
    let now = Span::from_secs(unix_now);
    if number < SECONDS_SINCE {
        Some(number)
    } else if number < MILLIS_SINCE {
        positive(number.saturating_sub(now))
    } else {
        let since = decimal(value, 1_000_000)?;
        positive(since.saturating_sub(now))
    }
}

/// Google's `{"@type":"…RetryInfo","retryDelay":"34.4s"}`, in a list.
fn in_details(details: &[u8]) -> Option<Span> {
    const LEAD: &[u8] = b"\"retryDelay\"";
    let at = details
        .windows(LEAD.len())
        .position(|window| window == LEAD)?;
    let behind = details.get(at + LEAD.len()..)?;
    let text = behind
        .trim_ascii_start()
        .strip_prefix(b":")?
        .trim_ascii_start()
        .strip_prefix(b"\"")?;
    let end = text.iter().position(|&byte| byte == b'"')?;
    duration(text.get(..end)?)
}

/// `7.66s` behind `try again in ` or `retry in `.
fn in_words(message: &[u8]) -> Option<Span> {
    const LEADS: [&[u8]; 2] = [b"try again in ", b"retry in "];
    let text = LEADS.into_iter().find_map(|lead| {
        let at = message
            .windows(lead.len())
            .position(|window| window.eq_ignore_ascii_case(lead))?;
        message.get(at + lead.len()..)
    })?;
    let end = text
        .iter()
        .position(|byte| !matches!(byte, b'0'..=b'9' | b'.' | b'h' | b'm' | b's'))
        .unwrap_or(text.len());
    // The sentence's own full stop.
    let text = text.get(..end)?;
    duration(text.strip_suffix(b".").unwrap_or(text))
}

/// Go's form of a duration: `1h2m3.5s`, `120ms`.
fn duration(text: &[u8]) -> Option<Span> {
    let mut sum = Span::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest
            .iter()
            .position(|byte| !matches!(byte, b'0'..=b'9' | b'.'))?;
        let (number, after) = rest.split_at_checked(digits)?;
        let letters = after
            .iter()
            .position(|byte| !byte.is_ascii_lowercase())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(letters)?;
        let nanos = match unit {
            b"d" => 86_400_000_000_000,
            b"h" => 3_600_000_000_000,
            b"m" => 60_000_000_000,
            b"s" => 1_000_000_000,
            b"ms" => 1_000_000,
            b"us" => 1_000,
            b"ns" => 1,
            _ => return None,
        };
        sum = sum.saturating_add(scaled(number, nanos)?);
        rest = after;
    }
    positive(sum)
}

/// A decimal number of units of `nanos`; `None` for zero and for anything but digits and one point.
pub(super) fn decimal(text: &[u8], nanos: u64) -> Option<Span> {
    scaled(text, nanos).and_then(positive)
}

fn scaled(text: &[u8], nanos: u64) -> Option<Span> {
    let mut parts = text.splitn(2, |&byte| byte == b'.');
    let whole = parts.next()?;
    let part = parts.next().unwrap_or(b"");
    let digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
    if whole.is_empty() || !digits(whole) || !digits(part) {
        return None;
    }
    let mut sum = whole.iter().fold(0_u64, |sum, digit| {
        sum.saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    });
    sum = sum.saturating_mul(nanos);
    let mut unit = nanos;
    for digit in part {
        unit /= 10;
        sum = sum.saturating_add(u64::from(digit - b'0').saturating_mul(unit));
    }
    Some(Span::from_nanos(sum))
}

fn positive(span: Span) -> Option<Span> {
    (span > Span::ZERO).then_some(span)
}

/// Seconds since 1970 of an HTTP date, in any of its three forms (RFC 9110 §5.6.7): all have a month's name, a time
/// with colons, and the day before the year.
fn unix_time(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let (mut day, mut month, mut year, mut time) = (None, None, None, None);
    for word in text.split([' ', ',', '-']).filter(|word| !word.is_empty()) {
        if word.contains(':') {
            time = Some(time_of_day(word)?);
        } else if let Ok(number) = word.parse::<u64>() {
            if day.is_none() {
                day = Some(number);
            } else if word.len() == 2 {
                year = Some(two_digit_year(number));
            } else {
                year = Some(number);
            }
        } else if let Some(position) = MONTHS.iter().position(|name| *name == word) {
            month = Some(u64::try_from(position).ok()? + 1);
        }
    }
    let (day, year) = (day?, year?);
    if !(1..=31).contains(&day) || !(1970..=9999).contains(&year) {
        return None;
    }
    Some(days_since_1970(year, month?, day) * 86_400 + time?)
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

const fn two_digit_year(number: u64) -> u64 {
    number + if number < 70 { 2000 } else { 1900 }
}

fn time_of_day(word: &str) -> Option<u64> {
    let mut parts = word.split(':').map(str::parse::<u64>);
    let (hour, minute, second) = (
        parts.next()?.ok()?,
        parts.next()?.ok()?,
        parts.next()?.ok()?,
    );
    (hour < 24 && minute < 60 && second <= 60).then_some(hour * 3_600 + minute * 60 + second)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. Years are taken to begin in March, so that the leap day is
/// the last one of a year.
const fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    days - 719_468 // 1970-01-01 counted from 0000-03-01
}
