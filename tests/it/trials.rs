//! The tests that policies hold: what each expectation accepts and refuses, what its author is told, and the command.

use std::process::{Command, Output};

use switchover::policy::{self, Plan};
use switchover::sim::trial::{self, Coverage, Verdict};

use crate::support::gateway::Folder;

/// Two regions, weights, a jump, a rule about targets, hedging, health checks and aliases.
const PLAN: &str = r#"policy 1
alias "latest" -> "gpt-5"
provider openai { region = us, health { path = "/health" }, model mini = "gpt-5-mini", model big = "gpt-5" }
provider mistral { region = eu, model small = "mistral-small-latest" }
provider onsite { kind = vllm, base_url = "http://10.0.0.1:8000", tls = off, region = eu, model qwen = "qwen" }
forbid residency when req.header["x-region"] == "eu" and target.region != eu
route big when req.model == "gpt-5" {
  tier 1 { openai.big weight 70, mistral.small weight 30 }
  fallback {
    on context_exceeded -> onsite.qwen
    on content_filter -> stop
    on auth_failed -> reject(502)
    on any -> next
    else -> reject(503)
  }
}
route hedged when req.stream {
  tier 1 { openai.mini }
  tier 2 { mistral.small }
  hedge after 200ms -> onsite.qwen
}
route sticky when has(req.meta["session"]) {
  tier 1 { pick = hash(req.meta["session"]), openai.mini, mistral.small, onsite.qwen }
}
route default { tier 1 { openai.mini }, tier 2 { mistral.small }, tier 3 { onsite.qwen } }
"#;

fn plan(tests: &str) -> Plan {
    let text = format!("{PLAN}{tests}");
    match policy::load(&[("main.policy", &*text)], "main.policy", &[]) {
        Ok((policy, _)) => Plan::new(policy).unwrap(),
        Err(diagnostics) => panic!("{}", diagnostics.render(false)),
    }
}

/// One test with this inside.
fn run(inside: &str) -> Verdict {
    let plan = plan(&format!("test \"it\" {{\n{inside}\n}}\n"));
    trial::run(&plan, &plan.policy.trials[0], &mut Coverage::default())
}

/// What speaks against its expectations.
fn found(inside: &str) -> Vec<String> {
    let failures = run(inside).failures;
    failures.into_iter().map(|failure| failure.found).collect()
}

fn holds(inside: &str) {
    assert_eq!(found(inside), Vec::<String>::new(), "{inside}");
}

#[test]
fn facts_choose_the_route() {
    holds("expect { route = default, target = openai.mini, status = 200, attempts = 1 }");
    holds(
        "given { req.model = \"latest\", seed = 3 }\nexpect { route = big, target in [openai, mistral] }",
    );
    holds(
        "given { req.stream = true }\nexpect { route = hedged, route != default, route in [hedged, big] }",
    );
    holds(
        "given { req.meta[\"session\"] = \"s\" }\nexpect { route = sticky, same target over 500 }",
    );
    assert_eq!(
        found("given { req.stream = true }\nexpect { route = default, route not in [hedged] }"),
        ["route `hedged`", "route `hedged`"]
    );
}

#[test]
fn states_are_those_of_the_engine() {
    for state in ["open", "down", "throttled", "drained"] {
        let inside = format!(
            "state {{ openai = {state} }}\nexpect {{ target = mistral.small, attempts = 1 }}"
        );
        holds(&inside);
    }
    holds("state { openai = closed }\nexpect { target = openai.mini }");
    holds(
        "state { openai = open, mistral = open, onsite = open }\nexpect { reject = 503, attempts = 0 }",
    );
    holds(
        "state { openai = throttled, mistral = throttled, onsite = throttled }\nexpect { reject = 429 }",
    );
}

/// Many requests find the same state, whatever those before them met.
#[test]
fn a_request_leaves_the_next_ones_alone() {
    holds(
        "sample req.header[\"x-user\"] 300\nscript { openai = s500 }\nexpect { chain = [openai.mini, mistral.small] }",
    );
    holds(
        "sample req.header[\"x-user\"] 2000\nstate { openai = half_open }\nexpect { share(openai) in 3%..7%, attempts = 1 }",
    );
}

#[test]
fn scripts_are_read_as_answers_are() {
    holds(
        "script { openai.mini = s503 }\nexpect { chain = [openai.mini, mistral.small], status = 200 }",
    );
    holds("script { openai.mini = [s429, ok] }\nexpect { target = mistral.small }");
    holds(
        "script { openai.mini = s400 }\nexpect { chain = [openai.mini], status = 400, target != openai.mini }",
    );
    holds(
        "script { openai = connect, mistral = tls, onsite = timeout }\nexpect { reject = 503, attempts >= 3 }",
    );
    holds(
        "given { req.model = \"gpt-5\", seed = 1 }\nscript { openai = context_exceeded, mistral = context_exceeded }\nexpect { target = onsite.qwen }",
    );
    holds(
        "given { req.model = \"gpt-5\" }\nscript { openai = content_filter, mistral = content_filter }\nexpect { status = 400, attempts = 1 }",
    );
    holds(
        "given { req.model = \"gpt-5\" }\nscript { openai = s401, mistral = s401 }\nexpect { reject = 502 }",
    );
}

#[test]
fn silence_is_hedged() {
    holds(
        "given { req.stream = true }\nscript { openai.mini = ttft }\nexpect { target = onsite.qwen, attempts = 2 }",
    );
    holds(
        "given { req.stream = true }\nscript { openai.mini = ttft, onsite.qwen = s500 }\nexpect { target = mistral.small, attempts = 3 }",
    );
}

