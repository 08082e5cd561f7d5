//! What a `test` expects: routes, targets, statuses and shares.

use crate::base::{RouteId, TargetId};
use crate::policy::diag::naming as say;
use crate::policy::resolve::policy::Resolver;
use crate::policy::resolve::trial::REQUESTS_MAX;
use crate::policy::schema::{Scope, Space, Type};
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::{Expr, Kind, Op, Stmt, Tail, Word};
use crate::policy::syntax::literal::Unit;
use crate::policy::trial::{Expect, Expectation, OneOf, SameOf, ShareOf, Trial, Within};

/// What a test can expect.
const EXPECTS: [&str; 9] = [
    "route", "target", "chain", "status", "attempts", "reject", "never", "same", "share",
];

impl<'t> Resolver<'t> {
    pub(super) fn expects(&mut self, stmt: &'t Stmt<'t>, trial: &mut Trial) {
        for line in stmt.stmts() {
            if let Some(expect) = self.expect(line) {
                trial.expects.push(self.expectation_at(line.place, expect));
            }
        }
    }

    /// With its text.
    pub(super) fn expectation_at(&self, place: Place, expect: Expect) -> Expectation {
        Expectation {
            text: self.files.slice(place).trim_end().into(),
            at: self.at(place),
            expect,
        }
    }

    pub(super) fn expect(&mut self, line: &'t Stmt<'t>) -> Option<Expect> {
        match (line.words.as_slice(), &line.tail) {
            ([Word::Expr(never), Word::Expr(what)], Tail::Bare) if is(never, "never") => {
                self.never(what)
            }
            (
                [
                    Word::Expr(same),
                    Word::Expr(of),
                    Word::Expr(over),
                    Word::Expr(count),
                ],
                Tail::Bare,
            ) if is(same, "same") && is(over, "over") => self.same(of, count),
            ([Word::Expr(key)], Tail::Assign(value)) => {
                self.expectation(line.place, key, Op::Eq, value)
            }
            (
                [
                    Word::Expr(Expr {
                        kind: Kind::Compare(op, key, value),
                        ..
                    }),
                ],
                Tail::Bare,
            ) => self.expectation(line.place, key, *op, value),
            _ => {
                let word = line.key();
                if EXPECTS.contains(&word) {
                    self.report(say::not_written_so(line.place, word, shape_of(word)));
                } else {
                    self.unexpected(line.key_place());
                }
                None
            }
        }
    }

    fn expectation(
        &mut self,
        place: Place,
        key: &'t Expr<'t>,
        op: Op,
        value: &'t Expr<'t>,
    ) -> Option<Expect> {
        let word = match key.kind {
            Kind::Path(word) | Kind::Call(word, _) => word,
            _ => "",
        };
        let negated = matches!(op, Op::Ne | Op::NotIn);
        let chosen = matches!(op, Op::Eq | Op::Ne | Op::In | Op::NotIn);
        match (word, &key.kind) {
            ("route", Kind::Path(_)) if chosen => {
                let values = self.routes_named(value)?;
                Some(Expect::Route(OneOf { values, negated }))
            }
            ("target", Kind::Path(_)) if chosen => {
                let values = self.targets_listed(value)?;
                Some(Expect::Target(OneOf { values, negated }))
            }
            ("chain", Kind::Path(_)) if op == Op::Eq => {
                let Kind::List(targets) = &value.kind else {
                    self.report(say::not_written_so(place, "chain", shape_of("chain")));
                    return None;
                };
                let targets: Vec<_> = targets.iter().map(|target| self.target(target)).collect();
                targets
                    .into_iter()
                    .collect::<Option<_>>()
                    .map(Expect::Chain)
            }
            ("status", Kind::Path(_)) => self.within(op, value, 599).map(Expect::Status),
            ("reject", Kind::Path(_)) => self.within(op, value, 599).map(Expect::Reject),
            ("attempts", Kind::Path(_)) => self.within(op, value, 255).map(Expect::Attempts),
            ("share", Kind::Call(_, args)) => {
                let [arg] = args.as_slice() else {
                    self.report(say::not_written_so(place, "share", shape_of("share")));
                    return None;
                };
                let of = self.share_of(&arg.expr);
                let within = self.part(op, value);
                Some(Expect::Share(of?, within?))
            }
            _ if EXPECTS.contains(&word) => {
                self.report(say::not_written_so(place, word, shape_of(word)));
                None
            }
            _ => {
                self.unexpected(key.place);
                None
            }
        }
    }

    fn unexpected(&mut self, place: Place) {
        let text = self.files.slice(place);
        self.report(say::unknown_field(place, text, "expect", EXPECTS));
    }

    /// `never [openai, anthropic]`, `never openai`, or a condition on targets.
    fn never(&mut self, what: &'t Expr<'t>) -> Option<Expect> {
        let names = match &what.kind {
            Kind::List(_) => true,
            Kind::Path(path) => !path.starts_with("target."),
            _ => false,
        };
        if names {
            self.targets_listed(what).map(Expect::NeverAsked)
        } else {
            self.cond(what, Scope::Attempt).map(Expect::NeverWhen)
        }
    }

    /// `same target over 1000`
    fn same(&mut self, of: &'t Expr<'t>, count: &'t Expr<'t>) -> Option<Expect> {
        let of = match of.name() {
            Some("route") => SameOf::Route,
            Some("target") => SameOf::Target,
            _ => {
                let word = self.files.slice(of.place);
                self.report(say::unknown_name(
                    of.place,
                    "word",
                    word,
                    &["route", "target"],
                ));
                return None;
            }
        };
        let count = self.whole(count, 2, REQUESTS_MAX)?;
        u32::try_from(count)
            .ok()
            .map(|count| Expect::Same(of, count))
    }

