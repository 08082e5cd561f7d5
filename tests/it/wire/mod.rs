//! Tests of `switchover::wire`. Cases are data in `tests/corpus/wire`; every one is read whole, cut at every byte and
//! byte by byte, with one outcome.

mod chunks;
mod corpus;
mod heads;
mod json;
mod reference;
mod sse;

use proptest::prelude::ProptestConfig;

/// A bounded property test. Failures print their input; what they teach becomes a named case.
fn cases(count: u32) -> ProptestConfig {
    ProptestConfig {
        cases: count,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}
