//! The task of one client connection: it owns both sockets and carries out what the exchange asks for, one operation
//! at a time; a hedge's, on a third socket, beside it (`hedge`). Nothing is decided here.

use std::cell::RefCell;
use std::io;
use std::ops::Range;
use std::pin::pin;
use std::rc::Rc;

use crate::base::{Moment, ProviderId};
use crate::exchange::{Action, Broken, DialFailure, Exchange, Input, Reused};
use crate::runtime::accept::Connected;
use crate::runtime::clock;
use crate::runtime::dial::{dial, pause};
use crate::runtime::drill::{self, Hit};
use crate::runtime::hedge::Hedging;
use crate::runtime::link::{Link, Sent, Way};
use crate::runtime::sweep::{Registration, Watch};
use crate::runtime::view::View;
use crate::runtime::worker::Worker;

/// Serves the requests of one client connection until it ends.
pub(super) async fn serve(mut client: Link, worker: Rc<Worker>, connected: Connected) {
    let registration = worker.sweeper.register(client.socket());
    registration
        .watch()
        .await_request(clock::now() + connected.handshake_timeout(), false);
    if client.handshake().await.is_ok() {
        let exchange = connected.exchange(clock::now());
        converse(exchange, &mut client, &worker, &registration).await;
    }
    // INVARIANT: the sweeper forgets the sockets before they are closed.
    drop(registration);
}

#[expect(
    clippy::too_many_lines,
    reason = "an arm for each thing that can be asked for; a function around them would weigh on every connection"
)]
async fn converse(
    exchange: Exchange,
    client: &mut Link,
    worker: &Worker,
    registration: &Registration,
) {
    let watch = registration.watch();
    let conversation = Conversation::new(exchange);
    let exchange = &conversation.exchange;
    let mut upstream = Upstream::default();
    let mut hedging = Hedging::new(&conversation, worker, registration);
    loop {
        let action = exchange.borrow_mut().poll();
        let input = match action {
            Action::ReadClient { into, until } => {
                watch.await_request(until, exchange.borrow().is_idle());
                let (bytes, read) = hedging.beside(pin!(client.read(into))).await;
                Input::ClientRead(bytes, watch.verdict(read))
            }
            Action::SendClient {
                bytes,
                range,
                until,
            } => {
                watch.await_client(until);
                let sent = pin!(client.send(bytes, range, worker.way()));
                let (bytes, sent) = hedging.beside(sent).await;
                Input::ClientSent(bytes, watch.verdict(sent))
            }
            Action::SendUpstream {
                bytes,
                range,
                until,
            } => {
                watch.await_upstream(worker.now(), until);
                let sent = pin!(upstream.send(bytes, range, worker.way()));
                let (bytes, sent) = hedging.beside(sent).await;
                Input::UpstreamSent(bytes, verdict_on_request(watch, sent))
            }
            Action::ReadUpstream { into, until } => {
                let may_ask = client.is_plain() && exchange.borrow().may_send_interim();
                watch.allow_asking(may_ask);
                watch.await_upstream(worker.now(), until);
                hedging.expect();
                let (bytes, read) = hedging.beside(pin!(upstream.read(into))).await;
                Input::UpstreamRead(bytes, watch.verdict(read))
            }
            Action::Dial {
                provider,
                endpoint,
                fresh,
                until,
            } => {
                hedging.expect();
                let hit = drill::hit(worker, &conversation, false, endpoint);
                let way = Endpoint::new(conversation.view(worker), provider, endpoint).hit(hit);
                let dialed = pin!(upstream.open(way, fresh, until, worker, registration));
                Input::Dialed(hedging.beside(dialed).await)
            }
            Action::Wait { until } => {
                watch.await_neither(worker.now());
                registration.rouse();
                let waited = hedging.beside(pin!(pause(registration, until))).await;
                watch.forget_cut();
                Input::Waited(waited)
            }
            Action::Release { reuse } => {
                upstream.release(reuse, worker, watch);
                continue;
            }
            Action::TakeOver => {
                upstream = hedging.winner();
                upstream.show(watch);
                continue;
            }
            Action::FinishClient => {
                client.finish_sending().await;
                continue;
            }
            Action::NextRequest => {
                conversation.leave();
                Input::NextRequest
            }
            Action::Close => return hedging.end().await,
        };
        worker.handle(&conversation, input);
        hedging.settle();
    }
}

/// What sending a request came to.
pub(super) fn verdict_on_request(watch: &Watch, sent: io::Result<Sent>) -> Result<(), Broken> {
    match watch.verdict(sent)? {
        Sent::Whole => Ok(()),
        Sent::Refused => Err(Broken::Answered),
    }
}

/// What one client connection has to say, and the generation that its request at hand runs by.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) exchange: RefCell<Exchange>,
    /// The newest one when the request began.
    pub(super) view: RefCell<Option<Rc<View>>>,
}

impl Conversation {
    fn new(exchange: Exchange) -> Self {
        Self {
            exchange: RefCell::new(exchange),
            view: RefCell::new(None),
        }
    }

    /// Of an exchange that has a request already, which runs by `view`.
    pub(super) fn under_way(exchange: Exchange, view: Rc<View>) -> Self {
        Self {
            exchange: RefCell::new(exchange),
            view: RefCell::new(Some(view)),
        }
    }

    /// The request's view.
    pub(super) fn view(&self, worker: &Worker) -> Rc<View> {
        let mut view = self.view.borrow_mut();
        Rc::clone(view.get_or_insert_with(|| worker.newest()))
    }

