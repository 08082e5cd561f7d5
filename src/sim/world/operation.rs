//! One operation that an exchange has asked for: how it begins, when it is over, and what came of it. What the runtime
//! does with sockets is done with pipes here. The one place that knows the actions and inputs of an exchange.

use std::ops::Range;

use crate::base::limits::{ANSWER_BYTES_MAX, EVENT_BYTES_MAX};
use crate::base::{Moment, ProviderId};
use crate::exchange::{Action, Broken as Ended, DialFailure, Input, Reused};
use crate::sim::world::World;
use crate::sim::world::agenda::beat_after;
use crate::sim::world::client::reading_time;
use crate::sim::world::network::{Link, Pool, Sent, Sighting};
use crate::sim::world::pipe::{Ending, Found};
use crate::sim::world::rule::{Broken, Rule};
use crate::sim::world::words;
use crate::sim::world::worker::Connection;

/// What one of two attempts has of its own: its connection, and the operation that is under way. The first one's
/// operations are the client's as well.
#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) link: Option<Link>,
    waits: Option<Wait>,
    /// Nobody wants the result of the operation any more.
    cut: bool,
    /// The attempt's place among those of its request, and that request. The next one may have begun when a loser hears
    /// that it is one.
    pub(super) attempt: usize,
    request: u64,
}

/// An action that is under way.
#[derive(Debug)]
struct Wait {
    action: Action,
    /// When it is done by itself; what is read has its own time.
    due: Moment,
    dialed: Option<Result<Link, DialFailure>>,
}

/// Whose operation it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Of {
    /// The first attempt's, or the client's.
    First,
    /// The second attempt's.
    Hedge,
}

/// What became of an operation.
#[derive(Debug)]
pub(super) enum Operated {
    /// It is done.
    Done(Input),
    /// There was nothing to wait for.
    Nothing,
    /// Nothing before this moment.
    Later(Moment),
    /// The exchange has nothing more to do here.
    Over,
}

impl Side {
    /// Cuts the operation off, if it is one with a provider.
    pub(super) fn cut(&mut self) {
        let action = self.waits.as_ref().map(|wait| &wait.action);
        self.cut |= matches!(
            action,
            Some(
                Action::Dial { .. }
                    | Action::SendUpstream { .. }
                    | Action::ReadUpstream { .. }
                    | Action::Wait { .. }
            )
        );
    }

    /// Whether the client is being sent to.
    pub(super) fn sends(&self) -> bool {
        let action = self.waits.as_ref().map(|wait| &wait.action);
        matches!(action, Some(Action::SendClient { .. }))
    }
}

