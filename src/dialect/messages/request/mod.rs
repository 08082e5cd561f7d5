//! A request: read from a client, written to Anthropic.

mod blocks;
mod parts;
mod read;
mod sampling;
mod schema;
mod thinking;
mod tools;
mod write;

pub(in crate::dialect) use self::sampling::{Sampling, stops};
pub(in crate::dialect) use self::thinking::Plan;

pub use self::read::read;
pub use self::write::write;
