//! `mid_stream = continue`: a stream that breaks after its first content is gone on with by another target, and the
//! client sees one answer.

use std::io::Cursor;
use std::sync::mpsc::Sender;

use crate::support::Cases;
use crate::support::client::Answer;
use crate::support::client::Client;
use crate::support::client::End;
use crate::support::client::post;
use crate::support::gateway::Gateway;
use crate::support::gateway::Io;
use crate::support::upstream::FINISH;
use crate::support::upstream::Gate;
use crate::support::upstream::ROLE;
use crate::support::upstream::STREAM_END;
use crate::support::upstream::STREAM_HEAD;
use crate::support::upstream::Script;
use crate::support::upstream::Step;
use crate::support::upstream::Upstream;
use crate::support::upstream::delta;
use crate::support::upstream::event;

use super::policy;

const ASK: &str = r#"{"model":"any","messages":[{"role":"user","content":"hi"}],"stream":true}"#;
const ROLE_AND_TEXT: &str = r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":" three"},"finish_reason":null}]}"#;
const ERROR: &str = r#"{"error":{"message":"no","type":"server_error","code":null}}"#;

/// A stream of these events that breaks as `end` says.
fn stream(events: &[&str], end: Vec<Step>) -> Script {
    let events: String = events.iter().map(|data| event(data)).collect();
    let mut script = vec![Step::Read, Step::send(format!("{STREAM_HEAD}{events}"))];
    script.extend(end);
    script
}

fn whole(events: &[&str]) -> Script {
    let mut all = events.to_vec();
    all.extend([FINISH, "[DONE]"]);
    stream(&all, vec![Step::send(STREAM_END)])
}

/// A stream of these events that is reset when the gate opens.
fn cut(events: &[&str]) -> (Sender<()>, Script) {
    let (gate, wait) = Gate::new();
    (gate, stream(events, vec![Step::Await(wait), Step::Reset]))
}

/// What the client gets of `ask`, and what each upstream was sent.
fn ask(
    io: Io,
    ask: &str,
    gates: &[Sender<()>],
    scripts: Vec<Script>,
) -> (Answer, Vec<Vec<String>>) {
    let upstreams: Vec<_> = scripts
        .into_iter()
        .map(|script| Upstream::start(vec![script]))
        .collect();
    let addresses: Vec<_> = upstreams.iter().map(|up| up.address).collect();
    let text = policy(&addresses, "mid_stream = continue, idle_timeout = 100ms")
        .replace("idle_timeout = 5s,", "")
        .replace("openai_compatible", "vllm");
    let gateway = Gateway::start(io, "", &text);
    let mut client = Client::connect(gateway.address);
    client.send(post("/v1/chat/completions", "connection: close\r\n", ask));
    // The first content is the client's before anything breaks.
    let mut bytes = client.until(b"one");
    for gate in gates {
        gate.send(()).unwrap();
    }
    bytes.extend(client.until_end());
    let answer = Client::over(Cursor::new(bytes)).answer();
    let sent = upstreams.iter().map(|up| {
        let received = up.received().into_iter();
        received
            .map(|one| String::from_utf8(one.body).unwrap())
            .collect()
    });
    (answer, sent.collect())
}

/// The text of the deltas.
fn text(answer: &Answer) -> String {
    let body = answer.text();
    let events = body
        .split("\n\n")
        .filter_map(|event| event.strip_prefix("data: {"));
    let parts = events.map(|event| {
        let chunk: serde_json::Value = serde_json::from_str(&format!("{{{event}")).unwrap();
        let text = chunk["choices"][0]["delta"]["content"].as_str();
        text.unwrap_or_default().to_owned()
    });
    parts.collect()
}

