//! What all cores share: the newest generation, and what outlives all of them.
//!
//! ```text
//!   a reload ─ publish ─→ newest (mutex) ─ number (atomic) ─→ each core compares it when a request begins,
//!                                                             and takes the newest one up if it is another
//! ```

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::Thread;

use crate::base::{Moment, Span};
use crate::engine::Load;
use crate::policy::{Plan, WallTime};
use crate::runtime::clock;
use crate::runtime::decisions::Recent;
use crate::runtime::drill::Drills;
use crate::runtime::generation::Generation;
use crate::runtime::machine;
use crate::runtime::timetable::Timetable;

/// The read-mostly state of a gateway.
#[derive(Debug)]
pub(super) struct Shared {
    /// The number of the newest generation.
    number: AtomicU64,
    generations: Mutex<Generations>,
    pub(super) load: Arc<Load>,
    /// The newest records of decisions.
    pub(super) decisions: Recent,
    pub(super) drills: Drills,
    pub(super) listen: SocketAddr,
    /// Unix seconds of the start: two gateways with one policy differ by it.
    pub(super) started: u64,
    /// Workers that listen.
    pub(super) ready: AtomicUsize,
    /// No new requests on old connections; the process is about to end.
    pub(super) draining: AtomicBool,
    /// When what is still under way then is ended, in nanoseconds of [`Moment`].
    drained_at: AtomicU64,
    /// When the operator was last told that descriptors are short.
    noted_shortage: AtomicU64,
    /// The thread that resolves names.
    pub(super) resolver: OnceLock<Thread>,
    wall: AtomicU64,
    unix: AtomicU64,
    timetable: Mutex<Timetable>,
}

#[derive(Debug)]
struct Generations {
    newest: Arc<Generation>,
    /// Of all but the newest, while requests run by them.
    older: Vec<Weak<Generation>>,
    /// Newest first, each with another hash: the names that records of requests are told with.
    plans: Vec<Arc<Plan>>,
    /// Since when the newest policy is served, and who wanted that, if it was said.
    adopted: (u64, Moment, Option<Arc<str>>),
    /// The last one, and how many there were.
    refused: (Option<RefusedReload>, u64),
}

/// A reload that changed nothing.
#[derive(Clone, Debug)]
pub(super) struct RefusedReload {
    pub(super) at: Moment,
    /// Why, for the operator.
    pub(super) why: Arc<str>,
}

impl Shared {
    /// Of a gateway that begins with `first`.
    pub(super) fn new(first: Generation, listen: SocketAddr) -> Self {
        let shared = Self {
            load: Arc::new(Load::new(
                machine::bounds(&first.plan.policy.server),
                first.board.cores(),
            )),
            number: AtomicU64::new(first.number),
            generations: Mutex::new(Generations {
                plans: vec![Arc::clone(&first.plan)],
                adopted: (first.plan.policy.hash, first.loaded, None),
                newest: Arc::new(first),
                older: Vec::new(),
                refused: (None, 0),
            }),
            decisions: Recent::default(),
            drills: Drills::default(),
            listen,
            started: clock::unix_seconds(),
            ready: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            drained_at: AtomicU64::new(u64::MAX),
            noted_shortage: AtomicU64::new(0),
            resolver: OnceLock::new(),
            wall: AtomicU64::new(0),
            unix: AtomicU64::new(0),
            timetable: Mutex::default(),
        };
        shared.refresh_time();
        shared
    }

    /// The number of the newest generation: one load, for each request.
    pub(super) fn number(&self) -> u64 {
        self.number.load(Ordering::Relaxed)
    }

    /// The newest generation. Takes a lock: for whoever has seen that the number is another one.
    pub(super) fn generation(&self) -> Arc<Generation> {
        Arc::clone(&self.lock().newest)
    }

    /// From now on requests begin with `next`. Its new names are looked up at once.
    pub(super) fn publish(&self, next: Generation) {
        let mut all = self.lock();
        let number = next.number;
        all.plans
            .retain(|plan| plan.policy.hash != next.plan.policy.hash);
        all.plans.insert(0, Arc::clone(&next.plan));
        all.plans.truncate(PLANS_MAX);
        all.older.retain(|older| older.strong_count() > 0);
        let old = std::mem::replace(&mut all.newest, Arc::new(next));
        all.older.push(Arc::downgrade(&old));
        self.number.store(number, Ordering::Release);
        drop(all);
        if let Some(resolver) = self.resolver.get() {
            resolver.unpark();
        }
    }

