//! The drills that policies hold: those that are shipped pass, a plan with a defect fails its drill, and the command says
//! so to people and to machines.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use switchover::policy::{self, Plan};
use switchover::sim::rehearsal::{self, Setup, Verdict};

use crate::policies::Disk;
use crate::support::gateway::Folder;

const SETUP: Setup = Setup {
    cores: 4,
    seed: None,
};

fn verdicts(plan: &Plan) -> Vec<(String, Verdict)> {
    let mut all = Vec::new();
    for drill in &plan.policy.drills {
        let record = rehearsal::run(plan, drill, SETUP).unwrap();
        let verdicts = rehearsal::judge(plan, drill, &record);
        all.extend(verdicts.into_iter().map(|it| (drill.name.to_string(), it)));
    }
    all
}

#[test]
fn shipped_drills_pass() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    for (name, drills) in [
        ("enterprise", 4),
        ("vllm_fleet", 4),
        ("quickstart", 2),
        ("first", 2),
    ] {
        let path = folder.join(format!("{name}.policy"));
        let (policy, _) = policy::load(&Disk, path.to_str().unwrap(), &[]).unwrap();
        assert!(policy.drills.len() >= drills, "{name}");
        for (drill, verdict) in verdicts(&Plan::new(policy).unwrap()) {
            assert!(verdict.passed, "{name}: {drill}: {verdict:?}");
        }
    }
}

/// A plan of two providers, and a drill that expects what such a plan is for. `{}` are settings of the plan.
const SOUND: [(&str, &str); 4] = [
    ("BREAKER", "open when consecutive >= 5"),
    ("TIERS", "tier 1 { openai.mini }, tier 2 { mistral.small }"),
    ("FALLBACK", "on any -> next"),
    ("TTFT", "ttft_timeout = 2s"),
];

fn text(defect: Option<(&str, &str)>, inject: &str, expect: &str) -> String {
    let mut text = format!(
        "policy 1\n\
         breaker own {{ BREAKER }}\n\
         defaults {{ breaker = own, TTFT }}\n\
         provider openai {{ model mini = \"gpt-5-mini\" }}\n\
         provider mistral {{ model small = \"mistral-small-latest\" }}\n\
         route default {{ TIERS\n fallback {{ FALLBACK, else -> reject(503) }} }}\n\
         drill it {{ traffic = synthetic(20/s), given {{ req.stream = true }}\n {inject}\n expect {{ {expect} }} }}\n"
    );
    for (name, sound) in SOUND {
        let instead = defect.filter(|(of, _)| *of == name);
        text = text.replace(name, instead.map_or(sound, |(_, instead)| instead));
    }
    text
}

fn failures(text: &str) -> Vec<String> {
    let (policy, _) = policy::load(&[("main.policy", text)], "main.policy", &[])
        .unwrap_or_else(|diagnostics| panic!("{}", diagnostics.render(false)));
    let failed = verdicts(&Plan::new(policy).unwrap()).into_iter();
    let failed = failed.filter(|(_, verdict)| !verdict.passed);
    failed
        .map(|(_, verdict)| verdict.expected.to_string())
        .collect()
}

/// Each defect that a plan may have is found by a drill that the sound plan passes.
#[test]
fn a_plan_with_a_defect_fails_its_drill() {
    const OUTAGE: &str = "inject openai { status = 503, lasts = 1m }";
    const SILENCE: &str = "inject openai { ttft = 1m, lasts = 1m }";
    const BROWNOUT: &str = "inject openai { status = 500, share = 30%, lasts = 1m }";
    for (defect, inject, expect) in [
        (
            ("TIERS", "tier 1 { openai.mini }"),
            OUTAGE,
            "success >= 99.5%",
        ),
        (("FALLBACK", "on timeout -> next"), OUTAGE, "errors <= 0"),
        (
            ("BREAKER", "open when error_rate > 90%, window = 60s"),
            OUTAGE,
            "opened(openai) within 10s",
        ),
        (
            (
                "BREAKER",
                "open when error_rate > 99.9%, min_requests = 100000",
            ),
            OUTAGE,
            "wasted <= 40",
        ),
        (
            ("BREAKER", "open when consecutive >= 5, cool_down = 5m..6m"),
            OUTAGE,
            "closed(openai) within 3m",
        ),
        (("TTFT", "ttft_timeout = 20s"), SILENCE, "p95(ttft) < 5s"),
        (
            ("FALLBACK", "on s5xx -> reject(502)"),
            BROWNOUT,
            "errors <= 0",
        ),
    ] {
        let sound = failures(&text(None, inject, expect));
        assert_eq!(sound, Vec::<String>::new(), "{expect}");
        let failed = failures(&text(Some(defect), inject, expect));
        assert_eq!(failed, [expect], "{defect:?}");
    }
}

