//! `guard { … }`: what withdraws a route.

use crate::base::RouteId;
use crate::policy::diag::{Diagnostic, naming as say, routing};
use crate::policy::model::{Cond, Guard, StopRule, Test};
use crate::policy::resolve::block::Fields;
use crate::policy::resolve::names::Decl;
use crate::policy::resolve::policy::Resolver;
use crate::policy::resolve::settings::percentile;
use crate::policy::schema::{self, Space};
use crate::policy::syntax::ast::{Expr, Kind, Op, Stmt, Tail, Word};
use crate::policy::syntax::literal::Number;

const SHAPE: &str = "stop when delta(error_rate) > 1%`, `stop when ratio(error_rate) > 2`, \
     `stop when delta(p95(ttft)) > 200ms` or `stop when ratio(p95(ttft)) > 1.3";

impl<'t> Resolver<'t> {
    /// The route's guard, if it has one.
    pub(super) fn guard(&mut self, decl: Decl<'t>, fields: &Fields<'t>) -> Option<Guard> {
        let stmt = fields.of("guard").next()?;
        let place = stmt.key_place();
        let inner = self.fields(stmt.stmts(), &schema::GUARD);
        if decl.name == "default" {
            self.report(routing::guard_on_default(place));
        } else if is_reject(decl.stmt) {
            self.report(routing::guard_on_reject(place, decl.name));
        }
        let mut stop = Vec::new();
        for rule in inner.of("stop").collect::<Vec<_>>() {
            stop.extend(self.stop_rule(rule));
        }
        if stop.len() > Guard::STOPS_MAX {
            self.report(routing::too_many_stops(place, Guard::STOPS_MAX));
        }
        if inner.of("stop").next().is_none() {
            self.report(routing::guard_without(place, "`stop when …`"));
        }
        let compare = self.baseline(decl, stmt, &inner);
        Some(Guard {
            at: self.at(stmt.place),
            compare: compare?,
            window: inner.span("window")?,
            min_requests: inner.count("min_requests")?,
            stop,
        })
    }

    /// P2014: guards that wait for more requests than their canaries get.
    pub(super) fn check_guards(&self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let decls = self.names.all(Space::Route);
        for (route, decl) in self.routes.iter().zip(decls) {
            let (Some(guard), [_, _, Word::When(_, when)]) =
                (&route.guard, decl.stmt.words.as_slice())
            else {
                continue;
            };
            let share = most(&route.when, true);
            let judged = u128::from(guard.min_requests) * 1_000_000_000 * 1_000_000;
            let window = u128::from(guard.window.as_nanos()) * u128::from(share);
            let rate = u64::try_from(judged.div_ceil(window.max(1))).unwrap_or(u64::MAX);
            // A share of nothing is a canary that is switched off.
            if share > 0 && rate > RATE_MAX {
                let stmt = decl.stmt.stmts().iter().find(|stmt| stmt.key() == "guard");
                let place = stmt.map_or(decl.place, Stmt::key_place);
                found.push(routing::guard_starves(
                    (place, decl.name),
                    (guard.window, guard.min_requests),
                    (share, when.place),
                    rate,
                ));
            }
        }
        found
    }

    fn baseline(
        &mut self,
        decl: Decl<'t>,
        stmt: &'t Stmt<'t>,
        inner: &Fields<'t>,
    ) -> Option<RouteId> {
        let Some(place) = inner.place("compare") else {
            // One that is written and wrong has been reported where it stands.
            if !stmt.stmts().iter().any(|line| line.key() == "compare") {
                self.report(routing::guard_without(stmt.key_place(), "`compare`"));
            }
            return None;
        };
        let name = inner.text("compare")?;
        if name == decl.name {
            self.report(routing::guard_on_itself(place, name));
        }
        let routes = self.names.all(Space::Route);
        // Routes take their ids in this order.
        let index = routes.iter().position(|route| route.name == name)?;
        if routes.get(index).is_some_and(|route| is_reject(route.stmt)) {
            self.report(routing::guard_on_reject(place, name));
        }
        u16::try_from(index).ok().map(RouteId)
    }

