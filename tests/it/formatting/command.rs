//! `switchover fmt` on files: what it writes, what it leaves, what it says and how it ends.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::gateway::Folder;

const UGLY: &str = "policy 1\nroute default{reject(404)}\n";
const NICE: &str = "policy 1\nroute default { reject(404) }\n";
const BROKEN: &str = "policy 1\nroute default { reject(404)\n";

fn fmt(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_switchover"))
        .arg("fmt")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have ended without reading.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// How it ended, and its two streams.
fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn files_are_rewritten_and_broken_ones_left() {
    let folder = Folder::new();
    let ugly = folder.write("ugly.policy", UGLY);
    let nice = folder.write("nice.policy", NICE);
    let broken = folder.write("broken.policy", BROKEN);
    fs::set_permissions(&ugly, Permissions::from_mode(0o640)).unwrap();
    let before = fs::metadata(&nice).unwrap().modified().unwrap();

    let files = [path(&broken), path(&ugly), path(&nice)];
    let (code, out, err) = told(&fmt(&files, ""));
    assert_eq!((code, &*out), (Some(1), ""), "{err}");
    assert!(
        err.contains("P0003") && err.contains("left as it is"),
        "{err}"
    );
    assert!(
        err.contains(&format!("{}: formatted\n", path(&ugly))),
        "{err}"
    );
    assert_eq!(fs::read_to_string(&ugly).unwrap(), NICE);
    assert_eq!(fs::read_to_string(&broken).unwrap(), BROKEN);
    assert_eq!(
        fs::metadata(&ugly).unwrap().permissions().mode() & 0o777,
        0o640
    );
    assert_eq!(fs::metadata(&nice).unwrap().modified().unwrap(), before);
    assert_eq!(fs::read_dir(ugly.parent().unwrap()).unwrap().count(), 3);

    assert_eq!(
        told(&fmt(&[path(&ugly)], "")),
        (Some(0), String::new(), String::new())
    );
}

#[test]
fn a_symbolic_link_stays_one() {
    let folder = Folder::new();
    let file = folder.write("real.policy", UGLY);
    let link = file.with_file_name("link.policy");
    symlink("real.policy", &link).unwrap();
    assert_eq!(told(&fmt(&[path(&link)], "")).0, Some(0));
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&file).unwrap(), NICE);
}

#[test]
fn check_and_diff_only_look() {
    let folder = Folder::new();
    let ugly = folder.write("ugly.policy", UGLY);
    let nice = folder.write("nice.policy", NICE);
    let name = path(&ugly);

    let (code, out, err) = told(&fmt(&["--check", name, path(&nice)], ""));
    assert_eq!((code, &*out, &*err), (Some(1), &*format!("{name}\n"), ""));
    let (code, out, _) = told(&fmt(&["--diff", name, path(&nice)], ""));
    let diff = format!(
        "--- {name}\n+++ {name}\n@@ -1,2 +1,2 @@\n policy 1\n-route default{{reject(404)}}\n+route default {{ reject(404) }}\n"
    );
    assert_eq!((code, out), (Some(1), diff));
    assert_eq!(told(&fmt(&["--check", path(&nice)], "")).0, Some(0));
    assert_eq!(fs::read_to_string(&ugly).unwrap(), UGLY);
}

#[test]
fn standard_input_goes_to_standard_output() {
    assert_eq!(
        told(&fmt(&["--stdin"], UGLY)),
        (Some(0), NICE.to_owned(), String::new())
    );
    assert_eq!(
        told(&fmt(&["--stdin"], NICE)),
        (Some(0), NICE.to_owned(), String::new())
    );
    let (code, out, err) = told(&fmt(&["--stdin"], BROKEN));
    assert_eq!((code, &*out), (Some(1), ""));
    assert!(err.contains("<stdin>:2:15"), "{err}");
    assert_eq!(told(&fmt(&["--stdin", "--check"], NICE)).0, Some(0));
    let (code, out, _) = told(&fmt(&["--stdin", "--check"], UGLY));
    assert_eq!((code, &*out), (Some(1), "<stdin>\n"));
}

/// Differences end up in the logs of CI.
#[test]
fn a_difference_shows_no_secret() {
    let secret = format!("sk-{}", "0123456789abcdef".repeat(2));
    let text = format!("policy 1\nprovider openai{{auth=bearer(\"{secret}\")}}\n");
    let (code, out, err) = told(&fmt(&["--stdin", "--diff"], &text));
    assert_eq!(code, Some(1));
    assert!(out.contains("-provider openai{auth=bearer(\"****"), "{out}");
    assert!(!out.contains("0123456789") && !err.contains("0123456789"));
    let (code, out, err) = told(&fmt(&["--stdin"], &format!("{text}{{")));
    assert_eq!((code, &*out), (Some(1), ""));
    assert!(!err.contains("0123456789"), "{err}");
}

#[test]
fn programs_get_a_line_for_each_file() {
    let folder = Folder::new();
    let files = [("ugly", UGLY), ("nice", NICE), ("broken", BROKEN)]
        .map(|(name, text)| folder.write(&format!("{name}.policy"), text));
    let files = files.each_ref().map(|file| path(file));
    let lines = |arguments: &[&str]| -> (Option<i32>, Vec<Value>) {
        let (code, out, err) = told(&fmt(&[arguments, &files].concat(), ""));
        assert_eq!(err, "");
        let lines = out.lines().map(|line| serde_json::from_str(line).unwrap());
        (code, lines.collect())
    };
    let states = |lines: &[Value]| -> Vec<String> {
        let state = |line: &Value| line["state"].as_str().unwrap().to_owned();
        lines.iter().map(state).collect()
    };
    let (code, looked) = lines(&["--format", "json", "--diff"]);
    assert_eq!(code, Some(1));
    assert_eq!(states(&looked), ["differs", "unchanged", "failed"]);
    assert_eq!(looked[0]["schema"], "switchover.fmt/1");
    assert!(looked[0]["diff"].as_str().unwrap().starts_with("--- "));
    assert_eq!(looked[1]["diagnostics"], Value::Array(Vec::new()));
    assert_eq!(looked[2]["diagnostics"][0]["code"], "P0003");
    let (code, written) = lines(&["--format", "json"]);
    assert_eq!(code, Some(1));
    assert_eq!(states(&written), ["rewritten", "unchanged", "failed"]);
}

#[test]
fn what_cannot_be_done_is_said() {
    let (code, _, err) = told(&fmt(&[], ""));
    assert_eq!(code, Some(3));
    assert!(err.contains("<FILES>") && err.contains("--help"), "{err}");
    assert_eq!(told(&fmt(&["--stdin", "x.policy"], "")).0, Some(3));
    assert_eq!(
        told(&fmt(&["--check", "--diff", "x.policy"], "")).0,
        Some(3)
    );

    let folder = Folder::new();
    let ugly = folder.write("ugly.policy", UGLY);
    let missing = ugly.with_file_name("missing.policy");
    let (code, _, err) = told(&fmt(&[path(&missing), path(&ugly)], ""));
    assert_eq!(code, Some(3));
    assert!(err.contains("does not exist"), "{err}");
    assert_eq!(fs::read_to_string(&ugly).unwrap(), NICE);

    let (code, _, err) = told(&fmt(&[path(ugly.parent().unwrap())], ""));
    assert_eq!(code, Some(1));
    assert!(err.contains("P1016"), "{err}");

    // What is no file is not replaced by one.
    let (code, _, err) = told(&fmt(&["/dev/stdin"], UGLY));
    assert_eq!(code, Some(3));
    assert!(err.contains("cannot be written: it is not a file"), "{err}");
}
