//! Copies of requests on real sockets: what reaches the shadow's target, and that nobody else notices.

use std::net::SocketAddr;

use crate::support::client::CLIENT_KEY;
use crate::support::client::Client;
use crate::support::client::End;
use crate::support::client::chat;
use crate::support::client::chat_body;
use crate::support::client::post;
use crate::support::gateway::Gateway;
use crate::support::gateway::Io;
use crate::support::gateway::UPSTREAM_KEY;
use crate::support::gateway::eventually;
use crate::support::upstream::FINISH;
use crate::support::upstream::Gate;
use crate::support::upstream::ROLE;
use crate::support::upstream::STREAM_END;
use crate::support::upstream::STREAM_HEAD;
use crate::support::upstream::Step;
use crate::support::upstream::Upstream;
use crate::support::upstream::answer;
use crate::support::upstream::delta;
use crate::support::upstream::event;

use super::healthy;
use super::metric;
use super::policy_at;

/// The first provider answers, copies go to the second one. `more` stands before the route.
fn policy(first: SocketAddr, second: SocketAddr, shadow: &str, more: &str) -> String {
    let bases = [first, second].map(|at| format!("http://{at}/v1"));
    policy_at(&bases, "tls = off", "")
        .replace(
            "  tier 2 { second.small }\n",
            &format!("  shadow second.small {{ {shadow} }}\n"),
        )
        .replace("route default", &format!("{more}\nroute default"))
}

fn start(io: Io, first: &Upstream, second: &Upstream, shadow: &str) -> Gateway {
    let text = policy(first.address, second.address, shadow, "");
    Gateway::start(io, "", &text)
}

const ALL: &str = "share = 100%, max_inflight = 8";

fn stream(content: &str) -> String {
    let events = [ROLE, &delta(content), FINISH, "[DONE]"].map(event);
    STREAM_HEAD.to_owned() + &events.concat() + STREAM_END
}

fn status(gateway: &Gateway) -> serde_json::Value {
    serde_json::from_str(&gateway.page("/status").1).unwrap()
}

fn inflight(gateway: &Gateway) -> u64 {
    metric(gateway, "switchover_shadow_inflight{route=\"default\"}")
}

fn started(gateway: &Gateway) -> u64 {
    metric(
        gateway,
        "switchover_shadow_started_total{route=\"default\"}",
    )
}

fn dropped(gateway: &Gateway, why: &str) -> u64 {
    metric(
        gateway,
        &format!("switchover_shadow_dropped_total{{route=\"default\",why=\"{why}\"}}"),
    )
}

/// Attempts at the second provider with this outcome: those of copies, or those of requests.
fn attempts(gateway: &Gateway, family: &str, outcome: &str) -> u64 {
    let labels = format!("{{target=\"second.small\",outcome=\"{outcome}\"}}");
    metric(
        gateway,
        &format!("switchover_{family}attempts_total{labels}"),
    )
}

/// Asks `count` times; each answer is the first provider's, at its first attempt.
fn ask(gateway: &Gateway, count: u64, streamed: bool) {
    let mut client = Client::connect(gateway.address);
    for _ in 0..count {
        let answer = client.send(chat(streamed)).answer();
        assert_eq!((answer.status, answer.end), (200, End::Whole), "{answer:?}");
        assert_eq!(answer.field("x-switchover-target"), Some("first.small"));
        assert_eq!(answer.field("x-switchover-attempts"), Some("1"));
        assert!(answer.text().contains("well"), "{answer:?}");
    }
}

