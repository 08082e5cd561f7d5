//! Whether prompts have room where they are sent: contexts against conditions and against each other.

use crate::base::{Outcome, TargetId};
use crate::policy::diag::{Diagnostic, failover as say};
use crate::policy::model::{
    Action, Cond, IntFact, ModelName, Route, Serve, Target, Test, Then, Trigger,
};
use crate::policy::resolve::names::Decl;
use crate::policy::resolve::places::{RoutePlaces, fallback_line};
use crate::policy::resolve::policy::Resolver;
use crate::policy::schema::Space;
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::{Expr, Kind, Word};

impl<'t> Resolver<'t> {
    pub(super) fn check_room(&self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let decls = self.names.all(Space::Route).into_iter();
        let mut taken = 0;
        for ((route, places), decl) in self.routes.iter().zip(&self.route_places).zip(decls) {
            let prompt = least(&route.when, IntFact::TokensIn, true).max(taken);
            taken = taken_below(&route.when, taken);
            if let Action::Serve(serve) = &route.action {
                found.extend(self.no_room(decl, route, serve, places, prompt));
                found.extend(self.jumps_without_room(serve, places));
                found.extend(self.next_without_room(decl, serve));
            }
        }
        found
    }

    /// P3006: targets whose context is smaller than the shortest prompt and answer that get to the route.
    fn no_room(
        &self,
        decl: Decl<'t>,
        route: &Route,
        serve: &Serve,
        places: &RoutePlaces,
        prompt: u64,
    ) -> Vec<Diagnostic> {
        let answer = least(&route.when, IntFact::MaxOut, true).max(1);
        let needed = prompt.saturating_add(answer);
        if prompt == 0 {
            return Vec::new();
        }
        let place = match decl.stmt.words.as_slice() {
            [_, _, Word::When(_, when)] => when.place,
            _ => decl.place,
        };
        let small = listed(serve, places).filter_map(|(target, listed)| {
            let context = self.context(target)?;
            (context < needed).then_some((target, context, listed))
        });
        let small: Vec<_> = small.collect();
        if small.is_empty() {
            return Vec::new();
        }
        let roomy = self.roomy(serve, needed - 1);
        small
            .into_iter()
            .map(|(target, context, listed)| {
                say::no_room(&say::NoRoom {
                    place: listed,
                    target: self.target_name(target),
                    context,
                    route: (decl.name, place),
                    prompt,
                    answer,
                    roomy: &roomy,
                })
            })
            .collect()
    }

    /// P3007: jumps for prompts that are too long, to where there is no more room.
    fn jumps_without_room(&self, serve: &Serve, places: &RoutePlaces) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let jumps = serve.fallback.iter().filter_map(|line| match line.then {
            Then::Jump(target) => Some((target, line.on)),
            _ => None,
        });
        for ((target, on), place) in jumps.zip(&places.jumps) {
            if !too_long(on) {
                continue;
            }
            let others = members(serve).filter(|member| *member != target);
            let smallest = self.by_context(others).and_then(|mut sizes| sizes.next());
            if let Some(((size, than), context)) = smallest.zip(self.context(target))
                && context <= size
            {
                let to = (self.target_name(target), context);
                let roomy = self.roomy(serve, size);
                found.push(say::jump_without_room(
                    *place,
                    to,
                    (self.target_name(than), size),
                    &roomy,
                ));
            }
        }
        found
    }

    /// P3007: `context_exceeded -> next` where nobody who comes later has more room than anybody before.
    fn next_without_room(&self, decl: Decl<'t>, serve: &Serve) -> Option<Diagnostic> {
        let goes_next = |line: &&crate::policy::model::FallbackLine| too_long(line.on);
        let line = serve.fallback.iter().find(goes_next)?;
        let jumps = serve
            .fallback
            .iter()
            .any(|line| matches!(line.then, Then::Jump(_)));
        if line.then != Then::Next || jumps || members(serve).count() < 2 {
            return None;
        }
        let mut smallest: Option<u64> = None;
        for tier in &serve.tiers {
            let sizes: Option<Vec<u64>> = tier
                .members
                .iter()
                .map(|member| self.context(member.target))
                .collect();
            let sizes = sizes?;
            let (least, most) = (sizes.iter().min()?, sizes.iter().max()?);
            // Whoever of the tier is first, another one of it comes next.
            let before = smallest.map_or(*least, |before| before.min(*least));
            if *most > before {
                return None;
            }
            smallest = Some(before);
        }
        let place = fallback_line(decl.stmt, names_too_long)?;
        let (size, largest) = self.by_context(members(serve))?.last()?;
        Some(say::next_without_room(
            place,
            (self.target_name(largest), size),
        ))
    }

    fn context(&self, target: TargetId) -> Option<u64> {
        self.targets.get(target.index())?.context
    }

    /// Targets by their contexts, the smallest first, if all are known.
    fn by_context(
        &self,
        targets: impl Iterator<Item = TargetId>,
    ) -> Option<impl DoubleEndedIterator<Item = (u64, TargetId)>> {
        let sizes: Option<Vec<_>> = targets
            .map(|target| Some((self.context(target)?, target)))
            .collect();
        let mut sizes = sizes?;
        sizes.sort_unstable();
        Some(sizes.into_iter())
    }

    /// Models of the policy that can do what the route requires and have a context above this.
    fn roomy(&self, serve: &Serve, above: u64) -> Vec<&str> {
        let fits = |target: &&Target| {
            target.model != ModelName::Asked
                && target.context.is_some_and(|context| context > above)
                && target.caps.covers(serve.require)
        };
        self.targets
            .iter()
            .filter(fits)
            .map(|target| &*target.name)
            .collect()
    }
}