    pub(super) fn share_of(&mut self, of: &'t Expr<'t>) -> Option<ShareOf> {
        match of.name().and_then(|name| name.strip_prefix("route.")) {
            Some(route) => {
                let name = u32::try_from(route.len()).unwrap_or(of.place.len);
                let place = Place {
                    start: of.place.end().start.saturating_sub(name),
                    len: name,
                    ..of.place
                };
                self.route_named(route, place).map(ShareOf::Route)
            }
            None => self.targets_of(of).map(ShareOf::Targets),
        }
    }

    /// A share is one of many requests.
    pub(super) fn check_shares(&mut self, trial: &Trial, expects: &[&'t Stmt<'t>]) {
        if trial.sample.is_some() {
            return;
        }
        for line in expects.iter().flat_map(|stmt| stmt.stmts()) {
            let share = match line.words.first() {
                Some(Word::Expr(Expr {
                    kind: Kind::Compare(_, key, _),
                    ..
                })) => matches!(key.kind, Kind::Call("share", _)),
                _ => false,
            };
            if share {
                let what = "a `sample`, of which this is a share";
                self.report(say::missing(line.key_place(), "test", what));
            }
        }
    }

    fn routes_named(&mut self, value: &'t Expr<'t>) -> Option<Vec<RouteId>> {
        let names = match &value.kind {
            Kind::List(names) => names.as_slice(),
            _ => std::slice::from_ref(value),
        };
        let routes: Vec<_> = names
            .iter()
            .map(|expr| {
                let Some(name) = expr.name() else {
                    self.report(say::not_written_so(expr.place, "route", shape_of("route")));
                    return None;
                };
                self.route_named(name, expr.place)
            })
            .collect();
        routes.into_iter().collect()
    }

    fn route_named(&mut self, name: &'t str, place: Place) -> Option<RouteId> {
        self.lookup(Space::Route, name, place)?;
        let index = self.routes.iter().position(|route| *route.name == *name)?;
        u16::try_from(index).ok().map(RouteId)
    }

    /// Targets and providers, alone or in a list.
    pub(super) fn targets_listed(&mut self, value: &'t Expr<'t>) -> Option<Vec<TargetId>> {
        let Kind::List(items) = &value.kind else {
            return self.targets_of(value);
        };
        let each: Vec<_> = items.iter().map(|item| self.targets_of(item)).collect();
        let each: Vec<Vec<TargetId>> = each.into_iter().collect::<Option<_>>()?;
        Some(each.concat())
    }

    pub(super) fn within(&mut self, op: Op, value: &'t Expr<'t>, most: u64) -> Option<Within> {
        if let Kind::Range(low, high) = value.kind {
            let low = self.bounded(value, low.count(), 0, most)?;
            let high = self.bounded(value, high.count(), 0, most)?;
            return self.ranged(op, value, low, high);
        }
        let value_of = self.whole(value, 0, most)?;
        self.compared(op, value, value_of)
    }

    pub(super) fn part(&mut self, op: Op, value: &'t Expr<'t>) -> Option<Within> {
        match value.kind {
            Kind::Range(low, high) => {
                let low = self.percent(value, low, 1_000_000)?;
                let high = self.percent(value, high, 1_000_000)?;
                self.ranged(op, value, low.into(), high.into())
            }
            Kind::Number(number) if number.unit == Unit::Percent => {
                let part = self.percent(value, number, 1_000_000)?;
                self.compared(op, value, part.into())
            }
            _ => {
                self.mismatch(value, &Type::Percent(1_000_000), None);
                None
            }
        }
    }

    pub(super) fn ranged(
        &mut self,
        op: Op,
        value: &Expr<'t>,
        low: u64,
        high: u64,
    ) -> Option<Within> {
        if low > high {
            self.report(say::range_reversed(value.place));
            return None;
        }
        let negated = match op {
            Op::In | Op::Eq => false,
            Op::NotIn | Op::Ne => true,
            _ => {
                self.report(say::not_written_so(value.place, op.as_str(), "in 4%..6%"));
                return None;
            }
        };
        Some(Within { low, high, negated })
    }

    pub(super) fn compared(&mut self, op: Op, value: &Expr<'t>, than: u64) -> Option<Within> {
        let (low, high) = match op {
            Op::Eq | Op::Ne => (than, than),
            Op::Le => (0, than),
            Op::Ge => (than, u64::MAX),
            Op::Gt => (than + 1, u64::MAX),
            Op::Lt if than > 0 => (0, than - 1),
            _ => {
                self.report(say::not_written_so(value.place, op.as_str(), "<= 2"));
                return None;
            }
        };
        Some(Within {
            low,
            high,
            negated: op == Op::Ne,
        })
    }
}

fn is(expr: &Expr<'_>, word: &str) -> bool {
    expr.name() == Some(word)
}

/// How an expectation is written.
fn shape_of(word: &str) -> &'static str {
    match word {
        "route" => "route = NAME",
        "target" => "target = provider.model` or `target in [provider.model, provider]",
        "chain" => "chain = [provider.model, provider.model]",
        "status" => "status = 200",
        "attempts" => "attempts <= 2",
        "reject" => "reject = 503",
        "never" => "never [provider]` or `never target.region != eu",
        "same" => "same target over 1000` or `same route over 1000",
        _ => "share(route.NAME) in 4%..6%` or `share(provider) > 50%",
    }
}
