//! `switchover diff`: order and names that change nothing are no difference, and everything that does is told with a request.

use std::collections::BTreeSet;
use std::process::{Command, Output};

use switchover::policy::{self, Facts, KeyFacts, Plan, WallTime};
use switchover::sim::compare::{Becomes, Comparison, compare};

use crate::proving::plans::{self, Chance};
use crate::support::gateway::Folder;

const OLD: &str = r#"policy 1
const gold = param("gold")
provider openai { region = us, model mini = "gpt-5-mini", model big = "gpt-5" }
provider mistral { region = eu, model small = "mistral-small-latest" }
forbid residency when key.residency == "eu" and target.region != eu
route big when req.model == "gpt-5" {
  tier 1 { openai.big weight 70, mistral.small weight 30 }
  fallback {
    on [s429, s5xx] -> next
    on timeout -> openai.mini
    else -> reject(503)
  }
}
route fast when req.stream and key.tier == gold { tier 1 { mistral.small } }
route default { tier 1 { openai.mini }, tier 2 { mistral.small } }
"#;

fn plan(text: &str) -> Plan {
    match policy::load(&[("main.policy", text)], "main.policy", &[]) {
        Ok((policy, _)) => Plan::new(policy).unwrap(),
        Err(diagnostics) => panic!("{}", diagnostics.render(false)),
    }
}

/// The old plan against one in which these are replaced.
fn with(replaced: &[(&str, &str)]) -> Comparison {
    let mut new = OLD.to_owned();
    for (from, to) in replaced {
        assert!(new.contains(from), "{from}");
        new = new.replace(from, to);
    }
    compare(&plan(OLD), &plan(&new)).unwrap()
}

fn told(found: &Comparison) -> Vec<String> {
    let changes = found.changes.iter();
    changes
        .map(|change| {
            let words = change.words.iter();
            let words = words.map(|said| format!("; {}: {} → {}", said.about, said.old, said.new));
            format!(
                "{:?} {}{}",
                change.kind,
                change.what,
                words.collect::<String>()
            )
        })
        .collect()
}

fn holds(found: &Comparison, of: &str) -> Option<bool> {
    let mut invariants = found.invariants.iter();
    invariants
        .find(|invariant| invariant.of == of)
        .unwrap()
        .holds
}

#[test]
fn text_without_effect_is_no_change() {
    for replaced in [
        (
            "openai.big weight 70, mistral.small weight 30",
            "mistral.small weight 3, openai.big weight 7",
        ),
        (
            "    on [s429, s5xx] -> next\n    on timeout -> openai.mini\n",
            "    on timeout -> openai.mini\n    on s5xx -> next\n    on [s429] -> next\n",
        ),
        (
            "req.stream and key.tier == gold",
            "key.tier in [gold] and not (not req.stream)",
        ),
        (
            "const gold = param(\"gold\")",
            "const gold = param(\"gold\")  # who pays more",
        ),
        // Nobody streams `gpt-5` to this route: the one above has taken it.
        (
            "req.stream and key.tier == gold",
            "req.stream and key.tier == gold and req.model != \"gpt-5\"",
        ),
        (
            "else -> reject(503)",
            "on content_filter -> stop\n    else -> reject(503)",
        ),
    ] {
        let found = with(&[replaced]);
        assert_eq!(told(&found), [""; 0], "{replaced:?}");
        assert_eq!(holds(&found, "region"), Some(true));
    }
}

#[test]
fn a_new_name_is_told_as_one() {
    assert_eq!(
        told(&with(&[("route big", "route large")])),
        ["Renamed route big → large"]
    );
    assert_eq!(
        told(&with(&[
            ("route big", "route large"),
            ("weight 70", "weight 30")
        ])),
        [
            "Renamed route big → large; tier 1: mistral.small 30%, openai.big 70% → mistral.small 50%, openai.big 50%"
        ]
    );
}

#[test]
fn each_change_is_told_in_the_words_of_the_policy() {
    for (replaced, expected) in [
        (
            ("weight 70", "weight 10"),
            "Changed route big; tier 1: mistral.small 30%, openai.big 70% → mistral.small 75%, openai.big 25%",
        ),
        (
            ("[s429, s5xx]", "[s5xx]"),
            "Changed route big; on s429: next → else",
        ),
        (
            (
                "on timeout -> openai.mini",
                "on [timeout, connect] -> openai.mini",
            ),
            "Changed route big; on connect: else → openai.mini",
        ),
        (
            ("else -> reject(503)", "else -> reject(502)"),
            "Changed route big; else: reject(503) → reject(502)",
        ),
        (
            (
                "{ tier 1 { mistral.small } }",
                "{ tier 1 { mistral.small }, deadline = 10s }",
            ),
            "Changed route fast; deadline: 1m → 10s",
        ),
        (
            (
                "provider mistral { region = eu,",
                "provider mistral { region = eu, ttft_timeout = 2s,",
            ),
            "Changed target mistral.small; ttft_timeout: 30s → 2s",
        ),
    ] {
        assert_eq!(told(&with(&[replaced])), [expected]);
    }
}

#[test]
fn requests_that_move_are_shown() {
    let found = with(&[("req.stream and key.tier == gold", "key.tier == gold")]);
    let [change] = found.changes.as_slice() else {
        panic!("{:?}", told(&found));
    };
    assert_eq!(
        (change.kind, &*change.what),
        (Becomes::Moved, "route default → fast")
    );
    let example = change.example.as_deref().unwrap();
    assert!(
        example.contains("key.tier = \"gold\"") && !example.contains("req.stream = true"),
        "{example}"
    );
}

