//! What the numbers of a breaker say to each other, and to the retries, health checks and fallbacks around it.

use crate::base::{BreakerId, Outcome, Span, TargetId};
use crate::policy::diag::{Diagnostic, failover as say};
use crate::policy::model::{
    Action, Breaker, Measure, Question, Serve, SlowRule, Target, Then, Trigger,
};
use crate::policy::resolve::odds;
use crate::policy::resolve::places::{BreakerPlaces, slow_line};
use crate::policy::resolve::policy::Resolver;
use crate::policy::schema::Space;
use crate::policy::syntax::Place;

/// Errors that are nobody's outage, in parts per million: a limit is meant to be far above them.
const BACKGROUND: u32 = 50_000;
/// A limit is at least so many times what is usual.
const ABOVE_USUAL: u32 = 5;
/// Breakers that open by chance more often than this on a day are worth a word. The built-in one does once.
const CHANCES_A_DAY: f64 = 10.0;
/// What `min_requests` is proposed for.
const BEARABLE_A_DAY: f64 = 1.0;
/// Requests a second to one target, up to which `scope = core` may leave a breaker blind without a word.
const RATE_MAX: f64 = 10.0;
/// A machine, where the policy does not say how many cores there are.
const CORES: u16 = 16;
const DAY: Span = Span::from_secs(86_400);

/// How long streams of one target are waited for by one route.
struct Wait {
    target: TargetId,
    longest: Span,
    /// The fallback line that leaves, if it is one.
    line: Option<Place>,
}

impl Resolver<'_> {
    pub(super) fn check_breakers(&self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let waits = self.waits();
        let ids = (0..).map(BreakerId);
        for (id, (breaker, places)) in ids.zip(self.breakers.iter().zip(&self.breaker_places)) {
            found.extend(self.rarely_enough(breaker, places));
            found.extend(self.opened_by_chance(breaker, places));
            found.extend(one_slow_is_enough(breaker, places));
            found.extend(self.left_sooner(id, breaker, places, &waits));
        }
        for (target, place) in self.targets.iter().zip(&self.target_places) {
            found.extend(self.one_request_opens(target, *place));
            found.extend(self.restless(target));
        }
        found
    }

    /// P3011: each core waits for a number of requests that it will hardly see.
    fn rarely_enough(&self, breaker: &Breaker, places: &BreakerPlaces) -> Option<Diagnostic> {
        let place = places.scope.filter(|_| breaker.per_core)?;
        places.a_rate()?;
        let cores = self.cores.unwrap_or(CORES);
        let needed = f64::from(breaker.min_requests) * f64::from(cores);
        let rate = needed / seconds(breaker.window);
        (rate > RATE_MAX).then(|| {
            let on = (cores, self.cores.is_some());
            say::rarely_enough(place, breaker.min_requests, breaker.window, on, rate)
        })
    }

    /// P3012 and P3013: usual errors break the rate, among as few requests as it takes.
    fn opened_by_chance(&self, breaker: &Breaker, places: &BreakerPlaces) -> Option<Diagnostic> {
        let (limit, rule) = breaker.error_rate.zip(places.error_rate)?;
        let usual = BACKGROUND.min(limit / ABOVE_USUAL);
        let judges = match (breaker.per_core, self.cores) {
            (false, _) => 1,
            (true, cores) => cores.unwrap_or(CORES),
        };
        let windows = seconds(DAY) / seconds(breaker.window) * f64::from(judges);
        let errors = odds::errors_above(breaker.min_requests, limit);
        let a_day = odds::broken(breaker.min_requests, limit, usual) * windows;
        if errors > 1 && a_day <= CHANCES_A_DAY {
            return None;
        }
        let bearable = BEARABLE_A_DAY / windows;
        let chance = say::Chance {
            place: places.min_requests.unwrap_or(rule),
            rule: places.min_requests.map(|_| rule),
            min_requests: breaker.min_requests,
            window: breaker.window,
            limit,
            background: usual,
            errors,
            a_day,
            safe: odds::least_requests(breaker.min_requests, limit, usual, bearable),
            slow: None,
        };
        Some(if errors == 1 {
            say::one_is_enough(&chance)
        } else {
            say::opened_by_chance(&chance)
        })
    }

    /// P3008: the repeats of one request are as many failures in a row as it takes.
    fn one_request_opens(&self, target: &Target, place: Place) -> Option<Diagnostic> {
        let breaker = self.breakers.get(target.breaker.index())?;
        let places = self.breaker_places.get(target.breaker.index())?;
        let retries = self.retries.get(target.retries.index())?;
        let max = self.retries_places.get(target.retries.index())?;
        let streak = breaker.consecutive?;
        // What nobody has written is nobody's mistake.
        places.consecutive.or(*max)?;
        (retries.max > 0 && streak <= u32::from(retries.max) + 1).then(|| {
            let rule = (streak, places.consecutive);
            say::one_request_opens(rule, (retries.max, *max), place, &target.name)
        })
    }

    /// P3017: not even the longest pause is as long as a health check takes to notice.
    fn restless(&self, target: &Target) -> Option<Diagnostic> {
        let breaker = self.breakers.get(target.breaker.index())?;
        let places = self.breaker_places.get(target.breaker.index())?;
        let provider = self.providers.get(target.provider.index())?;
        // A question that costs money is asked seldom on purpose.
        let health = provider.health.as_ref();
        let health = health.filter(|health| matches!(health.question, Question::Path { .. }))?;
        let fall = health.every.saturating_mul(u64::from(health.fall));
        let longest = breaker.cool_down.1;
        let place = places.cool_down.filter(|_| longest < fall)?;
        let decls = self.names.all(Space::Provider);
        let decl = decls.iter().find(|decl| *decl.name == *provider.name)?;
        Some(say::restless(place, longest, (decl.name, decl.place), fall))
    }

    /// P3009: wherever its targets are asked, nobody waits as long as the rule wants to see.
    fn left_sooner(
        &self,
        id: BreakerId,
        breaker: &Breaker,
        places: &BreakerPlaces,
        waits: &[Wait],
    ) -> Vec<Diagnostic> {
        if breaker.slow.is_empty() {
            return Vec::new();
        }
        let own = waits.iter().filter(|wait| {
            let target = self.targets.get(wait.target.index());
            target.is_some_and(|target| target.breaker == id)
        });
        let own: Vec<&Wait> = own.collect();
        let Some(left) = own.iter().map(|wait| wait.longest).max() else {
            return Vec::new();
        };
        let mut lines: Vec<Place> = own.iter().filter_map(|wait| wait.line).collect();
        lines.sort_unstable();
        lines.dedup();
        let rules = breaker.slow.iter().zip(&places.slow);
        let dead = rules.filter(|(rule, _)| rule.measure == Measure::Ttft && left < rule.limit);
        dead.map(|(rule, place)| {
            say::left_sooner(&say::LeftSooner {
                place: *place,
                rule: &self.rule_text(*place),
                limit: rule.limit,
                left,
                lines: &lines,
                counted: breaker.count.has(Outcome::Ttft),
            })
        })
        .collect()
    }

    /// What stands behind `open when`.
    fn rule_text(&self, place: Place) -> String {
        let text = self.files.slice(place);
        text.split_once("when ")
            .map_or(text, |(_, rule)| rule)
            .trim_end()
            .to_owned()
    }

    /// Every target that a route asks, with how long it waits for the first content of a stream.
    fn waits(&self) -> Vec<Wait> {
        let mut waits = Vec::new();
        let decls = self.names.all(Space::Route);
        for (route, decl) in self.routes.iter().zip(decls) {
            let Action::Serve(serve) = &route.action else {
                continue;
            };
            let slow = leaving(serve).zip(slow_line(decl.stmt));
            let last = serve.tiers.len().saturating_sub(1);
            for (at, tier) in serve.tiers.iter().enumerate() {
                for member in &tier.members {
                    // Where nobody comes after it, a target is waited for.
                    let slow = slow.filter(|((_, jumps), _)| *jumps || at < last);
                    let leaves = slow.map(|((limit, _), line)| (limit, line));
                    waits.extend(self.wait(serve, member.target, leaves));
                }
            }
            let jumps = serve.fallback.iter().filter_map(|line| match line.then {
                Then::Jump(target) => Some(target),
                _ => None,
            });
            let hedge = serve.hedge.as_ref().map(|hedge| hedge.target);
            for target in jumps.chain(hedge) {
                waits.extend(self.wait(serve, target, None));
            }
        }
        waits
    }

    fn wait(&self, serve: &Serve, target: TargetId, leaves: Option<(Span, Place)>) -> Option<Wait> {
        let timer = self.ttft_of(serve, target)?;
        let leaves = leaves.filter(|(limit, _)| *limit < timer);
        Some(Wait {
            target,
            longest: leaves.map_or(timer, |(limit, _)| limit),
            line: leaves.map(|(_, line)| line),
        })
    }

    /// How long an attempt of this route at the target goes without content.
    pub(super) fn ttft_of(&self, serve: &Serve, target: TargetId) -> Option<Span> {
        let target = self.targets.get(target.index())?;
        Some(serve.timeouts.ttft.unwrap_or(target.timeouts.ttft))
    }
}

