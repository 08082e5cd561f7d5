//! The format against what providers really sent, and the traps that others fell into.
