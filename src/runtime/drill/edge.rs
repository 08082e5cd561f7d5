//! What a drill injects, as all cores see it: which faults are there now, whom they hit, and until when that holds
//! without a word from the controller.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};

use crate::base::{Moment, RequestId, Span, hash};
use crate::exchange::Contact;
use crate::ops::Portion;
use crate::policy::drill::{Drill, Fault, Injection};
use crate::sim::rehearsal::Probe;

/// The faults of one drill.
#[derive(Debug)]
pub(in crate::runtime) struct Edge {
    injections: Vec<Injection>,
    /// Which of them are there now.
    injected: Vec<AtomicBool>,
    /// Of the drill's requests, those that may meet them.
    portion: Portion,
    seed: u64,
    /// Until when they hold, in nanoseconds of [`Moment`].
    lease: AtomicU64,
}

impl Edge {
    /// Nothing is injected yet, and nothing holds.
    pub(super) fn new(drill: &Drill, portion: Portion, seed: u64) -> Self {
        let injected = drill.injections.iter().map(|_| AtomicBool::new(false));
        Self {
            injected: injected.collect(),
            injections: drill.injections.clone(),
            portion,
            seed: hash::mix(seed, FAULT_SALT),
            lease: AtomicU64::new(0),
        }
    }

    /// The controller is there: what is injected holds for a while from now on.
    pub(super) fn renew(&self, now: Moment) {
        self.lease.store((now + LEASE).as_nanos(), Relaxed);
    }

    /// Nothing holds any more, what is under way included.
    pub(super) fn give_up(&self) {
        self.lease.store(0, Relaxed);
    }

    /// Whether what is injected holds: faults that are under way end where it does not.
    pub(super) fn holds(&self, now: Moment) -> bool {
        now.as_nanos() < self.lease.load(Relaxed)
    }

    /// Injects the one at `index`, or lifts it; tells whether that is news.
    pub(super) fn set(&self, index: usize, there: bool) -> bool {
        let known = self.injected.get(index);
        known.is_some_and(|it| it.swap(there, Relaxed) != there)
    }

    /// The indices of what is injected now.
    pub(super) fn injected(&self) -> Vec<usize> {
        let all = self.injected.iter().enumerate();
        let there = all.filter(|(_, it)| it.load(Relaxed));
        there.map(|(index, _)| index).collect()
    }

    /// Which requests may meet it.
    pub(super) fn may_meet(&self, request: RequestId) -> bool {
        self.portion.has(request)
    }

    /// What an attempt meets at one of its provider's endpoints: the first of the drill's that hits it.
    pub(super) fn fault(&self, now: Moment, contact: &Contact, endpoint: u16) -> Option<Fault> {
        if !self.may_meet(contact.request) {
            return None;
        }
        let request = contact.request.0 & u128::from(u64::MAX);
        let request = u64::try_from(request).unwrap_or_default();
        let chance = hash::mix(hash::mix(self.seed, request), u64::from(contact.attempt));
        self.met(
            now,
            &Probe {
                target: contact.target,
                endpoint,
                key: contact.key,
                chance,
            },
        )
    }

    /// The same for whoever asks there, by its own chance.
    pub(super) fn met(&self, now: Moment, contact: &Probe) -> Option<Fault> {
        if !self.holds(now) {
            return None;
        }
        let mut all = self.injections.iter().zip(&self.injected).zip(0_u64..);
        all.find_map(|((injection, injected), index)| {
            let hit = injected.load(Relaxed)
                && injection.spots.iter().any(|spot| {
                    spot.targets.contains(&contact.target)
                        && spot.key.is_none_or(|key| key == contact.key)
                        && spot
                            .endpoints
                            .is_none_or(|(low, high)| (low..=high).contains(&contact.endpoint))
                });
            let drawn = hash::scale(hash::mix(contact.chance, index), 1_000_000);
            (hit && drawn < u64::from(injection.share)).then_some(injection.fault)
        })
    }
}

/// How long faults hold without a word from the controller.
const LEASE: Span = Span::from_secs(5);
/// How often the controller says that it is there.
pub(super) const RENEW_EVERY: Span = Span::from_secs(1);
/// Draws for different purposes are independent.
const FAULT_SALT: u64 = 0x6661_756c_7400_0000;

#[cfg(test)]
mod tests {
    use super::{Edge, LEASE};
    use crate::base::{Moment, RequestId, Span, TargetId};
    use crate::dialect::format::Format;
    use crate::exchange::Contact;
    use crate::ops::Portion;
    use crate::policy::drill::{Drill, Fault};
    use crate::policy::load;

    fn drill(inject: &str) -> Drill {
        let text = format!(
            "policy 1\n\
             provider openai {{ model mini = \"gpt-5-mini\" }}\n\
             provider vllm {{ auth = none, tls = off, endpoints = [\"http://10.0.0.1/v1\", \"http://10.0.0.2/v1\"], model a = \"a\" }}\n\
             route default {{ tier 1 {{ openai.mini }}, tier 2 {{ vllm.a }} }}\n\
             drill d {{ traffic = synthetic(20/s), {inject}, expect {{ success >= 0% }} }}\n"
        );
        let (policy, _) = load(&[("p.policy", &*text)], "p.policy", &[]).unwrap();
        policy.drills.into_iter().next().unwrap()
    }

    fn contact(request: u128, target: u16) -> Contact {
        Contact {
            request: RequestId(request),
            attempt: 0,
            target: TargetId(target),
            key: 0,
            format: Format::Chat,
            stream: false,
        }
    }

    #[test]
    fn faults_hit_their_spot_and_their_share_while_the_lease_holds() {
        let drill = drill(
            "inject vllm[1] { connect = refuse, share = 25%, lasts = 1m }, inject openai { status = 503, lasts = 1m }",
        );
        let edge = Edge::new(&drill, Portion::ALL, 1);
        let now = Moment::START + Span::from_secs(100);
        let at =
            |now, request, target, endpoint| edge.fault(now, &contact(request, target), endpoint);
        assert_eq!(at(now, 1, 0, 0), None, "nothing is injected");
        assert!(edge.set(0, true) && edge.set(1, true) && !edge.set(1, true));
        assert_eq!(at(now, 1, 0, 0), None, "nobody has said that it holds");
        edge.renew(now);
        assert!(matches!(at(now, 1, 0, 0), Some(Fault::Status { .. })));
        assert_eq!(at(now, 1, 1, 0), None, "another endpoint");
        let hit = (0..1_000).filter(|&id| at(now, id, 1, 1).is_some()).count();
        assert!((190..310).contains(&hit), "{hit}");
        // The controller is gone: everything is lifted five seconds later.
        let late = now + LEASE;
        assert!(edge.holds(late - Span::from_millis(1)) && !edge.holds(late));
        assert_eq!(at(late, 1, 0, 0), None);
        assert_eq!(edge.injected(), [0, 1]);
    }

    #[test]
    fn of_live_requests_a_portion_meets_it() {
        let drill = drill("inject openai { status = 503, lasts = 1m }");
        let portion = Portion {
            share: 100_000,
            salt: 3,
        };
        let edge = Edge::new(&drill, portion, 1);
        let now = Moment::START;
        edge.renew(now);
        edge.set(0, true);
        for id in 0..1_000 {
            let met = edge.fault(now, &contact(id, 0), 0).is_some();
            assert_eq!(met, portion.has(RequestId(id)));
        }
    }
}
