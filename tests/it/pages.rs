//! The page of each code: `docs/language/errors/CODE.md`, which `switchover help CODE` prints. What stands under **Why** and **Fix**
//! and the two examples is written by hand; the heading, what `check` says of the wrong example, and the index in
//! `docs/language/errors.md` are made here. `UPDATE=1 cargo test --test it pages` writes them anew.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use switchover::policy::{Code, Diagnostics};

use crate::docs::{completed, load};

/// Codes of which an example would be awkward on a page; `tests/it/diagnostics.rs` has their cases.
const WITHOUT_EXAMPLE: [Code; 5] = [
    // Bytes that no page can hold, files of megabytes, characters that nobody sees, the command line, 65 targets.
    Code::P0009,
    Code::P0010,
    Code::P1012,
    Code::P1018,
    Code::P3024,
];

const GROUPS: [(&str, &str); 7] = [
    ("P0", "Text and grammar"),
    ("P1", "Names and types"),
    ("P2", "Routing"),
    ("P3", "Failover"),
    ("P4", "Safety"),
    ("P5", "Tests"),
    ("P9", "What this release leaves out"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/language")
}

fn updating() -> bool {
    std::env::var_os("UPDATE").is_some()
}

/// The first fenced block whose mark begins so: its mark and its text.
fn block<'p>(page: &'p str, begins: &str) -> Option<(&'p str, &'p str)> {
    let at = page.find(&format!("\n```{begins}"))? + 4;
    let (mark, rest) = page.get(at..)?.split_once('\n')?;
    let end = rest.find("```")?;
    Some((mark, rest.get(..end)?))
}

/// What a block holds as a whole policy.
fn whole(mark: &str, text: &str) -> String {
    if mark.split(' ').any(|word| word == "part") {
        completed(text)
    } else {
        text.to_owned()
    }
}

fn of_code(diagnostics: &Diagnostics, code: Code) -> Diagnostics {
    let mut only = diagnostics.clone();
    only.list.retain(|one| one.code == code);
    only
}

/// The page with the parts that are made by this test.
fn wanted(code: Code, page: &str) -> String {
    let (_, rest) = page.split_once('\n').unwrap_or_default();
    let heading = format!("# {code} {}: {}\n", code.severity().as_str(), code.title());
    let page = heading + rest;
    let Some((mark, wrong)) = block(&page, "policy-") else {
        return page;
    };
    let (_, said) = load(&whole(mark, wrong));
    let said = of_code(&said, code).render(false);
    let Some((_, old)) = block(&page, "text") else {
        panic!("{code}: a `text` block must follow the wrong example; UPDATE=1 fills it");
    };
    page.replacen(
        &format!("```text\n{old}```"),
        &format!("```text\n{said}```"),
        1,
    )
}

#[test]
fn every_code_has_a_page_whose_examples_are_what_they_are_said_to_be() {
    let mut wrong = Vec::new();
    for &code in Code::ALL {
        let path = folder().join(format!("errors/{code}.md"));
        let page = fs::read_to_string(&path).unwrap();
        let wanted = wanted(code, &page);
        if updating() {
            fs::write(&path, &wanted).unwrap();
        } else if page != wanted {
            wrong.push(format!("{code}: UPDATE=1 writes the page anew"));
        }
        for part in ["\n**Why.** ", "\n**Fix.** "] {
            if !page.contains(part) {
                wrong.push(format!("{code}: the page lacks `{}`", part.trim()));
            }
        }
        if WITHOUT_EXAMPLE.contains(&code) {
            continue;
        }
        match (
            block(&page, "policy-"),
            block(&page, "policy part").or_else(|| block(&page, "policy\n")),
        ) {
            (Some((bad, bad_text)), Some((good, good_text))) => {
                let (_, said) = load(&whole(bad, bad_text));
                if of_code(&said, code).list.is_empty() || !bad.ends_with(code.as_str()) {
                    wrong.push(format!("{code}: the wrong example does not give it"));
                }
                let (loads, said) = load(&whole(good, good_text));
                if !loads || !of_code(&said, code).list.is_empty() {
                    wrong.push(format!(
                        "{code}: the right example:\n{}",
                        said.render(false)
                    ));
                }
            }
            _ => wrong.push(format!(
                "{code}: the page needs a wrong example and a right one"
            )),
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_page_has_its_code_and_the_index_names_all() {
    for entry in fs::read_dir(folder().join("errors")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(Code::from_word(name).is_some(), "{name} is no code");
    }
    let mut part = String::new();
    for (prefix, title) in GROUPS {
        let _ = write!(
            part,
            "\n## {title} ({prefix}xxx)\n\n| code | | what it says |\n|---|---|---|\n"
        );
        for code in Code::ALL
            .iter()
            .filter(|code| code.as_str().starts_with(prefix))
        {
            let severity = code.severity().as_str();
            let _ = writeln!(
                part,
                "| [{code}](errors/{code}.md) | {severity} | {} |",
                code.title()
            );
        }
    }
    let listed = part.matches("](errors/").count();
    assert_eq!(listed, Code::ALL.len(), "a group of codes has no title");
    let path = folder().join("errors.md");
    let index = fs::read_to_string(&path).unwrap();
    let (before, rest) = index.split_once("<!-- begin codes -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- end codes -->").unwrap();
    let wanted = format!("{before}<!-- begin codes -->\n{part}\n<!-- end codes -->{after}");
    if updating() {
        fs::write(&path, wanted).unwrap();
    } else {
        assert!(
            index == wanted,
            "the index is behind: UPDATE=1 writes it anew"
        );
    }
}

fn help(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(env!("CARGO_BIN_EXE_switchover"))
        .arg("help")
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn help_prints_pages_commands_and_a_list_of_both() {
    let (code, out, _) = help(&["p2004"]);
    assert_eq!(code, Some(0));
    assert!(
        out.starts_with("P2004 error: a route can never match\n"),
        "{out}"
    );
    assert!(
        out.contains("\nRight\n") && out.contains("    route vision"),
        "{out}"
    );
    assert!(!out.contains("```") && !out.contains("**"), "{out}");

    let (code, out, _) = help(&[]);
    assert_eq!(code, Some(0));
    assert!(out.contains("Usage:") && out.contains("P9002"), "{out}");

    let (code, out, _) = help(&["check"]);
    assert_eq!(code, Some(0));
    assert!(
        out.contains("--deny") && out.contains("switchover check"),
        "{out}"
    );

    let (code, out, err) = help(&["chekc"]);
    assert_eq!((code, &*out), (Some(3), ""));
    assert!(err.contains("did you mean `check`?"), "{err}");

    let (code, out, _) = help(&["P2004", "--format", "json"]);
    assert_eq!(code, Some(0));
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["schema"], "switchover.help/1");
    assert_eq!(report["pages"][0]["severity"], "error");
}
