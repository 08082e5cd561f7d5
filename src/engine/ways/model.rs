//! What a search goes by: the chain's rules for one kind of request, without the chain.

use crate::base::limits::KEY_TRIES_MAX;
use crate::base::{Outcome, Span, TargetId};
use crate::engine::balance::{bit, bits};
use crate::engine::chain::{
    ATTEMPTS_CEILING, CURED_BY_A_KEY, REPEATABLE, Verdict, slow_line, verdict,
};
use crate::engine::ways::{Ending, Kind, Lens};
use crate::policy::model::{
    Action, AttemptFacts, Hedge, HedgeDelay, Provider, Serve, Then, Trigger,
};
use crate::policy::{Candidate, Plan};

/// The chain's rules for one kind of request. Sets of targets are bits of `places`.
pub(super) struct Model<'k> {
    kind: &'k Kind<'k>,
    lens: &'k Lens<'k>,
    pub(super) serve: &'k Serve,
    /// The route's targets, each once.
    pub(super) places: Vec<Place>,
    /// Those that stand in a tier.
    pub(super) members: u64,
    /// Ways to end that differ in what follows, the plainest of each kind.
    pub(super) endings: Vec<Told>,
    pub(super) attempts_max: u8,
    /// The hedge and its place, if these requests may hedge.
    pub(super) hedge: Option<(&'k Hedge, usize)>,
    /// Some provider of the route has several keys.
    pub(super) keys: bool,
}

/// One target.
pub(super) struct Place {
    pub(super) target: TargetId,
    /// Its first bit among the candidates.
    candidate: usize,
    /// Repeats of one request.
    pub(super) repeats: u8,
    /// Keys of its provider.
    pub(super) keys: u8,
    /// How long it is waited for at most.
    ttft: Span,
    /// Its context window, where it is known and makes a difference.
    window: Option<u64>,
    /// Targets with the same number can change places without changing what can happen.
    pub(super) like: usize,
}

/// A way to end.
pub(super) struct Told {
    pub(super) ending: Ending,
    /// Where it makes a difference how long the silence was, it was shorter than this.
    pub(super) before: Span,
    /// The places that can end so.
    pub(super) places: u64,
    pub(super) verdict: Verdict,
    pub(super) repeatable: bool,
    pub(super) key: bool,
}

/// What providers can do to an attempt, the most usual first: of several that come to the same this order chooses.
const FAILURES: [Outcome; 16] = [
    Outcome::S5xx,
    Outcome::Timeout,
    Outcome::S429,
    Outcome::Connect,
    Outcome::Overloaded,
    Outcome::Ttft,
    Outcome::StreamAbort,
    Outcome::BadOutput,
    Outcome::ModelGone,
    Outcome::ContentFilter,
    Outcome::S4xx,
    Outcome::AuthFailed,
    Outcome::QuotaExhausted,
    Outcome::Tls,
    Outcome::Unsupported,
    // Behind all others: it stands for none of them, as it keeps small windows out.
    Outcome::ContextExceeded,
];

impl<'k> Model<'k> {
    /// `None` for a route that only rejects.
    pub(super) fn of(kind: &'k Kind<'k>, lens: &'k Lens<'k>) -> Option<Self> {
        let route = kind.plan.policy.routes.get(kind.decision.route.index())?;
        let Action::Serve(serve) = &route.action else {
            return None;
        };
        let candidates = kind.plan.program.candidates(kind.decision.route);
        let mut places: Vec<Place> = Vec::new();
        let mut members = 0;
        for (candidate, one) in candidates.iter().enumerate() {
            let have = places.iter().position(|place| place.target == one.target);
            let at = have.unwrap_or(places.len());
            if one.tier != Candidate::JUMP {
                members |= bit(at);
            }
            if have.is_none() {
                places.push(place(kind.plan, serve, one.target, candidate)?);
            }
        }
        let keys = places.iter().any(|place| place.keys > 1);
        let mut model = Self {
            kind,
            lens,
            serve,
            members,
            endings: Vec::new(),
            attempts_max: serve.attempts_max.clamp(1, ATTEMPTS_CEILING),
            hedge: None,
            keys,
            places,
        };
        model.hedge = model.hedge();
        model.endings = model.endings();
        model.forget_windows();
        model.liken();
        Some(model)
    }

    /// Windows say nothing where no attempt ends as one that did not hold the request.
    fn forget_windows(&mut self) {
        let exceeded = |told: &Told| told.ending.outcome == Outcome::ContextExceeded;
        if !self.endings.iter().any(exceeded) {
            for place in &mut self.places {
                place.window = None;
            }
        }
    }

    /// The window that a request does not fit whose attempt at `place` ended so.
    pub(super) fn outgrown(&self, place: usize, outcome: Outcome) -> Option<u64> {
        let place = self.places.get(place)?;
        place.window.filter(|_| outcome == Outcome::ContextExceeded)
    }

    /// The places that are known not to hold what this window did not hold.
    pub(super) fn too_small(&self, outgrown: Option<u64>) -> u64 {
        let small = |place: &Place| matches!((place.window, outgrown), (Some(window), Some(outgrown)) if window <= outgrown);
        let places = self.places.iter().enumerate();
        let small = places.filter(|(_, place)| small(place));
        small.fold(0, |set, (at, _)| set | bit(at))
    }

