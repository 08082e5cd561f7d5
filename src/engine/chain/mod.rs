//! The chain: one request's way through its targets.
//!
//! ```text
//!   new ─▶ next ─┬─ Attempt ─▶ content? ─▶ ended ──▶ next …          exactly one `ended` or `abandoned` per attempt
//!                ├─ Wait(until) ────────────────────▶ next           at or after `until`
//!                └─ Finish
//! ```
//! Of two attempts at once (`hedge`) one is at hand: what is reported is about that one.
//!
//! A chain owns no memory beyond itself, reads no clock and performs nothing: it says what to do and is told what came
//! of it. What it must never do: send a request where a `forbid` masks, move on after content has reached the client,
//! repeat after silence, sleep past the deadline, or keep a place in flight that it does not use.

mod calls;
mod finish;
mod hedge;
mod keys;
mod lesson;
mod lifeline;
mod look;
mod queue;
mod record;
mod repeat;
mod report;
mod resume;
mod start;
mod steps;
mod survey;
mod verdict;

use std::num::NonZeroU8;

use crate::base::limits::HISTORY_ATTEMPTS_MAX;
use crate::base::{Moment, Outcome, RequestId, Span, TargetId, hash};
use crate::engine::balance::bit;
use crate::engine::breaker::gate::Token;
use crate::engine::core::Core;
use crate::policy::model::{Action, AttemptFacts, PromptSize, Serve};
use crate::policy::{Candidate, Decision, Plan};

use self::calls::Calls;
pub use self::calls::{Call, Called};
use self::finish::{Blocked, reject};
pub use self::finish::{By, Finish, Message, Reason};
pub(super) use self::keys::CURED_BY_A_KEY;
use self::queue::Stay;
pub(super) use self::repeat::REPEATABLE;
use self::survey::View;
pub(super) use self::survey::{Way, health};
pub(super) use self::verdict::{Verdict, slow_line, verdict};

pub use self::look::{Asked, BreakerSight, Did, Look, Noted, Sight, Stand};
pub use self::record::{AttemptRecord, History, PassedOver, PassedSet};
pub use self::verdict::fallback_line;

/// How the client wants its answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// In one piece: the first content is the last, so that its time says how long the answer is.
    Whole,
    /// As a stream: rules about the time to the first content apply.
    Stream,
}

/// One request's attempts.
#[derive(Debug)]
pub struct Chain {
    decision: Decision,
    form: Form,
    /// The request's id, folded: where chance decides, it decides by this.
    chance: u64,
    begun: Moment,
    deadline: Moment,
    /// When the client gives up unless it has something by then.
    patience: Moment,
    tried: u64,
    /// How long the last attempt went without content.
    waited: Span,
    passed: PassedSet,
    history: History,
    /// The attempt at hand.
    running: Option<Running>,
    /// The one beside it: rare, so that it costs a request without one no more than a word.
    beside: Option<Box<Running>>,
    hedged: bool,
    waiting: Option<Waiting>,
    /// In a target's queue: as rare.
    stay: Option<Box<Stay>>,
    /// The attempt that begins may go to a target whose breaker is open.
    lifeline: bool,
    committed: bool,
    /// What it was asked and told, where that is noted.
    calls: Option<Box<Calls>>,
}

/// What to do now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// Ask this target.
    Attempt(Attempt),
    /// Ask again at this moment.
    Wait(Moment),
    /// It is over.
    Finish(Finish),
}

/// One request to one target, and its timers. All of them lie within `deadline`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Attempt {
    /// Where to.
    pub target: TargetId,
    /// Attempts before this one.
    pub index: u8,
    /// Which of the provider's keys it goes with, from 0.
    pub key: u8,
    /// It tries whether a breaker may pass again.
    pub probe: bool,
    /// A connection must be there by then, else [`Outcome::Connect`].
    pub connect_by: Moment,
    /// The head of a stream must be there by then, else [`Outcome::Ttft`]; of a whole answer `content_by` counts.
    pub head_by: Moment,
    /// The first content must be there by then, else [`Outcome::Ttft`].
    pub content_by: Moment,
    /// The longest time between two contents, else [`Outcome::Timeout`].
    pub idle: Span,
    /// The end of everything, else [`Outcome::Timeout`]. The request's deadline; a little earlier if other targets are
    /// left and nothing has been sent.
    pub deadline: Moment,
    /// Without content by then a second attempt may begin beside it ([`Chain::hedge`]); [`Moment::NEVER`] if none may.
    pub hedge_at: Moment,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct End {
    /// The word for it.
    pub outcome: Outcome,
    /// What the provider said about when to come again.
    pub retry_after: Option<Span>,
    /// With [`Outcome::AuthFailed`]: the key was refused for this model alone, and is good for others.
    pub model_alone: bool,
}

