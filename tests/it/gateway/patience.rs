//! Clients that say how long they wait, and heads that do not come: who is asked how long, and what the client gets.

use crate::support::client::Client;
use crate::support::client::chat_body;
use crate::support::client::post;
use crate::support::gateway::Gateway;
use crate::support::gateway::Io;
use crate::support::upstream::FINISH;
use crate::support::upstream::Gate;
use crate::support::upstream::ROLE;
use crate::support::upstream::STREAM_END;
use crate::support::upstream::STREAM_HEAD;
use crate::support::upstream::Step;
use crate::support::upstream::Upstream;
use crate::support::upstream::delta;
use crate::support::upstream::event;

use super::policy;

/// The policy's own timers are all of seconds, so that a case which waits for one of them fails.
#[test]
fn a_clients_own_deadline_ends_the_wait() {
    for io in Io::BOTH {
        for (field, stream) in [
            ("x-switchover-deadline-ms: 150", false),
            ("X-Envoy-Expected-RQ-Timeout-Ms: 150", true),
            ("X-Stainless-Read-Timeout: 0.15", false),
            ("X-Stainless-Read-Timeout: 0.15", true),
        ] {
            let silent = Upstream::start(vec![vec![Step::Read, Step::UntilClosed]]);
            let gateway = Gateway::start(io, "", &policy(&[silent.address], ""));
            let ask = post(
                "/v1/chat/completions",
                &format!("{field}\r\n"),
                &chat_body(stream),
            );
            let answer = Client::connect(gateway.address).send(ask).answer();
            assert_eq!(answer.status, 504, "{field} {answer:?}");
            assert_eq!(answer.field("x-switchover-reason"), Some("deadline"));
            assert!(answer.text().contains("deadline_exceeded"), "{answer:?}");
            assert!(silent.saw_close(), "{field}");
        }
    }
}

#[test]
fn junk_in_such_a_field_is_passed_over() {
    let upstream = Upstream::answering(super::healthy("well"));
    let gateway = Gateway::start(Io::Epoll, "", &policy(&[upstream.address], ""));
    for value in ["0", "-1", "soon", "", "1e9"] {
        let fields =
            format!("x-switchover-deadline-ms: {value}\r\nx-stainless-timeout: {value}\r\n");
        let ask = post("/v1/chat/completions", &fields, &chat_body(false));
        let answer = Client::connect(gateway.address).send(ask).answer();
        assert_eq!(answer.status, 200, "{value} {answer:?}");
    }
}

/// A head that does not come is given up long before `ttft_timeout`.
#[test]
fn heads_of_streams_have_a_timer_of_their_own() {
    for io in Io::BOTH {
        let silent = Upstream::start(vec![vec![Step::Read, Step::UntilClosed]]);
        let (open, gate) = Gate::new();
        let slow = Upstream::start(vec![vec![
            Step::Read,
            Step::send(format!("{STREAM_HEAD}{}", event(ROLE))),
            Step::Await(gate),
            Step::send(format!(
                "{}{}{}{STREAM_END}",
                event(&delta("late")),
                event(FINISH),
                event("[DONE]")
            )),
        ]]);
        let text = policy(&[silent.address, slow.address], "head_timeout = 100ms");
        let gateway = Gateway::start(io, "", &text);
        let mut client = Client::connect(gateway.address);
        client.send(post("/v1/chat/completions", "", &chat_body(true)));
        assert!(silent.saw_close(), "the first was given up");
        slow.await_request();
        open.send(()).unwrap();
        let answer = client.answer();
        assert_eq!(answer.field("x-switchover-target"), Some("second.small"));
        assert!(answer.text().contains("late"), "{answer:?}");
    }
}
