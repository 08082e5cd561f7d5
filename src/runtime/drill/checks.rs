//! What health checks say to a drill's own board. They ask nobody for it: what is injected answers them, and where nothing
//! is, the checks of the clients' board have the answer.
//!
//! ```text
//!   an endpoint is up for the drill = up for clients, and not found down by the checks that meet the drill's faults
//! ```

use std::sync::Arc;

use crate::base::{Moment, hash};
use crate::engine::Board;
use crate::policy::Policy;
use crate::policy::drill::Injection;
use crate::runtime::drill::Running;
use crate::runtime::drill::edge::Edge;
use crate::sim::rehearsal::{Check, Event};

/// The checks of one run.
pub(super) struct Checks {
    /// What the clients' requests are told.
    clients: Arc<Board>,
    /// One for each endpoint that is checked, and when it is asked next: never where nothing is injected.
    all: Vec<(Moment, Check)>,
}

impl Checks {
    /// Of a run that begins; none where it is about the clients' requests, whose board has its checks.
    pub(super) fn new(run: &Running, clients: Arc<Board>) -> Self {
        let policy = &run.plan().policy;
        let all = if run.is_live() {
            Vec::new()
        } else {
            Check::all(policy, hash::mix(run.seed, CHECK_SALT))
        };
        let first = |check: Check| {
            let mut injections = run.drill().injections.iter();
            let hit = injections.any(|it| hits(policy, it, &check));
            let next = if hit {
                run.begun + check.wait()
            } else {
                Moment::NEVER
            };
            (next, check)
        };
        let all = all.into_iter().map(first).collect();
        Self { clients, all }
    }

    /// Asks what is due, and tells the run's board what holds now.
    pub(super) fn go_on(&mut self, now: Moment, run: &Running) {
        let board = run.board();
        for (next, check) in &mut self.all {
            let (provider, endpoint) = (check.provider, check.endpoint);
            if now >= *next {
                let served = board.served(provider);
                let edge: &Edge = &run.edge;
                let changed = check.ask(&run.plan().policy, served, |it| edge.met(now, &it));
                *next = now + check.wait();
                if let Some(up) = changed {
                    run.note(Event::Endpoint {
                        provider,
                        endpoint,
                        up,
                    });
                }
            }
            let up = check.is_up() && self.clients.is_up(provider, endpoint);
            board.set_health(provider, endpoint, up);
        }
    }
}

/// Whether a check may ever meet what is injected.
fn hits(policy: &Policy, injection: &Injection, check: &Check) -> bool {
    injection.spots.iter().any(|spot| {
        let at = |(low, high): (u16, u16)| (low..=high).contains(&check.endpoint);
        let mut targets = spot.targets.iter();
        spot.endpoints.is_none_or(at)
            && targets.any(|target| {
                let target = policy.targets.get(target.index());
                target.is_some_and(|it| it.provider == check.provider)
            })
    })
}

/// Keeps the moments of checks apart from all other draws.
const CHECK_SALT: u64 = 0x6865_616c;
