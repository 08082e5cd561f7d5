//! What the whole gateway holds at once, and how much of it it may.
//!
//! Each bound is a number of permits. A core takes them from the common stock some at a time, and gives them back the same
//! way, so that nearly always it counts in memory of its own; the bound itself is exact. The price is that a few permits
//! lie idle with other cores when a core is refused: a sixteenth of the bound at most.
//!
//! ```text
//!   stock ──some──▶ core 0: spare ⇄ held
//!     ▲ └───some──▶ core 1: spare ⇄ held
//!     └──── what is spare beyond that
//! ```

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicI64, AtomicU64};

use crate::engine::board::Padded;

/// What is bounded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bound {
    /// Connections of clients.
    Connections,
    /// Requests under way.
    Requests,
    /// Bytes of requests' bodies, and of answers that are held back.
    BodyMemory,
}

impl Bound {
    /// Every bound, in declaration order.
    pub const ALL: [Self; 3] = [Self::Connections, Self::Requests, Self::BodyMemory];

    /// The word of policies and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connections => "max_connections",
            Self::Requests => "max_requests",
            Self::BodyMemory => "body_memory",
        }
    }
}

/// How much of each a gateway may hold, all cores together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bounds {
    /// Connections of clients.
    pub connections: u64,
    /// Requests under way.
    pub requests: u64,
    /// Bytes.
    pub body_memory: u64,
}

impl Bounds {
    /// Nothing is refused.
    pub const NONE: Self = Self {
        connections: u64::MAX,
        requests: u64::MAX,
        body_memory: u64::MAX,
    };

    const fn of(self, bound: Bound) -> u64 {
        match bound {
            Bound::Connections => self.connections,
            Bound::Requests => self.requests,
            Bound::BodyMemory => self.body_memory,
        }
    }
}

/// One bound as operators see it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BoundStatus {
    /// Which.
    pub bound: Bound,
    /// How much may be held.
    pub max: u64,
    /// How much is.
    pub held: u64,
    /// What was turned away because of it since the start: connections, or requests.
    pub shed: u64,
}

/// What all cores hold together.
#[derive(Debug)]
pub struct Load {
    permits: [Permits; Bound::ALL.len()],
}

impl Load {
    /// Nothing yet, on so many cores.
    pub fn new(bounds: Bounds, cores: usize) -> Self {
        Self {
            permits: Bound::ALL.map(|bound| Permits::new(bounds.of(bound), cores)),
        }
    }

    /// Changes the bounds. Where more is held than may be now, nothing new is taken from the stock until enough has come
    /// back; what cores have spare, a sixteenth of the old bound at most, they may still use.
    pub fn rebound(&self, bounds: Bounds) {
        for bound in Bound::ALL {
            if let Some(permits) = self.of(bound) {
                permits.set_max(bounds.of(bound));
            }
        }
    }

    /// Takes `count` for `core`, or nothing; tells which. Only ever called by the core itself.
    pub fn take(&self, core: usize, bound: Bound, count: u64) -> bool {
        self.of(bound)
            .is_some_and(|permits| permits.take(core, count))
    }

    /// Gives `count` back that the same core took.
    pub fn give(&self, core: usize, bound: Bound, count: u64) {
        if let Some(permits) = self.of(bound) {
            permits.give(core, count);
        }
    }

    /// Whether more than half of it is held, over all cores: looks at each of them.
    pub(super) fn is_half_full(&self, bound: Bound) -> bool {
        self.of(bound).is_some_and(|permits| {
            let held = permits.cores.iter().map(|share| share.held.load(Relaxed));
            held.fold(0, u64::saturating_add) > permits.max.load(Relaxed) / 2
        })
    }

    /// Something was turned away because of `bound`; only ever called by the core itself.
    pub fn shed(&self, core: usize, bound: Bound) {
        if let Some(share) = self.of(bound).and_then(|permits| permits.cores.get(core)) {
            share.shed.store(share.shed.load(Relaxed) + 1, Relaxed);
        }
    }

