//! What takes effect in a later release: names, types and shapes are checked all the same, so that a policy written
//! today is right when it does.

use crate::policy::diag::naming as say;
use crate::policy::resolve::block::Fields;
use crate::policy::resolve::policy::Resolver;
use crate::policy::schema::later as blocks;
use crate::policy::schema::{Block, Space};
use crate::policy::syntax::ast::{Expr, Kind, Stmt, Tail, Word};

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
    }

    /// The statements of such a block that are not simple fields.
    pub(super) fn check_later(&mut self, block: &'static Block, fields: &Fields<'t>) {
        for (row, stmt) in fields.others.clone() {
            match (block.word, row.word) {
                ("limit", "over") | ("budget", "at") => self.consequence(stmt),
                _ => {}
            }
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
}
