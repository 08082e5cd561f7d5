//! Standard error during the demonstration: a block at the bottom that is redrawn in place, with what happened
//! scrolling away above it; or plain lines where nobody watches or the window is too small.

use crate::base::Span;
use crate::cli::demo::summary::Event;
use crate::cli::demo::view::{self, Scene};
use crate::cli::terminal::Terminal;
use crate::runtime::console::Window;

/// The block, or the lines. Gives the cursor back when it is dropped.
pub(super) struct Screen<'t> {
    terminal: &'t mut Terminal,
    is_live: bool,
    colours: bool,
    /// Lines of the block above the cursor.
    drawn: usize,
    /// When it is to be drawn or written again.
    next: Span,
}

impl<'t> Screen<'t> {
    /// On `terminal`, in place if it can be.
    pub(super) fn new(terminal: &'t mut Terminal) -> Self {
        let is_live = terminal
            .window()
            .is_some_and(|window| window.rows >= ROWS_MIN);
        if is_live {
            terminal.tell(HIDE_CURSOR);
        }
        Self {
            is_live,
            colours: terminal.colours_told(),
            terminal,
            drawn: 0,
            next: Span::ZERO,
        }
    }

    /// Whether what it shows has become old.
    pub(super) fn is_due(&self, elapsed: Span) -> bool {
        elapsed >= self.next
    }

    /// Shows how things stand and what has happened. In plain lines, the state only if it is due.
    pub(super) fn show(&mut self, scene: &Scene, news: &[Event]) {
        let news = news.iter().map(|news| view::event(news.at, &news.what));
        if self.is_live {
            self.redraw(scene, news);
            self.next = scene.elapsed.saturating_add(REDRAW_EVERY);
            return;
        }
        let mut lines: String = news.map(|line| line + "\n").collect();
        if self.is_due(scene.elapsed) {
            lines += &view::event(scene.elapsed, &view::one_line(scene));
            lines.push('\n');
            self.next = scene.elapsed.saturating_add(LINE_EVERY);
        }
        self.terminal.tell(&lines);
    }

    /// News, then the block; in one write, so that nothing is seen half.
    fn redraw(&mut self, scene: &Scene, news: impl Iterator<Item = String>) {
        let columns = self
            .terminal
            .window()
            .map_or(COLUMNS, |Window { columns, .. }| columns);
        // The last column is left free: a character in it makes some terminals wrap.
        let columns = usize::from(columns).saturating_sub(1);
        let mut frame = match self.drawn {
            0 => String::new(),
            drawn => format!("\r\x1b[{drawn}A\x1b[J"),
        };
        for line in news {
            frame.extend(line.chars().take(columns).chain(['\n']));
        }
        frame.push('\n');
        let block = view::lines(scene, columns, self.colours);
        for line in &block {
            frame.push_str(line);
            frame.push('\n');
        }
        self.drawn = block.len() + 1;
        self.terminal.tell(&frame);
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        if self.is_live {
            self.terminal.tell(SHOW_CURSOR);
        }
    }
}

const HIDE_CURSOR: &str = "\x1b[?25l";
const SHOW_CURSOR: &str = "\x1b[?25h\n";
/// The block's seven lines, and some room for what happened.
const ROWS_MIN: u16 = 10;
/// Where a terminal has stopped telling.
const COLUMNS: u16 = 80;
/// Smooth enough for a person.
const REDRAW_EVERY: Span = Span::from_millis(200);
const LINE_EVERY: Span = Span::from_secs(1);
