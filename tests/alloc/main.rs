//! What must not allocate. A binary of its own: its allocator counts.

#[cfg(test)]
mod chain;
#[cfg(test)]
mod decision;
#[cfg(test)]
#[path = "../support/desk.rs"]
mod desk;
#[cfg(test)]
mod exchange;
#[cfg(test)]
#[path = "../support/fleet.rs"]
mod fleet;
