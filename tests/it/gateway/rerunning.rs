//! The simulator's engine and the gateway's do the same: a gateway goes through outages, writing down what its engine was told;
//! told the same, another engine has to come to the same decisions, request by request, and its breakers to the same changes, tick by
//! tick, from states that it has come to by itself.

use std::fs;
use std::process::Command;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use serde_json::Value;

use switchover::ops::{Told, ToldLine, ToldTick};
use switchover::policy::{self, Plan};
use switchover::sim::replay::{NoRerun, Rerun, rerun};

use crate::support::client::{Client, post};
use crate::support::gateway::{Folder, Gateway, Io, eventually};

/// Each way to pick, each way to fail, breakers of both kinds, and hedges.
const PLAN: &str = r#"
breaker streak { open when consecutive >= 4, cool_down = 200ms..300ms, half_open { share = 100%, step = 20ms } }
breaker rate {
  window = 1s
  open when error_rate > 30%
  min_requests = 10
  cool_down = 150ms..300ms
  half_open { probes = 2, share = 100%, step = 50ms }
}
defaults { breaker = streak, retries { backoff = 1ms..2ms }, ttft_timeout = 200ms, idle_timeout = 200ms }
provider alpha {
  kind = simulated
  simulate { ttft = 5ms..15ms, tokens = 2, script = ["ok 25", "s503 12", "ok 3", "s429 1", "refuse 6"] }
  capacity { max_inflight = 8 }
  model chat = "chat"
}
provider beta {
  kind = simulated
  simulate { ttft = 5ms..15ms, tokens = 2, script = ["ok 12", "s500 14", "cut 2"] }
  model chat { id = "chat", breaker = rate }
}
provider gamma {
  kind = simulated
  simulate { ttft = 5ms..25ms, tokens = 3, script = ["ok 30", "error_event 2", "ok 9", "stall 1", "ok 9"] }
  model chat { id = "chat", breaker = rate }
}
pool all {
  tier 1 { alpha.chat weight 5, beta.chat weight 3 }
  tier 2 { gamma.chat }
}
forbid never when req.header["x-team"] == "b" and target.failure_domain == "alpha"
route turns when req.header["x-pick"] == "turns" {
  tier 1 { pick = round_robin, alpha.chat weight 2, beta.chat, gamma.chat }
}
route busy when req.header["x-pick"] == "busy" {
  tier 1 { pick = least_busy, alpha.chat, beta.chat, gamma.chat }
}
route fast when req.header["x-pick"] == "fast" {
  tier 1 { pick = least_latency, alpha.chat, beta.chat, gamma.chat }
}
route same when req.header["x-pick"] == "same" {
  sticky = hash(req.meta["session"])
  use pool.all
}
route twice when req.header["x-pick"] == "twice" {
  tier 1 { gamma.chat }
  hedge after 12ms -> beta.chat { max_extra = 50% }
}
route jump when req.header["x-pick"] == "jump" {
  tier 1 { alpha.chat }
  tier 2 { beta.chat }
  fallback {
    on s429 -> gamma.chat
    on s5xx -> reject(502)
    else -> reject(503)
  }
}
route default { use pool.all }
"#;

const PICKS: [&str; 7] = ["turns", "busy", "fast", "same", "twice", "jump", "other"];
/// Slow enough for a machine that does other things: a record that finds no room is missing.
const CLIENTS: usize = 3;
const EACH: usize = 100;
/// What a log has to be about, so that it shows something.
const PARTS: [&str; 7] = [
    "\"to\":\"open\"",
    "\"stand\":\"breaker_open\"",
    "\"stand\":\"forbidden\"",
    "\"stand\":\"tried\"",
    "\"repeat\":true",
    "\"ending\":\"failed\"",
    "\"outcome\":\"ok\"",
];

fn ask(gateway: &Gateway, number: usize) {
    let pick = PICKS[number % PICKS.len()];
    let team = if number.is_multiple_of(4) { "b" } else { "a" };
    let fields = format!("x-pick: {pick}\r\nx-team: {team}\r\n");
    let body = format!(
        "{{\"model\":\"chat\",\"stream\":{},\"metadata\":{{\"session\":\"s{}\"}},\
         \"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]}}",
        number.is_multiple_of(3),
        number % 7
    );
    let request = post("/v1/chat/completions", &fields, &body);
    Client::connect(gateway.address).send(request).answer();
}

