//! `count_streams`: the provider is asked what a stream takes where the client does not ask, and the client does not see it.

use crate::support::client::{Answer, Client, post};
use crate::support::gateway::{Gateway, Io};
use crate::support::upstream::{
    FINISH, ROLE, STREAM_END, STREAM_HEAD, Step, Upstream, delta, event,
};

use super::{counts, policy};

const USAGE: &str = r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"up-small","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12}}"#;

fn body(options: &str) -> String {
    format!(
        r#"{{"model":"any","messages":[{{"role":"user","content":"hi"}}],"stream":true{options}}}"#
    )
}

/// What the client gets of a stream with these events, and what the provider was asked. The tokens are counted.
fn ask(io: Io, kind: &str, options: &str, pieces: &[String]) -> (Answer, String) {
    let mut script = vec![Step::Read];
    script.extend(pieces.iter().map(Step::send));
    script.push(Step::send(STREAM_END));
    let upstream = Upstream::start(vec![script]);
    let text = policy(&[upstream.address], "").replace(
        "kind = openai_compatible",
        &format!("kind = {kind}, count_streams = true"),
    );
    let gateway = Gateway::start(io, "", &text);
    let mut client = Client::connect(gateway.address);
    let answer = client
        .send(post("/v1/chat/completions", "", &body(options)))
        .answer();
    let asked = String::from_utf8(upstream.only().body).unwrap();
    assert!(counts(&gateway, "first.small", [7, 5]), "{kind} {options}");
    (answer, asked)
}

fn stream() -> Vec<String> {
    let one = delta("one");
    let events = [ROLE, &one, FINISH, USAGE, "[DONE]"];
    let mut pieces = vec![STREAM_HEAD.to_owned()];
    pieces.extend(events.into_iter().map(event));
    pieces
}

#[test]
fn a_stream_is_counted_and_its_client_does_not_see_it() {
    // In one piece, and event by event.
    for (io, pieces) in [(Io::Epoll, vec![stream().concat()]), (Io::Ring, stream())] {
        let (answer, asked) = ask(io, "openai_compatible", "", &pieces);
        assert!(
            asked.starts_with(r#"{"stream_options":{"include_usage":true},"#),
            "{asked}"
        );
        let text = answer.text();
        assert!(!text.contains("usage"), "{text}");
        let whole = format!(
            "data: {ROLE}\n\ndata: {}\n\ndata: {FINISH}\n\ndata: [DONE]\n\n",
            delta("one")
        );
        assert_eq!(text, whole, "every other byte is the provider's");
    }
}

#[test]
fn who_asks_gets_what_was_asked_for() {
    let options = r#","stream_options":{"include_usage":true}"#;
    let (answer, asked) = ask(Io::Epoll, "openai_compatible", options, &stream());
    assert_eq!(asked.matches("include_usage").count(), 1, "{asked}");
    assert!(answer.text().contains(USAGE), "{answer:?}");
}

/// Mistral says it in the chunk that ends the answer, and does not know the option: nothing is asked, nothing is hidden.
#[test]
fn who_tells_by_itself_is_not_asked() {
    let finish = FINISH.replace(
        "\"choices\"",
        "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":5,\"total_tokens\":12},\"choices\"",
    );
    let one = delta("one");
    let mut pieces = vec![STREAM_HEAD.to_owned()];
    pieces.extend([ROLE, &one, &finish, "[DONE]"].into_iter().map(event));
    let (answer, asked) = ask(Io::Epoll, "mistral", "", &pieces);
    assert!(!asked.contains("stream_options"), "{asked}");
    assert!(answer.text().contains("\"usage\""), "{answer:?}");
}
