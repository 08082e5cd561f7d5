//! Secrets, certificates and authorities that change in their files: used without an order, and without a request that
//! notices.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::client::Client;
use crate::support::client::chat;
use crate::support::gateway::Folder;
use crate::support::gateway::Gateway;
use crate::support::gateway::Io;
use crate::support::gateway::eventually;
use crate::support::tls::Authority;
use crate::support::upstream::FINISH;
use crate::support::upstream::Gate;
use crate::support::upstream::STREAM_END;
use crate::support::upstream::STREAM_HEAD;
use crate::support::upstream::Step;
use crate::support::upstream::Upstream;
use crate::support::upstream::answer;
use crate::support::upstream::delta;
use crate::support::upstream::event;

use super::healthy;
use super::policy;
use super::policy_at;

const OLD: &str = "sk-rotated-canary-old";
const NEW: &str = "sk-rotated-canary-new";

/// Another file takes this one's place in one step, as whoever rotates secrets should do it.
fn replace(folder: &Folder, name: &str, text: &str) {
    let fresh = folder.write("fresh", text);
    fs::rename(fresh, folder.path().join(name)).unwrap();
}

/// A gateway whose one provider has its key in the file `key` of the folder.
fn start(io: Io, upstream: &Upstream) -> (Gateway, Folder) {
    let folder = Folder::new();
    let key = folder.write("key", &format!("{OLD}\n"));
    let secret = format!("file(\"{}\")", key.display());
    let policy = policy(&[upstream.address], "").replace("env(\"UPSTREAM_KEY\")", &secret);
    (Gateway::start(io, "", &policy), folder)
}

fn status(gateway: &Gateway) -> Value {
    serde_json::from_str(&gateway.page("/status").1).unwrap()
}

/// The keys that the provider saw, in order.
fn seen(upstream: &Upstream) -> Vec<String> {
    let received = upstream.received();
    let key = |at: &crate::support::upstream::Received| {
        let field = at.field("authorization").unwrap();
        field.strip_prefix("Bearer ").unwrap().to_owned()
    };
    received.iter().map(key).collect()
}

/// A stream that began with the old key ends under it, a key that was refused is another one now, and nobody restarts
/// anything.
#[test]
fn a_rotated_key_is_used_and_the_old_ones_rest_is_over() {
    for io in Io::BOTH {
        let (open, gate) = Gate::new();
        let begin = format!("{STREAM_HEAD}{}", event(&delta("one")));
        let end = format!("{}{}{STREAM_END}", event(&delta("two")), event(FINISH));
        let body = r#"{"error":{"message":"no","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#;
        let upstream = Upstream::start(vec![
            vec![
                Step::Read,
                Step::send(begin),
                Step::Await(gate),
                Step::send(end),
            ],
            vec![Step::Read, Step::send(answer("401 Unauthorized", "", body))],
            vec![Step::Read, Step::send(healthy("well"))],
        ]);
        let (gateway, folder) = start(io, &upstream);
        let mut streaming = Client::connect(gateway.address);
        streaming.send(chat(true));
        streaming.until(b"one");
        assert_eq!(
            Client::connect(gateway.address)
                .send(chat(false))
                .answer()
                .status,
            503
        );
        assert_eq!(status(&gateway)["keys"][0]["state"], "out");

        replace(&folder, "key", NEW);
        assert!(eventually(|| status(&gateway)["generation"] == 2), "{io:?}");
        let now = status(&gateway);
        assert_eq!(now["keys"][0]["state"], "well", "{now}");
        assert_eq!(now["older_generations"], serde_json::json!([1]));
        let answer = Client::connect(gateway.address).send(chat(false)).answer();
        assert_eq!(answer.status, 200, "{io:?}: {answer:?}");
        assert_eq!(seen(&upstream), [OLD, OLD, NEW]);
        open.send(()).unwrap();
        assert!(String::from_utf8_lossy(&streaming.until(b"0\r\n\r\n")).contains("two"));

        let log = gateway.log();
        assert!(
            log.contains("provider first: key 0 (file(")
                && log.contains("was replaced, generation 2"),
            "{log}"
        );
        for text in [log, now.to_string(), gateway.page("/metrics").1] {
            assert!(!text.contains("sk-rotated"), "{text}");
        }
    }
}

