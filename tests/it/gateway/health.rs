//! Active health checks: an endpoint that fails them gets no requests, and gets them again when it recovers.

use crate::support::client::Client;
use crate::support::client::chat;
use crate::support::gateway::Gateway;
use crate::support::gateway::Io;
use crate::support::gateway::UPSTREAM_KEY;
use crate::support::gateway::eventually;
use crate::support::upstream::Gate;
use crate::support::upstream::Script;
use crate::support::upstream::Step;
use crate::support::upstream::Upstream;
use crate::support::upstream::answer;
use crate::support::upstream::completion;

/// Two providers, one tier each; the first one is checked as `health` says.
fn plan(first: &Upstream, second: &Upstream, health: &str) -> String {
    let provider = |name: &str, upstream: &Upstream, more: &str| {
        format!(
            "provider {name} {{\n  kind = openai_compatible, base_url = \"http://{}/v1\"\n  \
             auth = bearer(env(\"UPSTREAM_KEY\"))\n  model m = \"m\"\n  {more}\n}}\n",
            upstream.address
        )
    };
    format!(
        "{}{}route default {{ tier 1 {{ first.m }}, tier 2 {{ second.m }} }}",
        provider("first", first, health),
        provider("second", second, "")
    )
}

fn served_by(gateway: &Gateway) -> (String, String) {
    let answer = Client::connect(gateway.address).send(chat(false)).answer();
    assert_eq!(answer.status, 200, "{}", gateway.log());
    let field = |name| answer.field(name).unwrap_or_default().to_owned();
    (field("x-switchover-target"), field("x-switchover-attempts"))
}

fn ailing_once(good: &str) -> (std::sync::mpsc::Sender<()>, Vec<Script>) {
    let (open, gate) = Gate::new();
    let ill = vec![
        Step::Read,
        Step::send(answer("503 Service Unavailable", "", "{}")),
    ];
    let well = vec![Step::Read, Step::Await(gate), Step::send(good)];
    (open, vec![ill.clone(), ill, well])
}

#[test]
fn an_endpoint_that_fails_its_checks_is_left_out_until_it_recovers() {
    for io in Io::BOTH {
        let (open, scripts) = ailing_once(&answer("200 OK", "", &completion("from first")));
        let first = Upstream::start(scripts);
        let second = Upstream::answering(answer("200 OK", "", &completion("from second")));
        let health = "health { path = \"/health?deep=1\", every = 100ms, timeout = 10s, fall = 2, rise = 1 }";
        let gateway = Gateway::start(io, "", &plan(&first, &second, health));
        assert!(
            eventually(|| gateway.log().contains("up -> down (status 503)")),
            "{}",
            gateway.log()
        );
        // At its first attempt already: nobody had to fail for it.
        assert_eq!(served_by(&gateway), ("second.m".into(), "1".into()));
        let gauge = |up| {
            format!(
                "switchover_endpoint_up{{provider=\"first\",endpoint=\"{}\"}} {up}\n",
                first.address
            )
        };
        assert!(gateway.page("/metrics").1.contains(&gauge(0)));
        drop(open);
        assert!(eventually(|| gateway.log().contains("down -> up")));
        assert!(gateway.page("/metrics").1.contains(&gauge(1)));
        assert_eq!(served_by(&gateway), ("first.m".into(), "1".into()));
        let asked = first.received();
        let check = asked.first().unwrap();
        assert!(check.head.starts_with("GET /health?deep=1 HTTP/1.1\r\n"));
        assert_eq!(
            check.field("authorization"),
            Some(&*format!("Bearer {UPSTREAM_KEY}"))
        );
        assert!(!gateway.log().contains(UPSTREAM_KEY));
    }
}

#[test]
fn a_question_for_one_token_proves_that_the_model_generates() {
    let error = answer(
        "404 Not Found",
        "",
        r#"{"error":{"message":"no","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#,
    );
    let first = Upstream::start(vec![vec![Step::Read, Step::send(error)]]);
    let second = Upstream::answering(answer("200 OK", "", &completion("from second")));
    let health = "health { ask = \"m-1\", at_most = 10/s, every = 100ms, fall = 1, rise = 1 }";
    let gateway = Gateway::start(Io::Epoll, "", &plan(&first, &second, health));
    assert!(eventually(|| gateway.log().contains("up -> down")));
    assert_eq!(served_by(&gateway), ("second.m".into(), "1".into()));
    let asked = first.received();
    let check = asked.first().unwrap();
    assert!(
        check
            .head
            .starts_with("POST /v1/chat/completions HTTP/1.1\r\n"),
        "{}",
        check.head
    );
    let body: serde_json::Value = serde_json::from_slice(&check.body).unwrap();
    assert_eq!(body["model"], "m-1");
    assert_eq!(body["max_tokens"], 1);
}
