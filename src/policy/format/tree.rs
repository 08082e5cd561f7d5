//! From pieces to what is laid out: entries with the comments above and behind them, brackets with entries in them, and
//! which of those brackets the author opened over several lines.

use crate::policy::format::lex::{self, Gap, Kind, Piece};

/// A comment in a line of its own.
#[derive(Debug)]
pub(super) struct Remark<'t> {
    /// With its `#`.
    pub(super) text: &'t str,
    /// Whether an empty line stands before it.
    pub(super) after_empty: bool,
}

/// A statement of a block or of the file, a member of a list, an argument.
#[derive(Debug)]
pub(super) struct Entry<'t> {
    /// Comments above it.
    pub(super) above: Vec<Remark<'t>>,
    /// Whether an empty line stands before it.
    pub(super) after_empty: bool,
    /// Whether it stands on the line of the entry before.
    pub(super) beside: bool,
    /// At least one.
    pub(super) parts: Vec<Part<'t>>,
    /// The comment behind it.
    pub(super) behind: Option<&'t str>,
    /// Whether nothing in it asks for a line of its own.
    pub(super) flat: bool,
    /// Characters of it on one line.
    pub(super) width: usize,
}

/// A token or a bracket of an entry.
#[derive(Debug)]
pub(super) struct Part<'t> {
    /// What goes before it; nothing goes before the first one.
    pub(super) lead: Lead<'t>,
    /// What it is.
    pub(super) what: What<'t>,
}

/// What goes before a part.
#[derive(Debug)]
pub(super) enum Lead<'t> {
    /// Nothing: the bracket of `hash(…)`.
    Glued,
    /// A blank. `wide` says that the author left more, to make a column.
    Blank {
        /// More than one.
        wide: bool,
    },
    /// A blank, or a new line where the old one gets too long: before `and` and `or`.
    Joint,
    /// A new line: the author broke it before `and` or `or`, or a comment breaks it.
    Broken {
        /// At the end of the old line.
        behind: Option<&'t str>,
        /// In lines of their own.
        above: Vec<Remark<'t>>,
    },
}

/// A token or a bracket.
#[derive(Debug)]
pub(super) enum What<'t> {
    /// Anything but a bracket.
    Token(Piece<'t>),
    /// Brackets with all that is in them.
    Group(Box<Group<'t>>),
}

/// Brackets with what is in them.
#[derive(Debug)]
pub(super) struct Group<'t> {
    /// Which ones.
    pub(super) shape: Shape,
    /// The comment behind the opening bracket.
    pub(super) behind_open: Option<&'t str>,
    /// What is in it.
    pub(super) entries: Vec<Entry<'t>>,
    /// Comments before the closing bracket.
    pub(super) tail: Vec<Remark<'t>>,
    /// Whether it must stand over several lines.
    pub(super) open: bool,
    /// Characters of it on one line.
    pub(super) width: usize,
}

/// Kinds of brackets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Shape {
    /// `{ … }`
    Block,
    /// `[…]`
    List,
    /// `name[…]`
    Index,
    /// `name(…)`
    Args,
    /// `(…)`
    Paren,
}

impl Shape {
    /// Its opening bracket.
    pub(super) const fn opener(self) -> char {
        match self {
            Self::Block => '{',
            Self::List | Self::Index => '[',
            Self::Args | Self::Paren => '(',
        }
    }

    /// Its closing bracket.
    pub(super) const fn closer(self) -> char {
        match self {
            Self::Block => '}',
            Self::List | Self::Index => ']',
            Self::Args | Self::Paren => ')',
        }
    }

    /// Whether each line in it ends with a comma. In a block the line's end is enough.
    pub(super) const fn has_commas(self) -> bool {
        matches!(self, Self::List | Self::Args)
    }
}

impl Part<'_> {
    /// Characters of it on one line, without its lead.
    pub(super) fn width(&self) -> usize {
        match &self.what {
            What::Token(piece) => piece.text.chars().count(),
            What::Group(group) => group.width,
        }
    }

    fn is_flat(&self) -> bool {
        let group_is_flat = match &self.what {
            What::Token(_) => true,
            What::Group(group) => !group.open,
        };
        group_is_flat && !matches!(self.lead, Lead::Broken { .. })
    }
}

