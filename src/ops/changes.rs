//! Since when targets are as they are, and how often their breakers changed: what the board itself does not remember.
//! One thread owns it and shows it the board; between two looks nothing is seen, so times are as late as looks are apart.

use std::collections::BTreeMap;

use crate::base::{Moment, TargetId};
use crate::engine::{Order, PassedOver, Rule, State, TargetStatus, Transition};
use crate::policy::Policy;

/// What was seen so far.
#[derive(Debug)]
pub struct Changes {
    targets: Vec<Seen>,
    transitions: BTreeMap<Key, u64>,
}

/// Target, from, to, and the rule's word.
type Key = (TargetId, State, State, Option<&'static str>);

/// One target at the last look.
#[derive(Clone, Copy, Debug)]
struct Seen {
    out: Option<PassedOver>,
    since: Moment,
}

impl Changes {
    /// Of the targets of a plan, all of which are well at `now`.
    pub fn new(targets: usize, now: Moment) -> Self {
        let well = Seen {
            out: None,
            since: now,
        };
        Self {
            targets: vec![well; targets],
            transitions: BTreeMap::new(),
        }
    }

    /// The same for the targets of `policy`, which takes over from `before` at `now`: what is known goes with the names.
    #[must_use]
    pub fn following(&self, now: Moment, before: &Policy, policy: &Policy) -> Self {
        let mut next = Self::new(policy.targets.len(), now);
        let ids: BTreeMap<&str, TargetId> = policy
            .targets
            .iter()
            .map(|target| &*target.name)
            .zip((0..).map(TargetId))
            .collect();
        let id = |old: TargetId| ids.get(&*before.targets.get(old.index())?.name).copied();
        for (old, &seen) in (0..).map(TargetId).zip(&self.targets) {
            let mine = id(old).and_then(|id| next.targets.get_mut(id.index()));
            if let Some(mine) = mine {
                *mine = seen;
            }
        }
        for (&(target, from, to, why), &count) in &self.transitions {
            if let Some(target) = id(target) {
                next.transitions.insert((target, from, to, why), count);
            }
        }
        next
    }

    /// A breaker changed.
    pub fn count(&mut self, transition: &Transition) {
        let why = transition.why.map(Rule::as_str);
        let key = (transition.target, transition.from, transition.to, why);
        let count = self.transitions.entry(key).or_default();
        *count = count.saturating_add(1);
    }

    /// Looks at all targets.
    pub fn look(&mut self, now: Moment, targets: &[TargetStatus]) {
        for (seen, status) in self.targets.iter_mut().zip(targets) {
            let out = why_out(status);
            if seen.out != out {
                *seen = Seen { out, since: now };
            }
        }
    }

    /// Since when the target is out, or in.
    pub fn since(&self, target: TargetId) -> Option<Moment> {
        Some(self.targets.get(target.index())?.since)
    }

    /// Breakers' changes with their number.
    pub(super) fn transitions(&self) -> impl Iterator<Item = (Key, u64)> + '_ {
        self.transitions.iter().map(|(&key, &count)| (key, count))
    }
}

/// Why a request would pass the target over, in the order in which a chain looks; `None` for one that is in use. A
/// half-open target is out but for its probes.
pub fn why_out(status: &TargetStatus) -> Option<PassedOver> {
    let full = status
        .max_inflight
        .is_some_and(|max| status.inflight >= max);
    let open = match status.order {
        Order::Open => true,
        Order::Close => false,
        Order::Auto | Order::Drain => !status.state.passes(),
    };
    let checks = [
        (status.order == Order::Drain, PassedOver::Drained),
        (status.key_out_until.is_some(), PassedOver::KeyOut),
        (status.gone_until.is_some(), PassedOver::ModelGone),
        (status.down, PassedOver::Down),
        (open, PassedOver::BreakerOpen),
        (status.throttled_until.is_some(), PassedOver::Throttled),
        (full, PassedOver::AtCapacity),
    ];
    checks
        .into_iter()
        .find_map(|(holds, why)| holds.then_some(why))
}
