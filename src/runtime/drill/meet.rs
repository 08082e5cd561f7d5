//! What an attempt that a fault hits meets: a socket whose other end is a task that plays the fault, with the provider
//! behind it where one is asked at all. The exchange, its timers and the engine see what they would see of a provider.
//!
//! ```text
//!   exchange ─ Upstream ─ socket pair ─ play ┬─ a scripted answer
//!                                            └─ the provider's connection: late, slow, or cut off
//! ```

use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use monoio::net::TcpStream;

use crate::base::{Moment, Span};
use crate::dialect::format::Format;
use crate::dialect::provider::error_field;
use crate::exchange::DialFailure;
use crate::policy::drill::{Fault, NoConnection};
use crate::runtime::clock;
use crate::runtime::connection::Conversation;
use crate::runtime::dial::{dial, given_up};
use crate::runtime::drill::Running;
use crate::runtime::drill::breaking::Breaking;
use crate::runtime::link::{Link, Way};
use crate::runtime::peer::Peer;
use crate::runtime::sweep::{Registration, Sweeper};
use crate::runtime::worker::Worker;
use crate::sim::provider::{Scripted, scripted};
use crate::wire::h1::request;
use crate::wire::h1::response::{self, ResponseHead};
use crate::wire::h1::write;
use crate::wire::h1::{Fields, Framing};

/// An attempt is hit.
#[derive(Debug)]
pub(in crate::runtime) struct Hit {
    drill: Arc<Running>,
    fault: Fault,
    format: Format,
}

/// What an attempt meets that is about to connect to an endpoint, if a drill is on and hits it.
///
/// PERF: one relaxed load where none is on.
#[inline]
pub(in crate::runtime) fn hit(
    worker: &Worker,
    conversation: &Conversation,
    of_hedge: bool,
    endpoint: u16,
) -> Option<Box<Hit>> {
    if !worker.shared().drills.is_on() {
        return None;
    }
    look(worker, conversation, of_hedge, endpoint)
}

#[cold]
fn look(
    worker: &Worker,
    conversation: &Conversation,
    of_hedge: bool,
    endpoint: u16,
) -> Option<Box<Hit>> {
    let drill = worker.drill()?;
    let view = conversation.view(worker);
    let contact = conversation.exchange.borrow().contact(of_hedge)?;
    if !drill.is_about(&view.generation) {
        return None;
    }
    let fault = drill.edge.fault(clock::now(), &contact, endpoint)?;
    let format = contact.format;
    drill.met();
    Some(Box::new(Hit {
        drill,
        fault,
        format,
    }))
}

impl Hit {
    /// The connection that the attempt gets, if it gets any.
    pub(in crate::runtime) async fn open(
        self: Box<Self>,
        peer: &Peer,
        until: Moment,
        worker: &Worker,
        registration: &Registration,
    ) -> Result<Link, DialFailure> {
        let far = match (self.fault, scripted(self.format, self.fault)) {
            (Fault::Connect(NoConnection::Refuse), _) => return Err(DialFailure::Connect),
            (Fault::Connect(NoConnection::Tls), _) => return Err(DialFailure::Tls),
            // A name without an address is waited for as long (`dial`).
            (Fault::Connect(NoConnection::Hang | NoConnection::Dns), _) => {
                self.hang(until, registration).await?;
                return Box::pin(dial(peer, registration, until)).await;
            }
            (_, Some(answer)) => Far::Script(answer),
            (_, None) => Far::Provider(Box::pin(dial(peer, registration, until)).await?),
        };
        let (ours, theirs) = pair().map_err(|_| DialFailure::Exhausted)?;
        let stage = Stage {
            hit: *self,
            sweeper: Rc::clone(&worker.sweeper),
        };
        monoio::spawn(async move {
            // Whoever leaves ends it: there is nobody to tell.
            let _ = stage.play(theirs, far).await;
        });
        Ok(ours)
    }