impl Group<'_> {
    /// Whether lines can be made by opening it.
    pub(super) fn can_open(&self) -> bool {
        !self.entries.is_empty() && self.shape != Shape::Index
    }

    fn flat_width(&self) -> usize {
        let inside: usize = self.entries.iter().map(|entry| entry.width).sum();
        let commas = 2 * self.entries.len().saturating_sub(1);
        let blanks = if self.shape == Shape::Block && !self.entries.is_empty() {
            2
        } else {
            0
        };
        2 + inside + commas + blanks
    }
}

/// One item of a file. `None` where its pieces do not make one.
pub(super) fn item<'t>(pieces: &[Piece<'t>]) -> Option<Entry<'t>> {
    let pieces = with_breaks_before_joints(pieces);
    let mut builder = Builder {
        pieces: &pieces,
        at: 0,
    };
    let entry = builder.entry(Gap::Line, Vec::new());
    (builder.at == pieces.len() && !entry.parts.is_empty()).then_some(entry)
}

/// The comments between two items, as the one behind the first of them and those above the second.
pub(super) fn between(text: &str) -> (Option<&str>, Vec<Remark<'_>>, Gap) {
    let (comments, gap) = lex::between(text);
    let (behind, above) = sorted(&comments);
    (behind, above, gap)
}

/// Comments after a piece: the one on its line, and those in lines of their own.
fn sorted<'t>(comments: &[Piece<'t>]) -> (Option<&'t str>, Vec<Remark<'t>>) {
    let behind = comments.first().filter(|first| !first.gap.ends_line());
    let own = comments.iter().skip(usize::from(behind.is_some()));
    let above = own.map(|comment| Remark {
        text: comment.text,
        after_empty: comment.gap == Gap::EmptyLine,
    });
    (behind.map(|comment| comment.text), above.collect())
}

/// A condition goes on in a line that begins with `and` or `or`: where the author broke the line behind the word, the
/// break, and a comment in it, goes before the word.
fn with_breaks_before_joints<'t>(pieces: &[Piece<'t>]) -> Vec<Piece<'t>> {
    let mut out: Vec<Piece<'t>> = Vec::with_capacity(pieces.len());
    let mut rest = pieces;
    while let Some((&piece, after)) = rest.split_first() {
        rest = after;
        if !piece.joins() {
            out.push(piece);
            continue;
        }
        let comments = after
            .iter()
            .take_while(|piece| piece.kind == Kind::Comment)
            .count();
        let (comments, after) = after.split_at_checked(comments).unwrap_or((after, &[]));
        let mut breaks = piece.gap.ends_line() || !comments.is_empty();
        for &comment in comments {
            let mut comment = comment;
            let commented = out.last().is_some_and(|last| last.kind == Kind::Comment);
            if !comment.gap.ends_line() && (commented || piece.gap.ends_line()) {
                comment.gap = Gap::Line;
            }
            out.push(comment);
        }
        let next = after.first().copied();
        breaks |= next.is_some_and(|next| next.gap.ends_line());
        out.push(Piece {
            gap: if breaks { Gap::Line } else { Gap::Blank },
            ..piece
        });
        rest = after;
        if let Some((&next, after)) = after.split_first()
            && !next.joins()
        {
            out.push(Piece {
                gap: Gap::Blank,
                ..next
            });
            rest = after;
        }
    }
    out
}

struct Builder<'p, 't> {
    pieces: &'p [Piece<'t>],
    at: usize,
}