#[test]
fn another_target_goes_on_where_one_broke_off() {
    let (one, two) = (delta("one"), delta(r#" \"two\""#));
    let head = [ROLE, &one, &two];
    let breaks: [(&str, &[&str], Vec<Step>); 5] = [
        ("cut", &head, vec![Step::Reset]),
        ("ended early", &head, vec![Step::send(STREAM_END)]),
        ("silent", &head, vec![Step::UntilClosed]),
        (
            "error event",
            &head,
            vec![Step::send(event(ERROR)), Step::UntilClosed],
        ),
        (
            "pings only",
            &[ROLE, &one, &two, ROLE, "{}"],
            vec![Step::UntilClosed],
        ),
    ];
    let mut cases = Cases::default();
    for io in Io::BOTH {
        for (name, events, end) in &breaks {
            cases.run(format!("{name}, {io:?}"), || {
                let (gate, wait) = Gate::new();
                let end = [&[Step::Await(wait)], end.as_slice()].concat();
                let (gates, broken) = ([gate], stream(events, end));
                let rest = whole(&[ROLE, ROLE_AND_TEXT, &delta(" four")]);
                let (answer, sent) = ask(io, ASK, &gates, vec![broken, rest]);
                assert_eq!((answer.status, answer.end), (200, End::Whole), "{answer:?}");
                assert_eq!(text(&answer), "one \"two\" three four", "{answer:?}");
                let body = answer.text();
                assert_eq!(body.matches("data: [DONE]").count(), 1, "{body}");
                assert_eq!(
                    body.matches(r#""finish_reason":"stop""#).count(),
                    1,
                    "{body}"
                );
                assert!(!body.contains("error"), "{body}");
                let roles = body.matches(r#""role""#).count();
                assert_eq!(roles, if *name == "pings only" { 2 } else { 1 }, "{body}");
                let [first, second] = [&sent[0], &sent[1]].map(|sent| sent[0].clone());
                assert!(!first.contains("assistant"), "{first}");
                let asked: serde_json::Value = serde_json::from_str(&second).unwrap();
                assert_eq!(asked["messages"][1]["role"], "assistant");
                assert_eq!(asked["messages"][1]["content"], "one \"two\"");
                assert_eq!(asked["continue_final_message"], true);
                assert_eq!(asked["add_generation_prompt"], false);
                assert_eq!(asked["model"], "up-small");
            });
        }
    }
    cases.finish();
}

#[test]
fn one_after_another_goes_on() {
    let (one, two, three) = (delta("one"), delta(" two"), delta(" three"));
    let refused = vec![
        Step::Read,
        Step::send("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"),
    ];
    // The second answers in one piece, which does not fit; or refuses; or breaks as well.
    let wholly = vec![Step::Read, Step::send(super::healthy("whole"))];
    for (second, wanted) in [
        (refused, "one three"),
        (wholly, "one three"),
        (
            stream(&[ROLE, &two], vec![Step::UntilClosed]),
            "one two three",
        ),
    ] {
        let (gate, first) = cut(&[ROLE, &one]);
        let (answer, sent) = ask(
            Io::Epoll,
            ASK,
            &[gate],
            vec![first, second, whole(&[ROLE, &three])],
        );
        assert_eq!(answer.end, End::Whole, "{answer:?}");
        assert_eq!(text(&answer), wanted);
        let kept = wanted.strip_suffix(" three").unwrap();
        assert!(
            sent[2][0].contains(&format!(r#""content":"{kept}""#)),
            "{sent:?}"
        );
    }
}

/// The request that goes on is freed of what others left in it, as any other that passes, and each part of the answer counts
/// for whoever gave it.
#[test]
fn what_goes_on_is_worded_and_counted_as_what_began() {
    let body = r#"{"model":"any","messages":[{"role":"user","content":"hi"},
        {"role":"assistant","content":"ho","reasoning_content":"hm"},
        {"role":"user","content":"and?"}],"stream":true}"#;
    // Some say it with each piece.
    let one = delta("one").replace(
        "\"choices\"",
        "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":1,\"total_tokens\":8},\"choices\"",
    );
    let counts =
        r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#;
    let (gate, wait) = Gate::new();
    let first = Upstream::start(vec![stream(
        &[ROLE, &one],
        vec![Step::Await(wait), Step::Reset],
    )]);
    let rest = [ROLE, &delta(" two"), FINISH, counts, "[DONE]"];
    let second = Upstream::start(vec![stream(&rest, vec![Step::send(STREAM_END)])]);
    let text = policy(&[first.address, second.address], "mid_stream = continue");
    let text =
        text.replacen("openai_compatible", "vllm", 1)
            .replacen("openai_compatible", "groq", 1);
    let gateway = Gateway::start(Io::Epoll, "", &text);
    let mut client = Client::connect(gateway.address);
    client.send(post("/v1/chat/completions", "connection: close\r\n", body));
    let mut bytes = client.until(b"one");
    gate.send(()).unwrap();
    bytes.extend(client.until_end());
    let answer = Client::over(Cursor::new(bytes)).answer();
    assert_eq!(self::text(&answer), "one two", "{answer:?}");
    let [before, after] =
        [first.only(), second.only()].map(|one| String::from_utf8(one.body).unwrap());
    assert!(
        before.contains("reasoning_content"),
        "vLLM takes it: {before}"
    );
    assert!(
        !after.contains("reasoning_content"),
        "Groq does not: {after}"
    );
    assert!(super::counts(&gateway, "first.small", [7, 1]));
    assert!(super::counts(&gateway, "second.small", [9, 2]));
}

#[test]
fn what_cannot_be_gone_on_with_ends_with_the_error_that_it_had() {
    let one = delta("one");
    let tool = r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}}]}"#;
    let form = ASK.replace(
        "\"stream\"",
        "\"response_format\":{\"type\":\"json_object\"},\"stream\"",
    );
    let several = ASK.replace("\"stream\"", "\"n\":2,\"stream\"");
    let text: &[&str] = &[ROLE, &one];
    let again = stream(&[ROLE], vec![Step::Reset]);
    for (name, request, events, second, asked) in [
        ("a tool call", ASK, &[ROLE, &one, tool][..], whole(text), 1),
        ("a form", &form, text, whole(text), 1),
        ("several choices", &several, text, whole(text), 1),
        ("nobody is left", ASK, text, again, 2),
    ] {
        let (gate, first) = cut(events);
        let (answer, sent) = ask(Io::Epoll, request, &[gate], vec![first, second]);
        assert_eq!(
            (answer.status, answer.end),
            (200, End::Cut),
            "{name}: {answer:?}"
        );
        let body = answer.text();
        assert!(
            body.ends_with("\n\n") && body.contains("upstream_aborted"),
            "{name}: {body}"
        );
        assert_eq!(body.matches("\"error\"").count(), 1, "{name}: {body}");
        assert!(!body.contains("[DONE]"), "{name}: {body}");
        assert_eq!(sent.iter().map(Vec::len).sum::<usize>(), asked, "{name}");
    }
}
