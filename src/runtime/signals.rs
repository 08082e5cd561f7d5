//! The signals that end the process.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Counts the requests to end: the first asks for a gentle end, the second for an immediate one.
#[derive(Debug)]
pub struct Ending {
    asked: Arc<AtomicUsize>,
}

impl Ending {
    /// Listens for SIGTERM and SIGINT from now on. `wake` is unparked by each.
    ///
    /// # Errors
    /// The handlers cannot be installed.
    pub fn listen(wake: std::thread::Thread) -> io::Result<Self> {
        let mut signals = Signals::new([SIGTERM, SIGINT])?;
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        super::spawn::<()>("signals", move || {
            for _ in signals.forever() {
                count.fetch_add(1, Ordering::Relaxed);
                wake.unpark();
            }
            Ok(())
        });
        Ok(Self { asked })
    }

    /// How often the process was asked to end.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}
