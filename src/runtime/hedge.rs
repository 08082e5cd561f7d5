//! The second one of two attempts, driven inside the client's task beside the operation that is under way. It has a
//! watch and a connection of its own; nothing of it exists while there is no hedge.
//!
//! Neither side's operation is ever dropped: the loser's is cut by shutting its socket down, and then ends by itself.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::base::Moment;
use crate::runtime::clock;
use crate::runtime::connection::{Conversation, Performed, Upstream};
use crate::runtime::sweep::{Registration, Watch};
use crate::runtime::worker::Worker;

/// The hedges of one client connection, one after the other.
pub(super) struct Hedging<'a> {
    conversation: &'a Conversation,
    worker: &'a Worker,
    /// The first attempt's.
    registration: &'a Registration,
    /// When the next one may begin.
    at: Moment,
    /// Nothing of it is kept where there is no hedge.
    hedge: Option<Box<Hedge<'a>>>,
}

enum Hedge<'a> {
    Running {
        watch: Rc<Watch>,
        task: Pin<Box<dyn Future<Output = Upstream> + 'a>>,
    },
    /// It has won: its connection.
    Won(Upstream),
}

impl<'a> Hedging<'a> {
    /// None yet.
    pub(super) const fn new(
        conversation: &'a Conversation,
        worker: &'a Worker,
        registration: &'a Registration,
    ) -> Self {
        Self {
            conversation,
            worker,
            registration,
            at: Moment::NEVER,
            hedge: None,
        }
    }

    /// The operation that is about to begin may be hedged.
    pub(super) fn expect(&mut self) {
        self.at = self
            .conversation
            .exchange
            .borrow()
            .hedge_at()
            .unwrap_or(Moment::NEVER);
    }

    /// Waits for the first attempt's operation; meanwhile the hedge begins when it is time, and goes on.
    pub(super) fn beside<F: Future>(
        &mut self,
        mut operation: Pin<&mut F>,
    ) -> impl Future<Output = F::Output> {
        poll_fn(move |task| {
            let done = operation.as_mut().poll(task);
            if done.is_pending() && (self.hedge.is_some() || self.at != Moment::NEVER) {
                self.go_on(task);
            }
            done
        })
    }

    /// The first attempt's input has been taken in: what the hedge does may be in vain now.
    pub(super) fn settle(&mut self) {
        self.at = Moment::NEVER;
        if let Some(Hedge::Running { watch, .. }) = self.hedge.as_deref()
            && self.conversation.exchange.borrow().cuts().hedge
        {
            watch.cut(self.registration.beats());
        }
    }

    /// The connection of the hedge that has won.
    pub(super) fn winner(&mut self) -> Upstream {
        match self.hedge.take().map(|hedge| *hedge) {
            Some(Hedge::Won(upstream)) => upstream,
            Some(Hedge::Running { .. }) | None => Upstream::default(),
        }
    }

    /// The client's connection is over: so is its hedge, as soon as its last operation has ended.
    pub(super) async fn end(self) {
        if let Some(Hedge::Running { task, .. }) = self.hedge.map(|hedge| *hedge) {
            task.await;
        }
    }

    #[cold]
    fn go_on(&mut self, task: &mut Context<'_>) {
        if self.at != Moment::NEVER {
            self.begin_when_due(task);
        }
        if let Some(Hedge::Running { task: hedge, .. }) = self.hedge.as_deref_mut()
            && let Poll::Ready(upstream) = hedge.as_mut().poll(task)
        {
            let won = upstream.is_open();
            self.hedge = won.then(|| Box::new(Hedge::Won(upstream)));
        }
    }

    fn begin_when_due(&mut self, task: &Context<'_>) {
        if clock::now() < self.at {
            return self.registration.watch().ring(self.at, task.waker());
        }
        self.at = Moment::NEVER;
        if !self.worker.begin_hedge(self.conversation) {
            return;
        }
        let registration = self.registration.second();
        let watch = registration.share();
        let (conversation, worker, first) = (self.conversation, self.worker, self.registration);
        let task = Box::pin(async move {
            let upstream = drive(conversation, worker, first, &registration).await;
            registration.watch().set_upstream(None);
            upstream
        });
        self.hedge = Some(Box::new(Hedge::Running { watch, task }));
    }
}

/// Carries out what the exchange asks of its hedge; gives the connection that it holds at the end.
async fn drive(
    conversation: &Conversation,
    worker: &Worker,
    first: &Registration,
    registration: &Registration,
) -> Upstream {
    let exchange = &conversation.exchange;
    let mut upstream = Upstream::default();
    loop {
        let action = exchange.borrow_mut().poll_hedge();
        let performed = upstream
            .perform(action, true, conversation, worker, registration)
            .await;
        let input = match performed {
            Performed::Done(input) => input,
            Performed::Nothing => continue,
            // A hedge has nothing to do with the client; `Close` is its end.
            Performed::Other => return upstream,
        };
        worker.handle_hedge(conversation, input);
        if exchange.borrow().cuts().first {
            first.watch().cut(first.beats());
        }
    }
}
