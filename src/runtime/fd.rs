//! Acting on a socket by its number: the one exception to the ban on `unsafe`.
//!
//! A read or write that is under way cannot be cancelled by dropping its future: with `io_uring` data that has already
//! arrived would be lost. The way that works on every driver is to shut the socket down from outside; the operation then
//! ends on its own. The one who does that (the sweeper) knows the socket by its number only, since the task that
//! serves the connection owns it.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::{Errno, FdFlags};
use rustix::net::{RecvFlags, SendFlags, Shutdown, sockopt};

/// The number of a socket that its owner keeps open for as long as this value is registered with a sweeper.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Socket(RawFd);

impl Socket {
    /// Names an open socket.
    ///
    /// INVARIANT: the caller takes the value out of the sweeper before the socket is closed, on the same thread, so
    /// that the number cannot have been given to another file in between.
    pub(super) const fn new(raw: RawFd) -> Self {
        Self(raw)
    }

    /// Its number.
    pub(super) fn number(self) -> u32 {
        // INVARIANT: an open file has a number that is not negative.
        self.0.unsigned_abs()
    }

    /// Ends both directions: a pending read ends as at the end of the stream, a pending write fails.
    pub(super) fn shut_down(self) {
        // An error means that the peer has closed already: what was wanted.
        let _ = rustix::net::shutdown(self.borrow(), Shutdown::Both);
    }

    /// Ends the receiving direction: a pending read ends as at the end of the stream, and sending goes on.
    pub(super) fn finish_receiving(self) {
        let _ = rustix::net::shutdown(self.borrow(), Shutdown::Read);
    }

    /// Ends the sending direction: the peer reads the end, and may still send.
    pub(super) fn finish_sending(self) {
        let _ = rustix::net::shutdown(self.borrow(), Shutdown::Write);
    }

    /// Sends what the socket takes at once, past the driver. `None` where it takes nothing now.
    pub(super) fn send_now(self, bytes: &[u8]) -> Option<io::Result<usize>> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        match rustix::net::send(self.borrow(), bytes, flags) {
            Ok(count) => Some(Ok(count)),
            Err(Errno::AGAIN | Errno::INTR) => None,
            Err(error) => Some(Err(error.into())),
        }
    }

    /// The peer may vanish without a word: a cable, a firewall that forgets. Then what was sent is not acknowledged, or the
    /// kernel's own question is not, and the connection ends with an error in place of lasting until a timer fires, or in
    /// the pool for ever.
    ///
    /// A question is sent after 15 s without a byte, and again after 5 s; who has acknowledged nothing for 20 s is gone
    /// (`TCP_USER_TIMEOUT`, RFC 5482, which bounds both). That is longer than six retransmissions on a path with losses take
    /// (RFC 6298: 0.2 s, doubling), and about as long as a stream may be silent by default. Linux bounds by it, too, how long
    /// the peer's receive window may stay shut: a provider that is there and takes nothing of a request for 20 s counts as gone.
    pub(super) fn mind_vanished_peer(self) {
        let fd = self.borrow();
        // Each of these may fail by itself, and the timers are there all the same.
        let _ = sockopt::set_tcp_user_timeout(fd, UNACKNOWLEDGED_MS_MAX);
        let _ = sockopt::set_tcp_keepidle(fd, KEEPALIVE_AFTER);
        let _ = sockopt::set_tcp_keepintvl(fd, KEEPALIVE_EVERY);
        let _ = sockopt::set_socket_keepalive(fd, true);
    }

    /// What the next bytes say, which stay where they are: whether they begin an answer that refuses the request.
    pub(super) fn is_refused(self) -> bool {
        let mut begin = [0_u8; REFUSAL_BYTES];
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let count = rustix::net::recv(self.borrow(), &mut begin, flags);
        count.is_ok_and(|(_, count)| refuses(begin.get(..count).unwrap_or_default()))
    }

    /// Takes the bytes that are there; `None` where there are none, and no end either.
    pub(super) fn receive_now(self, into: &mut [u8]) -> Option<io::Result<usize>> {
        match rustix::net::recv(self.borrow(), into, RecvFlags::DONTWAIT) {
            Ok((_, count)) => Some(Ok(count)),
            Err(Errno::AGAIN | Errno::INTR) => None,
            Err(error) => Some(Err(error.into())),
        }
    }

    /// A program that the process may start does not inherit it. `io_uring` accepts without this flag.
    pub(super) fn close_on_exec(self) {
        let _ = rustix::io::fcntl_setfd(self.borrow(), FdFlags::CLOEXEC);
    }

    /// Sends an interim answer that means nothing (RFC 9110 section 15.2.1). A peer that only ended its sending
    /// direction ignores it; one that closed altogether resets the connection, and that can be seen.
    pub(super) fn ask_whether_there(self) {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        // If it cannot be sent, the next look tells why.
        let _ = rustix::net::send(self.borrow(), b"HTTP/1.1 100 Continue\r\n\r\n", flags);
    }

    /// Whether bytes or the end are waiting to be read on an idle connection: it is of no use any more.
    pub(super) fn is_stale(self) -> bool {
        let mut fds = [PollFd::from_borrowed_fd(
            self.borrow(),
            PollFlags::IN | PollFlags::RDHUP,
        )];
        rustix::event::poll(&mut fds, Some(&NO_WAIT)).is_ok_and(|ready| ready > 0)
    }

    #[expect(
        unsafe_code,
        reason = "a number is all that the sweeper may hold; see the contract of `new`"
    )]
    fn borrow(self) -> BorrowedFd<'static> {
        // SAFETY: by the invariant of `new` the socket is open while a `Socket` is in use, and the borrow never leaves
        // this file.
        unsafe { BorrowedFd::borrow_raw(self.0) }
    }
}