    /// The numbers of generations before the newest one that requests still run by.
    pub(super) fn older(&self) -> Vec<u64> {
        let all = self.lock();
        let alive = all.older.iter().filter_map(Weak::upgrade);
        alive.map(|generation| generation.number).collect()
    }

    /// The plan with this hash, or the newest one if it is not kept any more.
    pub(super) fn plan_of(&self, hash: u64) -> Arc<Plan> {
        let all = self.lock();
        let known = all.plans.iter().find(|plan| plan.policy.hash == hash);
        Arc::clone(known.unwrap_or(&all.newest.plan))
    }

    /// A reload wants this policy to be served. Where it is another one than before, it is served from now on.
    pub(super) fn adopt(&self, hash: u64, by: Option<&str>) {
        let mut all = self.lock();
        if all.adopted.0 != hash {
            all.adopted = (hash, clock::now(), by.map(Arc::from));
        }
    }

    /// Since when the newest policy is served, and who wanted that.
    pub(super) fn adopted(&self) -> (Moment, Option<Arc<str>>) {
        let (_, since, by) = &self.lock().adopted;
        (*since, by.clone())
    }

    /// A reload was refused.
    pub(super) fn refuse(&self, why: &str) {
        let (last, count) = &mut self.lock().refused;
        *count += 1;
        *last = Some(RefusedReload {
            at: clock::now(),
            why: why.into(),
        });
    }

    /// The reload that was refused last.
    pub(super) fn refused(&self) -> Option<RefusedReload> {
        self.lock().refused.0.clone()
    }

    /// How many reloads were refused.
    pub(super) fn reloads_refused(&self) -> u64 {
        self.lock().refused.1
    }

    /// Nothing new from now on; what is under way is ended at `until`.
    pub(super) fn drain(&self, until: Moment) {
        self.drained_at.store(until.as_nanos(), Ordering::Relaxed);
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the patience with what is under way is over.
    pub(super) fn is_drained(&self, now: Moment) -> bool {
        now.as_nanos() >= self.drained_at.load(Ordering::Relaxed)
    }

    /// Whether the operator is to be told that descriptors are short: once in a while, by one worker.
    pub(super) fn may_note_shortage(&self, now: Moment) -> bool {
        let due = |noted: u64| {
            let silent = noted != 0 && now.since(Moment::from_nanos(noted)) < SHORTAGE_NOTE_EVERY;
            (!silent).then_some(now.as_nanos().max(1))
        };
        self.noted_shortage
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, due)
            .is_ok()
    }

    /// The wall clock as of the last refresh.
    pub(super) fn wall(&self) -> WallTime {
        let [hour, weekday, _, _, date @ ..] = self.wall.load(Ordering::Relaxed).to_le_bytes();
        WallTime {
            hour,
            weekday,
            date: i32::from_le_bytes(date),
        }
    }

    /// Unix seconds as of the last refresh.
    pub(super) fn unix(&self) -> u64 {
        self.unix.load(Ordering::Relaxed)
    }

    /// When drills come by themselves.
    pub(super) fn timetable(&self) -> MutexGuard<'_, Timetable> {
        let table = self.timetable.lock();
        table.unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the wall clock for everyone.
    pub(super) fn refresh_time(&self) {
        let WallTime {
            hour,
            weekday,
            date,
        } = clock::wall();
        let [a, b, c, d] = date.to_le_bytes();
        let packed = u64::from_le_bytes([hour, weekday, 0, 0, a, b, c, d]);
        self.wall.store(packed, Ordering::Relaxed);
        self.unix.store(clock::unix_seconds(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Plans whose names are kept for the records of requests that they decided.
const PLANS_MAX: usize = 8;
/// How often the operator is told of the same shortage.
const SHORTAGE_NOTE_EVERY: Span = Span::from_secs(60);
