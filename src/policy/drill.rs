//! What a policy rehearses: its `drill` blocks, with names, types and defaults settled. A drill is traffic, faults at
//! the provider's edge at known times, and what clients must see of them.

use std::fmt;

use crate::base::{ProviderId, Span, TargetId};
use crate::policy::cron::Cron;
use crate::policy::model::At;
use crate::policy::trial::{Given, Sample, ShareOf, Within};

/// `drill NAME { … }`
#[derive(Clone, Debug)]
pub struct Drill {
    /// Its name.
    pub name: Box<str>,
    /// Where it stands.
    pub at: At,
    /// `schedule`: when a gateway runs it by itself.
    pub schedule: Option<Schedule>,
    /// `traffic`: what it is measured with.
    pub traffic: Traffic,
    /// `for`: how long requests come. Faults are injected and lifted within it.
    pub length: Span,
    /// `given`: facts of the requests. What is not given is empty, zero or absent; the path is that of chat completions.
    pub given: Vec<Given>,
    /// Where chance comes from, unless whoever runs it says otherwise.
    pub seed: u64,
    /// `sample`: one fact in which the requests differ.
    pub sample: Option<Sample>,
    /// `assume`: how providers behave while nothing is injected; who is not named behaves as [`Manner::USUAL`].
    pub manners: Vec<(ProviderId, Manner)>,
    /// `inject`, in the order of the text; none where only the load is rehearsed.
    pub injections: Vec<Injection>,
    /// `expect`
    pub expects: Vec<Expected>,
    /// `abort when …`: any of them ends it early.
    pub aborts: Vec<Abort>,
}

impl Drill {
    /// When the first fault is injected, and when the last one is lifted.
    pub fn faulty(&self) -> (Span, Span) {
        let begin = self.injections.iter().map(|injection| injection.after);
        let end = self.injections.iter().map(Injection::lifted);
        (
            begin.min().unwrap_or_default(),
            end.max().unwrap_or_default(),
        )
    }

    /// What it needs that there is on a running gateway only, if there is such a thing: clients.
    pub const fn beyond_rehearsal(&self) -> Option<&'static str> {
        match self.traffic {
            Traffic::Live(_) => Some("its traffic is live: it needs a gateway with clients"),
            Traffic::Shadow(_) => {
                Some("its traffic are copies of clients' requests: it needs a gateway with clients")
            }
            Traffic::Synthetic { .. } => None,
        }
    }
}

/// `schedule = cron("0 10 * * tue", tz = "Europe/Berlin")`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Schedule {
    /// Minute, hour, day of the month, month, day of the week.
    pub cron: Cron,
    /// The zone in which that is meant; `UTC` where it is left out.
    pub zone: Box<str>,
}

/// What a drill is measured with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Traffic {
    /// `synthetic(20/s)`: requests of its own.
    Synthetic {
        /// So many …
        count: u64,
        /// … in this time.
        per: Span,
        /// How they are spread.
        arrivals: Arrivals,
    },
    /// `shadow(10%)`: copies of this part of the clients' requests, in parts per million.
    Shadow(u32),
    /// `live(5%)`: this part of the clients' requests themselves, in parts per million.
    Live(u32),
}

impl Traffic {
    /// The word of the policy language.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Synthetic { .. } => "synthetic",
            Self::Shadow(_) => "shadow",
            Self::Live(_) => "live",
        }
    }
}

/// How synthetic requests are spread over time.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Arrivals {
    /// `poisson`: as those of many clients who do not know each other.
    #[default]
    Poisson,
    /// `even`: at equal distances.
    Even,
}

/// How a provider behaves while nothing is wrong with it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Manner {
    /// Time to the first content, drawn evenly from this range.
    pub ttft: (Span, Span),
    /// Time between two contents of a stream.
    pub gap: Span,
    /// Tokens of an answer.
    pub tokens: u32,
}

impl Manner {
    /// A provider on the internet with a model of middle size.
    pub const USUAL: Self = Self {
        ttft: (Span::from_millis(250), Span::from_millis(750)),
        gap: Span::from_millis(15),
        tokens: 100,
    };
}