/// P3013, for rules about times.
fn one_slow_is_enough(breaker: &Breaker, places: &BreakerPlaces) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (rule, place) in breaker.slow.iter().zip(&places.slow) {
        let limit = 1_000_000_u32.saturating_sub(rule.percentile);
        if odds::errors_above(breaker.min_requests, limit) > 1 {
            continue;
        }
        found.push(say::one_is_enough(&say::Chance {
            place: *place,
            rule: places.min_requests,
            min_requests: breaker.min_requests,
            window: breaker.window,
            limit,
            background: 0,
            errors: 1,
            a_day: 0.0,
            safe: Some(1_000_000_u32.div_ceil(limit.max(1))),
            slow: Some(&measure_of(*rule)),
        }));
    }
    found
}

/// `p99(ttft) > 5s`
fn measure_of(rule: SlowRule) -> String {
    let size = rule.prompts.map(|size| format!(", {}", size.as_str()));
    format!(
        "p{}({}{}) > {}",
        rule.percentile / 10_000,
        rule.measure.as_str(),
        size.unwrap_or_default(),
        rule.limit
    )
}

/// When the route's first line about slowness leaves for somebody else, and whether that is a jump.
fn leaving(serve: &Serve) -> Option<(Span, bool)> {
    serve
        .fallback
        .iter()
        .find_map(|line| match (line.on, &line.then) {
            (Trigger::Slow(limit), Then::Next) => Some((limit, false)),
            (Trigger::Slow(limit), Then::Jump(_)) => Some((limit, true)),
            _ => None,
        })
}

fn seconds(span: Span) -> f64 {
    f64::from(u32::try_from(span.as_millis()).unwrap_or(u32::MAX)) / 1_000.0
}
