//! One core: its listener, its connections, its sweeper, its pool, its part of the engine. Shares with other cores
//! only what is read-mostly.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, TryRecvError};

use monoio::net::{ListenerOpts, TcpListener};

use crate::base::{Moment, RequestId, Span, hash};
use crate::engine::Seat;
use crate::exchange::{Context, Copies, Copying, Exchange, Input, Reused, Scratch, Shadow};
use crate::ops::{DecisionSink, Journal, LogSink};
use crate::runtime::accept::{self, Spare};
use crate::runtime::clientless;
use crate::runtime::clock;
use crate::runtime::connection::Conversation;
use crate::runtime::drill::{Errand, Running, synthetic};
use crate::runtime::fd::Socket;
use crate::runtime::generation::Whose;
use crate::runtime::link::{Link, Way};
use crate::runtime::log;
use crate::runtime::pulse::Beats;
use crate::runtime::requests::Question;
use crate::runtime::shared::Shared;
use crate::runtime::sweep::Sweeper;
use crate::runtime::view::View;

/// The state of one core.
#[derive(Debug)]
pub(super) struct Worker {
    /// Itself, for tasks of its own.
    me: Weak<Self>,
    shared: Arc<Shared>,
    pub(super) sweeper: Rc<Sweeper>,
    /// Of the newest generation that this core has taken up.
    view: RefCell<Rc<View>>,
    desk: RefCell<Desk>,
    now: Cell<Moment>,
    /// Connections to providers that are in use.
    exchanges: Cell<u32>,
    /// Clients that are one too many and being told so.
    pub(super) turning_away: Cell<u32>,
    pub(super) spare: Spare,
    /// The drill that was on when it was looked for last.
    drill: RefCell<Option<Arc<Running>>>,
    /// Of the drill with this serial number, if it makes requests of its own.
    view_of_drill: RefCell<Option<(u64, Rc<View>)>>,
    index: usize,
}

/// What an exchange works with while it handles one input, beside its request's view.
#[derive(Debug)]
struct Desk {
    scratch: Scratch,
    journal: Journal,
    /// The records of copies.
    shadows: Option<Journal>,
    /// The records of requests that a drill made.
    drill: Option<Journal>,
    /// Which of the clients' requests the drill that is on has copied.
    copying: Option<Arc<Copying>>,
    ids: Ids,
}

/// Request ids: unguessable enough to be unique, cheap enough to cost nothing.
#[derive(Debug)]
struct Ids {
    seed: u64,
    count: u64,
    /// The next one, where it is settled.
    given: Option<RequestId>,
}

impl Ids {
    fn next(&mut self) -> RequestId {
        if let Some(given) = self.given.take() {
            return given;
        }
        self.count += 1;
        let low = hash::mix(self.seed, self.count);
        RequestId(u128::from(hash::mix(low, self.seed)) << 64 | u128::from(low))
    }
}

