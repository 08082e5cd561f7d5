//! How long a client waits before it gives up, from the fields that clients and the proxies before them really send. An
//! answer that comes later is paid for and read by nobody, and most SDKs ask again at once.
//!
//! | field | unit | sent by | meaning |
//! |---|---|---|---|
//! | `x-switchover-deadline-ms` | ms | whoever wants to | the whole request, streams too |
//! | `x-envoy-expected-rq-timeout-ms` | ms | Envoy, Istio | the whole request: Envoy cuts it then |
//! | `x-stainless-timeout` | s | OpenAI's SDKs for Node and Java | until the answer's head |
//! | `x-stainless-read-timeout` | s | OpenAI's SDK for Python | between two reads; so until the answer's first bytes |
//!
//! They are hints of somebody who does not know this gateway: what is not a number of 1 ms to a day is passed over, not
//! refused.

use crate::base::Span;
use crate::dialect::openai::retry::decimal;

/// What a client's fields say. Of several the shortest counts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Patience {
    /// For the whole request.
    pub whole: Option<Span>,
    /// Until something arrives: the whole of an answer in one piece, the beginning of a stream.
    pub start: Option<Span>,
}

impl Patience {
    /// Takes one field in.
    ///
    /// PERF: the length of its name rules nearly all out.
    #[inline]
    pub fn take(&mut self, name: &[u8], value: &[u8]) {
        if matches!(name.len(), 19 | 24 | 30) {
            self.take_known(name, value);
        }
    }

    fn take_known(&mut self, name: &[u8], value: &[u8]) {
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        let (bound, nanos) = match name.len() {
            19 if is(b"x-stainless-timeout") => (&mut self.start, SECOND),
            24 if is(b"x-stainless-read-timeout") => (&mut self.start, SECOND),
            24 if is(b"x-switchover-deadline-ms") => (&mut self.whole, MILLISECOND),
            30 if is(b"x-envoy-expected-rq-timeout-ms") => (&mut self.whole, MILLISECOND),
            _ => return,
        };
        let span = decimal(value.trim_ascii(), nanos);
        let sound = span.filter(|span| (SHORTEST..=LONGEST).contains(span));
        *bound = (*bound).into_iter().chain(sound).min();
    }
}

const SECOND: u64 = 1_000_000_000;
const MILLISECOND: u64 = 1_000_000;
const SHORTEST: Span = Span::from_millis(1);
const LONGEST: Span = Span::from_secs(86_400);

#[cfg(test)]
mod tests {
    use super::{Patience, Span};

    #[test]
    fn bounds_are_read_and_junk_is_not() {
        let start = |ms| Patience {
            start: Some(Span::from_millis(ms)),
            whole: None,
        };
        let whole = |ms| Patience {
            whole: Some(Span::from_millis(ms)),
            start: None,
        };
        let none = Patience::default();
        for (name, value, wanted) in [
            ("X-Stainless-Timeout", "60", start(60_000)),
            ("x-stainless-read-timeout", "0.5", start(500)),
            ("x-stainless-read-timeout", "600.0", start(600_000)),
            ("x-switchover-deadline-ms", " 1500 ", whole(1_500)),
            ("X-Envoy-Expected-Rq-Timeout-Ms", "15000", whole(15_000)),
            ("x-stainless-timeout", "0", none),
            ("x-stainless-timeout", "-1", none),
            ("x-stainless-read-timeout", "NOT_GIVEN", none),
            ("x-stainless-read-timeout", "1e3", none),
            ("x-switchover-deadline-ms", "", none),
            ("x-switchover-deadline-ms", "0.5", none),
            ("x-switchover-deadline-ms", "99999999999999999999", none),
            ("x-stainless-timeout", "86401", none),
            ("x-stainless-timeoux", "60", none),
        ] {
            let mut patience = Patience::default();
            patience.take(name.as_bytes(), value.as_bytes());
            assert_eq!(patience, wanted, "{name}: {value}");
        }
    }

    #[test]
    fn the_shortest_counts() {
        let mut patience = Patience::default();
        for (name, value) in [
            ("x-switchover-deadline-ms", "4000"),
            ("x-envoy-expected-rq-timeout-ms", "3000"),
            ("x-switchover-deadline-ms", "5000"),
        ] {
            patience.take(name.as_bytes(), value.as_bytes());
        }
        assert_eq!(patience.whole, Some(Span::from_secs(3)));
    }
}
