//! What the tests of the real binary share: the gateway as a process, scripted upstreams, a client that reads bytes.
//!
//! Plain std sockets and threads on loopback. Nothing here uses the gateway's own codecs, so that a mistake in them
//! cannot hide itself. Every wait has an end: [`PATIENCE`].

#![expect(
    unreachable_pub,
    reason = "each test binary includes these modules as its own; `pub` says what they offer"
)]

pub mod client;
pub mod gateway;
pub mod tls;
pub mod upstream;

use std::panic;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// How long a test waits for anything before it fails. It bounds a hang; no test asserts on it.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Runs every case of a table even where one fails, so that one run shows all that is wrong.
#[derive(Default)]
pub struct Cases {
    failed: Vec<String>,
}

impl Cases {
    /// Runs one case; its own assertions say what is wrong.
    pub fn run(&mut self, name: impl Into<String>, case: impl FnOnce()) {
        if panic::catch_unwind(AssertUnwindSafe(case)).is_err() {
            self.failed.push(name.into());
        }
    }

    /// Fails if a case did.
    pub fn finish(self) {
        assert!(
            self.failed.is_empty(),
            "{} failed: {:#?}",
            self.failed.len(),
            self.failed
        );
    }
}
