//! A TCP connection with or without TLS: read into a buffer's spare room, send a part of a buffer, and nothing else.

use std::future::{Future, poll_fn};
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::pin::pin;
use std::task::Poll;

use monoio::buf::IoBufMut;
use monoio::buf::{IoBuf, SliceMut};
use monoio::io::{AsyncReadRent, AsyncWriteRent};
use monoio::net::TcpStream;

use crate::runtime::fd::{Socket, refuses};
use crate::runtime::tls::Session;

/// How bytes are sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Way {
    /// By the driver, together with what other tasks have to do: fewest system calls under load.
    Driver,
    /// At once: a worker with nothing else to do gains nothing by waiting for company.
    ///
    /// PERF: saves about 8 % of the CPU of a request at one connection.
    Direct,
}

/// How much of a request went out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sent {
    /// All of it.
    Whole,
    /// The provider has refused it before he had all of it.
    Refused,
}

/// One connection. Its reads and writes are never dropped half-way: see `sweep`.
#[derive(Debug)]
pub(super) struct Link {
    stream: TcpStream,
    tls: Option<Box<Tls>>,
}

#[derive(Debug)]
struct Tls {
    session: Session,
    /// Encrypted bytes; a read's before they are taken in, a write's before they are sent.
    wire: Vec<u8>,
}

impl Link {
    /// A plain connection.
    pub(super) fn plain(stream: TcpStream) -> Self {
        Self { stream, tls: None }
    }

    /// A connection whose handshake is still to be done.
    pub(super) fn secured(stream: TcpStream, session: Session) -> Self {
        Self {
            stream,
            tls: Some(Box::new(Tls {
                session,
                wire: Vec::new(),
            })),
        }
    }

    /// Whether what is sent goes out as it is.
    pub(super) const fn is_plain(&self) -> bool {
        self.tls.is_none()
    }

    /// The socket's number, for the sweeper.
    pub(super) fn socket(&self) -> Socket {
        Socket::new(self.stream.as_raw_fd())
    }

