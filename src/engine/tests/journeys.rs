//! The chain against a model that is written the slow way, over every sequence of outcomes to the last attempt: where it
//! goes, what it waits for, and how it ends.

use crate::base::{Moment, Outcome, OutcomeSet, Span};
use crate::engine::tests::world::{Setup, World, name, reject};
use crate::engine::{Chain, Finish, Reason, Step};
use crate::policy::model::{Otherwise, Pick, Retries, Then, Trigger};

/// One of each kind that the chain tells apart, and two that it must not.
const OUTCOMES: [Outcome; 11] = [
    Outcome::Ok,
    Outcome::S429,
    Outcome::S4xx,
    Outcome::S5xx,
    Outcome::Timeout,
    Outcome::Connect,
    Outcome::AuthFailed,
    Outcome::ContextExceeded,
    Outcome::ContentFilter,
    Outcome::ModelGone,
    Outcome::BadOutput,
];

/// The third target; `context_exceeded` leads to it.
const SPARE: usize = 2;

/// What a policy says, in the model's own words.
#[derive(Clone, Copy, Debug)]
struct Words {
    targets: usize,
    attempts_max: u8,
    repeats_max: u8,
    /// `content_filter` goes on as well.
    stubborn: bool,
    /// `else -> stop`
    stops: bool,
}

#[test]
fn every_journey_agrees_with_the_model() {
    for targets in 1..=3 {
        for repeats_max in [0, 1, 2] {
            for attempts_max in [1, 2, 4] {
                let words = Words {
                    targets,
                    attempts_max,
                    repeats_max,
                    stubborn: attempts_max == 2,
                    stops: repeats_max == 2,
                };
                explore(words, &mut Vec::new());
            }
        }
    }
}

/// Follows one journey as far as `outcomes` lead; where another attempt would follow, every outcome of it is tried.
fn explore(words: Words, outcomes: &mut Vec<Outcome>) {
    if !follow(words, outcomes) {
        for outcome in OUTCOMES {
            outcomes.push(outcome);
            explore(words, outcomes);
            outcomes.pop();
        }
    }
}

/// Makes the journey with the chain and with the model; whether it has come to its end.
fn follow(words: Words, outcomes: &[Outcome]) -> bool {
    let mut world = world(words);
    let mut chain = world.chain();
    let mut model = Model::new(words);
    assert_eq!(go(&mut world, &mut chain), "a");
    model.at = 0;
    let mut ended = false;
    for &outcome in outcomes {
        if outcome == Outcome::Ok {
            world.content(&mut chain, 0);
        }
        world.end(&mut chain, 0, outcome);
        model.limits = ('a'..)
            .take(words.targets)
            .map(|name| world.status(name).throttled_until)
            .collect();
        let allowed = model.after(world.now, outcome);
        let real = go(&mut world, &mut chain);
        assert!(
            allowed.contains(&real),
            "{words:?} {outcomes:?}: {real}, not {allowed:?}"
        );
        ended = real.len() > WAITED_LEN;
        model.go(&real);
    }
    if !ended {
        world.abandon(&mut chain, 0);
    }
    for target in ('a'..).take(words.targets) {
        assert_eq!(world.status(target).inflight, 0, "{words:?} {outcomes:?}");
    }
    ended
}

/// The next attempt as its target, with a `~` where it was waited for; or the end.
fn go(world: &mut World, chain: &mut Chain) -> String {
    let mut waited = "";
    loop {
        match world.next(chain, 0) {
            Step::Attempt(attempt) => return format!("{waited}{}", name(attempt.target)),
            Step::Wait(until) => {
                assert!(waited.is_empty() && until < chain.deadline());
                world.now = until;
                waited = "~";
            }
            Step::Finish(Finish::Stop) => return "stop".to_owned(),
            Step::Finish(Finish::Reject { status, reason, .. }) => {
                return format!("{status} {}", reason.as_str());
            }
        }
    }
}

