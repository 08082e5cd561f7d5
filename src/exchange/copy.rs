//! A client's request once more, for a drill: the bytes of its head and body, which another exchange takes in as it would
//! take them from a client. The request itself pays for the draw and for a copy of its head; its body is copied once it
//! has been sent, as for a shadow.
//!
//! ```text
//!   decide ─ of the drill's share? ─▶ Written: its head ─ the request is on its way ─▶ Copied ─▶ an exchange of its own
//! ```

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use crate::base::{Moment, RequestId};
use crate::engine::{Bound, Core, Dropped, Load, Seat, Seats, has_room_for_copies};
use crate::exchange::buffer::Buffer;
use crate::exchange::context::Context;
use crate::exchange::hold::Hold;
use crate::exchange::intake::Request;
use crate::exchange::notes::IDEMPOTENCY;
use crate::exchange::shadow::{COPY_BYTES_MAX, Shadow};
use crate::exchange::{Exchange, State};
use crate::ops::Portion;
use crate::wire::h1::{Fields, request, write};

/// Which of the clients' requests a drill has copied, and how many at once.
#[derive(Debug)]
pub struct Copying {
    portion: Portion,
    seats: Seats,
    /// What the copies hold together.
    load: Arc<Load>,
    closed: AtomicBool,
}

impl Copying {
    /// Those of `portion`, `max` at once, which take memory of `load`.
    pub fn new(portion: Portion, max: u32, load: Arc<Load>) -> Self {
        Self {
            portion,
            seats: Seats::new(max),
            load,
            closed: AtomicBool::new(false),
        }
    }

    /// No copy begins any more.
    pub fn close(&self) {
        self.closed.store(true, Relaxed);
    }

    /// How many are under way, and what became of the others.
    pub const fn seats(&self) -> &Seats {
        &self.seats
    }

    /// The head of a request that is to be copied; `head` begins with it. `core` is that of the requests.
    #[cold]
    pub(super) fn draw(
        &self,
        request: &Request,
        head: &[u8],
        fields: &mut Fields,
        core: &Core,
    ) -> Option<Box<Written>> {
        if self.closed.load(Relaxed) || !self.portion.has(request.id) {
            return None;
        }
        let why = if request.body_bytes() > COPY_BYTES_MAX {
            Dropped::TooLarge
        } else if !has_room_for_copies(core) {
            Dropped::Overloaded
        } else {
            return Some(Box::new(Written {
                head: head_once_more(head, fields)?,
            }));
        };
        self.seats.dropped(why);
        None
    }
}

/// A copy that begins when its request is on its way.
pub(super) struct Written {
    /// As [`head_once_more`] makes it.
    head: Vec<u8>,
}

impl fmt::Debug for Written {
    /// Without the head: a client's credential stands in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Written").finish_non_exhaustive()
    }
}

/// A client's request as another client would send it.
#[derive(Debug)]
pub struct Copied {
    /// That of the request.
    pub id: RequestId,
    inbox: Buffer,
    /// Bytes of its body, which are taken of what copies may hold.
    memory: u64,
    seat: Seat,
}

impl Copied {
    /// Begins: its exchange has the request at hand, and asks for the next one when it is over. The seat is kept as long.
    pub fn begin(self, now: Moment) -> (Exchange, Seat) {
        self.seat.started();
        let exchange = Exchange {
            hold: Hold::of_copy(self.memory),
            ..Exchange::at_hand(now, self.inbox)
        };
        (exchange, self.seat)
    }
}

/// What is to be driven beside a request from now on.
#[derive(Debug)]
pub struct Copies {
    /// For the shadow of its route.
    pub shadow: Option<Box<Shadow>>,
    /// For a drill.
    pub drill: Option<Box<Copied>>,
}

impl Exchange {
    /// An exchange that has one request at hand, all of it, and no client who reads the answer.
    pub fn with_request(now: Moment, request: &[u8]) -> Self {
        Self::at_hand(now, Buffer::holding(request).0)
    }

    fn at_hand(now: Moment, inbox: Buffer) -> Self {
        Self {
            inbox,
            arrived: true,
            ..Self::new(now)
        }
    }

