//! Layer 2: provider formats.
