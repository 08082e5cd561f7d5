//! Lays a tree out in lines. The author's line breaks between entries stay, and a block that stands on one line stays
//! there as long as it fits; what does not fit is opened from outside to inside, one entry a line.

use crate::policy::format::lex::Kind;
use crate::policy::format::page::{Page, Row, Stop};
use crate::policy::format::tree::{Entry, Group, Lead, Part, Remark, Shape, What};
use crate::policy::format::{HANG, INDENT, WIDTH};

/// What stands around entries.
#[derive(Clone, Copy)]
struct Inside {
    indent: usize,
    /// `None` at the top of a file, which is like a block.
    shape: Option<Shape>,
}

/// One item of a file.
pub(super) fn item<'t>(entry: &Entry<'t>, page: &mut Page<'t>) {
    let top = Inside {
        indent: 0,
        shape: None,
    };
    run(std::slice::from_ref(entry), top, page);
}

/// Comments in lines of their own.
pub(super) fn remarks(remarks: &[Remark<'_>], indent: usize, page: &mut Page<'_>) {
    for remark in remarks {
        if remark.after_empty {
            page.empty_line();
        }
        page.line(indent, remark.text, None);
    }
}

impl Inside {
    /// Where a line begins that goes on with a statement; a lone condition in brackets has its lines below each other.
    const fn hang(self) -> usize {
        match self.shape {
            None | Some(Shape::Block) => self.indent + HANG,
            Some(_) => self.indent,
        }
    }

    /// Whether the statements here may stand in columns.
    const fn has_columns(self) -> bool {
        matches!(self.shape, None | Some(Shape::Block))
    }

    fn comma(self) -> &'static str {
        if self.shape.is_some_and(Shape::has_commas) {
            ","
        } else {
            ""
        }
    }
}

/// The lines inside of an opened bracket.
fn inside<'t>(group: &Group<'t>, indent: usize, page: &mut Page<'t>) {
    let here = Inside {
        indent,
        shape: Some(group.shape),
    };
    let mut rest = group.entries.as_slice();
    while !rest.is_empty() {
        // What was opened because it did not fit has one entry a line; else the author's lines stay.
        let beside = |entry: &&Entry<'_>| group.open && entry.beside;
        let count = 1 + rest.iter().skip(1).take_while(beside).count();
        let (line, after) = rest.split_at_checked(count).unwrap_or((rest, &[]));
        run(line, here, page);
        rest = after;
    }
    remarks(&group.tail, indent, page);
}

/// Entries that the author wrote on one line.
fn run<'t>(entries: &[Entry<'t>], here: Inside, page: &mut Page<'t>) {
    let width: usize = entries.iter().map(|entry| entry.width + 2).sum();
    let width = here.indent + width.saturating_sub(2) + here.comma().len();
    let fits = width <= WIDTH && entries.iter().all(|entry| entry.flat);
    if !fits && entries.len() > 1 {
        for entry in entries {
            run(std::slice::from_ref(entry), here, page);
        }
        return;
    }
    if let Some(first) = entries.first() {
        remarks(&first.above, here.indent, page);
        if first.after_empty {
            page.empty_line();
        }
    }
    if !fits {
        for entry in entries {
            broken(entry, here, page);
        }
        return;
    }
    let mut line = Line::new(here.has_columns());
    line.entries(entries);
    line.text.push_str(here.comma());
    page.row(Row {
        indent: here.indent,
        text: line.text,
        stops: line.stops,
        behind: entries.last().and_then(|entry| entry.behind),
    });
}

/// A stretch of an entry that stands on one line.
struct Stretch {
    indent: usize,
    width: usize,
    /// The parts in it; an opened bracket is the last of one stretch and the first of the next.
    from: usize,
    to: usize,
    /// Whether it begins with the closing bracket of its first part.
    closes: bool,
}

/// Where an entry is broken.
struct Choice {
    /// For each part: whether it is a bracket that is opened.
    opened: Vec<bool>,
    /// Whether a new line begins before each `and` and `or`.
    joints: bool,
    /// Whether the widest bracket of each line that is too long has been opened.
    eased: bool,
}

