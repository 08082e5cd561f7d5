//! Layer 3: one client connection's requests, each from first byte to last, as a pure state machine.
//!
//! The law: the owner calls [`Exchange::poll`], performs the one [`Action`] it is given, and reports with
//! [`Exchange::handle`]; then it polls again. The machine never reads a clock, never blocks, never touches a socket:
//! the live runtime and the simulator drive the very same code.
//!
//! ```text
//!            ┌──────────────────────────── next request ───────────────────────────────┐
//!            ▼                                                                         │
//!   AwaitRequest → AwaitBody → ┌ Dial → SendRequest → AwaitHead ┬→ AwaitAnswer ┬→ Reply ┤
//!                              │ ▲                              ├→ AwaitContent┤        │
//!                              │ └── Pause ←── chain: next ◄────┴───── failure ┘        │
//!                              └───────────────── Relay ⇄ Forward (committed) ──────────┘
//! ```
//! A hedge is a second side of the lower half that runs beside the first one for a while (`hedge`).
//!
//! Buffers travel with the actions (completion-based I/O owns the memory it works on) and come back with the inputs.

mod answer;
mod asking;
mod buffer;
mod context;
mod copy;
mod counting;
mod decide;
mod decision;
mod hedge;
mod hold;
mod intake;
mod notes;
mod outbound;
mod relay;
mod reply;
mod resume;
mod shadow;
mod wording;

use std::ops::Range;

use crate::base::{Moment, ProviderId, Span};
use crate::dialect::openai::ClientError;
use crate::engine::{Attempt, Chain};
use crate::ops::Ending;

pub use self::asking::read_request;
pub use self::context::{Context, Outlet, Outlets, Scratch};
pub use self::copy::{Copied, Copies, Copying};
pub use self::hedge::{Contact, Cuts};
pub use self::hold::turned_away;
pub use self::shadow::{Shadow, Shadowing};

use self::answer::Answer;
use self::buffer::Buffer;
use self::copy::Written;
use self::decision::Steps;
use self::hedge::Hedge;
use self::hold::Hold;
use self::intake::Request;
use self::outbound::Upstream;
use self::resume::Resume;
use self::shadow::Pending;

/// What the machine waits for.
#[derive(Debug)]
pub enum Action {
    /// Read from the client into the spare capacity of `into`.
    ReadClient {
        /// Comes back with [`Input::ClientRead`].
        into: Vec<u8>,
        /// Give up then.
        until: Moment,
    },
    /// Send `bytes[range]` to the client, all of it.
    SendClient {
        /// Comes back with [`Input::ClientSent`].
        bytes: Vec<u8>,
        /// What to send.
        range: Range<usize>,
        /// Give up then.
        until: Moment,
    },
    /// Tell the client that nothing more comes (half-close); no input follows.
    FinishClient,
    /// Get a connection to an endpoint of a provider.
    Dial {
        /// Whose endpoint.
        provider: ProviderId,
        /// Which of its endpoints.
        endpoint: u16,
        /// Not one from the pool: that one has just failed.
        fresh: bool,
        /// Give up then.
        until: Moment,
    },
    /// Send `bytes[range]` to the provider, all of it.
    SendUpstream {
        /// Comes back with [`Input::UpstreamSent`].
        bytes: Vec<u8>,
        /// What to send.
        range: Range<usize>,
        /// Give up then.
        until: Moment,
    },
    /// Read from the provider into the spare capacity of `into`.
    ReadUpstream {
        /// Comes back with [`Input::UpstreamRead`].
        into: Vec<u8>,
        /// Give up then.
        until: Moment,
    },
    /// Let the provider's connection go: back to the pool, or closed. No input follows.
    Release {
        /// It stands at a message boundary and may serve another request.
        reuse: bool,
    },
    /// From now on the hedge's connection is the provider's connection. No input follows.
    TakeOver,
    /// Do nothing until then.
    Wait {
        /// Report with [`Input::Waited`].
        until: Moment,
    },
    /// The next request has arrived with the one before it. Nothing is left of that one: another plan may decide from
    /// here on.
    NextRequest,
    /// The client's connection is over. The last action.
    Close,
}

