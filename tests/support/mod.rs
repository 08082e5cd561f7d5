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

use std::time::Duration;

/// How long a test waits for anything before it fails. It bounds a hang; no test asserts on it.
pub const PATIENCE: Duration = Duration::from_secs(10);
