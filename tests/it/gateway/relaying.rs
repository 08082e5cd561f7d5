//! Answers as bytes: what an upstream may send, what must never look like a good answer, and streams event by event.

#![expect(
    clippy::too_many_lines,
    reason = "the cases are data: a table is read as one page"
)]

use crate::support::Cases;
use crate::support::client::Client;
use crate::support::client::End;
use crate::support::client::chat;
use crate::support::gateway::Gateway;
use crate::support::gateway::Io;
use crate::support::upstream::FINISH;
use crate::support::upstream::Gate;
use crate::support::upstream::ROLE;
use crate::support::upstream::STREAM_END;
use crate::support::upstream::STREAM_HEAD;
use crate::support::upstream::Step;
use crate::support::upstream::Upstream;
use crate::support::upstream::answer;
use crate::support::upstream::completion;
use crate::support::upstream::delta;
use crate::support::upstream::event;

use super::Case;
use super::Want;
use super::check;
use super::healthy;
use super::policy;

/// Answers that are sound, if unusual.
#[test]
fn sound_answers() {
    let body = completion("well");
    let (one, two) = body.split_at(20);
    let chunks = format!(
        "{:x};a=b\r\n{one}\r\n{:X}\r\n{two}\r\n0\r\nx-trailer: 1\r\n\r\n",
        one.len(),
        two.len()
    );
    let json = "content-type: application/json\r\n";
    let cases = [
        ("length", healthy("well")),
        (
            "chunked with extension and trailer",
            format!("HTTP/1.1 200 OK\r\n{json}transfer-encoding: chunked\r\n\r\n{chunks}"),
        ),
        (
            "until the connection closes",
            format!("HTTP/1.1 200 OK\r\n{json}\r\n{body}"),
        ),
        ("HTTP/1.0", format!("HTTP/1.0 200 OK\r\n{json}\r\n{body}")),
        (
            "interim answers first",
            format!(
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n{}",
                healthy("well")
            ),
        ),
        (
            "no reason phrase",
            format!(
                "HTTP/1.1 200 \r\n{json}content-length: {}\r\n\r\n{body}",
                body.len()
            ),
        ),
        (
            "no content type",
            format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            ),
        ),
        (
            "a length that is repeated",
            format!(
                "HTTP/1.1 200 OK\r\n{json}content-length: {0}\r\ncontent-length: {0}\r\n\r\n{body}",
                body.len()
            ),
        ),
    ];
    let mut table = Cases::default();
    for (name, bytes) in cases {
        table.run(name, || {
            check(&Case {
                name,
                upstreams: vec![vec![vec![Step::Read, Step::send(bytes)]]],
                send: chat(false),
                want: Want::Answer {
                    target: "first.small",
                    body: &body,
                },
            });
        });
    }
    table.finish();
}

