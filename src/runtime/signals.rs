//! The signals that a gateway obeys.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// What a SIGHUP asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HangUp {
    /// A reload: of a daemon, whose terminal is long gone.
    Reload,
    /// The end, as it does by itself.
    End,
}

/// What the process was asked for by signals.
#[derive(Debug)]
pub struct Asked {
    ends: Arc<AtomicUsize>,
    reload: Arc<AtomicBool>,
}

impl Asked {
    /// Listens for SIGTERM, SIGINT and SIGHUP from now on. `wake` is unparked by each.
    ///
    /// # Errors
    /// The handlers cannot be installed.
    pub fn listen(wake: std::thread::Thread, hang_up: HangUp) -> io::Result<Self> {
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
        let asked = Self {
            ends: Arc::default(),
            reload: Arc::default(),
        };
        let (ends, reload) = (Arc::clone(&asked.ends), Arc::clone(&asked.reload));
        super::spawn::<()>("signals", move || {
            for signal in signals.forever() {
                if signal == SIGHUP && hang_up == HangUp::Reload {
                    reload.store(true, Ordering::Relaxed);
                } else {
                    ends.fetch_add(1, Ordering::Relaxed);
                }
                wake.unpark();
            }
            Ok(())
        });
        Ok(asked)
    }

    /// How often the process was asked to end: the first asks for a gentle end, the second for an immediate one.
    pub fn to_end(&self) -> usize {
        self.ends.load(Ordering::Relaxed)
    }

    /// Whether it was asked to reload since the last time that this was looked at. Signals that came meanwhile are one.
    pub fn to_reload(&self) -> bool {
        self.reload.swap(false, Ordering::Relaxed)
    }
}
