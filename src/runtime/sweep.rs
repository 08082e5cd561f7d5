//! Deadlines and vanished clients, without a timer per operation.
//!
//! Each connection registers a [`Watch`]: the numbers of its sockets, what it is waiting for and until when. A sweeper
//! on each worker looks at all of them at each beat, and shuts down the socket whose operation is late. The provider's
//! socket of a request whose client has left it shuts down as soon as the kernel tells. The pending operation then ends by
//! itself, and the connection's task reads in its watch why.
//!
//! Arming costs two plain stores, and a look one comparison a connection. The kernel is told of a client when a
//! request of his has first lasted for a beat, and from then on tells by itself: a client who waits costs nothing, and one
//! whose requests are answered at once not even a system call.

use std::cell::{Cell, RefCell, RefMut};
use std::io;
use std::rc::Rc;
use std::task::Waker;

use monoio::net::TcpStream;

use crate::base::{Moment, Span};
use crate::exchange::Broken;
use crate::runtime::clock;
use crate::runtime::fd::{Departures, Presence, Socket, presences};
use crate::runtime::pulse::{BEAT, Beats};

/// Which socket a connection waits on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Side {
    /// Reading from it.
    ClientRead,
    /// Sending to it.
    ClientSend,
    Upstream,
    /// A timer or a connect; the task looks at its own time and asks only whether the client is there.
    Neither,
}

/// What one connection lets the sweeper know.
#[derive(Debug)]
pub(super) struct Watch {
    /// Nobody's, for a copy of a request.
    client: Option<Socket>,
    upstream: Cell<Option<Socket>>,
    side: Cell<Side>,
    until: Cell<Moment>,
    /// When the provider's part of the request at hand began; `NEVER` while none is under way.
    since: Cell<Moment>,
    /// What the kernel has told of the client.
    presence: Cell<Presence>,
    /// Whether the kernel tells.
    told: Cell<bool>,
    /// Tells the client from another one who had the same number before.
    serial: u32,
    looked: Cell<bool>,
    /// When the client was seen to have ended its sending direction, if that came with its request.
    half_closed: Cell<Option<Moment>>,
    /// An interim answer may be sent: none of the answer's own bytes has been.
    may_ask: Cell<bool>,
    asked: Cell<bool>,
    /// Between two requests.
    at_rest: Cell<bool>,
    /// A second watch for the same client: another one looks after the client.
    second: bool,
    fired: Cell<Option<Broken>>,
    alarm: RefCell<Option<Box<Alarm>>>,
}

/// The task wants to be woken before its operation is late.
#[derive(Debug)]
struct Alarm {
    at: Moment,
    waker: Waker,
    /// The operation's own.
    until: Moment,
}

impl Watch {
    fn new(client: Option<Socket>, second: bool, serial: u32) -> Self {
        Self {
            presence: Cell::new(Presence::There),
            told: Cell::new(false),
            serial,
            client,
            upstream: Cell::new(None),
            side: Cell::new(if client.is_some() {
                Side::ClientRead
            } else {
                Side::Neither
            }),
            until: Cell::new(Moment::NEVER),
            since: Cell::new(Moment::NEVER),
            looked: Cell::new(false),
            half_closed: Cell::new(None),
            may_ask: Cell::new(false),
            asked: Cell::new(false),
            at_rest: Cell::new(false),
            second,
            fired: Cell::new(None),
            alarm: RefCell::new(None),
        }
    }

    /// The next operation sends to the client.
    pub(super) fn await_client(&self, until: Moment) {
        self.at_rest.set(false);
        // Whatever is sent to a client that has closed altogether makes it reset the connection.
        self.asked.set(self.half_closed.get().is_some());
        self.side.set(Side::ClientSend);
        self.set_until(until);
    }

    /// The next operation reads from the client: no provider is busy for it.
    pub(super) fn await_request(&self, until: Moment, at_rest: bool) {
        self.await_client(until);
        self.side.set(Side::ClientRead);
        self.at_rest.set(at_rest);
        self.since.set(Moment::NEVER);
        self.looked.set(false);
        self.half_closed.set(None);
        self.asked.set(false);
    }

    /// The next operation is on the provider's socket.
    pub(super) fn await_upstream(&self, now: Moment, until: Moment) {
        self.side.set(Side::Upstream);
        self.at_rest.set(false);
        self.set_until(until);
        if self.since.get() == Moment::NEVER {
            self.since.set(now);
        }
    }

    /// Whether an interim answer may be sent now.
    pub(super) fn allow_asking(&self, may_ask: bool) {
        self.may_ask.set(may_ask);
    }

