//! The task of one client connection: it owns both sockets and carries out what the exchange asks for, one operation
//! at a time; a hedge's, on a third socket, beside it (`hedge`). Nothing is decided here.

use std::cell::RefCell;
use std::io;
use std::ops::Range;
use std::pin::pin;
use std::rc::Rc;

use crate::base::Moment;
use crate::exchange::{Action, DialFailure, Exchange, Input, Reused};
use crate::runtime::clock;
use crate::runtime::dial::{dial, pause};
use crate::runtime::hedge::Hedging;
use crate::runtime::link::{Link, Way};
use crate::runtime::sweep::{Registration, Watch};
use crate::runtime::worker::{HANDSHAKE_TIMEOUT, Worker};

/// Serves the requests of one client connection until it ends.
pub(super) async fn serve(mut client: Link, worker: Rc<Worker>) {
    let registration = worker.sweeper.register(client.socket());
    registration
        .watch()
        .await_request(clock::now() + HANDSHAKE_TIMEOUT, false);
    if client.handshake().await.is_ok() {
        converse(&mut client, &worker, &registration).await;
    }
    // INVARIANT: the sweeper forgets the sockets before they are closed.
    drop(registration);
}

async fn converse(client: &mut Link, worker: &Worker, registration: &Registration) {
    let exchange = RefCell::new(Exchange::new(clock::now()));
    let mut upstream = Upstream::default();
    let mut hedging = Hedging::new(&exchange, worker, registration);
    loop {
        let action = exchange.borrow_mut().poll();
        match action {
            Action::Release { reuse } => {
                upstream.release(reuse, worker, registration.watch());
            }
            Action::TakeOver => {
                upstream = hedging.winner();
                upstream.show(registration.watch());
            }
            Action::FinishClient => client.finish_sending().await,
            Action::Close => return hedging.end().await,
            operation => {
                hedging.expect();
                let here = Here::of(&exchange.borrow(), client);
                let input = {
                    let operation =
                        perform(operation, here, client, &mut upstream, worker, registration);
                    hedging.beside(pin!(operation)).await
                };
                let Some(input) = input else { return };
                worker.handle(&mut exchange.borrow_mut(), input);
                hedging.settle();
            }
        }
    }
}

/// What the watch of a client's connection wants to know of the exchange.
#[derive(Clone, Copy)]
struct Here {
    /// No request is at hand.
    idle: bool,
    /// The client can be asked whether it is there.
    may_ask: bool,
}

impl Here {
    fn of(exchange: &Exchange, client: &Link) -> Self {
        Self {
            idle: exchange.is_idle(),
            may_ask: client.is_plain() && exchange.may_send_interim(),
        }
    }
}

/// Carries out one operation. `None` for an action that is none.
async fn perform(
    action: Action,
    here: Here,
    client: &mut Link,
    upstream: &mut Upstream,
    worker: &Worker,
    registration: &Registration,
) -> Option<Input> {
    let watch = registration.watch();
    match action {
        Action::ReadClient { into, until } => {
            watch.await_request(until, here.idle);
            let (bytes, read) = client.read(into).await;
            Some(Input::ClientRead(bytes, watch.verdict(read)))
        }
        Action::SendClient {
            bytes,
            range,
            until,
        } => {
            watch.await_client(until);
            let (bytes, sent) = client.send(bytes, range, worker.way()).await;
            Some(Input::ClientSent(bytes, watch.verdict(sent)))
        }
        action => {
            watch.allow_asking(here.may_ask);
            ask_provider(action, upstream, worker, registration).await
        }
    }
}

/// Carries out one operation on a provider's side. `None` for an action that is none.
pub(super) async fn ask_provider(
    action: Action,
    upstream: &mut Upstream,
    worker: &Worker,
    registration: &Registration,
) -> Option<Input> {
    let watch = registration.watch();
    match action {
        Action::SendUpstream {
            bytes,
            range,
            until,
        } => {
            watch.await_upstream(worker.now(), until);
            let (bytes, sent) = upstream.send(bytes, range, worker.way()).await;
            Some(Input::UpstreamSent(bytes, watch.verdict(sent)))
        }
        Action::ReadUpstream { into, until } => {
            watch.await_upstream(worker.now(), until);
            let (bytes, read) = upstream.read(into).await;
            Some(Input::UpstreamRead(bytes, watch.verdict(read)))
        }
        Action::Dial {
            provider,
            endpoint,
            fresh,
            until,
        } => {
            registration.rouse();
            watch.await_neither(worker.now());
            let endpoint = worker.peers().index(provider, endpoint);
            let dialed = upstream
                .open(endpoint, fresh, until, worker, registration)
                .await;
            watch.forget_cut();
            Some(Input::Dialed(dialed))
        }
        Action::Wait { until } => {
            watch.await_neither(worker.now());
            let waited = pause(registration, until).await;
            watch.forget_cut();
            Some(Input::Waited(waited))
        }
        Action::ReadClient { .. }
        | Action::SendClient { .. }
        | Action::FinishClient
        | Action::Release { .. }
        | Action::TakeOver
        | Action::Close => None,
    }
}

/// The provider's connection of a running attempt.
#[derive(Debug, Default)]
pub(super) struct Upstream {
    held: Option<(usize, Link)>,
}

impl Upstream {
    async fn open(
        &mut self,
        endpoint: usize,
        fresh: bool,
        until: Moment,
        worker: &Worker,
        registration: &Registration,
    ) -> Result<Reused, DialFailure> {
        let pooled = if fresh {
            None
        } else {
            worker.pool.take(endpoint, worker.now())
        };
        let reused = Reused(pooled.is_some());
        let link = if let Some(link) = pooled {
            link
        } else {
            let peer = worker.peers().at(endpoint).ok_or(DialFailure::Connect)?;
            // A handshake is rare and its future large: it does not weigh on every connection.
            Box::pin(dial(peer, registration, until)).await?
        };
        self.held = Some((endpoint, link));
        self.show(registration.watch());
        worker.exchange_begins();
        Ok(reused)
    }

    async fn send(
        &mut self,
        bytes: Vec<u8>,
        range: Range<usize>,
        way: Way,
    ) -> (Vec<u8>, io::Result<()>) {
        match &mut self.held {
            Some((_, link)) => link.send(bytes, range, way).await,
            None => (bytes, Err(io::ErrorKind::NotConnected.into())),
        }
    }

    async fn read(&mut self, into: Vec<u8>) -> (Vec<u8>, io::Result<usize>) {
        match &mut self.held {
            Some((_, link)) => link.read(into).await,
            None => (into, Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Lets the sweeper know of it.
    fn show(&self, watch: &Watch) {
        watch.set_upstream(self.held.as_ref().map(|(_, link)| link.socket()));
    }

    pub(super) fn release(&mut self, reuse: bool, worker: &Worker, watch: &Watch) {
        watch.set_upstream(None);
        let Some((endpoint, link)) = self.held.take() else {
            return;
        };
        worker.exchange_ends();
        if reuse {
            worker.pool.put(endpoint, link, worker.now());
        }
    }
}
