//! A guarded route on real sockets: what clients, providers and operators see when it is withdrawn.

use std::process::Command;

use serde_json::Value;

use crate::support::client::Answer;
use crate::support::client::Client;
use crate::support::client::chat_body;
use crate::support::client::post;
use crate::support::gateway::Gateway;
use crate::support::gateway::Io;
use crate::support::gateway::eventually;
use crate::support::upstream::Upstream;
use crate::support::upstream::answer;

use super::healthy;
use super::policy;

/// Half of the users go to `first`, and to `second` where it fails; the others to `second` at once.
fn start(io: Io, canary: &Upstream, stable: &Upstream) -> Gateway {
    let text = policy(&[canary.address, stable.address], "breaker = never");
    let text = "breaker never { open when consecutive >= 100000 }\n".to_owned() + &text;
    let (providers, _) = text.split_once("route default").unwrap();
    let text = providers.to_owned()
        + "route canary when hash_pct(req.header[\"x-user\"], salt = \"live\") < 50% {\n\
             tier 1 { first.small }, tier 2 { second.small }\n\
             guard { compare = route.stable, min_requests = 25, stop when delta(error_rate) > 1% }\n}\n\
           route stable when has(req.header[\"x-user\"]) { tier 1 { second.small } }\n\
           route default { reject(404) }\n";
    Gateway::start(io, "", &text)
}

fn ask(client: &mut Client, user: u32) -> Answer {
    let fields = format!("x-user: u{user}\r\n");
    let request = post("/v1/chat/completions", &fields, &chat_body(false));
    client.send(request).answer()
}

fn route(gateway: &Gateway) -> Value {
    let (_, text) = gateway.page("/status");
    let status: Value = serde_json::from_str(&text).unwrap();
    status["routes"][0].clone()
}

fn order(gateway: &Gateway, path: &str, fields: &str) -> u16 {
    let ask = format!("POST {path} HTTP/1.1\r\nhost: admin\r\n{fields}content-length: 0\r\n\r\n");
    Client::connect(gateway.admin).send(ask).answer().status
}

#[test]
fn a_canary_that_fails_is_withdrawn_and_its_clients_never_know() {
    for io in Io::BOTH {
        let canary = Upstream::answering(answer("500 Internal Server Error", "", "{}"));
        let stable = Upstream::answering(healthy("stable"));
        let gateway = start(io, &canary, &stable);
        let mut client = Client::connect(gateway.address);
        let mut users = Vec::new();
        for user in 0..120 {
            let answer = ask(&mut client, user);
            assert_eq!(
                (answer.status, answer.field("x-switchover-target")),
                (200, Some("second.small"))
            );
            if answer.field("x-switchover-route") == Some("canary") {
                users.push(user);
            }
        }
        // About half of them, or those until it was withdrawn: `min_requests` at least.
        assert!((25..90).contains(&users.len()), "{users:?}");
        assert!(
            eventually(|| route(&gateway)["state"] == "withdrawn"),
            "{}",
            route(&gateway)
        );
        let seen = route(&gateway);
        assert_eq!(seen["why"], "delta(error_rate) > 1%", "{seen}");
        assert_eq!(seen["compare"], "stable");
        assert_eq!(seen["window"]["baseline"]["failures"], 0, "{seen}");
        let log = gateway.log();
        assert!(
            log.contains("route canary is withdrawn: delta(error_rate) > 1%"),
            "{log}"
        );
        let (_, metrics) = gateway.page("/metrics");
        for line in [
            "switchover_route_withdrawn{route=\"canary\"} 1\n",
            "switchover_route_withdrawals_total{route=\"canary\"} 1\n",
        ] {
            assert!(metrics.contains(line), "{metrics}");
        }

        let asked = canary.received().len();
        let answer = ask(&mut client, users[0]);
        assert_eq!(answer.field("x-switchover-route"), Some("stable"));
        assert_eq!(answer.field("x-switchover-attempts"), Some("1"));
        assert_eq!(canary.received().len(), asked);
        let id = answer.field("x-request-id").unwrap();
        let (_, record) = gateway.page(&format!("/requests/{id}"));
        let record: Value = serde_json::from_str(&record).unwrap();
        assert_eq!(
            (&record["route"], &record["withdrawn"]),
            (&"stable".into(), &"canary".into())
        );
    }
}

#[test]
fn an_operator_withdraws_a_canary_and_lets_it_serve_again() {
    for io in Io::BOTH {
        let canary = Upstream::answering(healthy("canary"));
        let stable = Upstream::answering(healthy("stable"));
        let gateway = start(io, &canary, &stable);
        let mut client = Client::connect(gateway.address);
        let user = (0..64)
            .find(|&user| ask(&mut client, user).text().contains("canary"))
            .unwrap();
        for (path, fields, status, who, log) in [
            (
                "/routes/canary/withdraw",
                "origin: http://evil.test\r\n",
                403,
                "canary",
                "",
            ),
            ("/routes/stable/withdraw", "", 409, "canary", ""),
            ("/routes/none/withdraw", "", 404, "canary", ""),
            (
                "/routes/canary/withdraw",
                "",
                200,
                "stable",
                "route canary is withdrawn: an operator ordered it",
            ),
            (
                "/routes/canary/resume",
                "",
                200,
                "canary",
                "route canary serves again",
            ),
        ] {
            assert_eq!(order(&gateway, path, fields), status, "{path}");
            let answer = ask(&mut client, user);
            assert!(answer.text().contains(who), "{path}: {}", answer.text());
            assert!(eventually(|| gateway.log().contains(log)), "{path}");
        }
    }
}

#[test]
fn the_command_line_gives_the_same_orders() {
    let canary = Upstream::answering(healthy("canary"));
    let stable = Upstream::answering(healthy("stable"));
    let gateway = start(Io::Epoll, &canary, &stable);
    for (words, code, said) in [
        (["withdraw", "canary"], 0, "canary: withdrawn\n"),
        (["resume", "canary"], 0, "canary: serving\n"),
        (["withdraw", "stable"], 3, "the route has no `guard`"),
        (
            ["withdraw", "none"],
            3,
            "the policy has no route of this name",
        ),
        (["withdraw", "a/b"], 3, "`a/b` is no name of a route"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_switchover"))
            .args(words)
            .args(["--admin", &gateway.admin.to_string()])
            .output()
            .unwrap();
        let told = [output.stdout, output.stderr].concat();
        let told = String::from_utf8(told).unwrap();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {told}");
        assert!(told.contains(said), "{words:?}: {told}");
    }
}