#[test]
fn forbids_are_compared_by_whom_they_keep_away() {
    let found = with(&[(
        "key.residency == \"eu\" and",
        "key.residency in [\"eu\", \"ch\"] and",
    )]);
    let all = told(&found);
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!(
        all[0],
        "Changed forbids; forbidden:  → openai.big, openai.mini"
    );
    assert!(
        found.changes[0]
            .example
            .as_deref()
            .unwrap()
            .contains("key.residency = \"ch\"")
    );
    // Whom it keeps away is asked no more: that is another region, and the comparison says so.
    assert_eq!(holds(&found, "region"), Some(false));
    // The same said otherwise.
    let same = with(&[("and target.region != eu", "and not target.region == eu")]);
    assert_eq!(told(&same), [""; 0]);
    // After a failure only.
    let later = with(&[(
        "forbid residency",
        "forbid again when attempt.last == s5xx and target.region == us\nforbid residency",
    )]);
    assert!(
        told(&later)[0].starts_with("Changed forbids; forbidden after "),
        "{:?}",
        told(&later)
    );
}

#[test]
fn whom_requests_can_reach_is_proved() {
    let found = with(&[("on timeout -> openai.mini", "on timeout -> next")]);
    assert_eq!(
        (holds(&found, "region"), holds(&found, "provider")),
        (Some(true), Some(true))
    );
    let found = with(&[(
        "tier 1 { mistral.small } }",
        "tier 1 { mistral.small }, tier 2 { openai.mini } }",
    )]);
    let region = &found.invariants[0];
    assert_eq!(region.holds, Some(false));
    let (request, lost, gained) = region.example.clone().unwrap();
    assert!(request.contains("key.tier = \"gold\""), "{request}");
    assert_eq!((lost, gained), (vec![], vec!["us".to_owned()]));
}

/// Requests at random: whoever takes another route is in the list.
#[test]
fn no_request_moves_unseen() {
    let (mut moved, mut same) = (0, 0);
    for seed in 0..24 {
        let mut chance = Chance::new(5_000 + seed);
        let (Some((old, _)), Some((new, text))) =
            (plans::plan(&mut chance), plans::plan(&mut chance))
        else {
            continue;
        };
        assert_eq!(told(&compare(&new, &new).unwrap()), [""; 0], "{text}");
        let found = compare(&old, &new).unwrap();
        let told: BTreeSet<&str> = found.changes.iter().map(|change| &*change.what).collect();
        for _ in 0..40 {
            let (before, after) = routes(&old, &new, &mut chance);
            if before == after {
                same += 1;
            } else {
                moved += 1;
                let what = format!("route {before} → {after}");
                assert!(told.contains(&*what), "{seed}: {what} {told:?}\n{text}");
            }
        }
    }
    assert!(moved > 20 && same > 20, "{moved} {same}");
}

fn routes(old: &Plan, new: &Plan, chance: &mut Chance) -> (String, String) {
    let word = |chance: &mut Chance, words: &[&str]| {
        let word = chance.of(words);
        (!word.is_empty()).then(|| Box::from(word))
    };
    let key = KeyFacts {
        id: word(chance, &["k1", "k2", "k3", "k4"]),
        tier: word(chance, &["gold", "silver", ""]),
        residency: word(chance, &["eu", "us"]),
        ..KeyFacts::default()
    };
    let facts = Facts {
        model: chance.of(&["gpt-5", "gpt-4o", "qwen"]),
        path: "/v1/chat/completions",
        method: "POST",
        stream: chance.one_in(2),
        tokens_in: chance.below(2) as u64 * 20_000,
        max_out: 0,
        has: policy::Caps::NONE,
        headers: &[],
        meta: &[],
        key: &key,
        now: WallTime::default(),
    };
    let name = |plan: &Plan| {
        let route = plan.program.decide(&facts).route;
        plan.policy.routes[route.index()].name.to_string()
    };
    (name(old), name(new))
}

fn diff(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_switchover"))
        .arg("diff")
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn the_command_says_it_by_its_exit() {
    let folder = Folder::new();
    let old = folder.write("old.policy", OLD);
    let new = folder.write("new.policy", &OLD.replace("weight 70", "weight 30"));
    let broken = folder.write("broken.policy", "policy 1\nroute default {");
    let [old, new, broken] = [&old, &new, &broken].map(|path| path.to_str().unwrap());

    let same = diff(&[old, old]);
    assert_eq!(same.status.code(), Some(0));
    assert!(
        text(&same.stdout).ends_with("\nno change\n"),
        "{}",
        text(&same.stdout)
    );
    assert!(
        text(&same.stdout)
            .starts_with("= region: no request can reach another one than before (proved for ")
    );

    let changed = diff(&[old, new]);
    assert_eq!(changed.status.code(), Some(2));
    for part in [
        "~ route big\n    tier 1  mistral.small 30%, openai.big 70% → mistral.small 50%, openai.big 50%\n",
        "    for example: req.model = \"gpt-5\"\n",
        "\n1 change\n",
    ] {
        assert!(
            text(&changed.stdout).contains(part),
            "{part}: {}",
            text(&changed.stdout)
        );
    }

    let json = diff(&[old, new, "--format", "json", "--set", "gold=\"platinum\""]);
    assert_eq!(json.status.code(), Some(2));
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["schema"], "switchover.diff/1");
    assert_eq!(json["changes"][0]["kind"], "changed");
    assert_eq!(json["changes"][0]["words"][0]["about"], "tier 1");
    assert_eq!(json["invariants"][0]["holds"], true);

    assert_eq!(diff(&[old, "nowhere.policy"]).status.code(), Some(3));
    let broken = diff(&[old, broken]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(text(&broken.stderr).contains("nothing was compared"));
}