/// `inject … { … }`
#[derive(Clone, Debug)]
pub struct Injection {
    /// As its head is written: what is hit.
    pub name: Box<str>,
    /// Where it stands.
    pub at: At,
    /// What it hits; any of them is enough.
    pub spots: Vec<Spot>,
    /// What requests meet there.
    pub fault: Fault,
    /// The part of them that does, in parts per million.
    pub share: u32,
    /// From the drill's beginning.
    pub after: Span,
    /// From then on.
    pub lasts: Span,
}

impl Expect {
    /// The most micro-dollars that this lets a drill cost.
    pub const fn cost_max(&self) -> Option<u64> {
        match self {
            Self::Cost(within) if !within.negated => Some(within.high),
            _ => None,
        }
    }
}

impl Injection {
    /// When it is lifted.
    pub const fn lifted(&self) -> Span {
        self.after.saturating_add(self.lasts)
    }
}

/// What an injection hits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Spot {
    /// These targets …
    pub targets: Vec<TargetId>,
    /// … at their provider's endpoints from the first to the second of these indices, or at all of them …
    pub endpoints: Option<(u16, u16)>,
    /// … with this one of its keys, or with any.
    pub key: Option<u8>,
}

/// What requests meet where something is injected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// `status = 503`: an answer of this status, 400 to 599.
    Status {
        /// It.
        status: u16,
        /// What its `Retry-After` says.
        retry_after: Option<Span>,
    },
    /// `connect = …`: there is no connection.
    Connect(NoConnection),
    /// `latency = 2s`: everything comes so much later.
    Latency(Span),
    /// `ttft = 5s`: the head comes in time, the first content so much later.
    Ttft(Span),
    /// `gap = 20s`: so much time between two contents.
    Gap(Span),
    /// `stream = …`: an answer breaks after its first content.
    Stream(Break),
    /// `answer = …`: a success that is none.
    Answer(BadAnswer),
    /// `model = gone`: the model was withdrawn.
    ModelGone,
    /// `key = …`: the key is refused.
    Key(BadKey),
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoConnection {
    /// `refuse`: it is refused at once.
    Refuse,
    /// `hang`: nobody answers.
    Hang,
    /// `tls`: the handshake fails.
    Tls,
    /// `dns`: the name has no address, and one is waited for.
    Dns,
}

/// How an answer breaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Break {
    /// `stall`: nothing more comes.
    Stall,
    /// `cut`: the connection is reset.
    Cut,
    /// `error`: an error event comes.
    Error,
}

/// A success that is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BadAnswer {
    /// `malformed`: JSON that is not.
    Malformed,
    /// `html`: a page.
    Html,
    /// `empty`: nothing.
    Empty,
}

impl BadAnswer {
    /// The body that comes with status 200.
    pub const fn body(self) -> &'static [u8] {
        match self {
            Self::Malformed => b"{\"choices\":[{\"mess",
            Self::Html => b"<html><body>Just a moment...</body></html>",
            Self::Empty => b"",
        }
    }
}

/// What is wrong with a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BadKey {
    /// `revoked`: it is not known any more.
    Revoked,
    /// `no_quota`: nothing is left on it.
    NoQuota,
}

/// One line of `expect { … }`.
#[derive(Clone, Debug)]
pub struct Expected {
    /// As it is written, with its phase.
    pub text: Box<str>,
    /// Where it stands.
    pub at: At,
    /// The requests that it is about.
    pub phase: Phase,
    /// What it says.
    pub expect: Expect,
}

/// A part of a drill, by when requests come.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Phase {
    /// All of it.
    #[default]
    Whole,
    /// `before`: up to the first injection.
    Before,
    /// `during`: from the first injection to the last one's end.
    During,
    /// `after`: from then on.
    After,
}

impl Phase {
    /// Those that have a word.
    pub const NAMED: [Self; 3] = [Self::Before, Self::During, Self::After];

