//! What a route's chain of targets has time, places and money for.

use crate::base::{Outcome, Span, TargetId};
use crate::policy::diag::{Diagnostic, failover as say};
use crate::policy::model::{Action, MaxInflight, Route, Serve, Then, Tier, Trigger};
use crate::policy::resolve::names::Decl;
use crate::policy::resolve::places::RoutePlaces;
use crate::policy::resolve::policy::{DEADLINE, Resolver, TTFT};
use crate::policy::resolve::room::members;
use crate::policy::schema::Space;
use crate::policy::syntax::Place;

/// A fallback that costs more than so many times as much deserves a word.
const DEARER_MAX: u64 = 5;
/// Of what a tier bears, the later ones should bear half: it is seldom full.
const TAKEN_OVER: u64 = 2;

impl<'t> Resolver<'t> {
    pub(super) fn check_chains(&self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let decls = self.names.all(Space::Route).into_iter();
        for ((route, places), decl) in self.routes.iter().zip(&self.route_places).zip(decls) {
            if let Action::Serve(serve) = &route.action {
                found.extend(self.no_time_left(decl, serve, places));
                found.extend(self.cannot_take_over(serve, places));
                found.extend(self.nothing_to_stick_to(serve, places));
                found.extend(self.much_dearer(route, serve, places));
            }
        }
        found
    }

    /// P3015: the last target of the chain is never asked in an outage in which the others are silent. Silence is not
    /// repeated at the same target, so each counts once.
    fn no_time_left(
        &self,
        decl: Decl<'t>,
        serve: &Serve,
        places: &RoutePlaces,
    ) -> Option<Diagnostic> {
        let mut waits: Vec<(&str, Span, Place)> = Vec::new();
        let mut written = serve.deadline != DEADLINE;
        for (target, place) in silent_chain(serve, places) {
            let timer = self.ttft_of(serve, target)?;
            let wait = leaves_after(serve).map_or(timer, |limit| limit.min(timer));
            written |= wait != TTFT;
            waits.push((self.target_name(target), wait, place));
        }
        waits.truncate(usize::from(serve.attempts_max));
        let ((last, _, place), before) = waits.split_last()?;
        let sum = before
            .iter()
            .fold(Span::ZERO, |sum, (_, wait, _)| sum.saturating_add(*wait));
        // What nobody has written is nobody's mistake.
        if !written || before.is_empty() || sum < serve.deadline {
            return None;
        }
        let deadline = (serve.deadline, places.deadline.unwrap_or(decl.place));
        Some(say::no_time_left(*place, last, before, deadline))
    }

