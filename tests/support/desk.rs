//! A gateway core without sockets: carries out what an exchange asks for as a network would that always answers at
//! once. Here too are the requests and answers that such an exchange is given, of the sizes that SDKs send.

use std::iter::Peekable;
use std::sync::Arc;

use switchover::base::{Moment, ProviderId, RequestId, Secret, Span};
use switchover::engine::{Board, Bounds, Core, Load, Shadows};
use switchover::exchange::{
    Action, Context, Exchange, Input, Outlet, Outlets, Reused, Scratch, Shadow, Shadowing,
};
use switchover::ops::{Counters, Journal, Totals};
use switchover::policy::model::AuthStyle;
use switchover::policy::{Plan, WallTime, load};

/// One core with a plan, and a clock that moves 5 µs with each step.
pub(super) struct Desk {
    plan: Plan,
    outlets: Outlets,
    core: Core,
    scratch: Scratch,
    journal: Journal,
    counters: Arc<Counters>,
    shadowing: Option<Shadowing>,
    /// Copies of requests that were to begin. Nobody drives them.
    pub(super) copies: Vec<Shadow>,
    requests: u64,
    pub(super) now: Moment,
    /// What went to providers, request by request: kept where a test puts a list here.
    pub(super) sent: Option<Vec<(ProviderId, Vec<u8>)>>,
}

impl Desk {
    /// A core that has served nothing yet, under the plan that the benches run.
    pub(super) fn new() -> Self {
        Self::under(include_str!("../../benches/bench.policy"))
    }

    /// One under `text`. A provider's keys read `sk-NAME-00`, `sk-NAME-01`, …
    pub(super) fn under(text: &str) -> Self {
        let (policy, _) =
            load(&[("desk.policy", text)], "desk.policy", &[]).expect("the policy is sound");
        let outlets = policy.providers.iter().map(|provider| {
            let keys = (0..provider.auth.secrets().len()).map(|index| {
                let key = format!("sk-{}-{index:02}", provider.name);
                Outlet::credential(AuthStyle::Bearer, &Secret::new(key.into_bytes()))
            });
            Outlet::new(provider, keys)
        });
        let outlets = Outlets::new(outlets.collect());
        let plan = Plan::new(policy).expect("a small policy has a program");
        let board = Arc::new(Board::new(&plan, 1));
        let counters = Arc::new(Counters::sized(
            1,
            plan.policy.targets.len(),
            plan.policy.routes.len(),
        ));
        let shadowing = plan.of_shadows().map(|copies| Shadowing {
            shadows: Arc::new(Shadows::new(&plan.policy)),
            load: Arc::new(Load::new(Bounds::NONE, 1)),
            plan: Arc::new(copies),
        });
        Self {
            shadowing,
            copies: Vec::new(),
            core: Core::new(board, &plan, 0),
            journal: Journal::new(Arc::clone(&counters), 0),
            counters,
            plan,
            outlets,
            scratch: Scratch::default(),
            requests: 0,
            now: Moment::START + Span::from_secs(1),
            sent: None,
        }
    }

    /// What has been counted so far.
    pub(super) fn totals(&self) -> Totals {
        self.counters.totals()
    }

    /// How many requests were given an id.
    pub(super) fn requests(&self) -> u64 {
        self.requests
    }

    /// The exchange of a client that connects now.
    pub(super) fn accept(&self) -> Exchange {
        Exchange::new(self.now)
    }

