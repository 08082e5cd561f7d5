//! Simulated providers on loopback: real sockets for [`crate::sim::provider`], so that a demo, a drill or a load test
//! meets its providers the way it meets real ones.
//!
//! ```text
//!   start ─ binds all ports ─→ one thread, one runtime ─ a task for each listener ─ a task for each connection
//!     └── SimulatedServer { address, control } ── atomics ──→ what the next request gets
//! ```
//! The servers run until the process ends: a runtime that is dropped while operations are in flight leaks its ring and
//! its descriptors, so there is no way to stop them, only to make them refuse.

mod connection;
mod control;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use monoio::{FusionDriver, RuntimeBuilder};

use crate::base::hash;
use crate::policy::model::{AuthStyle, Simulation};
use crate::sim::provider::Simulated;

pub use self::control::Control;

/// A provider to be served.
#[derive(Clone, Debug)]
pub struct SimulatedProvider {
    /// Its name in the policy.
    pub name: Box<str>,
    /// What it does.
    pub simulation: Simulation,
    /// Fixes its latencies and texts.
    pub seed: u64,
    /// The form of the credential without which it answers nobody: of any value.
    pub credential: Option<AuthStyle>,
}

/// A provider that is served.
#[derive(Clone, Debug)]
pub struct SimulatedServer {
    /// Its name in the policy.
    pub name: Box<str>,
    /// Where it answers, on loopback.
    pub address: SocketAddr,
    /// Breaks it, mends it and counts.
    pub control: Arc<Control>,
}

/// All simulated providers of this process.
#[derive(Clone, Debug)]
pub struct SimulatedServers {
    servers: Vec<SimulatedServer>,
}

impl SimulatedServers {
    /// Serves `providers` from one thread of its own, each on a free port of loopback. `unix_now`, in seconds since
    /// 1970, is what answers say they were `created` at.
    ///
    /// # Errors
    /// No port or thread could be had, or neither driver of the runtime could be built.
    pub fn start(providers: Vec<SimulatedProvider>, unix_now: u64) -> io::Result<Self> {
        let mut servers = Vec::new();
        let mut sites = Vec::new();
        for provider in providers {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            listener.set_nonblocking(true)?;
            let control = Arc::new(Control::default());
            let salt = hash::of_bytes(provider.seed, provider.name.as_bytes());
            servers.push(SimulatedServer {
                name: provider.name,
                address: listener.local_addr()?,
                control: Arc::clone(&control),
            });
            let simulated = Simulated::new(provider.simulation, provider.seed);
            sites.push((
                listener,
                Site {
                    simulated: RefCell::new(simulated),
                    control,
                    credential: provider.credential,
                    created: unix_now,
                    salt,
                },
            ));
        }
        let (report, started) = mpsc::channel();
        thread::Builder::new()
            .name("simulated".to_owned())
            .spawn(move || run(sites, &report))?;
        // The sender is dropped without a word only if the thread died.
        started.recv().unwrap_or_else(|_| {
            Err(io::Error::other(
                "the thread of the simulated providers died",
            ))
        })?;
        Ok(Self { servers })
    }

    /// The servers, in the order of the providers given.
    pub fn iter(&self) -> impl Iterator<Item = &SimulatedServer> {
        self.servers.iter()
    }

    /// The server of the provider with this name.
    pub fn find(&self, name: &str) -> Option<&SimulatedServer> {
        self.servers.iter().find(|server| &*server.name == name)
    }
}

/// What all connections of one provider share, on the servers' thread.
struct Site {
    simulated: RefCell<Simulated>,
    control: Arc<Control>,
    credential: Option<AuthStyle>,
    created: u64,
    /// Keeps the ids of different providers apart.
    salt: u64,
}

/// The servers' thread.
fn run(sites: Vec<(TcpListener, Site)>, report: &mpsc::Sender<io::Result<()>>) {
    let runtime = RuntimeBuilder::<FusionDriver>::new().enable_timer().build();
    let mut runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            // The starter waits for this word; if it is gone there is nobody to tell.
            let _ = report.send(Err(error));
            return;
        }
    };
    runtime.block_on(async {
        for (listener, site) in sites {
            monoio::spawn(shielded(accept(listener, Rc::new(site))));
        }
        let _ = report.send(Ok(()));
        std::future::pending::<()>().await;
    });
}

/// Accepts for ever. The system call is the standard library's: it closes descriptors on exec, which the ring's accept
/// does not, and gives a handle that options can be set on.
async fn accept(listener: TcpListener, site: Rc<Site>) {
    let Ok(watched) = listener
        .try_clone()
        .and_then(monoio::net::TcpListener::from_std)
    else {
        return;
    };
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                monoio::spawn(shielded(connection::serve(stream, Rc::clone(&site))));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if watched.readable(false).await.is_err() {
                    monoio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
            // Out of descriptors, most likely: without a pause this loop would spin.
            Err(_) => monoio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Keeps a panic inside its task: one that reaches the runtime ends the thread, and with it every connection.
async fn shielded(task: impl Future<Output = ()>) {
    let mut task = Box::pin(task);
    std::future::poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(context)));
        polled.unwrap_or(Poll::Ready(()))
    })
    .await;
}
