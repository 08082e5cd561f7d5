//! `test` blocks: given facts, states and scripts; what must follow is in `expect`.

use crate::base::{OutcomeSet, TargetId};
use crate::policy::diag::{naming as say, testing};
use crate::policy::model::{Cond, Test};
use crate::policy::resolve::policy::Resolver;
use crate::policy::schema::testing::TEST;
use crate::policy::schema::{Read, Scope, Space, Type};
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::{Expr, Kind, Op, Stmt, Tail, Word};
use crate::policy::syntax::literal::Unit;
use crate::policy::trial::{Given, Sample, Scripted, Staged, Trial};

/// The most requests of one test.
pub(super) const REQUESTS_MAX: u64 = 100_000;

impl<'t> Resolver<'t> {
    /// Settles all tests.
    pub(super) fn trials(&mut self) -> Vec<Trial> {
        let tests = self.names.all(Space::Test);
        let trials = tests.iter().map(|decl| self.trial(decl.name, decl.stmt));
        trials.collect()
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

    /// A plain whole number.
    pub(super) fn whole(&mut self, value: &'t Expr<'t>, low: u64, high: u64) -> Option<u64> {
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
