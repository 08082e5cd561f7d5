//! All integration tests in one binary: one module a topic, each through a public door of the library.
//! `cfg(test)` on each lets the lints know that helpers outside `#[test]` functions are test code too.

#[cfg(test)]
mod diagnostics;
#[cfg(test)]
mod policies;
