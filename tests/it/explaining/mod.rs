//! `switchover explain`: what it shows of a request, where it says that settings come from, and what it cannot read.

use std::process::{Command, Output};

use serde_json::{Value, json};

use switchover::policy::effective::{Origin, Owner, Written, owners};
use switchover::policy::{self, Policy};

use crate::support::gateway::Folder;

/// A canary, weights, a forbid and a jump.
const PLAN: &str = r#"policy 1

provider openai {
  region = us
  model mini = "gpt-5-mini"
  model big = "gpt-5"
}
provider mistral {
  region = eu
  model small = "mistral-small-latest"
}
provider onsite {
  kind = vllm
  base_url = "http://10.0.0.1:8000"
  tls = off
  region = eu
  model qwen = "qwen"
}

forbid residency when req.header["x-region"] == "eu" and target.region != eu

route canary when req.model == "gpt-5" and hash_pct(req.header["x-user"], salt = "c") < 5% {
  tier 1 { onsite.qwen }
}
route big when req.model == "gpt-5" {
  max_attempts = 5
  tier 1 { openai.big weight 70, mistral.small weight 30 }
  tier 2 { openai.mini }
  fallback {
    on context_exceeded -> onsite.qwen
    on any -> next
    else -> reject(503)
  }
}
route default { tier 1 { mistral.small } }

test "eu stays" {
  given {
    req.model = "gpt-5"
    req.header["x-region"] = "eu"
  }
  expect { target = mistral.small }
}
"#;

