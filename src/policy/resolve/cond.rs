//! Conditions: from expressions to typed tests on facts.

use crate::policy::diag::{naming as say, safety};
use crate::policy::model::{Cond, StrFact, Test};
use crate::policy::resolve::policy::Resolver;
use crate::policy::resolve::value::describe;
use crate::policy::schema::{FACTS, Read, Scope};
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::{Expr, Kind, Op};

impl<'t> Resolver<'t> {
    /// The condition, or a report.
    pub(super) fn cond(&mut self, expr: &'t Expr<'t>, scope: Scope) -> Option<Cond> {
        match &expr.kind {
            Kind::Paren(inner) => self.cond(inner, scope),
            Kind::Not(inner) => Some(negate(self.cond(inner, scope)?)),
            Kind::And(members) => self.conds(members, scope).map(Cond::All),
            Kind::Or(members) => {
                if members
                    .iter()
                    .any(|member| matches!(member.kind, Kind::And(_)))
                {
                    self.mixed(expr, members);
                }
                self.conds(members, scope).map(Cond::Any)
            }
            Kind::Compare(op, left, right) => self.compare(expr.place, *op, left, right, scope),
            Kind::Call("has", args) => match args.as_slice() {
                [arg] if arg.value.is_none() => {
                    if let Read::Str(fact) = self.fact_in(&arg.expr, scope)? {
                        Some(Cond::Test(Test::Present(fact)))
                    } else {
                        self.report(say::has_wants_string(
                            arg.expr.place,
                            self.files.slice(arg.expr.place),
                        ));
                        None
                    }
                }
                _ => {
                    self.report(say::not_written_so(
                        expr.place,
                        "has",
                        "has(req.header[\"name\"])",
                    ));
                    None
                }
            },
            _ => self.bare(expr, scope),
        }
    }

    /// `and` beside `or`: shows how it is read, and the other reading where there is just one.
    pub(super) fn mixed(&mut self, whole: &Expr<'t>, members: &'t [Expr<'t>]) {
        let part = |member: &Expr<'t>| {
            let text = self.files.slice(member.place);
            match member.kind {
                Kind::And(_) => format!("({text})"),
                _ => text.to_owned(),
            }
        };
        let read = members.iter().map(part).collect::<Vec<_>>().join(" or ");
        let other = match members {
            [
                first,
                Expr {
                    kind: Kind::And(ands),
                    ..
                },
            ] if !matches!(first.kind, Kind::And(_)) => ands.split_first().map(|(near, far)| {
                let either = format!("({} or {})", part(first), part(near));
                let others = far.iter().map(part);
                std::iter::once(either)
                    .chain(others)
                    .collect::<Vec<_>>()
                    .join(" and ")
            }),
            [
                Expr {
                    kind: Kind::And(ands),
                    ..
                },
                last,
            ] if !matches!(last.kind, Kind::And(_)) => ands.split_last().map(|(near, far)| {
                let either = format!("({} or {})", part(near), part(last));
                let others = far.iter().map(part);
                others.chain([either]).collect::<Vec<_>>().join(" and ")
            }),
            _ => None,
        };
        let mixed = members
            .iter()
            .find(|member| matches!(member.kind, Kind::And(_)));
        let and = mixed.map_or(whole.place, |member| member.place);
        self.report(say::mixed_and_or(whole.place, and, &read, other.as_deref()));
    }

