//! What came of an attempt: everything that it held goes back, and everybody learns from it.

use std::sync::atomic::Ordering::Relaxed;

use crate::base::limits::{KEY_REST, MODEL_REST, QUOTA_REST};
use crate::base::{Moment, Outcome, OutcomeSet, Span, TargetId};
use crate::engine::board::{Board, Cell};
use crate::engine::breaker::gate::Gate;
use crate::engine::breaker::word::{Rule, epoch_of, passes};
use crate::engine::breaker::{Health, Rules};
use crate::engine::chain::{Called, Chain, End, Form, Running};
use crate::engine::core::Core;
use crate::policy::Plan;
use crate::policy::model::{Measure, PromptSize};

impl Chain {
    /// The first content of the attempt at hand has gone to the client. One that runs beside it is overtaken. Later calls
    /// for the same attempt change nothing.
    ///
    /// # Panics
    /// Without a running attempt.
    pub fn content(&mut self, now: Moment, _plan: &Plan, core: &mut Core) {
        let board = self.noting(core);
        let _still = board.as_deref().map(Board::still);
        let running = self.running.as_mut();
        assert!(running.is_some(), "content comes from a running attempt");
        let Some(running) = running.filter(|running| !running.content) else {
            return;
        };
        running.content = true;
        let (target, ttft) = (running.target, now.since(running.started));
        let attempt = running.index;
        self.committed = true;
        self.history.content(attempt, ttft);
        if let Some(calls) = &mut self.calls {
            calls.note(now.since(self.begun), Called::Content { attempt });
        }
        let stale = {
            let Some(cell) = core.board.cell(target) else {
                return;
            };
            if let Some(histogram) = cell.ttft(core.index) {
                histogram.record(ttft);
            }
            if let (Some(auto), Form::Stream) = (&cell.auto, self.form) {
                auto.learned.answered(core.index, Form::Stream, ttft);
            }
            running.token.is_some() || !is_current(running, cell, core)
        };
        if !stale {
            sample(
                Measure::Ttft,
                self.history.prompt,
                ttft,
                Known::Whole,
                running,
                core,
            );
        }
        core.learn_ttft(target, ttft);
        self.overtake(now, core);
    }

    /// So long passed between two contents of the attempt at hand, without the time that the client took. A silence
    /// that ends without content is one, too: [`Span::MAX`] if it was waited out.
    pub fn gap(&mut self, gap: Span) {
        if let Some(running) = &mut self.running {
            running.gap = running.gap.max(gap);
        }
    }

    /// The attempt at hand ended. Exactly once for each, unless [`Chain::abandoned`] or overtaken. An answer overtakes the
    /// attempt that runs beside it.
    ///
    /// # Panics
    /// Without a running attempt.
    pub fn ended(&mut self, now: Moment, plan: &Plan, core: &mut Core, end: End) {
        let board = self.noting(core);
        let _still = board.as_deref().map(Board::still);
        if end.outcome == Outcome::Ok {
            self.overtake(now, core);
        }
        let running = self.running.take();
        assert!(running.is_some(), "an attempt ends exactly once");
        let Some(running) = running else { return };
        let called = Called::Ended {
            attempt: running.index,
            end,
            gap: running.gap,
        };
        self.note_call(now, called);
        self.release(now, core, &running, Some(end.outcome));
        let waited = now.since(running.started);
        let silent = !running.content && SILENCE.has(end.outcome);
        let whole = !running.content && end.outcome == Outcome::Ok;
        if silent || whole {
            // A whole answer's time is no time to the first content, but it compares targets all the same.
            core.learn_ttft(running.target, waited);
        }
        let Some(cell) = core.board.cell(running.target) else {
            return;
        };
        judge(
            now,
            &running,
            cell,
            core,
            end.outcome,
            self.slow_probe(&running, cell),
        );
        if silent && running.token.is_none() && is_current(&running, cell, core) {
            sample(
                Measure::Ttft,
                self.history.prompt,
                waited,
                Known::Whole,
                &running,
                core,
            );
        }
        if let Some(auto) = &cell.auto {
            auto.learned.ended(core.index, end.outcome);
            if whole {
                auto.learned.answered(core.index, Form::Whole, waited);
            }
        }
        self.sample_gap(&running, cell, core, end.outcome == Outcome::Ok);
        rest(now, &running, cell, core, end);
        let failed = cell.rules.health_of(end.outcome) == Some(Health::Ill);
        if failed && (running.token.is_some() || running.lifeline) {
            charge(now, running.target, plan, core);
        }
        self.waited = if running.content { Span::ZERO } else { waited };
    }

