//! Layer 0: the words everyone needs — moments and spans, ids, outcomes, limits, secrets, hashing.
//! Knows nothing of policies, bytes, sockets or clocks.

pub mod hash;
pub mod id;
pub mod limits;
pub mod outcome;
pub mod secret;
pub mod time;

pub use self::id::{BreakerId, ProviderId, RequestId, RetriesId, RouteId, TargetId};
pub use self::outcome::{Outcome, OutcomeSet};
pub use self::secret::Secret;
pub use self::time::{Moment, Span};
