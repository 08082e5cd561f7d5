//! Connections over time: when an upstream's is kept, replaced or given up, and what a client's departure does.

use std::net::TcpStream;

use crate::support::Cases;
use crate::support::client::Client;
use crate::support::client::chat;
use crate::support::gateway::Gateway;
use crate::support::gateway::Io;
use crate::support::gateway::eventually;
use crate::support::upstream::FINISH;
use crate::support::upstream::Gate;
use crate::support::upstream::STREAM_END;
use crate::support::upstream::STREAM_HEAD;
use crate::support::upstream::Script;
use crate::support::upstream::Step;
use crate::support::upstream::Upstream;
use crate::support::upstream::delta;
use crate::support::upstream::event;

use super::healthy;
use super::metric;
use super::policy;

/// An upstream that closed a kept connection has done no wrong: the request goes out again, and nobody is told.
#[test]
fn a_kept_connection_that_closed_is_replaced_for_free() {
    let served = [Step::Read, Step::send(healthy("well"))];
    let firsts = [
        ("closed while idle", served.to_vec()),
        (
            "closed when used again",
            [&served[..], &[Step::ReadHead]].concat(),
        ),
        (
            "reset when used again",
            [&served[..], &[Step::ReadHead, Step::Reset]].concat(),
        ),
    ];
    let mut table = Cases::default();
    for io in Io::BOTH {
        for (name, first) in &firsts {
            table.run(format!("{name}, {io:?}"), || {
                let name = format!("{name}, {io:?}");
                let upstream = Upstream::start(vec![first.clone(), served.to_vec()]);
                let gateway = Gateway::start(io, "", &policy(&[upstream.address], ""));
                let mut client = Client::connect(gateway.address);
                for _ in 0..2 {
                    let answer = client.send(chat(false)).answer();
                    assert_eq!(answer.status, 200, "{name}: {answer:?}");
                    assert_eq!(answer.field("x-switchover-attempts"), Some("1"), "{name}");
                }
                let last = upstream.received().pop().unwrap();
                assert_eq!(last.connection, 1, "{name}");
            });
        }
    }
    table.finish();
}

/// Bytes after an answer belong to nobody: the connection that brought them is never used again.
#[test]
fn a_connection_with_bytes_left_over_is_dropped() {
    let extra = healthy("well") + "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad";
    for io in Io::BOTH {
        let upstream = Upstream::start(vec![
            vec![
                Step::Read,
                Step::send(&extra),
                Step::Read,
                Step::send(&extra),
            ],
            vec![Step::Read, Step::send(healthy("fresh"))],
        ]);
        let gateway = Gateway::start(io, "", &policy(&[upstream.address], ""));
        let mut client = Client::connect(gateway.address);
        assert!(
            client.send(chat(false)).answer().text().contains("well"),
            "{io:?}"
        );
        assert!(
            client.send(chat(false)).answer().text().contains("fresh"),
            "{io:?}"
        );
    }
}

/// `connection: close` from an upstream is obeyed.
#[test]
fn an_upstream_may_serve_one_request_a_connection() {
    let once = healthy("well").replacen("\r\n", "\r\nconnection: close\r\n", 1);
    for io in Io::BOTH {
        let upstream =
            Upstream::start(vec![vec![Step::Read, Step::send(&once), Step::UntilClosed]]);
        let gateway = Gateway::start(io, "", &policy(&[upstream.address], ""));
        let mut client = Client::connect(gateway.address);
        for _ in 0..3 {
            assert_eq!(client.send(chat(false)).answer().status, 200, "{io:?}");
        }
        let connections: Vec<_> = upstream.received().iter().map(|r| r.connection).collect();
        assert_eq!(connections, [0, 1, 2], "{io:?}");
    }
}

/// Nobody reads a model's answer any more: the model must stop, since every token costs.
#[test]
fn a_client_that_leaves_frees_the_upstream() {
    let cases = [
        (
            "before the head",
            false,
            vec![Step::Read, Step::UntilClosed],
        ),
        (
            "before the first event",
            true,
            vec![Step::Read, Step::send(STREAM_HEAD), Step::UntilClosed],
        ),
        (
            "between two events",
            true,
            vec![
                Step::Read,
                Step::send(format!("{STREAM_HEAD}{}", event(&delta("one")))),
                Step::UntilClosed,
            ],
        ),
    ];
    let mut table = Cases::default();
    for io in Io::BOTH {
        for (name, streaming, script) in &cases {
            table.run(format!("{name}, {io:?}"), || {
                let upstream = Upstream::start(vec![script.clone()]);
                // Timers far away: only the client's departure can end it within the test's patience.
                let policy = policy(&[upstream.address], "").replace(
                    "ttft_timeout = 5s, idle_timeout = 5s, deadline = 9s",
                    "ttft_timeout = 60s, idle_timeout = 60s, deadline = 90s",
                );
                let gateway = Gateway::start(io, "", &policy);
                let mut client = Client::connect(gateway.address);
                client.send(chat(*streaming));
                if *name == "between two events" {
                    client.until(delta("one").as_bytes());
                } else {
                    upstream.await_request();
                }
                drop(client);
                assert!(upstream.saw_close(), "{name}, {io:?}: still open");
            });
        }
    }
    table.finish();
}

