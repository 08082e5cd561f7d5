//! Layer 1: the policy language, from text to a plan that decides.
//!
//! ```text
//!   text ─split→ items ─parse→ syntax tree ─resolve→ model (typed, every name and default settled) ─lower→ program
//!                                   └── diagnostics: each with a code, a place, a sentence and help ──┘
//! ```
//! The only door to pest and to the diagnostics renderer.

mod carry;
mod discover;
mod files;
mod format;
mod kinds;
mod load;
mod memory;
mod repair;
mod resolve;
mod schema;
mod syntax;

pub mod catalogue;
pub mod cron;
pub mod diag;
pub mod drill;
pub mod editor;
pub mod effective;
pub mod facts;
pub mod model;
pub mod program;
pub mod reason;
pub mod trace;
pub mod trial;

pub use self::diag::nearest::nearest;
pub use self::diag::{Code, Diagnostic, Diagnostics, Fix, Severity, uri, workflow_text};
pub use self::facts::{Caps, Facts, Kept, KeyFacts, Needs, OwnedFacts, WallTime};
pub use self::files::{Files, Sources};
pub use self::format::{Formatted, Unformatted, format, masked};
pub use self::load::load;
pub use self::model::Policy;
pub use self::program::{Candidate, Decision, Plan, Program, TooComplex};
pub use self::repair::{Changed, Made, Repair, repair};
pub use self::syntax::{Place, duration, is_name};