impl Worker {
    /// The worker of core `index`, which writes records to its log and its decisions too.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(super) fn new(
        shared: Arc<Shared>,
        index: usize,
        seed: u64,
        beats: Beats,
        (log, decisions): (Option<LogSink>, Option<DecisionSink>),
    ) -> io::Result<Rc<Self>> {
        let generation = shared.generation();
        let journal = Journal::new(Arc::clone(&generation.counters), index)
            .logging(log)
            .recording(decisions);
        let view = View::new(generation, index, Arc::clone(&shared.load));
        let sweeper = Rc::new(Sweeper::new(beats)?);
        Ok(Rc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            sweeper,
            view: RefCell::new(Rc::new(view)),
            desk: RefCell::new(Desk {
                scratch: Scratch::default(),
                journal,
                shadows: None,
                drill: None,
                copying: None,
                ids: Ids {
                    seed,
                    count: 0,
                    given: None,
                },
            }),
            now: Cell::new(clock::now()),
            exchanges: Cell::new(0),
            turning_away: Cell::new(0),
            spare: Spare::default(),
            drill: RefCell::default(),
            view_of_drill: RefCell::default(),
            index,
            shared,
        }))
    }

    /// The time as of the last completed operation: near enough for deadlines, and free.
    pub(super) fn now(&self) -> Moment {
        self.now.get()
    }

    /// A connection to a provider is in use from now on. How requests are sent does not hang on copies.
    pub(super) fn exchange_begins(&self, view: &View) {
        let more = u32::from(view.generation.whose == Whose::Requests);
        self.exchanges.set(self.exchanges.get() + more);
    }

    /// It is not any more.
    pub(super) fn exchange_ends(&self, view: &View) {
        let less = u32::from(view.generation.whose == Whose::Requests);
        self.exchanges
            .set(self.exchanges.get().saturating_sub(less));
    }

    /// How to send now.
    pub(super) fn way(&self) -> Way {
        if self.exchanges.get() <= QUIET_EXCHANGES {
            Way::Direct
        } else {
            Way::Driver
        }
    }

    /// The view of the newest generation, which a request that begins now keeps to its end.
    pub(super) fn newest(&self) -> Rc<View> {
        let mut view = self.view.borrow_mut();
        if view.generation.number != self.shared.number() {
            self.take_up(&mut view);
        }
        Rc::clone(&view)
    }

    #[cold]
    fn take_up(&self, view: &mut Rc<View>) {
        *view = Rc::new(View::following(self.shared.generation(), view));
    }

    /// An idle connection to the endpoint at `index` of `view`.
    pub(super) fn pooled(&self, view: &Rc<View>, index: usize) -> Option<Link> {
        self.view.borrow().pooled(view, index, self.now())
    }

    /// Keeps a connection to the endpoint at `index` of `view`, unless the newest generation has no such endpoint.
    pub(super) fn keep(&self, view: &Rc<View>, index: usize, link: Link) {
        self.view.borrow().keep(view, index, link, self.now());
    }

    /// Lets the exchange take an input in.
    pub(super) fn handle(&self, conversation: &Conversation, input: Input) {
        self.look_at_clock(&input);
        let copies = self.work(conversation, |exchange, now, context| {
            exchange.handle(now, input, context);
            exchange.take_copies(now, context)
        });
        if let Some(copies) = copies {
            self.cast(copies, &conversation.view(self));
        }
    }

    /// Copies of a request begin.
    #[cold]
    fn cast(&self, copies: Copies, view: &View) {
        let Some(me) = self.me.upgrade() else { return };
        if let (Some(shadow), Some(view)) = (copies.shadow, view.shadows()) {
            let (view, me) = (Rc::clone(view), Rc::clone(&me));
            monoio::spawn(clientless::serve_shadow(shadow, view, me));
        }
        let of_drill = || self.view_of_drill(&*self.drill()?);
        if let Some(copied) = copies.drill
            && let Some(view) = of_drill()
        {
            monoio::spawn(synthetic::copy(copied, view, me));
        }
    }

    /// Begins the attempt of a copy.
    pub(super) fn begin_shadow(&self, shadow: Shadow, view: &View) -> (Exchange, Seat) {
        self.with_context(view, |now, context| shadow.begin(now, context))
    }

    /// Lets the exchange take an input of its hedge in.
    pub(super) fn handle_hedge(&self, conversation: &Conversation, input: Input) {
        self.look_at_clock(&input);
        self.work(conversation, |exchange, now, context| {
            exchange.handle_hedge(now, input, context);
        });
    }

    /// It is time for a hedge; tells whether one begins.
    pub(super) fn begin_hedge(&self, conversation: &Conversation) -> bool {
        self.now.set(clock::now());
        self.work(conversation, Exchange::begin_hedge)
    }

    /// PERF: the clock is read where time may have passed: not after a send to a provider, whose buffers take a request
    /// at once, and not after a connection from the pool.
    fn look_at_clock(&self, input: &Input) {
        let at_once = matches!(
            input,
            Input::UpstreamSent(_, Ok(())) | Input::Dialed(Ok(Reused(true)))
        );
        if !at_once {
            self.now.set(clock::now());
        }
    }

    /// Lets the exchange work with all that it needs.
    ///
    /// PERF: the view is lent, not counted: this is done for each input.
    #[inline]
    fn work<T>(
        &self,
        conversation: &Conversation,
        work: impl FnOnce(&mut Exchange, Moment, &mut Context<'_>) -> T,
    ) -> T {
        let mut kept = conversation.view.borrow_mut();
        let view = kept.get_or_insert_with(|| self.newest());
        let exchange = &mut *conversation.exchange.borrow_mut();
        let done = self.with_context(view, |now, context| work(exchange, now, context));
        if exchange.is_idle() {
            // The next request decides by the newest plan.
            *kept = None;
        }
        done
    }

    #[inline]
    fn with_context<T>(&self, view: &View, work: impl FnOnce(Moment, &mut Context<'_>) -> T) -> T {
        let desk = &mut *self.desk.borrow_mut();
        let generation = &*view.generation;
        let kept = || Journal::new(Arc::clone(&generation.counters), self.index);
        let (journal, copying) = match generation.whose {
            Whose::Requests => (&mut desk.journal, desk.copying.as_deref()),
            Whose::Copies => (desk.shadows.get_or_insert_with(kept), None),
            Whose::Drill => (desk.drill.get_or_insert_with(kept), None),
        };
        journal.count_in(&generation.counters);
        let mut context = Context {
            plan: &generation.plan,
            outlets: &generation.outlets,
            core: &mut view.core(),
            scratch: &mut desk.scratch,
            journal,
            next_id: &mut || desk.ids.next(),
            wall: self.shared.wall(),
            unix: self.shared.unix(),
            draining: self.shared.draining.load(Ordering::Relaxed),
            shadowing: generation.shadows.as_ref().map(|side| &side.shadowing),
            copying,
        };
        work(self.now.get(), &mut context)
    }

    /// Serves until the gateway has drained.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub(super) async fn run(
        self: Rc<Self>,
        pulse: UnixStream,
        questions: Receiver<Question>,
        errands: Receiver<Errand>,
    ) -> io::Result<()> {
        let options = ListenerOpts::new()
            .reuse_port(true)
            .reuse_addr(true)
            .backlog(BACKLOG);
        let listener = Rc::new(TcpListener::bind_with_config(self.shared.listen, &options)?);
        accept::begin(&listener, &self);
        let beating = Rc::clone(&self.sweeper);
        monoio::spawn(async move { beating.beats.listen(pulse).await });
        monoio::spawn(Rc::clone(&self.sweeper).run());
        monoio::spawn(Rc::clone(&self.sweeper).listen());
        monoio::spawn(Rc::clone(&self).answer_questions(questions));
        monoio::spawn(Rc::clone(&self).run_errands(errands));
        self.shared.ready.fetch_add(1, Ordering::Release);
        loop {
            self.sweeper.beats.until(clock::now() + CARE).await;
            // A core without requests takes the newest generation up here, so that the old one can go.
            self.newest().expire(clock::now());
            if self.shared.draining.load(Ordering::Relaxed) {
                // Ends the pending accepts; from now on connections are refused.
                Socket::new(listener.as_raw_fd()).shut_down();
                self.sweeper.end_idle();
                self.sweeper.end_shadows();
                if self.shared.is_drained(clock::now()) {
                    self.sweeper.end_waiting();
                }
                if self.sweeper.connections() == 0 {
                    return Ok(());
                }
            }
        }
    }
}