/// What is known of a peer without reading.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Presence {
    /// There.
    There,
    /// It has ended its sending direction: gone, or a legal half-close.
    HalfClosed,
    /// Reset, or both directions ended.
    Gone,
}

/// Whether bytes begin an answer with a status of 400 or more: the server will not read the rest of the request (RFC 9112
/// section 9.5).
pub(super) fn refuses(begin: &[u8]) -> bool {
    begin.starts_with(b"HTTP/1.") && matches!(begin.get(8..10), Some([b' ', b'4' | b'5']))
}

/// Sockets whose peers are known to be there until the kernel says otherwise: nobody has to ask it again and again.
pub(super) struct Departures {
    set: OwnedFd,
    events: RefCell<Vec<Event>>,
}

impl fmt::Debug for Departures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Departures").finish_non_exhaustive()
    }
}

impl Departures {
    /// Of nobody yet.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            set: epoll::create(CreateFlags::CLOEXEC)?,
            events: RefCell::new(Vec::with_capacity(EVENTS)),
        })
    }

    /// Tells by `key` when the peer of `socket` leaves, from now on until the socket is closed.
    ///
    /// # Errors
    /// The kernel has no memory left.
    pub(super) fn watch(&self, socket: Socket, key: u64) -> io::Result<()> {
        // Once for each change: a peer that has half-closed is not reported again before it is gone.
        let events = EventFlags::RDHUP | EventFlags::ET;
        Ok(epoll::add(
            &self.set,
            socket.borrow(),
            EventData::new_u64(key),
            events,
        )?)
    }

    /// A descriptor that becomes readable when somebody leaves.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(super) fn bell(&self) -> io::Result<OwnedFd> {
        self.set.try_clone()
    }

    /// All who have left since the last look.
    pub(super) fn take(&self, mut left: impl FnMut(u64, Presence)) {
        let mut events = self.events.borrow_mut();
        loop {
            events.clear();
            if epoll::wait(&self.set, spare_capacity(&mut events), Some(&NO_WAIT)).is_err() {
                return;
            }
            for &Event { flags, data } in &*events {
                let gone = flags.intersects(EventFlags::HUP | EventFlags::ERR);
                let presence = if gone {
                    Presence::Gone
                } else {
                    Presence::HalfClosed
                };
                left(data.u64(), presence);
            }
            if events.len() < EVENTS {
                return;
            }
        }
    }
}

/// Departures that are taken in with one system call.
const EVENTS: usize = 256;

