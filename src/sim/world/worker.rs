//! The workers of a world, and the connections that they serve: who is driven when, and what is checked of each request.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::base::{Moment, RequestId, hash};
use crate::engine::{Bounds, Core, Load, Seat};
use crate::exchange::{Action, Context, Exchange, Input, Scratch};
use crate::ops;
use crate::ops::Journal;
use crate::policy::WallTime;
use crate::sim::world::World;
use crate::sim::world::agenda::{Event, beat_after};
use crate::sim::world::bounds;
use crate::sim::world::check::Seen;
use crate::sim::world::client::Client;
use crate::sim::world::copies::CopyDesk;
use crate::sim::world::generation::{CARE, Generation, Generations};
use crate::sim::world::network::{Pool, Sighting};
use crate::sim::world::operation::{Of, Operated, Side};
use crate::sim::world::rule::{Broken, Rule};

/// One core of the gateway.
#[derive(Debug)]
pub(super) struct Worker {
    /// Its part of each generation that it has taken up, with the generation's number; the newest comes last.
    pub(super) cores: Vec<(usize, Core)>,
    scratch: Scratch,
    journal: Journal,
    pub(super) pool: Pool,
    /// What copies of requests have instead.
    pub(super) copies: CopyDesk,
}

/// One client connection, from both ends.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) core: usize,
    pub(super) client: Client,
    exchange: Exchange,
    /// The generation that its request runs by, and since when.
    pub(super) runs_by: Option<(usize, Moment)>,
    pub(super) first: Side,
    /// There while there is a hedge.
    hedge: Option<Side>,
    /// When the next one may begin.
    hedge_at: Moment,
    /// The side of a hedge that has won, until it is taken over.
    pub(super) won: Option<Side>,
    /// The exchange has said its last word.
    over: bool,
    turn: u64,
    /// Requests that have an id and no record.
    named: VecDeque<RequestId>,
    pub(super) request: Request,
    /// The gateway said that it would end the connection.
    pub(super) told_close: bool,
    /// It is no connection of a client's but a copy of a request, with its seat among the copies.
    pub(super) is_copy: bool,
    pub(super) seat: Option<Seat>,
}

/// The request that is being served.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) number: u64,
    streams: bool,
    session: Option<u32>,
    /// When it could begin: it was there, and the one before it was over.
    pub(super) began: Moment,
    pub(super) attempts: Vec<(Moment, Sighting)>,
    /// The attempt that answers, if one does.
    pub(super) at_hand: usize,
    /// Of a copy, when it was decided that there would be one.
    decided: Moment,
}

impl Worker {
    pub(super) fn new(first: &Generation<'_>, core: usize, load: &Arc<Load>) -> Self {
        let board = Arc::clone(&first.board);
        Self {
            cores: vec![(
                0,
                Core::new(board, first.plan, core).within(Arc::clone(load)),
            )],
            scratch: Scratch::default(),
            journal: Journal::new(Arc::clone(&first.counters), core),
            pool: Pool::default(),
            copies: CopyDesk::new(first, core),
        }
    }

    /// Which generation requests begin with.
    fn newest(&self) -> usize {
        self.cores.last().map_or(0, |&(number, _)| number)
    }

    fn take_up(&mut self, index: usize, generations: &Generations<'_>) {
        let number = generations.number();
        if let Some((old, core)) = self.cores.last_mut()
            && let Some(old) = generations.get(*old).filter(|_| *old != number)
        {
            let core = generations.newest.core_after(core, old);
            self.cores.push((number, core));
            self.copies.take_up(index, generations);
        }
    }
}

impl Connection {
    pub(super) fn new(now: Moment, core: usize, client: Client) -> Self {
        Self {
            core,
            client,
            exchange: Exchange::new(now),
            runs_by: None,
            first: Side::default(),
            hedge: None,
            hedge_at: Moment::NEVER,
            won: None,
            over: false,
            turn: 0,
            named: VecDeque::new(),
            request: Request::default(),
            told_close: false,
            is_copy: false,
            seat: None,
        }
    }

    /// A copy of the request that `of` serves, before it has begun.
    pub(super) fn of_copy(now: Moment, of: &Self) -> Self {
        Self {
            runs_by: of.runs_by,
            request: Request {
                number: of.request.number,
                streams: of.request.streams,
                began: now,
                decided: of.request.attempts.first().map_or(now, |&(at, _)| at),
                ..Request::default()
            },
            is_copy: true,
            ..Self::new(now, of.core, Client::nobody(of.client.name))
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

    fn seen<'a>(&'a self, generations: &'a Generations<'_>) -> Option<Seen<'a>> {
        let (number, chosen) = self.runs_by?;
        Some(Seen {
            generation: generations.get(number)?,
            chosen,
            attempts: &self.request.attempts,
            at_hand: self.request.at_hand,
            began: self.request.began,
            prompt: self.client.rate.is_none(),
            streams: self.request.streams,
            session: self.request.session,
        })
    }

