//! TLS on both sides, with certificates made by the test.

use std::net::SocketAddr;
use std::path::Path;

use crate::support::Cases;
use crate::support::client::Client;
use crate::support::client::chat;
use crate::support::gateway::Gateway;
use crate::support::gateway::Io;
use crate::support::tls::Authority;
use crate::support::upstream::FINISH;
use crate::support::upstream::STREAM_END;
use crate::support::upstream::STREAM_HEAD;
use crate::support::upstream::Step;
use crate::support::upstream::Upstream;
use crate::support::upstream::completion;
use crate::support::upstream::delta;
use crate::support::upstream::event;

use super::healthy;
use super::policy_at;

fn policy_with(address: SocketAddr, root: &Path) -> String {
    let tls = format!("tls {{ ca = file(\"{}\") }}", root.display());
    policy_at(
        &[format!("https://localhost:{}/v1", address.port())],
        &tls,
        "",
    )
}

#[test]
fn upstreams_behind_tls() {
    let authority = Authority::new();
    let events = format!(
        "{}{}{}",
        event(&delta("one")),
        event(FINISH),
        event("[DONE]")
    );
    for io in Io::BOTH {
        let upstream = Upstream::start_tls(
            vec![vec![
                Step::Read,
                Step::send(healthy("well")),
                Step::Read,
                Step::send(format!("{STREAM_HEAD}{events}{STREAM_END}")),
            ]],
            authority.server(),
        );
        let policy = policy_with(upstream.address, &authority.file("ca.pem"));
        let gateway = Gateway::start(io, "", &policy);
        let mut client = Client::connect(gateway.address);
        let answer = client.send(chat(false)).answer();
        assert_eq!(answer.text(), completion("well"), "{io:?}: {answer:?}");
        let answer = client.send(chat(true)).answer();
        assert!(
            answer.text().ends_with("data: [DONE]\n\n"),
            "{io:?}: {answer:?}"
        );
        assert_eq!(
            upstream.received()[1].connection,
            0,
            "{io:?}: the session is kept"
        );
    }
}

/// A certificate that does not lead to the policy's roots: no byte of the request may leave.
#[test]
fn upstreams_with_a_wrong_certificate_are_passed_over() {
    let (theirs, ours) = (Authority::new(), Authority::new());
    for io in Io::BOTH {
        let first = Upstream::start_tls(vec![vec![Step::Read]], theirs.server());
        let second = Upstream::start_tls(
            vec![vec![Step::Read, Step::send(healthy("second"))]],
            ours.server(),
        );
        let bases =
            [&first, &second].map(|up| format!("https://localhost:{}/v1", up.address.port()));
        let tls = format!("tls {{ ca = file(\"{}\") }}", ours.file("ca.pem").display());
        let gateway = Gateway::start(io, "", &policy_at(&bases, &tls, ""));
        let answer = Client::connect(gateway.address).send(chat(false)).answer();
        assert_eq!(answer.status, 200, "{io:?}: {answer:?}");
        assert_eq!(
            answer.field("x-switchover-target"),
            Some("second.small"),
            "{io:?}"
        );
        assert_eq!(first.received().len(), 0, "{io:?}: {:?}", first.received());
    }
}

/// Something that speaks no TLS, or stops in the handshake, is passed over, too.
#[test]
fn upstreams_that_break_the_handshake_are_passed_over() {
    let authority = Authority::new();
    let scripts = [
        (
            "no TLS",
            vec![Step::send("HTTP/1.1 400 Bad Request\r\n\r\n")],
        ),
        ("closed", vec![]),
        ("reset", vec![Step::Reset]),
        ("silence", vec![Step::UntilClosed]),
    ];
    let mut table = Cases::default();
    for io in Io::BOTH {
        for (name, script) in &scripts {
            table.run(format!("{name}, {io:?}"), || {
                let first = Upstream::start(vec![script.clone()]);
                let second = Upstream::start_tls(
                    vec![vec![Step::Read, Step::send(healthy("second"))]],
                    authority.server(),
                );
                let bases = [&first, &second]
                    .map(|up| format!("https://localhost:{}/v1", up.address.port()));
                let tls = format!(
                    "tls {{ ca = file(\"{}\") }}",
                    authority.file("ca.pem").display()
                );
                let gateway = Gateway::start(io, "", &policy_at(&bases, &tls, ""));
                let answer = Client::connect(gateway.address).send(chat(false)).answer();
                assert_eq!(answer.status, 200, "{name}, {io:?}: {answer:?}");
                assert_eq!(
                    answer.field("x-switchover-target"),
                    Some("second.small"),
                    "{name}, {io:?}"
                );
            });
        }
    }
    table.finish();
}

/// RFC 9112 section 9.8: without a length, only a proper end of TLS says that the answer is whole.
#[test]
fn an_answer_ended_by_a_bare_close_is_cut() {
    let authority = Authority::new();
    let endless = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{}",
        completion("part")
    );
    for io in Io::BOTH {
        let upstream = Upstream::start_tls(
            vec![vec![Step::Read, Step::send(&endless)]],
            authority.server(),
        );
        let policy = policy_with(upstream.address, &authority.file("ca.pem"));
        let gateway = Gateway::start(io, "", &policy);
        let answer = Client::connect(gateway.address).send(chat(false)).answer();
        assert!([502, 503].contains(&answer.status), "{io:?}: {answer:?}");
    }
}

#[test]
fn clients_behind_tls() {
    let authority = Authority::new();
    let server = format!(
        "tls {{ cert = file(\"{}\"), key = file(\"{}\") }}",
        authority.file("cert.pem").display(),
        authority.file("key.pem").display()
    );
    for io in Io::BOTH {
        let upstream = Upstream::answering(healthy("well"));
        let gateway = Gateway::start(io, &server, &super::policy(&[upstream.address], ""));
        let mut client = Client::over(authority.connect(gateway.address));
        for _ in 0..2 {
            let answer = client.send(chat(false)).answer();
            assert_eq!(answer.text(), completion("well"), "{io:?}: {answer:?}");
        }
        // A client in clear on this port gets no answer that it could read, and harms nobody.
        assert!(
            !Client::connect(gateway.address)
                .send(chat(false))
                .until_end()
                .starts_with(b"HTTP/1.1 200"),
            "{io:?}"
        );
        assert_eq!(client.send(chat(false)).answer().status, 200, "{io:?}");
    }
}
