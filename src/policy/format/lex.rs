//! Cuts the text of an item into pieces from which only blanks are missing. The text has been parsed before: what fits
//! the grammar nowhere does not come here.

/// A token or a comment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Piece<'t> {
    /// What it is.
    pub(super) kind: Kind,
    /// As it is written; a comment has its `#`, and no blanks behind it.
    pub(super) text: &'t str,
    /// What stands before it.
    pub(super) gap: Gap,
}

/// Kinds of [`Piece`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// A name with its dots, or a word of the language.
    Word,
    /// A number with its unit, a range, an amount, a string.
    Literal,
    /// `=`, `->` or a comparison.
    Sign,
    /// `{`, `(`, `[`
    Open,
    /// `}`, `)`, `]`
    Close,
    /// `,`
    Comma,
    /// `# …`
    Comment,
}

/// Blanks and line ends before a piece.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Gap {
    /// Nothing.
    None,
    /// One blank.
    Blank,
    /// More than that, or a tab: what people do to make columns.
    Wide,
    /// It is the first one of its line.
    Line,
    /// The same, with an empty line before.
    EmptyLine,
}

impl Gap {
    /// Whether a line ended here.
    pub(super) const fn ends_line(self) -> bool {
        matches!(self, Self::Line | Self::EmptyLine)
    }
}

impl Piece<'_> {
    /// Whether a condition goes on with this word.
    pub(super) fn joins(&self) -> bool {
        self.kind == Kind::Word && matches!(self.text, "and" | "or")
    }

    /// Whether the line after this piece still belongs to the statement.
    pub(super) fn goes_on(&self) -> bool {
        match self.kind {
            Kind::Sign => self.text != "->",
            Kind::Word => {
                self.joins()
                    || matches!(
                        self.text,
                        "in" | "like" | "starts_with" | "ends_with" | "contains"
                    )
            }
            _ => false,
        }
    }

    /// Whether a bracket behind this word, without a blank between them, belongs to it: `hash(…)`, `vllm[0..1]`.
    pub(super) fn is_name(&self) -> bool {
        self.kind == Kind::Word && !self.goes_on() && !matches!(self.text, "when" | "on" | "not")
    }
}

/// The pieces of one item.
pub(super) fn item(text: &str) -> Vec<Piece<'_>> {
    let mut lexer = Lexer {
        rest: text,
        returns_end_lines: true,
    };
    let mut pieces = Vec::new();
    while let (gap, Some(first)) = lexer.gap() {
        let (kind, len) = measure(lexer.rest, first, true);
        pieces.push(lexer.take(kind, len, gap));
    }
    pieces
}

/// The comments between two items, and the gap behind the last one. There a carriage return alone ends no line: the
/// splitter takes it for a blank, and for a part of a comment.
pub(super) fn between(text: &str) -> (Vec<Piece<'_>>, Gap) {
    let mut lexer = Lexer {
        rest: text,
        returns_end_lines: false,
    };
    let mut comments = Vec::new();
    loop {
        let (gap, first) = lexer.gap();
        let Some(first) = first else {
            return (comments, gap);
        };
        let (kind, len) = measure(lexer.rest, first, false);
        comments.push(lexer.take(kind, len, gap));
    }
}

struct Lexer<'t> {
    rest: &'t str,
    returns_end_lines: bool,
}

impl<'t> Lexer<'t> {
    /// Passes over blanks and line ends; the character behind them.
    fn gap(&mut self) -> (Gap, Option<char>) {
        let blank = |char: char| matches!(char, ' ' | '\t' | '\r' | '\n');
        let after = self.rest.trim_start_matches(blank);
        let len = self.rest.len() - after.len();
        let passed = self.rest.get(..len).unwrap_or_default();
        self.rest = after;
        let mut lines = passed.matches('\n').count();
        if self.returns_end_lines {
            lines += passed.matches('\r').count() - passed.matches("\r\n").count();
        }
        let gap = match (lines, passed) {
            (0, "") => Gap::None,
            (0, " ") => Gap::Blank,
            (0, _) => Gap::Wide,
            (1, _) => Gap::Line,
            _ => Gap::EmptyLine,
        };
        (gap, after.chars().next())
    }

