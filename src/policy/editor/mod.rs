//! What an editor asks of a policy: what is named where, what stands at a place, what could stand there. Pure, as everything here:
//! the protocol is the command's.

mod complete;
mod context;
mod hints;
mod hover;
#[cfg(test)]
pub(in crate::policy) mod language;
mod symbols;

pub use crate::policy::load::Loaded;
pub use crate::policy::memory::{Memory, Texts};

pub use self::complete::{Completion, Sort, complete};
pub use self::hints::{Hint, hints};
pub use self::hover::{Hover, hover};
pub use self::symbols::{Kind, Named, Symbols};