    /// All bounds as they stand.
    pub fn status(&self) -> [BoundStatus; Bound::ALL.len()] {
        Bound::ALL.map(|bound| {
            let permits = self.of(bound);
            let sum = |cell: fn(&Share) -> &AtomicU64| {
                let shares = permits.into_iter().flat_map(|permits| &permits.cores);
                shares.map(|share| cell(share).load(Relaxed)).sum()
            };
            BoundStatus {
                bound,
                max: permits.map_or(u64::MAX, |permits| permits.max.load(Relaxed)),
                held: sum(|share| &share.held),
                shed: sum(|share| &share.shed),
            }
        })
    }

    fn of(&self, bound: Bound) -> Option<&Permits> {
        self.permits.get(bound as usize)
    }
}

#[derive(Debug)]
struct Permits {
    max: AtomicU64,
    /// How many a core takes beyond what it needs.
    batch: AtomicU64,
    /// Below zero after the bound was lowered, until so many have come back.
    stock: Padded<AtomicI64>,
    cores: Box<[Padded<Share>]>,
}

/// One core's; it alone writes it.
#[derive(Debug, Default)]
struct Share {
    spare: AtomicU64,
    held: AtomicU64,
    shed: AtomicU64,
}

impl Permits {
    fn new(max: u64, cores: usize) -> Self {
        let permits = Self {
            max: AtomicU64::new(0),
            batch: AtomicU64::new(0),
            stock: Padded::default(),
            cores: std::iter::repeat_with(Padded::default)
                .take(cores)
                .collect(),
        };
        permits.set_max(max);
        permits
    }

    fn set_max(&self, max: u64) {
        let max = max.min(PERMITS_MAX);
        let before = self.max.swap(max, Relaxed);
        let shares = u64::try_from(self.cores.len()).unwrap_or(u64::MAX).max(1);
        self.batch
            .store(max / shares.saturating_mul(IDLE_PART), Relaxed);
        self.stock
            .fetch_add(max.cast_signed() - before.cast_signed(), Relaxed);
    }

    fn take(&self, core: usize, count: u64) -> bool {
        let Some(share) = self.cores.get(core) else {
            return false;
        };
        let spare = share.spare.load(Relaxed);
        let spare = match count.checked_sub(spare) {
            None | Some(0) => spare,
            Some(missing) => match self.fetch(missing) {
                0 => return false,
                fetched => spare + fetched,
            },
        };
        share.spare.store(spare - count, Relaxed);
        share.held.store(share.held.load(Relaxed) + count, Relaxed);
        true
    }

    fn give(&self, core: usize, count: u64) {
        let Some(share) = self.cores.get(core) else {
            return;
        };
        let held = share.held.load(Relaxed);
        debug_assert!(held >= count, "only what was taken comes back");
        share.held.store(held.saturating_sub(count), Relaxed);
        let spare = share.spare.load(Relaxed) + count.min(held);
        let batch = self.batch.load(Relaxed);
        if spare > batch * 2 {
            self.stock.fetch_add((spare - batch).cast_signed(), Relaxed);
            share.spare.store(batch, Relaxed);
        } else {
            share.spare.store(spare, Relaxed);
        }
    }

    /// At least `missing` from the stock and up to a batch more; 0 if there is not so much.
    #[cold]
    fn fetch(&self, missing: u64) -> u64 {
        let wanted = missing.saturating_add(self.batch.load(Relaxed));
        let taken = |stock: i64| wanted.min(u64::try_from(stock).unwrap_or(0));
        let left = |stock: i64| {
            let taken = taken(stock);
            (taken >= missing).then(|| stock - taken.cast_signed())
        };
        let before = self.stock.fetch_update(Relaxed, Relaxed, left);
        before.map_or(0, taken)
    }
}