fn switchover(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_switchover"))
        .args(args)
        .output()
        .unwrap()
}

const COMMANDED: &str = "policy 1
provider openai  { model mini = \"gpt-5-mini\" }
provider mistral { model small = \"mistral-small-latest\" }
route default { tier 1 { openai.mini }, tier 2 { mistral.small } }
drill good {
  traffic = synthetic(10/s)
  inject openai { status = 503, lasts = 1m }
  expect { success >= 99.9%, opened(openai) within 10s }
}
drill bad {
  traffic = synthetic(10/s)
  inject [openai, mistral] { status = 503, lasts = 1m }
  expect { success >= 99.9% }
}
drill stopped {
  traffic = synthetic(10/s)
  inject [openai, mistral] { connect = refuse, lasts = 1m }
  expect { success >= 0% }
  abort when error_rate > 50%
}
drill live_one {
  traffic = live(5%)
  inject openai { status = 503, lasts = 1m }
  expect { success >= 99% }
  abort when live.error_rate > 2%
}
";

#[test]
fn the_exit_tells_the_worst() {
    let folder = Folder::new();
    let file = folder.write("plan.policy", COMMANDED);
    let file = file.to_str().unwrap();
    let run = |name: &str| {
        let output = switchover(&["drill", file, "--run", name]);
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let (code, text) = run("good");
    assert_eq!(code, 0, "{text}");
    for said in [
        "PASS good",
        "0:10.0  injected  openai { status = 503 }",
        "opened    openai.mini (consecutive)",
        "ok    success >= 99.9%",
        "plan.policy: 1 passed, 0 failed",
    ] {
        assert!(text.contains(said), "{said}:\n{text}");
    }
    let (code, text) = run("bad");
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("FAIL  success >= 99.9%"), "{text}");
    let (code, text) = run("stopped");
    assert_eq!(code, 5, "{text}");
    assert!(
        text.contains("ended by `abort when error_rate > 50%`"),
        "{text}"
    );
    let (code, text) = run("live_one");
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("SKIP live_one") && text.contains("1 skipped"),
        "{text}"
    );
    assert_eq!(run("nobody").0, 3);
    assert_eq!(
        switchover(&["drill", "nothing.policy"]).status.code(),
        Some(3)
    );
    assert_eq!(switchover(&["drill", file]).status.code(), Some(5));
}

#[test]
fn reports_for_machines_and_a_page() {
    let folder = Folder::new();
    let file = folder.write("plan.policy", COMMANDED);
    let file = file.to_str().unwrap();
    let json = switchover(&["drill", file, "--seed", "3", "--format", "json"]).stdout;
    let json: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["schema"], "switchover.drill/1");
    let drills = json["policies"][0]["drills"].as_array().unwrap();
    let words: Vec<_> = drills
        .iter()
        .map(|it| it["verdict"].as_str().unwrap())
        .collect();
    assert_eq!(words, ["passed", "failed", "aborted", "skipped"]);
    let run = &drills[0]["run"];
    assert_eq!(run["seed"], 3);
    let sum: u64 = run["series"]
        .as_array()
        .unwrap()
        .iter()
        .map(|point| point["requests"].as_u64().unwrap())
        .sum();
    assert_eq!(run["requests"].as_u64().unwrap(), sum);

    let junit = switchover(&["drill", file, "--format", "junit"]).stdout;
    let junit = String::from_utf8(junit).unwrap();
    assert!(
        junit.contains("tests=\"4\" failures=\"2\" errors=\"0\" skipped=\"1\""),
        "{junit}"
    );
    let opened = junit.matches("<testcase ").count();
    let closed = junit.matches("</testcase>").count() + junit.matches("name=\"good\"/>").count();
    assert_eq!(opened, closed, "{junit}");

    let page = folder.path().join("report.html");
    let page = page.to_str().unwrap();
    let output = switchover(&["drill", file, "--format", "html", "--out", page]);
    assert_eq!(output.status.code(), Some(5));
    assert!(output.stdout.is_empty());
    let page = std::fs::read_to_string(page).unwrap();
    assert_eq!(page.matches("<svg ").count(), 9, "three plots for each run");
    for foreign in ["http:", "https:", "<script", "src=", "@import", "url("] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    for tag in ["figure", "table", "svg", "h2"] {
        let opened = page.matches(&format!("<{tag}")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

#[test]
fn a_plan_is_simulated() {
    let folder = Folder::new();
    let file = folder.write("plan.policy", COMMANDED);
    let file = file.to_str().unwrap();
    let simulate = |more: &[&str]| {
        let fixed = ["simulate", file, "--for", "2m", "--seed", "7"];
        switchover(&[&fixed, more].concat())
    };
    let outage = ["--load", "30/s", "--fail", "openai@30s+30s", "--cores", "8"];
    let output = simulate(&outage);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    for said in [
        "30/s for 2m, 8 cores, seed 7",
        "0:30.0  injected  openai { status = 503 }",
        "opened    openai.mini (consecutive)",
        "mistral.small 100%",
    ] {
        assert!(text.contains(said), "{said}:\n{text}");
    }
    assert_eq!(text.as_bytes(), simulate(&outage).stdout);

    let json = simulate(&[&outage[..], &["--format", "json"]].concat()).stdout;
    let json: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["schema"], "switchover.simulate/1");
    assert_eq!(json["run"]["failed"], 0);
    assert!(json["run"]["wasted"].as_u64().unwrap() >= 5);

    let facts = [
        "--load",
        "10/s",
        "--even",
        "--given",
        "req.stream = true",
        "--assume",
        "openai:ttft=2s..2s",
        "--fail",
        "mistral:connect=refuse,share=50%@0s+1m",
    ];
    let text = String::from_utf8(simulate(&facts).stdout).unwrap();
    assert!(text.contains("p50 2000 ms"), "{text}");

    let wrong = simulate(&["--load", "10/s", "--fail", "opnai@30s+30s"]);
    assert_eq!(wrong.status.code(), Some(1));
    let said = String::from_utf8(wrong.stderr).unwrap();
    assert!(said.contains("did you mean `openai`?"), "{said}");
    assert_eq!(
        simulate(&["--load", "10/s", "--fail", "openai"])
            .status
            .code(),
        Some(3)
    );
    assert_eq!(simulate(&["--load", "100000/s"]).status.code(), Some(3));
}

/// Imports are found from the folder of the policy.
#[test]
fn a_plan_of_several_files_is_simulated() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join("policies/enterprise.policy");
    let args = [
        "simulate",
        file.to_str().unwrap(),
        "--load",
        "5/s",
        "--for",
        "30s",
    ];
    let output = switchover(&args);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

/// Three formats, a breaker that is quick, and providers that are.
const LOOPBACK: &str = r#"policy 1
breaker quick {
  open when consecutive >= 3
  cool_down = 200ms..400ms
  half_open { probes = 1, need = 1, share = 100%, step = 50ms }
}
defaults { breaker = quick, connect_timeout = 200ms }
provider openai { model mini = "gpt-5-mini" }
provider anthropic { model sonnet = "claude-sonnet-4-5" }
provider mistral { model small = "mistral-small-latest" }
route default {
  tier 1 { openai.mini }
  tier 2 { anthropic.sonnet }
  tier 3 { mistral.small }
}
drill outage {
  traffic = synthetic(40/s, arrivals = even)
  for = 2200ms
  assume openai { ttft = 2ms..6ms, gap = 1ms, tokens = 3 }
  assume anthropic { ttft = 2ms..6ms, gap = 1ms, tokens = 3 }
  inject openai { status = 503, after = 500ms, lasts = 700ms }
  expect {
    success >= 100%
    opened(openai) within 500ms
    closed(openai) within 1s
    never opened(anthropic)
  }
  expect during { share(anthropic) > 90% }
}
drill no_name {
  traffic = synthetic(20/s, arrivals = even)
  for = 1s
  assume openai { ttft = 2ms..6ms, gap = 1ms, tokens = 3 }
  assume anthropic { ttft = 2ms..6ms, gap = 1ms, tokens = 3 }
  inject openai { connect = dns, after = 300ms, lasts = 700ms }
  expect { success >= 100%, opened(openai) within 600ms, share(openai) > 99% }
}
"#;

#[test]
fn drills_run_over_loopback_without_a_key() {
    let folder = Folder::new();
    let path = folder.write("p.policy", LOOPBACK);
    let told = Command::new(env!("CARGO_BIN_EXE_switchover"))
        .args(["drill", "--local", "--cores", "1", "--format", "json"])
        .arg(&path)
        .env_remove("OPENAI_API_KEY")
        .env_remove("ANTHROPIC_API_KEY")
        .env_remove("MISTRAL_API_KEY")
        .output()
        .unwrap();
    let said = String::from_utf8(told.stderr).unwrap();
    let report: Value = serde_json::from_slice(&told.stdout).unwrap_or_else(|_| panic!("{said}"));
    // The second one expects what cannot be.
    assert_eq!(told.status.code(), Some(1), "{report:#}\n{said}");
    let [outage, no_name] = report["policies"][0]["drills"]
        .as_array()
        .unwrap()
        .as_slice()
    else {
        panic!("{report:#}");
    };
    assert_eq!(outage["verdict"], "passed", "{outage:#}");
    assert_eq!(no_name["verdict"], "failed", "{no_name:#}");
    let passed: Vec<bool> = no_name["expectations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["passed"].as_bool().unwrap())
        .collect();
    assert_eq!(passed, [true, true, false], "{no_name:#}");
}

/// Providers of each format, asked in turn.
const FORMATS: &str = r#"policy 1
provider openai { model mini = "gpt-5-mini" }
provider anthropic { model sonnet = "claude-sonnet-4-5" }
provider gemini { model flash = "gemini-2.5-flash" }
provider cohere { model command = "command-a-03-2025" }
provider bedrock {
  base_url = "https://bedrock-runtime.eu-west-1.amazonaws.com"
  auth = sigv4(env("AWS"))
  model claude = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0" { price { input = $3/Mtok, output = $15/Mtok } }
}
route default { max_attempts = 6, tier 1 { openai.mini, anthropic.sonnet, gemini.flash, cohere.command, bedrock.claude } }
drill whole {
  traffic = synthetic(120/s, arrivals = even)
  for = 500ms
  given { req.stream = false }
QUICK  expect { success >= 100%, wasted <= 0, cost <= $1, share(openai) > 5%, share(anthropic) > 5%, share(gemini) > 5%, share(cohere) > 5%, share(bedrock) > 5% }
}
drill stream {
  traffic = synthetic(120/s, arrivals = even)
  for = 500ms
  given { req.stream = true }
QUICK  expect { success >= 100%, wasted <= 0, cost <= $1, share(openai) > 5%, share(anthropic) > 5%, share(gemini) > 5%, share(cohere) > 5%, share(bedrock) > 5% }
}
drill responses {
  traffic = synthetic(120/s, arrivals = even)
  for = 500ms
  given { req.stream = true, req.path = "/v1/responses" }
QUICK  expect { success >= 100%, wasted <= 0, cost <= $1, share(openai) > 5%, share(anthropic) > 5%, share(gemini) > 5%, share(cohere) > 5%, share(bedrock) > 5% }
}
"#;

/// Each simulated provider answers in the format that its provider has, whole and as a stream, and says what it took.
#[test]
fn local_providers_speak_their_own_formats() {
    let quick = ["openai", "anthropic", "gemini", "cohere", "bedrock"]
        .map(|name| format!("  assume {name} {{ ttft = 2ms..6ms, gap = 1ms, tokens = 3 }}\n"));
    let folder = Folder::new();
    let path = folder.write("p.policy", &FORMATS.replace("QUICK", &quick.concat()));
    let told = Command::new(env!("CARGO_BIN_EXE_switchover"))
        .args(["drill", "--local", "--cores", "1"])
        .arg(&path)
        .output()
        .unwrap();
    let text = String::from_utf8(told.stdout).unwrap();
    assert_eq!(
        told.status.code(),
        Some(0),
        "{text}\n{}",
        String::from_utf8_lossy(&told.stderr)
    );
}
