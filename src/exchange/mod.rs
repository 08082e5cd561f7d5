//! Layer 3: one request from first byte to last.