/// Answers that are not: the client gets an error that says so, never a part of them.
#[test]
fn broken_answers() {
    let body = completion("part");
    let json = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let length = format!("content-length: {}\r\n", body.len());
    let with = |field: &str| format!("{json}{field}{length}\r\n{body}");
    let cases = [
        (
            "body shorter than its length",
            format!("{json}content-length: 9999\r\n\r\n{body}"),
        ),
        (
            "chunks cut",
            format!("{json}transfer-encoding: chunked\r\n\r\nffff\r\n{body}"),
        ),
        (
            "chunks without the last",
            format!(
                "{json}transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n",
                body.len()
            ),
        ),
        (
            "bad chunk size",
            format!("{json}transfer-encoding: chunked\r\n\r\nzz\r\n{body}\r\n0\r\n\r\n"),
        ),
        (
            "chunk data without its line end",
            format!("{json}transfer-encoding: chunked\r\n\r\n2\r\n{body}\r\n0\r\n\r\n"),
        ),
        (
            "unknown coding",
            format!("{json}transfer-encoding: gzip\r\n\r\n{body}"),
        ),
        (
            "differing lengths",
            format!("{json}content-length: 3\r\n{length}\r\n{body}"),
        ),
        (
            "signed length",
            format!("{json}content-length: +3\r\n\r\n{body}"),
        ),
        ("NUL in a value", with("x-a: b\0c\r\n")),
        ("head cut", "HTTP/1.1 200 OK\r\ncontent-ty".to_owned()),
        ("no byte at all", String::new()),
        ("no HTTP", "SSH-2.0-OpenSSH_9.6\r\n\r\n".to_owned()),
        (
            "status of two digits",
            format!("HTTP/1.1 20 OK\r\n{length}\r\n{body}"),
        ),
        (
            "status of four digits",
            format!("HTTP/1.1 2000 OK\r\n{length}\r\n{body}"),
        ),
        (
            "status 0xx",
            format!("HTTP/1.1 099 OK\r\n{length}\r\n{body}"),
        ),
        (
            "protocol switch that nobody asked for",
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"
                .to_owned(),
        ),
        (
            "redirect",
            answer("302 Found", "location: http://127.0.0.1:1/steal\r\n", "{}"),
        ),
        ("no content", "HTTP/1.1 204 No Content\r\n\r\n".to_owned()),
        (
            "head over the bound",
            with(&format!("x-a: {}\r\n", "x".repeat(70 * 1024))),
        ),
        ("fields over the bound", with(&"x-a: y\r\n".repeat(201))),
        ("empty body", answer("200 OK", "", "")),
        (
            "HTML",
            format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n{length}\r\n{:<1$}",
                "<html>",
                body.len()
            ),
        ),
    ];
    let mut table = Cases::default();
    for (name, bytes) in cases {
        table.run(name, || {
            check(&Case {
                name,
                upstreams: vec![vec![vec![Step::Read, Step::send(bytes)]]],
                send: chat(false),
                want: Want::Error(&[502, 503]),
            });
        });
    }
    let part = format!("{json}content-length: 9999\r\n\r\n{body}");
    check(&Case {
        name: "reset inside the body",
        upstreams: vec![vec![vec![Step::Read, Step::send(part), Step::Reset]]],
        send: chat(false),
        want: Want::Error(&[502, 503]),
    });
    table.finish();
}

/// Both lengths of framing at once: the chunks are what counts, or the answer is refused; never the length.
#[test]
fn an_answer_with_length_and_coding() {
    let body = completion("well");
    let bytes = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    for io in Io::BOTH {
        let upstream = Upstream::start(vec![vec![Step::Read, Step::send(&bytes)]]);
        let gateway = Gateway::start(io, "", &policy(&[upstream.address], ""));
        let answer = Client::connect(gateway.address).send(chat(false)).answer();
        assert!(
            answer.status >= 500 || answer.text() == body,
            "{io:?}: {answer:?}"
        );
    }
}

/// What an account leaves in an answer's head stays here; the gateway's own words are added.
#[test]
fn what_a_client_sees() {
    let fields = "set-cookie: a=b\r\nopenai-organization: org-1\r\nopenai-project: proj-1\r\ncf-ray: 1\r\nserver: x\r\n\
                  via: 1.1 edge\r\nalt-svc: h3\r\nconnection: keep-alive, x-hop\r\nx-hop: 1\r\nkeep-alive: timeout=9\r\n";
    for io in Io::BOTH {
        let upstream = Upstream::answering(answer("200 OK", fields, &completion("well")));
        let gateway = Gateway::start(io, "", &policy(&[upstream.address], ""));
        let answer = Client::connect(gateway.address).send(chat(false)).answer();
        for gone in [
            "set-cookie",
            "openai-organization",
            "openai-project",
            "cf-ray",
            "server",
            "alt-svc",
            "x-hop",
            "keep-alive",
        ] {
            assert_eq!(answer.field(gone), None, "{io:?}: {answer:?}");
        }
        assert_eq!(
            answer.field("content-type"),
            Some("application/json"),
            "{io:?}"
        );
        assert_eq!(
            answer.field("x-switchover-route"),
            Some("default"),
            "{io:?}"
        );
        assert_eq!(
            answer.field("x-switchover-target"),
            Some("first.small"),
            "{io:?}"
        );
        assert_eq!(answer.field("x-switchover-attempts"), Some("1"), "{io:?}");
        assert!(
            answer.field("x-request-id").is_some_and(|id| id.len() >= 8),
            "{io:?}: {answer:?}"
        );
    }
}

