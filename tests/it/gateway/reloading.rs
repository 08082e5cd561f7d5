//! A policy that changes while the gateway runs: no request is lost, nothing that is known is forgotten, and what is
//! wrong changes nothing.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::client::Client;
use crate::support::client::End;
use crate::support::client::chat;
use crate::support::gateway::Gateway;
use crate::support::gateway::Io;
use crate::support::gateway::eventually;
use crate::support::upstream::FINISH;
use crate::support::upstream::Gate;
use crate::support::upstream::STREAM_END;
use crate::support::upstream::STREAM_HEAD;
use crate::support::upstream::Step;
use crate::support::upstream::Upstream;
use crate::support::upstream::answer;
use crate::support::upstream::delta;
use crate::support::upstream::event;

use super::healthy;
use super::policy;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn status(gateway: &Gateway) -> Value {
    json(&gateway.page("/status").1)
}

/// Reloads, and gives what the gateway said to it.
fn reload(gateway: &Gateway) -> Value {
    let (status, body) = gateway.order("/reload");
    assert_eq!(status, 200, "{body}");
    json(&body)
}

/// Who answers a request on this connection.
fn ask(client: &mut Client) -> String {
    let answer = client.send(chat(false)).answer();
    assert_eq!((answer.status, answer.end), (200, End::Whole), "{answer:?}");
    answer.field("x-switchover-target").unwrap().to_owned()
}

/// An upstream whose first connection sends the beginning of a stream and its end when the gate opens.
fn held_stream() -> (std::sync::mpsc::Sender<()>, Upstream) {
    let (open, gate) = Gate::new();
    let begin = format!("{STREAM_HEAD}{}", event(&delta("one")));
    let end = format!("{}{}{STREAM_END}", event(&delta("two")), event(FINISH));
    let upstream = Upstream::start(vec![vec![
        Step::Read,
        Step::send(begin),
        Step::Await(gate),
        Step::send(end),
    ]]);
    (open, upstream)
}

/// The policy with the one provider under another name.
fn renamed(upstream: SocketAddr, name: &str) -> String {
    policy(&[upstream], "").replace("first", name)
}

#[test]
fn the_next_request_runs_by_the_new_policy_and_no_stream_is_cut() {
    for io in Io::BOTH {
        let (open, old) = held_stream();
        let new = Upstream::answering(healthy("new"));
        let gateway = Gateway::start(io, "", &policy(&[old.address], ""));
        let mut streaming = Client::connect(gateway.address);
        streaming.send(chat(true));
        streaming.until(b"one");
        let before = status(&gateway);
        assert_eq!(before["generation"], 1);
        assert_eq!(before["older_generations"], json("[]"));
        assert_eq!(before["refused_reload"], Value::Null);
        let mut kept = Client::connect(gateway.address);
        kept.send("GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n");
        assert_eq!(kept.answer().status, 404);

        gateway.rewrite("", &renamed(new.address, "other"));
        let told = reload(&gateway);
        assert_eq!(
            (&told["generation"], &told["notes"]),
            (&2.into(), &"".into())
        );
        assert_ne!(told["policy"], before["policy"]);
        let after = status(&gateway);
        assert_eq!(after["policy"], told["policy"]);
        assert_eq!(after["older_generations"], json("[1]"), "{io:?}");
        // Connections that were there before go by it as well as new ones.
        assert_eq!(ask(&mut kept), "other.small", "{io:?}");
        assert_eq!(ask(&mut Client::connect(gateway.address)), "other.small");

        open.send(()).unwrap();
        let rest = streaming.until(b"0\r\n\r\n");
        assert!(String::from_utf8_lossy(&rest).contains("two"), "{io:?}");
        // The last request of the old policy is over: nothing of it is kept.
        let gone = eventually(|| status(&gateway)["older_generations"] == json("[]"));
        assert!(gone, "{io:?}");
        // And its record still has its names.
        let records = gateway.page("/requests").1;
        assert!(records.contains("first.small") && records.contains("other.small"));
        let log = gateway.log();
        assert!(
            log.contains("reloaded ") && log.contains("generation 2"),
            "{log}"
        );
    }
}

/// A request that has come with the one before it begins when that one is over.
#[test]
fn a_request_that_waits_its_turn_runs_by_the_new_policy() {
    for io in Io::BOTH {
        let (open, old) = held_stream();
        let new = Upstream::answering(healthy("new"));
        let gateway = Gateway::start(io, "", &policy(&[old.address], ""));
        let mut client = Client::connect(gateway.address);
        client.send([chat(true), chat(false)].concat());
        client.until(b"one");
        gateway.rewrite("", &renamed(new.address, "other"));
        reload(&gateway);
        open.send(()).unwrap();
        client.until(b"0\r\n\r\n");
        let answer = client.answer();
        assert_eq!(
            answer.field("x-switchover-target"),
            Some("other.small"),
            "{io:?}"
        );
    }
}

