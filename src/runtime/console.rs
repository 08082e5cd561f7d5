//! What is known about the terminal that the process writes to: its size, and what its user wants of it. Draws nothing.

use std::env;
use std::os::fd::AsFd;

/// The visible part of a terminal, in characters; each at least 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Window {
    /// Characters in a line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

/// The window as of now: people resize it. `None` where there is none, or it does not tell.
pub fn window(stream: impl AsFd) -> Option<Window> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some(Window {
        columns: size.ws_col,
        rows: size.ws_row,
    })
}

/// False where `NO_COLOR` is set to anything (no-color.org) or the terminal is `dumb`.
pub fn wants_colours() -> bool {
    let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !unwanted && moves_cursor()
}

/// False for terminals that can only append, such as those inside editors.
pub fn moves_cursor() -> bool {
    env::var_os("TERM").is_none_or(|name| name != "dumb")
}
