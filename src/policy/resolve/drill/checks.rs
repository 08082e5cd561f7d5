//! What a drill can never show, and what no drill shows.

use std::collections::BTreeSet;

use crate::base::{Outcome, Span, TargetId};
use crate::policy::diag::{Diagnostic, Severity, testing};
use crate::policy::drill::{
    Arrivals, BadKey, Break, Drill, Expect, Fault, Injection, NoConnection, Phase, Traffic,
};
use crate::policy::model::{Action, Breaker, Then};
use crate::policy::resolve::drill::Written;
use crate::policy::resolve::policy::Resolver;
use crate::policy::schema::Space;
use crate::policy::syntax::Place;
use crate::policy::trial::ShareOf;

/// Where chance decides when requests come, more than so many times as many as usual come about never.
const CHANCE: u128 = 3;

impl<'t> Resolver<'t> {
    pub(super) fn check_drills(&mut self, written: &[Written<'t>]) {
        // A mistake elsewhere may be the only reason.
        let sound = |diagnostic: &Diagnostic| diagnostic.severity() < Severity::Error;
        if written.is_empty() || !self.found.iter().all(sound) {
            return;
        }
        let reached = self.asked();
        for drill in written {
            for (expected, place) in drill.drill.expects.iter().zip(&drill.expected) {
                self.check_phase(drill, expected.phase, *place);
                self.check_expectation(drill, &expected.expect, *place, &reached);
            }
            for (injection, place) in drill.drill.injections.iter().zip(&drill.injected) {
                self.check_lasting(&drill.drill, injection, *place);
            }
        }
        self.check_spared(written, &reached);
    }

    /// The targets that some route may ask.
    fn asked(&self) -> BTreeSet<TargetId> {
        let mut asked = BTreeSet::new();
        for route in &self.routes {
            let Action::Serve(serve) = &route.action else {
                continue;
            };
            let members = serve.tiers.iter().flat_map(|tier| &tier.members);
            asked.extend(members.map(|member| member.target));
            asked.extend(serve.fallback.iter().filter_map(|line| match line.then {
                Then::Jump(target) => Some(target),
                _ => None,
            }));
            asked.extend(serve.hedge.as_ref().map(|hedge| hedge.target));
        }
        asked
    }

    /// No request comes in this part of the drill.
    fn check_phase(&mut self, written: &Written<'t>, phase: Phase, place: Place) {
        let drill = &written.drill;
        let (begin, end) = phase.within(drill.length, drill.faulty());
        if begin >= end {
            let why = match phase {
                _ if drill.injections.is_empty() => "nothing is injected",
                Phase::Before => "something is injected from the beginning",
                _ => "something is injected up to the end",
            };
            let help = "give the injections an `after`, and the drill a `for` that is longer";
            self.report(testing::never_passes(place, &drill.name, why, help));
        }
    }

    fn check_expectation(
        &mut self,
        written: &Written<'t>,
        expect: &Expect,
        place: Place,
        reached: &BTreeSet<TargetId>,
    ) {
        let drill = &written.drill;
        let name = &drill.name;
        match expect {
            Expect::Share(ShareOf::Targets(targets), within)
                if within.low > 0
                    && !within.negated
                    && targets.iter().all(|target| !reached.contains(target)) =>
            {
                let help = "name it in a tier, in a fallback line or in a hedge of a route";
                self.report(testing::never_passes(place, name, "no route asks it", help));
            }
            Expect::Opened(targets, within) => {
                if let Some((why, help)) = self.never_opens(drill, targets, *within) {
                    self.report(testing::never_passes(place, name, &why, help));
                }
            }
            Expect::Closed(targets, within) => {
                let last = self.over(drill, targets).map(Injection::lifted).max();
                let lifted = last.unwrap_or_else(|| drill.faulty().1);
                if lifted.saturating_add(*within) > drill.length {
                    let left = drill.length.saturating_sub(lifted);
                    let why = format!("the drill ends {left} after the fault is lifted");
                    let help = "give it a `for` that is longer";
                    self.report(testing::never_passes(place, name, &why, help));
                }
            }
            _ => {}
        }
    }

    /// The injections that hit the provider of one of these. Connections that fail at one model are its provider's fault,
    /// so that the others' breakers open, too.
    fn over<'d>(
        &self,
        drill: &'d Drill,
        targets: &[TargetId],
    ) -> impl Iterator<Item = &'d Injection> {
        let provider = |target: &TargetId| Some(self.targets.get(target.index())?.provider);
        let providers: BTreeSet<_> = targets.iter().filter_map(provider).collect();
        let hit: BTreeSet<TargetId> = (0_u16..)
            .zip(&self.targets)
            .filter(|(_, target)| providers.contains(&target.provider))
            .map(|(id, _)| TargetId(id))
            .collect();
        let hits = move |injection: &&Injection| {
            let mut spots = injection.spots.iter();
            spots.any(|spot| spot.targets.iter().any(|target| hit.contains(target)))
        };
        drill.injections.iter().filter(hits)
    }

    /// Why none of these breakers opens so soon, where that is certain, and what to do.
    fn never_opens(
        &self,
        drill: &Drill,
        targets: &[TargetId],
        within: Span,
    ) -> Option<(String, &'static str)> {
        let over: Vec<&Injection> = self.over(drill, targets).collect();
        if over.is_empty() {
            return Some((
                "nothing is injected there".to_owned(),
                "inject a fault, or expect `never opened(…)`",
            ));
        }
        let breakers: Vec<&Breaker> = targets
            .iter()
            .filter_map(|target| self.breaker_at(*target))
            .collect();
        let counted = |injection: &&Injection| {
            let mut breakers = breakers.iter();
            breakers.any(|breaker| self.counts(injection, breaker))
        };
        if !over.iter().any(counted) {
            return Some((
                "what is injected does not count as ill health there".to_owned(),
                "a rate limit, a refused key and a missing model take a target out without its breaker: \
                 expect `share` or `success`",
            ));
        }
        let (usual, most) = requests_in(drill.traffic, within)?;
        let need = breakers
            .iter()
            .map(|breaker| least_failures(breaker))
            .min()?;
        if most < u128::from(need) {
            return Some((
                format!(
                    "the breaker needs {need} failures, and about {usual} requests come in {within}"
                ),
                "send more requests, or wait longer",
            ));
        }
        None
    }

    fn breaker_at(&self, target: TargetId) -> Option<&Breaker> {
        let target = self.targets.get(target.index())?;
        self.breakers.get(target.breaker.index())
    }

    /// Whether what is injected may count for the breaker.
    fn counts(&self, injection: &Injection, breaker: &Breaker) -> bool {
        let mut hit = injection.spots.iter().flat_map(|spot| &spot.targets);
        let reread = hit.any(|target| {
            let target = self.targets.get(target.index());
            let provider = target.and_then(|target| self.providers.get(target.provider.index()));
            provider.is_some_and(|provider| !provider.classify.is_empty())
        });
        reread || outcome_of(injection.fault).is_none_or(|outcome| breaker.count.has(outcome))
    }

    /// It is over before a breaker has judged it and tried again.
    fn check_lasting(&mut self, drill: &Drill, injection: &Injection, place: Place) {
        let hit = injection.spots.iter().flat_map(|spot| &spot.targets);
        let needs = hit.filter_map(|target| {
            let breaker = self.breaker_at(*target)?;
            let counts = self.counts(injection, breaker);
            let judged = time_to_judge(drill, injection, breaker);
            counts.then(|| judged.saturating_add(breaker.cool_down.0))
        });
        let watched = drill
            .expects
            .iter()
            .any(|it| matches!(it.expect, Expect::Opened(..) | Expect::Closed(..)));
        if let Some(need) = needs.min()
            && watched
            && injection.lasts < need
        {
            let need = Span::from_secs(need.as_secs_ceil());
            self.report(testing::too_short(place, injection.lasts, need));
        }
    }

    /// Providers that routes ask and no drill hits.
    fn check_spared(&mut self, written: &[Written<'t>], reached: &BTreeSet<TargetId>) {
        let Some(first) = written.iter().find(|written| written.place.file == 0) else {
            return;
        };
        let spots = written
            .iter()
            .flat_map(|written| &written.drill.injections)
            .flat_map(|injection| &injection.spots);
        let hit: BTreeSet<TargetId> = spots
            .flat_map(|spot| spot.targets.iter().copied())
            .collect();
        let provider_of = |target: &TargetId| Some(self.targets.get(target.index())?.provider);
        let hit: BTreeSet<_> = hit.iter().filter_map(provider_of).collect();
        let asked: BTreeSet<_> = reached.iter().filter_map(provider_of).collect();
        let spared: Vec<Box<str>> = asked
            .difference(&hit)
            .filter_map(|id| Some(self.providers.get(id.index())?.name.clone()))
            .collect();
        if spared.is_empty() {
            return;
        }
        let names: Vec<&str> = spared.iter().map(|name| &**name).collect();
        let decls = self.names.all(Space::Provider);
        let places: Vec<Place> = decls
            .iter()
            .filter(|decl| names.contains(&decl.name))
            .map(|decl| decl.place)
            .collect();
        let place = first.stmt.head();
        self.report(testing::spared(place, &names, &places));
    }
}

