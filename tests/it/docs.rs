//! The documents are tests: every policy in them loads or gives the code that stands beside it, every code has its
//! section, every link leads somewhere, and the requests of README.md are answered as it shows.
//!
//! A fenced block is marked by its first words:
//!
//! | mark | what is asked of it |
//! |---|---|
//! | `policy` | a whole policy; it loads without a warning |
//! | `policy part` | statements; with what they lack put in front, they load |
//! | `policy-rejected [part] CODE` | it does not load, and CODE is among what is said |
//! | `policy-warned [part] CODE` | it loads, and CODE is among what is said |

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use switchover::policy::{self, Diagnostics, Plan, Severity};
use switchover::sim::proof;
use switchover::sim::rehearsal::{self, Setup};
use switchover::sim::trial::{self, Coverage};

use crate::support::client::{Client, End};
use crate::support::gateway::{Folder, Gateway, Io};

/// A fenced block of a document.
pub(crate) struct Block {
    /// `file:line`, for messages.
    pub(crate) at: String,
    /// What stands behind the fence.
    pub(crate) mark: String,
    pub(crate) text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README.md and everything under docs/ that is ours.
fn pages() -> Vec<(PathBuf, String)> {
    let mut waiting = vec![root().join("README.md"), root().join("docs")];
    let mut pages = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            let inside = fs::read_dir(&path).unwrap();
            let inside = inside.map(|entry| entry.unwrap().path());
            waiting.extend(inside.filter(|path| !path.ends_with("node_modules")));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            let text = fs::read_to_string(&path).unwrap();
            pages.push((path, text));
        }
    }
    pages.sort();
    pages
}

