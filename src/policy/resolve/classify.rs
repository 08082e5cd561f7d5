//! `classify { … }`: the policy's own reading of a provider's errors.

use crate::base::Outcome;
use crate::policy::diag::{naming as say, routing};
use crate::policy::model::{AnswerCond, Classify};
use crate::policy::resolve::policy::Resolver;
use crate::policy::resolve::value::describe;
use crate::policy::schema::{self, Type, Value};
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::{Expr, Kind, Op, Stmt, Tail, Word};

const SHAPE: &str = "when status == 400 and body contains \"…\" -> quota_exhausted";
const READ: [&str; 3] = ["status", "code", "body"];
const LOWEST: u16 = AnswerCond::STATUSES.0;
const HIGHEST: u16 = AnswerCond::STATUSES.1;
const STATUS: Type = Type::Int(LOWEST as u64, HIGHEST as u64);

impl<'t> Resolver<'t> {
    /// The rules of the block, each of which can apply.
    pub(super) fn classify(&mut self, stmt: Option<&'t Stmt<'t>>) -> Vec<Classify> {
        let mut rules: Vec<Classify> = Vec::new();
        let mut places: Vec<Place> = Vec::new();
        let fields = self.fields(stmt.map_or(&[], Stmt::stmts), &schema::CLASSIFY);
        for line in fields.of("when").collect::<Vec<_>>() {
            let Some(rule) = self.rule(line) else {
                continue;
            };
            if let Err(before) = can_apply(&rules, &rule) {
                let before = before.and_then(|index| places.get(index)).copied();
                self.report(routing::rule_never_applies(line.place, before));
            }
            rules.push(rule);
            places.push(line.place);
        }
        rules
    }

    fn rule(&mut self, line: &'t Stmt<'t>) -> Option<Classify> {
        let ([Word::When(_, when)], Tail::Arrow(then), None) =
            (line.words.as_slice(), &line.tail, &line.body)
        else {
            self.report(say::not_written_so(line.place, "when", SHAPE));
            return None;
        };
        let [Word::Expr(then)] = then.as_slice() else {
            self.report(say::not_written_so(line.place, "when", SHAPE));
            return None;
        };
        let when = self.answer_cond(when);
        let outcome = self.answer_outcome(then);
        Some(Classify {
            at: self.at(line.place),
            when: when?,
            outcome: outcome?,
        })
    }

    /// An outcome that an answer can have: a failure, and one that comes from a provider.
    fn answer_outcome(&mut self, expr: &'t Expr<'t>) -> Option<Outcome> {
        let words = Outcome::ALL
            .into_iter()
            .filter(|outcome| !matches!(outcome, Outcome::Ok | Outcome::BreakerOpen))
            .map(Outcome::as_str);
        let words: Vec<&str> = words.collect();
        let expr = self.deref(expr, &words);
        let found = expr.name().filter(|name| words.contains(name));
        if found.is_none() {
            let text = self.files.slice(expr.place);
            self.report(say::unknown_name(
                expr.place,
                "outcome of an error",
                text,
                &words,
            ));
        }
        Outcome::from_word(found?)
    }

    fn answer_cond(&mut self, expr: &'t Expr<'t>) -> Option<AnswerCond> {
        match &expr.kind {
            Kind::Paren(inner) => self.answer_cond(inner),
            Kind::Not(inner) => Some(AnswerCond::Not(Box::new(self.answer_cond(inner)?))),
            Kind::And(members) => self.answer_conds(members).map(AnswerCond::All),
            Kind::Or(members) => {
                if members.iter().any(|one| matches!(one.kind, Kind::And(_))) {
                    self.mixed(expr, members);
                }
                self.answer_conds(members).map(AnswerCond::Any)
            }
            Kind::Compare(op, left, right) => match left.name() {
                Some("status") => self.status(left, *op, right),
                Some("code") => self.code(left, *op, right),
                Some("body") => self.body(left, *op, right),
                _ => {
                    let text = self.files.slice(left.place);
                    self.report(say::unknown_name(
                        left.place,
                        "part of an answer",
                        text,
                        &READ,
                    ));
                    None
                }
            },
            _ => {
                let text = self.files.slice(expr.place);
                let found = describe(expr, text);
                self.report(say::not_a_condition(expr.place, text, &found));
                None
            }
        }
    }

