//! The client against servers that err on purpose: only a whole and right answer counts.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::thread;

use super::{Answer, Ask, Client, Expect, Failure, Load, Profile};
use crate::base::Span;

const COMPLETION: &str = r#"{"object":"chat.completion","choices":[{"message":{"content":"Hello"},"finish_reason":"stop"}]}"#;
const EVENTS: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"Hello\"},\"finish_reason\":null}]}\n\n\
                      data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
                      data: [DONE]\n\n";

/// Serves each connection with the next of `scripts`: for each request one answer, then the end.
fn serve(scripts: Vec<Vec<String>>) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = Client::new(listener.local_addr().unwrap(), Span::from_secs(10));
    thread::spawn(move || {
        for script in scripts {
            let (mut stream, _) = listener.accept().unwrap();
            for answer in script {
                let mut request = Vec::new();
                while !request.ends_with(b"{}") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    request.extend(byte);
                }
                stream.write_all(answer.as_bytes()).unwrap();
            }
            stream.shutdown(Shutdown::Write).unwrap();
        }
    });
    client
}

fn ask(client: &mut Client, expect: Expect) -> Result<Answer, Failure> {
    client.ask(&Ask {
        path: "/v1/chat/completions",
        body: b"{}",
        expect,
    })
}

fn once(answer: &str, expect: Expect) -> Result<Answer, Failure> {
    ask(&mut serve(vec![vec![answer.to_owned()]]), expect)
}

fn whole(status: u16, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} Reason\r\ncontent-type: application/json\r\nx-switchover-target: a.b\r\n\
         x-switchover-attempts: 2\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn chunked(body: &str) -> String {
    let (first, second) = body.split_at(body.len() / 2);
    let chunk = |part: &str| format!("{:x}\r\n{part}\r\n", part.len());
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n{}{}0\r\n\r\n",
        chunk(first),
        chunk(second)
    )
}

#[test]
fn right_answers_count_and_keep_the_connection() {
    let script = vec![
        format!("HTTP/1.1 103 Early Hints\r\n\r\n{}", whole(200, COMPLETION)),
        chunked(EVENTS),
        whole(200, COMPLETION),
    ];
    // One connection only: a client that opened a second one would wait for it in vain.
    let mut client = serve(vec![script]);
    let answer = ask(&mut client, Expect::Completion).unwrap();
    assert_eq!((&*answer.target, answer.attempts), ("a.b", 2));
    assert_eq!(answer.bytes, COMPLETION.len());
    let answer = ask(&mut client, Expect::Stream).unwrap();
    assert_eq!((&*answer.target, answer.attempts), ("", 0));
    ask(&mut client, Expect::Completion).unwrap();
}

#[test]
fn a_connection_that_was_closed_meanwhile_is_not_used() {
    let mut client = serve(vec![
        vec![whole(200, COMPLETION)],
        vec![whole(200, COMPLETION)],
    ]);
    ask(&mut client, Expect::Completion).unwrap();
    let kept = client.connection.as_ref().unwrap();
    // Returns when the end has arrived.
    assert_eq!(kept.stream.peek(&mut [0]).unwrap(), 0);
    ask(&mut client, Expect::Completion).unwrap();
}

#[test]
fn answers_that_are_not_whole_are_failures() {
    let cut = |text: &str| text.strip_suffix("}]}").unwrap().to_owned();
    let cases = [
        (String::new(), Failure::Cut),
        (cut(&whole(200, COMPLETION)), Failure::Cut),
        (
            whole(200, COMPLETION) + "x",
            Failure::Malformed("bytes follow the answer"),
        ),
        (
            "HTTP/1.1 200 OK\ncontent-length: 0\n\n".to_owned(),
            Failure::Malformed("a line of the head ends in LF without CR"),
        ),
        (
            whole(503, "{\"error\":{}}"),
            Failure::Status(503, "{\"error\":{}}".into()),
        ),
    ];
    for (answer, want) in cases {
        assert_eq!(once(&answer, Expect::Completion), Err(want), "{answer:?}");
    }
    let stream = chunked(EVENTS);
    for end in 1..stream.len() {
        let (answer, _) = stream.split_at(end);
        assert_eq!(
            once(answer, Expect::Stream),
            Err(Failure::Cut),
            "{answer:?}"
        );
    }
}

#[test]
fn whole_answers_that_are_not_right_are_failures() {
    let wrong = |body: &str| once(&whole(200, body), Expect::Completion);
    let wrong_stream = |body: &str| once(&chunked(body), Expect::Stream);
    let done = "data: [DONE]\n\n";
    let cases = [
        (wrong("{"), "it is not JSON"),
        (wrong("{\"error\":{}}"), "it is an error"),
        (wrong("{}"), "it is not a chat completion"),
        (wrong(&COMPLETION.replace("Hello", "")), "it has no content"),
        (
            wrong(&COMPLETION.replace("\"stop\"", "null")),
            "it does not say why it ended",
        ),
        (
            once(&whole(200, EVENTS), Expect::Stream),
            "the content type is not what was asked for",
        ),
        (
            wrong_stream(&EVENTS.replace(done, "")),
            "the stream ended without `[DONE]`",
        ),
        (
            wrong_stream(&(EVENTS.to_owned() + EVENTS)),
            "events follow `[DONE]`",
        ),
        (
            wrong_stream(&EVENTS.replace(done, "data: [DONE]\n")),
            "the last event is not complete",
        ),
        (
            wrong_stream(&EVENTS.replace("data: [DONE]", "data: {\"error\":{}}\n\ndata: [DONE]")),
            "it is an error",
        ),
        (
            wrong_stream(&EVENTS.replace("Hello", "")),
            "it has no content",
        ),
        (
            wrong_stream(&EVENTS.replace("\"stop\"", "null")),
            "it does not say why it ended",
        ),
    ];
    for (result, want) in cases {
        assert_eq!(result, Err(Failure::Wrong(want)));
    }
}

#[test]
fn nobody_there_is_a_failure() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut client = Client::new(free, Span::from_secs(10));
    let failure = ask(&mut client, Expect::Completion).unwrap_err();
    assert!(matches!(failure, Failure::Unreachable(_)), "{failure}");
    assert!(
        failure.to_string().starts_with("no connection: "),
        "{failure}"
    );
}

#[test]
fn silence_ends_with_the_patience() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = Client::new(listener.local_addr().unwrap(), Span::from_millis(30));
    assert_eq!(ask(&mut client, Expect::Completion), Err(Failure::TooLate));
}

#[test]
fn load_gives_a_sample_for_each_request_and_ends() {
    // Nobody listens: each request fails at once.
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let load = Load::start(Profile {
        address: free,
        rate: 100,
        patience: Span::from_secs(10),
        models: vec!["m".into()],
    });
    let mut samples = Vec::new();
    while samples.len() < 10 {
        samples.extend(load.samples());
        thread::yield_now();
    }
    load.stop();
    while !load.is_done() {
        thread::yield_now();
    }
    assert!(samples.iter().all(|sample| sample.ended >= sample.due));
    samples.sort_by_key(|sample| sample.due);
    let gaps = samples
        .windows(2)
        .map(|pair| pair[1].due.since(pair[0].due));
    assert!(
        gaps.into_iter().all(|gap| gap >= Span::from_millis(10)),
        "{samples:?}"
    );
}