/// What a gateway on `io` wrote down of several clients' requests through outages, with its policy; and how many they were.
fn log(io: Io) -> (Folder, String, Vec<String>, usize) {
    let folder = Folder::new();
    let file = folder.path().join("log.ndjson");
    let path = file.to_str().unwrap();
    let telemetry = format!("telemetry {{ records {{ file = \"{path}\", share = 100% }} }}\n");
    let gateway = Gateway::start(io, "", &format!("{telemetry}{PLAN}"));
    let asked = AtomicUsize::new(0);
    let read = || fs::read_to_string(&file).unwrap_or_default();
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                for _ in 0..EACH {
                    ask(&gateway, asked.fetch_add(1, Relaxed));
                }
            });
        }
    });
    let asked = asked.into_inner();
    let decisions = |text: &str| text.matches("switchover.decision/1").count();
    assert!(eventually(|| decisions(&read()) == asked), "{asked}");
    let missing = PARTS.iter().find(|part| !read().contains(**part));
    assert_eq!(missing, None);
    let lines = read().lines().map(str::to_owned).collect();
    (folder, gateway.text(), lines, asked)
}

fn parsed(lines: &[String]) -> (Vec<Told>, Vec<ToldTick>) {
    let (mut decisions, mut ticks) = (Vec::new(), Vec::new());
    for line in lines {
        match line.parse().unwrap() {
            ToldLine::Decision(told) => decisions.push(*told),
            ToldLine::Tick(tick) => ticks.push(tick),
        }
    }
    (decisions, ticks)
}

fn plan(text: &str) -> Plan {
    let (policy, _) = policy::load(&[("p.policy", text)], "p.policy", &[]).unwrap();
    Plan::new(policy).unwrap()
}

#[test]
fn an_engine_that_is_told_the_same_does_the_same() {
    for io in Io::BOTH {
        let (folder, text, lines, asked) = log(io);
        let plan = plan(&text);
        let (decisions, ticks) = parsed(&lines);
        let again = rerun(&plan, &decisions, &ticks).unwrap();
        let differences = &again.differences;
        if let Some((id, first)) = differences.first() {
            let kept = std::env::temp_dir().join("switchover-rerun.ndjson");
            fs::write(&kept, lines.join("\n")).unwrap();
            panic!(
                "{io:?}: {} differ, the first: {id:?} {}\n{}\n{}\nthe log is {}",
                differences.len(),
                first.of,
                first.recorded,
                first.found,
                kept.display()
            );
        }
        assert_eq!(again.requests, asked as u64);
        assert!(again.changes > 0);
        if io == Io::Epoll {
            a_log_that_was_changed_is_noticed(&plan, &lines);
            the_command_runs_it(&folder, &text, &lines, asked);
        }
    }
}

fn a_log_that_was_changed_is_noticed(plan: &Plan, lines: &[String]) {
    let (decisions, ticks) = parsed(lines);
    // A tick is missing, or a request that ended well.
    let middle = ticks.len() / 2;
    let fewer = [&ticks[..middle], &ticks[middle + 1..]].concat();
    let hole = rerun(plan, &decisions, &fewer).unwrap_err();
    assert!(matches!(hole, NoRerun::Hole(_)), "{hole:?}");
    assert!(is_noticed(rerun(plan, &decisions[1..], &ticks)));
    assert_eq!(rerun(plan, &decisions, &[]).unwrap_err(), NoRerun::NoLog);
    // Failures of first attempts were none.
    let failed = "\"call\":\"ended\",\"attempt\":0,\"outcome\":\"s5xx\"";
    let spared: Vec<String> = lines
        .iter()
        .map(|line| {
            line.replace(
                failed,
                "\"call\":\"ended\",\"attempt\":0,\"outcome\":\"ok\"",
            )
        })
        .collect();
    let (decisions, ticks) = parsed(&spared);
    assert!(is_noticed(rerun(plan, &decisions, &ticks)));
}

fn is_noticed(run: Result<Rerun, NoRerun>) -> bool {
    run.is_err() || !run.unwrap().differences.is_empty()
}

fn the_command_runs_it(folder: &Folder, text: &str, lines: &[String], asked: usize) {
    let policy = folder.write("plan.policy", text);
    let records = folder.write("whole.ndjson", &lines.join("\n"));
    let replay = |more: &[&str]| {
        let told = Command::new(env!("CARGO_BIN_EXE_switchover"))
            .arg("replay")
            .arg(&records)
            .args(["--policy", policy.to_str().unwrap()])
            .args(more)
            .output()
            .unwrap();
        (told.status.code(), told.stdout, told.stderr)
    };
    let (code, out, _) = replay(&["--whole", "--format", "json"]);
    let told: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(code, Some(0), "{told:#}");
    assert_eq!(told["same"], asked);
    assert!(told["ticks"].as_u64().unwrap() > 0);
    // Ticks are no requests.
    let (code, out, _) = replay(&["--format", "json"]);
    let told: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(code, Some(0), "{told:#}");
    assert_eq!(told["records"], asked);
    // Half of a log is none.
    let half: Vec<String> = lines.iter().skip(lines.len() / 2).cloned().collect();
    folder.write("whole.ndjson", &half.join("\n"));
    let (code, _, err) = replay(&["--whole"]);
    assert_eq!(code, Some(1));
    assert!(
        String::from_utf8(err)
            .unwrap()
            .contains("are missing before tick")
    );
}