    /// When the gateway notices that the client has left, if it has.
    pub(super) fn gone(&self) -> Moment {
        self.client.gone.unwrap_or(Moment::NEVER)
    }

    /// One of its sides.
    pub(super) fn side(&mut self, of: Of) -> &mut Side {
        match of {
            Of::First => &mut self.first,
            Of::Hedge => self.hedge.get_or_insert_default(),
        }
    }

    /// What the exchange asks for.
    pub(super) fn poll(&mut self, of: Of) -> Action {
        match of {
            Of::First => self.exchange.poll(),
            Of::Hedge => self.exchange.poll_hedge(),
        }
    }

    /// Which attempt of its request a side is at.
    pub(super) fn attempt_index(&self, of: Of) -> Option<u8> {
        self.exchange.attempt_index(of == Of::Hedge)
    }

    /// The operation that is about to begin may be hedged.
    pub(super) fn expect_hedge(&mut self, action: &Action) {
        if matches!(action, Action::Dial { .. } | Action::ReadUpstream { .. }) {
            self.hedge_at = self.exchange.hedge_at().unwrap_or(Moment::NEVER);
        }
    }

    /// Where the client gets content, nobody else is asked any more.
    fn is_alone(&self) -> Result<(), Broken> {
        let answers = self.first.sends() || self.client.reader.begun().is_some();
        if answers && (self.hedge.is_some() || self.won.is_some()) {
            let seen = format!("a loser goes on: {:?}", self.hedge);
            return Err(Broken::new(Rule::Hedge, seen));
        }
        Ok(())
    }
}

/// How far a connection got.
enum Turn {
    Again,
    Rest(Moment),
    End,
}

