//! From one item's text to its tree. pest's pairs live only inside this file: each is taken apart once, by the one
//! match of its rule, and dropped.

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::sync::Once;

use pest::Parser;
use pest::error::{Error, InputLocation};
use pest::iterators::{Pair, Pairs};

use crate::policy::syntax::ast::{Arg, Body, Expr, Item, Kind, Op, Place, Stmt, Tail, Word};
use crate::policy::syntax::literal::{Money, Number};

/// One item of a policy. A route of a hundred targets with its fallback is about 4 KiB.
pub(in crate::policy) const ITEM_BYTES_MAX: usize = 1024 * 1024;

/// Parses one item that starts at byte `base` of file `file`. The error is the byte, within `text`, past which nothing
/// in the grammar fits.
pub(in crate::policy) fn item(text: &str, file: u16, base: u32) -> Result<Option<Item<'_>>, usize> {
    let pairs = parse(Rule::chunk, text)?;
    let item = Builder { file, base }.item(pairs);
    if let Some(Item::Stmt(stmt)) = &item
        && let Some((words, value)) = assigned_clause(stmt)
    {
        let from = words.end().start.saturating_sub(base) as usize;
        let to = value.start.saturating_sub(base) as usize;
        let sign = text.get(from..to).and_then(|between| between.find('='));
        return Err(from + sign.unwrap_or_default());
    }
    Ok(item)
}

/// A statement such as `when a = b { … }`: the skeleton lets it pass, but an assignment there can only be meant as a
/// comparison. Gives the words before `=` and the value behind it.
fn assigned_clause(stmt: &Stmt<'_>) -> Option<(Place, Place)> {
    let clause = stmt
        .words
        .iter()
        .rfind(|word| matches!(word, Word::When(..) | Word::On(..)));
    match (clause, &stmt.tail) {
        (Some(Word::When(_, cond) | Word::On(_, cond)), Tail::Assign(value)) => {
            Some((cond.place, value.place))
        }
        _ => stmt.stmts().iter().find_map(assigned_clause),
    }
}

/// Parses one expression alone.
pub(in crate::policy) fn lone_expr(text: &str, file: u16) -> Result<Option<Expr<'_>>, usize> {
    let mut pairs = parse(Rule::lone_expr, text)?;
    let lone = pairs.next().and_then(|pair| pair.into_inner().next());
    Ok(lone.map(|pair| Builder { file, base: 0 }.expr(pair)))
}

#[derive(pest_derive::Parser)]
#[grammar = "grammar/policy.pest"]
struct Grammar;

fn parse(rule: Rule, text: &str) -> Result<Pairs<'_, Rule>, usize> {
    // The limit is one for the process. A policy takes about 14 counted calls for each byte; 64 leave room, and the
    // largest item bounds what a hostile text can burn.
    static LIMIT: Once = Once::new();
    LIMIT.call_once(|| {
        pest::set_call_limit(NonZeroUsize::new(64 * ITEM_BYTES_MAX + 10_000));
    });
    Grammar::parse(rule, text).map_err(|error| furthest(&error))
}

fn furthest(error: &Error<Rule>) -> usize {
    match error.location {
        InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
    }
}

/// Turns pairs into the tree. The fall-back values below stand where the grammar leaves no other possibility.
#[derive(Clone, Copy)]
struct Builder {
    file: u16,
    base: u32,
}

impl Builder {
    fn place(self, pair: &Pair<'_, Rule>) -> Place {
        let span = pair.as_span();
        let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Place {
            file: self.file,
            start: self.base.saturating_add(narrow(span.start())),
            len: narrow(span.end().saturating_sub(span.start())),
        }
    }

    fn item(self, chunk: Pairs<'_, Rule>) -> Option<Item<'_>> {
        for pair in chunk.flat_map(Pair::into_inner) {
            let place = self.place(&pair);
            return match pair.as_rule() {
                Rule::version => pair
                    .into_inner()
                    .last()
                    .map(|int| Item::Version(place, Cow::Borrowed(int.as_str()))),
                Rule::import => pair
                    .into_inner()
                    .last()
                    .map(|path| Item::Import(self.place(&path), unescape(path.as_str()))),
                Rule::const_decl => pair
                    .into_inner()
                    .last()
                    .map(|stmt| Item::Const(self.stmt(stmt))),
                Rule::stmt => Some(Item::Stmt(self.stmt(pair))),
                _ => continue,
            };
        }
        None
    }

    fn stmt(self, pair: Pair<'_, Rule>) -> Stmt<'_> {
        let place = self.place(&pair);
        let mut words = Vec::new();
        let mut tail = Tail::Bare;
        let mut body = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::arrow => tail = Tail::Arrow(Vec::new()),
                Rule::assign => tail = Tail::Assign(self.assigned(part)),
                Rule::body => body = Some(self.body(part)),
                _ => {
                    let word = self.word(part);
                    match &mut tail {
                        Tail::Arrow(targets) => targets.push(word),
                        Tail::Bare | Tail::Assign(_) => words.push(word),
                    }
                }
            }
        }
        Stmt {
            place,
            words,
            tail,
            body,
        }
    }

