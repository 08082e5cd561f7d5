//! What the gateway does when a provider fails before the client has seen a byte of its answer.

#![expect(
    clippy::too_many_lines,
    reason = "the cases are data: a table is read as one page"
)]

use crate::support::Cases;
use crate::support::client::Client;
use crate::support::client::chat;
use crate::support::gateway::Gateway;
use crate::support::gateway::Io;
use crate::support::gateway::free_address;
use crate::support::upstream::FINISH;
use crate::support::upstream::ROLE;
use crate::support::upstream::STREAM_END;
use crate::support::upstream::STREAM_HEAD;
use crate::support::upstream::Script;
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

/// An error as OpenAI writes it.
fn error(status: &str, fields: &str, kind: &str, code: &str) -> Script {
    let body =
        format!(r#"{{"error":{{"message":"no","type":"{kind}","param":null,"code":"{code}"}}}}"#);
    vec![Step::Read, Step::send(answer(status, fields, &body))]
}

fn stream(events: &str) -> Script {
    vec![
        Step::Read,
        Step::send(format!("{STREAM_HEAD}{events}{STREAM_END}")),
    ]
}

#[test]
fn whole_answers_move_to_the_next_target() {
    let html = |status: &str| {
        let page = "<!doctype html><title>Just a moment</title>";
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/html\r\ncontent-length: {}\r\n\r\n",
            page.len()
        );
        vec![Step::Read, Step::send(head + page)]
    };
    let json = |body: &str| vec![Step::Read, Step::send(answer("200 OK", "", body))];
    let cases: Vec<(&str, Script)> = vec![
        ("closed before a byte", vec![Step::Read]),
        ("reset before a byte", vec![Step::Read, Step::Reset]),
        ("closed before the request was read", vec![]),
        (
            "500",
            error("500 Internal Server Error", "", "server_error", "x"),
        ),
        ("502", error("502 Bad Gateway", "", "server_error", "x")),
        (
            "503 with a pause",
            error(
                "503 Service Unavailable",
                "retry-after: 30\r\n",
                "server_error",
                "x",
            ),
        ),
        ("520", error("520 Unknown", "", "server_error", "x")),
        ("529", error("529 Overloaded", "", "overloaded_error", "x")),
        (
            "429 with a pause",
            error(
                "429 Too Many Requests",
                "retry-after: 20\r\n",
                "rate_limit_error",
                "rate_limit_exceeded",
            ),
        ),
        (
            "429 with a day's pause",
            error(
                "429 Too Many Requests",
                "retry-after: 86400\r\n",
                "rate_limit_error",
                "rate_limit_exceeded",
            ),
        ),
        (
            "429 with a lie",
            error(
                "429 Too Many Requests",
                "retry-after: -1\r\n",
                "rate_limit_error",
                "rate_limit_exceeded",
            ),
        ),
        (
            "quota used up",
            error(
                "429 Too Many Requests",
                "",
                "insufficient_quota",
                "insufficient_quota",
            ),
        ),
        (
            "payment required",
            error("402 Payment Required", "", "billing", "x"),
        ),
        (
            "wrong key",
            error(
                "401 Unauthorized",
                "",
                "invalid_request_error",
                "invalid_api_key",
            ),
        ),
        (
            "model withdrawn",
            error(
                "404 Not Found",
                "",
                "invalid_request_error",
                "model_not_found",
            ),
        ),
        ("HTML instead of JSON", html("200 OK")),
        ("challenge page", html("403 Forbidden")),
        (
            "error inside a 200",
            json(r#"{"error":{"message":"no","type":"server_error","param":null,"code":null}}"#),
        ),
        (
            "no choices",
            json(r#"{"id":"x","object":"chat.completion","choices":[]}"#),
        ),
        ("empty body", json("")),
        (
            "body cut",
            vec![
                Step::Read,
                Step::send(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{",
                ),
            ],
        ),
        (
            "redirect",
            vec![
                Step::Read,
                Step::send(answer(
                    "307 Temporary Redirect",
                    "location: http://127.0.0.1:1/\r\n",
                    "",
                )),
            ],
        ),
    ];
    let mut table = Cases::default();
    for (name, script) in cases {
        table.run(name, || {
            check(&Case {
                name,
                upstreams: vec![
                    vec![script],
                    vec![vec![Step::Read, Step::send(healthy("second"))]],
                ],
                send: chat(false),
                want: Want::Answer {
                    target: "second.small",
                    body: &completion("second"),
                },
            });
        });
    }
    table.finish();
}

#[test]
fn streams_move_to_the_next_target_until_the_first_content() {
    let failure = event(
        r#"{"error":{"message":"overloaded","type":"server_error","param":null,"code":null}}"#,
    );
    let role = event(ROLE);
    let cases: Vec<(&str, Script)> = vec![
        (
            "500",
            error("500 Internal Server Error", "", "server_error", "x"),
        ),
        (
            "429",
            error(
                "429 Too Many Requests",
                "",
                "rate_limit_error",
                "rate_limit_exceeded",
            ),
        ),
        (
            "closed after the head",
            vec![Step::Read, Step::send(STREAM_HEAD)],
        ),
        ("error event first", stream(&failure)),
        (
            "error event after the role",
            stream(&format!("{role}{failure}")),
        ),
        (
            "closed after the role",
            vec![Step::Read, Step::send(format!("{STREAM_HEAD}{role}"))],
        ),
        (
            "reset after the role",
            vec![
                Step::Read,
                Step::send(format!("{STREAM_HEAD}{role}")),
                Step::Reset,
            ],
        ),
        ("ended before content", stream(&role)),
        ("done before content", stream(&event("[DONE]"))),
        (
            "JSON error instead of a stream",
            vec![
                Step::Read,
                Step::send(answer(
                    "200 OK",
                    "",
                    r#"{"error":{"message":"no","type":"server_error"}}"#,
                )),
            ],
        ),
    ];
    let sound = format!(
        "{role}{}{}{}",
        event(&delta("second")),
        event(FINISH),
        event("[DONE]")
    );
    let body = format!(
        "data: {ROLE}\n\ndata: {}\n\ndata: {FINISH}\n\ndata: [DONE]\n\n",
        delta("second")
    );
    let mut table = Cases::default();
    for (name, script) in cases {
        table.run(name, || {
            check(&Case {
                name,
                upstreams: vec![vec![script], vec![stream(&sound)]],
                send: chat(true),
                want: Want::Answer {
                    target: "second.small",
                    body: &body,
                },
            });
        });
    }
    table.finish();
}

/// Silence is a failure once its timer has run out; comments and roles do not wind the timer up again.
#[test]
fn silence_moves_to_the_next_target() {
    let silent: Vec<(&str, bool, Script)> = vec![
        ("no head", false, vec![Step::Read, Step::UntilClosed]),
        (
            "no body",
            false,
            vec![
                Step::Read,
                Step::send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"),
                Step::UntilClosed,
            ],
        ),
        (
            "no head of a stream",
            true,
            vec![Step::Read, Step::UntilClosed],
        ),
        (
            "no event",
            true,
            vec![Step::Read, Step::send(STREAM_HEAD), Step::UntilClosed],
        ),
        (
            "only comments and a role",
            true,
            vec![
                Step::Read,
                Step::send(format!(
                    "{STREAM_HEAD}e\r\n: keep-alive\n\n\r\n{}",
                    event(ROLE)
                )),
                Step::UntilClosed,
            ],
        ),
    ];
    let sound = format!(
        "{}{}{}",
        event(&delta("second")),
        event(FINISH),
        event("[DONE]")
    );
    let mut table = Cases::default();
    for io in Io::BOTH {
        for (name, streaming, script) in &silent {
            table.run(format!("{name}, {io:?}"), || {
                let second = if *streaming {
                    stream(&sound)
                } else {
                    vec![Step::Read, Step::send(healthy("second"))]
                };
                let (first, second) = (
                    Upstream::start(vec![script.clone()]),
                    Upstream::start(vec![second]),
                );
                let policy = policy(&[first.address, second.address], "").replace(
                    "ttft_timeout = 5s, idle_timeout = 5s",
                    "ttft_timeout = 300ms, idle_timeout = 300ms",
                );
                let gateway = Gateway::start(io, "", &policy);
                let answer = Client::connect(gateway.address)
                    .send(chat(*streaming))
                    .answer();
                assert_eq!(answer.status, 200, "{name}, {io:?}: {answer:?}");
                assert_eq!(
                    answer.field("x-switchover-target"),
                    Some("second.small"),
                    "{name}, {io:?}"
                );
                assert!(
                    first.saw_close(),
                    "{name}, {io:?}: the silent connection is still open"
                );
            });
        }
    }
    table.finish();
}

#[test]
fn a_dead_address_moves_to_the_next_target() {
    for io in Io::BOTH {
        let second = Upstream::answering(healthy("second"));
        let gateway = Gateway::start(io, "", &policy(&[free_address(), second.address], ""));
        let answer = Client::connect(gateway.address).send(chat(false)).answer();
        assert_eq!(answer.status, 200, "{io:?}: {answer:?}");
        assert_eq!(answer.field("x-switchover-attempts"), Some("2"), "{io:?}");
        assert_eq!(
            second.only().field("authorization"),
            Some("Bearer sk-upstream-canary"),
            "{io:?}"
        );
    }
}

/// The client's own mistakes are the client's: no other provider is asked.
#[test]
fn client_errors_stay() {
    let cases = [
        (
            "400",
            error("400 Bad Request", "", "invalid_request_error", "bad_value"),
            400,
        ),
        (
            "413",
            error("413 Payload Too Large", "", "invalid_request_error", "x"),
            413,
        ),
        (
            "422",
            error("422 Unprocessable Entity", "", "invalid_request_error", "x"),
            422,
        ),
        (
            "context",
            error(
                "400 Bad Request",
                "",
                "invalid_request_error",
                "context_length_exceeded",
            ),
            400,
        ),
    ];
    let mut table = Cases::default();
    for io in Io::BOTH {
        for (name, script, status) in &cases {
            table.run(format!("{name}, {io:?}"), || {
                let (first, second) = (
                    Upstream::start(vec![script.clone()]),
                    Upstream::answering(healthy("never")),
                );
                // `any` is what another target may cure, so it must not name these.
                let policy = policy(&[first.address, second.address], "")
                    .replace("else -> reject(503)", "else -> stop");
                let gateway = Gateway::start(io, "", &policy);
                let answer = Client::connect(gateway.address).send(chat(false)).answer();
                assert_eq!(answer.status, *status, "{name}, {io:?}: {answer:?}");
                super::assert_envelope(&answer, name);
                assert_eq!(second.received().len(), 0, "{name}, {io:?}");
            });
        }
    }
    table.finish();
}

/// A wrong provider key is no fault of the client's: it must not read 401.
#[test]
fn when_every_target_fails() {
    let cases = [
        (
            "wrong keys",
            error(
                "401 Unauthorized",
                "",
                "invalid_request_error",
                "invalid_api_key",
            ),
        ),
        (
            "errors",
            error("500 Internal Server Error", "", "server_error", "x"),
        ),
        ("dead connections", vec![Step::Read, Step::Reset]),
    ];
    let mut table = Cases::default();
    for (name, script) in cases {
        table.run(name, || {
            check(&Case {
                name,
                upstreams: vec![vec![script.clone()], vec![script]],
                send: chat(false),
                want: Want::Error(&[502, 503]),
            });
        });
    }
    table.finish();
}