    /// Nobody answers, until the time is over; if the fault is lifted before, the next packet gets through.
    async fn hang(&self, until: Moment, registration: &Registration) -> Result<(), DialFailure> {
        while self.drill.edge.holds(clock::now()) {
            if let Some(why) = registration.watch().cut_short() {
                return Err(given_up(why));
            }
            if clock::now() >= until {
                return Err(DialFailure::TimedOut);
            }
            registration.beats().next().await;
        }
        Ok(())
    }
}

/// Two ends of one connection.
fn pair() -> io::Result<(Link, Link)> {
    let (one, other) = UnixStream::pair()?;
    let link = |end: UnixStream| -> io::Result<Link> {
        // The ring waits for a blocking socket by itself; epoll needs one that says it would block.
        end.set_nonblocking(monoio::utils::is_legacy())?;
        let stream = TcpStream::from_std(std::net::TcpStream::from(OwnedFd::from(end)))?;
        Ok(Link::plain(stream))
    };
    Ok((link(one)?, link(other)?))
}

/// What stands behind the fault.
enum Far {
    /// Nobody: what is said.
    Script(Scripted),
    /// The provider.
    Provider(Link),
}

/// Where a fault is played.
pub(super) struct Stage {
    hit: Hit,
    sweeper: Rc<Sweeper>,
}

/// The gateway's side has left, or there is nothing more to be had from the provider.
pub(super) struct Over;

impl Stage {
    async fn play(&self, mut near: Link, far: Far) -> Result<(), Over> {
        let request = whole_request(&mut near).await?;
        match far {
            Far::Script(answer) => {
                self.wait(&near, ERROR_TIME).await?;
                say(&mut near, self.head_and_body(&answer)).await?;
                self.stay(near).await;
                Ok(())
            }
            Far::Provider(far) => self.pass(request, near, far).await,
        }
    }

    /// Passes the request to the provider, and what it answers back, with the fault in it.
    async fn pass(&self, request: Vec<u8>, mut near: Link, mut far: Link) -> Result<(), Over> {
        let length = request.len();
        let (_, sent) = far.send_request(request, 0..length, Way::Driver).await;
        sent.map_err(|_| Over)?;
        let mut answer = Vec::with_capacity(READ_BYTES);
        let head = loop {
            self.read(&mut far, &near, &mut answer).await?;
            match head_of(&answer) {
                Some(head) if head.is_interim() => drop(answer.drain(..head.len as usize)),
                Some(head) => break head,
                None => {}
            }
        };
        let broken = match self.hit.fault {
            Fault::Latency(more) => {
                self.wait(&near, more).await?;
                None
            }
            Fault::Ttft(more) => {
                let body = answer.split_off(head.len as usize);
                say(&mut near, std::mem::replace(&mut answer, body)).await?;
                if answer.is_empty() && head.framing != Framing::None {
                    self.read(&mut far, &near, &mut answer).await?;
                }
                self.wait(&near, more).await?;
                None
            }
            Fault::Gap(gap) => Some(Breaking::slow(gap)),
            Fault::Stream(how) => Some(Breaking::broken(how)),
            _ => None,
        };
        // Who refuses has not begun to answer: there is nothing that could break.
        match broken.filter(|_| head.status == 200) {
            Some(breaking) => {
                let format = self.hit.format;
                breaking.play(self, format, near, far, (head, answer)).await
            }
            None => self.flow(near, far, answer).await,
        }
    }

    /// All that is left, as it comes.
    async fn flow(&self, mut near: Link, mut far: Link, mut answer: Vec<u8>) -> Result<(), Over> {
        loop {
            say(&mut near, std::mem::take(&mut answer)).await?;
            answer.reserve(READ_BYTES);
            self.read(&mut far, &near, &mut answer).await?;
        }
    }

