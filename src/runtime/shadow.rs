//! The task of a copy of a request: a provider's side like any other, and no client. What would go to one is thrown away
//! where it would be sent, so that the copy is read to its end, or until one of its timers, or until the process ends.

use std::rc::Rc;

use crate::exchange::{Action, Broken, Input, Shadow};
use crate::runtime::connection::{Conversation, Performed, Upstream};
use crate::runtime::dial::pause;
use crate::runtime::view::View;
use crate::runtime::worker::Worker;

/// Asks the shadow's target and throws its answer away. `view` is that of copies.
pub(super) async fn serve(shadow: Box<Shadow>, view: Rc<View>, worker: Rc<Worker>) {
    let registration = worker.sweeper.register_shadow();
    let watch = registration.watch();
    let (exchange, seat) = worker.begin_shadow(*shadow, &view);
    let conversation = Conversation::under_way(exchange, view);
    let mut upstream = Upstream::default();
    loop {
        let action = conversation.exchange.borrow_mut().poll();
        let performed = upstream
            .perform(action, false, &conversation, &worker, &registration)
            .await;
        let input = match performed {
            Performed::Done(input) => input,
            Performed::Nothing | Performed::Other(Action::FinishClient) => continue,
            Performed::Other(Action::SendClient { bytes, .. }) => Input::ClientSent(bytes, Ok(())),
            Performed::Other(Action::ReadClient { into, .. }) => {
                Input::ClientRead(into, Err(Broken::ClientGone))
            }
            Performed::Other(Action::Wait { until }) => {
                watch.await_neither(worker.now());
                Input::Waited(pause(&registration, until).await)
            }
            Performed::Other(_) => break,
        };
        worker.handle(&conversation, input);
    }
    drop(seat);
    // INVARIANT: the sweeper forgets the provider's socket before it is closed.
    drop(registration);
    drop(upstream);
}
