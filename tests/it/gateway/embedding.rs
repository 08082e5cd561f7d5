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
    let upstream = Upstream::answering(answer("200 OK", "", "{}"));
    let base = format!("http://{}/v1", upstream.address);
    let gateway = Gateway::start(Io::Epoll, "", &policy(&[("anthropic", base)]));
    let mut client = Client::connect(gateway.address);
    let got = client.send(post("/v1/embeddings", "", ASKED)).answer();
    assert_eq!(got.status, 400, "{got:?}");
    let text = got.text();
    assert!(text.contains("embeddings, which the provider"), "{text}");
    assert!(
        text.contains("in `embeddings`, to be said in `messages`"),
        "{text}"
    );
    assert!(upstream.received().is_empty());
}

/// A policy with a model of Bedrock, whose requests are signed.
fn bedrock(upstream: &Upstream, model: &str) -> String {
    policy(&[("bedrock", format!("http://{}", upstream.address))])
        .replace("bearer(", "sigv4(")
        .replace("\"model-1\"", &format!("\"{model}\""))
}

/// By `InvokeModel`, signed, in the words of whoever made the model.
#[test]
fn models_of_bedrock_are_asked_in_their_own_words() {
    let vectors = "[[0.5,1],[0.25,2]]";
    let two = TOLD.replace("_tokens\":2", "_tokens\":0");
    let one = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":"AACAPwAAAL8="}],"model":"any","usage":{"prompt_tokens":3,"total_tokens":3}}"#;
    for (model, path, asked, sent, answered, told) in [
        (
            "amazon.titan-embed-text-v2:0",
            "amazon.titan-embed-text-v2%3A0",
            r#"{"model":"any","input":["a"],"dimensions":256,"encoding_format":"base64"}"#,
            r#"{"inputText":"a","dimensions":256}"#,
            r#"{"embedding":[1.0,-0.5],"inputTextTokenCount":3,"embeddingsByType":{"float":[1.0,-0.5]}}"#.to_owned(),
            one,
        ),
        (
            "us.cohere.embed-v4:0",
            "us.cohere.embed-v4%3A0",
            r#"{"model":"any","input":["a","b"],"dimensions":512,"input_type":"clustering"}"#,
            r#"{"texts":["a","b"],"input_type":"clustering","embedding_types":["float"],"output_dimension":512,"truncate":"NONE"}"#,
            format!(r#"{{"id":"1","embeddings":{{"float":{vectors}}},"response_type":"embeddings_by_type","texts":["a","b"]}}"#),
            &two,
        ),
        (
            "cohere.embed-english-v3",
            "cohere.embed-english-v3",
            ASKED,
            r#"{"texts":["a","b"],"input_type":"search_document","embedding_types":["float"],"truncate":"NONE"}"#,
            format!(r#"{{"id":"1","embeddings":{vectors},"response_type":"embeddings_floats","texts":["a","b"]}}"#),
            &two,
        ),
    ] {
        let upstream = Upstream::answering(answer("200 OK", "", &answered));
        let gateway = Gateway::start(Io::Epoll, "", &bedrock(&upstream, model));
        let mut client = Client::connect(gateway.address);
        let got = client.send(post("/v1/embeddings", "", asked)).answer();
        assert_eq!((got.status, got.text().as_str()), (200, told), "{model}");
        let received = upstream.only();
        let line = format!("POST /model/{path}/invoke HTTP/1.1\r\n");
        assert!(received.head.starts_with(&line), "{received:?}");
        let proof = received.field("authorization").unwrap_or_default();
        assert!(proof.starts_with("AWS4-HMAC-SHA256 Credential="), "{received:?}");
        assert_eq!(String::from_utf8(received.body).unwrap(), sent);
    }
}

#[test]
fn what_a_model_of_bedrock_does_not_take_is_refused_by_name() {
    let sized = r#"{"model":"any","input":"a","dimensions":256}"#;
    for (model, asked, words) in [
        (
            "amazon.titan-embed-text-v2:0",
            ASKED,
            "`input` has 2 texts, and Amazon Titan",
        ),
        (
            "amazon.titan-embed-text-v1",
            sized,
            "`dimensions` cannot be chosen of `amazon.titan-embed-text-v1`",
        ),
        (
            "cohere.embed-multilingual-v3",
            sized,
            "`dimensions` cannot be chosen of `cohere.embed-multilingual-v3`",
        ),
        (
            "amazon.nova-lite-v1:0",
            ASKED,
            "`model` is `amazon.nova-lite-v1:0` at Bedrock",
        ),
    ] {
        let upstream = Upstream::answering(answer("200 OK", "", "{}"));
        let gateway = Gateway::start(Io::Epoll, "", &bedrock(&upstream, model));
        let mut client = Client::connect(gateway.address);
        let got = client.send(post("/v1/embeddings", "", asked)).answer();
        assert_eq!(got.status, 400, "{model}: {got:?}");
        assert!(got.text().contains(words), "{}", got.text());
        assert!(upstream.received().is_empty(), "{model}");
    }
}
