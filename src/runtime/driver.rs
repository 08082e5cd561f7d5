//! Which kernel interface a worker runs on: `io_uring` where the kernel allows it, epoll where it does not.
//!
//! Containers commonly forbid `io_uring` (seccomp profiles, `kernel.io_uring_disabled`), so epoll is a normal case and
//! behaves the same. Ring flags are tried from the best down: they need newer kernels and are worth about 5 % each.

use std::fmt;
use std::future::Future;
use std::io;

use monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder};

/// What the operator asks for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Io {
    /// `io_uring` if it works, else epoll.
    #[default]
    Auto,
    /// `io_uring` or nothing.
    IoUring,
    /// epoll.
    Epoll,
}

/// What works here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Driver {
    /// `SINGLE_ISSUER | DEFER_TASKRUN`: completions are handled when the worker asks for them (Linux 6.1).
    RingDeferred,
    /// `COOP_TASKRUN`: no interrupts of the worker for completions (Linux 5.19).
    RingCooperative,
    /// A ring without flags.
    RingPlain,
    /// epoll.
    Epoll,
}

impl Driver {
    /// Tries what `io` allows, from the best down, by building it.
    ///
    /// # Errors
    /// The kernel's refusal of a ring, where `io` insists on one.
    pub fn choose(io: Io) -> io::Result<Self> {
        if io == Io::Epoll {
            return Ok(Self::Epoll);
        }
        let mut refusal = None;
        for driver in [Self::RingDeferred, Self::RingCooperative, Self::RingPlain] {
            match driver.ring().build() {
                Ok(_) => return Ok(driver),
                Err(error) => refusal = Some(error),
            }
        }
        match (io, refusal) {
            (Io::IoUring, Some(error)) => Err(error),
            _ => Ok(Self::Epoll),
        }
    }

    /// Runs `main` on this thread until it is done, without timers: see `pulse`.
    ///
    /// # Errors
    /// The driver cannot be built on this thread.
    pub fn run<F, T>(self, main: F) -> io::Result<T>
    where
        F: Future<Output = T>,
    {
        if self == Self::Epoll {
            let mut runtime = RuntimeBuilder::<LegacyDriver>::new().build()?;
            return Ok(runtime.block_on(main));
        }
        let mut runtime = self.ring().build()?;
        Ok(runtime.block_on(main))
    }

    /// As [`Driver::run`] on epoll, with timers: for threads that do not serve requests.
    ///
    /// # Errors
    /// The driver cannot be built on this thread.
    pub fn run_timed<F, T>(main: F) -> io::Result<T>
    where
        F: Future<Output = T>,
    {
        let mut runtime = RuntimeBuilder::<LegacyDriver>::new()
            .enable_timer()
            .build()?;
        Ok(runtime.block_on(main))
    }

    fn ring(self) -> RuntimeBuilder<IoUringDriver> {
        let mut builder = io_uring::IoUring::builder();
        match self {
            Self::RingDeferred => {
                builder.setup_single_issuer().setup_defer_taskrun();
            }
            Self::RingCooperative => {
                builder.setup_coop_taskrun();
            }
            Self::RingPlain | Self::Epoll => {}
        }
        RuntimeBuilder::<IoUringDriver>::new()
            .with_entries(RING_ENTRIES)
            .uring_builder(builder)
    }
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RingDeferred | Self::RingCooperative | Self::RingPlain => "io_uring",
            Self::Epoll => "epoll",
        })
    }
}

/// Submission entries; completions have twice as many and the kernel keeps an overflow. Enough for some ten thousand
/// connections on a worker.
const RING_ENTRIES: u32 = 1024;

#[cfg(test)]
mod tests {
    use super::{Driver, Io};

    #[test]
    fn epoll_is_always_there() {
        assert_eq!(Driver::choose(Io::Epoll).unwrap(), Driver::Epoll);
        assert_eq!(Driver::Epoll.run(async { 7 }).unwrap(), 7);
    }

    #[test]
    fn whatever_is_chosen_runs() {
        let driver = Driver::choose(Io::Auto).unwrap();
        assert_eq!(driver.run(async { 7 }).unwrap(), 7);
    }
}
