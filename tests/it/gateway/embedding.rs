//! Embeddings asked for as OpenAI's clients do, of providers with forms of their own.

use std::fmt::Write as _;

use crate::support::client::Client;
use crate::support::client::post;
use crate::support::gateway::Gateway;
use crate::support::gateway::Io;
use crate::support::upstream::Upstream;
use crate::support::upstream::answer;

const ASKED: &str = r#"{"model":"any","input":["a","b"]}"#;
const TOLD: &str = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,1]},{"object":"embedding","index":1,"embedding":[0.25,2]}],"model":"any","usage":{"prompt_tokens":2,"total_tokens":2}}"#;

/// A policy with a provider of each of these kinds, in this order: kind, base URL.
fn policy(providers: &[(&str, String)]) -> String {
    let mut text = "retries calm { max = 0 }\ndefaults { retries = calm }\n".to_owned();
    let mut tiers = String::new();
    for (at, (kind, base)) in (1..).zip(providers) {
        write!(
            text,
            "provider p{at} {{ kind = {kind}, base_url = \"{base}\", tls = off, auth = bearer(env(\"UPSTREAM_KEY\"))\n  \
             model m = \"model-{at}\" }}\n"
        )
        .unwrap();
        writeln!(tiers, "  tier {at} {{ p{at}.m }}").unwrap();
    }
    text + &format!("route default {{\n{tiers}  fallback {{ on any -> next, else -> stop }}\n}}\n")
}

/// Each is asked in its own form where the one before it has failed, and the client reads OpenAI's.
#[test]
fn other_forms_and_a_way_from_one_to_the_next() {
    let broken = |text| Upstream::answering(answer("500 Oops", "", text));
    let cohere = broken(r#"{"message":"internal error"}"#);
    // As many as texts, or it is no answer.
    let fewer = Upstream::answering(answer(
        "200 OK",
        "",
        r#"{"embeddings":{"float":[[0.5,1]]}}"#,
    ));
    let gemini = Upstream::answering(answer(
        "200 OK",
        "",
        r#"{"embeddings":[{"values":[0.5,1]},{"values":[0.25,2]}],"usageMetadata":{"promptTokenCount":2}}"#,
    ));
    let gateway = Gateway::start(
        Io::Epoll,
        "",
        &policy(&[
            ("cohere", format!("http://{}/v2", cohere.address)),
            ("cohere", format!("http://{}/v2", fewer.address)),
            ("gemini", format!("http://{}/v1beta", gemini.address)),
        ]),
    );
    let mut client = Client::connect(gateway.address);
    let got = client.send(post("/v1/embeddings", "", ASKED)).answer();
    assert_eq!((got.status, got.text().as_str()), (200, TOLD));
    assert_eq!(got.field("x-switchover-target"), Some("p3.m"));
    for (upstream, model) in [(&cohere, "model-1"), (&fewer, "model-2")] {
        let asked = upstream.only();
        assert!(
            asked.head.starts_with("POST /v2/embed HTTP/1.1\r\n"),
            "{asked:?}"
        );
        assert_eq!(
            String::from_utf8(asked.body).unwrap(),
            format!(
                r#"{{"model":"{model}","texts":["a","b"],"input_type":"search_document","embedding_types":["float"],"truncate":"NONE"}}"#
            )
        );
    }
    let asked = gemini.only();
    let target = "POST /v1beta/models/model-3:batchEmbedContents HTTP/1.1\r\n";
    assert!(asked.head.starts_with(target), "{asked:?}");
}

#[test]
fn a_format_without_embeddings_is_not_asked_for_them() {
    for (kind, path) in [("anthropic", "/v1"), ("bedrock", "")] {
        let upstream = Upstream::answering(answer("200 OK", "", "{}"));
        let base = format!("http://{}{path}", upstream.address);
        let gateway = Gateway::start(Io::Epoll, "", &policy(&[(kind, base)]));
        let mut client = Client::connect(gateway.address);
        let got = client.send(post("/v1/embeddings", "", ASKED)).answer();
        assert_eq!(got.status, 400, "{kind}: {got:?}");
        assert!(
            got.text().contains("embeddings, which the provider"),
            "{got:?}"
        );
        assert!(upstream.received().is_empty(), "{kind}");
    }
}