    fn answer_conds(&mut self, members: &'t [Expr<'t>]) -> Option<Vec<AnswerCond>> {
        let conds: Vec<_> = members.iter().map(|one| self.answer_cond(one)).collect();
        conds.into_iter().collect()
    }

    fn status(&mut self, left: &Expr<'t>, op: Op, right: &'t Expr<'t>) -> Option<AnswerCond> {
        let right = self.deref(right, &[]);
        let mut ranges: Vec<(u16, u16)> = Vec::new();
        match (op, &right.kind) {
            (Op::In | Op::NotIn, Kind::Range(low, high)) => {
                let [low, high] = [low, high].map(|end| {
                    let status =
                        self.bounded(right, end.count(), u64::from(LOWEST), u64::from(HIGHEST));
                    status.and_then(|status| u16::try_from(status).ok())
                });
                let (low, high) = low.zip(high)?;
                if low > high {
                    self.report(say::range_reversed(right.place));
                    return None;
                }
                ranges.push((low, high));
            }
            (Op::In | Op::NotIn, Kind::List(items)) => {
                let found: Vec<_> = items
                    .iter()
                    .map(|item| self.one_status(left, item))
                    .collect();
                let found = found.into_iter().collect::<Option<Vec<_>>>()?;
                ranges.extend(found.into_iter().map(|status| (status, status)));
            }
            (Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge, _) => {
                let status = self.one_status(left, right)?;
                ranges.push(match op {
                    Op::Lt => (LOWEST, status.saturating_sub(1)),
                    Op::Le => (LOWEST, status),
                    Op::Gt => (status.saturating_add(1), HIGHEST),
                    Op::Ge => (status, HIGHEST),
                    _ => (status, status),
                });
            }
            _ => {
                let help = "a status is compared with a number, `in [401, 403]` or `in 500..599`";
                return self.cannot_compare(left, "status", op, right, help);
            }
        }
        let cond = AnswerCond::Status(ranges);
        Some(if matches!(op, Op::Ne | Op::NotIn) {
            AnswerCond::Not(Box::new(cond))
        } else {
            cond
        })
    }

    fn one_status(&mut self, left: &Expr<'t>, expr: &'t Expr<'t>) -> Option<u16> {
        match self.value(expr, &STATUS, Some(("status", left.place)))? {
            Value::Int(status) => u16::try_from(status).ok(),
            _ => None,
        }
    }

    fn code(&mut self, left: &Expr<'t>, op: Op, right: &'t Expr<'t>) -> Option<AnswerCond> {
        let right = self.deref(right, &[]);
        let one = std::slice::from_ref(right);
        let items = match (op, &right.kind) {
            (Op::Eq | Op::Ne, Kind::Str(_)) => one,
            (Op::In | Op::NotIn, Kind::List(items)) => items.as_slice(),
            _ => {
                let help =
                    "a code is a string: `code == \"insufficient_quota\"`, `code in [\"1113\"]`";
                return self.cannot_compare(left, "code", op, right, help);
            }
        };
        let texts: Vec<_> = items.iter().map(|item| self.some_text(item)).collect();
        let mut texts: Vec<Box<str>> = texts.into_iter().collect::<Option<_>>()?;
        texts.sort_unstable();
        texts.dedup();
        let cond = AnswerCond::Code(texts);
        Some(if matches!(op, Op::Ne | Op::NotIn) {
            AnswerCond::Not(Box::new(cond))
        } else {
            cond
        })
    }

    fn body(&mut self, left: &Expr<'t>, op: Op, right: &'t Expr<'t>) -> Option<AnswerCond> {
        if op != Op::Contains {
            let help = "a body is only searched: `body contains \"billing hard limit\"`";
            return self.cannot_compare(left, "body", op, right, help);
        }
        self.some_text(right).map(AnswerCond::Body)
    }

    /// A string that is not empty: every body contains an empty one, and no error has an empty code.
    fn some_text(&mut self, expr: &'t Expr<'t>) -> Option<Box<str>> {
        match self.value(expr, &Type::Text, None)? {
            Value::Text(text) if !text.is_empty() => Some(text.into()),
            _ => {
                self.report(say::not_written_so(expr.place, "when", SHAPE));
                None
            }
        }
    }
}

