//! What operators see, against what happened: every figure agrees to the request with what a scripted client did and
//! what its upstreams were asked. The metrics are read by a parser of this file's own, strict where the format is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::gateway;
use crate::support::client::{Client, chat};
use crate::support::gateway::{Gateway, Io, eventually};
use crate::support::upstream::{
    FINISH, Gate, STREAM_END, STREAM_HEAD, Step, Upstream, answer, completion, delta, event,
};

/// A page of metrics, read.
#[derive(Debug, Default)]
struct Metrics {
    /// Name, then type and help.
    families: BTreeMap<String, (String, String)>,
    /// Name with labels in order, as `name{a="b"}`.
    samples: BTreeMap<String, f64>,
    /// Label names by family.
    labels: BTreeMap<String, BTreeSet<String>>,
}

impl Metrics {
    /// Reads the text format 0.0.4: a family's `HELP` and `TYPE` come once and before its samples, which stand together;
    /// no sample comes twice.
    fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line has an end");
        let mut metrics = Self::default();
        let mut family = String::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                name.clone_into(&mut family);
                let entry = (String::new(), help.to_owned());
                let before = metrics.families.insert(family.clone(), entry);
                assert!(before.is_none(), "{family} comes twice");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert_eq!(name, family, "TYPE follows HELP");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                let entry = metrics.families.get_mut(name).unwrap();
                assert!(entry.0.is_empty(), "{name} has two types");
                kind.clone_into(&mut entry.0);
            } else {
                assert!(!line.starts_with('#'), "{line}");
                metrics.sample(line, &family);
            }
        }
        metrics.check_histograms();
        metrics
    }

    fn sample(&mut self, line: &str, family: &str) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let value: f64 = value
            .parse()
            .unwrap_or_else(|_| panic!("no number: {line}"));
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let kind = &self.families[family].0;
        let suffix = name
            .strip_prefix(family)
            .unwrap_or_else(|| panic!("{line} stands in {family}"));
        let allowed: &[&str] = match kind.as_str() {
            "histogram" => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        assert!(allowed.contains(&suffix), "{line}");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
        let names = self.labels.entry(family.to_owned()).or_default();
        for label in split_labels(labels.strip_suffix('}').unwrap()) {
            let name = label.split_once('=').unwrap().0;
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
            if name != "le" {
                names.insert(name.to_owned());
            }
        }
        let before = self.samples.insert(series.to_owned(), value);
        assert!(before.is_none(), "{series} comes twice");
    }

    /// Buckets grow, the last one is `+Inf` and says what `_count` says.
    fn check_histograms(&self) {
        let mut series: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
        for (name, &value) in &self.samples {
            let Some((key, rest)) = name.split_once(",le=\"") else {
                continue;
            };
            let bound = match rest.strip_suffix("\"}").unwrap() {
                "+Inf" => f64::INFINITY,
                bound => bound.parse().unwrap(),
            };
            series
                .entry(key.to_owned())
                .or_default()
                .push((bound, value));
        }
        assert!(!series.is_empty());
        for (key, mut buckets) in series {
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert!(
                buckets.is_sorted_by(|a, b| a.1 <= b.1),
                "{key}: {buckets:?}"
            );
            let (bound, all) = *buckets.last().unwrap();
            assert!(bound.is_infinite(), "{key}");
            let count = format!("{}}}", key.replacen("_bucket{", "_count{", 1));
            assert!((self.samples[&count] - all).abs() < 0.5, "{key}");
            let sum = format!("{}}}", key.replacen("_bucket{", "_sum{", 1));
            assert!(self.samples.contains_key(&sum), "{key}");
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts of a short test"
    )]
    fn count(&self, series: &str) -> u64 {
        let value = self.samples.get(series);
        value.map_or(0, |value| value.round() as u64)
    }
}

/// Splits `a="x",b="y"`; quotes inside are escaped.
fn split_labels(text: &str) -> Vec<String> {
    let mut labels = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        match c {
            '"' if !escaped => quoted = !quoted,
            ',' if !quoted => {
                labels.push(String::new());
                continue;
            }
            _ => {}
        }
        escaped = c == '\\' && !escaped;
        labels.last_mut().unwrap().push(c);
    }
    assert!(!quoted, "{text}");
    labels.retain(|label| !label.is_empty());
    labels
}