impl<'p, 't> Builder<'p, 't> {
    fn peek(&self) -> Option<Piece<'t>> {
        self.pieces.get(self.at).copied()
    }

    /// The comments that stand here.
    fn comments(&mut self) -> &'p [Piece<'t>] {
        let rest = self.pieces.get(self.at..).unwrap_or_default();
        let is_comment = |piece: &&Piece<'t>| piece.kind == Kind::Comment;
        let count = rest.iter().take_while(is_comment).count();
        self.at += count;
        rest.get(..count).unwrap_or_default()
    }

    /// One entry; what is left begins with its comma, the comment behind it, or whatever else ends it.
    fn entry(&mut self, gap: Gap, above: Vec<Remark<'t>>) -> Entry<'t> {
        let mut parts: Vec<Part<'t>> = Vec::new();
        let mut last: Option<Piece<'t>> = None;
        while let Some(lead) = self.lead(last) {
            let Some(piece) = self.peek() else { break };
            self.at += 1;
            let (lead, what) = if piece.kind == Kind::Open {
                let touches = piece.gap == Gap::None && last.is_some_and(|last| last.is_name());
                let group = self.group(piece, touches);
                let glued = matches!(group.shape, Shape::Args | Shape::Index);
                let lead = if glued { Lead::Glued } else { lead };
                (lead, What::Group(Box::new(group)))
            } else {
                (lead, What::Token(piece))
            };
            parts.push(Part { lead, what });
            last = Some(piece);
        }
        let blanks = parts
            .iter()
            .skip(1)
            .filter(|part| !matches!(part.lead, Lead::Glued))
            .count();
        Entry {
            above,
            after_empty: gap == Gap::EmptyLine,
            beside: !gap.ends_line(),
            flat: parts.iter().all(Part::is_flat),
            width: blanks + parts.iter().map(Part::width).sum::<usize>(),
            parts,
            behind: None,
        }
    }

    /// What goes before the next token of the entry whose last piece is `last`; passes over the comments that break the
    /// line there. `None` where the entry has ended.
    fn lead(&mut self, last: Option<Piece<'t>>) -> Option<Lead<'t>> {
        let rest = self.pieces.get(self.at..).unwrap_or_default();
        let token = rest.iter().find(|piece| piece.kind != Kind::Comment)?;
        let Some(last) = last else {
            return Some(Lead::Blank { wide: false });
        };
        if matches!(token.kind, Kind::Comma | Kind::Close) {
            return None;
        }
        let first = rest.first()?;
        let is_commented = first.kind == Kind::Comment;
        let is_next_line = is_commented || first.gap.ends_line();
        if is_next_line && !token.joins() && !last.goes_on() {
            return None;
        }
        if is_commented || is_next_line && token.joins() {
            let (behind, above) = sorted(self.comments());
            return Some(Lead::Broken { behind, above });
        }
        Some(if token.joins() {
            Lead::Joint
        } else {
            Lead::Blank {
                wide: first.gap == Gap::Wide,
            }
        })
    }

    /// Brackets from behind `opener` to the closing one. `touches` says that a name stands right before them.
    fn group(&mut self, opener: Piece<'t>, touches: bool) -> Group<'t> {
        let mut entries: Vec<Entry<'t>> = Vec::new();
        let mut open = false;
        let mut behind_open = None;
        let tail = loop {
            let comments = self.comments();
            let (behind, above) = sorted(comments);
            open |= !comments.is_empty();
            match entries.last_mut() {
                Some(entry) => entry.behind = behind,
                None => behind_open = behind,
            }
            let Some(next) = self.peek() else {
                break above;
            };
            open |= next.gap.ends_line() && (next.kind != Kind::Close || !entries.is_empty());
            match next.kind {
                Kind::Close => {
                    self.at += 1;
                    break above;
                }
                _ => entries.push(self.entry(next.gap, above)),
            }
            if self.peek().is_some_and(|piece| piece.kind == Kind::Comma) {
                self.at += 1;
            }
        };
        open |= entries.iter().any(|entry| !entry.flat);
        let mut group = Group {
            shape: shape(opener.text, touches, &entries),
            behind_open,
            entries,
            tail,
            open,
            width: 0,
        };
        group.width = group.flat_width();
        group
    }
}

fn shape(opener: &str, touches: bool, entries: &[Entry<'_>]) -> Shape {
    let is_index = || match entries {
        [entry] => match entry.parts.as_slice() {
            [part] => matches!(&part.what, What::Token(piece) if piece.kind == Kind::Literal),
            _ => false,
        },
        _ => false,
    };
    match opener {
        "{" => Shape::Block,
        "(" if touches => Shape::Args,
        "(" => Shape::Paren,
        _ if touches && is_index() => Shape::Index,
        _ => Shape::List,
    }
}
