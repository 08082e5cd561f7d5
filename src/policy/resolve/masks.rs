//! What forbids leave: requests without any target, forbids that forbid nothing, and where a fallback could go.

use std::collections::BTreeMap;

use crate::policy::diag::reach as say;
use crate::policy::model::{Action, Forbid, StrFact};
use crate::policy::reason::{Area, Classes, Masks, Order, Region, Switches, TooMany};
use crate::policy::resolve::names::Decl;
use crate::policy::resolve::policy::Resolver;
use crate::policy::resolve::reach::Known;
use crate::policy::schema::{Scope, Space};
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::{Expr, Kind, Word};

/// Requests of a route that have no target.
struct Masked<'k> {
    position: usize,
    forbids: Vec<usize>,
    example: String,
    /// Names of other routes with the same forbids.
    others: Vec<&'k str>,
}

impl<'t> Resolver<'t> {
    /// Routes that take requests for which every member of their tiers is forbidden.
    pub(super) fn check_masked<'k, 'p>(
        &mut self,
        classes: &Classes<'_>,
        known: &'k [Known<'p, 't>],
        order: &Order<'_>,
        masks: &Masks,
        undecided: &mut Vec<&'k Known<'p, 't>>,
    ) {
        let mut found: Vec<Masked<'_>> = Vec::new();
        let mut by_kinds: BTreeMap<Vec<usize>, Result<Region, TooMany>> = BTreeMap::new();
        for (position, known) in known.iter().enumerate() {
            let Action::Serve(serve) = &known.route.action else {
                continue;
            };
            let kinds = masks.kinds_of(serve);
            let masked = by_kinds
                .entry(kinds.clone())
                .or_insert_with(|| masks.of_all(&kinds, classes.counts()));
            if masked.as_ref().is_ok_and(Region::is_empty) {
                continue;
            }
            let point = masked
                .clone()
                .and_then(|masked| order.one_of(&masked, position));
            let point = match point {
                Ok(Some(point)) => point,
                Ok(None) => continue,
                Err(TooMany) => {
                    undecided.push(known);
                    continue;
                }
            };
            let forbids = masks.responsible(&kinds, &point);
            if let Some(same) = found.iter_mut().find(|have| have.forbids == forbids) {
                same.others.push(known.decl.name);
                continue;
            }
            let shown = facts_of(masked, order.region(position));
            if let Some(example) = classes.example(&point, &shown) {
                found.push(Masked {
                    position,
                    forbids,
                    example: example.to_string(),
                    others: Vec::new(),
                });
            }
        }
        let decls = self.names.all(Space::Forbid);
        for masked in found {
            let Some(known) = known.get(masked.position) else {
                continue;
            };
            let forbids = masked.forbids.iter().filter_map(|at| decls.get(*at));
            let forbids: Vec<(&str, Place)> = forbids.map(|decl| (decl.name, decl.place)).collect();
            self.report(say::no_target(&say::NoTarget {
                name: known.decl.name,
                place: known.place,
                forbids: &forbids,
                example: &masked.example,
                others: &masked.others,
            }));
        }
    }

    /// A forbid that compares the target with names that nothing in the policy has. Prices and flags may come with the next
    /// target; a name that nobody says is a mistake.
    pub(super) fn check_forbids_something(
        &mut self,
        classes: &Classes<'_>,
        decl: Decl<'t>,
        forbid: &Forbid,
    ) {
        let [.., Word::When(_, when)] = decl.stmt.words.as_slice() else {
            return;
        };
        // A file that several policies share may speak of what this one does not have.
        if decl.place.file != 0 {
            return;
        }
        let mut domains: Vec<Box<str>> = Vec::new();
        let mut regions: Vec<Box<str>> = Vec::new();
        for provider in &self.providers {
            domains.push(provider.failure_domain.clone());
            regions.extend(provider.region.clone());
        }
        let names = |list: &mut Vec<Box<str>>| {
            list.sort_unstable();
            list.dedup();
        };
        names(&mut domains);
        names(&mut regions);
        let domains: Vec<&str> = domains.iter().map(AsRef::as_ref).collect();
        let regions: Vec<&str> = regions.iter().map(AsRef::as_ref).collect();
        let possible = [
            classes.known(&StrFact::TargetRegion, &regions),
            classes.known(&StrFact::TargetDomain, &domains),
            classes.known(&StrFact::AttemptLastDomain, &domains),
        ];
        let possible = possible
            .iter()
            .try_fold(Area::EVERYTHING, |all, area| all.and(area));
        let Some(possible) = possible else { return };
        let never = |region: Result<Region, TooMany>| {
            region.is_ok_and(|region| !region.areas.iter().any(|area| area.meets(&possible)))
        };
        if !never(classes.region(&forbid.when, Switches::Open)) {
            return;
        }
        let mut parts = Vec::new();
        let mut about_regions = true;
        for part in comparisons(when) {
            let cond = self.cond(part, Scope::Attempt);
            if cond.is_some_and(|cond| never(classes.region(&cond, Switches::Open))) {
                about_regions = self.files.slice(part.place).contains("target.region");
                parts.push(part.place);
            }
        }
        let known = if about_regions { &regions } else { &domains };
        self.report(say::forbids_nothing(decl.name, when.place, &parts, known));
    }
}

/// The facts that one of two regions limits.
fn facts_of(masked: &Result<Region, TooMany>, own: Option<&Region>) -> Vec<usize> {
    let regions = masked.as_ref().ok().into_iter().chain(own);
    let areas = regions.flat_map(|region| &region.areas);
    let facts = areas.flat_map(|area| area.limits().iter().map(|(fact, _)| *fact));
    facts.collect()
}

/// The comparisons that a condition is made of.
fn comparisons<'t>(expr: &'t Expr<'t>) -> Vec<&'t Expr<'t>> {
    match &expr.kind {
        Kind::Paren(inner) | Kind::Not(inner) => comparisons(inner),
        Kind::And(members) | Kind::Or(members) => members.iter().flat_map(comparisons).collect(),
        Kind::Compare(..) => vec![expr],
        _ => Vec::new(),
    }
}
