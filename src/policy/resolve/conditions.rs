//! Conditions that are always true or never true, by themselves.

use crate::policy::diag::reach as say;
use crate::policy::model::{Cond, StrFact, Test};
use crate::policy::reason::{Classes, Region, Switches, TooMany};
use crate::policy::resolve::policy::Resolver;
use crate::policy::schema::Scope;
use crate::policy::syntax::ast::{Expr, Kind};

/// Whose condition it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner<'n> {
    /// `route`, `forbid`, `hedge of route`
    pub(super) kind: &'static str,
    pub(super) name: &'n str,
    pub(super) scope: Scope,
    /// What to do where it always holds.
    pub(super) instead: &'static str,
}

/// What came of a look at one condition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Truth {
    /// It holds for some requests and not for others, or a switch says for which.
    Depends,
    Always,
    Never,
    /// There are too many combinations.
    Unknown,
}

impl<'t> Resolver<'t> {
    /// Reports a condition that does not depend on the request, and alternatives of it that can never hold.
    pub(super) fn check_condition(
        &mut self,
        classes: &Classes<'_>,
        expr: &'t Expr<'t>,
        cond: &Cond,
        owner: Owner<'_>,
    ) -> Truth {
        let truth = truth_of(classes, cond).unwrap_or(Truth::Unknown);
        let name = format!("{} `{}`", owner.kind, owner.name);
        match truth {
            Truth::Never => {
                let core = self.core(classes, parts_of(expr), owner.scope);
                self.contradiction(Some(&name), &core, owner.scope);
            }
            Truth::Always => self.report(say::always_true(expr.place, &name, owner.instead)),
            Truth::Depends => self.dead_alternatives(classes, expr, &[], owner.scope),
            Truth::Unknown => {}
        }
        truth
    }

    /// Alternatives that never hold beside `context`, parts that hold at the same time.
    fn dead_alternatives(
        &mut self,
        classes: &Classes<'_>,
        expr: &'t Expr<'t>,
        context: &[&'t Expr<'t>],
        scope: Scope,
    ) {
        match &expr.kind {
            Kind::Paren(inner) => self.dead_alternatives(classes, inner, context, scope),
            Kind::And(members) => {
                for (number, member) in members.iter().enumerate() {
                    if !has_alternatives(member) {
                        continue;
                    }
                    let others = members.iter().enumerate();
                    let others = others.filter(|(other, _)| *other != number);
                    let mut beside = context.to_vec();
                    beside.extend(others.flat_map(|(_, other)| parts_of(other)));
                    self.dead_alternatives(classes, member, &beside, scope);
                }
            }
            Kind::Or(members) => {
                for member in members {
                    let mut all = context.to_vec();
                    all.extend(parts_of(member));
                    if self.never_hold(classes, &all, scope) {
                        let core = self.core(classes, all, scope);
                        self.contradiction(None, &core, scope);
                    } else {
                        self.dead_alternatives(classes, member, context, scope);
                    }
                }
            }
            _ => {}
        }
    }

    /// Whether parts never hold together, whatever switches say.
    fn never_hold(&mut self, classes: &Classes<'_>, parts: &[&'t Expr<'t>], scope: Scope) -> bool {
        let conds: Option<Vec<Cond>> = parts.iter().map(|part| self.cond(part, scope)).collect();
        let region = conds.map(|conds| classes.region(&Cond::All(conds), Switches::Open));
        matches!(region, Some(Ok(region)) if region.is_empty())
    }

    /// The fewest parts that never hold together: each is needed.
    fn core(
        &mut self,
        classes: &Classes<'_>,
        mut parts: Vec<&'t Expr<'t>>,
        scope: Scope,
    ) -> Vec<&'t Expr<'t>> {
        let mut at = 0;
        while at < parts.len() && parts.len() > 1 {
            let part = parts.remove(at);
            if !self.never_hold(classes, &parts, scope) {
                parts.insert(at, part);
                at += 1;
            }
        }
        parts.sort_by_key(|part| part.place);
        parts
    }

    fn contradiction(&mut self, owner: Option<&str>, core: &[&'t Expr<'t>], scope: Scope) {
        let places: Vec<_> = core.iter().map(|part| part.place).collect();
        let mut diagnostic = say::always_false(owner, &places);
        if let [part] = core
            && let Some(Cond::Test(Test::OneOf { fact, values, .. })) = self.cond(part, scope)
            && fact == StrFact::Model
            && let Some(alias) = self
                .aliases
                .iter()
                .find(|alias| values.contains(&alias.from))
        {
            diagnostic = say::replaced(diagnostic, &alias.from, &alias.to);
        }
        self.report(diagnostic);
    }
}

fn truth_of(classes: &Classes<'_>, cond: &Cond) -> Result<Truth, TooMany> {
    let open = classes.region(cond, Switches::Open)?;
    match open.areas.as_slice() {
        [] => return Ok(Truth::Never),
        // One set for a fact or two: the usual condition, which is not everything.
        [area] if !area.limits().is_empty() => return Ok(Truth::Depends),
        _ => {}
    }
    let outside = classes.region_without(cond, Switches::Shut);
    Ok(if outside.as_ref().is_ok_and(Region::is_empty) {
        Truth::Always
    } else {
        Truth::Depends
    })
}

/// What must hold at the same time.
fn parts_of<'t>(expr: &'t Expr<'t>) -> Vec<&'t Expr<'t>> {
    match &expr.kind {
        Kind::Paren(inner) => parts_of(inner),
        Kind::And(members) => members.iter().flat_map(parts_of).collect(),
        _ => vec![expr],
    }
}

fn has_alternatives(expr: &Expr<'_>) -> bool {
    match &expr.kind {
        Kind::Paren(inner) => has_alternatives(inner),
        Kind::And(members) => members.iter().any(has_alternatives),
        Kind::Or(_) => true,
        _ => false,
    }
}