    /// The client left while an attempt runs, or two. That is nobody's failure; but if the wait was already beyond a
    /// latency rule it is a slow answer, else impatient clients would hide how slow a target is.
    ///
    /// # Panics
    /// Without a running attempt.
    pub fn abandoned(&mut self, now: Moment, _plan: &Plan, core: &mut Core) {
        let board = self.noting(core);
        let _still = board.as_deref().map(Board::still);
        let both = [
            self.running.take(),
            self.beside.take().map(|beside| *beside),
        ];
        assert!(
            both.iter().any(Option::is_some),
            "an attempt ends exactly once"
        );
        let [at_hand, _] = &both;
        let gap = at_hand.map_or(Span::ZERO, |running| running.gap);
        self.note_call(now, Called::Abandoned { gap });
        for running in both.iter().flatten() {
            self.release(now, core, running, None);
            forsake(now, running, self.history.prompt, core);
            if let Some(cell) = core.board.cell(running.target) {
                self.sample_gap(running, cell, core, false);
            }
        }
    }

    /// Counts a stream that had content for the rules about gaps, once, by its longest. One that did not come to its end
    /// (`whole`) would perhaps have had a longer one: it counts only if it has been slow already.
    fn sample_gap(&self, running: &Running, cell: &Cell, core: &Core, whole: bool) {
        let counts = self.form == Form::Stream && running.content && running.token.is_none();
        if counts && is_current(running, cell, core) {
            let known = if whole { Known::Whole } else { Known::AtLeast };
            let (prompt, gap) = (self.history.prompt, running.gap);
            sample(Measure::Gap, prompt, gap, known, running, core);
        }
    }

    /// Ends the attempt beside the one at hand, which has answered. Nobody failed: its place goes back, and the time that
    /// it took is taken for what it would have needed at least.
    fn overtake(&mut self, now: Moment, core: &mut Core) {
        let Some(loser) = self.beside.take() else {
            return;
        };
        self.release(now, core, &loser, None);
        self.history.overtaken(loser.index);
        forsake(now, &loser, self.history.prompt, core);
        let waited = now.since(loser.started);
        // Less than usual says nothing about how long it would have been.
        if core
            .usual_ttft(loser.target)
            .is_none_or(|usual| waited > usual)
        {
            let cell = core.board.cell(loser.target);
            if let Some(histogram) = cell.and_then(|cell| cell.ttft(core.index)) {
                histogram.record(waited);
            }
            core.learn_ttft(loser.target, waited);
        }
    }

    /// Gives an attempt's place in flight back.
    fn release(&mut self, now: Moment, core: &Core, running: &Running, outcome: Option<Outcome>) {
        let ended = now.since(self.begun);
        self.history.end(running.index, outcome, ended);
        if let Some(cell) = core.board.cell(running.target) {
            let before = cell.inflight.fetch_sub(1, Relaxed);
            assert!(before != 0, "what ends had begun");
        }
    }

    /// Whether the attempt was slower than the rule that opened its breaker, if it was one of latency: such a probe is an
    /// answer and yet no cure. With a longer prompt than those that opened it, it may be slow.
    fn slow_probe(&self, running: &Running, cell: &Cell) -> impl Fn(Rule) -> bool + use<> {
        let record = self.history.at(running.index);
        let ttft = record.and_then(|record| record.ttft);
        let (prompt, gap, limits) = (self.history.prompt, running.gap, cell.rules.slow_limits);
        move |rule| match rule {
            Rule::Slow(measure, index, up_to) => {
                let time = match measure {
                    Measure::Ttft => ttft,
                    Measure::Gap => Some(gap),
                };
                let limit = limits.get(usize::from(index));
                prompt <= up_to
                    && time
                        .zip(limit)
                        .is_some_and(|(time, limit)| limit.is_exceeded(measure, prompt, time))
            }
            Rule::Consecutive | Rule::ErrorRate | Rule::Provider => false,
        }
    }
}

/// An attempt that nobody waits for any more: a probe's token goes back, and a wait beyond a latency rule is a slow
/// answer.
fn forsake(now: Moment, running: &Running, prompt: PromptSize, core: &Core) {
    let Some(cell) = core.board.cell(running.target) else {
        return;
    };
    if let (Some(token), Some(gate)) = (running.token, cell.gate(core.index)) {
        gate.give_back(token);
        return;
    }
    if !running.content && is_current(running, cell, core) {
        let waited = now.since(running.started);
        sample(Measure::Ttft, prompt, waited, Known::AtLeast, running, core);
    }
}

