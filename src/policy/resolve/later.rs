//! What takes effect in a later release: names, types and shapes are checked all the same, so that a policy written
//! today is right when it does.

use crate::policy::diag::naming as say;
use crate::policy::resolve::block::Fields;
use crate::policy::resolve::policy::Resolver;
use crate::policy::schema::later as blocks;
use crate::policy::schema::{Block, Scope, Space};
use crate::policy::syntax::ast::{Expr, Kind, Stmt, Tail, Word};

/// What a target or provider can be set to in a test.
const STATES: [&str; 6] = [
    "closed",
    "open",
    "half_open",
    "down",
    "throttled",
    "drained",
];
/// What a drill can measure.
const MEASURES: [&str; 3] = ["error_rate", "live.error_rate", "saturation"];
/// What a test or a drill can expect.
const EXPECTS: [&str; 12] = [
    "route", "target", "chain", "status", "reject", "never", "same", "share", "success", "opened",
    "p95", "p50",
];

impl<'t> Resolver<'t> {
    /// Top-level declarations that have no effect yet.
    pub(super) fn later(&mut self) {
        const NAMED: [(Space, &Block); 2] = [
            (Space::Limit, &blocks::LIMIT),
            (Space::Budget, &blocks::BUDGET),
        ];
        for (space, block) in NAMED {
            for decl in self.names.all(space) {
                self.bodied(
                    decl.stmt,
                    space.as_str(),
                    &format!("{} NAME {{ … }}", space.as_str()),
                );
                let fields = self.fields(decl.stmt.stmts(), block);
                self.check_later(block, &fields);
            }
        }
        if let Some(stmt) = self.names.single.get("fleet").copied() {
            self.fields(stmt.stmts(), &blocks::FLEET);
        }
        for decl in self.names.all(Space::Drill) {
            self.drill(decl.stmt);
        }
        for space in [Space::Test, Space::Prove] {
            for decl in self.names.all(space) {
                self.test(decl.stmt);
            }
        }
    }

    /// The statements of such a block that are not simple fields.
    pub(super) fn check_later(&mut self, block: &'static Block, fields: &Fields<'t>) {
        for (row, stmt) in fields.others.clone() {
            match (block.word, row.word) {
                ("drill", "abort") => self.metric_clause(stmt, &MEASURES),
                ("limit", "over") | ("budget", "at") => self.consequence(stmt),
                _ => {}
            }
        }
    }

    /// `WORD when <measurement>`
    pub(super) fn metric_clause(&mut self, stmt: &'t Stmt<'t>, names: &[&str]) {
        if let ([_, Word::When(_, when)], Tail::Bare) = (stmt.words.as_slice(), &stmt.tail) {
            self.metrics(when, names);
        } else {
            let key = stmt.key();
            self.report(say::not_written_so(
                stmt.place,
                key,
                &format!("{key} when <measurement>"),
            ));
        }
    }

    /// `over -> reject(429)`, `at 80% -> warn`, `at 100% -> pool.cheap`
    fn consequence(&mut self, stmt: &'t Stmt<'t>) {
        let Tail::Arrow(then) = &stmt.tail else {
            self.report(say::not_written_so(
                stmt.place,
                stmt.key(),
                "over -> reject(429)` or `at 80% -> warn",
            ));
            return;
        };
        match then.as_slice() {
            [
                Word::Expr(Expr {
                    kind: Kind::Path("warn"),
                    ..
                }),
            ] => {}
            [
                Word::Expr(
                    call @ Expr {
                        kind: Kind::Call("reject", args),
                        ..
                    },
                ),
            ] => {
                self.reject(call, args);
            }
            [
                Word::Expr(
                    expr @ Expr {
                        kind: Kind::Path(path),
                        ..
                    },
                ),
            ] if path.starts_with("pool.") => {
                let pool = path.strip_prefix("pool.").unwrap_or(path);
                self.lookup(Space::Pool, pool, expr.place);
            }
            _ => self.report(say::not_written_so(
                stmt.place,
                stmt.key(),
                "over -> reject(429)` or `at 80% -> warn",
            )),
        }
    }

