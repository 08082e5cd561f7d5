//! The task of one client connection: it owns both sockets and carries out what the exchange asks for, one operation
//! at a time. Nothing is decided here.

use std::io;
use std::ops::Range;
use std::rc::Rc;

use crate::base::Moment;
use crate::exchange::{Action, DialFailure, Exchange, Input, Reused};
use crate::runtime::clock;
use crate::runtime::dial::{dial, pause};
use crate::runtime::link::{Link, Way};
use crate::runtime::sweep::{Registration, Watch};
use crate::runtime::worker::{HANDSHAKE_TIMEOUT, Worker};

/// Serves the requests of one client connection until it ends.
pub(super) async fn serve(mut client: Link, worker: Rc<Worker>) {
    let _connected = worker.connected();
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
    let watch = registration.watch();
    let mut exchange = Exchange::new(clock::now());
    let mut upstream = Upstream::default();
    loop {
        let input = match exchange.poll() {
            Action::ReadClient { into, until } => {
                watch.await_request(until, exchange.is_idle());
                let (bytes, read) = client.read(into).await;
                Input::ClientRead(bytes, watch.verdict(read))
            }
            Action::SendClient {
                bytes,
                range,
                until,
            } => {
                watch.await_client(until);
                let (bytes, sent) = client.send(bytes, range, worker.way()).await;
                Input::ClientSent(bytes, watch.verdict(sent))
            }
            Action::SendUpstream {
                bytes,
                range,
                until,
            } => {
                watch.await_upstream(worker.now(), until);
                let (bytes, sent) = upstream.send(bytes, range, worker.way()).await;
                Input::UpstreamSent(bytes, watch.verdict(sent))
            }
            Action::ReadUpstream { into, until } => {
                watch.allow_asking(client.is_plain() && exchange.may_send_interim());
                watch.await_upstream(worker.now(), until);
                let (bytes, read) = upstream.read(into).await;
                Input::UpstreamRead(bytes, watch.verdict(read))
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
                Input::Dialed(
                    upstream
                        .open(endpoint, fresh, until, worker, registration)
                        .await,
                )
            }
            Action::Wait { until } => {
                watch.await_neither(worker.now());
                Input::Waited(pause(registration, until).await)
            }
            Action::Release { reuse } => {
                upstream.release(reuse, worker, watch);
                continue;
            }
            Action::FinishClient => {
                client.finish_sending().await;
                continue;
            }
            Action::Close => return,
        };
        worker.handle(&mut exchange, input);
    }
}

/// The provider's connection of the running attempt.
#[derive(Default)]
struct Upstream {
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
        registration.watch().set_upstream(Some(link.socket()));
        self.held = Some((endpoint, link));
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

    fn release(&mut self, reuse: bool, worker: &Worker, watch: &Watch) {
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