/// What an attempt that meets the fault ends in; `None` where that hangs on timers.
const fn outcome_of(fault: Fault) -> Option<Outcome> {
    match fault {
        Fault::Status { status, .. } => Some(match status {
            529 => Outcome::Overloaded,
            408 | 409 | 424 | 425 | 500.. => Outcome::S5xx,
            429 => Outcome::S429,
            401 | 403 => Outcome::AuthFailed,
            402 => Outcome::QuotaExhausted,
            410 => Outcome::ModelGone,
            _ => Outcome::S4xx,
        }),
        Fault::Connect(NoConnection::Tls) => Some(Outcome::Tls),
        Fault::Connect(_) => Some(Outcome::Connect),
        Fault::Stream(Break::Cut | Break::Error) => Some(Outcome::StreamAbort),
        Fault::Answer(_) => Some(Outcome::BadOutput),
        Fault::ModelGone => Some(Outcome::ModelGone),
        Fault::Key(BadKey::Revoked) => Some(Outcome::AuthFailed),
        Fault::Key(BadKey::NoQuota) => Some(Outcome::QuotaExhausted),
        Fault::Latency(_) | Fault::Ttft(_) | Fault::Gap(_) | Fault::Stream(Break::Stall) => None,
    }
}

/// How many requests usually come in this time, and how many at the most; `None` where clients decide.
fn requests_in(traffic: Traffic, time: Span) -> Option<(u128, u128)> {
    let Traffic::Synthetic {
        count,
        per,
        arrivals,
    } = traffic
    else {
        return None;
    };
    let usual = u128::from(count) * u128::from(time.as_nanos()) / u128::from(per.as_nanos().max(1));
    let most = match arrivals {
        Arrivals::Even => usual,
        Arrivals::Poisson => usual.saturating_mul(CHANCE),
    };
    Some((usual, most))
}

/// The fewest failures that can open it.
fn least_failures(breaker: &Breaker) -> u32 {
    let rate = breaker.error_rate.map(|_| breaker.min_requests);
    let slow = (!breaker.slow.is_empty()).then_some(breaker.min_requests);
    [breaker.consecutive, rate, slow]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(u32::MAX)
}

/// How long the fault may go on until the breaker opens.
fn time_to_judge(drill: &Drill, injection: &Injection, breaker: &Breaker) -> Span {
    let everybody = injection.share == 1_000_000
        && injection
            .spots
            .iter()
            .any(|spot| spot.endpoints.is_none() && spot.key.is_none());
    match (breaker.consecutive, drill.traffic) {
        (Some(streak), Traffic::Synthetic { count, per, .. }) if everybody => {
            let nanos = u128::from(streak) * u128::from(per.as_nanos()) / u128::from(count.max(1));
            let time = Span::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
            time.min(breaker.window)
        }
        _ => breaker.window,
    }
}
