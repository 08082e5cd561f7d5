//! `switchover graph`: pictures that can be read, and a matrix that says what proofs would.

use std::process::{Command, Output};

use crate::support::gateway::Folder;

const PLAN: &str = r#"policy 1
provider openai { region = us, model mini = "gpt-5-mini" }
provider mistral { region = eu, model small = "mistral-small-latest" }
provider onsite { kind = vllm, base_url = "http://10.0.0.1:8000", tls = off, region = eu, model qwen = "qwen" }
forbid residency when key.residency == "eu" and target.region != eu
route free when key.team in ["a<b", "students"] { tier 1 { onsite.qwen } }
route default {
  tier 1 { openai.mini weight 70, mistral.small weight 30 }
  tier 2 { onsite.qwen }
  fallback {
    on context_exceeded -> onsite.qwen
    on any -> next
    else -> reject(503)
  }
}
"#;

fn graph(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_switchover"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .arg("graph")
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn drawn(arguments: &[&str]) -> String {
    let folder = Folder::new();
    let path = folder.write("plan.policy", PLAN);
    let output = graph(&[&[path.to_str().unwrap()], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout).to_owned()
}

#[test]
fn a_matrix_says_who_reaches_whom() {
    let expected = "\
key.residency  openai         mistral        onsite
(none)         first pick     first pick     first pick
(other)        first pick     first pick     first pick
eu             never          first pick     first pick
";
    assert_eq!(drawn(&["--matrix", "--by", "key.residency"]), expected);
    let expected = "\
route    openai         mistral        onsite
default  first pick     first pick     by fallback
free     never          never          first pick
";
    assert_eq!(drawn(&["--matrix", "--by", "route"]), expected);
    let json: serde_json::Value =
        serde_json::from_str(&drawn(&["--matrix", "--format", "json"])).unwrap();
    assert_eq!(json["schema"], "switchover.matrix/1");
    assert_eq!(
        (&json["by"], &json["rows"][0]["value"]),
        (&"key.team".into(), &"(none)".into())
    );
    assert_eq!(
        json["rows"][3]["cells"],
        serde_json::json!(["never", "never", "first"])
    );
}

#[test]
fn arrows_are_drawn_in_each_form() {
    let mermaid = drawn(&[]);
    assert!(mermaid.starts_with("flowchart LR\n"), "{mermaid}");
    for part in [
        "([\"route default\"])",
        "-->|\"70%\"|",
        "-.->|\"on context_exceeded\"|",
        "-.->|\"else\"|",
    ] {
        assert!(mermaid.contains(part), "{part}: {mermaid}");
    }
    let dot = drawn(&["--format", "dot"]);
    assert!(
        dot.starts_with("digraph policy {\n") && dot.ends_with("}\n"),
        "{dot}"
    );
    assert!(
        dot.contains("style = dashed, label = \"on context_exceeded\""),
        "{dot}"
    );
    let json: serde_json::Value = serde_json::from_str(&drawn(&["--format", "json"])).unwrap();
    assert_eq!(json["schema"], "switchover.graph/1");
    assert_eq!(json["nodes"][0]["label"], "route free");
}

/// Attributes of the boxes: x, y, width, height.
fn boxes(svg: &str) -> Vec<[u32; 4]> {
    let value = |line: &str, name: &str| {
        let (_, rest) = line.split_once(&format!(" {name}=\"")).unwrap();
        rest.split_once('"').unwrap().0.parse().unwrap()
    };
    svg.lines()
        .filter(|line| line.contains("class=\"node\""))
        .map(|line| ["x", "y", "width", "height"].map(|name| value(line, name)))
        .collect()
}

/// Each element is closed in its turn, and no bare sign stands in text.
fn assert_well_formed(svg: &str) {
    let mut open: Vec<&str> = Vec::new();
    let body = svg
        .strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
        .unwrap();
    for piece in body.split('<').skip(1) {
        let (tag, after) = piece.split_once('>').unwrap();
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        assert!(!after.contains('>'), "{piece}");
        for sign in after.split('&').skip(1) {
            assert!(
                ["amp;", "lt;", "gt;", "quot;"]
                    .iter()
                    .any(|name| sign.starts_with(name)),
                "{after}"
            );
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap());
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn a_picture_is_well_formed_and_no_box_hides_another() {
    let svgs = [
        "policies/enterprise.policy",
        "policies/vllm_fleet.policy",
        "policies/five_lines.policy",
    ];
    let svgs = svgs.map(|policy| text(&graph(&[policy, "--format", "svg"]).stdout).to_owned());
    for svg in svgs.into_iter().chain([drawn(&["--format", "svg"])]) {
        assert_well_formed(&svg);
        let boxes = boxes(&svg);
        assert!(boxes.len() > 3, "{svg}");
        for (at, [x, y, width, height]) in boxes.iter().enumerate() {
            for [other_x, other_y, other_width, other_height] in &boxes[at + 1..] {
                let apart = x + width < *other_x
                    || other_x + other_width < *x
                    || y + height < *other_y
                    || other_y + other_height < *y;
                assert!(apart, "{x} {y}: {svg}");
            }
        }
    }
}

#[test]
fn what_cannot_be_drawn_is_said() {
    assert_eq!(graph(&["nowhere.policy"]).status.code(), Some(3));
    let unknown = graph(&[
        "policies/five_lines.policy",
        "--matrix",
        "--by",
        "req.color",
    ]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(
        text(&unknown.stderr).contains("rows can be `route`"),
        "{}",
        text(&unknown.stderr)
    );
}
