//! The thread of one run: it has requests made, injects and lifts, says that it is there, and keeps what it sees.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender};
use std::thread;

use crate::base::limits::TICK;
use crate::base::{Moment, Span};
use crate::ops::{self, Count};
use crate::policy::drill::{Abort, Drill, Phase, Traffic};
use crate::runtime::clock;
use crate::runtime::drill::edge::RENEW_EVERY;
use crate::runtime::drill::gather;
use crate::runtime::drill::synthetic::{Errand, Request};
use crate::runtime::drill::{REQUESTS_MAX, Running, WhyEnded};
use crate::runtime::log;
use crate::runtime::shared::Shared;
use crate::runtime::spawn as thread_of_its_own;
use crate::sim::rehearsal::{Arrival, Arrivals, Asked, Event, aborted, event};

/// Begins the run on a thread of its own. Without the thread it ends at once.
pub(super) fn spawn(
    shared: Arc<Shared>,
    run: Arc<Running>,
    kinds: Vec<Vec<u8>>,
    workers: Vec<Sender<Errand>>,
    records: Receiver<ops::Record>,
) {
    let kinds = kinds.into_iter().map(Arc::from).collect();
    thread_of_its_own("drill", move || {
        let mut controller = Controller::new(&shared, &run, kinds, workers, records);
        controller.run();
        shared.drills.over(&run);
        // From now on nobody takes it up again.
        controller.send_all(|| Errand::Leave);
        controller.tell_the_end();
        Ok(())
    });
}

struct Controller<'r> {
    shared: &'r Shared,
    run: &'r Arc<Running>,
    kinds: Vec<Arc<[u8]>>,
    workers: Vec<Sender<Errand>>,
    records: Receiver<ops::Record>,
    arrivals: Arrivals,
    coming: Option<Arrival>,
    /// Requests that were made, and those of them that are over.
    made: u64,
    done: u64,
    /// What they cost, in nano-dollars, and what they may cost.
    bill: u128,
    bill_max: Option<u128>,
    /// Requests come up to here.
    end: Moment,
    renewed: Moment,
    ticked: Moment,
    looked: Moment,
    /// Requests of the drill that ended lately.
    lately: VecDeque<(Moment, Asked)>,
    /// What all clients' requests came to, second by second.
    clients: VecDeque<(u64, u64)>,
}

impl<'r> Controller<'r> {
    fn new(
        shared: &'r Shared,
        run: &'r Arc<Running>,
        kinds: Vec<Arc<[u8]>>,
        workers: Vec<Sender<Errand>>,
        records: Receiver<ops::Record>,
    ) -> Self {
        let begun = run.begun;
        let mut arrivals = Arrivals::new(run.drill(), run.seed, kinds.len(), workers.len());
        Self {
            shared,
            run,
            kinds,
            workers,
            records,
            coming: arrivals.next(),
            arrivals,
            made: 0,
            done: 0,
            bill: 0,
            bill_max: bill_max(run.drill()),
            end: begun + run.drill().length,
            renewed: begun,
            ticked: begun,
            looked: begun,
            lately: VecDeque::new(),
            clients: VecDeque::new(),
        }
    }

    fn run(&mut self) {
        let drill = self.run.drill().clone();
        self.run.edge.renew(self.run.begun);
        if self.run.is_live() || self.run.copying.is_some() {
            self.send_all(|| Errand::Attend(Arc::clone(self.run)));
        }
        loop {
            let now = clock::now();
            self.interrupt();
            self.renew(now);
            self.inject(now, &drill);
            self.ask(now);
            self.tick(now);
            self.gather();
            self.mind_bounds();
            self.look(now, &drill);
            self.close(now);
            if self.run.stopped().is_some() || self.is_over(now) {
                break;
            }
            thread::park_timeout(self.pause(now).as_std());
        }
        self.lift_all(&drill);
        self.run.edge.give_up();
        if let Some(copying) = &self.run.copying {
            copying.close();
        }
        self.gather();
        self.shorten(clock::now());
        self.run.finish();
    }

    /// Reasons from outside.
    fn interrupt(&self) {
        if self.shared.draining.load(Ordering::Relaxed) {
            self.run.stop(WhyEnded::Drain);
        } else if self.shared.number() != self.run.number {
            self.run.stop(WhyEnded::Reload);
        }
    }

    fn renew(&mut self, now: Moment) {
        if now.since(self.renewed) >= RENEW_EVERY {
            self.renewed = now;
            self.run.edge.renew(now);
        }
    }

    fn inject(&self, now: Moment, drill: &Drill) {
        let at = now.since(self.run.begun);
        for (index, injection) in drill.injections.iter().enumerate() {
            let there = at >= injection.after && at < injection.lifted() && now < self.end;
            if self.run.edge.set(index, there) {
                let news = if there {
                    Event::Injected(index)
                } else {
                    Event::Lifted(index)
                };
                self.note(drill, news);
            }
        }
    }

    fn lift_all(&self, drill: &Drill) {
        for index in self.run.edge.injected() {
            self.run.edge.set(index, false);
            self.note(drill, Event::Lifted(index));
        }
    }

    fn note(&self, drill: &Drill, news: Event) {
        let (word, what) = event(&self.run.plan().policy, drill, &news);
        log::note(&format!("drill {}: {word} {what}", drill.name));
        self.run.note(news);
    }

    /// Has the requests made that are due.
    fn ask(&mut self, now: Moment) {
        let at = now.since(self.run.begun);
        while let Some(arrival) = self.coming.filter(|it| it.at <= at && now < self.end) {
            self.coming = self.arrivals.next();
            let bytes = self.kinds.get(arrival.kind).cloned();
            if let (Some(bytes), Some(worker)) = (bytes, self.workers.get(arrival.core)) {
                let request = Request {
                    id: arrival.id,
                    bytes,
                };
                // A worker that has ended has dropped its end: so will the gateway.
                let asked = worker.send(Errand::Ask(Arc::clone(self.run), request));
                self.made += u64::from(asked.is_ok());
            }
        }
    }

