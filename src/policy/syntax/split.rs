//! Cuts a file into top-level items by brackets, strings and comments alone, in one pass over its bytes. Each item is
//! then parsed by itself: a mistake in one costs nothing but that one. Knows no grammar.

use std::ops::Range;

use crate::base::limits::{POLICY_DEPTH_MAX, POLICY_ITEMS_MAX};

/// One top-level item.
#[derive(Debug, Eq, PartialEq)]
pub(in crate::policy) struct Chunk {
    /// Its bytes.
    pub(in crate::policy) range: Range<usize>,
    /// Whether its brackets and strings are in order; where they are not, a [`Fault`] says so.
    pub(in crate::policy) sound: bool,
}

/// What is wrong with brackets and strings.
#[derive(Debug, Eq, PartialEq)]
pub(in crate::policy) struct Fault {
    /// Where.
    pub(in crate::policy) at: Range<usize>,
    /// What.
    pub(in crate::policy) kind: FaultKind,
}

/// Kinds of [`Fault`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::policy) enum FaultKind {
    /// This bracket is never closed.
    Unclosed(u8),
    /// This bracket closes nothing.
    Stray(u8),
    /// The string that begins here does not end on its line.
    OpenString,
    /// More than [`POLICY_DEPTH_MAX`] brackets are open here.
    TooDeep,
}

/// The items of `text` in order, and what is wrong with them.
pub(in crate::policy) fn split(text: &str) -> (Vec<Chunk>, Vec<Fault>) {
    let mut strict = Splitter::new(text, false);
    strict.run();
    if strict.ended_open {
        // A bracket is missing somewhere: the rest of the file hangs inside one item. Cut again and let words that
        // only begin top-level items, at the beginning of a line, end the item before them.
        let mut lenient = Splitter::new(text, true);
        lenient.run();
        return (lenient.chunks, lenient.faults);
    }
    (strict.chunks, strict.faults)
}

/// Words that begin a top-level item and nothing else.
const TOP_WORDS: [&str; 14] = [
    "alias", "clients", "const", "defaults", "drill", "forbid", "import", "policy", "pool",
    "prove", "provider", "route", "server", "test",
];

/// Words after which a line goes on.
const OPEN_WORDS: [&[u8]; 8] = [
    b"and",
    b"or",
    b"not",
    b"in",
    b"like",
    b"starts_with",
    b"ends_with",
    b"contains",
];

struct Splitter<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    lenient: bool,
    chunks: Vec<Chunk>,
    faults: Vec<Fault>,
    ended_open: bool,
}

/// Whether a byte says nothing about where items begin and end.
const fn is_plain(byte: u8) -> bool {
    !matches!(
        byte,
        b' ' | b'\t' | b'\r' | b'\n' | b'#' | b'"' | b'{' | b'(' | b'[' | b'}' | b')' | b']'
    )
}

/// What is known about the item that is being read.
struct Scan {
    start: usize,
    /// One past the last byte that is not blank or comment.
    end: usize,
    sound: bool,
    /// A string is open somewhere: brackets no longer tell where the item ends.
    lost: bool,
    /// Opening brackets: where, and the indentation of their line.
    open: Vec<(usize, u8, usize)>,
    /// Brackets open beyond those: so deep that it does not matter any more which.
    deeper: usize,
    /// The opener whose closer stands at another indentation: likely where one is missing.
    suspect: Option<(usize, u8)>,
    indent: usize,
    line_is_blank: bool,
}

