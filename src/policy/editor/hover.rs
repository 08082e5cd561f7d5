//! What is said of a place: a name with what it stands for, a word of the schema, a fact.

use std::fmt::Write as _;

use crate::policy::editor::context::{Context, block_of, first_word, row_of};
use crate::policy::editor::symbols::{Kind, Named, Symbols};
use crate::policy::effective::{Origin, Written, owner};
use crate::policy::files::Files;
use crate::policy::memory::Memory;
use crate::policy::model::{At, Policy};
use crate::policy::schema::{FACTS, Form, TOP};
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::{Item, Stmt, Tail};

/// What is said, and of which place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hover {
    /// The word that it is about.
    pub place: Place,
    /// Markdown.
    pub text: String,
    /// The name that it is about, where it is one: whoever knows more of it adds that.
    pub named: Option<(Kind, String)>,
}

/// What there is to say of byte `at` of a file. Without a `policy`, because it has mistakes, values are those that the text says.
pub fn hover(
    memory: &Memory<'_>,
    files: &Files,
    policy: Option<&Policy>,
    symbols: &Symbols,
    file: u16,
    at: u32,
) -> Option<Hover> {
    if let Some(named) = symbols.at(file, at) {
        return Some(Hover {
            place: named.place,
            text: of_name(memory, files, policy, symbols, named),
            named: Some((named.kind, named.name.clone())),
        });
    }
    let text = files.text(file);
    let end = word_end(text, at as usize);
    let context = Context::of(text, end);
    let word = context.word();
    if context.quoted || word.is_empty() {
        return None;
    }
    let place = Place {
        file,
        start: u32::try_from(end.saturating_sub(word.len())).ok()?,
        len: u32::try_from(word.len()).ok()?,
    };
    of_word(&context, word).map(|text| Hover {
        place,
        text,
        named: None,
    })
}

/// Where the word that holds this byte ends.
fn word_end(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let other = |char: char| !char.is_ascii_alphanumeric() && char != '_' && char != '.';
    at + rest.find(other).unwrap_or(rest.len())
}

fn of_word(context: &Context<'_>, word: &str) -> Option<String> {
    let is_first = context.statement == word;
    if is_first && let Some(block) = context.block() {
        let row = row_of(block, word)?;
        let mut text = format!("```policy\n{}\n```\n{}", row.form.shape(word), row.doc);
        if let Form::Field(of, Some(default)) = &row.form
            && let Some(default) = of.shown(default)
        {
            let _ = write!(text, "\n\nLeft out: `{default}`");
        }
        if row.later {
            text.push_str("\n\n*It has no effect in this release.*");
        }
        return Some(text);
    }
    if is_first && context.heads.is_empty() {
        let entry = TOP.iter().find(|entry| entry.word == word)?;
        return Some(format!("```policy\n{}\n```\n{}", entry.shape, entry.doc));
    }
    let fact = FACTS.iter().find(|fact| fact.word == word)?;
    Some(format!(
        "`{}`: {}\n\n{}",
        fact.word,
        fact.read.describe(),
        fact.doc
    ))
}

fn of_name(
    memory: &Memory<'_>,
    files: &Files,
    policy: Option<&Policy>,
    symbols: &Symbols,
    named: &Named,
) -> String {
    let mut text = format!("**{} `{}`**", named.kind.as_str(), named.name);
    let Some(declaration) = symbols.declaration(named.kind, &named.name) else {
        return text;
    };
    let whole = declaration.declares.unwrap_or(declaration.place);
    let (line, _) = files.line_column(whole.file, whole.start);
    let _ = write!(text, " — {}:{line}", files.name(whole.file));
    let doc = comment_above(files, whole);
    if !doc.is_empty() {
        let _ = write!(text, "\n\n{doc}");
    }
    match named.kind {
        Kind::Declared("const" | "alias" | "forbid") => {
            let _ = write!(
                text,
                "\n\n```policy\n{}\n```",
                first_lines(files.slice(whole))
            );
        }
        Kind::Declared(word) => {
            let fields = policy
                .and_then(|policy| effective(memory, files, policy, word, &named.name))
                .unwrap_or_else(|| written(memory, files, word, whole));
            if !fields.is_empty() {
                let _ = write!(text, "\n\n{fields}");
            }
        }
        Kind::Model => {
            let fields =
                policy.and_then(|policy| effective(memory, files, policy, "target", &named.name));
            if let Some(fields) = fields {
                let _ = write!(text, "\n\n{fields}");
            }
        }
    }
    text
}

