//! Conditions: from expressions to typed tests on facts.

use crate::policy::diag::{naming as say, safety};
use crate::policy::model::{Cond, IntFact, Pattern, StrFact, Test};
use crate::policy::resolve::policy::Resolver;
use crate::policy::resolve::value::{call_name, describe};
use crate::policy::schema::{FACTS, Read, Scope, Space, Type};
use crate::policy::syntax::ast::{Expr, Kind, Op};
use crate::policy::syntax::literal::{MoneyPer, Number};

/// In the order of `now.weekday`.
const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl<'t> Resolver<'t> {
    /// The condition, or a report.
    pub(super) fn cond(&mut self, expr: &'t Expr<'t>, scope: Scope) -> Option<Cond> {
        match &expr.kind {
            Kind::Paren(inner) => self.cond(inner, scope),
            Kind::Not(inner) => Some(negate(self.cond(inner, scope)?)),
            Kind::And(members) => self.conds(members, scope).map(Cond::All),
            Kind::Or(members) => {
                if let Some(mixed) = members
                    .iter()
                    .find(|member| matches!(member.kind, Kind::And(_)))
                {
                    self.report(say::mixed_and_or(
                        expr.place,
                        mixed.place,
                        self.files.slice(mixed.place),
                    ));
                }
                self.conds(members, scope).map(Cond::Any)
            }
            Kind::Compare(op, left, right) => self.compare(expr, *op, left, right, scope),
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

    fn compare(
        &mut self,
        whole: &'t Expr<'t>,
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
                self.report(say::fact_first(whole.place, op.as_str()));
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
        whole: &Expr<'t>,
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
                self.report(say::two_facts(whole.place));
                None
            }
        }
    }

    fn strings(
        &mut self,
        op: Op,
        at: &Expr<'t>,
        fact: StrFact,
        other: &'t Expr<'t>,
    ) -> Option<Cond> {
        let pattern = match op {
            Op::Eq | Op::Ne => {
                let value = self.string(at, op, &fact, other)?;
                return Some(one_of(fact, vec![value], op == Op::Ne));
            }
            Op::In | Op::NotIn => {
                let value = self.deref(other, &[]);
                let Kind::List(items) = &value.kind else {
                    return self.cannot_compare(
                        at,
                        "string",
                        op,
                        value,
                        "`in` takes a list: `in [\"a\", \"b\"]`",
                    );
                };
                let values: Vec<_> = items
                    .iter()
                    .map(|item| self.string(at, op, &fact, item))
                    .collect();
                let values: Vec<Box<str>> = values.into_iter().collect::<Option<_>>()?;
                if values.is_empty() {
                    return Some(if op == Op::In {
                        Cond::Never
                    } else {
                        Cond::Always
                    });
                }
                return Some(one_of(fact, values, op == Op::NotIn));
            }
            Op::Like => {
                let form = self.string(at, op, &fact, other)?;
                let parts: Vec<Box<str>> = form.split('*').map(Into::into).collect();
                if parts.len() < 2 {
                    return Some(one_of(fact, vec![form], false));
                }
                Pattern::Like(parts)
            }
            Op::StartsWith => Pattern::StartsWith(self.string(at, op, &fact, other)?),
            Op::EndsWith => Pattern::EndsWith(self.string(at, op, &fact, other)?),
            Op::Contains => Pattern::Contains(self.string(at, op, &fact, other)?),
            Op::Lt | Op::Le | Op::Gt | Op::Ge => {
                return self.cannot_compare(at, "string", op, other, "strings have no order");
            }
        };
        Some(Cond::Test(Test::Matches { fact, pattern }))
    }

    /// A string to compare with; for places also a bare word that a provider uses.
    fn string(
        &mut self,
        at: &Expr<'t>,
        op: Op,
        fact: &StrFact,
        expr: &'t Expr<'t>,
    ) -> Option<Box<str>> {
        let place_like = matches!(
            fact,
            StrFact::TargetRegion | StrFact::TargetDomain | StrFact::KeyResidency
        );
        if let (true, Some(name)) = (place_like, expr.name()) {
            let known = match fact {
                StrFact::TargetDomain => self
                    .providers
                    .iter()
                    .any(|provider| *provider.failure_domain == *name),
                _ => self.regions.iter().any(|region| **region == *name),
            };
            if known && self.names.has(Space::Const, name) {
                self.report(say::two_meanings(expr.place, name));
                return None;
            }
            if known {
                return Some(name.into());
            }
            if !self.names.has(Space::Const, name) {
                let regions: Vec<&str> = self.regions.iter().map(|region| &**region).collect();
                let diagnostic = say::unknown_name(expr.place, "region", name, &regions);
                self.report(diagnostic);
                return None;
            }
        }
        let value = self.deref(expr, &[]);
        match &value.kind {
            Kind::Str(text) => Some((&**text).into()),
            _ => self.cannot_compare(at, "string", op, value, "strings stand in double quotes"),
        }
    }

    fn ints(&mut self, op: Op, at: &Expr<'t>, fact: IntFact, other: &'t Expr<'t>) -> Option<Cond> {
        if let Op::In | Op::NotIn = op {
            let negated = op == Op::NotIn;
            let value = self.deref(other, &[]);
            let within = |low, high, negated| {
                Cond::Test(Test::Within {
                    fact,
                    low,
                    high,
                    negated,
                })
            };
            return match &value.kind {
                Kind::Range(low, high) => {
                    let low = self.int(at, op, fact, value, Some(*low))?;
                    let high = self.int(at, op, fact, value, Some(*high))?;
                    Some(within(low, high, negated))
                }
                Kind::List(items) => {
                    let values: Vec<_> = items
                        .iter()
                        .map(|item| self.int(at, op, fact, item, None))
                        .collect();
                    let values: Vec<u64> = values.into_iter().collect::<Option<_>>()?;
                    let tests = values
                        .into_iter()
                        .map(|value| within(value, value, negated))
                        .collect();
                    Some(if negated { all(tests) } else { any(tests) })
                }
                _ => self.cannot_compare(
                    at,
                    Read::Int(fact).describe(),
                    op,
                    value,
                    "`in` takes a list or a range: `in [1, 2]`, `in 9..17`",
                ),
            };
        }
        let ordered = !matches!(fact, IntFact::Weekday) || matches!(op, Op::Eq | Op::Ne);
        if !ordered || matches!(op, Op::Like | Op::StartsWith | Op::EndsWith | Op::Contains) {
            let value = self.deref(other, &[]);
            return self.cannot_compare(
                at,
                Read::Int(fact).describe(),
                op,
                value,
                "this operator does not fit the fact",
            );
        }
        let value = self.int(at, op, fact, other, None)?;
        let (low, high) = match op {
            Op::Lt if value == 0 => return Some(Cond::Never),
            Op::Lt => (0, value - 1),
            Op::Le => (0, value),
            Op::Gt if value == u64::MAX => return Some(Cond::Never),
            Op::Gt => (value + 1, u64::MAX),
            Op::Ge => (value, u64::MAX),
            _ => (value, value),
        };
        Some(Cond::Test(Test::Within {
            fact,
            low,
            high,
            negated: op == Op::Ne,
        }))
    }

    /// A number to compare `fact` with; `part` is one end of a range.
    fn int(
        &mut self,
        at: &Expr<'t>,
        op: Op,
        fact: IntFact,
        expr: &'t Expr<'t>,
        part: Option<Number>,
    ) -> Option<u64> {
        let words: &[&str] = if fact == IntFact::Weekday {
            &WEEKDAYS
        } else {
            &[]
        };
        let value = self.deref(expr, words);
        let number = match (part, &value.kind) {
            (Some(number), _) => Some(number),
            (None, Kind::Number(number)) => Some(*number),
            _ => None,
        };
        let found = match (fact, &value.kind) {
            (IntFact::Weekday, Kind::Path(word)) => {
                let day = WEEKDAYS.iter().position(|day| day == word);
                if day.is_none() {
                    self.report(say::unknown_name(value.place, "weekday", word, &WEEKDAYS));
                    return None;
                }
                day.and_then(|day| u64::try_from(day).ok())
            }
            (IntFact::Date, Kind::Str(text)) => days_since_epoch(text),
            (IntFact::TargetPrice, Kind::Money(money)) if money.per == MoneyPer::Mtok => {
                Some(money.micros)
            }
            (IntFact::Weekday | IntFact::Date | IntFact::TargetPrice, _) => None,
            _ => number.and_then(Number::count),
        };
        let Some(found) = found else {
            let help = match fact {
                IntFact::Weekday => "weekdays are `mon tue wed thu fri sat sun`",
                IntFact::Date => "dates are strings such as `\"2026-12-31\"`",
                IntFact::TargetPrice => "prices are written `$1.25/Mtok`",
                _ => "numbers stand without quotes: `150k`",
            };
            return self.cannot_compare(at, Read::Int(fact).describe(), op, value, help);
        };
        if fact == IntFact::Hour && found > 23 {
            let text = self.files.slice(value.place);
            self.report(say::out_of_range(value.place, text, "0", "23"));
            return None;
        }
        Some(found)
    }

    /// `hash_pct(fact, salt = "…") < 5%`
    fn hash_share(&mut self, op: Op, call: &'t Expr<'t>, right: &'t Expr<'t>) -> Option<Cond> {
        const SHAPE: &str = "hash_pct(key.id, salt = \"name\") < 5%";
        let Kind::Call(_, args) = &call.kind else {
            return None;
        };
        let (first, salt) = match args.as_slice() {
            [first] => (first, None),
            [first, salt] if salt.expr.name() == Some("salt") => (first, salt.value.as_ref()),
            _ => {
                self.report(say::not_written_so(call.place, call_name(call), SHAPE));
                return None;
            }
        };
        let salt: Box<str> = match salt.map(|salt| self.deref(salt, &[])) {
            None => "".into(),
            Some(Expr {
                kind: Kind::Str(salt),
                ..
            }) => (&**salt).into(),
            Some(other) => {
                let found = describe(other, self.files.slice(other.place));
                self.report(say::wrong_type(
                    other.place,
                    "string",
                    &found,
                    None,
                    Type::Text.example(),
                ));
                return None;
            }
        };
        let Read::Str(fact) = self.fact(&first.expr, Scope::Request)? else {
            self.report(say::has_wants_string(
                first.expr.place,
                self.files.slice(first.expr.place),
            ));
            return None;
        };
        let value = self.deref(right, &[]);
        let Kind::Number(number) = value.kind else {
            self.mismatch(value, &Type::Percent(1_000_000), None);
            return None;
        };
        if number.ppm().is_none() {
            self.mismatch(value, &Type::Percent(1_000_000), None);
            return None;
        }
        let share = self.percent(value, number, 1_000_000)?;
        let test = Cond::Test(Test::HashBelow { fact, salt, share });
        match op {
            Op::Lt => Some(test),
            Op::Ge => Some(negate(test)),
            _ => {
                self.report(say::not_written_so(
                    call.place.to(right.place),
                    "hash_pct",
                    SHAPE,
                ));
                None
            }
        }
    }

    /// The fact that `expr` names, if it can be read in `scope`.
    fn fact_in(&mut self, expr: &'t Expr<'t>, scope: Scope) -> Option<Read> {
        let read = self.fact(expr, scope)?;
        if let (
            Read::Str(
                StrFact::KeyId
                | StrFact::KeyTeam
                | StrFact::KeyTier
                | StrFact::KeyResidency
                | StrFact::KeyContract,
            ),
            false,
        ) = (&read, self.key_facts_noted)
        {
            self.key_facts_noted = true;
            self.report(safety::key_facts_empty(
                expr.place,
                self.files.slice(expr.place),
            ));
        }
        Some(read)
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

    fn cannot_compare<T>(
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

    /// `… when <condition on measurements>`: checked by its names; it has no effect yet.
    pub(super) fn metrics(&mut self, expr: &'t Expr<'t>, names: &[&str]) {
        match &expr.kind {
            Kind::Paren(inner) | Kind::Not(inner) => self.metrics(inner, names),
            Kind::And(members) | Kind::Or(members) => {
                for member in members {
                    self.metrics(member, names);
                }
            }
            Kind::Compare(_, left, _) => self.metrics(left, names),
            Kind::Call("delta" | "ratio", args) => {
                for arg in args {
                    self.metrics(&arg.expr, names);
                }
            }
            Kind::Call(name, args) if percentile_name(name) && args.len() == 1 => {}
            Kind::Path(path) if names.contains(path) => {}
            _ => {
                let text = self.files.slice(expr.place);
                let known: Vec<&str> = names.iter().copied().chain(["p95(ttft)"]).collect();
                self.report(say::unknown_name(expr.place, "measurement", text, &known));
            }
        }
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

fn negate(cond: Cond) -> Cond {
    match cond {
        Cond::Always => Cond::Never,
        Cond::Never => Cond::Always,
        Cond::Not(inner) => *inner,
        other => Cond::Not(Box::new(other)),
    }
}

fn all(mut conds: Vec<Cond>) -> Cond {
    match conds.len() {
        0 => Cond::Always,
        1 => conds.swap_remove(0),
        _ => Cond::All(conds),
    }
}

fn any(mut conds: Vec<Cond>) -> Cond {
    match conds.len() {
        0 => Cond::Never,
        1 => conds.swap_remove(0),
        _ => Cond::Any(conds),
    }
}

fn one_of(fact: StrFact, mut values: Vec<Box<str>>, negated: bool) -> Cond {
    values.sort_unstable();
    values.dedup();
    Cond::Test(Test::OneOf {
        fact,
        values,
        negated,
    })
}

fn percentile_name(name: &str) -> bool {
    name.strip_prefix('p').is_some_and(|digits| {
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Days since 1970-01-01 of `YYYY-MM-DD` in the Gregorian calendar, by counting from March so that the leap day ends
/// the year. `None` for what is no date, or lies before 1970.
fn days_since_epoch(text: &str) -> Option<u64> {
    let mut parts = text.split('-').map(|part| {
        let digits = part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| part.parse::<u64>().ok()).flatten()
    });
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let sound = parts.next().is_none()
        && (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=length).contains(&day);
    if !sound {
        return None;
    }
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    Some(year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::days_since_epoch;

    #[test]
    fn dates_count_from_the_epoch() {
        for (date, days) in [
            ("1970-01-01", Some(0)),
            ("2000-02-29", Some(11_016)),
            ("2026-11-25", Some(20_782)),
            ("2023-02-29", None),
            ("2026-13-01", None),
            ("1969-12-31", None),
            ("26-1-1", None),
            ("tomorrow", None),
        ] {
            assert_eq!(days_since_epoch(date), days, "{date}");
        }
    }
}