    pub(super) fn place_of(&self, target: TargetId) -> Option<usize> {
        self.places.iter().position(|place| place.target == target)
    }

    pub(super) fn targets(&self, places: u64) -> Vec<TargetId> {
        let inside = bits(places).filter_map(|at| self.places.get(at));
        inside.map(|place| place.target).collect()
    }

    /// The places that no attempt with these facts may go to.
    pub(super) fn masked(&self, facts: AttemptFacts) -> u64 {
        let program = &self.kind.plan.program;
        self.by_place(program.forbidden(&self.kind.decision, &facts))
    }

    /// The places that what is looked for must not be asked at.
    pub(super) fn sought(&self, facts: AttemptFacts) -> u64 {
        self.by_place((self.lens.never)(facts))
    }

    fn by_place(&self, candidates: u64) -> u64 {
        let places = self.places.iter().enumerate();
        let inside = places.filter(|(_, place)| candidates & bit(place.candidate) != 0);
        inside.fold(0, |set, (at, _)| set | bit(at))
    }

    /// What `attempt.*` says before the next attempt, after one at `place` that ended in `outcome`.
    pub(super) fn facts(&self, index: u8, place: usize, outcome: Outcome) -> AttemptFacts {
        AttemptFacts {
            index,
            last: Some(outcome),
            last_target: self.places.get(place).map(|place| place.target),
        }
    }

    /// Whether a request that changes keys may do it once more, after so many changes, `in_a_row` of them at this place.
    pub(super) fn more_keys(&self, place: usize, changes: u8, in_a_row: u8) -> bool {
        let keys = self.places.get(place).map_or(1, |place| place.keys);
        usize::from(changes) < KEY_TRIES_MAX && in_a_row.saturating_add(1) < keys
    }

    /// Why nobody of the tiers may be able to take a request, of which `open` are not masked, and what the policy says then.
    pub(super) fn nobody(&self, open: u64) -> Vec<(Outcome, Verdict)> {
        let policy = &self.kind.plan.policy;
        let any = |holds: &dyn Fn(TargetId, &Provider) -> bool| {
            let inside = bits(open).filter_map(|at| self.places.get(at));
            inside
                .filter_map(|place| Some((place.target, policy.provider_of(place.target)?)))
                .any(|(target, provider)| holds(target, provider))
        };
        let bounded = |target: TargetId, _: &Provider| {
            let target = policy.targets.get(target.index());
            target.is_some_and(|target| target.max_inflight.is_some())
        };
        let words = [
            (Outcome::BreakerOpen, true),
            (
                Outcome::Connect,
                any(&|_, provider| provider.health.is_some()),
            ),
            (Outcome::S429, true),
            (Outcome::Overloaded, any(&bounded)),
            (
                Outcome::AuthFailed,
                any(&|_, provider| !provider.auth.secrets().is_empty()),
            ),
            (Outcome::ModelGone, true),
        ];
        let possible = words.into_iter().filter(|(_, possible)| *possible);
        possible
            .map(|(word, _)| (word, verdict(self.serve, word, Span::ZERO)))
            .collect()
    }

    /// The hedge, if one of these requests may make it while some attempt is still waited for.
    fn hedge(&self) -> Option<(&'k Hedge, usize)> {
        let hedge = self.serve.hedge.as_deref()?;
        let may = self.kind.plan.program.may_hedge(&self.kind.decision);
        let place = self.place_of(hedge.target).filter(|_| may)?;
        Some((hedge, place))
    }

    /// Whether an attempt at `place` can still run when a second one would begin beside it.
    pub(super) fn lasts(&self, place: usize, hedge: &Hedge) -> bool {
        let HedgeDelay::Fixed(delay) = hedge.after else {
            // Only streams tell when they begin.
            return self.kind.streams;
        };
        let ttft = self
            .places
            .get(place)
            .map_or(Span::ZERO, |place| place.ttft);
        let stream = match slow_line(self.serve) {
            // Whether somebody else is left to go on to is open; these two want nobody.
            Some((limit, Then::Stop | Then::Reject(_))) => ttft.min(limit),
            _ => ttft,
        };
        let whole = self.kind.wholes && delay < ttft;
        let stream = self.kind.streams && delay < stream;
        delay < self.serve.deadline && (whole || stream)
    }

