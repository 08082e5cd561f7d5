//! Where commands write: results on standard output, everything said about them on standard error. And what they read
//! from standard input.

use std::io::{self, IsTerminal, Read, Write};

use crate::base::limits::POLICY_BYTES_MAX;
use crate::runtime::console::{self, Window};

/// The streams, and whether people look at them.
#[derive(Debug)]
pub(super) struct Terminal {
    input: io::Stdin,
    out: io::Stdout,
    err: io::Stderr,
}

impl Terminal {
    /// The process's own.
    pub(super) fn new() -> Self {
        Self {
            input: io::stdin(),
            out: io::stdout(),
            err: io::stderr(),
        }
    }

    /// A result. A closed pipe is not our mistake.
    pub(super) fn print(&mut self, text: &str) {
        let _ = self.out.write_all(text.as_bytes());
        let _ = self.out.flush();
    }

    /// Something about it.
    pub(super) fn tell(&mut self, text: &str) {
        let _ = self.err.write_all(text.as_bytes());
        let _ = self.err.flush();
    }

    /// A policy from standard input. One byte more than is allowed tells that there are too many. The error says why
    /// there is none, for people.
    pub(super) fn read(&self) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let max = POLICY_BYTES_MAX as u64 + 1;
        let read = self.input.lock().take(max).read_to_end(&mut bytes);
        read.map_err(|error| error.to_string())?;
        Ok(bytes)
    }

    /// Whether standard error shows colours to a person.
    pub(super) fn colours_told(&self) -> bool {
        self.err.is_terminal() && console::wants_colours()
    }

    /// The window of standard error, where a person watches it and it can be redrawn in place.
    pub(super) fn window(&self) -> Option<Window> {
        (self.err.is_terminal() && console::moves_cursor())
            .then(|| console::window(&self.err))
            .flatten()
    }
}
