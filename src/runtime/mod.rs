//! Layer 5: the only I/O.

pub mod simulated;