    /// The request is over.
    pub(super) fn leave(&self) {
        self.view.replace(None);
    }
}

/// An endpoint of the generation that a request runs by.
#[derive(Debug)]
pub(super) struct Endpoint {
    view: Rc<View>,
    /// Among all endpoints of the generation.
    index: usize,
    /// A drill's fault hits the attempt there.
    hit: Option<Box<Hit>>,
    /// The connection is not the provider's own.
    played: bool,
}

impl Endpoint {
    /// The endpoint of that place at a provider.
    pub(super) fn new(view: Rc<View>, provider: ProviderId, endpoint: u16) -> Self {
        let index = view.generation.peers.index(provider, endpoint);
        Self {
            view,
            index,
            hit: None,
            played: false,
        }
    }

    /// With what an attempt there meets.
    pub(super) fn hit(self, hit: Option<Box<Hit>>) -> Self {
        Self {
            played: hit.is_some(),
            hit,
            ..self
        }
    }
}

/// What became of an action.
#[derive(Debug)]
pub(super) enum Performed {
    /// It has a result.
    Done(Input),
    /// It has none.
    Nothing,
    /// It does not concern the provider.
    Other,
}

/// The provider's connection of a running attempt.
#[derive(Debug, Default)]
pub(super) struct Upstream {
    held: Option<(Endpoint, Link)>,
}

impl Upstream {
    /// A connection to an endpoint, from the pool or a new one.
    pub(super) async fn open(
        &mut self,
        mut endpoint: Endpoint,
        fresh: bool,
        until: Moment,
        worker: &Worker,
        registration: &Registration,
    ) -> Result<Reused, DialFailure> {
        let watch = registration.watch();
        registration.rouse();
        watch.await_neither(worker.now());
        let hit = endpoint.hit.take();
        let pooled = if fresh || hit.is_some() {
            None
        } else {
            worker.pooled(&endpoint.view, endpoint.index)
        };
        let reused = Reused(pooled.is_some());
        let link = if let Some(link) = pooled {
            link
        } else {
            let peer = endpoint.view.generation.peers.at(endpoint.index);
            let peer = peer.ok_or(DialFailure::Connect)?;
            // A handshake is rare and its future large: it does not weigh on every connection.
            let mut dialed = match hit {
                None => Box::pin(dial(peer, registration, until)).await,
                Some(hit) => Box::pin(hit.open(peer, until, worker, registration)).await,
            };
            if matches!(dialed, Err(DialFailure::Exhausted)) {
                worker.make_room();
                // What was closed is free after a turn of the driver.
                registration.beats().next().await;
                dialed = Box::pin(dial(peer, registration, until)).await;
            }
            watch.forget_cut();
            dialed?
        };
        worker.exchange_begins(&endpoint.view);
        self.held = Some((endpoint, link));
        self.show(watch);
        Ok(reused)
    }

    /// Carries out what is asked for on a provider's side; gives back what is not.
    pub(super) async fn perform(
        &mut self,
        action: Action,
        of_hedge: bool,
        conversation: &Conversation,
        worker: &Worker,
        registration: &Registration,
    ) -> Performed {
        let watch = registration.watch();
        match action {
            Action::SendUpstream {
                bytes,
                range,
                until,
            } => {
                watch.await_upstream(worker.now(), until);
                let (bytes, sent) = self.send(bytes, range, worker.way()).await;
                Performed::Done(Input::UpstreamSent(bytes, verdict_on_request(watch, sent)))
            }
            Action::ReadUpstream { into, until } => {
                watch.await_upstream(worker.now(), until);
                let (bytes, read) = self.read(into).await;
                Performed::Done(Input::UpstreamRead(bytes, watch.verdict(read)))
            }
            Action::Dial {
                provider,
                endpoint,
                fresh,
                until,
            } => {
                let hit = drill::hit(worker, conversation, of_hedge, endpoint);
                let endpoint =
                    Endpoint::new(conversation.view(worker), provider, endpoint).hit(hit);
                let dialed = self.open(endpoint, fresh, until, worker, registration);
                Performed::Done(Input::Dialed(dialed.await))
            }
            Action::Release { reuse } => {
                self.release(reuse, worker, watch);
                Performed::Nothing
            }
            _ => Performed::Other,
        }
    }

    /// Whether there is a connection.
    pub(super) const fn is_open(&self) -> bool {
        self.held.is_some()
    }

    /// Lets the sweeper know of it.
    pub(super) fn show(&self, watch: &Watch) {
        watch.set_upstream(self.held.as_ref().map(|(_, link)| link.socket()));
    }

    pub(super) async fn send(
        &mut self,
        bytes: Vec<u8>,
        range: Range<usize>,
        way: Way,
    ) -> (Vec<u8>, io::Result<Sent>) {
        match &mut self.held {
            Some((_, link)) => link.send_request(bytes, range, way).await,
            None => (bytes, Err(io::ErrorKind::NotConnected.into())),
        }
    }

    pub(super) async fn read(&mut self, into: Vec<u8>) -> (Vec<u8>, io::Result<usize>) {
        match &mut self.held {
            Some((_, link)) => link.read(into).await,
            None => (into, Err(io::ErrorKind::NotConnected.into())),
        }
    }

    pub(super) fn release(&mut self, reuse: bool, worker: &Worker, watch: &Watch) {
        watch.set_upstream(None);
        let Some((endpoint, link)) = self.held.take() else {
            return;
        };
        worker.exchange_ends(&endpoint.view);
        if reuse && !endpoint.played {
            worker.keep(&endpoint.view, endpoint.index, link);
        }
    }
}
