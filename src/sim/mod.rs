//! Layer 4: the world in a box.
//!
//! `provider` is a provider without a network: what it would send, when, and how it would fail. A server only has to
//! write its bytes; a simulation only has to count them. `world` is everything around the gateway — clients, providers,
//! the network, the clock — from one seed. `trial` runs the tests of a policy, `replay` makes
//! recorded decisions again.

pub mod provider;
pub mod replay;
pub mod trial;
pub mod world;
