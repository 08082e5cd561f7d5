//! Comparisons of one fact with values: strings, numbers, shares of a hash.

use crate::policy::diag::naming as say;
use crate::policy::model::{Cond, IntFact, Pattern, StrFact, Test};
use crate::policy::resolve::cond::negate;
use crate::policy::resolve::policy::Resolver;
use crate::policy::resolve::value::{call_name, describe};
use crate::policy::schema::{Read, Scope, Space, Type};
use crate::policy::syntax::ast::{Expr, Kind, Op};
use crate::policy::syntax::literal::{MoneyPer, Number};

/// In the order of `now.weekday`.
const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl<'t> Resolver<'t> {
    pub(super) fn strings(
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

    pub(super) fn ints(
        &mut self,
        op: Op,
        at: &Expr<'t>,
        fact: IntFact,
        other: &'t Expr<'t>,
    ) -> Option<Cond> {
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
            // No number is below 0: the wrong way round nothing is between.
            Op::Lt => value.checked_sub(1).map_or((1, 0), |high| (0, high)),
            Op::Le => (0, value),
            Op::Gt => value.checked_add(1).map_or((1, 0), |low| (low, u64::MAX)),
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
    pub(super) fn hash_share(
        &mut self,
        op: Op,
        call: &'t Expr<'t>,
        right: &'t Expr<'t>,
    ) -> Option<Cond> {
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
        let Read::Str(fact) = self.fact_in(&first.expr, Scope::Request)? else {
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

/// Days since 1970-01-01 of `YYYY-MM-DD` in the Gregorian calendar, by counting from March so that the leap day ends
/// the year. `None` for what is no date, or lies before 1970.
pub(in crate::policy) fn days_since_epoch(text: &str) -> Option<u64> {
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
