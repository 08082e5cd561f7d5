//! Which requests get to which route: what the conditions of a policy leave to each other.

use crate::policy::diag::reach as say;
use crate::policy::model::{Action, Alias, Cond, Route};
use crate::policy::reason::{
    Area, Budget, Classes, Left, Masks, Order, Region, Switches, TooMany, has_switch,
};
use crate::policy::resolve::conditions::{Owner, Truth};
use crate::policy::resolve::names::Decl;
use crate::policy::resolve::policy::Resolver;
use crate::policy::schema::{Scope, Space};
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::{Expr, Tail, Word};

/// Routes between a route that is never reached and the one that takes its requests, up to which a move is proposed.
const MOVED_OVER_MAX: usize = 64;
/// Areas of one comparison of two routes.
const AREAS_MAX: usize = 10_000;

/// A route with what reasoning has found out about it.
pub(super) struct Known<'p, 't> {
    pub(super) decl: Decl<'t>,
    pub(super) route: &'p Route,
    /// Where its condition stands; its name, where it has none.
    pub(super) place: Place,
    truth: Truth,
}

impl Known<'_, '_> {
    /// `route default` takes everything, and that is no switch.
    fn has_switch(&self) -> bool {
        self.decl.name != "default" && has_switch(&self.route.when)
    }
}

impl<'t> Resolver<'t> {
    /// Looks at all conditions. The policy must be without errors: each declaration has become what it says.
    pub(super) fn check_reach(&mut self) {
        let routes = std::mem::take(&mut self.routes);
        let forbids = std::mem::take(&mut self.forbids);
        let aliases: Vec<Alias> = self.aliases.clone();
        let replaced: Vec<&str> = aliases.iter().map(|alias| &*alias.from).collect();
        let hedges = routes.iter().filter_map(hedge_of);
        let conds = routes.iter().map(|route| &route.when).chain(hedges);
        let conds = conds.chain(forbids.iter().map(|forbid| &forbid.when));
        let classes = Classes::of(conds, &replaced);

        for (decl, forbid) in self.names.all(Space::Forbid).into_iter().zip(&forbids) {
            if let [.., Word::When(_, when)] = decl.stmt.words.as_slice() {
                let owner = Owner {
                    kind: "forbid",
                    name: decl.name,
                    scope: Scope::Attempt,
                    instead: "it forbids every target, always: say what must not go where",
                };
                let truth = self.check_condition(&classes, when, &forbid.when, owner);
                if truth != Truth::Never {
                    self.check_forbids_something(&classes, decl, forbid);
                }
            }
        }
        let decls = self.names.all(Space::Route).into_iter();
        let mut known: Vec<Known<'_, 't>> = Vec::with_capacity(routes.len());
        for (decl, route) in decls.zip(&routes) {
            if self.is_stopped() {
                break;
            }
            known.push(self.check_route(&classes, decl, route));
        }
        let mut undecided: Vec<&Known<'_, 't>> = Vec::new();
        let order = |switches| {
            let regions = known
                .iter()
                .map(|known| region_of(&classes, known, switches));
            // What is not known takes nothing.
            Order::new(&classes, regions.map(Result::unwrap_or_default).collect())
        };
        let stand = order(Switches::Stand);
        let switched = known.iter().any(Known::has_switch);
        let shut = switched.then(|| order(Switches::Shut));
        let shut = shut.as_ref().unwrap_or(&stand);
        let unreachable = self.check_unreachable(&classes, &known, shut, &mut undecided);
        self.check_overlaps(&classes, &known, &stand, &unreachable, &mut undecided);
        if let Ok(masks) = Masks::of(&classes, &forbids, &self.providers, &self.targets) {
            if !forbids.is_empty() {
                self.check_masked(&classes, &known, &stand, &masks, &mut undecided);
            }
            self.check_flight(&classes, &known, &stand, &masks);
        }
        if !undecided.is_empty() {
            undecided.sort_by_key(|known| known.place);
            undecided.dedup_by_key(|known| known.place);
            let routes = undecided.iter().map(|known| (known.decl.name, known.place));
            self.report(say::undecided(&routes.collect::<Vec<_>>()));
        }
        drop((known, classes));
        self.routes = routes;
        self.forbids = forbids;
    }

