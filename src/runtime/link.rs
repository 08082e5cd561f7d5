//! A TCP connection with or without TLS: read into a buffer's spare room, send a part of a buffer, and nothing else.

use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;

use monoio::buf::IoBufMut;
use monoio::buf::{IoBuf, SliceMut};
use monoio::io::{AsyncReadRent, AsyncWriteRent};
use monoio::net::TcpStream;

use crate::runtime::fd::Socket;
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

/// One TLS record with its overhead fits.
const WIRE_BYTES: usize = 17 * 1024;
