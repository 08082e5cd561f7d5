//! Proofs: what is proved is never contradicted by the live engine, and what is not proved is shown by it.

pub(crate) mod plans;
mod walks;

use std::process::{Command, Output};

use switchover::base::{Outcome, TargetId};
use switchover::policy::model::{FlagFact, IntFact, StrFact};
use switchover::policy::trial::{Given, Scripted, Staged, Trial};
use switchover::policy::{self, Plan};
use switchover::sim::proof::{self, Verdict};
use switchover::sim::trial::{self, Coverage};

use crate::support::gateway::Folder;

use self::plans::Chance;

/// Two regions; EU requests may leave it in their second attempt.
const PLAN: &str = r#"policy 1
alias "latest" -> "gpt-5"
provider openai { region = us, model mini = "gpt-5-mini", model big = "gpt-5" }
provider mistral { region = eu, model small = "mistral-small-latest" }
provider onsite { kind = vllm, base_url = "http://10.0.0.1:8000", tls = off, region = eu, model qwen = "qwen" }
forbid residency when key.residency == "eu" and target.region != eu and attempt.index == 0
forbid ours when key.contract == "own" and target.region != eu
route big when req.model == "gpt-5" {
  tier 1 { openai.big weight 70, mistral.small weight 30 }
  fallback {
    on context_exceeded -> onsite.qwen
    on breaker_open -> onsite.qwen
    on content_filter -> stop
    on any -> next
    else -> reject(503)
  }
}
route canary when req.stream and key.contract != "own" {
  tier 1 { openai.mini }
  tier 2 { mistral.small }
  max_attempts = 2
  guard { compare = route.default, stop when delta(error_rate) > 1% }
}
route closed when key.tier == "free" { reject(402) }
route default {
  tier 1 { openai.mini }
  tier 2 { mistral.small }
  hedge after 200ms -> onsite.qwen when key.tier == "gold"
  shadow openai.big { share = 2%, max_inflight = 4 }
}
"#;

fn plan(proofs: &str) -> Plan {
    let text = format!("{PLAN}{proofs}");
    match policy::load(&[("main.policy", &*text)], "main.policy", &[]) {
        Ok((policy, _)) => Plan::new(policy).unwrap(),
        Err(diagnostics) => panic!("{}", diagnostics.render(false)),
    }
}

fn run(inside: &str) -> Verdict {
    let plan = plan(&format!("prove \"it\" {{\n{inside}\n}}\n"));
    proof::run(&plan, &plan.policy.proofs[0])
}

fn found(inside: &str) -> Vec<String> {
    let failures = run(inside).failures;
    failures.into_iter().map(|failure| failure.found).collect()
}

fn holds(inside: &str) {
    let verdict = run(inside);
    assert_eq!(verdict.failures, [], "{inside}");
    assert!(verdict.classes > 0, "{inside}");
}

/// The way that speaks against its only expectation.
fn way(inside: &str) -> Vec<String> {
    let failures = run(inside).failures;
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert!(!failures[0].undecided, "{failures:?}");
    failures[0].way.clone()
}

#[test]
fn what_cannot_happen_is_proved() {
    holds(
        "given { key.contract = \"own\" }\nexpect { never target.region != eu, never openai, never [openai.big] }",
    );
    holds(
        "given { key.residency = \"eu\" }\nexpect { never target.region != eu and attempt.index == 0 }",
    );
    holds(
        "given { req.model = \"gpt-5\" }\nexpect { route = big, never openai.mini, attempts <= 4 }",
    );
    // An alias is looked through, as on the way in.
    holds("given { req.model = \"latest\" }\nexpect { route = big }");
    holds(
        "given { key.tier = \"free\", not req.stream, req.model = \"o\" }\nexpect { route = closed, reject = 402, never [openai, mistral, onsite] }",
    );
    // A canary may be withdrawn: its requests are the next route's then.
    holds(
        "given { req.stream = true, req.model != \"gpt-5\" }\nexpect { route in [canary, closed, default] }",
    );
    holds("expect { never attempt.last == content_filter, never attempt.last == s4xx }");
}

