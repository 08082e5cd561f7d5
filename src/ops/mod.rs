//! Layer 3: what operators see, as values: counters, the record of each request, and both in words and in formats.
//! Writing them anywhere is the runtime's and the commands' business.
//!
//! ```text
//!   exchange ─ a record at the end of each request ─▶ journal ─┬─ counters, tally ─▶ exposition, status   (sums)
//!                                                              ├─ ring ────────────▶ account              (by id)
//!                                                              ├─ access_log ──────▶ account              (a line)
//!                                                              └─ decision ────────▶ told                 (a line)
//! ```

mod access_log;
mod account;
mod changes;
mod cost;
mod counters;
mod decision;
mod drills;
mod exposition;
mod journal;
mod tally;
mod tap;
mod told;

pub use self::access_log::{LogSink, NoRoom};
pub use self::account::Account;
pub use self::changes::{Changes, why_out};
pub use self::cost::{Spent, Tokens};
pub use self::counters::{Count, Counters, Totals};
pub use self::decision::{ChainLog, DecisionNotes, DecisionSink, TickNotes, TickSink, Wanted};
pub use self::drills::DrillFigures;
pub use self::exposition::{Copies, Process, Scrape, exposition};
pub use self::journal::{Ending, Journal, Record};
pub use self::tally::{Move, RouteSums, TargetSums, TimeSums};
pub use self::tap::{Portion, Tap};
pub use self::told::{
    Doings, Told, ToldAttempt, ToldCall, ToldChange, ToldFacts, ToldLine, ToldLog, ToldStep,
    ToldTick, Unreadable,
};