    /// The word of the policy language; none for the whole.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Whole => "",
            Self::Before => "before",
            Self::During => "during",
            Self::After => "after",
        }
    }

    /// Its beginning and its end, of a drill of this `length` in which something is wrong over `faulty`.
    pub fn within(self, length: Span, faulty: (Span, Span)) -> (Span, Span) {
        let (begin, end) = (faulty.0.min(length), faulty.1.min(length));
        match self {
            Self::Whole => (Span::ZERO, length),
            Self::Before => (Span::ZERO, begin),
            Self::During => (begin, end),
            Self::After => (end, length),
        }
    }
}

/// What must hold.
#[derive(Clone, Debug)]
pub enum Expect {
    /// `success >= 99.5%`: the part of the requests whose clients got a whole answer, in parts per million.
    Success(Within),
    /// `errors <= 3`: how many did not.
    Errors(Within),
    /// `share(mistral) > 0%`: the part of the requests that these answer, or that take this route.
    Share(ShareOf, Within),
    /// `p95(ttft) < 1500ms`: a percentile in parts per million, of microseconds to what clients get first.
    Ttft(u32, Within),
    /// `wasted <= 8`: attempts whose answers no client got.
    Wasted(Within),
    /// `cost <= $5`: micro-dollars.
    Cost(Within),
    /// `opened(openai) within 10s`: the breaker of one of these opens, so soon after the first fault there.
    Opened(Vec<TargetId>, Span),
    /// `closed(openai) within 30s`: none of their breakers is anything but closed, so soon after the last fault there.
    Closed(Vec<TargetId>, Span),
    /// `never opened(mistral)`: the breaker of none of these opens.
    NeverOpened(Vec<TargetId>),
}

/// `abort when …`
#[derive(Clone, Debug)]
pub struct Abort {
    /// The condition as it is written.
    pub text: Box<str>,
    /// Where it stands.
    pub at: At,
    /// What is looked at, over [`Abort::LOOKS_BACK`].
    pub measure: Measure,
    /// It is aborted while the measurement lies in here.
    pub within: Within,
}

impl Abort {
    /// The time that is looked back on.
    pub const LOOKS_BACK: Span = Span::from_secs(10);
    /// Below so many requests nothing is judged.
    pub const REQUESTS_MIN: usize = 10;
}

/// What `abort when` looks at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Measure {
    /// `error_rate`: of the drill's own requests, in parts per million.
    ErrorRate,
    /// `live.error_rate`: of the clients' requests. A virtual clock has none.
    LiveErrorRate,
    /// `p95(ttft)`: the percentile in parts per million; microseconds.
    Ttft(u32),
}

/// As the policy writes it.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Status {
                status,
                retry_after: None,
            } => write!(f, "status = {status}"),
            Self::Status {
                status,
                retry_after: Some(after),
            } => write!(f, "status = {status}, retry_after = {after}"),
            Self::Connect(why) => write!(f, "connect = {}", why.as_str()),
            Self::Latency(more) => write!(f, "latency = {more}"),
            Self::Ttft(more) => write!(f, "ttft = {more}"),
            Self::Gap(more) => write!(f, "gap = {more}"),
            Self::Stream(how) => write!(f, "stream = {}", how.as_str()),
            Self::Answer(what) => write!(f, "answer = {}", what.as_str()),
            Self::ModelGone => f.write_str("model = gone"),
            Self::Key(why) => write!(f, "key = {}", why.as_str()),
        }
    }
}

macro_rules! words {
    ($($kind:ident { $($variant:ident $word:literal)* })*) => {$(
        impl $kind {
            /// The words of the policy language.
            pub const WORDS: &'static [&'static str] = &[$($word),*];

            /// The word of the policy language.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// The one that `word` names, if any.
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    )*};
}

words! {
    NoConnection { Refuse "refuse" Hang "hang" Tls "tls" Dns "dns" }
    Break { Stall "stall" Cut "cut" Error "error" }
    BadAnswer { Malformed "malformed" Html "html" Empty "empty" }
    BadKey { Revoked "revoked" NoQuota "no_quota" }
    Arrivals { Poisson "poisson" Even "even" }
}
