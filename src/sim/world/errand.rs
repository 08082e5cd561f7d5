//! What operators do to a running gateway: orders, another policy, other keys.

use crate::base::{Moment, ProviderId, Span, TargetId};
use crate::engine::Order;
use crate::policy::Plan;
use crate::sim::world::World;
use crate::sim::world::agenda::Event;
use crate::sim::world::check::Broken;
use crate::sim::world::generation::{CARE, Generation};

/// Something that an operator does.
#[derive(Clone, Copy, Debug)]
pub struct Errand<'p> {
    /// When.
    pub at: Moment,
    /// What.
    pub deed: Deed<'p>,
}

/// What an operator can do. Ids are those of the first plan that has the name.
#[derive(Clone, Copy, Debug)]
pub enum Deed<'p> {
    /// `switchover drain` and its like; an order for a target that the policy no longer has is refused.
    Order(TargetId, Order),
    /// Another policy takes over.
    Reload(&'p Plan),
    /// A provider's key, from 0, is replaced by another one; the old one is refused from `revoked` on.
    Rotate {
        /// Whose.
        provider: ProviderId,
        /// Which.
        key: u8,
        /// From when on the old one is refused.
        revoked: Moment,
    },
}

impl<'p> World<'p> {
    /// The operator does this now.
    pub(super) fn run_errand(&mut self, index: usize) -> Result<(), Broken> {
        let Some(&Errand { deed, .. }) = self.errands.get(index) else {
            return Ok(());
        };
        match deed {
            Deed::Order(target, order) => {
                self.order(target, order);
                Ok(())
            }
            Deed::Reload(plan) => self.reload(plan),
            Deed::Rotate {
                provider,
                key,
                revoked,
            } => {
                self.network
                    .keyring
                    .rotate(self.now, provider, key, revoked);
                self.reload(self.generations.newest.plan)
            }
        }
    }

    /// From now on this order holds for a target of the roster, if the newest plan has it.
    pub(super) fn order(&mut self, target: TargetId, order: Order) {
        let newest = &self.generations.newest;
        let own = newest.own_target(target);
        if own.and_then(|own| newest.board.order(own, order)).is_some() {
            self.ledger.orders.note(self.now, target, order);
        }
    }

    fn reload(&mut self, plan: &'p Plan) -> Result<(), Broken> {
        let versions = self.network.keyring.versions();
        let next = self.generations.newest.next(self.now, plan, versions);
        self.publish(next)
    }

    /// Workers take this generation up, one after another.
    pub(super) fn publish(&mut self, next: Generation<'p>) -> Result<(), Broken> {
        next.goes_on(self.now, &self.generations.newest)?;
        self.generations.push(next);
        self.ledger.observe(self.now, &self.generations)?;
        for core in 0..self.workers.len() {
            let at = self.now + self.dice.between(Span::ZERO, CARE);
            self.agenda.enter(at, Event::TakeUp { core });
        }
        Ok(())
    }
}