fn json(gateway: &Gateway, path: &str) -> Value {
    let (status, text) = gateway.page(path);
    assert_eq!(status, 200, "{path}: {text}");
    serde_json::from_str(&text).unwrap()
}

/// A target that fails whenever it is asked, one that answers, and a breaker that opens with the third failure.
struct World {
    gateway: Gateway,
    /// Its connection stays open.
    _client: Client,
    ids: Vec<String>,
    /// How often each upstream was asked.
    asked: [u64; 2],
}

impl World {
    /// Six requests, two of them streams; a seventh asks for what no path is.
    fn run(io: Io, telemetry: &str) -> Self {
        let failure = answer("503 Service Unavailable", "", "{}");
        let failing = [Step::Read, Step::send(failure)].to_vec();
        let failing = Upstream::start(vec![vec![failing; 9].concat()]);
        let events: String = [
            delta("one"),
            delta("two"),
            delta("three"),
            FINISH.to_owned(),
        ]
        .iter()
        .map(|data| event(data))
        .collect();
        let whole = [
            Step::Read,
            Step::send(answer("200 OK", "", &completion("well"))),
        ];
        let stream = [
            Step::Read,
            Step::send(STREAM_HEAD),
            Step::send(events + STREAM_END),
        ];
        let script = [vec![whole.to_vec(); 4], vec![stream.to_vec(); 2]]
            .concat()
            .concat();
        let healthy = Upstream::start(vec![script]);
        let policy = format!(
            "{telemetry}\nretries calm {{ max = 0 }}\n\
             breaker strict {{ open when consecutive >= 3, cool_down = 60s..2m }}\n\
             defaults {{ retries = calm, breaker = strict }}\n\
             provider first {{ kind = openai_compatible, base_url = \"http://{}/v1\", tls = off, model small = \"up-small\" }}\n\
             provider second {{ kind = openai_compatible, base_url = \"http://{}/v1\", tls = off, model small = \"up-small\" }}\n\
             route chat when req.path == \"/v1/chat/completions\" {{ tier 1 {{ first.small }}, tier 2 {{ second.small }} }}\n\
             route default {{ tier 1 {{ second.small }} }}\n",
            failing.address, healthy.address
        );
        let gateway = Gateway::start(io, "", &policy);
        let mut client = Client::connect(gateway.address);
        let mut ids = Vec::new();
        for index in 0..6 {
            let answer = client.send(chat(index >= 4)).answer();
            assert_eq!(answer.status, 200, "{index}: {answer:?}");
            ids.push(answer.field("x-request-id").unwrap().to_owned());
        }
        client.send("GET /nowhere HTTP/1.1\r\nhost: gateway\r\n\r\n");
        let refused = client.answer();
        assert_eq!(refused.status, 404);
        ids.push(refused.field("x-request-id").unwrap().to_owned());
        let asked = [&failing, &healthy].map(|up| up.received().len() as u64);
        let world = Self {
            gateway,
            _client: client,
            ids,
            asked,
        };
        // An answer is there a little before its request is counted; those before it have been.
        let last = r#"switchover_requests_total{route="-",ending="refused"}"#;
        assert!(eventually(|| world.metrics().count(last) == 1));
        world
    }

    fn metrics(&self) -> Metrics {
        let (status, text) = self.gateway.page("/metrics");
        assert_eq!(status, 200);
        Metrics::parse(&text)
    }
}

