//! The task of a request that a drill makes: an exchange like any client's, with the request at hand and nobody who reads
//! the answer. What became of it is in its record.

use std::rc::Rc;
use std::sync::Arc;

use crate::base::RequestId;
use crate::exchange::{Action, Exchange, Input};
use crate::runtime::clock;
use crate::runtime::connection::{Conversation, Performed, Upstream};
use crate::runtime::dial::pause;
use crate::runtime::drill::Running;
use crate::runtime::worker::Worker;

/// What a worker is to do for a drill.
#[derive(Debug)]
pub(in crate::runtime) enum Errand {
    /// The records of its clients' requests go to the drill from now on.
    Tell(Arc<Running>),
    /// A request is to be made.
    Ask(Arc<Running>, Request),
    /// The drill is over.
    Leave,
}

/// A request as a client would send it.
#[derive(Debug)]
pub(in crate::runtime) struct Request {
    pub(super) id: RequestId,
    pub(super) bytes: Arc<[u8]>,
}

/// Makes a request.
pub(in crate::runtime) async fn ask(drill: Arc<Running>, request: Request, worker: Rc<Worker>) {
    let Some(view) = worker.view_of_drill(&drill) else {
        return;
    };
    let registration = worker.sweeper.register_shadow();
    registration.rouse();
    let watch = registration.watch();
    let exchange = Exchange::new(clock::now());
    let conversation = Conversation::under_way(exchange, view);
    let mut upstream = Upstream::default();
    let mut sent = 0;
    loop {
        let action = conversation.exchange.borrow_mut().poll();
        let performed = upstream
            .perform(action, false, &conversation, &worker, &registration)
            .await;
        let input = match performed {
            Performed::Done(input) => input,
            Performed::Nothing | Performed::Other(Action::FinishClient) => continue,
            Performed::Other(Action::SendClient { bytes, .. }) => Input::ClientSent(bytes, Ok(())),
            Performed::Other(Action::ReadClient { mut into, .. }) => {
                let left = request.bytes.get(sent..).unwrap_or_default();
                let room = into.capacity().saturating_sub(into.len()).max(1);
                let part = left.get(..room).unwrap_or(left);
                if part.is_empty() {
                    // It has been answered: this would be the next one.
                    break;
                }
                into.extend_from_slice(part);
                sent += part.len();
                Input::ClientRead(into, Ok(part.len()))
            }
            Performed::Other(Action::Wait { until }) => {
                watch.await_neither(worker.now());
                Input::Waited(pause(&registration, until).await)
            }
            Performed::Other(_) => break,
        };
        worker.handle_as(&conversation, input, request.id);
    }
    // INVARIANT: the sweeper forgets the provider's socket before it is closed.
    drop(registration);
    drop(upstream);
}
