//! A provider that answers before it has the whole request, and large requests that it does read.

use crate::support::Cases;
use crate::support::client::Client;
use crate::support::client::chat;
use crate::support::client::post;
use crate::support::gateway::Gateway;
use crate::support::gateway::Io;
use crate::support::tls::Authority;
use crate::support::upstream;
use crate::support::upstream::Gate;
use crate::support::upstream::Script;
use crate::support::upstream::Step;
use crate::support::upstream::Upstream;

use super::healthy;
use super::policy_at;

/// More than the kernel takes in by itself, on both sides of a loopback connection.
fn text() -> String {
    "0123456789abcdef".repeat(1 << 20)
}

fn large() -> Vec<u8> {
    let text = text();
    let body = format!(r#"{{"model":"small","messages":[{{"role":"user","content":"{text}"}}]}}"#);
    post("/v1/chat/completions", "", &body)
}

/// Plain, and behind TLS; with timers that are far away.
fn both_ways(script: &Script, authority: &Authority) -> [(&'static str, Upstream, String); 2] {
    let patient = |base, extra: &str| {
        policy_at(&[base], extra, "").replace(
            "ttft_timeout = 5s, idle_timeout = 5s, deadline = 9s",
            "ttft_timeout = 60s, idle_timeout = 60s, deadline = 90s",
        )
    };
    let plain = Upstream::start(vec![script.clone()]);
    let plain_at = format!("http://{}/v1", plain.address);
    let secured = Upstream::start_tls(vec![script.clone()], authority.server());
    let secured_at = format!("https://localhost:{}/v1", secured.address.port());
    let tls = format!(
        "tls {{ ca = file(\"{}\") }}",
        authority.file("ca.pem").display()
    );
    [
        ("plain", plain, patient(plain_at, "tls = off")),
        ("TLS", secured, patient(secured_at, &tls)),
    ]
}

/// It neither reads on nor closes: its answer counts at once, and the client does not wait for a timer.
#[test]
fn a_refusal_that_comes_early_counts_at_once() {
    let authority = Authority::new();
    let error = r#"{"error":{"message":"too much","type":"invalid_request_error","code":"large"}}"#;
    let refusal = upstream::answer("413 Content Too Large", "", error);
    let request = large();
    let mut table = Cases::default();
    for io in Io::BOTH {
        for reused in [false, true] {
            let (_open, gate) = Gate::new();
            let before = [Step::Read, Step::send(healthy("well"))];
            let early = [Step::ReadHead, Step::send(&refusal), Step::Await(gate)];
            let script = [if reused { &before[..] } else { &[] }, &early].concat();
            for (way, _upstream, policy) in both_ways(&script, &authority) {
                let name = format!("{way}, reused: {reused}, {io:?}");
                table.run(name, || {
                    refused_early(io, &policy, &request, reused);
                });
            }
        }
    }
    table.finish();
}

fn refused_early(io: Io, policy: &str, request: &[u8], reused: bool) {
    let gateway = Gateway::start(io, "", policy);
    let mut client = Client::connect(gateway.address);
    if reused {
        assert_eq!(client.send(chat(false)).answer().status, 200);
    }
    let answer = client.send(request).answer();
    assert_eq!(answer.status, 413, "{answer:?}");
    assert!(answer.text().contains("too much"), "{answer:?}");
    assert_eq!(answer.field("x-switchover-attempts"), Some("1"));
}

/// Tickets that a TLS server sends meanwhile are no answer; every byte arrives.
#[test]
fn large_requests_arrive_whole() {
    let authority = Authority::new();
    let script = vec![Step::Read, Step::send(healthy("well"))];
    let request = large();
    for io in Io::BOTH {
        for (way, upstream, policy) in both_ways(&script, &authority) {
            let gateway = Gateway::start(io, "", &policy);
            let answer = Client::connect(gateway.address).send(&request).answer();
            assert_eq!(answer.status, 200, "{way}, {io:?}: {answer:?}");
            let body = String::from_utf8(upstream.only().body).unwrap();
            assert!(
                body.contains(&text()),
                "{way}, {io:?}: {} bytes",
                body.len()
            );
        }
    }
}
