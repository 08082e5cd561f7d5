//! What an author most likely meant where the grammar gave up. The parser only says how far it came; the text around
//! that place says the rest. Its own list of expected rules is of no use to anyone who does not know the grammar.

use crate::policy::diag::{Diagnostic, syntax};
use crate::policy::syntax::Place;

/// The diagnostic for an item that stops fitting the grammar at byte `at` of `text`; `base` is where `text` begins.
pub(in crate::policy) fn explain(text: &str, at: usize, file: u16, base: u32) -> Diagnostic {
    let (before, after) = give_up(text, at);
    let at = before.len();
    let place = |start: usize, len: usize| Place {
        file,
        start: base.saturating_add(u32::try_from(start).unwrap_or(u32::MAX)),
        len: u32::try_from(len).unwrap_or(u32::MAX),
    };
    let token = token(after);
    let here = place(at, token.len());
    if token == "=" && in_condition(before) {
        return syntax::assign_in_condition(here);
    }
    if let Some(&(_, message, help)) = FOREIGN.iter().find(|(sign, ..)| after.starts_with(sign)) {
        return syntax::misfit(here, message.to_owned(), "", help);
    }
    let trimmed = before.trim_end_matches([' ', '\t']);
    let ends = token.is_empty() || token.starts_with(['{', '}', ')', ']', ',']);
    if token.is_empty() || ends && missing_after(before.trim_end()).is_some() {
        return missing_value(before.trim_end(), place);
    }
    if let Some(diagnostic) = bad_number(before, token, here) {
        return diagnostic;
    }
    let starts_statement =
        token.starts_with(|first: char| first.is_ascii_alphabetic() || "\"_[".contains(first));
    if starts_statement && !RESERVED.contains(&token) && ends_value(trimmed) {
        let last = last_token(trimmed);
        return syntax::comma_missing(here, place(trimmed.len() - last.len(), last.len()));
    }
    if RESERVED.contains(&token) {
        let message = format!("`{token}` is a word of the language and cannot stand here");
        return syntax::misfit(here, message, "", reserved_help(token));
    }
    if !token.is_ascii() && !token.starts_with('"') {
        let message = format!("`{token}` is not a letter that a name may have");
        let help = "names are made of a–z, 0–9 and `_`; other text belongs in quotes";
        return syntax::misfit(here, message, "", help);
    }
    let help = "a statement is words, then `= value` or `-> target`, then `{ block }`";
    let message = if token.starts_with('"') {
        "this string is not expected here".to_owned()
    } else {
        format!("`{token}` is not expected here")
    };
    syntax::misfit(here, message, "", help)
}

/// Whether a declaration can be called so.
pub fn is_name(text: &str) -> bool {
    let part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let begins = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    begins && text.bytes().all(part) && !RESERVED.contains(&text)
}

/// Where the grammar really gave up. It reports the furthest place at which it tried a named rule; a closing bracket
/// there was accepted (the splitter has matched all brackets), unless a value is missing before it.
fn give_up(text: &str, at: usize) -> (&str, &str) {
    let blank = [' ', '\t'];
    let mut at = at;
    loop {
        let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
        let rest = after.trim_start_matches(blank);
        let closes = rest.starts_with(['}', ')', ']']);
        if !closes || missing_after(before.trim_end()).is_some() {
            return text
                .split_at_checked(text.len() - rest.len())
                .unwrap_or((text, ""));
        }
        at = text.len() - rest.len() + 1;
    }
}

/// The sign or word at the end of `line` that wants something behind it.
fn missing_after(line: &str) -> Option<&'static str> {
    const SIGNS: [&str; 8] = ["->", "==", "!=", "<=", ">=", "=", "<", ">"];
    const WORDS: [&str; 7] = ["and", "or", "not", "in", "like", "when", "on"];
    let word = line
        .rsplit(|char: char| !char.is_ascii_alphanumeric() && char != '_')
        .next();
    let sign = SIGNS.into_iter().find(|sign| line.ends_with(sign));
    sign.or_else(|| WORDS.into_iter().find(|known| word == Some(known)))
}

pub(super) const RESERVED: [&str; 14] = [
    "when",
    "on",
    "else",
    "and",
    "or",
    "not",
    "in",
    "like",
    "starts_with",
    "ends_with",
    "contains",
    "policy",
    "import",
    "const",
];

