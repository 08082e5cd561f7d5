//! Requests that wait for a place at a target.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use crate::support::client::{Client, chat};
use crate::support::gateway::{Gateway, Io, eventually};
use crate::support::upstream::{FINISH, Gate, STREAM_END, STREAM_HEAD, Script, Step, Upstream};
use crate::support::upstream::{delta, event};

use super::{healthy, metric, policy_at};

/// A stream that waits for the test after its first content.
fn held_stream(gate: Arc<Gate>) -> Script {
    vec![
        Step::Read,
        Step::send(format!("{STREAM_HEAD}{}", event(&delta("one")))),
        Step::Await(gate),
        Step::send(format!("{}{}{STREAM_END}", event(FINISH), event("[DONE]"))),
        Step::Read,
        Step::send(healthy("well")),
    ]
}

fn start(io: Io, upstream: &Upstream, max_wait: &str) -> Gateway {
    let extra =
        format!("tls = off, capacity {{ max_inflight = 1, max_queue = 1, max_wait = {max_wait} }}");
    let base = format!("http://{}/v1", upstream.address);
    Gateway::start(io, "", &policy_at(&[base], &extra, ""))
}

/// A target whose one place is taken by a stream, until the test lets it go on.
fn full(io: Io, max_wait: &str) -> (Sender<()>, Upstream, Gateway, Client) {
    let (open, gate) = Gate::new();
    let upstream = Upstream::start(vec![held_stream(gate)]);
    let gateway = start(io, &upstream, max_wait);
    let mut streaming = Client::connect(gateway.address);
    streaming.send(chat(true)).until(delta("one").as_bytes());
    (open, upstream, gateway, streaming)
}

fn queued(gateway: &Gateway) -> u64 {
    metric(gateway, "switchover_target_queued{target=\"first.small\"}")
}

#[test]
fn a_request_waits_until_a_place_is_free() {
    for io in Io::BOTH {
        let name = format!("{io:?}");
        let (open, upstream, gateway, mut streaming) = full(io, "8s");
        let mut waiting = Client::connect(gateway.address);
        waiting.send(chat(false));
        assert!(eventually(|| queued(&gateway) == 1), "{name}");
        // The queue has room for one.
        let mut third = Client::connect(gateway.address);
        let answer = third.send(chat(false)).answer();
        assert_eq!(answer.status, 503, "{name}: {answer:?}");
        assert_eq!(answer.field("x-switchover-reason"), Some("overloaded"));
        open.send(()).unwrap();
        streaming.until(b"data: [DONE]\n\n");
        let answer = waiting.answer();
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
        assert_eq!(queued(&gateway), 0, "{name}");
        let id = answer.field("x-request-id").unwrap();
        let (_, record) = gateway.page(&format!("/requests/{id}"));
        let record: serde_json::Value = serde_json::from_str(&record).unwrap();
        let waited = record["queued_ms"].as_f64();
        assert!(waited.is_some_and(|ms| ms > 0.0), "{name}: {record}");
        assert_eq!(upstream.received().len(), 2, "{name}");
    }
}

#[test]
fn a_client_who_leaves_is_out_of_the_queue() {
    for io in Io::BOTH {
        let name = format!("{io:?}");
        let (open, upstream, gateway, mut streaming) = full(io, "8s");
        for _ in 0..3 {
            let mut waiting = Client::connect(gateway.address);
            waiting.send(chat(false));
            assert!(eventually(|| queued(&gateway) == 1), "{name}");
            drop(waiting);
            assert!(eventually(|| queued(&gateway) == 0), "{name}");
        }
        open.send(()).unwrap();
        streaming.until(b"data: [DONE]\n\n");
        let mut next = Client::connect(gateway.address);
        assert_eq!(next.send(chat(false)).answer().status, 200, "{name}");
        assert_eq!(upstream.received().len(), 2, "{name}");
    }
}

#[test]
fn a_wait_that_is_over_is_told_so() {
    for io in Io::BOTH {
        let name = format!("{io:?}");
        let (_open, _upstream, gateway, _streaming) = full(io, "30ms");
        let mut waiting = Client::connect(gateway.address);
        let answer = waiting.send(chat(false)).answer();
        assert_eq!(answer.status, 503, "{name}: {answer:?}");
        assert_eq!(answer.field("x-switchover-reason"), Some("overloaded"));
        assert_eq!(queued(&gateway), 0, "{name}");
    }
}
