//! Switchover is an AI gateway. Applications send their model calls to it; a policy decides which provider and model
//! answers, and the gateway keeps answering while providers fail.
//!
//! ```text
//!   client ─bytes→ runtime → exchange → wire, policy, engine, dialect        everything right of `runtime` is pure:
//!   client ←bytes─ runtime ← exchange ←───────────────┘                      `now` and bytes in, actions out
//! ```
//!
//! The folders of `src` are layers; each may use those with a smaller number only:
//! `base` 0, `policy` and `wire` 1, `engine` and `dialect` 2, `exchange` and `ops` 3, `sim` 4, `runtime` 5, `cli` 6.
//!
//! One sibling is allowed: `exchange` uses `ops`, because it fills in the counters and records whose shapes `ops` owns.
//! A test (`tests/it/tidy.rs`) holds the sources to all of this.

pub mod base;
pub mod dialect;
pub mod engine;
pub mod exchange;
pub mod ops;
pub mod policy;
pub mod sim;
pub mod wire;

#[cfg(feature = "runtime")]
pub mod cli;
#[cfg(feature = "runtime")]
pub mod runtime;
