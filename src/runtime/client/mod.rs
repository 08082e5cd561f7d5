//! A client that trusts nobody: blocking, one connection that is kept, and an answer counts only if it is whole and
//! right. Demos and drills measure with it what the gateway's users would have seen.
//!
//! ```text
//!   Load ── threads, each with a ── Client ─ request ─→ gateway
//!    └── Sample { due, ended, Answer | Failure } ←─ framing (wire) ← check: JSON or events, [DONE]
//! ```
//! It never asks twice: a request that a user would have seen fail is a [`Failure`].

mod check;
mod load;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::base::limits::ANSWER_BYTES_MAX;
use crate::base::{Moment, Span};
use crate::runtime::clock;
use crate::wire::h1::chunked::Decoder;
use crate::wire::h1::response::{self, ContentType, ResponseHead};
use crate::wire::h1::{Fields, Framing, HeadSearch, write};

pub use self::load::{Load, Profile, Sample};

/// A client of one gateway, with at most one connection.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    patience: Span,
    connection: Option<Connection>,
    request: Vec<u8>,
    body: Vec<u8>,
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Where to, such as `/v1/chat/completions`.
    pub path: &'a str,
    /// The JSON to post.
    pub body: &'a [u8],
    /// What a right answer to it is.
    pub expect: Expect,
}

/// What a right answer is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expect {
    /// A chat completion in one JSON document.
    Completion,
    /// A chat completion as events, with content, a reason for its end, and `[DONE]` as the last one.
    Stream,
}

/// A whole and right answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// The target that gave it, from `x-switchover-target`; empty if the gateway did not say.
    pub target: Box<str>,
    /// How many attempts it took, from `x-switchover-attempts`; 0 if the gateway did not say.
    pub attempts: u32,
    /// Its body's length in bytes, without framing.
    pub bytes: usize,
}

