//! Where commands write: results on standard output, everything said about them on standard error.

use std::io::{self, IsTerminal, Write};

use crate::runtime::console::{self, Window};

/// The two streams, and whether people look at them.
#[derive(Debug)]
pub(super) struct Terminal {
    out: io::Stdout,
    err: io::Stderr,
}

impl Terminal {
    /// The process's own.
    pub(super) fn new() -> Self {
        Self {
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
