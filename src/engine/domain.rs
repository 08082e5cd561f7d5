//! Fault domains: what explains the failures of several models of one provider is the provider.
//!
//! A connection that cannot be made (`connect`, `tls`; names that do not resolve are the former) says nothing about the model
//! that was asked. Where two of a provider's targets or more have met that lately, as often together as one breaker's
//! `consecutive` asks for, and nobody at the provider has answered well for a second since, its other breakers open, too, before each
//! of their targets has had its own failures. Each comes back by its own probes.
//!
//! The tick looks; a request that succeeds pays nothing for it.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use crate::base::{Moment, Span};
use crate::engine::board::{Board, Cell};
use crate::engine::breaker::word::Rule;

/// One provider with several targets.
#[derive(Debug)]
pub(super) struct Domain {
    /// Places of its cells.
    members: Box<[usize]>,
    /// What it had answered well at the last tick.
    served: AtomicU64,
    /// The last tick at which it had answered well, or had not been out of reach for anybody.
    quiet_since: AtomicU64,
}

/// The providers that have several of the `cells`.
pub(super) fn domains(cells: &[Cell], providers: usize) -> Box<[Domain]> {
    let members = |provider: usize| {
        let of = |cell: &Cell| cell.provider.index() == provider;
        let places = cells.iter().zip(0..).filter(|(cell, _)| of(cell));
        places.map(|(_, place)| place).collect::<Box<[usize]>>()
    };
    let all = (0..providers).map(members);
    all.filter(|members| members.len() > 1)
        .map(|members| Domain {
            members,
            served: AtomicU64::default(),
            quiet_since: AtomicU64::default(),
        })
        .collect()
}

impl Board {
    /// Opens the breakers of providers that cannot be reached.
    pub(super) fn promote(&self, now: Moment) {
        let out_of_reach = |domain: &&Domain| self.is_out_of_reach(now, domain);
        let lost = self.domains.iter().filter(out_of_reach);
        for cell in lost.flat_map(|domain| self.members(domain)) {
            for gate in &*cell.gates {
                let word = gate.word();
                if word.state.passes() {
                    gate.open(word, Rule::Provider, now, &cell.rules);
                }
            }
        }
    }

    fn is_out_of_reach(&self, now: Moment, domain: &Domain) -> bool {
        let (mut models, mut faults, mut needed) = (0_u32, 0_u32, u32::MAX);
        for cell in self.members(domain) {
            let gates = cell.gates.iter();
            let met: u32 = gates
                .map(|gate| gate.unreached(now, cell.rules.window))
                .fold(0, u32::saturating_add);
            if met != 0 {
                models = models.saturating_add(1);
                faults = faults.saturating_add(met);
                needed = needed.min(cell.rules.consecutive.unwrap_or(CONSECUTIVE));
            }
        }
        let provider = self.members(domain).next().map(|cell| cell.provider);
        let served = provider.map_or(0, |provider| self.served(provider));
        let answered = domain.served.swap(served, Relaxed) != served;
        if answered && models != 0 {
            // It can be reached: what some of its models have met was something else, or is over.
            self.forget(domain);
        }
        if answered || models == 0 {
            domain.quiet_since.store(now.as_nanos(), Relaxed);
            return false;
        }
        let quiet = now.since(Moment::from_nanos(domain.quiet_since.load(Relaxed)));
        models > 1 && faults >= needed && quiet >= QUIET
    }

    fn forget(&self, domain: &Domain) {
        let gates = self.members(domain).flat_map(|cell| &*cell.gates);
        gates.for_each(|gate| gate.answered());
    }

    fn members<'a>(&'a self, domain: &'a Domain) -> impl Iterator<Item = &'a Cell> {
        domain.members.iter().filter_map(|&at| self.cells.get(at))
    }
}

/// Where no breaker says how many failures in a row are too many: as the built-in one.
const CONSECUTIVE: u32 = 5;
/// So long nobody has answered: a network that loses now and then lets somebody through in this time.
const QUIET: Span = Span::from_secs(1);
