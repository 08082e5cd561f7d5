//! Layer 5: the only I/O. Workers, listeners, connections, TLS, timers and the control thread.
//!
//! ```text
//!   control thread ── tick, wall clock, admin address
//!   resolver thread ─ addresses
//!   worker 0 … n ──── listener → connection tasks ── exchange (pure) ── pool → providers
//!                     sweeper: deadlines and vanished clients
//! ```
//! A worker shares nothing on the request path but read-mostly words. Reads and writes of a connection are never
//! dropped half-way: whoever wants one to end shuts its socket down (see `sweep`).

mod accept;
pub mod client;
mod clientless;
mod clock;
mod connection;
pub mod console;
mod control;
mod decisions;
mod dial;
mod discovery;
mod drill;
mod driver;
mod fd;
mod files;
mod generation;
mod health;
mod hedge;
mod history;
mod link;
mod log;
mod log_writer;
mod machine;
mod monitor;
pub mod operator;
mod orders;
mod peer;
mod pool;
mod pulse;
mod reload;
mod requests;
mod resolver;
mod secrets;
mod shared;
mod signals;
pub mod simulated;
mod status;
mod sweep;
mod timetable;
mod tls;
mod view;
mod watcher;
mod withdrawals;
mod worker;

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use crate::base::{Moment, Span, hash};
use crate::engine::{BoundStatus, TargetStatus, Transition};
use crate::ops::{DecisionNotes, DecisionSink, LogSink, Record, TickSink, Totals};
use crate::policy::model::LogForm;
use crate::policy::{Plan, Policy};
use crate::sim::rehearsal::{self, Drilled};

pub use self::clock::now;
pub use self::drill::{DrillStatus, Refused, Started, WhyEnded};
pub use self::driver::{Driver, Io};
pub use self::files::{Disk, TextLines, put, remove, replace};
pub use self::generation::unresolved;
pub use self::history::History;
pub use self::log::note;
pub use self::reload::{Reloaded, Source, Unchanged};
pub use self::signals::{Asked, HangUp};

use self::decisions::DecisionWriter;
use self::drill::Errand;
use self::generation::Generation;
use self::log_writer::LogWriter;
use self::pulse::{Beats, Heart, Pulse};
use self::reload::{Fixed, Reloader};
use self::requests::Question;
use self::shared::Shared;
use self::simulated::{Control, SimulatedProvider, SimulatedServers};
use self::worker::Worker;

/// What the command line may set over the policy.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `--listen`
    pub listen: Option<String>,
    /// `--admin`
    pub admin: Option<String>,
    /// `--cores`
    pub cores: Option<u16>,
    /// `--io`
    pub io: Io,
    /// `--access-log`
    pub access_log: Option<LogForm>,
    /// Gets every change of a breaker. Without it each is a line on standard error.
    pub transitions: Option<Sender<Transition>>,
    /// Where the policy was loaded from; without it nothing can be reloaded.
    pub source: Option<Source>,
}

impl Options {
    /// What the command line says goes before what the policy says.
    fn apply(&self, policy: &mut Policy) {
        if let Some(form) = self.access_log {
            policy.telemetry.access_log = form;
        }
    }
}

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    shared: Arc<Shared>,
    reloader: Arc<Reloader>,
    simulated: Option<SimulatedServers>,
    workers: Vec<JoinHandle<io::Result<()>>>,
    log: Option<LogWriter>,
    records: Option<DecisionWriter>,
    /// Where clients connect.
    pub listen: SocketAddr,
    /// Where operators connect.
    pub admin: SocketAddr,
    /// What the workers run on.
    pub driver: Driver,
}

