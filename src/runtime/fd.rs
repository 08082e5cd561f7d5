//! Acting on a socket by its number: the one exception to the ban on `unsafe`.
//!
//! A read or write that is under way cannot be cancelled by dropping its future: with `io_uring` data that has already
//! arrived would be lost. The way that works on every driver is to shut the socket down from outside; the operation then
//! ends on its own. The one who does that (the sweeper) knows the socket by its number only, since the task that
//! serves the connection owns it.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::{Errno, FdFlags};
use rustix::net::{SendFlags, Shutdown};

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

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    use super::{Presence, Socket, presences};

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
}
