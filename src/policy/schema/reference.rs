//! docs/language/reference.md is these tables, written out. What stands between its `begin` and `end` marks is made
//! here and compared with the file; `UPDATE=1 cargo test --lib reference` writes it anew. The prose around the marks is
//! written by hand.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::base::Outcome;
use crate::policy::facts::Caps;
use crate::policy::kinds::KINDS;
use crate::policy::model::AuthStyle;
use crate::policy::schema::shown::{percent, span};
use crate::policy::schema::{Block, FACTS, Form, Row, Scope, TOP, Type, later};

#[test]
fn the_reference_is_what_the_tables_say() {
    let path = page();
    let text = fs::read_to_string(&path).unwrap();
    let mut wanted = text.clone();
    for (name, part) in [
        ("statements", statements()),
        ("blocks", blocks()),
        ("facts", facts()),
        ("outcomes", outcomes()),
        ("kinds", kinds()),
    ] {
        wanted = between(&wanted, name, &part);
    }
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, wanted).unwrap();
    } else {
        let drift = text.lines().zip(wanted.lines()).find(|(a, b)| a != b);
        assert!(
            text == wanted,
            "{} is behind the schema ({drift:?}): UPDATE=1 cargo test --lib reference",
            path.display()
        );
    }
}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/language/reference.md")
}

/// `text` with `part` between the marks of `name`.
fn between(text: &str, name: &str, part: &str) -> String {
    let begin = format!("<!-- begin {name} -->\n");
    let end = format!("<!-- end {name} -->");
    let (before, rest) = text
        .split_once(&begin)
        .unwrap_or_else(|| panic!("no `{begin}`"));
    let (_, after) = rest
        .split_once(&end)
        .unwrap_or_else(|| panic!("no `{end}`"));
    format!("{before}{begin}\n{part}\n{end}{after}")
}

fn statements() -> String {
    let mut out = "| statement | what it is for |\n|---|---|\n".to_owned();
    for entry in TOP {
        let later = if entry.later { LATER } else { "" };
        writeln!(out, "| {} | {}{later} |", code(entry.shape), entry.doc).unwrap();
    }
    out
}

/// Each block once, where it is met first.
fn blocks() -> String {
    let mut waiting: Vec<(String, &'static Block, bool)> = vec![
        ("provider NAME".to_owned(), &super::PROVIDER, false),
        ("breaker NAME".to_owned(), &super::BREAKER, false),
        ("retries NAME".to_owned(), &super::RETRIES, false),
        ("pool NAME".to_owned(), &super::POOL, false),
        ("tier N".to_owned(), &super::TIER, false),
        ("route NAME when …".to_owned(), &super::ROUTE, false),
        ("hedge after …".to_owned(), &super::HEDGE, false),
        ("shadow TARGET".to_owned(), &super::SHADOW, false),
        ("forbid NAME when …".to_owned(), &super::FORBID, false),
        ("defaults".to_owned(), &super::DEFAULTS, false),
        ("server".to_owned(), &super::SERVER, false),
        ("clients".to_owned(), &super::CLIENTS, false),
        ("telemetry".to_owned(), &super::TELEMETRY, false),
        ("model NAME".to_owned(), &super::MODEL, false),
        ("health NAME".to_owned(), &super::HEALTH, false),
        ("limit NAME".to_owned(), &later::LIMIT, true),
        ("budget NAME".to_owned(), &later::BUDGET, true),
        ("fleet".to_owned(), &later::FLEET, true),
        ("test \"name\"".to_owned(), &super::testing::TEST, false),
        ("drill NAME".to_owned(), &super::drill::DRILL, false),
        ("assume NAME".to_owned(), &super::drill::ASSUME, false),
        ("inject WHAT".to_owned(), &super::drill::INJECT, false),
        ("prove \"name\"".to_owned(), &super::testing::PROVE, false),
    ];
    let mut out = String::new();
    let mut seen = BTreeSet::new();
    let mut next = 0;
    while let Some((head, block, idle)) = waiting.get(next).cloned() {
        next += 1;
        if !seen.insert(block.words().collect::<Vec<_>>()) {
            continue;
        }
        section(&head, block, idle, &mut out);
        let mut at = next;
        for row in block.rows {
            if let Form::Block(inner) | Form::Either(_, inner) = row.form {
                let known = waiting.iter().any(|(_, other, _)| same(other, inner));
                if !known {
                    let owner = head.split(' ').next().unwrap();
                    let head = format!("{} of {owner}", row.word);
                    waiting.insert(at, (head, inner, idle || row.later));
                    at += 1;
                }
            }
        }
    }
    out.trim_end().to_owned() + "\n"
}

fn same(a: &Block, b: &Block) -> bool {
    a.words().eq(b.words())
}

