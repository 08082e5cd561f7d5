//! Worlds with a name: what an incident must cost at most.
