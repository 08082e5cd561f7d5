//! Layer 4: the world in a box.
