//! Where the parts of settings and routes stand: what is said about several of them together points at each.

use crate::policy::model::Measure;
use crate::policy::resolve::block::Fields;
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::{Expr, Kind, Stmt, Word};

/// The parts of a breaker that is written; what is left out has no place.
#[derive(Clone, Debug, Default)]
pub(super) struct BreakerPlaces {
    pub(super) min_requests: Option<Place>,
    pub(super) cool_down: Option<Place>,
    pub(super) scope: Option<Place>,
    pub(super) error_rate: Option<Place>,
    pub(super) consecutive: Option<Place>,
    /// One for each latency rule, in their order.
    pub(super) slow: Vec<Place>,
}

impl BreakerPlaces {
    pub(super) fn of(fields: &Fields<'_>) -> Self {
        let mut places = Self {
            min_requests: fields.place("min_requests"),
            cool_down: fields.place("cool_down"),
            scope: fields.place("scope"),
            ..Self::default()
        };
        for rule in fields.of("open") {
            let Some(measured) = measured(rule) else {
                continue;
            };
            match measured.kind {
                Kind::Path("error_rate") => places.error_rate = Some(rule.place),
                Kind::Path("consecutive") => places.consecutive = Some(rule.place),
                Kind::Call(..) => places.slow.push(rule.place),
                _ => {}
            }
        }
        places
    }

    /// The first rule that is about a part of the window.
    pub(super) fn a_rate(&self) -> Option<Place> {
        self.error_rate.or_else(|| self.slow.first().copied())
    }
}

/// The left side of `WORD when left > right`.
fn measured<'t>(stmt: &'t Stmt<'t>) -> Option<&'t Expr<'t>> {
    match stmt.words.as_slice() {
        [
            _,
            Word::When(
                _,
                Expr {
                    kind: Kind::Compare(_, left, _),
                    ..
                },
            ),
        ] => Some(left),
        _ => None,
    }
}

/// The parts of a route with targets.
#[derive(Clone, Debug, Default)]
pub(super) struct RoutePlaces {
    /// One for each member of its tiers, in their order.
    pub(super) members: Vec<Place>,
    /// One for each line that jumps, in their order.
    pub(super) jumps: Vec<Place>,
    pub(super) hedge: Option<Place>,
    pub(super) deadline: Option<Place>,
    pub(super) sticky: Option<Place>,
    /// Whether it names budgets.
    pub(super) budgets: bool,
}

/// The line `on ttft > …` that comes first in a route.
pub(super) fn slow_line<'t>(route: &'t Stmt<'t>) -> Option<Place> {
    fallback_line(
        route,
        |on| matches!(&on.kind, Kind::Compare(_, left, _) if left.name() == Some(Measure::Ttft.as_str())),
    )
}

/// The first line of a route's fallback whose `on` is so.
pub(super) fn fallback_line<'t>(
    route: &'t Stmt<'t>,
    is: impl Fn(&Expr<'t>) -> bool,
) -> Option<Place> {
    let fallback = route.stmts().iter().find(|stmt| stmt.key() == "fallback")?;
    let line = fallback
        .stmts()
        .iter()
        .find(|line| match line.words.first() {
            Some(Word::On(_, on)) => is(on),
            _ => false,
        })?;
    Some(line.place)
}