/// The shadow's provider fails every time. Its copies' breaker opens and spares it; that of requests, their
/// counts, metrics and records know nothing of it.
#[test]
fn a_shadow_that_always_fails_is_seen_by_nobody_else() {
    for io in Io::BOTH {
        for streamed in [false, true] {
            let well = if streamed {
                stream("well")
            } else {
                healthy("well")
            };
            let first = Upstream::answering(well);
            let second = Upstream::answering(answer("500 No", "", "{}"));
            let gateway = start(io, &first, &second, ALL);
            for _ in 0..40 {
                ask(&gateway, 1, streamed);
                // One after the other: how many fail before the breaker opens does not hang on the machine.
                assert!(eventually(|| inflight(&gateway) == 0));
            }
            let failed = || attempts(&gateway, "shadow_", "s5xx");
            assert!(eventually(|| failed() == started(&gateway)));
            assert!(eventually(|| started(&gateway)
                + dropped(&gateway, "unusable")
                == 40));
            assert!(
                dropped(&gateway, "unusable") > 0,
                "the breaker never opened"
            );
            assert_eq!(attempts(&gateway, "", "s5xx"), 0);
            assert_eq!(
                metric(
                    &gateway,
                    "switchover_breaker_opened_total{target=\"second.small\"}"
                ),
                0
            );
            let told = status(&gateway);
            let target = &told["targets"][1];
            assert_eq!(target["target"], "second.small");
            assert_eq!(
                (&target["breaker"], &target["usable"]),
                (&"closed".into(), &true.into())
            );
            assert_eq!(target["window"]["requests"], 0);
            assert_eq!(target["last_failure"], serde_json::Value::Null);
            assert_eq!(told["requests"]["requests"], 40);
            assert_eq!(told["requests"]["attempts"], 40);
            assert_eq!(told["requests"]["failed"], 0);
            let shadow = &told["shadows"][0];
            assert_eq!(shadow["target"], "second.small");
            assert_eq!(shadow["breaker"], "open");
            assert_eq!(shadow["outcomes"]["s5xx"], failed());
        }
    }
}

/// A copy is the client's request, with the target's own name for the model and its own key.
#[test]
fn a_copy_is_the_request_and_never_its_credential() {
    let first = Upstream::answering(healthy("well"));
    let second = Upstream::answering(healthy("shadow"));
    let gateway = start(Io::Ring, &first, &second, ALL);
    let fields = "Idempotency-Key: one\r\nuser-agent: mine\r\n";
    let request = post("/v1/chat/completions", fields, &chat_body(false));
    let answer = Client::connect(gateway.address).send(request).answer();
    assert!(answer.text().contains("well"), "{answer:?}");
    second.await_request();
    let (request, copy) = (first.only(), second.only());
    assert_eq!(request.body, copy.body);
    assert_eq!(copy.field("user-agent"), Some("mine"));
    let key = format!("Bearer {UPSTREAM_KEY}");
    assert_eq!(copy.field("authorization"), Some(&*key));
    assert!(!copy.head.contains(CLIENT_KEY));
    // Both may go to one account, which would take the copy for a repetition.
    assert_eq!(request.field("idempotency-key"), Some("one"));
    assert_eq!(copy.field("idempotency-key"), None);
    assert!(eventually(|| attempts(&gateway, "shadow_", "ok") == 1));
    let id = answer.field("x-request-id").unwrap();
    let (_, record) = gateway.page(&format!("/requests/{id}"));
    assert!(
        record.contains("first.small") && !record.contains("second.small"),
        "{record}"
    );
    let (_, copies) = gateway.page("/requests?shadow=true");
    let copies: serde_json::Value = serde_json::from_str(&copies).unwrap();
    let copy = &copies["requests"][0];
    assert_eq!((&copy["id"], &copy["shadow"]), (&id.into(), &true.into()));
    assert_eq!(copy["attempts"][0]["target"], "second.small");
    assert_eq!(copies["requests"].as_array().unwrap().len(), 1);
}

/// A provider that takes requests and never answers: clients do not wait for it, no more copies than allowed wait
/// there, that clients leave changes nothing, and the end of the process does not wait for it either.
#[test]
fn a_shadow_that_never_answers_delays_nobody_and_is_cut_at_the_end() {
    for io in Io::BOTH {
        let first = Upstream::answering(healthy("well"));
        let second = Upstream::start(vec![vec![Step::Read, Step::UntilClosed]]);
        let text = policy(
            first.address,
            second.address,
            "share = 100%, max_inflight = 2",
            "",
        )
        .replace(
            "idle_timeout = 5s, deadline = 9s",
            "idle_timeout = 5s, deadline = 60s",
        );
        let mut gateway = Gateway::start(io, "drain = 50s", &text);
        ask(&gateway, 10, false);
        // The clients have their answers, and no copy has got one.
        assert_eq!(started(&gateway), 2);
        assert_eq!(dropped(&gateway, "at_capacity"), 8);
        assert_eq!(inflight(&gateway), 2, "clients are gone, copies go on");
        let told = status(&gateway);
        assert_eq!(told["targets"][1]["inflight"], 0);
        gateway.terminate();
        assert!(second.saw_close() && second.saw_close());
        // Less than `drain`, and than any timer of a copy, which is what is waited for here.
        assert!(gateway.ended().is_some(), "{io:?}");
    }
}

