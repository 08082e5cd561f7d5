//! Answers that mean something else than their status: what the policy says of them, and what no rule has to say.

use crate::support::client::Client;
use crate::support::client::chat;
use crate::support::gateway::Gateway;
use crate::support::gateway::Io;
use crate::support::upstream::STREAM_END;
use crate::support::upstream::STREAM_HEAD;
use crate::support::upstream::Step;
use crate::support::upstream::Upstream;
use crate::support::upstream::answer;
use crate::support::upstream::event;

use super::healthy;
use super::policy_at;

const RULES: &str = "tls = off\n  classify {\n    \
    when status == 400 and body contains \"billing hard limit\" -> quota_exhausted\n    \
    when code == \"moderated\" -> content_filter\n  }";

/// What the client gets with one target that answers so and one that is well: the status, and the last target.
fn asked(bytes: &str, stream: bool) -> (u16, Option<String>, String) {
    let odd = Upstream::start(vec![vec![Step::Read, Step::send(bytes), Step::UntilClosed]]);
    let well = Upstream::answering(healthy("well"));
    let bases = [odd.address, well.address].map(|at| format!("http://{at}/v1"));
    let text = policy_at(&bases, RULES, "");
    let gateway = Gateway::start(Io::Epoll, "", &text);
    let answer = Client::connect(gateway.address).send(chat(stream)).answer();
    let target = answer.field("x-switchover-target").map(str::to_owned);
    (answer.status, target, answer.text())
}

#[test]
fn rules_decide_whether_another_target_is_asked() {
    let error = |code: &str, message: &str| {
        format!(r#"{{"error":{{"message":"{message}","type":"x","param":null,"code":"{code}"}}}}"#)
    };
    let spent = error("none", "your billing hard limit was reached");
    let moderated = error("moderated", "no");
    let in_stream = |error: &str| format!("{STREAM_HEAD}{}{STREAM_END}", event(error));
    let first = Some("first.small".to_owned());
    let second = Some("second.small".to_owned());
    for (name, bytes, stream, status, target) in [
        (
            "400 by a rule",
            answer("400 Bad Request", "", &spent),
            false,
            200,
            &second,
        ),
        (
            "400 without one",
            answer("400 Bad Request", "", &error("x", "y")),
            false,
            400,
            &first,
        ),
        (
            "500 by a rule",
            answer("500 Oops", "", &moderated),
            false,
            400,
            &first,
        ),
        (
            "inside a 200",
            answer("200 OK", "", &moderated),
            false,
            400,
            &first,
        ),
        ("in a stream", in_stream(&moderated), true, 400, &first),
        (
            "in a stream, without one",
            in_stream(&error("x", "y")),
            true,
            200,
            &second,
        ),
    ] {
        let (got, whom, text) = asked(&bytes, stream);
        assert_eq!((got, &whom), (status, target), "{name}: {text}");
    }
}

/// Forms of answer that are failures whatever their body says, and the two that are the gateway's own mistake.
#[test]
fn answers_that_no_client_could_use_go_elsewhere() {
    let gzip = |status: &str| {
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\u{1f}abc"
        )
    };
    let empty = |status: &str, fields: &str| {
        format!("HTTP/1.1 {status}\r\n{fields}content-length: 0\r\n\r\n")
    };
    let (first, second) = (
        Some("first.small".to_owned()),
        Some("second.small".to_owned()),
    );
    for (name, bytes, status, target) in [
        ("compressed success", gzip("200 OK"), 200, &second),
        (
            "compressed refusal of the key",
            gzip("401 Unauthorized"),
            200,
            &second,
        ),
        ("compressed 503", gzip("503 Busy"), 200, &second),
        ("compressed 400", gzip("400 Bad Request"), 400, &first),
        (
            "204",
            "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
            200,
            &second,
        ),
        (
            "307",
            empty("307 Moved", "location: http://127.0.0.1:1/\r\n"),
            200,
            &second,
        ),
        (
            "101",
            "HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n".to_owned(),
            200,
            &second,
        ),
        ("nothing in a 200", empty("200 OK", ""), 200, &second),
        (
            "no choices",
            answer("200 OK", "", r#"{"choices":[]}"#),
            200,
            &second,
        ),
        (
            "a wrong path",
            answer("404 Not Found", "", r#"{"detail":"Not Found"}"#),
            502,
            &first,
        ),
        ("a wrong method", empty("405 No", ""), 502, &first),
    ] {
        let (got, whom, text) = asked(&bytes, false);
        assert_eq!((got, &whom), (status, target), "{name}: {text}");
    }
}
