//! More than the gateway may take on: what is one too many is told so at once, what is under way goes on.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use crate::support::client::Answer;
use crate::support::client::Client;
use crate::support::client::chat;
use crate::support::client::post;
use crate::support::gateway::Gateway;
use crate::support::gateway::Io;
use crate::support::gateway::eventually;
use crate::support::tls::Authority;
use crate::support::upstream;
use crate::support::upstream::FINISH;
use crate::support::upstream::Gate;
use crate::support::upstream::STREAM_END;
use crate::support::upstream::STREAM_HEAD;
use crate::support::upstream::Script;
use crate::support::upstream::Step;
use crate::support::upstream::Upstream;
use crate::support::upstream::completion;
use crate::support::upstream::delta;
use crate::support::upstream::event;

use super::assert_envelope;
use super::healthy;
use super::metric;
use super::policy;

/// The answer of a gateway that has enough to do.
fn assert_shed(answer: &Answer, reason: &str, name: &str) {
    assert_eq!(answer.status, 503, "{name}: {answer:?}");
    assert_envelope(answer, name);
    let seconds: u64 = answer.field("retry-after").unwrap().parse().unwrap();
    assert!((1..=3).contains(&seconds), "{name}: {answer:?}");
    assert_eq!(answer.field("x-switchover-reason"), Some(reason), "{name}");
    assert_eq!(answer.field("x-should-retry"), None, "{name}");
}

fn shed(gateway: &Gateway, bound: &str) -> u64 {
    metric(
        gateway,
        &format!("switchover_shed_total{{bound=\"{bound}\"}}"),
    )
}

fn held(gateway: &Gateway, bound: &str) -> u64 {
    metric(gateway, &format!("switchover_load{{bound=\"{bound}\"}}"))
}

/// A stream that waits for the test after its first content.
fn held_stream(gate: Arc<Gate>) -> Script {
    vec![
        Step::Read,
        Step::send(format!("{STREAM_HEAD}{}", event(&delta("one")))),
        Step::Await(gate),
        Step::send(format!("{}{}{STREAM_END}", event(FINISH), event("[DONE]"))),
    ]
}

fn served() -> Script {
    let once = [Step::Read, Step::send(healthy("well"))];
    once.iter().cycle().take(2 * 16).cloned().collect()
}

#[test]
fn a_connection_too_many_is_told_so() {
    for io in Io::BOTH {
        let name = format!("{io:?}");
        let (open, gate) = Gate::new();
        let upstream = Upstream::start(vec![held_stream(gate), served()]);
        let gateway = Gateway::start(io, "max_connections = 2", &policy(&[upstream.address], ""));
        let mut streaming = Client::connect(gateway.address);
        streaming.send(chat(true)).until(delta("one").as_bytes());
        let mut second = Client::connect(gateway.address);
        assert_eq!(second.send(chat(false)).answer().status, 200, "{name}");
        for _ in 0..3 {
            let mut third = Client::connect(gateway.address);
            let answer = third.send(chat(false)).answer();
            assert_shed(&answer, "overloaded", &name);
            assert_eq!(answer.field("connection"), Some("close"), "{name}");
            assert!(third.ends(), "{name}: still open");
        }
        assert_eq!(shed(&gateway, "max_connections"), 3, "{name}");
        assert_eq!(held(&gateway, "max_connections"), 2, "{name}");
        // A place is free again as soon as somebody has left.
        drop(second);
        let served = eventually(|| {
            let mut next = Client::connect(gateway.address);
            next.send(chat(false)).answer().status == 200
        });
        assert!(served, "{name}: nobody is served any more");
        open.send(()).unwrap();
        streaming.until(b"data: [DONE]\n\n");
    }
}

#[test]
fn a_connection_too_many_is_told_so_behind_tls() {
    let authority = Authority::new();
    let server = format!(
        "max_connections = 1, tls {{ cert = file(\"{}\"), key = file(\"{}\") }}",
        authority.file("cert.pem").display(),
        authority.file("key.pem").display()
    );
    for io in Io::BOTH {
        let upstream = Upstream::answering(healthy("well"));
        let gateway = Gateway::start(io, &server, &policy(&[upstream.address], ""));
        let mut first = Client::over(authority.connect(gateway.address));
        assert_eq!(first.send(chat(false)).answer().status, 200, "{io:?}");
        let mut second = Client::over(authority.connect(gateway.address));
        let answer = second.send(chat(false)).answer();
        assert_shed(&answer, "overloaded", &format!("{io:?}"));
        assert_eq!(first.send(chat(false)).answer().status, 200, "{io:?}");
    }
}