/// Many clients at once on one core, each on a connection of its own, each with its own answer.
#[test]
fn clients_do_not_mix() {
    for io in Io::BOTH {
        let scripts =
            (0..16).map(|n| vec![Step::Read, Step::send(healthy(&format!("number {n}")))]);
        let upstream = Upstream::start(scripts.collect());
        let gateway = Gateway::start(io, "", &policy(&[upstream.address], ""));
        let mut clients: Vec<_> = (0..16).map(|_| Client::connect(gateway.address)).collect();
        for client in &mut clients {
            client.send(chat(false));
        }
        let mut answers: Vec<_> = clients
            .iter_mut()
            .map(|client| client.answer().text())
            .collect();
        answers.sort();
        answers.dedup();
        assert_eq!(answers.len(), 16, "{io:?}: {answers:?}");
    }
}

/// A thousand clients that leave with each driver, in each phase of their requests: no descriptor, no memory and no place is lost.
#[test]
fn a_storm_of_leaving_clients_leaks_nothing() {
    let one = delta("one");
    let phases = [
        (Vec::new(), None),
        (vec![Step::send(STREAM_HEAD)], None),
        (
            vec![Step::send(format!("{STREAM_HEAD}{}", event(&one)))],
            Some(one.as_bytes()),
        ),
    ];
    for io in Io::BOTH {
        for (says, awaited) in &phases {
            let script = [&[Step::Read], &says[..], &[Step::UntilClosed]].concat();
            storms(io, script, *awaited);
        }
    }
}

/// Four storms of a hundred clients each, who leave when they have got `awaited`, or when the upstream has the request.
fn storms(io: Io, script: Script, awaited: Option<&[u8]>) {
    let upstream = Upstream::start(vec![script]);
    let policy = policy(&[upstream.address], "").replace("_timeout = 5s", "_timeout = 60s");
    let gateway = Gateway::start(io, "max_connections = 200", &policy);
    let held = |bound| metric(&gateway, &format!("switchover_load{{bound=\"{bound}\"}}"));
    let storm = |size: usize| {
        let mut clients: Vec<_> = (0..size)
            .map(|_| Client::connect(gateway.address))
            .collect();
        for client in &mut clients {
            client.send(chat(true));
        }
        for client in &mut clients {
            match awaited {
                Some(awaited) => drop(client.until(awaited)),
                None => upstream.await_request(),
            }
        }
        drop(clients);
        for _ in 0..size {
            assert!(upstream.saw_close(), "{io:?}: still open");
        }
    };
    // What the first one opens for good, such as a log, is no leak.
    storm(1);
    let before = gateway.descriptors();
    for _ in 0..4 {
        storm(100);
        let free = eventually(|| held("max_connections") == 0);
        assert!(free, "{io:?}: connections are still held");
    }
    for bound in ["max_requests", "body_memory"] {
        assert_eq!(held(bound), 0, "{io:?}: {bound}");
    }
    let even = eventually(|| gateway.descriptors() <= before);
    let after = gateway.descriptors();
    assert!(even, "{io:?}: {before} before, {after} after");
}

/// A service manager's signal stops new work; what is on its way arrives whole.
#[test]
fn a_term_signal_lets_streams_end() {
    for io in Io::BOTH {
        let (open, gate) = Gate::new();
        let upstream = Upstream::start(vec![vec![
            Step::Read,
            Step::send(format!("{STREAM_HEAD}{}", event(&delta("one")))),
            Step::Await(gate),
            Step::send(format!("{}{}{STREAM_END}", event(FINISH), event("[DONE]"))),
        ]]);
        let mut gateway = Gateway::start(io, "", &policy(&[upstream.address], ""));
        let mut client = Client::connect(gateway.address);
        client.send(chat(true)).until(delta("one").as_bytes());
        gateway.terminate();
        let refused = eventually(|| TcpStream::connect(gateway.address).is_err());
        assert!(refused, "{io:?}: still listening");
        open.send(()).unwrap();
        client.until(b"data: [DONE]\n\n");
        client.until(STREAM_END.as_bytes());
        let status = gateway.ended();
        assert!(
            status.is_some_and(|status| status.success()),
            "{io:?}: {status:?}"
        );
    }
}