    fn take(&mut self, kind: Kind, len: usize, gap: Gap) -> Piece<'t> {
        let (text, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, ""));
        self.rest = rest;
        let text = match kind {
            Kind::Comment => text.trim_end_matches([' ', '\t', '\r']),
            _ => text,
        };
        Piece { kind, text, gap }
    }
}

/// The piece at the beginning of `text`, and its length in bytes.
fn measure(text: &str, first: char, returns_end_lines: bool) -> (Kind, usize) {
    let ends_line = |char: char| char == '\n' || returns_end_lines && char == '\r';
    match first {
        '#' => (Kind::Comment, text.find(ends_line).unwrap_or(text.len())),
        '"' => (Kind::Literal, string(text)),
        '{' | '(' | '[' => (Kind::Open, 1),
        '}' | ')' | ']' => (Kind::Close, 1),
        ',' => (Kind::Comma, 1),
        '0'..='9' | '$' => {
            let within = |char: char| is_word(char) || matches!(char, '.' | '%' | '/' | '$');
            let end = text.find(|char| !within(char));
            (Kind::Literal, end.unwrap_or(text.len()))
        }
        _ if is_word(first) => (Kind::Word, path(text)),
        _ => {
            let long = ["->", "==", "!=", "<=", ">="]
                .into_iter()
                .any(|sign| text.starts_with(sign));
            (Kind::Sign, if long { 2 } else { first.len_utf8() })
        }
    }
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// `openai`, `req.has.tools`, `openai.*`
fn path(text: &str) -> usize {
    let mut len = 0;
    loop {
        let rest = text.get(len..).unwrap_or_default();
        len += rest.find(|char| !is_word(char)).unwrap_or(rest.len());
        let rest = text.get(len..).unwrap_or_default();
        match rest.strip_prefix('.').and_then(|rest| rest.chars().next()) {
            Some('*') => return len + 2,
            Some(next) if is_word(next) => len += 1,
            _ => return len,
        }
    }
}

const fn is_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}

#[cfg(test)]
mod tests {
    use super::{Gap, between, item};

    fn texts(text: &str) -> Vec<&str> {
        item(text).iter().map(|piece| piece.text).collect()
    }

    #[test]
    fn pieces_are_what_the_grammar_calls_tokens() {
        assert_eq!(
            texts("a.b.* weight 5%,x=$1.25/Mtok\t# end \r\n\"q \\\" #\"(15s..2m)->y<=600/m"),
            [
                "a.b.*",
                "weight",
                "5%",
                ",",
                "x",
                "=",
                "$1.25/Mtok",
                "# end",
                "\"q \\\" #\"",
                "(",
                "15s..2m",
                ")",
                "->",
                "y",
                "<=",
                "600/m"
            ]
        );
    }

    #[test]
    fn gaps_tell_lines_and_columns() {
        let gaps: Vec<Gap> = item("a b  c\td\r\ne\n \nf,g\r\rh")
            .iter()
            .map(|piece| piece.gap)
            .collect();
        let (none, wide) = (Gap::None, Gap::Wide);
        assert_eq!(
            gaps,
            [
                none,
                Gap::Blank,
                wide,
                wide,
                Gap::Line,
                Gap::EmptyLine,
                none,
                none,
                Gap::EmptyLine
            ]
        );
    }

    #[test]
    fn between_items_a_return_ends_no_comment() {
        let (comments, gap) = between("  # a\rb \r\n\n# c\n\n");
        assert_eq!(comments.len(), 2);
        assert_eq!((comments[0].text, comments[0].gap), ("# a\rb", Gap::Wide));
        assert_eq!((comments[1].text, comments[1].gap), ("# c", Gap::EmptyLine));
        assert_eq!(gap, Gap::EmptyLine);
    }
}