/// The breaker's part.
fn judge(
    now: Moment,
    running: &Running,
    cell: &Cell,
    core: &Core,
    outcome: Outcome,
    slow: impl Fn(Rule) -> bool,
) {
    let Some((gate, slot)) = cell.gate(core.index).zip(cell.slot(core.index)) else {
        return;
    };
    let rules: &Rules = &cell.rules;
    let health = rules.health_of(outcome);
    if let Some(token) = running.token {
        let too_slow = gate.word().rule.is_some_and(slow);
        match health {
            Some(Health::Well) if !too_slow => gate.won(token, now, rules),
            Some(_) => gate.lost(token, now, rules),
            None => {
                gate.give_back(token);
                false
            }
        };
        return;
    }
    if running.lifeline {
        if health == Some(Health::Well) {
            gate.cut_short(running.epoch, now);
        }
        return;
    }
    // An attempt of an earlier epoch: the breaker has been judged on its like already.
    if !is_current(running, cell, core) {
        return;
    }
    match health {
        Some(Health::Well) => {
            slot.success();
            gate.succeeded();
        }
        Some(Health::Ill) => {
            slot.failure();
            if UNREACHED.has(outcome) {
                gate.met_nobody(now);
            } else {
                gate.answered();
            }
            gate.failed(now, rules);
        }
        // Nothing was sent.
        None if outcome == Outcome::Unsupported => {}
        None => gate.answered(),
    }
}

/// A probe that failed has cost its provider a request that would not have gone there: one repeat less is left. It is never
/// refused for want of one, else nobody would learn that a target is well again.
fn charge(now: Moment, target: TargetId, plan: &Plan, core: &mut Core) {
    let policy = &plan.policy;
    if let Some(settings) = policy.targets.get(target.index())
        && let Some(retries) = policy.retries.get(settings.retries.index())
    {
        core.pay(now, settings.provider, retries);
    }
}

/// Pauses and rests, and their ends.
fn rest(now: Moment, running: &Running, cell: &Cell, core: &Core, end: End) {
    match end.outcome {
        // A server that is overloaded and says when to come back is taken at its word; one that does not is the breaker's.
        Outcome::S5xx | Outcome::Overloaded if end.retry_after.is_some() => {
            cell.pause.throttle.pause(now, end.retry_after, &cell.rules);
        }
        Outcome::ModelGone => cell.pause.gone.begin(now + MODEL_REST),
        Outcome::S429 | Outcome::AuthFailed | Outcome::QuotaExhausted => {
            rest_key(now, running, cell, core, end);
        }
        _ => {}
    }
    if running.tests && ANSWERED.has(end.outcome) {
        cell.pause.gone.clear();
        cell.barred(running.key).clear();
        if let Some(key) = core.board.key(cell, running.key) {
            key.rest.clear();
        }
    }
    if end.outcome == Outcome::Ok {
        cell.throttle(running.key).calm();
        if !cell.pool.is_empty() {
            cell.pause.throttle.calm();
        }
    }
}

/// What a refusal of the key takes out: no more than explains it.
fn rest_key(now: Moment, running: &Running, cell: &Cell, core: &Core, end: End) {
    let Some(key) = core.board.key(cell, running.key) else {
        return;
    };
    match end.outcome {
        Outcome::AuthFailed if end.model_alone => cell.barred(running.key).begin(now + KEY_REST),
        Outcome::AuthFailed => key.goes_out(end.outcome, now + KEY_REST),
        Outcome::QuotaExhausted => key.goes_out(end.outcome, now + QUOTA_REST),
        _ => cell
            .throttle(running.key)
            .pause(now, end.retry_after, &cell.rules),
    }
}

/// How much of a time was seen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Known {
    /// All of it.
    Whole,
    /// It would have been longer: it counts where it is too long already.
    AtLeast,
}

/// Counts a time for the latency rules of breakers and pools.
fn sample(
    measure: Measure,
    prompt: PromptSize,
    time: Span,
    known: Known,
    running: &Running,
    core: &Core,
) {
    let Some((cell, slot)) = core.board.cell(running.target).and_then(|cell| {
        let slot = cell.slot(core.index)?;
        Some((cell, slot))
    }) else {
        return;
    };
    if known == Known::Whole || cell.rules.is_slow(measure, prompt, time) {
        slot.sample(measure, prompt, time, &cell.rules.slow_limits);
    }
    cell.watch_time(core.index, measure, time, known == Known::AtLeast);
}

/// Whether the breaker is still in the epoch in which the attempt began, and lets requests pass. A change between this look and the
/// count that follows lets one attempt through into the next window: nothing hangs on one.
fn is_current(running: &Running, cell: &Cell, core: &Core) -> bool {
    let packed = cell.gate(core.index).map(Gate::packed);
    packed.is_some_and(|packed| passes(packed) && epoch_of(packed) == running.epoch)
}

/// The model answered, to this key: neither of them needs a rest.
const ANSWERED: OutcomeSet = OutcomeSet::EMPTY
    .with(Outcome::Ok)
    .with(Outcome::ContextExceeded)
    .with(Outcome::ContentFilter);
/// Nobody was there to talk to: the endpoint's fault, whatever model was asked.
const UNREACHED: OutcomeSet = OutcomeSet::EMPTY.with(Outcome::Connect).with(Outcome::Tls);
/// Ends that mean a wait without content: the time is at least what it would have been.
pub(super) const SILENCE: OutcomeSet = OutcomeSet::EMPTY.with(Outcome::Timeout).with(Outcome::Ttft);
