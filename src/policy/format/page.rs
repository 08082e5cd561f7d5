//! The lines that are made, and their columns. Statements of one line that follow each other make a table: what the
//! author aligned by hand stands in columns again, and so do the comments behind them.

use crate::policy::format::WIDTH;

/// Heads that are longer than this, as `on [s429, s5xx, timeout, connect]`, take no part in a column: one of them would
/// push all others far to the right.
const HEAD_WIDTH_MAX: usize = 32;
/// The same for code with a comment behind it.
const COMMENTED_WIDTH_MAX: usize = 60;
/// Lines of one table. Bounds what is held; people's tables are shorter.
const TABLE_LINES_MAX: usize = 4096;

/// The text that is made.
#[derive(Debug, Default)]
pub(super) struct Page<'t> {
    out: String,
    /// The lines of the last table, whose columns are not settled yet.
    table: Vec<Row<'t>>,
    /// Whether a block or the file has just begun: no empty line goes there.
    fresh: bool,
}

/// A line that may stand in a table.
#[derive(Debug)]
pub(super) struct Row<'t> {
    /// Blanks before it.
    pub(super) indent: usize,
    /// Without comment and columns.
    pub(super) text: String,
    /// Where it can be put into columns.
    pub(super) stops: Vec<Stop>,
    /// The comment behind it.
    pub(super) behind: Option<&'t str>,
}

/// A place before `=`, `->` or `{` where blanks can be put.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stop {
    /// In bytes.
    pub(super) at: usize,
    /// In characters, from the stop before.
    pub(super) head: usize,
    /// What stands there.
    pub(super) sign: char,
    /// Whether the author put more than one blank there.
    pub(super) wide: bool,
    /// How many there will be beside the one.
    pub(super) pad: usize,
}

impl<'t> Page<'t> {
    /// An empty one.
    pub(super) fn new() -> Self {
        Self {
            fresh: true,
            ..Self::default()
        }
    }

    /// An empty line, but not at the beginning of a block.
    pub(super) fn empty_line(&mut self) {
        self.settle();
        if !self.fresh {
            self.out.push('\n');
        }
    }

    /// A line that stands in no table.
    pub(super) fn line(&mut self, indent: usize, text: &str, behind: Option<&str>) {
        self.settle();
        self.put(indent, text);
        if let Some(comment) = behind {
            self.out.push_str("  ");
            self.out.push_str(comment);
        }
        self.out.push('\n');
    }

    /// The same at the beginning of a block.
    pub(super) fn opening_line(&mut self, indent: usize, text: &str, behind: Option<&str>) {
        self.line(indent, text, behind);
        self.fresh = true;
    }

    /// A line of a table.
    pub(super) fn row(&mut self, row: Row<'t>) {
        self.fresh = false;
        if self.table.len() >= TABLE_LINES_MAX {
            self.settle();
        }
        self.table.push(row);
    }

    /// Bytes so far.
    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    /// The whole text.
    pub(super) fn finish(mut self) -> String {
        self.settle();
        self.out
    }

    fn settle(&mut self) {
        let mut table = std::mem::take(&mut self.table);
        let all: Vec<usize> = (0..table.len()).collect();
        columns(&mut table, &all, 0);
        let commented = |row: &&Row<'_>| row.behind.is_some() && row.width() <= COMMENTED_WIDTH_MAX;
        let widest = table.iter().filter(commented).map(Row::width).max();
        for row in &table {
            row.put_into(self);
            if let Some(comment) = row.behind {
                let blanks = widest.unwrap_or(0).saturating_sub(row.width()) + 2;
                self.blanks(blanks);
                self.out.push_str(comment);
            }
            self.out.push('\n');
        }
    }

    fn put(&mut self, indent: usize, text: &str) {
        self.fresh = false;
        self.blanks(indent);
        self.out.push_str(text);
    }

    fn blanks(&mut self, count: usize) {
        self.out.extend(std::iter::repeat_n(' ', count));
    }
}

impl Row<'_> {
    /// Characters without the comment.
    fn width(&self) -> usize {
        let pads: usize = self.stops.iter().map(|stop| stop.pad).sum();
        self.indent + self.text.chars().count() + pads
    }

    fn put_into(&self, page: &mut Page<'_>) {
        page.blanks(self.indent);
        let mut from = 0;
        for stop in &self.stops {
            let head = self.text.get(from..stop.at).unwrap_or_default();
            page.out.push_str(head);
            page.blanks(stop.pad);
            from = stop.at;
        }
        let rest = self.text.get(from..).unwrap_or_default();
        page.out.push_str(rest);
    }
}

/// Puts the stops of `level` into columns: lines that follow each other and have the same sign there, where the author
/// left more than one blank before one of them. Where they stand in a column, so may the stops behind.
fn columns(table: &mut [Row<'_>], lines: &[usize], level: usize) {
    let stop = |table: &[Row<'_>], line: usize| -> Option<Stop> {
        table.get(line)?.stops.get(level).copied()
    };
    let mut rest = lines;
    while let Some(&first) = rest.first() {
        let sign = stop(table, first).map(|stop| stop.sign);
        let run = rest
            .iter()
            .take_while(|&&line| stop(table, line).map(|stop| stop.sign) == sign)
            .count();
        let (run, after) = rest.split_at_checked(run).unwrap_or((rest, &[]));
        rest = after;
        if sign.is_none() {
            continue;
        }
        let short: Vec<(usize, Stop)> = run
            .iter()
            .filter_map(|&line| Some((line, stop(table, line)?)))
            .filter(|(_, stop)| stop.head <= HEAD_WIDTH_MAX)
            .collect();
        let widest = short.iter().map(|(_, stop)| stop.head).max().unwrap_or(0);
        let wanted = short.iter().any(|(_, stop)| stop.wide);
        let fits = short.iter().all(|&(line, stop)| {
            let width = table.get(line).map_or(0, Row::width);
            width + widest - stop.head <= WIDTH
        });
        if wanted && fits {
            for &(line, Stop { head, .. }) in &short {
                if let Some(stop) = table.get_mut(line).and_then(|row| row.stops.get_mut(level)) {
                    stop.pad = widest - head;
                }
            }
        } else if short.iter().any(|(_, stop)| stop.head != widest) {
            continue;
        }
        let lines: Vec<usize> = short.iter().map(|&(line, _)| line).collect();
        columns(table, &lines, level + 1);
    }
}