#[test]
fn a_request_too_many_is_told_so_and_its_connection_stays() {
    for io in Io::BOTH {
        let name = format!("{io:?}");
        let (open, gate) = Gate::new();
        let upstream = Upstream::start(vec![held_stream(gate), served()]);
        let gateway = Gateway::start(io, "max_requests = 1", &policy(&[upstream.address], ""));
        let mut streaming = Client::connect(gateway.address);
        streaming.send(chat(true)).until(delta("one").as_bytes());
        let mut other = Client::connect(gateway.address);
        for _ in 0..2 {
            let answer = other.send(chat(false)).answer();
            assert_shed(&answer, "overloaded", &name);
        }
        assert_eq!(shed(&gateway, "max_requests"), 2, "{name}");
        let recorded = eventually(|| {
            metric(
                &gateway,
                "switchover_requests_total{route=\"-\",ending=\"shed\"}",
            ) == 2
        });
        assert!(recorded, "{name}");
        assert_eq!(
            upstream.received().len(),
            1,
            "{name}: nothing reached a provider"
        );
        open.send(()).unwrap();
        streaming.until(b"data: [DONE]\n\n");
        let served = eventually(|| other.send(chat(false)).answer().status == 200);
        assert!(served, "{name}: nobody is served any more");
        assert!(eventually(|| held(&gateway, "max_requests") == 0), "{name}");
    }
}

/// A chat request with a prompt of `bytes`.
fn prompt(bytes: usize) -> Vec<u8> {
    let text = "x".repeat(bytes);
    let body = format!(r#"{{"model":"small","messages":[{{"role":"user","content":"{text}"}}]}}"#);
    post("/v1/chat/completions", "", &body)
}

#[test]
fn bodies_do_not_take_more_memory_than_they_may() {
    for io in Io::BOTH {
        let name = format!("{io:?}");
        let (open, gate) = Gate::new();
        let waiting = [
            &[Step::Read, Step::Await(gate), Step::send(healthy("well"))],
            &served()[..],
        ]
        .concat();
        let upstream = Upstream::start(vec![waiting, served()]);
        let server = "body_max = 64KiB, body_memory = 100KiB";
        let gateway = Gateway::start(io, server, &policy(&[upstream.address], ""));
        let mut first = Client::connect(gateway.address);
        first.send(prompt(60_000));
        upstream.await_request();
        assert!(held(&gateway, "body_memory") >= 60_000, "{name}");
        let mut second = Client::connect(gateway.address);
        assert_shed(&second.send(prompt(60_000)).answer(), "overloaded", &name);
        // In chunks, nobody knows how much will come.
        let chunked =
            "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
        let body = "x".repeat(60_000);
        let mut third = Client::connect(gateway.address);
        third.send(format!(
            "{chunked}{:x}\r\n{{\"model\":\"{body}",
            body.len() + 10
        ));
        assert_shed(&third.answer(), "overloaded", &name);
        let mut small = Client::connect(gateway.address);
        let answer = small.send(chat(false)).answer();
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
        assert_eq!(shed(&gateway, "body_memory"), 2, "{name}");
        open.send(()).unwrap();
        let answer = first.answer();
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
        assert!(eventually(|| held(&gateway, "body_memory") == 0), "{name}");
        assert_eq!(first.send(prompt(60_000)).answer().status, 200, "{name}");
    }
}

/// There is no memory to hold the answer back: it is not refused but goes out as it comes.
#[test]
fn an_answer_without_memory_goes_out_at_once() {
    let body = completion(&"x".repeat(150_000));
    let (head, rest) = body.split_at(120_000);
    for io in Io::BOTH {
        for framing in ["content-length", "chunks"] {
            let name = format!("{framing}, {io:?}");
            let (open, gate) = Gate::new();
            let (start, end) = if framing == "chunks" {
                (
                    format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n\
                         {:x}\r\n{head}\r\n",
                        head.len()
                    ),
                    format!("{:x}\r\n{rest}\r\n0\r\n\r\n", rest.len()),
                )
            } else {
                let whole = upstream::answer("200 OK", "", &body);
                let (start, end) = whole.split_at(whole.len() - rest.len());
                (start.to_owned(), end.to_owned())
            };
            let upstream = Upstream::start(vec![vec![
                Step::Read,
                Step::send(start),
                Step::Await(gate),
                Step::send(end),
            ]]);
            let server = "body_max = 64KiB, body_memory = 64KiB";
            let gateway = Gateway::start(io, server, &policy(&[upstream.address], ""));
            let mut client = Client::connect(gateway.address);
            client.send(chat(false));
            // The beginning is here while the provider still holds the end back.
            client.until(&[b'x'; 1000]);
            open.send(()).unwrap();
            client.until(&body.as_bytes()[body.len() - 20..]);
            client.until(b"0\r\n\r\n");
            assert!(eventually(|| held(&gateway, "body_memory") == 0), "{name}");
        }
    }
}

