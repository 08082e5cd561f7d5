//! `prove` blocks: which requests are meant, and what must follow for all of them.

use crate::policy::diag::{naming as say, testing};
use crate::policy::model::{Cond, StrFact, Test};
use crate::policy::resolve::policy::Resolver;
use crate::policy::schema::testing::PROVE;
use crate::policy::schema::{Scope, Space};
use crate::policy::syntax::ast::{Op, Stmt, Tail, Word};
use crate::policy::trial::{Expect, Proof};

impl<'t> Resolver<'t> {
    /// Settles all proofs.
    pub(super) fn proofs(&mut self) -> Vec<Proof> {
        let proofs = self.names.all(Space::Prove);
        let proofs = proofs.iter().map(|decl| self.proof(decl.name, decl.stmt));
        proofs.collect()
    }

    fn proof(&mut self, name: &str, stmt: &'t Stmt<'t>) -> Proof {
        self.bodied(stmt, "prove", "prove \"name\" { … }");
        let mut proof = Proof {
            name: name.into(),
            at: self.at(stmt.key_place()),
            given: Vec::new(),
            expects: Vec::new(),
        };
        let fields = self.fields(stmt.stmts(), &PROVE);
        for (row, stmt) in fields.others.clone() {
            for line in stmt.stmts() {
                if row.word == "given" {
                    proof.given.extend(self.meant(line));
                } else {
                    self.must(line, &mut proof);
                }
            }
        }
        if fields.of("expect").next().is_none() {
            let place = stmt.key_place();
            self.report(say::missing(place, "prove", "an `expect { … }`"));
        }
        proof
    }

    /// `fact = value` as in a test, or a condition.
    fn meant(&mut self, line: &'t Stmt<'t>) -> Option<Cond> {
        // A proof says what a client key will be once there are some.
        let noted = std::mem::replace(&mut self.key_facts_noted, true);
        let cond = match (line.words.as_slice(), &line.tail) {
            ([Word::Expr(fact)], Tail::Assign(value)) => {
                self.compare(line.place, Op::Eq, fact, value, Scope::Request)
            }
            ([Word::Expr(cond)], Tail::Bare) => self.cond(cond, Scope::Request),
            _ => {
                let shape = "given { key.residency = \"eu\", req.tokens_in > 100k }";
                self.report(say::not_written_so(line.place, "given", shape));
                None
            }
        };
        self.key_facts_noted = noted;
        let mut cond = cond?;
        self.see_through_aliases(&mut cond);
        Some(cond)
    }

    /// No condition ever sees the name that an `alias` replaces.
    fn see_through_aliases(&self, cond: &mut Cond) {
        match cond {
            Cond::Test(Test::OneOf {
                fact: StrFact::Model,
                values,
                ..
            }) => {
                for value in values.iter_mut() {
                    if let Some(alias) = self.aliases.iter().find(|alias| alias.from == *value) {
                        value.clone_from(&alias.to);
                    }
                }
                values.sort_unstable();
                values.dedup();
            }
            Cond::Not(inner) => self.see_through_aliases(inner),
            Cond::All(parts) | Cond::Any(parts) => {
                for part in parts {
                    self.see_through_aliases(part);
                }
            }
            Cond::Always | Cond::Never | Cond::Test(_) => {}
        }
    }

    fn must(&mut self, line: &'t Stmt<'t>, proof: &mut Proof) {
        let Some(expect) = self.expect(line) else {
            return;
        };
        let unprovable = match &expect {
            Expect::Route(_)
            | Expect::Reject(_)
            | Expect::Attempts(_)
            | Expect::NeverAsked(_)
            | Expect::NeverWhen(_) => {
                let line = self.expectation_at(line.place, expect);
                return proof.expects.push(line);
            }
            Expect::Target(_) => "target",
            Expect::Chain(_) => "chain",
            Expect::Status(_) => "status",
            Expect::Same(..) => "same",
            Expect::Share(..) => "share",
        };
        self.report(testing::unprovable(line.place, unprovable));
    }
}
