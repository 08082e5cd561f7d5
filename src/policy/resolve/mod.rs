//! From syntax trees to the model: names become ids, units base units, and every default is filled in. All that is
//! wrong is collected; nothing stops at the first mistake.
//!
//! ```text
//!   names ─→ consts ─→ settings: server, defaults, breakers, retries ─→ providers ─→ tiers ─→ routes ─→ whole
//! ```
//! `value` and `block` read one value and one block by the schema; the rest says what they mean.

mod block;
mod breakers;
mod chain;
mod classify;
mod compare;
mod cond;
mod conditions;
mod connection;
mod drill;
mod expect;
mod fallback;
mod flight;
mod guard;
mod health;
mod hedge;
mod later;
mod masks;
mod names;
mod odds;
mod places;
mod policy;
mod proof;
mod provider;
mod reach;
mod room;
mod route;
mod settings;
mod settled;
mod shadow;
mod simulate;
mod tiers;
mod trial;
mod trust;
mod value;
mod whole;

pub(in crate::policy) use self::compare::days_since_epoch;
pub(in crate::policy) use self::policy::{Depth, Lost, Resolved, resolve};
pub(in crate::policy) use self::settled::{Mark, Settled};
pub(in crate::policy) use self::simulate::ACTS;