/// An event is on its way to the client before the upstream has the next one.
#[test]
fn streams_are_relayed_event_by_event() {
    for io in Io::BOTH {
        let (open, gate) = Gate::new();
        let upstream = Upstream::start(vec![vec![
            Step::Read,
            Step::send(format!(
                "{STREAM_HEAD}{}{}",
                event(ROLE),
                event(&delta("one"))
            )),
            Step::Await(gate.clone()),
            Step::send(event(&delta("two"))),
            Step::Await(gate),
            Step::send(format!("{}{}{STREAM_END}", event(FINISH), event("[DONE]"))),
        ]]);
        let gateway = Gateway::start(io, "", &policy(&[upstream.address], ""));
        let mut client = Client::connect(gateway.address);
        client.send(chat(true));
        let first = client.until(delta("one").as_bytes());
        assert!(first.starts_with(b"HTTP/1.1 200"), "{io:?}");
        open.send(()).unwrap();
        client.until(delta("two").as_bytes());
        open.send(()).unwrap();
        client.until(b"data: [DONE]\n\n");
        client.until(STREAM_END.as_bytes());
    }
}

/// Whatever pieces a stream arrives in, comments and odd line ends included, the client gets the same bytes.
#[test]
fn streams_keep_their_bytes() {
    let events = format!(
        ": hello\n\ndata: {ROLE}\n\ndata: {}\r\n\r\nid: 7\nevent: message\ndata: {}\n\n: keep-alive\n\ndata: {FINISH}\n\ndata: [DONE]\n\n",
        delta("gr\u{fc}n \u{1f600}"),
        delta("two")
    );
    for io in Io::BOTH {
        for piece in [1, 7, 4096] {
            let mut script = vec![Step::Read, Step::send(STREAM_HEAD)];
            for part in events.as_bytes().chunks(piece) {
                let mut chunk = format!("{:x}\r\n", part.len()).into_bytes();
                chunk.extend_from_slice(part);
                chunk.extend_from_slice(b"\r\n");
                script.push(Step::Send(chunk));
            }
            script.push(Step::send(STREAM_END));
            let upstream = Upstream::start(vec![script]);
            let gateway = Gateway::start(io, "", &policy(&[upstream.address], ""));
            let answer = Client::connect(gateway.address).send(chat(true)).answer();
            let name = format!("pieces of {piece}, {io:?}");
            assert_eq!(answer.end, End::Whole, "{name}");
            assert_eq!(answer.text(), events, "{name}");
            assert_eq!(
                answer.field("content-type"),
                Some("text/event-stream"),
                "{name}"
            );
        }
    }
}

/// Until its first content is whole nothing of a stream is sent, however large that content is: a break inside it is
/// another target's turn. Small talk is held back only so far.
#[test]
fn what_a_stream_holds_back() {
    let large = event(&delta(&"x".repeat(200_000)));
    let well = format!(
        "{STREAM_HEAD}{}{}{}{STREAM_END}",
        event(&delta("two")),
        event(FINISH),
        event("[DONE]")
    );
    let pings = "6\r\n: hi\n\n\r\n".repeat(11_000);
    for io in Io::BOTH {
        let broken = format!("{STREAM_HEAD}{}", large.get(..150_000).unwrap());
        let (first, second) = (
            Upstream::start(vec![vec![Step::Read, Step::send(broken), Step::Reset]]),
            Upstream::answering(well.clone()),
        );
        let gateway = Gateway::start(io, "", &policy(&[first.address, second.address], ""));
        let answer = Client::connect(gateway.address).send(chat(true)).answer();
        assert_eq!((answer.status, answer.end), (200, End::Whole), "{io:?}");
        assert_eq!(
            answer.field("x-switchover-target"),
            Some("second.small"),
            "{io:?}"
        );
        assert!(answer.text().contains(&delta("two")), "{io:?}");

        let (open, gate) = Gate::new();
        let talk = format!("{STREAM_HEAD}{pings}");
        let rest = well.strip_prefix(STREAM_HEAD).unwrap();
        let script = vec![
            Step::Read,
            Step::send(talk),
            Step::Await(gate),
            Step::send(rest),
        ];
        let upstream = Upstream::start(vec![script]);
        let gateway = Gateway::start(io, "", &policy(&[upstream.address], ""));
        let mut client = Client::connect(gateway.address);
        client.send(chat(true)).until(b": hi\n\n");
        open.send(()).unwrap();
        client.until(b"data: [DONE]\n\n");
    }
}

