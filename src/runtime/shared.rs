//! What all cores share: built once from a policy, read by everyone, written to by nobody but the control thread.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use rustls::ServerConfig;

use crate::base::{Moment, Secret, Span};
use crate::engine::{Board, Load};
use crate::exchange::{Outlet, Outlets};
use crate::ops::Counters;
use crate::policy::model::Auth;
use crate::policy::{Plan, Policy, WallTime};
use crate::runtime::clock;
use crate::runtime::machine;
use crate::runtime::peer::Peers;
use crate::runtime::secrets;
use crate::runtime::tls;

/// The read-mostly state of a gateway.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) plan: Plan,
    pub(super) board: Arc<Board>,
    pub(super) outlets: Outlets,
    pub(super) peers: Peers,
    pub(super) server_tls: Option<Arc<ServerConfig>>,
    pub(super) counters: Arc<Counters>,
    pub(super) load: Arc<Load>,
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
    wall: AtomicU64,
    unix: AtomicU64,
}

impl Shared {
    /// Reads every secret and certificate that the policy refers to.
    ///
    /// # Errors
    /// All that is missing or unusable, each a sentence that names the policy's line.
    pub(super) fn new(plan: Plan, cores: usize, listen: SocketAddr) -> Result<Self, Vec<String>> {
        let mut errors = Vec::new();
        let outlets = outlets(&plan.policy, &mut errors);
        let server_tls = server_tls(&plan.policy, &mut errors);
        let peers = Peers::new(&plan.policy).map_err(|error| errors.push(error));
        let (Ok(peers), true) = (peers, errors.is_empty()) else {
            return Err(errors);
        };
        let shared = Self {
            board: Arc::new(Board::new(&plan, cores)),
            outlets,
            peers,
            server_tls,
            counters: Arc::new(Counters::sized(
                cores,
                plan.policy.targets.len(),
                plan.policy.routes.len(),
            )),
            load: Arc::new(Load::new(machine::bounds(&plan.policy.server), cores)),
            listen,
            started: clock::unix_seconds(),
            ready: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            drained_at: AtomicU64::new(u64::MAX),
            noted_shortage: AtomicU64::new(0),
            wall: AtomicU64::new(0),
            unix: AtomicU64::new(0),
            plan,
        };
        shared.refresh_time();
        Ok(shared)
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
}

fn outlets(policy: &Policy, errors: &mut Vec<String>) -> Outlets {
    let mut outlets = Vec::new();
    for provider in &policy.providers {
        let mut credentials = Vec::new();
        if let Auth::Key { style, secrets, .. } = &provider.auth {
            for secret in secrets {
                match secrets::read(policy, secret) {
                    Ok(secret) => credentials.push((*style, secret)),
                    Err(error) => errors.push(error),
                }
            }
        }
        outlets.push(Outlet::new(provider, credentials));
    }
    Outlets::new(outlets)
}

fn server_tls(policy: &Policy, errors: &mut Vec<String>) -> Option<Arc<ServerConfig>> {
    let tls = policy.server.tls.as_ref()?;
    let mut read = |reference| match secrets::read(policy, reference) {
        Ok(secret) => secret,
        Err(error) => {
            errors.push(error);
            Secret::new(Vec::new())
        }
    };
    let (cert, key) = (read(&tls.cert), read(&tls.key));
    if !errors.is_empty() {
        return None;
    }
    tls::server_config(&cert, &key)
        .map_err(|error| errors.push(error))
        .ok()
}

/// How often the operator is told of the same shortage.
const SHORTAGE_NOTE_EVERY: Span = Span::from_secs(60);
