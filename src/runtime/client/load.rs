//! Open-loop load: requests begin at fixed moments whether or not earlier ones have been answered, as those of real
//! users do. A gateway that slows down cannot slow its own test down: latency counts from the moment at which a request
//! was due, not from when a thread was free to send it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use serde_json::json;

use crate::base::{Moment, Span};
use crate::runtime::client::{Answer, Ask, Client, Expect, Failure};
use crate::runtime::{clock, spawn};

/// What to ask, whom, and how often.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The gateway.
    pub address: SocketAddr,
    /// Requests a second, at least 1.
    pub rate: u32,
    /// How long a client waits for an answer's end.
    pub patience: Span,
    /// The models that clients ask for, in turn; each once as a stream and once not.
    pub models: Vec<Box<str>>,
}

/// One request, from when it was due to the end of its answer.
#[derive(Clone, Debug)]
pub struct Sample {
    /// When it had to be sent.
    pub due: Moment,
    /// When its answer was complete, or had failed.
    pub ended: Moment,
    /// What the client got.
    pub result: Result<Answer, Failure>,
}

/// Load that runs until it is stopped.
pub struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<io::Result<()>>>,
    samples: Receiver<Sample>,
}

struct Shared {
    profile: Profile,
    start: Moment,
    /// The next request's number.
    next: AtomicU64,
    stopped: AtomicBool,
}

impl Load {
    /// Begins at once, on threads of its own: enough for answers that take half a second.
    pub fn start(profile: Profile) -> Self {
        let count = (profile.rate / 2).clamp(THREADS_MIN, THREADS_MAX);
        let shared = Arc::new(Shared {
            profile,
            start: clock::now(),
            next: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        });
        let (sender, samples) = mpsc::channel();
        let threads = (0..count).map(|index| {
            let (shared, sender) = (Arc::clone(&shared), sender.clone());
            spawn(&format!("client-{index}"), move || {
                shared.run(&sender);
                Ok(())
            })
        });
        let threads = threads.collect();
        Self {
            shared,
            threads,
            samples,
        }
    }

    /// What has ended since the last call.
    pub fn samples(&self) -> impl Iterator<Item = Sample> {
        self.samples.try_iter()
    }

    /// Sends no further request; those under way are waited for by their threads.
    pub fn stop(&self) {
        self.shared.stopped.store(true, Ordering::Release);
        for thread in &self.threads {
            thread.thread().unpark();
        }
    }

    /// Whether nothing is under way any more: after [`Load::stop`], at the latest when the patience is over.
    pub fn is_done(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }
}

impl fmt::Debug for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Load")
            .field("profile", &self.shared.profile)
            .field("threads", &self.threads.len())
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// One client's thread: takes the next request, waits for its moment, asks.
    fn run(&self, sender: &Sender<Sample>) {
        let mut client = Client::new(self.profile.address, self.profile.patience);
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let due = self.due(number);
            if !self.wait(due) {
                return;
            }
            let body = self.body(number);
            let result = client.ask(&Ask {
                path: "/v1/chat/completions",
                body: body.as_bytes(),
                expect: expect_of(number),
            });
            let ended = clock::now();
            let sample = Sample { due, ended, result };
            if sender.send(sample).is_err() {
                return;
            }
        }
    }

    fn due(&self, number: u64) -> Moment {
        let whole = u128::from(number) * 1_000_000_000 / u128::from(self.profile.rate.max(1));
        self.start + Span::from_nanos(u64::try_from(whole).unwrap_or(u64::MAX))
    }

    /// Whether the moment came before the end of it all.
    fn wait(&self, due: Moment) -> bool {
        loop {
            if self.stopped.load(Ordering::Acquire) {
                return false;
            }
            match due.since(clock::now()) {
                Span::ZERO => return true,
                left => thread::park_timeout(left.as_std()),
            }
        }
    }

    fn body(&self, number: u64) -> String {
        let models = &self.profile.models;
        let turn = usize::try_from(number / 2).unwrap_or_default();
        let model = models.get(turn % models.len().max(1));
        json!({
            "model": model.map_or("gpt-5-mini", |model| &**model),
            "messages": [{ "role": "user", "content": format!("Question {number}: how are you?") }],
            "stream": expect_of(number) == Expect::Stream,
        })
        .to_string()
    }
}

const fn expect_of(number: u64) -> Expect {
    if number.is_multiple_of(2) {
        Expect::Stream
    } else {
        Expect::Completion
    }
}

/// Few requests a second may still take long.
const THREADS_MIN: u32 = 8;
/// 500 requests a second of half a second each.
const THREADS_MAX: u32 = 250;