impl<'t> Splitter<'t> {
    const fn new(text: &'t str, lenient: bool) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            lenient,
            chunks: Vec::new(),
            faults: Vec::new(),
            ended_open: false,
        }
    }

    fn run(&mut self) {
        // One more than there may be tells that there are too many.
        while let Some(byte) = self.peek()
            && self.chunks.len() <= POLICY_ITEMS_MAX
        {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                b'#' => self.comment(),
                _ => self.item(),
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn comment(&mut self) {
        self.skip(|byte| byte != b'\n');
    }

    /// Goes on to the next byte that is not so.
    fn skip(&mut self, is: impl Fn(u8) -> bool) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| !is(*byte));
        self.at += length.unwrap_or(rest.len());
    }

    fn item(&mut self) {
        let mut scan = Scan {
            start: self.at,
            end: self.at,
            sound: true,
            lost: false,
            open: Vec::new(),
            deeper: 0,
            suspect: None,
            indent: 0,
            line_is_blank: true,
        };
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' => {
                    let over = if scan.lost || !scan.open.is_empty() {
                        (scan.lost || self.lenient) && self.begins_item(self.at + 1)
                    } else {
                        !self.goes_on(&scan)
                    };
                    if over {
                        break;
                    }
                    self.at += 1;
                    scan.indent = 0;
                    scan.line_is_blank = true;
                    continue;
                }
                b'#' => {
                    self.comment();
                    continue;
                }
                b' ' | b'\t' | b'\r' => {
                    let start = self.at;
                    self.skip(|byte| matches!(byte, b' ' | b'\t' | b'\r'));
                    scan.indent += usize::from(scan.line_is_blank) * (self.at - start);
                    continue;
                }
                b'"' => self.string(&mut scan),
                b'{' | b'(' | b'[' => self.open(byte, &mut scan),
                b'}' | b')' | b']' => self.close(byte, &mut scan),
                _ => self.skip(is_plain),
            }
            scan.line_is_blank = false;
            scan.end = self.at;
        }
        self.finish(scan);
    }

    fn finish(&mut self, mut scan: Scan) {
        if let Some(&(at, byte, _)) = scan.open.last() {
            self.ended_open |= !scan.lost;
            // An item that is too deep has been reported; its missing closers would only repeat that.
            if scan.sound {
                let (at, byte) = scan.suspect.unwrap_or((at, byte));
                self.fault(at..at + 1, FaultKind::Unclosed(byte));
            }
            scan.sound = false;
        }
        self.chunks.push(Chunk {
            range: scan.start..scan.end,
            sound: scan.sound,
        });
    }

    fn string(&mut self, scan: &mut Scan) {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    self.at += 1;
                    return;
                }
                b'\n' => break,
                b'\\'
                    if self
                        .bytes
                        .get(self.at + 1)
                        .is_some_and(|&next| next != b'\n') =>
                {
                    self.at += 2;
                }
                _ => self.at += 1,
            }
        }
        if scan.sound {
            self.fault(start..self.at, FaultKind::OpenString);
        }
        scan.sound = false;
        scan.lost = true;
    }

    fn open(&mut self, byte: u8, scan: &mut Scan) {
        if scan.open.len() < POLICY_DEPTH_MAX {
            scan.open.push((self.at, byte, scan.indent));
        } else {
            if scan.sound {
                self.fault(self.at..self.at + 1, FaultKind::TooDeep);
                scan.sound = false;
            }
            scan.deeper += 1;
        }
        self.at += 1;
    }

    fn close(&mut self, byte: u8, scan: &mut Scan) {
        if scan.deeper > 0 {
            scan.deeper -= 1;
            self.at += 1;
            return;
        }
        match scan.open.pop() {
            None => {
                if scan.sound {
                    self.fault(self.at..self.at + 1, FaultKind::Stray(byte));
                }
                scan.sound = false;
            }
            Some((at, opener, indent)) => {
                if closer_of(opener) != byte {
                    if scan.sound {
                        self.fault(at..at + 1, FaultKind::Unclosed(opener));
                    }
                    scan.sound = false;
                    // The closer may belong to the bracket outside.
                    let fits = |&&(_, outer, _): &&(usize, u8, usize)| closer_of(outer) == byte;
                    if scan.open.last().as_ref().is_some_and(fits) {
                        scan.open.pop();
                    }
                } else if scan.line_is_blank && indent != scan.indent {
                    scan.suspect.get_or_insert((at, opener));
                }
            }
        }
        self.at += 1;
    }

    fn fault(&mut self, at: Range<usize>, kind: FaultKind) {
        self.faults.push(Fault { at, kind });
    }

    /// Whether the item goes on after the newline at `self.at`.
    fn goes_on(&self, scan: &Scan) -> bool {
        let before = self.bytes.get(scan.start..scan.end).unwrap_or_default();
        let word_open = OPEN_WORDS.iter().any(|word| {
            before
                .strip_suffix(*word)
                .is_some_and(|rest| !rest.last().is_some_and(|&byte| is_word(byte)))
        });
        if word_open || matches!(before.last(), Some(b'=' | b'<' | b'>')) {
            return true;
        }
        let mut rest = self.bytes.get(self.at..).unwrap_or_default();
        while let Some((&first, after)) = rest.split_first() {
            match first {
                b' ' | b'\t' | b'\r' | b'\n' => rest = after,
                b'#' => {
                    let line = after.iter().position(|&byte| byte == b'\n');
                    rest = line.and_then(|line| after.get(line..)).unwrap_or_default();
                }
                _ => break,
            }
        }
        let word = rest.iter().position(|&byte| !is_word(byte));
        matches!(rest.get(..word.unwrap_or(rest.len())), Some(b"and" | b"or"))
    }

    /// Whether a top-level item begins at the line that starts at `at`.
    fn begins_item(&self, at: usize) -> bool {
        let line = self.text.get(at..).unwrap_or_default();
        TOP_WORDS.iter().any(|word| {
            line.strip_prefix(word)
                .is_some_and(|rest| rest.starts_with([' ', '\t', '{']))
        })
    }
}

const fn closer_of(opener: u8) -> u8 {
    match opener {
        b'{' => b'}',
        b'(' => b')',
        _ => b']',
    }
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::{FaultKind, split};

    fn items(text: &str) -> Vec<&str> {
        let (chunks, _) = split(text);
        chunks
            .into_iter()
            .map(|chunk| text.get(chunk.range).unwrap())
            .collect()
    }

    #[test]
    fn items_end_at_top_level_newlines() {
        assert_eq!(
            items(
                "# head\npolicy 1 # one\n\nroute a when x ==\n  1\n  # why\n  and y { b\n }\r\nc"
            ),
            [
                "policy 1",
                "route a when x ==\n  1\n  # why\n  and y { b\n }",
                "c"
            ]
        );
    }

    #[test]
    fn a_missing_brace_costs_one_item() {
        let text = "route a {\n  tier 1 { b\n}\nroute c { d }\n";
        let (chunks, faults) = split(text);
        assert_eq!(chunks.len(), 2);
        assert!(chunks[1].sound);
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].kind, FaultKind::Unclosed(b'{'));
        assert_eq!(faults[0].at.start, text.find("{ b").unwrap());
    }

    #[test]
    fn strings_hide_brackets_and_end_with_their_line() {
        assert_eq!(items("a \"{#\\\"\"\nb"), ["a \"{#\\\"\"", "b"]);
        let (chunks, faults) = split("a \"x {\n  b\n}\nroute c { d }");
        assert_eq!(chunks.len(), 2);
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].kind, FaultKind::OpenString);
    }
}