    /// Does the TLS handshake, if there is one to do.
    ///
    /// # Errors
    /// The peer did not prove its name, broke the protocol, or went away.
    pub(super) async fn handshake(&mut self) -> io::Result<()> {
        let Some(tls) = self.tls.as_deref_mut() else {
            return Ok(());
        };
        while tls.session.is_handshaking() {
            tls.flush(&mut self.stream).await?;
            if tls.session.is_handshaking() && tls.fill(&mut self.stream).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        tls.flush(&mut self.stream).await
    }

    /// Appends what comes next to `into`, at most its spare capacity; 0 is the end of the stream.
    pub(super) async fn read(&mut self, mut into: Vec<u8>) -> (Vec<u8>, io::Result<usize>) {
        if let Some(tls) = self.tls.as_deref_mut() {
            let read = tls.read(&mut self.stream, &mut into).await;
            return (into, read);
        }
        let (from, to) = (into.len(), into.capacity());
        let (read, slice) = self.stream.read(into.slice_mut(from..to)).await;
        (SliceMut::into_inner(slice), read)
    }

    /// Sends all of `bytes[range]`, by `way`.
    pub(super) async fn send(
        &mut self,
        bytes: Vec<u8>,
        mut range: Range<usize>,
        way: Way,
    ) -> (Vec<u8>, io::Result<()>) {
        if let Some(tls) = self.tls.as_deref_mut() {
            let sent = match tls.session.write(bytes.get(range).unwrap_or_default()) {
                Ok(()) => tls.flush(&mut self.stream).await,
                Err(error) => Err(error),
            };
            return (bytes, sent);
        }
        if way == Way::Direct {
            match self
                .socket()
                .send_now(bytes.get(range.clone()).unwrap_or_default())
            {
                Some(Ok(count)) => range.start += count,
                Some(Err(error)) => return (bytes, Err(error)),
                None => {}
            }
        }
        send_all(&mut self.stream, bytes, range).await
    }

    /// Sends a request, all of it or until the provider refuses it: he may answer early, and then neither read on nor
    /// close, so that waiting for the rest to go out would cost the whole timer.
    ///
    /// PERF: what the kernel's buffers take at once goes the usual way.
    pub(super) async fn send_request(
        &mut self,
        bytes: Vec<u8>,
        range: Range<usize>,
        way: Way,
    ) -> (Vec<u8>, io::Result<Sent>) {
        if range.len() <= BUFFERED_BYTES {
            let (bytes, sent) = self.send(bytes, range, way).await;
            return (bytes, sent.map(|()| Sent::Whole));
        }
        let sent = Box::pin(self.send_heedful(bytes.get(range).unwrap_or_default())).await;
        (bytes, sent)
    }

    async fn send_heedful(&mut self, bytes: &[u8]) -> io::Result<Sent> {
        let socket = self.socket();
        let Some(tls) = self.tls.as_deref_mut() else {
            let refused = |_: &mut bool| Ok(socket.is_refused());
            return send_unless(&self.stream, bytes, refused).await;
        };
        tls.session.write(bytes)?;
        let mut wire = std::mem::take(&mut tls.wire);
        wire.clear();
        tls.session.outgoing(&mut wire)?;
        let session = &mut tls.session;
        let refused = |heeds: &mut bool| refused_in(session, socket, heeds);
        let sent = send_unless(&self.stream, &wire, refused).await;
        wire.clear();
        tls.wire = wire;
        sent
    }

    /// Ends the sending direction.
    pub(super) async fn finish_sending(&mut self) {
        if let Some(tls) = self.tls.as_deref_mut() {
            tls.session.close();
            // The peer may be gone already; then there is nobody to tell.
            let _ = tls.flush(&mut self.stream).await;
        }
        self.socket().finish_sending();
    }

    /// Whether an idle connection is still good: no end, no bytes that nobody asked for.
    pub(super) fn is_quiet(&mut self) -> bool {
        !self.socket().is_stale()
            && self
                .tls
                .as_deref_mut()
                .is_none_or(|tls| tls.session.is_quiet())
    }
}

impl Tls {
    async fn read(&mut self, stream: &mut TcpStream, into: &mut Vec<u8>) -> io::Result<usize> {
        loop {
            match self.session.read(into) {
                Ok(Some(count)) => return Ok(count),
                Ok(None) => {}
                Err(error) => return Err(error),
            }
            if self.fill(stream).await? == 0 {
                // An end without a goodbye may be anybody's doing (RFC 8446 section 6.1).
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            // A key update or a ticket may want an answer.
            self.flush(stream).await?;
        }
    }

    /// Takes in what the socket has; 0 is the end.
    async fn fill(&mut self, stream: &mut TcpStream) -> io::Result<usize> {
        let mut wire = std::mem::take(&mut self.wire);
        wire.clear();
        wire.reserve(WIRE_BYTES);
        let capacity = wire.capacity();
        let (read, slice) = stream.read(wire.slice_mut(0..capacity)).await;
        self.wire = SliceMut::into_inner(slice);
        let count = read?;
        let incoming = self
            .session
            .incoming(self.wire.get(..count).unwrap_or_default());
        if let Err(error) = incoming {
            // The alert tells the peer why; that it may not arrive changes nothing.
            let _ = self.flush(stream).await;
            return Err(error);
        }
        Ok(count)
    }

    async fn flush(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        let mut wire = std::mem::take(&mut self.wire);
        wire.clear();
        self.session.outgoing(&mut wire)?;
        let range = 0..wire.len();
        let (wire, sent) = send_all(stream, wire, range).await;
        self.wire = wire;
        sent
    }
}

/// Sends everything, past the driver's operations: an operation that waits for room could not be left when an answer comes.
/// `refused` looks at what has come, and may say that there is nothing more to look for.
async fn send_unless(
    stream: &TcpStream,
    mut bytes: &[u8],
    mut refused: impl FnMut(&mut bool) -> io::Result<bool>,
) -> io::Result<Sent> {
    let socket = Socket::new(stream.as_raw_fd());
    let mut heeds = true;
    loop {
        match socket.send_now(bytes) {
            Some(sent) => bytes = bytes.get(sent?..).unwrap_or_default(),
            None if heeds => {
                if room_or_answer(stream).await? == Ready::Answer {
                    // What is there and does not refuse, an interim answer for one, is read when all is sent.
                    heeds = false;
                    if refused(&mut heeds)? {
                        return Ok(Sent::Refused);
                    }
                }
            }
            None => stream.writable(false).await?,
        }
        if bytes.is_empty() {
            return Ok(Sent::Whole);
        }
    }
}

/// What a connection is ready for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ready {
    Room,
    Answer,
}

/// Waits for room to send into or for something to read. That one of two polls is dropped loses nothing.
async fn room_or_answer(stream: &TcpStream) -> io::Result<Ready> {
    let mut room = pin!(stream.writable(false));
    let mut answer = pin!(stream.readable(false));
    poll_fn(|task| {
        if let Poll::Ready(ready) = answer.as_mut().poll(task) {
            return Poll::Ready(ready.map(|()| Ready::Answer));
        }
        let room = room.as_mut().poll(task);
        room.map(|ready| ready.map(|()| Ready::Room))
    })
    .await
}

/// Whether what has come over TLS refuses the request. Tickets and the like are taken in, and more is waited for; of an
/// answer no more than what came with its first bytes, so that it stays within what a session holds.
fn refused_in(session: &mut Session, socket: Socket, heeds: &mut bool) -> io::Result<bool> {
    let mut wire = [0; 4096];
    loop {
        let begin = session.peek()?;
        if !begin.is_empty() {
            return Ok(refuses(begin));
        }
        match socket.receive_now(&mut wire) {
            // Whoever has closed does not answer any more.
            Some(Ok(0)) => return Ok(false),
            Some(count) => session.incoming(wire.get(..count?).unwrap_or_default())?,
            None => {
                *heeds = true;
                return Ok(false);
            }
        }
    }
}

/// A write may be short, however small: it goes on until all is sent.
async fn send_all(
    stream: &mut TcpStream,
    mut bytes: Vec<u8>,
    range: Range<usize>,
) -> (Vec<u8>, io::Result<()>) {
    let Range { mut start, end } = range;
    while start < end {
        let (sent, slice) = stream.write(bytes.slice(start..end)).await;
        bytes = slice.into_inner();
        match sent {
            Ok(0) => return (bytes, Err(io::ErrorKind::WriteZero.into())),
            Ok(count) => start += count,
            Err(error) => return (bytes, Err(error)),
        }
    }
    (bytes, Ok(()))
}

/// Up to this size a request goes out whether the provider reads it or not: his kernel takes in so much (the receive window
/// of a new connection, `tcp_rmem`).
const BUFFERED_BYTES: usize = 64 * 1024;
/// One TLS record with its overhead fits.
const WIRE_BYTES: usize = 17 * 1024;
