//! Decision records: a recorded request, asked again, goes where it went.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::client::{Answer, Client, post};
use crate::support::gateway::{Folder, Gateway, Io, eventually};

/// Providers that fail now and then, and a route for each way to pick.
const PLAN: &str = r#"
breaker quick { open when consecutive >= 4, cool_down = 50ms..100ms, half_open { share = 100%, step = 20ms } }
defaults { breaker = quick, retries { backoff = 1ms..2ms } }
provider alpha {
  kind = simulated
  simulate { ttft = 1ms..2ms, tokens = 2, script = ["ok 5", "s503 3", "s429 1", "refuse 1"] }
  capacity { max_inflight = 8 }
  model chat = "chat"
}
provider beta {
  kind = simulated
  simulate { ttft = 1ms..2ms, tokens = 2, script = ["ok 4", "s500 6"] }
  model chat = "chat"
}
provider gamma {
  kind = simulated
  simulate { ttft = 1ms..2ms, tokens = 2, script = ["ok 3", "error_event 2", "model_gone 1"] }
  model chat = "chat"
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

const PICKS: [&str; 6] = ["turns", "busy", "fast", "same", "jump", "other"];

fn start(io: Io, records: &str) -> (Gateway, Folder) {
    let folder = Folder::new();
    let file = folder.path().join("decisions.ndjson");
    let file = file.to_str().unwrap();
    let telemetry = format!("telemetry {{ records {{ file = \"{file}\", {records} }} }}\n");
    (
        Gateway::start(io, "", &format!("{telemetry}{PLAN}")),
        folder,
    )
}

fn ask(gateway: &Gateway, number: usize) -> Answer {
    let pick = PICKS[number % PICKS.len()];
    let team = if number.is_multiple_of(4) { "b" } else { "a" };
    let fields =
        format!("x-pick: {pick}\r\nx-team: {team}\r\nauthorization: Bearer sk-{number}\r\n");
    let body = format!(
        "{{\"model\":\"chat\",\"stream\":{},\"metadata\":{{\"session\":\"s{}\"}},\
         \"messages\":[{{\"role\":\"user\",\"content\":\"the secret of {number}\"}}]}}",
        number.is_multiple_of(3),
        number % 7
    );
    let request = post("/v1/chat/completions", &fields, &body);
    Client::connect(gateway.address).send(request).answer()
}

/// The file's lines about decisions, once there are so many.
fn lines(folder: &Folder, enough: impl Fn(usize) -> bool) -> Vec<String> {
    let path = folder.path().join("decisions.ndjson");
    let read = || -> Vec<String> {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let decisions = text
            .lines()
            .filter(|line| !line.contains("\"switchover.tick/1\""));
        decisions.map(str::to_owned).collect()
    };
    assert!(eventually(|| enough(read().len())), "{}", read().len());
    read()
}

fn switchover(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_switchover"))
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Replays these lines under the gateway's policy, as JSON.
fn replay(
    gateway: &Gateway,
    folder: &Folder,
    lines: &[String],
    against: Option<&str>,
) -> (i32, Value) {
    let records = folder.write("replayed.ndjson", &lines.join("\n"));
    let policy = folder.write("plan.policy", &gateway.text());
    let mut arguments = vec![
        "replay",
        records.to_str().unwrap(),
        "--policy",
        policy.to_str().unwrap(),
        "--format",
        "json",
    ];
    let other = against.map(|text| folder.write("other.policy", text));
    if let Some(other) = &other {
        arguments.extend(["--against", other.to_str().unwrap()]);
    }
    let told = switchover(&arguments);
    let report = serde_json::from_slice(&told.stdout);
    let report = report.unwrap_or_else(|_| panic!("{}", text(&told.stderr)));
    (told.status.code().unwrap(), report)
}

/// What another policy than the gateway's does differently, with these records for its traffic.
fn difference(gateway: &Gateway, folder: &Folder, lines: &[String], other: &str) -> Value {
    let old = folder.write("plan.policy", &gateway.text());
    let new = folder.write("other.policy", other);
    let records = folder.write("traffic.ndjson", &lines.join("\n"));
    let files = [&old, &new].map(|path| path.to_str().unwrap());
    let traffic = records.to_str().unwrap();
    let options = ["--traffic", traffic, "--format", "json"];
    let told = switchover(&[&["diff"], &files[..], &options].concat());
    assert_eq!(told.status.code(), Some(2), "{}", text(&told.stderr));
    serde_json::from_slice(&told.stdout).unwrap()
}

/// Each decision is found by the id that its client has, and explained as it was answered.
fn are_explained_as_answered(gateway: &Gateway, folder: &Folder, answers: &[Answer]) {
    let plan = folder.write("plan.policy", &gateway.text());
    let admin = gateway.admin.to_string();
    for answer in answers.iter().step_by(29) {
        let id = answer.field("x-request-id").unwrap();
        let told = switchover(&[
            "explain",
            plan.to_str().unwrap(),
            "--id",
            id,
            "--admin",
            &admin,
            "--format",
            "json",
        ]);
        assert_eq!(told.status.code(), Some(0), "{}", text(&told.stderr));
        let told: Value = serde_json::from_slice(&told.stdout).unwrap();
        assert_eq!(told["id"], id);
        let taken = told["routes"].as_array().unwrap().last().unwrap();
        assert_eq!(taken["route"], answer.field("x-switchover-route").unwrap());
        assert_eq!(told["answer"]["status"], answer.status);
    }
}

#[test]
fn a_recorded_request_asked_again_goes_where_it_went() {
    let (gateway, folder) = start(Io::Epoll, "share = 100%");
    let mut answers: Vec<Answer> = (0..120).map(|number| ask(&gateway, number)).collect();
    // Until a breaker has come so far that it is probed.
    assert!(eventually(|| {
        answers.push(ask(&gateway, answers.len()));
        let records = gateway.page("/decisions?limit=1000").1;
        records.contains("\"stand\":\"probe\"")
    }));
    let requests = answers.len();
    let lines = lines(&folder, |count| count == requests);
    let (code, report) = replay(&gateway, &folder, &lines, None);
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(report["same"], requests, "{report:#}");

    // The records are about something: repeats, other targets, refusals, breakers that were not closed.
    let all = lines.join("\n");
    for part in [
        "\"stand\":\"breaker_open\"",
        "\"stand\":\"probe\"",
        "\"stand\":\"tried\"",
        "\"stand\":\"forbidden\"",
        "\"ending\":\"failed\"",
        "\"repeat\":true",
        "\"turn\":",
    ] {
        assert!(all.contains(part), "{part}");
    }
    // And about no more than that.
    for part in ["secret", "sk-", "Bearer"] {
        assert!(!all.contains(part), "{part}");
    }

    are_explained_as_answered(&gateway, &folder, &answers);

    // A record that was tampered with is noticed.
    let position = lines
        .iter()
        .position(|line| line.contains("\"did\":{\"attempt\":\"alpha.chat\"}"));
    let tampered = lines[position.unwrap()].replace(
        "\"did\":{\"attempt\":\"alpha.chat\"}",
        "\"did\":{\"attempt\":\"gamma.chat\"}",
    );
    let (code, report) = replay(&gateway, &folder, &[tampered], None);
    assert_eq!(code, 1, "{report:#}");
    assert_eq!(report["changes"]["step"], 1);
    assert_eq!(report["examples"][0]["before"], "asks gamma.chat");

    // Another policy is another way for some, and for all those that it does not touch the same.
    let other = gateway
        .text()
        .replace("alpha.chat weight 5", "alpha.chat weight 0");
    let (code, report) = replay(&gateway, &folder, &lines, Some(&other));
    assert_eq!(code, 0, "{report:#}");
    let (same, changed) = (
        report["same"].as_u64().unwrap(),
        report["changed"].as_u64().unwrap(),
    );
    assert_eq!(same + changed, requests as u64, "{report:#}");
    assert!(changed > 0 && same > requests as u64 / 2, "{report:#}");
    assert!(report["changes"]["route"].is_null(), "{report:#}");
    assert!(report["changes"]["first_target"].as_u64().unwrap() > 0);

    let told = difference(&gateway, &folder, &lines, &other);
    assert_eq!(told["traffic"]["changed"], changed);
    assert_eq!(told["traffic"]["same"], same);
}

#[test]
fn requests_that_fail_are_recorded_whatever_the_share() {
    let (gateway, folder) = start(Io::Ring, "share = 0%");
    let answers: Vec<Answer> = (0..90).map(|number| ask(&gateway, number)).collect();
    let failed: Vec<&str> = answers
        .iter()
        .filter(|answer| answer.status >= 500)
        .map(|answer| answer.field("x-request-id").unwrap())
        .collect();
    assert!(!failed.is_empty());
    let lines = lines(&folder, |count| count >= failed.len());
    for id in &failed {
        assert!(lines.iter().any(|line| line.contains(id)), "{id}");
    }
    assert!(
        lines
            .iter()
            .all(|line| line.contains("\"ending\":\"failed\""))
    );
    let (code, report) = replay(&gateway, &folder, &lines, None);
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(report["same"], lines.len(), "{report:#}");
    let (status, page) = gateway.page("/decisions?failed=true&limit=1");
    assert_eq!((status, page.lines().count()), (200, 1));
    assert_eq!(gateway.page("/decisions/00").0, 400);
    assert_eq!(
        gateway.page(&format!("/decisions/{}", "0".repeat(32))).0,
        404
    );
    let (_, metrics) = gateway.page("/metrics");
    assert!(metrics.contains("switchover_decision_records_dropped_total 0"));
}