/// No descriptor is left: the gateway goes on, says so once, does not burn its core, and recovers.
#[test]
fn running_out_of_descriptors_is_survived() {
    for io in Io::BOTH {
        let name = format!("{io:?}");
        let upstream = Upstream::answering(healthy("well"));
        let gateway = Gateway::start(
            io,
            "max_connections = 1000",
            &policy(&[upstream.address], ""),
        );
        assert_eq!(
            Client::connect(gateway.address)
                .send(chat(false))
                .answer()
                .status,
            200
        );
        gateway.limit_descriptors(gateway.descriptors() + 4);
        let mut crowd: Vec<TcpStream> = Vec::new();
        let noted = eventually(|| {
            crowd.push(TcpStream::connect(gateway.address).unwrap());
            gateway.log().contains("no descriptor is left")
        });
        assert!(noted, "{name}: {}", gateway.log());
        let before = gateway.cpu_time();
        // Each of these takes a pause of 20 ms: 400 ms, which a loop without pauses would burn. Not all are told: for
        // some there is no descriptor at all.
        let (mut told, mut served) = (0, Vec::new());
        while told < 20 {
            let mut client = Client::connect(gateway.address);
            client.send(chat(false));
            told += usize::from(client.brings(b"\r\n\r\n") && client.answer().status == 503);
            served.push(client);
        }
        let burnt = gateway.cpu_time().saturating_sub(before);
        assert!(burnt < Duration::from_millis(200), "{name}: {burnt:?}");
        drop((crowd, served));
        let recovered = eventually(|| {
            let mut client = Client::connect(gateway.address);
            client.send(chat(false));
            client.brings(b"well")
        });
        assert!(recovered, "{name}: {}", gateway.log());
        assert_eq!(
            gateway.log().matches("no descriptor is left").count(),
            1,
            "{name}"
        );
    }
}

/// A service manager waits no longer than this: streams end with an event that says so.
#[test]
fn what_outlives_the_drain_is_told_so() {
    for io in Io::BOTH {
        let name = format!("{io:?}");
        let (_open, gate) = Gate::new();
        let silent = vec![Step::Read, Step::UntilClosed];
        let upstream = Upstream::start(vec![held_stream(gate), silent]);
        let mut gateway = Gateway::start(io, "drain = 100ms", &policy(&[upstream.address], ""));
        let mut streaming = Client::connect(gateway.address);
        streaming.send(chat(true)).until(delta("one").as_bytes());
        let mut waiting = Client::connect(gateway.address);
        waiting.send(chat(true));
        upstream.await_request();
        upstream.await_request();
        gateway.terminate();
        let end = String::from_utf8(streaming.until_end()).unwrap();
        assert!(end.contains("data: {\"error\":{"), "{name}: {end}");
        assert!(end.contains("\"code\":\"draining\""), "{name}: {end}");
        assert!(!end.contains("[DONE]"), "{name}: {end}");
        assert!(
            !end.contains("\r\n0\r\n\r\n"),
            "{name}: a clean end in {end:?}"
        );
        let answer = waiting.answer();
        assert_shed(&answer, "draining", &name);
        assert_eq!(answer.field("connection"), Some("close"), "{name}");
        assert!(upstream.saw_close(), "{name}: the provider goes on");
        let status = gateway.ended();
        assert!(
            status.is_some_and(|status| status.success()),
            "{name}: {status:?}"
        );
    }
}

/// Whoever asks twice means it.
#[test]
fn a_second_term_signal_ends_at_once() {
    for io in Io::BOTH {
        let (_open, gate) = Gate::new();
        let upstream = Upstream::start(vec![held_stream(gate)]);
        let mut gateway = Gateway::start(io, "drain = 10m", &policy(&[upstream.address], ""));
        let mut streaming = Client::connect(gateway.address);
        streaming.send(chat(true)).until(delta("one").as_bytes());
        gateway.terminate();
        assert!(eventually(|| gateway.log().contains("draining")), "{io:?}");
        gateway.terminate();
        let status = gateway.ended();
        assert!(
            status.is_some_and(|status| status.success()),
            "{io:?}: {status:?}"
        );
    }
}
