//! Drills on a running gateway that go beyond faults and breakers: copies of clients' requests, what a drill may cost,
//! hedges, health checks.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::client::Client;
use crate::support::client::End;
use crate::support::client::chat_body;
use crate::support::client::post;
use crate::support::gateway::Io;
use crate::support::gateway::eventually;

use super::drilling::CALM;
use super::drilling::Rig;
use super::metric;

/// A client's request, its body in one piece or in chunks.
fn asked(chunked: bool) -> Vec<u8> {
    let fields = "idempotency-key: one\r\nx-team: blue\r\n";
    let body = chat_body(false);
    if !chunked {
        return post("/v1/chat/completions", fields, &body);
    }
    let (one, two) = body.split_at(40);
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway.test\r\n{fields}transfer-encoding: chunked\r\n\r\n\
         {:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n",
        one.len(),
        two.len()
    )
    .into_bytes()
}

/// Copies of a part of the clients' requests meet the fault, and are seen by the drill's own breakers, counters and records.
/// Clients and their side of the gateway notice nothing.
#[test]
fn a_shadow_drill_asks_once_more_what_clients_ask_and_nobody_notices() {
    for io in Io::BOTH {
        let rig = Rig::start(
            io,
            false,
            CALM,
            "drill copies {\n  traffic = shadow(50%), for = 1400ms\n  inject first { status = 503, after = 0s, lasts = 700ms }\n  \
             expect { success >= 100%, opened(first) within 700ms, closed(first) within 650ms, never opened(second) }\n  \
             expect during { share(second) >= 100% }\n  expect after { share(first) > 0% }\n}\n",
        );
        let (status, text) = rig.gateway.order("/drills/copies/start");
        assert_eq!(status, 202, "{text}");
        let mut client = Client::connect(rig.gateway.address);
        let mut ids = BTreeSet::new();
        while rig.report("copies")["verdict"] == "running" {
            let answer = client.send(asked(ids.len() % 2 == 0)).answer();
            assert_eq!((answer.status, answer.end), (200, End::Whole), "{answer:?}");
            assert_eq!(answer.field("x-switchover-target"), Some("first.small"));
            assert_eq!(answer.field("x-switchover-attempts"), Some("1"));
            ids.insert(answer.field("x-request-id").unwrap().to_owned());
        }
        let all = ids.len() as u64;
        let drill = rig.report("copies");
        let log = rig.gateway.log();
        assert_eq!(drill["verdict"], "passed", "{drill:#}\n{log}");
        assert!(log.contains("begins (copies of clients' requests"), "{log}");
        let copies = drill["run"]["requests"].as_u64().unwrap();
        assert!(0 < copies && copies < all, "{copies} of {all}: {drill:#}");
        assert_eq!(drill["run"]["not_copied"], Value::Array(Vec::new()));
        // Whom the fault hits asks nobody: each copy has one provider, as each request.
        let (first, second) = (rig.first.received(), rig.second.received());
        assert_eq!((first.len() + second.len()) as u64, all + copies);
        assert!(!second.is_empty());
        for received in &second {
            assert_eq!(received.field("idempotency-key"), None, "{received:?}");
            let body: Value = serde_json::from_slice(&received.body).unwrap();
            assert_eq!(body["messages"][0]["content"], "hello");
        }
        for (series, count) in [
            (
                "switchover_requests_total{route=\"default\",ending=\"answered\"}",
                all,
            ),
            ("switchover_breaker_opened_total{target=\"first.small\"}", 0),
            (
                "switchover_attempts_total{target=\"second.small\",outcome=\"ok\"}",
                0,
            ),
            (
                "switchover_drill_requests{drill=\"copies\",ending=\"answered\"}",
                copies,
            ),
        ] {
            assert_eq!(metric(&rig.gateway, series), count, "{series}");
        }
        let (_, text) = rig.gateway.page("/requests?drill=true&limit=1000");
        let told: Value = serde_json::from_str(&text).unwrap();
        let told = told["requests"].as_array().unwrap();
        assert!(!told.is_empty());
        for record in told {
            assert_eq!(record["drill"], true);
            assert!(ids.contains(record["id"].as_str().unwrap()), "{record:#}");
        }
        let (_, list) = rig.gateway.page("/drills");
        let list: Value = serde_json::from_str(&list).unwrap();
        assert_eq!(list["drills"][0]["traffic"], "shadow");
    }
}

/// A request that is too long to be copied is not, and the report says so; an operator ends the drill, and nothing is
/// copied any more.
#[test]
fn what_is_not_copied_is_told() {
    let rig = Rig::start(
        Io::Ring,
        false,
        CALM,
        "drill copies {\n  traffic = shadow(100%), for = 30s\n  expect { success >= 100% }\n}\n",
    );
    assert_eq!(rig.gateway.order("/drills/copies/start").0, 202);
    let mut client = Client::connect(rig.gateway.address);
    let mut ask = |request| assert_eq!(client.send(request).answer().status, 200);
    // Workers hear of a drill with their next beat.
    let copied = "switchover_drill_requests{drill=\"copies\",ending=\"answered\"}";
    assert!(eventually(|| {
        ask(asked(false));
        metric(&rig.gateway, copied) > 0
    }));
    let long = chat_body(false).replace("hello", &"hello ".repeat(200_000));
    ask(post("/v1/chat/completions", "", &long));
    assert_eq!(rig.gateway.order("/drills/copies/end").0, 200);
    let drill = rig.ended("copies");
    let wanted = serde_json::json!([{ "reason": "too_large", "requests": 1 }]);
    assert_eq!(drill["run"]["not_copied"], wanted, "{drill:#}");
    let before = rig.first.received().len();
    ask(asked(false));
    assert_eq!(rig.first.received().len(), before + 1);
}

/// A drill that has cost more than it is expected to ends: it cannot pass any more, and each further request is billed.
#[test]
fn a_drill_ends_when_it_has_cost_too_much() {
    let text = "drill dear {\n  traffic = synthetic(100/s, arrivals = even), for = 20s\n  expect { cost <= $0.01 }\n}\n";
    let rig = Rig::with(Io::Epoll, |plan| {
        let price = "\"up-small\" { price { input = $100/Mtok, output = $100/Mtok } }";
        plan.replace("\"up-small\"", price) + text
    });
    let drill = rig.drill("dear");
    assert_eq!(
        (&drill["verdict"], &drill["why"]),
        (&"ended".into(), &"it has cost more than is expected".into()),
        "{drill:#}"
    );
    let run = &drill["run"];
    let cost = run["cost_dollars"].as_f64().unwrap();
    assert!(cost > 0.01 && cost < 0.1, "{run:#}");
}

/// A route's hedges are made for a drill's requests, too.
#[test]
fn requests_of_a_drill_are_hedged() {
    let drill = "drill slow {\n  traffic = synthetic(40/s, arrivals = even), for = 400ms\n  \
         inject first { latency = 3s, after = 0s, lasts = 400ms }\n  \
         expect { success >= 100%, share(second) >= 100%, p95(ttft) < 500ms }\n}\n";
    for io in Io::BOTH {
        let rig = Rig::with(io, |plan| {
            let hedge = "  hedge after 20ms -> second.small { max_extra = 100% }\n";
            plan.replace("  tier 2 { second.small }\n", hedge) + drill
        });
        let drill = rig.drill("slow");
        assert_eq!(
            drill["verdict"],
            "passed",
            "{drill:#}\n{}",
            rig.gateway.log()
        );
        let run = &drill["run"];
        assert_eq!(run["requests"], run["moved"], "{run:#}");
    }
}