    /// Each way to end that differs from the others in what follows: in the fallback line, in whether the target is asked
    /// again, or in what a forbid or the lens says to the attempt after it.
    fn endings(&self) -> Vec<Told> {
        let mut kinds: Vec<(Told, Vec<u64>)> = Vec::new();
        let repeats = self.places.iter().any(|place| place.repeats > 0);
        for outcome in FAILURES {
            let masks = self.masks_after(outcome);
            for (waited, before) in self.waits(outcome) {
                let places = self.places.iter().enumerate();
                let places = places
                    .filter(|(_, place)| waited <= place.ttft)
                    .fold(0, |set, (at, _)| set | bit(at));
                let told = Told {
                    ending: Ending { outcome, waited },
                    before,
                    places,
                    verdict: verdict(self.serve, outcome, waited),
                    repeatable: repeats && REPEATABLE.has(outcome),
                    key: self.keys && CURED_BY_A_KEY.has(outcome),
                };
                let same = |(have, other): &(Told, Vec<u64>)| {
                    have.verdict == told.verdict
                        && have.before == told.before
                        && have.repeatable == told.repeatable
                        && have.key == told.key
                        && have.places & told.places == told.places
                        && *other == masks
                };
                if !kinds.iter().any(same) {
                    kinds.push((told, masks.clone()));
                }
            }
        }
        kinds.into_iter().map(|(told, _)| told).collect()
    }

    /// What is masked or sought after an attempt that ended so, for each number of attempts and each place.
    fn masks_after(&self, outcome: Outcome) -> Vec<u64> {
        let after = self.moments_after(outcome);
        let masks = after.flat_map(|(_, facts)| [self.masked(facts), self.sought(facts)]);
        masks.collect()
    }

    /// What `attempt.*` can be after an attempt that ended so, and where that was.
    fn moments_after(&self, outcome: Outcome) -> impl Iterator<Item = (usize, AttemptFacts)> + '_ {
        let indices = 1..=self.attempts_max;
        indices.flat_map(move |index| {
            let places = 0..self.places.len();
            places.map(move |place| (place, self.facts(index, place, outcome)))
        })
    }

    /// How long an attempt may have been silent, as far as `on ttft > …` can tell: from, and below.
    fn waits(&self, outcome: Outcome) -> Vec<(Span, Span)> {
        let mut waits = vec![Span::ZERO];
        if outcome == Outcome::Ttft {
            waits.extend(self.serve.fallback.iter().filter_map(|line| match line.on {
                Trigger::Slow(limit) => Some(limit),
                Trigger::Outcomes(_) => None,
            }));
        }
        waits.sort_unstable();
        waits.dedup();
        let ends = waits.iter().skip(1).copied().chain([Span::MAX]);
        let ends: Vec<Span> = ends.collect();
        waits.into_iter().zip(ends).collect()
    }

    /// Numbers the places so that those which are alike in everything have the same number.
    fn liken(&mut self) {
        let named = |target: TargetId| {
            let jumps = self.serve.fallback.iter();
            let mut jumps = jumps.map(|line| line.then == Then::Jump(target));
            jumps.any(|is| is) || self.hedge.is_some_and(|(hedge, _)| hedge.target == target)
        };
        let columns: Vec<Vec<u64>> = (0..self.places.len()).map(|at| self.column(at)).collect();
        let mut likes: Vec<usize> = Vec::new();
        for (at, place) in self.places.iter().enumerate() {
            let alike = |&other: &usize| {
                let Some(one) = self.places.get(other) else {
                    return false;
                };
                let same_tier = self.members & bit(at) == 0;
                let other_tier = self.members & bit(other) == 0;
                one.repeats == place.repeats
                    && one.keys == place.keys
                    && one.ttft == place.ttft
                    && one.window == place.window
                    && same_tier == other_tier
                    && columns.get(at) == columns.get(other)
                    && !named(place.target)
                    && !named(one.target)
            };
            let like = (0..at).find(alike);
            likes.push(like.and_then(|at| likes.get(at).copied()).unwrap_or(at));
        }
        for (place, like) in self.places.iter_mut().zip(likes) {
            place.like = like;
        }
    }

    /// All that masks say about a place, and all that they say after it.
    fn column(&self, at: usize) -> Vec<u64> {
        let own = |mask: u64| mask >> at & 1;
        let first = AttemptFacts::default();
        let mut about = vec![own(self.masked(first)), own(self.sought(first))];
        let mut after = Vec::new();
        for index in 1..=self.attempts_max {
            // A hedge may begin before any attempt has ended.
            let beside = AttemptFacts { index, ..first };
            about.extend([own(self.masked(beside)), own(self.sought(beside))]);
        }
        let endings = self.endings.iter();
        let moments = endings.flat_map(|told| self.moments_after(told.ending.outcome));
        for (place, facts) in moments {
            let (masked, sought) = (self.masked(facts), self.sought(facts));
            about.extend([own(masked), own(sought)]);
            if place == at {
                after.extend([masked, sought]);
            }
        }
        about.extend(after);
        about
    }
}

fn place(plan: &Plan, serve: &Serve, target: TargetId, candidate: usize) -> Option<Place> {
    let own = plan.policy.targets.get(target.index())?;
    let retries = plan.policy.retries.get(own.retries.index());
    // A budget of nothing with a floor of nothing pays for none.
    let retries = retries.filter(|retries| retries.budget > 0 || retries.floor_per_s > 0);
    let provider = plan.policy.provider_of(target)?;
    Some(Place {
        target,
        candidate,
        repeats: retries.map_or(0, |retries| retries.max),
        keys: u8::try_from(provider.auth.secrets().len()).unwrap_or(u8::MAX),
        ttft: serve.timeouts.ttft.unwrap_or(own.timeouts.ttft),
        window: own.context,
        like: 0,
    })
}