    fn word(self, pair: Pair<'_, Rule>) -> Word<'_> {
        let place = self.place(&pair);
        match pair.as_rule() {
            Rule::kw_else => Word::Else(place),
            Rule::clause => {
                let mut inner = pair.into_inner();
                let keyword = inner.next().map(|keyword| keyword.as_rule());
                let cond = inner
                    .next()
                    .map_or_else(|| self.empty(), |expr| self.expr(expr));
                match keyword {
                    Some(Rule::kw_on) => Word::On(place, cond),
                    _ => Word::When(place, cond),
                }
            }
            _ => Word::Expr(self.expr(pair)),
        }
    }

    fn body(self, pair: Pair<'_, Rule>) -> Body<'_> {
        Body {
            place: self.place(&pair),
            stmts: pair.into_inner().map(|stmt| self.stmt(stmt)).collect(),
        }
    }

    fn assigned(self, pair: Pair<'_, Rule>) -> Expr<'_> {
        let value = pair.into_inner().next();
        value.map_or_else(|| self.empty(), |expr| self.expr(expr))
    }

    fn empty<'s>(self) -> Expr<'s> {
        Expr {
            place: Place {
                file: self.file,
                start: self.base,
                len: 0,
            },
            kind: Kind::Path(""),
        }
    }

    /// Groups the flat list `not* primary (infix not* primary)*`.
    fn expr(self, pair: Pair<'_, Rule>) -> Expr<'_> {
        let mut ors: Vec<Expr<'_>> = Vec::new();
        let mut ands: Vec<Expr<'_>> = Vec::new();
        let mut unit = Unit::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::op_not => unit.not(self.place(&part)),
                Rule::op_and => ands.extend(unit.take()),
                Rule::op_or => {
                    ands.extend(unit.take());
                    ors.extend(join(std::mem::take(&mut ands), Kind::And));
                }
                rule => {
                    if let Some(op) = op_of(rule) {
                        unit.pending = Some(op);
                    } else {
                        let operand = self.primary(part);
                        unit.operand(operand);
                    }
                }
            }
        }
        ands.extend(unit.take());
        ors.extend(join(ands, Kind::And));
        join(ors, Kind::Or).unwrap_or_else(|| self.empty())
    }

    fn primary(self, pair: Pair<'_, Rule>) -> Expr<'_> {
        let place = self.place(&pair);
        let kind = match pair.as_rule() {
            Rule::r#ref => self.reference(pair.into_inner()),
            Rule::range => {
                let mut bounds = pair.into_inner().map(|bound| Number::parse(bound.as_str()));
                match (bounds.next(), bounds.next()) {
                    (Some(low), Some(high)) => Kind::Range(low, high),
                    (Some(number), None) => Kind::Number(number),
                    _ => Kind::Path(""),
                }
            }
            Rule::string => Kind::Str(unescape(pair.as_str())),
            Rule::list => Kind::List(pair.into_inner().map(|item| self.expr(item)).collect()),
            Rule::money => Kind::Money(Money::parse(pair.as_str())),
            // `paren`: the grammar has no other primary.
            _ => Kind::Paren(Box::new(self.assigned(pair))),
        };
        Expr { place, kind }
    }

    fn reference(self, mut inner: Pairs<'_, Rule>) -> Kind<'_> {
        let path = inner.next().map_or("", |path| path.as_str());
        match inner.next() {
            None => Kind::Path(path),
            Some(pair) if pair.as_rule() == Rule::args => {
                let args = pair.into_inner().map(|arg| {
                    let mut inner = arg.into_inner();
                    Arg {
                        expr: inner
                            .next()
                            .map_or_else(|| self.empty(), |expr| self.expr(expr)),
                        value: inner.next().map(|assign| self.assigned(assign)),
                    }
                });
                Kind::Call(path, args.collect())
            }
            Some(pair) => {
                let index = pair.into_inner().next();
                let index = index.map_or_else(|| self.empty(), |index| self.primary(index));
                Kind::Index(path, Box::new(index))
            }
        }
    }
}

/// One member of an `and`: `not* operand (comparison operand)?`. `not` binds looser than comparisons, so that
/// `not a == b` means what it says.
struct Unit<'s> {
    nots: Option<(Place, bool)>,
    left: Option<Expr<'s>>,
    pending: Option<Op>,
}

impl<'s> Unit<'s> {
    const fn new() -> Self {
        Self {
            nots: None,
            left: None,
            pending: None,
        }
    }

    /// Only whether there is an odd number of them matters, and a thousand must not become a thousand boxes.
    fn not(&mut self, place: Place) {
        let (first, odd) = self.nots.unwrap_or((place, false));
        self.nots = Some((first, !odd));
    }

    fn operand(&mut self, right: Expr<'s>) {
        self.left = Some(match (self.left.take(), self.pending.take()) {
            (Some(left), Some(op)) => Expr {
                place: left.place.to(right.place),
                kind: Kind::Compare(op, Box::new(left), Box::new(right)),
            },
            _ => right,
        });
    }

    fn take(&mut self) -> Option<Expr<'s>> {
        let inner = self.left.take();
        let nots = self.nots.take();
        self.pending = None;
        let inner = inner?;
        Some(match nots {
            Some((place, true)) => Expr {
                place: place.to(inner.place),
                kind: Kind::Not(Box::new(inner)),
            },
            _ => inner,
        })
    }
}

/// One expression alone, or all of them under `kind`.
fn join<'s>(mut members: Vec<Expr<'s>>, kind: fn(Vec<Expr<'s>>) -> Kind<'s>) -> Option<Expr<'s>> {
    let last = members.pop()?;
    let Some(first) = members.first() else {
        return Some(last);
    };
    let place = first.place.to(last.place);
    members.push(last);
    Some(Expr {
        place,
        kind: kind(members),
    })
}

const fn op_of(rule: Rule) -> Option<Op> {
    Some(match rule {
        Rule::op_eq => Op::Eq,
        Rule::op_ne => Op::Ne,
        Rule::op_lt => Op::Lt,
        Rule::op_le => Op::Le,
        Rule::op_gt => Op::Gt,
        Rule::op_ge => Op::Ge,
        Rule::op_in => Op::In,
        Rule::op_not_in => Op::NotIn,
        Rule::op_like => Op::Like,
        Rule::op_starts => Op::StartsWith,
        Rule::op_ends => Op::EndsWith,
        Rule::op_contains => Op::Contains,
        _ => return None,
    })
}

/// The content of a string token.
fn unescape(token: &str) -> Cow<'_, str> {
    let inner = token
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(token);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(char) = chars.next() {
        let escaped = if char == '\\' { chars.next() } else { None };
        out.push(match escaped {
            None => char,
            Some('n') => '\n',
            Some('t') => '\t',
            Some(other) => other,
        });
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::{Expr, Kind, lone_expr};

    /// The grouping, in prefix form.
    fn shape(expr: &Expr<'_>) -> String {
        let all = |members: &[Expr<'_>]| members.iter().map(shape).collect::<Vec<_>>().join(" ");
        match &expr.kind {
            Kind::Path(name) => (*name).to_owned(),
            Kind::Or(members) => format!("(or {})", all(members)),
            Kind::And(members) => format!("(and {})", all(members)),
            Kind::Not(inner) => format!("(not {})", shape(inner)),
            Kind::Paren(inner) => shape(inner),
            Kind::Compare(op, left, right) => {
                format!("({} {} {})", op.as_str(), shape(left), shape(right))
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn operators_group_loosest_first() {
        for (text, expected) in [
            ("a or b and c", "(or a (and b c))"),
            ("a and b or c", "(or (and a b) c)"),
            ("(a or b) and c", "(and (or a b) c)"),
            ("not a == b", "(not (== a b))"),
            ("not not a and not b", "(and a (not b))"),
            ("a not  in b or inner", "(or (not in a b) inner)"),
            ("a <= b and c < d", "(and (<= a b) (< c d))"),
        ] {
            assert_eq!(shape(&lone_expr(text, 0).unwrap().unwrap()), expected);
        }
    }
}