/// Why an operation did not do what it was asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Broken {
    /// Reset, refused, or another error of the transport.
    Reset,
    /// The action's `until` came first.
    TimedOut,
    /// The client went away while the provider was being waited for.
    ClientGone,
    /// Its owner cut it: nobody wants the result any more ([`Exchange::cuts`]).
    Overtaken,
    /// The process ends, and its patience with what is under way is over.
    Drained,
    /// The provider refuses the request, and has not read all of it: what is left was not sent.
    Answered,
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DialFailure {
    /// No address, refused or unreachable.
    Connect,
    /// The handshake failed, or the certificate does not prove the name.
    Tls,
    /// Not established in time.
    TimedOut,
    /// The client went away meanwhile.
    ClientGone,
    /// Its owner cut it.
    Overtaken,
    /// The process ends.
    Drained,
    /// The process has no descriptor left: no fault of the provider's.
    Exhausted,
}

/// What became of an action.
#[derive(Debug)]
pub enum Input {
    /// After [`Action::ReadClient`]: how many bytes were appended; 0 is the end.
    ClientRead(Vec<u8>, Result<usize, Broken>),
    /// After [`Action::SendClient`].
    ClientSent(Vec<u8>, Result<(), Broken>),
    /// After [`Action::Dial`]: whether the connection came from the pool.
    Dialed(Result<Reused, DialFailure>),
    /// After [`Action::SendUpstream`].
    UpstreamSent(Vec<u8>, Result<(), Broken>),
    /// After [`Action::ReadUpstream`]: how many bytes were appended; 0 is the end.
    UpstreamRead(Vec<u8>, Result<usize, Broken>),
    /// After [`Action::Wait`]: whether the client is still there.
    Waited(Result<(), Broken>),
    /// After [`Action::NextRequest`].
    NextRequest,
}

/// Whether a connection has served requests before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reused(pub bool);

/// What the machine is doing, named for what it awaits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// The head of a request, or nothing yet.
    AwaitRequest,
    /// The rest of its body.
    AwaitBody,
    /// `100 Continue` is on its way.
    Continue,
    /// A connection to the running attempt's provider.
    Dial,
    /// The request is on its way to the provider.
    SendRequest,
    /// The head of the answer.
    AwaitHead,
    /// The whole body of an answer that is not a stream, or of an error.
    AwaitAnswer,
    /// The first content of a stream.
    AwaitContent,
    /// More of a stream that the client has begun to receive.
    Relay,
    /// Bytes of such a stream are on their way to the client.
    Forward,
    /// A pause before the next attempt.
    Pause(Moment),
    /// The end of the other one of two attempts: this one has failed.
    Outlived,
    /// A whole answer is on its way to the client.
    Reply,
    /// The unread rest of a refused request is being drained.
    Linger,
    /// Over.
    Closed,
}

/// What follows when everything was sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum After {
    /// Relay more of the stream.
    Relay,
    /// Find somebody to go on with it.
    Resume,
    /// The next request of this connection.
    NextRequest,
    /// Close at once.
    Close,
    /// Half-close and drain, so that the answer is not lost to a reset.
    Linger,
}

