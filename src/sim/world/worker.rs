//! The workers of a world: what the runtime does with sockets is done with pipes here. The one place that knows the
//! actions and inputs of an exchange.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use crate::base::limits::{ANSWER_BYTES_MAX, EVENT_BYTES_MAX};
use crate::base::{Moment, RequestId, Span};
use crate::engine::{Board, Core};
use crate::exchange::{
    Action, Broken as Ended, Context, DialFailure, Exchange, Input, Reused, Scratch,
};
use crate::ops;
use crate::ops::{Counters, Journal};
use crate::policy::{Plan, WallTime};
use crate::sim::world::agenda::{Event, beat_after};
use crate::sim::world::check::{Broken, Rule, Seen};
use crate::sim::world::client::{Arrivals, Client, reading_time};
use crate::sim::world::network::{Link, Pool, Sent, Sighting};
use crate::sim::world::pipe::{Ending, Found};
use crate::sim::world::{World, kind_of};

/// One core of the gateway.
#[derive(Debug)]
pub(super) struct Worker {
    core: Core,
    scratch: Scratch,
    journal: Journal,
    pool: Pool,
}

/// One client connection, from both ends.
#[derive(Debug)]
pub(super) struct Connection {
    core: usize,
    pub(super) client: Client,
    exchange: Exchange,
    link: Option<Link>,
    waits: Option<Wait>,
    turn: u64,
    /// Requests that have an id and no record.
    named: VecDeque<RequestId>,
    request: Request,
    /// The gateway said that it would end the connection.
    told_close: bool,
}

/// The request that is being served.
#[derive(Debug, Default)]
struct Request {
    number: u64,
    streams: bool,
    /// When it could begin: it was there, and the one before it was over.
    began: Moment,
    attempts: Vec<(Moment, Sighting)>,
}

/// An action that is under way.
#[derive(Debug)]
struct Wait {
    action: Action,
    /// When it is done by itself; what is read has its own time.
    due: Moment,
    dialed: Option<Result<Link, DialFailure>>,
}

/// What became of an action.
enum Carried {
    Done(Input),
    Later(Wait, Moment),
}

impl Worker {
    pub(super) fn new(
        plan: &Plan,
        board: &Arc<Board>,
        counters: &Arc<Counters>,
        core: usize,
    ) -> Self {
        Self {
            core: Core::new(Arc::clone(board), plan, core),
            scratch: Scratch::default(),
            journal: Journal::new(Arc::clone(counters), core),
            pool: Pool::default(),
        }
    }
}

impl Connection {
    pub(super) fn new(now: Moment, core: usize, client: Client) -> Self {
        Self {
            core,
            client,
            exchange: Exchange::new(now),
            link: None,
            waits: None,
            turn: 0,
            named: VecDeque::new(),
            request: Request::default(),
            told_close: false,
        }
    }

    /// Whether it is the one of that name, and waits for its client.
    pub(super) fn is_free(&self, name: u64) -> bool {
        self.client.name == name && self.client.asks.is_empty() && self.client.gone.is_none()
    }

    /// Which wait it is in.
    pub(super) const fn turn(&self) -> u64 {
        self.turn
    }

    /// Its next wait is this one.
    pub(super) const fn renew(&mut self, turn: u64) -> u64 {
        self.turn = turn;
        turn
    }

    fn seen(&self) -> Seen<'_> {
        Seen {
            attempts: &self.request.attempts,
            began: self.request.began,
            prompt: self.client.rate.is_none(),
            streams: self.request.streams,
        }
    }

    /// When the gateway notices that the client has left, if it has.
    fn gone(&self) -> Moment {
        self.client.gone.unwrap_or(Moment::NEVER)
    }
}

