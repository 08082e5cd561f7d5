//! Layer 2: decisions over time. Which target a request goes to, when a target is left alone, when it is tried again.
//!
//! ```text
//!   Decision ─▶ chain ─▶ survey ─▶ balance ─▶ Attempt         one request, on one core
//!                 │         ▲
//!                 │ report  │ reads one word for each target
//!                 ▼         │
//!               board: breakers, pauses, in flight            all cores, no lock
//!                 ▲
//!                 └── tick ── sums what the cores counted     one thread, every 100 ms
//! ```
//! Everything here is a function of what it is told: `now` is a parameter, chance comes from the request's id, and
//! nothing is performed. The engine never sees a byte of a request.
//!
//! Start with `chain` for the life of a request, with `breaker` for the life of a target.

mod adaptive;
mod balance;
mod board;
mod breaker;
mod budget;
mod carry;
mod chain;
mod core;
mod domain;
mod guard;
mod health;
mod keys;
mod latency;
mod load;
mod notice;
mod pause;
mod queue;
mod shadow;
mod spill;
mod stage;
#[cfg(test)]
mod tests;
pub mod ways;

pub use self::board::{Board, TargetStatus, Transition};
pub use self::breaker::{Order, Rule, State};
pub use self::carry::{KeyPlace, Predecessor};
pub use self::chain::{
    Asked, Attempt, AttemptRecord, BreakerSight, By, Call, Called, Chain, Did, End, Finish, Form,
    History, Look, Message, Noted, PassedOver, PassedSet, Reason, Sight, Stand, Step,
    fallback_line,
};
pub use self::core::Core;
pub use self::guard::{GuardChange, GuardStatus, GuardWindow, RouteCounts, WhyWithdrawn};
pub use self::health::Checkup;
pub use self::keys::{KeptFrom, KeyChange, KeyStatus};
pub use self::latency::Latencies;
pub use self::load::{Bound, BoundStatus, Bounds, Load};
pub use self::shadow::{Dropped, Seat, Seats, ShadowStatus, Shadows, has_room_for_copies};