#[test]
fn a_file_that_is_no_secret_changes_nothing() {
    let upstream = Upstream::answering(healthy("well"));
    let (gateway, folder) = start(Io::Epoll, &upstream);
    let refused = |part: &str| {
        eventually(|| {
            let why = &status(&gateway)["refused_reload"]["why"];
            why.as_str().is_some_and(|why| why.contains(part))
        })
    };
    let served = || {
        Client::connect(gateway.address)
            .send(chat(false))
            .answer()
            .status
    };
    replace(&folder, "key", "\n");
    assert!(refused("is empty"));
    assert_eq!(served(), 200);
    fs::remove_file(folder.path().join("key")).unwrap();
    assert!(refused("No such file"));
    assert_eq!(served(), 200);
    assert_eq!(seen(&upstream), [OLD, OLD]);
    assert!(gateway.log().contains("what was there before is kept"));
    assert!(
        gateway
            .page("/metrics")
            .1
            .contains("switchover_reloads_refused_total 2\n")
    );
    replace(&folder, "key", NEW);
    assert!(eventually(|| status(&gateway)["generation"] == 2));
    assert_eq!(served(), 200);
    assert_eq!(seen(&upstream), [OLD, OLD, NEW]);
}

/// Kubernetes mounts a folder whose entries are links through another link, which it turns to a new folder.
#[test]
fn a_link_that_is_turned_is_a_rotation() {
    let upstream = Upstream::answering(healthy("well"));
    let folder = Folder::new();
    let version = |name: &str, key: &str| {
        fs::create_dir(folder.path().join(name)).unwrap();
        folder.write(&format!("{name}/key"), key);
    };
    let link = |to: &str, name: &str| {
        let fresh = folder.path().join("fresh-link");
        std::os::unix::fs::symlink(Path::new(to), &fresh).unwrap();
        fs::rename(fresh, folder.path().join(name)).unwrap();
    };
    version("..1", OLD);
    version("..2", NEW);
    link("..1", "..data");
    link("..data/key", "key");
    let secret = format!("file(\"{}\")", folder.path().join("key").display());
    let policy = policy(&[upstream.address], "").replace("env(\"UPSTREAM_KEY\")", &secret);
    let gateway = Gateway::start(Io::Epoll, "", &policy);
    link("..2", "..data");
    assert!(eventually(|| status(&gateway)["generation"] == 2));
    Client::connect(gateway.address).send(chat(false)).answer();
    assert_eq!(seen(&upstream), [NEW]);
}

/// Both ends of TLS: the certificate that clients see, and the authorities that providers are checked against.
#[test]
fn certificates_and_authorities_rotate() {
    let (old, new) = (Authority::new(), Authority::new());
    let upstream = Upstream::start_tls(
        vec![vec![Step::Read, Step::send(healthy("well"))]],
        new.server(),
    );
    let folder = Folder::new();
    let copy = |authority: &Authority, name: &str| {
        replace(
            &folder,
            name,
            &fs::read_to_string(authority.file(name)).unwrap(),
        );
    };
    for name in ["ca.pem", "cert.pem", "key.pem"] {
        copy(&old, name);
    }
    let path = |name: &str| folder.path().join(name).display().to_string();
    let server = format!(
        "tls {{ cert = file(\"{}\"), key = file(\"{}\") }}",
        path("cert.pem"),
        path("key.pem")
    );
    let base = format!("https://localhost:{}/v1", upstream.address.port());
    let ca = format!("tls {{ ca = file(\"{}\") }}", path("ca.pem"));
    let gateway = Gateway::start(Io::Epoll, &server, &policy_at(&[base], &ca, ""));
    let ask = |authority: &Authority| {
        Client::over(authority.connect(gateway.address))
            .send(chat(false))
            .answer()
            .status
    };
    // Its provider proves itself by the new authority, which is not trusted yet.
    assert_eq!(ask(&old), 503);
    copy(&new, "ca.pem");
    assert!(eventually(|| gateway.log().contains(
        "provider first: its certificate authorities were replaced"
    )));
    assert_eq!(ask(&old), 200);
    // A certificate without its key is no pair: the old one stays until the key is there.
    copy(&new, "cert.pem");
    assert!(eventually(
        || status(&gateway)["refused_reload"]["why"].is_string()
    ));
    assert_eq!(ask(&old), 200);
    copy(&new, "key.pem");
    assert!(eventually(|| gateway
        .log()
        .contains("the certificate that clients see was replaced")));
    assert_eq!(ask(&new), 200);
}
