//! The syntax tree: what the text says, with the place of each part. Borrows names from the files; knows no meaning.

use std::borrow::Cow;

use crate::policy::syntax::literal::{Money, Number};

/// A stretch of a policy's text, in bytes.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// Index into the files of the load.
    pub file: u16,
    /// First byte.
    pub start: u32,
    /// Bytes.
    pub len: u32,
}

impl Place {
    /// From here to the end of `last`.
    #[must_use]
    pub fn to(self, last: Self) -> Self {
        let len = (last.start + last.len).saturating_sub(self.start);
        Self { len, ..self }
    }

    /// Whether they have a byte in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.file == other.file
            && self.start < other.start + other.len
            && other.start < self.start + self.len
    }

    /// The empty place where this one ends.
    #[must_use]
    pub fn end(self) -> Self {
        Self {
            start: self.start + self.len,
            len: 0,
            ..self
        }
    }
}

/// One top-level item.
#[derive(Debug)]
pub(in crate::policy) enum Item<'s> {
    /// `policy N`
    Version(Place, Cow<'s, str>),
    /// `import "path"`
    Import(Place, Cow<'s, str>),
    /// `const …`
    Const(Stmt<'s>),
    /// Everything else.
    Stmt(Stmt<'s>),
}

/// Words, then perhaps a value or a target, then perhaps a block.
#[derive(Debug)]
pub(in crate::policy) struct Stmt<'s> {
    /// All of it.
    pub(in crate::policy) place: Place,
    /// At least one.
    pub(in crate::policy) words: Vec<Word<'s>>,
    /// What follows the words.
    pub(in crate::policy) tail: Tail<'s>,
    /// `{ … }`
    pub(in crate::policy) body: Option<Body<'s>>,
}

/// What follows the words of a statement.
#[derive(Debug)]
pub(in crate::policy) enum Tail<'s> {
    /// Nothing.
    Bare,
    /// `= value`
    Assign(Expr<'s>),
    /// `-> words`
    Arrow(Vec<Word<'s>>),
}

/// One word of a statement.
#[derive(Debug)]
pub(in crate::policy) enum Word<'s> {
    /// A name, a number, a string, a call.
    Expr(Expr<'s>),
    /// `when condition`
    When(Place, Expr<'s>),
    /// `on condition`
    On(Place, Expr<'s>),
    /// `else`
    Else(Place),
}

/// `{ … }`
#[derive(Debug)]
pub(in crate::policy) struct Body<'s> {
    /// With both braces.
    pub(in crate::policy) place: Place,
    /// In order.
    pub(in crate::policy) stmts: Vec<Stmt<'s>>,
}

/// An expression.
#[derive(Debug)]
pub(in crate::policy) struct Expr<'s> {
    /// All of it.
    pub(in crate::policy) place: Place,
    /// What it is.
    pub(in crate::policy) kind: Kind<'s>,
}

/// The forms of expression.
#[derive(Debug)]
pub(in crate::policy) enum Kind<'s> {
    /// `a.b.c`
    Path(&'s str),
    /// `name(…)`
    Call(&'s str, Vec<Arg<'s>>),
    /// `name["…"]`, `name[0..1]`
    Index(&'s str, Box<Expr<'s>>),
    /// `30s`
    Number(Number),
    /// `15s..2m`
    Range(Number, Number),
    /// `$5/d`
    Money(Money),
    /// `"…"`, without quotes and escapes.
    Str(Cow<'s, str>),
    /// `[…]`
    List(Vec<Expr<'s>>),
    /// `(…)`
    Paren(Box<Expr<'s>>),
    /// `not …`
    Not(Box<Expr<'s>>),
    /// `… and …`, at least two.
    And(Vec<Expr<'s>>),
    /// `… or …`, at least two.
    Or(Vec<Expr<'s>>),
    /// `left op right`
    Compare(Op, Box<Expr<'s>>, Box<Expr<'s>>),
}

/// An argument of a call.
#[derive(Debug)]
pub(in crate::policy) struct Arg<'s> {
    /// The argument, or the name of a named one.
    pub(in crate::policy) expr: Expr<'s>,
    /// The value of a named one.
    pub(in crate::policy) value: Option<Expr<'s>>,
}

/// Comparisons.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::policy) enum Op {
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `in`
    In,
    /// `not in`
    NotIn,
    /// `like`
    Like,
    /// `starts_with`
    StartsWith,
    /// `ends_with`
    EndsWith,
    /// `contains`
    Contains,
}

impl Op {
    /// As it is written.
    pub(in crate::policy) const fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::In => "in",
            Self::NotIn => "not in",
            Self::Like => "like",
            Self::StartsWith => "starts_with",
            Self::EndsWith => "ends_with",
            Self::Contains => "contains",
        }
    }
}

impl<'s> Word<'s> {
    /// Where it stands.
    pub(in crate::policy) fn place(&self) -> Place {
        match self {
            Self::Expr(expr) => expr.place,
            Self::When(place, _) | Self::On(place, _) | Self::Else(place) => *place,
        }
    }

    /// The name, where the word is a plain one.
    pub(in crate::policy) fn name(&self) -> Option<&'s str> {
        match self {
            Self::Expr(expr) => expr.name(),
            Self::When(..) | Self::On(..) | Self::Else(_) => None,
        }
    }
}

impl<'s> Expr<'s> {
    /// The name, where the expression is a plain one.
    pub(in crate::policy) fn name(&self) -> Option<&'s str> {
        match self.kind {
            Kind::Path(name) => Some(name),
            _ => None,
        }
    }
}

impl<'s> Stmt<'s> {
    /// The first word: what kind of statement this is.
    pub(in crate::policy) fn key(&self) -> &'s str {
        match self.words.first() {
            Some(Word::Expr(Expr {
                kind: Kind::Path(name) | Kind::Call(name, _) | Kind::Index(name, _),
                ..
            })) => name,
            Some(Word::On(..)) => "on",
            Some(Word::Else(_)) => "else",
            Some(Word::When(..)) => "when",
            _ => "",
        }
    }

    /// Where the first word stands.
    pub(in crate::policy) fn key_place(&self) -> Place {
        self.words.first().map_or(self.place, Word::place)
    }

    /// The second word: the name of what is declared.
    pub(in crate::policy) fn name(&self) -> Option<(&'s str, Place)> {
        let word = self.words.get(1)?;
        Some((word.name()?, word.place()))
    }

    /// The statements of the block, none where there is no block.
    pub(in crate::policy) fn stmts(&self) -> &[Self] {
        self.body.as_ref().map_or(&[], |body| &body.stmts)
    }

    /// The head: everything before the block.
    pub(in crate::policy) fn head(&self) -> Place {
        let mut head = self.key_place();
        if let Some(word) = self.words.last() {
            head = head.to(word.place());
        }
        match &self.tail {
            Tail::Bare => head,
            Tail::Assign(expr) => head.to(expr.place),
            Tail::Arrow(words) => words.last().map_or(head, |word| head.to(word.place())),
        }
    }
}

impl Item<'_> {
    /// Every place in it.
    pub(in crate::policy) fn each_place(&mut self, visit: &mut dyn FnMut(&mut Place)) {
        match self {
            Self::Version(place, _) | Self::Import(place, _) => visit(place),
            Self::Const(stmt) | Self::Stmt(stmt) => stmt.each_place(visit),
        }
    }
}

impl Stmt<'_> {
    fn each_place(&mut self, visit: &mut dyn FnMut(&mut Place)) {
        visit(&mut self.place);
        for word in &mut self.words {
            word.each_place(visit);
        }
        match &mut self.tail {
            Tail::Bare => {}
            Tail::Assign(expr) => expr.each_place(visit),
            Tail::Arrow(words) => words.iter_mut().for_each(|word| word.each_place(visit)),
        }
        if let Some(body) = &mut self.body {
            visit(&mut body.place);
            body.stmts
                .iter_mut()
                .for_each(|stmt| stmt.each_place(visit));
        }
    }
}

impl Word<'_> {
    fn each_place(&mut self, visit: &mut dyn FnMut(&mut Place)) {
        match self {
            Self::Expr(expr) => expr.each_place(visit),
            Self::When(place, expr) | Self::On(place, expr) => {
                visit(place);
                expr.each_place(visit);
            }
            Self::Else(place) => visit(place),
        }
    }
}

impl Expr<'_> {
    fn each_place(&mut self, visit: &mut dyn FnMut(&mut Place)) {
        visit(&mut self.place);
        match &mut self.kind {
            Kind::Path(_) | Kind::Number(_) | Kind::Range(..) | Kind::Money(_) | Kind::Str(_) => {}
            Kind::Call(_, args) => {
                for arg in args {
                    arg.expr.each_place(visit);
                    if let Some(value) = &mut arg.value {
                        value.each_place(visit);
                    }
                }
            }
            Kind::Index(_, inner) | Kind::Paren(inner) | Kind::Not(inner) => {
                inner.each_place(visit);
            }
            Kind::List(members) | Kind::And(members) | Kind::Or(members) => {
                for member in members {
                    member.each_place(visit);
                }
            }
            Kind::Compare(_, left, right) => {
                left.each_place(visit);
                right.each_place(visit);
            }
        }
    }
}
