//! Requests as bytes: what must work, what must be refused, and that nothing refused ever reaches an upstream.

#![expect(
    clippy::too_many_lines,
    reason = "the cases are data: a table is read as one page"
)]

use crate::support::Cases;
use crate::support::client::CLIENT_KEY;
use crate::support::client::Client;
use crate::support::client::End;
use crate::support::client::chat;
use crate::support::client::chat_body;
use crate::support::client::post;
use crate::support::gateway::Gateway;
use crate::support::gateway::Io;
use crate::support::upstream::Upstream;
use crate::support::upstream::completion;

use super::assert_envelope;
use super::healthy;
use super::policy;

/// A chat request with exactly these lines after Host, and these bytes after the head.
fn raw(fields: &str, rest: &str) -> Vec<u8> {
    format!("POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\n{fields}\r\n{rest}").into_bytes()
}

fn chunked(body: &str) -> String {
    let (one, two) = body.split_at(9);
    format!(
        "{:x}\r\n{one}\r\n{:X};ext=\"v\"\r\n{two}\r\n0\r\ntrailer: dropped\r\n\r\n",
        one.len(),
        two.len()
    )
}

/// A connection that was refused must also be closed: what follows on it cannot be told apart from an attack.
#[test]
fn refused_requests_never_reach_an_upstream() {
    let tail = "GET /v1/models HTTP/1.1\r\nhost: g\r\n\r\n";
    let body = chat_body(false);
    let length = format!("content-length: {}\r\n", body.len());
    let field = |line: &str| raw(&format!("{line}\r\n{length}"), &body);
    let framed = |lines: &str| raw(lines, &format!("0\r\n\r\n{tail}"));
    let line = |line: &str| format!("{line}\r\nhost: g\r\n{length}\r\n{body}").into_bytes();
    let chunk = |bytes: &str| raw("transfer-encoding: chunked\r\n", bytes);
    let samples: Vec<(&str, Vec<u8>)> = vec![
        ("length and coding", framed("content-length: 5\r\ntransfer-encoding: chunked\r\n")),
        ("coding and length", framed("transfer-encoding: chunked\r\ncontent-length: 5\r\n")),
        ("length and coding, mixed case", framed("Content-Length: 5\r\nTransfer-Encoding: cHuNkEd\r\n")),
        ("length and coding, tab", framed("content-length: 5\r\ntransfer-encoding:\tchunked\t\r\n")),
        ("length and coding, two lines", framed("content-length: 5\r\ntransfer-encoding: identity\r\ntransfer-encoding: chunked\r\n")),
        ("length and coding, leading comma", framed("content-length: 5\r\ntransfer-encoding: , chunked\r\n")),
        ("length and coding, folded", framed("content-length: 5\r\ntransfer-encoding:\r\n chunked\r\n")),
        ("differing lengths", raw(&format!("content-length: 3\r\n{length}"), &body)),
        ("differing lengths in a list", raw("content-length: 3, 4\r\n", "abcd")),
        ("signed length", raw("content-length: +4\r\n", "abcd")),
        ("negative length", raw("content-length: -4\r\n", "abcd")),
        ("length with a space", raw("content-length: 1 0\r\n", "abcd")),
        ("length with an underscore", raw("content-length: 1_0\r\n", "abcd")),
        ("hexadecimal length", raw("content-length: 0x4\r\n", "abcd")),
        ("length with letters", raw("content-length: 4abc\r\n", "abcd")),
        ("length with a point", raw("content-length: 4.0\r\n", "abcd")),
        ("quoted length", raw("content-length: \"4\"\r\n", "abcd")),
        ("empty length", raw("content-length: \r\n", "abcd")),
        ("length with a vertical tab", raw("content-length: \x0b4\r\n", "abcd")),
        ("length over 2^64", raw("content-length: 18446744073709551620\r\n", "abcd")),
        ("length of 60 digits", raw(&format!("content-length: {}\r\n", "9".repeat(60)), "abcd")),
        ("chunked is not last", framed("transfer-encoding: chunked, gzip\r\n")),
        ("chunked twice", framed("transfer-encoding: chunked, chunked\r\n")),
        ("unknown coding", framed("transfer-encoding: xchunked\r\n")),
        ("coding with a parameter", framed("transfer-encoding: chunked;q=1\r\n")),
        ("quoted coding", framed("transfer-encoding: \"chunked\"\r\n")),
        ("coding with a vertical tab", framed("transfer-encoding: \x0bchunked\r\n")),
        ("empty coding", framed("transfer-encoding: \r\n")),
        ("coding in HTTP/1.0", format!("POST /v1/chat/completions HTTP/1.0\r\nhost: g\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{tail}").into_bytes()),
        ("chunk size with 0x", chunk("0x2\r\n{}\r\n0\r\n\r\n")),
        ("chunk size with a sign", chunk("+2\r\n{}\r\n0\r\n\r\n")),
        ("negative chunk size", chunk("-2\r\n{}\r\n0\r\n\r\n")),
        ("chunk size with an underscore", chunk("0_2\r\n{}\r\n0\r\n\r\n")),
        ("chunk size after a space", chunk(" 2\r\n{}\r\n0\r\n\r\n")),
        ("chunk size of 17 digits", chunk("10000000000000002\r\n{}\r\n0\r\n\r\n")),
        ("empty chunk size", chunk("\r\n{}\r\n0\r\n\r\n")),
        ("chunk data without its line end", chunk("2\r\n{}xx0\r\n\r\n")),
        ("chunk line ended by LF", chunk("2\n{}\r\n0\r\n\r\n")),
        ("CR inside a chunk extension", chunk("2;a\rb\r\n{}\r\n0\r\n\r\n")),
        ("LF inside a chunk extension", chunk("2;a\nb\r\n{}\r\n0\r\n\r\n")),
        ("endless chunk extension", chunk(&format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "a".repeat(2000)))),
        ("malformed trailer", chunk("2\r\n{}\r\n0\r\nno colon\r\n\r\n")),
        ("space before a colon", field("x-a : b")),
        ("tab before a colon", field("x-a\t: b")),
        ("space before the first field", b"POST /v1/chat/completions HTTP/1.1\r\n host: g\r\ncontent-length: 0\r\n\r\n".to_vec()),
        ("folded field", field("x-a: b\r\n c")),
        ("bare CR in a value", field("x-a: b\rc")),
        ("bare LF", field("x-a: b\nx-c: d")),
        ("NUL in a value", field("x-a: b\0c")),
        ("control in a value", field("x-a: b\x01c")),
        ("no name", field(": b")),
        ("space in a name", field("x a: b")),
        ("no colon", field("x-a")),
        ("two hosts", field("host: h")),
        ("no host", format!("POST /v1/chat/completions HTTP/1.1\r\n{length}\r\n{body}").into_bytes()),
        ("host with a space", format!("POST /v1/chat/completions HTTP/1.1\r\nhost: a b\r\n{length}\r\n{body}").into_bytes()),
        ("host with a path", format!("POST /v1/chat/completions HTTP/1.1\r\nhost: a/b\r\n{length}\r\n{body}").into_bytes()),
        ("version 2.0", line("POST /v1/chat/completions HTTP/2.0")),
        ("lower-case version", line("POST /v1/chat/completions http/1.1")),
        ("two spaces after the method", line("POST  /v1/chat/completions HTTP/1.1")),
        ("tab after the method", line("POST\t/v1/chat/completions HTTP/1.1")),
        ("space in the target", line("POST /v1/chat completions HTTP/1.1")),
        ("control in the target", line("POST /v1/chat\x01 HTTP/1.1")),
        ("no leading slash", line("POST v1/chat/completions HTTP/1.1")),
        ("star with POST", line("POST * HTTP/1.1")),
        ("connect", line("CONNECT example.com:443 HTTP/1.1")),
        ("method that is no token", line("PO(ST /v1/chat/completions HTTP/1.1")),
    ];
    let mut table = Cases::default();
    for io in Io::BOTH {
        let upstream = Upstream::answering(healthy("never"));
        let gateway = Gateway::start(io, "", &policy(&[upstream.address], ""));
        for (name, bytes) in &samples {
            table.run(format!("{name}, {io:?}"), || {
                let name = format!("{name}, {io:?}");
                let mut client = Client::connect(gateway.address);
                let answer = client.send(bytes).answer();
                let refusal = [400, 404, 405, 413, 417, 431, 501, 505].contains(&answer.status);
                assert!(refusal, "{name}: {answer:?}");
                assert_envelope(&answer, &name);
                assert!(client.ends(), "{name}: the connection stays open");
                assert_eq!(
                    upstream.received().len(),
                    0,
                    "{name}: {:?}",
                    upstream.received()
                );
            });
        }
    }
    table.finish();
}