    /// The route's own condition and that of its hedge.
    fn check_route<'p>(
        &mut self,
        classes: &Classes<'_>,
        decl: Decl<'t>,
        route: &'p Route,
    ) -> Known<'p, 't> {
        if let (Some(cond), Some(when)) = (hedge_of(route), hedge_condition(decl)) {
            let owner = Owner {
                kind: "the hedge of route",
                name: decl.name,
                scope: Scope::Request,
                instead: "leave `when` out: a hedge without it is for every request",
            };
            self.check_condition(classes, when, cond, owner);
        }
        let when = match decl.stmt.words.as_slice() {
            [_, _, Word::When(_, when)] => Some(when),
            _ => None,
        };
        let owner = Owner {
            kind: "route",
            name: decl.name,
            scope: Scope::Request,
            instead: "a route for every request is `route default`, without a condition, at the end",
        };
        Known {
            decl,
            route,
            place: when.map_or(decl.place, |when| when.place),
            truth: when.map_or(Truth::Always, |when| {
                self.check_condition(classes, when, &route.when, owner)
            }),
        }
    }

    /// Routes all of whose requests are taken by routes before them. How a switch stands today is nobody's mistake: the earlier
    /// routes take what they always take, the later ones want what they could ever want. A route that rejects may block
    /// another one on purpose.
    fn check_unreachable<'k, 'p>(
        &mut self,
        classes: &Classes<'_>,
        known: &'k [Known<'p, 't>],
        order: &Order<'_>,
        undecided: &mut Vec<&'k Known<'p, 't>>,
    ) -> Vec<usize> {
        let mut unreachable = Vec::new();
        for (position, later) in known.iter().enumerate() {
            if self.is_stopped() {
                break;
            }
            if later.truth == Truth::Never || later.decl.name == "default" {
                continue;
            }
            let left = wanted_by(classes, later, order, position)
                .and_then(|region| Ok((order.left_of(&region, position)?, region)));
            match left {
                Ok((Left::Some(_), _)) => {}
                Ok((Left::Nothing(takers), region)) => {
                    let takers = takers
                        .into_iter()
                        .filter_map(|at| Some((at, known.get(at)?)));
                    let takers: Vec<(usize, &Known<'_, '_>)> = takers.collect();
                    let rejects = |(_, known): &(usize, &Known<'_, '_>)| {
                        matches!(known.route.action, Action::Reject(_))
                    };
                    unreachable.push(position);
                    if !takers.iter().all(rejects) {
                        let moved = self.moved(classes, order, known, &takers, position);
                        self.unreachable(classes, order, later, &takers, &region, moved);
                    }
                }
                Err(TooMany) => undecided.push(later),
            }
        }
        unreachable
    }

    /// Routes that name values of which an earlier one leaves them nothing. One that rejects blocks on purpose.
    fn check_overlaps<'k, 'p>(
        &mut self,
        classes: &Classes<'_>,
        known: &'k [Known<'p, 't>],
        order: &Order<'_>,
        unreachable: &[usize],
        undecided: &mut Vec<&'k Known<'p, 't>>,
    ) {
        let rejects = |at: usize| {
            let earlier = known.get(at);
            earlier.is_some_and(|earlier| matches!(earlier.route.action, Action::Reject(_)))
        };
        for (position, later) in known.iter().enumerate() {
            if self.is_stopped() {
                break;
            }
            if later.decl.name == "default" || unreachable.contains(&position) {
                continue;
            }
            match order.overlap_of(classes, position, rejects) {
                Ok(Some(overlap)) => {
                    let example = classes.example(&overlap.point, &overlap.facts);
                    if let Some((example, earlier)) = example.zip(known.get(overlap.earlier)) {
                        self.report(say::overlap(
                            (later.decl.name, later.place),
                            (earlier.decl.name, earlier.place),
                            &classes.word(overlap.fact),
                            &example.to_string(),
                        ));
                    }
                }
                Ok(None) => {}
                Err(TooMany) => undecided.push(later),
            }
        }
    }

    fn unreachable(
        &mut self,
        classes: &Classes<'_>,
        order: &Order<'_>,
        later: &Known<'_, 't>,
        takers: &[(usize, &Known<'_, 't>)],
        region: &Region,
        moved: Option<(Place, String)>,
    ) {
        let cover: Vec<(&str, Place)> = takers
            .iter()
            .map(|(_, known)| (known.decl.name, known.place))
            .collect();
        let taking = takers.iter().filter_map(|(at, _)| order.region(*at));
        let areas = taking.chain([region]).flat_map(|region| &region.areas);
        let limits = areas.flat_map(Area::limits);
        let mut facts: Vec<usize> = limits.map(|(fact, _)| *fact).collect();
        facts.sort_unstable();
        facts.dedup();
        let words: Vec<String> = facts.iter().map(|fact| classes.word(*fact)).collect();
        self.report(say::unreachable(say::Unreachable {
            name: later.decl.name,
            place: later.place,
            cover: &cover,
            facts: &words,
            combinations: combinations(region, &facts, classes.counts()),
            moved,
        }));
    }

    /// The text with the route moved above the first one that takes its requests, where all routes in between then still
    /// match.
    fn moved(
        &self,
        classes: &Classes<'_>,
        order: &Order<'_>,
        known: &[Known<'_, 't>],
        takers: &[(usize, &Known<'_, 't>)],
        position: usize,
    ) -> Option<(Place, String)> {
        let (first, above) = takers.first()?;
        let later = known.get(position)?;
        let from = self.with_comments(above.decl.stmt.place);
        let own = self.with_comments(later.decl.stmt.place);
        if from.file != own.file || position - first > MOVED_OVER_MAX {
            return None;
        }
        let taken = order.region(position)?;
        for between in *first..position {
            let mut budget = Budget::of(AREAS_MAX);
            let rest = order.region(between)?;
            let rest = rest.minus(taken, classes.counts(), &mut budget).ok()?;
            if !matches!(order.left_of(&rest, between), Ok(Left::Some(_))) {
                return None;
            }
        }
        let between = Place {
            len: own.start.checked_sub(from.start)?,
            ..from
        };
        let between = self.files.slice(between).trim_end();
        let text = format!("{}\n{between}", self.files.slice(own));
        Some((from.to(own), text))
    }

    /// The stretch with the comment lines right above it.
    fn with_comments(&self, place: Place) -> Place {
        let text = self.files.text(place.file);
        let before = text.get(..place.start as usize).unwrap_or_default();
        let mut start = before.rfind('\n').map_or(0, |at| at + 1);
        while let Some(above) = before.get(..start).and_then(|text| text.strip_suffix('\n')) {
            let line = above.rfind('\n').map_or(0, |at| at + 1);
            if !above.get(line..).is_some_and(|line| line.starts_with('#')) {
                break;
            }
            start = line;
        }
        let start = u32::try_from(start).unwrap_or(place.start);
        Place {
            start,
            len: place.len + (place.start - start),
            ..place
        }
    }
}