impl World<'_> {
    /// Goes on with the operation of a side; begins the next one if none is under way.
    pub(super) fn operate(
        &mut self,
        place: usize,
        it: &mut Connection,
        of: Of,
    ) -> Result<Operated, Broken> {
        let mut side = std::mem::take(it.side(of));
        let begun = match side.waits.take() {
            Some(wait) => Begun::Wait(wait),
            None => self.begin(it, &mut side, of)?,
        };
        let operated = match begun {
            Begun::Wait(wait) => self.carry_on(place, it, &mut side, wait, of)?,
            Begun::Nothing => Operated::Nothing,
            Begun::Over => Operated::Over,
        };
        *it.side(of) = side;
        Ok(operated)
    }

    /// Asks the exchange what to do, and begins it.
    fn begin(&mut self, it: &mut Connection, side: &mut Side, of: Of) -> Result<Begun, Broken> {
        let now = self.now;
        let action = it.poll(of);
        let mut due = now;
        let mut dialed = None;
        match &action {
            Action::Release { reuse } => {
                self.release(it, side, *reuse)?;
                return Ok(Begun::Nothing);
            }
            Action::FinishClient => {
                it.told_close = true;
                return Ok(Begun::Nothing);
            }
            Action::Close => return Ok(Begun::Over),
            Action::TakeOver => {
                if side.link.is_some() {
                    let seen = "a loser keeps its connection".to_owned();
                    return Err(Broken::new(Rule::Hedge, seen));
                }
                *side = it.won.take().ok_or_else(|| {
                    Broken::new(Rule::Hedge, "a winner without a connection".to_owned())
                })?;
                it.request.at_hand = side.attempt;
                return Ok(Begun::Nothing);
            }
            Action::Dial {
                provider,
                endpoint,
                fresh,
                ..
            } => {
                let (provider, endpoint) = self.known(it, *provider, *endpoint)?;
                let (at, link) = self.dial((it.core, it.is_copy), provider, endpoint, *fresh);
                sight(now, it, side, (provider, endpoint), of)?;
                if of == Of::First {
                    it.request.at_hand = side.attempt;
                }
                (due, dialed) = (at, Some(link));
            }
            Action::SendClient { range, .. } => due = now + reading_time(range, it.client.rate),
            Action::SendUpstream { bytes, range, .. } => {
                due = self.send(it, side, bytes, range)?;
            }
            Action::Wait { until } => due = beat_after(*until),
            Action::NextRequest => {}
            Action::ReadClient { into, .. } | Action::ReadUpstream { into, .. } => {
                if into.capacity() > BUFFER_MAX {
                    let seen = format!("a buffer of {} bytes", into.capacity());
                    return Err(Broken::new(Rule::Memory, seen));
                }
            }
        }
        if of == Of::First {
            it.expect_hedge(&action);
        }
        Ok(Begun::Wait(Wait {
            action,
            due,
            dialed,
        }))
    }

    /// What the roster calls an endpoint of the plan that the request runs by.
    fn known(
        &self,
        it: &Connection,
        provider: ProviderId,
        endpoint: u16,
    ) -> Result<(ProviderId, u16), Broken> {
        let generation = it
            .runs_by
            .and_then(|(number, _)| self.generations.get(number));
        let known = generation.and_then(|generation| {
            let endpoint = generation.endpoint(provider, endpoint)?;
            Some((generation.provider(provider)?, endpoint))
        });
        known.ok_or_else(|| {
            let seen = format!("endpoint {endpoint} of {provider:?} is dialed");
            Broken::new(Rule::Reload, seen)
        })
    }

    /// A connection from the worker's pool, or a new one; when it is there.
    fn dial(
        &mut self,
        (core, copy): (usize, bool),
        provider: ProviderId,
        endpoint: u16,
        fresh: bool,
    ) -> (Moment, Result<Link, DialFailure>) {
        let now = self.now;
        let pool = self.pool(core, copy);
        let pooled = pool
            .filter(|_| !fresh)
            .and_then(|pool| pool.take(now, provider, endpoint));
        match pooled {
            Some(link) => (now, Ok(link)),
            None => self.network.dial(now, provider, endpoint),
        }
    }

    /// Idle connections to providers; copies do not use those of requests.
    fn pool(&mut self, core: usize, copy: bool) -> Option<&mut Pool> {
        let worker = self.workers.get_mut(core)?;
        Some(if copy {
            &mut worker.copies.pool
        } else {
            &mut worker.pool
        })
    }

    /// Sends a request; when that is done.
    fn send(
        &mut self,
        it: &mut Connection,
        side: &mut Side,
        bytes: &[u8],
        range: &Range<usize>,
    ) -> Result<Moment, Broken> {
        let now = self.now;
        let request = &mut it.request;
        let sighting = request.attempts.get_mut(side.attempt);
        let generation = it
            .runs_by
            .and_then(|(number, _)| self.generations.get(number));
        let (Some(link), Some((_, sighting)), Some(generation)) =
            (&mut side.link, sighting, generation)
        else {
            let seen = "a request without a connection".to_owned();
            return Err(Broken::new(Rule::Attempts, seen));
        };
        if !link.pipe.is_empty() {
            let seen = "a connection is used again inside an answer".to_owned();
            return Err(Broken::new(Rule::Memory, seen));
        }
        let bytes = bytes.get(range.clone()).unwrap_or_default();
        let sent = (request.number, generation);
        let sent = self.network.send(now, link, bytes, sent, sighting)?;
        words::goes_on(sighting.goes_on, it.client.reader.begun())?;
        match sent {
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
        side: &mut Side,
        mut wait: Wait,
        of: Of,
    ) -> Result<Operated, Broken> {
        let now = self.now;
        let ways = Ways {
            // Another one looks after the client of a hedge.
            gone: match of {
                Of::First => it.gone(),
                Of::Hedge => Moment::NEVER,
            },
            cut: side.cut,
        };
        let gone = ways.gone;
        let late = |until: Moment| beat_after(until);
        let (at, input) = match wait.action {
            Action::ReadClient {
                ref mut into,
                until,
            } => {
                let found = it.client.pipe.read(now, into);
                let read = if it.is_copy {
                    Some(Err(Ended::ClientGone))
                } else {
                    read_of(found, now, late(until))
                };
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
                let sent = if it.is_copy {
                    // What a copy has to say is thrown away.
                    Some(Ok(()))
                } else if it.client.gone.is_some() {
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
                let dialed = dialed(now, it, side, &mut wait, late(until), ways);
                (at, dialed.map(Input::Dialed))
            }
            Action::SendUpstream {
                ref mut bytes,
                until,
                ..
            } => {
                let sent = match wait.due {
                    RESET => Some(Err(Ended::Reset)),
                    due if now >= due => Some(Ok(())),
                    _ => ways.ended(now, late(until)).map(Err),
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
                let found = match &mut side.link {
                    Some(_) if ways.cut => Found::Later(Moment::NEVER),
                    Some(link) => link.pipe.read(now, into),
                    None => Found::End(Ending::Reset),
                };
                let read = match ways.ended(now, Moment::NEVER) {
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
                let waited = ways.ended(now, Moment::NEVER).map(Err).or(done);
                (wait.due.min(gone), waited.map(Input::Waited))
            }
            Action::NextRequest => (now, Some(Input::NextRequest)),
            Action::FinishClient | Action::Release { .. } | Action::TakeOver | Action::Close => {
                (now, None)
            }
        };
        Ok(if let Some(input) = input {
            side.cut = false;
            Operated::Done(input)
        } else {
            side.waits = Some(wait);
            Operated::Later(at)
        })
    }

    /// Lets the provider's connection go: an attempt has ended at this moment, and with it the breaker may have changed.
    fn release(&mut self, it: &Connection, side: &mut Side, reuse: bool) -> Result<(), Broken> {
        self.ledger.observe(self.now, &self.generations)?;
        let Some(link) = side.link.take() else {
            let seen = "a connection is let go twice".to_owned();
            return Err(Broken::new(Rule::Memory, seen));
        };
        let now = self.now;
        if reuse && let Some(pool) = self.pool(it.core, it.is_copy) {
            pool.put(now, link);
        }
        Ok(())
    }
}

/// What an action needs.
enum Begun {
    Wait(Wait),
    Nothing,
    Over,
}

/// How an operation with a provider is ended from outside.
#[derive(Clone, Copy, Debug)]
struct Ways {
    /// The client has left then.
    gone: Moment,
    /// Its result is not wanted.
    cut: bool,
}

impl Ways {
    fn ended(self, now: Moment, late: Moment) -> Option<Ended> {
        if self.cut {
            Some(Ended::Overtaken)
        } else if now >= self.gone {
            Some(Ended::ClientGone)
        } else {
            (now >= late).then_some(Ended::TimedOut)
        }
    }
}

/// What came of a dial. One that is there at the moment in which it is cut off is there.
fn dialed(
    now: Moment,
    it: &mut Connection,
    side: &mut Side,
    wait: &mut Wait,
    late: Moment,
    ways: Ways,
) -> Option<Result<Reused, DialFailure>> {
    let result = if now >= ways.gone {
        Err(DialFailure::ClientGone)
    } else if now >= wait.due {
        match wait.dialed.take()? {
            Ok(link) => {
                let reused = link.reused;
                side.link = Some(link);
                Ok(Reused(reused))
            }
            Err(failure) => Err(failure),
        }
    } else if ways.cut {
        Err(DialFailure::Overtaken)
    } else if now >= late {
        Err(DialFailure::TimedOut)
    } else {
        return None;
    };
    if side.request == it.request.number
        && let Some((_, sighting)) = it.request.attempts.get_mut(side.attempt)
    {
        sighting.dialed(result.map(drop));
    }
    Some(result)
}

/// Notes an attempt, or another dial of one.
fn sight(
    now: Moment,
    it: &mut Connection,
    side: &mut Side,
    (provider, endpoint): (ProviderId, u16),
    of: Of,
) -> Result<(), Broken> {
    let index = it.attempt_index(of);
    let attempts = &mut it.request.attempts;
    let begun = attempts.len();
    let mut sighting = Sighting {
        provider,
        endpoint,
        missed: 0,
        target: None,
        replaced: None,
        resumes: it.client.reader.begun().is_some(),
        goes_on: None,
        dial: Ok(()),
        fault: None,
        serial: 0,
        words: 0,
        cut: false,
    };
    side.attempt = index.map_or(usize::MAX, usize::from);
    side.request = it.request.number;
    match attempts.get_mut(side.attempt) {
        Some((_, same)) => {
            sighting.missed = same.missed;
            if !same.dials_again_at(provider, endpoint) {
                let seen = format!("{same:?} is dialed again as {sighting:?}");
                return Err(Broken::new(Rule::Endpoint, seen));
            }
            *same = sighting;
        }
        None if side.attempt == begun => attempts.push((now, sighting)),
        None => {
            let seen = format!("attempt {index:?} behind {attempts:?}");
            return Err(Broken::new(Rule::Attempts, seen));
        }
    }
    Ok(())
}

fn read_of(found: Found, now: Moment, late: Moment) -> Option<Result<usize, Ended>> {
    match found {
        Found::Bytes(count) => Some(Ok(count)),
        Found::End(Ending::Closed) => Some(Ok(0)),
        Found::End(Ending::Reset) => Some(Err(Ended::Reset)),
        Found::Later(_) => (now >= late).then_some(Err(Ended::TimedOut)),
    }
}

/// A send that met a reset.
const RESET: Moment = Moment::from_nanos(u64::MAX - 1);
/// The largest whole thing that is held, doubled when it grows.
const BUFFER_MAX: usize = 2 * (ANSWER_BYTES_MAX + EVENT_BYTES_MAX);