/// What a route names for answers: members, jumps and the hedge.
fn listed<'r>(
    serve: &'r Serve,
    places: &'r RoutePlaces,
) -> impl Iterator<Item = (TargetId, Place)> + use<'r> {
    let jumps = serve.fallback.iter().filter_map(|line| match line.then {
        Then::Jump(target) => Some(target),
        _ => None,
    });
    let hedge = serve
        .hedge
        .as_ref()
        .map(|hedge| hedge.target)
        .zip(places.hedge);
    let members = members(serve).zip(places.members.iter().copied());
    members
        .chain(jumps.zip(places.jumps.iter().copied()))
        .chain(hedge)
}

pub(super) fn members(serve: &Serve) -> impl Iterator<Item = TargetId> {
    let all = serve.tiers.iter().flat_map(|tier| &tier.members);
    all.map(|member| member.target)
}

fn too_long(on: Trigger) -> bool {
    matches!(on, Trigger::Outcomes(set) if set.has(Outcome::ContextExceeded))
}

fn names_too_long(on: &Expr<'_>) -> bool {
    match &on.kind {
        Kind::Path(word) => *word == Outcome::ContextExceeded.as_str(),
        Kind::List(items) => items.iter().any(names_too_long),
        Kind::Paren(inner) => names_too_long(inner),
        _ => false,
    }
}

/// No request for which the condition is as `wanted` has less of this.
fn least(cond: &Cond, fact: IntFact, wanted: bool) -> u64 {
    match cond {
        Cond::Test(Test::Within {
            fact: of,
            low,
            high,
            negated,
        }) if *of == fact => match (*negated != wanted, *low) {
            (true, low) => low,
            (false, 0) => high.saturating_add(1),
            (false, _) => 0,
        },
        Cond::Test(_) | Cond::Always | Cond::Never => 0,
        Cond::Not(inner) => least(inner, fact, !wanted),
        Cond::All(parts) | Cond::Any(parts) => {
            let all = matches!(cond, Cond::All(_)) == wanted;
            let bounds = parts.iter().map(|part| least(part, fact, wanted));
            let bound = if all { bounds.max() } else { bounds.min() };
            bound.unwrap_or(0)
        }
    }
}

/// Prompts below this are taken by routes up to one with this condition, if those before took the ones below `taken`.
fn taken_below(cond: &Cond, taken: u64) -> u64 {
    match cond {
        Cond::Test(Test::Within {
            fact: IntFact::TokensIn,
            low,
            high,
            negated: false,
        }) if *low <= taken => taken.max(high.saturating_add(1)),
        _ => taken,
    }
}

#[cfg(test)]
mod tests {
    use super::{Cond, IntFact, Test, least, taken_below};
    use crate::policy::model::FlagFact;

    fn tokens(low: u64, high: u64) -> Cond {
        Cond::Test(Test::Within {
            fact: IntFact::TokensIn,
            low,
            high,
            negated: false,
        })
    }

    #[test]
    fn the_shortest_prompt_of_a_condition() {
        let stream = Cond::Test(Test::Flag(FlagFact::Stream));
        let cases = [
            (tokens(100, 200), 100),
            (stream.clone(), 0),
            (Cond::All(vec![stream.clone(), tokens(100, 200)]), 100),
            (Cond::Any(vec![stream.clone(), tokens(100, 200)]), 0),
            (Cond::Any(vec![tokens(50, 60), tokens(100, 200)]), 50),
            (Cond::Not(Box::new(tokens(0, 99))), 100),
            (Cond::Not(Box::new(tokens(1, 99))), 0),
            (
                Cond::Not(Box::new(Cond::Any(vec![stream, tokens(0, 99)]))),
                100,
            ),
        ];
        for (cond, expected) in cases {
            assert_eq!(least(&cond, IntFact::TokensIn, true), expected, "{cond:?}");
            assert_eq!(least(&cond, IntFact::MaxOut, true), 0, "{cond:?}");
        }
    }

    #[test]
    fn routes_by_length_leave_the_longer_ones() {
        let taken = taken_below(&tokens(0, 99), 0);
        assert_eq!(taken, 100);
        assert_eq!(taken_below(&tokens(100, 199), taken), 200);
        assert_eq!(taken_below(&tokens(150, 199), taken), 100);
        assert_eq!(taken_below(&Cond::Always, taken), 100);
    }
}