#[test]
fn what_is_wrong_changes_nothing() {
    let upstream = Upstream::answering(healthy("well"));
    let good = policy(&[upstream.address], "");
    let gateway = Gateway::start(Io::Epoll, "", &good);
    let whole = gateway.text();
    let listen = gateway.address.to_string();
    let cases = [
        (
            422,
            whole.replace("tier 1", "teir 1"),
            vec!["error[P", "test.policy:"],
        ),
        (
            422,
            whole.replace("first.small", "third.small"),
            vec!["third", "known: `first`"],
        ),
        (422, String::new(), vec!["error[P"]),
        (
            422,
            whole.split_at(whole.len() / 2).0.to_owned(),
            vec!["error[P"],
        ),
        (
            422,
            whole.replace("UPSTREAM_KEY", "NO_SUCH_KEY"),
            vec!["NO_SUCH_KEY", "is not set", "test.policy:"],
        ),
        (
            409,
            whole.replace("cores = 1", "cores = 2"),
            vec!["server { cores }", "it is 1", "says 2"],
        ),
        (
            409,
            whole.replace(&listen, "127.0.0.1:1"),
            vec!["server { listen }", &listen],
        ),
        (
            409,
            whole.clone() + "telemetry { access_log = json }\n",
            vec!["access_log", "it is off", "says json"],
        ),
    ];
    for (want, text, parts) in cases {
        gateway.rewrite_whole(&text);
        let (status_code, body) = gateway.order("/reload");
        assert_eq!(status_code, want, "{body}");
        let told = json(&body);
        let why = told["why"].as_str().unwrap();
        assert_eq!(told["error"], "nothing was changed");
        for part in parts {
            assert!(why.contains(part), "{part:?} is not in {why}");
            assert!(gateway.log().contains(part), "{part:?} is not in the log");
        }
        let now = status(&gateway);
        assert_eq!(now["generation"], 1, "{why}");
        assert_eq!(now["refused_reload"]["why"], why.trim_end());
        assert!(now["refused_reload"]["time"].is_string());
        assert_eq!(ask(&mut Client::connect(gateway.address)), "first.small");
    }
    gateway.rewrite("", &good);
    assert_eq!(reload(&gateway)["generation"], 2);
    // The files are as they were at the beginning: the same policy, and a generation of its own.
    assert_eq!(status(&gateway)["policy"], reload(&gateway)["policy"]);
}

#[test]
fn only_an_operators_post_is_an_order() {
    let upstream = Upstream::answering(healthy("well"));
    let gateway = Gateway::start(Io::Epoll, "", &policy(&[upstream.address], ""));
    assert_eq!(gateway.page("/reload").0, 405);
    assert_eq!(
        gateway
            .order_with("/reload", "origin: http://evil.example\r\n")
            .0,
        403
    );
    assert_eq!(status(&gateway)["generation"], 1);
    assert_eq!(gateway.order("/reload").0, 200);
}

