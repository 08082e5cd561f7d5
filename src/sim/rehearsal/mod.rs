//! Drills on a virtual clock: an hour of outage in seconds.
//!
//! ```text
//!   Drill ─▶ world: arrivals ─▶ flight: Chain ─▶ edge: what an attempt meets ─▶ record ─▶ judge: what was expected
//!                     │           │ engine: chain, breakers, keys, budgets, hedges, health, of all cores
//!                     └─ ticks, health checks, injections
//! ```
//! The program and the engine of the live gateway decide; nothing else of it runs. There are no bytes, so that a million
//! requests are a matter of seconds: what bytes can do to an answer, `sim/world` tries. Everything comes from the plan, the
//! drill and the seed: the same three give the same record.

mod agenda;
mod arrivals;
mod checks;
mod edge;
mod flight;
mod forms;
mod judge;
mod record;
mod report;
mod run;
mod series;
mod show;
#[cfg(test)]
mod tests;
mod world;

use crate::policy::Plan;
use crate::policy::drill::{Drill, Traffic};
use crate::sim::request::Request;

pub use self::arrivals::{Arrival, Arrivals};
pub use self::forms::{Scripted, error_answer, error_event, scripted};
pub use self::judge::{Verdict, aborted, judge};
pub use self::record::{Asked, Clock, Event, Failed, Record, Sum, Tried, percentile};
pub use self::report::{Conclusion, Drilled, Expectation, Report, Stage, json, read};
pub use self::run::{Failure, Moment, Percentiles, Point, Run, Target, float, whole};
pub use self::series::{Slice, slices};
pub use self::show::{clock, cost, event, part};

/// What is not the drill's to say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Setup {
    /// Workers, at least one.
    pub cores: u16,
    /// Where chance comes from; the drill's own seed where it is left out.
    pub seed: Option<u64>,
}

/// Requests of one run: each is kept in 40 bytes.
pub const REQUESTS_MAX: u64 = 10_000_000;

/// Why a drill cannot be run here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unfit {
    /// A virtual clock has not what it needs.
    Beyond(&'static str),
    /// It would make so many requests, more than [`REQUESTS_MAX`].
    TooMany(u64),
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Beyond(why) => f.write_str(why),
            Self::TooMany(requests) => write!(
                f,
                "it would make {requests} requests, and {REQUESTS_MAX} are the most: shorten it, or lower its rate"
            ),
        }
    }
}

/// Runs a drill of `plan`.
///
/// # Errors
/// Nothing was run.
pub fn run(plan: &Plan, drill: &Drill, setup: Setup) -> Result<Record, Unfit> {
    if let Some(why) = drill.beyond_rehearsal() {
        return Err(Unfit::Beyond(why));
    }
    let requests = requests_of(drill);
    if requests > REQUESTS_MAX {
        return Err(Unfit::TooMany(requests));
    }
    Ok(world::World::new(plan, drill, setup).run())
}

/// About how many requests it makes; 0 where it makes none of its own.
pub fn requests_of(drill: &Drill) -> u64 {
    let Traffic::Synthetic { count, per, .. } = drill.traffic else {
        return 0;
    };
    let length = u128::from(drill.length.as_nanos());
    let requests = u128::from(count) * length / u128::from(per.as_nanos().max(1));
    u64::try_from(requests).unwrap_or(u64::MAX)
}

/// The requests of a drill as clients send them, one for each kind ([`Arrival::kind`]).
///
/// # Errors
/// A request cannot say what is given; a sentence.
pub fn requests(plan: &Plan, drill: &Drill) -> Result<Vec<Vec<u8>>, String> {
    let kinds = Request::kinds(plan, drill);
    kinds.iter().map(Request::http).collect()
}