    /// Copies of the request that are to be driven beside it from now on. To be asked after each input.
    #[inline]
    pub fn take_copies(&mut self, now: Moment, context: &Context<'_>) -> Option<Copies> {
        if self.shadow.is_none() && self.written.is_none() {
            return None;
        }
        self.copy_request(now, context)
    }

    #[cold]
    fn copy_request(&mut self, now: Moment, context: &Context<'_>) -> Option<Copies> {
        let attempts = self
            .chain
            .as_ref()
            .map_or(0, |chain| chain.attempts().len());
        let waits = match attempts {
            0 => matches!(self.state, State::Pause(_)),
            1 => matches!(self.state, State::Dial | State::SendRequest),
            _ => false,
        };
        (!waits).then(|| Copies {
            shadow: self.take_shadow(now, attempts, context),
            drill: self.take_copy(context),
        })
    }

    fn take_copy(&mut self, context: &Context<'_>) -> Option<Box<Copied>> {
        let Written { head } = *self.written.take()?;
        let copying = context.copying?;
        let seat = copying.seats.take();
        let seat = seat.map_err(|why| copying.seats.dropped(why)).ok()?;
        // INVARIANT: an incomplete body is never forwarded.
        let tail = self.inbox.all().get(self.request.tail.clone());
        let tail = tail.filter(|_| self.request.is_complete());
        let notes = &self.request.notes;
        let body = [notes.prefix(), notes.token(), tail.unwrap_or_default()];
        let memory = body.iter().map(|part| part.len() as u64).sum();
        let core = context.core.index;
        if tail.is_none() || !copying.load.take(core, Bound::BodyMemory, memory) {
            seat.dropped(Dropped::Overloaded);
            return None;
        }
        let (mut inbox, _) = Buffer::holding(&head);
        let mut end = Vec::new();
        write::field_decimal(b"content-length", memory, &mut end);
        write::end(&mut end);
        inbox.expect(end.len() + body.iter().map(|part| part.len()).sum::<usize>());
        inbox.push(&end);
        for part in body {
            inbox.push(part);
        }
        Some(Box::new(Copied {
            id: self.request.id,
            inbox,
            memory,
            seat,
        }))
    }
}

/// A head for the same request, without how its body is framed and without what ends a head. What makes two requests one
/// stays behind. `bytes` begin with the client's head, which was parsed before.
fn head_once_more(bytes: &[u8], fields: &mut Fields) -> Option<Vec<u8>> {
    let head = request::parse(bytes, fields).ok().flatten()?;
    let mut path = head.path(bytes).to_owned();
    if !head.query(bytes).is_empty() {
        path.push('?');
        path.push_str(head.query(bytes));
    }
    let mut out = Vec::with_capacity(head.len as usize);
    write::request_line(head.method.as_str(bytes), path.as_bytes(), &mut out);
    for (name, value) in fields.end_to_end(bytes) {
        let stays = [b"expect".as_slice(), IDEMPOTENCY];
        if !stays.iter().any(|it| name.eq_ignore_ascii_case(it)) {
            write::field(name, value, &mut out);
        }
    }
    if fields.value(bytes, "host").is_none() {
        // HTTP/1.0 goes without.
        out.extend_from_slice(b"host: drill\r\n");
    }
    out.extend_from_slice(b"connection: close\r\n");
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::head_once_more;
    use crate::wire::h1::Fields;

    #[test]
    fn a_head_is_said_again_without_its_framing() {
        let head =
            b"POST /v1/chat/completions?a=1 HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\
            Idempotency-Key: one\r\nConnection: keep-alive, x-hop\r\nX-Hop: 1\r\nX-Team: blue\r\n\
            Expect: 100-continue\r\n\r\n5\r\n{\"a\"";
        let again = head_once_more(head, &mut Fields::default()).unwrap();
        assert_eq!(
            String::from_utf8(again).unwrap(),
            "POST /v1/chat/completions?a=1 HTTP/1.1\r\nHost: g\r\nX-Team: blue\r\nconnection: close\r\n"
        );
        assert_eq!(head_once_more(b"GET /", &mut Fields::default()), None);
    }
}
