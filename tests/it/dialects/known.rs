//! docs/known-bugs.md: each issue that it lists has a test, which bears its number.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A row of the table: the numbers of its issues, the names of its tests.
struct Row<'a> {
    issues: Vec<u64>,
    tests: Vec<&'a str>,
}

fn rows(page: &str) -> Vec<Row<'_>> {
    let cells = page.lines().filter_map(|line| {
        let inside = line.strip_prefix("| ")?.strip_suffix(" |")?;
        let cells: Vec<_> = inside.split(" | ").collect();
        (cells.len() == 3 && cells[0].contains('#')).then_some(cells)
    });
    let numbers = |cell: &str| {
        let numbers = cell.split('#').skip(1);
        let digits = numbers.map(|text| text.split(|c: char| !c.is_ascii_digit()).next());
        digits
            .map(|digits| digits.unwrap().parse().unwrap())
            .collect()
    };
    cells
        .map(|cells| Row {
            issues: numbers(cells[0]),
            tests: cells[2].split('`').skip(1).step_by(2).collect(),
        })
        .collect()
}

/// The sources in which tests stand.
fn sources() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut waiting: Vec<PathBuf> = ["src/dialect", "tests/sdk"].map(|it| root.join(it)).into();
    let mut sources = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            let inside = fs::read_dir(&path).unwrap();
            waiting.extend(inside.map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|it| it == "rs" || it == "py") {
            sources.push(fs::read_to_string(&path).unwrap());
        }
    }
    sources
}

/// The tests of a source by their names, each with what is written above it.
fn tests_of(source: &str) -> Vec<(&str, String)> {
    let mut tests: Vec<(&str, String)> = Vec::new();
    let mut above = String::new();
    for line in source.lines() {
        let text = line.trim_start();
        let named = text
            .strip_prefix("fn ")
            .or_else(|| text.strip_prefix("def "));
        if let Some((name, _)) = named.and_then(|text| text.split_once('(')) {
            tests.push((name, std::mem::take(&mut above)));
        } else if text.starts_with("//") || text.starts_with('#') || text.starts_with('@') {
            // Of the next one.
            above.push_str(line);
        } else {
            above.clear();
        }
        if let Some((_, body)) = tests.last_mut() {
            body.push_str(line);
            body.push('\n');
        }
    }
    tests
}

/// Whether a number stands in a text by itself: `#17`, `_17`.
fn bears(text: &str, number: u64) -> bool {
    let digits = number.to_string();
    text.match_indices(&digits).any(|(at, _)| {
        let bytes = text.as_bytes();
        let before = at.checked_sub(1).map(|before| bytes[before]);
        let behind = bytes.get(at + digits.len());
        matches!(before, Some(b'#' | b'_')) && !behind.is_some_and(u8::is_ascii_digit)
    })
}

#[test]
fn each_known_bug_has_a_test_that_bears_its_number() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/known-bugs.md")).unwrap();
    let sources = sources();
    let tests: Vec<_> = sources.iter().flat_map(|source| tests_of(source)).collect();
    let mut missing = BTreeMap::new();
    let mut issues = 0;
    for row in rows(&page) {
        for name in &row.tests {
            if !tests.iter().any(|(known, _)| known == name) {
                missing.insert(0, format!("there is no test `{name}`"));
            }
        }
        for issue in row.issues {
            issues += 1;
            let its =
                |(name, text): &&(&str, String)| row.tests.contains(name) && bears(text, issue);
            if !tests.iter().any(|test| its(&test)) {
                missing.insert(issue, format!("#{issue} is in none of {:?}", row.tests));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(issues > 60, "only {issues} issues were read from the table");
}
