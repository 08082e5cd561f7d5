//! What a drill has workers do: requests of its own, and copies of clients' requests. Each is an exchange like any client's,
//! with the request at hand and nobody who reads the answer. What became of it is in its record.

use std::rc::Rc;
use std::sync::Arc;

use crate::base::RequestId;
use crate::exchange::{Copied, Exchange};
use crate::runtime::clientless;
use crate::runtime::clock;
use crate::runtime::drill::Running;
use crate::runtime::view::View;
use crate::runtime::worker::Worker;

/// What a worker is to do for a drill.
#[derive(Debug)]
pub(in crate::runtime) enum Errand {
    /// The drill is about its clients' requests from now on: it hears of their records, or gets copies of them.
    Attend(Arc<Running>),
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
    let exchange = Exchange::with_request(clock::now(), &request.bytes);
    clientless::serve(exchange, view, Some(request.id), &worker).await;
}

/// Makes a client's request once more, by the view of the drill.
pub(in crate::runtime) async fn copy(copied: Box<Copied>, view: Rc<View>, worker: Rc<Worker>) {
    let id = copied.id;
    let (exchange, seat) = copied.begin(clock::now());
    clientless::serve(exchange, view, Some(id), &worker).await;
    drop(seat);
}
