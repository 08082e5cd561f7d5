//! Simulated providers over real sockets, on loopback.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use super::{SimulatedProvider, SimulatedServer, SimulatedServers};
use crate::base::Span;
use crate::policy::model::{Act, AuthStyle, Simulation};

/// All tests share the thread: one provider for each, so that they do not meet.
fn server(name: &str) -> &'static SimulatedServer {
    static SERVERS: OnceLock<SimulatedServers> = OnceLock::new();
    let servers = SERVERS.get_or_init(|| {
        let names = [
            "plain", "stream", "chunked", "faults", "leave", "pipeline", "bad", "many", "keyed",
        ];
        let providers = names.map(|name| {
            let ttft = if name == "leave" {
                Span::from_secs(600)
            } else {
                Span::ZERO
            };
            let gap = if name == "stream" {
                Span::from_millis(1)
            } else {
                Span::ZERO
            };
            SimulatedProvider {
                name: name.into(),
                simulation: Simulation {
                    ttft: (ttft, ttft),
                    gap,
                    tokens: 5,
                    script: Vec::new(),
                },
                seed: 1,
                credential: (name == "keyed").then_some(AuthStyle::XApiKey),
            }
        });
        SimulatedServers::start(providers.to_vec(), 1_700_000_000).unwrap()
    });
    servers.find(name).unwrap()
}

fn connect(name: &str) -> TcpStream {
    let stream = TcpStream::connect(server(name).address).unwrap();
    // A safety net: no test waits for it.
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
}

fn request(body: &str) -> String {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: h\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

const PLAIN: &str = r#"{"model":"m"}"#;
const STREAM: &str = r#"{"model":"m","stream":true}"#;

/// Reads until `end` has arrived.
fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.contains(end) {
        let length = stream.read(&mut buffer).unwrap();
        assert!(length > 0, "closed before `{end}`: {text}");
        text.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }
    text
}

/// Waits for another thread's effect.
fn eventually(what: &str, test: impl Fn() -> bool) {
    for _ in 0..50_000_000 {
        if test() {
            return;
        }
        thread::yield_now();
    }
    panic!("never: {what}");
}

#[test]
fn a_connection_serves_many_requests() {
    let mut stream = connect("plain");
    for _ in 0..3 {
        stream.write_all(request(PLAIN).as_bytes()).unwrap();
        let text = read_until(&mut stream, "\"fp_simulated\"}");
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    }
    assert_eq!(server("plain").control.served(), 3);
    eventually("nothing in flight", || {
        server("plain").control.in_flight() == 0
    });
    assert_eq!(server("plain").control.abandoned(), 0);
}

#[test]
fn who_wants_a_credential_looks_at_its_form() {
    let ask = |fields: &str| {
        let mut stream = connect("keyed");
        let request = format!(
            "POST /v1/messages HTTP/1.1\r\nhost: h\r\n{fields}content-length: {}\r\n\r\n{PLAIN}",
            PLAIN.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        read_until(&mut stream, "}")
    };
    for fields in ["", "authorization: Bearer any\r\n", "x-api-key: \r\n"] {
        let refused = ask(fields);
        assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
        assert!(refused.contains("authentication_error"), "{refused}");
    }
    assert!(ask("x-api-key: any\r\n").starts_with("HTTP/1.1 200 "));
}

#[test]
fn a_stream_arrives_whole() {
    let mut stream = connect("stream");
    stream.write_all(request(STREAM).as_bytes()).unwrap();
    let text = read_until(&mut stream, "data: [DONE]\n\n\r\n0\r\n\r\n");
    assert_eq!(text.matches("data: ").count(), 8, "{text}"); // role, five words, finish, [DONE]
}

#[test]
fn bodies_may_be_chunked_and_cut_anywhere() {
    let mut stream = connect("chunked");
    let head =
        "POST /v1/chat/completions HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n";
    for piece in [head, "5\r\n{\"mod", "\r\n8\r\nel\":\"m\"}\r\n0\r\n", "\r\n"] {
        stream.write_all(piece.as_bytes()).unwrap();
    }
    let text = read_until(&mut stream, "\"fp_simulated\"}");
    assert!(text.contains("\"model\":\"m\""), "{text}");
}

#[test]
fn a_provider_breaks_and_mends_on_command() {
    let control = &server("faults").control;
    let ask = |body: &str| {
        let mut stream = connect("faults");
        stream.write_all(request(body).as_bytes()).unwrap();
        stream
    };
    control.set_act(Some(Act::Status(503)));
    assert!(read_until(&mut ask(PLAIN), "\r\n").starts_with("HTTP/1.1 503 "));

    control.set_act(Some(Act::Refuse));
    let error = ask(PLAIN).read(&mut [0; 16]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);

    control.set_act(Some(Act::Cut));
    let mut stream = ask(STREAM);
    let error = stream.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);

    control.set_act(Some(Act::Stall));
    let before = control.abandoned();
    let mut stream = ask(STREAM);
    let text = read_until(&mut stream, "\"delta\":{\"content\":\"");
    assert!(!text.contains("[DONE]"));
    assert_eq!(control.in_flight(), 1);
    drop(stream);
    eventually("the stalled client counts", || {
        control.abandoned() == before + 1
    });

    control.set_act(Some(Act::Hang));
    let stream = ask(PLAIN);
    eventually("it hangs", || control.in_flight() == 1);
    drop(stream);
    eventually("the hanging client counts", || {
        control.abandoned() == before + 2
    });

    control.set_act(None);
    assert!(read_until(&mut ask(PLAIN), "\r\n").starts_with("HTTP/1.1 200 "));
}

#[test]
fn a_client_that_leaves_is_noticed_while_the_answer_waits() {
    let control = &server("leave").control;
    let mut stream = connect("leave");
    stream.write_all(request(STREAM).as_bytes()).unwrap();
    read_until(&mut stream, "\"role\":\"assistant\"");
    assert_eq!(control.in_flight(), 1);
    drop(stream);
    eventually("the answer ends", || control.in_flight() == 0);
    assert_eq!(control.abandoned(), 1);
}

#[test]
fn requests_may_be_sent_ahead() {
    let mut stream = connect("pipeline");
    let both = request(STREAM) + &request(PLAIN);
    stream.write_all(both.as_bytes()).unwrap();
    let text = read_until(&mut stream, "\"usage\"");
    let done = text.find("[DONE]").unwrap();
    assert!(text.rfind("HTTP/1.1 200").unwrap() > done, "{text}");
}

#[test]
fn what_is_no_request_is_refused() {
    for (bytes, status) in [
        ("GET / HTTP/1.1\nhost: h\n\n", "400"),
        (
            "POST /v1/chat/completions HTTP/1.1\r\nhost: h\r\ncontent-length: 99999999999\r\n\r\n",
            "413",
        ),
        (
            "GET /v1/nothing HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n",
            "404",
        ),
    ] {
        let mut stream = connect("bad");
        stream.write_all(bytes.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
    }
    let mut list = connect("bad");
    list.write_all(b"GET /v1/models HTTP/1.1\r\nhost: h\r\n\r\n")
        .unwrap();
    assert!(read_until(&mut list, "]}").contains("\"object\":\"list\""));
}

#[test]
fn many_connections_at_once() {
    let threads: Vec<_> = (0..8)
        .map(|_| {
            thread::spawn(|| {
                let mut streams: Vec<_> = (0..16).map(|_| connect("many")).collect();
                for stream in &mut streams {
                    stream.write_all(request(STREAM).as_bytes()).unwrap();
                }
                for stream in &mut streams {
                    read_until(stream, "[DONE]");
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(server("many").control.served(), 128);
}