    fn drill(&mut self, stmt: &'t Stmt<'t>) {
        self.bodied(stmt, "drill", "drill NAME { … }");
        let fields = self.fields(stmt.stmts(), &blocks::DRILL);
        self.check_later(&blocks::DRILL, &fields);
        for inject in fields.of("inject") {
            match (inject.words.get(1), &inject.tail) {
                (
                    Some(Word::Expr(Expr {
                        kind: Kind::Path(path) | Kind::Index(path, _),
                        place,
                    })),
                    Tail::Bare,
                ) => {
                    self.lookup(
                        Space::Provider,
                        path.split('.').next().unwrap_or(path),
                        *place,
                    );
                    self.fields(inject.stmts(), &blocks::INJECT);
                }
                _ => self.report(say::not_written_so(
                    inject.head(),
                    "inject",
                    "inject NAME { status = 503, lasts = 2m }",
                )),
            }
        }
        for expect in fields.of("expect") {
            self.expect(expect);
        }
    }

    fn test(&mut self, stmt: &'t Stmt<'t>) {
        self.bodied(stmt, "test", "test \"name\" { … }");
        let fields = self.fields(stmt.stmts(), &blocks::TEST);
        for (row, stmt) in fields.others.clone() {
            match row.word {
                "given" => self.given(stmt),
                "state" => self.states(stmt),
                "script" => self.scripts(stmt),
                "expect" => self.expect(stmt),
                _ => {
                    if let Some(Word::Expr(fact)) = stmt.words.get(1) {
                        self.fact(fact, Scope::Attempt);
                    }
                }
            }
        }
    }

    fn given(&mut self, stmt: &'t Stmt<'t>) {
        for line in stmt.stmts() {
            match (line.words.as_slice(), &line.tail) {
                ([Word::Expr(fact)], Tail::Assign(_)) => {
                    if fact.name() != Some("seed") {
                        self.fact(fact, Scope::Attempt);
                    }
                }
                _ => self.report(say::not_written_so(
                    line.place,
                    "given",
                    "given { req.model = \"…\" }",
                )),
            }
        }
    }

    fn states(&mut self, stmt: &'t Stmt<'t>) {
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
            match of.name() {
                Some(name) if !name.contains('.') => {
                    self.lookup(Space::Provider, name, of.place);
                }
                _ => {
                    self.target(of);
                }
            }
            if !state.name().is_some_and(|word| STATES.contains(&word)) {
                let word = self.files.slice(state.place);
                self.report(say::unknown_name(state.place, "state", word, &STATES));
            }
        }
    }

    fn scripts(&mut self, stmt: &'t Stmt<'t>) {
        for line in stmt.stmts() {
            match (line.words.as_slice(), &line.tail) {
                ([Word::Expr(target)], Tail::Assign(outcomes)) => {
                    self.target(target);
                    let steps = match &outcomes.kind {
                        Kind::List(steps) => steps.as_slice(),
                        _ => std::slice::from_ref(outcomes),
                    };
                    for step in steps {
                        self.scripted_outcome(step);
                    }
                }
                _ => self.report(say::not_written_so(
                    line.place,
                    "script",
                    "script { provider.model = [s503, ok] }",
                )),
            }
        }
    }

    /// An outcome, or a status such as `s503`.
    fn scripted_outcome(&mut self, step: &'t Expr<'t>) {
        let status = step
            .name()
            .and_then(|word| word.strip_prefix('s')?.parse().ok());
        if !status.is_some_and(|status: u16| (400..=599).contains(&status)) {
            self.outcomes(step);
        }
    }

    fn expect(&mut self, stmt: &'t Stmt<'t>) {
        for line in stmt.stmts() {
            let key = match line.words.first() {
                Some(Word::Expr(Expr {
                    kind: Kind::Compare(_, left, _),
                    ..
                })) => left,
                Some(Word::Expr(expr)) => expr,
                _ => continue,
            };
            let word = match key.kind {
                Kind::Path(word) | Kind::Call(word, _) => word,
                _ => "",
            };
            match (word, &line.tail) {
                ("route", Tail::Assign(route)) => {
                    if let Some(name) = route.name() {
                        self.lookup(Space::Route, name, route.place);
                    }
                }
                ("target", Tail::Assign(target)) => {
                    self.target(target);
                }
                (
                    "chain",
                    Tail::Assign(Expr {
                        kind: Kind::List(targets),
                        ..
                    }),
                ) => {
                    for target in targets {
                        self.target(target);
                    }
                }
                _ if EXPECTS.contains(&word) => {}
                _ => {
                    let text = self.files.slice(key.place);
                    self.report(say::unknown_field(key.place, text, "expect", EXPECTS));
                }
            }
        }
    }
}
