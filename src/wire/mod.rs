//! Layer 1: bytes and messages.
