//! Taking clients in, or turning them away: at the bound on connections, and when descriptors run out.
//!
//! ```text
//!   accepted ─┬ within the bound ──────────────────▶ served
//!             ├ one too many ──────────────────────▶ told so once its request has come (503), and closed
//!             └ too many even to be told ──────────▶ closed
//!   refused by the kernel (EMFILE) ─▶ idle connections to providers are closed, a spare descriptor is spent on the
//!                                     client, who is told at once; then a pause
//! ```

use std::cell::RefCell;
use std::fs::File;
use std::future::Future;
use std::io;
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::{Context as Task, Poll};

use monoio::net::{TcpListener, TcpStream};
use rustix::io::Errno;

use crate::base::{Moment, Span};
use crate::engine::Bound;
use crate::exchange::{Exchange, turned_away};
use crate::runtime::clock;
use crate::runtime::connection::serve;
use crate::runtime::fd::Socket;
use crate::runtime::link::Link;
use crate::runtime::tls::Session;
use crate::runtime::worker::Worker;

/// Accepts clients of `worker` from now on, until the listener is shut down.
pub(super) fn begin(listener: &Rc<TcpListener>, worker: &Rc<Worker>) {
    // Before there is a client: later it may be too late.
    let _ = worker.spare.is_at_hand();
    for _ in 0..ACCEPTS {
        monoio::spawn(accept(Rc::clone(listener), Rc::clone(worker)));
    }
}

/// Accepts connections. The future of an accept is never dropped: that would leak a descriptor.
async fn accept(listener: Rc<TcpListener>, worker: Rc<Worker>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) if worker.spare.is_at_hand() => welcome(stream, &worker),
            Ok((stream, _)) => {
                turn_away_now(&stream, &worker);
                drop(stream);
                // It is closed by the driver, a little later; then the spare one can be had again.
                pause(&worker).await;
            }
            Err(_) if worker.shared().draining.load(Ordering::Relaxed) => return,
            Err(error) => {
                if out_of_descriptors(&error) {
                    worker.make_room();
                    worker.spare.spend();
                }
                // A loop would only burn the core.
                pause(&worker).await;
            }
        }
    }
}

async fn pause(worker: &Worker) {
    let until = clock::now() + ACCEPT_PAUSE;
    worker.sweeper.beats.until(until).await;
}

/// A descriptor that is kept for the moment in which there is no other: it is freed for a client who can then be turned
/// away instead of being left in the queue. Nobody is served while it cannot be had.
#[derive(Debug, Default)]
pub(super) struct Spare(RefCell<Option<File>>);

impl Spare {
    /// Frees it.
    fn spend(&self) {
        self.0.take();
    }

    /// Whether it is there, or can be had again.
    fn is_at_hand(&self) -> bool {
        let mut spare = self.0.borrow_mut();
        if spare.is_none() {
            *spare = File::open("/dev/null").ok();
        }
        spare.is_some()
    }
}

/// There is no descriptor to serve this client with: whatever it asks for, this is the answer.
fn turn_away_now(stream: &TcpStream, worker: &Worker) {
    let shared = worker.shared();
    shared.load.shed(worker.index(), Bound::Connections);
    if worker.newest().generation.server_tls.is_none() {
        let socket = Socket::new(stream.as_raw_fd());
        // If it cannot be sent at once it is not sent.
        let _ = socket.send_now(&turned_away());
        socket.finish_sending();
    }
}

fn welcome(stream: TcpStream, worker: &Rc<Worker>) {
    // Neither failure keeps the client from being served: the first one costs latency, the other one would matter to a
    // process that starts others.
    let _ = stream.set_nodelay(true);
    Socket::new(stream.as_raw_fd()).close_on_exec();
    let Some(connected) = Connected::new(worker) else {
        return;
    };
    let link = match &worker.newest().generation.server_tls {
        None => Link::plain(stream),
        Some(profile) => match Session::server(&profile.config) {
            Ok(session) => Link::secured(stream, session),
            Err(_) => return,
        },
    };
    let task = Guarded {
        task: Box::pin(serve(link, Rc::clone(worker), connected)),
    };
    monoio::spawn(task);
}

/// A client's connection, as it is counted; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Connected {
    worker: Rc<Worker>,
    too_many: bool,
}

impl Connected {
    /// One more; `None` if there are even too many that are one too many.
    fn new(worker: &Rc<Worker>) -> Option<Self> {
        let (shared, index) = (worker.shared(), worker.index());
        let too_many = !shared.load.take(index, Bound::Connections, 1);
        if too_many {
            shared.load.shed(index, Bound::Connections);
            if worker.turning_away.get() >= TURNING_AWAY_MAX {
                return None;
            }
            worker.turning_away.set(worker.turning_away.get() + 1);
        }
        worker.newest().generation.counters.connected(index);
        Some(Self {
            worker: Rc::clone(worker),
            too_many,
        })
    }

    /// The machine that serves it.
    pub(super) fn exchange(&self, now: Moment) -> Exchange {
        if self.too_many {
            Exchange::turning_away(now)
        } else {
            Exchange::new(now)
        }
    }

    /// How long its TLS handshake may take.
    pub(super) const fn handshake_timeout(&self) -> Span {
        if self.too_many {
            TURN_AWAY_HANDSHAKE
        } else {
            HANDSHAKE_TIMEOUT
        }
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        let (shared, index) = (self.worker.shared(), self.worker.index());
        let newest = self.worker.newest();
        newest.generation.counters.disconnected(index);
        if self.too_many {
            let others = self.worker.turning_away.get().saturating_sub(1);
            self.worker.turning_away.set(others);
        } else {
            shared.load.give(index, Bound::Connections, 1);
        }
    }
}

/// Whether the process or the machine has no descriptor left.
pub(super) fn out_of_descriptors(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE)
    )
}

/// A panic in a connection's task ends that connection and not the core with all others.
struct Guarded<F> {
    task: Pin<Box<F>>,
}

impl<F: Future<Output = ()>> Future for Guarded<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<()> {
        let inner = self.task.as_mut();
        // The state that a panic may leave half-changed is the connection's own, which ends here, and the desk, whose
        // parts are each valid between two statements.
        catch_unwind(AssertUnwindSafe(|| inner.poll(task))).unwrap_or(Poll::Ready(()))
    }
}

/// A client's TLS handshake must be done by then.
const HANDSHAKE_TIMEOUT: Span = Span::from_secs(10);
/// The same for one who is only told that he is one too many.
const TURN_AWAY_HANDSHAKE: Span = Span::from_secs(1);
/// So many clients of a worker at once are told why they are turned away: with a second for each, some hundred in a
/// second. The others are closed without a word, as a full machine would.
const TURNING_AWAY_MAX: u32 = 128;
/// Accepts under way at once: one is re-armed while another is being served.
const ACCEPTS: usize = 2;
/// After a failed accept.
const ACCEPT_PAUSE: Span = Span::from_millis(20);
