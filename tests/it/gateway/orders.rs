//! Orders by hand: what an operator says of a target holds at once, on the command line and at the admin address.

use std::process::{Command, Output};

use serde_json::Value;

use crate::support::client::{Answer, Client, chat};
use crate::support::gateway::{Gateway, Io, eventually};
use crate::support::upstream::{Gate, Step, Upstream, answer, completion};

fn start(io: Io, first: &Upstream, second: &Upstream) -> Gateway {
    let provider = |name: &str, upstream: &Upstream| {
        format!(
            "provider {name} {{\n  kind = openai_compatible, base_url = \"http://{}/v1\"\n  \
             auth = bearer(env(\"UPSTREAM_KEY\"))\n  model small = \"m-1\"\n}}\n",
            upstream.address
        )
    };
    let policy = format!(
        "{}{}breaker quick {{ open when consecutive >= 2 }}\ndefaults {{ breaker = quick }}\n\
         route default {{ tier 1 {{ first.small }}, tier 2 {{ second.small }} }}",
        provider("first", first),
        provider("second", second)
    );
    Gateway::start(io, "", &policy)
}

fn healthy(name: &str) -> Upstream {
    Upstream::answering(answer("200 OK", "", &completion(name)))
}

/// `switchover WORD TARGET`, to this gateway.
fn command(gateway: &Gateway, word: &str, target: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_switchover"))
        .args([word, target, "--admin", &gateway.admin.to_string()])
        .output()
        .unwrap()
}

/// The same, and what it says when it is done.
fn obeyed(gateway: &Gateway, word: &str, target: &str) -> String {
    let output = command(gateway, word, target);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn ask(gateway: &Gateway, request: &str) -> Answer {
    Client::connect(gateway.admin).send(request).answer()
}

fn served_by(gateway: &Gateway) -> String {
    let answer = Client::connect(gateway.address).send(chat(false)).answer();
    answer
        .field("x-switchover-target")
        .unwrap_or("nobody")
        .to_owned()
}

fn status(gateway: &Gateway) -> Value {
    serde_json::from_str(&gateway.page("/status").1).unwrap()
}

#[test]
fn a_drained_target_finishes_what_it_has_and_gets_nothing_new() {
    for io in Io::BOTH {
        let (open, gate) = Gate::new();
        let well = answer("200 OK", "", &completion("from first"));
        let slow = vec![Step::Read, Step::Await(gate), Step::send(&well)];
        let first = Upstream::start(vec![slow, vec![Step::Read, Step::send(&well)]]);
        let second = healthy("from second");
        let gateway = start(io, &first, &second);
        let mut under_way = Client::connect(gateway.address);
        under_way.send(chat(false));
        assert!(eventually(
            || status(&gateway)["targets"][0]["inflight"] == 1
        ));
        assert_eq!(
            obeyed(&gateway, "drain", "first.small"),
            "first.small: auto -> drain\n"
        );
        assert_eq!(served_by(&gateway), "second.small");
        let told = status(&gateway);
        assert_eq!(told["targets"][0]["order"], "drain");
        assert_eq!(told["targets"][0]["breaker"], "closed");
        assert_eq!(told["targets"][1]["order"], Value::Null);
        let [out] = told["out"].as_array().unwrap().as_slice() else {
            panic!("{told}");
        };
        assert_eq!(
            (&out["target"], &out["why"]),
            (&"first.small".into(), &"drained".into())
        );
        for line in [
            "switchover_target_order{target=\"first.small\",order=\"drain\"} 1\n",
            "switchover_target_usable{target=\"first.small\"} 0\n",
            "switchover_passed_over_total{target=\"first.small\",why=\"drained\"} 1\n",
        ] {
            // A request is counted a moment after its client has the answer.
            assert!(
                eventually(|| gateway.page("/metrics").1.contains(line)),
                "{line}"
            );
        }
        open.send(()).unwrap();
        assert_eq!(under_way.answer().status, 200);
        assert!(eventually(
            || status(&gateway)["targets"][0]["inflight"] == 0
        ));
        assert_eq!(
            obeyed(&gateway, "auto", "first.small"),
            "first.small: drain -> auto\n"
        );
        assert_eq!(served_by(&gateway), "first.small");
        let log = gateway.log();
        assert!(
            log.contains("target first.small: auto -> drain (by order)\n"),
            "{log}"
        );
    }
}

#[test]
fn open_and_close_go_before_the_breaker() {
    let first = Upstream::answering(answer("503 Service Unavailable", "", "{}"));
    let second = healthy("from second");
    let gateway = start(Io::Epoll, &first, &second);
    // Of the provider: all of its targets.
    assert_eq!(
        obeyed(&gateway, "open", "first"),
        "first.small: auto -> open\n"
    );
    assert_eq!(served_by(&gateway), "second.small");
    assert_eq!(first.received().len(), 0);
    let out = &status(&gateway)["out"][0];
    assert_eq!(
        (&out["why"], &out["order"]),
        (&"breaker_open".into(), &"open".into())
    );
    assert_eq!(
        obeyed(&gateway, "close", "first.*"),
        "first.small: open -> close\n"
    );
    for _ in 0..4 {
        assert_eq!(served_by(&gateway), "second.small");
    }
    assert_eq!(first.received().len(), 4, "asked beyond `consecutive`");
    assert_eq!(status(&gateway)["targets"][0]["breaker"], "open");
    assert_eq!(status(&gateway)["out"].as_array().unwrap().len(), 0);
    obeyed(&gateway, "auto", "first.small");
    served_by(&gateway);
    assert_eq!(first.received().len(), 4, "its breaker is open");
}

#[test]
fn what_is_no_order_is_refused() {
    let (first, second) = (healthy("from first"), healthy("from second"));
    let mut gateway = start(Io::Epoll, &first, &second);
    let output = command(&gateway, "drain", "frist.small");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(said.contains("did you mean `first.small`?"), "{said}");
    let output = command(&gateway, "drain", "a b");
    assert_eq!(output.status.code(), Some(3));
    let post = |path: &str, more: &str| {
        format!("POST {path} HTTP/1.1\r\nhost: admin\r\n{more}content-length: 0\r\n\r\n")
    };
    for (request, status) in [
        (post("/targets/nobody/drain", ""), 404),
        (post("/targets/first.small/shut", ""), 404),
        (post("/targets/drain", ""), 404),
        (
            post("/targets/first.small/drain", "").replace("POST", "GET"),
            405,
        ),
        (
            post("/targets/first.small/drain", "origin: http://evil.test\r\n"),
            403,
        ),
    ] {
        assert_eq!(ask(&gateway, &request).status, status, "{request}");
    }
    assert_eq!(served_by(&gateway), "first.small");
    assert_eq!(
        ask(&gateway, &post("/targets/first.small/drain", "")).status,
        200
    );
    assert_eq!(served_by(&gateway), "second.small");
    gateway.terminate();
    gateway.ended();
    let output = command(&gateway, "auto", "first.small");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains(&gateway.admin.to_string()), "{said}");
}
