//! `switchover demo` as its users run it: an outage in the middle, and not one failed request.

use std::process::Command;
use std::process::Output;

use serde_json::Value;

fn demo(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_switchover"))
        .arg("demo")
        .args(arguments)
        .env_remove("NO_COLOR")
        .output()
        .unwrap()
}

/// The sum of the numbers called `name` in each value of `object`, or of the values themselves.
fn sum(object: &Value, name: Option<&str>) -> u64 {
    let values = object.as_object().unwrap().values();
    values
        .map(|value| name.map_or(value, |name| &value[name]).as_u64().unwrap())
        .sum()
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

#[test]
fn no_client_notices_the_outage() {
    check("auto");
}

#[test]
fn no_client_notices_the_outage_on_epoll() {
    check("epoll");
}

fn check(io: &str) {
    let output = demo(&["--for", "4s", "--json", "--io", io]);
    let told = String::from_utf8(output.stderr).unwrap();
    // One document, and nothing else.
    let shown: Value = serde_json::from_slice(&output.stdout).expect(&told);
    check_counts(&shown, &told);
    check_events(&shown, &told);
    assert!(output.status.success(), "{told}{shown:#}");
}

fn check_counts(shown: &Value, told: &str) {
    assert_eq!(shown["schema"], "switchover.demo/1");
    let outage = &shown["during_outage"];
    assert_eq!(shown["failed"], 0, "{told}{shown:#}");
    assert_eq!(outage["failed"], 0);
    assert_eq!(shown["failures"], serde_json::json!({}));
    assert_eq!(shown["gateway_differs"], serde_json::json!([]));

    let failovers = count(&outage["failovers"]);
    assert!(failovers > 0, "{told}{shown:#}");
    assert!(failovers <= count(&shown["failovers"]));
    assert!(count(&outage["requests"]) <= count(&shown["requests"]));

    assert_eq!(shown["requests"], shown["answered"]);
    assert_eq!(
        count(&shown["answered"]),
        sum(&shown["targets"], Some("answered"))
    );
    assert_eq!(
        count(&outage["requests"]),
        sum(&outage["answered_by"], None)
    );
    for name in ["alpha.chat", "beta.chat", "gamma.chat"] {
        let during = count(&outage["answered_by"][name]);
        assert!(
            during <= count(&shown["targets"][name]["answered"]),
            "{shown:#}"
        );
    }

    let latency = ["p50", "p90", "p99", "max"].map(|name| shown["latency_ms"][name].as_f64());
    assert!(latency.is_sorted() && latency[0] > Some(0.0), "{shown:#}");
}

fn check_events(shown: &Value, told: &str) {
    // Nobody watches: lines, and no control sequences.
    assert!(!told.contains('\x1b'), "{told}");
    for what in ["alpha broken: status 503", "alpha mended"] {
        let events = shown["events"].as_array().unwrap();
        let happened = events.iter().any(|event| event["what"] == what);
        assert!(happened, "{what}: {shown:#}");
        assert!(told.contains(what), "{told}");
    }
}

#[test]
fn lengths_out_of_bounds_are_refused() {
    for length in ["2s", "11m", "20", "soon"] {
        let output = demo(&["--for", length, "--json"]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{told}");
        assert!(told.contains("it must be "), "{told}");
        assert!(output.stdout.is_empty());
    }
}