#[test]
fn a_way_out_of_the_region_is_shown() {
    assert_eq!(
        way(
            "given { key.residency = \"eu\", req.model = \"gpt-5\" }\nexpect { never target.region != eu }"
        ),
        [
            "given req.model = \"gpt-5\", key.residency = \"eu\"",
            "route big  main.policy:8",
            "1. mistral.small: s5xx  main.policy:14",
            "2. openai.big: asked",
        ]
    );
    // The same by a hedge, a copy, a line for targets that rest, a withdrawn canary.
    assert_eq!(
        way(
            "given { req.model = \"o\", key.tier = \"gold\", req.stream = false }\nexpect { never onsite }"
        ),
        [
            "given req.model = \"o\", key.tier = \"gold\"",
            "route default  main.policy:25",
            "1. openai.mini: asked",
            "2. onsite.qwen: asked, as a hedge",
        ]
    );
    assert_eq!(
        way("given { req.model = \"o\" }\nexpect { never openai.big }"),
        [
            "given req.model = \"o\"",
            "route default  main.policy:25",
            "a copy goes to openai.big",
        ]
    );
    assert_eq!(
        way(
            "given { req.model = \"gpt-5\" }\nexpect { never onsite.qwen and attempt.index == 0 }"
                .replace(
                    "never onsite.qwen and",
                    "never target.failure_domain == \"onsite\" and"
                )
                .as_str()
        ),
        [
            "given req.model = \"gpt-5\"",
            "route big  main.policy:8",
            "nobody of its tiers can be asked: breaker_open",
            "1. onsite.qwen: asked",
        ]
    );
    assert_eq!(
        way(
            "given { req.stream, req.model = \"o\", key.tier = \"gold\" }\nexpect { never onsite }"
        )[1],
        "route default, while `canary` is withdrawn  main.policy:25"
    );
}

#[test]
fn the_longest_way_is_found() {
    assert_eq!(
        found("given { req.model = \"gpt-5\" }\nexpect { attempts <= 3 }"),
        ["4"]
    );
    holds("given { req.model = \"gpt-5\" }\nexpect { attempts <= 4, attempts < 5 }");
    // All of a route's targets may rest.
    assert_eq!(
        found("given { req.model = \"gpt-5\" }\nexpect { attempts >= 1 }"),
        ["0"]
    );
}

#[test]
fn what_other_routes_take_is_shown() {
    assert_eq!(
        way("given { req.model = \"o\" }\nexpect { route in [big, default, closed] }"),
        [
            "given req.model = \"o\", req.stream = true",
            "route canary  main.policy:18"
        ]
    );
    assert_eq!(
        found("given { key.tier = \"free\" }\nexpect { reject = 402 }"),
        ["may ask [openai.big, mistral.small]"]
    );
    assert_eq!(
        found(
            "given { key.tier = \"free\", req.model = \"o\", req.stream = false }\nexpect { reject = 403 }"
        ),
        ["reject(402) at main.policy:24"]
    );
}

#[test]
fn nothing_is_proved_of_no_request() {
    let verdict = run("given { req.model = \"a\", req.model = \"b\" }\nexpect { never openai }");
    assert_eq!(verdict.failures[0].found, "no request is like this");
    assert!(verdict.failures[0].undecided);
    // The gateway answers other paths itself.
    assert_eq!(
        found("given { req.path = \"/v1/nothing\" }\nexpect { never openai }"),
        ["no request is like this"]
    );
}

/// Requests, states and scripts at random, by the live program and engine: none of them does what was proved not to
/// happen. What is not proved has been shown by the engine already, or the proof says that it was undecided.
#[test]
fn no_request_contradicts_a_proof() {
    let (mut proved, mut refuted, mut contradictable) = (0, 0, 0);
    for seed in 0..60 {
        let mut chance = Chance::new(seed);
        let Some((plan, text)) = plans::plan(&mut chance) else {
            continue;
        };
        let proof = &plan.policy.proofs[0];
        let verdict = proof::run(&plan, proof);
        for failure in &verdict.failures {
            let none = failure.found == "no request is like this";
            assert!(!failure.undecided || none, "{seed}: {failure:?}\n{text}");
        }
        let fails = |expected: &str| {
            verdict
                .failures
                .iter()
                .any(|failure| *failure.expected == *expected)
        };
        proved += proof
            .expects
            .iter()
            .filter(|line| !fails(&line.text))
            .count();
        refuted += verdict.failures.len();
        for _ in 0..12 {
            let trial = trial_of(&mut chance, proof);
            let failures = trial::run(&plan, &trial, &mut Coverage::default()).failures;
            for failure in failures {
                contradictable += 1;
                assert!(
                    fails(&failure.expected),
                    "{seed}: {failure:?} {trial:?}\n{text}"
                );
            }
        }
    }
    assert!(
        proved > 40 && refuted > 120 && contradictable > 120,
        "{proved} {refuted} {contradictable}"
    );
}