    /// Serves a client that sends `asks`, piece by piece, from providers that send `answers`; pieces are not empty. A
    /// peer that has sent everything ends its direction. `heard` is given what the client receives. Returns when the
    /// exchange is over, or when it waits for a request and the client has sent all.
    pub(super) fn serve<'a>(
        &mut self,
        exchange: &mut Exchange,
        asks: impl IntoIterator<Item = &'a [u8]>,
        answers: impl IntoIterator<Item = &'a [u8]>,
        mut heard: impl FnMut(&[u8]),
    ) {
        let mut client = Feed::of(asks);
        let mut provider = Feed::of(answers);
        let mut dialed = ProviderId::default();
        while !(client.is_over() && exchange.is_idle()) {
            let input = match exchange.poll() {
                Action::ReadClient { mut into, .. } => {
                    let count = client.read(&mut into);
                    Input::ClientRead(into, Ok(count))
                }
                Action::SendClient { bytes, range, .. } => {
                    heard(bytes.get(range).unwrap_or_default());
                    Input::ClientSent(bytes, Ok(()))
                }
                Action::Dial {
                    provider, fresh, ..
                } => {
                    dialed = provider;
                    Input::Dialed(Ok(Reused(!fresh)))
                }
                Action::SendUpstream { bytes, range, .. } => {
                    if let Some(sent) = &mut self.sent {
                        sent.push((dialed, bytes.get(range).unwrap_or_default().to_vec()));
                    }
                    Input::UpstreamSent(bytes, Ok(()))
                }
                Action::ReadUpstream { mut into, .. } => {
                    let count = provider.read(&mut into);
                    Input::UpstreamRead(into, Ok(count))
                }
                Action::Wait { until } => {
                    self.now = self.now.max(until);
                    Input::Waited(Ok(()))
                }
                Action::NextRequest => Input::NextRequest,
                Action::Release { .. } | Action::TakeOver | Action::FinishClient => continue,
                Action::Close => return,
            };
            self.handle(exchange, input);
        }
    }

    /// Lets the exchange take in what became of its last action.
    pub(super) fn handle(&mut self, exchange: &mut Exchange, input: Input) {
        let copy = self.with_context(|now, context| {
            exchange.handle(now, input, context);
            exchange.take_copies(now, context)?.shadow
        });
        self.copies.extend(copy.map(|copy| *copy));
    }

    /// Does a piece of work a little later, with all that an exchange works with.
    pub(super) fn with_context<T>(
        &mut self,
        work: impl FnOnce(Moment, &mut Context<'_>) -> T,
    ) -> T {
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
                RequestId(u128::from(*requests))
            },
            wall: WallTime::default(),
            unix: 1_700_000_000,
            draining: false,
            shadowing: self.shadowing.as_ref(),
            copying: None,
        };
        work(self.now, &mut context)
    }
}

/// What one peer sends.
struct Feed<'a, I: Iterator<Item = &'a [u8]>> {
    pieces: Peekable<I>,
    /// What did not fit into the last read.
    rest: &'a [u8],
}

impl<'a, I: Iterator<Item = &'a [u8]>> Feed<'a, I> {
    fn of(pieces: impl IntoIterator<IntoIter = I>) -> Self {
        Self {
            pieces: pieces.into_iter().peekable(),
            rest: &[],
        }
    }

    fn is_over(&mut self) -> bool {
        self.rest.is_empty() && self.pieces.peek().is_none()
    }

    /// Appends one piece, or as much of it as fits: as a socket does, a read never makes the buffer grow.
    fn read(&mut self, into: &mut Vec<u8>) -> usize {
        if self.rest.is_empty() {
            self.rest = self.pieces.next().unwrap_or_default();
        }
        let count = self.rest.len().min(into.capacity() - into.len());
        let (now, later) = self.rest.split_at(count);
        into.extend_from_slice(now);
        self.rest = later;
        count
    }
}

/// The request of an SDK: 13 fields beside `host` and a body of 1.5 KB.
pub(super) fn request(stream: bool) -> Vec<u8> {
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

/// An answer with a body of some 500 bytes.
pub(super) fn answer() -> Vec<u8> {
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

/// A stream of `events` content events, each read on its own.
pub(super) fn stream(events: usize) -> Vec<Vec<u8>> {
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut reads = vec![format!("{head}{}", event("{\"role\":\"assistant\"}")).into_bytes()];
    reads.extend((0..events).map(|_| event("{\"content\":\" token\"}").into_bytes()));
    reads.push(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n".to_vec());
    reads
}

fn event(delta: &str) -> String {
    let event = format!(
        "data: {{\"id\":\"chatcmpl-0123456789abcdef\",\"object\":\"chat.completion.chunk\",\"created\":1,\
         \"model\":\"bench-small\",\"system_fingerprint\":\"fp_0123456789\",\"choices\":[{{\"index\":0,\
         \"delta\":{delta},\"finish_reason\":null}}]}}\n\n"
    );
    format!("{:x}\r\n{event}\r\n", event.len())
}