    fn stop_rule(&mut self, stmt: &'t Stmt<'t>) -> Option<StopRule> {
        let [
            _,
            Word::When(
                _,
                Expr {
                    kind: Kind::Compare(Op::Gt, left, right),
                    ..
                },
            ),
        ] = stmt.words.as_slice()
        else {
            return self.no_stop(stmt);
        };
        let (Kind::Call(change @ ("delta" | "ratio"), args), Tail::Bare) = (&left.kind, &stmt.tail)
        else {
            return self.no_stop(stmt);
        };
        let [measured] = args.as_slice() else {
            return self.no_stop(stmt);
        };
        let right: &'t Expr<'t> = self.deref(right, &[]);
        let Kind::Number(limit) = right.kind else {
            return self.no_stop(stmt);
        };
        let delta = *change == "delta";
        match &measured.expr.kind {
            Kind::Path("error_rate") if delta && limit.ppm().is_some() => self
                .percent(right, limit, 1_000_000)
                .map(StopRule::ErrorDelta),
            Kind::Path("error_rate") if !delta => {
                self.ratio(right, limit).map(StopRule::ErrorRatio)
            }
            Kind::Call(name, of) if matches!(of.as_slice(), [of] if of.expr.name() == Some("ttft")) =>
            {
                let Some(percentile) = percentile(name) else {
                    return self.no_stop(stmt);
                };
                if delta {
                    let more = limit.span();
                    if more.is_none() {
                        return self.no_stop(stmt);
                    }
                    more.map(|more| StopRule::TtftDelta { percentile, more })
                } else {
                    let times = self.ratio(right, limit);
                    times.map(|times| StopRule::TtftRatio { percentile, times })
                }
            }
            Kind::Path("error_rate") => self.no_stop(stmt),
            _ => {
                let text = self.files.slice(measured.expr.place);
                let known = ["error_rate", "p50(ttft)", "p95(ttft)"];
                self.report(say::unknown_name(
                    measured.expr.place,
                    "measurement",
                    text,
                    &known,
                ));
                None
            }
        }
    }

    /// How many millionths of the baseline's: never below one whole, or a canary that does as well would be withdrawn.
    fn ratio(&mut self, at: &Expr<'t>, number: Number) -> Option<u64> {
        let whole = number.millionths();
        if whole.is_some_and(|times| (1_000_000..=StopRule::RATIO_MAX).contains(&times)) {
            return whole;
        }
        let text = self.files.slice(at.place);
        self.report(say::out_of_range(at.place, text, "1", "1000"));
        None
    }

    fn no_stop<T>(&mut self, stmt: &'t Stmt<'t>) -> Option<T> {
        self.report(say::not_written_so(stmt.place, "stop", SHAPE));
        None
    }
}

/// The largest part of all requests that hashes leave to a condition, or to its opposite, in parts per million.
fn most(cond: &Cond, wanted: bool) -> u32 {
    const ALL: u32 = 1_000_000;
    match cond {
        Cond::Test(Test::HashBelow { share, .. }) if wanted => *share,
        Cond::Test(Test::HashBelow { share, .. }) => ALL - share,
        Cond::Test(_) | Cond::Always | Cond::Never => ALL,
        Cond::Not(inner) => most(inner, !wanted),
        Cond::All(parts) | Cond::Any(parts) => {
            let parts = parts.iter().map(|part| most(part, wanted));
            if matches!(cond, Cond::All(_)) == wanted {
                parts.min().unwrap_or(ALL)
            } else {
                parts.fold(0, u32::saturating_add).min(ALL)
            }
        }
    }
}

/// Requests a second, of all that the gateway gets: who has more can wait for a guard with few of them.
const RATE_MAX: u64 = 1_000;

/// Whether the route is only a `reject(…)`.
fn is_reject(route: &Stmt<'_>) -> bool {
    route.stmts().iter().any(|stmt| stmt.key() == "reject")
}
