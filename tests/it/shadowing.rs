//! Copies of requests in the pure machine: when one begins, and which requests have one.

use switchover::exchange::{Action, DialFailure, Input, Reused};

use crate::desk::{Desk, request};

const POLICY: &str = r#"
policy 1
provider p {
  kind = openai_compatible, base_url = "http://127.0.0.1:9000/v1", auth = bearer(env("KEY")), tls = off
  model first = "first", model last = "last", model copied = "copied"
}
retries none { max = 0 }
defaults { retries = none }
route default {
  tier 1 { p.first }
  tier 2 { p.last }
  shadow p.copied { share = 100%, max_inflight = 8 }
  fallback { on any -> next, else -> reject(503) }
}
"#;

/// What the machine asks for until its request has been sent, each with the number of copies that there were before and
/// are after it. `dials` says which connects succeed.
fn steps(asked: &[u8], dials: &[bool]) -> Vec<(&'static str, usize, usize)> {
    let mut desk = Desk::under(POLICY);
    let mut exchange = desk.accept();
    let mut steps = Vec::new();
    let mut dials = dials.iter();
    let mut unread = Some(asked);
    loop {
        let before = desk.copies.len();
        let (name, input) = match exchange.poll() {
            Action::ReadClient { mut into, .. } => {
                let bytes = unread.take().unwrap_or_default();
                into.extend_from_slice(bytes);
                ("read", Input::ClientRead(into, Ok(bytes.len())))
            }
            Action::Dial { .. } => {
                let dialed = match dials.next() {
                    Some(true) => Ok(Reused(false)),
                    _ => Err(DialFailure::Connect),
                };
                ("dial", Input::Dialed(dialed))
            }
            Action::SendUpstream { bytes, .. } => ("send", Input::UpstreamSent(bytes, Ok(()))),
            Action::ReadUpstream { .. } | Action::SendClient { .. } => return steps,
            Action::Release { .. } => continue,
            other => panic!("{other:?}"),
        };
        desk.handle(&mut exchange, input);
        steps.push((name, before, desk.copies.len()));
    }
}

/// The client never waits for the copying of its body.
#[test]
fn a_copy_begins_when_its_request_has_been_sent() {
    for stream in [false, true] {
        assert_eq!(
            steps(&request(stream), &[true]),
            [("read", 0, 0), ("dial", 0, 0), ("send", 0, 1)]
        );
    }
}

/// That the first target is not to be had tells nothing about the shadow's.
#[test]
fn a_copy_begins_when_the_first_attempt_has_failed() {
    assert_eq!(
        steps(&request(false), &[false, true]),
        [
            ("read", 0, 0),
            ("dial", 0, 1),
            ("dial", 1, 1),
            ("send", 1, 1)
        ]
    );
    assert_eq!(
        steps(&request(false), &[false, false]),
        [("read", 0, 0), ("dial", 0, 1), ("dial", 1, 1)]
    );
}

/// A body that would hold up the core is not copied.
#[test]
fn a_large_body_is_not_copied() {
    let body = |bytes: usize| {
        let text = "a".repeat(bytes);
        let body = format!(
            "{{\"model\":\"m\",\"messages\":[{{\"role\":\"user\",\"content\":\"{text}\"}}]}}"
        );
        let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n";
        format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
    };
    assert_eq!(
        steps(&body(1_000_000), &[true]).last(),
        Some(&("send", 0, 1))
    );
    assert_eq!(
        steps(&body(1_100_000), &[true]).last(),
        Some(&("send", 0, 0))
    );
}