impl World<'_> {
    /// Goes on with the connection at `place` until it has to wait.
    pub(super) fn drive(&mut self, place: usize) -> Result<(), Broken> {
        let Some(mut it) = self.connections.get_mut(place).and_then(Option::take) else {
            return Ok(());
        };
        let mut ended = false;
        for _ in 0..STEPS_MAX {
            let wait = match it.waits.take() {
                Some(wait) => wait,
                None => match self.begin(&mut it)? {
                    Begun::Wait(wait) => wait,
                    Begun::Nothing => continue,
                    Begun::End => {
                        ended = true;
                        break;
                    }
                },
            };
            match self.carry_on(place, &mut it, wait)? {
                Carried::Done(input) => self.handle(&mut it, input)?,
                Carried::Later(wait, at) => {
                    self.turns += 1;
                    let turn = it.renew(self.turns);
                    self.agenda.enter(at, Event::Wake { place, turn });
                    it.waits = Some(wait);
                    break;
                }
            }
        }
        if ended {
            self.free.push(place);
            return Self::bury(&it);
        }
        if it.waits.is_none() {
            let seen = format!("{STEPS_MAX} steps at one moment");
            return Err(Broken::new(Rule::Rest, seen));
        }
        if let Some(seat) = self.connections.get_mut(place) {
            *seat = Some(it);
        }
        Ok(())
    }

    /// Asks the exchange what to do, and begins it.
    fn begin(&mut self, it: &mut Connection) -> Result<Begun, Broken> {
        let now = self.now;
        let action = it.exchange.poll();
        let mut due = now;
        let mut dialed = None;
        match &action {
            Action::Release { reuse } => {
                self.release(it, *reuse)?;
                return Ok(Begun::Nothing);
            }
            Action::FinishClient => {
                it.told_close = true;
                return Ok(Begun::Nothing);
            }
            Action::Close => return Ok(Begun::End),
            Action::TakeOver => {
                return Err(Broken::new(Rule::Attempts, "no hedge was begun".to_owned()));
            }
            Action::Dial {
                provider,
                endpoint,
                fresh,
                ..
            } => {
                let pool = self.workers.get_mut(it.core).map(|worker| &mut worker.pool);
                let pooled = pool
                    .filter(|_| !*fresh)
                    .and_then(|pool| pool.take(now, *provider, *endpoint));
                let (at, link) = match pooled {
                    Some(link) => (now, Ok(link)),
                    None => self.network.dial(now, *provider, *endpoint),
                };
                sight(now, it, &action);
                (due, dialed) = (at, Some(link));
            }
            Action::SendClient { range, .. } => due = now + reading_time(range, it.client.rate),
            Action::SendUpstream { bytes, range, .. } => due = self.send(it, bytes, range)?,
            Action::Wait { until } => due = beat_after(*until),
            Action::NextRequest => {}
            Action::ReadClient { into, .. } | Action::ReadUpstream { into, .. } => {
                if into.capacity() > BUFFER_MAX {
                    let seen = format!("a buffer of {} bytes", into.capacity());
                    return Err(Broken::new(Rule::Memory, seen));
                }
            }
        }
        Ok(Begun::Wait(Wait {
            action,
            due,
            dialed,
        }))
    }

    /// Sends a request; when that is done.
    fn send(
        &mut self,
        it: &mut Connection,
        bytes: &[u8],
        range: &Range<usize>,
    ) -> Result<Moment, Broken> {
        let now = self.now;
        let Connection { link, request, .. } = it;
        let (Some(link), Some((_, sighting))) = (link, request.attempts.last_mut()) else {
            let seen = "a request without a connection".to_owned();
            return Err(Broken::new(Rule::Attempts, seen));
        };
        if !link.pipe.is_empty() {
            let seen = "a connection is used again inside an answer".to_owned();
            return Err(Broken::new(Rule::Memory, seen));
        }
        let bytes = bytes.get(range.clone()).unwrap_or_default();
        match self
            .network
            .send(now, link, bytes, request.number, sighting)?
        {
            Sent::Gone => Ok(now),
            Sent::Stuck => Ok(Moment::NEVER),
            // The end of what is read says so.
            Sent::Reset => Ok(RESET),
        }
    }

    /// Looks whether an action is done.
    #[expect(clippy::too_many_lines, reason = "one arm for each action")]
    fn carry_on(
        &mut self,
        place: usize,
        it: &mut Connection,
        mut wait: Wait,
    ) -> Result<Carried, Broken> {
        let now = self.now;
        let gone = it.gone();
        let late = |until: Moment| beat_after(until);
        let (at, input) = match wait.action {
            Action::ReadClient {
                ref mut into,
                until,
            } => {
                let found = it.client.pipe.read(now, into);
                let read = read_of(found, now, late(until));
                let at = found.later().min(late(until));
                (
                    at,
                    read.map(|read| Input::ClientRead(std::mem::take(into), read)),
                )
            }
            Action::SendClient {
                ref mut bytes,
                ref range,
                until,
            } => {
                let sent = if it.client.gone.is_some() {
                    Some(Err(Ended::Reset))
                } else if now >= wait.due {
                    let part = bytes.get(range.clone()).unwrap_or_default();
                    self.hear(place, it, part)?;
                    Some(Ok(()))
                } else {
                    // A client that reads too slowly is given up.
                    it.told_close |= now >= late(until);
                    (now >= late(until)).then_some(Err(Ended::TimedOut))
                };
                let at = wait.due.min(late(until));
                (
                    at,
                    sent.map(|sent| Input::ClientSent(std::mem::take(bytes), sent)),
                )
            }
            Action::Dial { until, .. } => {
                let at = wait.due.min(late(until)).min(gone);
                (
                    at,
                    self.dialed(it, &mut wait, late(until)).map(Input::Dialed),
                )
            }
            Action::SendUpstream {
                ref mut bytes,
                until,
                ..
            } => {
                let sent = match wait.due {
                    RESET => Some(Err(Ended::Reset)),
                    due if now >= due => Some(Ok(())),
                    _ => ended(now, gone, late(until)).map(Err),
                };
                let at = late(until).min(gone);
                (
                    at,
                    sent.map(|sent| Input::UpstreamSent(std::mem::take(bytes), sent)),
                )
            }
            Action::ReadUpstream {
                ref mut into,
                until,
            } => {
                let found = it
                    .link
                    .as_mut()
                    .map_or(Found::End(Ending::Reset), |link| link.pipe.read(now, into));
                let read = match ended(now, gone, Moment::NEVER) {
                    Some(ended) if matches!(found, Found::Later(_)) => Some(Err(ended)),
                    _ => read_of(found, now, late(until)),
                };
                let at = found.later().min(late(until)).min(gone);
                (
                    at,
                    read.map(|read| Input::UpstreamRead(std::mem::take(into), read)),
                )
            }
            Action::Wait { .. } => {
                let done = (now >= wait.due).then_some(Ok(()));
                let waited = ended(now, gone, Moment::NEVER).map(Err).or(done);
                (wait.due.min(gone), waited.map(Input::Waited))
            }
            Action::NextRequest => (now, Some(Input::NextRequest)),
            Action::FinishClient | Action::Release { .. } | Action::TakeOver | Action::Close => {
                (now, None)
            }
        };
        Ok(match input {
            Some(input) => Carried::Done(input),
            None => Carried::Later(wait, at),
        })
    }

    fn dialed(
        &self,
        it: &mut Connection,
        wait: &mut Wait,
        late: Moment,
    ) -> Option<Result<Reused, DialFailure>> {
        let now = self.now;
        let result = if now >= it.gone() {
            Err(DialFailure::ClientGone)
        } else if now >= wait.due {
            match wait.dialed.take()? {
                Ok(link) => {
                    let reused = link.reused;
                    it.link = Some(link);
                    Ok(Reused(reused))
                }
                Err(failure) => Err(failure),
            }
        } else if now >= late {
            Err(DialFailure::TimedOut)
        } else {
            return None;
        };
        if let Some((_, sighting)) = it.request.attempts.last_mut() {
            sighting.dial = result.map(drop);
        }
        Some(result)
    }

    fn handle(&mut self, it: &mut Connection, input: Input) -> Result<(), Broken> {
        let now = self.now;
        self.note(it.client.name << 8 | kind_of(&input));
        let failed = matches!(input, Input::Dialed(Err(_)));
        let Some(worker) = self.workers.get_mut(it.core) else {
            return Ok(());
        };
        let ledger = &mut self.ledger;
        let named = &mut it.named;
        let seed = self.seed;
        let mut context = Context {
            plan: self.plan,
            outlets: &self.outlets,
            core: &mut worker.core,
            scratch: &mut worker.scratch,
            journal: &mut worker.journal,
            next_id: &mut || {
                ledger.named += 1;
                let id = RequestId(u128::from(seed) << 64 | u128::from(ledger.named));
                named.push_back(id);
                id
            },
            wall: WallTime::default(),
            unix: UNIX_START + now.since(Moment::START).as_secs(),
            draining: false,
        };
        let before = context.journal.last().map(|record| record.id);
        it.exchange.handle(now, input, &mut context);
        if failed {
            self.ledger.observe(now, &self.board)?;
        }
        self.settle(it, before)?;
        self.take_up(it);
        Ok(())
    }

    /// Looks whether the request that was served has its record now.
    fn settle(&mut self, it: &mut Connection, before: Option<RequestId>) -> Result<(), Broken> {
        let Some(worker) = self.workers.get(it.core) else {
            return Ok(());
        };
        let Some(record) = worker.journal.last() else {
            return Ok(());
        };
        if Some(record.id) == before {
            return Ok(());
        }
        if it.named.pop_front() != Some(record.id) {
            let seen = format!("a record of {}, which was not next", record.id);
            return Err(Broken::new(Rule::Counters, seen));
        }
        self.ledger.settle(record, it.seen())?;
        if let Some(part) = it.client.reader.begun()
            && record.ending != ops::Ending::ClientGone
        {
            self.ledger.heard_part(part, it.seen())?;
            it.told_close = true;
        }
        it.request = Request::default();
        Ok(())
    }

    /// The request that has got its id is the oldest one that its client waits for.
    fn take_up(&self, it: &mut Connection) {
        if !it.named.is_empty()
            && it.request.number == 0
            && let Some(ask) = it.client.asks.front()
        {
            it.request = Request {
                number: ask.number,
                streams: ask.streams,
                began: ask.sent.max(self.now),
                attempts: Vec::new(),
            };
        }
    }

    /// The client gets bytes.
    fn hear(&mut self, place: usize, it: &mut Connection, bytes: &[u8]) -> Result<(), Broken> {
        let wrong = |what: &str| Broken::new(Rule::Answer, what.to_owned());
        let whole = it.client.reader.feed(bytes).map_err(wrong)?;
        for answer in whole {
            if it.client.asks.pop_front().is_none() || it.named.is_empty() {
                return Err(wrong("an answer that nobody asked for"));
            }
            it.told_close |= answer.closes;
            let waited = self.now.since(it.request.began);
            self.ledger.heard(&answer, it.seen(), waited)?;
            self.go_on(place, it);
        }
        Ok(())
    }

    /// What a client does when it has its answer.
    fn go_on(&mut self, place: usize, it: &mut Connection) {
        if !it.client.asks.is_empty() || it.told_close {
            return;
        }
        let (name, index) = (it.client.name, it.client.crowd);
        let Some(crowd) = self.crowds.get(index) else {
            return;
        };
        if let Arrivals::ClosedLoop(_, think) = crowd.arrivals {
            let at = self.now + think.draw(&mut self.dice).max(Span::from_micros(1));
            self.agenda.enter(at, Event::AskAgain { place, name });
        } else if !self.closing && self.dice.happens(crowd.manners.keep) {
            if let Some(idle) = self.idle.get_mut(index) {
                idle.push((place, name));
            }
        } else {
            it.client.pipe.end(self.now, Ending::Closed);
        }
    }

    /// Lets the provider's connection go: an attempt has ended at this moment, and with it the breaker may have changed.
    fn release(&mut self, it: &mut Connection, reuse: bool) -> Result<(), Broken> {
        self.ledger.observe(self.now, &self.board)?;
        let Some(link) = it.link.take() else {
            let seen = "a connection is let go twice".to_owned();
            return Err(Broken::new(Rule::Memory, seen));
        };
        if reuse && let Some(worker) = self.workers.get_mut(it.core) {
            worker.pool.put(self.now, link);
        }
        Ok(())
    }

    /// The gateway has closed a connection.
    fn bury(it: &Connection) -> Result<(), Broken> {
        if it.link.is_some() || !it.named.is_empty() {
            let seen = "a connection ended before its request".to_owned();
            return Err(Broken::new(Rule::Memory, seen));
        }
        if it.client.gone.is_some() || it.client.asks.is_empty() || it.told_close {
            return Ok(());
        }
        let seen = format!("request {:?} was not answered", it.client.asks.front());
        Err(Broken::new(Rule::Answer, seen))
    }
}

