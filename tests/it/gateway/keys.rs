//! A provider with several keys: what the client, the provider and the operator see when one of them is no good.

use serde_json::Value;

use crate::support::client::Answer;
use crate::support::client::Client;
use crate::support::client::chat;
use crate::support::gateway::Folder;
use crate::support::gateway::Gateway;
use crate::support::gateway::Io;
use crate::support::gateway::eventually;
use crate::support::upstream::Script;
use crate::support::upstream::Step;
use crate::support::upstream::Upstream;
use crate::support::upstream::answer;

use super::healthy;
use super::policy;

const KEYS: [&str; 2] = ["sk-pool-canary-a", "sk-pool-canary-b"];

/// A gateway with one provider whose two keys are taken in order.
fn start(io: Io, upstream: &Upstream) -> (Gateway, Folder) {
    let folder = Folder::new();
    let write = |name, key: &str| folder.write(name, &format!("{key}\n"));
    let (a, b) = (write("a", KEYS[0]), write("b", KEYS[1]));
    let (a, b) = (a.display(), b.display());
    let policy = policy(&[upstream.address], "").replace(
        "bearer(env(\"UPSTREAM_KEY\"))",
        &format!("keys(file(\"{a}\"), file(\"{b}\"), pick = in_order)"),
    );
    (Gateway::start(io, "", &policy), folder)
}

/// One connection that gives these answers in turn.
fn answers(all: &[String]) -> Vec<Script> {
    let steps = all.iter().flat_map(|one| [Step::Read, Step::send(one)]);
    vec![steps.collect()]
}

fn refusal(status: &str, fields: &str, code: &str) -> String {
    let body = format!(
        r#"{{"error":{{"message":"no: {}","type":"invalid_request_error","param":null,"code":"{code}"}}}}"#,
        KEYS[0]
    );
    answer(status, fields, &body)
}

fn ask(gateway: &Gateway) -> Answer {
    Client::connect(gateway.address).send(chat(false)).answer()
}

/// The second letters of the keys that the provider saw, in order.
fn seen(upstream: &Upstream) -> String {
    let received = upstream.received();
    let key = |at: &crate::support::upstream::Received| {
        let field = at.field("authorization").unwrap();
        let key = field.strip_prefix("Bearer ").unwrap();
        assert!(KEYS.contains(&key), "{key}");
        key.chars().next_back().unwrap()
    };
    received.iter().map(key).collect()
}

fn status(gateway: &Gateway) -> (String, Value) {
    let (_, text) = gateway.page("/status");
    let value = serde_json::from_str(&text).unwrap();
    (text, value)
}

#[test]
fn a_revoked_key_is_no_matter_of_the_client() {
    for io in Io::BOTH {
        let upstream = Upstream::start(answers(&[
            refusal("401 Unauthorized", "", "invalid_api_key"),
            healthy("one"),
            healthy("two"),
        ]));
        let (gateway, _folder) = start(io, &upstream);
        for attempts in ["2", "1"] {
            let answer = ask(&gateway);
            assert_eq!(answer.status, 200, "{io:?}: {answer:?}");
            assert_eq!(answer.field("x-switchover-target"), Some("first.small"));
            assert_eq!(answer.field("x-switchover-attempts"), Some(attempts));
        }
        assert_eq!(seen(&upstream), "abb", "{io:?}");

        let (text, status) = status(&gateway);
        let keys = status["keys"].as_array().unwrap();
        assert_eq!(keys.len(), 2, "{text}");
        assert_eq!(keys[0]["provider"], "first");
        assert_eq!(keys[0]["state"], "out");
        assert_eq!(keys[0]["why"], "auth_failed");
        assert!(keys[0]["out_left_ms"].as_u64().unwrap() > 50_000, "{text}");
        assert!(keys[0]["from"].as_str().unwrap().starts_with("file(\""));
        assert_eq!(
            (&keys[1]["key"], &keys[1]["state"]),
            (&1.into(), &"well".into())
        );
        assert_eq!(status["targets"][0]["key_out_left_ms"], Value::Null);
        let (_, metrics) = gateway.page("/metrics");
        for (key, out) in [(0, 1), (1, 0)] {
            let line =
                format!("switchover_provider_key_out{{provider=\"first\",key=\"{key}\"}} {out}\n");
            assert!(metrics.contains(&line), "{line}{metrics}");
        }
        assert!(
            eventually(|| gateway.log().contains("the provider refuses it")),
            "{io:?}: {}",
            gateway.log()
        );
        for key in KEYS {
            assert!(!text.contains(key) && !gateway.log().contains(key));
        }
    }
}

#[test]
fn a_limited_key_is_left_alone_and_the_next_one_asked_at_once() {
    for io in Io::BOTH {
        let limited = |seconds| {
            refusal(
                "429 Too Many Requests",
                &format!("retry-after: {seconds}\r\n"),
                "rate_limit_exceeded",
            )
        };
        let upstream = Upstream::start(answers(&[
            limited(20),
            healthy("one"),
            limited(7),
            healthy("never"),
        ]));
        let (gateway, _folder) = start(io, &upstream);
        assert_eq!(ask(&gateway).status, 200, "{io:?}");
        let (text, value) = status(&gateway);
        assert_eq!(value["keys"][0]["kept_from"][0]["why"], "s429", "{text}");
        assert_eq!(value["keys"][0]["state"], "well", "{text}");
        // The second key's limit, which ends first, is what the client is told; a tenth may be added to it.
        for _ in 0..2 {
            let answer = ask(&gateway);
            assert_eq!(answer.status, 429, "{io:?}: {answer:?}");
            let after: u64 = answer.field("retry-after").unwrap().parse().unwrap();
            assert!((5..=8).contains(&after), "{io:?}: {after}");
        }
        assert_eq!(seen(&upstream), "abb", "{io:?}");
    }
}

#[test]
fn a_pool_that_is_out_is_what_the_policy_says() {
    for io in Io::BOTH {
        let upstream = Upstream::start(answers(&[
            refusal("401 Unauthorized", "", "invalid_api_key"),
            refusal("402 Payment Required", "", "x"),
            healthy("never"),
        ]));
        let (gateway, _folder) = start(io, &upstream);
        for _ in 0..2 {
            let answer = ask(&gateway);
            assert_eq!(answer.status, 503, "{io:?}: {answer:?}");
            // The refused key is tried again before the one without quota.
            let after: u64 = answer.field("retry-after").unwrap().parse().unwrap();
            assert!((55..=60).contains(&after), "{io:?}: {after}");
            super::assert_envelope(&answer, "a pool that is out");
        }
        assert_eq!(seen(&upstream), "ab", "{io:?}");
    }
}