/// The machine of one client connection.
#[derive(Debug)]
pub struct Exchange {
    state: State,
    after: After,
    /// What has arrived from the client and is not used up.
    inbox: Buffer,
    /// What has arrived from the provider, and what goes to the client.
    outbox: Buffer,
    /// The part of a buffer that the next send action sends.
    sending: Range<usize>,
    request: Request,
    answer: Answer,
    chain: Option<Chain>,
    attempt: Option<Attempt>,
    /// What to tell the client if the policy says to give it the last outcome's own answer, and what the provider said
    /// about when to come back.
    last_error: Option<(ClientError<'static>, Option<Span>)>,
    upstream: Upstream,
    /// What is recorded of its decision, where it is.
    steps: Option<Box<Steps>>,
    /// What a stream is gone on with from, where the route does that.
    resume: Option<Box<Resume>>,
    /// The second one of two attempts.
    hedge: Option<Box<Hedge>>,
    /// A copy of the request that begins when the request is on its way.
    shadow: Option<Box<Pending>>,
    /// The same for a drill.
    written: Option<Box<Written>>,
    /// When the state's own operation has to be done.
    until: Moment,
    /// What the record will say once the last byte has been handed over: status and ending.
    ending: (u16, Ending),
    /// What the client is told of a refusal, in a word.
    reason: Option<&'static str>,
    /// Bytes drained while lingering.
    drained: usize,
    /// Half-close before the next read.
    finish_client: bool,
    /// What it has taken of the gateway's bounds.
    hold: Hold,
    /// The next request is in the inbox, at least in part, and has not been looked at.
    arrived: bool,
}

impl Exchange {
    /// A machine for a connection that has just been accepted.
    pub fn new(now: Moment) -> Self {
        Self {
            state: State::AwaitRequest,
            after: After::NextRequest,
            inbox: Buffer::default(),
            outbox: Buffer::default(),
            sending: 0..0,
            request: Request::default(),
            answer: Answer::default(),
            chain: None,
            steps: None,
            attempt: None,
            last_error: None,
            upstream: Upstream::default(),
            resume: None,
            hedge: None,
            shadow: None,
            written: None,
            until: now + HEAD_TIMEOUT,
            ending: (0, Ending::Refused),
            reason: None,
            drained: 0,
            finish_client: false,
            hold: Hold::default(),
            arrived: false,
        }
    }

    /// A machine for a connection that is one too many: it tells the client so, and closes.
    pub fn turning_away(now: Moment) -> Self {
        Self {
            until: now + TURN_AWAY_TIMEOUT,
            hold: Hold::turned_away(),
            ..Self::new(now)
        }
    }

    /// Whether no request is at hand: nothing is lost by closing now.
    pub fn is_idle(&self) -> bool {
        self.state == State::AwaitRequest && self.inbox.is_empty()
    }

    /// Whether an interim answer would be understood now: the client speaks HTTP/1.1 and has got nothing yet.
    pub const fn may_send_interim(&self) -> bool {
        matches!(
            self.state,
            State::AwaitHead | State::AwaitAnswer | State::AwaitContent
        ) && !self.request.client.old
    }

    /// What to do next.
    pub fn poll(&mut self) -> Action {
        if self.hedge.is_some()
            && let Some(action) = self.poll_lost()
        {
            return action;
        }
        if let Some(reuse) = self.upstream.release.take() {
            self.upstream.open = false;
            return Action::Release { reuse };
        }
        if std::mem::take(&mut self.finish_client) {
            return Action::FinishClient;
        }
        if std::mem::take(&mut self.arrived) {
            return Action::NextRequest;
        }
        match self.state {
            State::AwaitRequest | State::AwaitBody | State::Linger => Action::ReadClient {
                into: self.inbox.lend_for_read(),
                until: self.until,
            },
            State::Continue | State::Forward | State::Reply => Action::SendClient {
                bytes: self.outbox.lend_for_send(),
                range: self.sending.clone(),
                until: self.until,
            },
            State::Dial => self.dial(),
            State::SendRequest => Action::SendUpstream {
                bytes: self.upstream.lend_request(&mut self.inbox),
                range: self.sending.clone(),
                until: self.until,
            },
            State::AwaitHead | State::AwaitAnswer | State::AwaitContent | State::Relay => {
                Action::ReadUpstream {
                    into: self.outbox.lend_for_read(),
                    until: self.until,
                }
            }
            State::Pause(until) => Action::Wait { until },
            // Ended by a cut.
            State::Outlived => Action::Wait {
                until: Moment::NEVER,
            },
            State::Closed => Action::Close,
        }
    }

    /// Takes what became of the last action.
    pub fn handle(&mut self, now: Moment, input: Input, context: &mut Context<'_>) {
        if self.hedge.is_none() {
            self.handle_any(now, input, context);
        } else if let Some(input) = self.take_lost(input, context) {
            self.handle_any(now, input, context);
            self.settle_hedge();
        }
        if self.state == State::Closed {
            self.hold.let_go(context.core);
        }
    }