/// Other protocols on the port may be cut without an answer.
#[test]
fn other_protocols_are_cut() {
    let samples: [(&str, &[u8]); 3] = [
        (
            "HTTP/2 preface",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        ),
        (
            "TLS hello",
            b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03\r\n\r\n",
        ),
        ("HTTP/0.9", b"GET /v1/models\r\n\r\n"),
    ];
    let mut table = Cases::default();
    for io in Io::BOTH {
        let upstream = Upstream::answering(healthy("never"));
        let gateway = Gateway::start(io, "", &policy(&[upstream.address], ""));
        for (name, bytes) in samples {
            table.run(format!("{name}, {io:?}"), || {
                let mut client = Client::connect(gateway.address);
                client.send(bytes);
                if !client.ends() {
                    let answer = client.answer();
                    assert!((400..=505).contains(&answer.status), "{name}: {answer:?}");
                    assert!(client.ends(), "{name}, {io:?}: the connection stays open");
                }
                assert_eq!(upstream.received().len(), 0, "{name}, {io:?}");
            });
        }
    }
    table.finish();
}

#[test]
fn unusual_requests_that_must_work() {
    let body = chat_body(false);
    let length = format!("content-length: {}\r\n", body.len());
    let plain =
        |line: &str, fields: &str| format!("{line}\r\n{fields}{length}\r\n{body}").into_bytes();
    let samples: Vec<(&str, Vec<u8>)> = vec![
        ("an SDK's request", chat(false)),
        (
            "chunked",
            raw("transfer-encoding: chunked\r\n", &chunked(&body)),
        ),
        (
            "chunked in capitals",
            raw("Transfer-Encoding: CHUNKED\r\n", &chunked(&body)),
        ),
        (
            "one empty line first",
            [b"\r\n".to_vec(), chat(false)].concat(),
        ),
        (
            "absolute form",
            plain(
                "POST http://elsewhere.test/v1/chat/completions HTTP/1.1",
                "host: g\r\n",
            ),
        ),
        (
            "empty value",
            plain("POST /v1/chat/completions HTTP/1.1", "host: g\r\nx-a:\r\n"),
        ),
        (
            "blanks around a value",
            plain(
                "POST /v1/chat/completions HTTP/1.1",
                "host: g\r\nx-a: \t b \t\r\n",
            ),
        ),
        (
            "bytes over 0x7f in a value",
            plain(
                "POST /v1/chat/completions HTTP/1.1",
                "host: g\r\nx-a: gr\u{fc}n\r\n",
            ),
        ),
        (
            "upper-case names",
            plain("POST /v1/chat/completions HTTP/1.1", "HOST: g\r\n"),
        ),
        (
            "a query",
            plain("POST /v1/chat/completions?x=1 HTTP/1.1", "host: g\r\n"),
        ),
        ("HTTP/1.0", plain("POST /v1/chat/completions HTTP/1.0", "")),
        (
            "connection names framing",
            plain(
                "POST /v1/chat/completions HTTP/1.1",
                "host: g\r\nconnection: content-length, host\r\n",
            ),
        ),
    ];
    let mut table = Cases::default();
    for io in Io::BOTH {
        for (name, bytes) in &samples {
            table.run(format!("{name}, {io:?}"), || {
                let upstream = Upstream::answering(healthy("well"));
                let gateway = Gateway::start(io, "", &policy(&[upstream.address], ""));
                let answer = Client::connect(gateway.address).send(bytes).answer();
                assert_eq!(answer.status, 200, "{name}, {io:?}: {answer:?}");
                assert_eq!(answer.text(), completion("well"), "{name}, {io:?}");
                let received = upstream.only();
                let text = String::from_utf8(received.body).unwrap();
                assert_eq!(
                    text,
                    body.replace("\"small\"", "\"up-small\""),
                    "{name}, {io:?}"
                );
                assert!(
                    received
                        .head
                        .starts_with("POST /v1/chat/completions HTTP/1.1\r\n"),
                    "{name}: {}",
                    received.head
                );
            });
        }
    }
    table.finish();
}