impl Chain {
    /// A chain for a request that `decision` was made for. Its deadline is the route's, from `now`.
    ///
    /// # Panics
    /// If the decision is not of this plan.
    pub fn new(
        plan: &Plan,
        decision: Decision,
        form: Form,
        request: RequestId,
        now: Moment,
    ) -> Self {
        let deadline = match action(plan, decision) {
            Some(Action::Serve(serve)) => now + serve.deadline,
            Some(Action::Reject(_)) => now,
            None => Moment::NEVER,
        };
        assert!(
            deadline != Moment::NEVER,
            "a decision names a route, and a route ends"
        );
        Self {
            decision,
            form,
            chance: fold(request),
            begun: now,
            deadline,
            patience: Moment::NEVER,
            tried: 0,
            waited: Span::ZERO,
            passed: PassedSet::default(),
            history: History::default(),
            running: None,
            beside: None,
            hedged: false,
            waiting: None,
            stay: None,
            lifeline: false,
            committed: false,
            calls: None,
        }
    }

    /// The size of its prompt: short, unless said otherwise.
    #[must_use]
    pub const fn with_prompt(mut self, prompt: PromptSize) -> Self {
        self.history.prompt = prompt;
        self
    }

    /// The client's own bounds, where they are shorter: the whole request is over by `deadline`, and something has
    /// begun to arrive by `patience`.
    #[must_use]
    pub fn within(mut self, deadline: Moment, patience: Moment) -> Self {
        self.deadline = self.deadline.min(deadline);
        self.patience = match self.form {
            Form::Whole => Moment::NEVER,
            Form::Stream => patience,
        };
        if self.form == Form::Whole {
            self.deadline = self.deadline.min(patience);
        }
        self
    }

    /// What to do now.
    ///
    /// # Panics
    /// While an attempt runs.
    pub fn next(&mut self, now: Moment, plan: &Plan, core: &mut Core) -> Step {
        assert!(
            self.running.is_none() && self.beside.is_none(),
            "an attempt ends before the next step"
        );
        self.note_call(now, Called::Next);
        let serve = match action(plan, self.decision) {
            Some(Action::Serve(serve)) => serve,
            Some(Action::Reject(_)) | None => {
                let by = (self.decision.route, By::Route);
                return Step::Finish(reject(now, plan, by, Reason::Route, Blocked::UNKNOWN));
            }
        };
        if let Some(waiting) = self.waiting {
            if now < waiting.until {
                return Step::Wait(waiting.until);
            }
            self.waiting = None;
            return self.after_wait(now, &self.view(now, plan, serve), waiting.candidate(), core);
        }
        let view = self.view(now, plan, serve);
        if self.is_queued()
            && let Some(step) = self.next_in_queue(now, &view, core)
        {
            return step;
        }
        let Some(last) = self.history.last() else {
            let view = View {
                queued: false,
                ..view
            };
            return self.advance(now, &view, core);
        };
        // Nothing to add: the answer is there, or the client has the beginning of it, or has left.
        let Some(outcome) = last
            .outcome
            .filter(|&outcome| outcome != Outcome::Ok && !self.committed)
        else {
            return Step::Finish(Finish::Stop);
        };
        if let Some(attempt) = self.change_key(now, &view, outcome, core) {
            return Step::Attempt(attempt);
        }
        let reason = Reason::Outcome(outcome);
        match verdict(serve, outcome, self.waited) {
            Verdict::Next => self.advance(now, &view, core),
            Verdict::Jump(target) => self.jump(now, &view, target, core, reason),
            Verdict::Stop => Step::Finish(Finish::Stop),
            Verdict::Reject(line) => self.refuse(now, &view, By::Line(line), reason, core),
            Verdict::Otherwise => self.refuse(now, &view, By::Otherwise, reason, core),
        }
    }

    /// When all of it must be over.
    pub fn deadline(&self) -> Moment {
        self.deadline
    }

    /// When the client gives up unless it has something by then; of a whole answer [`Chain::deadline`] says it.
    pub fn patience(&self) -> Moment {
        self.patience
    }

    /// When the client must have something: with the first content its patience is no longer tried.
    pub(crate) fn begin_by(&self) -> Moment {
        if self.committed {
            self.deadline
        } else {
            self.deadline.min(self.patience)
        }
    }

    /// When it began.
    pub fn begun(&self) -> Moment {
        self.begun
    }