impl Gateway {
    /// Starts a gateway that runs `policy`. When this returns, every worker listens.
    ///
    /// # Errors
    /// Everything that keeps it from starting, each a sentence: missing secrets, unusable certificates, addresses that
    /// cannot be bound, a policy too complex to lower.
    pub fn start(mut policy: Policy, options: &Options) -> Result<Self, Vec<String>> {
        let one = |error: String| vec![error];
        options.apply(&mut policy);
        let fixed = Fixed::of(&policy, options);
        let driver = Driver::choose(options.io).map_err(|error| one(no_ring(&error)))?;
        let cores = usable_cores(options.cores.or(policy.server.cores));
        let simulated = start_simulated(&mut policy).map_err(one)?;
        let listen_at = options.listen.as_deref().unwrap_or(&policy.server.listen);
        let admin_at = options.admin.as_deref().unwrap_or(&policy.server.admin);
        let listen = address(listen_at, "listen").map_err(one)?;
        let admin = address(admin_at, "admin").map_err(one)?;
        guard_exposure(listen.ip(), &policy).map_err(one)?;
        guard_admin(admin.ip()).map_err(one)?;
        let unread = discovery::read(&mut policy);
        if !unread.is_empty() {
            return Err(unread);
        }
        let plan = Plan::new(policy).map_err(|error| one(error.to_string()))?;
        let admin = bind(admin, "admin").map_err(one)?;
        admin
            .set_nonblocking(true)
            .map_err(|error| one(error.to_string()))?;
        let admin_address = admin.local_addr().map_err(|error| one(error.to_string()))?;
        // Bound once without sharing, so that a second gateway on the same port is an error and not a silent partner.
        let probe = bind(listen, "listen").map_err(one)?;
        let listen = probe.local_addr().map_err(|error| one(error.to_string()))?;
        drop(probe);
        let first = Generation::first(plan, cores.len())?;
        let shared = Arc::new(Shared::new(first, listen));
        let reloader = Reloader::new(Arc::clone(&shared), options, simulated.clone(), fixed);
        let reloader = Arc::new(reloader);
        resolver::spawn(&shared);
        let count = cores.len();
        let (ears, lines): (Vec<_>, Vec<_>) = lines(&shared, count).into_iter().unzip();
        let workers = spawn_workers(&shared, driver, &cores, lines)
            .map_err(|error| one(error.to_string()))?;
        let (mut questions, mut logs, mut told) = (Vec::new(), Vec::new(), Vec::new());
        let mut errands = Vec::new();
        for (question, errand, log, decisions) in ears {
            questions.push(question);
            errands.push(errand);
            logs.push(log);
            told.push(decisions);
        }
        shared.drills.reach(errands);
        let log = start_log(&shared, logs).map_err(|error| one(error.to_string()))?;
        let (records, ticks) = start_records(&shared, told).map_err(one)?;
        watcher::spawn(Arc::clone(&shared), Arc::clone(&reloader));
        let (control, reloads) = (Arc::clone(&shared), Arc::clone(&reloader));
        let transitions = options.transitions.clone();
        spawn("control", move || {
            let ears = control::Ears { transitions, ticks };
            control::run(&control, admin, questions, reloads, ears)
        });
        let gateway = Self {
            shared,
            reloader,
            simulated,
            workers,
            log,
            records,
            listen,
            admin: admin_address,
            driver,
        };
        gateway.await_workers(count)?;
        Ok(gateway)
    }

    /// Waits until all workers listen.
    fn await_workers(&self, count: usize) -> Result<(), Vec<String>> {
        while self.shared.ready.load(Ordering::Acquire) < count {
            if self.workers.iter().any(JoinHandle::is_finished) {
                return Err(vec![format!("a worker cannot listen on {}", self.listen)]);
            }
            thread::yield_now();
        }
        Ok(())
    }

    /// Ends gently: nothing new is taken on, idle connections are closed, and requests under way go on for as long as the
    /// policy's `drain` says; what is left then is ended with an error in the client's own format. Returns when all
    /// workers are done, when they had another short time (`PARTING`) for that, or at once when `at_once` says so.
    pub fn drain(&self, mut at_once: impl FnMut() -> bool) {
        let until = now() + self.plan().policy.server.drain;
        self.shared.drain(until);
        let mut grace_over = || at_once() || now() >= until + PARTING;
        while !grace_over() && !self.workers.iter().all(JoinHandle::is_finished) {
            thread::park_timeout(DRAIN_LOOK);
        }
        let writes = || {
            let log = self.log.as_ref().is_some_and(|log| !log.ends());
            let records = self.records.as_ref().is_some_and(|it| !it.ends());
            log || records
        };
        while writes() && !grace_over() {
            thread::park_timeout(DRAIN_LOOK);
        }
    }

    /// Reads the policy's files again and lets them take over, or changes nothing. What came of it is told in the log
    /// too.
    ///
    /// # Errors
    /// Why nothing was changed.
    pub fn reload(&self) -> Result<Reloaded, Unchanged> {
        self.reloader.reload(None)
    }

