//! Opening a connection to a provider: addresses in turn, then TLS, within one deadline and only while the client waits.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use monoio::net::TcpStream;

use crate::base::{Moment, Span};
use crate::exchange::{Broken, DialFailure};
use crate::runtime::accept::out_of_descriptors;
use crate::runtime::clock;
use crate::runtime::fd::Socket;
use crate::runtime::link::Link;
use crate::runtime::peer::Peer;
use crate::runtime::pulse::BEAT;
use crate::runtime::sweep::Registration;
use crate::runtime::tls::Session;

/// Opens a connection to `peer`.
pub(super) async fn dial(
    peer: &Peer,
    registration: &Registration,
    until: Moment,
) -> Result<Link, DialFailure> {
    let addresses = known_addresses(peer, registration, until).await?;
    let stream = connect_any(&addresses, registration, until).await?;
    let Some(config) = peer.tls() else {
        return Ok(Link::plain(stream));
    };
    let session = Session::client(config, &peer.host).map_err(|_| DialFailure::Tls)?;
    let mut link = Link::secured(stream, session);
    let watch = registration.watch();
    // From here on a late handshake is ended by the sweeper, as any read is.
    watch.set_upstream(Some(link.socket()));
    watch.await_upstream(clock::now(), until);
    let shaken = link.handshake().await;
    watch.set_upstream(None);
    match (watch.fired(), shaken) {
        (Some(Broken::ClientGone), _) => Err(DialFailure::ClientGone),
        (Some(Broken::Overtaken), _) => Err(DialFailure::Overtaken),
        (Some(Broken::Drained), _) => Err(DialFailure::Drained),
        (Some(_), _) => Err(DialFailure::TimedOut),
        (None, Err(_)) => Err(DialFailure::Tls),
        (None, Ok(())) => Ok(link),
    }
}

/// The resolver works ahead of requests; only the first ones after the start may have to wait for it.
async fn known_addresses(
    peer: &Peer,
    registration: &Registration,
    until: Moment,
) -> Result<Arc<[SocketAddr]>, DialFailure> {
    loop {
        let addresses = peer.addresses();
        if !addresses.is_empty() {
            return Ok(addresses);
        }
        pause(registration, (clock::now() + BEAT).min(until))
            .await
            .map_err(given_up)?;
        if clock::now() >= until {
            return Err(DialFailure::Connect);
        }
    }
}

async fn connect_any(
    addresses: &[SocketAddr],
    registration: &Registration,
    until: Moment,
) -> Result<TcpStream, DialFailure> {
    let mut failure = DialFailure::Connect;
    for (tried, &address) in addresses.iter().enumerate() {
        let now = clock::now();
        let left = u64::try_from(addresses.len().saturating_sub(tried))
            .unwrap_or(1)
            .max(1);
        let share = Span::from_nanos(until.since(now).as_nanos() / left).max(ADDRESS_TIME_MIN);
        match connect(address, registration, (now + share).min(until)).await {
            Ok(stream) => {
                // Without it small writes wait for acknowledgements; a failure costs latency only.
                let _ = stream.set_nodelay(true);
                Socket::new(stream.as_raw_fd()).mind_vanished_peer();
                return Ok(stream);
            }
            Err(
                given_up
                @ (DialFailure::ClientGone | DialFailure::Overtaken | DialFailure::Drained),
            ) => return Err(given_up),
            Err(other) => failure = other,
        }
    }
    Err(failure)
}

/// A connect may be dropped half-way (its descriptor goes with it), so that it can race a timer.
async fn connect(
    address: SocketAddr,
    registration: &Registration,
    until: Moment,
) -> Result<TcpStream, DialFailure> {
    let mut connecting = pin!(TcpStream::connect_addr(address));
    let mut timer = pin!(pause(registration, until));
    poll_fn(|task| {
        if let Poll::Ready(connected) = connecting.as_mut().poll(task) {
            return Poll::Ready(connected.map_err(|error: io::Error| match error.kind() {
                io::ErrorKind::TimedOut => DialFailure::TimedOut,
                _ if out_of_descriptors(&error) => DialFailure::Exhausted,
                _ => DialFailure::Connect,
            }));
        }
        timer
            .as_mut()
            .poll(task)
            .map(|waited| Err(waited.map_or_else(given_up, |()| DialFailure::TimedOut)))
    })
    .await
}

pub(super) const fn given_up(why: Broken) -> DialFailure {
    match why {
        Broken::Overtaken => DialFailure::Overtaken,
        Broken::Drained => DialFailure::Drained,
        Broken::ClientGone | Broken::Answered | Broken::Reset | Broken::TimedOut => {
            DialFailure::ClientGone
        }
    }
}

/// Waits, and stops waiting when the client leaves or nobody wants the result any more.
///
/// # Errors
/// Which of the two.
pub(super) async fn pause(registration: &Registration, until: Moment) -> Result<(), Broken> {
    while clock::now() < until {
        if let Some(why) = registration.watch().cut_short() {
            return Err(why);
        }
        registration.beats().next().await;
    }
    Ok(())
}

/// Each address gets at least this long before the next is tried (RFC 8305 section 5 recommends 250 ms).
const ADDRESS_TIME_MIN: Span = Span::from_millis(250);