    /// Whether content has reached the client: from then on no other target may answer.
    pub fn committed(&self) -> bool {
        self.committed
    }

    /// What was decided for the request.
    pub fn decision(&self) -> Decision {
        self.decision
    }

    /// The target of the attempt at hand, else of the one that ended last.
    pub fn target(&self) -> Option<TargetId> {
        let running = self.running.map(|running| running.target);
        running.or_else(|| self.history.last().map(|last| last.target))
    }

    /// The attempts so far, in the order of their beginning; those without an end are running.
    pub fn attempts(
        &self,
    ) -> impl DoubleEndedIterator<Item = AttemptRecord> + ExactSizeIterator + '_ {
        self.history.iter()
    }

    /// The same, as the record keeps them.
    pub fn history(&self) -> History {
        self.history
    }

    /// Why the candidate at `index` of the route was passed over, at the newest occasion; `None` where nothing was ever
    /// against it.
    pub fn passed_over(&self, index: usize) -> Option<PassedOver> {
        self.passed.at(bit(index))
    }

    /// The same for all candidates, as the record keeps it.
    pub fn passed(&self) -> PassedSet {
        self.passed
    }

    /// The largest context window that the request turned out not to fit.
    fn outgrown(&self, plan: &Plan) -> Option<u64> {
        let exceeded = |attempt: &AttemptRecord| attempt.outcome == Some(Outcome::ContextExceeded);
        let attempts = self.history.iter().filter(exceeded);
        let windows = attempts.filter_map(|attempt| {
            let target = plan.policy.targets.get(attempt.target.index())?;
            target.context
        });
        windows.max()
    }

    /// What forbids may know of the attempts so far, before the next one: the last one is the one that ended last.
    pub fn facts(&self) -> AttemptFacts {
        let last = self.history.last();
        AttemptFacts {
            index: self.history.attempts(),
            last: last.and_then(|last| last.outcome),
            last_target: last.map(|last| last.target),
        }
    }

    fn view<'a>(&self, now: Moment, plan: &'a Plan, serve: &'a Serve) -> View<'a> {
        let last = self.history.last();
        let facts = self.facts();
        View {
            plan,
            serve,
            candidates: plan.program.candidates(self.decision.route),
            forbidden: self.decision.forbidden | plan.program.forbidden(&self.decision, &facts),
            tried: self.tried,
            outgrown: last.and_then(|_| self.outgrown(plan)),
            remaining: last.is_some().then(|| self.begin_by().since(now)),
            queued: self.is_queued(),
        }
    }

    /// Attempts that this request may still make, changes of key aside.
    fn attempts_left(&self, serve: &Serve) -> u8 {
        let max = serve.attempts_max.clamp(1, ATTEMPTS_CEILING);
        max.saturating_sub(self.history.attempts())
    }

    /// Notes that this request has been at `target`, which a route may name in two tiers.
    fn mark_tried(&mut self, target: TargetId, candidates: &[Candidate]) {
        for (index, candidate) in candidates.iter().enumerate() {
            if candidate.target == target {
                self.tried |= bit(index);
            }
        }
    }
}

/// The attempt that is under way.
#[derive(Clone, Copy, Debug)]
struct Running {
    target: TargetId,
    /// Its place in the history.
    index: u8,
    started: Moment,
    /// The breaker's epoch when it began: in another one its outcome has no say.
    epoch: u32,
    token: Option<Token>,
    /// It went to a target that was open.
    lifeline: bool,
    key: u8,
    /// It is the test at the end of a rest, of its key or its model.
    tests: bool,
    content: bool,
    /// The longest time between two of its contents.
    gap: Span,
}

/// A repeat that waits for its time.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    until: Moment,
    /// One more than the candidate's index, so that a chain without a wait has no more to hold.
    place: NonZeroU8,
}

impl Waiting {
    fn candidate(self) -> u8 {
        self.place.get().saturating_sub(1)
    }
}

fn action(plan: &Plan, decision: Decision) -> Option<&Action> {
    plan.policy
        .routes
        .get(decision.route.index())
        .map(|route| &route.action)
}

/// Both halves of the id, so that ids which count up in either of them spread.
pub(super) fn fold(request: RequestId) -> u64 {
    let [high, low] = [request.0 >> 64, request.0 & u128::from(u64::MAX)];
    let half = |part: u128| u64::try_from(part).unwrap_or(0);
    hash::mix(half(high), half(low))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "asserted in the same breath"
)]
pub(super) const ATTEMPTS_CEILING: u8 = {
    assert!(HISTORY_ATTEMPTS_MAX <= u8::MAX as usize);
    HISTORY_ATTEMPTS_MAX as u8
};