    /// The next operation is a connect or a pause that the task itself ends.
    pub(super) fn await_neither(&self, now: Moment) {
        self.await_upstream(now, Moment::NEVER);
        self.side.set(Side::Neither);
    }

    fn set_until(&self, until: Moment) {
        self.until.set(until);
        self.alarm.take();
    }

    /// Wakes the task at the first beat after `at`, if its operation is still under way.
    pub(super) fn ring(&self, at: Moment, waker: &Waker) {
        let mut alarm = self.alarm.borrow_mut();
        if alarm.as_ref().is_some_and(|alarm| alarm.at == at) {
            return;
        }
        let until = alarm
            .as_ref()
            .map_or_else(|| self.until.get(), |alarm| alarm.until);
        *alarm = Some(Box::new(Alarm {
            at,
            waker: waker.clone(),
            until,
        }));
        self.until.set(until.min(at));
    }

    /// Ends the operation on the provider's side: nobody wants its result any more.
    pub(super) fn cut(&self, beats: &Beats) {
        if !self.awaits_provider() || self.client_gone() {
            return;
        }
        self.set_until(Moment::NEVER);
        self.fired.set(Some(Broken::Overtaken));
        self.upstream.get().into_iter().for_each(Socket::shut_down);
        if self.side.get() == Side::Neither {
            beats.nudge();
        }
    }

    /// Why the task should give up a connect or a pause.
    pub(super) fn cut_short(&self) -> Option<Broken> {
        self.fired
            .get()
            .filter(|fired| !matches!(fired, Broken::TimedOut | Broken::Reset))
    }

    /// A connect or a pause has given up, or was over before it could.
    pub(super) fn forget_cut(&self) {
        if self.fired.get() == Some(Broken::Overtaken) {
            self.fired.set(None);
        }
    }

    /// The provider's socket that belongs to the connection from now on. It must be taken out, with `None`, before it
    /// is closed or given to the pool.
    pub(super) fn set_upstream(&self, socket: Option<Socket>) {
        self.upstream.set(socket);
    }

    /// Why the last operation was ended from outside, if it was; asked once.
    pub(super) fn fired(&self) -> Option<Broken> {
        self.fired.take()
    }

    /// What an operation brought, unless it was ended from outside.
    pub(super) fn verdict<T>(&self, brought: io::Result<T>) -> Result<T, Broken> {
        self.fired()
            .map_or_else(|| brought.map_err(|_| Broken::Reset), Err)
    }

    fn client_gone(&self) -> bool {
        self.fired.get() == Some(Broken::ClientGone)
    }

    fn is_late(&self, now: Moment) -> bool {
        self.until.get() <= now
    }

    fn end_late(&self) {
        if let Some(alarm) = self.alarm.take() {
            self.until.set(alarm.until);
            alarm.waker.wake();
            return;
        }
        self.until.set(Moment::NEVER);
        self.fired.set(Some(Broken::TimedOut));
        match self.side.get() {
            // It may still be told that it was too slow.
            Side::ClientRead => self.client.into_iter().for_each(Socket::finish_receiving),
            Side::ClientSend => self.client.into_iter().for_each(Socket::shut_down),
            Side::Upstream => self.upstream.get().into_iter().for_each(Socket::shut_down),
            Side::Neither => {}
        }
    }

    fn drain(&self) {
        match self.side.get() {
            Side::ClientRead => self.client.into_iter().for_each(Socket::shut_down),
            Side::Upstream | Side::Neither if self.fired.get().is_none() => {
                self.set_until(Moment::NEVER);
                self.fired.set(Some(Broken::Drained));
                self.upstream.get().into_iter().for_each(Socket::shut_down);
            }
            // What is on its way to a client may arrive.
            Side::ClientSend | Side::Upstream | Side::Neither => {}
        }
    }

    fn awaits_provider(&self) -> bool {
        matches!(self.side.get(), Side::Upstream | Side::Neither)
    }

    fn wants_look(&self, now: Moment) -> bool {
        let news = !self.looked.get() || self.presence.get() != Presence::There;
        news && self.may_be_left() && now.since(self.since.get()) >= LOOK_AFTER
    }

    /// Whether it is for this watch to see that the client leaves.
    fn may_be_left(&self) -> bool {
        !self.second && self.awaits_provider() && self.fired.get().is_none()
    }

    /// By which the kernel tells of the client.
    fn key(&self) -> u64 {
        u64::from(self.serial) << 32 | u64::from(self.number())
    }

