//! One connection to a simulated provider: requests in, timed bytes out, until either side leaves.
//!
//! While an answer waits for its next moment the socket is watched for the client's leaving; that is a poll, not a
//! read, because a read that is dropped may swallow bytes of the next request.

use std::future::poll_fn;
use std::io;
use std::net::TcpStream;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use monoio::buf::IoBuf;
use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use rustix::net::RecvFlags;

use crate::base::limits::BODY_BYTES_MAX;
use crate::base::{RequestId, Span, hash};
use crate::dialect::openai::{Refusal, error_body};
use crate::policy::model::AuthStyle;
use crate::runtime::simulated::Site;
use crate::runtime::simulated::control::InFlight;
use crate::sim::provider::{Answer, Asked, Ending, Simulated};
use crate::wire::h1::chunked::Decoder;
use crate::wire::h1::request::{self, RequestHead};
use crate::wire::h1::{Fields, Framing, HeadSearch, Method, write};

/// One read. Most requests fit; a large prompt takes several.
const READ_BYTES: usize = 16 * 1024;

/// Serves `stream` to its end. Errors end it: there is nobody to tell.
pub(super) async fn serve(stream: TcpStream, site: Rc<Site>) {
    if let Ok(mut connection) = Connection::open(stream) {
        // A request that cannot be read, or a client that left.
        let _ = connection.run(&site).await;
    }
}

struct Connection {
    /// The runtime's hold on the socket.
    stream: monoio::net::TcpStream,
    /// The same socket, for options and for a look at what arrived.
    handle: TcpStream,
    /// Bytes that arrived and belong to no request yet.
    input: Vec<u8>,
    read_buffer: Vec<u8>,
    fields: Fields,
    answer: Answer,
}

/// Where a credential of this style stands, and how it begins.
const fn field_of(style: AuthStyle) -> (&'static str, &'static [u8]) {
    match style {
        AuthStyle::Bearer => ("authorization", b"Bearer "),
        AuthStyle::ApiKey => ("api-key", b""),
        AuthStyle::XApiKey => ("x-api-key", b""),
        AuthStyle::XGoogApiKey => ("x-goog-api-key", b""),
        AuthStyle::SigV4 => ("authorization", b"AWS4-HMAC-SHA256 Credential="),
    }
}

/// What happens after an answer.
#[derive(Eq, PartialEq)]
enum Next {
    Request,
    Close,
}

impl Connection {
    fn open(handle: TcpStream) -> io::Result<Self> {
        handle.set_nodelay(true)?;
        // The ring waits for a blocking socket by itself; epoll needs one that says it would block.
        handle.set_nonblocking(monoio::utils::is_legacy())?;
        Ok(Self {
            stream: monoio::net::TcpStream::from_std(handle.try_clone()?)?,
            handle,
            input: Vec::new(),
            read_buffer: Vec::with_capacity(READ_BYTES),
            fields: Fields::new(),
            answer: Answer::default(),
        })
    }