    /// P3016: what comes after a tier bears less than half of it.
    fn cannot_take_over(&self, serve: &Serve, places: &RoutePlaces) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let mut at = 0;
        for (index, tier) in serve.tiers.iter().enumerate() {
            let first = places.members.get(at);
            at += tier.members.len();
            let rest = serve.tiers.get(index + 1..).unwrap_or_default();
            let Some((first, next)) = first.zip(places.members.get(at)) else {
                break;
            };
            let later: Option<u64> = rest.iter().map(|tier| self.bears(tier)).sum();
            if let Some((bears, later)) = self.bears(tier).zip(later)
                && later * TAKEN_OVER < bears
            {
                found.push(say::cannot_take_over(
                    *next,
                    index + 1,
                    bears,
                    later,
                    *first,
                ));
            }
        }
        found
    }

    /// Requests at once, if all of its members have a bound that is known.
    fn bears(&self, tier: &Tier) -> Option<u64> {
        let bounds = tier.members.iter().map(|member| {
            match self.targets.get(member.target.index())?.max_inflight? {
                MaxInflight::Fixed(most) => Some(u64::from(most)),
                MaxInflight::Auto(_) => None,
            }
        });
        bounds.sum()
    }

    /// P3020: `sticky` where no tier has two targets. A tier that spills lets go of whole values, so there it has a say.
    fn nothing_to_stick_to(&self, serve: &Serve, places: &RoutePlaces) -> Option<Diagnostic> {
        let place = places.sticky?;
        let choice = serve.tiers.iter().any(|tier| tier.members.len() > 1);
        if choice || serve.spill.is_some() {
            return None;
        }
        let first = members(serve).next()?;
        let provider = self.targets.get(first.index())?.provider;
        let provider = self.providers.get(provider.index())?;
        let several = provider.endpoints.len() > 1 || provider.discover.is_some();
        Some(say::nothing_to_stick_to(
            place,
            *places.members.first()?,
            several,
        ))
    }

    /// P3023: a fallback that is dearer than everything in the first tier, by far. Own hardware costs nothing by the token,
    /// and everybody knows that others charge. A canary goes back to what was paid before; a prompt that is too long has to
    /// go where there is room.
    fn much_dearer(&self, route: &Route, serve: &Serve, places: &RoutePlaces) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let Some((first, later)) = serve.tiers.split_first() else {
            return found;
        };
        if route.guard.is_some() || places.budgets {
            return found;
        }
        let priced = first
            .members
            .iter()
            .zip(&places.members)
            .map(|(member, place)| Some((self.price(member.target)?, member.target, *place)));
        let priced: Option<Vec<_>> = priced.collect();
        let dearest = priced.and_then(|priced| {
            priced
                .into_iter()
                .max_by_key(|((input, output), ..)| input.saturating_add(*output))
        });
        let Some((base, than, at)) = dearest else {
            return found;
        };
        let rest = later
            .iter()
            .flat_map(|tier| &tier.members)
            .map(|member| member.target);
        let rest = rest.zip(places.members.iter().skip(first.members.len()).copied());
        let jumps = serve.fallback.iter().filter_map(|line| match line.then {
            Then::Jump(target) => Some((target, line.on)),
            _ => None,
        });
        let jumps = jumps.zip(&places.jumps);
        let jumps = jumps.filter(|((_, on), _)| is_outage(*on));
        let jumps = jumps.map(|((target, _), place)| (target, *place));
        for (target, place) in rest.chain(jumps) {
            if let Some(price) = self.price(target)
                && is_much_more(price.0, base.0)
                && is_much_more(price.1, base.1)
            {
                let dear = (self.target_name(target), price);
                found.push(say::much_dearer(
                    place,
                    dear,
                    (self.target_name(than), base, at),
                ));
            }
        }
        found
    }

    /// In and out.
    fn price(&self, target: TargetId) -> Option<(u64, u64)> {
        let target = self.targets.get(target.index())?;
        target.price_in.zip(target.price_out)
    }
}

/// Who is asked, one after the other, as long as nobody says a word.
fn silent_chain(serve: &Serve, places: &RoutePlaces) -> Vec<(TargetId, Place)> {
    let members: Vec<_> = members(serve).zip(places.members.iter().copied()).collect();
    let jumps = serve
        .fallback
        .iter()
        .filter(|line| matches!(line.then, Then::Jump(_)));
    let jump = jumps
        .zip(&places.jumps)
        .find(|(line, _)| is_silence(line.on));
    match serve.fallback.iter().find(|line| is_silence(line.on)) {
        Some(line) if line.then == Then::Next => members,
        Some(line) => match (&line.then, jump, members.first()) {
            (Then::Jump(target), Some((_, place)), Some(first)) if first.0 != *target => {
                vec![*first, (*target, *place)]
            }
            _ => Vec::new(),
        },
        None => Vec::new(),
    }
}

fn is_much_more(price: u64, base: u64) -> bool {
    base > 0 && price > base.saturating_mul(DEARER_MAX)
}

/// Whether the line is for an attempt that brought nothing in time.
fn is_silence(on: Trigger) -> bool {
    match on {
        Trigger::Outcomes(set) => set.has(Outcome::Timeout) || set.has(Outcome::Ttft),
        Trigger::Slow(_) => true,
    }
}

/// Whether the line is for faults of the target, rather than of the request.
fn is_outage(on: Trigger) -> bool {
    match on {
        Trigger::Outcomes(set) => [
            Outcome::S5xx,
            Outcome::S429,
            Outcome::Timeout,
            Outcome::Connect,
            Outcome::BreakerOpen,
            Outcome::Ttft,
        ]
        .into_iter()
        .any(|outcome| set.has(outcome)),
        Trigger::Slow(_) => true,
    }
}

/// When silence is left sooner than `ttft_timeout`, whatever form the answer has: where no line is for answers in one piece,
/// which end as `timeout`.
fn leaves_after(serve: &Serve) -> Option<Span> {
    let whole = serve.fallback.iter().any(|line| match line.on {
        Trigger::Outcomes(set) => set.has(Outcome::Timeout),
        Trigger::Slow(_) => false,
    });
    let slow = serve.fallback.iter().find_map(|line| match line.on {
        Trigger::Slow(limit) => Some(limit),
        Trigger::Outcomes(_) => None,
    });
    slow.filter(|_| !whole)
}
