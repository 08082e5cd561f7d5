//! The rig against itself, with no gateway between: a client that could not see a cut would prove nothing.

use crate::support::client::Answer;
use crate::support::client::Client;
use crate::support::client::End;
use crate::support::client::chat;
use crate::support::client::chat_body;
use crate::support::tls::Authority;
use crate::support::upstream::Gate;
use crate::support::upstream::STREAM_END;
use crate::support::upstream::STREAM_HEAD;
use crate::support::upstream::Step;
use crate::support::upstream::Upstream;
use crate::support::upstream::completion;
use crate::support::upstream::delta;
use crate::support::upstream::event;

use super::healthy;

fn answer(steps: &[Step]) -> Answer {
    let upstream = Upstream::start(vec![[&[Step::Read], steps].concat()]);
    Client::connect(upstream.address).send(chat(false)).answer()
}

#[test]
fn the_client_tells_whole_from_cut() {
    let stream = format!("{STREAM_HEAD}{}", event(&delta("one")));
    let text = format!("data: {}\n\n", delta("one"));
    let cases = [
        (healthy("well"), completion("well"), End::Whole),
        (format!("{stream}{STREAM_END}"), text.clone(), End::Whole),
        (stream, text, End::Cut),
        (
            "HTTP/1.1 200 OK\r\n\r\nto the end".to_owned(),
            "to the end".to_owned(),
            End::Whole,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart".to_owned(),
            "part".to_owned(),
            End::Cut,
        ),
        (
            format!("{STREAM_HEAD}9\r\npart"),
            "part".to_owned(),
            End::Cut,
        ),
    ];
    for (bytes, text, end) in cases {
        let answer = answer(&[Step::send(&bytes)]);
        assert_eq!((answer.text(), answer.end), (text, end), "{bytes:?}");
    }
    let part = Step::send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart");
    assert_eq!(answer(&[part, Step::Reset]).end, End::Cut);
}

#[test]
fn the_upstream_keeps_what_it_reads() {
    let upstream = Upstream::answering(healthy("well"));
    let mut client = Client::connect(upstream.address);
    let body = chat_body(false);
    let head = "POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    client.send(format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len()));
    assert_eq!(client.answer().status, 200);
    let received = upstream.only();
    assert_eq!(received.field("HOST"), Some("a"));
    assert_eq!(String::from_utf8(received.body).unwrap(), body);
}

#[test]
fn gates_hold_a_script_back() {
    let (open, gate) = Gate::new();
    let upstream = Upstream::start(vec![vec![
        Step::send("one "),
        Step::Await(gate),
        Step::send("two "),
        Step::UntilClosed,
    ]]);
    let mut client = Client::connect(upstream.address);
    assert_eq!(client.until(b" "), b"one ");
    open.send(()).unwrap();
    assert_eq!(client.until(b" "), b"two ");
    drop(client);
    assert!(upstream.saw_close());
}

#[test]
fn both_ends_speak_tls() {
    let authority = Authority::new();
    let script = vec![Step::Read, Step::send(healthy("well"))];
    let upstream = Upstream::start_tls(vec![script], authority.server());
    let mut client = Client::over(authority.connect(upstream.address));
    assert_eq!(client.send(chat(false)).answer().text(), completion("well"));
}