#[test]
fn conditions_on_targets_hold_for_each_attempt() {
    let eu = "given { req.header[\"x-region\"] = \"eu\" }\n";
    holds(&format!(
        "{eu}expect {{ never target.region != eu, never openai, target = mistral.small }}"
    ));
    holds(&format!(
        "{eu}state {{ mistral = open, onsite = open }}\nexpect {{ reject = 503, attempts = 0 }}"
    ));
    assert_eq!(
        found(
            "script { openai = s500 }\nexpect { never target.region == eu, never [onsite, mistral], never openai }"
        ),
        [
            "asked `mistral.small`",
            "asked [openai.mini, mistral.small]",
            "asked [openai.mini, mistral.small]"
        ]
    );
    // The attempt after a failure at OpenAI only.
    holds(
        "script { openai = s500 }\nexpect { never attempt.index > 1, never attempt.last == timeout }",
    );
    assert_eq!(
        found("script { openai = s500 }\nexpect { never attempt.last == s5xx }"),
        ["asked `mistral.small`"]
    );
}

#[test]
fn shares_are_counted_over_the_sample() {
    let sample = "sample req.header[\"x-user\"] 4000\ngiven { req.model = \"gpt-5\" }\n";
    holds(&format!(
        "{sample}expect {{ share(openai) in 67%..73%, share(mistral.small) < 33%, share(route.big) = 100% }}"
    ));
    let found = found(&format!("{sample}expect {{ share(openai) in 1%..2% }}"));
    assert!(
        found[0].starts_with("69.") || found[0].starts_with("70."),
        "{found:?}"
    );
    assert!(found[0].ends_with(" of 4000)"), "{found:?}");
}

#[test]
fn what_differs_is_counted() {
    let found = found(
        "given { req.model = \"gpt-5\" }\nexpect { same target over 100, same route over 100 }",
    );
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains(" of 100 are not like the first: 200 by `"),
        "{found:?}"
    );
}

#[test]
fn a_failure_tells_the_whole_way() {
    let verdict = run(
        "state { mistral = drained }\nscript { openai.mini = s503, onsite.qwen = timeout }\nexpect { status = 200 }",
    );
    let policy = plan("").policy;
    assert_eq!(
        verdict.failures[0].found,
        "reject(503) for s5xx at main.policy:25"
    );
    assert_eq!(
        verdict.journey.told(&policy),
        [
            "route default  main.policy:25",
            "1. openai.mini: s5xx (503)  main.policy:25",
            "2. onsite.qwen: timeout  main.policy:25",
            "3. openai.mini: s5xx (503)  main.policy:25",
            "passed over mistral.small: drained",
            "answer reject(503) for s5xx at main.policy:25",
        ]
    );
}

/// Every shipped plan, and all that its tests go through.
#[test]
fn shipped_policies_pass_their_own_tests() {
    let output = test_command(&[
        "policies/quickstart.policy",
        "policies/first.policy",
        "policies/four_formats.policy",
        "policies/canary.policy",
        "policies/residency.policy",
        "policies/vllm_fleet.policy",
        "policies/enterprise.policy",
        "--fail-under",
        "100%",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
}

fn test_command(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_switchover"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .arg("test")
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn the_command_tells_people_programs_and_build_servers() {
    let folder = Folder::new();
    let tests = "test \"good\" { expect { status = 200 } }\ntest \"bad & <ugly>\" { expect { status = 500 } }\n";
    let path = folder.write("plan.policy", &format!("{PLAN}{tests}"));
    let path = path.to_str().unwrap();

    let told = test_command(&[path, "--coverage"]);
    assert_eq!(told.status.code(), Some(1));
    for part in [
        "FAIL bad & <ugly>",
        "  expected status = 500",
        "     found 200 by `openai.mini`",
        "no test goes through route `hedged`",
        "no test goes through fallback line 2 of route `big`",
        "no test goes through the `else` of route `big`",
        ": 1 passed, 1 failed; routes 1/4, fallback lines 0/5 (11%)",
    ] {
        assert!(
            text(&told.stdout).contains(part),
            "{part}: {}",
            text(&told.stdout)
        );
    }

    let json = test_command(&[path, "--format", "json", "--run", "good"]);
    assert_eq!(json.status.code(), Some(0));
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["schema"], "switchover.test/1");
    assert_eq!(json["policies"][0]["tests"].as_array().unwrap().len(), 1);
    assert_eq!(json["policies"][0]["tests"][0]["passed"], true);
    assert_eq!(json["policies"][0]["coverage"]["percent"], 11);

    let xml = test_command(&[path, "--format", "junit"]);
    assert_eq!(xml.status.code(), Some(1));
    for part in [
        "tests=\"2\" failures=\"1\"",
        "name=\"bad &amp; &lt;ugly&gt;\"",
        "<failure message=\"expected status = 500, found 200 by `openai.mini`\">",
    ] {
        assert!(
            text(&xml.stdout).contains(part),
            "{part}: {}",
            text(&xml.stdout)
        );
    }

    let too_little = test_command(&[path, "--run", "good", "--fail-under", "12%"]);
    assert_eq!(too_little.status.code(), Some(1));
    assert!(text(&too_little.stdout).contains("(11%), below 12%"));
}

#[test]
fn the_command_names_what_it_cannot_read() {
    let missing = test_command(&["nowhere.policy"]);
    assert_eq!(missing.status.code(), Some(3));
    assert!(text(&missing.stderr).contains("`nowhere.policy` does not exist"));

    let folder = Folder::new();
    let broken = folder.write("broken.policy", "policy 1\nroute default {");
    let broken = test_command(&[broken.to_str().unwrap()]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(text(&broken.stderr).contains("error[P0003]"));
    assert!(text(&broken.stderr).contains("no test was run"));
}
