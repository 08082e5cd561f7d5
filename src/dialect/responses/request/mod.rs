//! Requests: a client's, and one for a provider.

mod echo;
mod items;
mod read;
mod write;

pub(super) use self::echo::NOTHING;
pub use self::echo::echo;
pub(super) use self::items::read_call;
pub use self::read::read;
pub use self::write::write;
