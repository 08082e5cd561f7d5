//! `test` blocks: given facts, states and scripts, and what must follow. `prove` blocks are checked in the same way.

use crate::base::{OutcomeSet, RouteId, TargetId};
use crate::policy::diag::{naming as say, testing};
use crate::policy::model::{Cond, Test};
use crate::policy::resolve::policy::Resolver;
use crate::policy::schema::testing::TEST;
use crate::policy::schema::{Read, Scope, Space, Type};
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::{Expr, Kind, Op, Stmt, Tail, Word};
use crate::policy::syntax::literal::Unit;
use crate::policy::trial::{
    Expect, Expectation, Given, OneOf, SameOf, Sample, Scripted, ShareOf, Staged, Trial, Within,
};

/// What a test can expect.
const EXPECTS: [&str; 9] = [
    "route", "target", "chain", "status", "attempts", "reject", "never", "same", "share",
];
/// The most requests of one test.
const REQUESTS_MAX: u64 = 100_000;

impl<'t> Resolver<'t> {
    /// Settles all tests, and checks proofs.
    pub(super) fn trials(&mut self) -> Vec<Trial> {
        let tests = self.names.all(Space::Test);
        let trials = tests.iter().map(|decl| self.trial(decl.name, decl.stmt));
        let trials: Vec<Trial> = trials.collect();
        for decl in self.names.all(Space::Prove) {
            self.trial(decl.name, decl.stmt);
        }
        trials
    }

    fn trial(&mut self, name: &str, stmt: &'t Stmt<'t>) -> Trial {
        self.bodied(
            stmt,
            stmt.key(),
            &format!("{} \"name\" {{ … }}", stmt.key()),
        );
        let mut trial = Trial {
            name: name.into(),
            at: self.at(stmt.key_place()),
            given: Vec::new(),
            seed: 0,
            states: Vec::new(),
            scripts: Vec::new(),
            sample: None,
            expects: Vec::new(),
        };
        let fields = self.fields(stmt.stmts(), &TEST);
        for (row, stmt) in fields.others.clone() {
            match row.word {
                "given" => self.given(stmt, &mut trial.given, &mut trial.seed),
                "state" => self.states(stmt, &mut trial),
                "script" => self.scripts(stmt, &mut trial),
                "sample" => trial.sample = self.sample(stmt),
                _ => self.expects(stmt, &mut trial),
            }
        }
        if trial.expects.is_empty() && fields.of("expect").next().is_none() {
            let place = stmt.key_place();
            self.report(say::missing(place, stmt.key(), "an `expect { … }`"));
        }
        self.check_shares(&trial, &fields.of("expect").collect::<Vec<_>>());
        trial
    }

    /// The facts of one `given { … }`, and its seed.
    pub(super) fn given(&mut self, stmt: &'t Stmt<'t>, facts: &mut Vec<Given>, seed: &mut u64) {
        for line in stmt.stmts() {
            let ([Word::Expr(fact)], Tail::Assign(value)) = (line.words.as_slice(), &line.tail)
            else {
                self.report(say::not_written_so(
                    line.place,
                    "given",
                    "given { req.model = \"…\" }",
                ));
                continue;
            };
            if fact.name() == Some("seed") {
                *seed = self
                    .whole(value, 0, u64::from(u32::MAX))
                    .unwrap_or_default();
            } else if let Some(given) = self.given_fact(line.place, fact, value) {
                facts.push(given);
            }
        }
    }

    /// A fact is given as a condition would compare it.
    fn given_fact(
        &mut self,
        place: Place,
        fact: &'t Expr<'t>,
        value: &'t Expr<'t>,
    ) -> Option<Given> {
        // A test says what a client key will be once there are some.
        let noted = std::mem::replace(&mut self.key_facts_noted, true);
        let equal = self.compare(place, Op::Eq, fact, value, Scope::Request);
        self.key_facts_noted = noted;
        match equal? {
            Cond::Test(Test::OneOf { fact, values, .. }) => {
                let value = values.into_iter().next()?;
                Some(Given::Text(fact, value))
            }
            Cond::Test(Test::Within { fact, low, .. }) => Some(Given::Int(fact, low)),
            Cond::Test(Test::Flag(flag)) => Some(Given::Flag(flag, true)),
            Cond::Not(inner) => match *inner {
                Cond::Test(Test::Flag(flag)) => Some(Given::Flag(flag, false)),
                _ => None,
            },
            _ => None,
        }
    }

    fn states(&mut self, stmt: &'t Stmt<'t>, trial: &mut Trial) {
        for line in stmt.stmts() {
            let ([Word::Expr(of)], Tail::Assign(state)) = (line.words.as_slice(), &line.tail)
            else {
                self.report(say::not_written_so(
                    line.place,
                    "state",
                    "state { provider = open }",
                ));
                continue;
            };
            let targets = self.targets_of(of);
            let staged = state.name().and_then(Staged::from_word);
            if staged == Some(Staged::Down) {
                self.check_down(of.place, targets.as_deref().unwrap_or_default());
            }
            if staged.is_none() {
                let word = self.files.slice(state.place);
                let words = Staged::ALL.map(Staged::as_str);
                self.report(say::unknown_name(state.place, "state", word, &words));
            }
            if let (Some(targets), Some(staged)) = (targets, staged) {
                let states = targets.into_iter().map(|target| (target, staged));
                trial.states.extend(states);
            }
        }
    }

