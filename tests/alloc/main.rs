//! What must not allocate. A binary of its own: its allocator counts.

#[cfg(test)]
mod decision;
#[cfg(test)]
#[path = "../shared/fleet.rs"]
mod fleet;