/// An entry that takes several lines, or one that is too long.
fn broken<'t>(entry: &Entry<'t>, here: Inside, page: &mut Page<'t>) {
    let is_open = |part: &Part<'_>| matches!(&part.what, What::Group(group) if group.open);
    let mut choice = Choice {
        opened: entry.parts.iter().map(is_open).collect(),
        joints: false,
        eased: false,
    };
    let mut stretches = stretches(&entry.parts, here, &choice);
    while choice.ease(&entry.parts, &stretches) {
        stretches = self::stretches(&entry.parts, here, &choice);
    }
    for (number, stretch) in stretches.iter().enumerate() {
        let next = stretches.get(number + 1);
        put(entry, stretch, next, here, page);
    }
}

fn stretches(parts: &[Part<'_>], here: Inside, choice: &Choice) -> Vec<Stretch> {
    let mut done = Vec::new();
    let mut line = Stretch {
        indent: here.indent,
        width: 0,
        from: 0,
        to: 0,
        closes: false,
    };
    for (at, (part, &opened)) in parts.iter().zip(&choice.opened).enumerate() {
        match part.lead {
            _ if at == 0 => {}
            Lead::Broken { .. } => line = line.next(here.hang(), at, false, &mut done),
            Lead::Joint if choice.joints => line = line.next(here.hang(), at, false, &mut done),
            Lead::Glued => {}
            Lead::Joint | Lead::Blank { .. } => line.width += 1,
        }
        line.to = at + 1;
        if opened {
            line.width += 1;
            let is_block = matches!(&part.what, What::Group(group) if group.shape == Shape::Block);
            let indent = if is_block { here.indent } else { line.indent };
            line = line.next(indent, at, true, &mut done);
        } else {
            line.width += part.width();
        }
    }
    line.width += here.comma().len();
    done.push(line);
    done
}

impl Stretch {
    /// Ends this one, and begins the next.
    fn next(self, indent: usize, from: usize, closes: bool, done: &mut Vec<Self>) -> Self {
        done.push(self);
        Self {
            indent,
            width: usize::from(closes),
            from,
            to: from + usize::from(closes),
            closes,
        }
    }

    const fn is_too_long(&self) -> bool {
        self.indent + self.width > WIDTH
    }

    /// The brackets in it that could be opened and are not, with their widths.
    fn closed<'p>(
        &self,
        parts: &'p [Part<'_>],
        choice: &'p Choice,
    ) -> impl Iterator<Item = (usize, usize)> + use<'p> {
        let all = parts.iter().zip(&choice.opened).enumerate();
        let within = all.take(self.to).skip(self.from);
        within.filter_map(|(at, (part, &opened))| match &part.what {
            What::Group(group) if !opened && group.can_open() => Some((at, group.width)),
            _ => None,
        })
    }
}