#[test]
fn counters_agree_with_client_and_upstreams() {
    for io in Io::BOTH {
        let world = World::run(io, "");
        assert_eq!(world.asked, [3, 6]);
        let metrics = world.metrics();
        for (series, count) in [
            (
                r#"switchover_requests_total{route="chat",ending="answered"}"#,
                6,
            ),
            (
                r#"switchover_requests_total{route="-",ending="refused"}"#,
                1,
            ),
            (
                r#"switchover_attempts_total{target="first.small",outcome="s5xx"}"#,
                3,
            ),
            (
                r#"switchover_attempts_total{target="first.small",outcome="ok"}"#,
                0,
            ),
            (
                r#"switchover_attempts_total{target="second.small",outcome="ok"}"#,
                6,
            ),
            (
                r#"switchover_failovers_total{from="first.small",to="second.small",why="s5xx"}"#,
                3,
            ),
            (
                r#"switchover_passed_over_total{target="first.small",why="breaker_open"}"#,
                3,
            ),
            (
                r#"switchover_breaker_state{target="first.small",state="open"}"#,
                1,
            ),
            (
                r#"switchover_breaker_state{target="second.small",state="closed"}"#,
                1,
            ),
            (
                r#"switchover_breaker_opened_total{target="first.small"}"#,
                1,
            ),
            (r#"switchover_target_usable{target="first.small"}"#, 0),
            (r#"switchover_target_usable{target="second.small"}"#, 1),
            (r#"switchover_target_inflight{target="second.small"}"#, 0),
            (r#"switchover_ttft_seconds_count{target="second.small"}"#, 2),
            (
                r#"switchover_request_duration_seconds_count{route="chat"}"#,
                6,
            ),
            ("switchover_connections_total", 1),
            ("switchover_connections_open", 1),
            ("switchover_cores", 1),
        ] {
            assert_eq!(metrics.count(series), count, "{io:?}: {series}");
        }
        let sent = chat(false).len() as u64 * 4;
        let bytes = metrics.count(r#"switchover_request_bytes_total{route="chat"}"#);
        assert!(bytes > 0 && bytes < sent * 2, "{bytes}");
        let series = r#"switchover_breaker_transitions_total{target="first.small",from="closed",to="open",why="consecutive"}"#;
        let seen = eventually(|| world.metrics().count(series) == 1);
        assert!(seen, "{io:?}: a tick sees the change");
    }
}

/// The time between two contents is counted; the one before the first is not.
#[test]
fn gaps_lie_between_contents() {
    let (open, gate) = Gate::new();
    let upstream = Upstream::start(vec![vec![
        Step::Read,
        Step::send(format!("{STREAM_HEAD}{}", event(&delta("one")))),
        Step::Await(gate),
        Step::send(format!("{}{}", event(&delta("two")), event(FINISH)) + STREAM_END),
    ]]);
    let policy = gateway::policy(&[upstream.address], "");
    let gateway = Gateway::start(Io::Epoll, "", &policy);
    let mut client = Client::connect(gateway.address);
    client.send(chat(true)).until(delta("one").as_bytes());
    open.send(()).unwrap();
    client.until(b"\r\n0\r\n\r\n");
    let metrics = Metrics::parse(&gateway.page("/metrics").1);
    let gaps = r#"switchover_gap_seconds_count{target="first.small"}"#;
    assert_eq!(metrics.count(gaps), 1);
    let first = r#"switchover_ttft_seconds_count{target="first.small"}"#;
    assert_eq!(metrics.count(first), 1);
    let output = r#"switchover_tokens_total{target="second.small",kind="output"}"#;
    assert!(metrics.count(output) > 0);
}

#[test]
fn a_request_is_found_by_its_id() {
    for io in Io::BOTH {
        let world = World::run(io, "");
        let gateway = &world.gateway;
        let first = json(gateway, &format!("/requests/{}", world.ids[0]));
        assert_eq!(first["ending"], "answered");
        assert_eq!(first["route"], "chat");
        assert_eq!(first["attempts"][0]["target"], "first.small");
        assert_eq!(first["attempts"][0]["outcome"], "s5xx");
        assert_eq!(first["attempts"][1]["outcome"], "ok");
        assert_eq!(first["candidates"][1], "second.small");
        assert!(first["tokens"]["input"].as_u64() > Some(0), "{first}");
        assert!(first["tokens"]["output"].as_u64() > Some(0), "{first}");
        let stream = json(gateway, &format!("/requests/{}", world.ids[4]));
        assert_eq!(stream["stream"], true);
        assert!(stream["attempts"][0]["ttft_ms"].is_number());
        assert_eq!(stream["passed_over"][0]["target"], "first.small");
        assert_eq!(stream["passed_over"][0]["why"], "breaker_open");

        let list = json(gateway, "/requests?limit=3");
        let newest: Vec<&str> = list["requests"]
            .as_array()
            .unwrap()
            .iter()
            .map(|record| record["id"].as_str().unwrap())
            .collect();
        assert_eq!(newest, [&world.ids[6], &world.ids[5], &world.ids[4]]);
        let failed = json(gateway, "/requests?failed=true");
        assert_eq!(failed["requests"], Value::Array(Vec::new()));
        for (path, status) in [
            ("/requests/abc", 400),
            ("/requests?limit=0", 400),
            ("/requests?what=1", 400),
            ("/requests/00000000000000000000000000000001", 404),
        ] {
            assert_eq!(gateway.page(path).0, status, "{path}");
        }
    }
}

#[test]
fn the_status_names_what_is_out_and_why() {
    for io in Io::BOTH {
        let world = World::run(io, "");
        let status = json(&world.gateway, "/status");
        assert_eq!(status["schema"], "switchover.status/1");
        let out = status["out"].as_array().unwrap();
        assert_eq!(out.len(), 1, "{status}");
        assert_eq!(out[0]["target"], "first.small");
        assert_eq!(out[0]["why"], "breaker_open");
        assert_eq!(out[0]["rule"], "consecutive");
        assert_eq!(out[0]["last_failure"]["outcome"], "s5xx");
        assert!(out[0]["left_ms"].as_u64().unwrap() > 30_000);
        let well = &status["targets"][1];
        assert_eq!(well["usable"], true);
        assert_eq!(well["window"]["error_rate"], 0.0);
        assert!(well["ttft_ms"]["p95"].is_number(), "{well}");
        assert!(well["last_failure"].is_null());
    }
}

#[test]
fn the_access_log_has_each_request_once() {
    for io in Io::BOTH {
        let mut world = World::run(io, "telemetry { access_log = json }");
        world.gateway.terminate();
        assert!(world.gateway.ended().is_some_and(|status| status.success()));
        let log = world.gateway.log();
        let lines: Vec<Value> = log
            .lines()
            .filter(|line| line.starts_with('{'))
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let ids: Vec<&str> = lines
            .iter()
            .map(|line| line["id"].as_str().unwrap())
            .collect();
        assert_eq!(ids, world.ids, "{log}");
        assert_eq!(lines[0]["attempts"][0]["outcome"], "s5xx");
        assert_eq!(lines[6]["status"], 404);
    }
}

/// `docs/operate/monitoring.md` lists every metric with its type and labels, and no other.
#[test]
fn every_metric_is_documented() {
    let metrics = World::run(Io::Epoll, "").metrics();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operate/monitoring.md");
    let text = fs::read_to_string(path).unwrap();
    let mut rows: BTreeMap<&str, (&str, BTreeSet<String>)> = BTreeMap::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, name, kind, labels, ..] = cells.as_slice() else {
            continue;
        };
        let name = name.trim_matches('`');
        if name.starts_with("switchover_") {
            let labels = labels.split('`').skip(1).step_by(2).map(str::to_owned);
            rows.insert(name, (kind, labels.collect()));
        }
    }
    for (name, (kind, _)) in &metrics.families {
        let (documented, labels) = rows
            .remove(name.as_str())
            .unwrap_or_else(|| panic!("{name} is not documented"));
        assert_eq!(documented, kind, "{name}");
        if let Some(seen) = metrics.labels.get(name).filter(|seen| !seen.is_empty()) {
            assert_eq!(&labels, seen, "{name}");
        }
    }
    assert!(rows.is_empty(), "documented and not there: {rows:?}");
}

/// The JSON that the document shows has the fields that the gateway gives, in the types that it gives.
#[test]
fn shown_json_has_the_fields_that_there_are() {
    let world = World::run(Io::Epoll, "");
    let gateway = &world.gateway;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operate/monitoring.md");
    let text = fs::read_to_string(path).unwrap();
    let shown: Vec<Value> = text
        .split("```json\n")
        .skip(1)
        .map(|rest| serde_json::from_str(rest.split("```").next().unwrap()).unwrap())
        .collect();
    let record = json(gateway, &format!("/requests/{}", world.ids[0]));
    let status = json(gateway, "/status");
    assert_same_shape(&shown[0], &status["out"][0], "out");
    assert_same_shape(&shown[1], &record, "record");
    assert_eq!(shown.len(), 2);
}

fn assert_same_shape(shown: &Value, real: &Value, at: &str) {
    match (shown, real) {
        (Value::Object(shown), Value::Object(real)) => {
            assert!(shown.keys().eq(real.keys()), "{at}: {shown:?} {real:?}");
            for (key, value) in shown {
                assert_same_shape(value, &real[key], &format!("{at}.{key}"));
            }
        }
        (Value::Array(shown), Value::Array(real)) => {
            for (shown, real) in shown.iter().zip(real) {
                assert_same_shape(shown, real, at);
            }
        }
        (Value::Null, _) | (_, Value::Null) => {}
        _ => assert_eq!(
            std::mem::discriminant(shown),
            std::mem::discriminant(real),
            "{at}"
        ),
    }
}
