//! The orders that operators gave, as the books have them.

use crate::base::{Moment, TargetId};
use crate::engine::Order;

/// Of each target of the roster, since when which order holds.
#[derive(Debug)]
pub(super) struct Orders(Vec<Vec<(Moment, Order)>>);

impl Orders {
    /// Nobody has ordered anything.
    pub(super) fn new(targets: usize) -> Self {
        Self(vec![vec![(Moment::START, Order::Auto)]; targets])
    }

    /// An order is given.
    pub(super) fn note(&mut self, now: Moment, target: TargetId, order: Order) {
        if let Some(orders) = self.0.get_mut(target.index()) {
            orders.push((now, order));
        }
    }

    /// The orders that held between two moments. Of changes at the very moment, either side is right.
    pub(super) fn between(
        &self,
        target: TargetId,
        from: Moment,
        to: Moment,
    ) -> impl Iterator<Item = Order> + Clone + '_ {
        let orders = self.0.get(target.index());
        let orders = orders.map(Vec::as_slice).unwrap_or_default();
        let before = orders.partition_point(|&(since, _)| since < from);
        let after = orders.partition_point(|&(since, _)| since <= to);
        let range = orders.get(before.saturating_sub(1)..after);
        range.unwrap_or_default().iter().map(|&(_, order)| order)
    }
}