/// The condition of a route's hedge.
fn hedge_of(route: &Route) -> Option<&Cond> {
    match &route.action {
        Action::Serve(serve) => serve.hedge.as_ref().map(|hedge| &hedge.when),
        Action::Reject(_) => None,
    }
}

fn hedge_condition(decl: Decl<'_>) -> Option<&Expr<'_>> {
    let stmt = decl
        .stmt
        .stmts()
        .iter()
        .find(|stmt| stmt.key() == "hedge")?;
    match &stmt.tail {
        Tail::Arrow(words) => match words.as_slice() {
            [_, Word::When(_, when)] => Some(when),
            _ => None,
        },
        _ => None,
    }
}

/// The requests that a route asks for. `route default` has no switch.
fn region_of(
    classes: &Classes<'_>,
    known: &Known<'_, '_>,
    switches: Switches,
) -> Result<Region, TooMany> {
    if known.decl.name == "default" {
        return Ok(Region::everything());
    }
    classes.region(&known.route.when, switches)
}

/// The requests that a route could ever ask for.
fn wanted_by(
    classes: &Classes<'_>,
    known: &Known<'_, '_>,
    order: &Order<'_>,
    position: usize,
) -> Result<Region, TooMany> {
    if known.has_switch() || known.truth == Truth::Unknown {
        return region_of(classes, known, Switches::Open);
    }
    Ok(order.region(position).cloned().unwrap_or_default())
}

/// How many combinations of classes of these facts lie in a region.
fn combinations(region: &Region, facts: &[usize], counts: &[u32]) -> u64 {
    let mut budget = Budget::of(AREAS_MAX);
    let mut seen = Region::NOTHING;
    let mut all = 0_u64;
    for area in &region.areas {
        let fresh = Region::from(area.clone()).minus(&seen, counts, &mut budget);
        for area in fresh.unwrap_or_default().areas {
            let sizes = facts.iter().map(|fact| match area.limit(*fact) {
                Some(set) => set.len(),
                None => counts.get(*fact).copied().unwrap_or(1).into(),
            });
            all = all.saturating_add(sizes.fold(1, u64::saturating_mul));
        }
        seen.areas.push(area.clone());
    }
    all
}
