//! The real binary between raw sockets: what reaches an upstream, and what comes back, byte by byte.
//!
//! A case is data: what the upstreams' connections do, what the client sends, what it must get. [`check`] runs it
//! on io_uring and on epoll. The rules are RFC 9110's and 9112's, read strictly.

mod applying;
mod canary;
mod classifying;
mod continuing;
mod counting;
mod discovering;
mod drilling;
mod drilling_copies;
mod early;
mod embedding;
mod failover;
mod framing;
mod health;
mod hedging;
mod keys;
mod lifetime;
mod orders;
mod overload;
mod patience;
mod queueing;
mod recording;
mod relaying;
mod reloading;
mod rerunning;
mod rig;
mod rotating;
mod secrets;
mod shadowing;
mod tls;

use std::fmt::Write as _;
use std::net::SocketAddr;

use crate::support::client::Answer;
use crate::support::client::CLIENT_KEY;
use crate::support::client::Client;
use crate::support::client::End;
use crate::support::gateway::Gateway;
use crate::support::gateway::Io;
use crate::support::gateway::eventually;
use crate::support::upstream;
use crate::support::upstream::Script;
use crate::support::upstream::Upstream;

/// One request and its answer.
struct Case<'a> {
    name: &'a str,
    /// One upstream for each; tried in this order. Scripts as in [`Upstream::start`].
    upstreams: Vec<Vec<Script>>,
    /// What the client sends, in one write.
    send: Vec<u8>,
    want: Want<'a>,
}

/// What the client must get.
enum Want<'a> {
    /// A whole answer with status 200 and this body, from this target.
    Answer { target: &'a str, body: &'a str },
    /// A whole error with one of these statuses, in OpenAI's envelope.
    Error(&'a [u16]),
}

/// Runs one case with each driver, in a gateway of its own.
fn check(case: &Case<'_>) {
    for io in Io::BOTH {
        let upstreams: Vec<_> = case
            .upstreams
            .iter()
            .cloned()
            .map(Upstream::start)
            .collect();
        let addresses: Vec<_> = upstreams.iter().map(|up| up.address).collect();
        let gateway = Gateway::start(io, "", &policy(&addresses, ""));
        let mut client = Client::connect(gateway.address);
        let answer = client.send(&case.send).answer();
        let name = format!("{}, {io:?}: {answer:?}", case.name);
        assert_eq!(answer.end, End::Whole, "{name}");
        match &case.want {
            Want::Answer { target, body } => {
                assert_eq!(answer.status, 200, "{name}");
                assert_eq!(answer.field("x-switchover-target"), Some(*target), "{name}");
                assert_eq!(answer.text(), *body, "{name}");
            }
            Want::Error(statuses) => {
                assert!(statuses.contains(&answer.status), "{name}");
                assert_envelope(&answer, &name);
            }
        }
        for received in upstreams.iter().flat_map(Upstream::received) {
            assert!(!received.head.contains(CLIENT_KEY), "{name}: {received:?}");
        }
    }
}

/// An error is OpenAI's envelope, names a message and tells nothing of the providers.
fn assert_envelope(answer: &Answer, name: &str) {
    let text = answer.text();
    let value: serde_json::Value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{name}: no JSON ({error}): {text}"));
    let error = &value["error"];
    assert!(error["message"].is_string(), "{name}");
    assert!(error["type"].is_string(), "{name}");
    for key in ["param", "code"] {
        assert!(error.get(key).is_some(), "{name}: `{key}` is missing");
    }
    assert!(!text.contains("sk-"), "{name}: a key in {text}");
}

/// Providers `first`, `second`, … at these addresses, one tier each; `more` is added to `defaults`.
pub(super) fn policy(upstreams: &[SocketAddr], more: &str) -> String {
    let bases: Vec<_> = upstreams
        .iter()
        .map(|at| format!("http://{at}/v1"))
        .collect();
    policy_at(&bases, "tls = off", more)
}

/// The same with whole base URLs, and with `extra` in each provider.
fn policy_at(bases: &[String], extra: &str, more: &str) -> String {
    let mut text = format!(
        "retries calm {{ max = 0 }}\n\
         defaults {{\n  retries = calm, connect_timeout = 1s, ttft_timeout = 5s, idle_timeout = 5s, deadline = 9s\n  {more}\n}}\n"
    );
    let mut tiers = String::new();
    for (index, (name, base)) in NAMES.iter().zip(bases).enumerate() {
        write!(
            text,
            "provider {name} {{\n  kind = openai_compatible, base_url = \"{base}\"\n  \
             auth = bearer(env(\"UPSTREAM_KEY\"))\n  {extra}\n  model small = \"up-small\"\n}}\n"
        )
        .unwrap();
        writeln!(tiers, "  tier {} {{ {name}.small }}", index + 1).unwrap();
    }
    text + &format!(
        "route default {{\n{tiers}  fallback {{ on any -> next, else -> reject(503) }}\n}}\n"
    )
}

/// The value of a metric.
fn metric(gateway: &Gateway, series: &str) -> u64 {
    let mut client = Client::connect(gateway.admin);
    client.send("GET /metrics HTTP/1.1\r\nhost: admin\r\n\r\n");
    let text = client.answer().text();
    let line = text.lines().find_map(|line| line.strip_prefix(series));
    let value = line.unwrap_or_else(|| panic!("no {series} in {text}"));
    value.trim().parse().unwrap()
}

/// Whether a target's tokens come to these: of the request, of the answer.
fn counts(gateway: &Gateway, target: &str, tokens: [u64; 2]) -> bool {
    eventually(|| {
        let (_, text) = gateway.page("/metrics");
        ["input", "output"]
            .iter()
            .zip(tokens)
            .all(|(kind, tokens)| {
                let line = format!(
                    "switchover_tokens_total{{target=\"{target}\",kind=\"{kind}\"}} {tokens}\n"
                );
                text.contains(&line)
            })
    })
}

/// A healthy answer of an upstream.
fn healthy(content: &str) -> String {
    upstream::answer("200 OK", "", &upstream::completion(content))
}

const NAMES: [&str; 3] = ["first", "second", "third"];
