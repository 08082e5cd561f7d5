//! Two attempts at once on real sockets: who answers, whose connection is cut, and what is left behind.

use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::time::Duration;

use rustix::net::AddressFamily;
use rustix::net::SocketType;

use crate::support::Cases;
use crate::support::client::Answer;
use crate::support::client::Client;
use crate::support::client::End;
use crate::support::client::chat;
use crate::support::gateway::Gateway;
use crate::support::gateway::Io;
use crate::support::gateway::eventually;
use crate::support::upstream::FINISH;
use crate::support::upstream::Gate;
use crate::support::upstream::ROLE;
use crate::support::upstream::STREAM_END;
use crate::support::upstream::STREAM_HEAD;
use crate::support::upstream::Step;
use crate::support::upstream::Upstream;
use crate::support::upstream::answer;
use crate::support::upstream::delta;
use crate::support::upstream::event;

use super::healthy;
use super::policy_at;

/// One tier with the first provider; the second one is the hedge. Timers are far away: only the hedge can end a wait
/// within a test's patience.
fn policy(first: &str, second: SocketAddr, max_extra: &str) -> String {
    let bases = [first.to_owned(), format!("http://{second}/v1")];
    policy_at(&bases, "tls = off", "")
        .replace(
            "connect_timeout = 1s, ttft_timeout = 5s, idle_timeout = 5s, deadline = 9s",
            "connect_timeout = 50s, ttft_timeout = 50s, idle_timeout = 50s, deadline = 55s",
        )
        .replace(
            "  tier 2 { second.small }\n",
            &format!("  hedge after 20ms -> second.small {{ max_extra = {max_extra} }}\n"),
        )
}

fn start(io: Io, first: &Upstream, second: &Upstream) -> Gateway {
    let first = format!("http://{}/v1", first.address);
    Gateway::start(io, "", &policy(&first, second.address, "100%"))
}

fn stream(content: &str) -> String {
    [ROLE, &delta(content), FINISH, "[DONE]"]
        .map(event)
        .concat()
        + STREAM_END
}

fn status(gateway: &Gateway) -> serde_json::Value {
    serde_json::from_str(&gateway.page("/status").1).unwrap()
}

/// Failures that the breaker of a target has counted.
fn failures(gateway: &Gateway, target: &str) -> u64 {
    let status = status(gateway);
    let targets = status["targets"].as_array().unwrap();
    let target = targets.iter().find(|one| one["target"] == target).unwrap();
    target["window"]["failures"].as_u64().unwrap()
}

fn counted(gateway: &Gateway, name: &str) -> u64 {
    let value = status(gateway);
    value["requests"][name]
        .as_u64()
        .unwrap_or_else(|| panic!("no `{name}` in {value}"))
}

/// A request is counted a moment after its client has the answer.
fn counts_to(gateway: &Gateway, name: &str, count: u64) -> bool {
    eventually(|| counted(gateway, name) == count)
}

fn assert_from(answer: &Answer, target: &str, content: &str, name: &str) {
    assert_eq!(
        (answer.status, answer.end),
        (200, End::Whole),
        "{name}: {answer:?}"
    );
    assert_eq!(answer.field("x-switchover-target"), Some(target), "{name}");
    assert_eq!(answer.field("x-switchover-attempts"), Some("2"), "{name}");
    assert!(answer.text().contains(content), "{name}: {answer:?}");
}

