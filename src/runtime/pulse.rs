//! The beat by which a worker knows that time passes, in place of timers of its own.
//!
//! PERF: a timer that is always armed makes every wait of the worker a timed wait: two more readings of the clock and a
//! kernel timer set and cancelled for each of them, about a sixth of a request's CPU at one connection. One thread that writes a
//! byte to each worker every 5 ms while it has work, and every 50 ms while it rests, costs the process less than a
//! thousandth of a core.
//!
//! ```text
//!   heart thread ─ a byte ─→ worker: Beats::listen ─→ whoever waits for the next beat
//!        ▲ unpark                    │ busy
//!        └───────────────────────────┘ when work begins after a rest
//! ```

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, Write};
use std::os::unix::net::UnixStream as StdStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Poll, Waker};
use std::thread::{self, Thread};

use monoio::io::AsyncReadRent;
use monoio::net::UnixStream;

use crate::base::{Moment, Span};
use crate::runtime::clock;

/// What a worker and the heart share.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// The worker has work and wants every beat.
    busy: AtomicBool,
}

/// The heart's thread, once it runs: for waking it early.
#[derive(Debug, Default)]
pub(super) struct Heart {
    thread: OnceLock<Thread>,
}

impl Heart {
    /// Beats for ever: the thread's body.
    pub(super) fn beat(&self, workers: &[(Arc<Pulse>, StdStream)]) -> io::Result<()> {
        self.thread.get_or_init(thread::current);
        for (_, stream) in workers {
            stream.set_nonblocking(true)?;
        }
        let mut rested_since = clock::now();
        loop {
            let busy = workers
                .iter()
                .any(|(pulse, _)| pulse.busy.load(Ordering::Relaxed));
            thread::park_timeout(if busy { BEAT } else { REST }.as_std());
            let now = clock::now();
            let all = now.since(rested_since) >= REST;
            if all {
                rested_since = now;
            }
            for (pulse, stream) in workers {
                if all || pulse.busy.load(Ordering::Relaxed) {
                    // A worker that has not taken the last beats yet needs no more of them.
                    let _ = (&mut &*stream).write(&[0]);
                }
            }
        }
    }
}

/// The beats of one worker.
#[derive(Debug)]
pub(super) struct Beats {
    pulse: Arc<Pulse>,
    heart: Arc<Heart>,
    /// Somebody wants every beat, work or not.
    held: Cell<bool>,
    count: Cell<u64>,
    waiting: RefCell<Vec<Waker>>,
}

impl Beats {
    /// Of the worker with this pulse.
    pub(super) fn new(pulse: Arc<Pulse>, heart: Arc<Heart>) -> Self {
        Self {
            pulse,
            heart,
            held: Cell::new(false),
            count: Cell::new(0),
            waiting: RefCell::default(),
        }
    }

    /// Takes the beats in: a task of the worker.
    ///
    /// # Errors
    /// The stream cannot be used.
    pub(super) async fn listen(&self, stream: StdStream) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        let mut stream = UnixStream::from_std(stream)?;
        let mut bytes = vec![0; 16];
        loop {
            let (read, back) = stream.read(bytes).await;
            bytes = back;
            if read? == 0 {
                return Ok(());
            }
            self.nudge();
        }
    }

    /// Whether every beat is wanted from now on, work or not.
    pub(super) fn hold(&self, held: bool) {
        self.held.set(held);
        if held {
            self.set_busy(true);
        }
    }

    /// Says whether the worker has work: it gets every beat from now on, or only one in ten.
    pub(super) fn set_busy(&self, busy: bool) {
        let busy = busy || self.held.get();
        let was = self.pulse.busy.load(Ordering::Relaxed);
        if was != busy {
            self.pulse.busy.store(busy, Ordering::Relaxed);
            if let Some(thread) = self.heart.thread.get().filter(|_| busy) {
                thread.unpark();
            }
        }
    }

    /// A beat at once, for this worker only: something else than time has come to pass.
    pub(super) fn nudge(&self) {
        self.count.set(self.count.get().wrapping_add(1));
        for waker in self.waiting.take() {
            waker.wake();
        }
    }

    /// Waits for the next beat.
    pub(super) async fn next(&self) {
        let seen = self.count.get();
        poll_fn(|task| {
            if self.count.get() != seen {
                return Poll::Ready(());
            }
            self.waiting.borrow_mut().push(task.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Waits for the first beat at or after `until`.
    pub(super) async fn until(&self, until: Moment) {
        while clock::now() < until {
            self.next().await;
        }
    }
}

/// How late a deadline may fire while a worker has work.
pub(super) const BEAT: Span = Span::from_millis(5);
/// The same while it rests.
const REST: Span = Span::from_millis(50);