impl World<'_> {
    /// Goes on with the connection at `place` until it has to wait.
    pub(super) fn drive(&mut self, place: usize) -> Result<(), Broken> {
        let Some(mut it) = self.connections.get_mut(place).and_then(Option::take) else {
            return Ok(());
        };
        for _ in 0..STEPS_MAX {
            let turn = if it.is_copy {
                self.advance_copy(place, &mut it)
            } else {
                self.advance(place, &mut it)
            };
            match turn? {
                Turn::Again => {}
                Turn::Rest(at) => {
                    it.is_alone()?;
                    self.turns += 1;
                    let turn = it.renew(self.turns);
                    self.agenda.enter(at, Event::Wake { place, turn });
                    if let Some(seat) = self.connections.get_mut(place) {
                        *seat = Some(it);
                    }
                    return Ok(());
                }
                Turn::End => {
                    self.free.push(place);
                    return Self::bury(&it);
                }
            }
        }
        let seen = format!("{STEPS_MAX} steps at one moment");
        Err(Broken::new(Rule::Rest, seen))
    }

    /// The same of a copy, which nobody may notice.
    fn advance_copy(&mut self, place: usize, it: &mut Connection) -> Result<Turn, Broken> {
        let before = self.request_side();
        self.network.turn();
        let turn = self.advance(place, it);
        self.network.turn();
        let turn = turn?;
        if matches!(turn, Turn::End) {
            it.seat = None;
        }
        self.unnoticed(Some(before))?;
        Ok(turn)
    }

    /// One step of the first attempt's or, where that has to wait, of its hedge's: in the order in which the runtime's
    /// task of a connection polls them.
    fn advance(&mut self, place: usize, it: &mut Connection) -> Result<Turn, Broken> {
        let mut rest = Moment::NEVER;
        if !it.over {
            match self.operate(place, it, Of::First)? {
                Operated::Done(input) => {
                    it.hedge_at = Moment::NEVER;
                    self.handle(it, input, Of::First)?;
                    if it.exchange.cuts().hedge
                        && let Some(hedge) = &mut it.hedge
                    {
                        hedge.cut();
                    }
                    return Ok(Turn::Again);
                }
                Operated::Nothing => return Ok(Turn::Again),
                Operated::Later(at) => rest = at,
                Operated::Over => it.over = true,
            }
            self.hedge_if_due(it);
            rest = rest.min(beat_after(it.hedge_at));
        }
        if it.hedge.is_none() {
            return Ok(if it.over { Turn::End } else { Turn::Rest(rest) });
        }
        let hedge = self.advance_hedge(place, it)?;
        Ok(hedge.map_or(Turn::Again, |at| Turn::Rest(rest.min(at))))
    }

    /// Goes on with the hedge until it has to wait: until when, or `None` where it is over. What it has cut off is looked at
    /// after that only, since the winner's connection must be there then.
    fn advance_hedge(
        &mut self,
        place: usize,
        it: &mut Connection,
    ) -> Result<Option<Moment>, Broken> {
        let mut cuts = false;
        let at = loop {
            match self.operate(place, it, Of::Hedge)? {
                Operated::Done(input) => {
                    self.handle(it, input, Of::Hedge)?;
                    if it.exchange.cuts().first {
                        it.first.cut();
                        cuts = true;
                    }
                }
                Operated::Nothing => {}
                Operated::Over => {
                    it.won = it.hedge.take().filter(|hedge| hedge.link.is_some());
                    break None;
                }
                Operated::Later(at) => break Some(at),
            }
        };
        Ok(at.filter(|_| !cuts))
    }

    fn hedge_if_due(&mut self, it: &mut Connection) {
        if it.over || it.hedge.is_some() || self.now < it.hedge_at {
            return;
        }
        it.hedge_at = Moment::NEVER;
        let now = self.now;
        let begun = self.with_context(it, |exchange, context| exchange.begin_hedge(now, context));
        if begun == Some(true) {
            it.hedge = Some(Side::default());
        }
    }

    fn handle(&mut self, it: &mut Connection, input: Input, of: Of) -> Result<(), Broken> {
        let now = self.now;
        self.note(it.client.name << 8 | kind_of(&input) | u64::from(of == Of::Hedge) << 4);
        let failed = matches!(input, Input::Dialed(Err(_)));
        if matches!(input, Input::NextRequest) && !it.is_copy {
            it.runs_by = None;
        }
        let before = self.journal(it).and_then(Journal::last);
        let before = before.map(|record| record.id);
        let law = bounds::of(self.generations.newest.law);
        let held = (law != Bounds::NONE).then(|| self.load.status());
        let shadow = self.with_context(it, |exchange, context| {
            match of {
                Of::First => exchange.handle(now, input, context),
                Of::Hedge => exchange.handle_hedge(now, input, context),
            }
            exchange.take_copies(now, context)?.shadow
        });
        if let Some(shadow) = shadow.flatten() {
            self.cast(it, *shadow)?;
        }
        if let Some(held) = held {
            bounds::kept(&held, &self.load.status(), law)?;
        }
        if failed {
            self.ledger.observe(now, &self.generations)?;
        }
        self.settle(it, before)?;
        if it.is_copy {
            return Ok(());
        }
        self.begin_next(it);
        if it.exchange.is_idle() {
            it.runs_by = None;
        }
        Ok(())
    }

    /// A worker takes the newest generation up.
    pub(super) fn take_up(&mut self, core: usize) {
        if let Some(worker) = self.workers.get_mut(core) {
            worker.take_up(core, &self.generations);
        }
    }

    /// Where its record goes.
    fn journal(&self, it: &Connection) -> Option<&Journal> {
        let worker = self.workers.get(it.core)?;
        if it.is_copy {
            worker.copies.journal.as_ref()
        } else {
            Some(&worker.journal)
        }
    }

    /// Lets the exchange work with what its worker has.
    pub(super) fn with_context<T>(
        &mut self,
        it: &mut Connection,
        work: impl FnOnce(&mut Exchange, &mut Context<'_>) -> T,
    ) -> Option<T> {
        let worker = self.workers.get_mut(it.core)?;
        let Connection {
            exchange,
            named,
            runs_by,
            is_copy,
            core: index,
            ..
        } = it;
        let (number, _) = *runs_by.get_or_insert((worker.newest(), self.now));
        let generation = self.generations.get(number)?;
        let side = generation.copies.as_ref();
        let (plan, counters) = match side.filter(|_| *is_copy) {
            Some(side) => (&*side.shadowing.plan, &side.counters),
            None => (generation.plan, &generation.counters),
        };
        let (cores, journal) = if *is_copy {
            let desk = &mut worker.copies;
            let new = || Journal::new(Arc::clone(counters), *index);
            (&mut desk.cores, desk.journal.get_or_insert_with(new))
        } else {
            (&mut worker.cores, &mut worker.journal)
        };
        journal.count_in(counters);
        let core = cores.iter_mut().find(|core| core.0 == number);
        let ledger = &mut self.ledger;
        let seed = self.seed;
        let mut context = Context {
            plan,
            outlets: &generation.outlets,
            core: core.map(|(_, core)| core)?,
            scratch: &mut worker.scratch,
            journal,
            next_id: &mut || {
                ledger.named += 1;
                let id = RequestId(u128::from(seed) << 64 | u128::from(ledger.named));
                named.push_back(id);
                id
            },
            wall: WallTime::default(),
            unix: UNIX_START + self.now.since(Moment::START).as_secs(),
            draining: false,
            shadowing: side.filter(|_| !*is_copy).map(|side| &side.shadowing),
            copying: None,
        };
        Some(work(exchange, &mut context))
    }

    /// Looks whether the request that was served has its record now.
    fn settle(&mut self, it: &mut Connection, before: Option<RequestId>) -> Result<(), Broken> {
        if it.is_copy {
            return self.settle_of_copy(it, before);
        }
        let worker = self.workers.get(it.core);
        let last = worker.and_then(|worker| worker.journal.last());
        let Some(record) = last.filter(|record| Some(record.id) != before) else {
            return Ok(());
        };
        if it.named.pop_front() != Some(record.id) {
            let seen = format!("a record of {}, which was not next", record.id);
            return Err(Broken::new(Rule::Counters, seen));
        }
        let Some(seen) = it.seen(&self.generations) else {
            return Err(Broken::new(Rule::Reload, "a record of no plan".to_owned()));
        };
        self.right_generation(&seen)?;
        self.ledger.settle(record, seen)?;
        if let Some(part) = it.client.reader.begun()
            && record.ending != ops::Ending::ClientGone
        {
            self.ledger.heard_part(part, seen)?;
            it.told_close = true;
        }
        it.request = Request::default();
        Ok(())
    }

    /// The same of a copy.
    fn settle_of_copy(&self, it: &Connection, before: Option<RequestId>) -> Result<(), Broken> {
        let last = self.journal(it).and_then(Journal::last);
        let record = last.filter(|record| Some(record.id) != before);
        match record.zip(it.seen(&self.generations)) {
            Some((record, seen)) => self.settle_copy(record, it.request.decided, seen),
            None => Ok(()),
        }
    }

    /// A request that began when every worker must have known the newest plan asks none of the targets that it has not.
    fn right_generation(&self, seen: &Seen<'_>) -> Result<(), Broken> {
        let newest = &self.generations.newest;
        let asked = seen.attempts.iter();
        let mut asked = asked.filter_map(|(_, sighting)| Some(sighting.target?.0));
        let removed = asked.find(|&target| newest.own_target(target).is_none());
        match removed {
            Some(target) if seen.chosen > newest.published + CARE => {
                let seen = format!("{target:?} was asked by a request of {:?}", seen.chosen);
                Err(Broken::new(Rule::Reload, seen))
            }
            _ => Ok(()),
        }
    }

    /// The request that has got its id is the oldest one that its client waits for.
    fn begin_next(&self, it: &mut Connection) {
        if !it.named.is_empty()
            && it.request.number == 0
            && let Some(ask) = it.client.asks.front()
        {
            it.request = Request {
                number: ask.number,
                streams: ask.streams,
                session: ask.session,
                began: ask.sent.max(self.now),
                ..Request::default()
            };
        }
    }

    /// The client gets bytes.
    pub(super) fn hear(
        &mut self,
        place: usize,
        it: &mut Connection,
        bytes: &[u8],
    ) -> Result<(), Broken> {
        let wrong = |what: &str| Broken::new(Rule::Answer, what.to_owned());
        let whole = it.client.reader.feed(bytes).map_err(wrong)?;
        for answer in whole {
            let asked = it.client.asks.pop_front();
            let Some(asked) = asked.filter(|_| !it.named.is_empty()) else {
                return Err(wrong("an answer that nobody asked for"));
            };
            it.told_close |= answer.closes;
            let clients = &mut self.ledger.report.clients;
            let what = hash::of_bytes(asked.number, &answer.body);
            clients.heard = hash::mix(hash::mix(clients.heard, self.now.as_nanos()), what);
            let waited = self.now.since(it.request.began);
            let seen = it.seen(&self.generations);
            let seen = seen.ok_or_else(|| wrong("an answer to no request"))?;
            self.ledger.heard(&answer, seen, waited)?;
            self.insist_later(it, asked, &answer);
            self.go_on(place, it);
        }
        Ok(())
    }

    /// The gateway has closed a connection.
    fn bury(it: &Connection) -> Result<(), Broken> {
        let held = it.first.link.is_some() || it.won.is_some() || it.seat.is_some();
        if held || !it.named.is_empty() {
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

/// What the trace knows an input by.
const fn kind_of(input: &Input) -> u64 {
    match input {
        Input::ClientRead(..) => 1,
        Input::ClientSent(..) => 2,
        Input::Dialed(..) => 3,
        Input::UpstreamSent(..) => 4,
        Input::UpstreamRead(..) => 5,
        Input::Waited(..) => 6,
        Input::NextRequest => 7,
    }
}

/// No connection does more at one moment: an answer has some hundred pieces, and each is read once.
const STEPS_MAX: usize = 20_000;
/// 2026-01-01
const UNIX_START: u64 = 1_767_225_600;