/// A head or body that is one byte after another is the same request.
#[test]
fn requests_in_single_bytes() {
    for io in Io::BOTH {
        let upstream = Upstream::answering(healthy("well"));
        let gateway = Gateway::start(io, "", &policy(&[upstream.address], ""));
        let mut client = Client::connect(gateway.address);
        for byte in raw(
            "transfer-encoding: chunked\r\n",
            &chunked(&chat_body(false)),
        ) {
            client.send([byte]);
        }
        assert_eq!(client.answer().status, 200, "{io:?}");
        assert_eq!(upstream.received().len(), 1, "{io:?}");
    }
}

#[test]
fn statuses_of_the_gateway_itself() {
    let long = "x".repeat(9 * 1024);
    let huge = format!("x-a: {}\r\n", "x".repeat(40 * 1024));
    let many = "x-a: y\r\n".repeat(101);
    let large = format!("{{\"model\":\"{}\"}}", "x".repeat(5000 - 12));
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: g\r\n\r\n").into_bytes();
    let cases: Vec<(&str, Vec<u8>, &[u16])> = vec![
        ("unknown path", post("/v1/nothing", "", "{}"), &[404]),
        ("no path", get("/"), &[404]),
        ("admin paths are not here", get("/healthz"), &[404]),
        (
            "admin paths, spelt otherwise",
            get("//healthz/../metrics"),
            &[400, 404],
        ),
        ("wrong method", get("/v1/chat/completions"), &[405]),
        (
            "unknown method",
            b"BREW /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-length: 0\r\n\r\n".to_vec(),
            &[405, 501],
        ),
        (
            "body over the bound",
            post("/v1/chat/completions", "", &large),
            &[413],
        ),
        (
            "chunked body over the bound",
            raw(
                "transfer-encoding: chunked\r\n",
                &format!("1388\r\n{large}\r\n0\r\n\r\n"),
            ),
            &[413],
        ),
        ("target over the bound", get(&format!("/{long}")), &[414]),
        (
            "head over the bound",
            post("/v1/chat/completions", &huge, "{}"),
            &[431],
        ),
        (
            "fields over the bound",
            post("/v1/chat/completions", &many, "{}"),
            &[431],
        ),
        (
            "body that is no JSON",
            post("/v1/chat/completions", "", "{\"model\":"),
            &[400],
        ),
        (
            "body that is no object",
            post("/v1/chat/completions", "", "[1]"),
            &[400],
        ),
        (
            "model twice",
            post(
                "/v1/chat/completions",
                "",
                r#"{"model":"a","model":"b","messages":[]}"#,
            ),
            &[400],
        ),
        (
            "unknown expectation",
            post("/v1/nothing", "expect: miracles\r\n", "{}"),
            &[404, 417],
        ),
    ];
    let mut table = Cases::default();
    for io in Io::BOTH {
        let upstream = Upstream::answering(healthy("never"));
        let gateway = Gateway::start(io, "body_max = 4KiB", &policy(&[upstream.address], ""));
        for (name, bytes, statuses) in &cases {
            table.run(format!("{name}, {io:?}"), || {
                let name = format!("{name}, {io:?}");
                let answer = Client::connect(gateway.address).send(bytes).answer();
                assert!(statuses.contains(&answer.status), "{name}: {answer:?}");
                assert_envelope(&answer, &name);
                assert!(answer.field("x-request-id").is_some(), "{name}: {answer:?}");
            });
        }
        assert_eq!(
            upstream.received().len(),
            0,
            "{io:?}: {:?}",
            upstream.received()
        );
    }
    table.finish();
}