/// Everything that holds for a provider, target or route, each with who says so.
fn effective(
    memory: &Memory<'_>,
    files: &Files,
    policy: &Policy,
    kind: &str,
    name: &str,
) -> Option<String> {
    // Of a route only its own text and what is written for all can say something.
    let other_route = |stmt: &Stmt<'_>| {
        stmt.key() == "route" && stmt.name().is_none_or(|(other, _)| other != name)
    };
    let items = memory
        .items()
        .filter(|item| !stmt_of(item).is_some_and(other_route));
    let owner = owner(policy, &Written::in_items(files, items), kind, name)?;
    let at = |at: At| {
        let line = format!("line {}", at.line);
        if at.file == owner.at.file {
            line
        } else {
            format!("{line} of {}", files.name(at.file))
        }
    };
    let rows = owner.settings.iter().map(|setting| {
        let origin = match setting.origin {
            Origin::Written(place) => format!("here, {}", at(place)),
            Origin::Defaults(place) => format!("defaults, {}", at(place)),
            Origin::Provider(place) => format!("its provider, {}", at(place)),
            Origin::Kind(kind) => format!("kind {kind}"),
            Origin::Catalogue => "catalogue".to_owned(),
            Origin::BuiltIn => "built in".to_owned(),
            Origin::Target => "each target".to_owned(),
        };
        row(&setting.field, &setting.value, &origin)
    });
    Some(format!("{HEAD}{}", rows.collect::<String>()))
}

const HEAD: &str = "| setting | value | origin |\n|---|---|---|\n";

fn row(field: &str, value: &str, origin: &str) -> String {
    let value = first_lines(value).replace('|', "\\|").replace('\n', " ");
    format!("| `{field}` | `{value}` | {origin} |\n")
}

/// The comment lines right above a statement, without their signs.
fn comment_above(files: &Files, whole: Place) -> String {
    let before = files
        .text(whole.file)
        .get(..whole.start as usize)
        .unwrap_or_default();
    let line = before.rfind('\n').map_or(0, |at| at + 1);
    if !before.get(line..).unwrap_or_default().trim().is_empty() {
        return String::new();
    }
    let above = before.get(..line).unwrap_or_default();
    let mut lines: Vec<&str> = above
        .lines()
        .rev()
        .map_while(|line| line.trim_start().strip_prefix('#'))
        .map(str::trim)
        .collect();
    lines.reverse();
    lines.join("\n")
}

fn first_lines(text: &str) -> String {
    /// More lines than this are not shown.
    const LINES_MAX: usize = 12;
    let mut lines: Vec<&str> = text.lines().take(LINES_MAX).collect();
    if text.lines().count() > LINES_MAX {
        lines.push("…");
    }
    lines.join("\n")
}

/// The fields of a block that hold something, each with who says so: the block itself or `defaults`. What neither says is built in.
fn written(memory: &Memory<'_>, files: &Files, word: &str, whole: Place) -> String {
    let Some(block) = block_of(word) else {
        return String::new();
    };
    let own = memory.item_at(whole.file, whole.start).and_then(stmt_of);
    let defaults = memory
        .items()
        .filter_map(stmt_of)
        .find(|stmt| stmt.key() == "defaults");
    let mut rows = String::new();
    for row in block.rows {
        if !matches!(row.form, Form::Field(..) | Form::Either(..)) {
            continue;
        }
        let here = own
            .and_then(|stmt| said(stmt, row.word))
            .map(|stmt| (stmt, "here"));
        let common = || {
            defaults
                .and_then(|stmt| said(stmt, row.word))
                .map(|stmt| (stmt, "defaults"))
        };
        let Some((stmt, origin)) = here.or_else(common) else {
            continue;
        };
        let (line, _) = files.line_column(stmt.place.file, stmt.place.start);
        let value = match (&stmt.tail, &stmt.body) {
            (Tail::Assign(value), _) => files.slice(value.place).to_owned(),
            (_, Some(body)) => files.slice(body.place).to_owned(),
            _ => continue,
        };
        rows.push_str(&self::row(
            row.word,
            &value,
            &format!("{origin}, line {line}"),
        ));
    }
    if rows.is_empty() {
        return String::new();
    }
    format!("{HEAD}{rows}\nWhat is left out is built in.")
}

fn stmt_of<'m, 't>(item: &'m Item<'t>) -> Option<&'m Stmt<'t>> {
    match item {
        Item::Stmt(stmt) => Some(stmt),
        _ => None,
    }
}

fn said<'m, 't>(stmt: &'m Stmt<'t>, word: &str) -> Option<&'m Stmt<'t>> {
    stmt.stmts()
        .iter()
        .find(|inner| first_word(inner.key()) == word)
}
