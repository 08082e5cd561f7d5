//! Recorded decisions, made again: by the program and the engine of the gateway, on a board that is put into what each step
//! saw. Nothing is asked; attempts end as the record says.
//!
//! ```text
//!   Told ─┬─▶ again     step by step under the policy that made it: does each come out as recorded?
//!         └─▶ moved     under two policies, from the states of the first step: what becomes another way?
//!   Told, ToldTick ─▶ rerun   all of a gateway on one engine from its beginning: does that do the same?
//! ```

mod again;
mod moved;
mod rerun;

pub use self::again::{Again, Difference, Skipped, again};
pub use self::moved::{Moved, Way, moved};
pub use self::rerun::{NoRerun, Rerun, rerun};
