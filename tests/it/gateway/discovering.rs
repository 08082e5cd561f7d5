//! Endpoints from a file: they come and go without a restart, and what is wrong in the file changes nothing.

use std::net::SocketAddr;
use std::process::Command;

use serde_json::Value;
use serde_json::json;

use crate::support::client::Client;
use crate::support::client::chat;
use crate::support::gateway::Folder;
use crate::support::gateway::Gateway;
use crate::support::gateway::Io;
use crate::support::gateway::eventually;
use crate::support::upstream::FINISH;
use crate::support::upstream::Gate;
use crate::support::upstream::STREAM_END;
use crate::support::upstream::STREAM_HEAD;
use crate::support::upstream::Step;
use crate::support::upstream::Upstream;
use crate::support::upstream::delta;
use crate::support::upstream::event;

use super::healthy;
use super::policy;

/// What stands in the file for these upstreams.
fn list(upstreams: &[SocketAddr]) -> String {
    let urls: Vec<String> = upstreams
        .iter()
        .map(|at| format!("http://{at}/v1"))
        .collect();
    json!(urls).to_string()
}

/// A policy whose one provider has its endpoints from `file` alone, and checks them.
fn discovering(folder: &Folder) -> String {
    let file = folder.path().join("endpoints.json");
    let text = policy(&["127.0.0.1:1".parse().unwrap()], "");
    text.replace(
        "base_url = \"http://127.0.0.1:1/v1\"",
        &format!(
            "discover = file(\"{}\", every = 1s)\n  health {{ path = \"/\", every = 1d }}",
            file.display()
        ),
    )
}

fn status(gateway: &Gateway) -> Value {
    serde_json::from_str(&gateway.page("/status").1).unwrap()
}

fn served(gateway: &Gateway) -> u16 {
    Client::connect(gateway.address)
        .send(chat(false))
        .answer()
        .status
}

#[test]
fn endpoints_come_and_go() {
    for io in Io::BOTH {
        let (open, gate) = Gate::new();
        let begin = format!("{STREAM_HEAD}{}", event(&delta("one")));
        let end = format!("{}{}{STREAM_END}", event(&delta("two")), event(FINISH));
        let old = Upstream::start(vec![vec![
            Step::Read,
            Step::send(begin),
            Step::Await(gate),
            Step::send(end),
        ]]);
        let new = Upstream::answering(healthy("new"));
        let folder = Folder::new();
        folder.write("endpoints.json", &list(&[old.address]));
        let gateway = Gateway::start(io, "", &discovering(&folder));
        let mut streaming = Client::connect(gateway.address);
        streaming.send(chat(true));
        streaming.until(b"one");

        folder.write("endpoints.json", &list(&[new.address]));
        assert!(eventually(|| status(&gateway)["generation"] == 2), "{io:?}");
        for _ in 0..3 {
            assert_eq!(served(&gateway), 200, "{io:?}");
        }
        assert_eq!((old.received().len(), new.received().len()), (1, 3));
        // Who has begun at an endpoint that is gone finishes there.
        open.send(()).unwrap();
        let rest = streaming.until(b"0\r\n\r\n");
        assert!(String::from_utf8_lossy(&rest).contains("two"), "{io:?}");
        let log = gateway.log();
        let line = "provider first: 1 endpoints came, 1 went, 1 in all, generation 2";
        assert!(log.contains(line), "{log}");

        folder.write("endpoints.json", &list(&[new.address, old.address]));
        assert!(eventually(|| status(&gateway)["generation"] == 3), "{io:?}");
        let metrics = gateway.page("/metrics").1;
        let endpoints = metrics.matches("switchover_endpoint_up{").count();
        assert_eq!(endpoints, 2, "{metrics}");
    }
}

#[test]
fn a_file_that_is_no_list_keeps_the_last_good_one() {
    let upstream = Upstream::answering(healthy("well"));
    let folder = Folder::new();
    folder.write("endpoints.json", &list(&[upstream.address]));
    let gateway = Gateway::start(Io::Epoll, "", &discovering(&folder));
    let cases = [
        (
            "[\"http://8.8.8.8/v1\"]",
            "plain http to the public address",
        ),
        ("{\"endpoints\": []}", "is not a JSON list of URLs"),
        ("[]", "has no address"),
    ];
    for (text, why) in cases {
        folder.write("endpoints.json", text);
        assert!(
            eventually(|| {
                let told = status(&gateway)["refused_reload"]["why"].clone();
                told.as_str().is_some_and(|told| told.contains(why))
            }),
            "{why}"
        );
        assert_eq!(served(&gateway), 200);
        assert_eq!(status(&gateway)["generation"], 1);
        // An order to reload says so too, and changes nothing either.
        let (code, body) = gateway.order("/reload");
        assert_eq!(code, 422);
        assert!(body.contains(why), "{body}");
    }
    folder.write("endpoints.json", &list(&[upstream.address]));
    assert_eq!(gateway.order("/reload").0, 200);
}

#[test]
fn without_its_file_a_gateway_does_not_start() {
    let folder = Folder::new();
    let text = format!("policy 1\n{}", discovering(&folder));
    let path = folder.write("a.policy", &text);
    let output = Command::new(env!("CARGO_BIN_EXE_switchover"))
        .arg("serve")
        .arg(path)
        .args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
        .env("UPSTREAM_KEY", "sk-upstream-canary")
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("the endpoints of provider first: `"),
        "{told}"
    );
    assert!(told.contains("cannot be read: No such file"), "{told}");
}