impl Worker {
    /// What all workers share.
    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Which of them it is.
    pub(super) const fn index(&self) -> usize {
        self.index
    }

    /// There is no descriptor left: gives up those that are not in use, and tells the operator once in a while.
    pub(super) fn make_room(&self) {
        self.newest().clear();
        if self.shared.may_note_shortage(clock::now()) {
            log::note(
                "no descriptor is left (`LimitNOFILE`, `ulimit -n`): clients are turned away until some are closed",
            );
        }
    }

    /// Tells operators what the journal has, at each beat.
    async fn answer_questions(self: Rc<Self>, questions: Receiver<Question>) {
        loop {
            match questions.try_recv() {
                Ok(question) => {
                    let desk = self.desk.borrow();
                    question.answer(&desk.journal, desk.shadows.as_ref(), desk.drill.as_ref());
                }
                Err(TryRecvError::Empty) => self.sweeper.beats.next().await,
                Err(TryRecvError::Disconnected) => return,
            }
        }
    }
}

impl Worker {
    /// The drill that is on.
    pub(super) fn drill(&self) -> Option<Arc<Running>> {
        let serial = self.shared.drills.serial();
        let mut known = self.drill.borrow_mut();
        if known.as_ref().is_none_or(|it| it.serial != serial) {
            *known = self.shared.drills.running();
        }
        known.clone()
    }

