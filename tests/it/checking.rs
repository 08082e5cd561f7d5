//! `switchover check` as a command: its forms, what it repairs, and what it looks for outside of the policy.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;
use switchover::policy::{self, Code};

use crate::support::gateway::Folder;

const TWO_MISTAKES: &str = "policy 1\nprovider openai { model mini = \"gpt-5-mini\" }\n\
    route first when req.model = \"gpt-5\" { tier 1 { openai.mini } }\n\
    route default { tier 2 { openai.mini } }\n";

fn check(folder: &Folder, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(env!("CARGO_BIN_EXE_switchover"))
        .arg("check")
        .args(arguments)
        .current_dir(folder.path())
        .env("SWITCHOVER_TEST_THERE", "sk-canary-0123456789")
        .env_remove("SWITCHOVER_TEST_MISSING")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn json_holds_all_policies_of_a_run() {
    let folder = Folder::new();
    folder.write("bad.policy", TWO_MISTAKES);
    folder.write("good.policy", "policy 1\nroute default { reject(404) }\n");
    let (code, out, err) = check(&folder, &["bad.policy", "good.policy", "--format", "json"]);
    assert_eq!((code, &*err), (Some(1), ""));
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["schema"], "switchover.check/1");
    assert_eq!(report["policies"][0]["loads"], false);
    assert_eq!(report["policies"][0]["diagnostics"][0]["code"], "P0005");
    assert_eq!(
        report["policies"][0]["diagnostics"][0]["fixes"][0]["safe"],
        true
    );
    assert_eq!(report["policies"][1]["routes"], 1);
}

/// What the schema of SARIF 2.1.0 requires, and what code hosts read.
#[test]
fn sarif_has_rules_regions_and_fixes() {
    let folder = Folder::new();
    folder.write("a bad.policy", TWO_MISTAKES);
    let (code, out, err) = check(&folder, &["a bad.policy", "--format", "sarif"]);
    assert_eq!((code, &*err), (Some(1), ""));
    let log: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(log["version"], "2.1.0");
    assert!(
        log["$schema"]
            .as_str()
            .unwrap()
            .ends_with("sarif-2.1.0.json")
    );
    let run = &log["runs"][0];
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "switchover");
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let results = run["results"].as_array().unwrap();
    assert!(results.len() >= 2, "{out}");
    for result in results {
        let rule =
            &driver["rules"][usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(
            rule["help"]["markdown"]
                .as_str()
                .unwrap()
                .contains("**Fix.**")
        );
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "a%20bad.policy");
        assert!(place["region"]["startLine"].as_u64().unwrap() >= 1);
        assert!(place["region"]["endColumn"].as_u64() >= place["region"]["startColumn"].as_u64());
    }
    let change = &results[0]["fixes"][0]["artifactChanges"][0];
    assert_eq!(change["artifactLocation"]["uri"], "a%20bad.policy");
    assert_eq!(change["replacements"][0]["insertedContent"]["text"], "==");
    assert_eq!(change["replacements"][0]["deletedRegion"]["startLine"], 3);
}

#[test]
fn annotations_are_escaped() {
    let folder = Folder::new();
    folder.write(
        "odd,name:%.policy",
        "policy 1\nprovider openai { model m = \"m\" }\nroute default { tier 1 { openai.100%, openai.m } }\n",
    );
    folder.write("bad.policy", TWO_MISTAKES);
    let (code, out, _) = check(
        &folder,
        &["bad.policy", "odd,name:%.policy", "--format", "github"],
    );
    assert_eq!(code, Some(1));
    let lines: Vec<&str> = out.lines().collect();
    assert!(
        lines[0].starts_with(
            "::error file=bad.policy,line=3,col=28,endColumn=28,title=P0005::`=` inside"
        ),
        "{out}"
    );
    assert!(
        lines[0].contains("%0A") || !lines[0].contains("help:"),
        "{out}"
    );
    assert!(out.contains("file=odd%2Cname%3A%25.policy,"), "{out}");
    assert!(lines.iter().all(|line| line.starts_with("::")), "{out}");
}