/// Looks at all `sockets` with one system call; the answer at each index belongs to the socket at that index.
pub(super) fn presences(sockets: &[Socket], into: &mut Vec<Presence>) {
    into.clear();
    let mut fds: Vec<PollFd<'_>> = sockets
        .iter()
        .map(|socket| PollFd::from_borrowed_fd(socket.borrow(), PollFlags::RDHUP))
        .collect();
    if rustix::event::poll(&mut fds, Some(&NO_WAIT)).is_err() {
        into.resize(sockets.len(), Presence::There);
        return;
    }
    into.extend(fds.iter().map(|fd| {
        let seen = fd.revents();
        if seen.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            Presence::Gone
        } else if seen.contains(PollFlags::RDHUP) {
            Presence::HalfClosed
        } else {
            Presence::There
        }
    }));
}

const NO_WAIT: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};
/// `HTTP/1.1 4`
const REFUSAL_BYTES: usize = 10;
/// A provider who has acknowledged nothing, or has had room for nothing, for so long is gone.
const UNACKNOWLEDGED_MS_MAX: u32 = 20_000;
/// Without a byte for so long, the kernel asks whether he is there.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(15);
/// And again.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::os::fd::AsRawFd;
    use std::time::Duration;

    use rustix::net::sockopt;

    use super::{Departures, Presence, Socket, presences, refuses};

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (near, listener.accept().unwrap().0)
    }

    fn presence(stream: &TcpStream) -> Presence {
        let mut seen = Vec::new();
        presences(&[Socket::new(stream.as_raw_fd())], &mut seen);
        seen[0]
    }

    #[test]
    fn a_pending_read_ends_when_the_socket_is_shut_down() {
        let (mut near, _far) = pair();
        let socket = Socket::new(near.as_raw_fd());
        let reader = std::thread::scope(|scope| {
            let reader = scope.spawn(|| near.read(&mut [0; 8]));
            socket.shut_down();
            reader.join().unwrap()
        });
        assert_eq!(reader.unwrap(), 0);
    }

    #[test]
    fn presence_tells_half_closed_from_gone() {
        let (near, far) = pair();
        assert_eq!(presence(&near), Presence::There);
        assert!(!Socket::new(near.as_raw_fd()).is_stale());
        far.shutdown(Shutdown::Write).unwrap();
        assert_eq!(presence(&near), Presence::HalfClosed);
        assert!(Socket::new(near.as_raw_fd()).is_stale());
        near.shutdown(Shutdown::Write).unwrap();
        assert_eq!(presence(&near), Presence::Gone);
    }

    #[test]
    fn departures_are_told_once_for_each_change() {
        let departures = Departures::new().unwrap();
        let told = || {
            let mut told = Vec::new();
            departures.take(|key, presence| told.push((key, presence)));
            told
        };
        let (near, far) = pair();
        let (other, stays) = pair();
        for (stream, key) in [(&near, 7), (&other, 8)] {
            departures
                .watch(Socket::new(stream.as_raw_fd()), key)
                .unwrap();
        }
        assert_eq!(told(), []);
        far.shutdown(Shutdown::Write).unwrap();
        assert_eq!(told(), [(7, Presence::HalfClosed)]);
        assert_eq!(told(), []);
        near.shutdown(Shutdown::Write).unwrap();
        assert_eq!(told(), [(7, Presence::Gone)]);
        drop(near);
        assert_eq!(told(), []);
        drop(stays);
        assert_eq!(told(), [(8, Presence::HalfClosed)]);
    }

    #[test]
    fn the_kernel_minds_a_vanished_peer() {
        let (near, _far) = pair();
        assert_eq!(sockopt::tcp_user_timeout(&near).unwrap(), 0);
        Socket::new(near.as_raw_fd()).mind_vanished_peer();
        assert_eq!(sockopt::tcp_user_timeout(&near).unwrap(), 20_000);
        assert!(sockopt::socket_keepalive(&near).unwrap());
        let asks = [sockopt::tcp_keepidle(&near), sockopt::tcp_keepintvl(&near)];
        assert_eq!(asks.map(Result::unwrap), [15, 5].map(Duration::from_secs));
    }

    #[test]
    fn a_refusal_is_told_from_other_answers() {
        for (begin, expected) in [
            ("HTTP/1.1 413 Content Too Large", true),
            ("HTTP/1.0 503", true),
            ("HTTP/1.1 4", true),
            ("HTTP/1.1 100 Continue", false),
            ("HTTP/1.1 200 OK", false),
            ("HTTP/1.1 ", false),
            ("nonsense 4", false),
            ("", false),
        ] {
            assert_eq!(refuses(begin.as_bytes()), expected, "{begin:?}");
        }
    }
}