    /// Sums up the breakers of the drill's own board. Those of the clients' requests the control thread does.
    fn tick(&mut self, now: Moment) {
        if self.run.is_live() || now.since(self.ticked) < TICK {
            return;
        }
        self.ticked = now;
        let board = self.run.board();
        for change in board.tick(now) {
            self.run.saw_transition(&change);
        }
        for change in board.key_changes() {
            self.run.saw_key(change);
        }
        for change in board.judge_guards(now) {
            self.run.saw_guard(&change);
        }
    }

    fn gather(&mut self) {
        for told in self.records.try_iter() {
            self.done += 1;
            let asked = gather::add(self.run, &told, &mut self.run.seen());
            if let Some(asked) = asked {
                self.bill += u128::from(asked.cost_nanos);
                self.lately.push_back((told.ended, asked));
            }
        }
    }

    /// Ends it where it costs more than it may, or makes more requests.
    fn mind_bounds(&self) {
        if self.bill_max.is_some_and(|most| self.bill > most) {
            self.run.stop(WhyEnded::Bill);
        }
        let copies = self.run.copying.as_ref();
        if copies.is_some_and(|it| it.seats().started() >= REQUESTS_MAX) {
            self.run.stop(WhyEnded::Requests);
        }
    }

    /// No copy begins after the end.
    fn close(&self, now: Moment) {
        if let Some(copying) = &self.run.copying
            && now >= self.end
        {
            copying.close();
        }
    }

    /// Whether something ends the drill.
    fn look(&mut self, now: Moment, drill: &Drill) {
        if drill.aborts.is_empty() || now.since(self.looked) < LOOK || now >= self.end {
            return;
        }
        self.looked = now;
        let from = now - Abort::LOOKS_BACK;
        self.lately.retain(|(ended, _)| *ended >= from);
        let lately: Vec<Asked> = self.lately.iter().map(|(_, asked)| *asked).collect();
        let clients = self.clients();
        if let Some(index) = aborted(drill, &lately, Some(clients)) {
            self.note(drill, Event::Aborted(index));
            self.run.seen().aborted = Some(index);
            self.shorten(now);
            self.end = now;
        }
    }

    /// How many of all clients' requests ended over the time that is looked back on, and how many of them failed.
    fn clients(&mut self) -> (u64, u64) {
        let totals = self.shared.generation().counters.totals();
        let now = (totals.of(Count::Requests), totals.of(Count::Failed));
        self.clients.push_back(now);
        let seconds = usize::try_from(Abort::LOOKS_BACK.as_secs()).unwrap_or_default();
        while self.clients.len() > seconds + 1 {
            self.clients.pop_front();
        }
        let before = self.clients.front().copied().unwrap_or_default();
        (
            now.0.saturating_sub(before.0),
            now.1.saturating_sub(before.1),
        )
    }

    fn shorten(&self, now: Moment) {
        let mut seen = self.run.seen();
        seen.length = seen.length.min(now.since(self.run.begun));
    }

    /// No request will come, and all that came are over, or have had their time.
    fn is_over(&self, now: Moment) -> bool {
        let all = if self.run.is_live() {
            // Who has a request under way is not known here; those that are over by then count.
            now >= self.end + LIVE_PATIENCE
        } else if let Some(copying) = &self.run.copying {
            copying.seats().inflight() == 0
        } else {
            self.done >= self.made
        };
        now >= self.end && (all || now >= self.end + PATIENCE)
    }

    fn pause(&self, now: Moment) -> Span {
        let next = self.coming.map_or(Span::MAX, |it| it.at);
        let next = (self.run.begun + next).since(now);
        next.clamp(PAUSE_MIN, PAUSE_MAX)
    }

    fn send_all(&self, errand: impl Fn() -> Errand) {
        for worker in &self.workers {
            let _ = worker.send(errand());
        }
    }

    fn tell_the_end(&self) {
        let drilled = self.run.drilled();
        let why = drilled.why.as_ref().map(|why| format!(" ({why})"));
        let failed = drilled.expectations.iter().filter(|it| !it.passed).count();
        let failed = match failed {
            0 => String::new(),
            count => format!(
                ", {count} of {} expectations failed",
                drilled.expectations.len()
            ),
        };
        log::note(&format!(
            "drill {}: {}{}{failed}",
            drilled.name,
            drilled.conclusion.as_str(),
            why.unwrap_or_default()
        ));
    }
}

/// What the requests of a drill may cost in all, in nano-dollars, as far as it says so. What clients pay for is not its own.
fn bill_max(drill: &Drill) -> Option<u128> {
    if matches!(drill.traffic, Traffic::Live(_)) {
        return None;
    }
    let whole = drill.expects.iter().filter(|it| it.phase == Phase::Whole);
    let micros = whole.filter_map(|it| it.expect.cost_max()).min()?;
    Some(u128::from(micros) * 1_000)
}

/// How often it is looked at what ends a drill.
const LOOK: Span = Span::from_secs(1);
/// Requests that are under way at the end have this long; deadlines end most of them before.
const PATIENCE: Span = Span::from_secs(60);
/// The same for requests of clients.
const LIVE_PATIENCE: Span = Span::from_secs(1);
/// How long the thread rests at the least and at the most.
const PAUSE_MIN: Span = Span::from_millis(1);
const PAUSE_MAX: Span = Span::from_millis(10);