#[test]
fn head_has_no_body() {
    for io in Io::BOTH {
        let gateway = Gateway::start(io, "", &policy(&[Upstream::answering("").address], ""));
        let mut client = Client::connect(gateway.address);
        client.send("HEAD /v1/chat/completions HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n");
        let (status, _) = client.head();
        assert_eq!(status, 405, "{io:?}");
        assert!(client.ends(), "{io:?}: bytes after the head");
    }
}

#[test]
fn expect_continue_is_answered_before_the_body() {
    for io in Io::BOTH {
        let upstream = Upstream::answering(healthy("well"));
        let gateway = Gateway::start(io, "", &policy(&[upstream.address], ""));
        let mut client = Client::connect(gateway.address);
        let body = chat_body(false);
        client.send(raw(
            &format!("expect: 100-continue\r\ncontent-length: {}\r\n", body.len()),
            "",
        ));
        assert_eq!(client.head().0, 100, "{io:?}");
        assert_eq!(client.send(&body).answer().status, 200, "{io:?}");
        assert_eq!(upstream.only().field("expect"), None, "{io:?}");
    }
}

/// In order, all of them, on the one connection.
#[test]
fn pipelined_requests_are_answered_in_order() {
    for io in Io::BOTH {
        let upstream = Upstream::answering(healthy("well"));
        let gateway = Gateway::start(io, "", &policy(&[upstream.address], ""));
        let mut client = Client::connect(gateway.address);
        client.send([chat(false), post("/v1/nothing", "", "{}"), chat(false)].concat());
        assert_eq!(client.answer().status, 200, "{io:?}");
        assert_eq!(client.answer().status, 404, "{io:?}");
        assert_eq!(client.answer().status, 200, "{io:?}");
        assert_eq!(upstream.received().len(), 2, "{io:?}");
    }
}

