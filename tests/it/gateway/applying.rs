//! `switchover apply` and `rollback` against a running gateway: what is checked before, and that nothing else changes.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::gateway::{Gateway, Io};

const PLAN: &str = "provider alpha { kind = simulated, model chat = \"chat\" }\n\
                    provider beta { kind = simulated, model chat = \"chat\" }\n\
                    route default { tier 1 { alpha.chat }, tier 2 { beta.chat } }\n\
                    test \"first\" { expect { status = 200 } }\n";

fn switchover(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_switchover"))
        .args(arguments)
        .output()
        .unwrap()
}

fn served(gateway: &Gateway) -> Value {
    serde_json::from_str(&gateway.page("/policy").1).unwrap()
}

/// Applies the text; the exit code, and all that was said.
fn apply(gateway: &Gateway, text: &str, more: &[&str]) -> (i32, String) {
    let folder = crate::support::gateway::Folder::new();
    let path = folder.write("new.policy", text);
    let admin = gateway.admin.to_string();
    let mut arguments = vec!["apply", path.to_str().unwrap(), "--admin", &admin];
    arguments.extend(more);
    said(&switchover(&arguments))
}

fn said(output: &Output) -> (i32, String) {
    let text = [&*output.stdout, &*output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    (output.status.code().unwrap(), text)
}

#[test]
fn a_plan_is_applied_as_a_whole_or_not_at_all_and_taken_back() {
    let gateway = Gateway::start(Io::Epoll, "", PLAN);
    let first = gateway.text();
    let before = served(&gateway);
    assert_eq!(before["generation"], 1);
    assert!(before["file"].as_str().unwrap().ends_with("test.policy"));

    // Errors, tests that fail, and what a running gateway cannot change leave everything as it is.
    let broken = first.replace("tier 1 { alpha.chat }", "tier 1 { alpha.caht }");
    let failing = first.replace("status = 200", "status = 500");
    let fixed = first.replace("cores = 1", "cores = 2");
    assert_ne!(fixed, first);
    for (text, part) in [
        (&broken, "the plan has errors; nothing was changed"),
        (
            &failing,
            "1 of the plan's tests and proofs failed; nothing was changed",
        ),
        (&fixed, "cannot change while the gateway runs"),
    ] {
        let (code, told) = apply(&gateway, text, &[]);
        assert_eq!(code, 1, "{told}");
        assert!(told.contains(part), "{told}");
        assert_eq!(gateway.text(), first);
        assert_eq!(served(&gateway)["policy"], before["policy"]);
    }

    // A look changes nothing; the real thing does.
    let second = first.replace(
        "tier 1 { alpha.chat }, tier 2 { beta.chat }",
        "tier 1 { beta.chat }",
    );
    let (code, told) = apply(&gateway, &second, &["--dry-run"]);
    assert_eq!(code, 0, "{told}");
    assert!(
        told.contains("~ route default") && told.contains("tier 1"),
        "{told}"
    );
    assert!(
        told.contains("+route default { tier 1 { beta.chat } }"),
        "{told}"
    );
    assert_eq!(gateway.text(), first);
    let (code, told) = apply(&gateway, &second, &["--by", "anna"]);
    assert_eq!(code, 0, "{told}");
    assert_eq!(gateway.text(), second);
    let now = served(&gateway);
    assert_ne!(now["policy"], before["policy"]);
    assert_eq!(now["by"], "anna");
    let (code, told) = apply(&gateway, &second, &[]);
    assert!(code == 0 && told.starts_with("nothing changes"), "{told}");

    // Somebody edits the file by hand: that is not run over.
    gateway.rewrite_whole(&format!("{second}# mine\n"));
    let (code, told) = apply(&gateway, &first, &[]);
    assert_eq!(code, 1);
    assert!(told.contains("does not hold what runs"), "{told}");
    gateway.rewrite_whole(&second);

    // Back, and no further.
    let admin = gateway.admin.to_string();
    let (code, told) = said(&switchover(&["rollback", "--admin", &admin]));
    assert_eq!(code, 0, "{told}");
    assert_eq!(gateway.text(), first);
    assert_eq!(served(&gateway)["policy"], before["policy"]);
    assert!(served(&gateway)["by"].is_null());
    let (code, told) = said(&switchover(&["rollback", "--admin", &admin]));
    assert_eq!(code, 1);
    assert!(
        told.contains("no plan was served before this one"),
        "{told}"
    );
}

/// What a plan imports comes with it, and goes with it.
#[test]
fn imports_are_applied_and_taken_back_with_their_plan() {
    let gateway = Gateway::start(Io::Epoll, "", PLAN);
    let admin = gateway.admin.to_string();
    let first = gateway.text();
    let file = served(&gateway)["file"].as_str().unwrap().to_owned();
    let import = Path::new(&file).with_file_name("parts/beta.policy");

    let beta = "provider beta { kind = simulated, model chat = \"chat\" }\n";
    assert!(first.contains(beta));
    let root = first.replace(beta, "import \"parts/beta.policy\"\n");
    let folder = crate::support::gateway::Folder::new();
    let path = folder.write("new.policy", &root);
    let apply = |import: &str, more: &[&str]| {
        folder.write("parts/beta.policy", import);
        let mut arguments = vec!["apply", path.to_str().unwrap(), "--admin", &admin];
        arguments.extend(more);
        said(&switchover(&arguments))
    };
    let plain = format!("policy 1\n{beta}");
    let (code, told) = apply(&plain, &[]);
    assert_eq!(code, 0, "{told}");
    assert_eq!(gateway.text(), root);
    assert_eq!(fs::read_to_string(&import).unwrap(), plain);
    let with_import = served(&gateway)["policy"].clone();

    // An import that breaks a test changes nothing; one that does not is applied alone.
    let (code, told) = apply("policy 1\nprovider beta { kind = simulated }\n", &[]);
    assert!(code == 1 && told.contains("nothing was changed"), "{told}");
    assert_eq!(fs::read_to_string(&import).unwrap(), plain);
    let slower = plain.replace("simulated,", "simulated, connect_timeout = 2s,");
    let (code, told) = apply(&slower, &["--dry-run"]);
    assert!(
        code == 0 && told.contains("--- parts/beta.policy"),
        "{told}"
    );
    let (code, told) = apply(&slower, &[]);
    assert_eq!(code, 0, "{told}");
    assert_eq!(fs::read_to_string(&import).unwrap(), slower);
    assert_ne!(served(&gateway)["policy"], with_import);

    // Back to the import of before, then to the plan that had none.
    let (code, told) = said(&switchover(&["rollback", "--admin", &admin]));
    assert_eq!(code, 0, "{told}");
    assert_eq!(fs::read_to_string(&import).unwrap(), plain);
    assert_eq!(served(&gateway)["policy"], with_import);
    let (code, told) = said(&switchover(&["rollback", "--admin", &admin]));
    assert_eq!(code, 0, "{told}");
    assert_eq!(gateway.text(), first);
}