    async fn run(&mut self, site: &Site) -> io::Result<()> {
        while let Some(head) = self.head().await? {
            let head_bytes: Vec<u8> = self.input.drain(..head.len as usize).collect();
            let Some(body) = self.body(&head).await? else {
                return self.refuse(413).await;
            };
            let in_flight = site.control.begin();
            self.ask(site, &head, &head_bytes, &body);
            if self.play(&in_flight).await? == Next::Close || !head.keep_alive {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The next request's head; `None` when the client is done.
    async fn head(&mut self) -> io::Result<Option<RequestHead>> {
        let mut search = HeadSearch::request();
        loop {
            if search.may_be_complete(&self.input) {
                match request::parse(&self.input, &mut self.fields) {
                    Ok(Some(head)) => return Ok(Some(head)),
                    Ok(None) => {}
                    Err(refusal) => {
                        self.refuse(refusal.status).await?;
                        return Ok(None);
                    }
                }
            }
            if self.read().await? == 0 {
                return Ok(None);
            }
        }
    }

    /// The request's body; `None` when it is over the bound.
    async fn body(&mut self, head: &RequestHead) -> io::Result<Option<Vec<u8>>> {
        if head.expect_continue && self.input.is_empty() {
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec())
                .await?;
        }
        match head.framing {
            Framing::None | Framing::UntilClose => Ok(Some(Vec::new())),
            Framing::Length(length) => {
                let Some(length) = bounded(length) else {
                    return Ok(None);
                };
                while self.input.len() < length {
                    self.read_some().await?;
                }
                Ok(Some(self.input.drain(..length).collect()))
            }
            Framing::Chunked => self.chunked_body().await,
        }
    }

    async fn chunked_body(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut decoder = Decoder::new();
        let mut body = Vec::new();
        loop {
            let step = decoder
                .decode(&mut self.input)
                .map_err(|bad| io::Error::new(io::ErrorKind::InvalidData, bad.reason))?;
            body.extend(self.input.get(..step.produced).unwrap_or_default());
            self.input.drain(..step.consumed);
            if bounded(body.len() as u64).is_none() {
                return Ok(None);
            }
            if step.done {
                return Ok(Some(body));
            }
            self.read_some().await?;
        }
    }

    /// Fills `self.answer`.
    fn ask(&mut self, site: &Site, head: &RequestHead, head_bytes: &[u8], body: &[u8]) {
        let mut simulated = site.simulated.borrow_mut();
        simulated.set_act(site.control.act());
        let number = site.control.served();
        let id = u128::from(hash::mix(site.salt, number)) << 64 | u128::from(number);
        let asked = Asked::read(
            head.method.as_str(head_bytes),
            head.path(head_bytes),
            body,
            RequestId(id),
            site.created,
        );
        let shown = site.credential.is_none_or(|style| {
            let (name, begins) = field_of(style);
            let value = self.fields.value(head_bytes, name);
            head.method != Method::Post
                || value
                    .is_some_and(|value| value.starts_with(begins) && value.len() > begins.len())
        });
        if shown {
            simulated.answer(&asked, &mut self.answer);
        } else {
            Simulated::refuse(&asked, &mut self.answer);
        }
    }

    /// Writes the answer, part by part, each at its moment.
    async fn play(&mut self, in_flight: &InFlight<'_>) -> io::Result<Next> {
        let steps = std::mem::take(&mut self.answer.steps);
        let mut start = 0;
        let mut watch = true;
        for step in &steps {
            if step.delay > Span::ZERO && !self.wait(step.delay, &mut watch).await {
                in_flight.abandon();
                return Ok(Next::Close);
            }
            let bytes = std::mem::take(&mut self.answer.bytes);
            let (result, part) = self.stream.write_all(bytes.slice(start..step.end)).await;
            self.answer.bytes = part.into_inner();
            if let Err(error) = result {
                in_flight.abandon();
                return Err(error);
            }
            start = step.end;
        }
        self.answer.steps = steps;
        match self.answer.ending {
            Ending::Clean => Ok(Next::Request),
            Ending::Reset => {
                // Closing with unsent time zero sends RST in place of FIN.
                rustix::net::sockopt::set_socket_linger(&self.handle, Some(Duration::ZERO))?;
                Ok(Next::Close)
            }
            Ending::Hang => {
                while self.read().await? > 0 {
                    self.input.clear();
                }
                in_flight.abandon();
                Ok(Next::Close)
            }
        }
    }

    /// Waits. Returns whether the client is still there; once it has sent more than it should have, nobody can tell
    /// any more, and `watch` becomes false.
    async fn wait(&self, delay: Span, watch: &mut bool) -> bool {
        let mut timer = pin!(monoio::time::sleep(delay.as_std()));
        if *watch {
            let mut arrival = pin!(self.stream.readable(false));
            let is_over = poll_fn(|context| {
                if timer.as_mut().poll(context).is_ready() {
                    return Poll::Ready(true);
                }
                arrival.as_mut().poll(context).map(|_| false)
            })
            .await;
            if is_over {
                return true;
            }
            if self.is_gone() {
                return false;
            }
            *watch = false;
        }
        timer.await;
        true
    }

    /// Whether the client closed its side, given that there is something to read.
    fn is_gone(&self) -> bool {
        let mut byte = [0];
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        match rustix::net::recv(&self.handle, &mut byte[..], flags) {
            Ok((_, length)) => length == 0,
            Err(error) => error != rustix::io::Errno::AGAIN,
        }
    }

    async fn refuse(&mut self, status: u16) -> io::Result<()> {
        let refusal = match status {
            413 => Refusal::BodyTooLarge,
            414 => Refusal::TargetTooLong,
            431 => Refusal::HeadTooLarge,
            _ => Refusal::BadRequest,
        };
        let mut body = Vec::new();
        error_body(&mut body, &refusal.error());
        let mut out = Vec::new();
        write::status_line(status, &mut out);
        write::field(b"content-type", b"application/json", &mut out);
        write::field(b"connection", b"close", &mut out);
        write::field_decimal(b"content-length", body.len() as u64, &mut out);
        write::end(&mut out);
        out.extend_from_slice(&body);
        self.write(out).await
    }

    async fn write(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        self.stream.write_all(bytes).await.0.map(drop)
    }

    /// Reads once; 0 is the end of the connection.
    async fn read(&mut self) -> io::Result<usize> {
        let buffer = std::mem::take(&mut self.read_buffer);
        let (result, buffer) = self.stream.read(buffer).await;
        if let Ok(length) = result {
            self.input.extend(buffer.get(..length).unwrap_or_default());
        }
        self.read_buffer = buffer;
        result
    }

    /// Reads once; the end of the connection is an error, because a request is under way.
    async fn read_some(&mut self) -> io::Result<()> {
        match self.read().await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// A length within the bound on bodies.
fn bounded(length: u64) -> Option<usize> {
    usize::try_from(length)
        .ok()
        .filter(|_| length <= BODY_BYTES_MAX)
}
