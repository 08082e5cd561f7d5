//! Files that are no policies, and folders that lead nowhere: `check` says so with the right exit code, in bounded time.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use switchover::base::limits::POLICY_BYTES_MAX;

use crate::support::gateway::Folder;

/// What `check` may take for a file that is no policy, in a debug build on a busy machine. A loop without an end takes longer.
const TIME_MAX: Duration = Duration::from_secs(30);
/// What it may print.
const OUTPUT_MAX: usize = 1024 * 1024;

const GOOD: &str = "policy 1\nroute default { reject(404) }\n";

/// Checks a file; gives the exit code and what was said.
#[expect(
    clippy::disallowed_methods,
    reason = "how long a command took is what is asked"
)]
fn check(folder: &Folder, file: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let begun = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_switchover"))
        .arg("check")
        .arg(file)
        .args(arguments)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(begun.elapsed() < TIME_MAX, "{file}: {:?}", begun.elapsed());
    let told = [output.stdout, output.stderr].concat();
    assert!(told.len() < OUTPUT_MAX, "{file}: {} bytes", told.len());
    (output.status.code(), String::from_utf8(told).unwrap())
}

fn refused(folder: &Folder, file: &str, code: &str) {
    for form in ["text", "github", "json", "sarif"] {
        let (exit, told) = check(folder, file, &["--format", form]);
        assert_eq!(exit, Some(1), "{file}, {form}: {told}");
        assert!(told.contains(code), "{file}, {form}: {told}");
    }
}

#[test]
fn bytes_that_are_no_text() {
    let folder = Folder::new();
    // A generator of its own, so that the bytes are the same everywhere (Knuth's MMIX).
    let mut state = 7_u64;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(256 * 1024)
    .collect();
    fs::write(folder.path().join("random.policy"), &bytes).unwrap();
    refused(&folder, "random.policy", "P0009");
    fs::write(folder.path().join("zeros.policy"), vec![0; 64 * 1024]).unwrap();
    refused(&folder, "zeros.policy", "P0008");
    fs::write(folder.path().join("empty.policy"), "").unwrap();
    refused(&folder, "empty.policy", "P0001");
}

#[test]
fn files_that_are_too_large_are_not_read_to_their_end() {
    let folder = Folder::new();
    let file = File::create(folder.path().join("large.policy")).unwrap();
    // It takes no room on the disk.
    file.set_len(16 * POLICY_BYTES_MAX as u64).unwrap();
    let (exit, told) = check(&folder, "large.policy", &[]);
    assert_eq!(exit, Some(1), "{told}");
    assert!(told.contains("P0010"), "{told}");
    symlink("/dev/zero", folder.path().join("endless.policy")).unwrap();
    let (exit, told) = check(&folder, "endless.policy", &[]);
    assert_eq!(exit, Some(1), "{told}");
    assert!(told.contains("P0010"), "{told}");
}

#[test]
fn brackets_and_conditions_without_an_end() {
    let folder = Folder::new();
    for (name, text) in [
        (
            "braces",
            format!(
                "policy 1\nroute default {}{}\n",
                "{ tier 1 ".repeat(400),
                "}".repeat(400)
            ),
        ),
        ("open", format!("policy 1\n{}", "{".repeat(1024 * 1024))),
        (
            "mixed",
            format!("policy 1\nconst x = {}\n", "([{".repeat(200_000)),
        ),
        (
            "parentheses",
            format!(
                "policy 1\nroute a when {}req.stream{} {{ reject(404) }}\n",
                "(".repeat(400),
                ")".repeat(400)
            ),
        ),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
        let (exit, told) = check(&folder, name, &[]);
        assert_eq!(exit, Some(1), "{name}");
        assert!(told.contains("P0007"), "{name}: {told}");
    }
    // A bracket that closes too much belongs to what is too deep, and the next item is read.
    let text = format!(
        "policy 1\nconst x = {}1{}\nbogus 1\nroute default {{ reject(404) }}\n",
        "[".repeat(70),
        "]".repeat(70)
    );
    fs::write(folder.path().join("after"), text).unwrap();
    let (_, told) = check(&folder, "after", &[]);
    assert!(
        told.contains("P0007") && told.contains("unknown block `bogus`"),
        "{told}"
    );
}

#[test]
fn more_findings_than_anybody_reads_are_counted() {
    let folder = Folder::new();
    let mut text = "policy 1\n".to_owned();
    for number in 0..1_500 {
        writeln!(text, "bogus{number} 1").unwrap();
    }
    fs::write(folder.path().join("many.policy"), text).unwrap();
    let (exit, told) = check(&folder, "many.policy", &[]);
    assert_eq!(exit, Some(1));
    assert!(
        told.contains("\n… and 501 more findings\n"),
        "{}",
        told.len()
    );
}

#[test]
fn imports_that_lead_nowhere_or_back() {
    let folder = Folder::new();
    let importing =
        |path: &str| format!("policy 1\nimport \"{path}\"\nroute default {{ reject(404) }}\n");
    folder.write("self.policy", &importing("self.policy"));
    refused(&folder, "self.policy", "P1007");
    folder.write("a.policy", &importing("b.policy"));
    folder.write("b.policy", "policy 1\nimport \"a.policy\"\n");
    refused(&folder, "a.policy", "P1007");

    // The same folder by two names: each way in is another path, and there are without number.
    symlink(".", folder.path().join("x")).unwrap();
    symlink(".", folder.path().join("y")).unwrap();
    folder.write("deep.policy", &importing("x/deep.policy"));
    refused(&folder, "deep.policy", "P1016");

    symlink("nobody.policy", folder.path().join("dangling.policy")).unwrap();
    folder.write("to_dangling.policy", &importing("dangling.policy"));
    refused(&folder, "to_dangling.policy", "P1016");
    symlink("circle.policy", folder.path().join("circle.policy")).unwrap();
    folder.write("to_circle.policy", &importing("circle.policy"));
    refused(&folder, "to_circle.policy", "P1016");
    fs::create_dir(folder.path().join("folder.policy")).unwrap();
    folder.write("to_folder.policy", &importing("folder.policy"));
    refused(&folder, "to_folder.policy", "P1016");
    refused(&folder, "folder.policy", "P1016");

    for missing in ["nobody.policy", "dangling.policy", "circle.policy"] {
        assert_eq!(check(&folder, missing, &[]).0, Some(3), "{missing}");
    }
    folder.write("good.policy", GOOD);
    symlink("good.policy", folder.path().join("link.policy")).unwrap();
    assert_eq!(check(&folder, "link.policy", &[]).0, Some(0));
}

/// Characters that turn the direction of text are named, and never printed.
#[test]
fn text_that_reads_otherwise_than_it_is() {
    let folder = Folder::new();
    let text = "policy 1\n# \u{202e}} )404(tcejer { tluafed etuor\u{202c}\nroute default { reject(404) }\n";
    folder.write("bidi.policy", text);
    let (exit, told) = check(&folder, "bidi.policy", &[]);
    assert_eq!(exit, Some(0), "{told}");
    assert!(
        told.contains("P1012") && !told.contains('\u{202e}'),
        "{told}"
    );
    let (exit, _) = check(&folder, "bidi.policy", &["--deny", "warnings"]);
    assert_eq!(exit, Some(1));
}