    /// The plan that new requests begin with.
    pub fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.shared.generation().plan)
    }

    /// The bounds, and how much of each is held.
    pub fn load(&self) -> impl Iterator<Item = BoundStatus> {
        self.shared.load.status().into_iter()
    }

    /// How many workers there are.
    pub fn cores(&self) -> usize {
        self.workers.len()
    }

    /// Sums over all cores.
    pub fn totals(&self) -> Totals {
        self.shared.generation().counters.totals()
    }

    /// The targets as of now.
    pub fn targets(&self, now: Moment) -> Vec<TargetStatus> {
        self.shared.generation().board.status(now)
    }

    /// Begins a drill of the policy that is served, and returns at once.
    ///
    /// # Errors
    /// Why nothing begins.
    pub fn start_drill(&self, name: &str, seed: Option<u64>) -> Result<Started, Refused> {
        self.shared.drills.start(&self.shared, name, seed)
    }

    /// The drills of the policy that is served.
    pub fn drills(&self) -> Vec<DrillStatus> {
        self.shared.drills.list(&self.plan())
    }

    /// What the newest run of a drill has come to so far.
    pub fn drill_report(&self, name: &str) -> Option<Drilled> {
        self.shared.drills.report(name).map(|(_, drilled)| drilled)
    }

    /// What the newest run of a drill has seen so far.
    pub fn drill_record(&self, name: &str) -> Option<rehearsal::Record> {
        self.shared.drills.record(name)
    }

    /// Ends a drill; tells whether it was running.
    pub fn end_drill(&self, name: &str) -> bool {
        self.shared.drills.end(name, WhyEnded::Operator)
    }

    /// Control over a simulated provider of the plan.
    pub fn simulated(&self, name: &str) -> Option<&Control> {
        Some(&self.simulated.as_ref()?.find(name)?.control)
    }
}

/// A simulated provider answers on a port of its own on loopback; from there on it is a provider like any other.
fn start_simulated(policy: &mut Policy) -> Result<Option<SimulatedServers>, String> {
    let wanted: Vec<SimulatedProvider> = policy
        .providers
        .iter()
        .filter_map(|provider| {
            Some(SimulatedProvider {
                name: provider.name.clone(),
                simulation: provider.simulation.clone()?,
                seed: hash::of_bytes(policy.hash, provider.name.as_bytes()),
            })
        })
        .collect();
    if wanted.is_empty() {
        return Ok(None);
    }
    let servers = SimulatedServers::start(wanted, clock::unix_seconds())
        .map_err(|error| format!("the simulated providers cannot be started: {error}"))?;
    point_at_simulated(policy, &servers);
    Ok(Some(servers))
}

fn point_at_simulated(policy: &mut Policy, servers: &SimulatedServers) {
    for provider in &mut policy.providers {
        let Some(server) = servers.find(&provider.name) else {
            continue;
        };
        for endpoint in &mut provider.endpoints {
            endpoint.host = server.address.ip().to_string().into();
            endpoint.port = server.address.port();
        }
    }
}

fn address(text: &str, what: &str) -> Result<SocketAddr, String> {
    let found = text.to_socket_addrs().map(|mut found| found.next());
    match found {
        Ok(Some(address)) => Ok(address),
        Ok(None) => Err(format!("`{what} = \"{text}\"` names no address")),
        Err(error) => Err(format!(
            "`{what} = \"{text}\"` is not an address with a port: {error}"
        )),
    }
}

/// The command line may open what the policy has not: the same rule holds for it.
fn guard_exposure(ip: IpAddr, policy: &Policy) -> Result<(), String> {
    if ip.is_loopback() || policy.server.anonymous {
        return Ok(());
    }
    Err(format!(
        "anyone who reaches {ip} could spend on your keys: listen on a loopback address, or say \
         `clients {{ anonymous = allow }}` in the policy"
    ))
}

/// Answers to operators name providers and targets, and orders are obeyed.
fn guard_admin(ip: IpAddr) -> Result<(), String> {
    if ip.is_loopback() {
        return Ok(());
    }
    Err(format!(
        "the admin address must be a loopback address, not {ip}: it asks nobody who he is"
    ))
}

fn bind(address: SocketAddr, what: &str) -> Result<TcpListener, String> {
    TcpListener::bind(address).map_err(|error| {
        format!("`{what}` cannot be bound to {address}: {error}; is another gateway running?")
    })
}

fn no_ring(error: &io::Error) -> String {
    format!(
        "io_uring is not available here ({error}): containers often forbid it (seccomp), and \
         `sysctl kernel.io_uring_disabled` may; use `--io auto` or `--io epoll`"
    )
}

/// The CPUs that the process may use, as many as are wanted.
fn usable_cores(wanted: Option<u16>) -> Vec<Option<usize>> {
    let allowed: Vec<usize> = rustix::thread::sched_getaffinity(None)
        .map(|set| {
            (0..rustix::thread::CpuSet::MAX_CPU)
                .filter(|&cpu| set.is_set(cpu))
                .collect()
        })
        .unwrap_or_default();
    let quota = thread::available_parallelism().map_or(1, usize::from);
    let count = wanted.map_or_else(
        || quota.min(allowed.len().max(1)),
        |n| usize::from(n.max(1)),
    );
    (0..count)
        .map(|index| allowed.get(index).copied())
        .collect()
}