fn short(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

pub(crate) fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    for (path, text) in pages() {
        let mut open: Option<Block> = None;
        for (index, line) in text.lines().enumerate() {
            match (line.strip_prefix("```"), open.as_mut()) {
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (Some(mark), None) => {
                    open = Some(Block {
                        at: format!("{}:{}", short(&path), index + 1),
                        mark: mark.to_owned(),
                        text: String::new(),
                    });
                }
                (None, Some(block)) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a fence is not closed", short(&path));
    }
    blocks
}

/// Statements as a whole policy: with a version in front, and behind them providers and a last route where they have none.
pub(crate) fn completed(part: &str) -> String {
    const DEFAULT: &str = "route default { tier 1 { openai.mini }, tier 2 { mistral.small } }\n";
    let big = if part.contains("openai.big") {
        ", model big = \"gpt-5\""
    } else {
        ""
    };
    let providers = [
        (
            "openai",
            format!("provider openai {{ model mini = \"gpt-5-mini\"{big} }}\n"),
        ),
        (
            "mistral",
            "provider mistral { model small = \"mistral-small-latest\" }\n".to_owned(),
        ),
    ];
    let mut text = format!("policy 1\n{part}");
    for (name, declared) in providers {
        if !part.contains(&format!("provider {name} ")) {
            text.push_str(&declared);
        }
    }
    if !part.contains("route default") {
        text.push_str(DEFAULT);
    }
    text
}

/// Whether it loads, and what is said about it.
pub(crate) fn load(text: &str) -> (bool, Diagnostics) {
    match policy::load(&[("main.policy", text)], "main.policy", &[]) {
        Ok((_, diagnostics)) => (true, diagnostics),
        Err(diagnostics) => (false, diagnostics),
    }
}

/// The tests that a document shows pass.
fn failing_tests(at: &str, text: &str, wrong: &mut Vec<String>) {
    let Ok((policy, _)) = policy::load(&[("main.policy", text)], "main.policy", &[]) else {
        return;
    };
    let plan = Plan::new(policy).unwrap();
    for trial in &plan.policy.trials {
        for failure in trial::run(&plan, trial, &mut Coverage::default()).failures {
            wrong.push(format!("{at}: {}: {failure:?}", trial.name));
        }
    }
    for proof in &plan.policy.proofs {
        for failure in proof::run(&plan, proof).failures {
            wrong.push(format!("{at}: {}: {failure:?}", proof.name));
        }
    }
}

/// Its drills pass, too.
fn failing_drills(at: &str, text: &str, wrong: &mut Vec<String>) {
    let Ok((policy, _)) = policy::load(&[("main.policy", text)], "main.policy", &[]) else {
        return;
    };
    let plan = Plan::new(policy).unwrap();
    let setup = Setup {
        cores: 4,
        seed: None,
    };
    for drill in &plan.policy.drills {
        let Ok(record) = rehearsal::run(&plan, drill, setup) else {
            continue;
        };
        let verdicts = rehearsal::judge(&plan, drill, &record);
        let failed = verdicts.iter().filter(|verdict| !verdict.passed);
        wrong.extend(failed.map(|it| format!("{at}: {}: {it:?}", drill.name)));
    }
}

#[test]
fn policies_in_documents_are_what_they_are_said_to_be() {
    let mut seen = BTreeMap::new();
    let mut wrong = Vec::new();
    for block in blocks() {
        let mut words = block.mark.split(' ');
        let kind = words.next().unwrap_or_default();
        if !kind.starts_with("policy") {
            continue;
        }
        *seen.entry(kind.to_owned()).or_insert(0) += 1;
        let mut words = words.peekable();
        let part = words.next_if_eq(&"part").is_some();
        let code = words.next().unwrap_or_default();
        let text = if part {
            completed(&block.text)
        } else {
            block.text.clone()
        };
        let (loads, said) = load(&text);
        failing_tests(&block.at, &text, &mut wrong);
        failing_drills(&block.at, &text, &mut wrong);
        let names_code = said.list.iter().any(|found| found.code.as_str() == code);
        let right = match kind {
            "policy" => loads && (part || said.count(Severity::Warning) == 0) && code.is_empty(),
            "policy-rejected" => !loads && names_code,
            "policy-warned" => loads && names_code,
            _ => false,
        };
        if !right {
            wrong.push(format!(
                "{} ({}):\n{}",
                block.at,
                block.mark,
                said.render(false)
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    for kind in ["policy", "policy-rejected", "policy-warned"] {
        assert!(
            seen.get(kind).is_some_and(|&count| count > 0),
            "no `{kind}` block: {seen:?}"
        );
    }
}

#[test]
fn links_lead_to_files() {
    let mut broken = Vec::new();
    for (path, text) in pages() {
        for rest in text.split("](").skip(1) {
            let target = rest.split([')', ' ']).next().unwrap();
            let (file, _) = target.split_once('#').unwrap_or((target, ""));
            if file.contains("://") || file.is_empty() {
                continue;
            }
            if !path.parent().unwrap().join(file).exists() {
                broken.push(format!("{}: {target}", short(&path)));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Documents name files of the repository in backticks; those must be there.
#[test]
fn files_that_documents_name_are_there() {
    let mut missing = Vec::new();
    for (path, text) in pages() {
        for word in text.split('`').skip(1).step_by(2) {
            let begins = [
                "src/",
                "tests/",
                "benches/",
                "policies/",
                "docs/",
                "grammar/",
            ];
            let is_path = begins.iter().any(|begin| word.starts_with(begin))
                && word
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
            if is_path && !root().join(word).exists() {
                missing.push(format!("{}: {word}", short(&path)));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The body of the curl command in `page`, as a shell would give it to curl.
fn curl_body(page: &str) -> String {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let (_, rest) = text.split_once("curl ").expect("no curl command");
    let (_, rest) = rest.split_once("-d '").expect("no body");
    rest.split_once('\'').unwrap().0.to_owned()
}

#[test]
fn the_readmes_request_is_answered() {
    let body = curl_body("README.md");
    let first = fs::read_to_string(root().join("policies/first.policy")).unwrap();
    let rest = first.split_once("policy 1\n").unwrap().1;
    for io in Io::BOTH {
        let gateway = Gateway::start(io, "", rest);
        let mut client = Client::connect(gateway.address);
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = client.send(request.as_bytes()).answer();
        assert_eq!((answer.status, answer.end), (200, End::Whole), "{answer:?}");
        assert_eq!(answer.field("x-switchover-route"), Some("default"));
        assert_eq!(answer.field("x-switchover-attempts"), Some("1"));
        let target = answer.field("x-switchover-target").unwrap();
        assert!(["alpha.chat", "beta.chat"].contains(&target), "{target}");
        let value: serde_json::Value = serde_json::from_str(&answer.text()).unwrap();
        assert_eq!(value["object"], "chat.completion");
    }
}

fn switchover(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_switchover"))
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap()
}

/// `$ switchover check …` in a `console` block, and below it what it says.
#[test]
fn check_says_what_the_documents_show() {
    let mut shown = 0;
    for block in blocks().iter().filter(|block| block.mark == "console") {
        let Some((command, said)) = block.text.split_once('\n') else {
            continue;
        };
        let Some(arguments) = command.strip_prefix("$ switchover check ") else {
            continue;
        };
        shown += 1;
        let arguments: Vec<&str> = ["check"].into_iter().chain(arguments.split(' ')).collect();
        let output = switchover(&arguments);
        let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(told.trim_end(), said.trim_end(), "{}", block.at);
    }
    assert!(shown > 0);
}

/// The tour shows a mistake as its author sees it.
#[test]
fn the_tours_mistake_looks_as_it_shows() {
    let blocks = blocks();
    let at = blocks
        .iter()
        .position(|block| {
            block.at.starts_with("docs/language/README.md")
                && block.mark.starts_with("policy-rejected")
        })
        .unwrap();
    let folder = Folder::new();
    let path = folder.write("mistake.policy", &blocks[at].text);
    let output = switchover(&["check", path.to_str().unwrap()]);
    let told = String::from_utf8(output.stderr).unwrap();
    let told = told.replace(path.to_str().unwrap(), "mistake.policy");
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert_eq!(blocks[at + 1].mark, "text");
    assert_eq!(told.trim_end(), blocks[at + 1].text.trim_end());
}

/// The shell of the documents says nothing that the command line does not know.
#[test]
fn options_in_documents_exist() {
    let commands = [
        "serve", "check", "fmt", "test", "diff", "graph", "drill", "simulate", "explain", "replay",
        "apply", "rollback", "help", "reload", "demo",
    ];
    let help: String = commands
        .map(|command| String::from_utf8(switchover(&[command, "--help"]).stdout).unwrap())
        .concat();
    let mut unknown = Vec::new();
    for block in blocks() {
        let shell = ["sh", "console"].contains(&block.mark.as_str());
        // The benches' scripts say their own options.
        let lines = block
            .text
            .lines()
            .filter(|line| shell && line.contains("switchover ") && !line.starts_with("benches/"));
        for option in lines
            .flat_map(|line| line.split(' '))
            .filter(|word| word.len() > 2 && word.starts_with("--"))
        {
            if !help.contains(option) && !["--release"].contains(&option) {
                unknown.push(format!("{}: {option}", block.at));
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}
