//! The task of a request that no client made, or whose client does not get this answer: a copy for a shadow, a request of a
//! drill. A provider's side like any other; what would go to a client is thrown away where it would be sent, so that the
//! answer is read to its end, or until one of its timers, or until the process ends.

use std::pin::pin;
use std::rc::Rc;

use crate::base::RequestId;
use crate::exchange::{Action, Broken, Exchange, Input, Shadow};
use crate::runtime::connection::{Conversation, Performed, Upstream};
use crate::runtime::dial::pause;
use crate::runtime::hedge::Hedging;
use crate::runtime::view::View;
use crate::runtime::worker::Worker;

/// Asks the shadow's target. `view` is that of copies.
pub(super) async fn serve_shadow(shadow: Box<Shadow>, view: Rc<View>, worker: Rc<Worker>) {
    let (exchange, seat) = worker.begin_shadow(*shadow, &view);
    serve(exchange, view, None, &worker).await;
    drop(seat);
}

/// Drives an exchange that has a request to its end, by `view`. A request that begins with it has this id.
pub(super) async fn serve(
    exchange: Exchange,
    view: Rc<View>,
    id: Option<RequestId>,
    worker: &Rc<Worker>,
) {
    let registration = worker.sweeper.register_shadow();
    let watch = registration.watch();
    let conversation = Conversation::under_way(exchange, view);
    let mut upstream = Upstream::default();
    let mut hedging = Hedging::new(&conversation, worker, &registration);
    loop {
        let action = conversation.exchange.borrow_mut().poll();
        let input = match action {
            Action::SendClient { bytes, .. } => Input::ClientSent(bytes, Ok(())),
            // All that there was to say has been said.
            Action::ReadClient { into, .. } => Input::ClientRead(into, Err(Broken::ClientGone)),
            Action::NextRequest => Input::NextRequest,
            Action::FinishClient => continue,
            Action::TakeOver => {
                upstream = hedging.winner();
                upstream.show(watch);
                continue;
            }
            Action::Wait { until } => {
                watch.await_neither(worker.now());
                registration.rouse();
                let waited = hedging.beside(pin!(pause(&registration, until))).await;
                watch.forget_cut();
                Input::Waited(waited)
            }
            Action::Close => break,
            Action::Dial { .. }
            | Action::SendUpstream { .. }
            | Action::ReadUpstream { .. }
            | Action::Release { .. } => {
                if matches!(action, Action::Dial { .. } | Action::ReadUpstream { .. }) {
                    hedging.expect();
                }
                let performed =
                    upstream.perform(action, false, &conversation, worker, &registration);
                match hedging.beside(pin!(performed)).await {
                    Performed::Done(input) => input,
                    Performed::Nothing | Performed::Other => continue,
                }
            }
        };
        match id {
            Some(id) => worker.handle_as(&conversation, input, id),
            None => worker.handle(&conversation, input),
        }
        hedging.settle();
    }
    hedging.end().await;
    // INVARIANT: the sweeper forgets the provider's socket before it is closed.
    drop(registration);
    drop(upstream);
}