    /// The view by which the requests of this drill run; `None` where they are the clients'.
    pub(super) fn view_of_drill(&self, drill: &Running) -> Option<Rc<View>> {
        if drill.is_live() {
            return None;
        }
        let mut kept = self.view_of_drill.borrow_mut();
        if let Some((_, view)) = kept.as_ref().filter(|(of, _)| *of == drill.serial) {
            return Some(Rc::clone(view));
        }
        let generation = Arc::clone(&drill.generation);
        let counters = Arc::clone(&generation.counters);
        let view = Rc::new(View::new(generation, self.index, Arc::clone(&drill.load)));
        *kept = Some((drill.serial, Rc::clone(&view)));
        let desk = &mut *self.desk.borrow_mut();
        let mut journal = Journal::new(counters, self.index).logging(desk.journal.log());
        journal.tell(Some(drill.tap.clone()));
        desk.drill = Some(journal);
        Some(view)
    }

    /// Lets the exchange of a drill's request take an input in; a request that begins with it has this id.
    pub(super) fn handle_as(&self, conversation: &Conversation, input: Input, id: RequestId) {
        self.desk.borrow_mut().ids.given = Some(id);
        self.handle(conversation, input);
        self.desk.borrow_mut().ids.given = None;
    }

    /// Does what drills want done, at each beat.
    async fn run_errands(self: Rc<Self>, errands: Receiver<Errand>) {
        loop {
            match errands.try_recv() {
                Ok(Errand::Ask(drill, request)) => {
                    monoio::spawn(synthetic::ask(drill, request, Rc::clone(&self)));
                }
                Ok(Errand::Attend(drill)) => {
                    let desk = &mut *self.desk.borrow_mut();
                    desk.copying.clone_from(&drill.copying);
                    if drill.is_live() {
                        desk.journal.tell(Some(drill.tap.clone()));
                    }
                }
                Ok(Errand::Leave) => {
                    let desk = &mut *self.desk.borrow_mut();
                    desk.journal.tell(None);
                    desk.copying = None;
                    self.drill.take();
                    self.view_of_drill.take();
                }
                Err(TryRecvError::Empty) => {
                    // Requests of a drill come at their time, and not when a worker at rest looks up.
                    self.sweeper.beats.hold(self.shared.drills.is_on());
                    self.sweeper.beats.next().await;
                }
                Err(TryRecvError::Disconnected) => return,
            }
        }
    }
}

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;
/// Up to so many exchanges at once a worker sends directly.
const QUIET_EXCHANGES: u32 = 2;
/// How often pools and draining are looked after.
const CARE: Span = Span::from_millis(100);