/// What a worker listens to and writes to beside its sockets.
#[derive(Debug)]
struct Lines {
    questions: Receiver<Question>,
    errands: Receiver<Errand>,
    log: Option<LogSink>,
    decisions: Option<DecisionSink>,
}

/// The lines of each worker, with their other ends before them.
fn lines(shared: &Shared, count: usize) -> Vec<(Ears, Lines)> {
    let plan = Arc::clone(&shared.generation().plan);
    let (telemetry, wanted) = (plan.policy.telemetry, plan.policy.records.as_ref());
    let line = |_| {
        let (ask, questions) = channel();
        let (send, errands) = channel();
        let (log, records) = match telemetry.access_log {
            LogForm::Off => (None, None),
            LogForm::Json | LogForm::Text => {
                let (sink, records) = LogSink::new(telemetry);
                (Some(sink), Some(records))
            }
        };
        let (decisions, told) = wanted.map(DecisionSink::new).unzip();
        let lines = Lines {
            questions,
            errands,
            log,
            decisions,
        };
        ((ask, send, records, told), lines)
    };
    (0..count).map(line).collect()
}

/// Where a worker can be asked, and where its records come out.
type Ears = (
    Sender<Question>,
    Sender<Errand>,
    Option<Receiver<Record>>,
    Option<Receiver<Box<DecisionNotes>>>,
);

fn start_log(
    shared: &Arc<Shared>,
    cores: Vec<Option<Receiver<Record>>>,
) -> io::Result<Option<LogWriter>> {
    let cores: Vec<Receiver<Record>> = cores.into_iter().flatten().collect();
    if cores.is_empty() {
        return Ok(None);
    }
    LogWriter::start(Arc::clone(shared), cores).map(Some)
}

fn start_records(
    shared: &Arc<Shared>,
    cores: Vec<Option<Receiver<Box<DecisionNotes>>>>,
) -> Result<(Option<DecisionWriter>, Option<TickSink>), String> {
    let plan = Arc::clone(&shared.generation().plan);
    let Some(records) = &plan.policy.records else {
        return Ok((None, None));
    };
    let cores = cores.into_iter().flatten().collect();
    let (sink, ticks) = TickSink::new(records).unzip();
    let writer = DecisionWriter::start(Arc::clone(shared), records, cores, ticks)?;
    Ok((Some(writer), sink))
}

fn spawn_workers(
    shared: &Arc<Shared>,
    driver: Driver,
    cores: &[Option<usize>],
    lines: Vec<Lines>,
) -> io::Result<Vec<JoinHandle<io::Result<()>>>> {
    let seed = hash::mix(clock::unix_seconds(), u64::from(std::process::id()));
    let heart = Arc::new(Heart::default());
    let mut pulses = Vec::new();
    let mut workers = Vec::new();
    for ((index, &cpu), lines) in cores.iter().enumerate().zip(lines) {
        let Lines {
            questions,
            errands,
            log,
            decisions,
        } = lines;
        let (beating, beaten) = UnixStream::pair()?;
        let pulse = Arc::new(Pulse::default());
        pulses.push((Arc::clone(&pulse), beating));
        let (shared, heart) = (Arc::clone(shared), Arc::clone(&heart));
        workers.push(spawn(&format!("worker-{index}"), move || {
            pin(cpu);
            // Made on its own thread: it is not shared, and its memory shall lie near its core.
            let beats = Beats::new(pulse, heart);
            let seed = hash::mix(seed, index as u64);
            let worker = Worker::new(shared, index, seed, beats, (log, decisions))?;
            driver.run(worker.run(beaten, questions, errands))?
        }));
    }
    spawn("heart", move || heart.beat(&pulses));
    Ok(workers)
}

/// Keeps a worker on its core. Without it all is well, only slower.
fn pin(cpu: Option<usize>) {
    if let Some(cpu) = cpu {
        let mut set = rustix::thread::CpuSet::new();
        set.set(cpu);
        let _ = rustix::thread::sched_setaffinity(None, &set);
    }
}

/// A thread with a name that tools show.
fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> JoinHandle<io::Result<T>> {
    let builder = thread::Builder::new().name(name.to_owned());
    builder
        .spawn(body)
        .unwrap_or_else(|error| thread::spawn(move || Err(error)))
}

/// How long the last error events may take on their way to clients.
const PARTING: Span = Span::from_secs(2);
/// How often draining is looked at.
const DRAIN_LOOK: std::time::Duration = std::time::Duration::from_millis(50);
