//! The whole request path without I/O: a 1.5 KB chat request in, a 589-byte answer out; and one event of a stream.
//!
//! What is measured is everything between the bytes of one socket and the bytes of the other: heads, JSON scan, policy,
//! breaker, pick, rewriting, judging the answer, the record.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};

use switchover::base::{Moment, RequestId, Secret, Span};
use switchover::engine::{Board, Core};
use switchover::exchange::{Action, Context, Exchange, Input, Outlet, Outlets, Reused, Scratch};
use switchover::ops::{Counters, Journal};
use switchover::policy::model::AuthStyle;
use switchover::policy::{Plan, WallTime, load};

/// A gateway core without sockets.
struct Desk {
    plan: Plan,
    outlets: Outlets,
    core: Core,
    scratch: Scratch,
    journal: Journal,
    requests: u128,
    now: Moment,
}

impl Desk {
    fn new() -> Self {
        let source = [("bench.policy", include_str!("bench.policy"))];
        let (policy, _) = load(&source, "bench.policy", &[]).expect("the policy is sound");
        let outlets = policy.providers.iter().map(|provider| {
            let key = Secret::new(b"sk-provider-000000000000000000000000000000".to_vec());
            Outlet::new(provider, Some((AuthStyle::Bearer, key)))
        });
        let outlets = Outlets::new(outlets.collect());
        let plan = Plan::new(policy).expect("the policy is simple");
        let board = Arc::new(Board::new(&plan, 1));
        let counters = Arc::new(Counters::new(1, plan.policy.targets.len()));
        Self {
            core: Core::new(board, &plan, 0),
            journal: Journal::new(counters, 0),
            plan,
            outlets,
            scratch: Scratch::default(),
            requests: 0,
            now: Moment::START + Span::from_secs(1),
        }
    }

    fn handle(&mut self, exchange: &mut Exchange, input: Input) {
        self.now = self.now + Span::from_micros(5);
        let requests = &mut self.requests;
        let mut context = Context {
            plan: &self.plan,
            outlets: &self.outlets,
            core: &mut self.core,
            scratch: &mut self.scratch,
            journal: &mut self.journal,
            next_id: &mut || {
                *requests += 1;
                RequestId(*requests)
            },
            wall: WallTime::default(),
            unix: 1_700_000_000,
            draining: false,
        };
        exchange.handle(self.now, input, &mut context);
    }

    /// Carries out actions as a network would that answers at once, until the next request is awaited.
    fn serve(&mut self, exchange: &mut Exchange, request: &[u8], answers: &[Vec<u8>]) -> usize {
        let mut sent = 0;
        let mut asked = false;
        let mut answers = answers.iter();
        loop {
            let input = match exchange.poll() {
                Action::ReadClient { .. } if asked => return sent,
                Action::ReadClient { mut into, .. } => {
                    asked = true;
                    into.extend_from_slice(request);
                    Input::ClientRead(into, Ok(request.len()))
                }
                Action::SendClient { bytes, range, .. } => {
                    sent += range.len();
                    Input::ClientSent(bytes, Ok(()))
                }
                Action::Dial { .. } => Input::Dialed(Ok(Reused(true))),
                Action::SendUpstream { bytes, range, .. } => {
                    black_box(range.len());
                    Input::UpstreamSent(bytes, Ok(()))
                }
                Action::ReadUpstream { mut into, .. } => {
                    let answer = answers.next().map_or(&[][..], Vec::as_slice);
                    into.extend_from_slice(answer);
                    Input::UpstreamRead(into, Ok(answer.len()))
                }
                Action::Release { .. } | Action::FinishClient => continue,
                Action::Wait { .. } => Input::Waited(Ok(())),
                Action::Close => return sent,
            };
            self.handle(exchange, input);
            if asked && exchange.is_idle() {
                return sent;
            }
        }
    }
}

/// The request of an SDK: 13 fields beside `host` and a body of 1.5 KB.
fn request(stream: bool) -> Vec<u8> {
    let text = "The gateway decides by policy which provider answers and moves on\\n".repeat(21);
    let body = format!(
        "{{\"model\":\"gpt-5-mini\",\"stream\":{stream},\"max_tokens\":256,\"messages\":[{{\"role\":\
         \"user\",\"content\":\"{text}\"}}]}}"
    );
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAccept: application/json\r\n\
         Accept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\nUser-Agent: OpenAI/Python 2.8.0\r\n\
         Content-Type: application/json\r\nX-Stainless-Lang: python\r\nX-Stainless-Package-Version: 2.8.0\r\n\
         X-Stainless-OS: Linux\r\nX-Stainless-Arch: x64\r\nX-Stainless-Runtime: CPython\r\n\
         X-Stainless-Retry-Count: 0\r\nAuthorization: Bearer sk-client-000000000000000000000000\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn answer() -> Vec<u8> {
    let content = "A gateway answers by its policy, whatever happens to a provider. ".repeat(4);
    let body = format!(
        "{{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"bench-small\",\
         \"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":\"{content}\"}},\
         \"finish_reason\":\"stop\"}}],\"usage\":{{\"prompt_tokens\":300,\"completion_tokens\":60,\
         \"total_tokens\":360}}}}"
    );
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ndate: Wed, 25 Nov 2026 00:00:00 GMT\r\n\
         openai-processing-ms: 12\r\nserver: bench\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn event(delta: &str) -> String {
    let event = format!(
        "data: {{\"id\":\"chatcmpl-0123456789abcdef\",\"object\":\"chat.completion.chunk\",\"created\":1,\
         \"model\":\"bench-small\",\"system_fingerprint\":\"fp_0123456789\",\"choices\":[{{\"index\":0,\
         \"delta\":{delta},\"finish_reason\":null}}]}}\n\n"
    );
    format!("{:x}\r\n{event}\r\n", event.len())
}

/// A stream of `events` content events, each read on its own.
fn stream(events: usize) -> Vec<Vec<u8>> {
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut reads = vec![format!("{head}{}", event("{\"role\":\"assistant\"}")).into_bytes()];
    reads.extend((0..events).map(|_| event("{\"content\":\" token\"}").into_bytes()));
    reads.push(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n".to_vec());
    reads
}

fn exchanges(criterion: &mut Criterion) {
    let mut desk = Desk::new();
    let mut exchange = Exchange::new(desk.now);
    let (asked, answered) = (request(false), vec![answer()]);
    assert!(desk.serve(&mut exchange, &asked, &answered) > 589);
    criterion.bench_function("exchange/answer", |bencher| {
        bencher.iter(|| desk.serve(&mut exchange, black_box(&asked), black_box(&answered)));
    });
    let (asked, answered) = (request(true), stream(100));
    assert!(desk.serve(&mut exchange, &asked, &answered) > 20_000);
    criterion.bench_function("exchange/stream of 100 events", |bencher| {
        bencher.iter(|| desk.serve(&mut exchange, black_box(&asked), black_box(&answered)));
    });
}

criterion_group!(benches, exchanges);
criterion_main!(benches);