#[test]
fn the_command_says_what_came_of_it() {
    let upstream = Upstream::answering(healthy("well"));
    let good = policy(&[upstream.address], "");
    let gateway = Gateway::start(Io::Epoll, "", &good);
    let run = || {
        let output = Command::new(env!("CARGO_BIN_EXE_switchover"))
            .args(["reload", "--admin", &gateway.admin.to_string()])
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let (code, out, err) = run();
    assert_eq!((code, &*err), (Some(0), ""));
    assert!(
        out.starts_with("reloaded: policy ") && out.ends_with("generation 2\n"),
        "{out}"
    );
    gateway.rewrite("", &good.replace("tier", "teir"));
    let (code, out, err) = run();
    assert_eq!((code, &*out), (Some(1), ""));
    assert!(
        err.contains("error[P") && err.ends_with("nothing was changed\n"),
        "{err}"
    );
    let nobody = Command::new(env!("CARGO_BIN_EXE_switchover"))
        .args(["reload", "--admin", "127.0.0.1:1"])
        .output()
        .unwrap();
    assert_eq!(nobody.status.code(), Some(4));
}

#[test]
fn a_hang_up_reloads() {
    let (old, new) = (
        Upstream::answering(healthy("old")),
        Upstream::answering(healthy("new")),
    );
    let mut gateway = Gateway::start(Io::Epoll, "", &policy(&[old.address], ""));
    gateway.rewrite("", &renamed(new.address, "other"));
    gateway.signal(Signal::HUP);
    assert!(eventually(|| status(&gateway)["generation"] == 2));
    assert_eq!(ask(&mut Client::connect(gateway.address)), "other.small");
    gateway.terminate();
    assert!(gateway.ended().is_some_and(|status| status.success()));
}

/// A breaker, a key's rest, an average and every count outlive the policy, under the names of targets.
#[test]
fn what_is_known_of_a_target_stays() {
    for io in Io::BOTH {
        let broken = Upstream::answering(answer("500 Broken", "", "{}"));
        let well = Upstream::answering(healthy("well"));
        let breaker = "breaker = quick";
        let text = "breaker quick { open when consecutive >= 3, cool_down = 60s }\n".to_owned()
            + &policy(&[broken.address, well.address], breaker);
        let gateway = Gateway::start(io, "", &text);
        for _ in 0..5 {
            assert_eq!(ask(&mut Client::connect(gateway.address)), "second.small");
        }
        let counted = |name: &str| -> u64 {
            let metrics = gateway.page("/metrics").1;
            let line = metrics.lines().find_map(|line| line.strip_prefix(name));
            let line = line.unwrap_or_else(|| panic!("{name} in {metrics}"));
            line.trim().parse().unwrap()
        };
        let attempts = r#"switchover_attempts_total{target="first.small",outcome="s5xx"}"#;
        assert_eq!(counted(attempts), 3, "{io:?}");
        // Another order of targets, and one more before them: every id is another one now.
        let spare = "provider spare {\n  kind = openai_compatible, base_url = \"http://127.0.0.1:1/v1\", tls = off\n  \
                     auth = bearer(env(\"UPSTREAM_KEY\"))\n  model small = \"up-small\"\n}\n";
        gateway.rewrite("", &(spare.to_owned() + &text.replace("route default", "route spare when req.model == \"x\" {\n  tier 1 { spare.small }\n}\nroute default")));
        reload(&gateway);
        let now = status(&gateway);
        let target = |name: &str| {
            let targets = now["targets"].as_array().unwrap();
            targets
                .iter()
                .find(|target| target["target"] == name)
                .unwrap()
                .clone()
        };
        assert_eq!(target("first.small")["breaker"], "open", "{io:?}: {now}");
        assert_eq!(target("second.small")["answered"], 5);
        assert_eq!(target("spare.small")["answered"], 0);
        assert_eq!(now["requests"]["requests"], 5);
        assert_eq!(counted(attempts), 3);
        assert_eq!(ask(&mut Client::connect(gateway.address)), "second.small");
        assert_eq!(
            counted(attempts),
            3,
            "{io:?}: nobody asks a target that is out"
        );
        let moved =
            r#"switchover_failovers_total{from="first.small",to="second.small",why="s5xx"}"#;
        assert_eq!(counted(moved), 3);
    }
}

/// The providers' connections are used on.
#[test]
fn idle_connections_stay() {
    for io in Io::BOTH {
        let upstream = Upstream::answering(healthy("well"));
        let gateway = Gateway::start(io, "", &policy(&[upstream.address], ""));
        for _ in 0..3 {
            ask(&mut Client::connect(gateway.address));
            reload(&gateway);
        }
        let connections: Vec<_> = upstream.received().iter().map(|it| it.connection).collect();
        assert_eq!(connections, [0, 0, 0], "{io:?}");
    }
}

/// Reload upon reload under load: every answer is whole, good files or bad.
#[test]
fn no_request_is_lost() {
    for io in Io::BOTH {
        let stream = format!(
            "{STREAM_HEAD}{}{}{STREAM_END}",
            event(&delta("one")),
            event(FINISH)
        );
        let [a, b] = [&stream, &stream].map(Upstream::answering);
        let [one, other] = [&a, &b].map(|it| policy(&[it.address], ""));
        let gateway = Gateway::start(io, "", &one);
        let (over, served) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| stream_until(&over, &gateway, &served));
            }
            for round in 0..RELOADS {
                let before = served.load(Ordering::Relaxed);
                match round % 3 {
                    0 => gateway.rewrite("", &other),
                    1 => gateway.rewrite_whole("policy 1\nroute {"),
                    _ => gateway.rewrite("", &one),
                }
                let want = if round % 3 == 1 { 422 } else { 200 };
                assert_eq!(gateway.order("/reload").0, want);
                assert!(eventually(|| served.load(Ordering::Relaxed) > before + 4));
            }
            over.store(true, Ordering::Relaxed);
        });
        let counted = status(&gateway)["requests"].clone();
        assert_eq!(counted["failed"], 0, "{counted}");
        let served = served.load(Ordering::Relaxed);
        // The last one is counted when its send has been reported, which may be after its client has it.
        assert!(
            eventually(|| status(&gateway)["requests"]["answered"] == served),
            "{io:?}: every answer is counted"
        );
        assert!(eventually(
            || status(&gateway)["older_generations"] == json("[]")
        ));
    }
}

/// Streams, each whole, eight on a connection.
fn stream_until(over: &AtomicBool, gateway: &Gateway, served: &AtomicUsize) {
    let mut client = Client::connect(gateway.address);
    for count in 1.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        if count % 8 == 0 {
            client = Client::connect(gateway.address);
        }
        let answer = client.send(chat(true)).answer();
        assert_eq!((answer.status, answer.end), (200, End::Whole), "{answer:?}");
        assert!(answer.text().contains("\"stop\""), "{answer:?}");
        served.fetch_add(1, Ordering::Relaxed);
    }
}

/// Each a third of them with a file that is no policy.
const RELOADS: usize = 60;