fn world(words: Words) -> World {
    let on = |outcome| Trigger::Outcomes(OutcomeSet::EMPTY.with(outcome));
    let mut fallback = Vec::new();
    if words.targets > SPARE {
        let spare = crate::engine::tests::world::target('c');
        fallback.push((on(Outcome::ContextExceeded), Then::Jump(spare)));
    }
    if words.stubborn {
        fallback.push((on(Outcome::ContentFilter), Then::Next));
    }
    fallback.push((on(Outcome::BadOutput), Then::Reject(reject(502))));
    fallback.push((Trigger::Outcomes(OutcomeSet::ANY), Then::Next));
    Setup {
        tiers: vec![(Pick::Weighted, vec![1]); words.targets],
        retries: Retries {
            max: words.repeats_max,
            ..Setup::default().retries
        },
        fallback,
        otherwise: if words.stops {
            Otherwise::Stop
        } else {
            Otherwise::Reject(reject(503))
        },
        attempts_max: words.attempts_max,
        ..Setup::default()
    }
    .build()
}

/// A chain as the documents describe it.
struct Model {
    words: Words,
    /// What each target said, oldest first.
    said: Vec<Vec<Outcome>>,
    /// Until when each target's rate limit holds, which has chance in it.
    limits: Vec<Option<Moment>>,
    at: usize,
    attempts: u8,
}

impl Model {
    fn new(words: Words) -> Self {
        Self {
            words,
            said: vec![Vec::new(); words.targets],
            limits: Vec::new(),
            at: 0,
            attempts: 1,
        }
    }

    fn go(&mut self, real: &str) {
        if let Some(at) = NAMES.iter().position(|name| real.ends_with(name)) {
            self.at = at;
            self.attempts += 1;
        }
    }

    /// What may follow: an attempt, or the end.
    fn after(&mut self, now: Moment, outcome: Outcome) -> Vec<String> {
        self.said[self.at].push(outcome);
        let another = self.attempts < self.words.attempts_max;
        match outcome {
            Outcome::BadOutput => return vec![format!("502 {outcome}")],
            Outcome::ContextExceeded if self.words.targets > SPARE => {
                return if self.said[SPARE].is_empty() && another {
                    vec![NAMES[SPARE].to_owned()]
                } else {
                    self.refusal(outcome)
                };
            }
            Outcome::ContentFilter if self.words.stubborn => {}
            Outcome::Ok | Outcome::S4xx | Outcome::ContextExceeded | Outcome::ContentFilter => {
                return vec!["stop".to_owned()];
            }
            _ => {}
        }
        if !another {
            return self.refusal(outcome);
        }
        if let Some(fresh) = self.said.iter().position(Vec::is_empty) {
            return vec![NAMES[fresh].to_owned()];
        }
        let again = self.again(now);
        if again.is_empty() {
            return self.refusal(outcome);
        }
        again
    }

    /// The targets that may be ready first.
    fn again(&self, now: Moment) -> Vec<String> {
        let windows: Vec<_> = (0..self.words.targets)
            .map(|target| self.ready(now, target))
            .collect();
        let Some(latest) = windows.iter().flatten().map(|&(_, latest)| latest).min() else {
            return Vec::new();
        };
        let first = |(target, window): (usize, &Option<(Moment, Moment)>)| {
            let (earliest, _) = (*window)?;
            (earliest <= latest).then(|| format!("~{}", NAMES[target]))
        };
        windows.iter().enumerate().filter_map(first).collect()
    }

    /// When a target may be asked again, at the earliest and at the latest.
    fn ready(&self, now: Moment, target: usize) -> Option<(Moment, Moment)> {
        let cured = [Outcome::S5xx, Outcome::Connect, Outcome::S429];
        let said = &self.said[target];
        let repeats = said.len() - 1;
        if repeats >= usize::from(self.words.repeats_max) || !cured.contains(said.last()?) {
            return None;
        }
        if let Some(until) = self.limits[target] {
            return Some((until, until));
        }
        let longest = PAUSE.saturating_mul(1 << repeats);
        let shortest = Span::from_nanos(longest.as_nanos() / 2);
        Some((now + shortest, now + longest))
    }

    /// `else`.
    fn refusal(&self, outcome: Outcome) -> Vec<String> {
        let at_fault = matches!(outcome, Outcome::ContextExceeded | Outcome::ContentFilter);
        if self.words.stops || at_fault {
            return vec!["stop".to_owned()];
        }
        let limited = self.limits.iter().all(Option::is_some);
        let status = if limited { 429 } else { 503 };
        vec![format!("{status} {}", Reason::Outcome(outcome).as_str())]
    }
}

const NAMES: [&str; 3] = ["a", "b", "c"];
/// The first one of `backoff`.
const PAUSE: Span = Span::from_millis(50);
/// An attempt is written shorter than any end.
const WAITED_LEN: usize = 2;
