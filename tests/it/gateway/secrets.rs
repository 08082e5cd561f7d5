//! What must not leave the gateway: keys of clients and of providers, and what people say to models.

use crate::support::client::CLIENT_KEY;
use crate::support::client::Client;
use crate::support::client::post;
use crate::support::gateway::Gateway;
use crate::support::gateway::Io;
use crate::support::gateway::UPSTREAM_KEY;
use crate::support::upstream::Step;
use crate::support::upstream::Upstream;
use crate::support::upstream::answer;

use super::healthy;
use super::policy;

/// The forms in which a key could be seen: as it is, as a URL and as base64 write it, and its tell-tale ends.
const KEY_FORMS: &[&str] = &[
    CLIENT_KEY,
    UPSTREAM_KEY,
    "sk%2Dclient%2Dcanary",
    "sk%2Dupstream%2Dcanary",
    "c2stY2xpZW50LWNhbmFye",
    "c2stdXBzdHJlYW0tY2FuYXJ5",
];

/// Providers repeat keys in their errors, and faults end up in logs: neither may tell what it must not.
#[test]
fn nothing_confidential_is_told() {
    let echo = format!(
        r#"{{"error":{{"message":"Incorrect API key provided: {UPSTREAM_KEY}","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}}}"#
    );
    let bad = format!(
        r#"{{"error":{{"message":"bad value, sent with Bearer {UPSTREAM_KEY}","type":"invalid_request_error","param":"x","code":"bad"}}}}"#
    );
    for io in Io::BOTH {
        let upstream = Upstream::start(vec![
            vec![Step::Read, Step::send(healthy("answer-canary"))],
            vec![
                Step::Read,
                Step::send(answer("401 Unauthorized", "", &echo)),
            ],
            vec![Step::Read, Step::send(answer("400 Bad Request", "", &bad))],
            vec![Step::Read, Step::Reset],
        ]);
        let policy = policy(&[upstream.address], "").replace("else -> reject(503)", "else -> stop");
        let gateway = Gateway::start(io, "", &policy);
        let body = r#"{"model":"small","messages":[{"role":"user","content":"prompt-canary"}]}"#;
        for _ in 0..4 {
            let request = post("/v1/chat/completions", "connection: close\r\n", body);
            let answer = Client::connect(gateway.address).send(request).until_end();
            assert_silent("an answer", &answer, KEY_FORMS);
        }
        for path in [
            "/",
            "/healthz",
            "/status",
            "/metrics",
            "/policy",
            "/requests",
            "/no/such/path",
        ] {
            let ask = format!("GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n");
            let page = Client::connect(gateway.admin).send(ask).until_end();
            assert!(page.starts_with(b"HTTP/1.1 "), "{path}, {io:?}");
            assert_silent(path, &page, KEY_FORMS);
            assert_silent(path, &page, &["prompt-canary", "answer-canary"]);
        }
        let log = gateway.log();
        assert_silent("the log", log.as_bytes(), KEY_FORMS);
        assert_silent(
            "the log",
            log.as_bytes(),
            &["prompt-canary", "answer-canary"],
        );
    }
}

fn assert_silent(place: &str, bytes: &[u8], words: &[&str]) {
    let text = String::from_utf8_lossy(bytes);
    for word in words {
        assert!(!text.contains(word), "`{word}` in {place}: {text}");
    }
}