/// Half of what a signed number holds, so that a stock can be below zero by as much.
const PERMITS_MAX: u64 = i64::MAX.unsigned_abs() / 2;
/// All cores together keep at most two batches each idle: a sixteenth of the bound.
const IDLE_PART: u64 = 32;

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;
    use std::sync::atomic::Ordering::SeqCst;

    use super::{Bound, Bounds, Load};

    fn load(requests: u64, cores: usize) -> Load {
        let bounds = Bounds {
            requests,
            ..Bounds::NONE
        };
        Load::new(bounds, cores)
    }

    fn held(load: &Load) -> u64 {
        load.status()[Bound::Requests as usize].held
    }

    #[test]
    fn the_bound_is_exact_on_one_core() {
        for max in [0, 1, 2, 31, 32, 1000] {
            let load = load(max, 1);
            let taken = (0..max + 5)
                .filter(|_| load.take(0, Bound::Requests, 1))
                .count() as u64;
            assert_eq!((taken, held(&load)), (max, max));
            load.give(0, Bound::Requests, max);
            assert_eq!(held(&load), 0);
            assert!(max == 0 || load.take(0, Bound::Requests, max));
        }
    }

    #[test]
    fn little_lies_idle_with_other_cores() {
        let (max, cores) = (1_000, 8);
        let load = load(max, cores);
        for core in 0..cores {
            for _ in 0..40 {
                assert!(load.take(core, Bound::Requests, 1));
            }
            for _ in 0..40 {
                load.give(core, Bound::Requests, 1);
            }
        }
        let taken = (0..max)
            .take_while(|_| load.take(0, Bound::Requests, 1))
            .count() as u64;
        assert!(taken >= max - max / 16, "{taken}");
    }

    #[test]
    fn a_lowered_bound_holds_as_soon_as_enough_has_come_back() {
        let load = load(10, 2);
        assert!(load.take(0, Bound::Requests, 8));
        load.rebound(Bounds {
            requests: 5,
            ..Bounds::NONE
        });
        assert!(!load.take(1, Bound::Requests, 1));
        load.give(0, Bound::Requests, 3);
        assert!(!load.take(0, Bound::Requests, 1));
        load.give(0, Bound::Requests, 1);
        assert!(load.take(1, Bound::Requests, 1) && !load.take(0, Bound::Requests, 1));
        load.rebound(Bounds {
            requests: 20,
            ..Bounds::NONE
        });
        assert!(load.take(0, Bound::Requests, 15) && !load.take(0, Bound::Requests, 1));
        assert_eq!(load.status()[Bound::Requests as usize].max, 20);
    }

    #[test]
    fn what_does_not_fit_takes_nothing() {
        let load = load(100, 2);
        assert!(!load.take(0, Bound::Requests, 101));
        assert_eq!(held(&load), 0);
        assert!(load.take(1, Bound::Requests, 100));
        assert!(!load.take(0, Bound::Requests, 1));
    }

    #[test]
    fn cores_together_never_hold_more() {
        let (max, cores) = (50_u64, 4);
        let load = load(max, cores);
        let (now, most) = (AtomicU64::new(0), AtomicU64::new(0));
        let work = |core| {
            for count in (0..20_000_u64).map(|round| round % 7 + 1) {
                if load.take(core, Bound::Requests, count) {
                    let held = now.fetch_add(count, SeqCst) + count;
                    most.fetch_max(held, SeqCst);
                    now.fetch_sub(count, SeqCst);
                    load.give(core, Bound::Requests, count);
                }
            }
        };
        std::thread::scope(|scope| {
            for core in 0..cores {
                let work = &work;
                scope.spawn(move || work(core));
            }
        });
        let most = most.load(SeqCst);
        assert!(most > 0 && most <= max, "{most}");
        assert_eq!(held(&load), 0);
        assert!(load.take(0, Bound::Requests, max - max / 16));
    }
}
