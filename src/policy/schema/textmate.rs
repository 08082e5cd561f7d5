//! docs/editor/vscode/syntaxes/switchover.tmLanguage.json: how editors colour a policy. Made from the words of the schema and compared
//! with the file; `UPDATE=1 cargo test --lib textmate` writes it anew. The regular expressions are those that both Oniguruma, which
//! editors use, and the test's own engine know.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde_json::{Value, json};

use crate::policy::editor::language;
use crate::policy::schema::{FACTS, Form, Row, TOP, Type};

/// Words of the grammar itself.
const HEADS: [&str; 3] = ["policy", "import", "const"];
const CLAUSES: [&str; 8] = ["when", "on", "else", "after", "use", "over", "at", "stop"];
const OPERATORS: [&str; 8] = [
    "and",
    "or",
    "not",
    "in",
    "like",
    "starts_with",
    "ends_with",
    "contains",
];
const VALUES: [&str; 13] = [
    "true",
    "false",
    "all",
    "any",
    "next",
    "none",
    "auto",
    "weighted",
    "round_robin",
    "least_busy",
    "least_latency",
    "bundled",
    "system",
];

fn words(list: impl IntoIterator<Item = &'static str>) -> String {
    let mut list: Vec<&str> = list
        .into_iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    // The longest first: an alternative that is the beginning of another one would hide it.
    list.sort_by_key(|word| (std::cmp::Reverse(word.len()), *word));
    list.join("|")
}

fn rows() -> Vec<&'static Row> {
    language::blocks()
        .into_iter()
        .flat_map(|block| block.rows)
        .collect()
}

/// The words that fields take.
fn taken(of: &Type, into: &mut BTreeSet<&'static str>) {
    match of {
        Type::Word(words) => into.extend(words.iter().copied()),
        Type::List(of) => taken(of, into),
        _ => {}
    }
}

fn values() -> BTreeSet<&'static str> {
    let mut all: BTreeSet<&'static str> = VALUES.into_iter().chain(language::values()).collect();
    for row in rows() {
        if let Form::Field(of, _) | Form::Either(of, _) = &row.form {
            taken(of, &mut all);
        }
    }
    all
}

/// Name of the scope and its expression, in the order in which they are tried.
fn rules() -> Vec<(&'static str, String)> {
    let top = TOP.iter().map(|entry| entry.word).chain(HEADS);
    let fields = rows().into_iter().map(|row| row.word);
    let facts = FACTS.iter().map(|fact| fact.word);
    let facts = words(facts).replace('.', "\\.");
    vec![
        ("comment.line.number-sign.policy", "#.*$".to_owned()),
        (
            "string.quoted.double.policy",
            "\"(?:[^\"\\\\]|\\\\.)*\"".to_owned(),
        ),
        (
            "keyword.control.policy",
            format!("^\\s*(?:{})\\b", words(top)),
        ),
        (
            "variable.language.fact.policy",
            format!("\\b(?:{facts})\\b"),
        ),
        (
            "constant.numeric.money.policy",
            "\\$[0-9]+(?:\\.[0-9]+)?(?:/[A-Za-z]+)?".to_owned(),
        ),
        (
            "constant.numeric.policy",
            "\\b[0-9]+(?:\\.[0-9]+)?(?:%|/(?:month|[smhd])\\b|(?:KiB|MiB|GiB|us|ms|[smhdkM])\\b)?"
                .to_owned(),
        ),
        (
            "keyword.operator.word.policy",
            format!("\\b(?:{})\\b", words(OPERATORS)),
        ),
        (
            "keyword.operator.policy",
            "->|==|!=|<=|>=|[<>=]|\\.\\.".to_owned(),
        ),
        (
            "entity.name.type.target.policy",
            "\\b[a-z_][a-z0-9_]*\\.(?:[a-z_][a-z0-9_]*|\\*)".to_owned(),
        ),
        (
            "keyword.other.clause.policy",
            format!("\\b(?:{})\\b", words(CLAUSES)),
        ),
        (
            "constant.language.policy",
            format!("\\b(?:{})\\b", words(values())),
        ),
        (
            "support.type.property-name.policy",
            format!("\\b(?:{})\\b", words(fields)),
        ),
        (
            "variable.other.policy",
            "\\b[A-Za-z_][A-Za-z0-9_]*\\b".to_owned(),
        ),
    ]
}

fn grammar() -> String {
    let patterns: Vec<Value> = rules()
        .into_iter()
        .map(|(name, pattern)| json!({ "name": name, "match": pattern }))
        .collect();
    let grammar = json!({
        "$schema": "https://raw.githubusercontent.com/martinring/tmlanguage/master/tmlanguage.json",
        "name": "Switchover policy",
        "scopeName": "source.switchover-policy",
        "fileTypes": ["policy"],
        "patterns": patterns,
    });
    serde_json::to_string_pretty(&grammar).unwrap() + "\n"
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_grammar_is_what_the_tables_say() {
    let path: PathBuf = root().join("docs/editor/vscode/syntaxes/switchover.tmLanguage.json");
    let wanted = grammar();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, wanted).unwrap();
    } else {
        let text = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            text == wanted,
            "the grammar is behind the schema: UPDATE=1 cargo test --lib textmate"
        );
    }
}

/// The scope of each piece of a line, as an editor would give it.
fn scopes<'l>(rules: &[(&'static str, Regex)], line: &'l str) -> Vec<(&'static str, &'l str)> {
    let mut all = Vec::new();
    let mut at = 0;
    while at < line.len() {
        let found = rules
            .iter()
            .filter_map(|(name, rule)| Some((*name, rule.find_at(line, at)?)));
        // The leftmost one, and of several the first rule.
        let Some((name, found)) = found.min_by_key(|(_, found)| found.start()) else {
            break;
        };
        all.push((name, found.as_str()));
        at = found.end().max(at + 1);
    }
    all
}

#[test]
fn policies_are_coloured() {
    let rules: Vec<(&str, Regex)> = rules()
        .into_iter()
        .map(|(name, rule)| (name, Regex::new(&rule).unwrap()))
        .collect();
    let of_word: BTreeMap<&str, &str> = HEADS
        .into_iter()
        .chain(TOP.iter().map(|entry| entry.word))
        .map(|word| (word, "keyword.control.policy"))
        .collect();
    let mut lines = 0;
    for entry in fs::read_dir(root().join("policies")).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_none_or(|extension| extension != "policy")
        {
            continue;
        }
        for line in fs::read_to_string(&path).unwrap().lines() {
            lines += 1;
            let scopes = scopes(&rules, line);
            let first = line
                .split(|char: char| !char.is_ascii_alphanumeric() && char != '_')
                .next()
                .unwrap();
            if let Some(scope) = of_word.get(first) {
                assert_eq!(scopes[0].0, *scope, "{}: {line}", path.display());
            }
            if let Some((_, comment)) = line.split_once("# ") {
                let (scope, text) = scopes.last().unwrap();
                assert_eq!(*scope, "comment.line.number-sign.policy", "{line}");
                assert!(text.ends_with(comment), "{line}");
            }
            let seen: String = scopes
                .iter()
                .map(|(_, text)| *text)
                .collect::<Vec<_>>()
                .concat();
            let letters = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).count();
            assert_eq!(letters(&seen), letters(line), "{line}: {scopes:?}");
        }
    }
    assert!(lines > 100);
    for row in rows() {
        let scopes = scopes(&rules, row.word);
        let named = scopes.len() == 1 && scopes[0].0 != "variable.other.policy";
        assert!(named, "{}: {scopes:?}", row.word);
    }
}