    fn number(&self) -> u32 {
        self.client.map_or(u32::MAX, Socket::number)
    }

    /// A client that ends its sending direction has given up, unless it did so together with its request: scripts and
    /// `nc -N` do, and wait for the answer. A client that left right after its request looks the same, so that it is
    /// asked after a while; where it cannot be asked, it counts as gone.
    fn saw(&self, now: Moment, beats: &Beats) {
        let first = !self.looked.replace(true);
        let gone = match (self.presence.get(), self.half_closed.get()) {
            (Presence::HalfClosed, None) if first => {
                self.half_closed.set(Some(now));
                false
            }
            (Presence::Gone, _) | (Presence::HalfClosed, None) => true,
            (Presence::HalfClosed, Some(since)) if now.since(since) >= ASK_AFTER => {
                let asked = self.asked.replace(true);
                if !asked && self.may_ask.get() {
                    self.client.into_iter().for_each(Socket::ask_whether_there);
                }
                !asked && !self.may_ask.get()
            }
            (Presence::There, _) | (Presence::HalfClosed, Some(_)) => false,
        };
        if gone {
            self.fired.set(Some(Broken::ClientGone));
            self.upstream.get().into_iter().for_each(Socket::shut_down);
            if self.side.get() == Side::Neither {
                beats.nudge();
            }
        }
    }
}

/// The watches of one worker.
#[derive(Debug)]
pub(super) struct Sweeper {
    watches: RefCell<Vec<Rc<Watch>>>,
    departures: Departures,
    /// Of whose clients the kernel tells, by the number of the client's socket.
    told: RefCell<Vec<Option<Rc<Watch>>>>,
    serials: Cell<u32>,
    pub(super) beats: Beats,
}

/// Takes a watch out of its sweeper when the connection ends.
#[derive(Debug)]
pub(super) struct Registration {
    sweeper: Rc<Sweeper>,
    watch: Rc<Watch>,
}

impl Registration {
    /// The connection's watch.
    pub(super) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Work has begun: the sweeper looks closely from now on.
    pub(super) fn rouse(&self) {
        self.sweeper.beats.set_busy(true);
    }

    /// A watch for a second operation on behalf of the same client.
    pub(super) fn second(&self) -> Self {
        self.sweeper.watch(self.watch.client, true)
    }

    /// The watch, for whoever cuts its operation.
    pub(super) fn share(&self) -> Rc<Watch> {
        Rc::clone(&self.watch)
    }

    /// The worker's beats.
    pub(super) fn beats(&self) -> &Beats {
        &self.sweeper.beats
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut watches = self.sweeper.watches.borrow_mut();
        if let Some(index) = watches
            .iter()
            .position(|watch| Rc::ptr_eq(watch, &self.watch))
        {
            watches.swap_remove(index);
        }
        if self.watch.told.get() {
            let place = self.sweeper.place_of(self.watch.number());
            place.map(|mut place| place.take());
        }
    }
}

