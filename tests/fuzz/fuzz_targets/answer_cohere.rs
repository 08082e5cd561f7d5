//! See `tests/support/decoders.rs`.

#![no_main]

#[path = "../../support/decoders.rs"]
mod decoders;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| decoders::feed("answer_cohere", bytes));