fn explain(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_switchover"))
        .arg("explain")
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// The explanation of a request as JSON.
fn explained(folder: &Folder, request: &Value) -> Value {
    let plan = folder.write("plan.policy", PLAN);
    let request = folder.write("request.json", &request.to_string());
    let told = explain(&[
        plan.to_str().unwrap(),
        "--req",
        request.to_str().unwrap(),
        "--format",
        "json",
    ]);
    assert_eq!(told.status.code(), Some(0), "{}", text(&told.stderr));
    serde_json::from_slice(&told.stdout).unwrap()
}

#[test]
fn every_step_of_a_request_is_shown() {
    let folder = Folder::new();
    let told = explained(
        &folder,
        &json!({
            "given": { "req.model": "gpt-5", "req.header": { "X-User": "bob" } },
            "state": { "openai.mini": "throttled" },
            "script": { "openai.big": ["s503"], "mistral": "timeout" },
            "seed": 3
        }),
    );
    assert_eq!(told["schema"], "switchover.explain/1");
    let [canary, big] = told["routes"].as_array().unwrap().as_slice() else {
        panic!("{told}");
    };
    assert_eq!(canary["matches"], false);
    let share = "hash_pct(req.header[\"x-user\"], salt = \"c\") < 5%: it is 56.2121%";
    assert_eq!(canary["because"], json!([share]));
    assert_eq!(
        big["because"],
        json!(["req.model == \"gpt-5\": it is \"gpt-5\""])
    );
    let [first, second, third] = told["steps"].as_array().unwrap().as_slice() else {
        panic!("{told}");
    };
    // The weights say how `u` picks.
    assert!(first["u"].as_f64().unwrap() * 100.0 < 70.0);
    assert_eq!(first["did"]["attempt"], "openai.big");
    assert_eq!(first["tiers"][0]["members"][1]["share_ppm"], 300_000);
    assert_eq!(first["tiers"][1]["members"][0]["stand"], "throttled");
    assert_eq!(first["attempt"]["outcome"], "s5xx");
    assert_eq!(first["attempt"]["line"]["text"], "on any -> next");
    // Without the first, the second has all of the weight.
    assert_eq!(second["tiers"][0]["members"][0]["stand"], "tried");
    assert_eq!(second["tiers"][0]["members"][1]["share_ppm"], 1_000_000);
    assert_eq!(third["did"]["attempt"], "openai.mini");
    assert_eq!(
        told["answer"],
        json!({ "status": 200, "by": "openai.mini", "reason": null, "place": null })
    );
}

#[test]
fn what_a_forbid_masks_is_shown_with_the_values_that_it_met() {
    let folder = Folder::new();
    let plan = folder.write("plan.policy", PLAN);
    let told = explain(&[plan.to_str().unwrap(), "--test", "eu stays"]);
    assert_eq!(told.status.code(), Some(0), "{}", text(&told.stderr));
    let told = text(&told.stdout);
    for part in [
        "route   canary  no   hash_pct(req.header[\"x-user\"]",
        "  forbid residency  masks openai.big, openai.mini  req.header[\"x-region\"] == \"eu\": it is \"eu\"; target.region != \"eu\": it is \"us\"",
        "    openai.big     weight 70 -> -  forbidden\n    mistral.small  weight 30 -> 100%\n",
        "  asks mistral.small: the only one left of tier 1\n",
        "answer  200 by mistral.small\n",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
}

const RAW: &str = "policy 1\n\
    provider openai { kind = simulated, model mini = \"gpt-5-mini\" }\n\
    alias \"fast\" -> \"gpt-5-mini\"\n\
    route long when req.tokens_in > 1k { reject(413) }\n\
    route tools when req.has.tools and req.model == \"gpt-5-mini\" and req.header[\"x-user\"] == \"bob\" { tier 1 { openai.mini } }\n\
    route streams when req.stream and req.max_out <= 64 and req.meta[\"team\"] == \"search\" { tier 1 { openai.mini } }\n\
    route default { reject(404) }\n";

/// What is said of a request as it is sent.
fn sent(request: &str) -> Output {
    let folder = Folder::new();
    let plan = folder.write("plan.policy", RAW);
    let request = folder.write("request.http", request);
    explain(&[
        plan.to_str().unwrap(),
        "--req",
        request.to_str().unwrap(),
        "--format",
        "json",
    ])
}

/// The request itself, as clients of each format send it, is read as the gateway reads it.
#[test]
fn a_request_as_it_is_sent_is_read_as_the_gateway_reads_it() {
    let tools = r#""tools":[{"type":"function","function":{"name":"f","parameters":{}}}]"#;
    let chat = format!(r#"{{"model":"fast","messages":[],{tools}}}"#);
    let streamed =
        r#"{"model":"m","max_tokens":64,"stream":true,"metadata":{"team":"search"},"messages":[]}"#;
    let long = "word ".repeat(2_000);
    let gemini = format!(r#"{{"contents":[{{"role":"user","parts":[{{"text":"{long}"}}]}}]}}"#);
    let chunked = format!("{:x}\r\n{chat}\r\n0\r\n\r\n", chat.len());
    for (head, body, route) in [
        (
            "POST /v1/chat/completions HTTP/1.1\nHost: x\nX-User: bob\n\n",
            &*chat,
            "tools",
        ),
        (
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-user: bob\r\ntransfer-encoding: chunked\r\n\r\n",
            &*chunked,
            "tools",
        ),
        (
            "POST /v1/chat/completions HTTP/1.1\nHost: x\n\n",
            &*chat,
            "default",
        ),
        (
            "POST /v1/messages HTTP/1.1\nhost: x\nanthropic-version: 2023-06-01\n\n",
            streamed,
            "streams",
        ),
        (
            "POST /v1beta/models/gemini-2.5-flash:generateContent HTTP/1.1\nhost: x\n\n",
            &*gemini,
            "long",
        ),
    ] {
        let told = sent(&format!("{head}{body}"));
        assert_eq!(told.status.code(), Some(0), "{}", text(&told.stderr));
        let told: Value = serde_json::from_slice(&told.stdout).unwrap();
        let asked = told["routes"].as_array().unwrap();
        let taken = asked.iter().find(|asked| asked["matches"] == true).unwrap();
        assert_eq!(taken["route"], route, "{head}: {told}");
    }
}

#[test]
fn what_the_gateway_refuses_is_said_as_it_says_it() {
    for (request, part) in [
        (
            "POST /v1/chat/completions HTTP/1.1\nhost: x\n\n{\"messages\":[]}",
            "status 400: the body must name a `model`",
        ),
        (
            "POST /v1/chat/completions HTTP/1.1\nhost: x\n\n{\"model\":\"m\"",
            "status 400",
        ),
        ("POST /v1/nowhere HTTP/1.1\nhost: x\n\n{}", "status 404"),
        (
            "GET /v1/models HTTP/1.1\nhost: x\n\n",
            "answers it by itself",
        ),
        (
            "POST /v1/chat/completions HTTP/1.1\nhost: x\ncontent-length: 99\n\n{}",
            "there are 2",
        ),
        (
            "POST /v1/chat/completions HTTP/1.1\nhost: x",
            "does not end",
        ),
    ] {
        let told = sent(request);
        assert_eq!(told.status.code(), Some(3), "{request}");
        assert!(
            text(&told.stderr).contains(part),
            "{request}: {}",
            text(&told.stderr)
        );
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = Folder::new();
    let plan = folder.write("plan.policy", PLAN);
    let plan = plan.to_str().unwrap();
    let request = json!({
        "given": { "req.modle": "x", "req.stream": 3, "now.weekday": "someday" },
        "state": { "opennai": "open", "openai": "broken" },
        "script": { "openai": ["s200"] },
        "id": "7"
    });
    let request = folder.write("request.json", &request.to_string());
    let told = explain(&[plan, "--req", request.to_str().unwrap()]);
    assert_eq!(told.status.code(), Some(3));
    for part in [
        "`req.modle` is no fact of a request: did you mean `req.model`?",
        "`req.stream` is a bool",
        "`now.weekday` is a weekday, and \"someday\" is none",
        "there is no target or provider `opennai`: did you mean `openai`?",
        "\"broken\" is no state; there are closed, open",
        "\"s200\" is no outcome; there are ok, s429",
        "`id` is 32 hexadecimal digits",
    ] {
        assert!(
            text(&told.stderr).contains(part),
            "{part}: {}",
            text(&told.stderr)
        );
    }
    for (arguments, code) in [
        (&[plan] as &[&str], 3),
        (&[plan, "--test", "nobody"], 3),
        (&["nowhere.policy", "--effective"], 3),
        (&[plan, "--effective", "route", "nobody"], 3),
        (&[plan, "--effective", "route"], 3),
    ] {
        let told = explain(arguments);
        assert_eq!(told.status.code(), Some(code), "{arguments:?}");
        assert!(!told.stderr.is_empty());
    }
}

/// Settings in each of the ways that there are.
const MERGED: &str = r#"policy 1
breaker fast {
  window = 10s
  open when error_rate > 40%
  half_open { probes = 3 }
}
defaults {
  breaker = fast
  deadline = 20s
}
provider openai {
  idle_timeout = 5s
  retries { max = 2 }
  model mini = "gpt-5-mini"
  model big {
    id = "gpt-5"
    context = 1000
    breaker {
      open when consecutive >= 7
    }
  }
}
pool main {
  pick = least_busy
  tier 1 { openai.mini }
}
route chat when req.stream {
  use pool.main
  connect_timeout = 200ms
}
route default { tier 1 { openai.big } }
"#;

fn merged() -> (Policy, Vec<Owner>) {
    let files = [("m.policy", MERGED)];
    let (policy, _) = policy::load(&files, "m.policy", &[]).unwrap();
    let written = Written::of(&files, "m.policy");
    let owners = owners(&policy, &written);
    (policy, owners)
}

/// The line that a setting comes from, 0 for what is written nowhere; and its value.
fn setting(owner: (&str, &str), field: &str) -> (String, u32, Origin) {
    let (_, owners) = merged();
    let (kind, name) = owner;
    let found = owners
        .iter()
        .find(|it| it.kind == kind && *it.name == *name);
    let settings = &found.unwrap().settings;
    let setting = settings.iter().find(|it| it.field == field);
    let setting = setting.unwrap_or_else(|| panic!("{field}: {settings:?}"));
    let line = match setting.origin {
        Origin::Written(at) | Origin::Defaults(at) | Origin::Provider(at) => at.line,
        _ => 0,
    };
    (setting.value.clone(), line, setting.origin)
}

#[test]
fn settings_come_from_the_nearest_block_that_writes_them() {
    let mini = ("target", "openai.mini");
    let big = ("target", "openai.big");
    for (owner, field, value, line) in [
        (mini, "breaker", "fast", 8),
        (mini, "breaker.window", "10s", 3),
        (mini, "breaker.open", "error_rate > 40%", 4),
        (mini, "breaker.half_open.probes", "3", 5),
        (mini, "breaker.half_open.need", "2", 0),
        (mini, "idle_timeout", "5s", 12),
        (mini, "retries.max", "2", 13),
        (mini, "retries.budget", "10%", 0),
        (mini, "id", "\"gpt-5-mini\"", 14),
        (big, "context", "1000", 17),
        (big, "breaker.open", "consecutive >= 7", 19),
        (big, "breaker.window", "30s", 0),
        (("route", "chat"), "tier 1", "openai.mini weight 1", 25),
        (("route", "chat"), "tier 1.pick", "least_busy", 24),
        (("route", "chat"), "deadline", "20s", 9),
        (("route", "chat"), "connect_timeout", "200ms", 29),
        (("route", "chat"), "max_attempts", "4", 0),
        (("route", "default"), "tier 1", "openai.big weight 1", 31),
        (("route", "default"), "fallback 1", "on any -> next", 0),
        (("provider", "openai"), "kind", "openai", 0),
    ] {
        let (found, at, _) = setting(owner, field);
        assert_eq!((&*found, at), (value, line), "{owner:?} {field}");
    }
    for (field, origin) in [
        ("context", Origin::Catalogue),
        ("connect_timeout", Origin::BuiltIn),
    ] {
        assert_eq!(setting(mini, field).2, origin, "{field}");
    }
    let provider = setting(("provider", "openai"), "auth");
    assert_eq!(provider.2, Origin::Kind("openai"));
    assert_eq!(provider.0, "env(\"OPENAI_API_KEY\")");
    assert_eq!(setting(("route", "chat"), "ttft_timeout").2, Origin::Target);
}

#[test]
fn the_hash_of_a_policy_is_of_its_parameters_too() {
    let text = "policy 1\nconst wait = param(9s)\nconst more = param(1s)\n\
                provider openai { ttft_timeout = wait, idle_timeout = more, model a = \"a\" }\n\
                route default { tier 1 { openai.a } }\n";
    let hash = |sets: &[(&str, &str)]| {
        let loaded = policy::load(&[("p.policy", text)], "p.policy", sets);
        loaded.unwrap().0.hash
    };
    let plain = hash(&[]);
    let one = hash(&[("wait", "5s"), ("more", "2s")]);
    assert_eq!(one, hash(&[("more", "2s"), ("wait", "5s")]));
    assert_ne!(one, plain);
    assert_ne!(one, hash(&[("more", "5s"), ("wait", "2s")]));
}

#[test]
fn the_command_shows_settings_to_people_and_programs() {
    let folder = Folder::new();
    let path = folder.write("m.policy", MERGED);
    let path = path.to_str().unwrap();
    let told = explain(&[path, "--effective", "target", "openai.mini"]);
    assert_eq!(told.status.code(), Some(0), "{}", text(&told.stderr));
    let told = text(&told.stdout);
    assert!(told.starts_with("target openai.mini  "), "{told}");
    assert!(told.contains("m.policy:12 (provider)"), "{told}");
    assert!(told.contains("m.policy:8 (defaults)"), "{told}");
    assert!(told.contains("  catalogue\n"), "{told}");
    let told = explain(&[path, "--effective", "--format", "json"]);
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(told["schema"], "switchover.effective/1");
    assert_eq!(told["owners"].as_array().unwrap().len(), 5);
}