#[test]
fn fixes_are_written_told_and_repeated_until_none_is_left() {
    let folder = Folder::new();
    let path = folder.write("bad.policy", TWO_MISTAKES);
    let (code, out, err) = check(&folder, &["bad.policy", "--fix"]);
    assert_eq!((code, &*out), (Some(0), ""), "{err}");
    assert!(
        err.contains("fixed P0005 at bad.policy:3: write `==`\n"),
        "{err}"
    );
    assert!(
        err.contains("fixed P2011 at bad.policy:4: renumber\n"),
        "{err}"
    );
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        text.contains("req.model == \"gpt-5\"") && text.contains("tier 1"),
        "{text}"
    );

    let (code, _, err) = check(&folder, &["bad.policy", "--fix"]);
    assert_eq!(code, Some(0));
    assert!(!err.contains("fixed"), "{err}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_guess_is_left_to_the_author() {
    let folder = Folder::new();
    let text = "policy 1\nprovider openai { model mini = \"m\" }\nroute default { tier 1 { openai.mni } }\n";
    let path = folder.write("guess.policy", text);
    let (code, _, err) = check(&folder, &["guess.policy", "--fix"]);
    assert_eq!(code, Some(1));
    assert!(
        err.contains("did you mean `openai.mini`? (fix available)"),
        "{err}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn references_are_followed_and_values_never_shown() {
    let folder = Folder::new();
    folder.write("key", "sk-canary-file-0123456789\n");
    let policy = |first: &str, second: &str| {
        format!(
            "policy 1\nprovider openai {{ auth = keys({first}, {second}), model m = \"m\" }}\n\
             route default {{ tier 1 {{ openai.m }} }}\n"
        )
    };
    folder.write(
        "there.policy",
        &policy("env(\"SWITCHOVER_TEST_THERE\")", "file(\"key\")"),
    );
    folder.write(
        "gone.policy",
        &policy("env(\"SWITCHOVER_TEST_MISSING\")", "file(\"nokey\")"),
    );
    let (code, out, err) = check(&folder, &["there.policy", "--env"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(!format!("{out}{err}").contains("canary"), "{out}{err}");

    let (code, _, err) = check(&folder, &["gone.policy"]);
    assert_eq!(code, Some(0), "{err}");
    let (code, _, err) = check(&folder, &["gone.policy", "--env"]);
    assert_eq!(code, Some(1), "{err}");
    assert!(
        err.contains("`SWITCHOVER_TEST_MISSING` is not set (gone.policy:2)"),
        "{err}"
    );
    assert!(err.contains("`nokey`"), "{err}");
    let (_, out, _) = check(&folder, &["gone.policy", "--env", "--format", "json"]);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["policies"][0]["errors"].as_array().unwrap().len(), 2);
}

/// An import is used by what the imported file imports, too; one of which nothing is used is said.
#[test]
fn imports_are_used_through_imports() {
    let found = |route: &str| {
        let root = format!(
            "policy 1\nimport \"a.policy\"\nprovider openai {{ model m = \"gpt-5-mini\" }}\n{route}\n\
             route default {{ tier 1 {{ openai.m }} }}\n"
        );
        let sources = [
            ("main.policy", &*root),
            (
                "a.policy",
                "policy 1\nimport \"b.policy\"\nconst teams = [\"a\"]\n",
            ),
            (
                "b.policy",
                "policy 1\nprovider mistral { model s = \"mistral-small-latest\" }\npool spare { tier 1 { mistral.s } }\n",
            ),
        ];
        let (_, found) = policy::load(&sources, "main.policy", &[]).unwrap();
        let codes: Vec<Code> = found.list.iter().map(|found| found.code).collect();
        codes
    };
    assert_eq!(found(""), [Code::P1010]);
    assert_eq!(found("route few when req.stream { use pool.spare }"), []);
}
