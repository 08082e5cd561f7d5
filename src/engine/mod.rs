//! Layer 2: decisions over time.