    /// Appends what the provider says next. Where the gateway leaves meanwhile, the provider is left too.
    pub(super) async fn read(
        &self,
        far: &mut Link,
        near: &Link,
        into: &mut Vec<u8>,
    ) -> Result<(), Over> {
        into.reserve(READ_BYTES);
        let (far_socket, near_socket) = (far.socket(), near.socket());
        let beats = &self.sweeper.beats;
        let mut reading = pin!(far.read(std::mem::take(into)));
        let mut beat = Box::pin(beats.next());
        let (bytes, read) = poll_fn(|task| {
            loop {
                if let Poll::Ready(done) = reading.as_mut().poll(task) {
                    return Poll::Ready(done);
                }
                if beat.as_mut().poll(task).is_pending() {
                    return Poll::Pending;
                }
                if near_socket.is_stale() {
                    // The read then ends by itself.
                    far_socket.shut_down();
                }
                beat = Box::pin(beats.next());
            }
        })
        .await;
        *into = bytes;
        match read {
            Ok(count) if count > 0 => Ok(()),
            _ => Err(Over),
        }
    }

    /// Lets time pass, as long as the fault holds and the gateway waits.
    pub(super) async fn wait(&self, near: &Link, span: Span) -> Result<(), Over> {
        let until = clock::now() + span;
        loop {
            let now = clock::now();
            if now >= until || !self.hit.drill.edge.holds(now) {
                return Ok(());
            }
            if near.socket().is_stale() {
                return Err(Over);
            }
            self.sweeper.beats.next().await;
        }
    }

    /// Says nothing more, and keeps the connection until the gateway has left it, or the fault holds no more.
    pub(super) async fn stay(&self, near: Link) {
        while !near.socket().is_stale() && self.hit.drill.edge.holds(clock::now()) {
            self.sweeper.beats.next().await;
        }
    }

    fn head_and_body(&self, answer: &Scripted) -> Vec<u8> {
        let mut out = Vec::with_capacity(answer.body.len() + 256);
        write::status_line(answer.status, &mut out);
        write::field(b"content-type", answer.content_type.as_bytes(), &mut out);
        if let (Some(name), Some(error)) = (error_field(self.hit.format), answer.error) {
            write::field(name.as_bytes(), error.as_bytes(), &mut out);
        }
        if let Fault::Status {
            retry_after: Some(after),
            ..
        } = self.hit.fault
        {
            let seconds = after.as_millis().div_ceil(1_000);
            write::field_decimal(b"retry-after", seconds, &mut out);
        }
        write::field_decimal(b"content-length", answer.body.len() as u64, &mut out);
        write::end(&mut out);
        out.extend_from_slice(&answer.body);
        out
    }
}

/// Sends all of it to the gateway.
pub(super) async fn say(near: &mut Link, bytes: Vec<u8>) -> Result<(), Over> {
    let length = bytes.len();
    let (_, sent) = near.send(bytes, 0..length, Way::Driver).await;
    sent.map_err(|_| Over)
}

/// Reads what the exchange sends: one request, whose length its head says.
async fn whole_request(near: &mut Link) -> Result<Vec<u8>, Over> {
    let mut bytes = Vec::with_capacity(READ_BYTES);
    let mut fields = Fields::default();
    let mut wanted = None;
    loop {
        if wanted.is_none()
            && let Ok(Some(head)) = request::parse(&bytes, &mut fields)
        {
            let body = match head.framing {
                Framing::Length(length) => usize::try_from(length).unwrap_or(usize::MAX),
                _ => 0,
            };
            wanted = Some(body.saturating_add(head.len as usize));
        }
        if wanted.is_some_and(|wanted| bytes.len() >= wanted) {
            return Ok(bytes);
        }
        bytes.reserve(READ_BYTES);
        let (back, read) = near.read(bytes).await;
        bytes = back;
        match read {
            Ok(count) if count > 0 => {}
            _ => return Err(Over),
        }
    }
}

fn head_of(answer: &[u8]) -> Option<ResponseHead> {
    let mut fields = Fields::default();
    response::parse(answer, &mut fields).ok().flatten()
}

/// What an error takes to come: a round trip and a look at the key; as on the virtual clock.
const ERROR_TIME: Span = Span::from_millis(40);
/// One read.
pub(super) const READ_BYTES: usize = 16 * 1024;