impl Choice {
    /// Breaks what is too long at one more kind of place. Whether there was one.
    ///
    /// INVARIANT: each place is chosen by lines that are too long and nothing else, and nothing is taken back. So a text
    /// that came out of here comes out of here again as it is.
    fn ease(&mut self, parts: &[Part<'_>], stretches: &[Stretch]) -> bool {
        let long: Vec<&Stretch> = stretches.iter().filter(|line| line.is_too_long()).collect();
        let is_block = |at: usize| match parts.get(at).map(|part| &part.what) {
            Some(What::Group(group)) => group.shape == Shape::Block,
            _ => false,
        };
        let closed =
            |line: &&Stretch| -> Vec<(usize, usize)> { line.closed(parts, self).collect() };
        let closed: Vec<Vec<(usize, usize)>> = long.iter().map(closed).collect();
        let body = closed.iter().flatten().find(|&&(at, _)| is_block(at));
        if let Some(&(at, _)) = body {
            self.open(at);
            return true;
        }
        let has_joint = |line: &&Stretch| {
            let within = parts.iter().take(line.to).skip(line.from + 1);
            within
                .into_iter()
                .any(|part| matches!(part.lead, Lead::Joint))
        };
        if !self.joints && long.iter().any(has_joint) {
            self.joints = true;
            return true;
        }
        let mut found = false;
        for groups in &closed {
            let widest = groups.iter().max_by_key(|&&(_, width)| width);
            let chosen = if self.eased {
                groups.as_slice()
            } else {
                widest.map_or(&[][..], std::slice::from_ref)
            };
            for &(at, _) in chosen {
                self.open(at);
                found = true;
            }
        }
        self.eased = true;
        found
    }

    fn open(&mut self, at: usize) {
        if let Some(opened) = self.opened.get_mut(at) {
            *opened = true;
        }
    }
}

/// Writes one stretch, and the inside of the bracket that it ends with.
fn put<'t>(
    entry: &Entry<'t>,
    stretch: &Stretch,
    next: Option<&Stretch>,
    here: Inside,
    page: &mut Page<'t>,
) {
    let opens = next.is_some_and(|next| next.closes);
    let mut line = Line::new(false);
    let mut opened = None;
    let parts = entry
        .parts
        .iter()
        .enumerate()
        .take(stretch.to)
        .skip(stretch.from);
    for (at, part) in parts {
        match &part.what {
            What::Group(group) if at == stretch.from && stretch.closes => {
                line.text.push(group.shape.closer());
            }
            What::Group(group) if opens && at + 1 == stretch.to => {
                line.lead(part);
                line.text.push(group.shape.opener());
                opened = Some(group);
            }
            _ => {
                line.lead(part);
                line.part(part);
            }
        }
    }
    if let Some(group) = opened {
        page.opening_line(stretch.indent, &line.text, group.behind_open);
        let outer = if group.shape == Shape::Block {
            here.indent
        } else {
            stretch.indent
        };
        inside(group, outer + INDENT, page);
        return;
    }
    let Some(next) = next else {
        line.text.push_str(here.comma());
        page.line(stretch.indent, &line.text, entry.behind);
        return;
    };
    match entry.parts.get(next.from).map(|part| &part.lead) {
        Some(Lead::Broken { behind, above }) => {
            page.line(stretch.indent, &line.text, *behind);
            for remark in above {
                page.line(next.indent, remark.text, None);
            }
        }
        _ => page.line(stretch.indent, &line.text, None),
    }
}

/// The text of a line, and where it can be put into columns.
struct Line {
    text: String,
    stops: Vec<Stop>,
    /// Whether a sign that comes now makes a stop: only the first one of a statement does, and behind a `{` the first
    /// one in the block.
    stops_next: bool,
    /// Characters up to the last stop.
    heads: usize,
}

impl Line {
    const fn new(stops_next: bool) -> Self {
        Self {
            text: String::new(),
            stops: Vec::new(),
            stops_next,
            heads: 0,
        }
    }

    fn entries(&mut self, entries: &[Entry<'_>]) {
        for (number, entry) in entries.iter().enumerate() {
            if number > 0 {
                self.text.push_str(", ");
                self.stops_next = false;
            }
            for (at, part) in entry.parts.iter().enumerate() {
                if at > 0 {
                    self.lead(part);
                }
                self.part(part);
            }
        }
    }

    fn lead(&mut self, part: &Part<'_>) {
        if !self.text.is_empty() && !matches!(part.lead, Lead::Glued) {
            self.text.push(' ');
        }
    }

    fn part(&mut self, part: &Part<'_>) {
        match &part.what {
            What::Token(piece) => {
                let stops = piece.kind == Kind::Sign && matches!(piece.text, "=" | "->");
                if stops && self.stops_next {
                    self.stop(part, piece.text.chars().next().unwrap_or_default());
                    self.stops_next = false;
                }
                self.text.push_str(piece.text);
            }
            What::Group(group) => self.group(part, group),
        }
    }

    fn group(&mut self, part: &Part<'_>, group: &Group<'_>) {
        let is_block = group.shape == Shape::Block;
        let stops_next = self.stops_next;
        if is_block && stops_next {
            self.stop(part, '{');
        }
        self.stops_next &= is_block;
        let blank = if is_block && !group.entries.is_empty() {
            " "
        } else {
            ""
        };
        self.text.push(group.shape.opener());
        self.text.push_str(blank);
        self.entries(&group.entries);
        self.text.push_str(blank);
        self.text.push(group.shape.closer());
        self.stops_next = stops_next && !is_block;
    }

    fn stop(&mut self, part: &Part<'_>, sign: char) {
        let before = self.text.chars().count();
        self.stops.push(Stop {
            at: self.text.len(),
            head: before - self.heads,
            sign,
            wide: matches!(part.lead, Lead::Blank { wide: true }),
            pad: 0,
        });
        self.heads = before;
    }
}
