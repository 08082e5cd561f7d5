//! Layer 3: what operators see, as values: counters and the record of each request. Writing them anywhere is the
//! runtime's and the commands' business.

mod counters;
mod journal;

pub use self::counters::{Count, Counters, Totals};
pub use self::journal::{Ending, Journal, Record, TRIED_MAX};