/// Whether `rule` may apply. If not, the rule before it that is in the way, if there is one: the first of several.
///
/// Exact for statuses and codes; a body that the rule asks for is taken to hold its text and whatever that contains.
fn can_apply(before: &[Classify], rule: &Classify) -> Result<(), Option<usize>> {
    let all = || before.iter().chain([rule]).map(|rule| &rule.when);
    let (mut edges, mut codes, mut texts) = (vec![LOWEST], vec![None], Vec::new());
    for cond in all() {
        collect(cond, &mut edges, &mut codes);
    }
    asked_for(&rule.when, &mut texts);
    let mut in_the_way = None;
    for status in edges {
        for &code in &codes {
            let cell = Cell {
                status,
                code,
                texts: &texts,
            };
            if !cell.may(&rule.when, true) {
                continue;
            }
            let taken = before.iter().position(|rule| !cell.may(&rule.when, false));
            let Some(taken) = taken else { return Ok(()) };
            in_the_way = Some(in_the_way.map_or(taken, |first: usize| first.min(taken)));
        }
    }
    Err(in_the_way)
}

/// Errors of one kind: one status and one code. Which texts they hold, beyond some, is open.
struct Cell<'a> {
    status: u16,
    code: Option<&'a str>,
    texts: &'a [&'a str],
}

impl Cell<'_> {
    /// Whether `cond` may be `truth` for such an error.
    fn may(&self, cond: &AnswerCond, truth: bool) -> bool {
        match cond {
            AnswerCond::Status(ranges) => holds_status(ranges, self.status) == truth,
            AnswerCond::Code(codes) => {
                let is_one = self
                    .code
                    .is_some_and(|code| codes.iter().any(|one| **one == *code));
                is_one == truth
            }
            AnswerCond::Body(part) => {
                truth || !self.texts.iter().any(|text| text.contains(&**part))
            }
            AnswerCond::Not(inner) => self.may(inner, !truth),
            AnswerCond::All(members) if truth => members.iter().all(|one| self.may(one, true)),
            AnswerCond::All(members) => members.iter().any(|one| self.may(one, false)),
            AnswerCond::Any(members) if truth => members.iter().any(|one| self.may(one, true)),
            AnswerCond::Any(members) => members.iter().all(|one| self.may(one, false)),
        }
    }
}

fn holds_status(ranges: &[(u16, u16)], status: u16) -> bool {
    ranges
        .iter()
        .any(|&(low, high)| (low..=high).contains(&status))
}

/// One status of each stretch that the conditions tell apart, and every code.
fn collect<'a>(cond: &'a AnswerCond, edges: &mut Vec<u16>, codes: &mut Vec<Option<&'a str>>) {
    match cond {
        AnswerCond::Status(ranges) => {
            let ends = ranges
                .iter()
                .flat_map(|&(low, high)| [low, high.saturating_add(1)]);
            for edge in ends.filter(|edge| (LOWEST..=HIGHEST).contains(edge)) {
                if !edges.contains(&edge) {
                    edges.push(edge);
                }
            }
        }
        AnswerCond::Code(texts) => {
            for text in texts {
                if !codes.contains(&Some(&**text)) {
                    codes.push(Some(text));
                }
            }
        }
        AnswerCond::Body(_) => {}
        AnswerCond::Not(inner) => collect(inner, edges, codes),
        AnswerCond::All(members) | AnswerCond::Any(members) => {
            for one in members {
                collect(one, edges, codes);
            }
        }
    }
}

/// The texts without which `cond` does not hold.
fn asked_for<'a>(cond: &'a AnswerCond, texts: &mut Vec<&'a str>) {
    match cond {
        AnswerCond::Body(text) => texts.push(text),
        AnswerCond::All(members) => {
            for one in members {
                asked_for(one, texts);
            }
        }
        _ => {}
    }
}