/// What a user would have complained about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Failure {
    /// No connection could be had.
    Unreachable(ErrorKind),
    /// The answer was not complete when the patience was over.
    TooLate,
    /// The connection ended before the answer did.
    Cut,
    /// The bytes are not HTTP, or go on behind the answer.
    Malformed(&'static str),
    /// Any status but 200; with the first words of the body.
    Status(u16, Box<str>),
    /// Status 200, but the body is not what was asked for.
    Wrong(&'static str),
}

impl Client {
    /// A client of the gateway at `address` that waits for at most `patience` from a request to its answer's end.
    pub const fn new(address: SocketAddr, patience: Span) -> Self {
        Self {
            address,
            patience,
            connection: None,
            request: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Posts a request and reads its answer to the end. The connection is kept if it can serve another one.
    ///
    /// # Errors
    /// Everything but a whole and right answer.
    pub fn ask(&mut self, ask: &Ask<'_>) -> Result<Answer, Failure> {
        let until = clock::now() + self.patience;
        let mut connection = self.connection()?;
        self.write_request(ask);
        connection.send(&self.request, until)?;
        let head = connection.head(until)?;
        let head_bytes: Vec<u8> = connection.input.drain(..head.len as usize).collect();
        self.body.clear();
        connection.body(head.framing, &mut self.body, until)?;
        if !connection.input.is_empty() {
            return Err(Failure::Malformed("bytes follow the answer"));
        }
        let answer = self.judge(ask.expect, &head, &head_bytes, &connection.fields);
        if head.keep_alive {
            self.connection = Some(connection);
        }
        answer
    }

    /// The kept connection unless the gateway has closed it meanwhile, else a new one.
    fn connection(&mut self) -> Result<Connection, Failure> {
        match self.connection.take() {
            Some(kept) if kept.is_open() => Ok(kept),
            _ => Connection::open(self.address, self.patience),
        }
    }

    fn write_request(&mut self, ask: &Ask<'_>) {
        let out = &mut self.request;
        out.clear();
        write::request_line("POST", ask.path.as_bytes(), out);
        write::field(b"host", self.address.to_string().as_bytes(), out);
        write::field(b"content-type", b"application/json", out);
        write::field_decimal(b"content-length", ask.body.len() as u64, out);
        write::end(out);
        out.extend_from_slice(ask.body);
    }

    fn judge(
        &self,
        expect: Expect,
        head: &ResponseHead,
        head_bytes: &[u8],
        fields: &Fields,
    ) -> Result<Answer, Failure> {
        if head.status != 200 {
            let words = String::from_utf8_lossy(&self.body);
            let words = words.chars().take(ERROR_CHARS).collect::<String>();
            return Err(Failure::Status(head.status, words.into()));
        }
        let (wanted, found) = match expect {
            Expect::Completion => (ContentType::Json, check::completion(&self.body)),
            Expect::Stream => (ContentType::EventStream, check::stream(&self.body)),
        };
        if head.content_type != wanted {
            return Err(Failure::Wrong("the content type is not what was asked for"));
        }
        found.map_err(Failure::Wrong)?;
        let text = |name| std::str::from_utf8(fields.value(head_bytes, name)?).ok();
        Ok(Answer {
            target: text("x-switchover-target").unwrap_or_default().into(),
            attempts: text("x-switchover-attempts")
                .and_then(|count| count.parse().ok())
                .unwrap_or_default(),
            bytes: self.body.len(),
        })
    }
}

/// One connection and what arrived on it.
#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
    fields: Fields,
}

impl Connection {
    fn open(address: SocketAddr, patience: Span) -> Result<Self, Failure> {
        let open = || {
            let stream = TcpStream::connect_timeout(&address, patience.as_std())?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        let stream = open().map_err(|error: io::Error| Failure::Unreachable(error.kind()))?;
        Ok(Self {
            stream,
            input: Vec::new(),
            fields: Fields::new(),
        })
    }

    /// Whether nothing has arrived since the last answer: neither an end nor anything else.
    fn is_open(&self) -> bool {
        let blocked = |result: io::Result<usize>| {
            result.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
        };
        self.stream.set_nonblocking(true).is_ok()
            && blocked(self.stream.peek(&mut [0]))
            && self.stream.set_nonblocking(false).is_ok()
    }

    fn send(&mut self, request: &[u8], until: Moment) -> Result<(), Failure> {
        let left = left(until)?;
        let sent = self
            .stream
            .set_write_timeout(Some(left.as_std()))
            .and_then(|()| self.stream.write_all(request));
        sent.map_err(|error| of_io(&error))
    }

    /// The final head; informational ones are skipped.
    fn head(&mut self, until: Moment) -> Result<ResponseHead, Failure> {
        let mut search = HeadSearch::response();
        loop {
            if search.may_be_complete(&self.input) {
                let parsed = response::parse(&self.input, &mut self.fields);
                match parsed.map_err(|bad| Failure::Malformed(bad.reason))? {
                    Some(head) if head.status < 200 => {
                        self.input.drain(..head.len as usize);
                        search = HeadSearch::response();
                        continue;
                    }
                    Some(head) => return Ok(head),
                    None => {}
                }
            }
            self.read_some(until)?;
        }
    }

    /// Everything that `framing` says belongs to the answer, into `body`.
    fn body(&mut self, framing: Framing, body: &mut Vec<u8>, until: Moment) -> Result<(), Failure> {
        match framing {
            Framing::None => Ok(()),
            Framing::Length(length) => {
                let length = usize::try_from(length)
                    .ok()
                    .filter(|&length| length <= ANSWER_BYTES_MAX)
                    .ok_or(TOO_LONG)?;
                while self.input.len() < length {
                    self.read_some(until)?;
                }
                body.extend(self.input.drain(..length));
                Ok(())
            }
            Framing::Chunked => self.chunked(body, until),
            Framing::UntilClose => {
                while self.read(until)? > 0 {
                    bounded(self.input.len())?;
                }
                body.append(&mut self.input);
                Ok(())
            }
        }
    }

    fn chunked(&mut self, body: &mut Vec<u8>, until: Moment) -> Result<(), Failure> {
        let mut decoder = Decoder::new();
        loop {
            let step = decoder
                .decode(&mut self.input)
                .map_err(|bad| Failure::Malformed(bad.reason))?;
            body.extend(self.input.get(..step.produced).unwrap_or_default());
            self.input.drain(..step.consumed);
            if step.done {
                return Ok(());
            }
            bounded(body.len())?;
            self.read_some(until)?;
        }
    }

    fn read_some(&mut self, until: Moment) -> Result<(), Failure> {
        match self.read(until)? {
            0 => Err(Failure::Cut),
            _ => Ok(()),
        }
    }

    /// Reads once; 0 is the end of the connection.
    fn read(&mut self, until: Moment) -> Result<usize, Failure> {
        let left = left(until)?;
        let mut bytes = [0; READ_BYTES];
        let read = self
            .stream
            .set_read_timeout(Some(left.as_std()))
            .and_then(|()| self.stream.read(&mut bytes));
        match read {
            Ok(count) => {
                self.input.extend(bytes.get(..count).unwrap_or_default());
                Ok(count)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => self.read(until),
            Err(error) => Err(of_io(&error)),
        }
    }
}

/// The time left, which is never zero: a socket takes that for "no bound".
fn left(until: Moment) -> Result<Span, Failure> {
    match until.since(clock::now()) {
        Span::ZERO => Err(Failure::TooLate),
        left => Ok(left.max(Span::from_millis(1))),
    }
}

fn bounded(length: usize) -> Result<(), Failure> {
    if length > ANSWER_BYTES_MAX {
        return Err(TOO_LONG);
    }
    Ok(())
}

fn of_io(error: &io::Error) -> Failure {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Failure::TooLate,
        _ => Failure::Cut,
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(kind) => write!(f, "no connection: {kind}"),
            Self::TooLate => f.write_str("no complete answer in time"),
            Self::Cut => f.write_str("the connection ended before the answer did"),
            Self::Malformed(reason) => write!(f, "malformed: {reason}"),
            Self::Status(status, words) => write!(f, "status {status}: {words}"),
            Self::Wrong(reason) => write!(f, "wrong answer: {reason}"),
        }
    }
}

impl std::error::Error for Failure {}

const TOO_LONG: Failure = Failure::Malformed("the answer is too long");
/// One read: an answer of a chat takes a few.
const READ_BYTES: usize = 8 * 1024;
/// What is kept of an error's body: its first sentence.
const ERROR_CHARS: usize = 200;