/// What an action needs.
enum Begun {
    Wait(Wait),
    Nothing,
    End,
}

/// Notes an attempt. A connection that replaces a dead one of the pool is of the same attempt, and so is another endpoint.
fn sight(now: Moment, it: &mut Connection, action: &Action) {
    let &Action::Dial {
        provider, fresh, ..
    } = action
    else {
        return;
    };
    let sighting = Sighting {
        provider,
        target: None,
        dial: Ok(()),
        fault: None,
        serial: 0,
        words: 0,
        cut: false,
    };
    match it.request.attempts.last_mut() {
        Some((_, last)) if fresh => *last = sighting,
        _ => it.request.attempts.push((now, sighting)),
    }
}

fn read_of(found: Found, now: Moment, late: Moment) -> Option<Result<usize, Ended>> {
    match found {
        Found::Bytes(count) => Some(Ok(count)),
        Found::End(Ending::Closed) => Some(Ok(0)),
        Found::End(Ending::Reset) => Some(Err(Ended::Reset)),
        Found::Later(_) => (now >= late).then_some(Err(Ended::TimedOut)),
    }
}

/// How an operation with a provider is ended from outside.
fn ended(now: Moment, gone: Moment, late: Moment) -> Option<Ended> {
    if now >= gone {
        Some(Ended::ClientGone)
    } else {
        (now >= late).then_some(Ended::TimedOut)
    }
}

/// A send that met a reset.
const RESET: Moment = Moment::from_nanos(u64::MAX - 1);
/// No connection does more at one moment: an answer has some hundred pieces, and each is read once.
const STEPS_MAX: usize = 20_000;
/// The largest whole thing that is held, doubled when it grows.
const BUFFER_MAX: usize = 2 * (ANSWER_BYTES_MAX + EVENT_BYTES_MAX);
/// 2026-01-01
const UNIX_START: u64 = 1_767_225_600;
