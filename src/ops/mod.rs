//! Layer 3: what operators see.