/// What other languages have, and what this one has instead.
const FOREIGN: [(&str, &str, &str); 16] = [
    ("&&", "`&&` is not an operator here", "write `and`"),
    ("||", "`||` is not an operator here", "write `or`"),
    (
        "=>",
        "`=>` is not an arrow here",
        "a target stands after `->`",
    ),
    (
        "=~",
        "there are no regular expressions",
        "`like \"gpt-5*\"`, `starts_with`, `ends_with` and `contains` have a known cost",
    ),
    (
        "!=",
        "`!=` is not expected here",
        "it stands between two values",
    ),
    (
        "!",
        "`!` is not an operator here",
        "write `not`, or `!=` between two values",
    ),
    (
        "//",
        "a comment begins with `#`",
        "write `#` instead of `//`",
    ),
    (
        "/*",
        "a comment begins with `#`",
        "there are no block comments; begin each line with `#`",
    ),
    (
        ";",
        "`;` ends nothing here",
        "a statement ends at a newline or a comma",
    ),
    (
        ":",
        "`:` is not expected here",
        "a field is written `name = value`",
    ),
    ("'", "strings stand in double quotes", "write `\"…\"`"),
    ("“", "this is a typographic quote", "write the plain `\"`"),
    (
        "+",
        "there is no arithmetic",
        "write the value out; a `const` can hold it",
    ),
    (
        "*",
        "`*` is not expected here",
        "`provider.*` is the model that the client asked for; patterns stand in quotes after `like`",
    ),
    (
        "->",
        "`->` is not expected here",
        "an arrow stands once in a statement, before its target",
    ),
    (
        "-",
        "there are no negative numbers and no arithmetic",
        "an arrow is written `->`",
    ),
];

fn reserved_help(token: &str) -> &'static str {
    match token {
        "when" => "one `when` a statement; join conditions with `and` and `or`",
        "on" => "`on` begins a line of `fallback`",
        "else" => "`else -> …` is the last line of `fallback`",
        "policy" | "import" | "const" => "it begins a statement at the top of a file",
        _ => "an operator stands between two values",
    }
}

/// The token at the beginning of `text`: a word with its dots, a number, or one other character. Empty at a line's end.
fn token(text: &str) -> &str {
    let word = text
        .find(|char: char| !char.is_ascii_alphanumeric() && !"_.%".contains(char))
        .unwrap_or(text.len());
    let len = match text.chars().next() {
        None | Some('\n' | '\r' | '#') => 0,
        Some('"') => text
            .get(1..)
            .and_then(|rest| rest.find('"'))
            .map_or(1, |end| end + 2),
        Some(_) if word > 0 => word,
        Some(first) => first.len_utf8(),
    };
    text.get(..len).unwrap_or_default()
}

fn last_token(text: &str) -> &str {
    let from = text
        .rfind(|char: char| !char.is_ascii_alphanumeric() && !"_.%$/".contains(char))
        .map_or(0, |at| {
            at + text
                .get(at..)
                .and_then(|rest| rest.chars().next())
                .map_or(1, char::len_utf8)
        });
    match text.get(from..) {
        Some(token) if !token.is_empty() => token,
        _ => text.get(text.len().saturating_sub(1)..).unwrap_or_default(),
    }
}

/// The part of `before` that belongs to the statement that is being read.
fn statement(before: &str) -> &str {
    let from = before.rfind(['\n', '{', ',']).map_or(0, |at| at + 1);
    before.get(from..).unwrap_or_default()
}

fn in_condition(before: &str) -> bool {
    let mut words = statement(before).split([' ', '\t', '(']);
    words.any(|word| matches!(word, "when" | "on" | "and" | "or" | "not"))
}

/// Whether a statement could end after `before`: it holds a value or a block already.
fn ends_value(before: &str) -> bool {
    let closed = before.ends_with([')', ']', '}', '"', '%'])
        || before.ends_with(|last: char| last.is_ascii_alphanumeric());
    closed && (before.ends_with('}') || statement(before).contains(['=', '>']))
}

fn missing_value(line: &str, place: impl Fn(usize, usize) -> Place) -> Diagnostic {
    let Some(sign) = missing_after(line) else {
        return syntax::misfit(
            place(line.len(), 0),
            "the statement is not complete".to_owned(),
            "more is expected here",
            "a statement is words, then `= value` or `-> target`, then `{ block }`",
        );
    };
    let help = if RESERVED.contains(&sign) {
        "it is a word of the language, and cannot be a name"
    } else {
        ""
    };
    syntax::misfit(
        place(line.len() - sign.len(), sign.len()),
        format!("something is missing after `{sign}`"),
        "nothing follows",
        help,
    )
}

fn bad_number(before: &str, token: &str, here: Place) -> Option<Diagnostic> {
    let first = token.chars().next()?;
    if first.is_ascii_digit() && token.contains(|char: char| char.is_ascii_alphabetic()) {
        return Some(syntax::misfit(
            here,
            format!("`{token}` is not a number with a unit of the language"),
            "",
            "units are `us ms s m h d`, `%`, `k M`, `KiB MiB GiB`, `/s /m /h /d`, without a blank before them",
        ));
    }
    let after_digit = before.ends_with(|last: char| last.is_ascii_digit());
    (first == '/' && after_digit).then(|| {
        let help = "rates are `/s`, `/m`, `/h`, `/d` and `/month`; prices are `$1.25/Mtok`";
        syntax::misfit(
            here,
            "this is not a unit of the language".to_owned(),
            "",
            help,
        )
    })
}