#[test]
fn connections_are_kept_and_closed_as_asked() {
    for io in Io::BOTH {
        let upstream = Upstream::answering(healthy("well"));
        let gateway = Gateway::start(io, "", &policy(&[upstream.address], ""));
        let mut client = Client::connect(gateway.address);
        for _ in 0..3 {
            assert_eq!(client.send(chat(false)).answer().status, 200, "{io:?}");
        }
        let last = post(
            "/v1/chat/completions",
            "connection: close\r\n",
            &chat_body(false),
        );
        let answer = client.send(last).answer();
        assert_eq!(answer.field("connection"), Some("close"), "{io:?}");
        assert!(client.ends(), "{io:?}: asked to close");
        let connections: Vec<_> = upstream.received().iter().map(|r| r.connection).collect();
        assert_eq!(
            connections, [0; 4],
            "{io:?}: the upstream's connection is kept, too"
        );
    }
}

/// A client that half-closes after its request still gets the answer.
#[test]
fn half_closed_clients_are_answered() {
    for io in Io::BOTH {
        let upstream = Upstream::answering(healthy("well"));
        let gateway = Gateway::start(io, "", &policy(&[upstream.address], ""));
        let mut client = Client::connect(gateway.address);
        client.send(chat(false));
        client.finish();
        assert_eq!(client.answer().status, 200, "{io:?}");
    }
}

#[test]
fn a_body_cut_by_the_client_is_never_forwarded() {
    let bodies = [
        raw("content-length: 100\r\n", "{\"model\":\"small\"}"),
        raw(
            "transfer-encoding: chunked\r\n",
            "11\r\n{\"model\":\"small\"}\r\n",
        ),
        raw(
            "transfer-encoding: chunked\r\n",
            "20\r\n{\"model\":\"small\"}",
        ),
    ];
    for io in Io::BOTH {
        let upstream = Upstream::answering(healthy("never"));
        let gateway = Gateway::start(io, "", &policy(&[upstream.address], ""));
        for bytes in &bodies {
            let mut client = Client::connect(gateway.address);
            client.send(bytes);
            client.finish();
            if !client.ends() {
                let answer = client.answer();
                assert!(
                    answer.status >= 400 && answer.end == End::Whole,
                    "{io:?}: {answer:?}"
                );
            }
        }
        assert_eq!(upstream.received().len(), 0, "{io:?}");
    }
}

/// Fields for one hop end at this hop; the provider's credential is the only one that leaves.
#[test]
fn what_an_upstream_sees() {
    let fields = "connection: keep-alive, x-private, content-type\r\nx-private: hop\r\nkeep-alive: timeout=5\r\n\
                  proxy-connection: keep-alive\r\nte: trailers\r\nupgrade: websocket\r\nproxy-authorization: Basic x\r\n\
                  cookie: session=1\r\nx-api-key: sk-client-canary\r\napi-key: sk-client-canary\r\n\
                  x-goog-api-key: sk-client-canary\r\naccept-encoding: gzip\r\nuser-agent: sdk/1\r\n";
    for io in Io::BOTH {
        let upstream = Upstream::answering(healthy("well"));
        let gateway = Gateway::start(io, "", &policy(&[upstream.address], ""));
        let bytes = post("/v1/chat/completions", fields, &chat_body(false));
        let answer = Client::connect(gateway.address).send(bytes).answer();
        assert_eq!(answer.status, 200, "{io:?}: {answer:?}");
        let received = upstream.only();
        for gone in [
            "x-private",
            "keep-alive",
            "proxy-connection",
            "te",
            "upgrade",
            "proxy-authorization",
            "cookie",
            "x-api-key",
            "api-key",
            "x-goog-api-key",
            "trailer",
            "transfer-encoding",
        ] {
            assert_eq!(
                received.field(gone),
                None,
                "{io:?}: `{gone}` in {}",
                received.head
            );
        }
        assert!(
            !received.head.contains(CLIENT_KEY),
            "{io:?}: {}",
            received.head
        );
        assert_eq!(
            received.field("authorization"),
            Some("Bearer sk-upstream-canary"),
            "{io:?}"
        );
        assert_eq!(
            received.field("host"),
            Some(upstream.address.to_string().as_str()),
            "{io:?}"
        );
        assert!(
            received
                .field("via")
                .is_some_and(|via| via.starts_with("1.1 ")),
            "{io:?}: {}",
            received.head
        );
        assert_eq!(
            received.field("content-length"),
            Some(received.body.len().to_string().as_str()),
            "{io:?}"
        );
    }
}