    fn handle_any(&mut self, now: Moment, input: Input, context: &mut Context<'_>) {
        match input {
            Input::ClientRead(bytes, read) => {
                self.inbox.take_back(bytes);
                self.client_read(now, read, context);
            }
            Input::ClientSent(bytes, sent) => {
                self.outbox.take_back(bytes);
                self.client_sent(now, sent, context);
            }
            Input::Dialed(dialed) => self.dialed(now, dialed, context),
            Input::UpstreamSent(bytes, sent) => {
                self.upstream.take_request_back(bytes, &mut self.inbox);
                self.upstream_sent(now, sent, context);
            }
            Input::UpstreamRead(bytes, read) => {
                self.outbox.take_back(bytes);
                self.upstream_read(now, read, context);
            }
            Input::Waited(Ok(()) | Err(Broken::Overtaken)) => self.next_step(now, context),
            Input::Waited(Err(Broken::Drained)) => self.drained(now, context),
            Input::Waited(Err(_)) => self.client_gone(now, context),
            Input::NextRequest => self.look_for_head(now, context),
        }
    }

    fn client_sent(&mut self, now: Moment, sent: Result<(), Broken>, context: &mut Context<'_>) {
        if sent.is_err() {
            return self.client_gone(now, context);
        }
        if self.state == State::Continue {
            self.state = State::AwaitBody;
            self.until = now + BODY_GAP_TIMEOUT;
            return;
        }
        if self.after == After::Relay {
            return self.relay_on(now);
        }
        if self.after == After::Resume {
            return self.resume_at_next(now, context);
        }
        let (status, ending) = self.ending;
        self.keep_record(now, status, ending, context);
        match self.after {
            After::NextRequest => {
                self.hold.let_go(context.core);
                self.begin_next(now, context.scratch);
            }
            After::Linger => {
                self.state = State::Linger;
                self.finish_client = true;
                self.inbox.clear();
                self.drained = 0;
                self.until = now + LINGER_TIMEOUT;
            }
            After::Close | After::Relay | After::Resume => self.state = State::Closed,
        }
    }

    /// `100 Continue`, for a client that waits for it.
    fn send_continue(&mut self, now: Moment, context: &mut Context<'_>) {
        self.outbox.stock(context.scratch);
        let start = self.outbox.end();
        self.outbox.push(b"HTTP/1.1 100 Continue\r\n\r\n");
        self.sending = start..self.outbox.end();
        self.until = now + SEND_TIMEOUT;
        self.state = State::Continue;
    }

    /// The connection stays: whatever the client sent ahead is the next request.
    fn begin_next(&mut self, now: Moment, scratch: &mut Scratch) {
        self.outbox.unstock(scratch);
        self.inbox.advance_to(self.request.next());
        self.request.reset();
        self.answer.forget();
        self.chain = None;
        self.steps = None;
        self.resume = None;
        self.last_error = None;
        self.state = State::AwaitRequest;
        if self.inbox.is_empty() {
            self.inbox.rest();
            self.until = now + IDLE_TIMEOUT;
        } else {
            self.inbox.shrink();
            self.until = now + HEAD_TIMEOUT;
            self.arrived = true;
        }
    }
}

/// A client may take this long from the first byte of a head to its last.
const HEAD_TIMEOUT: Span = Span::from_secs(10);
/// The same on a connection that is one too many: it takes a place from others that are to be told so.
const TURN_AWAY_TIMEOUT: Span = Span::from_secs(1);
/// A kept connection may rest this long between two requests; just above the 60 s that load balancers commonly use.
const IDLE_TIMEOUT: Span = Span::from_secs(75);
/// A client may pause this long inside a body.
const BODY_GAP_TIMEOUT: Span = Span::from_secs(30);
/// A client may leave its receive window closed this long.
const SEND_TIMEOUT: Span = Span::from_secs(60);
/// How long the unread rest of a refused request is drained, so that the refusal is read before the reset.
const LINGER_TIMEOUT: Span = Span::from_secs(2);