#[test]
fn the_share_is_honoured() {
    let first = Upstream::answering(healthy("well"));
    let second = Upstream::answering(healthy("shadow"));
    let gateway = start(
        Io::Ring,
        &first,
        &second,
        "share = 20%, max_inflight = 1000",
    );
    ask(&gateway, 400, false);
    // Six standard deviations of 400 draws.
    let share = started(&gateway);
    assert!((32..=128).contains(&share), "{share}");
    assert!(eventually(|| attempts(&gateway, "shadow_", "ok") == share));
}

/// A stream is read to its end, however long after the client has had its own.
#[test]
fn streams_of_copies_are_read_to_their_end() {
    for io in Io::BOTH {
        let (open, gate) = Gate::new();
        let first = Upstream::answering(stream("well"));
        let (begin, end) = ([ROLE, &delta("shadow")].map(event).concat(), stream("end"));
        let end = end.strip_prefix(STREAM_HEAD).unwrap();
        let second = Upstream::start(vec![vec![
            Step::Read,
            Step::send(STREAM_HEAD.to_owned() + &begin),
            Step::Await(gate),
            Step::send(end),
        ]]);
        let gateway = start(io, &first, &second, ALL);
        ask(&gateway, 1, true);
        second.await_request();
        assert_eq!(inflight(&gateway), 1);
        open.send(()).unwrap();
        assert!(eventually(|| inflight(&gateway) == 0));
        assert_eq!(attempts(&gateway, "shadow_", "ok"), 1);
        let seen = "switchover_shadow_ttft_seconds_count{target=\"second.small\"}";
        assert_eq!(metric(&gateway, seen), 1);
        let not_seen = "switchover_ttft_seconds_count{target=\"second.small\"}";
        assert_eq!(metric(&gateway, not_seen), 0);
    }
}

/// What a `forbid` masks is not sent there as a copy either.
#[test]
fn a_forbidden_target_gets_no_copy() {
    let first = Upstream::answering(healthy("well"));
    let second = Upstream::answering(healthy("shadow"));
    let forbid = "forbid private when req.header[\"x-private\"] == \"yes\" \
                  and target.failure_domain == \"second\"";
    let text = policy(first.address, second.address, ALL, forbid);
    let gateway = Gateway::start(Io::Ring, "", &text);
    let request = |fields: &str| post("/v1/chat/completions", fields, &chat_body(false));
    let mut client = Client::connect(gateway.address);
    assert_eq!(
        client.send(request("x-private: yes\r\n")).answer().status,
        200
    );
    assert_eq!(dropped(&gateway, "forbidden"), 1);
    assert_eq!(client.send(request("")).answer().status, 200);
    second.await_request();
    assert_eq!(second.received().len(), 1);
    assert_eq!((started(&gateway), dropped(&gateway, "forbidden")), (1, 1));
}

/// A copy goes on by the policy that it began with; its place counts for the next one; without a shadow there is none.
#[test]
fn copies_live_through_reloads() {
    let (open, gate) = Gate::new();
    let first = Upstream::answering(healthy("well"));
    let second = Upstream::start(vec![vec![
        Step::Read,
        Step::Await(gate),
        Step::send(healthy("shadow")),
    ]]);
    let text = |shadow: &str| policy(first.address, second.address, shadow, "");
    let gateway = Gateway::start(Io::Ring, "", &text("share = 100%, max_inflight = 1"));
    ask(&gateway, 1, false);
    second.await_request();
    gateway.rewrite("", &text("share = 90%, max_inflight = 1"));
    assert_eq!(gateway.order("/reload").0, 200);
    assert_eq!((started(&gateway), inflight(&gateway)), (1, 1));
    gateway.rewrite("", &text(ALL).replace("  shadow", "  # shadow"));
    assert_eq!(gateway.order("/reload").0, 200);
    ask(&gateway, 3, false);
    assert_eq!(status(&gateway)["shadows"].as_array().unwrap().len(), 0);
    open.send(()).unwrap();
    assert!(eventually(|| status(&gateway)["older_generations"]
        .as_array()
        .unwrap()
        .is_empty()));
    assert_eq!(second.received().len(), 1);
}