    fn conds(&mut self, members: &'t [Expr<'t>], scope: Scope) -> Option<Vec<Cond>> {
        let conds: Vec<_> = members
            .iter()
            .map(|member| self.cond(member, scope))
            .collect();
        conds.into_iter().collect()
    }

    /// A condition without an operator: a flag, `true`, `false`, or a const that is one of the two.
    fn bare(&mut self, expr: &'t Expr<'t>, scope: Scope) -> Option<Cond> {
        let value = self.deref(expr, &[]);
        match value.kind {
            Kind::Path("true") => Some(Cond::Always),
            Kind::Path("false") => Some(Cond::Never),
            Kind::Path(_) | Kind::Index(..) => match self.fact_in(value, scope)? {
                Read::Flag(flag) => Some(Cond::Test(Test::Flag(flag))),
                other => {
                    let text = self.files.slice(expr.place);
                    self.report(say::not_a_condition(expr.place, text, other.describe()));
                    None
                }
            },
            _ => {
                let text = self.files.slice(expr.place);
                self.report(say::not_a_condition(
                    expr.place,
                    text,
                    &describe(value, text),
                ));
                None
            }
        }
    }

    /// `left op right` at `whole`.
    pub(super) fn compare(
        &mut self,
        whole: Place,
        op: Op,
        left: &'t Expr<'t>,
        right: &'t Expr<'t>,
        scope: Scope,
    ) -> Option<Cond> {
        if let Kind::Call("hash_pct", _) = left.kind {
            return self.hash_share(op, left, right);
        }
        let (fact, op, other) = if is_fact(left) {
            (left, op, right)
        } else if is_fact(right) {
            let Some(op) = flipped(op) else {
                self.report(say::fact_first(whole, op.as_str()));
                return None;
            };
            (right, op, left)
        } else {
            let text = self.files.slice(left.place);
            let diagnostic = say::no_fact(left.place, text, FACTS.iter().map(|fact| fact.word));
            self.report(diagnostic);
            return None;
        };
        let read = self.fact_in(fact, scope)?;
        if is_fact(other) {
            return self.two_facts(whole, op, &read, other, scope);
        }
        match read {
            Read::Str(string) => self.strings(op, fact, string, other),
            Read::Int(int) => self.ints(op, fact, int, other),
            Read::Flag(flag) => {
                let value = self.deref(other, &["true", "false"]);
                let test = Cond::Test(Test::Flag(flag));
                match (op, &value.kind) {
                    (Op::Eq, Kind::Path("true")) | (Op::Ne, Kind::Path("false")) => Some(test),
                    (Op::Ne, Kind::Path("true")) | (Op::Eq, Kind::Path("false")) => {
                        Some(negate(test))
                    }
                    _ => self.cannot_compare(
                        fact,
                        "bool",
                        op,
                        value,
                        "`== true` or `== false`, or the fact alone",
                    ),
                }
            }
            Read::LastOutcome => {
                let set = match op {
                    Op::Eq | Op::Ne | Op::In | Op::NotIn => self.outcomes(other)?,
                    _ => {
                        return self.cannot_compare(
                            fact,
                            "outcome",
                            op,
                            other,
                            "use `==`, `!=`, `in` or `not in`",
                        );
                    }
                };
                let test = Cond::Test(Test::LastOutcome(set));
                Some(if matches!(op, Op::Ne | Op::NotIn) {
                    negate(test)
                } else {
                    test
                })
            }
            Read::Header | Read::Meta => None,
        }
    }

    fn two_facts(
        &mut self,
        whole: Place,
        op: Op,
        left: &Read,
        right: &'t Expr<'t>,
        scope: Scope,
    ) -> Option<Cond> {
        let right = self.fact_in(right, scope)?;
        let domains = [StrFact::TargetDomain, StrFact::AttemptLastDomain];
        let same = match (left, &right) {
            (Read::Str(a), Read::Str(b)) => a != b && domains.contains(a) && domains.contains(b),
            _ => false,
        };
        match op {
            Op::Eq if same => Some(Cond::Test(Test::SameDomain)),
            Op::Ne if same => Some(negate(Cond::Test(Test::SameDomain))),
            _ => {
                self.report(say::two_facts(whole));
                None
            }
        }
    }

    /// The fact that `expr` names, if it can be read in `scope`.
    pub(super) fn fact_in(&mut self, expr: &'t Expr<'t>, scope: Scope) -> Option<Read> {
        let read = self.fact(expr, scope)?;
        if let Read::Str(
            StrFact::KeyId
            | StrFact::KeyTeam
            | StrFact::KeyTier
            | StrFact::KeyResidency
            | StrFact::KeyContract,
        ) = &read
        {
            self.key_fact_at(expr.place);
        }
        Some(read)
    }

    /// Notes that a fact of the client's key is read here, which nobody fills in yet: that is said once.
    pub(super) fn key_fact_at(&mut self, place: Place) {
        self.key_fact.get_or_insert(place);
        if !self.key_facts_noted {
            self.key_facts_noted = true;
            self.report(safety::key_facts_empty(place, self.files.slice(place)));
        }
    }

    /// The fact that `expr` names.
    pub(super) fn fact(&mut self, expr: &'t Expr<'t>, scope: Scope) -> Option<Read> {
        let (path, index) = match &expr.kind {
            Kind::Path(path) => (*path, None),
            Kind::Index(path, index) => (*path, Some(index)),
            _ => {
                let text = self.files.slice(expr.place);
                self.report(say::no_fact(
                    expr.place,
                    text,
                    FACTS.iter().map(|fact| fact.word),
                ));
                return None;
            }
        };
        let Some(fact) = FACTS.iter().find(|fact| fact.word == path) else {
            self.report(say::no_fact(
                expr.place,
                path,
                FACTS.iter().map(|fact| fact.word),
            ));
            return None;
        };
        if fact.scope == Scope::Attempt && scope == Scope::Request {
            self.report(say::fact_not_here(expr.place, path, fact.doc));
            return None;
        }
        let key = index.and_then(|index| match &index.kind {
            Kind::Str(key) => Some(key),
            _ => None,
        });
        match (&fact.read, index, key) {
            (Read::Header, _, Some(name)) => {
                Some(Read::Str(StrFact::Header(name.to_ascii_lowercase().into())))
            }
            (Read::Meta, _, Some(name)) => Some(Read::Str(StrFact::Meta((&**name).into()))),
            (Read::Header | Read::Meta, ..) => {
                self.report(say::not_written_so(
                    expr.place,
                    path,
                    &format!("{path}[\"name\"]"),
                ));
                None
            }
            (_, Some(_), _) => {
                self.report(say::not_written_so(expr.place, path, path));
                None
            }
            (read, None, _) => Some(read.clone()),
        }
    }

    pub(super) fn cannot_compare<T>(
        &mut self,
        fact: &Expr<'t>,
        of: &str,
        op: Op,
        value: &Expr<'t>,
        help: &str,
    ) -> Option<T> {
        let fact_text = self.files.slice(fact.place);
        let found = describe(value, self.files.slice(value.place));
        let unquoted = match &value.kind {
            Kind::Str(text)
                if of == "int" && text.starts_with(|first: char| first.is_ascii_digit()) =>
            {
                Some(&**text)
            }
            _ => None,
        };
        self.report(say::cannot_compare(
            (fact.place, fact_text, of),
            op.as_str(),
            (value.place, &found),
            help,
            unquoted,
        ));
        None
    }
}

fn is_fact(expr: &Expr<'_>) -> bool {
    match expr.kind {
        Kind::Path(path) | Kind::Index(path, _) => {
            let root = path.split('.').next().unwrap_or_default();
            path.contains('.') && matches!(root, "req" | "key" | "now" | "attempt" | "target")
        }
        _ => false,
    }
}

/// The operator with its sides exchanged.
const fn flipped(op: Op) -> Option<Op> {
    Some(match op {
        Op::Eq => Op::Eq,
        Op::Ne => Op::Ne,
        Op::Lt => Op::Gt,
        Op::Le => Op::Ge,
        Op::Gt => Op::Lt,
        Op::Ge => Op::Le,
        _ => return None,
    })
}

pub(super) fn negate(cond: Cond) -> Cond {
    match cond {
        Cond::Always => Cond::Never,
        Cond::Never => Cond::Always,
        Cond::Not(inner) => *inner,
        other => Cond::Not(Box::new(other)),
    }
}