fn section(head: &str, block: &Block, idle: bool, out: &mut String) {
    let (shape, of) = head.split_once(" of ").unwrap_or((head, ""));
    let of = if of.is_empty() {
        String::new()
    } else {
        format!(", in `{of}`")
    };
    let idle = if idle { LATER } else { "" };
    write!(out, "### `{shape} {{ … }}`{of}{idle}\n\n").unwrap();
    out.push_str("| field | takes | left out | what it does |\n|---|---|---|---|\n");
    for row in block.rows {
        let later = if row.later { LATER } else { "" };
        let (field, takes, left_out) = columns(row);
        let doc = row.doc.replace('|', "\\|");
        writeln!(out, "| {field} | {takes} | {left_out} | {doc}{later} |").unwrap();
    }
    out.push('\n');
}

fn columns(row: &Row) -> (String, String, String) {
    let none = "–".to_owned();
    match &row.form {
        Form::Field(of, default) => (
            code(row.word),
            takes(of),
            default.as_ref().map_or(none, |default| {
                code(&of.shown(default).expect("a default can be shown"))
            }),
        ),
        Form::Block(_) => (code(&format!("{} {{ … }}", row.word)), "block".into(), none),
        Form::Either(of, _) => (code(row.word), format!("{}, or a block", takes(of)), none),
        Form::Free(shape) => (code(shape), none.clone(), none),
    }
}

/// What a value may be, with its bounds.
fn takes(of: &Type) -> String {
    let text = match of {
        Type::Int(low, high) => format!("{}, {low} to {high}", of.describe()),
        Type::Span(low, high) => format!("{}, {} to {}", of.describe(), span(*low), span(*high)),
        Type::Percent(high) => format!("{}, up to {}", of.describe(), percent(*high)),
        Type::Word(words) => words
            .iter()
            .map(|word| code(word))
            .collect::<Vec<_>>()
            .join(", "),
        Type::List(inner) => format!("list of: {}", takes(inner)),
        Type::Secret
        | Type::Auth
        | Type::Roots
        | Type::Discover
        | Type::Inflight
        | Type::Pick
        | Type::Call(_) => of
            .describe()
            .split(" | ")
            .map(code)
            .collect::<Vec<_>>()
            .join(", "),
        _ => of.describe(),
    };
    text.replace('|', "\\|")
}

fn facts() -> String {
    let mut out = "| fact | type | read in | what it is |\n|---|---|---|---|\n".to_owned();
    for fact in FACTS {
        let scope = match fact.scope {
            Scope::Request => "`route`, `forbid`",
            Scope::Attempt => "`forbid`",
        };
        let index = match fact.word {
            "req.header" | "req.meta" => "[\"name\"]",
            _ => "",
        };
        let empty = if fact.word.starts_with("key.") {
            " (always empty yet)"
        } else {
            ""
        };
        writeln!(
            out,
            "| `{}{index}` | {} | {scope} | {}{empty} |",
            fact.word,
            fact.read.describe(),
            fact.doc
        )
        .unwrap();
    }
    out
}

fn outcomes() -> String {
    let words: Vec<_> = Outcome::ALL.map(|outcome| code(outcome.as_str())).to_vec();
    let any: Vec<_> = crate::base::OutcomeSet::ANY
        .iter()
        .map(|outcome| code(outcome.as_str()))
        .collect();
    let caps: Vec<_> = Caps::WORDS.iter().map(|(word, _)| code(word)).collect();
    format!(
        "Outcomes: {}.\n\n`any` is {}.\n\nWhat a model can do (`caps`, `require`): {}.\n",
        words.join(", "),
        any.join(", "),
        caps.join(", ")
    )
}

fn kinds() -> String {
    let mut out = "| kind | address | key | variable |\n|---|---|---|---|\n".to_owned();
    for kind in &KINDS {
        let (base, style, env) = match kind.word {
            "simulated" => ("inside the gateway".to_owned(), "none", None),
            _ => (
                kind.base_url
                    .map_or_else(|| "`base_url` is compulsory".to_owned(), code),
                match kind.style {
                    AuthStyle::Bearer => "`bearer`",
                    AuthStyle::ApiKey => "`api_key`",
                    AuthStyle::XApiKey => "`header(\"x-api-key\", …)`",
                    AuthStyle::SigV4 => "`sigv4`",
                    AuthStyle::XGoogApiKey => "`header(\"x-goog-api-key\", …)`",
                },
                kind.env,
            ),
        };
        let env = env.map_or_else(|| "no key unless `auth` names one".to_owned(), code);
        writeln!(out, "| `{}` | {base} | {style} | {env} |", kind.word).unwrap();
    }
    out
}

fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}

const LATER: &str = " *(no effect yet)*";