/// Ways to be slow, and whether the client wants a stream.
fn slow_scripts() -> [(&'static str, bool, Vec<Step>); 4] {
    let silent = || vec![Step::Read, Step::UntilClosed];
    let begun = |bytes: &[u8]| vec![Step::Read, Step::send(bytes), Step::UntilClosed];
    let role = STREAM_HEAD.to_owned() + &event(ROLE);
    let whole = healthy("slow").into_bytes();
    [
        ("no head", true, silent()),
        ("no content", true, begun(role.as_bytes())),
        ("no answer", false, silent()),
        ("half an answer", false, begun(&whole[..90])),
    ]
}

/// The hedge answers; the slow provider sees its connection close; the client's next request goes on as ever.
#[test]
fn a_hedge_answers_for_a_slow_provider() {
    let mut table = Cases::default();
    for io in Io::BOTH {
        for (name, streaming, script) in slow_scripts() {
            let name = format!("{name}, {io:?}");
            table.run(name.clone(), || {
                let good = if streaming {
                    STREAM_HEAD.to_owned() + &stream("quick")
                } else {
                    healthy("quick")
                };
                let first = Upstream::start(vec![script]);
                let second = Upstream::answering(&good);
                let gateway = start(io, &first, &second);
                let ask = |client: &mut Client| {
                    let answer = client.send(chat(streaming)).answer();
                    assert_from(&answer, "second.small", "quick", &name);
                    assert!(first.saw_close(), "{name}");
                };
                assert_nothing_left(&gateway, ask);
                // The hedge's connection was kept.
                let connections = second.received().iter().map(|one| one.connection).max();
                assert_eq!(connections, Some(0), "{name}");
                assert!(counts_to(&gateway, "hedges", 4), "{name}");
                assert!(counts_to(&gateway, "hedges_won", 4), "{name}");
                assert!(counts_to(&gateway, "failovers", 0), "{name}");
            });
        }
    }
    table.finish();
}

/// Asks four times on one connection: no descriptor is left behind.
fn assert_nothing_left(gateway: &Gateway, mut ask: impl FnMut(&mut Client)) {
    let mut client = Client::connect(gateway.address);
    ask(&mut client);
    let open = gateway.descriptors();
    (0..3).for_each(|_| ask(&mut client));
    let settled = eventually(|| gateway.descriptors() <= open);
    assert!(settled, "{open} and now {}", gateway.descriptors());
}

/// The same while the first one has no connection yet: a handshake that hangs, and an address that does not answer.
#[test]
fn a_hedge_answers_while_the_first_one_connects() {
    for io in Io::BOTH {
        let second = Upstream::answering(healthy("quick"));
        let mute = Upstream::start(vec![vec![Step::UntilClosed]]);
        let full = Full::new();
        for (first, handshake) in [(mute.address, true), (full.address, false)] {
            let scheme = if handshake { "https" } else { "http" };
            let text = policy(&format!("{scheme}://{first}/v1"), second.address, "100%");
            let text = if handshake {
                text.replacen("  tls = off\n", "", 1)
            } else {
                text
            };
            let gateway = Gateway::start(io, "", &text);
            assert_nothing_left(&gateway, |client| {
                let answer = client.send(chat(false)).answer();
                assert_from(&answer, "second.small", "quick", scheme);
                assert!(!handshake || mute.saw_close(), "{io:?}");
            });
        }
    }
}

/// Whoever is first wins, also when it is the one that was asked first; the other one's work is cut off.
#[test]
fn the_first_one_may_still_win() {
    for io in Io::BOTH {
        for streaming in [true, false] {
            let (open, gate) = Gate::new();
            let good = if streaming {
                STREAM_HEAD.to_owned() + &stream("after all")
            } else {
                healthy("after all")
            };
            let first =
                Upstream::start(vec![vec![Step::Read, Step::Await(gate), Step::send(good)]]);
            let second = Upstream::start(vec![vec![Step::Read, Step::UntilClosed]]);
            let gateway = start(io, &first, &second);
            let mut client = Client::connect(gateway.address);
            client.send(chat(streaming));
            second.await_request();
            open.send(()).unwrap();
            assert_from(&client.answer(), "first.small", "after all", "first");
            assert!(second.saw_close(), "{io:?}");
            assert!(counts_to(&gateway, "hedges", 1), "{io:?}");
            assert!(counts_to(&gateway, "hedges_won", 0), "{io:?}");
        }
    }
}

/// One of the two fails: the request goes on waiting for the other. Both: the policy is asked.
#[test]
fn a_failure_beside_another_attempt_is_not_seen() {
    let failure = answer("500 Internal Server Error", "", "{}");
    let good = healthy("well");
    let cases = [
        ("the hedge fails", [&good, &failure], Some("first.small")),
        (
            "the first one fails",
            [&failure, &good],
            Some("second.small"),
        ),
        ("both fail", [&failure, &failure], None),
    ];
    let mut table = Cases::default();
    for io in Io::BOTH {
        for (name, says, target) in cases {
            for order in [[0, 1], [1, 0]] {
                let name = format!("{name}, {order:?}, {io:?}");
                table.run(name.clone(), || {
                    let answer = answer_in_order(io, says, order);
                    match target {
                        Some(target) => assert_from(&answer, target, "well", &name),
                        None => assert_eq!(answer.status, 503, "{name}: {answer:?}"),
                    }
                });
            }
        }
    }
    table.finish();
}

/// What the client gets when both providers are asked and say these things, one after the other.
fn answer_in_order(io: Io, says: [&String; 2], order: [usize; 2]) -> Answer {
    let played = says.map(|says| {
        let (open, gate) = Gate::new();
        let script = vec![Step::Read, Step::Await(gate), Step::send(says)];
        (open, Upstream::start(vec![script]))
    });
    let [(_, first), (_, second)] = &played;
    let gateway = start(io, first, second);
    let mut client = Client::connect(gateway.address);
    client.send(chat(false));
    second.await_request();
    for turn in order {
        played[turn].0.send(()).unwrap();
    }
    client.answer()
}

/// Nobody is left to read either answer: both providers must stop.
#[test]
fn a_client_that_leaves_frees_both() {
    for io in Io::BOTH {
        let mute = || Upstream::start(vec![vec![Step::Read, Step::UntilClosed]]);
        let (first, second) = (mute(), mute());
        let gateway = start(io, &first, &second);
        let before = gateway.descriptors();
        let mut client = Client::connect(gateway.address);
        client.send(chat(true));
        second.await_request();
        drop(client);
        assert!(first.saw_close() && second.saw_close(), "{io:?}");
        assert!(eventually(|| gateway.descriptors() <= before), "{io:?}");
        assert!(counts_to(&gateway, "client_gone", 1), "{io:?}");
    }
}

/// Also when one of the two has failed, so that nothing is read from it any more.
#[test]
fn a_client_that_leaves_frees_the_one_that_is_left() {
    let failure = answer("500 Internal Server Error", "", "{}");
    for io in Io::BOTH {
        let (open, gate) = Gate::new();
        let first = Upstream::start(vec![vec![
            Step::Read,
            Step::Await(gate),
            Step::send(&failure),
            Step::UntilClosed,
        ]]);
        let second = Upstream::start(vec![vec![Step::Read, Step::UntilClosed]]);
        let gateway = start(io, &first, &second);
        let mut client = Client::connect(gateway.address);
        client.send(chat(true));
        second.await_request();
        open.send(()).unwrap();
        // The failure has been taken in once it counts.
        let failed = eventually(|| failures(&gateway, "first.small") == 1);
        assert!(failed, "{io:?}");
        drop(client);
        assert!(second.saw_close(), "{io:?}");
    }
}

/// A provider that is always slow is not asked twice for every request.
#[test]
fn hedges_are_bounded() {
    const REQUESTS: u64 = 30;
    for io in Io::BOTH {
        let second = Upstream::answering(healthy("quick"));
        let text = policy("http://127.0.0.1:1/v1", second.address, "10%");
        let slow = "\n  kind = simulated, simulate { ttft = 40ms..40ms, tokens = 1 }\n  model small = \"up-small\"\n}";
        let (before, provider) = text.split_once("provider first {").unwrap();
        let (_, behind) = provider.split_once("\n}").unwrap();
        let text = format!("{before}provider first {{{slow}{behind}");
        let gateway = Gateway::start(io, "", &text);
        let mut client = Client::connect(gateway.address);
        for _ in 0..REQUESTS {
            assert_eq!(client.send(chat(false)).answer().status, 200, "{io:?}");
        }
        let hedges = counted(&gateway, "hedges");
        // One to begin with, and a tenth.
        assert!(
            (1..=1 + REQUESTS / 10).contains(&hedges),
            "{io:?}: {hedges}"
        );
    }
}

/// An address that takes no connection: its queue is full.
struct Full {
    address: SocketAddr,
    _queue: (TcpListener, Vec<TcpStream>),
}

impl Full {
    fn new() -> Self {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        rustix::net::bind(&socket, &any).unwrap();
        rustix::net::listen(&socket, 0).unwrap();
        let listener = TcpListener::from(socket);
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
            waiting.push(stream);
        }
        Self {
            address,
            _queue: (listener, waiting),
        }
    }
}
