//! Where in a policy a place is, told from the text before it alone: while somebody types, nothing has to parse.

use crate::policy::schema::{
    self, BREAKER, Block, CLASSIFY, CLIENTS, DEFAULTS, FALLBACK, FORBID, Form, GUARD, HEALTH,
    HEDGE, MODEL, POOL, PROVIDER, RETRIES, ROUTE, SERVER, SHADOW, TELEMETRY, TIER, drill, later,
    testing,
};

/// A place in a text.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Context<'t> {
    /// What stands before each open brace, outermost first, such as `route chat when req.stream`.
    pub(super) heads: Vec<&'t str>,
    /// The statement from its beginning to the place.
    pub(super) statement: &'t str,
    /// Whether the place is in a string or a comment.
    pub(super) quoted: bool,
}

impl<'t> Context<'t> {
    /// That of a byte of a text.
    pub(super) fn of(text: &'t str, at: usize) -> Self {
        let mut scan = Scan::default();
        let before = text.get(..at).unwrap_or(text);
        for (here, byte) in before.bytes().enumerate() {
            scan.step(before, here, byte);
        }
        let heads = scan.open.iter().filter_map(|open| open.head);
        Self {
            heads: heads
                .map(|(start, end)| slice(before, start, end).trim())
                .collect(),
            statement: slice(before, scan.start, before.len()).trim_start(),
            quoted: scan.comment || scan.string,
        }
    }

    /// The innermost block, where the schema knows it.
    pub(super) fn block(&self) -> Option<&'static Block> {
        let (first, inner) = self.heads.split_first()?;
        let mut block = block_of(first_word(first))?;
        for head in inner {
            block = inner_block(block, first_word(head))?;
        }
        Some(block)
    }

    /// The name, path or part of one that ends at the place.
    pub(super) fn word(&self) -> &'t str {
        let other = |char: char| !char.is_ascii_alphanumeric() && char != '_' && char != '.';
        let start = self.statement.rfind(other).map_or(0, |at| at + 1);
        self.statement.get(start..).unwrap_or_default()
    }
}

fn slice(text: &str, start: usize, end: usize) -> &str {
    text.get(start..end).unwrap_or_default()
}

/// The first word of a statement.
pub(super) fn first_word(statement: &str) -> &str {
    let other = |char: char| !char.is_ascii_alphanumeric() && char != '_';
    let end = statement.find(other).unwrap_or(statement.len());
    statement.get(..end).unwrap_or_default()
}

#[derive(Default)]
struct Scan {
    open: Vec<Open>,
    /// Where the statement begins.
    start: usize,
    comment: bool,
    string: bool,
    escaped: bool,
}

/// An open bracket.
struct Open {
    /// What stands before it, where it is a brace.
    head: Option<(usize, usize)>,
}

impl Scan {
    fn step(&mut self, text: &str, here: usize, byte: u8) {
        if self.comment {
            if byte == b'\n' {
                self.comment = false;
                self.line(text, here);
            }
            return;
        }
        if self.string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' | b'\n' => self.string = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'#' => self.comment = true,
            b'"' => self.string = true,
            b'{' => {
                let head = Some((self.start, here));
                self.open.push(Open { head });
                self.start = here + 1;
            }
            b'(' | b'[' => self.open.push(Open { head: None }),
            b'}' | b')' | b']' => {
                self.open.pop();
                if byte == b'}' {
                    self.start = here + 1;
                }
            }
            b',' if self.in_statements() => self.start = here + 1,
            b'\n' => self.line(text, here),
            _ => {}
        }
    }

    fn in_statements(&self) -> bool {
        self.open.last().is_none_or(|open| open.head.is_some())
    }

    /// A statement ends with its line, but after an operator.
    fn line(&mut self, text: &str, here: usize) {
        let said = slice(text, self.start, here).trim_end();
        let word = said.rsplit([' ', '\t', '\n']).next().unwrap_or_default();
        let goes_on = said.ends_with(['=', '<', '>'])
            || [
                "and",
                "or",
                "not",
                "in",
                "like",
                "starts_with",
                "ends_with",
                "contains",
            ]
            .contains(&word);
        if self.in_statements() && !goes_on {
            self.start = here + 1;
        }
    }
}

/// The block that a statement at the top opens.
pub(super) fn block_of(word: &str) -> Option<&'static Block> {
    Some(match word {
        "provider" => &PROVIDER,
        "breaker" => &BREAKER,
        "health" => &HEALTH,
        "retries" => &RETRIES,
        "pool" => &POOL,
        "forbid" => &FORBID,
        "route" => &ROUTE,
        "defaults" => &DEFAULTS,
        "server" => &SERVER,
        "clients" => &CLIENTS,
        "telemetry" => &TELEMETRY,
        "fleet" => &later::FLEET,
        "limit" => &later::LIMIT,
        "budget" => &later::BUDGET,
        "drill" => &drill::DRILL,
        "test" | "prove" => &testing::TEST,
        _ => return None,
    })
}

/// The block that a statement in a block opens.
pub(super) fn inner_block(block: &'static Block, word: &str) -> Option<&'static Block> {
    match &block.row(word)?.form {
        Form::Block(inner) | Form::Either(_, inner) => Some(inner),
        Form::Field(..) => None,
        Form::Free(_) => Some(match word {
            "model" => &MODEL,
            "tier" => &TIER,
            "hedge" => &HEDGE,
            "shadow" => &SHADOW,
            "inject" => &drill::INJECT,
            "fallback" => &FALLBACK,
            "guard" => &GUARD,
            "classify" => &CLASSIFY,
            _ => return None,
        }),
    }
}

/// The row of the schema that a word begins in a block.
pub(super) fn row_of(block: &'static Block, word: &str) -> Option<&'static schema::Row> {
    block.row(word)
}

#[cfg(test)]
mod tests {
    use super::Context;

    fn context(text: &str) -> Context<'_> {
        Context::of(text, text.len())
    }

    #[test]
    fn places_know_their_blocks_and_statements() {
        let here =
            context("policy 1\nroute chat when req.stream {\n  tier 1 { openai.mini weight 7, op");
        assert_eq!(here.heads, ["route chat when req.stream", "tier 1"]);
        assert_eq!(here.statement, "op");
        assert_eq!(here.block().unwrap().word, "tier");

        let here = context("provider openai { model m = \"}\" # {\n  auth = bearer(env(\"X\"), ");
        assert_eq!(here.heads, ["provider openai"]);
        assert_eq!(here.statement, "auth = bearer(env(\"X\"), ");

        let here = context("route a when req.stream and\n  req.mo");
        assert_eq!(here.statement, "route a when req.stream and\n  req.mo");
        assert_eq!(here.word(), "req.mo");
        assert!(context("alias \"x").quoted && context("# x").quoted);
    }
}
