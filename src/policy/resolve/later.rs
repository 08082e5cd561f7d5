//! What takes effect in a later release: names, types and shapes are checked all the same, so that a policy written
//! today is right when it does.

use crate::policy::diag::naming as say;
use crate::policy::resolve::block::Fields;
use crate::policy::resolve::policy::Resolver;
use crate::policy::schema::later as blocks;
use crate::policy::schema::{Block, Space};
use crate::policy::syntax::ast::{Expr, Kind, Stmt, Tail, Word};

/// What a drill can measure.
const MEASURES: [&str; 3] = ["error_rate", "live.error_rate", "saturation"];
/// What a drill can expect.
const EXPECTS: [&str; 6] = ["success", "share", "opened", "closed", "p95", "p50"];

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
            self.drill_expect(expect);
        }
    }

    fn drill_expect(&mut self, stmt: &'t Stmt<'t>) {
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
            if !EXPECTS.contains(&word) {
                let text = self.files.slice(key.place);
                self.report(say::unknown_field(key.place, text, "expect", EXPECTS));
            }
        }
    }
}