/// A body beyond what is held back is passed on as it comes: whole if it is whole, and visibly cut if it is cut.
#[test]
fn answers_too_large_to_hold_back() {
    let whole = healthy(&"x".repeat(9 * 1024 * 1024));
    let body = whole.split_once("\r\n\r\n").unwrap().1.to_owned();
    for io in Io::BOTH {
        let upstream = Upstream::answering(whole.clone());
        let gateway = Gateway::start(io, "", &policy(&[upstream.address], ""));
        let answer = Client::connect(gateway.address).send(chat(false)).answer();
        assert_eq!((answer.status, answer.end), (200, End::Whole), "{io:?}");
        assert!(answer.body == body.as_bytes(), "{io:?}: bytes differ");

        let part = whole.get(..whole.len() - 1000).unwrap();
        let upstream = Upstream::start(vec![vec![Step::Read, Step::send(part)]]);
        let gateway = Gateway::start(io, "", &policy(&[upstream.address], ""));
        let answer = Client::connect(gateway.address).send(chat(false)).answer();
        assert_eq!((answer.status, answer.end), (200, End::Cut), "{io:?}");
    }
}

/// After content there is no way back: an error event in the client's format, and no end that looks like success.
#[test]
fn streams_that_break_after_content() {
    let error = event(
        r#"{"error":{"message":"overloaded","type":"server_error","param":null,"code":null}}"#,
    );
    let cases = [
        ("closed", vec![]),
        ("reset", vec![Step::Reset]),
        ("half an event", vec![Step::send("20\r\ndata: {\"id\"")]),
        ("ended without a finish", vec![Step::send(STREAM_END)]),
        (
            "error event",
            vec![Step::send(format!("{error}{STREAM_END}"))],
        ),
        ("silence", vec![Step::UntilClosed]),
    ];
    let mut table = Cases::default();
    for io in Io::BOTH {
        for (name, steps) in &cases {
            table.run(format!("{name}, {io:?}"), || breaks(io, steps));
        }
    }
    table.finish();
}

/// A stream that does this once the client has its first content.
fn breaks(io: Io, steps: &[Step]) {
    let (open, gate) = Gate::new();
    let begun = format!("{STREAM_HEAD}{}{}", event(ROLE), event(&delta("one")));
    let script = [&[Step::Read, Step::send(begun), Step::Await(gate)], steps].concat();
    let first = Upstream::start(vec![script]);
    let second = Upstream::answering(healthy("never"));
    let policy = policy(&[first.address, second.address], "")
        .replace("idle_timeout = 5s", "idle_timeout = 300ms");
    let gateway = Gateway::start(io, "", &policy);
    let mut client = Client::connect(gateway.address);
    client.send(chat(true)).until(delta("one").as_bytes());
    open.send(()).unwrap();
    let rest = client.until_end();
    let text = String::from_utf8_lossy(&rest);
    assert!(!text.contains("[DONE]"), "{text}");
    assert!(!text.ends_with(STREAM_END), "a clean end: {text}");
    let last = text.lines().rfind(|line| line.starts_with("data: "));
    assert!(
        last.is_some_and(|line| line.starts_with("data: {\"error\":")),
        "{text}"
    );
    assert_eq!(second.received().len(), 0, "no second answer");
}

/// Content and its failure in one read: the client may not have seen anything yet, so another target may answer; if
/// not, the failure must show. Never the half of an answer that ends as if it were whole.
#[test]
fn streams_that_break_in_one_read() {
    let error = event(
        r#"{"error":{"message":"overloaded","type":"server_error","param":null,"code":null}}"#,
    );
    let begun = format!("{STREAM_HEAD}{}{}", event(ROLE), event(&delta("one")));
    let sound = format!(
        "{}{}{}",
        event(&delta("two")),
        event(FINISH),
        event("[DONE]")
    );
    let cases = [
        ("closed", begun.clone()),
        ("ended without a finish", format!("{begun}{STREAM_END}")),
        ("error event", format!("{begun}{error}{STREAM_END}")),
    ];
    let mut table = Cases::default();
    for io in Io::BOTH {
        for (name, bytes) in &cases {
            table.run(format!("{name}, {io:?}"), || {
                let first = Upstream::start(vec![vec![Step::Read, Step::send(bytes)]]);
                let second = Upstream::answering(format!("{STREAM_HEAD}{sound}{STREAM_END}"));
                let policy = policy(&[first.address, second.address], "");
                let gateway = Gateway::start(io, "", &policy);
                let answer = Client::connect(gateway.address).send(chat(true)).answer();
                let text = answer.text();
                let moved = text.contains(&delta("two")) && !text.contains(&delta("one"));
                let told = text.contains("data: {\"error\":") && !text.contains("[DONE]");
                assert!(moved || told, "{text}");
            });
        }
    }
    table.finish();
}