impl Sweeper {
    /// Without connections.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(super) fn new(beats: Beats) -> io::Result<Self> {
        Ok(Self {
            watches: RefCell::default(),
            departures: Departures::new()?,
            told: RefCell::default(),
            serials: Cell::new(0),
            beats,
        })
    }

    /// Watches a connection for as long as the registration lives; it must be dropped before the socket is closed.
    pub(super) fn register(self: &Rc<Self>, client: Socket) -> Registration {
        self.watch(Some(client), false)
    }

    /// Watches a copy of a request, which no client waits for.
    pub(super) fn register_shadow(self: &Rc<Self>) -> Registration {
        self.watch(None, true)
    }

    fn watch(self: &Rc<Self>, client: Option<Socket>, second: bool) -> Registration {
        let serial = self.serials.get().wrapping_add(1);
        self.serials.set(serial);
        let watch = Rc::new(Watch::new(client, second, serial));
        self.watches.borrow_mut().push(Rc::clone(&watch));
        Registration {
            sweeper: Rc::clone(self),
            watch,
        }
    }

    /// Connections of this worker.
    pub(super) fn connections(&self) -> usize {
        self.watches.borrow().len()
    }

    /// Closes the connections on which no request is under way.
    pub(super) fn end_idle(&self) {
        for watch in self.watches.borrow().iter() {
            if watch.at_rest.get() {
                watch.client.into_iter().for_each(Socket::shut_down);
            }
        }
    }

    /// Ends the copies of requests.
    pub(super) fn end_shadows(&self) {
        let watches = self.watches.borrow();
        for watch in watches.iter().filter(|watch| watch.client.is_none()) {
            watch.drain();
        }
        self.beats.nudge();
    }

    /// Ends what waits for a provider, and clients that are still sending their requests: the process ends.
    pub(super) fn end_waiting(&self) {
        for watch in self.watches.borrow().iter().filter(|watch| !watch.second) {
            watch.drain();
        }
        self.beats.nudge();
    }

    /// Where the watch stands whose client's socket has this number, if there can be one.
    fn place_of(&self, number: u32) -> Option<RefMut<'_, Option<Rc<Watch>>>> {
        let index = usize::try_from(number).ok()?;
        RefMut::filter_map(self.told.borrow_mut(), |told| {
            if told.len() <= index {
                told.resize(index + 1, None);
            }
            told.get_mut(index)
        })
        .ok()
    }

    /// From now on the kernel tells when the client leaves.
    fn tell_of(&self, watch: &Rc<Watch>) {
        let Some(client) = watch.client.filter(|_| !watch.told.get()) else {
            return;
        };
        if self.departures.watch(client, watch.key()).is_err() {
            return;
        }
        if let Some(mut place) = self.place_of(client.number()) {
            *place = Some(Rc::clone(watch));
            watch.told.set(true);
        }
    }

    /// Listens for ever to what the kernel tells.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(super) async fn listen(self: Rc<Self>) -> io::Result<()> {
        // Whatever it is, only its readiness is asked for.
        let bell = TcpStream::from_std(std::net::TcpStream::from(self.departures.bell()?))?;
        loop {
            if bell.readable(false).await.is_err() {
                self.beats.next().await;
            }
            let now = clock::now();
            self.departures
                .take(|key, presence| self.left(key, presence, now));
        }
    }

    fn left(&self, key: u64, presence: Presence, now: Moment) {
        let number = u32::try_from(key & u64::from(u32::MAX)).unwrap_or_default();
        let watch = self.place_of(number).and_then(|place| place.clone());
        // Another client may have got the number meanwhile.
        let Some(watch) = watch.filter(|watch| watch.key() == key) else {
            return;
        };
        watch.presence.set(presence);
        // A half-close this early may belong to the request; the first look decides.
        if watch.may_be_left() && (watch.looked.get() || presence == Presence::Gone) {
            watch.saw(now, &self.beats);
        }
    }

    /// Looks for ever: closely while requests are under way, at leisure otherwise.
    pub(super) async fn run(self: Rc<Self>) {
        let mut looks = Looks::default();
        let mut busy_until = Moment::START;
        loop {
            self.beats.next().await;
            let now = clock::now();
            if self.look(now, &mut looks) {
                busy_until = now + BUSY_FOR;
            }
            self.beats.set_busy(now < busy_until);
        }
    }

    /// One look; tells whether any request is under way.
    fn look(&self, now: Moment, looks: &mut Looks) -> bool {
        let watches = self.watches.borrow();
        looks.clear();
        let mut busy = false;
        for (index, watch) in watches.iter().enumerate() {
            busy |= watch.awaits_provider();
            if watch.is_late(now) {
                watch.end_late();
            } else if watch.wants_look(now) {
                if watch.told.get() {
                    watch.saw(now, &self.beats);
                } else if let Some(client) = watch.client {
                    looks.indices.push(index);
                    looks.sockets.push(client);
                }
            }
        }
        if !looks.sockets.is_empty() {
            presences(&looks.sockets, &mut looks.seen);
            for (&index, &presence) in looks.indices.iter().zip(&looks.seen) {
                if let Some(watch) = watches.get(index) {
                    watch.presence.set(presence);
                    watch.saw(now, &self.beats);
                    self.tell_of(watch);
                }
            }
        }
        busy
    }
}

/// Reused between looks.
#[derive(Debug, Default)]
struct Looks {
    indices: Vec<usize>,
    sockets: Vec<Socket>,
    seen: Vec<Presence>,
}

impl Looks {
    fn clear(&mut self) {
        self.indices.clear();
        self.sockets.clear();
        self.seen.clear();
    }
}

/// How long to go on looking closely after the last request: traffic comes in bursts.
const BUSY_FOR: Span = Span::from_secs(1);
/// How long a client that half-closed with its request waits before it is asked whether it is there: most answers are
/// on their way by then, and nobody sees the interim one.
const ASK_AFTER: Span = Span::from_millis(500);
/// Requests that are answered faster than this are never looked at.
const LOOK_AFTER: Span = BEAT;
