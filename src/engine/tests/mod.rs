//! The engine through its own doors: `world` builds a plan and its cores, the other modules are one topic each.

mod adaptive;
mod balance;
mod breaker;
mod carry;
mod chain;
mod domain;
mod gaps;
mod guard;
mod hedge;
mod journeys;
mod keys;
mod lifeline;
mod orders;
mod pauses;
mod prompts;
mod queue;
mod sequences;
mod spill;
mod threads;
mod world;