    /// Only health checks find that nobody is there.
    fn check_down(&mut self, place: Place, targets: &[TargetId]) {
        let unchecked = targets.iter().find_map(|target| {
            let target = self.targets.get(target.index())?;
            let provider = self.providers.get(target.provider.index())?;
            provider.health.is_none().then(|| provider.name.clone())
        });
        if let Some(provider) = unchecked {
            self.report(testing::never_down(place, &provider));
        }
    }

    fn scripts(&mut self, stmt: &'t Stmt<'t>, trial: &mut Trial) {
        for line in stmt.stmts() {
            let ([Word::Expr(of)], Tail::Assign(outcomes)) = (line.words.as_slice(), &line.tail)
            else {
                self.report(say::not_written_so(
                    line.place,
                    "script",
                    "script { provider.model = [s503, ok] }",
                ));
                continue;
            };
            let targets = self.targets_of(of).unwrap_or_default();
            let steps = match &outcomes.kind {
                Kind::List(steps) => steps.as_slice(),
                _ => std::slice::from_ref(outcomes),
            };
            let steps: Vec<_> = steps
                .iter()
                .filter_map(|step| self.scripted(step))
                .collect();
            let scripts = targets.into_iter().map(|target| (target, steps.clone()));
            trial.scripts.extend(scripts);
        }
    }

    /// An outcome, or a status such as `s503`.
    fn scripted(&mut self, step: &'t Expr<'t>) -> Option<Scripted> {
        let status = step
            .name()
            .and_then(|word| word.strip_prefix('s')?.parse().ok())
            .filter(|status| (400..=599).contains(status));
        if let Some(status) = status {
            return Some(Scripted::Status(status));
        }
        let outcomes: OutcomeSet = self.outcomes(step)?;
        let mut each = outcomes.iter();
        let only = each.next().filter(|_| each.next().is_none());
        if only.is_none() {
            self.report(say::not_written_so(
                step.place,
                "script",
                "provider.model = [s503, timeout, ok]",
            ));
        }
        only.map(Scripted::Outcome)
    }

    pub(super) fn sample(&mut self, stmt: &'t Stmt<'t>) -> Option<Sample> {
        let [_, Word::Expr(fact), Word::Expr(count)] = stmt.words.as_slice() else {
            self.report(say::not_written_so(
                stmt.place,
                "sample",
                "sample key.id 20000",
            ));
            return None;
        };
        let noted = std::mem::replace(&mut self.key_facts_noted, true);
        let read = self.fact_in(fact, Scope::Request);
        self.key_facts_noted = noted;
        let count = self.whole(count, 1, REQUESTS_MAX);
        let Read::Str(fact_read) = read? else {
            let text = self.files.slice(fact.place);
            self.report(say::has_wants_string(fact.place, text));
            return None;
        };
        Some(Sample {
            fact: fact_read,
            count: u32::try_from(count?).ok()?,
        })
    }

    fn expects(&mut self, stmt: &'t Stmt<'t>, trial: &mut Trial) {
        for line in stmt.stmts() {
            if let Some(expect) = self.expect(line) {
                trial.expects.push(Expectation {
                    text: self.files.slice(line.place).trim_end().into(),
                    at: self.at(line.place),
                    expect,
                });
            }
        }
    }

    fn expect(&mut self, line: &'t Stmt<'t>) -> Option<Expect> {
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
                let len = u32::try_from(route.len()).unwrap_or(of.place.len);
                let place = Place {
                    start: of.place.start + of.place.len.saturating_sub(len),
                    len,
                    ..of.place
                };
                self.route_named(route, place).map(ShareOf::Route)
            }
            None => self.targets_of(of).map(ShareOf::Targets),
        }
    }

    /// A share is one of many requests.
    fn check_shares(&mut self, trial: &Trial, expects: &[&'t Stmt<'t>]) {
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

    /// A target, or all targets of a provider.
    pub(super) fn targets_of(&mut self, of: &'t Expr<'t>) -> Option<Vec<TargetId>> {
        let Some(name) = of.name().filter(|name| !name.contains('.')) else {
            return self.target(of).map(|target| vec![target]);
        };
        self.lookup(Space::Provider, name, of.place)?;
        let provider = self.providers.iter().position(|own| *own.name == *name)?;
        let own = (0_u16..).zip(&self.targets);
        Some(
            own.filter(|(_, target)| target.provider.index() == provider)
                .map(|(id, _)| TargetId(id))
                .collect(),
        )
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

    /// A plain whole number.
    fn whole(&mut self, value: &'t Expr<'t>, low: u64, high: u64) -> Option<u64> {
        let value = self.deref(value, &[]);
        match value.kind {
            Kind::Number(number) if matches!(number.unit, Unit::Plain | Unit::Count(_)) => {
                self.bounded(value, number.count(), low, high)
            }
            _ => {
                self.mismatch(value, &Type::Int(0, u64::MAX), None);
                None
            }
        }
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