/// A test of a request that the proof means.
fn trial_of(chance: &mut Chance, proof: &policy::trial::Proof) -> Trial {
    let mut trial = Trial {
        name: proof.name.clone(),
        at: proof.at,
        given: Vec::new(),
        seed: chance.below(1_000) as u64,
        states: Vec::new(),
        scripts: Vec::new(),
        sample: None,
        expects: proof.expects.clone(),
    };
    let text = format!("{:?}", proof.given);
    let fixed = |word: &str| text.contains(word);
    let mut say = |fact: StrFact, words: &[&str], chance: &mut Chance| {
        let word = chance.of(words);
        if !word.is_empty() {
            trial.given.push(Given::Text(fact, word.into()));
        }
    };
    if fixed("Residency") {
        say(StrFact::KeyResidency, &["eu"], chance);
    } else {
        say(StrFact::KeyResidency, &["eu", "us", ""], chance);
    }
    match (fixed("KeyTier"), fixed("negated: true")) {
        (true, false) => say(StrFact::KeyTier, &["gold"], chance),
        (true, true) => say(StrFact::KeyTier, &["silver", ""], chance),
        _ => say(StrFact::KeyTier, &["gold", "silver", ""], chance),
    }
    if fixed("Model") {
        say(StrFact::Model, &["gpt-5"], chance);
    } else {
        say(StrFact::Model, &["gpt-5", "gpt-4o", "qwen"], chance);
    }
    say(
        StrFact::KeyId,
        &["k1", "k2", "k3", "k4", "k5", "k6"],
        chance,
    );
    trial.given.push(Given::Flag(
        FlagFact::Stream,
        !fixed("Stream") && chance.one_in(2),
    ));
    trial.given.push(Given::Int(
        IntFact::TokensIn,
        chance.below(2) as u64 * 20_000,
    ));
    for target in (0..5).map(TargetId) {
        if chance.one_in(3) {
            let state = Staged::ALL[chance.below(Staged::ALL.len())];
            trial.states.push((target, state));
        }
        let script = (0..=chance.below(3)).map(|_| {
            let outcome = Outcome::ALL[chance.below(Outcome::ALL.len())];
            // No attempt ends in this: it is what stands in the way of one.
            let outcome = if outcome == Outcome::BreakerOpen {
                Outcome::S5xx
            } else {
                outcome
            };
            Scripted::Outcome(outcome)
        });
        trial.scripts.push((target, script.collect()));
    }
    trial
}

fn test_command(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_switchover"))
        .arg("test")
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn the_command_counts_proofs() {
    let folder = Folder::new();
    let proofs = "prove \"fine\" { given { key.contract = \"own\" }, expect { never openai } }\n\
                  prove \"wrong & <ugly>\" { given { req.model = \"gpt-5\" }, expect { never openai } }\n";
    let path = folder.write("plan.policy", &format!("{PLAN}{proofs}"));
    let path = path.to_str().unwrap();

    let told = test_command(&[path]);
    assert_eq!(told.status.code(), Some(1));
    for part in [
        "NOT PROVED wrong & <ugly>  ",
        "  expected never openai  ",
        "     found asked `openai.big`\n",
        "    | given req.model = \"gpt-5\"\n    | route big  ",
        "    | 1. openai.big: asked\n",
        ": 0 passed, 0 failed; 1 of 2 proved (",
        " classes of requests, ",
    ] {
        assert!(
            text(&told.stdout).contains(part),
            "{part}: {}",
            text(&told.stdout)
        );
    }

    let json = test_command(&[path, "--format", "json", "--run", "fine"]);
    assert_eq!(json.status.code(), Some(0));
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let proof = &json["policies"][0]["proofs"][0];
    assert_eq!(proof["passed"], true);
    assert!(
        proof["classes"].as_u64() > Some(1) && proof["states"].as_u64() > Some(10),
        "{proof}"
    );

    let json = test_command(&[path, "--format", "json", "--run", "wrong"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let failure = &json["policies"][0]["proofs"][0]["failures"][0];
    assert_eq!(failure["undecided"], false);
    assert_eq!(failure["counterexample"][2], "1. openai.big: asked");

    let xml = test_command(&[path, "--format", "junit"]);
    for part in [
        "tests=\"2\" failures=\"1\"",
        "name=\"prove fine\"/>",
        "name=\"prove wrong &amp; &lt;ugly&gt;\">",
        "<failure message=\"expected never openai, found asked `openai.big`\">NOT PROVED",
    ] {
        assert!(
            text(&xml.stdout).contains(part),
            "{part}: {}",
            text(&xml.stdout)
        );
    }
}
