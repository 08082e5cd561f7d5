//! The integration tests: one binary, one module for each door that they enter by.

#[cfg(test)]
mod gateway;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
#[cfg(test)]
mod tidy;
